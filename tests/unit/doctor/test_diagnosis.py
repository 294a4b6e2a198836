# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A healthy chain, broken one thing at a time: the doctor names the first stage that fails, why, and what to do."""

from __future__ import annotations

import json

import pytest
from ansible_collections.hitless.nodes.plugins.module_utils.doctor import diagnosis
from ansible_collections.hitless.nodes.tests.unit.doctor_picture import NODES, PREFIX, VIP, Picture
from ansible_collections.hitless.nodes.tests.unit.frr_samples import VERSIONS

WHOLE = {"service": None, "vip": None}


@pytest.fixture(params=VERSIONS)
def picture(request):
    return Picture(request.param)


def fails(picture, stage, *words):
    """The diagnosis, which is that the chain breaks at this stage, with these words in reason or remedy."""
    found = picture.diagnose()
    said = f"{found['reason']} | {found['remedy']}"
    assert (found["verdict"], found["stage"]) == ("fail", stage), said
    for word in words:
        assert word in said
    assert found["remedy"]
    return found


def is_unknown(picture, stage, *words):
    """The diagnosis, which is that nothing fails and this stage is the first one that isn't known."""
    found = picture.diagnose()
    assert (found["verdict"], found["stage"]) == ("unknown", stage), found["reason"]
    for word in words:
        assert word in found["reason"]
    return found


def with_paths(picture, **changes):
    """The picture with these changes of every path that the routers have."""
    before = picture.routers

    def changed(name):
        policy = before[name]["policy"]
        return {**before[name], "policy": {**policy, "paths": [{**path, **changes} for path in policy["paths"]]}}

    picture._router = changed
    return picture


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
    fails(picture, 9, "systemd breaks that circle", "no Before=network.target")


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
    assert any("given on one side only" in line for line in said)
    picture.asked = WHOLE
    found = diagnosis.examine({**read, "cluster": picture.cluster})
    assert (found["verdict"], found["stage"]) == ("fail", 5)


def test_example_7_peer_port_that_the_router_does_not_listen_on(picture):
    picture.peer_config["spec"]["transport"] = {"peerPort": 1790}
    picture.state, picture.up = "active", False
    fails(picture, 5, "port 1790 (peerPort)", "listens on 179", "given on one side only")
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


# Stage 1 to 3


def test_no_such_service_or_address(picture):
    picture.services = []
    fails(picture, 1, "Service shop/web: there is no such Service")
    picture.asked = {"service": None, "vip": "192.168.77.9"}
    fails(picture, 1, "VIP 192.168.77.9: no Service has this address")


def test_service_without_an_address_says_what_the_operator_says(picture):
    picture.service["status"] = {
        "conditions": [
            {
                "type": "cilium.io/IPAMRequestSatisfied",
                "status": "False",
                "reason": "out_of_ips",
                "message": "none left",
            }
        ]
    }
    fails(picture, 1, "no address yet (LB-IPAM says out_of_ips: none left)")
    fitting = [
        (picture.pools.clear, "there is no CiliumLoadBalancerIPPool"),
        (lambda: picture.pools.append(picture.pool), "blue could serve it"),
        (
            lambda: picture.pool["status"]["conditions"].append(
                picture.condition("cilium.io/IPsAvailable", "Unknown", "0")
            ),
            "no address left",
        ),
        (lambda: picture.pool["status"]["conditions"][0].update(status="True"), "in conflict"),
        (lambda: picture.pool["spec"].update(disabled=True), "is disabled"),
        (lambda: picture.pool["spec"].update(serviceSelector={"matchLabels": {"a": "b"}}), "no pool's serviceSelector"),
    ]
    for change, said in fitting:
        change()
        found = [*picture.found(2, "fail"), *picture.found(2, "unknown")]
        assert any(said in line for line in found), said


def test_service_of_another_class_or_type(picture):
    picture.service["spec"]["loadBalancerClass"] = "example.org/other"
    fails(picture, 1, "loadBalancerClass is example.org/other")
    picture.asked = WHOLE
    assert picture.diagnose()["verdict"] == "pass"
    assert "left out: its loadBalancerClass is example.org/other" in picture.found(1, "note")[0]
    picture.asked = {"service": "shop/web", "vip": None}
    del picture.service["spec"]["loadBalancerClass"]
    picture.service["spec"].update(type="ExternalName", clusterIP="", clusterIPs=[])
    picture.service["status"] = {}
    fails(picture, 1, "of type ExternalName and has no address")


