# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to hitless.nodes: it may change in any release, don't import it from elsewhere.

"""PodDisruptionBudgets: their spec and status, and how many evictions may be requested behind one. No I/O."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from ..kube.labels import Labels, matches

BUDGETS = "/apis/policy/v1/poddisruptionbudgets"
# A watch shows when a budget changes. A request without that news is only for what no watch shows: operators that lift
# a budget after an eviction was requested. kubectl requests as often.
BLIND_PAUSE = 5.0


@dataclass(frozen=True)
class Budget:
    """A PodDisruptionBudget, as far as a drain needs it. The numbers are None until its status has them."""

    namespace: str
    name: str
    selector: dict[str, Any] | None = None
    min_available: int | str | None = None
    max_unavailable: int | str | None = None
    healthy: int | None = None
    desired: int | None = None
    pods: int | None = None
    allowed: int | None = None
    # The status is older than the spec. The API server refuses everything until its controller has caught up.
    lags: bool = False
    # Why the controller can't compute the numbers, in its words.
    problem: str = ""
    disrupted: tuple[str, ...] = ()

    @classmethod
    def of(cls, found: dict[str, Any]) -> Budget:
        """A budget as the API shows it."""
        metadata, spec, status = found["metadata"], found.get("spec") or {}, found.get("status") or {}
        conditions = status.get("conditions") or []
        failed = [entry.get("message", "") for entry in conditions if entry.get("reason") == "SyncFailed"]
        return cls(
            namespace=metadata["namespace"],
            name=metadata["name"],
            selector=spec.get("selector"),
            min_available=spec.get("minAvailable"),
            max_unavailable=spec.get("maxUnavailable"),
            healthy=status.get("currentHealthy"),
            desired=status.get("desiredHealthy"),
            pods=status.get("expectedPods"),
            allowed=status.get("disruptionsAllowed"),
            lags=(status.get("observedGeneration") or 0) < (metadata.get("generation") or 0),
            problem=failed[0] if failed else "",
            disrupted=tuple(status.get("disruptedPods") or ()),
        )

    @property
    def key(self) -> str:
        """namespace/name."""
        return f"{self.namespace}/{self.name}"

    def selects(self, labels: Labels) -> bool:
        """Whether it protects a pod of its namespace with these labels.

        policy/v1: an empty selector selects all pods of the namespace. An absent one selects none.
        """
        return self.selector is not None and matches(self.selector, labels)

    def numbers(self) -> dict[str, Any]:
        """What modules return of it."""
        return {
            "namespace": self.namespace,
            "name": self.name,
            "min_available": self.min_available,
            "max_unavailable": self.max_unavailable,
            "healthy": self.healthy,
            "desired_healthy": self.desired,
            "pods": self.pods,
            "allowed": self.allowed,
        }

    def words(self) -> str:
        """The numbers in words."""
        if self.lags:
            return "its status isn't up to date yet (the controller lags)"
        if self.problem:
            return f"its controller can't compute it: {self.problem}"
        if self.desired is None:
            return "its numbers can't be read"
        return f"needs {self.desired} healthy pods and has {self.healthy} currently, {self.allowed} may go"

    def never(self) -> str:
        """Why it can't allow any eviction, whatever happens to other pods; empty if it can."""
        if self.problem:
            return f"its controller can't compute it: {self.problem}"
        if self.max_unavailable in (0, "0%"):
            return f"maxUnavailable is {self.max_unavailable}"
        if not self.lags and self.pods and (self.desired or 0) >= self.pods:
            asked = f"maxUnavailable is {self.max_unavailable}"
            if self.max_unavailable is None:
                asked = f"minAvailable is {self.min_available}"
            return f"{asked}, which needs {self.desired} of its {self.pods} pods"
        return ""


def keys_of(labels: Labels, namespace: str, budgets: Iterable[Budget]) -> list[str]:
    """The budgets that protect a pod."""
    return sorted(budget.key for budget in budgets if budget.namespace == namespace and budget.selects(labels))


