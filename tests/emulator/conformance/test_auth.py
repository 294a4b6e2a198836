# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who may do what: tokens, RBAC, access reviews."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ..client import Answer, Api, eventually

Json = dict[str, Any]
Made = Callable[..., Json]

_RBAC = "/apis/rbac.authorization.k8s.io/v1"


@pytest.fixture
def account(api: Api, made: Made, namespace: str, name: str, kubeconfig: Path) -> Api:
    """A service account without rights, by its token."""
    made(f"/api/v1/namespaces/{namespace}/serviceaccounts", {"metadata": {"name": name}})
    body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"expirationSeconds": 600}}
    issued = api.post(f"/api/v1/namespaces/{namespace}/serviceaccounts/{name}/token", body).of(201)
    assert issued["status"]["expirationTimestamp"].endswith("Z")
    return Api(kubeconfig, token=issued["status"]["token"])


@pytest.fixture
def grant(made: Made, namespace: str, name: str) -> Callable[..., None]:
    """grant(rules, cluster=True): give the account these rights."""

    def give(rules: list[Json], *, cluster: bool = True) -> None:
        kind = "ClusterRole" if cluster else "Role"
        path = _RBAC if cluster else f"{_RBAC}/namespaces/{namespace}"
        made(f"{path}/{kind.lower()}s", {"metadata": {"name": name}, "rules": rules})
        binding = {
            "metadata": {"name": name},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": name},
            "subjects": [{"kind": "ServiceAccount", "name": name, "namespace": namespace}],
        }
        made(f"{path}/{kind.lower()}bindings", binding)

    return give


def becomes(status: int, call: Callable[[], Answer]) -> Answer:
    """The answer once it has that status (a real server's authorizer learns of new roles a moment later)."""
    eventually(lambda: call().status == status)
    return call()


def test_wrong_token_is_401(kubeconfig: Path) -> None:
    status = Api(kubeconfig, token="nonsense").get("/api/v1/nodes").of(401)
    assert (status["kind"], status["reason"]) == ("Status", "Unauthorized")


def test_nobody_is_let_in_without_credentials(kubeconfig: Path) -> None:
    assert Api(kubeconfig, anonymous=True).get("/api/v1/nodes").status in (401, 403)


def test_discovery_and_version_are_open_to_every_user(account: Api) -> None:
    for path in ("/version", "/api", "/apis", "/apis/policy/v1"):
        account.get(path).of(200)


def test_refusal_says_who_may_not_do_what_where(account: Api, namespace: str, name: str) -> None:
    user = f"system:serviceaccount:{namespace}:{name}"
    status = account.get("/api/v1/nodes").of(403)
    assert status["reason"] == "Forbidden"
    assert status["message"].startswith(
        f'nodes is forbidden: User "{user}" cannot list resource "nodes" in API group "" at the cluster scope'
    )
    status = account.get(f"/apis/policy/v1/namespaces/{namespace}/poddisruptionbudgets/x").of(403)
    assert status["message"].startswith(
        f'poddisruptionbudgets.policy "x" is forbidden: User "{user}" cannot get resource "poddisruptionbudgets" '
        f'in API group "policy" in the namespace "{namespace}"'
    )


def test_right_to_get_is_no_right_to_list(account: Api, grant: Callable[..., None], node: str) -> None:
    grant([{"apiGroups": [""], "resources": ["nodes"], "verbs": ["get"]}])
    becomes(200, lambda: account.get(f"/api/v1/nodes/{node}"))
    assert account.get("/api/v1/nodes").status == 403
    assert account.get("/api/v1/nodes", watch="true", timeoutSeconds=1).status == 403
    assert account.patch(f"/api/v1/nodes/{node}", {"metadata": {"labels": {"a": "b"}}}).status == 403


def test_right_to_patch_nodes_is_none_to_their_status(account: Api, grant: Callable[..., None], node: str) -> None:
    grant([{"apiGroups": [""], "resources": ["nodes"], "verbs": ["patch"]}])
    becomes(200, lambda: account.patch(f"/api/v1/nodes/{node}", {"metadata": {"labels": {"a": "b"}}}))
    assert account.patch(f"/api/v1/nodes/{node}/status", {"status": {"phase": "Running"}}).status == 403


def test_right_can_be_for_one_name(account: Api, grant: Callable[..., None], node: str) -> None:
    grant([{"apiGroups": [""], "resources": ["nodes"], "resourceNames": [node], "verbs": ["get", "list", "watch"]}])
    becomes(200, lambda: account.get(f"/api/v1/nodes/{node}"))
    assert account.get("/api/v1/nodes/another").status == 403
    assert account.get("/api/v1/nodes").status == 403
    assert account.get("/api/v1/nodes", fieldSelector=f"metadata.name={node}").status == 200


def test_right_in_a_namespace_ends_there(account: Api, grant: Callable[..., None], pods: str) -> None:
    grant([{"apiGroups": [""], "resources": ["pods"], "verbs": ["list"]}], cluster=False)
    becomes(200, lambda: account.get(pods))
    assert account.get("/api/v1/namespaces/kube-system/pods").status == 403
    assert account.get("/api/v1/pods").status == 403


def test_eviction_is_a_right_of_its_own(account: Api, grant: Callable[..., None], make_pod: Made, pods: str) -> None:
    name = make_pod()["metadata"]["name"]
    body = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": name}}
    assert 'cannot create resource "pods/eviction"' in account.post(f"{pods}/{name}/eviction", body).of(403)["message"]
    grant([{"apiGroups": [""], "resources": ["pods/eviction"], "verbs": ["create"]}])
    becomes(201, lambda: account.post(f"{pods}/{name}/eviction", body))
    assert account.delete(f"{pods}/{name}").status == 403


def _review(api: Api, **attributes: str) -> bool:
    path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
    body = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectAccessReview",
        "spec": {"resourceAttributes": attributes},
    }
    allowed: bool = api.post(path, body).of(201)["status"]["allowed"]
    return allowed


def test_access_review_tells_what_one_may_do(api: Api, account: Api, grant: Callable[..., None]) -> None:
    assert _review(api, verb="delete", resource="nodes")
    assert not _review(account, verb="patch", resource="nodes")
    grant([{"apiGroups": [""], "resources": ["nodes"], "verbs": ["patch"]}])
    eventually(lambda: _review(account, verb="patch", resource="nodes"))
    assert not _review(account, verb="patch", resource="nodes", subresource="status")
    assert not _review(account, verb="patch", group="cilium.io", resource="nodes")


def test_token_dies_with_its_account(api: Api, account: Api, namespace: str, name: str) -> None:
    account.get("/version").of(200)
    assert account.get("/api/v1/nodes").status == 403
    api.delete(f"/api/v1/namespaces/{namespace}/serviceaccounts/{name}").of(200)
    becomes(401, lambda: account.get("/api/v1/nodes"))


def test_token_for_less_than_ten_minutes_is_refused(api: Api, made: Made, namespace: str, name: str) -> None:
    accounts = f"/api/v1/namespaces/{namespace}/serviceaccounts"
    made(accounts, {"metadata": {"name": name}})
    body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"expirationSeconds": 60}}
    assert api.post(f"{accounts}/{name}/token", body).status == 422
