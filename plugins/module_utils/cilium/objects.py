# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to hitless.nodes: it may change in any release, don't import it from elsewhere.

"""Cilium's BGP objects as the cluster has them: v2 if it is served (Cilium 1.18), or else v2alpha1."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ..base.errors import HitlessError
from ..kube import node_objects
from ..kube.api_errors import NotFound
from ..kube.client import Client, segment
from .selection import Config

GROUP = "/apis/cilium.io"


class NoCiliumBGP(HitlessError):  # noqa: N818 - reads as what it is
    """The cluster serves none of the kinds."""


def node_path(name: str) -> str:
    """The API path of a CiliumNode."""
    return f"{GROUP}/v2/ciliumnodes/{segment(name)}"


def node_config_path(api_version: str, name: str) -> str:
    """The API path of a node's CiliumBGPNodeConfig."""
    return f"{GROUP}/{api_version}/ciliumbgpnodeconfigs/{segment(name)}"


@dataclass(frozen=True)
class Configs:
    """All that selects nodes, and the version in which the cluster serves ClusterConfigs (None: not at all).

    policies: the legacy PeeringPolicies as they are.
    """

    api_version: str | None
    items: list[Config]
    policies: tuple[dict[str, Any], ...] = ()


def all_of(client: Client, api_version: str, plural: str) -> list[dict[str, Any]] | None:
    """All objects of a kind, None if the cluster doesn't serve it (404 for a list means exactly that)."""
    try:
        return client.list_all(f"{GROUP}/{api_version}/{plural}")[0]
    except NotFound:
        return None


def _config(kind: str, item: dict[str, Any]) -> Config:
    spec, status = item.get("spec") or {}, item.get("status") or {}
    return Config(kind, item["metadata"]["name"], spec.get("nodeSelector"), tuple(status.get("conditions") or ()))


def configs(client: Client) -> Configs:
    """All ClusterConfigs and legacy PeeringPolicies; raises NoCiliumBGP if the cluster serves neither."""
    served = None
    found: list[Config] = []
    # The lists themselves are the discovery. 1.16 and 1.17 serve group version v2, but not with these kinds.
    for api_version in ("v2", "v2alpha1"):
        items = all_of(client, api_version, "ciliumbgpclusterconfigs")
        if items is not None:
            served = api_version
            found += [_config("CiliumBGPClusterConfig", item) for item in items]
            break
    policies = all_of(client, "v2alpha1", "ciliumbgppeeringpolicies")
    if served is None and policies is None:
        raise NoCiliumBGP(
            f"the cluster {client.url} serves neither CiliumBGPClusterConfig nor CiliumBGPPeeringPolicy: is Cilium "
            f"installed there, with bgpControlPlane.enabled=true?"
        )
    found += [_config("CiliumBGPPeeringPolicy", item) for item in policies or []]
    return Configs(served, found, tuple(policies or ()))


def node_config(client: Client, api_version: str | None, name: str) -> dict[str, Any] | None:
    """A node's CiliumBGPNodeConfig, None if there is none."""
    return client.find(node_config_path(api_version, name)) if api_version else None


def override(client: Client, api_version: str | None, name: str) -> dict[str, Any] | None:
    """A node's CiliumBGPNodeConfigOverride, None if there is none."""
    return client.find(f"{GROUP}/{api_version}/ciliumbgpnodeconfigoverrides/{segment(name)}") if api_version else None


def labels(obj: dict[str, Any] | None) -> dict[str, str] | None:
    """The labels of an object, None if there is no object."""
    return None if obj is None else obj["metadata"].get("labels") or {}


def addresses(node: dict[str, Any], cilium_node: dict[str, Any] | None) -> list[str]:
    """The addresses that routers may use as next hop for a node: those of its Node and of its CiliumNode."""
    own = [(entry.get("type", ""), entry.get("address", "")) for entry in node.get("status", {}).get("addresses") or []]
    spec = (cilium_node or {}).get("spec") or {}
    theirs = [(entry.get("type", ""), entry.get("ip", "")) for entry in spec.get("addresses") or []]
    return node_objects.addresses(own, theirs)


