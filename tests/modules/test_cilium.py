# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What Cilium says of nodes, and who follows the label: on a real HTTP API, with agents that answer by pod exec."""

from __future__ import annotations

import json
import re
import threading

import pytest
from ansible_collections.hitless.nodes.plugins.module_utils.base.polling import Unfinished
from ansible_collections.hitless.nodes.plugins.module_utils.cilium import operator_lease
from ansible_collections.hitless.nodes.plugins.module_utils.cilium.node_picture import cilium_bgp_info, node_info
from ansible_collections.hitless.nodes.plugins.module_utils.cilium.selection import SelectionError
from ansible_collections.hitless.nodes.plugins.module_utils.kube import api_errors, connection, node_objects, pod_exec
from ansible_collections.hitless.nodes.plugins.module_utils.node import hops
from ansible_collections.hitless.nodes.plugins.module_utils.node.claim import ClaimError
from ansible_collections.hitless.nodes.plugins.module_utils.node.hops import HopError
from api_calls import NODE, TIMEOUT, bgp, bgp_late, bgp_until, claimed, labels, until_progress, writes

READER = [
    {"apiGroups": [""], "resources": ["nodes", "pods"], "verbs": ["get", "list"]},
    {"apiGroups": ["cilium.io"], "resources": ["*"], "verbs": ["get", "list"]},
]
EXEC = {"apiGroups": [""], "resources": ["pods/exec"], "verbs": ["get", "create"]}


def info(client, *names, **options):
    return cilium_bgp_info(client, list(names or ("worker-3",)), **options)


def states(node):
    return [(session["peer"], session["state"], session["established"]) for session in node["sessions"]]


UP, UNKNOWN = [("tor-1", "established", True)], [("tor-1", "unknown", None)]


# Backends


def test_auto_believes_a_fresh_status_and_asks_nobody(cilium, agent, api):
    cilium.status(timers={"appliedHoldTimeSeconds": 9})
    result = info(api.client)
    (node,) = result["nodes"]
    assert (node["source"], node["known"], node["reason"], states(node)) == ("status", True, None, UP)
    assert (node["sessions"][0]["hold_time"], result["unknown"], agent.asked) == (9, [], [])


def test_fault_18_status_reporting_off_the_agent_is_asked(agent, api):
    agent.up()
    (node,) = info(api.client)["nodes"]
    assert (node["source"], node["known"], states(node)) == ("agent", True, UP)
    (node,) = info(api.client, backend="status")["nodes"]
    assert (node["known"], states(node), "status reporting is off" in node["reason"]) == (False, UNKNOWN, True)


def test_fault_19_status_of_a_dead_agent_is_not_accepted(cilium, agent, api):
    cilium.status()
    agent.end()
    agent.ready(False)
    for backend in ("auto", "status"):
        result = info(api.client, backend=backend)
        assert (result["unknown"], states(result["nodes"][0])) == (["worker-3"], UNKNOWN)
    assert "its status may be stale: agent cilium-x is not Ready" in result["nodes"][0]["reason"]
    api.client.delete(agent.path, {"gracePeriodSeconds": 0})
    (node,) = info(api.client)["nodes"]
    assert states(node) == UNKNOWN
    assert "no agent pod on the node; its status still says established for tor-1" in node["reason"]


def test_fault_20_agents_that_answer_for_some_nodes_only(agent, api):
    agent.up()
    api.ready_node("worker-4")
    result = info(api.client, "worker-3", "worker-4", backend="agent")
    assert (result["unknown"], [node["known"] for node in result["nodes"]]) == (["worker-4"], [True, False])
    assert result["nodes"][1]["reason"] == "its agent can't be asked: there is no agent pod on the node"
    agent.sessions = []
    assert info(api.client, backend="agent")["unknown"] == ["worker-3"]


@pytest.mark.usefixtures("cilium")
def test_a_name_that_nobody_has_is_refused(api):
    with pytest.raises(node_objects.UnknownNode):
        info(api.client, "worker-3", "worker-9")


