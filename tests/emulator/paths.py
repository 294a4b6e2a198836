# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a method and a path ask for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from .errors import bad_request
from .rbac import Attributes

_TRUE = ("true", "1")
# Groups without a dot that Kubernetes itself has; all others of its own end in k8s.io.
_OWN_GROUPS = frozenset(("", "apps", "autoscaling", "batch", "extensions", "policy"))


def is_true(text: str) -> bool:
    """Whether a query parameter says yes."""
    return text.lower() in _TRUE


def number(query: Mapping[str, str], name: str, absent: int = 0) -> int:
    """A query parameter as a number; 400 when it is none."""
    text = query.get(name, "")
    if not text:
        return absent
    try:
        return int(text)
    except ValueError as error:
        raise bad_request(f'strconv.ParseInt: parsing "{text}": invalid syntax ({name})') from error


@dataclass(frozen=True, slots=True)
class Target:
    """A request for a resource, by the words in its path."""

    verb: str
    group: str
    version: str
    plural: str
    namespace: str
    name: str
    subresource: str

    @property
    def attributes(self) -> Attributes:
        """What authorization judges."""
        # A request for a namespace is a request in that namespace.
        inside = self.name if self.plural == "namespaces" and not self.group else self.namespace
        return Attributes(self.verb, self.group, self.plural, self.subresource, inside, self.name)

    @property
    def builtin_group(self) -> bool:
        """Whether Kubernetes itself owns the group: an unknown kind there is a gap of the emulator."""
        return self.group in _OWN_GROUPS or self.group.endswith(".k8s.io")


def parse(method: str, path: str, query: Mapping[str, str]) -> Target | None:
    """The target of a request, or None when it is about no resource (discovery, health, nonsense)."""
    parts = path.strip("/").split("/")
    if parts[0] == "api" and len(parts) > 2:
        group, version, rest = "", parts[1], parts[2:]
    elif parts[0] == "apis" and len(parts) > 3:
        group, version, rest = parts[1], parts[2], parts[3:]
    else:
        return None
    namespace = ""
    if rest[0] == "namespaces" and len(rest) > 2 and (group or rest[2] not in ("status", "finalize")):
        namespace, rest = rest[1], rest[2:]
    name = rest[1] if len(rest) > 1 else ""
    verb = _verb(method, query, bool(name))
    if verb in ("list", "watch", "deletecollection") and not name:
        # A list of one name counts as a request for that name (resourceNames of RBAC).
        for part in query.get("fieldSelector", "").split(","):
            if part.startswith("metadata.name="):
                name = part.partition("=")[2].lstrip("=")
    return Target(verb, group, version, rest[0], namespace, name, "/".join(rest[2:]))


def _verb(method: str, query: Mapping[str, str], named: bool) -> str:
    match method:
        case "GET" | "HEAD":
            if is_true(query.get("watch", "")):
                return "watch"
            return "get" if named else "list"
        case "POST":
            return "create"
        case "PUT":
            return "update"
        case "PATCH":
            return "patch"
        case "DELETE":
            return "delete" if named else "deletecollection"
    return method.lower()
