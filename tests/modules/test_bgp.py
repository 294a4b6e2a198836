# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Claiming, flipping the label, waiting: on a real HTTP API, with agents and an operator that can be broken."""

from __future__ import annotations

import contextlib
import re
import threading
from datetime import UTC, datetime

import pytest
from ansible_collections.hitless.nodes.plugins.module_utils.cilium import objects
from ansible_collections.hitless.nodes.plugins.module_utils.cilium.node_picture import node_info
from ansible_collections.hitless.nodes.plugins.module_utils.cilium.selection import SelectionError
from ansible_collections.hitless.nodes.plugins.module_utils.drain.drain import drain
from ansible_collections.hitless.nodes.plugins.module_utils.kube import api_errors
from ansible_collections.hitless.nodes.plugins.module_utils.node.claim import ClaimError, claim, release
from ansible_collections.hitless.nodes.plugins.module_utils.node.hops import HopError
from ansible_collections.hitless.nodes.plugins.module_utils.node.readiness import NotBack, wait
from ansible_collections.hitless.nodes.plugins.module_utils.record import records
from ansible_collections.hitless.nodes.plugins.module_utils.record.questions import prefixes_back
from api_calls import (
    NODE,
    OTHER,
    ROUTES,
    RUN,
    TIMEOUT,
    bgp,
    bgp_late,
    bgp_until,
    claim_params,
    claimed,
    drain_params,
    labels,
    off,
    writes,
)

# node_info


@pytest.mark.usefixtures("cilium")
def test_info(api):
    info = node_info(api.client, "worker-3")
    assert info["node"]["addresses"] == ["192.0.2.13", "2001:db8::13"]
    assert info["bgp"] == {
        "api_version": "cilium.io/v2",
        "cluster_configs": ["rack-1"],
        "label": {"key": "enable-bgp", "value": "true", "selected_value": "true", "deselect_value": "false"},
        "selected": True,
        "node_config": True,
        "peers": [
            {
                "instance": "main",
                "name": "tor-1",
                "address": "192.0.2.1",
                "asn": 62112,
                "peer_config": "p",
                "local_address": None,
                "local_asn": 65432,
            }
        ],
        "router_ids": ["192.0.2.13"],
        "conditions": [],
        "problems": [],
    }
    assert (info["record"], info["prefixes"]) == (None, [])


@pytest.mark.usefixtures("cilium")
def test_info_costs_one_request_for_each_object(api):
    before = {entry["n"] for entry in api.requests()}
    node_info(api.connect(), "worker-3")
    asked = [entry["path"] for entry in api.requests("GET") if entry["n"] not in before]
    for path in (NODE, "/ciliumnodes/worker-3", "/ciliumbgpnodeconfigs/worker-3"):
        assert sum(found.endswith(path) for found in asked) <= 1, asked


def test_info_says_when_the_operator_is_down(api, cilium):
    cilium.operator = False
    api.client.delete(f"{cilium.bgp}/ciliumbgpnodeconfigs/worker-3", {})
    assert "seems to be down" in node_info(api.client, "worker-3")["bgp"]["problems"][0]


def test_info_says_what_a_condition_says(api, cilium):
    condition = {
        "type": "cilium.io/BGPReconcileError",
        "status": "True",
        "reason": "x",
        "message": "no router id",
        "lastTransitionTime": "2026-03-02T22:00:00Z",
    }
    path = f"{cilium.bgp}/ciliumbgpnodeconfigs/worker-3/status"
    api.client.patch(path, {"status": {"conditions": [condition]}})
    problems = node_info(api.client, "worker-3")["bgp"]["problems"]
    assert problems == ["CiliumBGPNodeConfig says cilium.io/BGPReconcileError: no router id"]


def test_info_of_a_cluster_without_cilium(api):
    api.ready_node()
    with pytest.raises(objects.NoCiliumBGP, match=r"bgpControlPlane.enabled=true"):
        node_info(api.client, "worker-3")


# node_claim


@pytest.mark.usefixtures("cilium")
def test_claim_writes_what_was_before(api):
    result = claimed(api, note={"why": "disk"})
    record = records.parse(api.client.get(NODE))
    assert (result["changed"], result["resumed"], result["record"]) == (True, False, record)
    assert (record["holder"], record["phase"]) == ("alice@bastion", "claimed")
    assert record["before"] == {
        "uid": api.client.get(NODE)["metadata"]["uid"],
        "unschedulable": False,
        "label": {"key": "enable-bgp", "value": "true"},
        "boot_id": "boot-1",
        "system_uuid": "uuid-3",
        "addresses": ["192.0.2.13", "2001:db8::13"],
        "node_addresses": ["192.0.2.13", "2001:db8::13"],
        "local_addresses": [],
        "evidence": "router",
        "routes": {"tor-1": {"default": {"bgp": ["198.51.100.10/32"], "fib": ["198.51.100.10/32"]}}},
        "sessions": {
            "tor-1": [
                {
                    "vrf": "default",
                    "address": "192.0.2.13",
                    "established": True,
                    "graceful_restart": None,
                    "hold_time": 90,
                }
            ]
        },
        "next_hops": {"tor-1": ["192.0.2.13"]},
        "local": [],
        "pod_networks": [],
        "waived": {"peers": [], "routers": []},
        "staying": [],
        "min_announcers": 1,
    }
    assert node_info(api.client, "worker-3")["prefixes"] == ["198.51.100.10/32"]


