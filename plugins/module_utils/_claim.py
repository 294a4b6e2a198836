# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to hitless.nodes: it may change in any release, don't import it from elsewhere.

"""The states of node_claim: write the record before the first change, remove it after the last one was undone."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from ansible_collections.hitless.nodes.plugins.module_utils import _cilium, _estimate, _info, _node, _record
from ansible_collections.hitless.nodes.plugins.module_utils._baseline import Baseline, baseline, prefixes
from ansible_collections.hitless.nodes.plugins.module_utils._client import Client
from ansible_collections.hitless.nodes.plugins.module_utils._errors import HitlessError


class ClaimError(HitlessError):
    """The node can't be claimed or released, with every reason found."""


def reasons_against(picture: _info.Picture, routers: Baseline) -> list[str]:
    """Why a node that nobody holds mustn't be claimed now; empty if it may."""
    reasons = list(picture.problems)
    if not picture.selection.selected:
        reasons.append("no CiliumBGPClusterConfig selects it, so it announces no routes that could be withdrawn")
    elif picture.selection.flip is None and not picture.selection.problems:
        reasons.append("no label takes it out of BGP")
    if not picture.addresses:
        reasons.append("it has no InternalIP, by which routers could be asked for it")
    return [*reasons, *routers.problems]


def before(node: dict[str, Any], key: str, picture: _info.Picture, routers: Baseline) -> dict[str, Any]:
    """What has to be true again at the end, and what can't be read back later."""
    info = node.get("status", {}).get("nodeInfo", {})
    return {
        "unschedulable": bool(node["spec"].get("unschedulable")),
        "label": {"key": key, "value": (_cilium.labels(node) or {}).get(key)},
        "boot_id": info.get("bootID"),
        "system_uuid": info.get("systemUUID"),
        "addresses": picture.addresses,
        "routes": routers.routes,
        "sessions": routers.sessions,
    }


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
        "prefixes": prefixes(kept.get("routes") or {}),
        "withdrawal": _withdrawal_bound(kept.get("sessions")),
        "before": kept,
        "history": (record or {}).get("history") or [],
        "restored": None,
        "diff": diff,
        **more,
    }


def _withdrawal_bound(sessions: dict[str, list[dict[str, Any]]] | None) -> dict[str, Any] | None:
    """For how long routers may keep the node's routes once it is deselected, by what was negotiated; None unclaimed."""
    if not sessions:
        return None
    bound = _estimate.estimate("deselected", dict(sessions))
    return {key: bound[key] for key in ("seconds", "unbounded", "reason")}


def _diff(old: dict[str, Any] | None, new: dict[str, Any] | None) -> dict[str, Any]:
    """The record before and after, without what changes at every write."""
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
    """The result of state=claimed: the first claim, a stamp by the holder, or an earlier run's record continued."""
    node = _node.read(client, params["name"])
    if _record.parse(node) is None:
        return _first_claim(client, params, check_mode=check_mode)
    return _continue(client, node, params, check_mode=check_mode)


def _first_claim(client: Client, params: dict[str, Any], *, check_mode: bool) -> dict[str, Any]:
    name, run = params["name"], _run_of(params)
    if params["phase"] not in (None, "claimed"):
        raise ClaimError(
            f"{name}: there is no record in which phase {params['phase']} could be noted: claim the node first"
        )
    picture = _info.look(client, name, label=params["label"], cilium_namespace=params["cilium_namespace"])
    routers = baseline(name, params["routes"])
    reasons = reasons_against(picture, routers)
    flip = picture.selection.flip
    if reasons or flip is None:
        raise ClaimError(f"{name} can't be claimed, and nothing was changed: {'; '.join(reasons)}", reasons=reasons)
    record: dict[str, Any] = {}

    def change(current: dict[str, Any]) -> dict[str, Any]:
        other = _record.parse(current)
        if other is not None:
            raise _record.HeldError(
                f"{name} was claimed by {other['holder']} at the same time ({other['since']})", record=other
            )
        if (_cilium.labels(current) or {}).get(flip.key) != flip.selected_value:
            raise ClaimError(f"{name}: its labels changed while it was being claimed: run again")
        record.update(
            _record.new(run, before(current, flip.key, picture, routers), params["note"] or {}, datetime.now(UTC))
        )
        return _record.annotation(record)

    _node.write(client, picture.node, change, check_mode=check_mode)
    return _result(name, record, changed=True, diff=_diff(None, record), warnings=picture.warnings)


def _continue(client: Client, node: dict[str, Any], params: dict[str, Any], *, check_mode: bool) -> dict[str, Any]:
    name, run, phase, note = params["name"], _run_of(params), params["phase"], params["note"] or {}
    old: dict[str, Any] = {}
    new: dict[str, Any] = {}

    def change(current: dict[str, Any]) -> dict[str, Any] | None:
        now = datetime.now(UTC)
        record = _record.parse(current)
        if record is None:
            raise ClaimError(f"{name}: its record was removed while it was to be continued: run again")
        objection = _record.objection(
            name, record, run, _record.process_lives(record["run"]), now, takeover=params["takeover"]
        )
        if objection:
            raise _record.HeldError(objection, record=record)
        old.clear()
        old.update(record)
        new.clear()
        if not _record.same_run(record["run"], run):
            record = _record.taken_over(record, run, {}, now)
        new_phase = phase if _record.advances(record, phase) else None
        if new_phase or note:
            record = _record.stamped(record, note, now, phase=new_phase)
        new.update(record)
        return None if new == old else _record.annotation(new)

    _node_after, patch = _node.write(client, node, change, check_mode=check_mode)
    resumed = not _record.same_run(old["run"], run)
    return _result(name, new, changed=patch is not None, resumed=resumed, diff=_diff(old, new))


def release(client: Client, params: dict[str, Any], *, check_mode: bool) -> dict[str, Any]:
    """The result of state=released; raises ClaimError unless everything is as it was before the claim."""
    name, run = params["name"], _run_of(params)
    node = _node.read(client, name)
    if _record.parse(node) is None:
        return _result(name, None, changed=False, diff=_diff(None, None))
    old: dict[str, Any] = {}
    now_true: dict[str, Any] = {}

    def change(current: dict[str, Any]) -> dict[str, Any] | None:
        now = datetime.now(UTC)
        record = _record.parse(current)
        if record is None:
            return None
        objection = _record.objection(
            name, record, run, _record.process_lives(record["run"]), now, takeover=params["takeover"]
        )
        if objection:
            raise _record.HeldError(objection, record=record)
        found, differences = _record.restored(current, record)
        if differences:
            raise ClaimError(
                f"{name} can't be released: {'; '.join(differences)}: announce and uncordon it, or set it by hand",
                record=record,
                differences=differences,
            )
        old.update(_record.stamped(record, params["note"] or {}, now, phase="released"))
        now_true.update(found)
        return _record.annotation(None)

    _node_after, patch = _node.write(client, node, change, check_mode=check_mode)
    result = _result(name, old or None, changed=patch is not None, restored=now_true, diff=_diff(old or None, None))
    return result | {"record": None}
