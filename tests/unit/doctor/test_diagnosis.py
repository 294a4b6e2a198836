# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A healthy chain, broken one thing at a time: the doctor names the first stage that fails, why, and what to do."""

from __future__ import annotations

import pytest
from ansible_collections.hitless.nodes.plugins.module_utils.doctor import diagnosis
from ansible_collections.hitless.nodes.tests.unit.doctor_picture import (
    WHOLE,
    Picture,
    fails,
    is_unknown,
    with_paths,
)


def test_a_healthy_chain_passes_every_stage_but_the_one_not_asked_for(picture):
    assert picture.statuses() == ["pass"] * 10 + ["skipped"]
    assert picture.diagnose()["verdict"] == "pass"
    picture.asked = WHOLE
    assert picture.statuses() == ["pass"] * 10 + ["skipped"]


# The errors of a published example configuration: each is found when the configuration is checked as a whole, and those
# that lose the VIP as well when its way is followed.


def test_example_1_selector_on_the_control_plane_role_label(picture):
    role = "node-role.kubernetes.io/control-plane"
    picture.config["spec"]["nodeSelector"] = {"matchLabels": {role: ""}}
    for node in [*picture.nodes, *picture.cilium_nodes.values()]:
        node["metadata"]["labels"][role] = ""
    assert picture.diagnose()["verdict"] == "pass"
    (said,) = picture.found(4, "defect")
    assert role in said
    picture.asked = WHOLE
    fails(picture, 4, role, "matchLabels enable-bgp")


def test_example_1_selector_on_the_control_plane_role_label_that_no_node_has(picture):
    picture.config["spec"]["nodeSelector"] = {"matchLabels": {"node-role.kubernetes.io/control-plane": ""}}
    fails(picture, 4, "none of them is selected")
    assert "which belongs to Kubernetes" in picture.found(4, "defect")[0]


def test_example_2_peer_address_in_another_network_than_the_routers(picture):
    picture.instance["peers"][0]["peerAddress"] = "192.168.1.1"
    picture.state, picture.up = "active", False
    fails(picture, 5, "peerAddress 192.168.1.1", "r1: 192.168.99.0/24", "correct peerAddress")
    picture.asked = WHOLE
    fails(picture, 5, "peerAddress 192.168.1.1")


def test_example_3_peer_config_selects_advertisements_by_a_label_that_none_has(picture):
    picture.family["advertisements"] = {"matchLabels": {"advertise": "services"}}
    fails(picture, 7, "by advertise=services", "no CiliumBGPAdvertisement", "services (advertise=bgp)")
    picture.services = []
    picture.asked = WHOLE
    fails(picture, 7, "by advertise=services")


def test_example_4_prefix_list_without_le_32(picture):
    picture.running = picture.running.replace("permit 192.168.77.0/24 le 32", "permit 192.168.77.0/24")
    picture.sample, picture.rib_sample, picture.fib = "established.filtered-prefix", "", False
    fails(picture, 8, "covers 192.168.77.128/32, but only lengths /24 pass", "permit 192.168.77.0/24 le 32")
    picture.asked = WHOLE
    fails(picture, 8, "permit 192.168.77.0/24 le 32")
    # Also before there is a Service.
    picture.services = []
    fails(picture, 8, "192.168.77.1/32 would be refused", "permit 192.168.77.0/24 le 32")


def test_example_5_route_map_that_names_an_undefined_prefix_list(picture):
    picture.running = picture.running.replace("prefix-list KUBE\n", "prefix-list KUBES\n")
    picture.sample, picture.rib_sample, picture.fib = "established.filtered-prefix", "", False
    fails(picture, 8, "ip prefix-list KUBES isn't defined", "define 'ip prefix-list KUBES'")
    picture.asked = WHOLE
    fails(picture, 8, "KUBES isn't defined")


def test_example_5_in_a_route_map_that_decides_nothing_here(picture):
    picture.running = picture.running.replace(
        "route-map ALL permit 10",
        "route-map OTHER permit 10\n match ip address prefix-list NOWHERE\nexit\n!\nroute-map ALL permit 10",
    )
    assert picture.diagnose()["verdict"] == "pass"
    assert "ip prefix-list NOWHERE, which isn't defined" in picture.found(8, "defect")[0]
    picture.asked = WHOLE
    fails(picture, 8, "NOWHERE")


def test_example_6_unit_ordered_after_network_online_and_before_network(picture):
    picture.host["unit"] = {"after": ["network-online.target"], "before": ["network.target"]}
    assert picture.diagnose()["verdict"] == "pass"
    assert "Before=network.target" in picture.found(9, "defect")[0]
    # With routes that aren't installed it is a cause, and not only a defect.
    found = fails(with_paths(picture, valid=False), 9, "the next hop 192.168.99.12, 192.168.99.13")
    assert any("Before=network.target" in each["reason"] for each in found["stages"][8]["findings"])
    picture = Picture(picture.version)
    picture.host["unit"] = {"after": ["network-online.target"], "before": ["network.target"]}
    picture.asked = WHOLE
    fails(picture, 9, "FRR may start before the network", "no Before=network.target")


