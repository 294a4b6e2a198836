# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to hitless.nodes: it may change in any release, don't import it from elsewhere.

"""A legacy CiliumBGPPeeringPolicy, which Cilium has until 1.18, as the newer objects with the same meaning.

Pure functions, so the doctor follows only one kind of chain. Today's CiliumBGPNodeConfig, CiliumBGPPeerConfig and
CiliumBGPAdvertisement were one object. A neighbor stands for the second, and a virtual router for the third.
"""

from __future__ import annotations

from typing import Any

from ..base import net
from ..kube.labels import Labels, matches

Facts = dict[str, Any]

KIND = "CiliumBGPPeeringPolicy"
# https://docs.cilium.io/en/v1.15/network/bgp-control-plane/ (Node Annotations): "router-id=...,local-port=..."
_ANNOTATION = "cilium.io/bgp-virtual-router."
_DEFAULT_FAMILIES = ({"afi": "ipv4", "safi": "unicast"}, {"afi": "ipv6", "safi": "unicast"})
# A label's value has no slash, so no user's Advertisement has this label.
_ROUTER = "virtual-router"


def _routers(policy: Facts) -> list[tuple[str, Facts]]:
    """The virtual routers of a policy, each with a name made of the policy's name and its AS number."""
    routers = (policy.get("spec") or {}).get("virtualRouters") or []
    return [(f"{policy['metadata']['name']}/{router.get('localASN')}", router) for router in routers]


def _address(neighbor: Facts) -> str:
    """The address of a neighbor, which is written as a network of one address."""
    return str(neighbor.get("peerAddress") or "").partition("/")[0]


def peer_configs(policy: Facts) -> list[Facts]:
    """What cluster_facts.peer_config says of a PeerConfig, for each neighbor."""
    return [
        {
            "name": f"{name}/{_address(neighbor)}",
            "title": f"{KIND} {name}/{_address(neighbor)}",
            "legacy": True,
            "families": [
                {"afi": each.get("afi"), "safi": each.get("safi"), "selector": {"matchLabels": {_ROUTER: name}}}
                for each in neighbor.get("families") or _DEFAULT_FAMILIES
            ],
            "by_default": not neighbor.get("families"),
            "peer_port": neighbor.get("peerPort"),
            "secret": neighbor.get("authSecretRef"),
            "graceful_restart": bool((neighbor.get("gracefulRestart") or {}).get("enabled")),
            "conditions": [],
        }
        for name, router in _routers(policy)
        for neighbor in router.get("neighbors") or []
    ]


def advertisements(policy: Facts) -> list[Facts]:
    """What cluster_facts.advertisement says of an Advertisement, for each virtual router.

    Without a serviceSelector it announces no Service. With an empty one it announces all.
    """
    found = []
    for name, router in _routers(policy):
        nothing: Facts = {"addresses": [], "selector": None, "aggregation": {"ipv4": None, "ipv6": None}}
        entries = [{**nothing, "type": "PodCIDR"}] if router.get("exportPodCIDR") else []
        if router.get("serviceSelector") is not None:
            addresses = router.get("serviceAdvertisements") or ["LoadBalancerIP"]
            selector = router["serviceSelector"]
            entries.append({**nothing, "type": "Service", "addresses": addresses, "selector": selector})
        labels = {_ROUTER: name}
        title = f"{KIND} {name}"
        found.append({"name": name, "title": title, "legacy": True, "labels": labels, "advertisements": entries})
    return found


def node_config(policies: list[Facts], labels: Labels, annotations: dict[str, str]) -> Facts | None:
    """What cluster_facts.node_config says of a NodeConfig, for a node with these labels; None if no policy selects it.

    Of several policies the first one is used. Cilium then uses none; the judgement of the nodes reports that.
    """
    chosen = [policy for policy in policies if matches((policy.get("spec") or {}).get("nodeSelector"), labels)]
    if not chosen:
        return None
    peers = [
        {
            "instance": name,
            "name": _address(neighbor),
            "address": _address(neighbor),
            "asn": neighbor.get("peerASN"),
            "peer_config": f"{name}/{_address(neighbor)}",
            "local_asn": router.get("localASN"),
            "local_port": _local_port(settings),
            "router_id": settings.get("router-id") or None,
        }
        for name, router in _routers(chosen[0])
        for settings in [_settings(annotations.get(f"{_ANNOTATION}{router.get('localASN')}", ""))]
        for neighbor in router.get("neighbors") or []
    ]
    return {"conditions": [], "peers": peers}


def _settings(annotation: str) -> dict[str, str]:
    """What a node's annotation sets for a virtual router."""
    return dict(part.strip().partition("=")[::2] for part in annotation.split(","))


def _local_port(settings: dict[str, str]) -> int | None:
    """The port on which the agent listens, None if it doesn't."""
    port = settings.get("local-port", "")
    return int(port) if port.isdecimal() else None


def agreed(config: Facts | None, neighbor: Facts | None, address: str | None) -> Facts | None:
    """A PeerConfig with the families that both sides have, if the policy names none and so offers both.

    It is no mistake if IPv6 isn't activated over an IPv4 session. Usually there is another session for it.
    """
    if config is None or neighbor is None or not config.get("by_default"):
        return config
    own = net.family(address or "")
    families = [
        each for each in config["families"] if each["afi"] == own or neighbor["families"][each["afi"]]["active"]
    ]
    return {**config, "families": families}
