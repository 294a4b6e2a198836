# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to hitless.nodes: it may change in any release, don't import it from elsewhere.

"""The only thing that is ever changed on a router: whether its sessions with a node are shut or drained, and undone.

The running configuration only, never the file. It is read before and after, and may differ in nothing but that.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from ..base.errors import HitlessError
from . import config_diff as rc
from .answers import RouterError, UnknownError
from .router_look import Router

DRAIN = "graceful-shutdown"
# FRR's management daemon lets one writer in at a time.
BUSY = "could not lock"
BUSY_SECONDS = 10.0


class ChangedError(HitlessError):
    """The configuration isn't what it was, or not what it was to become."""


def planned(sessions: list[dict[str, Any]], state: str, drained: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What has to be set to reach a state: {vrf, address, name, head, set}; set is a neighbour's setting or its undo.

    sessions: as Neighbors.read() gives them. drained: {vrf, address} of those whose drain is ours to undo.
    """
    ours = {(each["vrf"], each["address"]) for each in drained}
    plan: list[dict[str, Any]] = []
    for each in sessions:
        keys = {key: each[key] for key in ("vrf", "address", "name", "head")}
        # A session that is down has nothing to drain.
        if state == "graceful_shutdown" and each["established"] and not each["graceful_shutdown"]:
            plan.append({**keys, "set": DRAIN})
        if state == "up" and each["graceful_shutdown"] and (each["vrf"], each["address"]) in ours:
            plan.append({**keys, "set": f"no {DRAIN}"})
        if state == "up" and each["shut_by_us"]:
            plan.append({**keys, "set": "no shutdown"})
    return plan


def expected(change: dict[str, Any]) -> str:
    """The difference that a change makes in the configuration, as differences() writes it."""
    undone = change["set"].startswith("no ")
    setting = change["set"][3:] if undone else change["set"]
    message = f" message {rc.MARK}" if setting == "shutdown" else ""
    return f"{'-' if undone else '+'} neighbor {change['name']} {setting}{message}"


class Neighbors:
    """The router's sessions with a node, as its configuration has them."""

    def __init__(self, router: Router, vrfs: list[str], *, name: str) -> None:
        """name: what the router is called in messages."""
        self.router = router
        self.vrfs = vrfs
        self.name = name

    def config(self) -> list[str]:
        """The whole running configuration, of all daemons."""
        found = rc.lines(self.router.vtysh.text("show running-config"))
        if not any(line.startswith("router bgp ") for line in found):
            raise UnknownError(f"router {self.name}: its running configuration has no 'router bgp'; has bgpd read it?")
        return found

    def read(self, config: list[str]) -> list[dict[str, Any]]:
        """One entry for each session with the node: {vrf, address, name, head, established, shut, ...}."""
        sessions: list[dict[str, Any]] = []
        self.router.discover(self.vrfs)
        for vrf, name, neighbor in self.router.sessions(self.vrfs):
            found = rc.instance(config, vrf)
            own = rc.settings(found[1], name) if found else []
            if found is None or not own:
                raise RouterError(
                    f"router {self.name}: neighbour {name} (VRF {vrf}) has no configuration of its own (is it a dynamic"
                    " one, of 'bgp listen range'?), so it can't be shut or drained by itself; nothing was changed"
                )
            sessions.append(
                {
                    "vrf": vrf,
                    "address": neighbor["address"],
                    "name": name,
                    "head": found[0],
                    "established": neighbor["established"],
                    "shut": neighbor["shut"],
                    "shut_by_us": rc.is_shut_by_us(own),
                    "graceful_shutdown": rc.is_graceful(own),
                }
            )
        return sessions

    def ensure_can_drain(self) -> None:
        """RouterError where this FRR can't drain a single neighbour."""
        listed = self.router.vtysh.text(f"find {DRAIN}")
        if not any("neighbor" in line and line.rstrip().endswith(DRAIN) for line in listed.splitlines()):
            raise RouterError(
                f"router {self.name}: FRR {self.router.release() or 'of this version'} has no 'neighbor ... {DRAIN}'"
                " (8.4 hasn't, 10.x has): update FRR, or do without the drain on the routers; nothing was changed"
            )

    def apply(self, plan: list[dict[str, Any]], before: list[str]) -> list[str]:
        """The running configuration after the plan; ChangedError if it differs from before in anything else."""
        for change in plan:
            setting = change["set"] + (f" message {rc.MARK}" if change["set"] == "shutdown" else "")
            undo = "no " if setting.startswith("no ") else ""
            line = f"{undo}neighbor {change['name']} {setting[len(undo) :]}"
            self._configure([change["head"], line])
        after = self.config()
        found = sorted(rc.differences(before, after))
        wanted = sorted(expected(change) for change in plan)
        if found != wanted:
            raise ChangedError(
                f"router {self.name}: its running configuration isn't what it should be:"
                f" wanted {'; '.join(wanted) or 'no difference'}, found {'; '.join(found) or 'no difference'};"
                " did somebody else change it just now? Look at it by hand",
                differences=found,
            )
        return after

    def _configure(self, commands: list[str]) -> None:
        deadline = time.monotonic() + BUSY_SECONDS
        while True:
            try:
                self.router.vtysh.configure(commands)
            except HitlessError as exc:
                if BUSY not in exc.msg or time.monotonic() > deadline:
                    raise
                time.sleep(0.2)
            else:
                return


def flush(
    neighbors: Neighbors,
    view: dict[str, list[dict[str, Any]]],
    look: Callable[[], dict[str, list[dict[str, Any]]]],
    *,
    timeout: float,
    interval: float = 0.1,
) -> list[dict[str, Any]]:
    """Removes what the router keeps of sessions that are down, by shutting them and undoing that; the sessions shut.

    The undo comes in any case that a process lives through. After one that it doesn't, the message in the configuration
    tells whose it was, and state up undoes it.
    """
    before = neighbors.config()
    sessions = neighbors.read(before)
    chosen = stale_sessions(sessions, view, neighbors.name)
    shut = [{**{key: each[key] for key in ("vrf", "address", "name", "head")}, "set": "shutdown"} for each in chosen]
    if not shut:
        return []
    undo = [{**change, "set": "no shutdown"} for change in shut]
    own = {(each["vrf"], each["address"]) for each in chosen}
    gone = False
    with to_the_end() as undisturbed:
        try:
            neighbors.apply(shut, before)
            deadline = time.monotonic() + timeout
            while not gone and time.monotonic() < deadline:
                gone = not left_of(look(), own)
                if not gone:
                    time.sleep(interval)
        finally:
            undisturbed()
            # Only those that are shut, should the first half have failed.
            now = neighbors.config()
            done = {(each["vrf"], each["address"]) for each in neighbors.read(now) if each["shut_by_us"]}
            neighbors.apply([change for change in undo if (change["vrf"], change["address"]) in done], now)
    difference = rc.differences(before, neighbors.config())
    if difference:
        raise ChangedError(
            f"router {neighbors.name}: its running configuration isn't the one from before the flush:"
            f" {'; '.join(difference)}; did somebody else change it just now? Look at it by hand",
            differences=difference,
        )
    if not gone:
        raise HitlessError(
            f"router {neighbors.name}: stale paths are still there {timeout:.0f} s after"
            f" {', '.join(change['name'] for change in shut)} was shut (which is undone): see 'show bgp' on the router"
        )
    return chosen


def stale_sessions(
    sessions: list[dict[str, Any]], view: dict[str, list[dict[str, Any]]], name: str
) -> list[dict[str, Any]]:
    """The sessions with stale paths; RouterError if one of them is up or has fresh ones, which a flush isn't for."""
    with_paths = {(route["vrf"], route["from"]) for route in view["routes"]}
    # Prefixes that nobody looked up.
    with_paths |= {(each["vrf"], each["address"]) for each in view["neighbors"] if any(each["accepted"].values())}
    chosen = [each for each in sessions if (each["vrf"], each["address"]) in with_paths]
    own = {(each["vrf"], each["address"]) for each in chosen}
    fresh = {(r["vrf"], r["from"]) for r in view["routes"] if not r["stale"] and (r["vrf"], r["from"]) in own}
    for each in chosen:
        if each["established"] or (each["vrf"], each["address"]) in fresh:
            raise RouterError(
                f"router {name}: its session with {each['name']} is up or has fresh paths, and only stale ones may be"
                " flushed; nothing was changed"
            )
    return chosen


def left_of(view: dict[str, list[dict[str, Any]]], own: set[tuple[str, str]]) -> bool:
    """Whether any path of these sessions is left."""
    if any((route["vrf"], route["from"]) in own for route in view["routes"]):
        return True
    return any((each["vrf"], each["address"]) in own and any(each["accepted"].values()) for each in view["neighbors"])


@contextmanager
def to_the_end() -> Iterator[Callable[[], None]]:
    """Turns what would end the process (a lost connection, a kill) into an error, so that undoing comes first.

    What it yields, called before the undo, makes that deaf to further ones.
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
