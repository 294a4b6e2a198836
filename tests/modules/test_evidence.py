# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Claim and wait without routers: what Cilium says, on a real HTTP API, with an agent that answers by pod exec."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime

import pytest
from ansible_collections.hitless.nodes.plugins.module_utils.base.errors import HitlessError
from ansible_collections.hitless.nodes.plugins.module_utils.base.polling import Unfinished
from ansible_collections.hitless.nodes.plugins.module_utils.estimate import per_node
from ansible_collections.hitless.nodes.plugins.module_utils.node.cilium_wait import NotKnown, wait
from ansible_collections.hitless.nodes.plugins.module_utils.node.claim import ClaimError
from ansible_collections.hitless.nodes.plugins.module_utils.record import records
from api_calls import NODE, OTHER, RUN, TIMEOUT, bgp, claimed, labels, writes

VIP = "198.51.100.10/32"


class Speaker:
    """What the agents of this cluster announce: node -> prefixes; one that isn't in it answers nothing of use."""

    def __init__(self, api, agent, make_agent):
        self.api = api
        self.sessions = [{"name": "tor-1", "state": "established", "advertised": 2}]
        self.announced = {"worker-3": [VIP], "worker-4": [VIP]}
        agent.say = lambda argv: self.say("worker-3", argv)
        self.api.ready_node("worker-4")
        self.other = make_agent(node="worker-4", name="cilium-y")
        self.other.say = lambda argv: self.say("worker-4", argv)
        self.api.until(lambda: api.client.find("/apis/cilium.io/v2/ciliumbgpnodeconfigs/worker-4"))

    def say(self, node, argv):
        if self.announced.get(node) is None:
            return 1, "", "Error: connection refused"
        if argv[1:3] == ["bgp", "peers"]:
            family = {"afi": "ipv4", "safi": "unicast"}
            rows = [
                {
                    "local-asn": 65432,
                    "peer-asn": 62112,
                    "peer-address": "192.0.2.1",
                    "session-state": session["state"],
                    "families": [family | {"advertised": session["advertised"]}],
                    "graceful-restart": {"enabled": True, "restart-time-seconds": 1},
                }
                for session in self.sessions
            ]
            return 0, json.dumps(rows), ""
        attributes = [{"base64": base64.b64encode(bytes([0x40, 3, 4, 192, 0, 2, 13])).decode()}]
        paths = [{"best": True, "path-attributes": attributes}]
        listed = [
            {"router-asn": 65432, "neighbor": "192.0.2.1", "prefix": prefix, "paths": paths}
            for prefix in self.announced[node]
            if argv[4] == "ipv4"
        ]
        return 0, json.dumps(listed), ""


@pytest.fixture
def speaker(api, cilium, agent, make_agent):
    spec = {"gracefulRestart": {"enabled": True, "restartTimeSeconds": 1}}
    body = cilium.kind({"metadata": {"name": "p"}, "spec": spec}, "CiliumBGPPeerConfig")
    api.post(f"{cilium.bgp}/ciliumbgppeerconfigs", body)
    service = api.post(
        "/api/v1/namespaces/shop/services", {"metadata": {"name": "web"}, "spec": {"ports": [{"port": 7}]}}
    )
    status = {"loadBalancer": {"ingress": [{"ip": "198.51.100.10"}]}}
    api.client.patch(f"/api/v1/namespaces/shop/services/{service['metadata']['name']}/status", {"status": status})
    made = Speaker(api, agent, make_agent)
    yield made
    made.other.end()


def waited(api, state, **changes):
    params = {"name": "worker-3", "state": state, "timeout": TIMEOUT, "settle": 0.0, "interval": 0.1, "_run": RUN}
    params |= {"cilium_namespace": "kube-system", "_slice": None, "_state": None}
    return wait(api.client, params | changes, check_mode=False)


def refused(api, *words, **changes):
    before = len(writes(api))
    with pytest.raises(ClaimError, match="nothing was changed") as caught:
        claimed(api, routes=None, **changes)
    for word in words:
        assert word in str(caught.value)
    assert (len(writes(api)), records.parse(api.client.get(NODE))) == (before, None)


