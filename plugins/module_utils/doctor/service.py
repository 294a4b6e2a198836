# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to hitless.nodes: it may change in any release, don't import it from elsewhere.

"""The first part of the chain: Services, the pools of their addresses, and their backends. Pure functions."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from typing import Any

from ..kube.labels import Labels, matches
from .findings import Finding, defect, failed, note, passed, unknown

BGP_CLASS = "io.cilium/bgp-control-plane"
# Classes whose addresses LB-IPAM gives; it also does for Services without a class.
IPAM_CLASSES = (None, BGP_CLASS, "io.cilium/l2-announcer")
CONFLICT, AVAILABLE = "cilium.io/PoolConflict", "cilium.io/IPsAvailable"
SATISFIED = "cilium.io/IPAMRequestSatisfied"
Service = dict[str, Any]
Pool = dict[str, Any]


def title(service: Service) -> str:
    """How a Service is called in findings."""
    return f"Service {service['namespace']}/{service['name']}"


def selector_labels(service: Service) -> Labels:
    """The labels by which Cilium selects a Service: its own, and two that stand for its name and namespace."""
    return {
        **service["labels"],
        "io.kubernetes.service.name": service["name"],
        "io.kubernetes.service.namespace": service["namespace"],
    }


def is_of_others(service: Service) -> bool:
    """Whether a load balancer other than Cilium's BGP control plane is to announce the Service."""
    return service["type"] == "LoadBalancer" and service["class"] not in (None, BGP_CLASS)


def is_gateway(service: Service) -> bool:
    """Whether Cilium made the Service for a Gateway."""
    return service["name"].startswith("cilium-gateway-") or "io.cilium.gateway/owning-gateway" in service["labels"]


def vips(service: Service) -> list[dict[str, str]]:
    """The addresses of a Service that routers should know, as {address, kind}: all, or the only one asked for."""
    own: list[dict[str, str]] = service["addresses"]
    if service["only"]:
        return [each for each in own if each["address"] == service["only"]]
    outside = [each for each in own if each["kind"] != "ClusterIP"]
    # A Service without an address of its own can be announced by its cluster address.
    return outside or ([] if service["type"] == "LoadBalancer" else own)


def existence(services: list[Service], asked: dict[str, Any]) -> list[Finding]:
    """Stage 1: whether there is a Service, and it has an address that can be announced."""
    if not services:
        if asked["service"]:
            return [
                failed(
                    1,
                    f"Service {asked['service']}",
                    "there is no such Service",
                    f"look at 'kubectl get services -A', and give service=namespace/name as it is there "
                    f"(asked for: {asked['service']})",
                )
            ]
        if asked["vip"]:
            return [
                failed(
                    1,
                    f"VIP {asked['vip']}",
                    "no Service has this address, neither as load balancer, external nor cluster address",
                    "look at 'kubectl get services -A -o wide'; an address that was freed goes to the next Service",
                )
            ]
        return [passed(1, "Services", "the cluster has no Service of type LoadBalancer: only the configuration counts")]
    return [finding for service in services for finding in _existence(service)]


def _existence(service: Service) -> Iterable[Finding]:
    who = title(service)
    found = vips(service)
    kind = service["type"]
    if is_of_others(service):
        yield failed(
            1,
            who,
            f"its loadBalancerClass is {service['class']}, so Cilium's BGP control plane leaves it alone",
            f"make it anew with loadBalancerClass {BGP_CLASS}, or with none (the field can't be changed)",
        )
    if not found and kind != "LoadBalancer":
        yield failed(
            1,
            who,
            f"it is of type {kind} and has no address to announce",
            "make it type LoadBalancer, or give it externalIPs",
        )
        return
    if not found:
        refused = next((each for each in service["conditions"] if each["type"] == SATISFIED), None)
        said = f" (LB-IPAM says {refused['reason']}: {refused['message']})" if refused else ""
        yield failed(
            1,
            who,
            f"it is of type LoadBalancer and has no address yet{said}",
            "see the pools (stage 2), and whether cilium-operator runs",
        )
        return
    yield passed(1, who, f"{kind}, {', '.join(each['address'] for each in found)}")
    missing = set(service["families"]) - {_family(each["address"]) for each in found}
    if missing and kind == "LoadBalancer" and not service["only"]:
        yield defect(
            1,
            who,
            f"it asks for {' and '.join(service['families'])} and has no address of {' and '.join(sorted(missing))}",
            "add a block of that family to its pool, or take the family out of its ipFamilies",
        )


def _family(address: str) -> str:
    return f"IPv{ipaddress.ip_address(address).version}"


# Pools


def holds(pool: Pool, address: str) -> bool:
    """Whether an address is in one of a pool's blocks."""
    wanted = ipaddress.ip_address(address)
    for block in pool["blocks"]:
        if block.get("cidr"):
            network = ipaddress.ip_network(block["cidr"], strict=False)
            if network.version == wanted.version and wanted in network:
                return True
        elif block.get("start"):
            low, high = (ipaddress.ip_address(block.get(key) or block["start"]) for key in ("start", "stop"))
            if low.version == wanted.version and int(low) <= int(wanted) <= int(high):
                return True
    return False


def first_address(block: dict[str, Any]) -> str:
    """An address that a block would give to a Service."""
    if block.get("cidr"):
        network = ipaddress.ip_network(block["cidr"], strict=False)
        return str(network[1] if network.num_addresses > 2 else network[0])
    return str(block["start"])