def test_agents_are_asked_in_the_dialect_that_they_know(agent, api):
    session = {"name": "tor-1", "peer-address": "192.0.2.1", "session-state": 6}

    def newer(argv):
        if argv[:3] == ["cilium-dbg", "shell", "--"]:
            return 0, json.dumps([{"name": "main", "peers": [session]}]), ""
        return 1, "", 'Error: unknown command "bgp" for "cilium-dbg"'

    def older(argv):
        if argv[0] == "cilium":
            return 0, json.dumps([{**session, "session-state": "established"}]), ""
        return 127, "", 'exec: "cilium-dbg": executable file not found in $PATH'

    for say in (newer, older):
        agent.say = say
        assert states(info(api.client, backend="agent")["nodes"][0]) == UP
    agent.say = lambda argv: (1, "", f"unknown command {argv[0]}")
    (node,) = info(api.client, backend="agent")["nodes"]
    assert "cilium-x knows no command for that: cilium-dbg bgp peers -o json: unknown command" in node["reason"]


def test_an_agent_that_answers_otherwise_is_unknown(agent, api):
    for said, reason in (
        ((1, "", "Error: cannot get peers list: connection refused"), "ended with 1: Error: cannot get peers list"),
        ((0, "BGP Control Plane is disabled", ""), "isn't JSON: BGP Control Plane is disabled"),
        ((0, '[{"peer-address"', ""), "isn't JSON"),
        # It goes away in the middle.
        (None, "wasn't run"),
    ):
        agent.say = lambda _argv, said=said: said
        (node,) = info(api.client, backend="agent")["nodes"]
        assert (states(node), reason in node["reason"]) == (UNKNOWN, True), node["reason"]


def test_exec_with_a_client_certificate_and_with_a_token(agent, api):
    """And without the right to, which is named."""
    agent.up()
    user = api.user("asker", [*READER, EXEC])
    assert states(info(user, backend="agent")["nodes"][0]) == UP
    space = "/api/v1/namespaces/kube-system"
    api.post(f"{space}/serviceaccounts", {"metadata": {"name": "asker"}})
    binding = {
        "metadata": {"name": "asker-token"},
        "subjects": [{"kind": "ServiceAccount", "name": "asker", "namespace": "kube-system"}],
        "roleRef": {"kind": "ClusterRole", "name": "asker", "apiGroup": "rbac.authorization.k8s.io"},
    }
    api.post("/apis/rbac.authorization.k8s.io/v1/clusterrolebindings", binding)
    token = api.post(f"{space}/serviceaccounts/asker/token", {"spec": {"expirationSeconds": 600}})["status"]["token"]
    authority = api.client._configuration.ssl_ca_cert
    by_token = api.connect(kubeconfig=None, host=api.client.url, api_key=token, ca_cert=authority)
    assert states(info(by_token, backend="agent")["nodes"][0]) == UP
    (node,) = info(api.user("reader", READER))["nodes"]
    assert states(node) == UNKNOWN
    assert "the right to get and create pods/exec in namespace kube-system is missing" in node["reason"]


def test_exec_tells_a_failed_command_from_a_failed_connection(agent, api):
    agent.say = lambda _argv: (3, "out", "err")

    def run(client, *, pod="cilium-x", seconds=60.0):
        return pod_exec.run(client, "kube-system", pod, "cilium-agent", ["cilium-dbg", "version"], seconds=seconds)

    assert run(api.client) == pod_exec.Output(3, "out", "err")
    with pytest.raises(api_errors.NotFound):
        run(api.client, pod="cilium-y")
    authority = api.client._configuration.ssl_ca_cert
    with pytest.raises(api_errors.Unauthorized, match=r"wrong or has expired \(401\)"):
        run(api.connect(kubeconfig=None, host=api.client.url, api_key="no", ca_cert=authority))
    with pytest.raises(connection.ConfigurationError, match="isn't trusted"):
        run(api.connect(kubeconfig=None, host=api.client.url, api_key="no"))
    hold = threading.Event()
    agent.say = lambda _argv: hold.wait()
    with pytest.raises(api_errors.Unreachable, match=r"gave no answer within 0.3 s"):
        run(api.client, seconds=0.3)
    hold.set()
    agent.end()
    api.until(agent.task.done)
    with pytest.raises(api_errors.ServerError, match="error dialing backend"):
        run(api.client)
    with pytest.raises(api_errors.Unreachable, match="refused"):
        run(api.connect(kubeconfig=None, host="https://127.0.0.1:1", api_key="t", validate_certs=False))


