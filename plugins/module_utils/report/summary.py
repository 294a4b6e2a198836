# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to hitless.nodes: it may change in any release, don't import it from elsewhere.

"""The summary of one node's maintenance, as plain data, from the history of its record."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from .words import kept, seconds_between

Entry = Mapping[str, Any]

# Phase -> what led to it from the phase before.
ACTIVITIES = {
    "drained": "drain",
    "withdrawn": "withdraw routes",
    "off": "power off",
    "on": "away",
    "restarted": "restart agent",
    "announced": "announce routes",
    "schedulable": "uncordon",
    "released": "release",
}
OUTCOMES = {
    "maintenance": "back in service",
    "in": "back in service",
    "out": "out of service",
    "probe": "measured, back in service",
    "check": "check mode: nothing was changed",
    "put back": "failed, put back as it was",
    "left": "failed, and putting it back failed too",
    "stopped": "stopped, stays out of service",
    "lost": "stopped: its record is gone, or another run's",
    "unread": "stopped: how far it came could not be read",
    "upgrade": "its agent is restarted",
    "held": "stopped after its agent's restart had begun, its record is kept",
}
# The keys of a prober's file that a summary keeps. "missing" or "unreadable" is there if the file has no counts.
LOSS_KEYS = (
    "missing",
    "unreadable",
    "udp_sent",
    "udp_lost",
    "tcp_new",
    "tcp_failed",
    "tcp_moved",
    "seconds",
    "families",
    "started",
    "lost_per_100ms",
)


def was_begun(sources: Iterable[Entry], failure: Entry) -> bool:
    """Whether there is a maintenance to report: the node was claimed, and the claim was not refused."""
    return failure.get("end") != "refused" and any("history" in source for source in sources)


def outcome_of(direction: str, failure: Entry, *, check_mode: bool) -> str:
    """A key of OUTCOMES."""
    return "check" if check_mode else str(failure.get("end") or direction)


def maintenance_summary(
    sources: Iterable[Entry],
    node: str,
    outcome: str,
    failure: Entry | None = None,
    probe: Entry | None = None,
    plan: Iterable[str] = (),
) -> dict[str, Any]:
    """All that is known of one node's maintenance.

    sources: results of node_claim with a history. The longest history counts. outcome: a key of OUTCOMES.
    probe: the prober's file, if a prober ran. plan: the steps that would be done, in check mode.
    """
    told = [source for source in sources if source.get("history")]
    history: list[Entry] = max((source["history"] for source in told), key=len, default=[])
    before = _first(told, "before")
    return {
        "version": 1,
        "node": node,
        "outcome": outcome,
        "result": OUTCOMES[outcome],
        **_span(history),
        "phases": _phases(history),
        "routers": _routers(history),
        "evidence": _evidence(history),
        "looks": [dict(entry["guard"]) for entry in history if entry.get("guard")],
        "agent": _agent(history),
        "before": kept(before, ("unschedulable", "label", "addresses", "waived", "staying")),
        "restored": dict(_first(told, "restored")),
        "failure": dict(failure) if failure else None,
        "plan": list(plan),
        "loss": kept(probe, LOSS_KEYS) if probe else None,
        "history": [dict(entry) for entry in history],
    }


def _span(history: list[Entry]) -> dict[str, Any]:
    """When the maintenance began and ended, and the seconds between."""
    if not history:
        return {"started": None, "finished": None, "seconds": 0.0}
    started, finished = history[0]["at"], history[-1]["at"]
    return {"started": started, "finished": finished, "seconds": seconds_between(started, finished)}


def _first(sources: Iterable[Entry], key: str) -> Entry:
    """The value from the first source that has it. {} if none has it."""
    return next((source[key] for source in sources if source.get(key)), {})


def _phases(history: Iterable[Entry]) -> list[dict[str, Any]]:
    """The phases in order, each with when it was reached and the seconds since the one before."""
    phases: list[dict[str, Any]] = []
    reached = None
    for entry in history:
        resumed = "continued_by" in entry
        # A note without a new phase (a heartbeat) is no step.
        if not resumed and entry["phase"] == reached:
            continue
        if resumed:
            phase, activity = "resumed", "interrupted"
        else:
            phase = reached = entry["phase"]
            activity = ACTIVITIES.get(phase, "")
        seconds = seconds_between(phases[-1]["at"], entry["at"]) if phases else None
        phases.append({"phase": phase, "at": entry["at"], "seconds": seconds, "activity": activity})
    return phases


def _routers(history: Iterable[Entry]) -> list[dict[str, Any]]:
    """Each router with the seconds from the label's change until the routes were withdrawn, or were back."""
    routers: dict[str, dict[str, Any]] = {}
    for entry in history:
        for router, measured in entry.get("routers", {}).items():
            each = routers.setdefault(router, {"router": router, "withdrawn": None, "announced": None})
            # The first time counts. A resumed run, or a second look, finds what was done before.
            if entry["phase"] in each and not each[entry["phase"]]:
                each[entry["phase"]] = {"flipped_at": entry["flipped_at"], **measured}
    return list(routers.values())


def _evidence(history: Iterable[Entry]) -> dict[str, Any] | None:
    """The evidence of the withdrawal: {kind, observed, seconds, unbounded, reason, overridden}. None if there is none.

    Only routers are observed. With the other kinds, seconds is the time that was waited, and reason says why.
    """
    noted = [entry for entry in history if "evidence" in entry]
    if not noted:
        return None
    kind, estimate = noted[-1]["evidence"], noted[-1].get("estimate") or {}
    return {"kind": kind, "observed": kind == "router", **estimate}


def _agent(history: Iterable[Entry]) -> dict[str, Any] | None:
    """The restart of the node's agent: {seconds, steps, budget}. None if there was none."""
    noted = [entry["agent"] for entry in history if entry.get("agent")]
    restarts = [agent for agent in noted if agent.get("seconds") is not None]
    return dict(restarts[-1]) if restarts else None
