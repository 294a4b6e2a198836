# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to hitless.nodes: it may change in any release, don't import it from elsewhere.

"""The three states of node_drain: cordoned, drained, schedulable."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from ..base.errors import HitlessError
from ..base.polling import Limits, Unfinished, patiently
from ..base.words import some
from ..kube import node_objects
from ..kube.api_errors import TRANSIENT, Unauthorized
from ..kube.client import Client, segment
from ..kube.events import Events
from ..kube.patching import merged
from ..record import records
from . import drain_forecast, pod_selector
from .evict import BUDGETS, ENDING, FAILED, SKIPPED, Evictor, Options, Target
from .filters import Decision, Permissions, daemonset_of, judge, left_alone, tolerates_cordon
from .pdb import Budget, Gate, keys_of


class DrainError(HitlessError):
    """The node can't be drained, or wasn't in time."""


def _set_unschedulable(
    client: Client,
    node: dict[str, Any],
    value: bool,
    *,
    run: dict[str, Any] | None,
    phase: str | None,
    check_mode: bool,
) -> tuple[dict[str, Any], bool]:
    """The Node cordoned or not, with its record's phase stamped in the same write, and whether anything was written.

    Raises HeldError when the record is another run's.
    """
    name = node["metadata"]["name"]

    def change(current: dict[str, Any]) -> dict[str, Any] | None:
        record = records.parse(current)
        records.ensure_ours(name, record, run)
        flip = bool(current["spec"].get("unschedulable")) != value
        stamp = record is not None and records.advances(record, phase)
        if not flip and not stamp:
            return None
        # As kubectl does: null removes the field, which is what a node that was never cordoned looks like.
        patch: dict[str, Any] = {"spec": {"unschedulable": True if value else None}} if flip else {}
        if record is not None:
            note = {"unschedulable": value} if flip else {}
            record = records.stamped(record, note, datetime.now(UTC), phase=phase if stamp else None)
            patch = merged(patch, records.annotation(record))
        return patch

    node, patch = node_objects.write(client, node, change, check_mode=check_mode)
    return node, patch is not None


def _result(node: dict[str, Any], *, changed: bool, before: bool, after: bool, **more: Any) -> dict[str, Any]:
    """What every state returns, with the same keys."""
    return {
        "changed": changed,
        "name": node["metadata"]["name"],
        "unschedulable": after,
        "record": records.parse(node),
        "kept_cordoned": False,
        "pods": [],
        "pending": [],
        "budgets": [],
        "forecast": drain_forecast.nothing(),
        "diff": {"before": {"unschedulable": before}, "after": {"unschedulable": after}},
        **more,
    }


def cordon(client: Client, name: str, *, run: dict[str, Any] | None, check_mode: bool) -> dict[str, Any]:
    """The result of state=cordoned."""
    node = node_objects.read(client, name)
    before = bool(node["spec"].get("unschedulable"))
    node, changed = _set_unschedulable(client, node, True, run=run, phase=None, check_mode=check_mode)
    return _result(node, changed=changed, before=before, after=True)


def uncordon(client: Client, name: str, *, run: dict[str, Any] | None, check_mode: bool) -> dict[str, Any]:
    """The result of state=schedulable. A node that was cordoned before it was claimed stays so."""
    node = node_objects.read(client, name)
    record = records.parse(node)
    before = bool(node["spec"].get("unschedulable"))
    kept = record is not None and record["before"]["unschedulable"]
    if kept:
        records.ensure_ours(name, record, run)
        # Somebody else may have uncordoned it by hand since; that isn't ours to undo.
        return _result(node, changed=False, before=before, after=before, kept_cordoned=before)
    node, changed = _set_unschedulable(client, node, False, run=run, phase="schedulable", check_mode=check_mode)
    return _result(node, changed=changed, before=before, after=False)


def pods_of(client: Client, name: str) -> tuple[list[dict[str, Any]], str]:
    """All pods bound to a node, and the resourceVersion of that list."""
    return client.list_all("/api/v1/pods", fieldSelector=f"spec.nodeName={name}")


def decide(
    client: Client, pods: list[dict[str, Any]], permissions: Permissions
) -> list[tuple[dict[str, Any], Decision]]:
    """What becomes of each pod. Each DaemonSet is asked for once, however many of its pods there are."""
    exists = {}
    for owner in {owner for pod in pods if not left_alone(pod, permissions) and (owner := daemonset_of(pod))}:
        path = f"/apis/apps/v1/namespaces/{segment(owner[0])}/daemonsets/{segment(owner[1])}"
        exists[owner] = client.find(path) is not None
    return [
        (pod, judge(pod, permissions, daemonset_exists=exists.get(daemonset_of(pod) or ("", ""), True))) for pod in pods
    ]


@dataclass
class Outlook:
    """What was read before the first change. version: where a watch on the budgets goes on, None: no right to them."""

    forecast: dict[str, Any]
    budgets: list[Budget] = field(default_factory=list)
    version: str | None = None
    warnings: list[str] = field(default_factory=list)


def look_ahead(client: Client, name: str, going: list[dict[str, Any]], *, budgets_count: bool) -> Outlook:
    """The forecast for the pods that will be evicted. What can't be read is missing in it, and a warning says so."""
    outlook = Outlook(drain_forecast.of_pods(going))
    failures: list[str] = []
    namespaces = {pod["metadata"]["namespace"] for pod in going}
    try:
        if going and budgets_count:
            found, outlook.version = client.list_all(BUDGETS)
            outlook.budgets = [Budget.of(item) for item in found if item["metadata"]["namespace"] in namespaces]
            outlook.forecast |= drain_forecast.of_budgets(going, outlook.budgets)
            outlook.warnings += drain_forecast.warnings(name, outlook.forecast["never"])
    except Unauthorized:
        raise
    except HitlessError as exc:
        # Worth another try once a budget refuses, unless the right is missing.
        outlook.version = "" if isinstance(exc, TRANSIENT) else None
        failures.append(exc.msg)
    reads: list[Callable[[], dict[str, Any]]] = [
        lambda: drain_forecast.of_endpoints(client, name, going),
        lambda: drain_forecast.of_replicas(client, going),
    ]
    for read in reads if going else []:
        try:
            outlook.forecast |= read()
        except Unauthorized:
            raise
        except HitlessError as exc:
            failures.append(exc.msg)
    if failures:
        outlook.warnings.append(f"{name}: the forecast is incomplete: {'; '.join(failures)}")
    return outlook