def test_routes_and_policies_are_facts(agent, api):
    attributes = [{"base64": "QAMEAAAAAA=="}]
    route = {"prefix": "10.1.0.0/24", "paths": [{"best": True, "path-attributes": attributes}]}

    def say(argv):
        if argv[2:4] == ["routes", "advertised"]:
            return 0, json.dumps([{**route, "neighbor": "192.0.2.1"}] if "ipv4" in argv else None), ""
        if argv[2:4] == ["routes", "available"]:
            return 0, json.dumps([route] if "ipv4" in argv else []), ""
        return 0, json.dumps([{"name": "p", "type": "export", "statements": []}]), ""

    agent.say = say
    (node,) = info(api.client, gather=["routes", "policies"])["nodes"]
    assert [[(row["prefix"], row["next_hop"]) for row in rows] for rows in node["routes"].values()] == [
        [("10.1.0.0/24", "0.0.0.0")]
    ] * 2
    assert (node["policies"][0]["name"], node["known"], node["sessions"]) == ("p", True, [])
    agent.say = lambda _argv: (1, "", "no")
    (node,) = info(api.client, gather=["policies"])["nodes"]
    assert (node["policies"], node["known"], "its policies are unknown" in node["reason"]) == (None, False, True)


# What stops a run at the start


def test_fault_15_operator_down_is_refused_at_the_start(api, cilium):
    cilium.lease()
    assert node_info(api.client, "worker-3")["bgp"]["problems"] == []
    cilium.lease(age=60, seconds=1)
    (problem,) = node_info(api.client, "worker-3")["bgp"]["problems"]
    assert problem.startswith("cilium-operator, which makes and deletes CiliumBGPNodeConfigs, is down: its Lease")
    with pytest.raises(ClaimError, match=r"can't be claimed, and nothing was changed: cilium-operator.* is down"):
        claimed(api)
    with pytest.raises(HopError, match="worker-3: nothing was changed: cilium-operator"):
        bgp(api.client, "withdrawn")
    assert writes(api) == []
    cilium.lease()
    claimed(api)
    count = len(writes(api))
    cilium.lease(holder="", seconds=1)
    with pytest.raises(HopError, match=r"nothing was changed: cilium-operator.* has no holder"):
        bgp(api.client, "withdrawn", timeout=2.0)
    assert len(writes(api)) == count
    # One that was evicted by this very drain is waited for.
    timer = threading.Timer(0.8, cilium.lease)
    timer.start()
    assert bgp(api.client, "withdrawn")["changed"]
    timer.join()


def test_an_operator_whose_clock_is_another_is_alive(api, cilium):
    def renew(_seconds):
        cilium.lease(age=3599)

    cilium.lease(age=3600)
    assert operator_lease.look(api.client, "kube-system", sleep=renew) == operator_lease.Verdict()


def test_an_operator_that_cannot_be_checked_is_a_warning(api, cilium):
    info_ = node_info(api.client, "worker-3")
    assert info_["bgp"]["problems"] == []
    assert info_["warnings"] == [
        "whether cilium-operator runs wasn't checked: there is no Lease cilium-operator-resource-lock in namespace "
        "kube-system (is that Cilium's namespace?)"
    ]
    cilium.lease(age=60)
    info_ = node_info(api.user("reader", READER), "worker-3")
    assert info_["bgp"]["problems"] == []
    assert "the right to get leases in namespace kube-system is missing" in info_["warnings"][0]


def test_conditions_of_the_peer_config_stop_a_run(api, cilium, agent):
    path = f"{cilium.bgp}/ciliumbgppeerconfigs"
    api.post(path, cilium.kind({"metadata": {"name": "p"}, "spec": {}}, "CiliumBGPPeerConfig"))
    condition = {
        "type": "cilium.io/MissingAuthSecret",
        "status": "True",
        "reason": "MissingAuthSecret",
        "message": "Referenced Auth Secret s is missing",
        "lastTransitionTime": "2026-03-02T22:00:00Z",
    }
    api.client.patch(f"{path}/p/status", {"status": {"conditions": [condition]}})
    cilium.lease()
    agent.up(state="active")
    found = node_info(api.client, "worker-3")
    (problem,) = found["bgp"]["problems"]
    assert problem.startswith(
        "CiliumBGPPeerConfig p says cilium.io/MissingAuthSecret: Referenced Auth Secret s is missi"
    )
    assert [(row["kind"], row["name"], row["status"]) for row in found["bgp"]["conditions"]] == [
        ("CiliumBGPPeerConfig", "p", "True")
    ]
    with pytest.raises(ClaimError, match="MissingAuthSecret"):
        claimed(api)
    agent.up()
    found = node_info(api.client, "worker-3")
    assert found["bgp"]["problems"] == []
    assert "but its sessions are established" in found["warnings"][0]
    rules = [{**READER[1], "resources": ["ciliumnodes", "ciliumbgpnodeconfigs", "ciliumbgpclusterconfigs"]}]
    rules += [{**READER[1], "resources": ["ciliumbgppeeringpolicies"]}, READER[0]]
    found = node_info(api.user("narrow", rules), "worker-3")
    assert "CiliumBGPPeerConfigs weren't checked: " in found["warnings"][1]


