# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to hitless.nodes: it may change in any release, don't import it from elsewhere.

"""Whether a Service has ready endpoints, and on the right nodes. Pure functions."""

from __future__ import annotations

from collections.abc import Iterable

from .findings import RIGHTS, Finding, failed, passed, unknown
from .service import Service, is_gateway, title


def backends(services: list[Service], announcing: set[str] | None) -> list[Finding]:
    """Stage 3: whether each Service has a ready endpoint. With externalTrafficPolicy Local, on a node that announces.

    announcing: the names of the nodes that are selected. None: not known.
    """
    if not services:
        return [passed(3, "Services", "there is no Service that needs a backend")]
    return [finding for service in services for finding in _backends(service, announcing)]


def _backends(service: Service, announcing: set[str] | None) -> Iterable[Finding]:
    who = title(service)
    endpoints = service["endpoints"]
    if endpoints is None:
        yield unknown(3, who, f"its endpoints can't be read: {service['endpoints_reason']}", RIGHTS)
        return
    if is_gateway(service):
        # Its endpoints are a placeholder: Envoy answers on every node.
        yield passed(3, who, "it belongs to a Gateway, for which Cilium's Envoy answers on every node")
        return
    if not endpoints["ready"]:
        yield _no_endpoint(service)
    elif service["policy"] != "Local":
        yield passed(3, who, f"{len(endpoints['ready'])} ready endpoints")
    else:
        yield _local(service, announcing)


def _no_endpoint(service: Service) -> Finding:
    """A Service without a ready endpoint."""
    unready = service["endpoints"]["unready"]
    others = f" ({unready} aren't ready)" if unready else ""
    selects = "" if service["selects"] else "; it has no selector, so Kubernetes makes no endpoints for it"
    kept = "" if service["policy"] == "Local" else ", but with externalTrafficPolicy Cluster it is still announced"
    return failed(
        3,
        title(service),
        f"it has no ready endpoint{others}{kept}{selects}",
        "check its pods: kubectl get endpointslices -l kubernetes.io/service-name="
        f"{service['name']} -n {service['namespace']}",
    )


def _local(service: Service, announcing: set[str] | None) -> Finding:
    """Whether a Service with externalTrafficPolicy Local has a ready endpoint on a node that announces it."""
    who = title(service)
    nodes = {each["node"] for each in service["endpoints"]["ready"] if each["node"]}
    if announcing is None or not nodes:
        return unknown(
            3,
            who,
            "externalTrafficPolicy is Local, but it isn't known whether its endpoints are on nodes that announce",
        )
    if nodes & announcing:
        return passed(
            3,
            who,
            f"externalTrafficPolicy is Local, and endpoints are ready on {', '.join(sorted(nodes & announcing))}",
        )
    return failed(
        3,
        who,
        f"externalTrafficPolicy is Local, but its ready endpoints are on {', '.join(sorted(nodes))} only, which "
        f"aren't selected for BGP",
        "run its pods on selected nodes (for instance as a DaemonSet), or set externalTrafficPolicy to Cluster",
    )
