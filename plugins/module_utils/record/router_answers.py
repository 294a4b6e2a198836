# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to hitless.nodes: it may change in any release, don't import it from elsewhere.

"""What the routers answered: who gave no good answer and why, and how long each one took.

Pure functions over the results of modules, by the router's name in the inventory.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

Answers = Mapping[str, Mapping[str, Any]]
# What Ansible adds to a result, and nobody needs later.
ADDED = frozenset({"invocation", "exception"})


def is_bad(answer: Mapping[str, Any]) -> bool:
    """Whether a router failed, or couldn't be reached."""
    return bool(answer.get("failed") or answer.get("unreachable"))


def plain(answer: Mapping[str, Any]) -> dict[str, Any]:
    """An answer without what Ansible added to it."""
    return {key: value for key, value in answer.items() if key not in ADDED and not key.startswith("_")}


def problem(answers: Answers, routers: Iterable[str], node: str = "") -> str:
    """One line that names the node, and each router that gave no good answer, and why; "" if all did."""
    problems = []
    for router in routers:
        answer = answers.get(router)
        if answer is None or answer.get("skipped"):
            problems.append(f"router {router} was not asked")
        elif answer.get("unreachable"):
            problems.append(f"router {router} is unreachable by SSH, so its routes are unknown: {_reason(answer)}")
        elif answer.get("failed"):
            reason = _reason(answer).removeprefix(f"{node}: ")
            problems.append(reason if router in reason else f"router {router}: {reason}")
    # If one router stops the others, its reason comes first.
    problems.sort(key=lambda line: line.endswith("was not asked"))
    return (f"{node}: " if node and problems else "") + "; ".join(problems)


def _reason(answer: Mapping[str, Any]) -> str:
    """Why it failed, in one line."""
    # ansible-core 2.19 puts this before every message.
    text = str(answer.get("msg", "")).strip().removeprefix("Task failed: ") or "it gave no reason"
    output = str(answer.get("module_stderr", "")).strip()
    lines = [line.strip() for line in (text, *output.splitlines()[-1:]) if line.strip()]
    return ": ".join(" ".join(line.split()) for line in lines)


def held_seconds(answer: Mapping[str, Any] | None, now: float) -> float:
    """For how many seconds, at least, the state held that a wait saw on a router; 0.0 if it saw none.

    now: the controller's monotonic clock, by which the answer has ended_at.
    """
    if not answer or answer.get("remaining") != []:
        return 0.0
    return max(0.0, round(now - float(answer["ended_at"]), 3))


def seconds(answers: Answers, since: str) -> dict[str, dict[str, Any]]:
    """Router -> {seconds, families}: seconds from a moment (RFC 3339) until it had reached the state.

    families: the same for each, where the wait says it.
    """
    start = datetime.fromisoformat(since)
    result: dict[str, dict[str, Any]] = {}
    for router, answer in answers.items():
        if "seconds" not in answer:
            continue
        asked = (datetime.fromisoformat(answer["asked_at"]) - start).total_seconds()
        result[router] = {"seconds": round(asked + float(answer["seconds"]), 1)}
        families = answer.get("families") or {}
        if families:
            result[router]["families"] = {kind: round(asked + took, 1) for kind, took in families.items()}
    return result