def test_out_and_back_by_the_agents_word(api, speaker):
    result = claimed(api, routes=None, evidence="cilium")
    assert result["prefixes"] == [VIP]
    assert result["withdrawal"]["seconds"] == 3
    assert "perhaps kept as stale for the restart time of 1 s" in result["withdrawal"]["reason"]
    with pytest.raises(NotKnown, match=r"it has a CiliumBGPNodeConfig \(again\)"):
        waited(api, "withdrawn", timeout=0.3)
    bgp(api.client, "withdrawn", sessions="ignored")
    with pytest.raises(NotKnown, match="sessions aren't known to be closed after 0 s: its agent still has sessions"):
        waited(api, "withdrawn", timeout=0.3)
    speaker.sessions = []
    with pytest.raises(
        Unfinished, match=r"its sessions are closed, . s left of the 3 s .* \(estimated, not observed\)"
    ):
        waited(api, "withdrawn", _slice=0.0)
    gone = waited(api, "withdrawn")
    assert (gone["observed"], gone["evidence"], gone["remaining"]) == (False, "cilium", [])
    assert gone["seconds"] >= 3
    bgp(api.client, "announced", sessions="ignored")
    with pytest.raises(NotKnown, match=r"not announced as before .* session with tor-1 is unknown|unknown"):
        waited(api, "present", timeout=0.3)
    speaker.sessions = [{"name": "tor-1", "state": "established", "advertised": 1}]
    with pytest.raises(NotKnown, match="1 of 2 routes of ipv4/unicast are announced to tor-1"):
        waited(api, "present", timeout=0.3)
    speaker.sessions[0]["advertised"] = 2
    assert waited(api, "present")["remaining"] == []


def test_a_dead_agent_is_no_proof(api, speaker, agent):
    claimed(api, routes=None, evidence="cilium")
    bgp(api.client, "withdrawn", sessions="ignored")
    speaker.announced["worker-3"] = None
    with pytest.raises(NotKnown, match="unknown: its agent can't be asked"):
        waited(api, "withdrawn", timeout=0.3)
    api.client.delete(agent.path, {"gracePeriodSeconds": 0})
    with pytest.raises(NotKnown, match="there is no agent pod on the node"):
        waited(api, "withdrawn", timeout=0.3)


def test_fault_26_without_routers(api, speaker):
    speaker.sessions[0]["state"] = "active"
    refused(api, "no established session by Cilium's word (tor-1 active)", evidence="cilium")
    speaker.sessions[0] |= {"state": "established", "advertised": 1}
    refused(api, "announces no route by Cilium's word", evidence="cilium")
    speaker.announced["worker-3"] = None
    refused(api, "what worker-3 announces is unknown: its agent can't be asked", evidence="cilium")


@pytest.mark.usefixtures("agent")
def test_fault_29_an_estimate_without_a_bound_stops_unless_it_is_overridden(api, cilium):
    """There is no PeerConfig of the name, so nobody knows what the routers were asked for."""
    cilium.status(routeCount=[{"afi": "ipv4", "safi": "unicast", "advertised": 2, "received": 0}])
    options = {"evidence": "estimate", "min_announcers": 0}
    refused(api, "has no bound (peer tor-1: perhaps kept as stale for the restart time of 4095 s", **options)
    result = claimed(api, routes=None, estimate_override=1, **options)
    assert (result["withdrawal"]["seconds"], result["withdrawal"]["overridden"]) == (1, True)
    bgp(api.client, "withdrawn", sessions="ignored")
    assert waited(api, "withdrawn")["estimate"]["overridden"]


def test_estimate_rests_on_the_status_and_the_peer_configs(api, cilium, speaker):
    speaker.announced["worker-3"] = None
    options = {"evidence": "estimate", "min_announcers": 0}
    refused(api, "what worker-3 announces is unknown", **options)
    cilium.status(routeCount=[{"afi": "ipv4", "safi": "unicast", "advertised": 2, "received": 0}])
    refused(api, "since neither routers nor agents are asked", evidence="estimate")
    bound = claimed(api, routes=None, **options)["withdrawal"]
    assert bound["seconds"] == 3 + per_node.UNSEEN
    assert "which isn't observed" in bound["reason"]