def _refuse(name: str, decisions: list[tuple[dict[str, Any], Decision]], outlook: Outlook) -> None:
    """Raises DrainError if a pod may not be evicted, naming all of them by reason."""
    refusals: dict[str, list[str]] = {}
    for pod, decision in decisions:
        if decision.action == "refuse":
            refusals.setdefault(decision.reason, []).append(drain_forecast.title(pod))
    if refusals:
        words = "; ".join(f"{some(pods)}: {reason}" for reason, pods in refusals.items())
        count = sum(map(len, refusals.values()))
        raise DrainError(
            f"{name}: {count} of {len(decisions)} pods mustn't be evicted, and nothing was changed: {words}",
            pods=[_row(pod, decision) for pod, decision in decisions],
            refused=[drain_forecast.title(pod) for pod, decision in decisions if decision.action == "refuse"],
            forecast=outlook.forecast,
            warnings=outlook.warnings,
        )


def _row(pod: dict[str, Any], decision: Decision) -> dict[str, Any]:
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


def _target_row(target: Target, why: str) -> dict[str, Any]:
    """A pod as the module returns it after it was to be evicted. why: what keeps it, if it is still there."""
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
    """What is left and why: pods with the same reason together, what only takes its time last."""
    groups: dict[str, list[str]] = {}
    for target in sorted(evictor.pending, key=lambda target: (target.state == ENDING, str(target))):
        groups.setdefault(evictor.explain(target), []).append(str(target))
    return some(f"{some(pods)} ({why})" for why, pods in groups.items())


