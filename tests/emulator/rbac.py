# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a user may do, by the RBAC objects in the store. Escalation by writing roles is not prevented."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from .auth import User
from .errors import ApiError
from .store import Store

Json = dict[str, Any]

_GROUP = "rbac.authorization.k8s.io"


@dataclass(frozen=True, slots=True)
class Attributes:
    """What a request wants to do; `path` is set only for requests that are about no resource."""

    verb: str
    group: str = ""
    resource: str = ""
    subresource: str = ""
    namespace: str = ""
    name: str = ""
    path: str = ""

    @property
    def target(self) -> str:
        """resource or resource/subresource."""
        return f"{self.resource}/{self.subresource}" if self.subresource else self.resource


def _is_subject(subject: Json, user: User, namespace: str) -> bool:
    match subject.get("kind"):
        case "User":
            return bool(subject.get("name") == user.name)
        case "Group":
            return subject.get("name") in user.groups
        case "ServiceAccount":
            place = subject.get("namespace") or namespace
            return user.name == f"system:serviceaccount:{place}:{subject.get('name')}"
    return False


def _rule_allows(rule: Json, wanted: Attributes) -> bool:
    verbs = rule.get("verbs") or ()
    if "*" not in verbs and wanted.verb not in verbs:
        return False
    if wanted.path:
        return any(
            url in ("*", wanted.path) or (url.endswith("*") and wanted.path.startswith(url[:-1]))
            for url in rule.get("nonResourceURLs") or ()
        )
    groups = rule.get("apiGroups") or ()
    if "*" not in groups and wanted.group not in groups:
        return False
    resources = rule.get("resources") or ()
    if not {"*", wanted.target, f"*/{wanted.subresource}" if wanted.subresource else "*"} & set(resources):
        return False
    names = rule.get("resourceNames")
    return not names or wanted.name in names


def _rules(store: Store, user: User, namespace: str) -> Iterator[Json]:
    """All rules that apply to the user, cluster-wide ones and those of the namespace."""
    cluster_roles = store.table(f"clusterroles.{_GROUP}").items

    def of(reference: Json, place: str) -> Iterator[Json]:
        if reference.get("kind") == "Role":
            entry = store.table(f"roles.{_GROUP}").items.get((place, reference.get("name", "")))
        else:
            entry = cluster_roles.get(("", reference.get("name", "")))
        yield from (entry.obj.get("rules") or ()) if entry else ()

    for entry in store.table(f"clusterrolebindings.{_GROUP}").items.values():
        if any(_is_subject(subject, user, "") for subject in entry.obj.get("subjects") or ()):
            yield from of(entry.obj["roleRef"], "")
    if namespace:
        bindings = store.table(f"rolebindings.{_GROUP}")
        for key in bindings.span(namespace, None):
            binding = bindings.items[key].obj
            if any(_is_subject(subject, user, namespace) for subject in binding.get("subjects") or ()):
                yield from of(binding["roleRef"], namespace)


def allowed(store: Store, user: User, wanted: Attributes) -> bool:
    """Whether the user may do it."""
    if "system:masters" in user.groups:
        return True
    return any(_rule_allows(rule, wanted) for rule in _rules(store, user, wanted.namespace))


def denial(user: User, wanted: Attributes) -> ApiError:
    """403 in the words of a real server."""
    if wanted.path:
        text = f'forbidden: User "{user.name}" cannot {wanted.verb} path "{wanted.path}"'
        return ApiError(403, "Forbidden", text)
    full = f"{wanted.resource}.{wanted.group}" if wanted.group else wanted.resource
    subject = f'{full} "{wanted.name}"' if wanted.name else full
    where = f'in the namespace "{wanted.namespace}"' if wanted.namespace else "at the cluster scope"
    text = (
        f'{subject} is forbidden: User "{user.name}" cannot {wanted.verb} resource "{wanted.target}" '
        f'in API group "{wanted.group}" {where}'
    )
    details: Json = {"kind": wanted.resource}
    if wanted.name:
        details["name"] = wanted.name
    if wanted.group:
        details["group"] = wanted.group
    return ApiError(403, "Forbidden", text, details=details)


def _role(name: str, rules: list[Json]) -> tuple[str, Json]:
    metadata = {"name": name, "labels": {"kubernetes.io/bootstrapping": "rbac-defaults"}}
    return "clusterroles", {"metadata": metadata, "rules": rules}


def _binding(name: str, groups: list[str]) -> tuple[str, Json]:
    subjects = [{"kind": "Group", "apiGroup": _GROUP, "name": group} for group in groups]
    reference = {"kind": "ClusterRole", "apiGroup": _GROUP, "name": name}
    metadata = {"name": name, "labels": {"kubernetes.io/bootstrapping": "rbac-defaults"}}
    return "clusterrolebindings", {"metadata": metadata, "roleRef": reference, "subjects": subjects}


def bootstrap() -> list[tuple[str, Json]]:
    """(plural, object) of the roles and bindings that every cluster starts with, as far as they are modelled."""
    public = ["/healthz", "/livez", "/readyz", "/version", "/version/"]
    discovery = ["/api", "/api/*", "/apis", "/apis/*", "/openapi", "/openapi/*", *public]
    self_reviews = [
        {"verbs": ["create"], "apiGroups": ["authorization.k8s.io"], "resources": ["selfsubjectaccessreviews"]},
        {"verbs": ["create"], "apiGroups": ["authentication.k8s.io"], "resources": ["selfsubjectreviews"]},
    ]
    everything = [
        {"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]},
        {"verbs": ["*"], "nonResourceURLs": ["*"]},
    ]
    return [
        _role("cluster-admin", everything),
        _binding("cluster-admin", ["system:masters"]),
        _role("system:discovery", [{"verbs": ["get"], "nonResourceURLs": discovery}]),
        _binding("system:discovery", ["system:authenticated"]),
        _role("system:basic-user", self_reviews),
        _binding("system:basic-user", ["system:authenticated"]),
        _role("system:public-info-viewer", [{"verbs": ["get"], "nonResourceURLs": public}]),
        _binding("system:public-info-viewer", ["system:authenticated", "system:unauthenticated"]),
    ]
