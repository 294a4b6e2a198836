# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to hitless.nodes: it may change in any release, don't import it from elsewhere.

"""Waits on a router until a node's routes are withdrawn, unused, or present again."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from ..base.errors import HitlessError
from ..base.net import family
from ..base.polling import Limits, Met, NotMet, SliceOver, TimedOut, Unfinished, poll
from . import forwarding, route_rules
from .answers import RouterError, UnknownError
from .questions import pairs
from .route_rules import Entries, View
from .router_look import Router

# Between looks the kernel is asked about one route, at this interval in seconds. Such a question costs a tenth of a
# look. It is also the pause before the next look if a look differs from the one before.
SOON = 0.05


class Pauses:
    """The pauses between the looks of one wait. They are shorter while routes change, so that the end is seen soon."""

    def __init__(
        self,
        wait: RouteWait,
        soon: float,
        held: float,
        reached: dict[str, float],
        elapsed: float,
        clock: Callable[[], float],
        sleep: Callable[[float], None],
    ) -> None:
        """reached, elapsed: from the slices before, see RouteWait.wait()."""
        self.wait = wait
        self.soon = soon
        self.clock = clock
        self.sleep = sleep
        self.before: Entries | None = None
        self.found: Entries = []
        self.held = held > 0
        self.held_before = held
        self.ups: dict[tuple[str, str], int | None] = {}
        # Family -> second of the whole wait since which nothing of this family remains.
        self.reached = reached
        self.started = clock() - elapsed

    def look(self) -> View:
        """A view of the router."""
        # If this look fails, there is nothing to compare the next one with.
        self.before, self.found = self.found or None, []
        reached, self.reached = self.reached, {}
        view = self.wait.view()
        self.found = self.wait.remaining(view)
        now = round(self.clock() - self.started, 3)
        left = {entry["family"] for entry in self.found}
        self.reached = {kind: reached.get(kind, now) for kind in self.wait.families if kind not in left}
        return view

    def holds(self, view: View) -> bool:
        """Whether a view is as wanted, and no session went down and up again since the view before."""
        ups = {(each["vrf"], each["address"]): each["times_established"] for each in view["neighbors"]}
        flapped = any(self.ups.get(session, times) != times for session, times in ups.items())
        # The counters of an earlier wait aren't known here, so the uptime decides. FRR gives it in whole seconds.
        young = any(
            (each["uptime_seconds"] or 0) + 1 < self.held_before for each in view["neighbors"] if each["established"]
        )
        self.ups, self.held_before = ups, 0.0
        # A return begins with sessions that come up. A session that comes up while the state held has flapped.
        steady = self.wait.state != "present" or not (self.held and (flapped or young))
        self.held = not self.found
        return self.held and steady

    def pause(self, seconds: float) -> None:
        """Returns after so many seconds, or earlier if the routes have changed."""
        witness = self.wait.witness(self.found)
        if self.found and self.before is not None and self.found != self.before:
            self.sleep(min(self.soon, seconds))
        elif witness is None:
            self.sleep(seconds)
        else:
            end = self.clock() + seconds
            while self.clock() < end and not self.wait.has_moved(witness):
                self.sleep(max(0.0, min(self.soon, end - self.clock())))


class RouteWait:
    """A wait for the routes of one node on one router."""

    def __init__(
        self,
        router: Router,
        wanted: dict[str, list[str]],
        state: str,
        *,
        node: str,
        name: str,
        forwarded: dict[str, list[str]] | None = None,
        sessions: list[dict[str, Any]] | None = None,
    ) -> None:
        """wanted: VRF -> prefixes. node, name: the names of the node and the router in messages.

        forwarded, sessions: what must be there for state present, see route_rules.not_present().
        """
        for vrf, prefixes in wanted.items():
            if not prefixes:
                raise RouterError(
                    f"{node}: no prefixes to look for in VRF {vrf} on router {name}, so nothing can be proven;"
                    " give those that the node announced, from a baseline of frr_bgp_info"
                )
        self.router = router
        self.wanted = wanted
        self.state = state
        self.forwarded = forwarded
        self.sessions = sessions
        self.node = node
        self.name = name
        self.total = len(pairs(wanted))
        self.families = sorted({family(pre) for _vrf, pre in pairs(wanted)})

    def remaining(self, view: View) -> list[dict[str, Any]]:
        """What still differs from the wanted state. [] means that it is reached."""
        if self.state == "withdrawn":
            return route_rules.not_withdrawn(view)
        if self.state == "unused":
            return route_rules.not_unused(view)
        return route_rules.not_present(view, self.wanted, forwarded=self.forwarded, sessions=self.sessions)

    def view(self) -> View:
        """The router as it is now."""
        return self.router.look(self.wanted, counted=self.state == "withdrawn")

    def witness(self, remaining: list[dict[str, Any]]) -> tuple[str, str] | None:
        """(VRF, prefix) of a remaining route of which the kernel alone can show a change. None if there is none.

        IPv4 is preferred, because the kernel can answer with the wrong IPv6 route.
        """
        named = [entry for entry in remaining if entry["prefix"] != route_rules.OTHERS]
        if self.state != "present":
            # Over a gateway, only zebra tells whether a route is the node's.
            named = [entry for entry in named if entry["where"] == "fib" and not entry.get("via")]
        named.sort(key=lambda entry: entry["family"])
        return (named[0]["vrf"], named[0]["prefix"]) if named else None

    def has_moved(self, witness: tuple[str, str]) -> bool:
        """Whether the kernel now forwards a remaining prefix as wanted. True if it doesn't answer: a look follows."""
        vrf, prefix = witness
        try:
            routes = self.router.fib.routes({vrf: [prefix]})
        except UnknownError:
            return True
        own = self.router.addresses | self.router.link_locals
        to_node = any(entry["matched"] == prefix for entry in forwarding.forwarded(routes, own))
        return to_node is (self.state == "present")

    def look(self) -> dict[str, Any]:
        """The result of a single look, for check mode."""
        remaining = self.remaining(self.view())
        return {"changed": False, "remaining": remaining, "seconds": 0.0, "families": {}, "settled": False}

    def wait(
        self,
        limits: Limits,
        *,
        settle: float,
        interval: float,
        held: float = 0.0,
        reached: dict[str, float] | None = None,
        soon: float = SOON,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> dict[str, Any]:
        """The result after the state has held for settle seconds. Raises HitlessError after the timeout.

        held: seconds for which an earlier wait saw the state hold. reached: family -> second of this wait at which
        earlier slices saw it reach the state. soon: seconds of the shortest pause between looks.
        """
        pauses = Pauses(self, soon, held, dict(reached or {}), limits.elapsed, clock, sleep)
        try:
            met: Met[Any] = poll(
                pauses.look,
                pauses.holds,
                limits=limits,
                interval=interval,
                stable_for=settle,
                held=held,
                retry_on=UnknownError,
                clock=clock,
                sleep=pauses.pause,
            )
        except SliceOver as pause:
            handover = {"link_locals": sorted(self.router.link_locals), "reached": pauses.reached}
            raise Unfinished(self.node, f"router {self.name}: {self.progress(pause)}", state=handover) from pause
        except TimedOut as end:
            raise self.failure(end) from end
        seconds = round(met.seconds, 3)
        return {"changed": False, "remaining": [], "seconds": seconds, "families": pauses.reached, "settled": True}

    def progress(self, pause: NotMet) -> str:
        """What still remains, as text."""
        if pause.error:
            return f"unknown just now: {pause.error.msg}"
        remaining = self.remaining(pause.seen)
        verb = "missing" if self.state == "present" else "left"
        count = len(route_rules.prefixes_of(remaining))
        return f"{count} of {self.total} prefixes {verb}: {route_rules.described(remaining)}"

    def unknown(self) -> Entries:
        """An entry for each prefix that says that it is unknown."""
        nothing = {"next_hop": None, "where": "unknown", "stale": False}
        return [{"vrf": vrf, "family": family(pre), "prefix": pre, **nothing} for vrf, pre in pairs(self.wanted)]

    def failure(self, end: NotMet) -> HitlessError:
        """The error after the timeout. Its facts have what remains."""
        after = f"after {end.seconds:.0f} s"
        facts: dict[str, Any] = {"seconds": round(end.seconds, 3), "settled": False}
        if end.error:
            return HitlessError(
                f"{self.node}: unknown {after} whether its {self.total} prefixes are {self.state}"
                f" on router {self.name}: {end.error.msg}",
                remaining=self.unknown(),
                **facts,
            )
        remaining = self.remaining(end.seen)
        advice = "see 'show bgp' and 'ip route get fibmatch' on the router"
        if any(entry["stale"] for entry in remaining):
            advice = (
                "graceful restart may keep stale paths for the node's restart time: raise bgp_withdraw_timeout above it"
            )
        elif any(entry["where"] in ("zebra", "kernel") for entry in remaining):
            advice = "the kernel that was asked isn't the one that FRR uses, or it was changed by hand: see router_exec"
        count = len(route_rules.prefixes_of(remaining))
        there = {"withdrawn": "still on", "present": "not back on", "unused": "still forwarded to it by"}[self.state]
        return HitlessError(
            f"{self.node}: {count} of {self.total} prefixes are {there} router {self.name} {after}:"
            f" {route_rules.described(remaining)}; {advice}",
            remaining=remaining,
            **facts,
        )
