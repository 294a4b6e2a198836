# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to hitless.nodes: it may change in any release, don't import it from elsewhere.

"""The objects of the cluster, each reduced to what the rules need. Pure functions."""

from __future__ import annotations

from collections.abc import Iterable

from ..base import net
from ..cilium import legacy_policy, objects
from ..kube import node_objects
from ..record import records
from .links import Facts


def service(item: Facts, only: str | None) -> Facts:
    """A Service. only: the address that is asked for."""
    metadata, spec = item["metadata"], item.get("spec") or {}
    return {
        "namespace": metadata["namespace"],
        "name": metadata["name"],
        "labels": metadata.get("labels") or {},
        "type": spec.get("type", "ClusterIP"),
        "class": spec.get("loadBalancerClass"),
        "policy": spec.get("externalTrafficPolicy", "Cluster"),
        "families": spec.get("ipFamilies") or [],
        "selects": bool(spec.get("selector")),
        "ports": [{"port": each["port"], "protocol": each.get("protocol", "TCP")} for each in spec.get("ports") or []],
        "addresses": _addresses(spec, item.get("status") or {}),
        "only": only,
        "conditions": objects.conditions(item),
        "endpoints": None,
        "endpoints_reason": "",
    }


def _addresses(spec: Facts, status: Facts) -> list[Facts]:
    """The addresses of a Service, each with its kind."""
    ingress = (status.get("loadBalancer") or {}).get("ingress") or []
    by_kind = {
        "LoadBalancerIP": [each.get("ip") for each in ingress],
        "ExternalIP": spec.get("externalIPs") or [],
        "ClusterIP": spec.get("clusterIPs") or [spec.get("clusterIP")],
    }
    found = []
    for kind, addresses in by_kind.items():
        # A headless Service has the address "None". A Service that isn't ready yet may have "".
        known = [each for each in addresses if each and each != "None"]
        found += [{"kind": kind, "address": net.address(each)} for each in known]
    return found


def endpoints(slices: list[Facts]) -> Facts:
    """The endpoints of one Service by its EndpointSlices: the ready ones with their nodes, and how many aren't."""
    ready: set[tuple[str, str]] = set()
    unready: set[tuple[str, str]] = set()
    for found in slices:
        for each in found.get("endpoints") or []:
            # By the API's rule, an endpoint without this condition counts as ready.
            is_ready = (each.get("conditions") or {}).get("ready") is not False
            for address in each.get("addresses") or []:
                (ready if is_ready else unready).add((address, each.get("nodeName") or ""))
    return {
        "ready": [{"address": address, "node": name or None} for address, name in sorted(ready)],
        "unready": len(unready),
    }


def pool(item: Facts) -> Facts:
    """A CiliumLoadBalancerIPPool."""
    spec = item.get("spec") or {}
    return {
        "name": item["metadata"]["name"],
        "disabled": bool(spec.get("disabled")),
        "selector": spec.get("serviceSelector"),
        # Releases before 1.15 call them "cidrs".
        "blocks": spec.get("blocks") or spec.get("cidrs") or [],
        "conditions": objects.conditions(item),
    }


def advertisement(item: Facts) -> Facts:
    """A CiliumBGPAdvertisement."""
    return {
        "name": item["metadata"]["name"],
        "title": f"Advertisement {item['metadata']['name']}",
        "legacy": False,
        "labels": item["metadata"].get("labels") or {},
        "advertisements": [_entry(each) for each in (item.get("spec") or {}).get("advertisements") or []],
    }


def _entry(item: Facts) -> Facts:
    """An entry of a CiliumBGPAdvertisement."""
    of_services = item.get("service") or {}
    return {
        "type": item.get("advertisementType"),
        "addresses": of_services.get("addresses") or [],
        "selector": item.get("selector"),
        "aggregation": {
            "ipv4": of_services.get("aggregationLengthIPv4"),
            "ipv6": of_services.get("aggregationLengthIPv6"),
        },
    }


def peer_config(item: Facts) -> Facts:
    """A CiliumBGPPeerConfig."""
    spec = item.get("spec") or {}
    return {
        "name": item["metadata"]["name"],
        "title": f"CiliumBGPPeerConfig {item['metadata']['name']}",
        "legacy": False,
        "families": [
            {"afi": each.get("afi"), "safi": each.get("safi"), "selector": each.get("advertisements")}
            for each in spec.get("families") or []
        ],
        "peer_port": (spec.get("transport") or {}).get("peerPort"),
        "secret": spec.get("authSecretRef"),
        "graceful_restart": bool((spec.get("gracefulRestart") or {}).get("enabled")),
        "conditions": objects.conditions(item),
    }


def node_config(item: Facts | None) -> Facts | None:
    """A CiliumBGPNodeConfig, with the peers that it asks for."""
    if item is None:
        return None
    instances = {each.get("name"): each for each in (item.get("spec") or {}).get("bgpInstances") or []}
    peers = []
    for peer in objects.peers(item):
        instance = instances[peer["instance"]]
        peers.append({**peer, "local_asn": instance.get("localASN"), "local_port": instance.get("localPort")})
    return {"conditions": objects.conditions(item), "peers": peers}


def node(item: Facts, cilium_node: Facts | None, config: Facts | None, policies: Iterable[Facts] = ()) -> Facts:
    """A Node with its CiliumNode and NodeConfig. policies: legacy ones, one of which may replace the NodeConfig."""
    try:
        record = records.parse(item)
        held = f"{record['holder']} since {record['since']}" if record else None
    except records.RecordError as exc:
        held = exc.msg
    labels, seen = objects.labels(item) or {}, objects.labels(cilium_node)
    annotations = item["metadata"].get("annotations") or {}
    legacy = legacy_policy.node_config(list(policies), labels if seen is None else seen, annotations)
    return {
        "name": item["metadata"]["name"],
        "ready": node_objects.is_ready(item),
        "labels": labels,
        "cilium_labels": seen,
        "addresses": objects.addresses(item, cilium_node),
        "held": held,
        "node_config": node_config(config) or legacy,
    }
