# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.hitless.nodes.plugins.module_utils.base.errors import HitlessError
from ansible_collections.hitless.nodes.plugins.module_utils.base.polling import (
    Limits,
    SliceOver,
    TimedOut,
    Unfinished,
    patiently,
    poll,
)


class AwayError(HitlessError):
    """A question that got no answer."""


class World:
    """A clock that moves only when somebody sleeps, and a thing whose value is a function of the time."""

    def __init__(self, value_at, probe_costs=0.0):
        self.now = 1000.0
        self.probes = 0
        self.value_at = value_at
        self.probe_costs = probe_costs

    def clock(self):
        return self.now

    def sleep(self, seconds):
        assert seconds >= 0
        self.now += seconds

    def probe(self):
        self.probes += 1
        self.now += self.probe_costs
        value = self.value_at(self.now - 1000.0)
        if isinstance(value, Exception):
            raise value
        return value

    def wait(self, *, timeout=10.0, elapsed=0.0, slice_seconds=None, interval=1.0, **options):
        limits = Limits(timeout, elapsed, slice_seconds)
        return poll(self.probe, bool, limits=limits, interval=interval, clock=self.clock, sleep=self.sleep, **options)


def test_poll_looks_once_when_it_holds_at_once():
    world = World(lambda _t: True)
    assert world.wait().seconds == 0
    assert world.probes == 1


def test_poll_looks_once_when_no_time_is_left():
    world = World(lambda _t: True)
    assert world.wait(timeout=10, elapsed=12).seen is True


def test_poll_returns_when_it_first_held():
    world = World(lambda t: t >= 3)
    assert world.wait().seconds == 3


def test_poll_counts_the_time_of_earlier_slices():
    world = World(lambda t: t >= 3)
    assert world.wait(timeout=30, elapsed=24).seconds == 27


def test_poll_times_out_with_the_last_thing_seen():
    world = World(lambda t: 0 if t < 99 else 1)
    with pytest.raises(TimedOut) as caught:
        world.wait(timeout=5)
    assert (caught.value.seen, caught.value.error, caught.value.seconds) == (0, None, 5)


def test_poll_looks_a_last_time_at_the_deadline():
    world = World(lambda t: t >= 5)
    assert world.wait(timeout=5, interval=3).seconds == 5


def test_poll_times_out_by_the_time_of_the_whole_wait():
    world = World(lambda _t: False)
    with pytest.raises(TimedOut) as caught:
        world.wait(timeout=10, elapsed=8)
    assert caught.value.seconds == 10
    assert world.now == 1002


def test_poll_hands_over_at_the_end_of_a_slice():
    world = World(lambda _t: False)
    with pytest.raises(SliceOver) as caught:
        world.wait(timeout=60, elapsed=24, slice_seconds=12)
    assert caught.value.seconds == 36


def test_poll_settles():
    world = World(lambda t: t >= 2)
    assert world.wait(stable_for=3).seconds == 2
    assert world.now == 1005


def test_poll_starts_settling_anew_when_it_breaks():
    world = World(lambda t: 2 <= t < 4 or t >= 6)
    assert world.wait(stable_for=3).seconds == 6


def test_poll_does_not_cut_a_settling_time_by_the_slice():
    world = World(lambda t: t >= 11)
    assert world.wait(timeout=60, slice_seconds=12, stable_for=5).seconds == 11
    assert world.now == 1016


def test_poll_does_not_cut_a_settling_time_by_the_deadline():
    world = World(lambda t: t >= 9)
    assert world.wait(timeout=10, stable_for=5).seconds == 9


def test_poll_times_out_when_settling_breaks_past_the_deadline():
    world = World(lambda t: 9 <= t < 12)
    with pytest.raises(TimedOut):
        world.wait(timeout=10, stable_for=5)


def test_poll_takes_an_error_for_unknown_and_goes_on():
    world = World(lambda t: AwayError("no answer") if t < 4 else True)
    assert world.wait(retry_on=AwayError).seconds == 4