def pod_cidrs(node: dict[str, Any], cilium_node: dict[str, Any] | None) -> list[str]:
    """The networks of a node's pods, by its Node and its CiliumNode, pools included."""
    spec = node.get("spec") or {}
    ipam = ((cilium_node or {}).get("spec") or {}).get("ipam") or {}
    found = [spec.get("podCIDR"), *(spec.get("podCIDRs") or []), *(ipam.get("podCIDRs") or [])]
    for pool in (ipam.get("pools") or {}).get("allocated") or []:
        found += pool.get("cidrs") or []
    return list(dict.fromkeys(each for each in found if each))


def peers(config: dict[str, Any] | None) -> list[dict[str, Any]]:
    """The peers that a NodeConfig asks for."""
    found = []
    for instance in instances(config):
        for peer in instance.get("peers") or []:
            found.append(
                {
                    "instance": instance.get("name"),
                    "name": peer.get("name"),
                    "address": peer.get("peerAddress"),
                    "asn": peer.get("peerASN"),
                    "peer_config": (peer.get("peerConfigRef") or {}).get("name"),
                    "local_address": peer.get("localAddress"),
                    "local_asn": instance.get("localASN"),
                }
            )
    return found


def conditions(obj: dict[str, Any] | None) -> list[dict[str, Any]]:
    """The conditions of an object, as modules return them."""
    return [
        {key: condition.get(key) for key in ("type", "status", "reason", "message")}
        for condition in ((obj or {}).get("status") or {}).get("conditions") or []
    ]


def owner(config: dict[str, Any] | None) -> str | None:
    """The name of the ClusterConfig that a NodeConfig belongs to, None if it belongs to none."""
    owners = ((config or {}).get("metadata") or {}).get("ownerReferences") or []
    return next((entry["name"] for entry in owners if entry.get("kind") == "CiliumBGPClusterConfig"), None)


def peer_config(client: Client, api_version: str | None, name: str) -> dict[str, Any] | None:
    """A CiliumBGPPeerConfig, None if there is none of that name."""
    return client.find(f"{GROUP}/{api_version}/ciliumbgppeerconfigs/{segment(name)}") if api_version else None


def sessions(config: dict[str, Any] | None) -> list[dict[str, Any]]:
    """The sessions of a node: every peer that it should have, with the agent's last report of it.

    What isn't reported (status reporting is off, the agent never wrote, no NodeConfig) is unknown, not down. The state
    is only what the agent wrote last. A dead agent leaves "established" behind.
    """
    config = config or {}
    reported = _reported(config.get("status") or {})
    return [_session(peer, reported.get((peer["instance"], peer["name"]), {})) for peer in peers(config)]


def instances(config: dict[str, Any] | None) -> list[dict[str, Any]]:
    """The BGP instances in the spec of a NodeConfig or of an override."""
    return ((config or {}).get("spec") or {}).get("bgpInstances") or []


def _reported(status: dict[str, Any]) -> dict[tuple[Any, Any], dict[str, Any]]:
    """(instance, peer) -> what the agent wrote of it."""
    found = {}
    for instance in status.get("bgpInstances") or []:
        for peer in instance.get("peers") or []:
            found[instance.get("name"), peer.get("name")] = peer
    return found


def _session(peer: dict[str, Any], seen: dict[str, Any]) -> dict[str, Any]:
    """A peer with what was reported of it ({}: nothing)."""
    state = seen.get("peeringState")
    return {
        "instance": peer["instance"],
        "peer": peer["name"],
        "address": peer["address"] or seen.get("peerAddress"),
        "asn": peer["asn"] or seen.get("peerASN"),
        "state": state or "unknown",
        "established": state == "established" if state else None,
        "established_time": seen.get("establishedTime"),
        "uptime": None,
        "hold_time": (seen.get("timers") or {}).get("appliedHoldTimeSeconds"),
        "graceful_restart": None,
        "peer_config": peer["peer_config"],
        "local_asn": peer["local_asn"],
        "routes": [
            {key: count.get(key) for key in ("afi", "safi", "advertised", "received")}
            for count in seen.get("routeCount") or []
        ],
    }
