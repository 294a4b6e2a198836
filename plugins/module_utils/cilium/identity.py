# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to hitless.nodes: it may change in any release, don't import it from elsewhere.

"""Who a node is for its BGP peers: the peers that it has, the addresses that it uses, its BGP identifiers.

Pure functions over Cilium's objects. The operator writes what a CiliumBGPNodeConfigOverride says into the NodeConfig.
What isn't there yet is taken from the override.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ..base import net
from . import objects

Facts = dict[str, Any]
KEYS = ("instance", "name", "address", "asn", "peer_config", "local_address", "local_asn")


def peers(config: Facts | None, override: Facts | None) -> list[Facts]:
    """The peers of a NodeConfig. The address of a discovered one is what the agent wrote into the status, if it did."""
    addresses = {(each["instance"], each["peer"]): each["address"] for each in objects.sessions(config)}
    overridden = {}
    for instance in objects.instances(override):
        for peer in instance.get("peers") or []:
            overridden[instance.get("name"), peer.get("name")] = peer.get("localAddress")
    found = []
    for peer in objects.peers(config):
        key = (peer["instance"], peer["name"])
        local = peer["local_address"] or overridden.get(key)
        found.append({**peer, "address": addresses.get(key), "local_address": local})
    return found


def of_policy(legacy: Facts) -> list[Facts]:
    """The peers of a legacy policy (see legacy_policy.node_config), as a NodeConfig would have them."""
    return [{key: peer.get(key) for key in KEYS} for peer in legacy["peers"]]


def local_addresses(found: Iterable[Facts]) -> list[str]:
    """The addresses that peers are configured to see, each once, in the usual form."""
    own = [peer["local_address"] for peer in found if peer["local_address"]]
    return list(dict.fromkeys(net.spelled(each) for each in own if net.is_address(each)))


def router_ids(config: Facts | None, override: Facts | None, legacy: Facts | None, addresses: list[str]) -> list[str]:
    """The BGP identifiers of a node. addresses: its own ones, of which IPv4 ones are used where none is set.

    Without IPv4 Cilium makes one of a hardware address. That one can only be learned from a session.
    """
    given = {each.get("name"): each.get("routerID") for each in objects.instances(override)}
    ids = [each.get("routerID") or given.get(each.get("name")) for each in objects.instances(config)]
    ids += [peer.get("router_id") for peer in (legacy or {}).get("peers") or []]
    found = [each for each in ids if each]
    if not ids or None in ids:
        found += [each for each in addresses if net.family(each) == "ipv4"]
    return list(dict.fromkeys(found))