def progress(evictor: Evictor) -> str:
    """One line on how far it is: numbers, and what is left and why."""
    everybody, pending = evictor.targets.values(), evictor.pending
    ending = sum(target.state == ENDING for target in pending)
    counts = [f"{len(everybody) - len(pending)} of {len(everybody)} pods gone"]
    counts += [
        f"{number} {words}" for number, words in ((ending, "terminating"), (len(pending) - ending, "waiting")) if number
    ]
    return f"{', '.join(counts)}: {reasons(evictor)}"


def silence(node: dict[str, Any]) -> str:
    """Since when nothing is heard of the node's kubelet and what to do about its pods; empty if it is heard of."""
    conditions = node.get("status", {}).get("conditions") or []
    ready: dict[str, Any] = next((entry for entry in conditions if entry.get("type") == "Ready"), {})
    if ready.get("status") != "Unknown":
        return ""
    at = ready.get("lastHeartbeatTime") or ready.get("lastTransitionTime")
    return (
        f"the node's kubelet is silent{f' since {at}' if at else ''}, so nothing there ends its pods: when the machine "
        f"is certainly off, give the node the taint node.kubernetes.io/out-of-service=nodeshutdown:NoExecute, or pass "
        f"its terminating pods by with skip_wait_for_delete_timeout"
    )


@dataclass
class Story:
    """What a drain has to remember from slice to slice besides its pods, and tells at the end."""

    name: str
    events: Events
    # Whether the node was cordoned before, and whether this drain has cordoned it.
    before: bool
    cordoned: bool = False
    changed: bool = False
    rows: list[dict[str, Any]] = field(default_factory=list)
    forecast: dict[str, Any] = field(default_factory=drain_forecast.nothing)
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
            facts["pods"] = self.rows + [_target_row(t, evictor.explain(t)) for t in evictor.targets.values()]
            facts["budgets"] = [gate.row(now) for _key, gate in sorted(evictor.gates.items()) if gate.kept]
        return facts


def _uncordon_ours(client: Client, story: Story, run: dict[str, Any] | None) -> str:
    """Uncordons a node that this drain or its claim has cordoned, and says in words how it is now."""
    try:
        node = node_objects.read(client, story.name)
        record = records.parse(node)
        ours = story.cordoned if record is None else not record["before"]["unschedulable"]
        if not ours:
            return "the node stays cordoned, as it was before"
        _set_unschedulable(client, node, False, run=run, phase=None, check_mode=False)
    except HitlessError as exc:
        return f"the node stays cordoned, uncordoning it failed: {exc.msg}"
    return "the node is schedulable again"


def _given_up(client: Client, story: Story, evictor: Evictor, params: dict[str, Any]) -> DrainError:
    """The error that says what is left and why, when the time is over or nothing more can be done."""
    pending = evictor.pending
    hopeless = not evictor.active
    why = "and won't go" if hopeless else f"after {float(params['timeout']):.0f} s"
    hint = ""
    try:
        hint = silence(node_objects.read(client, story.name))
    except HitlessError as exc:
        hint = exc.msg
    left = f"{len(pending)} of {len(evictor.targets)} pods are still there {why}: {reasons(evictor)}"
    end = "the node stays cordoned"
    if params["on_timeout"] == "uncordon_and_fail":
        end = _uncordon_ours(client, story, params["_run"])
    msg = "; ".join(part for part in (left, hint, end) if part)
    story.events.tell("DrainFailed", msg, warning=True)
    return DrainError(f"{story.name}: {msg}", **story.facts(evictor), pending=_pending(evictor))


def _pending(evictor: Evictor) -> list[dict[str, Any]]:
    """RV(pending): the pods that are still there, each with the reason."""
    return [
        {"namespace": t.namespace, "name": t.name, "uid": t.uid, "reason": evictor.explain(t)} for t in evictor.pending
    ]