def test_a_family_asked_for_and_not_given_is_a_defect(picture):
    picture.service["spec"]["ipFamilies"] = ["IPv4", "IPv6"]
    assert picture.diagnose()["verdict"] == "pass"
    assert "no address of IPv6" in picture.found(1, "defect")[0]


def test_address_from_another_pool_than_the_one_expected(picture):
    other = {**picture.pool, "metadata": {"name": "red"}}
    picture.pools = [
        {
            **other,
            "spec": {
                "blocks": [{"start": "192.168.77.100", "stop": "192.168.77.200"}],
                "serviceSelector": {"matchLabels": {"bgp": "red"}},
            },
        },
        {**picture.pool, "spec": {**picture.pool["spec"], "blocks": [{"cidr": "192.168.78.0/24"}]}},
    ]
    fails(picture, 2, f"{VIP} is from pool red, whose serviceSelector doesn't select it", "pool blue would select it")
    picture.pools = picture.pools[1:]
    fails(picture, 2, f"{VIP} is in no CiliumLoadBalancerIPPool (blue)")
    picture.pools = []
    assert picture.diagnose()["verdict"] == "pass"


def test_a_pool_in_conflict_or_disabled_keeps_what_it_gave(picture):
    picture.pool["status"]["conditions"] = [picture.condition("cilium.io/PoolConflict", "True", "overlaps red")]
    picture.pool["spec"]["disabled"] = True
    assert picture.diagnose()["verdict"] == "pass"
    assert "overlaps red" in picture.found(2, "defect")[0]
    assert "is disabled" in picture.found(2, "note")[0]
    picture.asked = WHOLE
    fails(picture, 2, "overlaps red")


def test_backends_that_are_not_ready(picture):
    for each in picture.slices[0]["endpoints"]:
        each["conditions"] = {"ready": False}
    fails(picture, 3, "no ready endpoint (2 aren't ready)", "announced still", "kubernetes.io/service-name=web")
    picture.slices = []
    del picture.service["spec"]["selector"]
    fails(picture, 3, "no ready endpoint; the Service has no selector")


def test_local_traffic_policy_wants_backends_on_nodes_that_announce(picture):
    picture.service["spec"]["externalTrafficPolicy"] = "Local"
    # n3 has none, so it isn't expected to announce either.
    assert picture.diagnose()["verdict"] == "pass"
    assert not any("from n3" in line for line in picture.found(8, "pass"))
    for name in ("n1", "n2"):
        picture.selected.remove(name)
        for node in (*picture.nodes, picture.cilium_nodes[name]):
            if node["metadata"]["name"] == name:
                node["metadata"]["labels"] = {}
    fails(picture, 3, "ready endpoints are on n1, n2 only")


# Stage 4


def test_nothing_selects(picture):
    for node in (*picture.nodes, *picture.cilium_nodes.values()):
        node["metadata"]["labels"] = {}
    picture.selected = []
    fails(picture, 4, "none of them is selected by CiliumBGPClusterConfig rack-1")


def test_a_node_out_of_service_is_no_problem_unless_it_was_asked_for(picture):
    for node in (picture.nodes[2], picture.cilium_nodes["n3"]):
        node["metadata"]["labels"] = {}
    picture.selected.remove("n3")
    assert picture.diagnose()["verdict"] == "pass"
    assert "n3: not selected" in picture.found(4, "note")[0]
    picture.targets = ["n3"]
    fails(picture, 4, "node n3: no ClusterConfig selects it")
    record = {"version": 1, "holder": "alice@bastion", "run": {}, "since": "today", "phase": "off", "before": {}}
    picture.nodes[2]["metadata"]["annotations"] = {"hitless.nodes/record": json.dumps(record)}
    assert picture.diagnose()["verdict"] == "pass"
    assert "held by alice@bastion" in picture.found(4, "note")[0]


def test_label_that_has_not_reached_the_cilium_node(picture):
    picture.cilium_nodes["n2"]["metadata"]["labels"] = {}
    picture.selected.remove("n2")
    fails(picture, 4, "the agent on it hasn't copied them", "exclude-node-label-patterns")
    del picture.cilium_nodes["n2"]
    fails(picture, 4, "it has no CiliumNode")


def test_selected_without_node_config_and_the_other_way_round(picture):
    picture.selected.remove("n2")
    fails(picture, 4, "node n2: it is selected by CiliumBGPClusterConfig rack-1 and has no CiliumBGPNodeConfig")
    picture.selected = ["n1", "n2", "n3"]
    for node in (picture.nodes[1], picture.cilium_nodes["n2"]):
        node["metadata"]["labels"] = {}
    assert "it still has a CiliumBGPNodeConfig" in picture.found(4, "defect")[0]


