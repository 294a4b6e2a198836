# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to hitless.nodes: it may change in any release, don't import it from elsewhere.

"""Windows: when nodes may be begun, by the local time of a time zone, and whether one more node would end in time.

A window is {days, start, end, tz}. days: the weekdays on which it begins. An end that isn't after the start is on the
next day. Pure functions. A moment is a datetime with a zone.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from ..base.errors import HitlessError

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
CLOCK = re.compile(r"([01]?[0-9]|2[0-3]):([0-5][0-9])")
KEYS = {"days", "start", "end", "tz"}


@dataclass(frozen=True)
class Window:
    """One window. days: the weekdays on which it begins, as numbers. Monday is 0."""

    days: frozenset[int]
    start: time
    end: time
    zone: ZoneInfo

    def on(self, day: date) -> tuple[datetime, datetime] | None:
        """Start and end (UTC) of the window that begins on a day, None if none does.

        When clocks go forward, a start may not exist. It is then as much later as the clocks go forward. An end may not
        exist, or may exist twice. Then the earlier moment counts. Such a window may be empty, which gives None.
        """
        if day.weekday() not in self.days:
            return None
        last = day if self.end > self.start else day + timedelta(days=1)
        start = datetime.combine(day, self.start, self.zone).astimezone(UTC)
        ends = [datetime.combine(last, self.end.replace(fold=fold), self.zone).astimezone(UTC) for fold in (0, 1)]
        return (start, min(ends)) if start < min(ends) else None


def _clock(value: Any, key: str) -> time:
    # YAML 1.1 reads 22:00 without quotes as a number to the base 60.
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 24 * 60:
        return time(value // 60, value % 60)
    match = CLOCK.fullmatch(str(value).strip())
    if not match:
        raise HitlessError(f"window: {key} is {value!r}, and must be a time of day such as '22:00'")
    return time(int(match[1]), int(match[2]))


def parse(value: Any) -> list[Window]:
    """The windows in a variable: a dict or a list of dicts; [] for nothing; raises HitlessError."""
    if value in (None, "", [], {}):
        return []
    return [_window(each) for each in (value if isinstance(value, (list, tuple)) else [value])]


def _window(value: Any) -> Window:
    if not isinstance(value, Mapping) or not {"start", "end"} <= set(value) or not set(value) <= KEYS:
        raise HitlessError(
            f"window is {value!r}, and must have start and end (times of day), and may have days and tz, such as "
            "{days: [sat, sun], start: '22:00', end: '05:00', tz: Europe/Berlin}"
        )
    return Window(
        _days(value.get("days") or DAYS),
        _clock(value["start"], "start"),
        _clock(value["end"], "end"),
        _zone(value.get("tz") or "UTC"),
    )


def _days(value: Any) -> frozenset[int]:
    """The numbers of weekdays that are given by name. The first three letters of a name count."""
    days = [value] if isinstance(value, str) else list(value)
    names = [str(day).lower()[:3] for day in days]
    if not set(names) <= set(DAYS):
        raise HitlessError(f"window: days is {days!r}, and must be some of {', '.join(DAYS)}")
    return frozenset(DAYS.index(name) for name in names)


def _zone(name: Any) -> ZoneInfo:
    try:
        return ZoneInfo(str(name))
    except (ZoneInfoNotFoundError, ValueError, OSError) as exc:
        raise HitlessError(
            f"window: tz is {name!r}, and this machine knows no such time zone: give a name such as Europe/Berlin"
        ) from exc


def spans(windows: Iterable[Window], now: datetime) -> list[tuple[datetime, datetime]]:
    """The windows (UTC) from the day before a moment to eight days after it. Windows that touch are joined."""
    single = []
    for window in windows:
        today = now.astimezone(window.zone).date()
        for offset in range(-1, 9):
            span = window.on(today + timedelta(days=offset))
            if span:
                single.append(span)
    joined: list[tuple[datetime, datetime]] = []
    for start, end in sorted(single):
        if joined and start <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        else:
            joined.append((start, end))
    return joined


def deadline(value: Any) -> datetime | None:
    """The moment of a deadline, which is RFC 3339 with a time zone; None for nothing; raises HitlessError."""
    if value is None or value == "":
        return None
    try:
        moment = value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
    except ValueError as exc:
        raise HitlessError(f"deadline is {value!r}, and must be a time such as 2026-03-03T05:00:00+01:00") from exc
    if moment.tzinfo is None:
        raise HitlessError(f"deadline is {value}, and must have a time zone, such as 2026-03-03T05:00:00+01:00")
    return moment


def objection(
    windows: list[Window], now: datetime, *, needed: float | None = None, until: datetime | None = None
) -> str:
    """Why no node may be begun now, in words; "" if one may. needed: seconds that a node takes, None if unknown."""
    zone = windows[0].zone if windows else None
    ends = [(until, "the deadline")] if until else []
    if windows:
        around = spans(windows, now)
        is_open = [span for span in around if span[0] <= now < span[1]]
        if not is_open:
            return f"no window is open: {_next(around, now, windows[0].zone)}"
        ends.append((is_open[0][1], "the window"))
    for end, what in sorted(ends):
        problem = _too_late(what, (end - now).total_seconds(), needed, _local(end, zone))
        if problem:
            return problem
    return ""


def _next(around: list[tuple[datetime, datetime]], now: datetime, zone: ZoneInfo) -> str:
    for start, _end in around:
        if start > now:
            return f"the next one begins at {_local(start, zone)}"
    return "none begins in the next eight days"


def _too_late(what: str, left: float, needed: float | None, when: str) -> str:
    """Why a node may not be begun this many seconds before an end, "" if it may."""
    if left <= 0:
        return f"{what} has passed: it was {when}"
    if needed is not None and needed > left:
        return f"{what} ends at {when}, in {left:.0f} s, and a node has taken up to {needed:.0f} s"
    return ""


def _local(moment: datetime, zone: ZoneInfo | None) -> str:
    """A moment in the time zone of the windows, or as it was given if there are no windows."""
    if zone is None:
        return moment.isoformat(timespec="minutes")
    return f"{moment.astimezone(zone):%Y-%m-%d %H:%M} ({zone.key})"