def test_conditions_of_the_cluster_config_stop_a_run(api, cilium):
    condition = {
        "type": "cilium.io/MissingPeerConfigs",
        "status": "True",
        "reason": "MissingPeerConfigs",
        "message": "Referenced CiliumBGPPeerConfig(s) are missing: [p]",
        "lastTransitionTime": "2026-03-02T22:00:00Z",
    }
    path = f"{cilium.bgp}/ciliumbgpclusterconfigs/rack-1/status"
    api.client.patch(path, {"status": {"conditions": [condition]}})
    with pytest.raises(ClaimError, match=r"ClusterConfig rack-1 says cilium.io/MissingPeerConfigs: Referenced"):
        claimed(api)


def test_fault_12_selectors_that_no_label_leaves(api, cilium):
    path = f"{cilium.bgp}/ciliumbgpclusterconfigs/rack-1"

    def refused(selector):
        api.client.delete(path, {})
        cilium.config("rack-1", nodeSelector=selector)
        with pytest.raises(SelectionError) as caught:
            bgp(api.client, "withdrawn")
        return str(caught.value)

    api.client.patch(NODE, {"metadata": {"labels": {"node-role.kubernetes.io/worker": "", "rack": "1"}}})
    assert "has no nodeSelector" in refused({})
    exists = {"matchExpressions": [{"key": "enable-bgp", "operator": "Exists"}]}
    assert "asks only that label enable-bgp exists" in refused(exists)
    assert "such labels belong to Kubernetes" in refused({"matchLabels": {"node-role.kubernetes.io/worker": ""}})
    assert "by several labels (enable-bgp, rack)" in refused({"matchLabels": {"enable-bgp": "true", "rack": "1"}})
    api.client.patch(NODE, {"metadata": {"labels": {"enable-bgp": "false"}}})
    assert "looks like off" in refused(exists)
    assert writes(api)[2:] == []


# Hop by hop


def test_the_agent_is_the_last_hop(agent, api):
    claimed(api)
    agent.up()
    timer = threading.Timer(0.8, agent.sessions.clear)
    timer.start()
    out = bgp(api.client, "withdrawn")
    timer.join()
    assert [(hop["hop"], hop["ok"]) for hop in out["hops"]] == [
        ("Node", True),
        ("CiliumNode", True),
        ("NodeConfig", True),
        ("sessions", True),
    ]
    assert out["hops"][-1]["found"] == "no sessions"
    agent.up(state="active")
    back = bgp(api.client, "announced")
    # The routers have the last word on the way in: it isn't waited for.
    assert [back["hops"][-1][key] for key in ("hop", "ok", "found")] == ["sessions", False, "tor-1 active"]
    with pytest.raises(HopError, match=r"stuck at the hop sessions .tor-1 active.: see what the agent logs"):
        bgp(api.client, "announced", sessions="required", timeout=0.5)
    agent.up()
    assert bgp(api.client, "announced", sessions="required")["hops"][-1]["ok"]


def test_an_agent_that_keeps_its_sessions_is_named(agent, api):
    agent.up()
    late = bgp_late(api.client, "withdrawn", "sessions is not yet as wanted")
    assert re.search(r"after 600 s it is stuck at the hop sessions .192.0.2.1 established.*bgp-control", late.msg)