@pytest.mark.usefixtures("cilium")
def test_claim_by_the_holder_again_changes_nothing(api):
    first = claimed(api)
    again = claimed(api, routes=None)
    assert (again["changed"], again["resumed"], again["record"]) == (False, False, first["record"])
    # The routers' answers of the first claim are in the record; little is known of graceful restart in them.
    assert first["withdrawal"] == again["withdrawal"]
    assert first["withdrawal"]["reason"].startswith("router tor-1, session 192.0.2.13")


@pytest.mark.usefixtures("cilium")
def test_claim_writes_nothing_in_check_mode(api):
    assert claim(api.client, claim_params(), check_mode=True)["changed"]
    assert (writes(api), records.parse(api.client.get(NODE))) == ([], None)


@pytest.mark.usefixtures("cilium")
def test_claim_names_every_reason_and_writes_nothing(api):
    answers = {"tor-1": {"unreachable": True}, "tor-2": {**ROUTES["tor-1"], "routes": [], "fib": []}}
    api.client.patch(NODE, {"metadata": {"labels": {"enable-bgp": "false"}}})
    api.until(lambda: not node_info(api.client, "worker-3")["bgp"]["node_config"])
    before = len(writes(api))
    with pytest.raises(ClaimError, match="can't be claimed, and nothing was changed") as caught:
        claimed(api, routes=answers)
    assert [reason.partition(":")[0] for reason in caught.value.facts["reasons"]] == [
        "no CiliumBGPClusterConfig selects it, so it announces no routes that could be withdrawn",
        "what router tor-1 has of the node is unknown (unreachable)",
        "no router has a route to worker-3 (tor-2)",
    ]
    assert len(writes(api)) == before


@pytest.mark.usefixtures("cilium")
def test_fault_29_claim_refuses_long_lived_graceful_restart_unless_it_is_overridden(api):
    (session,) = ROUTES["tor-1"]["neighbors"]
    restart = {"negotiated": True, "families": ["ipv4"], "long_lived": True, "long_lived_stale_time": None}
    answers = {"tor-1": {**ROUTES["tor-1"], "neighbors": [{**session, "graceful_restart": restart}]}}
    with pytest.raises(ClaimError, match="long-lived graceful restart is negotiated with tor-1, so there is no bound"):
        claimed(api, routes=answers)
    assert writes(api) == []
    bound = claimed(api, routes=answers, estimate_override=1)["withdrawal"]
    assert (bound["unbounded"], "is negotiated, for a time that isn't known" in bound["reason"]) == (True, True)


# As ROUTES, and another node that announces the VIP.
OTHER_WAY = {"next_hops": ["192.0.2.12"], "from": "192.0.2.12", "internal": False}
OTHER_HOP = {"vrf": "default", "prefix": "198.51.100.10/32", "paths": [OTHER_WAY]}
WITH_OTHER = {"tor-1": {**ROUTES["tor-1"], "others": [OTHER_HOP]}}


def other_node(api, name="worker-2", address="192.0.2.12"):
    """The Node that OTHER_HOP leads to."""
    api.node(name)
    status = {"addresses": [{"type": "InternalIP", "address": address}]}
    api.client.patch(f"/api/v1/nodes/{name}/status", {"status": status})


def vip_of_a_service(api, **spec):
    path = "/api/v1/namespaces/shop/services"
    api.post(path, {"metadata": {"name": "web"}, "spec": {"ports": [{"port": 7}], **spec}})
    api.client.patch(f"{path}/web/status", {"status": {"loadBalancer": {"ingress": [{"ip": "198.51.100.10"}]}}})


@pytest.mark.usefixtures("cilium")
def test_fault_31_claim_refuses_the_last_announcer_of_a_vip(api):
    vip_of_a_service(api)
    with pytest.raises(ClaimError, match=r"VIP 198.51.100.10/32 of Service shop/web: its last announcer is this node"):
        claimed(api)
    stranger = r"\(others: 0 on tor-1 \(1 path over 192.0.2.12, which is no Node's address\); claim_min_announcers=1"
    with pytest.raises(ClaimError, match=stranger):
        claimed(api, routes=WITH_OTHER)
    assert writes(api) == []
    other_node(api)
    with pytest.raises(ClaimError, match=r"too few others announce it \(others: 1 on tor-1 \(worker-2\);"):
        claimed(api, routes=WITH_OTHER, min_announcers=2)
    assert claimed(api, routes=WITH_OTHER)["changed"]


def claimed_elsewhere(api, name, *, phase="claimed", text=None):
    """Another node, held by somebody else."""
    other_node(api, name)
    held(api, name, phase=phase, text=text)