def test_a_session_that_nobody_asked_for_has_no_bound(api, speaker):
    """Left over from another config, or of a legacy policy: what its router was asked for isn't known."""
    other = {"local-asn": 65432, "peer-asn": 62112, "peer-address": "192.0.2.9", "session-state": "established"}
    say = speaker.say

    def more(node, argv):
        rc, stdout, stderr = say(node, argv)
        return rc, json.dumps([*json.loads(stdout), other]) if argv[2] == "peers" else stdout, stderr

    speaker.say = more
    refused(api, "has no bound (peer 192.0.2.9: perhaps kept as stale for the restart time of 4095", evidence="cilium")


def test_a_peer_that_names_no_peer_config_has_ciliums_defaults(api, cilium, speaker):
    (config,) = api.client.list_all(f"{cilium.bgp}/ciliumbgpclusterconfigs")[0]
    (instance,) = config["spec"]["bgpInstances"]
    (peer,) = instance["peers"]
    bare = {key: value for key, value in peer.items() if key != "peerConfigRef"}
    spec = {"bgpInstances": [{**instance, "peers": [bare]}]}
    api.client.patch(f"{cilium.bgp}/ciliumbgpnodeconfigs/worker-3", {"spec": spec})
    cilium.status(routeCount=[{"afi": "ipv4", "safi": "unicast", "advertised": 2, "received": 0}])
    assert estimated(api)["estimates"]["deselected"]["reason"].endswith(
        "removed at once (no graceful restart), 2 s for the routers to act"
    )
    assert speaker


def estimated(api, measured=None, *, check_mode=False):
    params = {"name": "worker-3", "measured": measured, "cilium_namespace": "kube-system", "_run": RUN}
    return per_node.node_estimate(api.client, params, check_mode=check_mode)


MEASURED = {
    "event": "deselected",
    "at": "2026-03-02T22:00:00Z",
    "routers": {
        "tor-1": {"seconds": 8.4, "families": {"ipv4": 8.1, "ipv6": 8.4}},
        "tor-2": {"seconds": 0.1},
    },
}
SHORT = MEASURED | {"routers": {"tor-1": {"seconds": 0.2}}}
# As it is kept.
KEPT = {
    "version": 1,
    "event": "deselected",
    "at": "2026-03-02T22:00:00Z",
    "seconds": 0.1,
    "router": "tor-1",
    "family": "ipv6",
    "conditions": "x",
}


def test_what_was_measured_is_kept_and_counts_until_something_changes(api, cilium, speaker):
    assert estimated(api)["estimates"]["deselected"]["seconds"] == 3
    assert estimated(api, MEASURED, check_mode=True)["changed"]
    assert writes(api) == []
    first, again = estimated(api, MEASURED), estimated(api, MEASURED)
    assert (first["changed"], again["changed"]) == (True, False)
    assert again["estimates"]["deselected"]["seconds"] == 9 + 2
    assert again["estimates"]["deselected"]["reason"].startswith("measured 8.4 s on router tor-1, ipv6, at 2026-03-02")
    assert (again["unmeasured"]["deselected"]["seconds"], again["estimates"]["agent_stops"]["seconds"]) == (3, 3)
    assert claimed(api, routes=None, evidence="cilium")["withdrawal"]["seconds"] == 11
    api.client.patch(NODE, {"metadata": {"annotations": {records.ANNOTATION: None}}})
    # Shorter than the worst case, it counts only as long as nothing has changed.
    estimated(api, SHORT)
    spec = {"gracefulRestart": {"enabled": True, "restartTimeSeconds": 30}}
    assert estimated(api)["estimates"]["deselected"]["seconds"] == 3
    api.client.patch(f"{cilium.bgp}/ciliumbgppeerconfigs/p", {"spec": spec})
    assert estimated(api)["estimates"]["deselected"]["seconds"] == 32
    estimated(api, SHORT)
    assert estimated(api)["estimates"]["deselected"]["seconds"] == 3
    status = {"containerStatuses": [{"name": "cilium-agent", "image": "newer", "imageID": "newer"}]}
    api.client.patch("/api/v1/namespaces/kube-system/pods/cilium-x/status", {"status": status})
    assert estimated(api)["estimates"]["deselected"]["seconds"] == 32
    assert speaker


