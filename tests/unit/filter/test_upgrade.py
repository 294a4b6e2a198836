# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.hitless.nodes.plugins.filter.upgrade import (
    FilterModule,
    measured_restarts,
    restart_budget,
    upgrade_batches,
    upgrade_failure_line,
    upgrade_plan,
    upgrade_problems,
)

REQUEST = {
    "images": ["quay.io/cilium/cilium:v1.19.1"],
    "apply": "none",
    "chart": "",
    "rollback": False,
    "without_gr": "refuse",
    "batch": 1,
    "margin": 0.25,
    "measured": [],
}


CHART = {"values": {}, "files": [], "dropped": [], "client_cert": ""}


def record(**restart):
    restart = {"negotiated": True, "families": ["ipv4"], "restart_time": 20, **restart}
    session = {"vrf": "default", "address": "192.0.2.13", "established": True, "hold_time": 9}
    return {"before": {"sessions": {"tor-1": [{**session, "graceful_restart": restart}]}}}


def test_good_input_has_no_problems():
    assert upgrade_problems(REQUEST) == []
    assert upgrade_problems({**REQUEST, "batch": "3"}) == []
    assert upgrade_problems({**REQUEST, "batch": "1", "without_gr": "drain"}) == []
    assert upgrade_problems({**REQUEST, "images": [], "apply": "", "rollback": True}) == []
    assert upgrade_problems({**REQUEST, "images": [], "apply": "", "chart": CHART}) == []


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"images": []}, "which images?"),
        ({"images": "quay.io/cilium/cilium:v1"}, "must be a list of images"),
        ({"images": ["a b"]}, "agent_images: 'a b' isn't an image reference"),
        ({"apply": "/nowhere/apply.yml"}, "agent_apply: there is no file /nowhere/apply.yml"),
        ({"apply": ""}, "neither agent_chart nor agent_apply was given"),
        ({"chart": CHART}, "both agent_chart and agent_apply were given"),
        ({"apply": "", "chart": {**CHART, "values": "a=b"}}, "agent_values is 'a=b', and must be a mapping"),
        ({"apply": "", "chart": {**CHART, "files": "v.yml"}}, "agent_values_files is 'v.yml', and must be a list"),
        ({"apply": "", "chart": {**CHART, "dropped": "a"}}, "agent_drop_values is 'a', and must be a list"),
        ({"apply": "", "chart": {**CHART, "files": ["/nowhere"]}}, "agent_values_files: /nowhere can't be read"),
        ({"apply": "", "chart": {**CHART, "client_cert": "c.pem"}}, "helm knows client certificates of a kubeconfig"),
        ({"without_gr": "ignore"}, "without_gr is 'ignore', and must be refuse or drain"),
        ({"batch": "30%"}, "agent_batch is '30%', and must be a number from 1 on"),
        ({"batch": 0}, "agent_batch is 0, and must be a number from 1 on"),
        ({"batch": True}, "agent_batch is True, and must be a number from 1 on"),
        ({"batch": 2, "without_gr": "drain"}, "agent_batch and without_gr=drain: "),
        ({"margin": "much"}, "agent_margin is 'much', and must be a number"),
        ({"measured": [-1]}, "agent_measured is [-1], and must be numbers"),
    ],
)
def test_bad_input_is_named(changes, words):
    (problem,) = upgrade_problems({**REQUEST, **changes})
    assert words in problem


def test_a_node_is_restarted_drained_or_refused():
    quick = [{"timers": {"connectRetryTimeSeconds": 1}}]
    fits = restart_budget(record(), ["tor-1"], quick, [5.0])
    assert (fits["way"], fits["available"], fits["problems"], fits["warnings"]) == ("restart", 20, [], [])
    assert restart_budget(record(), ["tor-1"], quick, [17.0])["way"] == "refuse"
    assert restart_budget(record(), ["tor-1"], quick, [17.0], 0.1)["way"] == "restart"
    off = record(negotiated=False)
    assert restart_budget(off, ["tor-1"], quick, [5.0])["way"] == "refuse"
    assert restart_budget(off, ["tor-1"], quick, [5.0], 0.25, "drain")["way"] == "drain"


def test_a_router_that_the_record_does_not_know_is_a_problem():
    (problem,) = restart_budget(record(), ["tor-1", "tor-2"], [], [5.0])["problems"]
    assert "router tor-2: it wasn't asked" in problem


def agent(name, zone, **state):
    return {"name": name, "zone": zone, "current": True, "ready": True, "planned": False, **state}


def test_the_first_agent_that_is_restarted_is_alone_and_zones_are_not_mixed():
    hostvars = {"w1": {}, "w2": {"node_name": "worker-2"}, "w3": {}, "w4": {}, "w5": {}}
    agents = [
        agent("w1", "a"),
        agent("worker-2", "b", current=False),
        agent("w3", "a", current=False),
        agent("w4", "b", ready=False),
        agent("w5", "b", current=False),
    ]
    assert upgrade_batches(hostvars, hostvars, agents, "2") == [["w2"], ["w4", "w5"], ["w1", "w3"]]
    # One without an agent is not known to be of the present template.
    assert upgrade_batches(["w9", "w1"], {**hostvars, "w9": {}}, agents, 2) == [["w9"], ["w1"]]


def test_the_plan_of_check_mode_counts_the_agents_that_a_change_concerns():
    hostvars = {"w1": {}, "w2": {}, "w3": {}}
    agents = [agent("w1", "a", planned=True), agent("w2", "b"), agent("w3", "a", planned=True)]
    batches = upgrade_batches(hostvars, hostvars, agents, 2, True)
    assert batches == [["w1"], ["w3"], ["w2"]]
    line = "2 of 3 agents would be restarted, in this order: w1; w3"
    assert upgrade_plan(batches, hostvars, agents) == line
    assert upgrade_plan([["w2"]], hostvars, agents) == "0 of 1 agents would be restarted"


def test_restarts_of_this_run_and_earlier_ones_are_measured():
    hostvars = {"a": {"agent_restarted": {"seconds": 7.5}}, "b": {"agent_restarted": {"seconds": None}}, "c": {}}
    assert measured_restarts(hostvars, hostvars, ["9.5"]) == [9.5, 7.5]


@pytest.mark.parametrize(
    ("end", "words"),
    [
        ("refused", "nothing was changed on it"),
        ("put back", "its agent was not restarted"),
        ("held", "its record is kept"),
        ("left", "putting it back failed as well: no answer"),
    ],
)
def test_a_failure_names_what_was_not_touched_and_the_way_back(end, words):
    failure = {
        "task": "Restart the agent",
        "reason": "w2: its agent was away for 27 s.",
        "end": end,
        "left": "no answer",
    }
    hostvars = {"w1": {"claim_result": {"changed": True}}, "w2": {}, "w3": {}}
    line = upgrade_failure_line(failure, "w2", ["w1", "w2", "w3"], hostvars, "nodes")
    assert line.startswith("w2: its agent was away for 27 s; ")
    assert words in line
    assert "; not touched: w3; " in line
    assert line.endswith("ansible-playbook hitless.nodes.cilium_upgrade -e target=nodes -e agent_rollback=true")
    last = upgrade_failure_line({**failure, "reason": "no answer"}, "w3", ["w1", "w2", "w3"], hostvars, "nodes")
    assert last.startswith("w3: Restart the agent: no answer; ")
    assert "not touched" not in last


def test_the_plugin_names_its_filters():
    assert set(FilterModule().filters()) == {
        "upgrade_problems",
        "upgrade_batches",
        "upgrade_plan",
        "measured_restarts",
        "restart_budget",
        "upgrade_failure_line",
    }
