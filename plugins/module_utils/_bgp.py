# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to hitless.nodes: it may change in any release, don't import it from elsewhere.

"""The two states of node_bgp: flip the label that selects the node, and follow it to the NodeConfig.

The label travels Node -> CiliumNode (written by the agent on the node) -> operator -> NodeConfig -> agent's sessions.
This is the part inside Kubernetes; whether the routers really withdrew the routes is asked on the routers.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from ansible_collections.hitless.nodes.plugins.module_utils import _cilium, _node, _record
from ansible_collections.hitless.nodes.plugins.module_utils._client import TRANSIENT, Client
from ansible_collections.hitless.nodes.plugins.module_utils._errors import HitlessError
from ansible_collections.hitless.nodes.plugins.module_utils._polling import (
    Limits,
    SliceOver,
    TimedOut,
    Unfinished,
    patiently,
    poll,
)
from ansible_collections.hitless.nodes.plugins.module_utils._selection import (
    Config,
    SelectionError,
    deselects,
    judge,
    label_value,
    with_label,
)

INTERVAL = 0.25
Hop = dict[str, Any]


class HopError(HitlessError):
    """The label didn't arrive: at which hop, the likely cause, and the remedy."""


def words(key: str, value: str | None) -> str:
    """A label as people write it."""
    return f"{key} (absent)" if value is None else f"{key}={value}"


def field_manager(node: dict[str, Any], key: str) -> str | None:
    """Who last wrote a label of a Node, as the API server recorded it; None where it didn't."""
    for entry in node["metadata"].get("managedFields") or []:
        labels = (entry.get("fieldsV1") or {}).get("f:metadata", {}).get("f:labels", {})
        if f"f:{key}" in labels:
            return entry.get("manager")
    return None


def hops(
    node: dict[str, Any],
    cilium_node: dict[str, Any] | None,
    node_config: dict[str, Any] | None,
    *,
    key: str | None,
    value: str | None,
    config_wanted: bool | None,
) -> list[Hop]:
    """How far the label has come: each hop with whether it is as wanted, what was found, and what to do if it isn't.

    key None: no label was flipped. config_wanted None: no NodeConfig belongs to this node either way (legacy policy).
    """
    name = node["metadata"]["name"]
    found: list[Hop] = []
    if key is not None:
        is_there = (_cilium.labels(node) or {}).get(key)
        manager = field_manager(node, key)
        found.append(
            {
                "hop": "Node",
                "ok": is_there == value,
                "found": words(key, is_there),
                "remedy": f"somebody has set the label again{f' (field manager {manager})' if manager else ''}: "
                f"stop whatever manages it (GitOps?) for the time of the maintenance",
            }
        )
        carried = _cilium.labels(cilium_node)
        found.append(
            {
                "hop": "CiliumNode",
                "ok": carried is not None and carried.get(key) == value,
                "found": "no CiliumNode" if carried is None else words(key, carried.get(key)),
                "remedy": f"the agent on {name} copies labels from Node to CiliumNode: see whether it runs (kubectl "
                f"get pods -A -l k8s-app=cilium --field-selector spec.nodeName={name}) and whether "
                f"exclude-node-label-patterns in Cilium's configuration leaves this label out",
            }
        )
    if config_wanted is not None:
        owners = [
            f"{owner.get('kind')} {owner.get('name')}"
            for owner in ((node_config or {}).get("metadata") or {}).get("ownerReferences") or []
        ]
        found.append(
            {
                "hop": "NodeConfig",
                "ok": (node_config is not None) == config_wanted,
                "found": f"there, of {' and '.join(owners) or 'nobody'}" if node_config else "not there",
                "remedy": "cilium-operator creates and deletes CiliumBGPNodeConfigs: see whether it runs, and what it "
                "logs with subsys=bgp-cp-operator",
            }
        )
    return found


def progress(hops_: list[Hop]) -> str:
    """One line on the hop that the label hasn't passed."""
    stuck = next((hop for hop in hops_ if not hop["ok"]), None)
    return f"{stuck['hop']} is not yet as wanted: {stuck['found']}" if stuck else "every hop is as wanted"


