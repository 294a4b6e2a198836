# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to hitless.nodes: it may change in any release, don't import it from elsewhere.

"""Which cluster a module talks to, and with which identity: its options, and the configuration from them."""

from __future__ import annotations

import os
import ssl
import traceback
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from ansible.module_utils.basic import env_fallback

from ..base.errors import HitlessError

KUBERNETES_IMPORT_ERROR: str | None = None
try:
    import urllib3
    import yaml
    from kubernetes import config as kube_config
    from kubernetes.client import Configuration
    from kubernetes.client.rest import RESTClientObject
except ImportError:
    KUBERNETES_IMPORT_ERROR = traceback.format_exc()

LIBRARIES: dict[str, str | None] = {"kubernetes": KUBERNETES_IMPORT_ERROR}


def argument_spec() -> dict[str, Any]:
    """The options of every module that talks to the Kubernetes API, as the doc fragment client describes them."""

    def from_environment(name: str, **option: Any) -> dict[str, Any]:
        return {**option, "fallback": (env_fallback, [f"K8S_AUTH_{name}"])}

    return {
        "kubeconfig": from_environment("KUBECONFIG", type="path"),
        "context": from_environment("CONTEXT", type="str"),
        "host": from_environment("HOST", type="str"),
        "api_key": from_environment("API_KEY", type="str", no_log=True),
        "validate_certs": from_environment("VERIFY_SSL", type="bool", aliases=["verify_ssl"]),
        "ca_cert": from_environment("SSL_CA_CERT", type="path", aliases=["ssl_ca_cert"]),
        "client_cert": from_environment("CERT_FILE", type="path", aliases=["cert_file"]),
        "client_key": from_environment("KEY_FILE", type="path", aliases=["key_file"], no_log=False),
        "request_timeout": {"type": "float", "default": 10.0},
    }


class ConfigurationError(HitlessError):
    """The options don't say in a usable way which cluster to talk to, and with which identity."""


def _setting(params: dict[str, Any], option: str, variable: str) -> str:
    """Where an option's value came from, for messages."""
    return variable if os.environ.get(variable) == params[option] else f"option {option}"


def _kubeconfig(path: str | None, context: str | None, source: str, configuration: Configuration) -> None:
    """Loads a kubeconfig into a configuration; path None means KUBECONFIG or ~/.kube/config."""
    try:
        kube_config.load_kube_config(config_file=path, context=context, client_configuration=configuration)
    except (
        kube_config.ConfigException,
        yaml.YAMLError,
        OSError,
        ValueError,
        KeyError,
        TypeError,
        AttributeError,
    ) as exc:
        reason = str(exc).splitlines()[0] if str(exc) else type(exc).__name__
        raise ConfigurationError(f"kubeconfig {source} can't be used: {reason}") from exc


def configure(params: dict[str, Any]) -> tuple[Configuration, str]:
    """The configuration of the connection, and where it came from, for messages.

    The order is: host with token or client certificate; kubeconfig or context; KUBECONFIG; ~/.kube/config; the service
    account of the pod we run in. Single options then override what was loaded.
    """
    configuration = Configuration()
    source = _load(params, configuration)
    _override(params, configuration)
    return configuration, source


def _load(params: dict[str, Any], configuration: Configuration) -> str:
    """Where the configuration was loaded from, in words."""
    if params["host"] and (params["api_key"] or params["client_cert"]):
        return _setting(params, "host", "K8S_AUTH_HOST")
    default = os.environ.get("KUBECONFIG") or "~/.kube/config"
    if params["kubeconfig"] or params["context"] or _any_file(default):
        return _load_kubeconfig(params, default, configuration)
    if os.environ.get("KUBERNETES_SERVICE_HOST"):
        try:
            kube_config.load_incluster_config(client_configuration=configuration)
        except kube_config.ConfigException as exc:
            raise ConfigurationError(f"the service account of this pod can't be used: {exc}") from exc
        return "the service account of this pod"
    raise ConfigurationError(
        "no Kubernetes cluster is configured: give kubeconfig or host and api_key (or K8S_AUTH_KUBECONFIG, "
        "K8S_AUTH_HOST and K8S_AUTH_API_KEY, KUBECONFIG), or put a kubeconfig at ~/.kube/config"
    )


def _any_file(paths: str) -> bool:
    """Whether one of the files in a KUBECONFIG exists."""
    return any(Path(part).expanduser().is_file() for part in paths.split(os.pathsep) if part)


def _load_kubeconfig(params: dict[str, Any], default: str, configuration: Configuration) -> str:
    path = params["kubeconfig"]
    source = f"{path} ({_setting(params, 'kubeconfig', 'K8S_AUTH_KUBECONFIG')})" if path else default
    if path and not Path(path).is_file():
        raise ConfigurationError(f"kubeconfig {source} doesn't exist on the host that this task runs on")
    _kubeconfig(path, params["context"], source, configuration)
    return f"kubeconfig {source}"


def _override(params: dict[str, Any], configuration: Configuration) -> None:
    """Single options override what was loaded."""
    overrides = {
        "host": params["host"] and params["host"].rstrip("/"),
        "ssl_ca_cert": params["ca_cert"],
        "cert_file": params["client_cert"],
        "key_file": params["client_key"],
        "verify_ssl": params["validate_certs"],
    }
    for name, value in overrides.items():
        if value is not None:
            setattr(configuration, name, value)
    if params["api_key"]:
        configuration.api_key = {"authorization": f"Bearer {params['api_key']}"}
        # Otherwise the kubeconfig's own identity would win. Its hook restores its token, and certificates come first.
        configuration.refresh_api_key_hook = None
        configuration.cert_file, configuration.key_file = params["client_cert"], params["client_key"]


def connection_pool(configuration: Configuration, source: str) -> urllib3.PoolManager:
    """The connections of a configuration, with its TLS settings and its proxy."""
    try:
        pool: urllib3.PoolManager = RESTClientObject(configuration).pool_manager
    except (OSError, urllib3.exceptions.HTTPError, ValueError) as exc:
        raise ConfigurationError(f"the settings of {source} can't be used: {exc}") from exc
    return pool


def websocket_options(configuration: Configuration) -> dict[str, Any]:
    """TLS and proxy of a configuration, in the form of the websocket library."""
    return {"sslopt": _tls(configuration), **_proxy(configuration)}


def _tls(configuration: Configuration) -> dict[str, Any]:
    tls: dict[str, Any] = {"cert_reqs": ssl.CERT_REQUIRED if configuration.verify_ssl else ssl.CERT_NONE}
    if configuration.verify_ssl and configuration.ssl_ca_cert:
        tls["ca_certs"] = configuration.ssl_ca_cert
    if configuration.verify_ssl and configuration.assert_hostname is False:
        tls["check_hostname"] = False
    if configuration.cert_file:
        tls |= {"certfile": configuration.cert_file, "keyfile": configuration.key_file}
    if configuration.tls_server_name:
        tls["server_hostname"] = configuration.tls_server_name
    return tls


def _proxy(configuration: Configuration) -> dict[str, Any]:
    if not configuration.proxy:
        return {}
    proxy = urlsplit(configuration.proxy)
    options: dict[str, Any] = {"http_proxy_host": proxy.hostname, "http_proxy_port": proxy.port or 80}
    if configuration.no_proxy:
        options["http_no_proxy"] = [host.strip() for host in configuration.no_proxy.split(",")]
    if proxy.username:
        options["http_proxy_auth"] = (unquote(proxy.username), unquote(proxy.password or ""))
    return options
