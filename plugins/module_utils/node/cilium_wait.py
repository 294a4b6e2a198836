# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to hitless.nodes: it may change in any release, don't import it from elsewhere.

"""Waiting without routers: as long as they may keep a node's routes, or until Cilium announces them again."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Literal

from ..base.errors import HitlessError
from ..base.polling import Limits, SliceOver, TimedOut, Unfinished, patiently, poll
from ..cilium import bgp_sessions, objects, own_routes
from ..cilium.agents import Agents
from ..estimate import per_node
from ..kube import node_objects
from ..kube.api_errors import TRANSIENT
from ..kube.client import Client
from ..record import questions, records

# Seconds between two writes of a CiliumBGPNodeConfig's status. A state that holds must be in more than one of them.
STATUS_PERIOD = 5.0


class NotKnown(HitlessError):  # noqa: N818 - reads as what it is
    """Cilium doesn't report the wanted state; the message has its last report."""


# Why a wait ended: the node was gone for long enough, it wasn't known to be gone in time, or a report is due.
End = Literal["gone", "late", "pause"]


@dataclass(frozen=True)
class Gone:
    """The progress of a wait for a withdrawal; seconds on the wait's own clock. since: when it was first seen gone."""

    since: float | None = None
    # Since when it has not been known to be gone, for the deadline.
    lost: float | None = 0.0
    reason: str = ""

    def after(self, reason: str | None, now: float) -> Gone:
        """The progress after another look. The bound begins again if something came back or is unknown."""
        if reason is None:
            return Gone(now if self.since is None else self.since, None)
        return Gone(None, now if self.lost is None else self.lost, reason)