class _Way:
    """One way, out or in, as decided before the first change."""

    def __init__(self, key: str | None, value: str | None, config_wanted: bool | None, before: str | None) -> None:
        self.key = key
        self.value = value
        self.before = before
        self.config_wanted = config_wanted


def _chosen_key(record: dict[str, Any] | None, label: str | None, name: str) -> str | None:
    """The label key that was fixed before: by the record, or by the caller."""
    if record is None:
        return label
    key: str = record["before"]["label"]["key"]
    if label is not None and label != key:
        raise SelectionError(
            f"{name}: option label says {label}, but the node was claimed with label {key}: leave the option out, or "
            f"release the node and claim it with that label"
        )
    return key


def _way_out(
    node: dict[str, Any],
    cilium_node: dict[str, Any] | None,
    configs: _cilium.Configs,
    params: dict[str, Any],
) -> _Way:
    """What takes the node out: a label to flip, or none if nothing selects it; raises SelectionError."""
    name, record = params["name"], _record.parse(node)
    labels = _cilium.labels(node) or {}
    key = _chosen_key(record, params["label"], name)
    wanted = label_value(params["label_value"])
    selection = judge(labels, _cilium.labels(cilium_node), configs.items, label=key)
    config_wanted = False if configs.api_version else None
    if not selection.selected:
        key = key or (selection.flip.key if selection.flip else None)
        value = labels.get(key) if key else None
        return _Way(key, value, config_wanted, value)
    # A claim has judged the whole; a node that nobody claimed is judged here.
    if selection.flip is None or (record is None and selection.problems):
        raise SelectionError(f"{name}: {'; '.join(selection.problems)}", problems=list(selection.problems))
    key = selection.flip.key
    value = selection.flip.deselect_value if wanted is None else wanted
    objection = deselects(key, value, labels, configs.items)
    if objection:
        raise SelectionError(f"{name}: label_value {value!r} doesn't take the node out: {objection}")
    return _Way(key, value, config_wanted, labels.get(key))


def _selects_by_config(items: list[Config], labels: dict[str, str]) -> bool | None:
    """Whether a NodeConfig is to be there with these labels: None where only a legacy policy selects."""
    kinds = {config.kind for config in items if config.selects(labels)}
    if kinds == {"CiliumBGPPeeringPolicy"}:
        return None
    return bool(kinds)


def _way_in(
    node: dict[str, Any],
    cilium_node: dict[str, Any] | None,
    configs: _cilium.Configs,
    params: dict[str, Any],
) -> _Way:
    """What puts the node back in: the label as before the claim, or the value that selects it if there was none."""
    name, record = params["name"], _record.parse(node)
    labels = _cilium.labels(node) or {}
    key = _chosen_key(record, params["label"], name)
    if record is not None and key is not None:
        value = record["before"]["label"]["value"]
    else:
        selection = judge(labels, _cilium.labels(cilium_node), configs.items, label=key)
        if selection.selected:
            return _Way(None, None, _selects_by_config(configs.items, labels), None)
        if selection.flip is None:
            raise SelectionError(
                f"{name}: no config selects the node, and no single label would make one do so: say with option label "
                f"which label to set"
            )
        key, value = selection.flip.key, selection.flip.selected_value
    wanted = _selects_by_config(configs.items, with_label(labels, key, value))
    # The label goes back in any case: it is what was there. If nothing selects by it any more, the wait says so.
    return _Way(key, value, True if wanted is False else wanted, labels.get(key))


def _flip(
    client: Client, node: dict[str, Any], way: _Way, run: dict[str, Any] | None, *, check_mode: bool
) -> tuple[dict[str, Any], bool]:
    """The Node with the label as wanted, and whether that was (or, in check mode, would be) a change."""
    name, key = node["metadata"]["name"], way.key

    def change(current: dict[str, Any]) -> dict[str, Any] | None:
        record = _record.parse(current)
        _record.ensure_ours(name, record, run)
        if key is None:
            return None
        is_there = (_cilium.labels(current) or {}).get(key)
        if is_there == way.value:
            return None
        if is_there != way.before:
            raise HopError(
                f"{name}: label {words(key, way.before)} became {words(key, is_there)} while it was to be flipped, by "
                f"{field_manager(current, key) or 'somebody else'}: find out who manages it, and run again"
            )
        patch: dict[str, Any] = {"metadata": {"labels": {key: way.value}}}
        if record is not None:
            note = {"label": {"key": key, "before": is_there, "after": way.value}}
            patch = _node.merged(patch, _record.annotation(_record.stamped(record, note, datetime.now(UTC))))
        return patch

    node, patch = _node.write(client, node, change, check_mode=check_mode)
    return node, patch is not None


