# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to hitless.nodes: it may change in any release, don't import it from elsewhere.

"""The content of the HTML page of a maintenance: its texts and the rows of its tables. The template decides nothing."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC
from typing import Any

from .lines import (
    UNKNOWN_LOSS,
    estimated_words,
    looks_words,
    loss_words,
    restored_words,
    staying_words,
    waived_words,
)
from .timeline import timeline
from .words import duration, measured, moment

Part = Mapping[str, Any]


def report_page(summary: Part) -> dict[str, Any]:
    """The content of the page, from a summary."""
    return {
        "node": summary["node"],
        "result": summary["result"],
        "failure": summary["failure"],
        "tone": _tone(summary),
        "when": _clock_time(summary["started"]) if summary["started"] else "",
        "took": duration(summary["seconds"]),
        "phases": [_phase_row(phase) for phase in summary["phases"]],
        "routers": [_router_row(router) for router in summary["routers"]],
        "estimated": estimated_words(summary["evidence"]),
        "looked": looks_words(summary.get("looks") or []),
        "waived": waived_words(summary["before"]),
        "stays": staying_words(summary["before"]),
        "agent": _agent_rows(summary.get("agent")),
        "restored": restored_words(summary["restored"]),
        "loss": _loss(summary["loss"]),
        "timeline": timeline(summary),
    }


def _tone(summary: Part) -> str:
    if summary["failure"]:
        return "bad"
    return "plain" if summary["outcome"] == "check" else "good"


def _clock_time(text: str) -> str:
    """A moment of the record for people: date and time in UTC."""
    return moment(text).astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def _phase_row(phase: Part) -> dict[str, str]:
    return {
        "phase": phase["phase"],
        "at": phase["at"][11:23],
        "took": "" if phase["seconds"] is None else duration(phase["seconds"]),
        "activity": phase["activity"],
    }


def _router_row(router: Part) -> dict[str, str]:
    return {
        "router": router["router"],
        "withdrawn": measured(router["withdrawn"]) if router["withdrawn"] else "",
        "announced": measured(router["announced"]) if router["announced"] else "",
    }


def _agent_rows(agent: Part | None) -> list[dict[str, Any]]:
    """A row for each step of the agent's restart, and the budget: {step, took, share (of the longest)}."""
    if not agent:
        return []
    times = {step: at for step, at in agent["steps"].items() if at is not None}
    times["away"] = agent["seconds"]
    if agent.get("budget"):
        times["budget"] = agent["budget"]
    longest = max([0.1, *times.values()])
    return [{"step": step, "took": duration(at), "share": round(at / longest, 3)} for step, at in times.items()]


def _loss(loss: Part | None) -> dict[str, str] | None:
    if not loss:
        return None
    bad = any(loss.get(key) for key in (*UNKNOWN_LOSS, "udp_lost", "tcp_failed"))
    return {"words": loss_words(loss), "tone": "bad" if bad else "good"}
