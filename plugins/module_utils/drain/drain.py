# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to hitless.nodes: it may change in any release, don't import it from elsewhere.

"""The state drained of node_drain. Everything is judged before the first change, then the pods are evicted."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from ..base.errors import HitlessError
from ..base.polling import Limits, Unfinished, patiently
from ..base.words import some
from ..kube import node_objects
from ..kube.api_errors import TRANSIENT, Unauthorized
from ..kube.client import Client, segment
from ..kube.events import Events
from ..kube.pods import tolerates_cordon
from ..record import records
from . import pod_selector
from .cordon import result, set_unschedulable
from .evict import Evictor, Options
from .filters import Decision, Permissions, daemonset_of, judge, left_alone
from .forecast import Outlook, look_ahead, title
from .pdb import Gate, keys_of
from .story import Story, progress, reasons, row_after, row_before, silence, still_there
from .targets import FAILED, SKIPPED, Target

Decisions = list[tuple[dict[str, Any], Decision]]


class DrainError(HitlessError):
    """The node can't be drained, or wasn't drained in time."""


# Before the first change


def pods_of(client: Client, name: str) -> tuple[list[dict[str, Any]], str]:
    """All pods bound to a node, and the resourceVersion of that list."""
    return client.list_all("/api/v1/pods", fieldSelector=f"spec.nodeName={name}")


def decide(client: Client, pods: list[dict[str, Any]], permissions: Permissions) -> Decisions:
    """What to do with each pod. Each DaemonSet is only read once, for any number of its pods."""
    exists: dict[tuple[str, str], bool] = {}
    for pod in pods:
        owner = None if left_alone(pod, permissions) else daemonset_of(pod)
        if owner is not None and owner not in exists:
            path = f"/apis/apps/v1/namespaces/{segment(owner[0])}/daemonsets/{segment(owner[1])}"
            exists[owner] = client.find(path) is not None
    decisions = []
    for pod in pods:
        owner = daemonset_of(pod)
        daemonset_exists = owner is None or exists.get(owner, True)
        decisions.append((pod, judge(pod, permissions, daemonset_exists=daemonset_exists)))
    return decisions


def _with(action: str, decisions: Decisions) -> Decisions:
    """The pods with one kind of action."""
    return [(pod, decision) for pod, decision in decisions if decision.action == action]


def _refuse(name: str, decisions: Decisions, outlook: Outlook) -> None:
    """Raises DrainError if pods may not be evicted, and names all of them by reason."""
    refused = _with("refuse", decisions)
    if not refused:
        return
    by_reason: dict[str, list[str]] = {}
    for pod, decision in refused:
        by_reason.setdefault(decision.reason, []).append(title(pod))
    words = "; ".join(f"{some(pods)}: {reason}" for reason, pods in by_reason.items())
    raise DrainError(
        f"{name}: {len(refused)} of {len(decisions)} pods mustn't be evicted, and nothing was changed: {words}",
        pods=[row_before(pod, decision) for pod, decision in decisions],
        refused=[title(pod) for pod, _decision in refused],
        forecast=outlook.forecast,
        warnings=outlook.warnings,
    )


@dataclass
class Start:
    """What a drain or its next slice begins with. node, pods and version are as just read."""

    node: dict[str, Any]
    pods: list[dict[str, Any]]
    version: str
    limits: Limits
    story: Story
    targets: list[Target]
    gates: list[Gate]
    budgets_version: str | None


def _look(
    client: Client, params: dict[str, Any], *, check_mode: bool = False
) -> tuple[dict[str, Any], list[dict[str, Any]], str]:
    """The Node, after a check that no other run holds it, its pods and the resourceVersion of their list."""
    name = params["name"]
    node = node_objects.read(client, name)
    records.ensure_ours(name, records.parse(node), params["_run"], claimed=params.get("claimed"), check_mode=check_mode)
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


def _first(client: Client, params: dict[str, Any], *, check_mode: bool) -> Start:
    """Reads and judges everything before the first change; raises DrainError for pods that must not be evicted."""
    name = params["name"]
    node, pods, version = _look(client, params, check_mode=check_mode)
    decisions = decide(client, pods, _permissions(params))
    going = _with("evict", decisions)
    outlook = look_ahead(client, name, _concerned(decisions), budgets_count=not params["disable_eviction"])
    _refuse(name, decisions, outlook)
    story = Story(
        name,
        Events(client, name),
        before=bool(node["spec"].get("unschedulable")),
        rows=[row_before(pod, decision) for pod, decision in _with("skip", decisions)],
        forecast=outlook.forecast,
        warnings=outlook.warnings,
    )
    if going and (quiet := silence(node)):
        story.warnings.append(f"{name}: {quiet}")
    targets = []
    for pod, decision in going:
        target = Target.of(pod, decision.reason)
        target.budgets = keys_of(target.labels, target.namespace, outlook.budgets)
        targets.append(target)
    gates = [Gate(budget) for budget in outlook.budgets]
    return Start(node, pods, version, Limits.of(params), story, targets, gates, outlook.version)


def _concerned(decisions: Decisions) -> list[dict[str, Any]]:
    """The pods that the forecast is about.

    Refused pods are among them, because a user who allows them next time wants to know now. Pods of DaemonSets are only
    among them if they are evicted.
    """
    going = [pod for pod, _decision in _with("evict", decisions)]
    refused = [pod for pod, _decision in _with("refuse", decisions) if not daemonset_of(pod)]
    return going + refused


def _next(client: Client, params: dict[str, Any]) -> Start:
    """Takes over from the previous slice."""
    name, earlier = params["name"], params["_state"]
    (node, pods, version), limits = patiently(
        lambda: _look(client, params),
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


# The drain


def _cordon(client: Client, start: Start, params: dict[str, Any], *, check_mode: bool) -> None:
    """The first change: no new pod comes to the node. Reports that the drain has begun."""
    story, run = start.story, params["_run"]
    start.node, story.changed = set_unschedulable(
        client, start.node, True, run=run, phase=None, check_mode=check_mode, claimed=bool(params.get("claimed"))
    )
    story.cordoned = story.changed and not story.before
    if not check_mode and (story.cordoned or start.targets):
        who = f"{run['holder']}: " if run else ""
        words = f"{who}cordoned, {len(start.targets)} pods to evict, {len(story.rows)} left alone"
        story.events.tell("DrainStarted", words)


def _evictor(client: Client, params: dict[str, Any], start: Start) -> Evictor:
    """The object that evicts the pods. It also judges those that come after the cordon."""
    permissions = _permissions(params)

    def arrived(pod: dict[str, Any]) -> Target | None:
        """A pod that came to the node after the cordon, if it must also be evicted."""
        decision = judge(pod, permissions)
        if decision.action == "skip" or tolerates_cordon(pod):
            return None
        target = Target.of(pod, decision.reason)
        if decision.action == "refuse":
            target.state, target.words = FAILED, f"came while the node was being drained; {decision.reason}"
        return target

    def blocked(gate: Gate, pod: str) -> None:
        """Reports once that a budget keeps pods."""
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


def _stamp(client: Client, start: Start, evictor: Evictor, params: dict[str, Any]) -> None:
    """Notes in the record, if there is one, that the node is drained, and which pods stay."""
    if records.parse(start.node) is None:
        return
    run, claimed = params["_run"], bool(params.get("claimed"))
    # The guard before the power command tells pods that came later by this.
    stay = {row["uid"] for row in start.story.rows if row["action"] == "skip"}
    stay |= {target.uid for target in evictor.targets.values() if target.state == SKIPPED}
    note = {"stay": sorted(stay)}

    def stamp() -> tuple[dict[str, Any], bool]:
        # Read the Node again. A controller has since set the cordon's taint, so the write would be a conflict.
        node = node_objects.read(client, start.story.name)
        return set_unschedulable(
            client, node, True, run=run, phase="drained", note=note, check_mode=False, claimed=claimed
        )

    limits = replace(start.limits.after(evictor.now), slice=None)
    (start.node, stamped), _limits = patiently(stamp, subject=start.story.name, limits=limits, retry_on=TRANSIENT)
    start.story.changed = start.story.changed or stamped


def _uncordon_ours(client: Client, story: Story, params: dict[str, Any]) -> str:
    """Uncordons a node that was schedulable before this drain or its claim, and says in words how it is now."""
    try:
        node = node_objects.read(client, story.name)
        record = records.parse(node)
        ours = story.cordoned if record is None else not record["before"]["unschedulable"]
        if not ours:
            return "the node stays cordoned, as it was before"
        claimed = bool(params.get("claimed"))
        set_unschedulable(client, node, False, run=params["_run"], phase=None, check_mode=False, claimed=claimed)
    except HitlessError as exc:
        return f"the node stays cordoned, uncordoning it failed: {exc.msg}"
    return "the node is schedulable again"


def _given_up(client: Client, story: Story, evictor: Evictor, params: dict[str, Any]) -> DrainError:
    """The error that says what is left and why, if the time is over or nothing more can be done."""
    pending = evictor.pending
    why = f"after {float(params['timeout']):.0f} s" if evictor.active else "and won't go"
    hint = ""
    try:
        hint = silence(node_objects.read(client, story.name))
    except HitlessError as exc:
        hint = exc.msg
    left = f"{len(pending)} of {len(evictor.targets)} pods are still there {why}: {reasons(evictor)}"
    end = "the node stays cordoned"
    if params["on_timeout"] == "uncordon_and_fail":
        end = _uncordon_ours(client, story, params)
    msg = "; ".join(part for part in (left, hint, end) if part)
    story.events.tell("DrainFailed", msg, warning=True)
    return DrainError(f"{story.name}: {msg}", **story.facts(evictor), pending=still_there(evictor))


def drain(client: Client, params: dict[str, Any], *, check_mode: bool) -> dict[str, Any]:
    """The result of state=drained; raises DrainError (refused, or not in time) or Unfinished (a slice is over)."""
    if Limits.of(params).resumed:
        start = _next(client, params)
    else:
        start = _first(client, params, check_mode=check_mode)
        _cordon(client, start, params, check_mode=check_mode)
    story = start.story
    if check_mode:
        story.rows += [row_after(target, "pending") for target in start.targets]
        story.changed = story.changed or bool(start.targets)
        return result(start.node, before=story.before, after=True, **story.facts(None))
    evictor = _evictor(client, params, start)
    try:
        evictor.run(start.pods, start.version)
    except HitlessError as exc:
        _tell_of_failure(exc, story, evictor)
        raise
    if evictor.pending:
        raise _not_done(client, params, start, evictor)
    _stamp(client, start, evictor, params)
    if story.cordoned or start.targets:
        gone = sum(target.state != SKIPPED for target in evictor.targets.values())
        story.events.tell("DrainFinished", f"{gone} pods gone in {evictor.now:.0f} s")
    return result(start.node, before=story.before, after=True, **story.facts(evictor))


def _tell_of_failure(exc: HitlessError, story: Story, evictor: Evictor) -> None:
    """Adds the progress of the drain to an error for which waiting doesn't help (a wrong token, a missing right)."""
    if not isinstance(exc, Unauthorized):
        story.events.tell("DrainFailed", exc.msg, warning=True)
    left = f"{len(evictor.pending)} of {len(evictor.targets)} pods are still there, and the node stays cordoned"
    exc.msg = f"{story.name}: {left}: {exc.msg}; run it again when that is mended"
    exc.facts = {**story.facts(evictor), "pending": still_there(evictor), **exc.facts}


def _not_done(client: Client, params: dict[str, Any], start: Start, evictor: Evictor) -> Unfinished | DrainError:
    """The error to raise if pods are still there. The drain continues in the next slice, or ends."""
    story = start.story
    if evictor.active and evictor.now < start.limits.timeout:
        state = story.state() | evictor.handover()
        changed = story.changed or evictor.evicted
        return Unfinished(story.name, progress(evictor), state=state, changed=changed)
    return _given_up(client, story, evictor, params)
