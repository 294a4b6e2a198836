# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from ansible_collections.hitless.nodes.plugins.filter import report

HISTORY: list[dict[str, Any]] = [
    {"phase": "claimed", "at": "2026-11-22T01:17:01.100Z"},
    {"phase": "drained", "at": "2026-11-22T01:17:05.400Z"},
    {
        "phase": "withdrawn",
        "at": "2026-11-22T01:17:31.400Z",
        "flipped_at": "2026-11-22T01:17:06.400000Z",
        "routers": {"tor-1": {"seconds": 20.4, "at_most": False}, "tor-2": {"seconds": 22.6, "at_most": True}},
    },
    {"phase": "off", "at": "2026-11-22T01:17:35.300Z"},
    {"phase": "on", "at": "2026-11-22T01:17:52.300Z"},
    {
        "phase": "announced",
        "at": "2026-11-22T01:18:01.900Z",
        "flipped_at": "2026-11-22T01:17:53.100000Z",
        "routers": {"tor-1": {"seconds": 3.4, "at_most": False}},
    },
    {"phase": "schedulable", "at": "2026-11-22T01:18:03.000Z"},
    {"phase": "released", "at": "2026-11-22T01:18:04.000Z"},
]
RELEASED = {
    "history": HISTORY,
    "before": {"unschedulable": False, "label": {"key": "enable-bgp", "value": "true"}, "addresses": [], "routes": {}},
    "restored": {"unschedulable": False, "label": {"key": "enable-bgp", "value": "true"}},
}
PROBE = {
    "udp_sent": 100,
    "udp_lost": 7,
    "tcp_new": 10,
    "tcp_failed": 0,
    "tcp_moved": 1,
    "seconds": 70.0,
    # 2026-11-22T01:17:00Z
    "started": 1795310220.0,
    "lost_per_100ms": [[12.1, 3], [12.2, 0], [12.9, 2], [14.0, 2]],
}


def summary(*sources: dict[str, Any], outcome: str = "maintenance", **more: Any) -> dict[str, Any]:
    return report.maintenance_summary(sources or (RELEASED,), "worker-3", outcome, **more)


def test_phases_have_the_seconds_since_the_one_before() -> None:
    phases = summary()["phases"]
    assert [phase["phase"] for phase in phases] == [entry["phase"] for entry in HISTORY]
    assert [phase["seconds"] for phase in phases] == [None, 4.3, 26.0, 3.9, 17.0, 9.6, 1.1, 1.0]


def test_summary_spans_the_history() -> None:
    found = summary()
    assert (found["started"], found["finished"], found["seconds"]) == (HISTORY[0]["at"], HISTORY[-1]["at"], 62.9)


def test_longest_history_counts() -> None:
    assert summary({"history": HISTORY[:3]}, RELEASED, {}, {"history": []})["history"] == HISTORY


def test_notes_without_a_new_phase_are_no_steps() -> None:
    history = [HISTORY[0], {"phase": "claimed", "at": "2026-11-22T01:17:02.000Z"}, HISTORY[1]]
    phases = summary({"history": history})["phases"]
    assert [phase["phase"] for phase in phases] == ["claimed", "drained"]
    assert phases[1]["seconds"] == 4.3


def test_time_between_two_runs_is_shown_as_interrupted() -> None:
    taken = {"phase": "drained", "at": "2026-11-22T01:20:00.400Z", "continued_by": "bob@x", "from": "alice@x"}
    phases = summary({"history": [*HISTORY[:2], taken, {**HISTORY[2], "at": "2026-11-22T01:20:30.400Z"}]})["phases"]
    assert [(phase["phase"], phase["activity"], phase["seconds"]) for phase in phases[2:]] == [
        ("resumed", "interrupted", 175.0),
        ("withdrawn", "withdraw routes", 30.0),
    ]


def test_routers_have_both_ways() -> None:
    first, second = summary()["routers"]
    assert (first["withdrawn"]["seconds"], first["announced"]["seconds"]) == (20.4, 3.4)
    assert second["withdrawn"]["at_most"] is True
    assert second["announced"] is None


def test_routers_keep_their_first_measurement() -> None:
    again = {**HISTORY[2], "at": "2026-11-22T01:17:33.400Z", "routers": {"tor-1": {"seconds": 0.1, "at_most": False}}}
    found = summary({"history": [*HISTORY[:3], {"phase": "drained", "at": again["at"]}, again]})
    assert found["routers"][0]["withdrawn"]["seconds"] == 20.4


def test_summary_without_any_history_is_empty() -> None:
    found = summary({}, outcome="check")
    assert (found["phases"], found["seconds"], found["started"]) == ([], 0.0, None)
    assert report.summary_lines(found) == ["worker-3: check mode: nothing was changed"]
    assert report.report_page(found)["timeline"]["rows"] == []


