# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
import yaml
from ansible_collections.hitless.nodes.plugins.doc_fragments.client import ModuleDocFragment
from ansible_collections.hitless.nodes.plugins.module_utils.kube.connection import (
    ConfigurationError,
    argument_spec,
    configure,
)

KUBECONFIG = """
apiVersion: v1
kind: Config
current-context: lab
contexts:
  - {name: lab, context: {cluster: lab, user: lab}}
  - {name: other, context: {cluster: other, user: lab}}
clusters:
  - {name: lab, cluster: {server: "https://lab.example.org:6443"}}
  - {name: other, cluster: {server: "https://other.example.org:6443", insecure-skip-tls-verify: true}}
users:
  - {name: lab, user: {token: secret}}
"""


@pytest.fixture(autouse=True)
def nowhere(monkeypatch, tmp_path):
    """No cluster is configured anywhere."""
    for name in ("KUBECONFIG", "KUBERNETES_SERVICE_HOST"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))


@pytest.fixture
def kubeconfig(tmp_path):
    path = tmp_path / "config"
    path.write_text(KUBECONFIG)
    return str(path)


def params(**changes):
    return {name: option.get("default") for name, option in argument_spec().items()} | changes


def token_of(configuration):
    return next(iter(configuration.auth_settings().values()))["value"]


def test_configure_by_kubeconfig(kubeconfig):
    configuration, source = configure(params(kubeconfig=kubeconfig))
    assert configuration.host == "https://lab.example.org:6443"
    assert token_of(configuration) == "Bearer secret"
    assert source == f"kubeconfig {kubeconfig} (option kubeconfig)"


def test_configure_by_context(kubeconfig):
    configuration, _source = configure(params(kubeconfig=kubeconfig, context="other"))
    assert (configuration.host, configuration.verify_ssl) == ("https://other.example.org:6443", False)


def test_configure_names_the_variable(kubeconfig, monkeypatch):
    monkeypatch.setenv("K8S_AUTH_KUBECONFIG", kubeconfig)
    assert configure(params(kubeconfig=kubeconfig))[1] == f"kubeconfig {kubeconfig} (K8S_AUTH_KUBECONFIG)"


def test_configure_by_host_and_token_needs_no_kubeconfig():
    configuration, source = configure(params(host="https://k8s.example.org/", api_key="t", validate_certs=False))
    assert (configuration.host, configuration.verify_ssl) == ("https://k8s.example.org", False)
    assert (token_of(configuration), source) == ("Bearer t", "option host")


def test_configure_overrides_single_settings(kubeconfig):
    configuration, _source = configure(params(kubeconfig=kubeconfig, api_key="mine", ca_cert="/ca.pem"))
    assert token_of(configuration) == "Bearer mine"
    assert (configuration.host, configuration.ssl_ca_cert) == ("https://lab.example.org:6443", "/ca.pem")


def test_configure_by_the_variable_that_kubectl_knows(kubeconfig, monkeypatch):
    # kubernetes.config reads KUBECONFIG when it is imported, so a file by that name is what can be seen here.
    monkeypatch.setenv("KUBECONFIG", "/nowhere/config")
    with pytest.raises(ConfigurationError, match="no Kubernetes cluster is configured"):
        configure(params())
    monkeypatch.setenv("KUBECONFIG", kubeconfig)
    assert configure(params(kubeconfig=kubeconfig))[0].host == "https://lab.example.org:6443"


@pytest.mark.parametrize(
    ("content", "changes", "words"),
    [
        (None, {}, "doesn't exist on the host that this task runs on"),
        ("", {}, "can't be used"),
        ("{", {}, "can't be used"),
        ("a: b", {}, "can't be used"),
        (KUBECONFIG, {"context": "missing"}, "can't be used: .*missing"),
    ],
)
def test_configure_refuses_what_is_no_kubeconfig(tmp_path, content, changes, words):
    path = tmp_path / "broken"
    if content is not None:
        path.write_text(content)
    with pytest.raises(ConfigurationError, match=words) as caught:
        configure(params(kubeconfig=str(path), **changes))
    assert str(path) in caught.value.msg
    assert "\n" not in caught.value.msg


def test_configure_says_what_to_give_when_there_is_nothing():
    with pytest.raises(ConfigurationError, match="no Kubernetes cluster is configured: give kubeconfig or host"):
        configure(params())


def test_configure_in_a_pod_without_a_service_account(monkeypatch):
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1")
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", "443")
    with pytest.raises(ConfigurationError, match="service account of this pod can't be used"):
        configure(params())


def test_options_are_the_documented_ones():
    documented = yaml.safe_load(ModuleDocFragment.DOCUMENTATION)["options"]
    spec = argument_spec()
    assert documented.keys() == spec.keys()
    for name, option in spec.items():
        for field in ("type", "default", "aliases"):
            assert documented[name].get(field) == option.get(field), (name, field)


def test_every_variable_is_documented():
    documented = yaml.safe_load(ModuleDocFragment.DOCUMENTATION)["options"]
    for name, option in argument_spec().items():
        for variable in (option.get("fallback") or (None, []))[1]:
            assert f"E({variable})" in " ".join(documented[name]["description"])
