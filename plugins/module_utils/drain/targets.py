# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to hitless.nodes: it may change in any release, don't import it from elsewhere.

"""The pods to evict: the state of each, and whose eviction may be requested now. No I/O."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from .filters import is_ready, is_terminating, skips_budgets
from .pdb import Gate

WAITING, ASKED, ENDING, GONE, SKIPPED, FAILED = "waiting", "asked", "terminating", "gone", "skipped", "failed"


@dataclass
class Target:
    """A pod to evict, and its state. Times are seconds since the drain began."""

    namespace: str
    name: str
    uid: str
    reason: str
    priority: int = 0
    state: str = WAITING
    words: str = ""
    labels: dict[str, str] = field(default_factory=dict)
    # Keys of the budgets that protect it, and whether they count it. A pod that isn't Ready may bypass them.
    budgets: list[str] = field(default_factory=list)
    counted: bool = True
    finalizers: list[str] = field(default_factory=list)
    grace: int | None = None
    deleted_at: str = ""
    next_try: float = 0.0
    asked: float | None = None
    tried: float = 0.0
    ended: float | None = None

    @classmethod
    def of(cls, pod: dict[str, Any], reason: str) -> Target:
        """A pod as the API shows it. A pod that was already deleted needs no eviction."""
        metadata = pod["metadata"]
        target = cls(
            metadata["namespace"],
            metadata["name"],
            metadata["uid"],
            reason,
            priority=(pod.get("spec") or {}).get("priority") or 0,
            labels=metadata.get("labels") or {},
        )
        target.counted = is_ready(pod) and not skips_budgets(pod)
        target.saw(pod)
        return target

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"

    def saw(self, pod: dict[str, Any]) -> None:
        """Notes the pod as it is now."""
        metadata = pod["metadata"]
        self.finalizers = list(metadata.get("finalizers") or [])
        if is_terminating(pod):
            self.deleted_at = metadata["deletionTimestamp"]
            self.grace = metadata.get("deletionGracePeriodSeconds")
            if self.state in (WAITING, ENDING):
                self.state, self.words = ENDING, "terminating"

    @property
    def left(self) -> bool:
        """Whether the drain still waits for it."""
        return self.state not in (GONE, SKIPPED)

    def explain(self, now: float) -> str:
        """Why the pod is still there, in words."""
        if self.state != ENDING:
            return self.words or "not yet evicted"
        seconds = None if self.asked is None else now - self.asked
        since = "" if seconds is None else f" for {seconds:.0f} s"
        if self.finalizers:
            return f"terminating{since}, held by finalizers {', '.join(self.finalizers)}"
        late = self.grace is not None and seconds is not None and seconds > self.grace
        return f"terminating{since}{f', longer than its grace period of {self.grace} s' if late else ''}"

    def handover(self) -> dict[str, Any]:
        """What the next slice has to know."""
        return asdict(self)


def gates_of(target: Target, gates: Mapping[str, Gate]) -> list[Gate]:
    """The budgets that decide whether a pod's eviction may be requested now."""
    return [gates[key] for key in target.budgets if key in gates] if target.counted else []


def due(waiting: Iterable[Target], gates: Mapping[str, Gate], now: float, free: int) -> list[Target]:
    """The pods whose eviction to request now, at most as many as there are free threads.

    Behind a budget there are no more requests than it allows. If it allows none, there is one request from time to time
    as a test. The pod that has waited longest comes first. More requests would be refused and load the API server.
    """
    chosen: list[Target] = []
    taken: dict[str, int] = {}
    for target in sorted((t for t in waiting if t.next_try <= now), key=lambda t: t.next_try):
        if len(chosen) >= free:
            break
        mine = gates_of(target, gates)
        if all(gate.room(now, taken.get(gate.budget.key, 0)) for gate in mine):
            chosen.append(target)
            for gate in mine:
                taken[gate.budget.key] = taken.get(gate.budget.key, 0) + 1
    return chosen


def next_moment(waiting: Iterable[Target], gates: Mapping[str, Gate], now: float, end: float) -> float:
    """When there is something to do again, if no answer and no event comes before.

    What could be done now and wasn't waits for an answer. It needs a free thread, or an answer about the same budget.
    """
    moments = [
        max([target.next_try, *(gate.quiet_until for gate in gates_of(target, gates) if not gate.credit)])
        for target in waiting
    ]
    return min([end, *(moment for moment in moments if moment > now)])
