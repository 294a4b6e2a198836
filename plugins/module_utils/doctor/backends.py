# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to hitless.nodes: it may change in any release, don't import it from elsewhere.

"""Whether anything is there to answer for a Service, and on the right nodes. Pure functions."""

from __future__ import annotations

from collections.abc import Iterable

from .findings import Finding, failed, passed, unknown
from .service import Service, is_gateway, title


def backends(services: list[Service], announcing: set[str] | None) -> list[Finding]:
    """Stage 3: whether anything is there to answer, with externalTrafficPolicy Local on an announcing node.

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
    if not endpoints["ready"]:
        yield _no_endpoint(service)
    elif service["policy"] != "Local":
        yield passed(3, who, f"{len(endpoints['ready'])} ready endpoints")
    else:
        yield _local(service, announcing)


def _no_endpoint(service: Service) -> Finding:
    """A Service for which nothing answers."""
    unready = service["endpoints"]["unready"]
    others = f" ({unready} aren't ready)" if unready else ""
    selects = "" if service["selects"] else "; the Service has no selector, so somebody else has to make them"
    kept = "" if service["policy"] == "Local" else ", and with externalTrafficPolicy Cluster it is announced still"
    return failed(
        3,
        title(service),
        f"it has no ready endpoint{others}{selects}{kept}",
        "look at its pods: kubectl get endpointslices -l kubernetes.io/service-name="
        f"{service['name']} -n {service['namespace']}",
    )


def _local(service: Service, announcing: set[str] | None) -> Finding:
    """Whether a Service with externalTrafficPolicy Local has a ready endpoint on a node that announces it."""
    who = title(service)
    nodes = {each["node"] for each in service["endpoints"]["ready"] if each["node"]}
    if announcing is None or not nodes:
        return unknown(3, who, "externalTrafficPolicy is Local, and on which nodes its endpoints are isn't known")
    if nodes & announcing:
        return passed(3, who, f"externalTrafficPolicy Local, ready on {', '.join(sorted(nodes & announcing))}")
    return failed(
        3,
        who,
        f"externalTrafficPolicy is Local, and its ready endpoints are on {', '.join(sorted(nodes))} only, which "
        f"aren't selected for BGP",
        "let its pods run on selected nodes (a DaemonSet for instance), or use externalTrafficPolicy Cluster",
    )
