# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to hitless.nodes: it may change in any release, don't import it from elsewhere.

"""The states of node_claim: write the record before the first change, and remove it after the last was undone."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from ..base.errors import HitlessError
from ..cilium import node_picture, objects
from ..estimate import per_session
from ..kube import node_objects
from ..kube.client import Client
from ..record import questions, records, runs
from ..record.baseline import prefixes
from . import announcers
from .before import before, by_cilium, by_routers, reasons_against
from .hops import set_again


class ClaimError(HitlessError):
    """The node can't be claimed or released, with all reasons."""


EVIDENCE = ("router", "cilium", "estimate")


def _result(
    name: str, record: dict[str, Any] | None, *, changed: bool, diff: dict[str, Any], **more: Any
) -> dict[str, Any]:
    """What both states return, with the same keys."""
    kept = (record or {}).get("before") or {}
    return {
        "changed": changed,
        "name": name,
        "resumed": False,
        "record": record,
        "addresses": kept.get("addresses") or [],
        "prefixes": (kept.get("cilium") or {}).get("prefixes") or prefixes(kept.get("routes") or {}),
        "routers_before": questions.routers_before(record) if record else [],
        "routers_changed": list(questions.routers_changed(record)) if record else [],
        "withdrawal": kept.get("withdrawal") or _withdrawal_bound(kept.get("sessions")),
        "before": kept,
        "order": questions.order(record) if record else None,
        "history": (record or {}).get("history") or [],
        "restored": None,
        "diff": diff,
        **more,
    }


def _withdrawal_bound(sessions: dict[str, list[dict[str, Any]]] | None) -> dict[str, Any] | None:
    """How long routers may keep a deselected node's routes, by what was negotiated; None if it isn't claimed."""
    if not sessions:
        return None
    bound = per_session.estimate("deselected", dict(sessions))
    return {key: bound[key] for key in ("seconds", "unbounded", "reason")} | {"overridden": False}


def _diff(old: dict[str, Any] | None, new: dict[str, Any] | None) -> dict[str, Any]:
    """The record before and after, without the fields that every write changes."""
    kept = ("holder", "since", "phase", "before")
    return {
        "before": {key: old[key] for key in kept} if old else {},
        "after": {key: new[key] for key in kept} if new else {},
    }


def _run_of(params: dict[str, Any]) -> dict[str, Any]:
    run: dict[str, Any] | None = params["_run"]
    if not run:
        raise ClaimError("who claims? call the module as hitless.nodes.node_claim, so that its action plugin says it")
    return run


def claim(client: Client, params: dict[str, Any], *, check_mode: bool) -> dict[str, Any]:
    """The result of state=claimed: a first claim, a note by the holder, or an earlier run's record continued."""
    node = node_objects.read(client, params["name"])
    if records.parse(node) is None:
        return _first_claim(client, params, check_mode=check_mode)
    return _continue(client, node, params, check_mode=check_mode)


def _first_claim(client: Client, params: dict[str, Any], *, check_mode: bool) -> dict[str, Any]:
    name, run = params["name"], _run_of(params)
    if params["phase"] not in (None, "claimed"):
        raise ClaimError(
            f"{name}: there is no record in which phase {params['phase']} could be noted: claim the node first"
        )
    records.ensure_ours(name, None, run, claimed=params.get("claimed"), check_mode=check_mode)
    picture = node_picture.look(client, name, label=params["label"], cilium_namespace=params["cilium_namespace"])
    evidence = params["evidence"] or "router"
    asked = {**params, "evidence": evidence}
    routes = by_routers(client, picture, asked) if evidence == "router" else by_cilium(client, picture, asked)
    reasons = reasons_against(picture, routes)
    flip = picture.selection.flip
    if reasons or flip is None:
        raise ClaimError(f"{name} can't be claimed, and nothing was changed: {'; '.join(reasons)}", reasons=reasons)
    record: dict[str, Any] = {}

    def change(current: dict[str, Any]) -> dict[str, Any]:
        other = records.parse(current)
        if other is not None:
            raise records.HeldError(
                f"{name} was claimed by {other['holder']} at the same time ({other['since']})", record=other
            )
        if (objects.labels(current) or {}).get(flip.key) != flip.selected_value:
            raise ClaimError(f"{name}: its labels changed while it was being claimed: run again")
        record.update(
            records.new(
                run, before(current, flip.key, picture, evidence, routes), params["note"] or {}, datetime.now(UTC)
            )
        )
        return records.annotation(record)

    written, _patch = node_objects.write(client, picture.node, change, check_mode=check_mode)
    if routes.count is not None and not check_mode:
        _count_again(client, written, run, routes.count)
    local = _local_warnings(name, routes.kept["local"], routes.kept["pod_networks"])
    warnings = [*picture.warnings, *routes.warnings, *local]
    return _result(name, record, changed=True, diff=_diff(None, record), warnings=warnings)