def test_lines_say_what_was_restored_and_lost() -> None:
    lines = report.summary_lines(summary(probe=PROBE), ["reports/x.html"])
    assert lines[0] == "worker-3: back in service (62.9 s)"
    assert "  restored: schedulable, label enable-bgp=true" in lines
    counted = "7 of 100 UDP requests lost, 0 of 10 new TCP connections failed"
    assert f"  traffic: {counted}, 1 were reset as a router's next hops changed" in lines
    assert "  router tor-2: routes gone at most 22.6 s after the label changed" in lines
    assert lines[-1] == "  reports/x.html"


@pytest.mark.parametrize(
    ("restored", "words"),
    [
        ({"unschedulable": True, "label": {"key": "k", "value": None}}, "cordoned, as before, label k (absent)"),
        ({"unschedulable": False, "label": {"key": "k", "value": ""}}, "schedulable, label k="),
        ({"unschedulable": False, "label": {"key": None, "value": None}}, "schedulable"),
    ],
)
def test_restored_in_words(restored: dict[str, Any], words: str) -> None:
    assert report.report_page(summary({**RELEASED, "restored": restored}))["restored"] == words


def test_failure_is_in_the_lines_and_on_the_page() -> None:
    found = summary(
        outcome="put back", failure={"task": "Wait", "reason": "worker-3: 1 prefix left", "end": "put back"}
    )
    assert report.summary_lines(found)[1] == "  failed:  Wait: worker-3: 1 prefix left"
    assert report.report_page(found)["tone"] == "bad"


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.04, "0.0 s"), (99.9, "99.9 s"), (100.0, "1 min 40 s"), (3599.6, "1 h 00 min"), (7325.0, "2 h 02 min")],
)
def test_duration_in_words(seconds: float, words: str) -> None:
    history = [
        {"phase": "claimed", "at": "2026-11-22T00:00:00.000Z"},
        {
            "phase": "drained",
            "at": f"2026-11-22T{int(seconds) // 3600:02d}:{int(seconds) % 3600 // 60:02d}:{seconds % 60:06.3f}Z",
        },
    ]
    assert report.report_page(summary({"history": history}))["took"] == words


def bars(found: dict[str, Any], name: str) -> list[dict[str, Any]]:
    timeline = report.report_page(found)["timeline"]
    return next(row["bars"] for row in timeline["rows"] if row["name"] == name)


def test_phase_bars_touch_and_stay_inside() -> None:
    drawn = bars(summary(), "phases")
    assert len(drawn) == len(HISTORY) - 1
    for left, right in pairwise(drawn):
        assert left["x"] + left["width"] == pytest.approx(right["x"], abs=0.2)
    assert drawn[0]["x"] == report.LEFT
    assert drawn[-1]["x"] + drawn[-1]["width"] <= report.WIDTH


def test_router_bars_show_use_leaving_absence_and_return() -> None:
    assert [block["kind"] for block in bars(summary(), "tor-1")] == ["routes", "leaving", "gone", "routes"]


def test_router_that_never_came_back_stays_gone() -> None:
    assert [block["kind"] for block in bars(summary({"history": HISTORY[:4]}), "tor-1")] == [
        "routes",
        "leaving",
        "gone",
    ]


def test_labels_are_left_out_where_they_do_not_fit() -> None:
    drawn = {block["kind"]: block["label"] for block in bars(summary(), "phases")}
    assert drawn["withdrawn"] == "withdraw routes"
    assert drawn["released"] == ""


def test_losses_are_drawn_by_the_second_at_their_time() -> None:
    drawn = bars(summary(probe=PROBE), "lost")
    assert [block["title"] for block in drawn] == ["5 lost", "2 lost"]
    assert drawn[0]["height"] == report.BAR
    # 12 s after the prober began, which was 1.1 s before the claim.
    scale = (report.WIDTH - report.LEFT - 10) / 62.9
    assert drawn[0]["x"] == pytest.approx(report.LEFT + 10.9 * scale, abs=0.2)


def test_no_loss_is_said() -> None:
    found = summary(probe={**PROBE, "udp_lost": 0, "lost_per_100ms": []})
    page = report.report_page(found)
    assert page["loss"]["tone"] == "good"
    assert page["timeline"]["rows"][-1]["note"] == "nothing lost"


def test_a_prober_s_file_that_is_not_there_is_not_taken_for_no_loss() -> None:
    found = summary(probe={"missing": "probe.json"})
    page = report.report_page(found)
    assert page["loss"] == {"words": "unknown, the prober's file probe.json is not there", "tone": "bad"}
    assert [row["name"] for row in page["timeline"]["rows"]] == ["phases", "tor-1", "tor-2"]