def wait_gone(
    look: Callable[[], str | None],
    *,
    limits: Limits,
    gone: Gone,
    bound: float,
    interval: float,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> tuple[Gone, float, End]:
    """The progress, the second of the wait, and why it ended.

    look() says why it isn't known to be gone, None if it is. bound: for how long it must be gone. limits.timeout: how
    long it may be in any other state without a break.
    """
    started = clock()
    while True:
        try:
            reason = look()
        except TRANSIENT as exc:
            reason = f"unknown: {exc.msg}"
        used = clock() - started
        now = limits.elapsed + used
        gone = gone.after(reason, now)
        pause = interval
        if gone.since is not None:
            left = bound - (now - gone.since)
            if left <= 0:
                return gone, now, "gone"
            pause = min(interval, left)
        if gone.lost is not None and now - gone.lost >= limits.timeout:
            return gone, now, "late"
        if limits.slice is not None and used >= limits.slice:
            return gone, now, "pause"
        sleep(pause)


class _Node:
    """One node, seen by its kind of evidence."""

    def __init__(self, client: Client, params: dict[str, Any], record: dict[str, Any]) -> None:
        kept = record["before"]
        self.client = client
        self.name: str = params["name"]
        self.evidence: str = kept["evidence"]
        self.local = questions.not_awaited(record)
        self.sessions: list[dict[str, Any]] = kept["cilium"]["sessions"]
        self.agents = Agents(client, params["cilium_namespace"], client.timeout)
        self.api_version: str | None = None

    def facts(self) -> dict[str, Any]:
        """What Cilium says of its sessions."""
        backend, _gather = per_node.READS[self.evidence]
        (seen,) = bgp_sessions.read(self.client, self.agents, [self.name], api_version=self.api_version)
        return bgp_sessions.facts(self.agents, seen, backend=backend, gather=("peers",))

    def left(self) -> str | None:
        """Why the node isn't known to be deselected and its sessions closed, None if it is."""
        if objects.node_config(self.client, self.api_version, self.name) is not None:
            return "it has a CiliumBGPNodeConfig (again): see who has set the label back"
        return own_routes.left(self.facts()) if self.evidence == "cilium" else None

    def missing(self) -> list[str]:
        """What isn't announced again."""
        return own_routes.missing(self.sessions, self.facts(), self.local)


def wait(client: Client, params: dict[str, Any], *, check_mode: bool) -> dict[str, Any]:
    """The result of cilium_bgp_wait; raises NotKnown or Unfinished."""
    name, limits, earlier = params["name"], Limits.of(params), params["_state"] or {}

    def start() -> tuple[dict[str, Any], str | None]:
        record = records.parse(node_objects.read(client, name))
        records.ensure_ours(name, record, params["_run"])
        if record is None or "cilium" not in record["before"]:
            raise NotKnown(
                f"{name}: what Cilium announced before isn't recorded: claim it with evidence=cilium or "
                f"evidence=estimate"
            )
        return record, objects.configs(client).api_version

    if limits.resumed:
        # The estimated time isn't part of the timeout.
        again = replace(limits, timeout=limits.elapsed + limits.timeout)
        (record, version), again = patiently(start, subject=name, limits=again, retry_on=TRANSIENT, state=earlier)
        limits = replace(again, timeout=limits.timeout)
    else:
        record, version = start()
    node, kept = _Node(client, params, record), record["before"]
    node.api_version = version
    result = {"changed": False, "name": name, "evidence": kept["evidence"], "observed": False, "estimate": None}
    if params["state"] == "withdrawn":
        return result | {"estimate": kept["withdrawal"]} | _withdrawn(node, kept, params, limits, check_mode=check_mode)
    return result | _present(node, params, limits, check_mode=check_mode)


def _withdrawn(
    node: _Node, kept: dict[str, Any], params: dict[str, Any], limits: Limits, *, check_mode: bool
) -> dict[str, Any]:
    bound = kept["withdrawal"]
    if check_mode:
        reason = node.left()
        return {"seconds": 0.0, "remaining": [reason] if reason else []}
    earlier = params["_state"] or {}
    begin = Gone(**earlier["gone"]) if "gone" in earlier else Gone()
    gone, now, end = wait_gone(
        node.left, limits=limits, gone=begin, bound=bound["seconds"], interval=params["interval"]
    )
    if end == "late":
        raise NotKnown(
            f"{node.name}: its sessions aren't known to be closed after {params['timeout']:.0f} s: {gone.reason}; what "
            f"isn't known to be withdrawn counts as still in use",
            remaining=[gone.reason],
        )
    if end == "pause":
        raise Unfinished(node.name, _progress(node, gone, bound["seconds"], now), state={"gone": vars(gone)})
    words = f"estimated, not observed: taken as withdrawn {bound['seconds']} s after {_closed(node)}; {bound['reason']}"
    return {"seconds": round(now, 3), "remaining": [], "msg": f"{node.name}: {words}"}


def _progress(node: _Node, gone: Gone, bound: float, now: float) -> str:
    """One line on what is waited for."""
    if gone.since is None:
        return gone.reason
    left = bound - (now - gone.since)
    return (
        f"{_closed(node)}, {left:.0f} s left of the {bound} s that routers may go on sending to it (estimated, not "
        f"observed)"
    )


def _closed(node: _Node) -> str:
    return "its sessions are closed" if node.evidence == "cilium" else "it is deselected"


def _present(node: _Node, params: dict[str, Any], limits: Limits, *, check_mode: bool) -> dict[str, Any]:
    if check_mode:
        return {"seconds": 0.0, "remaining": node.missing()}
    settle = params["settle"] + (STATUS_PERIOD if node.evidence == "estimate" else 0)
    try:
        met = poll(
            node.missing,
            lambda lacking: not lacking,
            limits=limits,
            interval=params["interval"],
            stable_for=settle,
            retry_on=TRANSIENT,
        )
    except SliceOver as pause:
        raise Unfinished(node.name, _lacking(pause), state=params["_state"]) from pause
    except TimedOut as late:
        raise NotKnown(
            f"{node.name}: not announced as before by Cilium's word after {late.seconds:.0f} s: {_lacking(late)}",
            remaining=late.seen or [],
        ) from late
    return {"seconds": round(met.seconds, 3), "remaining": []}


def _lacking(state: SliceOver | TimedOut) -> str:
    return f"unknown: {state.error.msg}" if state.error else "; ".join(state.seen)
