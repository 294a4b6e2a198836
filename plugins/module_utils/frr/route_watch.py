# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to hitless.nodes: it may change in any release, don't import it from elsewhere.

"""Watches whether a router keeps a node's routes while the node's agent restarts (graceful restart)."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from ..base.errors import HitlessError
from . import route_rules
from .answers import UnknownError
from .route_rules import View
from .route_wait import RouteWait


class RouteWatch:
    """A watch on one router during one restart of a node's agent. It ends when all is back, or at the first loss."""

    def __init__(self, wait: RouteWait, clock: Callable[[], float] = time.monotonic) -> None:
        """wait: a wait for state present. It has the prefixes and sessions that must be there."""
        self.wait = wait
        self.clock = clock
        self.started = clock()
        # Second of the watch at which a look first showed that a session is down, or was down since the look before.
        self.down: float | None = None
        self.ups: dict[tuple[str, str], int | None] = {}
        self.lacking: list[dict[str, Any]] = []
        self.left: list[dict[str, Any]] = []
        self.unknown: UnknownError | None = None

    @property
    def now(self) -> float:
        """Seconds since the watch began."""
        return self.clock() - self.started

    def watch(
        self, *, begin: float, timeout: float, interval: float, sleep: Callable[[float], None] = time.sleep
    ) -> dict[str, Any]:
        """The result after the sessions were down and everything is back. Raises HitlessError if a prefix was lost.

        begin: seconds within which the sessions must go down. timeout: seconds for the whole watch.
        """
        while not self.is_over():
            if self.now >= (begin if self.down is None else timeout):
                raise self.failure(self.ending(), self.left)
            sleep(interval)
        return {"changed": False, "remaining": [], "seconds": round(self.now, 3), "families": {}, "settled": True}

    def is_over(self) -> bool:
        """Whether a look shows that all is back after the restart. Raises HitlessError if it shows a loss."""
        try:
            view = self.wait.view()
        except UnknownError as exc:
            if self.unknown:
                raise self.failure(f"are still there isn't known: {exc.msg}", self.wait.unknown()) from exc
            # A single answer may come too late. After two in a row, the routes are unknown.
            self.unknown = exc
            return False
        self.unknown = None
        self.note_sessions(view)
        self.left = self.wait.remaining(view)
        before, self.lacking = self.lacking, route_rules.not_kept(view, self.wait.wanted, forwarded=self.wait.forwarded)
        # The kernel is asked a moment after BGP, and may just replace a route. So only its second answer counts.
        lost = [entry for entry in self.lacking if entry["where"] == "bgp" or entry in before]
        if lost:
            raise self.failure("", lost)
        return self.down is not None and not self.left

    def note_sessions(self, view: View) -> None:
        """Notes the first time that a session is down, was down since the look before, or isn't listed."""
        if self.down is not None:
            return
        ups: dict[tuple[str, str], int | None] = {}
        for each in view["neighbors"]:
            if not each["shut"]:
                times = each["times_established"] or 0
                ups[(each["vrf"], each["address"])] = times if each["established"] else None
        wanted = {(each["vrf"], each["address"]) for each in self.wait.sessions or []}
        down = any(ups.get(session) is None for session in wanted or ups)
        flapped = any(self.ups.get(session, times) != times for session, times in ups.items())
        if down or flapped:
            self.down = self.now
        self.ups = ups

    def ending(self) -> str:
        """The part of the error that says why the watch ends without a result."""
        if self.down is None:
            return f"were kept isn't known: its sessions did not go down within {self.now:.0f} s"
        return f"are all back isn't known: they are not {self.now - self.down:.0f} s after its sessions went down"

    def failure(self, unknown: str, remaining: list[dict[str, Any]]) -> HitlessError:
        """The error for a loss. With unknown: the error for a watch that ends without knowing."""
        wait, facts = self.wait, {"seconds": round(self.now, 3), "settled": False, "remaining": remaining}
        if unknown:
            return HitlessError(
                f"{wait.node}: whether its {wait.total} prefixes on router {wait.name} {unknown}", **facts
            )
        when = "with its sessions up"
        if self.down is not None:
            when = f"{self.now - self.down:.1f} s after its sessions went down"
        count = len(route_rules.prefixes_of(remaining))
        return HitlessError(
            f"{wait.node}: {count} of {wait.total} prefixes were lost on router {wait.name} {when}:"
            f" {route_rules.described(remaining)}; see 'bgp graceful-restart' in its configuration, and its log",
            **facts,
        )