def test_losses_outside_widen_the_axis() -> None:
    found = summary(probe={**PROBE, "lost_per_100ms": [[200.0, 1]]})
    drawn = bars(found, "lost")
    assert drawn[0]["x"] + drawn[0]["width"] <= report.WIDTH


@pytest.mark.parametrize("hours", [0, 3, 23])
def test_ticks_are_few_and_round(hours: int) -> None:
    history = [HISTORY[0], {"phase": "drained", "at": f"2026-11-22T{hours:02d}:59:01.100Z"}]
    history[0] = {"phase": "claimed", "at": "2026-11-22T00:00:01.100Z"}
    ticks = report.report_page(summary({"history": history}))["timeline"]["ticks"]
    assert 2 <= len(ticks) <= 11
    assert ticks[0]["label"] == "0 s"


CLAIMED = {
    "before": {
        "evidence": "router",
        "unschedulable": False,
        "label": {"key": "enable-bgp", "value": "true"},
        "routes": {"tor-1": {}, "tor-2": {}},
    },
    "prefixes": ["10.1.3.0/24", "198.51.100.10/32"],
    "withdrawal": {"seconds": 22, "unbounded": False, "reason": "router tor-1: kept as stale"},
}
INFO = {"bgp": {"label": {"key": "enable-bgp", "value": "true", "deselect_value": "false"}}}
DRAINED = {
    "pods": [
        {"namespace": "shop", "name": "web-1", "action": "evict"},
        {"namespace": "kube-system", "name": "cilium-x", "action": "skip"},
    ]
}


def test_plan_of_a_maintenance_goes_out_and_back() -> None:
    assert report.maintenance_plan(CLAIMED, INFO, DRAINED, "maintenance", "poweroff") == [
        "cordon it and evict 1 pods (shop/web-1)",
        "change label enable-bgp=false",
        "wait until 2 prefixes (10.1.3.0/24, 198.51.100.10/32) are gone from tor-1, tor-2 (estimated, not observed: "
        "at most 22 s; router tor-1: kept as stale)",
        "switch it off",
        "wait until it is Ready, and restore label enable-bgp=true",
        "wait until the routes are back on tor-1, tor-2",
        "uncordon it",
    ]


def test_plan_of_a_half_has_that_half_only() -> None:
    assert len(report.maintenance_plan(CLAIMED, INFO, DRAINED, "out", "none")) == 3
    cordoned = {**CLAIMED, "before": {**CLAIMED["before"], "unschedulable": True}}
    steps = report.maintenance_plan(cordoned, INFO, {}, "in", "poweroff")
    assert steps[-1] == "leave it cordoned, as it was"


def test_plan_names_a_label_that_would_be_absent() -> None:
    info = {"bgp": {"label": {"key": "bgp", "value": "", "deselect_value": None}}}
    assert "change label bgp (absent)" in report.maintenance_plan(CLAIMED, info, DRAINED, "out", "none")


def test_plan_says_where_a_withdrawal_has_no_bound() -> None:
    claimed = {**CLAIMED, "withdrawal": {"seconds": None, "unbounded": True, "reason": "long-lived"}}
    step = report.maintenance_plan(claimed, INFO, DRAINED, "out", "none")[2]
    assert step.endswith("(estimated, not observed: there is no bound; long-lived)")


@pytest.mark.parametrize(
    ("evidence", "words"),
    [
        ("cilium", "ask its agent until its sessions are closed, and wait for as long as routers may go on"),
        ("estimate", "wait for as long as routers may go on"),
    ],
)
def test_plan_without_routers_says_what_is_waited_for(evidence: str, words: str) -> None:
    claimed = {**CLAIMED, "before": {**CLAIMED["before"], "evidence": evidence, "routes": {}}}
    steps = report.maintenance_plan(claimed, INFO, DRAINED, "maintenance", "none")
    assert steps[2] == f"{words} (estimated, not observed: at most 22 s; router tor-1: kept as stale)"
    assert "wait until Cilium announces as many routes as before" in steps


def test_an_estimated_withdrawal_is_said_to_be_one() -> None:
    bound = {"seconds": 22, "unbounded": False, "reason": "peer tor-1: kept as stale", "overridden": False}
    withdrawn = {**HISTORY[2], "routers": {}, "evidence": "cilium", "estimate": bound}
    found = summary({"history": [*HISTORY[:2], withdrawn]})
    assert found["evidence"] == {"kind": "cilium", "observed": False, **bound}
    words = (
        "estimated, not observed: taken as gone 22 s after the agent had closed the sessions (evidence cilium; "
        "peer tor-1: kept as stale)"
    )
    assert f"  routes:  {words}" in report.summary_lines(found)
    assert report.report_page(found)["estimated"] == words


