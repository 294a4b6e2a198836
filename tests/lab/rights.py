# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rights of docs/manifests/rbac.yml, given in the lab: playbooks run with these and no more."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import yaml
from emulator.client import Api
from kubernetes import client, config, dynamic

from lab.settings import LabError
from lab.state import Lab

MANIFESTS = Path(__file__).resolve().parents[2] / "docs" / "manifests"
MANIFEST = MANIFESTS / "rbac.yml"
UPGRADE = MANIFESTS / "rbac-upgrade.yml"
# Long enough for every test, short enough to be forgotten.
TOKEN_SECONDS = 7200


def environment(lab: Lab) -> dict[str, str]:
    """The environment for ansible-playbook, with a kubeconfig of those rights and none of the caller's own."""
    path = lab.dir / "maintainer.kubeconfig"
    if not path.exists():
        path.touch(mode=0o600)
        path.write_text(yaml.safe_dump(_kubeconfig(lab)))
    kept = {key: value for key, value in os.environ.items() if not key.startswith("K8S_AUTH_") and key != "KUBECONFIG"}
    return kept | {"K8S_AUTH_KUBECONFIG": str(path)}


def grant(lab: Lab, text: str) -> None:
    """Applies another manifest; what it has for kube-system is for Cilium's namespace in the lab."""
    administrator = _administrator(lab)
    for document in _items(text.replace("kube-system", lab.settings.name)):
        _apply(administrator, document)


def revoke(lab: Lab, text: str) -> None:
    """Deletes what grant() has made."""
    _delete(lab, _items(text.replace("kube-system", lab.settings.name)))


def allow_upgrades(lab: Lab) -> None:
    """Gives the same account the rights of docs/manifests/rbac-upgrade.yml, in the lab's namespace."""
    grant(lab, UPGRADE.read_text(encoding="utf-8"))


def remove(lab: Lab) -> None:
    """Deletes what the manifest made; for an API server that outlives the lab."""
    _delete(lab, _documents())


def _delete(lab: Lab, documents: list[dict[str, Any]]) -> None:
    administrator = _administrator(lab)
    for document in reversed(documents):
        resource = administrator.resources.get(api_version=document["apiVersion"], kind=document["kind"])
        try:
            resource.delete(name=document["metadata"]["name"], namespace=document["metadata"].get("namespace"))
        except dynamic.exceptions.NotFoundError:
            continue


def emulator(lab: Lab, method: str, path: str, body: Any = None) -> Any:
    """The answer of the emulator's own pages (/_emulator/...); LabError where a real API server serves the lab."""
    if not lab.api.get("emulated"):
        raise LabError(f"{lab.api['url']} is a real API server: it has no {path}")
    answer = Api(Path(lab.api["admin_kubeconfig"])).call(method, path, body)
    if answer.status >= 400:
        raise LabError(f"{method} {path}: {answer.status} {answer.body.decode()[:200]}")
    return answer.json if answer.body else None


def _documents() -> list[dict[str, Any]]:
    return _items(MANIFEST.read_text(encoding="utf-8"))


def _items(text: str) -> list[dict[str, Any]]:
    objects: list[dict[str, Any]] = yaml.safe_load(text)["items"]
    return objects


def _apply(administrator: dynamic.DynamicClient, document: dict[str, Any]) -> None:
    """Makes an object, or changes it to what it should be."""
    resource = administrator.resources.get(api_version=document["apiVersion"], kind=document["kind"])
    try:
        resource.create(body=document, namespace=document["metadata"].get("namespace"))
    except dynamic.exceptions.ConflictError:
        resource.patch(
            body=document,
            name=document["metadata"]["name"],
            namespace=document["metadata"].get("namespace"),
            content_type="application/merge-patch+json",
        )


def _api(lab: Lab) -> client.ApiClient:
    return config.new_client_from_config(lab.api["admin_kubeconfig"])


def _administrator(lab: Lab) -> dynamic.DynamicClient:
    return dynamic.DynamicClient(_api(lab), cache_file=str(lab.dir / "discovery.json"))


def _kubeconfig(lab: Lab) -> dict[str, Any]:
    """Applies the manifest and returns a kubeconfig with a token of its service account."""
    administrator = _administrator(lab)
    account: dict[str, Any] = {}
    for document in _documents():
        _apply(administrator, document)
        if document["kind"] == "ServiceAccount":
            account = document["metadata"]
    accounts = administrator.resources.get(api_version="v1", kind="ServiceAccount")
    request = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest"}
    review = accounts.subresources["token"].create(
        name=account["name"],
        namespace=account["namespace"],
        body=request | {"spec": {"expirationSeconds": TOKEN_SECONDS}},
    )
    cluster = yaml.safe_load(Path(lab.api["admin_kubeconfig"]).read_text())["clusters"][0]["cluster"]
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "maintainer",
        "clusters": [{"name": "lab", "cluster": cluster}],
        "users": [{"name": "maintainer", "user": {"token": review["status"]["token"]}}],
        "contexts": [{"name": "maintainer", "context": {"cluster": "lab", "user": "maintainer"}}],
    }
