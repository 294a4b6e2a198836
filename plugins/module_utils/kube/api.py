# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to hitless.nodes: it may change in any release, don't import it from elsewhere.

"""The Kubernetes API as plain HTTP: paths and dicts in, dicts out, and a named error for each way it can fail.

Only the configuration and the connection pool come from the ``kubernetes`` package: both kept their shape from 31 to
37, while its typed models changed, and importing them costs a second.
"""

from __future__ import annotations

import json
import os
import ssl
import time
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn, cast
from urllib.parse import quote, unquote, urlencode, urlsplit

from ansible.module_utils.basic import AnsibleModule, env_fallback

from ..base.errors import HitlessError

KUBERNETES_IMPORT_ERROR: str | None = None
try:
    import urllib3
    import websocket
    import yaml
    from kubernetes import config as kube_config
    from kubernetes.client import Configuration
    from kubernetes.client.rest import RESTClientObject
except ImportError:
    KUBERNETES_IMPORT_ERROR = traceback.format_exc()

LIBRARIES: dict[str, str | None] = {"kubernetes": KUBERNETES_IMPORT_ERROR}

PAGE = 500
# A list of 5,000 pods is asked for in pages, and a list that only wants names asks for nothing else.
NAMES_ONLY = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json"


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
    """There is no usable answer to "which cluster, and as whom"."""


class Unreachable(HitlessError):  # noqa: N818 - reads as what it is: an answer that didn't come
    """No answer from the API server."""


class ApiError(HitlessError):
    """The API server answered with an error. status is the HTTP status, details the Status object's details."""

    def __init__(self, msg: str, *, status: int = 0, details: dict[str, Any] | None = None, message: str = "") -> None:
        super().__init__(msg, status=status)
        self.status = status
        self.details = details or {}
        self.message = message
        self.retry_after: float | None = None

    def has_cause(self, reason: str) -> bool:
        """Whether the server gave this machine-readable cause."""
        return any(cause.get("reason") == reason for cause in self.details.get("causes") or [])


class Unauthorized(ApiError):  # noqa: N818 - named as in the API
    """401."""


class Forbidden(ApiError):  # noqa: N818
    """403."""


class NotFound(ApiError):  # noqa: N818
    """404."""


class Conflict(ApiError):  # noqa: N818
    """409."""


class Expired(ApiError):  # noqa: N818
    """410: the resourceVersion or the continue token is too old."""


class TooManyRequests(ApiError):  # noqa: N818
    """429: a PodDisruptionBudget or the server's flow control."""


class ServerError(ApiError):
    """5xx."""


# What a wait lives through. Anything else (a wrong token, a missing right) doesn't get better by waiting.
TRANSIENT = (Unreachable, ServerError, TooManyRequests)

_BY_STATUS: dict[int, type[ApiError]] = {
    401: Unauthorized,
    403: Forbidden,
    404: NotFound,
    409: Conflict,
    410: Expired,
    429: TooManyRequests,
}


def right_needed(method: str, path: str, query: dict[str, Any]) -> str:
    """The RBAC right that a request needs, in words: "patch nodes", "create pods/eviction in namespace shop"."""
    parts = path.strip("/").split("/")
    parts = parts[2:] if parts[0] == "api" else parts[3:]
    namespace = ""
    if len(parts) > 2 and parts[0] == "namespaces":
        namespace, parts = f" in namespace {parts[1]}", parts[2:]
    resource, name, subresource = (*parts, "", "", "")[:3]
    if subresource == "exec":
        # A websocket begins with a GET. Since Kubernetes 1.35 that asks for create, too; before, get alone was enough.
        verb = "get and create"
    elif method == "GET":
        verb = "get" if name else "watch" if query.get("watch") else "list"
    else:
        verb = {"POST": "create", "PATCH": "patch", "PUT": "update", "DELETE": "delete"}[method]
    return f"{verb} {resource}{'/' + subresource if subresource else ''}{namespace}"


def segment(name: str) -> str:
    """A name as one segment of a path."""
    return quote(name, safe="")


