# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the routers answered: who failed, when each was done, and the baseline to compare with."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

# The loop variable of every task that goes over the routers.
ROUTER = "__router"
# What a task adds to the result of one loop item, and what no later task needs.
LOOP_KEYS = frozenset({"ansible_loop_var", "invocation", "failed", "changed", "failed_when_result", "warnings"})


def router_problem(loop: Mapping[str, Any], routers: Iterable[str], node: str = "") -> str:
    """One line that names the node, and each router that gave no good answer, and why; "" if all did.

    loop: the registered result of a task that went over the routers with failures let through.
    """
    answers = {each[ROUTER]: each for each in loop.get("results", []) if ROUTER in each}
    problems = []
    for router in routers:
        answer = answers.get(router)
        if answer is None or answer.get("skipped"):
            problems.append(f"router {router} was not asked")
        elif answer.get("unreachable"):
            problems.append(f"router {router} is unreachable by SSH, so its routes are unknown: {_last_line(answer)}")
        elif answer.get("failed"):
            reason = _last_line(answer).removeprefix(f"{node}: ")
            problems.append(reason if router in reason else f"router {router}: {reason}")
    return (f"{node}: " if node and problems else "") + "; ".join(problems)


def _last_line(answer: Mapping[str, Any]) -> str:
    # ansible-core 2.19 puts this before every message.
    text = str(answer.get("msg", "")).strip().removeprefix("Task failed: ") or "it gave no reason"
    output = str(answer.get("module_stderr", "")).strip()
    lines = [line.strip() for line in (text, *output.splitlines()[-1:]) if line.strip()]
    return ": ".join(" ".join(line.split()) for line in lines)


def by_router(loop: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Router -> its module's result, without what the loop added."""
    return {
        each[ROUTER]: {key: value for key, value in each.items() if key not in LOOP_KEYS and not key.startswith("_")}
        for each in loop.get("results", [])
        if not each.get("skipped")
    }


def router_seconds(loop: Mapping[str, Any], since: str, again: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Router -> {seconds, at_most, families}: seconds from a moment (RFC 3339) until it had reached the state.

    The routers are asked one after the other: if a later one was done when it was first looked at, the number is an
    upper bound and at_most is true. families: the same for each, where the waits say it. again: the second round, in
    which a router that had lost the state reached it anew.
    """
    start = datetime.fromisoformat(since)
    result: dict[str, dict[str, Any]] = {}
    for each in (*loop.get("results", []), *again.get("results", [])):
        waited = float(each.get("seconds", 0.0))
        first = each.get(ROUTER) not in result
        if "seconds" in each and (first or waited > 0):
            asked = (datetime.fromisoformat(each["asked_at"]) - start).total_seconds()
            at_most = bool(result) and waited < 1
            families = {kind: round(asked + seconds, 1) for kind, seconds in (each.get("families") or {}).items()}
            result[each[ROUTER]] = {
                "seconds": round(asked + waited, 1),
                "at_most": at_most,
                **({"families": families} if families else {}),
            }
    return result


def held_seconds(loop: Mapping[str, Any], router: str) -> float:
    """For how many seconds, at least, the state held that a wait in this loop saw on the router; 0.0 if none saw it."""
    ended = [each["ended_at"] for each in loop["results"] if each.get(ROUTER) == router and each.get("remaining") == []]
    return max(0.0, round(time.monotonic() - ended[0], 3)) if ended else 0.0


def seconds_left(seconds: float, since: str) -> float:
    """How much is left of so many seconds that began at a moment (RFC 3339, by this machine's clock); 0.0 if none.

    A clock that jumps makes it shorter or longer, never longer than the whole.
    """
    gone = (datetime.now(UTC) - datetime.fromisoformat(since)).total_seconds()
    return round(min(float(seconds), max(0.0, float(seconds) - gone)), 3)


class FilterModule:
    """The filters about routers."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Name -> function."""
        return {
            "router_problem": router_problem,
            "by_router": by_router,
            "router_seconds": router_seconds,
            "held_seconds": held_seconds,
            "seconds_left": seconds_left,
        }
