# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to hitless.nodes: it may change in any release, don't import it from elsewhere.

"""Which label takes a node out of BGP, and which change of it does: pure functions over the selectors that Cilium has.

Nothing is concluded from the shape of a selector. Every candidate change is applied to a copy of the node's labels, and
all selectors are asked again: only a change after which nothing selects the node is an answer.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from ..base.errors import HitlessError
from ..kube.labels import Labels, matches, requirements

ABSENT = None
# Values by which a person means "off". A selector that only wants the label to exist doesn't care.
OFF_VALUES = frozenset({"false", "no", "off", "0", "disabled"})
# https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#syntax-and-character-set
_VALUE = re.compile(r"(([A-Za-z0-9][-A-Za-z0-9_.]{0,61})?[A-Za-z0-9])?")


class SelectionError(HitlessError):
    """The label can't be flipped, and why."""


@dataclass(frozen=True)
class Config:
    """A CiliumBGPClusterConfig or a legacy CiliumBGPPeeringPolicy: what decides whether it selects a node."""

    kind: str
    name: str
    selector: dict[str, Any] | None
    conditions: tuple[dict[str, Any], ...] = ()

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"

    def selects(self, labels: Labels) -> bool:
        """Whether it selects a node with these labels."""
        return matches(self.selector, labels)


@dataclass(frozen=True)
class Flip:
    """One label, its value while the node is selected, and its value when it is not (None: absent)."""

    key: str
    selected_value: str | None
    deselect_value: str | None


@dataclass(frozen=True)
class Selection:
    """What selects the node, and what can be done about it. flip is None where nothing can (problems say why)."""

    selected: bool
    configs: tuple[Config, ...]
    flip: Flip | None
    problems: tuple[str, ...]


def with_label(labels: Labels, key: str, value: str | None) -> Labels:
    """The labels with one of them set, or removed (None)."""
    rest = {k: v for k, v in labels.items() if k != key}
    return rest if value is None else {**rest, key: value}


def is_system(key: str) -> bool:
    """Whether a label belongs to Kubernetes: roles, hostname, zones. Others rely on these, and kubelets restore them.

    node-restriction.kubernetes.io/ is the exception: that prefix is made for administrators' own labels.
    """
    domain = key.rpartition("/")[0]
    if domain == "node-restriction.kubernetes.io" or domain.endswith(".node-restriction.kubernetes.io"):
        return False
    return any(domain == system or domain.endswith(f".{system}") for system in ("kubernetes.io", "k8s.io"))


def _deselecting_values(key: str, configs: list[Config], current: str | None) -> list[str | None]:
    """Values of a label to try for taking the node out, the most telling first."""
    asked = [
        (operator, values) for config in configs for k, operator, values in requirements(config.selector) if k == key
    ]
    wanted = {value for operator, values in asked if operator == "In" for value in values}
    refused = {value for operator, values in asked if operator == "NotIn" for value in values}
    candidates: list[str | None] = ["false"] if "true" in wanted else []
    candidates += [ABSENT, *sorted(refused, key=lambda value: (value != "false", value))]
    if any(operator == "DoesNotExist" for operator, _values in asked):
        candidates.append("true")
    return [value for value in dict.fromkeys(candidates) if value != current]


def _selecting_values(key: str, config: Config) -> list[str | None]:
    """Values of a label to try for putting the node in."""
    found: list[str | None] = []
    for condition_key, operator, values in requirements(config.selector):
        if condition_key == key:
            found += values if operator == "In" else ["true"] if operator == "Exists" else [ABSENT]
    return list(dict.fromkeys(found))


def _keys(configs: list[Config]) -> list[str]:
    """The labels that selectors look at."""
    return sorted({key for config in configs for key, _operator, _values in requirements(config.selector)})


def _only_exists(key: str, configs: list[Config]) -> bool:
    """Whether all conditions on a label ask only that it exists."""
    operators = {op for config in configs for k, op, _values in requirements(config.selector) if k == key}
    return operators == {"Exists"}


def _words(key: str, value: str | None) -> str:
    return f"{key} absent" if value is None else f"{key}={value}"