def test_example_7_router_port_on_one_router_only(picture):
    wide = picture.running.replace(
        "neighbor KUBE remote-as 65432", "neighbor KUBE remote-as 65432\n neighbor KUBE port 1790"
    )
    one, two = Picture(picture.version), Picture(picture.version)
    two.running = wide
    mixed = {"r1": one.routers["r1"], "r2": two.routers["r2"]}
    read = {"cluster": picture.cluster, "agents": picture.agents, "routers": mixed, "answers": [], "targets": []}
    found = diagnosis.examine(read)
    assert found["verdict"] == "pass"
    said = [each["reason"] for each in found["stages"][4]["findings"] if each["level"] == "defect"]
    assert any("different ports for it ('neighbor ... port'): r1 none, r2 1790" in line for line in said)
    assert any("set on one side only" in line for line in said)
    picture.asked = WHOLE
    found = diagnosis.examine({**read, "cluster": picture.cluster})
    assert (found["verdict"], found["stage"]) == ("fail", 5)


def test_example_7_peer_port_that_the_router_does_not_listen_on(picture):
    picture.peer_config["spec"]["transport"] = {"peerPort": 1790}
    picture.state, picture.up = "active", False
    fails(picture, 5, "port 1790 (peerPort)", "listens on 179", "set on one side only")
    # The router may connect instead, where Cilium listens.
    picture.instance["localPort"] = 179
    fails(picture, 6, "the session isn't up")


def test_example_8_secret_in_the_wrong_namespace(picture):
    picture.peer_config["spec"]["authSecretRef"] = "bgp-auth"
    picture.running = picture.running.replace("KUBE remote-as 65432", "KUBE remote-as 65432\n neighbor KUBE password x")
    picture.state, picture.up = "active", False
    absent = {"name": "bgp-auth", "namespace": "kube-system", "exists": False, "keys": None, "reason": ""}
    picture.secrets = [{**absent, "elsewhere": ["cilium-secrets"]}]
    fails(
        picture, 5, "Secret kube-system/bgp-auth, which doesn't exist; there is one in cilium-secrets", "key password"
    )
    picture.asked = WHOLE
    fails(picture, 5, "there is one in cilium-secrets")


def test_a_router_that_cannot_be_asked_is_never_good_news(picture):
    picture.away = {"r2": "unreachable by SSH"}
    is_unknown(picture, 5, "r2 could not be asked")
    picture.away = {"r1": "unreachable by SSH", "r2": "unreachable by SSH"}
    assert picture.statuses()[7:10] == ["unknown"] * 3


# What can't be read


@pytest.mark.parametrize(
    ("kind", "stage"),
    [
        ("configs", 4),
        ("nodes", 4),
        ("cilium_nodes", 4),
        ("node_configs", 4),
        ("advertisements", 7),
        ("peer_configs", 7),
    ],
)
def test_a_kind_that_cannot_be_read_is_unknown(picture, kind, stage):
    picture.unread = {kind: "the right to list it is missing"}
    found = picture.diagnose()["stages"][stage - 1]
    assert found["status"] == "unknown"
    assert "the right to list it is missing" in found["findings"][0]["reason"]


def test_services_pools_or_endpoints_that_cannot_be_read(picture):
    read = {"agents": {}, "routers": picture.routers, "answers": [], "targets": [], "problem": "no API"}
    cluster = picture.cluster
    gone = {**cluster, "services": None, "unread": {"services": "no right"}}
    found = diagnosis.examine({**read, "cluster": gone})
    assert (found["verdict"], found["stage"], found["reason"]) == (
        "unknown",
        1,
        "Services: they can't be read: no right",
    )
    found = diagnosis.examine({**read, "agents": picture.agents, "cluster": {**cluster, "pools": None}})
    assert (found["verdict"], found["stage"]) == ("unknown", 2)
    cluster["services"][0].update(endpoints=None, endpoints_reason="no right")
    found = diagnosis.examine({**read, "agents": picture.agents, "cluster": cluster})
    assert (found["verdict"], found["stage"]) == ("unknown", 3)
    found = diagnosis.examine({**read, "cluster": None})
    assert (found["verdict"], found["stage"], found["reason"]) == ("unknown", 1, "cluster: no API")


def test_a_cluster_without_services_is_judged_by_its_configuration(picture):
    picture.asked = WHOLE
    picture.services = []
    assert picture.statuses() == ["pass"] * 10 + ["skipped"]
