# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to hitless.nodes: it may change in any release, don't import it from elsewhere.

"""What a drain reports: the rows of its pods, its progress, what is left and why."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ..base.words import some
from ..kube.events import Events
from . import forecast as forecast_
from .evict import Evictor
from .filters import Decision
from .targets import ENDING, FAILED, SKIPPED, Target


def row_before(pod: dict[str, Any], decision: Decision) -> dict[str, Any]:
    """A pod as the module returns it before anything happened to it."""
    metadata = pod["metadata"]
    return {
        "namespace": metadata["namespace"],
        "name": metadata["name"],
        "uid": metadata["uid"],
        "action": decision.action,
        "reason": decision.reason,
        "result": {"evict": "pending", "skip": "skipped", "refuse": "refused"}[decision.action],
        "seconds": None,
    }


def row_after(target: Target, why: str) -> dict[str, Any]:
    """A pod to evict as the module returns it afterwards. why: what keeps it, if it is still there."""
    return {
        "namespace": target.namespace,
        "name": target.name,
        "uid": target.uid,
        "action": "evict",
        "reason": target.words if target.state == SKIPPED else target.reason,
        "result": target.state if not target.left or target.state == FAILED else why,
        "seconds": None if target.ended is None else round(target.ended, 3),
    }


def reasons(evictor: Evictor) -> str:
    """What is left and why. Pods with the same reason are together. Those that only need more time come last."""
    groups: dict[str, list[str]] = {}
    for target in sorted(evictor.pending, key=lambda target: (target.state == ENDING, str(target))):
        groups.setdefault(evictor.explain(target), []).append(str(target))
    return some(f"{some(pods)} ({why})" for why, pods in groups.items())


def progress(evictor: Evictor) -> str:
    """One line on the progress: numbers, and what is left and why."""
    every, pending = evictor.targets.values(), evictor.pending
    ending = sum(target.state == ENDING for target in pending)
    counts = [f"{len(every) - len(pending)} of {len(every)} pods gone"]
    counts += [
        f"{number} {words}" for number, words in ((ending, "terminating"), (len(pending) - ending, "waiting")) if number
    ]
    return f"{', '.join(counts)}: {reasons(evictor)}"


def silence(node: dict[str, Any]) -> str:
    """Since when the node's kubelet has been silent, and what to do about its pods; empty if it isn't silent."""
    conditions = node.get("status", {}).get("conditions") or []
    ready: dict[str, Any] = next((entry for entry in conditions if entry.get("type") == "Ready"), {})
    if ready.get("status") != "Unknown":
        return ""
    at = ready.get("lastHeartbeatTime") or ready.get("lastTransitionTime")
    return (
        f"the node's kubelet is silent{f' since {at}' if at else ''}, so nothing there ends its pods: when the machine "
        f"is certainly off, give the node the taint node.kubernetes.io/out-of-service=nodeshutdown:NoExecute, or pass "
        f"its terminating pods by with drain_skip_wait_for_delete_timeout"
    )


def still_there(evictor: Evictor) -> list[dict[str, Any]]:
    """RV(pending): the pods that are still there, each with the reason."""
    return [
        {"namespace": t.namespace, "name": t.name, "uid": t.uid, "reason": evictor.explain(t)} for t in evictor.pending
    ]


@dataclass
class Story:
    """What a drain remembers from slice to slice besides its pods, and reports at the end."""

    name: str
    events: Events
    # Whether the node was cordoned before, and whether this drain has cordoned it.
    before: bool
    cordoned: bool = False
    changed: bool = False
    rows: list[dict[str, Any]] = field(default_factory=list)
    forecast: dict[str, Any] = field(default_factory=forecast_.nothing)
    warnings: list[str] = field(default_factory=list)

    def state(self) -> dict[str, Any]:
        """What the next slice has to know."""
        return {
            "before": self.before,
            "cordoned": self.cordoned,
            "rows": self.rows,
            "forecast": self.forecast,
            "warnings": self.told(),
        }

    def told(self) -> list[str]:
        """All warnings, those about events included."""
        return [*self.warnings, *([self.events.failure] if self.events.failure else [])]

    def facts(self, evictor: Evictor | None) -> dict[str, Any]:
        """The part of the result that success and failure have in common."""
        facts: dict[str, Any] = {
            "changed": self.changed,
            "pods": self.rows,
            "forecast": self.forecast,
            "warnings": self.told(),
        }
        if evictor is not None:
            now = evictor.now
            facts["changed"] = self.changed or evictor.evicted
            facts["pods"] = self.rows + [row_after(t, evictor.explain(t)) for t in evictor.targets.values()]
            facts["budgets"] = [gate.row(now) for _key, gate in sorted(evictor.gates.items()) if gate.kept]
        return facts