def _count_again(client: Client, node: dict[str, Any], run: dict[str, Any], count: announcers.Count) -> None:
    """Removes the record and raises ClaimError if too few others announce the VIPs. Other runs now see the claim."""
    try:
        reasons = count.problems(client)
    except HitlessError as exc:
        reasons = [f"who else announces its VIPs is unknown: {exc.msg}"]
    if not reasons:
        return

    def remove(current: dict[str, Any]) -> dict[str, Any] | None:
        record = records.parse(current)
        return records.annotation(None) if record and runs.same(record["run"], run) else None

    node_objects.write(client, node, remove, check_mode=False)
    raise ClaimError(
        f"{count.name} can't be claimed, and its record was removed again: {'; '.join(reasons)} (counted once more "
        f"when it was written): run again when that is over",
        reasons=reasons,
    )


def _local_warnings(name: str, local: list[str], pod_networks: list[str] | None) -> list[str]:
    """The warnings that some VIPs won't be waited for, and may lose requests when their pods go first."""
    if not local:
        return []
    warnings = [
        f"{name}: {', '.join(local)} belong to Services with traffic policy Local, which only nodes with a ready pod "
        f"of theirs announce: after a drain the way back doesn't wait for them, they come back when their pods do"
    ]
    if pod_networks != []:
        networks = ", ".join(pod_networks) if pod_networks else "perhaps networks of pods"
        warnings.append(
            f"{name}: it announces {networks} beside VIPs of traffic policy Local, so their pods go first "
            f"(maintenance_order=auto): a pod that stops answering at once loses requests until the routers have "
            f"followed, one with a preStop hook of some seconds loses none; see Orders in docs/phases.md"
        )
    return warnings


def _continue(client: Client, node: dict[str, Any], params: dict[str, Any], *, check_mode: bool) -> dict[str, Any]:
    name, run, phase, note = params["name"], _run_of(params), params["phase"], params["note"] or {}
    old: dict[str, Any] = {}
    new: dict[str, Any] = {}
    counted: list[list[str]] = []

    def change(current: dict[str, Any]) -> dict[str, Any] | None:
        now = datetime.now(UTC)
        record = records.parse(current)
        if record is None:
            raise records.gone(name)
        objection = records.objection(
            name, record, run, runs.process_lives(record["run"]), now, takeover=params["takeover"]
        )
        if objection:
            raise records.HeldError(objection, record=record)
        claimed_by = record["before"].get("evidence")
        if params["evidence"] not in (None, claimed_by):
            raise ClaimError(
                f"{name} was claimed with evidence={claimed_by}, and evidence={params['evidence']} is asked for now: "
                f"its record holds what that one needs and not what this one does; go on with evidence={claimed_by}",
                record=record,
            )
        if phase == "withdrawn":
            _refuse_selected_again(name, current, record)
        if params["routes"] is not None or params["recount"]:
            # A write that comes second is tried again, but the routers' answers are the same.
            counted.append(counted[0] if counted else _recounted(client, record, params))
            _refuse_too_few(name, record, counted[0])
        old.clear()
        old.update(record)
        new.clear()
        if not runs.same(record["run"], run):
            record = records.taken_over(record, run, {}, now)
        new_phase = phase if records.advances(record, phase) else None
        if new_phase or note:
            record = records.stamped(record, note, now, phase=new_phase)
        new.update(record)
        return None if new == old else records.annotation(new)

    _node_after, patch = node_objects.write(client, node, change, check_mode=check_mode)
    resumed = not runs.same(old["run"], run)
    return _result(name, new, changed=patch is not None, resumed=resumed, diff=_diff(old, new))


