# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from collections.abc import Iterable

import pytest
from ansible_collections.hitless.nodes.plugins.module_utils.base.polling import Limits
from ansible_collections.hitless.nodes.plugins.module_utils.kube.api_errors import Unreachable
from ansible_collections.hitless.nodes.plugins.module_utils.node.cilium_wait import Gone, wait_gone

UP = "its agent still has sessions"


class LateError(Exception):
    """The wait was given up, for this reason."""


class World:
    """A clock, and what each second of the wait says."""

    def __init__(self, says: dict[int, str | Exception | None]) -> None:
        self.says = says
        self.now = 0.0

    def look(self) -> str | None:
        said = self.says[max(second for second in self.says if second <= self.now)]
        if isinstance(said, Exception):
            raise said
        return said

    def wait(self, *, bound: float = 10, timeout: float = 5, slices: Iterable[float] = ()) -> list[float]:
        """The seconds at which slices ended, the last one that of the whole."""
        ends = []
        gone = Gone()
        for length in [*slices, None]:
            limits = Limits(timeout, elapsed=self.now, slice=length)
            gone, now, end = wait_gone(
                self.look,
                limits=limits,
                gone=Gone(**vars(gone)),
                bound=bound,
                interval=1,
                clock=lambda: self.now,
                sleep=self.sleep,
            )
            ends.append(now)
            if end == "gone":
                return ends
            if end == "late":
                raise LateError(gone.reason)
        raise AssertionError("it never ended")

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def test_the_bound_begins_when_the_sessions_are_seen_closed() -> None:
    assert World({0: UP, 3: None}).wait() == [13.0]


def test_slices_do_not_begin_it_anew() -> None:
    assert World({0: None}).wait(bound=10, slices=[4, 4, 4]) == [4.0, 8.0, 10.0]


@pytest.mark.parametrize("said", [UP, "unknown: no agent", Unreachable("API away")])
def test_what_comes_back_or_is_unknown_begins_it_anew(said: str | Exception) -> None:
    assert World({0: None, 8: said, 10: None}).wait() == [20.0]


@pytest.mark.parametrize("said", [UP, Unreachable("API away")])
def test_what_stays_otherwise_is_a_failure(said: str | Exception) -> None:
    world = World({0: None, 3: said})
    with pytest.raises(LateError, match=r"API away|still has sessions"):
        world.wait()
    assert world.now == 8.0


def test_a_deadline_that_is_over_counts_across_slices() -> None:
    world = World({0: UP})
    with pytest.raises(LateError, match=UP):
        world.wait(timeout=5, slices=[2, 2, 2])
    assert world.now == 5.0


def test_the_estimate_may_be_longer_than_the_timeout() -> None:
    assert World({0: None}).wait(bound=120, timeout=5) == [120.0]


def test_an_estimate_of_nothing_still_takes_one_look() -> None:
    world = World({0: UP, 2: None})
    assert world.wait(bound=0) == [2.0]