def test_conditions_are_problems(picture):
    picture.config["status"] = {"conditions": [picture.condition("cilium.io/MissingPeerConfigs", "True", "tor-9")]}
    fails(picture, 4, "MissingPeerConfigs: tor-9")
    picture.config["status"] = {}
    picture.conditions["n1"] = [picture.condition("cilium.io/BGPReconcileError", "True", "bad")]
    fails(picture, 4, "node n1: its CiliumBGPNodeConfig says cilium.io/BGPReconcileError: bad")


# Stage 5 and 6


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda p: p.instance.update(localASN=65000), "the node is AS 65000 (localASN), and router r1 expects 65432"),
        (lambda p: p.instance["peers"][0].update(peerASN=62000), "peerASN is 62000, and router r1 is AS 62112"),
        (lambda p: p.peer_config["spec"].update(authSecretRef="s"), "Cilium has a password for the session"),
        (lambda p: p.instance["peers"][0].update(peerConfigRef={"name": "x"}), "refers to it, and there is none"),
    ],
)
def test_two_sides_that_disagree(picture, change, said):
    change(picture)
    picture.secrets = [
        {"name": "s", "namespace": "kube-system", "exists": True, "keys": ["password"], "elsewhere": [], "reason": ""}
    ]
    picture.state, picture.up = "active", False
    fails(picture, 5, said)


def test_a_router_that_does_not_know_the_node_or_has_it_shut(picture):
    whole = picture.running
    picture.running = "\n".join(line for line in whole.splitlines() if "192.168.99.13" not in line)
    picture.state, picture.up = "active", False
    fails(picture, 5, "router r1 has no neighbour with an address of node n2 (192.168.99.13)")
    picture.running = whole.replace("neighbor KUBE remote-as", "neighbor KUBE shutdown\n neighbor KUBE remote-as")
    fails(picture, 5, "has the neighbour shut down")
    picture.running = picture.running.replace(
        " neighbor 192.168.99.13 peer-group KUBE", " bgp listen range 192.168.99.0/24 peer-group KUBE"
    )
    fails(picture, 5, "has the neighbour shut down")


def test_secret_without_the_key_or_out_of_sight(picture):
    picture.peer_config["spec"]["authSecretRef"] = "s"
    picture.running = picture.running.replace("KUBE remote-as 65432", "KUBE remote-as 65432\n neighbor KUBE password x")
    there = {"name": "s", "namespace": "kube-system", "exists": True, "keys": ["pw"], "elsewhere": [], "reason": ""}
    picture.secrets = [there]
    fails(picture, 5, "Secret kube-system/s has no key password (it has: pw)")
    picture.secrets = [{**there, "exists": None, "reason": "no right"}]
    # A session that is up proves that the secret is there.
    assert picture.diagnose()["verdict"] == "pass"
    picture.state, picture.up = "unknown", True
    assert picture.diagnose()["verdict"] == "pass"
    picture.up = False
    found = picture.diagnose()
    assert (found["verdict"], found["stage"]) == ("fail", 6)
    assert "isn't known: no right" in picture.found(5, "unknown")[0]
    picture.secrets = [{**there, "keys": None, "reason": "its metadata doesn't say them"}]
    assert "aren't known: its metadata" in picture.found(5, "unknown")[0]


def test_missing_auth_secret_is_believed_unless_sessions_prove_the_opposite(picture):
    picture.peer_config["status"] = {"conditions": [picture.condition("cilium.io/MissingAuthSecret", "True", "s")]}
    assert picture.diagnose()["verdict"] == "pass"
    assert "so the secret is there" in picture.found(5, "note")[0]
    picture.state = "active"
    fails(picture, 5, "MissingAuthSecret: s")


def test_a_router_outside_of_the_inventory_is_unknown(picture):
    picture.instance["peers"].append(
        {"name": "r9", "peerASN": 62112, "peerAddress": "192.168.99.9", "peerConfigRef": {"name": "tor"}}
    )
    is_unknown(picture, 5, "192.168.99.9 is no address of a router of the inventory")
    picture.instance["peers"][2]["peerAddress"] = None
    assert "Cilium is to discover its address" in picture.found(5, "unknown")[0]


def test_sessions_that_are_down_on_either_side(picture):
    picture.state = "active"
    fails(picture, 6, "Cilium says active, router r1 says Established")
    picture.state, picture.up = "unknown", False
    fails(picture, 6, "Cilium says unknown, router r1 says Active")


