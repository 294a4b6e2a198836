# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to hitless.nodes: it may change in any release, don't import it from elsewhere.

"""Which Node an address on a router belongs to, by what the cluster says of its Nodes now."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ..base import net
from ..cilium import identity, objects
from ..kube.api_errors import Forbidden
from ..kube.client import NAMES_ONLY, Client

Names = frozenset[str]
NOBODY: Names = frozenset()
NODES = "/api/v1/nodes"
# A BGP identifier or an address -> the Nodes that have it. With more than one of them it can't be told.
ByAddress = dict[str, Names]
# Node -> its record, for claimed nodes. What they announce now, they may soon withdraw.
Leaving = dict[str, dict[str, Any]]


@dataclass(frozen=True)
class Identities:
    """Who has which address. unread: what may not be read, so that less is known of every Node."""

    addresses: ByAddress = field(default_factory=dict)
    router_ids: ByAddress = field(default_factory=dict)
    unread: tuple[str, ...] = ()


@dataclass(frozen=True)
class Who:
    """Who has which address on a router, and who doesn't count as an announcer.

    on: router -> link-local address -> Nodes; such an address means something on its own link only. out: this node, and
    the claimed ones.
    """

    known: Identities
    on: dict[str, ByAddress]
    out: Names

    def owners(self, router: str, address: str) -> Names:
        """The Nodes that have an address, as that router sees it."""
        return self.known.addresses.get(address, NOBODY) | self.on.get(router, {}).get(address, NOBODY)


def identities(
    names: Iterable[str],
    nodes: Mapping[str, dict[str, Any]],
    cilium_nodes: Mapping[str, dict[str, Any]],
    node_configs: Mapping[str, dict[str, Any]],
    overrides: Mapping[str, dict[str, Any]],
    unread: Iterable[str] = (),
) -> Identities:
    """What these Nodes are known by. Each mapping has the objects of one kind by the name of the Node."""
    addresses: ByAddress = {}
    router_ids: ByAddress = {}
    for name in names:
        config, override = node_configs.get(name), overrides.get(name)
        own = objects.addresses(nodes.get(name, {}), cilium_nodes.get(name))
        _add(addresses, name, [*own, *identity.local_addresses(identity.peers(config, override))])
        _add(router_ids, name, identity.router_ids(config, override, None, own))
    return Identities(addresses, router_ids, tuple(unread))


def _add(found: ByAddress, name: str, addresses: Iterable[str]) -> None:
    for address in addresses:
        spelled = net.spelled(address)
        found[spelled] = found.get(spelled, NOBODY) | {name}


def who(known: Identities, name: str, record: dict[str, Any] | None, gone: Leaving) -> Who:
    """The same for the maintenance of one node. record: its own, if there is one; gone: those of other claimed nodes.

    A claimed node keeps the addresses that it had at the claim, even if its objects no longer say so.
    """
    addresses = dict(known.addresses)
    on: dict[str, ByAddress] = {}
    kept = {**gone, **({name: record} if record else {})}
    for node, of_node in kept.items():
        before = of_node["before"]
        _add(addresses, node, [*(before.get("addresses") or []), *(before.get("local_addresses") or [])])
        for router, found in _on_routers(before).items():
            _add(on.setdefault(router, {}), node, [each for each in found if _is_link_local(each)])
            _add(addresses, node, [each for each in found if not _is_link_local(each)])
    return Who(Identities(addresses, known.router_ids, known.unread), on, frozenset({name, *gone}))


def _on_routers(before: dict[str, Any]) -> dict[str, set[str]]:
    """Router -> the addresses of the node's sessions and next hops there, by its record."""
    found = {router: set(hops) for router, hops in (before.get("next_hops") or {}).items()}
    for router, sessions in (before.get("sessions") or {}).items():
        found.setdefault(router, set()).update(session["address"] for session in sessions)
    return found


def _is_link_local(address: str) -> bool:
    return address.startswith("fe80:")


def read(client: Client, api_version: str | None) -> Identities:
    """What the Nodes of the cluster are known by. Raises Forbidden if Nodes may not be listed.

    Less is known if another kind may not be listed. Then fewer next hops are known to be those of Nodes.
    """
    names = [item["metadata"]["name"] for item in client.list_all(NODES, accept=NAMES_ONLY)[0]]
    unread: list[str] = []
    cilium_nodes = _by_name(client, "v2", "ciliumnodes", unread)
    node_configs = _by_name(client, api_version, "ciliumbgpnodeconfigs", unread)
    overrides = _by_name(client, api_version, "ciliumbgpnodeconfigoverrides", unread)
    nodes = {}
    # Whole Nodes are large, and a CiliumNode has the addresses of its Node.
    if not all(objects.addresses({}, cilium_nodes.get(name)) for name in names):
        nodes = {item["metadata"]["name"]: item for item in client.list_all(NODES)[0]}
    return identities(names, nodes, cilium_nodes, node_configs, overrides, unread)


def _by_name(client: Client, api_version: str | None, plural: str, unread: list[str]) -> dict[str, dict[str, Any]]:
    """The objects of one of Cilium's kinds by name. A kind that may not be listed is noted."""
    try:
        listed = objects.all_of(client, api_version, plural) if api_version else []
    except Forbidden as exc:
        unread.append(exc.msg)
        return {}
    return {item["metadata"]["name"]: item for item in listed or []}
