# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to hitless.nodes: it may change in any release, don't import it from elsewhere.

"""Removes the stale paths of a node's sessions that are down, by shutting these sessions for a moment."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from ..base.errors import HitlessError
from .answers import RouterError
from .config_diff import differences
from .neighbor import SHUT, Change, ChangedError, Neighbors, Session

# What a look at the router returns, see route_rules.py.
View = Any


def flush(
    neighbors: Neighbors,
    view: View,
    look: Callable[[], View],
    *,
    timeout: float,
    interval: float = 0.1,
) -> list[Session]:
    """Removes the stale paths of sessions that are down, and returns these sessions.

    If the process is killed before the undo, the shutdown stays. Its message tells that it is ours, and state up
    undoes it.
    """
    before = neighbors.config()
    chosen = stale_sessions(neighbors.read(before), view, neighbors.name)
    if not chosen:
        return []
    keys = {each.key for each in chosen}
    shut = [Change(each, SHUT) for each in chosen]
    with _undone_at_the_end(neighbors, shut):
        neighbors.apply(shut, before)
        gone = _within(timeout, interval, lambda: not keys & with_paths(look()))
    difference = differences(before, neighbors.config())
    if difference:
        raise ChangedError(
            f"router {neighbors.name}: its running configuration isn't the one from before the flush:"
            f" {'; '.join(difference)}; somebody else may have changed it just now, look at it by hand",
            differences=difference,
        )
    if not gone:
        raise HitlessError(
            f"router {neighbors.name}: stale paths of {', '.join(each.name for each in chosen)} are still there"
            f" {timeout:.0f} s after the shutdown; the shutdown is undone; see 'show bgp' on the router"
        )
    return chosen


def stale_sessions(sessions: list[Session], view: View, name: str) -> list[Session]:
    """The sessions with stale paths. Raises RouterError if one is up or has fresh paths, which must not be flushed."""
    keys = with_paths(view)
    fresh = {(route["vrf"], route["from"]) for route in view["routes"] if not route["stale"]}
    chosen = [each for each in sessions if each.key in keys]
    for each in chosen:
        if each.established or each.key in fresh:
            raise RouterError(
                f"router {name}: its session with {each.name} is up or has fresh paths, and only stale paths may be"
                " flushed; nothing was changed"
            )
    return chosen


def with_paths(view: View) -> set[tuple[str, str]]:
    """VRF and address of the sessions from which the router has paths."""
    found = {(route["vrf"], route["from"]) for route in view["routes"]}
    for each in view["neighbors"]:
        # The counter includes prefixes that were not looked up.
        if any(each["accepted"].values()):
            found.add((each["vrf"], each["address"]))
    return found


def _within(timeout: float, interval: float, condition: Callable[[], bool]) -> bool:
    """Whether a condition becomes true within timeout seconds."""
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(interval)
    return False


@contextmanager
def _undone_at_the_end(neighbors: Neighbors, shut: list[Change]) -> Iterator[None]:
    """Undoes the changes at the end of the block, also after an error or a signal."""
    with to_the_end() as undisturbed:
        try:
            yield
        finally:
            undisturbed()
            # After an error, perhaps not all of them were shut.
            now = neighbors.config()
            done = {each.key for each in neighbors.read(now) if each.shut_by_us}
            neighbors.apply([change.undone for change in shut if change.session.key in done], now)


@contextmanager
def to_the_end() -> Iterator[Callable[[], None]]:
    """Turns signals that would end the process into an error, so that the undo runs first.

    Such a signal comes when the connection is lost, or when somebody kills the process. The context manager yields a
    function. Call it before the undo: the process then ignores further signals.
    """
    numbers = (signal.SIGHUP, signal.SIGTERM, signal.SIGINT)

    def deaf() -> None:
        for each in numbers:
            signal.signal(each, signal.SIG_IGN)

    def stop(number: int, _frame: Any) -> None:
        deaf()
        raise HitlessError(f"ended by signal {number}; what was changed on the router is undone")

    before = [signal.signal(each, stop) for each in numbers]
    try:
        yield deaf
    finally:
        for each, handler in zip(numbers, before):
            signal.signal(each, handler)