def test_a_speaker_that_is_silent_after_a_graceful_restart(picture):
    picture.agent.update(enabled=True, advertised=0, uptime=12)
    before = picture.routers
    mute = [{**each, "accepted": {"ipv4": 0}} for each in before["r1"]["neighbors"]]
    picture._router = lambda name: {
        **before[name],
        "neighbors": mute,
        "policy": {**before[name]["policy"], "paths": []},
    }
    fails(picture, 6, "up since 12 s, and nothing has been announced over it", "at most 6 minutes")
    # Later, or without graceful restart, it is something else.
    for other in ({"uptime": 4000}, {"enabled": False}):
        picture.agent.update(enabled=True, uptime=12)
        picture.agent.update(other)
        fails(picture, 8, "it hasn't arrived")


# Stage 7


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda p: p.entry.pop("selector"), ("has no selector", "announces no Service")),
        (lambda p: p.entry["service"].update(addresses=["ClusterIP"]), ("ClusterIP only", "is a LoadBalancerIP")),
        (lambda p: p.entry.update(advertisementType="PodCIDR"), ("is of type PodCIDR only",)),
        (lambda p: p.family.pop("advertisements"), ("selects no advertisements",)),
        (lambda p: p.family.update(afi="ipv6"), ("has no family ipv4/unicast",)),
        (lambda p: p.peer_config["spec"].pop("families"), ("has no family ipv4/unicast",)),
        (
            lambda p: p.entry.update(selector={"matchLabels": {"bgp": "red"}}),
            ("selects Services by bgp=red", "bgp=blue"),
        ),
        (lambda p: p.advertisements.clear(), ("there are: none at all",)),
    ],
)
def test_a_link_of_labels_that_is_missing(picture, change, words):
    change(picture)
    fails(picture, 7, *words)


def test_a_family_over_another_session_is_no_mistake(picture):
    six = {**picture.family, "afi": "ipv6"}
    picture.more_peer_configs = [{"metadata": {"name": "tor6"}, "spec": {"families": [six]}}]
    for name, address in (("r1-6", "fd99::10"), ("r2-6", "fd99::11")):
        peer = {"name": name, "peerASN": 62112, "peerAddress": address, "peerConfigRef": {"name": "tor6"}}
        picture.instance["peers"].append(peer)
    assert picture.found(7, "note") == picture.found(7, "fail") == []
    # One that carries the family and selects others is worth a word, as long as another peer is told.
    picture.more_peer_configs[0]["spec"]["families"] = [
        {**picture.family, "advertisements": {"matchLabels": {"a": "b"}}}
    ]
    assert "by a=b" in picture.found(7, "fail")[0]
    picture.advertisements.append({**picture.advertisement, "metadata": {"name": "others", "labels": {"a": "b"}}})
    picture.advertisements[1] = {
        **picture.advertisements[1],
        "spec": {"advertisements": [{**picture.entry, "selector": {"matchLabels": {"bgp": "red"}}}]},
    }
    assert picture.found(7, "fail") == []
    assert "selects Services by bgp=red" in picture.found(7, "note")[0]


def test_a_gateways_service_lacks_the_gateways_label(picture):
    picture.service["metadata"].update(
        name="cilium-gateway-shop",
        labels={"gateway.networking.k8s.io/gateway-name": "shop", "io.cilium.gateway/owning-gateway": "shop"},
    )
    picture.pool["spec"].pop("serviceSelector")
    fails(picture, 7, "a Gateway's labels aren't copied", "label cilium-gateway-shop, again after every deployment")
    assert "Envoy" in picture.found(3, "pass")[0]
    picture.entry["selector"] = {"matchLabels": {"io.kubernetes.service.namespace": "shop"}}
    assert picture.diagnose()["verdict"] == "pass"


def test_an_agent_without_the_route_or_that_keeps_it_from_a_peer(picture):
    picture.advertised = []
    fails(picture, 7, "doesn't announce it to this peer")
    picture.available = []
    fails(picture, 7, "its agent doesn't have that route")


def test_an_agent_that_cannot_be_asked_is_believed_where_the_router_has_the_route(picture):
    picture.agent["known"] = False
    assert picture.diagnose()["verdict"] == "pass"
    assert "announced: the router has it" in picture.found(7, "pass")[-1]
    picture.sample = "established.filtered-prefix"
    found = picture.diagnose()
    assert (found["verdict"], found["stage"], found["stages"][6]["status"]) == ("fail", 8, "unknown")