def held(api, name, *, phase="claimed", text=None):
    """Has somebody else hold a node."""
    before = {"unschedulable": False, "label": {"key": "enable-bgp", "value": "true"}, "addresses": ["192.0.2.12"]}
    record = records.new(OTHER, before, {}, datetime.now(UTC)) | {"phase": phase}
    annotation = {"metadata": {"annotations": {records.ANNOTATION: text}}} if text else records.annotation(record)
    api.client.patch(f"/api/v1/nodes/{name}", annotation)


@pytest.mark.usefixtures("cilium")
def test_fault_31_a_node_that_somebody_else_has_claimed_does_not_count(api):
    vip_of_a_service(api)
    claimed_elsewhere(api, "worker-2")
    with pytest.raises(
        ClaimError, match=r"its last announcer is this node .*; not counted: worker-2, claimed by bob@laptop\)"
    ):
        claimed(api, routes=WITH_OTHER)
    # What nobody can read may say anything.
    claimed_elsewhere(api, "worker-1", text="{")
    with pytest.raises(ClaimError, match=r"whether worker-1 is on its way out, .* is unknown: .* isn't JSON"):
        claimed(api, routes=WITH_OTHER)
    assert writes(api) == []
    for name in ("worker-1", "worker-2"):
        api.client.delete(f"/api/v1/nodes/{name}", {})
    claimed_elsewhere(api, "worker-2", phase="announced")
    assert claimed(api, routes=WITH_OTHER)["changed"]


def claimed_meanwhile(api, meanwhile, **changes):
    """What a claim of worker-3 raises; meanwhile() runs after it has looked at the others, before it is written."""
    api.fault(clear=True)
    client, left = api.connect(), [meanwhile]
    patch = client.patch

    def late(path, body):
        if path == NODE and left:
            left.pop()()
        return patch(path, body)

    client.patch = late
    with pytest.raises(ClaimError) as caught:
        claim(client, claim_params(**changes), check_mode=False)
    return caught.value


@pytest.mark.usefixtures("cilium")
def test_fault_31_of_two_claims_at_once_the_later_one_steps_back(api):
    vip_of_a_service(api)
    other_node(api)
    refused = claimed_meanwhile(api, lambda: held(api, "worker-2"), routes=WITH_OTHER)
    assert "its record was removed again: VIP 198.51.100.10/32 of Service shop/web: its last announcer" in refused.msg
    assert "not counted: worker-2, claimed by bob@laptop" in refused.msg
    assert records.parse(api.client.get(NODE)) is None
    api.client.delete("/api/v1/nodes/worker-2", {})
    other_node(api)
    denied = {"method": "GET", "path": "/nodes$", "status": 403}
    refused = claimed_meanwhile(api, lambda: api.fault(rules=[denied]), routes=WITH_OTHER)
    assert "is unknown, since Nodes can't be listed" in refused.msg
    assert records.parse(api.client.get(NODE)) is None
    broken = {"method": "GET", "path": "/nodes$", "status": 500}
    refused = claimed_meanwhile(api, lambda: api.fault(rules=[broken]), routes=WITH_OTHER)
    assert "its record was removed again: who else announces its VIPs is unknown: " in refused.msg
    assert records.parse(api.client.get(NODE)) is None


WITHOUT_NODE = {"neighbors": [], "routes": [], "fib": []}
GONE = {"tor-1": {**WITHOUT_NODE, "others": []}}


@pytest.mark.usefixtures("cilium")
def test_others_that_are_gone_after_the_claim_are_noticed_by_the_record_alone(api):
    vip_of_a_service(api)
    other_node(api)
    claimed(api, routes=WITH_OTHER)
    still = {"tor-1": {**WITHOUT_NODE, "others": [OTHER_HOP]}}
    assert claimed(api, routes=still, phase="drained")["changed"]
    before = records.parse(api.client.get(NODE))
    # The node's own routes are gone now. The VIPs that it had are only in its record.
    with pytest.raises(ClaimError, match="mustn't be taken out now") as caught:
        claimed(api, routes=GONE, phase="withdrawn")
    for words in ("VIP 198.51.100.10/32 of Service shop/web", "0 on tor-1", "claim_min_announcers=0"):
        assert words in caught.value.msg
    assert records.parse(api.client.get(NODE)) == before
    assert claimed(api, routes=GONE, phase="withdrawn", min_announcers=0)["changed"]


@pytest.mark.usefixtures("cilium")
@pytest.mark.parametrize("answers", [{}, {"tor-1": {"unreachable": True}}, None])
def test_a_router_that_says_nothing_when_others_are_counted_again(api, answers):
    vip_of_a_service(api)
    other_node(api)
    claimed(api, routes=WITH_OTHER)
    with pytest.raises(ClaimError, match=r"who else announces its VIPs on router tor-1 is unknown \((no answer|unre)"):
        claimed(api, routes=answers, recount=True)


