# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Loops over routers: who gave no good answer; and how much of a time is left."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from ansible_collections.hitless.nodes.plugins.module_utils.record import router_answers

# The loop variable of every task that goes over the routers.
ROUTER = "__router"


def router_problem(loop: Mapping[str, Any], routers: Iterable[str], node: str = "") -> str:
    """One line that names the node, and each router that gave no good answer, and why; "" if all did.

    loop: the registered result of a task that went over the routers with failures let through.
    """
    answers = {each[ROUTER]: each for each in loop.get("results", []) if ROUTER in each}
    return router_answers.problem(answers, routers, node)


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
        return {"router_problem": router_problem, "seconds_left": seconds_left}