def _way_out(
    labels: Labels, selecting: list[Config], configs: list[Config], label: str | None
) -> tuple[Flip | None, list[str]]:
    """The flip that deselects a selected node, or the reasons why there is none."""
    for config in selecting:
        if not requirements(config.selector):
            return None, [
                f"{config} has no nodeSelector, so it selects every node and no label takes one out: give it a "
                f"nodeSelector on a label of its own, e.g. matchLabels enable-bgp: 'true'"
            ]
    keys = _keys(selecting)
    names = " and ".join(str(config) for config in selecting)
    if label is not None and label not in keys:
        return None, [f"{names} selects the node by {', '.join(keys)}, not by {label}: nothing would happen"]
    system = [key for key in keys if is_system(key)]
    usable = [key for key in ([label] if label else keys) if key not in system]
    if not usable:
        return None, [
            f"{names} selects the node by {', '.join(system)}: such labels belong to Kubernetes and stay as they are: "
            f"select by a label of its own, e.g. matchLabels enable-bgp: 'true'"
        ]

    flips, takers = [], []
    for key in usable:
        for value in _deselecting_values(key, selecting, labels.get(key)):
            after = with_label(labels, key, value)
            if any(config.selects(after) for config in selecting):
                continue
            others = [config for config in configs if config.selects(after)]
            if not others:
                flips.append(Flip(key, labels.get(key), value))
                break
            takers.append(f"with {_words(key, value)}, {' and '.join(map(str, others))} would take the node over")
    if not flips:
        reasons = takers or [f"no single label takes the node out of {names} (it selects by {', '.join(keys)})"]
        return None, [f"{reason}: give each selector a label of its own" for reason in dict.fromkeys(reasons)]
    if len(flips) > 1:
        several = ", ".join(flip.key for flip in flips)
        return None, [
            f"{names} selects the node by several labels ({several}): say with option label which one to change"
        ]
    flip = flips[0]
    if _only_exists(flip.key, selecting):
        value = labels[flip.key]
        if value.lower() in OFF_VALUES:
            return None, [
                f"the node has {flip.key}={value}, which looks like off, but {names} asks only that the label exists, "
                f"so it is selected: make it matchLabels {flip.key}: 'true', and decide which nodes that is to select"
            ]
        if label is None:
            return None, [
                f"{names} asks only that label {flip.key} exists: no value takes the node out, and whoever sets it to "
                f"any value during the maintenance puts the node back in; make it matchLabels {flip.key}: {value!r}, "
                f"or say with option label: {flip.key} that the label is to be removed"
            ]
    return flip, []


def _way_in(labels: Labels, configs: list[Config], label: str | None) -> Flip | None:
    """The flip that would select a node which nothing selects, if there is exactly one."""
    flips = {
        Flip(key, value, labels.get(key))
        for config in configs
        for key in _keys([config])
        if not is_system(key) and label in (None, key)
        for value in _selecting_values(key, config)
        if config.selects(with_label(labels, key, value))
    }
    return flips.pop() if len(flips) == 1 else None


def judge(
    node_labels: Labels,
    cilium_labels: Labels | None,
    configs: list[Config],
    *,
    label: str | None = None,
) -> Selection:
    """What selects a node, the one label to flip, and every reason not to.

    node_labels are the Node's, cilium_labels those of its CiliumNode, by which the operator selects (None: there is
    no CiliumNode).
    """
    selecting = [config for config in configs if config.selects(node_labels)]
    problems: list[str] = []
    if not configs:
        problems.append(
            "the cluster has no CiliumBGPClusterConfig and no CiliumBGPPeeringPolicy: no node announces routes"
        )
    if len(selecting) > 1:
        problems.append(
            f"{' and '.join(map(str, selecting))} select the node both: Cilium takes one of them, which isn't said"
        )
    for config in selecting:
        # All of Cilium's BGP conditions name a problem when they are True.
        problems += [
            f"{config} says {condition.get('type')}: {condition.get('message') or condition.get('reason')}"
            for condition in config.conditions
            if condition.get("status") == "True"
        ]
    if selecting:
        flip, reasons = _way_out(node_labels, selecting, configs, label)
        problems += reasons
    else:
        flip = _way_in(node_labels, configs, label)
    if cilium_labels is None:
        problems.append("there is no CiliumNode of this name: Cilium's agent has never run on the node")
    else:
        keys = [flip.key] if flip else _keys(selecting)
        problems += [
            f"label {_words(key, node_labels.get(key))} of the Node is {_words(key, cilium_labels.get(key))} on its "
            f"CiliumNode, by which the operator selects: the agent on the node is down, or the label is excluded by "
            f"exclude-node-label-patterns in Cilium's configuration"
            for key in keys
            if node_labels.get(key) != cilium_labels.get(key)
        ]
    return Selection(bool(selecting), tuple(selecting), flip, tuple(problems))


def deselects(key: str, value: str | None, labels: Labels, configs: list[Config]) -> str | None:
    """Why a value of a label doesn't take the node out, None if it does."""
    after = with_label(labels, key, value)
    still = [str(config) for config in configs if config.selects(after)]
    return f"with {_words(key, value)} the node is still selected by {' and '.join(still)}" if still else None


def label_value(value: Any) -> str | None:
    """The text of a label value that came through Ansible; None if none was given.

    AWX and ansible-core 2.19 turn 'false' into False, '1.30' into 1.3, '0123' into 83: a boolean has one lower-case
    spelling and is turned back, of a number nobody knows how it was written.
    """
    if value is None:
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    if not isinstance(value, str):
        raise SelectionError(
            f"label_value is the {type(value).__name__} {value!r}, and a label's value is text: Ansible or AWX read "
            f"what was written as a number, a date or a list; choose a value that can't be read as one, e.g. 'false'"
        )
    if len(value) > 63 or not _VALUE.fullmatch(value):
        raise SelectionError(
            f"label_value {value!r} can't be a label's value: at most 63 letters, digits, '-', '_' and '.', "
            f"with a letter or digit at both ends"
        )
    return value