def _setting(params: dict[str, Any], option: str, variable: str) -> str:
    """Where an option's value came from, for messages."""
    return f"{variable}" if os.environ.get(variable) == params[option] else f"option {option}"


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

    In this order: host with token or client certificate; kubeconfig or context; KUBECONFIG; ~/.kube/config; the service
    account of the pod we run in. Single options then override what was loaded.
    """
    configuration = Configuration()
    default = os.environ.get("KUBECONFIG") or "~/.kube/config"
    in_pod = bool(os.environ.get("KUBERNETES_SERVICE_HOST"))
    default_exists = any(Path(part).expanduser().is_file() for part in default.split(os.pathsep) if part)
    if params["host"] and (params["api_key"] or params["client_cert"]):
        source = _setting(params, "host", "K8S_AUTH_HOST")
    elif params["kubeconfig"] or params["context"] or default_exists:
        path = params["kubeconfig"]
        source = f"{path} ({_setting(params, 'kubeconfig', 'K8S_AUTH_KUBECONFIG')})" if path else default
        if path and not Path(path).is_file():
            raise ConfigurationError(f"kubeconfig {source} doesn't exist on the host that this task runs on")
        _kubeconfig(path, params["context"], source, configuration)
        source = f"kubeconfig {source}"
    elif in_pod:
        try:
            kube_config.load_incluster_config(client_configuration=configuration)
        except kube_config.ConfigException as exc:
            raise ConfigurationError(f"the service account of this pod can't be used: {exc}") from exc
        source = "the service account of this pod"
    else:
        raise ConfigurationError(
            "no Kubernetes cluster is configured: give kubeconfig or host and api_key (or K8S_AUTH_KUBECONFIG, "
            "K8S_AUTH_HOST and K8S_AUTH_API_KEY, KUBECONFIG), or put a kubeconfig at ~/.kube/config"
        )
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
        # Otherwise the kubeconfig's own identity would win: its hook restores its token, and certificates go first.
        configuration.refresh_api_key_hook = None
        configuration.cert_file, configuration.key_file = params["client_cert"], params["client_key"]
    return configuration, source


def connect(module: AnsibleModule, *, connections: int = 4) -> Client:
    """The connection that a module's parameters ask for. Says so when nobody checks who answers."""
    client = Client(module.params, connections=connections)
    if not client.verified:
        module.warn(
            f"the certificate of {client.url} is not checked (validate_certs or K8S_AUTH_VERIFY_SSL is false, or the "
            f"kubeconfig says insecure-skip-tls-verify): anybody in between could read the token and change the answers"
        )
    return client