def _condition(pool: Pool, kind: str) -> dict[str, Any] | None:
    return next((each for each in pool["conditions"] if each["type"] == kind), None)


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
    conflict = _condition(pool, CONFLICT)
    if conflict and conflict["status"] == "True":
        yield defect(
            2,
            who,
            f"it is in conflict, so it gives no addresses: {conflict['message']}",
            "change its blocks, or those of the pool that it overlaps with",
        )
    if not pool["blocks"]:
        yield defect(2, who, "it has no blocks", "give it spec.blocks, such as cidr: 198.51.100.0/24")


def _from_pool(service: Service, listed: list[Pool]) -> Iterable[Finding]:
    who = title(service)
    if service["type"] != "LoadBalancer" or service["class"] not in IPAM_CLASSES:
        yield passed(2, who, "its addresses don't come from a pool")
        return
    mine = [pool for pool in listed if matches(pool["selector"], selector_labels(service))]
    given = [each for each in vips(service) if each["kind"] == "LoadBalancerIP"]
    if not vips(service):
        yield _without_address(who, listed, mine)
        return
    if not given:
        yield passed(2, who, "this address isn't from a load balancer's pool")
    for each in given:
        address = each["address"]
        homes = [pool for pool in listed if holds(pool, address)]
        right = [pool for pool in homes if pool in mine]
        if right:
            yield passed(2, who, f"{address} is from pool {right[0]['name']}")
            if right[0]["disabled"]:
                yield note(2, who, f"pool {right[0]['name']} is disabled: {address} stays, and no new ones are given")
        elif homes:
            yield failed(
                2,
                who,
                f"{address} is from pool {homes[0]['name']}, whose serviceSelector doesn't select it",
                f"correct the Service's labels or the pool's serviceSelector; "
                f"{_names(mine) + ' would select it' if mine else 'no pool selects it'}",
            )
        elif listed:
            yield failed(
                2,
                who,
                f"{address} is in no CiliumLoadBalancerIPPool ({', '.join(pool['name'] for pool in listed)})",
                "add a block with it to a pool, or find out who else gives addresses (another load balancer?)",
            )
        else:
            yield passed(2, who, f"{address} was given by something else than LB-IPAM: there is no pool")


def _names(listed: list[Pool]) -> str:
    return f"pool{'s' if len(listed) > 1 else ''} {', '.join(pool['name'] for pool in listed)}"


def _without_address(who: str, listed: list[Pool], mine: list[Pool]) -> Finding:
    """Why a Service got no address."""
    if not listed:
        return failed(2, who, "there is no CiliumLoadBalancerIPPool", "make one, with a block of addresses")
    if not mine:
        return failed(
            2,
            who,
            f"no pool's serviceSelector selects it ({', '.join(pool['name'] for pool in listed)})",
            "give the Service the label that a pool selects by, or the pool a serviceSelector that fits",
        )
    usable = [pool for pool in mine if not pool["disabled"]]
    if not usable:
        return failed(2, who, f"{_names(mine)} that would serve it is disabled", "set spec.disabled to false")
    free = [pool for pool in usable if (_condition(pool, CONFLICT) or {}).get("status") != "True"]
    if not free:
        return failed(2, who, f"{_names(usable)} that would serve it is in conflict", "change the blocks that overlap")
    if all(_available(pool) == 0 for pool in free):
        return failed(2, who, f"{_names(free)} that would serve it has no address left", "add a block to it")
    return unknown(
        2, who, f"{_names(free)} could serve it, and didn't yet", "see the log of cilium-operator (subsys=lbipam)"
    )


# Backends


def backends(services: list[Service], announcing: set[str] | None) -> list[Finding]:
    """Stage 3: whether somebody is there to answer, with externalTrafficPolicy Local on an announcing node.

    announcing: the names of the nodes that are selected, None where that isn't known.
    """
    if not services:
        return [passed(3, "Services", "none of them needs a backend")]
    return [finding for service in services for finding in _backends(service, announcing)]


def _backends(service: Service, announcing: set[str] | None) -> Iterable[Finding]:
    who = title(service)
    endpoints = service["endpoints"]
    if endpoints is None:
        yield unknown(
            3, who, f"its endpoints can't be read: {service['endpoints_reason']}", "grant the right, see docs/doctor.md"
        )
        return
    if is_gateway(service):
        # Its endpoints are a placeholder: Envoy answers on every node.
        yield passed(3, who, "it is a Gateway's: Cilium's Envoy answers for it on the nodes")
        return
    ready = endpoints["ready"]
    if not ready:
        others = f" ({endpoints['unready']} aren't ready)" if endpoints["unready"] else ""
        selects = "" if service["selects"] else "; the Service has no selector, so somebody else has to make them"
        kept = "" if service["policy"] == "Local" else ", and with externalTrafficPolicy Cluster it is announced still"
        yield failed(
            3,
            who,
            f"it has no ready endpoint{others}{selects}{kept}",
            "look at its pods: kubectl get endpointslices -l kubernetes.io/service-name="
            f"{service['name']} -n {service['namespace']}",
        )
        return
    if service["policy"] != "Local":
        yield passed(3, who, f"{len(ready)} ready endpoints")
        return
    nodes = {each["node"] for each in ready if each["node"]}
    if announcing is None or not nodes:
        yield unknown(3, who, "externalTrafficPolicy is Local, and on which nodes its endpoints are isn't known")
    elif nodes & announcing:
        yield passed(3, who, f"externalTrafficPolicy Local, ready on {', '.join(sorted(nodes & announcing))}")
    else:
        yield failed(
            3,
            who,
            f"externalTrafficPolicy is Local, and its ready endpoints are on {', '.join(sorted(nodes))} only, which "
            f"aren't selected for BGP",
            "let its pods run on selected nodes (a DaemonSet for instance), or use externalTrafficPolicy Cluster",
        )