@pytest.mark.usefixtures("cilium")
def test_a_vip_whose_service_is_gone_is_not_counted_again(api):
    vip_of_a_service(api)
    other_node(api)
    claimed(api, routes=WITH_OTHER)
    api.client.delete("/api/v1/namespaces/shop/services/web", {})
    assert claimed(api, routes=GONE, phase="drained")["changed"]


@pytest.mark.usefixtures("cilium")
def test_later_counts_want_as_many_others_as_the_claim(api):
    vip_of_a_service(api)
    other_node(api)
    other_node(api, "worker-1", "192.0.2.11")
    path = {"next_hops": ["192.0.2.11"], "from": "192.0.2.11", "internal": False}
    both = {**OTHER_HOP, "paths": [OTHER_WAY, path]}
    claimed(api, routes={"tor-1": {**ROUTES["tor-1"], "others": [both]}}, min_announcers=2)
    with pytest.raises(ClaimError, match=r"others: 1 on tor-1 \(worker-2\); claim_min_announcers=2"):
        claimed(api, routes=WITH_OTHER, min_announcers=1)


@pytest.mark.usefixtures("cilium")
def test_another_node_is_known_by_the_addresses_of_its_sessions(api, cilium):
    """localAddress of the NodeConfig, and of its Override; one node that is known twice counts once."""
    vip_of_a_service(api)
    other_node(api)
    api.client.patch("/api/v1/nodes/worker-2", {"metadata": {"labels": {"enable-bgp": "true"}}})
    path = f"{cilium.bgp}/ciliumbgpnodeconfigs/worker-2"
    api.until(lambda: api.client.find(path))
    (instance,) = api.client.get(path)["spec"]["bgpInstances"]
    peers = [{**instance["peers"][0], "localAddress": "192.0.2.112"}]
    api.client.patch(path, {"spec": {"bgpInstances": [{**instance, "peers": peers}]}})
    ways = [{**OTHER_WAY, "next_hops": [each], "from": each} for each in ("192.0.2.12", "192.0.2.112")]
    answers = {"tor-1": {**ROUTES["tor-1"], "others": [{**OTHER_HOP, "paths": ways}]}}
    with pytest.raises(ClaimError, match=r"others: 1 on tor-1 \(worker-2\); claim_min_announcers=2"):
        claimed(api, routes=answers, min_announcers=2)
    answers["tor-1"]["others"][0]["paths"] = ways[1:]
    assert claimed(api, routes=answers)["changed"]


@pytest.mark.usefixtures("cilium")
def test_what_cilium_does_not_let_read_leaves_what_the_nodes_say(api):
    vip_of_a_service(api)
    other_node(api)
    rules = [
        {"apiGroups": [""], "resources": ["nodes"], "verbs": ["get", "list", "patch"]},
        {"apiGroups": [""], "resources": ["pods", "services"], "verbs": ["get", "list"]},
        {"apiGroups": ["cilium.io"], "resources": ["*"], "verbs": ["get"]},
        {"apiGroups": ["cilium.io"], "resources": ["ciliumbgpclusterconfigs"], "verbs": ["list"]},
        {"apiGroups": ["cilium.io"], "resources": ["ciliumbgppeeringpolicies"], "verbs": ["list"]},
        {"apiGroups": ["coordination.k8s.io"], "resources": ["*"], "verbs": ["get", "list"]},
    ]
    user = api.user("older", rules)
    way = {**OTHER_WAY, "next_hops": ["192.0.2.112"], "from": "192.0.2.112"}
    answers = {"tor-1": {**ROUTES["tor-1"], "others": [{**OTHER_HOP, "paths": [way]}]}}
    with pytest.raises(ClaimError, match=r"over 192.0.2.112, which is no Node's address \(.*ciliumnodes.*configs"):
        claim(user, claim_params(routes=answers), check_mode=False)
    assert claim(user, claim_params(routes=WITH_OTHER), check_mode=False)["changed"]


@pytest.mark.usefixtures("cilium")
def test_fault_31_nodes_that_may_not_be_listed_are_unknown(api):
    vip_of_a_service(api)
    rules = [
        {"apiGroups": [""], "resources": ["nodes"], "verbs": ["get", "patch"]},
        {"apiGroups": [""], "resources": ["pods", "services"], "verbs": ["get", "list"]},
        {"apiGroups": ["cilium.io", "coordination.k8s.io"], "resources": ["*"], "verbs": ["get", "list"]},
    ]
    user = api.user("blind", rules)
    with pytest.raises(ClaimError, match=r"since Nodes can't be listed .* or set claim_min_announcers=0"):
        claim(user, claim_params(), check_mode=False)
    assert claim(user, claim_params(min_announcers=0), check_mode=False)["changed"]


@pytest.mark.usefixtures("cilium")
def test_vips_that_come_back_with_their_pods_are_noted(api):
    vip_of_a_service(api, type="LoadBalancer", externalTrafficPolicy="Local")
    result = claimed(api, min_announcers=0)
    assert result["record"]["before"]["local"] == ["198.51.100.10/32"]
    assert "198.51.100.10/32 belong to Services with traffic policy Local" in result["warnings"][-1]
    assert result["record"]["before"]["pod_networks"] == []
    assert result["order"] == "withdraw_first"


