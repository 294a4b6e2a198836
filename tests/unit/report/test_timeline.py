# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from ansible_collections.hitless.nodes.plugins.module_utils.report.timeline import BAR, LEFT, WIDTH, timeline
from ansible_collections.hitless.nodes.tests.unit.report_samples import HISTORY, PROBE, summary


def bars(found: dict[str, Any], name: str) -> list[dict[str, Any]]:
    return next(row["bars"] for row in timeline(found)["rows"] if row["name"] == name)


def test_phase_bars_touch_and_stay_inside() -> None:
    drawn = bars(summary(), "phases")
    assert len(drawn) == len(HISTORY) - 1
    for left, right in pairwise(drawn):
        assert left["x"] + left["width"] == pytest.approx(right["x"], abs=0.2)
    assert drawn[0]["x"] == LEFT
    assert drawn[-1]["x"] + drawn[-1]["width"] <= WIDTH


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
    assert drawn[0]["height"] == BAR
    # 12 s after the prober began, which was 1.1 s before the claim.
    scale = (WIDTH - LEFT - 10) / 62.9
    assert drawn[0]["x"] == pytest.approx(LEFT + 10.9 * scale, abs=0.2)


def test_losses_outside_widen_the_axis() -> None:
    found = summary(probe={**PROBE, "lost_per_100ms": [[200.0, 1]]})
    drawn = bars(found, "lost")
    assert drawn[0]["x"] + drawn[0]["width"] <= WIDTH


@pytest.mark.parametrize("hours", [0, 3, 23])
def test_ticks_are_few_and_round(hours: int) -> None:
    history = [HISTORY[0], {"phase": "drained", "at": f"2026-11-22T{hours:02d}:59:01.100Z"}]
    history[0] = {"phase": "claimed", "at": "2026-11-22T00:00:01.100Z"}
    ticks = timeline(summary({"history": history}))["ticks"]
    assert 2 <= len(ticks) <= 11
    assert ticks[0]["label"] == "0 s"