class Client:
    """A connection to one API server. Safe to use from several threads, as urllib3's pool is."""

    def __init__(self, params: dict[str, Any], *, connections: int = 4) -> None:
        self._configuration, self.source = configure(params)
        self._configuration.connection_pool_maxsize = connections
        self.url = self._configuration.host
        self.timeout = params["request_timeout"]
        self.verified = bool(self._configuration.verify_ssl) or not self.url.startswith("https:")
        if not self.verified:
            # connect() says it once; urllib3 would say it at every request.
            urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)
        try:
            self._pool = RESTClientObject(self._configuration).pool_manager
        except (OSError, urllib3.exceptions.HTTPError, ValueError) as exc:
            raise ConfigurationError(f"the settings of {self.source} can't be used: {exc}") from exc

    # One request.

    def get(self, path: str, *, accept: str = "application/json", **query: Any) -> dict[str, Any]:
        """One object or list."""
        return self._answer("GET", path, query, headers={"Accept": accept})

    def text(self, path: str, **query: Any) -> str:
        """What is no object: the log of a pod."""
        response = self._send("GET", path, query)
        if response.status >= 400:
            self._fail("GET", path, query, response.status, response.data, response.headers)
        return str(response.data.decode(errors="replace"))

    def find(self, path: str) -> dict[str, Any] | None:
        """One object, None if it (or its whole kind) doesn't exist."""
        try:
            return self.get(path)
        except NotFound:
            return None

    def patch(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """The object after a merge patch (custom resources refuse strategic merge patches)."""
        return self._answer("PATCH", path, {}, body=body, content_type="application/merge-patch+json")

    def post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """What was created."""
        return self._answer("POST", path, {}, body=body)

    def delete(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """What the server says of a deletion with these DeleteOptions."""
        return self._answer("DELETE", path, {}, body=body)

    # Many objects.

    def list_all(
        self, path: str, *, accept: str = "application/json", **query: Any
    ) -> tuple[list[dict[str, Any]], str]:
        """All objects of a list, read in pages, and the resourceVersion from which a watch goes on."""
        for attempt in (1, 2, 3):
            items: list[dict[str, Any]] = []
            page = {"limit": PAGE, **query}
            try:
                while True:
                    answer = self.get(path, accept=accept, **page)
                    items += answer.get("items") or []
                    token = answer.get("metadata", {}).get("continue")
                    if not token:
                        return items, answer.get("metadata", {}).get("resourceVersion", "")
                    page["continue"] = token
            except Expired:
                # The token of the next page lives as long as etcd's history (5 minutes): begin again.
                if attempt == 3:
                    raise
        raise AssertionError("unreachable")

    def watch(self, path: str, *, resource_version: str, seconds: int, **query: Any) -> Iterator[dict[str, Any]]:
        """The events of one watch, until the server ends it after that many seconds; raises Expired for a 410 in it."""
        query |= {
            "watch": 1,
            "resourceVersion": resource_version,
            "allowWatchBookmarks": "true",
            "timeoutSeconds": seconds,
        }
        # The server ends the watch; hearing nothing for longer than that means that the connection is dead.
        response = self._send("GET", path, query, read_timeout=seconds + self.timeout, stream=True)
        try:
            if response.status >= 400:
                self._fail("GET", path, query, response.status, response.read(), response.headers)
            for line in _lines(response):
                event = json.loads(line)
                if event.get("type") == "ERROR":
                    status = event.get("object") or {}
                    self._fail("GET", path, query, int(status.get("code") or 500), line, {}, status)
                yield event
        except (urllib3.exceptions.HTTPError, OSError, ValueError) as exc:
            raise Unreachable(f"the watch of {self.url}{path} broke: {_reason(exc)}") from exc
        finally:
            # An unfinished stream can't go back to the pool.
            response.close()

    def frames(
        self, path: str, query: list[tuple[str, str]], *, protocols: list[str], seconds: float
    ) -> Iterator[bytes]:
        """The messages of a websocket until the server closes it; raises Unreachable when that takes longer."""
        deadline = time.monotonic() + seconds
        where = f"{self.url}{path}"
        try:
            # The library that the kubernetes package uses for exec. Its own kubernetes.stream drops HTTP statuses and
            # lost the token in 36 (https://github.com/kubernetes-client/python/issues/2595).
            socket = websocket.create_connection(
                f"ws{self.url.removeprefix('http')}{path}?{urlencode(query)}",
                timeout=self.timeout,
                header=[f"{key}: {value}" for key, value in self._authorization().items()],
                subprotocols=protocols,
                enable_multithread=False,
                **_websocket_options(self._configuration),
            )
        except websocket.WebSocketBadStatusException as exc:
            body = getattr(exc, "resp_body", None) or b""
            self._fail("GET", path, {}, exc.status_code, body, getattr(exc, "resp_headers", None))
        except (websocket.WebSocketException, OSError) as exc:
            if _is_bad_certificate(exc):
                raise ConfigurationError(f"{where} shows a certificate that isn't trusted: {_reason(exc)}") from exc
            raise Unreachable(f"{where} can't be reached: {_reason(exc)}") from exc
        try:
            while True:
                left = deadline - time.monotonic()
                if left <= 0:
                    raise Unreachable(f"{where} gave no answer within {seconds:g} s")
                socket.settimeout(left)
                opcode, data = socket.recv_data()
                if opcode == websocket.ABNF.OPCODE_CLOSE:
                    return
                yield data
        except websocket.WebSocketConnectionClosedException:
            # Without a closing handshake: whether all was said is for the caller to see.
            return
        except websocket.WebSocketTimeoutException as exc:
            raise Unreachable(f"{where} gave no answer within {seconds:g} s") from exc
        except (websocket.WebSocketException, OSError) as exc:
            raise Unreachable(f"{where} broke off: {_reason(exc)}") from exc
        finally:
            # No closing handshake, which would wait for the server.
            socket.shutdown()

    # Underneath.

    def _authorization(self) -> dict[str, str]:
        """The headers that say who we are; the token is read anew where the kubeconfig renews it."""
        settings = cast("dict[str, dict[str, str]]", self._configuration.auth_settings())
        return {setting["key"]: setting["value"] for setting in settings.values()}

    def _answer(self, method: str, path: str, query: dict[str, Any], **options: Any) -> dict[str, Any]:
        response = self._send(method, path, query, **options)
        if response.status >= 400:
            self._fail(method, path, query, response.status, response.data, response.headers)
        try:
            answer = json.loads(response.data)
        except ValueError as exc:
            raise ApiError(
                f"{self.url}{path} ({self.source}) answered {response.status} with something that is not JSON: "
                f"is this a Kubernetes API server?",
                status=response.status,
            ) from exc
        return answer if isinstance(answer, dict) else {}

    def _send(
        self,
        method: str,
        path: str,
        query: dict[str, Any],
        *,
        body: dict[str, Any] | None = None,
        content_type: str = "application/json",
        headers: dict[str, str] | None = None,
        read_timeout: float | None = None,
        stream: bool = False,
    ) -> urllib3.BaseHTTPResponse:
        ours = {"Accept": "application/json", "User-Agent": "hitless.nodes"}
        headers = {**ours, **(headers or {}), **self._authorization()}
        if body is not None:
            headers["Content-Type"] = content_type
        url = f"{self.url}{path}{'?' + urlencode(query) if query else ''}"
        try:
            response: urllib3.BaseHTTPResponse = self._pool.request(
                method,
                url,
                body=None if body is None else json.dumps(body).encode(),
                headers=headers,
                timeout=urllib3.Timeout(connect=self.timeout, read=read_timeout or self.timeout),
                retries=False,
                preload_content=not stream,
            )
            return response
        except (urllib3.exceptions.HTTPError, OSError) as exc:
            where = f"the Kubernetes API {self.url} ({self.source})"
            if _is_bad_certificate(exc):
                raise ConfigurationError(f"{where} shows a certificate that isn't trusted: {_reason(exc)}") from exc
            raise Unreachable(f"{where} can't be reached: {_reason(exc)}") from exc

    def _fail(
        self,
        method: str,
        path: str,
        query: dict[str, Any],
        status: int,
        data: bytes,
        headers: Any,
        answer: dict[str, Any] | None = None,
    ) -> NoReturn:
        """Raises the error with the name of an HTTP status."""
        if answer is None:
            try:
                answer = json.loads(data)
            except ValueError:
                answer = {}
        if not isinstance(answer, dict):
            answer = {}
        message = str(answer.get("message") or data[:200].decode(errors="replace").strip() or "no message")
        where = f"{method} {self.url}{path}"
        if status == 401:
            msg = f"{where}: the token or certificate from {self.source} is wrong or has expired (401)"
        elif status == 403:
            msg = f"{where}: the right to {right_needed(method, path, query)} is missing (403): {message}"
        else:
            msg = f"{where}: {message} ({status})"
        kind = ServerError if status >= 500 else _BY_STATUS.get(status, ApiError)
        error = kind(msg, status=status, details=answer.get("details"), message=message)
        wait = headers.get("Retry-After") if headers else None
        error.retry_after = float(wait) if wait and wait.isdigit() else None
        raise error


def _websocket_options(configuration: Configuration) -> dict[str, Any]:
    """TLS and proxy of a configuration, as the websocket library takes them."""
    tls: dict[str, Any] = {"cert_reqs": ssl.CERT_REQUIRED if configuration.verify_ssl else ssl.CERT_NONE}
    if configuration.verify_ssl and configuration.ssl_ca_cert:
        tls["ca_certs"] = configuration.ssl_ca_cert
    if configuration.verify_ssl and configuration.assert_hostname is False:
        tls["check_hostname"] = False
    if configuration.cert_file:
        tls |= {"certfile": configuration.cert_file, "keyfile": configuration.key_file}
    if configuration.tls_server_name:
        tls["server_hostname"] = configuration.tls_server_name
    options: dict[str, Any] = {"sslopt": tls}
    if configuration.proxy:
        proxy = urlsplit(configuration.proxy)
        options |= {"http_proxy_host": proxy.hostname, "http_proxy_port": proxy.port or 80}
        if configuration.no_proxy:
            options["http_no_proxy"] = [host.strip() for host in configuration.no_proxy.split(",")]
        if proxy.username:
            options["http_proxy_auth"] = (unquote(proxy.username), unquote(proxy.password or ""))
    return options


def _lines(response: urllib3.BaseHTTPResponse) -> Iterator[bytes]:
    """The lines of a streamed answer, as they come in."""
    rest = b""
    for chunk in response.stream(65536):
        *lines, rest = (rest + chunk).split(b"\n")
        yield from (line for line in lines if line.strip())


def _is_bad_certificate(exc: BaseException) -> bool:
    """Whether a connection failed because of the server's certificate: that doesn't get better by waiting."""
    cause: BaseException | None = exc
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return True
        cause = cause.args[0] if cause.args and isinstance(cause.args[0], BaseException) else cause.__cause__
    return False


def _reason(exc: BaseException) -> str:
    """The innermost words of a connection error: "Connection refused", not the object that met it."""
    cause: BaseException = exc
    while cause.__cause__ is not None:
        cause = cause.__cause__
    return (
        getattr(cause, "strerror", None) or getattr(cause, "verify_message", None) or str(cause) or type(cause).__name__
    )