@pytest.mark.usefixtures("cilium")
def test_where_the_way_to_pods_is_announced_as_well_the_pods_go_first(api):
    vip_of_a_service(api, type="LoadBalancer", externalTrafficPolicy="Local")
    pods = {"vrf": "default", "prefix": "10.1.3.0/24", "installed": True}
    routes = {"tor-1": {**ROUTES["tor-1"], "routes": [*ROUTES["tor-1"]["routes"], pods]}}
    result = claimed(api, routes=routes, min_announcers=0)
    assert result["record"]["before"]["pod_networks"] == ["10.1.3.0/24"]
    assert result["order"] == "drain_first"
    assert "their pods go first (maintenance_order=auto)" in result["warnings"][-1]


@pytest.mark.usefixtures("cilium")
def test_fault_31_services_that_may_not_be_listed_are_unknown(api):
    rules = [
        {"apiGroups": [""], "resources": ["nodes", "pods"], "verbs": ["get", "list", "patch"]},
        {"apiGroups": ["cilium.io", "coordination.k8s.io"], "resources": ["*"], "verbs": ["get", "list"]},
    ]
    user = api.user("blind", rules)
    with pytest.raises(ClaimError, match=r"since Services can't be listed .* or set claim_min_announcers=0"):
        claim(user, claim_params(), check_mode=False)
    assert claim(user, claim_params(min_announcers=0), check_mode=False)["changed"]


def test_fault_13_claim_refuses_two_configs(api, cilium):
    cilium.config("rack-2", nodeSelector={"matchLabels": {"kubernetes.io/os": "linux"}})
    api.client.patch(NODE, {"metadata": {"labels": {"kubernetes.io/os": "linux"}}})
    with pytest.raises(ClaimError, match="rack-1 and CiliumBGPClusterConfig rack-2 both select the node"):
        claimed(api)


def test_fault_14_claim_refuses_a_legacy_policy_beside_the_config(api, cilium):
    router = {"localASN": 65432, "neighbors": [{"peerAddress": "192.0.2.1/32", "peerASN": 62112}]}
    selector = {"matchLabels": {"enable-bgp": "true"}}
    body = {"metadata": {"name": "old"}, "spec": {"nodeSelector": selector, "virtualRouters": [router]}}
    policy = cilium.kind(body, "CiliumBGPPeeringPolicy", "v2alpha1")
    api.post("/apis/cilium.io/v2alpha1/ciliumbgppeeringpolicies", policy)
    with pytest.raises(ClaimError, match="CiliumBGPPeeringPolicy old both select the node"):
        claimed(api)