@dataclass
class Start:
    """What a drain, or its next slice, begins with. node, pods and version are as just read."""

    node: dict[str, Any]
    pods: list[dict[str, Any]]
    version: str
    limits: Limits
    story: Story
    targets: list[Target]
    gates: list[Gate]
    budgets_version: str | None


def _look(client: Client, name: str, run: dict[str, Any] | None) -> tuple[dict[str, Any], list[dict[str, Any]], str]:
    """The Node, after a check that nobody else holds it, its pods and the resourceVersion of their list."""
    node = node_objects.read(client, name)
    records.ensure_ours(name, records.parse(node), run)
    return node, *pods_of(client, name)


def _permissions(params: dict[str, Any]) -> Permissions:
    """What the options allow."""
    return Permissions(
        params["ignore_daemonsets"],
        params["delete_emptydir_data"],
        params["force"],
        exclude_namespaces=tuple(params["exclude_namespaces"]),
        selector=pod_selector.parse(params["pod_selector"]),
        skip_wait=params["skip_wait_for_delete_timeout"],
    )


def _first(client: Client, params: dict[str, Any]) -> Start:
    """Reads and judges everything before the first change; raises DrainError for pods that mustn't be evicted."""
    name = params["name"]
    node, pods, version = _look(client, name, params["_run"])
    story = Story(name, Events(client, name), before=bool(node["spec"].get("unschedulable")))
    decisions = decide(client, pods, _permissions(params))
    going = [(pod, decision) for pod, decision in decisions if decision.action == "evict"]
    # Refused pods, too: whoever allows them the next time wants to know now. DaemonSets' pods only where they go.
    refused = [pod for pod, decision in decisions if decision.action == "refuse" and not daemonset_of(pod)]
    evicted = [pod for pod, _decision in going]
    outlook = look_ahead(client, name, evicted + refused, budgets_count=not params["disable_eviction"])
    _refuse(name, decisions, outlook)
    story.rows = [_row(pod, decision) for pod, decision in decisions if decision.action == "skip"]
    story.forecast, story.warnings = outlook.forecast, outlook.warnings
    if going and (quiet := silence(node)):
        story.warnings.append(f"{name}: {quiet}")
    targets = [Target.of(pod, decision.reason) for pod, decision in going]
    for target in targets:
        target.budgets = keys_of(target.labels, target.namespace, outlook.budgets)
    gates = [Gate(budget) for budget in outlook.budgets]
    return Start(node, pods, version, Limits.of(params), story, targets, gates, outlook.version)


def _next(client: Client, params: dict[str, Any]) -> Start:
    """Takes over from the slice before."""
    name, earlier = params["name"], params["_state"]
    (node, pods, version), limits = patiently(
        lambda: _look(client, name, params["_run"]),
        subject=name,
        limits=Limits.of(params),
        retry_on=TRANSIENT,
        state=earlier,
    )
    story = Story(
        name,
        Events(client, name),
        **{key: earlier[key] for key in ("before", "cordoned", "rows", "forecast", "warnings")},
    )
    targets = [Target(**target) for target in earlier["targets"]]
    gates = [Gate.taken_over(gate) for gate in earlier["gates"]]
    return Start(node, pods, version, limits, story, targets, gates, earlier["budgets_version"])


def _cordon(client: Client, start: Start, run: dict[str, Any] | None, *, check_mode: bool) -> None:
    """The first change: nothing new comes to the node. Tells that the drain has begun."""
    story = start.story
    start.node, story.changed = _set_unschedulable(client, start.node, True, run=run, phase=None, check_mode=check_mode)
    story.cordoned = story.changed and not story.before
    if not check_mode and (story.cordoned or start.targets):
        who = f"{run['holder']}: " if run else ""
        words = f"{who}cordoned, {len(start.targets)} pods to evict, {len(story.rows)} left alone"
        story.events.tell("DrainStarted", words)


