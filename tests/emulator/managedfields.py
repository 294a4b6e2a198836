# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""managedFields, kept simply: who changed which field last. Lists count as one field; there is no server-side apply."""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]

# The server's own fields belong to nobody.
_UNOWNED = frozenset(
    (
        "creationTimestamp", "deletionGracePeriodSeconds", "deletionTimestamp", "generation", "managedFields", "name",
        "namespace", "resourceVersion", "selfLink", "uid",
    )
)  # fmt: skip


def _changed(old: Json, new: Json, *, top: bool) -> Json:
    """Fields of `new` that are not the same in `old`, as a FieldsV1 tree."""
    tree: Json = {}
    for key, value in new.items():
        if key in old and old[key] == value:
            continue
        if top and key == "metadata":
            value = {name: item for name, item in value.items() if name not in _UNOWNED}
        if isinstance(value, dict) and value:
            before = old.get(key)
            below = _changed(before if isinstance(before, dict) else {}, value, top=False)
            if below:
                tree[f"f:{key}"] = below if isinstance(before, dict) or top else {".": {}, **below}
        else:
            tree[f"f:{key}"] = {}
    return tree


def _union(one: Json, other: Json) -> Json:
    merged = dict(one)
    for key, below in other.items():
        merged[key] = _union(merged[key], below) if key in merged else below
    return merged


def _kept(tree: Json, taken: Json, obj: Any) -> Json:
    """`tree` without the fields that someone else took and without those that `obj` has no more."""
    left: Json = {}
    for key, below in tree.items():
        if key == ".":
            left[key] = below
            continue
        name = key[2:]
        if not isinstance(obj, dict) or name not in obj:
            continue
        if not below:
            if key not in taken:
                left[key] = below
            continue
        if key in taken and not taken[key]:
            continue
        rest = _kept(below, taken.get(key, {}), obj[name])
        if rest and rest != {".": {}}:
            left[key] = rest
    return left


def record(old: Json | None, new: Json, *, manager: str, subresource: str, api_version: str, now: str) -> None:
    """Set new.metadata.managedFields: `manager` owns what differs from `old`, the others lose it."""
    changed = _changed(old or {}, new, top=True)
    entries: list[Json] = []
    own: Json | None = None
    for entry in (old or {}).get("metadata", {}).get("managedFields") or ():
        mine = entry["manager"] == manager and entry.get("subresource", "") == subresource
        fields = _kept(entry["fieldsV1"], {} if mine else changed, new)
        if mine:
            own = {**entry, "fieldsV1": _union(fields, changed), "time": now, "apiVersion": api_version}
        elif fields:
            entries.append({**entry, "fieldsV1": fields})
    if own is None and changed:
        own = {
            "manager": manager,
            "operation": "Update",
            "apiVersion": api_version,
            "time": now,
            "fieldsType": "FieldsV1",
            "fieldsV1": changed,
        }
        if subresource:
            own["subresource"] = subresource
    if own is not None:
        entries.append(own)
    new["metadata"]["managedFields"] = entries
