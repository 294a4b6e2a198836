# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to hitless.nodes: it may change in any release, don't import it from elsewhere.

"""Nodes: find one by name, describe it, and write it so that no other writer's change is lost."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable
from typing import Any

from ..base import net
from ..base.errors import HitlessError
from .api_errors import Forbidden
from .client import NAMES_ONLY, Client, segment
from .patching import patched

# https://kubernetes.io/docs/concepts/overview/working-with-objects/names/#dns-subdomain-names
NAME = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")
ROUTED_ADDRESSES = ("InternalIP", "ExternalIP")


class UnknownNode(HitlessError):  # noqa: N818 - reads as what it is
    """The cluster has no Node of that name."""


def path(name: str) -> str:
    """The API path of a Node."""
    return f"/api/v1/nodes/{segment(name)}"


def near_misses(name: str, names: Iterable[str]) -> list[str]:
    """Names that were probably meant: the FQDN for the short name or the reverse, then similar names."""
    known = sorted(names)
    short = name.partition(".")[0].lower()
    same_host = [known_name for known_name in known if known_name.partition(".")[0].lower() == short]
    return same_host[:3] or difflib.get_close_matches(name, known, n=3)


def read(client: Client, name: str) -> dict[str, Any]:
    """The Node; raises UnknownNode, with the names that were probably meant."""
    if not name:
        raise UnknownNode(f"no node is named: node_name is empty (cluster {client.url})")
    # An invalid name isn't sent, because a server might take a/../b as another path.
    node = client.find(path(name)) if NAME.fullmatch(name) else None
    if node is not None:
        return node
    try:
        nodes, _version = client.list_all("/api/v1/nodes", accept=NAMES_ONLY)
    except Forbidden:
        nodes = []
    guesses = near_misses(name, (item["metadata"]["name"] for item in nodes))
    hint = f"; did you mean {' or '.join(guesses)}?" if guesses else ""
    raise UnknownNode(
        f"{name}: the cluster {client.url} ({client.source}) has no node of this name{hint}", near_misses=guesses
    )


def is_ready(node: dict[str, Any]) -> bool | None:
    """Whether the kubelet says Ready; None if the kubelet is silent (Unknown, or no such condition)."""
    for condition in node.get("status", {}).get("conditions") or []:
        if condition.get("type") == "Ready":
            return {"True": True, "False": False}.get(condition.get("status"))
    return None


def addresses(*lists: Iterable[tuple[str, str]]) -> list[str]:
    """The IP addresses that routes may have as next hop, from (type, address) pairs, each once, in the usual form."""
    found: dict[str, None] = {}
    for pairs in lists:
        for kind, address in pairs:
            if kind in ROUTED_ADDRESSES and net.is_address(address):
                found[net.spelled(address)] = None
    return list(found)


def facts(node: dict[str, Any]) -> dict[str, Any]:
    """What modules return of a Node."""
    metadata, status = node["metadata"], node.get("status", {})
    info = status.get("nodeInfo", {})
    pairs = [(entry.get("type", ""), entry.get("address", "")) for entry in status.get("addresses") or []]
    return {
        "name": metadata["name"],
        "uid": metadata.get("uid"),
        "addresses": addresses(pairs),
        "boot_id": info.get("bootID"),
        "system_uuid": info.get("systemUUID"),
        "ready": is_ready(node),
        "unschedulable": bool(node.get("spec", {}).get("unschedulable")),
        "labels": metadata.get("labels") or {},
    }


def write(
    client: Client,
    node: dict[str, Any],
    change: Callable[[dict[str, Any]], dict[str, Any] | None],
    *,
    check_mode: bool,
) -> tuple[dict[str, Any], dict[str, Any] | None]:
    """The Node after the patch that change(node) wants, and that patch, as patched() returns them."""
    name = node["metadata"]["name"]
    return patched(
        client, path(name), node, change, what=f"Node {name}", read=lambda: read(client, name), check_mode=check_mode
    )
