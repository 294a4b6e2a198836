# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to hitless.nodes: it may change in any release, don't import it from elsewhere.

"""The start of the chain: Services, and whether they have addresses to announce. Pure functions."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ..base.net import family
from ..kube.labels import Labels
from .findings import Finding, defect, failed, passed

BGP_CLASS = "io.cilium/bgp-control-plane"
SATISFIED = "cilium.io/IPAMRequestSatisfied"
# Kubernetes' names of the families.
IP_FAMILIES = {"ipv4": "IPv4", "ipv6": "IPv6"}
Service = dict[str, Any]


def title(service: Service) -> str:
    """The name of a Service in findings."""
    return f"Service {service['namespace']}/{service['name']}"


def selector_labels(service: Service) -> Labels:
    """The labels by which Cilium selects a Service: its own, and two that stand for its name and namespace."""
    return {
        **service["labels"],
        "io.kubernetes.service.name": service["name"],
        "io.kubernetes.service.namespace": service["namespace"],
    }


def is_of_others(service: Service) -> bool:
    """Whether the Service belongs to a load balancer other than Cilium's BGP control plane."""
    return service["type"] == "LoadBalancer" and service["class"] not in (None, BGP_CLASS)


def is_gateway(service: Service) -> bool:
    """Whether Cilium made the Service for a Gateway."""
    return service["name"].startswith("cilium-gateway-") or "io.cilium.gateway/owning-gateway" in service["labels"]


def vips(service: Service) -> list[dict[str, str]]:
    """The addresses of a Service that routers should know, as {address, kind}: all, or the one asked for."""
    own: list[dict[str, str]] = service["addresses"]
    if service["only"]:
        return [each for each in own if each["address"] == service["only"]]
    outside = [each for each in own if each["kind"] != "ClusterIP"]
    # Cilium can announce the cluster address of a Service that isn't of type LoadBalancer.
    return outside or ([] if service["type"] == "LoadBalancer" else own)


def existence(services: list[Service], asked: dict[str, Any]) -> list[Finding]:
    """Stage 1: whether there is a Service, and whether it has an address to announce."""
    if not services:
        return [_no_service(asked)]
    return [finding for service in services for finding in _existence(service)]


def _no_service(asked: dict[str, Any]) -> Finding:
    """The finding if no Service is what was asked for."""
    if asked["service"]:
        return failed(
            1,
            f"Service {asked['service']}",
            "there is no such Service",
            "set service to a namespace/name that 'kubectl get services -A' shows",
        )
    if asked["vip"]:
        return failed(
            1,
            f"VIP {asked['vip']}",
            "no Service has this address as its load balancer, external or cluster address",
            "set vip to an address that 'kubectl get services -A -o wide' shows",
        )
    return passed(
        1, "Services", "the cluster has no Service of type LoadBalancer, so only the configuration is checked"
    )


def _existence(service: Service) -> Iterable[Finding]:
    """Whether Cilium may announce a Service, and whether it has addresses of all families that it asks for."""
    who = title(service)
    if is_of_others(service):
        yield failed(
            1,
            who,
            f"its loadBalancerClass is {service['class']}, so Cilium's BGP control plane doesn't announce it",
            f"create it again with loadBalancerClass {BGP_CLASS}, or without one (the field can't be changed)",
        )
    found = vips(service)
    if not found:
        yield _no_address(service)
        return
    yield passed(1, who, f"{service['type']}, {', '.join(each['address'] for each in found)}")
    missing = set(service["families"]) - {IP_FAMILIES[family(each["address"])] for each in found}
    if missing and service["type"] == "LoadBalancer" and not service["only"]:
        yield defect(
            1,
            who,
            f"it asks for {' and '.join(service['families'])}, but has no address of {' and '.join(sorted(missing))}",
            "add a block of that family to its pool, or remove the family from its ipFamilies",
        )


def _no_address(service: Service) -> Finding:
    """A Service without an address to announce."""
    who, kind = title(service), service["type"]
    if kind != "LoadBalancer":
        return failed(
            1,
            who,
            f"it is of type {kind} and has no address to announce",
            "change its type to LoadBalancer, or set its externalIPs",
        )
    refused = next((each for each in service["conditions"] if each["type"] == SATISFIED), None)
    said = f" (LB-IPAM says {refused['reason']}: {refused['message']})" if refused else ""
    return failed(
        1,
        who,
        f"it is of type LoadBalancer, but has no address yet{said}",
        "see stage 2, and check whether cilium-operator runs",
    )