@pytest.mark.usefixtures("cilium")
def test_claim_of_two_runs_at_once_succeeds_once(api):
    outcomes = []

    def run(identity):
        try:
            outcomes.append(claim(api.connect(), claim_params(_run=identity), check_mode=False)["record"]["holder"])
        except records.HeldError as exc:
            outcomes.append(exc)

    threads = [threading.Thread(target=run, args=(identity,)) for identity in (RUN, OTHER)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    (holder,) = [outcome for outcome in outcomes if isinstance(outcome, str)]
    assert records.parse(api.client.get(NODE))["holder"] == holder


@pytest.mark.usefixtures("cilium")
def test_claim_of_a_node_that_is_held_needs_takeover(api):
    claimed(api)
    with pytest.raises(records.HeldError, match=r"worker-3 is held by alice@bastion since .*claim_takeover=true"):
        claimed(api, _run=OTHER)
    result = claimed(api, _run=OTHER, takeover=True, routes=None)
    assert (result["resumed"], result["record"]["holder"]) == (True, "bob@laptop")
    assert result["before"]["label"] == {"key": "enable-bgp", "value": "true"}


@pytest.mark.usefixtures("cilium")
def test_claim_stamps_a_phase_once(api):
    claimed(api)
    assert claimed(api, phase="withdrawn", note={"evidence": "router"})["history"][-1]["evidence"] == "router"
    assert not claimed(api, phase="withdrawn")["changed"]
    assert not claimed(api, phase="claimed")["changed"]
    bgp(api.client, "withdrawn")
    assert off(api)["record"]["phase"] == "off"
    assert not claimed(api, phase="withdrawn")["changed"]
    assert not claimed(api, phase="drained")["changed"]


@pytest.mark.usefixtures("cilium")
def test_withdrawn_is_refused_when_somebody_has_set_the_label_again(api):
    claimed(api)
    note = {"label": {"key": "enable-bgp", "before": "true", "after": "false"}, "evidence": "router"}
    api.client.patch(NODE, {"metadata": {"labels": {"enable-bgp": "false"}}})
    claimed(api, phase="drained", note=note)
    api.client.patch(NODE, {"metadata": {"labels": {"enable-bgp": "true"}}})
    with pytest.raises(ClaimError, match="another writer has set the label again"):
        claimed(api, phase="withdrawn")


@pytest.mark.usefixtures("cilium")
def test_info_says_whose_the_record_is_and_what_a_failure_leads_to(api):
    asked = {"before": node_info(api.client, "worker-3", RUN)}
    claimed(api)
    asked["ours"] = node_info(api.client, "worker-3", RUN)
    asked["theirs"] = node_info(api.client, "worker-3", OTHER)
    found = {key: (each["ours"], each["way"], each["after_failure"]) for key, each in asked.items()}
    assert found == {
        "before": (False, "out", "lost"),
        "ours": (True, "out", "put back"),
        "theirs": (False, "out", "lost"),
    }


@pytest.mark.usefixtures("cilium")
def test_claim_stamps_nothing_without_a_record(api):
    with pytest.raises(ClaimError, match="no record in which phase drained could be noted"):
        claimed(api, phase="drained")


@pytest.mark.usefixtures("cilium")
def test_claim_needs_to_know_who_claims(api):
    with pytest.raises(ClaimError, match="who claims"):
        claimed(api, _run=None)


def test_claim_leaves_a_record_that_it_cannot_read(api, cilium):
    api.client.patch(NODE, {"metadata": {"annotations": {records.ANNOTATION: "{"}}})
    for act in (claim, release):
        with pytest.raises(records.RecordError, match="set label and cordon of the node right by hand"):
            act(api.client, claim_params(), check_mode=False)
    assert cilium.operator


@pytest.mark.usefixtures("cilium")
def test_release_refuses_until_all_is_as_before(api):
    claimed(api)
    api.client.patch(NODE, {"spec": {"unschedulable": True}})
    bgp(api.client, "withdrawn")
    with pytest.raises(ClaimError) as caught:
        release(api.client, claim_params(), check_mode=False)
    assert caught.value.facts["differences"] == [
        "it is cordoned and was schedulable",
        "label enable-bgp is 'false' and was 'true'",
    ]
    api.client.patch(NODE, {"spec": {"unschedulable": None}})
    bgp(api.client, "announced")
    assert release(api.client, claim_params(), check_mode=True)["changed"]
    result = release(api.client, claim_params(), check_mode=False)
    assert (result["changed"], result["record"]) == (True, None)
    assert result["restored"] == {"unschedulable": False, "label": {"key": "enable-bgp", "value": "true"}}
    assert [entry["phase"] for entry in result["history"]][-1] == "released"
    assert records.ANNOTATION not in api.client.get(NODE)["metadata"].get("annotations", {})
    assert not release(api.client, claim_params(), check_mode=False)["changed"]


@pytest.mark.usefixtures("cilium")
def test_release_of_a_node_that_another_holds(api):
    claimed(api)
    with pytest.raises(records.HeldError):
        release(api.client, claim_params(_run=OTHER), check_mode=False)


# node_bgp


def drained(api):
    assert drain(api.client, drain_params(_run=RUN), check_mode=False)["record"]["phase"] == "drained"


def deselected(api):
    record = bgp(api.client, "withdrawn")["record"]
    assert record["history"][-1]["label"] == {"key": "enable-bgp", "before": "true", "after": "false"}


@pytest.mark.usefixtures("cilium")
def test_bgp_there_and_back(api):
    claimed(api)
    out = bgp(api.client, "withdrawn")
    assert (out["changed"], out["node_config"]) == (True, False)
    assert out["label"] == {"key": "enable-bgp", "before": "true", "after": "false"}
    assert [hop["hop"] for hop in out["hops"] if hop["ok"]] == ["Node", "CiliumNode", "NodeConfig"]
    count = len(writes(api))
    again = bgp(api.client, "withdrawn")
    assert (again["changed"], len(writes(api))) == (False, count)
    back = bgp(api.client, "announced")
    assert (back["changed"], back["node_config"], labels(api)["enable-bgp"]) == (True, True, "true")
    assert not bgp(api.client, "announced")["changed"]


@pytest.mark.parametrize("order", [(drained, deselected), (deselected, drained)])
@pytest.mark.usefixtures("cilium")
def test_what_the_way_back_waits_for_is_in_the_record_as_it_is_then(api, order):
    vip_of_a_service(api, externalTrafficPolicy="Local", type="LoadBalancer")
    other_node(api)
    at_claim = claimed(api, routes=WITH_OTHER)["record"]
    for step in order:
        step(api)
    back = wait(api.client, wait_params(rebooted=False), check_mode=False)["record"]
    assert back == records.parse(api.client.get(NODE))
    again = bgp(api.client, "announced")["record"]
    assert again == records.parse(api.client.get(NODE))
    assert prefixes_back(at_claim, "tor-1") == {"default": ["198.51.100.10/32"]}
    assert prefixes_back(back, "tor-1") == prefixes_back(again, "tor-1") == {"default": []}


@pytest.mark.usefixtures("cilium")
def test_bgp_without_a_record(api):
    assert bgp(api.client, "withdrawn")["changed"]
    assert bgp(api.client, "announced")["changed"]
    assert labels(api) == {"enable-bgp": "true"}


@pytest.mark.usefixtures("cilium")
def test_bgp_writes_nothing_in_check_mode(api):
    out = bgp(api.client, "withdrawn", check_mode=True)
    assert (out["changed"], out["label"]["after"], out["node_config"], writes(api)) == (True, "false", True, [])


def test_bgp_puts_an_absent_label_back_by_removing_it(api, cilium):
    api.client.delete(f"{cilium.bgp}/ciliumbgpclusterconfigs/rack-1", {})
    # Otherwise the NodeConfig of the first one could be there at the first look, and gone at the next.
    api.until(lambda: not node_info(api.client, "worker-3")["bgp"]["node_config"])
    cilium.config("rack-2", nodeSelector={"matchExpressions": [{"key": "no-bgp", "operator": "DoesNotExist"}]})
    api.until(lambda: node_info(api.client, "worker-3")["bgp"]["node_config"])
    claimed(api)
    assert bgp(api.client, "withdrawn")["label"] == {"key": "no-bgp", "before": None, "after": "true"}
    bgp(api.client, "announced")
    assert labels(api) == {"enable-bgp": "true"}


@pytest.mark.usefixtures("cilium")
@pytest.mark.parametrize(("given", "written"), [(False, "false"), ("no", "no"), ("1.30", "1.30")])
def test_bgp_writes_the_value_that_was_meant(api, given, written):
    bgp(api.client, "withdrawn", label_value=given)
    assert labels(api)["enable-bgp"] == written


@pytest.mark.usefixtures("cilium")
@pytest.mark.parametrize("given", [1.3, 83, True, "true", "not a value"])
def test_bgp_refuses_a_value_before_any_write(api, given):
    with pytest.raises(SelectionError):
        bgp(api.client, "withdrawn", label_value=given)
    assert writes(api) == []


@pytest.mark.usefixtures("cilium")
def test_bgp_refuses_a_label_that_nobody_selects_by(api):
    with pytest.raises(SelectionError, match="selects the node by enable-bgp, not by bgp-enabled"):
        bgp(api.client, "withdrawn", label="bgp-enabled")
    assert writes(api) == []


@pytest.mark.usefixtures("cilium")
def test_bgp_refuses_another_label_than_the_claimed_one(api):
    claimed(api)
    with pytest.raises(SelectionError, match="the node was claimed with label enable-bgp"):
        bgp(api.client, "withdrawn", label="rack")


@pytest.mark.usefixtures("cilium")
def test_bgp_refuses_a_node_that_another_run_holds(api):
    claimed(api)
    count = len(writes(api))
    for state in ("withdrawn", "announced"):
        with pytest.raises(records.HeldError):
            bgp(api.client, state, _run=OTHER)
    assert len(writes(api)) == count


def test_fault_16_agent_is_named_when_the_label_stops_at_the_node(api, cilium):
    cilium.agents = False
    with pytest.raises(
        HopError, match=r"stuck at the hop CiliumNode .enable-bgp=true.: the agent on worker-3"
    ) as caught:
        bgp(api.client, "withdrawn", timeout=0.0)
    assert caught.value.facts["changed"]


def test_fault_15_operator_that_dies_later_is_named_when_the_label_stops_at_the_cilium_node(api, cilium):
    cilium.operator = False
    late = bgp_late(api.client, "withdrawn", "NodeConfig is not yet as wanted")
    assert re.search(r"stuck at the hop NodeConfig .*CiliumBGPClusterConfig rack-1.: cilium-op", late.msg), late.msg
    assert [hop["ok"] for hop in late.facts["hops"]] == [True, True, False]


def test_fault_11_who_sets_the_label_back_is_noticed_and_named(api, cilium):
    cilium.operator = False

    def gitops():
        api.until(lambda: labels(api)["enable-bgp"] == "false")
        api.connect().patch(NODE, {"metadata": {"labels": {"enable-bgp": "true"}}})

    thread = threading.Thread(target=gitops, daemon=True)
    thread.start()
    with pytest.raises(
        HopError, match=r"found enable-bgp=true on the Node after it had been set: .*field manager hitless"
    ):
        bgp(api.client, "withdrawn")
    thread.join()


@pytest.mark.parametrize("check_mode", [False, True])
def test_fault_11_a_label_that_is_set_back_during_the_wait_is_noticed_before_anything_is_switched_off(
    api, cilium, check_mode
):
    claimed(api)
    bgp(api.client, "withdrawn", sessions="ignored")
    api.connect().patch(NODE, {"metadata": {"labels": {"enable-bgp": "true"}}})
    with pytest.raises(
        ClaimError,
        match=r"found enable-bgp=true on the Node after enable-bgp=false had been set.*field manager hitless",
    ):
        claim(api.client, claim_params(phase="withdrawn"), check_mode=check_mode)
    assert records.parse(api.client.get(NODE))["phase"] == "claimed"
    bgp(api.client, "withdrawn", sessions="ignored")
    assert claimed(api, phase="withdrawn")["record"]["phase"] == "withdrawn"
    assert cilium


@contextlib.contextmanager
def fault_after_the_flip(api, rule):
    """Breaks the API once the label is set: before that, a failing read is an error at once."""
    before = len(writes(api))

    def later():
        api.until(lambda: len(writes(api)) > before)
        api.fault(rules=[rule])

    thread = threading.Thread(target=later, daemon=True)
    thread.start()
    yield
    thread.join()


@pytest.mark.usefixtures("cilium")
def test_bgp_lives_through_an_api_that_is_away(api):
    with fault_after_the_flip(api, {"path": "ciliumnodes/worker-3", "status": 503, "count": 3}):
        assert bgp(api.client, "withdrawn")["changed"]


def test_bgp_says_unknown_when_the_api_stays_away(api, cilium):
    cilium.operator = False
    rule = {"path": "ciliumbgpnodeconfigs/worker-3", "status": 503}
    with fault_after_the_flip(api, rule):
        late = bgp_late(api.client, "withdrawn", "503")
    assert re.search(r"not known to be withdrawn after 600 s: .*503", late.msg), late.msg


def test_bgp_hands_over_at_the_end_of_a_slice(api, cilium):
    cilium.operator = False
    state, changed = bgp_until(api.client, "withdrawn", "NodeConfig is not yet as wanted")
    assert changed
    cilium.operator = True
    result = bgp(api.client, "withdrawn", _slice=TIMEOUT, _state=state)
    assert (result["changed"], result["label"]["before"], result["node_config"]) == (False, "true", False)
    assert result["record"] is None


@pytest.mark.usefixtures("old_cilium")
def test_bgp_with_the_kinds_of_older_ciliums(api):
    assert node_info(api.client, "worker-3")["bgp"]["api_version"] == "cilium.io/v2alpha1"
    assert not bgp(api.client, "withdrawn")["node_config"]
    assert bgp(api.client, "announced")["node_config"]


# node_wait


def wait_params(**changes):
    params = {"name": "worker-3", "rebooted": True, "boot_id": None, "agent": False, "cilium_namespace": "kube-system"}
    return {**params, "timeout": TIMEOUT, "_run": RUN, "_slice": None, "_state": None, **changes}


def boot(api, boot_id):
    api.client.patch(f"{NODE}/status", {"status": {"nodeInfo": {"bootID": boot_id}}})


@pytest.mark.usefixtures("cilium")
def test_wait_until_a_new_boot_and_note_it(api):
    claimed(api)
    timer = threading.Timer(0.3, boot, (api, "boot-2"))
    timer.start()
    result = wait(api.client, wait_params(), check_mode=False)
    timer.join()
    assert (result["changed"], result["waiting_for"], result["node"]["boot_id"]) == (True, [], "boot-2")
    assert records.parse(api.client.get(NODE))["phase"] == "on"
    assert not wait(api.client, wait_params(), check_mode=False)["changed"]


@pytest.mark.usefixtures("cilium")
def test_wait_names_what_is_missing(api):
    claimed(api)
    with pytest.raises(NotBack, match=r"is not back after \d+ s: it lacks a new boot .*, Cilium's agent .no agent pod"):
        wait(api.client, wait_params(timeout=0.2, agent=True), check_mode=False)


@pytest.mark.usefixtures("cilium")
def test_wait_looks_once_in_check_mode(api):
    claimed(api)
    count = len(writes(api))
    result = wait(api.client, wait_params(timeout=60.0), check_mode=True)
    assert (result["changed"], result["waiting_for"]) == (False, ["a new boot (boot id is still boot-1)"])
    assert len(writes(api)) == count


@pytest.mark.usefixtures("cilium")
def test_wait_refuses_a_node_that_another_run_holds(api):
    claimed(api)
    with pytest.raises(records.HeldError):
        wait(api.client, wait_params(_run=OTHER), check_mode=False)


@pytest.mark.usefixtures("cilium")
def test_wait_fails_at_once_for_what_waiting_does_not_mend(api):
    client = api.user("reader", [{"apiGroups": [""], "resources": ["nodes"], "verbs": ["get"]}])
    with pytest.raises(api_errors.Forbidden, match="the right to list pods in namespace kube-system is missing"):
        wait(client, wait_params(timeout=300.0, boot_id="boot-0", agent=True), check_mode=False)


@pytest.mark.usefixtures("cilium")
@pytest.mark.parametrize("state", ["withdrawn", "announced"])
def test_a_record_that_is_gone_is_found_out_before_the_flip(api, state):
    before = labels(api)
    with pytest.raises(SelectionError, match="evidence=router needs the record of a claim, and the Node has none"):
        bgp(api.client, state, evidence="router")
    assert labels(api) == before
    # A claim in check mode has written none.
    assert bgp(api.client, state, evidence="router", check_mode=True)["record"] is None


@pytest.mark.usefixtures("cilium")
def test_a_record_that_was_made_for_other_evidence_is_refused(api):
    claimed(api)
    with pytest.raises(SelectionError, match="its record was made with evidence=router, and evidence=cilium is asked"):
        bgp(api.client, "withdrawn", evidence="cilium")
