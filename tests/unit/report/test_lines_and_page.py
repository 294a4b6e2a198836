# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.hitless.nodes.plugins.module_utils.report.lines import summary_lines
from ansible_collections.hitless.nodes.plugins.module_utils.report.page import report_page
from ansible_collections.hitless.nodes.tests.unit.report_samples import HISTORY, PROBE, RELEASED, summary


def test_summary_without_any_history_is_empty() -> None:
    found = summary({}, outcome="check")
    assert (found["phases"], found["seconds"], found["started"]) == ([], 0.0, None)
    assert summary_lines(found) == ["worker-3: check mode: nothing was changed"]
    assert report_page(found)["timeline"]["rows"] == []


def test_lines_say_what_was_restored_and_lost() -> None:
    lines = summary_lines(summary(probe=PROBE), ["reports/x.html"])
    assert lines[0] == "worker-3: back in service (62.9 s)"
    assert "  restored: schedulable, label enable-bgp=true" in lines
    counted = "7 of 100 UDP requests lost, 0 of 10 new TCP connections failed"
    assert f"  traffic: {counted}, 1 were reset as a router's next hops changed" in lines
    assert "  router tor-2: routes gone 22.6 s after the label changed" in lines
    assert "  looked:  once more at tor-1 and tor-2, 1.4 s before the shutdown" in lines
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
    assert report_page(summary({**RELEASED, "restored": restored}))["restored"] == words


def test_failure_is_in_the_lines_and_on_the_page() -> None:
    found = summary(
        outcome="put back", failure={"task": "Wait", "reason": "worker-3: 1 prefix left", "end": "put back"}
    )
    assert summary_lines(found)[1] == "  failed:  Wait: worker-3: 1 prefix left"
    assert report_page(found)["tone"] == "bad"


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
    assert report_page(summary({"history": history}))["took"] == words


def test_no_loss_is_said() -> None:
    found = summary(probe={**PROBE, "udp_lost": 0, "lost_per_100ms": []})
    page = report_page(found)
    assert page["loss"]["tone"] == "good"
    assert page["timeline"]["rows"][-1]["note"] == "nothing lost"


@pytest.mark.parametrize(("key", "words"), [("missing", "is not there"), ("unreadable", "can't be read")])
def test_a_prober_s_file_that_tells_nothing_is_not_taken_for_no_loss(key: str, words: str) -> None:
    found = summary(probe={key: "probe.json"})
    page = report_page(found)
    assert page["loss"] == {"words": f"unknown, the prober's file probe.json {words}", "tone": "bad"}
    assert f"  traffic: {page['loss']['words']}" in summary_lines(found)
    assert [row["name"] for row in page["timeline"]["rows"]] == ["phases", "tor-1", "tor-2"]


def test_an_estimated_withdrawal_is_said_to_be_one() -> None:
    bound = {"seconds": 22, "unbounded": False, "reason": "peer tor-1: kept as stale", "overridden": False}
    withdrawn = {**HISTORY[2], "routers": {}, "evidence": "cilium", "estimate": bound}
    found = summary({"history": [*HISTORY[:2], withdrawn]})
    assert found["evidence"] == {"kind": "cilium", "observed": False, **bound}
    words = (
        "estimated, not observed: taken as gone 22 s after the agent had closed the sessions (evidence cilium; "
        "peer tor-1: kept as stale)"
    )
    assert f"  routes:  {words}" in summary_lines(found)
    assert report_page(found)["estimated"] == words


def test_a_withdrawal_that_routers_proved_is_no_estimate() -> None:
    found = summary({"history": [*HISTORY[:2], {**HISTORY[2], "evidence": "router", "estimate": {}}]})
    assert found["evidence"] == {"kind": "router", "observed": True}
    assert report_page(found)["estimated"] == ""
    assert not any("estimated" in line for line in summary_lines(found))


def test_lines_of_check_mode_say_what_would_be_done() -> None:
    lines = summary_lines(summary({"history": HISTORY[:1]}, outcome="check", plan=["switch it off"]))
    assert lines == ["worker-3: check mode: nothing was changed", "  would switch it off"]


def test_a_restart_of_the_agent_is_shown_against_its_budget() -> None:
    agent = {"seconds": 9.3, "steps": {"gone": 1.2, "running": 6.4, "ready": 6.9, "sessions": 9.3}, "budget": 20.0}
    again = {**agent, "seconds": None, "steps": {}}
    restarted = {"phase": "restarted", "at": "2026-11-22T01:17:30.000Z", "agent": agent}
    found = summary({"history": [HISTORY[0], restarted, {**restarted, "agent": again}]}, outcome="upgrade")
    assert found["agent"] == agent
    words = "  agent: away for 9.3 s of 20.0 s (gone 1.2 s, running 6.4 s, ready 6.9 s, sessions 9.3 s)"
    assert words in summary_lines(found)
    rows = {row["step"]: row["share"] for row in report_page(found)["agent"]}
    assert rows == {"gone": 0.06, "running": 0.32, "ready": 0.345, "sessions": 0.465, "away": 0.465, "budget": 1.0}
    assert report_page(summary({"history": HISTORY}))["agent"] == []


def test_what_was_waived_and_what_stays_is_in_the_lines_and_on_the_page() -> None:
    more = {"waived": {"peers": ["tor-9"], "routers": ["spine-1"]}, "staying": ["10.0.0.13/32"]}
    found = summary({**RELEASED, "before": RELEASED["before"] | more})
    seen = "sessions with tor-9 (claim_unseen_peers), sessions on spine-1 (claim_transit_routers)"
    stays = "10.0.0.13/32 is announced by other means than Cilium, so nobody waited for it"
    assert f"  not seen: {seen}" in summary_lines(found)
    assert f"  stays:   {stays}" in summary_lines(found)
    assert (report_page(found)["waived"], report_page(found)["stays"]) == (seen, stays)
    assert (report_page(summary())["waived"], report_page(summary())["stays"]) == ("", "")
