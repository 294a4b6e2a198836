# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The controller that keeps the status of PodDisruptionBudgets, a moment after the pods have changed."""

from __future__ import annotations

import asyncio
import math
from typing import Any

from . import kinds
from .selectors import labels_match, selector_requirements
from .store import Entry, Event, Key
from .worker import Worker

Json = dict[str, Any]

_PDBS = "poddisruptionbudgets.policy"
# An eviction that has not led to a deletion counts for so many seconds.
_DISRUPTION_SECONDS = 120.0


class NoScaleError(Exception):
    """The number of expected pods can't be found: percentages and maxUnavailable need a controller with a scale."""


def _selects(budget: Json, pod: Json) -> bool:
    selector = budget["spec"].get("selector")
    return selector is not None and labels_match(selector_requirements(selector), pod["metadata"].get("labels"))


def scaled(value: int | str, total: int) -> int:
    """An int-or-percent of total, rounded up."""
    if isinstance(value, str):
        return math.ceil(int(value.rstrip("%")) * total / 100)
    return value


class Budgets(Worker):
    """status of PDBs: expectedPods, currentHealthy, desiredHealthy, disruptionsAllowed, observedGeneration."""

    def changed(self, table: str, event: Event) -> None:
        """PDBs that a change of a pod, a workload or the PDB itself may touch."""
        if table == _PDBS:
            if event.after is not None:
                self.mark(event.key)
            return
        if table not in ("pods.", "replicasets.apps", "deployments.apps"):
            return
        budgets = self.store.table(_PDBS)
        if not budgets.items:
            return
        for key in budgets.span(event.key[0], None):
            budget = budgets.items[key].obj
            seen: tuple[Entry | None, ...] = (event.before, event.after)
            if table != "pods." or any(entry and _selects(budget, entry.obj) for entry in seen):
                self.mark(key)

    def reconcile(self, key: Key) -> None:
        """Write the status of one PDB."""
        entry = self.store.table(_PDBS).items.get(key)
        if entry is None:
            return
        table = self.store.table("pods.")
        pods = [
            table.items[name].obj for name in table.span(key[0], None) if _selects(entry.obj, table.items[name].obj)
        ]
        status = self._status(entry.obj, pods)

        def replace(obj: Json) -> Json:
            return {**obj, "status": status}

        resource = self.registry.builtin("poddisruptionbudgets", "policy")
        self.registry.update(resource, *key, replace, self.who, subresource="status", free=True)
        if status.get("disruptedPods"):
            asyncio.get_running_loop().call_later(_DISRUPTION_SECONDS + 1, self.mark, key)

    def _status(self, budget: Json, pods: list[Json]) -> Json:
        status: Json = {"conditions": [dict(item) for item in budget["status"].get("conditions") or ()]}
        status["observedGeneration"] = budget["metadata"]["generation"]
        disrupted = self._disrupted(budget, pods)
        if disrupted:
            status["disruptedPods"] = disrupted
        healthy = sum(
            kinds.pod_ready(pod)
            for pod in pods
            if "deletionTimestamp" not in pod["metadata"] and pod["metadata"]["name"] not in disrupted
        )
        try:
            expected, desired = self._wanted(budget["spec"], pods)
        except NoScaleError as error:
            status = {**budget["status"], **status, "disruptionsAllowed": 0}
            kinds.set_condition(status, "DisruptionAllowed", "False", "SyncFailed", str(error))
            return status
        allowed = max(0, healthy - desired) if expected > 0 else 0
        status.update(currentHealthy=healthy, desiredHealthy=desired, expectedPods=expected, disruptionsAllowed=allowed)
        value, reason = ("True", "SufficientPods") if allowed else ("False", "InsufficientPods")
        kinds.set_condition(status, "DisruptionAllowed", value, reason, "")
        return status

    def _disrupted(self, budget: Json, pods: list[Json]) -> Json:
        """Evictions that count although their pod does not terminate yet."""
        alive = {pod["metadata"]["name"] for pod in pods if "deletionTimestamp" not in pod["metadata"]}
        return {
            name: since
            for name, since in (budget["status"].get("disruptedPods") or {}).items()
            if name in alive and kinds.seconds_since(since) < _DISRUPTION_SECONDS
        }

    def _wanted(self, spec: Json, pods: list[Json]) -> tuple[int, int]:
        """(expected pods, pods that must be healthy)."""
        if "maxUnavailable" in spec:
            expected = self._scale(pods)
            return expected, max(0, expected - scaled(spec["maxUnavailable"], expected))
        minimum = spec.get("minAvailable")
        if isinstance(minimum, str):
            expected = self._scale(pods)
            return expected, scaled(minimum, expected)
        if minimum is None:
            return 0, 0
        return len(pods), minimum

    def _scale(self, pods: list[Json]) -> int:
        """Sum of the replicas of the controllers of these pods; pods without a controller do not count."""
        scales: dict[str, int] = {}
        for pod in pods:
            owner = controller_of(pod)
            if owner is None:
                continue
            name = pod["metadata"]["name"]
            found = self._owner(owner)
            if found is None:
                raise NoScaleError(f'found no controllers for pod "{name}"')
            above = controller_of(found)
            top = (self._owner(above) if above else None) or found
            if "replicas" not in (top.get("spec") or {}):
                kind = f"{owner['kind'].lower()}s.{owner['apiVersion'].partition('/')[0]}"
                raise NoScaleError(f"{kind} does not implement the scale subresource")
            scales[top["metadata"]["uid"]] = top["spec"]["replicas"]
        return sum(scales.values())

    def _owner(self, owner: Json) -> Json | None:
        where = self.store.by_uid.get(owner["uid"])
        return self.store.table(where[0]).items[where[1]].obj if where else None


def controller_of(obj: Json) -> Json | None:
    """The ownerReference of the managing controller, or None."""
    return next((ref for ref in obj["metadata"].get("ownerReferences") or () if ref.get("controller")), None)