def test_an_agent_that_cannot_be_asked_is_left_to_the_routers(agent, api, monkeypatch):
    said = [(1, "", "busy")]
    agent.say = lambda _argv: said.pop() if said else (0, "null", "")
    monkeypatch.setattr(hops, "PATIENCE", TIMEOUT)
    assert bgp(api.client, "withdrawn")["hops"][-1]["ok"]
    monkeypatch.setattr(hops, "PATIENCE", 0.5)
    agent.say = lambda _argv: (1, "", "connection refused")
    last = bgp(api.client, "withdrawn")["hops"][-1]
    assert (last["hop"], last["ok"], "connection refused" in last["found"]) == ("sessions", None, True)
    with pytest.raises(HopError, match=r"stuck at the hop sessions .unknown: its agent can't be asked"):
        bgp(api.client, "withdrawn", sessions="required", timeout=0.5)
    assert len(bgp(api.client, "withdrawn", sessions="ignored")["hops"]) == 3


def test_each_hop_has_its_own_deadline_across_slices(api, cilium):
    cilium.agents = False
    state, _changed = bgp_until(api.client, "withdrawn", "CiliumNode is not yet as wanted")
    assert state["hop"] == 1
    cilium.agents, cilium.operator = True, False

    def later(kept):
        bgp(api.client, "withdrawn", _slice=0.2, _state={**kept, "elapsed": max(kept["elapsed"], TIMEOUT - 60)})

    state, _changed = until_progress(later, "NodeConfig is not yet as wanted", state)
    # The third hop's deadline began when the second was passed, not when the label was set.
    assert (state["hop"], state["since"] >= TIMEOUT - 60) == (2, True)
    with pytest.raises(Unfinished):
        bgp(api.client, "withdrawn", _slice=0.2, _state={**state, "elapsed": TIMEOUT + 1})
    with pytest.raises(HopError, match="after 600 s it is stuck at the hop NodeConfig"):
        bgp(api.client, "withdrawn", _state={**state, "elapsed": state["since"] + TIMEOUT})


def test_fault_17_label_that_the_agent_leaves_out(api, cilium):
    claimed(api)
    cilium.excluded.add("enable-bgp")
    cilium_node = "/apis/cilium.io/v2/ciliumnodes/worker-3"
    api.until(lambda: "enable-bgp" not in (api.client.get(cilium_node)["metadata"].get("labels") or {}))
    with pytest.raises(HopError, match=r"stuck at the hop CiliumNode .*exclude-node-label-patterns"):
        bgp(api.client, "withdrawn", timeout=0.5)
    (problem,) = [line for line in node_info(api.client, "worker-3")["bgp"]["problems"] if "exclude-node" in line]
    assert "label enable-bgp=false of the Node is enable-bgp absent on its CiliumNode" in problem


def test_fault_13_config_that_takes_the_node_over_after_the_flip(api, cilium):
    claimed(api)
    api.client.patch(NODE, {"metadata": {"labels": {"kubernetes.io/os": "linux"}}})

    def another():
        api.until(lambda: labels(api)["enable-bgp"] == "false")
        cilium.config("rack-2", nodeSelector={"matchLabels": {"enable-bgp": "false"}})
        cilium.operator = True

    cilium.operator = False
    thread = threading.Thread(target=another, daemon=True)
    thread.start()
    with pytest.raises(HopError, match="CiliumBGPClusterConfig rack-2 selects the node and opens its sessions again"):
        bgp(api.client, "withdrawn")
    thread.join()


def test_fault_13_node_config_of_another_owner_is_a_takeover(api, cilium):
    cilium.operator = False
    claimed(api)
    cilium.config("rack-2", nodeSelector={"matchLabels": {"kubernetes.io/os": "linux"}})
    path = f"{cilium.bgp}/ciliumbgpnodeconfigs/worker-3"

    def taken():
        api.until(lambda: labels(api)["enable-bgp"] == "false")
        owners = api.client.get(path)["metadata"]["ownerReferences"]
        api.client.patch(NODE, {"metadata": {"labels": {"kubernetes.io/os": "linux"}}})
        api.client.patch(path, {"metadata": {"ownerReferences": [{**owners[0], "name": "rack-2"}]}})

    thread = threading.Thread(target=taken, daemon=True)
    thread.start()
    with pytest.raises(HopError, match="rack-2 selects the node and opens its sessions again"):
        bgp(api.client, "withdrawn")
    thread.join()
