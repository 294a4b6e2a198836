# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.hitless.nodes.plugins.module_utils.report.summary import OUTCOMES, outcome_of, was_begun
from ansible_collections.hitless.nodes.tests.unit.report_samples import HISTORY, RELEASED, summary


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
    assert second["announced"] is None


def test_routers_keep_their_first_measurement() -> None:
    again = {**HISTORY[2], "at": "2026-11-22T01:17:33.400Z", "routers": {"tor-1": {"seconds": 0.1}}}
    found = summary({"history": [*HISTORY[:3], {"phase": "drained", "at": again["at"]}, again]})
    assert found["routers"][0]["withdrawn"]["seconds"] == 20.4


def test_a_maintenance_was_begun_once_its_node_was_claimed() -> None:
    assert was_begun([{}, {"history": []}], {})
    assert was_begun([RELEASED], {"end": "put back"})
    assert not was_begun([{}, {"skipped": True}], {})
    assert not was_begun([RELEASED], {"end": "refused"})


@pytest.mark.parametrize(
    ("failure", "check_mode", "outcome"),
    [({}, False, "in"), ({}, True, "check"), ({"end": "left"}, False, "left"), ({"end": "left"}, True, "check")],
)
def test_the_outcome_is_that_of_the_failure_or_the_direction(
    failure: dict[str, str], check_mode: bool, outcome: str
) -> None:
    assert outcome_of("in", failure, check_mode=check_mode) == outcome
    assert outcome in OUTCOMES
