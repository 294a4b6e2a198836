# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest
from ansible_collections.hitless.nodes.plugins.module_utils.base.errors import HitlessError
from ansible_collections.hitless.nodes.plugins.module_utils.schedule.windows import deadline, objection, parse, spans

BERLIN = ZoneInfo("Europe/Berlin")
NIGHT = {"days": ["fri"], "start": "22:00", "end": "05:00", "tz": "Europe/Berlin"}


def at(text, zone=BERLIN):
    return datetime.fromisoformat(text).replace(tzinfo=zone)


@pytest.mark.parametrize(
    ("now", "is_open"),
    [
        ("2026-03-06T21:59:59", False),
        ("2026-03-06T22:00:00", True),  # a Friday
        ("2026-03-07T04:59:59", True),
        ("2026-03-07T05:00:00", False),
        ("2026-03-07T22:30:00", False),
        ("2026-03-06T03:00:00", False),  # that would be Thursday's
    ],
)
def test_a_window_across_midnight_belongs_to_the_day_on_which_it_begins(now, is_open):
    assert (objection(parse(NIGHT), at(now)) == "") is is_open


def test_it_says_when_the_next_one_begins():
    words = objection(parse(NIGHT), at("2026-03-07T12:00:00"))
    assert words == "no window is open: the next one begins at 2026-03-13 22:00 (Europe/Berlin)"


def test_without_windows_and_deadline_every_moment_is_right():
    assert objection([], datetime.now(UTC), needed=1e9) == ""


@pytest.mark.parametrize("empty", [None, "", [], {}])
def test_nothing_is_no_window(empty):
    assert parse(empty) == []


def test_no_node_is_begun_that_can_not_end_in_time():
    windows = parse(NIGHT)
    assert objection(windows, at("2026-03-07T04:50:00"), needed=600) == ""
    words = objection(windows, at("2026-03-07T04:50:01"), needed=600)
    assert words == "the window ends at 2026-03-07 05:00 (Europe/Berlin), in 599 s, and a node has taken up to 600 s"
    assert objection(windows, at("2026-03-07T04:59:59"), needed=None) == ""


def test_a_deadline_within_the_window_counts():
    until = deadline("2026-03-06T23:00:00+01:00")
    assert objection(parse(NIGHT), at("2026-03-06T22:30:00"), needed=1800, until=until) == ""
    assert objection(parse(NIGHT), at("2026-03-06T22:30:01"), needed=1800, until=until).startswith("the deadline ends")
    assert objection([], at("2026-03-06T23:00:00"), until=until).startswith("the deadline has passed: it was")


def test_windows_that_touch_are_one():
    windows = parse(
        [{**NIGHT, "end": "00:00"}, {"days": "sat", "start": "00:00", "end": "03:00", "tz": "Europe/Berlin"}]
    )
    ((start, end),) = [
        span for span in spans(windows, at("2026-03-06T22:00:00")) if span[0] <= at("2026-03-06T22:00:00")
    ]
    assert (end - start).total_seconds() == 5 * 3600
    assert objection(windows, at("2026-03-06T23:30:00"), needed=3 * 3600) == ""


def length(window, day):
    span = parse(window)[0].on(date.fromisoformat(day))
    return None if span is None else (span[1] - span[0]).total_seconds() / 3600


def test_daylight_saving_time():
    """In Berlin, 2026-03-29 has no 02:00 to 03:00, and 2026-10-25 has it twice."""
    usual = {"start": "22:00", "end": "05:00", "tz": "Europe/Berlin"}
    assert (length(usual, "2026-03-27"), length(usual, "2026-03-28"), length(usual, "2026-10-24")) == (7, 6, 8)
    # An end that comes twice is the first one, one that doesn't come is the earlier reading of it.
    late = {**usual, "end": "02:30"}
    assert (length(late, "2026-10-24"), length(late, "2026-03-28")) == (4.5, 3.5)
    # A start that doesn't come is later by the hour that is missing.
    early = {**usual, "start": "02:30", "end": "05:00"}
    assert (length(early, "2026-03-28"), length(early, "2026-03-29")) == (2.5, 1.5)
    # And a window that lies in the missing hour isn't there that night.
    assert length({**usual, "start": "02:10", "end": "02:50"}, "2026-03-29") is None


def test_a_whole_day_is_from_a_time_to_the_same_time():
    assert length({"start": "00:00", "end": "00:00"}, "2026-03-06") == 24


def test_what_yaml_makes_of_a_time_without_quotes_is_taken_back():
    # 22:00 is 1320 in YAML 1.1; 05:00 stays text.
    assert length({"start": 1320, "end": "05:00"}, "2026-03-06") == 7


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("22:00-05:00", "must have start and end"),
        ({"start": "22:00"}, "must have start and end"),
        ({**NIGHT, "zone": "x"}, "must have start and end"),
        ({**NIGHT, "start": "24:00"}, "start is '24:00'"),
        ({**NIGHT, "end": "late"}, "end is 'late'"),
        ({**NIGHT, "start": True}, "start is True"),
        ({**NIGHT, "days": ["someday"]}, r"days is \['someday'\]"),
        ({**NIGHT, "tz": "Europe/Nowhere"}, "tz is 'Europe/Nowhere', and this machine knows no such time zone"),
        ({**NIGHT, "tz": "../etc/passwd"}, "no such time zone"),
    ],
)
def test_what_is_no_window_is_refused(value, words):
    with pytest.raises(HitlessError, match=words):
        parse(value)


@pytest.mark.parametrize(
    ("value", "words"), [("tomorrow", "must be a time such as"), ("2026-03-03T05:00:00", "must have a time zone")]
)
def test_what_is_no_deadline_is_refused(value, words):
    with pytest.raises(HitlessError, match=words):
        deadline(value)