@dataclass
class Gate:
    """A budget during a drain: whose eviction may be requested behind it now. Times are seconds since the drain began.

    Credit is what the status allows, minus what was requested since then and isn't in the status yet. The API server
    puts each pod that it evicts into status.disruptedPods at once. So an eviction is found there.
    """

    budget: Budget
    open: list[str] = field(default_factory=list)
    # Pods whose eviction is being requested -> how many times the status had been seen by then.
    flying: dict[str, int] = field(default_factory=dict)
    seen: int = 0
    # Without credit, one eviction may still be requested after this moment.
    quiet_until: float = 0.0
    refusals: int = 0
    blocked: float = 0.0
    blocked_since: float | None = None
    told: bool = False

    @property
    def credit(self) -> int:
        """How many more evictions the budget allows, as far as is known."""
        return 0 if self.budget.lags else max(0, (self.budget.allowed or 0) - len(self.open))

    def room(self, now: float, more: int = 0) -> bool:
        """Whether one more eviction may be requested, after so many have just been chosen."""
        return self.credit > more or (not self.flying and not more and now >= self.quiet_until)

    def ask(self, pod: str) -> None:
        """Notes that a pod's eviction is being requested."""
        self.flying[pod] = self.seen
        if pod not in self.open:
            self.open.append(pod)

    def let_go(self, pod: str, now: float, *, watched: bool) -> None:
        """Notes that the API server evicted a pod."""
        self.flying.pop(pod, None)
        # Perhaps the next one is allowed, too. Without a watch, only a request shows it.
        self.quiet_until = now + BLIND_PAUSE if watched else now

    def refuse(self, pod: str, now: float, pause: float, *, watched: bool) -> None:
        """Notes that the budget refused a pod's eviction."""
        seen = self.flying.pop(pod, self.seen)
        self.forget(pod)
        self.refusals += 1
        if seen == self.seen:
            # There was no news since the request, so the numbers are from before it, and too high.
            self.budget = replace(self.budget, allowed=0)
        self.quiet_until = now + (max(pause, BLIND_PAUSE) if watched else pause)

    def forget(self, pod: str) -> None:
        """Notes that a pod no longer costs the budget anything: it is gone, or not evicted."""
        self.flying.pop(pod, None)
        if pod in self.open:
            self.open.remove(pod)

    def update(self, budget: Budget, *, listed: bool = False) -> None:
        """Takes the budget as it is now. A list has everything that was answered before it; a watch event may not."""
        self.budget = budget
        self.seen += 1
        counted = set(budget.disrupted)
        self.open = [pod for pod in self.open if pod not in counted and (pod in self.flying or not listed)]

    def mark(self, now: float, *, blocks: bool) -> None:
        """Adds up the time in which pods wait for the budget."""
        if blocks and self.blocked_since is None:
            self.blocked_since = now
        elif not blocks and self.blocked_since is not None:
            self.blocked += now - self.blocked_since
            self.blocked_since = None

    def blocked_seconds(self, now: float) -> float:
        """For how long pods have waited for it."""
        return self.blocked + (0.0 if self.blocked_since is None else now - self.blocked_since)

    @property
    def kept(self) -> bool:
        """Whether it has ever kept a pod."""
        return bool(self.refusals or self.blocked or self.blocked_since is not None)

    def row(self, now: float) -> dict[str, Any]:
        """What modules return of it."""
        seconds = round(self.blocked_seconds(now), 3)
        return {**self.budget.numbers(), "refusals": self.refusals, "blocked_seconds": seconds}

    def handover(self) -> dict[str, Any]:
        """What the next slice has to know."""
        return asdict(replace(self, flying={}, seen=0))

    @classmethod
    def taken_over(cls, state: dict[str, Any]) -> Gate:
        """The gate of the previous slice."""
        known = state["budget"]
        return cls(**{**state, "budget": Budget(**{**known, "disrupted": tuple(known["disrupted"])})})
