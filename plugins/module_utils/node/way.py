# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to hitless.nodes: it may change in any release, don't import it from elsewhere.

"""Which label change takes a node out of BGP or puts it back, decided before the first change. No I/O."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ..cilium import objects
from ..cilium.selection import Config, SelectionError, deselects, judge, label_value, with_label
from ..record import records


@dataclass(frozen=True)
class Way:
    """One way, out or in. key None: nothing has to be changed. config_wanted None: no NodeConfig either way."""

    key: str | None
    value: str | None
    config_wanted: bool | None
    before: str | None

    @property
    def label(self) -> dict[str, Any]:
        """RV(label) of the module."""
        return {"key": self.key, "before": self.before, "after": self.value}

    @property
    def diff(self) -> dict[str, Any]:
        """The diff of the module."""
        return {"before": {"labels": self._labels(self.before)}, "after": {"labels": self._labels(self.value)}}

    def _labels(self, value: str | None) -> dict[str, str]:
        return {} if self.key is None or value is None else {self.key: value}


def _chosen_key(record: dict[str, Any] | None, label: str | None, name: str) -> str | None:
    """The label key that is already fixed, by the record or by the caller."""
    if record is None:
        return label
    key: str = record["before"]["label"]["key"]
    if label is not None and label != key:
        raise SelectionError(
            f"{name}: bgp_label is {label}, but the node was claimed with label {key}: leave it out, or release the "
            f"node and claim it with that label"
        )
    return key


def way_out(
    node: dict[str, Any],
    cilium_node: dict[str, Any] | None,
    configs: objects.Configs,
    params: dict[str, Any],
) -> Way:
    """What takes the node out: a label to flip, or none if nothing selects it; raises SelectionError."""
    name, record = params["name"], records.parse(node)
    labels = objects.labels(node) or {}
    key = _chosen_key(record, params["label"], name)
    wanted = label_value(params["label_value"])
    selection = judge(labels, objects.labels(cilium_node), configs.items, label=key)
    config_wanted = False if configs.api_version else None
    if not selection.selected:
        if not key and selection.flip is not None:
            key = selection.flip.key
        value = labels.get(key) if key else None
        return Way(key, value, config_wanted, value)
    # A claim has judged everything. A node that isn't claimed is judged here.
    if selection.flip is None or (record is None and selection.problems):
        raise SelectionError(f"{name}: {'; '.join(selection.problems)}", problems=list(selection.problems))
    flip = selection.flip
    value = flip.deselect_value if wanted is None else wanted
    objection = deselects(flip.key, value, labels, configs.items)
    if objection:
        raise SelectionError(f"{name}: bgp_label_value {value!r} doesn't take the node out: {objection}")
    return Way(flip.key, value, config_wanted, labels.get(flip.key))


def _selects_by_config(items: list[Config], labels: dict[str, str]) -> bool | None:
    """Whether there must be a NodeConfig with these labels. None if only a legacy policy selects."""
    kinds = {config.kind for config in items if config.selects(labels)}
    if kinds == {"CiliumBGPPeeringPolicy"}:
        return None
    return bool(kinds)


def way_in(
    node: dict[str, Any],
    cilium_node: dict[str, Any] | None,
    configs: objects.Configs,
    params: dict[str, Any],
) -> Way:
    """What puts the node back in: the label as before the claim, or without a claim the value that selects it."""
    name, record = params["name"], records.parse(node)
    labels = objects.labels(node) or {}
    key = _chosen_key(record, params["label"], name)
    if record is not None and key is not None:
        value = record["before"]["label"]["value"]
    else:
        selection = judge(labels, objects.labels(cilium_node), configs.items, label=key)
        if selection.selected:
            return Way(None, None, _selects_by_config(configs.items, labels), None)
        if selection.flip is None:
            raise SelectionError(
                f"{name}: no config selects the node, and no single label would make one do so: name the label to set "
                f"with bgp_label"
            )
        key, value = selection.flip.key, selection.flip.selected_value
    wanted = _selects_by_config(configs.items, with_label(labels, key, value))
    # The label is always put back, because it was there before. If it no longer selects the node, the wait says so.
    return Way(key, value, True if wanted is False else wanted, labels.get(key))