def set_bgp(client: Client, params: dict[str, Any], *, check_mode: bool) -> dict[str, Any]:
    """The result of both states; raises SelectionError, HeldError, HopError or Unfinished."""
    name, run, state = params["name"], params["_run"], params["state"]
    earlier, limits = params["_state"] or {}, Limits.of(params)

    def read() -> tuple[dict[str, Any], _cilium.Configs, dict[str, Any] | None]:
        """The Node, after a check that nobody else holds it, all that selects nodes, and the CiliumNode."""
        found = _node.read(client, name)
        _record.ensure_ours(name, _record.parse(found), run)
        return found, _cilium.configs(client), client.find(_cilium.node_path(name))

    if limits.resumed:
        state_of_wait, limits = patiently(read, subject=name, limits=limits, retry_on=TRANSIENT, state=earlier)
        configs, way, changed = state_of_wait[1], _Way(**earlier["way"]), False
    else:
        node, configs, cilium_node = read()
        way = (_way_out if state == "withdrawn" else _way_in)(node, cilium_node, configs, params)
        node, changed = _flip(client, node, way, run, check_mode=check_mode)
    label = {"key": way.key, "before": way.before, "after": way.value}

    def look() -> list[Hop]:
        return hops(
            _node.read(client, name),
            client.find(_cilium.node_path(name)),
            _cilium.node_config(client, configs.api_version, name),
            key=way.key,
            value=way.value,
            config_wanted=way.config_wanted,
        )

    def arrived(seen: list[Hop]) -> bool:
        if seen and seen[0]["hop"] == "Node" and not seen[0]["ok"]:
            raise HopError(
                f"{name}: wanted label {words(way.key or '', way.value)}, found {seen[0]['found']} on the Node after "
                f"it had been set: {seen[0]['remedy']}",
                hops=seen,
                label=label,
            )
        return all(hop["ok"] for hop in seen)

    if check_mode:
        seen = look()
    else:
        try:
            seen = poll(look, arrived, limits=limits, interval=INTERVAL, retry_on=TRANSIENT).seen
        except SliceOver as pause:
            words_ = pause.error.msg if pause.error else progress(pause.seen)
            raise Unfinished(name, words_, state={"way": vars(way)}, changed=changed) from pause
        except TimedOut as late:
            raise _late(name, state, way, late, changed=changed, label=label) from late
    return {
        "changed": changed,
        "name": name,
        "label": label,
        "node_config": _has_node_config(seen),
        "hops": [{key: hop[key] for key in ("hop", "ok", "found")} for hop in seen],
        "diff": {
            "before": {"labels": {way.key: way.before} if way.key and way.before is not None else {}},
            "after": {"labels": {way.key: way.value} if way.key and way.value is not None else {}},
        },
    }


def _has_node_config(seen: list[Hop]) -> bool:
    """Whether the node has a NodeConfig, by the hops that were looked at."""
    return any(hop["hop"] == "NodeConfig" and hop["found"] != "not there" for hop in seen)


def _late(name: str, state: str, way: _Way, late: TimedOut, *, changed: bool, label: dict[str, Any]) -> HopError:
    """The error of a label that didn't arrive in time."""
    facts = {"changed": changed, "label": label, "hops": late.seen or []}
    if late.error is not None:
        return HopError(f"{name}: not known to be {state} after {late.seconds:.0f} s: {late.error.msg}", **facts)
    stuck = next(hop for hop in late.seen if not hop["ok"])
    flipped = f"label {words(way.key, way.value)} was set" if way.key else "nothing had to be set"
    return HopError(
        f"{name}: wanted {state}, {flipped}, but after {late.seconds:.0f} s it is stuck at the hop {stuck['hop']} "
        f"({stuck['found']}): {stuck['remedy']}",
        **facts,
    )
