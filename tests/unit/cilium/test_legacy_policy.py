# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A cluster of Cilium 1.15 that announces by a legacy CiliumBGPPeeringPolicy: the doctor follows it all the same."""

from __future__ import annotations

import pytest
from ansible_collections.hitless.nodes.plugins.module_utils.cilium import legacy_policy
from ansible_collections.hitless.nodes.tests.unit.doctor_picture import ROUTERS, Picture
from ansible_collections.hitless.nodes.tests.unit.frr_samples import VERSIONS


@pytest.fixture(params=VERSIONS)
def picture(request):
    return Picture(request.param)


@pytest.fixture
def router(picture):
    """The policy's virtual router."""
    return picture.legacy()


def fails(picture, stage, reason, remedy):
    """The chain breaks at this stage, with these words."""
    found = picture.diagnose()
    assert (found["verdict"], found["stage"]) == ("fail", stage), found["reason"]
    assert reason in found["reason"]
    assert remedy in found["remedy"]


def test_a_healthy_one_passes_and_is_told_that_its_kind_ends(picture, router):
    assert router
    assert picture.statuses() == ["pass"] * 10 + ["skipped"]
    assert "Cilium 1.19 doesn't know any more" in picture.found(4, "note")[0]
    picture.asked = {"service": None, "vip": None}
    assert picture.statuses() == ["pass"] * 10 + ["skipped"]
    assert "selected by CiliumBGPPeeringPolicy old, with 2 peers" in picture.found(4, "pass")[0]


def test_without_a_service_selector_no_service_is_announced(picture, router):
    del router["serviceSelector"]
    router["exportPodCIDR"] = True
    said = "CiliumBGPPeeringPolicy old/65432 is of type PodCIDR only, but 192.168.77.128 is a LoadBalancerIP"
    fails(picture, 7, said, "serviceSelector")
    # An empty one selects all.
    router["serviceSelector"] = {}
    assert picture.diagnose()["verdict"] == "pass"


def test_a_service_that_is_not_selected(picture, router):
    router["serviceSelector"] = {"matchLabels": {"bgp": "red"}}
    fails(picture, 7, "CiliumBGPPeeringPolicy old/65432 selects Services by bgp=red", "label the Service")


def test_addresses_of_another_kind(picture, router):
    router["serviceAdvertisements"] = ["ClusterIP", "ExternalIP"]
    fails(picture, 7, "has Service entries for ClusterIP, ExternalIP only", "serviceAdvertisements: [LoadBalancerIP]")


def test_a_family_that_is_left_out(picture, router):
    for neighbor in router["neighbors"]:
        neighbor["families"] = [{"afi": "ipv6", "safi": "unicast"}]
    said = f"CiliumBGPPeeringPolicy old/65432/{ROUTERS['r1']} has no family ipv4/unicast"
    fails(picture, 7, said, "add it to the neighbor's families")


def test_numbers_and_addresses_are_to_be_corrected_in_the_policy(picture, router):
    picture.state, picture.up = "active", False
    router["neighbors"][0]["peerASN"] = 62113
    fails(picture, 5, "peerASN is 62113", "correct peerASN in the CiliumBGPPeeringPolicy")
    router["neighbors"][0]["peerASN"] = 62112
    router["neighbors"][0]["authSecretRef"] = "bgp-auth"
    picture.secrets = [{"name": "bgp-auth", "namespace": "kube-system", "exists": True, "keys": ["password"]}]
    fails(picture, 5, "Cilium has a password", "authSecretRef in the CiliumBGPPeeringPolicy")
    router["neighbors"][0]["peerAddress"] = "192.168.1.1/32"
    fails(picture, 5, "peerAddress 192.168.1.1 is no address", "correct peerAddress in the CiliumBGPPeeringPolicy")


def test_a_port_that_the_agent_does_not_listen_on(picture, router):
    picture.running = picture.running.replace(
        "remote-as 65432\n", "remote-as 65432\n neighbor 192.168.99.12 port 1790\n", 1
    )
    (said, *_others) = picture.found(5, "defect")
    assert "connects to port 1790 of the node, but Cilium doesn't listen" in said
    found = picture.diagnose()["stages"][4]["findings"]
    remedy = "annotate node n1 with cilium.io/bgp-virtual-router.65432: local-port=1790"
    assert any(remedy in each["remedy"] for each in found)
    picture.nodes[0]["metadata"]["annotations"] = {
        f"cilium.io/bgp-virtual-router.{router['localASN']}": "router-id=192.168.99.12, local-port=1790"
    }
    assert not any("doesn't listen" in each for each in picture.found(5, "defect"))


def test_policies_that_cannot_be_read_are_unknown(picture, router):
    assert router
    picture.unread = {"policies": "the right to list ciliumbgppeeringpolicies is missing"}
    found = picture.diagnose()
    assert (found["verdict"], found["stage"]) == ("unknown", 4)
    assert "the peers of CiliumBGPPeeringPolicy old, which selects it, can't be read" in found["reason"]


def test_two_that_select_a_node(picture, router):
    assert router
    picture.policies.append({**picture.policies[0], "metadata": {"name": "older"}})
    fails(picture, 4, "old and CiliumBGPPeeringPolicy older both select it", "exclude each other")


@pytest.mark.parametrize(
    ("address", "active", "families"),
    [
        ("192.0.2.1", {"ipv4": True, "ipv6": False}, ["ipv4"]),
        ("192.0.2.1", {"ipv4": True, "ipv6": True}, ["ipv4", "ipv6"]),
        # That of the session itself is judged in any case.
        ("2001:db8::1", {"ipv4": False, "ipv6": False}, ["ipv6"]),
    ],
)
def test_families_that_nobody_named_are_those_that_the_router_has_too(address, active, families):
    policy = {"metadata": {"name": "old"}, "spec": {"virtualRouters": [{"localASN": 1, "neighbors": [{}]}]}}
    (config,) = legacy_policy.peer_configs(policy)
    neighbor = {"families": {kind: {"active": is_active} for kind, is_active in active.items()}}
    found = legacy_policy.agreed(config, neighbor, address)
    assert [each["afi"] for each in found["families"]] == families
    assert legacy_policy.agreed(config, None, address) == config