def _evictor(client: Client, params: dict[str, Any], start: Start) -> Evictor:
    """What evicts the pods, and judges those that come after the cordon."""
    permissions = _permissions(params)

    def arrived(pod: dict[str, Any]) -> Target | None:
        """A pod that came to the node after the cordon, if it has to go, too."""
        decision = judge(pod, permissions)
        if decision.action == "skip" or tolerates_cordon(pod):
            return None
        target = Target.of(pod, decision.reason)
        if decision.action == "refuse":
            target.state, target.words = FAILED, f"came while the node was being drained; {decision.reason}"
        return target

    def blocked(gate: Gate, pod: str) -> None:
        """Tells of a budget that keeps pods, once."""
        words = f"PodDisruptionBudget {gate.budget.key} keeps {pod}: {gate.budget.words()}"
        start.story.events.tell("DrainBlocked", words, warning=True)

    return Evictor(
        client,
        params["name"],
        start.targets,
        options=Options(
            max_parallel=params["max_parallel"],
            grace_period=params["grace_period"],
            disable_eviction=params["disable_eviction"],
            by_priority=params["order"] == "priority",
            skip_wait=permissions.skip_wait,
        ),
        limits=start.limits,
        gates={gate.budget.key: gate for gate in start.gates},
        budgets_version=start.budgets_version,
        arrived=arrived,
        blocked=blocked,
    )


def _stamp(client: Client, start: Start, evictor: Evictor, run: dict[str, Any] | None) -> None:
    """Notes in the record, if there is one, that the node is drained."""
    if records.parse(start.node) is None:
        return

    def stamp() -> tuple[dict[str, Any], bool]:
        # Read anew: a controller has put the cordon's taint on the Node since, and the write would be a conflict.
        node = node_objects.read(client, start.story.name)
        return _set_unschedulable(client, node, True, run=run, phase="drained", check_mode=False)

    limits = replace(start.limits.after(evictor.now), slice=None)
    (start.node, stamped), _limits = patiently(stamp, subject=start.story.name, limits=limits, retry_on=TRANSIENT)
    start.story.changed = start.story.changed or stamped


def drain(client: Client, params: dict[str, Any], *, check_mode: bool) -> dict[str, Any]:
    """The result of state=drained; raises DrainError (refused, or not in time) or Unfinished (a slice is over)."""
    name, run = params["name"], params["_run"]
    if Limits.of(params).resumed:
        start = _next(client, params)
    else:
        start = _first(client, params)
        _cordon(client, start, run, check_mode=check_mode)
    story = start.story
    if check_mode:
        story.rows += [_target_row(target, "pending") for target in start.targets]
        story.changed = story.changed or bool(start.targets)
        return _result(start.node, before=story.before, after=True, **story.facts(None))
    evictor = _evictor(client, params, start)
    try:
        evictor.run(start.pods, start.version)
    except HitlessError as exc:
        # A wrong token, a missing right: nothing that waiting would heal.
        if not isinstance(exc, Unauthorized):
            story.events.tell("DrainFailed", exc.msg, warning=True)
        left = f"{len(evictor.pending)} of {len(evictor.targets)} pods are still there, and the node stays cordoned"
        exc.msg = f"{name}: {left}: {exc.msg}; run it again when that is mended"
        exc.facts = {**story.facts(evictor), "pending": _pending(evictor), **exc.facts}
        raise
    if evictor.pending and evictor.now < start.limits.timeout and evictor.active:
        state = story.state() | evictor.handover()
        raise Unfinished(name, progress(evictor), state=state, changed=story.changed or evictor.evicted)
    if evictor.pending:
        raise _given_up(client, story, evictor, params)
    _stamp(client, start, evictor, run)
    if story.cordoned or start.targets:
        gone = sum(target.state != SKIPPED for target in evictor.targets.values())
        story.events.tell("DrainFinished", f"{gone} pods gone in {evictor.now:.0f} s")
    return _result(start.node, before=story.before, after=True, **story.facts(evictor))
