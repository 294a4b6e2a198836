# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The eviction subresource, in the order in which the API server (registry/core/pod/rest/eviction.go) decides."""

from __future__ import annotations

from typing import Any

from . import kinds
from .errors import ApiError, bad_request, forbidden, success
from .registry import Registry, Writer
from .selectors import labels_match, selector_requirements

Json = dict[str, Any]

_REFUSED = "Cannot evict pod as it would violate the pod's disruption budget."
_TWO_BUDGETS = "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support."
# More entries than this in status.disruptedPods mean that nobody works on the PDB.
_MAX_DISRUPTED = 2000


def evict(registry: Registry, namespace: str, name: str, eviction: Json, who: Writer) -> Json:
    """Evict a pod: the Status of success, or ApiError 404, 409, 429, 403, 500."""
    if (eviction.get("metadata") or {}).get("name", "") != name:
        raise bad_request("name in URL does not match name in Eviction object")
    pods = registry.builtin("pods")
    registry.check_namespace(pods, namespace, name)
    pod = registry.get(pods, namespace, name).obj
    options = dict(eviction.get("deleteOptions") or {})
    if options.get("dryRun"):
        who = Writer(who.manager, dry_run=True)
    if not _ignores_budgets(pod):
        budget = _budget_of(registry, namespace, pod)
        if budget and not _unready_may_go(pod, budget):
            _take_disruption(registry, namespace, name, budget, who)
    registry.delete(pods, namespace, name, options, who)
    return success(code=201)


def _ignores_budgets(pod: Json) -> bool:
    return pod["status"].get("phase") in ("Pending", "Succeeded", "Failed") or "deletionTimestamp" in pod["metadata"]


def _budget_of(registry: Registry, namespace: str, pod: Json) -> Json | None:
    table = registry.store.table("poddisruptionbudgets.policy")
    labels = pod["metadata"].get("labels")
    found = []
    for key in table.span(namespace, None):
        budget = table.items[key].obj
        # A missing selector matches nothing, an empty one everything (policy/v1).
        selector = budget["spec"].get("selector")
        if selector is not None and labels_match(selector_requirements(selector), labels):
            found.append(budget)
    if len(found) > 1:
        # The real answer has no reason either.
        raise ApiError(500, "", _TWO_BUDGETS)
    return found[0] if found else None


def _unready_may_go(pod: Json, budget: Json) -> bool:
    if kinds.pod_ready(pod):
        return False
    if budget["spec"].get("unhealthyPodEvictionPolicy") == "AlwaysAllow":
        return True
    status = budget["status"]
    desired: int = status.get("desiredHealthy", 0)
    return desired > 0 and bool(status.get("currentHealthy", 0) >= desired)


def _take_disruption(registry: Registry, namespace: str, pod_name: str, budget: Json, who: Writer) -> None:
    """Use up one allowed disruption, or refuse."""
    name = budget["metadata"]["name"]
    status = budget["status"]
    if status.get("observedGeneration", 0) < budget["metadata"]["generation"]:
        text = f"The disruption budget {name} is still being processed by the server."
        cause = {"reason": "DisruptionBudget", "message": text}
        raise ApiError(429, "TooManyRequests", _REFUSED, causes=[cause], retry_after=10)
    allowed = status.get("disruptionsAllowed", 0)
    if allowed < 0:
        raise forbidden("poddisruptionbudgets", "policy", name, "pdb disruptions allowed is negative")
    if len(status.get("disruptedPods") or ()) > _MAX_DISRUPTED:
        why = "DisruptedPods map too big - too many evictions not confirmed by PDB controller"
        raise forbidden("poddisruptionbudgets", "policy", name, why)
    if allowed == 0:
        text = (
            f"The disruption budget {name} needs {status.get('desiredHealthy', 0)} healthy pods "
            f"and has {status.get('currentHealthy', 0)} currently"
        )
        raise ApiError(429, "TooManyRequests", _REFUSED, causes=[{"reason": "DisruptionBudget", "message": text}])

    def decrement(obj: Json) -> Json:
        left = obj["status"]["disruptionsAllowed"] = obj["status"]["disruptionsAllowed"] - 1
        obj["status"].setdefault("disruptedPods", {})[pod_name] = kinds.now()
        if left == 0:
            kinds.set_condition(obj["status"], "DisruptionAllowed", "False", "InsufficientPods", "")
        return obj

    budgets = registry.builtin("poddisruptionbudgets", "policy")
    registry.update(budgets, namespace, name, decrement, who, subresource="status", free=True)