def _recounted(client: Client, record: dict[str, Any], params: dict[str, Any]) -> list[str]:
    """Why too few others announce the node's VIPs now; [] if there are enough."""
    minimum = questions.min_announcers(record, params["min_announcers"])
    try:
        return announcers.recount(
            client, params["name"], record, params["routes"], minimum, cilium_namespace=params["cilium_namespace"]
        )
    except HitlessError as exc:
        return [f"who else announces its VIPs is unknown: {exc.msg}"]


def _refuse_too_few(name: str, record: dict[str, Any], reasons: list[str]) -> None:
    """Raises ClaimError if there is a reason."""
    if reasons:
        raise ClaimError(
            f"{name} mustn't be taken out now (counted once more): {'; '.join(reasons)}: have other nodes announce "
            f"these VIPs first, or set claim_min_announcers=0 to go on without counting",
            record=record,
            reasons=reasons,
        )


def _refuse_selected_again(name: str, node: dict[str, Any], record: dict[str, Any]) -> None:
    """Raises ClaimError if somebody has changed the label. Then the sessions come back, whatever was seen before."""
    again = set_again(node, record)
    if again:
        raise ClaimError(f"{name}: {again}", record=record)


def _restored(
    name: str, node: dict[str, Any], record: dict[str, Any], params: dict[str, Any], now: datetime
) -> dict[str, Any]:
    """What is as it was before the claim; raises HeldError or ClaimError unless that is everything."""
    run, lives = _run_of(params), runs.process_lives(record["run"])
    objection = records.objection(name, record, run, lives, now, takeover=params["takeover"])
    if objection:
        raise records.HeldError(objection, record=record)
    found, differences = records.restored(node, record)
    if differences:
        raise ClaimError(
            f"{name} can't be released: {'; '.join(differences)}: announce and uncordon it, or set it by hand",
            record=record,
            differences=differences,
        )
    return found


def release(client: Client, params: dict[str, Any], *, check_mode: bool) -> dict[str, Any]:
    """The result of state=released; raises ClaimError unless everything is as it was before the claim."""
    name, run = params["name"], _run_of(params)
    node = node_objects.read(client, name)
    if records.parse(node) is None:
        records.ensure_ours(name, None, run, claimed=params.get("claimed"), check_mode=check_mode)
        return _result(name, None, changed=False, diff=_diff(None, None))
    old: dict[str, Any] = {}
    now_true: dict[str, Any] = {}

    def change(current: dict[str, Any]) -> dict[str, Any] | None:
        now = datetime.now(UTC)
        record = records.parse(current)
        if record is None:
            records.ensure_ours(name, record, run, claimed=params.get("claimed"), check_mode=check_mode)
            return None
        if check_mode:
            # No step before this one has changed anything, so there is nothing to compare.
            records.ensure_ours(name, record, run, check_mode=True)
            found = {key: record["before"][key] for key in ("unschedulable", "label")}
        else:
            found = _restored(name, current, record, params, now)
        old.update(records.stamped(record, params["note"] or {}, now, phase="released"))
        now_true.update(found)
        return records.annotation(None)

    _node_after, patch = node_objects.write(client, node, change, check_mode=check_mode)
    result = _result(name, old or None, changed=patch is not None, restored=now_true, diff=_diff(old or None, None))
    return result | {"record": None}
