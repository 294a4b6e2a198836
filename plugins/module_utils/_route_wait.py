# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to hitless.nodes: it may change in any release, don't import it from elsewhere.
# Runs on routers: Python 3.8 and its standard library are all there is.

"""Waiting on a router until a node's routes are withdrawn, or present again."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from typing import Any

from ansible_collections.hitless.nodes.plugins.module_utils import _withdrawal
from ansible_collections.hitless.nodes.plugins.module_utils._answers import RouterError, UnknownError, family
from ansible_collections.hitless.nodes.plugins.module_utils._errors import HitlessError
from ansible_collections.hitless.nodes.plugins.module_utils._polling import (
    Limits,
    Met,
    NotMet,
    SliceOver,
    TimedOut,
    Unfinished,
    poll,
)
from ansible_collections.hitless.nodes.plugins.module_utils._router import Router


class RouteWait:
    """A wait for the routes of one node on one router."""

    def __init__(self, router: Router, wanted: dict[str, list[str]], state: str, *, node: str, name: str) -> None:
        """wanted: VRF -> prefixes. node and name: what the node and the router are called in messages."""
        for vrf, prefixes in wanted.items():
            if not prefixes:
                raise RouterError(
                    f"{node}: no prefixes to look for in VRF {vrf} on router {name}: that would prove nothing;"
                    " give those that the node announced (a baseline read with frr_bgp_info)"
                )
        self.router = router
        self.wanted = wanted
        self.state = state
        self.node = node
        self.name = name
        self.total = sum(len(prefixes) for prefixes in wanted.values())

    def remaining(self, view: dict[str, list[dict[str, Any]]]) -> list[dict[str, Any]]:
        """What still keeps the state from being reached; [] = reached."""
        if self.state == "withdrawn":
            return _withdrawal.not_withdrawn(view)
        return _withdrawal.not_present(view, self.wanted)

    def look(self) -> dict[str, Any]:
        """The result of looking once, as in check mode."""
        remaining = self.remaining(self.router.look(self.wanted))
        return {"changed": False, "remaining": remaining, "seconds": 0.0, "settled": False}

    def wait(
        self,
        limits: Limits,
        *,
        settle: float,
        interval: float,
        held: float = 0.0,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> dict[str, Any]:
        """The result once the state has held for settle seconds; HitlessError after the timeout.

        held: seconds for which an earlier wait saw that it held.
        """
        try:
            met: Met[Any] = poll(
                lambda: self.router.look(self.wanted),
                lambda view: not self.remaining(view),
                limits=limits,
                interval=interval,
                stable_for=settle,
                held=held,
                retry_on=UnknownError,
                clock=clock,
                sleep=sleep,
            )
        except SliceOver as pause:
            handover = {"link_locals": sorted(self.router.link_locals)}
            raise Unfinished(self.node, f"router {self.name}: {self.progress(pause)}", state=handover) from pause
        except TimedOut as end:
            raise self.failure(end) from end
        return {"changed": False, "remaining": [], "seconds": round(met.seconds, 3), "settled": True}

    def progress(self, pause: NotMet) -> str:
        """What is waited for, in words."""
        if pause.error:
            return f"unknown just now: {pause.error.msg}"
        remaining = self.remaining(pause.seen)
        verb = "left" if self.state == "withdrawn" else "missing"
        count = len(_withdrawal.prefixes_of(remaining))
        return f"{count} of {self.total} prefixes {verb}: {_withdrawal.described(remaining)}"

    def failure(self, end: NotMet) -> HitlessError:
        """The error after the timeout, with what is left as facts."""
        after = f"after {end.seconds:.0f} s"
        facts: dict[str, Any] = {"seconds": round(end.seconds, 3), "settled": False}
        if end.error:
            unknown = [
                {
                    "vrf": vrf,
                    "family": family(each),
                    "prefix": each,
                    "next_hop": None,
                    "where": "unknown",
                    "stale": False,
                }
                for vrf, prefixes in self.wanted.items()
                for each in prefixes
            ]
            return HitlessError(
                f"{self.node}: unknown {after} whether its {self.total} prefixes are {self.state}"
                f" on router {self.name}: {end.error.msg}",
                remaining=unknown,
                **facts,
            )
        remaining = self.remaining(end.seen)
        advice = (
            "graceful restart may keep stale paths for the node's restart time: raise timeout above it"
            if any(entry["stale"] for entry in remaining)
            else "see 'show bgp' and 'ip route get fibmatch' on the router"
        )
        count = len(_withdrawal.prefixes_of(remaining))
        there = "still on" if self.state == "withdrawn" else "not back on"
        return HitlessError(
            f"{self.node}: {count} of {self.total} prefixes are {there} router {self.name} {after}:"
            f" {_withdrawal.described(remaining)}; {advice}",
            remaining=remaining,
            **facts,
        )


def own_name() -> str:
    """The router's host name, for messages where nobody said what the inventory calls it."""
    return socket.gethostname()
