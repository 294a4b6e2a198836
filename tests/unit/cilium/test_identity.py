# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who a node is for its peers, by Cilium's objects."""

from __future__ import annotations

from typing import Any

from ansible_collections.hitless.nodes.plugins.module_utils.cilium import identity, legacy_policy, objects

ADDRESSES = ["10.1.0.13", "2001:db8::13"]


def config(*peers: dict[str, Any], status: Any = None, **instance: Any) -> dict[str, Any]:
    spec = {"bgpInstances": [{"name": "main", "localASN": 65432, "peers": list(peers), **instance}]}
    return {"spec": spec, "status": {"bgpInstances": [{"name": "main", "peers": status or []}]}}


def peer(name: str = "tor-2", **changes: Any) -> dict[str, Any]:
    return {"name": name, "peerAddress": "10.2.0.1", "peerASN": 65000, "peerConfigRef": {"name": "p"}, **changes}


def test_a_peer_has_both_sides_of_its_session() -> None:
    assert identity.peers(config(peer(localAddress="10.2.0.13")), None) == [
        {
            "instance": "main",
            "name": "tor-2",
            "address": "10.2.0.1",
            "asn": 65000,
            "peer_config": "p",
            "local_address": "10.2.0.13",
            "local_asn": 65432,
        }
    ]


def test_what_the_node_config_lacks_is_taken_from_the_override() -> None:
    override = config({"name": "tor-2", "localAddress": "10.2.0.13"}, routerID="10.9.9.9")
    found = identity.peers(config(peer(), peer("tor-1", localAddress="2001:DB8:0::2")), override)
    assert [each["local_address"] for each in found] == ["10.2.0.13", "2001:DB8:0::2"]
    assert identity.local_addresses(found) == ["10.2.0.13", "2001:db8::2"]
    assert identity.router_ids(config(peer()), override, None, ADDRESSES) == ["10.9.9.9"]
    assert identity.router_ids(config(peer(), routerID="10.8.8.8"), override, None, ADDRESSES) == ["10.8.8.8"]


def test_without_a_router_id_it_is_the_nodes_ipv4_address() -> None:
    assert identity.router_ids(config(peer()), None, None, ADDRESSES) == ["10.1.0.13"]
    assert identity.router_ids(None, None, None, ["2001:db8::13"]) == []


def test_a_discovered_peer_has_the_address_that_the_agent_reports() -> None:
    found = peer(autoDiscovery={"mode": "DefaultGateway"})
    del found["peerAddress"]
    status = [{"name": "tor-2", "peerAddress": "fe80::1", "peeringState": "established"}]
    assert [each["address"] for each in identity.peers(config(found, status=status), None)] == ["fe80::1"]
    assert [each["address"] for each in identity.peers(config(found), None)] == [None]


def test_the_peers_of_a_legacy_policy_and_its_annotation() -> None:
    neighbors = [{"peerAddress": "10.2.0.1/32", "peerASN": 65000}]
    policy = {"metadata": {"name": "old"}, "spec": {"virtualRouters": [{"localASN": 65432, "neighbors": neighbors}]}}
    annotations = {"cilium.io/bgp-virtual-router.65432": "router-id=10.7.7.7,local-port=179"}
    for given, ids in ((annotations, ["10.7.7.7"]), ({}, ["10.1.0.13"])):
        legacy = legacy_policy.node_config([policy], {}, given)
        assert legacy
        (found,) = identity.of_policy(legacy)
        assert (found["address"], found["asn"], found["local_asn"]) == ("10.2.0.1", 65000, 65432)
        assert set(found) == set(identity.KEYS)
        assert identity.router_ids(None, None, legacy, ADDRESSES) == ids


def test_pod_cidrs_of_the_node_and_of_its_pools() -> None:
    pools = {"allocated": [{"pool": "blue", "cidrs": ["10.9.0.0/27"]}]}
    cilium_node = {"spec": {"ipam": {"podCIDRs": ["10.1.3.0/24"], "pools": pools}}}
    node = {"spec": {"podCIDR": "10.244.3.0/24", "podCIDRs": ["10.244.3.0/24", "2001:db8:3::/64"]}}
    assert objects.pod_cidrs(node, cilium_node) == ["10.244.3.0/24", "2001:db8:3::/64", "10.1.3.0/24", "10.9.0.0/27"]
    assert objects.pod_cidrs({}, None) == []