def test_an_aggregate_is_looked_for_instead_of_the_vip(picture):
    picture.entry["service"]["aggregationLengthIPv4"] = 24
    picture.available = picture.advertised = ["192.168.77.0/24"]
    fails(picture, 8, "192.168.77.0/24 from n1 on r1")
    # With externalTrafficPolicy Local it isn't aggregated.
    picture.service["spec"]["externalTrafficPolicy"] = "Local"
    picture.available = picture.advertised = [PREFIX]
    assert picture.diagnose()["verdict"] == "pass"


# Stage 8 to 11


def test_no_policy_at_all_with_ebgp_requires_policy(picture):
    picture.running = picture.running.replace("  neighbor KUBE route-map IN in\n", "")
    picture.sample = "established.filtered-prefix"
    fails(picture, 8, "no policy for ipv4 on the way in, and 'bgp ebgp-requires-policy' is in force")
    picture.running = picture.running.replace(
        " bgp log-neighbor-changes", " bgp log-neighbor-changes\n no bgp ebgp-requires-policy"
    )
    fails(picture, 8, "though its policy would accept it")


def test_a_path_that_came_through_another_router_only_is_not_from_the_node(picture):
    fails(with_paths(picture, **{"from": "192.168.99.11"}), 8, "it has no path from that node")


def test_a_session_over_a_link_local_address_is_found_by_the_nodes_identifier(picture):
    picture.instance["peers"] = [{**picture.instance["peers"][0], "peerAddress": "fd99::10"}]
    picture.addresses["r1"].append(("fd99::10", "fd99::/64"))
    before = {name: {**router} for name, router in picture.routers.items()}
    local = {address: f"fe80::{number}" for number, address in enumerate(NODES.values(), 1)}
    for router in before.values():
        router["neighbors"] = [
            {**each, "router_id": each["address"], "address": local[each["address"]]} for each in router["neighbors"]
        ]
        paths = [{**path, "from": local.get(path["from"], path["from"])} for path in router["policy"]["paths"]]
        router["policy"] = {**router["policy"], "paths": paths}
    picture._router = lambda name: before[name]
    assert picture.diagnose()["verdict"] == "pass", picture.diagnose()["reason"]
    assert "the session is up, though no neighbour of that address is configured" in picture.found(5, "pass")[0]


def test_a_next_hop_that_cannot_be_reached(picture):
    picture.rib_sample, picture.fib = "", False
    picture.host["unit"] = {"after": [], "before": ["network.target"]}
    fails(with_paths(picture, valid=False), 9, "none is valid", "did frr start before its interfaces were up?")
    assert "starts before the network" in picture.found(9, "note")[0]
    # As it was recorded: a next hop that isn't the node.
    picture = Picture(picture.version)
    picture.sample = "established.inaccessible"
    assert "the next hop 198.51.100.7 can't be reached" in picture.found(9, "fail")[0]
    assert "n1 on r1: received and accepted" in picture.found(8, "pass")[0]


def test_a_rib_failure_names_the_route_that_wins(picture):
    picture.rib_sample, picture.fib = "established.ribfailure-ip-route", False
    fails(picture, 9, "another route to it, of protocol kernel", "distance")
    picture.rib_sample = ""
    fails(picture, 9, "zebra doesn't know the route")


def test_the_kernel_forwards_elsewhere(picture):
    picture.fib = False
    fails(picture, 10, "the kernel forwards it to no node", "ip route get 192.168.77.128")


def test_a_router_that_cannot_be_asked_is_never_good_news(picture):
    picture.away = {"r2": "unreachable by SSH"}
    is_unknown(picture, 5, "r2 could not be asked")
    picture.away = {"r1": "unreachable by SSH", "r2": "unreachable by SSH"}
    assert picture.statuses()[7:10] == ["unknown"] * 3


def test_answers_only_where_asked_for(picture):
    said = {"address": VIP, "port": 80, "protocol": "tcp", "tried_from": "r1", "reason": "refused"}
    picture.answers = [{**said, "answers": True}]
    assert picture.statuses()[10] == "pass"
    picture.answers = [{**said, "answers": False}]
    fails(picture, 11, "refused", "loadBalancerSourceRanges")
    picture.answers = [{**said, "answers": None, "protocol": "udp"}]
    is_unknown(picture, 11)


def test_zebra_without_rr_semantics_is_a_note_where_there_are_ipv6_vips(picture):
    picture.host["v6_rr_semantics"] = False
    assert picture.found(9, "note") == []
    picture.service["status"]["loadBalancer"]["ingress"].append({"ip": "fd77::128"})
    picture.family = {**picture.family, "afi": "ipv6"}
    picture.peer_config["spec"]["families"].append(picture.family)
    assert "--v6-rr-semantics" in picture.found(9, "note")[0]


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
