# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to hitless.nodes: it may change in any release, don't import it from elsewhere.

"""The three states of node_drain: cordoned, drained, schedulable."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from ansible_collections.hitless.nodes.plugins.module_utils import _node, _record
from ansible_collections.hitless.nodes.plugins.module_utils._client import TRANSIENT, Client, segment
from ansible_collections.hitless.nodes.plugins.module_utils._errors import HitlessError
from ansible_collections.hitless.nodes.plugins.module_utils._evict import FAILED, Evictor, Target, budgets_path
from ansible_collections.hitless.nodes.plugins.module_utils._pods import (
    Decision,
    Permissions,
    budget_numbers,
    daemonset_of,
    judge,
    tolerates_cordon,
)
from ansible_collections.hitless.nodes.plugins.module_utils._polling import Limits, Unfinished, patiently

NAMED = 5


class DrainError(HitlessError):
    """The node can't be drained, or wasn't in time."""


def shorten(items: Iterable[str], *, most: int = NAMED) -> str:
    """The first few of a list, and how many more there are."""
    listed = list(items)
    more = f", and {len(listed) - most} more" if len(listed) > most else ""
    return ", ".join(listed[:most]) + more


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
        record = _record.parse(current)
        _record.ensure_ours(name, record, run)
        flip = bool(current["spec"].get("unschedulable")) != value
        stamp = record is not None and _record.advances(record, phase)
        if not flip and not stamp:
            return None
        # As kubectl does: null removes the field, which is what a node that was never cordoned looks like.
        patch: dict[str, Any] = {"spec": {"unschedulable": True if value else None}} if flip else {}
        if record is not None:
            note = {"unschedulable": value} if flip else {}
            record = _record.stamped(record, note, datetime.now(UTC), phase=phase if stamp else None)
            patch = _node.merged(patch, _record.annotation(record))
        return patch

    node, patch = _node.write(client, node, change, check_mode=check_mode)
    return node, patch is not None


def _result(node: dict[str, Any], *, changed: bool, before: bool, after: bool, **more: Any) -> dict[str, Any]:
    """What every state returns, with the same keys."""
    return {
        "changed": changed,
        "name": node["metadata"]["name"],
        "unschedulable": after,
        "kept_cordoned": False,
        "pods": [],
        "pending": [],
        "budgets": [],
        "diff": {"before": {"unschedulable": before}, "after": {"unschedulable": after}},
        **more,
    }


def cordon(client: Client, name: str, *, run: dict[str, Any] | None, check_mode: bool) -> dict[str, Any]:
    """The result of state=cordoned."""
    node = _node.read(client, name)
    before = bool(node["spec"].get("unschedulable"))
    node, changed = _set_unschedulable(client, node, True, run=run, phase=None, check_mode=check_mode)
    return _result(node, changed=changed, before=before, after=True)


def uncordon(client: Client, name: str, *, run: dict[str, Any] | None, check_mode: bool) -> dict[str, Any]:
    """The result of state=schedulable. A node that was cordoned before it was claimed stays so."""
    node = _node.read(client, name)
    record = _record.parse(node)
    before = bool(node["spec"].get("unschedulable"))
    kept = record is not None and record["before"]["unschedulable"]
    if kept:
        _record.ensure_ours(name, record, run)
        # Somebody else may have uncordoned it by hand since; that isn't ours to undo.
        return _result(node, changed=False, before=before, after=before, kept_cordoned=before)
    node, changed = _set_unschedulable(client, node, False, run=run, phase="schedulable", check_mode=check_mode)
    return _result(node, changed=changed, before=before, after=False)


def pods_of(client: Client, name: str) -> tuple[list[dict[str, Any]], str]:
    """All pods bound to a node, and the resourceVersion of that list."""
    return client.list("/api/v1/pods", fieldSelector=f"spec.nodeName={name}")


def decide(
    client: Client, pods: list[dict[str, Any]], permissions: Permissions
) -> list[tuple[dict[str, Any], Decision]]:
    """What becomes of each pod. Each DaemonSet is asked for once, however many of its pods there are."""
    exists = {}
    for owner in {owner for pod in pods if (owner := daemonset_of(pod))}:
        path = f"/apis/apps/v1/namespaces/{segment(owner[0])}/daemonsets/{segment(owner[1])}"
        exists[owner] = client.find(path) is not None
    return [
        (pod, judge(pod, permissions, daemonset_exists=exists.get(daemonset_of(pod) or ("", ""), True))) for pod in pods
    ]


def _refuse(name: str, decisions: list[tuple[dict[str, Any], Decision]]) -> None:
    """Raises DrainError if a pod may not be evicted, naming all of them by reason."""
    refusals: dict[str, list[str]] = {}
    for pod, decision in decisions:
        if decision.action == "refuse":
            refusals.setdefault(decision.reason, []).append(_title(pod))
    if refusals:
        words = "; ".join(f"{shorten(pods)}: {reason}" for reason, pods in refusals.items())
        count = sum(map(len, refusals.values()))
        raise DrainError(
            f"{name}: {count} of {len(decisions)} pods mustn't be evicted, and nothing was changed: {words}",
            pods=[_row(pod, decision) for pod, decision in decisions],
            refused=[_title(pod) for pod, decision in decisions if decision.action == "refuse"],
        )


def _title(pod: dict[str, Any]) -> str:
    return f"{pod['metadata']['namespace']}/{pod['metadata']['name']}"


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


def _target_row(target: Target, now: float) -> dict[str, Any]:
    """A pod as the module returns it after it was to be evicted."""
    return {
        "namespace": target.namespace,
        "name": target.name,
        "uid": target.uid,
        "action": "evict",
        "reason": target.reason,
        "result": target.state if not target.left or target.state == FAILED else target.explain(now),
        "seconds": None if target.ended is None else round(target.ended, 3),
    }


def progress(pending: list[Target], now: float) -> str:
    """One line on what is left, the stuck ones first."""
    by_need = sorted(pending, key=lambda target: (target.state == "terminating", str(target)))
    count = f"{len(pending)} pod{'' if len(pending) == 1 else 's'} left"
    return f"{count}: {shorten(f'{target} ({target.explain(now)})' for target in by_need)}"


def _budgets_now(client: Client, pending: list[Target]) -> list[dict[str, Any]]:
    """The budgets that keep pods, with their numbers now; empty where they can't be read."""
    wanted = {budget for target in pending for budget in target.budgets}
    found = []
    for namespace in sorted({target.namespace for target in pending if target.budgets}):
        try:
            items, _version = client.list(budgets_path(namespace))
        except HitlessError:
            continue
        found += [budget_numbers(item) for item in items if f"{namespace}/{item['metadata']['name']}" in wanted]
    return found


