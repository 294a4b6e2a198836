# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to hitless.nodes: it may change in any release, don't import it from elsewhere.

"""The pools from which the addresses of Services come. Pure functions."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from typing import Any

from ..kube.labels import matches
from .findings import RIGHTS, Finding, defect, failed, note, passed, unknown
from .service import BGP_CLASS, Service, selector_labels, title, vips

# LB-IPAM gives addresses to Services of these classes, and to Services without a class.
IPAM_CLASSES = (None, BGP_CLASS, "io.cilium/l2-announcer")
CONFLICT, AVAILABLE = "cilium.io/PoolConflict", "cilium.io/IPsAvailable"
Pool = dict[str, Any]


def holds(pool: Pool, address: str) -> bool:
    """Whether an address is in one of a pool's blocks."""
    wanted = ipaddress.ip_address(address)
    return any(_is_in_block(wanted, block) for block in pool["blocks"])


def _is_in_block(wanted: ipaddress.IPv4Address | ipaddress.IPv6Address, block: dict[str, Any]) -> bool:
    """Whether an address is in a block: a network, or all from a first to a last address."""
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
    """The condition of a pool that is in conflict. None: it isn't in conflict."""
    found = _condition(pool, CONFLICT)
    return found if found and found["status"] == "True" else None


def _available(pool: Pool) -> int | None:
    """How many addresses a pool has left, by the operator's message. None: it isn't known."""
    found = _condition(pool, AVAILABLE)
    text = str(found["message"]).strip() if found else ""
    return int(text) if text.isdigit() else None


def pools(services: list[Service], listed: list[Pool] | None, reason: str) -> list[Finding]:
    """Stage 2: whether each address is from a pool that selects its Service."""
    if listed is None:
        return [unknown(2, "pools", f"they can't be read: {reason}", RIGHTS)]
    found = [finding for pool in listed for finding in _pool(pool)]
    if not services:
        return [*found, passed(2, "pools", f"there are {len(listed)}, and no Service asks for an address")]
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
        yield defect(2, who, "it has no blocks", "set spec.blocks, for instance to [{cidr: 198.51.100.0/24}]")


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
        yield passed(2, who, "this address doesn't come from a pool")
    for address in given:
        yield from _home(who, address, listed, mine)


def _home(who: str, address: str, listed: list[Pool], mine: list[Pool]) -> Iterable[Finding]:
    """Which pool an address is from. mine: the pools that select its Service."""
    if not listed:
        yield passed(2, who, f"there is no pool, so something else than LB-IPAM gave {address}")
        return
    homes = [pool for pool in listed if holds(pool, address)]
    if not homes:
        yield failed(
            2,
            who,
            f"{address} is in no CiliumLoadBalancerIPPool ({_listed(listed)})",
            "add a block with this address to a pool, or check whether another load balancer gives addresses",
        )
        return
    right = [pool for pool in homes if pool in mine]
    if not right:
        yield failed(
            2,
            who,
            f"{address} is from pool {homes[0]['name']}, whose serviceSelector doesn't select the Service",
            f"correct the Service's labels or the pool's serviceSelector; "
            f"{_names(mine) + ' would select it' if mine else 'no pool selects it'}",
        )
        return
    yield passed(2, who, f"{address} is from pool {right[0]['name']}")
    if right[0]["disabled"]:
        yield note(2, who, f"pool {right[0]['name']} is disabled: {address} stays, but the pool gives no new addresses")


def _names(listed: list[Pool]) -> str:
    return f"pool{'s' if len(listed) > 1 else ''} {_listed(listed)}"


def _listed(listed: list[Pool]) -> str:
    return ", ".join(pool["name"] for pool in listed)


def _without_address(who: str, listed: list[Pool], mine: list[Pool]) -> Finding:
    """Why a Service got no address."""
    if not listed:
        return failed(2, who, "there is no CiliumLoadBalancerIPPool", "create one with a block of addresses")
    if not mine:
        return failed(
            2,
            who,
            f"no pool's serviceSelector selects it ({_listed(listed)})",
            "label the Service as the serviceSelector of a pool asks, or change the serviceSelector",
        )
    usable = [pool for pool in mine if not pool["disabled"]]
    if not usable:
        return failed(2, who, f"every pool that selects it is disabled ({_listed(mine)})", "set spec.disabled to false")
    free = [pool for pool in usable if not _conflict(pool)]
    if not free:
        return failed(
            2,
            who,
            f"every pool that could serve it is in conflict ({_listed(usable)})",
            "change the blocks that overlap",
        )
    if all(_available(pool) == 0 for pool in free):
        return failed(
            2, who, f"no pool that could serve it has an address left ({_listed(free)})", "add a block to a pool"
        )
    return unknown(
        2,
        who,
        f"it has no address yet, though {_names(free)} could serve it",
        "check the log of cilium-operator (subsys=lbipam)",
    )