@pytest.mark.usefixtures("speaker")
@pytest.mark.parametrize(
    "routers",
    [
        {},
        {"tor-1": {}},
        {"tor-1": {"seconds": "soon"}},
        {"tor-1": {"seconds": -1}},
        {"tor-1": {"seconds": 1, "families": {"ipv4": "inf"}}},
    ],
)
def test_what_is_no_measurement_is_refused(api, routers):
    with pytest.raises(HitlessError, match="measured"):
        estimated(api, MEASURED | {"routers": routers})
    assert writes(api) == []


@pytest.mark.usefixtures("speaker")
@pytest.mark.parametrize("text", ["{", "[]", '{"version": 2}', json.dumps(KEPT)])
def test_an_annotation_that_cannot_be_used_leaves_the_worst_case(api, text):
    api.client.patch(NODE, {"metadata": {"annotations": {per_node.ANNOTATION: text}}})
    assert estimated(api)["estimates"]["deselected"]["seconds"] == 3


def test_fault_31_without_routers_other_agents_are_counted(api, speaker):
    assert claimed(api, routes=None, evidence="cilium")["changed"]
    api.client.patch(NODE, {"metadata": {"annotations": {records.ANNOTATION: None}}})
    refused(
        api, "(others: 1 on Cilium's agents (worker-4); claim_min_announcers=2)", evidence="cilium", min_announcers=2
    )
    for nothing in ([], None):
        speaker.announced["worker-4"] = nothing
        words = f"VIP {VIP} of Service shop/web: its last announcer is this node"
        refused(api, words, "(others: 0 on Cilium's agents; claim_min_announcers=1)", evidence="cilium")
    assert claimed(api, routes=None, evidence="cilium", min_announcers=0)["changed"]
    assert labels(api)["enable-bgp"] == "true"


def test_without_routers_other_agents_are_counted_again(api, speaker):
    claimed(api, routes=None, evidence="cilium")
    assert claimed(api, routes=None, phase="drained", recount=True)["changed"]
    speaker.announced["worker-3"] = speaker.announced["worker-4"] = []
    with pytest.raises(ClaimError, match=r"mustn't be taken out now .* \(others: 0 on Cilium's agents;"):
        claimed(api, routes=None, phase="withdrawn", recount=True)


@pytest.mark.usefixtures("speaker")
def test_fault_31_without_routers_a_node_that_somebody_else_has_claimed_does_not_count(api):
    before = {"unschedulable": False, "label": {"key": "enable-bgp", "value": "true"}, "addresses": ["192.0.2.14"]}
    record = records.new(OTHER, before, {}, datetime.now(UTC))
    api.client.patch("/api/v1/nodes/worker-4", records.annotation(record))
    words = "(others: 0 on Cilium's agents; claim_min_announcers=1; not counted: worker-4, claimed by bob@laptop)"
    refused(api, words, evidence="cilium")
    api.client.patch("/api/v1/nodes/worker-4", records.annotation(None))
    assert claimed(api, routes=None, evidence="cilium")["changed"]


@pytest.mark.usefixtures("speaker")
def test_a_record_is_not_continued_by_other_evidence(api):
    claimed(api, routes=None, evidence="cilium")
    with pytest.raises(ClaimError, match="was claimed with evidence=cilium, and evidence=router is asked for now"):
        claimed(api, evidence="router")
    assert not claimed(api, routes=None, evidence="cilium")["changed"]


@pytest.mark.usefixtures("cilium")
def test_a_wait_without_a_claim_is_refused(api):
    with pytest.raises(NotKnown, match="claim it with evidence=cilium or evidence=estimate"):
        waited(api, "withdrawn")