def _given_up(
    client: Client, name: str, evictor: Evictor, rows: list[dict[str, Any]], timeout: float, *, changed: bool
) -> DrainError:
    """The error that says what is left and why, when the time is over or nothing more can be done."""
    pending, now = evictor.pending, evictor.now
    failed = [target for target in pending if target.state == FAILED]
    why = f"after {timeout:.0f} s" if len(failed) < len(pending) else "and won't go"
    hint = ""
    try:
        if _node.is_ready(_node.read(client, name)) is None:
            hint = "; the node's kubelet is silent, so nothing there ends its pods"
    except HitlessError as exc:
        hint = f"; {exc.msg}"
    return DrainError(
        f"{name}: {len(pending)} of {len(evictor.targets)} pods are still there {why}: "
        f"{progress(pending, now).partition(': ')[2]}{hint}; the node stays cordoned",
        changed=changed,
        pods=rows,
        pending=[{"namespace": t.namespace, "name": t.name, "uid": t.uid, "reason": t.explain(now)} for t in pending],
        budgets=_budgets_now(client, pending),
    )


def drain(client: Client, params: dict[str, Any], *, check_mode: bool) -> dict[str, Any]:
    """The result of state=drained; raises DrainError (refused, or not in time) or Unfinished (a slice is over)."""
    name, run, limits = params["name"], params["_run"], Limits.of(params)
    earlier = params["_state"] or {}
    permissions = Permissions(params["ignore_daemonsets"], params["delete_emptydir_data"], params["force"])

    def look() -> tuple[dict[str, Any], tuple[list[dict[str, Any]], str]]:
        """The Node, after a check that nobody else holds it, and its pods."""
        found = _node.read(client, name)
        _record.ensure_ours(name, _record.parse(found), run)
        return found, pods_of(client, name)

    if limits.resumed:
        seen, limits = patiently(look, subject=name, limits=limits, retry_on=TRANSIENT, state=earlier)
        node, (pods, version) = seen
        before, changed, rows = earlier["before"], False, earlier["rows"]
        targets = [Target(**target) for target in earlier["targets"]]
    else:
        node, (pods, version) = look()
        before = bool(node["spec"].get("unschedulable"))
        decisions = decide(client, pods, permissions)
        _refuse(name, decisions)
        rows = [_row(pod, decision) for pod, decision in decisions if decision.action == "skip"]
        targets = [Target.of(pod, decision.reason) for pod, decision in decisions if decision.action == "evict"]
        node, changed = _set_unschedulable(client, node, True, run=run, phase=None, check_mode=check_mode)
        if check_mode:
            rows += [_row(pod, decision) for pod, decision in decisions if decision.action == "evict"]
            return _result(node, changed=changed or bool(targets), before=before, after=True, pods=rows)

    def arrived(pod: dict[str, Any]) -> Target | None:
        """A pod that came to the node after the cordon, if it has to go, too."""
        decision = judge(pod, permissions)
        if decision.action == "skip" or tolerates_cordon(pod):
            return None
        target = Target.of(pod, decision.reason)
        if decision.action == "refuse":
            target.state, target.words = FAILED, f"came while the node was being drained; {decision.reason}"
        return target

    evictor = Evictor(
        client,
        name,
        targets,
        limits=limits,
        max_parallel=params["max_parallel"],
        grace_period=params["grace_period"],
        disable_eviction=params["disable_eviction"],
        arrived=arrived,
    )
    evictor.run(pods, version)
    changed = changed or evictor.evicted
    pending, now = evictor.pending, evictor.now
    if pending and now < limits.timeout and any(target.state != FAILED for target in pending):
        handover = [target.state_for_next_slice() for target in evictor.targets.values()]
        state = {"before": before, "rows": rows, "targets": handover}
        raise Unfinished(name, progress(pending, now), state=state, changed=changed)
    rows = rows + [_target_row(target, now) for target in evictor.targets.values()]
    if pending:
        raise _given_up(client, name, evictor, rows, limits.timeout, changed=changed)
    stamped = False
    if _record.parse(node) is not None:
        # Read anew: a controller has put the cordon's taint on the Node since, and the write would be a conflict.
        (node, stamped), _limits = patiently(
            lambda: _set_unschedulable(
                client, _node.read(client, name), True, run=run, phase="drained", check_mode=check_mode
            ),
            subject=name,
            limits=replace(limits.after(now), slice=None),
            retry_on=TRANSIENT,
        )
    return _result(node, changed=changed or stamped, before=before, after=True, pods=rows)
