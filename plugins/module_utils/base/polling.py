# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to hitless.nodes: it may change in any release, don't import it from elsewhere.

"""Waits in one loop with a monotonic clock. A look without an answer never ends a wait as met."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar

from .errors import HitlessError

Seen = TypeVar("Seen")


@dataclass(frozen=True)
class Limits:
    """How long a wait may take, and when it has to report in between, in seconds.

    The action plugin of the module's name cuts a long wait into slices, so that people see what it waits for. Each
    slice is a run of the module that knows how much time the earlier ones used.
    """

    timeout: float
    elapsed: float = 0.0
    slice: float | None = None
    # Whether an earlier slice began the wait. Errors at the start of the module are then retried.
    resumed: bool = False

    @classmethod
    def of(cls, params: dict[str, Any]) -> Limits:
        """The limits from a module's parameters: O(timeout), and those that the action plugin added."""
        state = params.get("_state") or {}
        resumed = int(state.get("slices", 0)) > 0
        return cls(float(params["timeout"]), float(state.get("elapsed", 0.0)), params.get("_slice"), resumed)

    def after(self, elapsed: float) -> Limits:
        """The limits after so many seconds of the whole wait."""
        used = elapsed - self.elapsed
        return replace(self, elapsed=elapsed, slice=None if self.slice is None else max(0.0, self.slice - used))

    @property
    def left(self) -> float:
        """Seconds that this slice may still use of the whole wait (never negative)."""
        return max(0.0, self.timeout - self.elapsed)


@dataclass(frozen=True)
class Met(Generic[Seen]):
    """A wait that succeeded: what was seen last, and after how many seconds of the whole wait it first held."""

    seen: Seen
    seconds: float


class NotMet(Exception):  # noqa: N818 - the caller makes the error for people from it
    """The condition didn't hold in time. seen: what was seen last. error: the error of the last look, if it failed."""

    def __init__(self, seen: Any, error: HitlessError | None, seconds: float) -> None:
        super().__init__(f"not met after {seconds:.1f} s; last seen: {seen!r}; last error: {error}")
        self.seen = seen
        self.error = error
        self.seconds = seconds


class TimedOut(NotMet):
    """The whole wait is over."""


class SliceOver(NotMet):
    """A report is due. The wait goes on in the next slice."""


class Unfinished(Exception):  # noqa: N818 - no error: the module goes on in its next slice
    """The end of a slice: a line for people, and what the next slice must know."""

    def __init__(self, subject: str, progress: str, *, state: dict[str, Any] | None = None, **result: Any) -> None:
        super().__init__(f"{subject}: {progress}")
        self.subject = subject
        self.progress = progress
        self.state = state or {}
        self.result = result


def poll(
    probe: Callable[[], Seen],
    until: Callable[[Seen], bool],
    *,
    limits: Limits,
    interval: float,
    stable_for: float = 0.0,
    held: float = 0.0,
    retry_on: type[HitlessError] | tuple[type[HitlessError], ...] = (),
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> Met[Seen]:
    """Waits until until(seen) has held for stable_for seconds without a break. Raises TimedOut or SliceOver.

    An error in retry_on means "unknown just now". The condition doesn't hold then, and settling starts anew. A settling
    period that began in time is finished, also after the end of the slice or of the wait. If it breaks there, the wait
    ends. The probe is called at least once, also if no time is left. held: seconds for which the condition held before.
    They count if the first look agrees.
    """
    started = clock()
    held_since: float | None = None
    seen: Seen | None = None
    while True:
        error: HitlessError | None = None
        try:
            seen = probe()
            holds = until(seen)
        except retry_on as exc:
            error, holds = exc, False
        now = clock()
        if holds:
            held_since = now - held if held_since is None else held_since
            if now - held_since >= stable_for:
                return Met(seen, limits.elapsed + max(0.0, held_since - started))  # type: ignore[arg-type]
            sleep(max(0.0, min(interval, held_since + stable_for - now)))
            continue
        held_since, held = None, 0.0
        used = now - started
        if used >= limits.left:
            raise TimedOut(seen, error, limits.elapsed + used)
        if limits.slice is not None and used >= limits.slice:
            raise SliceOver(seen, error, limits.elapsed + used)
        sleep(max(0.0, min(interval, limits.left - used)))


def patiently(
    act: Callable[[], Seen],
    *,
    subject: str,
    limits: Limits,
    retry_on: type[HitlessError] | tuple[type[HitlessError], ...],
    state: dict[str, Any] | None = None,
    interval: float = 1.0,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> tuple[Seen, Limits]:
    """The result of act(), and the limits for the next step. Retries act() while it raises an error in retry_on.

    It is for steps that belong to a wait: the first look of a later slice, and the last write. It raises Unfinished at
    the end of a slice, with the state for the next slice. At the end of the wait it raises the error itself.
    """
    try:
        met = poll(
            act, lambda _seen: True, limits=limits, interval=interval, retry_on=retry_on, clock=clock, sleep=sleep
        )
    except SliceOver as pause:
        raise Unfinished(subject, str(pause.error), state=state) from pause
    except TimedOut as late:
        raise HitlessError(f"{subject}: no answer within {late.seconds:.0f} s: {late.error}") from late
    return met.seen, limits.after(met.seconds)
