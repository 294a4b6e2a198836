# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.hitless.nodes.plugins.module_utils.cilium.bgp_sessions import Node, from_agent, from_status
from ansible_collections.hitless.nodes.plugins.module_utils.cilium.node_picture import peer_config_verdict

PEERS = [
    {"name": "tor-1", "peerAddress": "192.0.2.1", "peerASN": 62112},
    {"name": "tor-2", "peerAddress": "2001:db8::2", "peerASN": 62112},
]
STARTED = "2026-03-02T20:00:00Z"


def pod(*, ready=True, started=STARTED):
    status = {
        "conditions": [{"type": "Ready", "status": str(ready)}],
        "containerStatuses": [{"name": "cilium-agent", "state": {"running": {"startedAt": started}}}],
    }
    return {"metadata": {"name": "cilium-x"}, "status": status}


def config(*states, since="2026-03-02T21:00:00Z", instance="main", peers=None):
    """A NodeConfig with two peers, and a status that says these states of them (None: nothing)."""
    peers = peers or PEERS
    reported = [
        {**peer, "peeringState": state, "establishedTime": since if state == "established" else None}
        for peer, state in zip(peers, states, strict=False)
        if state
    ]
    status = {"bgpInstances": [{"name": instance, "peers": reported}]} if reported else {}
    return {"spec": {"bgpInstances": [{"name": "main", "localASN": 65432, "peers": list(peers)}]}, "status": status}


def node(node_config=None, *, ready=True, agents=..., reason=""):
    return Node("worker-3", ready, node_config, [pod()] if agents is ... else agents, reason)


def row(address, state="established", *, instance=None, peer=None):
    return {
        "instance": instance,
        "peer": peer,
        "address": address,
        "state": state,
        "established": None if state == "unknown" else state == "established",
    }


def states(answer):
    return [(session["peer"], session["state"], session["established"]) for session in answer.sessions]


UNKNOWN = [("tor-1", "unknown", None), ("tor-2", "unknown", None)]


def test_status_of_a_living_agent_is_believed():
    answer = from_status(node(config("established", "active")))
    assert (answer.known, states(answer)) == (True, [("tor-1", "established", True), ("tor-2", "active", False)])
    assert [session["local_asn"] for session in answer.sessions] == [65432, 65432]


@pytest.mark.parametrize(
    ("made", "reason"),
    [
        (node(config("established", "idle"), agents=[]), "no agent pod on the node; its status still says established"),
        (node(config("idle", "idle"), agents=[pod(ready=False)]), "agent cilium-x is not Ready"),
        (node(config("established", "idle"), ready=None), "the node isn't Ready, so its agent may be dead"),
        (node(config("established"), ready=False), "the node isn't Ready"),
        (node(config("established"), agents=None, reason="no right"), "whether its agent lives isn't known (no right)"),
    ],
)
def test_fault_19_status_that_a_dead_agent_left_behind_is_neither_up_nor_down(made, reason):
    answer = from_status(made)
    assert (answer.known, states(answer)) == (False, UNKNOWN)
    assert answer.reason.startswith("its status may be stale: ")
    assert reason in answer.reason


def test_fault_19_status_from_before_the_agent_was_started():
    answer = from_status(node(config("established", "idle", since="2026-03-02T19:59:00Z")))
    assert states(answer) == [UNKNOWN[0], ("tor-2", "idle", False)]
    assert answer.reason == "its status is stale: tor-1 is from before the agent was started"
    assert from_status(node(config("established", "idle", since="2026-03-02T19:59:59Z"))).known


def test_fault_18_status_reporting_off_is_unknown():
    answer = from_status(node(config()))
    assert (states(answer), "statusReport.enabled=false" in answer.reason) == (UNKNOWN, True)


def test_fault_20_status_that_leaves_a_peer_out():
    answer = from_status(node(config("established")))
    assert states(answer) == [("tor-1", "established", True), UNKNOWN[1]]
    assert answer.reason == "its status says nothing of tor-2"
    assert not from_status(node(config("established", "established", instance="other"))).known


def test_status_without_a_node_config_proves_nothing():
    answer = from_status(node())
    assert (answer.known, answer.sessions) == (False, [])
    assert "only the agent or the routers can tell" in answer.reason


def test_agent_answers_by_address_however_it_is_spelt():
    answer = from_agent(config(), [row("2001:0db8:0::2", "active"), row("192.0.2.1")])
    assert (answer.known, states(answer)) == (True, [("tor-1", "established", True), ("tor-2", "active", False)])
    assert [session["instance"] for session in answer.sessions] == ["main", "main"]


def test_fault_20_peer_that_is_missing_from_the_answer_is_unknown():
    answer = from_agent(config("established", "established"), [row("192.0.2.1")])
    assert states(answer) == [("tor-1", "established", True), UNKNOWN[1]]
    assert answer.reason == "its agent's answer says nothing of tor-2"
    assert from_agent(config(), []).reason == "its agent's answer says nothing of tor-1, tor-2"


def test_agent_of_another_instance_is_another_session():
    answer = from_agent(config(peers=PEERS[:1]), [row("192.0.2.1", instance="old", peer="x")])
    assert [session["established"] for session in answer.sessions] == [None, True]
    assert not answer.known


def test_agent_knows_discovered_peers_by_name():
    discovered = [{"name": "gateway", "autoDiscovery": {"mode": "DefaultGateway"}}]
    assert from_agent(config(peers=discovered), [row("192.0.2.1", instance="main", peer="gateway")]).known
    assert not from_agent(config(peers=discovered), [row("192.0.2.1")]).known


def test_agent_without_sessions_is_an_answer_where_none_should_be():
    assert (from_agent(None, []).known, from_agent(None, []).sessions) == (True, [])
    assert states(from_agent(None, [row("192.0.2.1")])) == [(None, "established", True)]
    assert not from_agent(None, [row("192.0.2.1", "unknown")]).known


MISSING = {
    "type": "cilium.io/MissingAuthSecret",
    "status": "True",
    "reason": "MissingAuthSecret",
    "message": 'Referenced Auth Secret "s" is missing',
}


@pytest.mark.parametrize(
    ("condition", "established", "problems", "warnings"),
    [
        (MISSING, [True, True], 0, 1),
        (MISSING, [True, None], 1, 0),
        (MISSING, [False], 1, 0),
        (MISSING, [], 1, 0),
        ({**MISSING, "status": "False"}, [False], 0, 0),
        ({**MISSING, "status": "Unknown"}, [False], 0, 0),
        ({**MISSING, "type": "cilium.io/Other"}, [True], 1, 0),
    ],
)
def test_missing_secret_is_a_problem_unless_sessions_prove_the_opposite(condition, established, problems, warnings):
    found = peer_config_verdict("tor", [condition], established)
    assert [len(words) for words in found] == [problems, warnings]
    assert all("CiliumBGPPeerConfig tor says cilium.io/" in word for words in found for word in words)
