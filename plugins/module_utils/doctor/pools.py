# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to hitless.nodes: it may change in any release, don't import it from elsewhere.

"""The pools that the addresses of Services are from. Pure functions."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from typing import Any

from ..kube.labels import matches
from .findings import Finding, defect, failed, note, passed, unknown
from .service import BGP_CLASS, Service, selector_labels, title, vips

# Classes whose addresses LB-IPAM gives; it also does for Services without a class.
IPAM_CLASSES = (None, BGP_CLASS, "io.cilium/l2-announcer")
CONFLICT, AVAILABLE = "cilium.io/PoolConflict", "cilium.io/IPsAvailable"
Pool = dict[str, Any]


def holds(pool: Pool, address: str) -> bool:
    """Whether an address is in one of a pool's blocks."""
    wanted = ipaddress.ip_address(address)
    return any(_is_in_block(wanted, block) for block in pool["blocks"])


def _is_in_block(wanted: ipaddress.IPv4Address | ipaddress.IPv6Address, block: dict[str, Any]) -> bool:
    """Whether an address is in a block, which is given as a network, or by its first and last address."""
    if block.get("cidr"):
        return wanted in ipaddress.ip_network(block["cidr"], strict=False)
    if not block.get("start"):
        return False
    first = ipaddress.ip_address(block["start"])
    last = ipaddress.ip_address(block.get("stop") or block["start"])
    return first.version == wanted.version and int(first) <= int(wanted) <= int(last)


def first_address(block: dict[str, Any]) -> str:
    """An address that a block would give to a Service."""
    if block.get("cidr"):
        network = ipaddress.ip_network(block["cidr"], strict=False)
        return str(network[1] if network.num_addresses > 2 else network[0])
    return str(block["start"])


def _condition(pool: Pool, kind: str) -> dict[str, Any] | None:
    return next((each for each in pool["conditions"] if each["type"] == kind), None)


def _conflict(pool: Pool) -> dict[str, Any] | None:
    """The condition that a pool is in conflict, None if it isn't."""
    found = _condition(pool, CONFLICT)
    return found if found and found["status"] == "True" else None


def _available(pool: Pool) -> int | None:
    """How many addresses a pool has left, None where that isn't said (the operator writes it as a message)."""
    found = _condition(pool, AVAILABLE)
    text = str(found["message"]).strip() if found else ""
    return int(text) if text.isdigit() else None


def pools(services: list[Service], listed: list[Pool] | None, reason: str) -> list[Finding]:
    """Stage 2: whether each address is from the pool that it should be from."""
    if listed is None:
        return [unknown(2, "pools", f"they can't be read: {reason}", "grant the right, see docs/doctor.md")]
    found = [finding for pool in listed for finding in _pool(pool)]
    if not services:
        return [*found, passed(2, "pools", f"{len(listed)} there, and no Service to ask for an address")]
    return found + [finding for service in services for finding in _from_pool(service, listed)]


def _pool(pool: Pool) -> Iterable[Finding]:
    who = f"CiliumLoadBalancerIPPool {pool['name']}"
    conflict = _conflict(pool)
    if conflict:
        yield defect(
            2,
            who,
            f"it is in conflict, so it gives no addresses: {conflict['message']}",
            "change its blocks, or those of the pool that it overlaps with",
        )
    if not pool["blocks"]:
        yield defect(2, who, "it has no blocks", "give it spec.blocks, such as cidr: 198.51.100.0/24")


def _from_pool(service: Service, listed: list[Pool]) -> Iterable[Finding]:
    """Whether the addresses of a Service are from pools that select it."""
    who = title(service)
    if service["type"] != "LoadBalancer" or service["class"] not in IPAM_CLASSES:
        yield passed(2, who, "its addresses don't come from a pool")
        return
    own = vips(service)
    mine = [pool for pool in listed if matches(pool["selector"], selector_labels(service))]
    if not own:
        yield _without_address(who, listed, mine)
        return
    given = [each["address"] for each in own if each["kind"] == "LoadBalancerIP"]
    if not given:
        yield passed(2, who, "this address isn't from a load balancer's pool")
    for address in given:
        yield from _home(who, address, listed, mine)


def _home(who: str, address: str, listed: list[Pool], mine: list[Pool]) -> Iterable[Finding]:
    """Which pool an address is from. mine: those that select its Service."""
    if not listed:
        yield passed(2, who, f"{address} was given by something else than LB-IPAM: there is no pool")
        return
    homes = [pool for pool in listed if holds(pool, address)]
    if not homes:
        yield failed(
            2,
            who,
            f"{address} is in no CiliumLoadBalancerIPPool ({_listed(listed)})",
            "add a block with it to a pool, or find out who else gives addresses (another load balancer?)",
        )
        return
    right = [pool for pool in homes if pool in mine]
    if not right:
        yield failed(
            2,
            who,
            f"{address} is from pool {homes[0]['name']}, whose serviceSelector doesn't select it",
            f"correct the Service's labels or the pool's serviceSelector; "
            f"{_names(mine) + ' would select it' if mine else 'no pool selects it'}",
        )
        return
    yield passed(2, who, f"{address} is from pool {right[0]['name']}")
    if right[0]["disabled"]:
        yield note(2, who, f"pool {right[0]['name']} is disabled: {address} stays, and no new ones are given")


def _names(listed: list[Pool]) -> str:
    return f"pool{'s' if len(listed) > 1 else ''} {_listed(listed)}"


def _listed(listed: list[Pool]) -> str:
    return ", ".join(pool["name"] for pool in listed)


def _without_address(who: str, listed: list[Pool], mine: list[Pool]) -> Finding:
    """Why a Service got no address."""
    if not listed:
        return failed(2, who, "there is no CiliumLoadBalancerIPPool", "make one, with a block of addresses")
    if not mine:
        return failed(
            2,
            who,
            f"no pool's serviceSelector selects it ({_listed(listed)})",
            "give the Service the label that a pool selects by, or the pool a serviceSelector that fits",
        )
    usable = [pool for pool in mine if not pool["disabled"]]
    if not usable:
        return failed(2, who, f"{_names(mine)} that would serve it is disabled", "set spec.disabled to false")
    free = [pool for pool in usable if not _conflict(pool)]
    if not free:
        return failed(2, who, f"{_names(usable)} that would serve it is in conflict", "change the blocks that overlap")
    if all(_available(pool) == 0 for pool in free):
        return failed(2, who, f"{_names(free)} that would serve it has no address left", "add a block to it")
    return unknown(
        2, who, f"{_names(free)} could serve it, and didn't yet", "see the log of cilium-operator (subsys=lbipam)"
    )
