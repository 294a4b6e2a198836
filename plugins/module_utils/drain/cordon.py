# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to hitless.nodes: it may change in any release, don't import it from elsewhere.

"""The states cordoned and schedulable of node_drain, and the write of the cordon that all its states share."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from ..kube import node_objects
from ..kube.client import Client
from ..kube.patching import merged
from ..record import records
from . import forecast


def set_unschedulable(
    client: Client,
    node: dict[str, Any],
    value: bool,
    *,
    run: dict[str, Any] | None,
    phase: str | None,
    note: dict[str, Any] | None = None,
    check_mode: bool,
    claimed: bool = False,
) -> tuple[dict[str, Any], bool]:
    """The Node cordoned or not, with its record's phase stamped in the same write, and whether anything was written.

    note: what to keep with the phase. It isn't written if the phase is no news. Raises HeldError if the record belongs
    to another run. claimed: raises GoneError if there is none.
    """
    name = node["metadata"]["name"]

    def change(current: dict[str, Any]) -> dict[str, Any] | None:
        record = records.parse(current)
        records.ensure_ours(name, record, run, claimed=claimed, check_mode=check_mode)
        flip = bool(current["spec"].get("unschedulable")) != value
        stamp = record is not None and records.advances(record, phase)
        if not flip and not stamp:
            return None
        # As in kubectl, null removes the field. A node that was never cordoned doesn't have it either.
        patch: dict[str, Any] = {"spec": {"unschedulable": True if value else None}} if flip else {}
        if record is not None:
            kept = (note or {} if stamp else {}) | ({"unschedulable": value} if flip else {})
            record = records.stamped(record, kept, datetime.now(UTC), phase=phase if stamp else None)
            patch = merged(patch, records.annotation(record))
        return patch

    node, patch = node_objects.write(client, node, change, check_mode=check_mode)
    return node, patch is not None


def result(node: dict[str, Any], *, changed: bool, before: bool, after: bool, **more: Any) -> dict[str, Any]:
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
        "forecast": forecast.nothing(),
        "diff": {"before": {"unschedulable": before}, "after": {"unschedulable": after}},
        **more,
    }


def cordon(
    client: Client, name: str, *, run: dict[str, Any] | None, check_mode: bool, claimed: bool = False
) -> dict[str, Any]:
    """The result of state=cordoned."""
    node = node_objects.read(client, name)
    before = bool(node["spec"].get("unschedulable"))
    node, changed = set_unschedulable(client, node, True, run=run, phase=None, check_mode=check_mode, claimed=claimed)
    return result(node, changed=changed, before=before, after=True)


def uncordon(
    client: Client, name: str, *, run: dict[str, Any] | None, check_mode: bool, claimed: bool = False
) -> dict[str, Any]:
    """The result of state=schedulable. A node that was cordoned before it was claimed stays cordoned."""
    node = node_objects.read(client, name)
    record = records.parse(node)
    before = bool(node["spec"].get("unschedulable"))
    kept = record is not None and record["before"]["unschedulable"]
    if kept:
        records.ensure_ours(name, record, run, check_mode=check_mode)
        # Somebody else may have uncordoned it by hand since then. We must not undo that.
        return result(node, changed=False, before=before, after=before, kept_cordoned=before)
    node, changed = set_unschedulable(
        client, node, False, run=run, phase="schedulable", check_mode=check_mode, claimed=claimed
    )
    return result(node, changed=changed, before=before, after=False)
