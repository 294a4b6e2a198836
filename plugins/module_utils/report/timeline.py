# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to hitless.nodes: it may change in any release, don't import it from elsewhere.

"""The geometry of the timeline on a maintenance's page, in the units of the SVG's viewBox."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from .lines import UNKNOWN_LOSS
from .words import duration, measured, moment

Part = Mapping[str, Any]
Bar = dict[str, Any]
# (second since the start, how many were lost in it)
Losses = list[tuple[float, int]]

# Widths of the names' column and of the drawing, position of the first row, distance of rows, height of a bar.
LEFT = 110
WIDTH = 960
TOP = 8
ROW = 34
BAR = 20
# About the width of a letter. A label that doesn't fit its bar is only in the tooltip and the table.
LETTER = 6.6
# Seconds between two ticks. The first one that gives at most MOST_TICKS is used.
STEPS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 28800, 86400)
MOST_TICKS = 10


@dataclass(frozen=True)
class Axis:
    """The time axis. origin: the start of the maintenance (epoch). begin, end: its ends, in seconds from origin."""

    origin: float
    begin: float
    end: float

    def since(self, at: str) -> float:
        """Seconds from the start to a moment of the record."""
        return moment(at).timestamp() - self.origin

    def x(self, seconds: float) -> float:
        """The position of a second. A second outside of the axis is drawn at its edge."""
        inside = min(max(seconds, self.begin), self.end)
        return round(LEFT + (inside - self.begin) * (WIDTH - LEFT - 10) / (self.end - self.begin), 1)

    def stretch(self, kind: str, first: float, last: float, title: str, label: str = "") -> Bar:
        """A bar from one second to another. It has its label if the label fits."""
        left = self.x(first)
        width = round(max(self.x(last) - left, 1.0), 1)
        fits = len(label) * LETTER < width - 6
        return {
            "kind": kind,
            "x": left,
            "width": width,
            "middle": round(left + width / 2, 1),
            "label": label if fits else "",
            "title": title,
        }


def timeline(summary: Part) -> dict[str, Any]:
    """Width and height, ticks, and rows of bars. No rows if nothing has a time, as in check mode."""
    if not summary["phases"]:
        return {"width": WIDTH, "height": 0, "left": LEFT, "bar": BAR, "bottom": 0, "ticks": [], "rows": []}
    origin = moment(summary["started"]).timestamp()
    losses = _losses(summary["loss"], origin)
    begin, end = 0.0, max(summary["seconds"], 0.1)
    if losses:
        # A prober may have begun before, and ended after.
        begin, end = min(begin, losses[0][0]), max(end, losses[-1][0] + 1)
    axis = Axis(origin, begin, end)
    rows = [_row("phases", _phase_bars(axis, summary["phases"]))]
    rows += [_row(router["router"], _router_bars(axis, router)) for router in summary["routers"]]
    if _is_known(summary["loss"]):
        rows.append(_row("lost", _loss_bars(axis, losses), "" if losses else "nothing lost"))
    for number, row in enumerate(rows):
        row["y"] = TOP + number * ROW
    bottom = rows[-1]["y"] + BAR + 6
    return {
        "width": WIDTH,
        "height": bottom + 22,
        "left": LEFT,
        "bar": BAR,
        "bottom": bottom,
        "ticks": [{"x": axis.x(at), "label": _tick_label(at)} for at in _ticks(begin, end)],
        "rows": rows,
    }


def _row(name: str, bars: list[Bar], note: str = "") -> dict[str, Any]:
    return {"name": name, "bars": bars, "note": note}


def _phase_bars(axis: Axis, phases: Iterable[Part]) -> list[Bar]:
    bars = []
    for earlier, phase in itertools.pairwise(phases):
        title = f"{phase['activity']}: {duration(phase['seconds'])}, {phase['phase']} at {phase['at']}"
        first, last = axis.since(earlier["at"]), axis.since(phase["at"])
        bars.append(axis.stretch(phase["phase"], first, last, title, phase["activity"]))
    return bars


def _router_bars(axis: Axis, router: Part) -> list[Bar]:
    """The times with the node's routes on a router: from the start until they were gone, and since they are back."""
    gone, back = router["withdrawn"], router["announced"]
    bars = []
    absent_from = 0.0
    if gone:
        flipped = axis.since(gone["flipped_at"])
        absent_from = flipped + gone["seconds"]
        title = f"gone {measured(gone)} after the label changed"
        bars.append(axis.stretch("routes", 0.0, flipped, "in use", "in use"))
        bars.append(axis.stretch("leaving", flipped, absent_from, title, "leaving"))
    present_from = axis.since(back["flipped_at"]) + back["seconds"] if back else axis.end
    bars.append(axis.stretch("gone", absent_from, present_from, "no path to the node", "no path to the node"))
    if back:
        title = f"back {measured(back)} after the label was restored"
        bars.append(axis.stretch("routes", present_from, axis.end, title, "in use"))
    return bars


def _is_known(loss: Part | None) -> bool:
    return loss is not None and not any(key in loss for key in UNKNOWN_LOSS)


def _losses(loss: Part | None, origin: float) -> Losses:
    """Every second in which something was lost, in order."""
    seconds: dict[int, int] = {}
    if loss:
        for at, count in loss.get("lost_per_100ms", []):
            if count:
                second = int(loss["started"] + at)
                seconds[second] = seconds.get(second, 0) + count
    return [(second - origin, count) for second, count in sorted(seconds.items())]


def _loss_bars(axis: Axis, losses: Losses) -> list[Bar]:
    """Bars whose height is the number of losses in their second."""
    most = max((count for _at, count in losses), default=0)
    bars = []
    for at, count in losses:
        height = round(max(BAR * count / most, 2.0), 1)
        drawn = axis.stretch("loss", at, at + 1, f"{count} lost")
        bars.append({**drawn, "height": height, "top": round(BAR - height, 1)})
    return bars


def _ticks(begin: float, end: float) -> list[float]:
    step = next((each for each in STEPS if (end - begin) / each <= MOST_TICKS), STEPS[-1])
    first = -(-begin // step)
    return [number * step for number in range(int(first), int(end // step) + 1)]


def _tick_label(at: float) -> str:
    sign, seconds = ("-" if at < 0 else ""), abs(int(at))
    hours, rest = divmod(seconds, 3600)
    minutes, rest = divmod(rest, 60)
    if hours:
        return f"{sign}{hours}:{minutes:02d}:{rest:02d}"
    return f"{sign}{minutes}:{rest:02d}" if minutes else f"{sign}{rest} s"
