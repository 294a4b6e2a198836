# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to hitless.nodes: it may change in any release, don't import it from elsewhere.

"""The summary of a maintenance as text, and as lines for the terminal."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from .words import duration, label, measured

Part = Mapping[str, Any]

UNKNOWN_LOSS = {"missing": "is not there", "unreadable": "can't be read"}
# Kind of evidence -> the moment from which its seconds count.
COUNTED_SINCE = {"cilium": "the agent had closed the sessions", "estimate": "the node was deselected"}


def summary_lines(summary: Part, files: Iterable[str] = ()) -> list[str]:
    """The summary for a terminal. files: paths of the files that were written."""
    took = "" if summary["outcome"] == "check" else f" ({duration(summary['seconds'])})"
    lines = [f"{summary['node']}: {summary['result']}{took}"]
    if summary["failure"]:
        lines.append(f"  failed:  {summary['failure']['task']}: {summary['failure']['reason']}")
    if summary["plan"]:
        lines += [f"  would {step}" for step in summary["plan"]]
    else:
        lines += map(_phase_line, summary["phases"])
    lines += map(_router_line, summary["routers"])
    for title, words in (
        ("routes:  ", estimated_words(summary["evidence"])),
        ("looked:  ", looks_words(summary.get("looks") or [])),
        ("not seen: ", waived_words(summary["before"])),
        ("stays:   ", staying_words(summary["before"])),
        ("agent: ", _agent_words(summary.get("agent"))),
        ("restored: ", restored_words(summary["restored"])),
        ("traffic: ", loss_words(summary["loss"])),
    ):
        if words:
            lines.append(f"  {title}{words}")
    return [*lines, *(f"  {file}" for file in files)]


def estimated_words(evidence: Part | None) -> str:
    """Says that the withdrawal was estimated, and from what. "" if the routers were asked."""
    if not evidence or evidence["observed"]:
        return ""
    return (
        f"estimated, not observed: taken as gone {evidence['seconds']} s after {COUNTED_SINCE[evidence['kind']]} "
        f"(evidence {evidence['kind']}; {evidence['reason']})"
    )


def looks_words(looks: Iterable[Part]) -> str:
    """How long before each command the world was looked at once more. "" if there was no command."""
    acts = {"off": "the shutdown", "force_off": "the forced switch-off", "reboot": "the reboot", "flush": "the flush"}
    words = []
    for look in looks:
        at = f" at {' and '.join(look['routers'])}" if look["routers"] else ""
        words.append(f"once more{at}, {duration(look['age'])} before {acts[look['act']]}")
    return ", ".join(words)


def waived_words(before: Part) -> str:
    """What no router was asked for, because the user said so. "" if there is nothing."""
    waived = before.get("waived") or {}
    words = []
    if waived.get("peers"):
        words.append(f"sessions with {', '.join(waived['peers'])} (claim_unseen_peers)")
    if waived.get("routers"):
        words.append(f"sessions on {', '.join(waived['routers'])} (claim_transit_routers)")
    return ", ".join(words)


def staying_words(before: Part) -> str:
    """What the node went on announcing by other means. "" if there is nothing."""
    stays = before.get("staying")
    return f"{', '.join(stays)} is announced by other means than Cilium, so nobody waited for it" if stays else ""


def restored_words(restored: Part) -> str:
    """What is restored on the node. "" if nothing is known to be."""
    words = []
    if "unschedulable" in restored:
        words.append("cordoned, as before" if restored["unschedulable"] else "schedulable")
    found = restored.get("label") or {}
    if found.get("key"):
        words.append(f"label {label(found['key'], found.get('value'))}")
    return ", ".join(words)


def loss_words(loss: Part | None) -> str:
    """The prober's counts as text. "" if no prober ran."""
    if not loss:
        return ""
    for key, why in UNKNOWN_LOSS.items():
        if key in loss:
            return f"unknown, the prober's file {loss[key]} {why}"
    words = [f"{loss.get('udp_lost', 0)} of {loss.get('udp_sent', 0)} UDP requests lost"]
    words.append(f"{loss.get('tcp_failed', 0)} of {loss.get('tcp_new', 0)} new TCP connections failed")
    if loss.get("tcp_moved"):
        words.append(f"{loss['tcp_moved']} were reset as a router's next hops changed")
    return ", ".join(words)


def _phase_line(phase: Part) -> str:
    took = "" if phase["seconds"] is None else f"  after {duration(phase['seconds']):>9}  {phase['activity']}"
    return f"  {phase['at'][11:23]}  {phase['phase']:<11}{took}".rstrip()


def _router_line(router: Part) -> str:
    words = []
    if router["withdrawn"]:
        words.append(f"routes gone {measured(router['withdrawn'])} after the label changed")
    if router["announced"]:
        words.append(f"back {measured(router['announced'])} after it was restored")
    return f"  router {router['router']}: {', '.join(words)}"


def _agent_words(agent: Part | None) -> str:
    """How long the agent was away, its budget, and when each step was done."""
    if not agent:
        return ""
    of = f" of {duration(agent['budget'])}" if agent.get("budget") else ""
    steps = [f"{step} {duration(at)}" for step, at in agent["steps"].items() if at is not None]
    return f"away for {duration(agent['seconds'])}{of} ({', '.join(steps)})"