def test_a_withdrawal_that_routers_proved_is_no_estimate() -> None:
    found = summary({"history": [*HISTORY[:2], {**HISTORY[2], "evidence": "router", "estimate": {}}]})
    assert found["evidence"] == {"kind": "router", "observed": True}
    assert report.report_page(found)["estimated"] == ""
    assert not any("estimated" in line for line in report.summary_lines(found))


def test_plan_without_a_claim_is_empty() -> None:
    assert report.maintenance_plan({}, INFO, {}, "maintenance", "poweroff") == []


def test_lines_of_check_mode_say_what_would_be_done() -> None:
    lines = report.summary_lines(summary({"history": HISTORY[:1]}, outcome="check", plan=["switch it off"]))
    assert lines == ["worker-3: check mode: nothing was changed", "  would switch it off"]


@pytest.mark.parametrize(
    ("result", "reason"),
    [
        ({"msg": "one\n  two "}, "one two"),
        ({"msg": "All items completed", "results": [{"failed": True, "msg": "a"}, {"msg": "fine"}]}, "a"),
        ({"msg": "x", "results": [{"unreachable": True, "msg": "a"}, {"failed": True, "msg": "b"}]}, "a; b"),
        ({"msg": "x", "results": [{"failed": True, "msg": "a"}, {"failed": True, "msg": "a"}]}, "a"),
        ({"msg": "Task failed: Action failed: no"}, "no"),
        ({"msg": "\x1b[0;1;38;5;185mFailed\x1b[0m to\r\n start"}, "Failed to start"),
        ({}, "it gave no reason"),
    ],
)
def test_failure_reason(result: dict[str, Any], reason: str) -> None:
    assert report.failure_reason(result) == reason


@pytest.mark.parametrize(
    ("end", "direction", "words"),
    [
        ("refused", "maintenance", "worker-3: no such node; nothing was changed"),
        ("put back", "out", "worker-3: no such node; the node was put back as it was"),
        ("left", "out", "putting it back failed as well: API away; its record is kept"),
        (
            "stopped",
            "maintenance",
            "run ansible-playbook hitless.nodes.node_maintenance -e target=worker-3 again, or bring it",
        ),
        ("stopped", "probe", "to go on, bring it back with: ansible-playbook hitless.nodes.node_in -e target=worker-3"),
        ("stopped", "in", "to go on, bring it back with: ansible-playbook hitless.nodes.node_in -e target=worker-3"),
    ],
)
def test_failure_line_is_one_line_that_says_what_now(end: str, direction: str, words: str) -> None:
    failure = {"task": "Read", "reason": "worker-3: no such node.", "end": end, "left": "API away"}
    line = report.failure_line(failure, "worker-3", direction)
    assert words in line
    assert line.startswith("worker-3: no such node; ")
    assert "\n" not in line


@pytest.mark.parametrize(
    ("reason", "begin"),
    [
        ("worker-3 is held by bob@x", "worker-3 is held by bob@x; "),
        ("non-zero return code", "worker-3: Flash the firmware: non-zero return code; "),
    ],
)
def test_failure_line_names_the_node_once_and_the_task_where_it_is_needed(reason: str, begin: str) -> None:
    failure = {"task": "Flash the firmware", "reason": reason, "end": "refused"}
    assert report.failure_line(failure, "worker-3", "out").startswith(begin)


def test_failure_line_says_which_routes_are_not_back() -> None:
    failure = {"task": "Wait", "reason": "x", "end": "put back"}
    line = report.failure_line(failure, "worker-3", "out", "router tor-1: 2 missing")
    assert line.endswith("the node was put back as it was, but not all routes are back: router tor-1: 2 missing")


def test_a_restart_of_the_agent_is_shown_against_its_budget() -> None:
    agent = {"seconds": 9.3, "steps": {"gone": 1.2, "running": 6.4, "ready": 6.9, "sessions": 9.3}, "budget": 20.0}
    again = {**agent, "seconds": None, "steps": {}}
    restarted = {"phase": "restarted", "at": "2026-11-22T01:17:30.000Z", "agent": agent}
    found = summary({"history": [HISTORY[0], restarted, {**restarted, "agent": again}]}, outcome="upgrade")
    assert found["agent"] == agent
    words = "  agent: away for 9.3 s of 20.0 s (gone 1.2 s, running 6.4 s, ready 6.9 s, sessions 9.3 s)"
    assert words in report.summary_lines(found)
    rows = {row["step"]: row["share"] for row in report.report_page(found)["agent"]}
    assert rows == {"gone": 0.06, "running": 0.32, "ready": 0.345, "sessions": 0.465, "away": 0.465, "budget": 1.0}
    assert report.report_page(summary({"history": HISTORY}))["agent"] == []