def test_poll_starts_settling_anew_after_an_error():
    world = World(lambda t: AwayError("no answer") if t == 2 else True)
    assert world.wait(retry_on=(AwayError,), stable_for=3).seconds == 3


def test_poll_reports_the_error_when_it_lasts():
    world = World(lambda t: False if t < 2 else AwayError("no answer"))
    with pytest.raises(TimedOut) as caught:
        world.wait(timeout=5, retry_on=AwayError)
    assert caught.value.seen is False
    assert caught.value.error.msg == "no answer"


def test_poll_lets_other_errors_through():
    world = World(lambda _t: HitlessError("wrong token"))
    with pytest.raises(HitlessError, match="wrong token"):
        world.wait(retry_on=AwayError)


def test_poll_ends_when_a_probe_takes_longer_than_what_is_left():
    world = World(lambda _t: False, probe_costs=7)
    with pytest.raises(TimedOut):
        world.wait(timeout=10)
    assert world.probes == 2


@pytest.mark.parametrize(
    ("params", "limits"),
    [
        ({"timeout": 30}, Limits(30.0, 0.0, None)),
        ({"timeout": 30, "_slice": None, "_state": None}, Limits(30.0, 0.0, None)),
        ({"timeout": 30, "_slice": 12.0, "_state": {"elapsed": 0.1, "slices": 0}}, Limits(30.0, 0.1, 12.0)),
        ({"timeout": 30, "_slice": 12.0, "_state": {"elapsed": 24.5, "slices": 2}}, Limits(30.0, 24.5, 12.0, True)),
    ],
)
def test_limits_of_parameters(params, limits):
    assert Limits.of(params) == limits


def test_limits_left_is_never_negative():
    assert Limits(10, 12).left == 0


@pytest.mark.parametrize(
    ("before", "elapsed", "after"),
    [
        (Limits(60, 24, 12, True), 27, Limits(60, 27, 9, True)),
        (Limits(60, 24, 12), 40, Limits(60, 40, 0)),
        (Limits(60), 5, Limits(60, 5)),
    ],
)
def test_limits_after(before, elapsed, after):
    assert before.after(elapsed) == after


def patient(world, limits, state=None):
    return patiently(
        world.probe,
        subject="worker-3",
        limits=limits,
        retry_on=AwayError,
        state=state,
        clock=world.clock,
        sleep=world.sleep,
    )


def test_patiently_returns_what_came_and_what_time_is_left():
    world = World(lambda t: AwayError("no answer") if t < 3 else "node")
    assert patient(world, Limits(60, 24, 12)) == ("node", Limits(60, 27, 9))


def test_patiently_hands_over_with_the_state_it_was_given():
    world = World(lambda _t: AwayError("no answer"))
    with pytest.raises(Unfinished, match="worker-3: no answer") as caught:
        patient(world, Limits(60, 24, 12), {"left": 2})
    assert caught.value.state == {"left": 2}


def test_patiently_fails_at_the_end_of_the_wait():
    world = World(lambda _t: AwayError("no answer"))
    with pytest.raises(HitlessError, match="worker-3: no answer within 60 s: no answer"):
        patient(world, Limits(60, 50, 12))


def test_patiently_lets_other_errors_through():
    world = World(lambda _t: HitlessError("wrong token"))
    with pytest.raises(HitlessError, match=r"^wrong token$"):
        patient(world, Limits(60))


def test_poll_counts_what_is_known_to_have_held_before():
    world = World(lambda _t: True)
    assert world.wait(stable_for=5, held=3.5).seconds == 0
    assert world.now == 1001.5


def test_poll_looks_once_when_it_has_held_long_enough_before():
    world = World(lambda _t: True)
    world.wait(stable_for=5, held=60)
    assert (world.probes, world.now) == (1, 1000.0)


def test_poll_settles_in_full_when_the_first_look_disagrees_with_what_held_before():
    world = World(lambda t: t >= 2)
    assert world.wait(stable_for=5, held=60).seconds == 2
    assert world.now == 1007
