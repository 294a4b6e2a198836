# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to hitless.nodes: it may change in any release, don't import it from elsewhere.

"""Which label takes a node out of BGP, and which change of it does. Pure functions over Cilium's selectors.

Nothing is concluded from the form of a selector. Every candidate change is applied to a copy of the node's labels, and
all selectors are tried again. Only a change after which nothing selects the node is an answer.
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
    """A CiliumBGPClusterConfig or a legacy CiliumBGPPeeringPolicy, with what decides whether it selects a node."""

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
    """What selects the node, and what changes that. flip is None if nothing can change it (problems say why)."""

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

    node-restriction.kubernetes.io/ is the exception. That prefix is for administrators' own labels.
    """
    domain = key.rpartition("/")[0]
    if domain == "node-restriction.kubernetes.io" or domain.endswith(".node-restriction.kubernetes.io"):
        return False
    return any(domain == system or domain.endswith(f".{system}") for system in ("kubernetes.io", "k8s.io"))


def _conditions(key: str, configs: list[Config]) -> list[tuple[str, tuple[str, ...]]]:
    """What selectors ask of one label: (operator, values)."""
    found = []
    for config in configs:
        for asked_key, operator, values in requirements(config.selector):
            if asked_key == key:
                found.append((operator, values))
    return found


def _deselecting_values(key: str, configs: list[Config], current: str | None) -> list[str | None]:
    """Values of a label to try for taking the node out, the clearest first."""
    wanted: set[str] = set()
    refused: set[str] = set()
    wanted_absent = False
    for operator, values in _conditions(key, configs):
        if operator == "In":
            wanted.update(values)
        elif operator == "NotIn":
            refused.update(values)
        elif operator == "DoesNotExist":
            wanted_absent = True
    candidates: list[str | None] = ["false"] if "true" in wanted else []
    candidates.append(ABSENT)
    candidates += sorted(refused, key=lambda value: (value != "false", value))
    if wanted_absent:
        candidates.append("true")
    return [value for value in dict.fromkeys(candidates) if value != current]


def _selecting_values(key: str, config: Config) -> list[str | None]:
    """Values of a label to try for putting the node in."""
    found: list[str | None] = []
    for operator, values in _conditions(key, [config]):
        if operator == "In":
            found += values
        elif operator == "Exists":
            found.append("true")
        else:
            found.append(ABSENT)
    return list(dict.fromkeys(found))


def _keys(configs: list[Config]) -> list[str]:
    """The labels that selectors use."""
    return sorted({key for config in configs for key, _operator, _values in requirements(config.selector)})


def _words(key: str, value: str | None) -> str:
    return f"{key} absent" if value is None else f"{key}={value}"


def _names(configs: list[Config]) -> str:
    return " and ".join(str(config) for config in configs)


class _NoWayOut(Exception):  # noqa: N818 - an answer
    """No label takes the node out: the reasons."""

    def __init__(self, *reasons: str) -> None:
        super().__init__(*reasons)
        self.reasons = reasons


def _way_out(labels: Labels, selecting: list[Config], configs: list[Config], label: str | None) -> Flip:
    """The flip that deselects a selected node; raises _NoWayOut."""
    _refuse_select_all(selecting)
    keys = _usable_keys(selecting, label)
    flip = _only_flip(_flips(labels, keys, selecting, configs), selecting)
    if all(operator == "Exists" for operator, _values in _conditions(flip.key, selecting)):
        _refuse_only_exists(flip.key, labels[flip.key], selecting, named=label is not None)
    return flip


def _refuse_select_all(selecting: list[Config]) -> None:
    """Raises _NoWayOut if a config selects every node."""
    for config in selecting:
        if not requirements(config.selector):
            raise _NoWayOut(
                f"{config} has no nodeSelector, so it selects every node and no label takes one out: give it a "
                f"nodeSelector on a label of its own, e.g. matchLabels enable-bgp: 'true'"
            )


def _usable_keys(selecting: list[Config], label: str | None) -> list[str]:
    """The labels that select the node and that may be changed; raises _NoWayOut if there is none."""
    keys = _keys(selecting)
    if label is not None and label not in keys:
        raise _NoWayOut(
            f"{_names(selecting)} selects the node by {', '.join(keys)}, not by {label}: nothing would happen"
        )
    wanted = [label] if label else keys
    usable = [key for key in wanted if not is_system(key)]
    if not usable:
        system = [key for key in keys if is_system(key)]
        raise _NoWayOut(
            f"{_names(selecting)} selects the node by {', '.join(system)}: such labels belong to Kubernetes and stay "
            f"as they are: select by a label of its own, e.g. matchLabels enable-bgp: 'true'"
        )
    return usable


def _flips(labels: Labels, keys: list[str], selecting: list[Config], configs: list[Config]) -> list[Flip]:
    """For each label the first change after which nothing selects the node; raises _NoWayOut if there is none."""
    flips: list[Flip] = []
    reasons: list[str] = []
    for key in keys:
        found = _flip_of(key, labels, selecting, configs)
        if isinstance(found, Flip):
            flips.append(found)
        else:
            reasons += found
    if flips:
        return flips
    if not reasons:
        selectors = ", ".join(_keys(selecting))
        reasons.append(f"no single label takes the node out of {_names(selecting)} (it selects by {selectors})")
    raise _NoWayOut(*(f"{reason}: give each selector a label of its own" for reason in dict.fromkeys(reasons)))


def _flip_of(key: str, labels: Labels, selecting: list[Config], configs: list[Config]) -> Flip | list[str]:
    """The first change of one label after which nothing selects the node, or what would select it instead."""
    takers = []
    for value in _deselecting_values(key, selecting, labels.get(key)):
        after = with_label(labels, key, value)
        if any(config.selects(after) for config in selecting):
            continue
        others = [config for config in configs if config.selects(after)]
        if not others:
            return Flip(key, labels.get(key), value)
        takers.append(f"with {_words(key, value)}, {_names(others)} would take the node over")
    return takers


def _only_flip(flips: list[Flip], selecting: list[Config]) -> Flip:
    """The flip if there is only one; raises _NoWayOut if the user has to choose."""
    if len(flips) > 1:
        keys = ", ".join(flip.key for flip in flips)
        raise _NoWayOut(
            f"{_names(selecting)} selects the node by several labels ({keys}): set bgp_label to the one to change"
        )
    return flips[0]


def _refuse_only_exists(key: str, value: str, selecting: list[Config], *, named: bool) -> None:
    """Raises _NoWayOut for a label that only has to exist, unless the user has named it."""
    names = _names(selecting)
    if value.lower() in OFF_VALUES:
        raise _NoWayOut(
            f"the node has {key}={value}, which looks like off, but {names} asks only that the label exists, "
            f"so it is selected: make it matchLabels {key}: 'true', and decide which nodes that is to select"
        )
    if not named:
        raise _NoWayOut(
            f"{names} asks only that label {key} exists: no value takes the node out, and a tool that sets it to "
            f"any value during the maintenance puts the node back in; make it matchLabels {key}: {value!r}, "
            f"or set bgp_label={key} to let the label be removed"
        )


def _way_in(labels: Labels, configs: list[Config], label: str | None) -> Flip | None:
    """The flip that would select a node which nothing selects, if there is exactly one."""
    flips = set()
    for config in configs:
        for key in _keys([config]):
            if is_system(key) or label not in (None, key):
                continue
            for value in _selecting_values(key, config):
                if config.selects(with_label(labels, key, value)):
                    flips.add(Flip(key, value, labels.get(key)))
    return flips.pop() if len(flips) == 1 else None


def judge(
    node_labels: Labels,
    cilium_labels: Labels | None,
    configs: list[Config],
    *,
    label: str | None = None,
) -> Selection:
    """What selects a node, the one label to flip, and every reason against it.

    node_labels: those of the Node. cilium_labels: those of its CiliumNode, by which the operator selects (None: there
    is no CiliumNode).
    """
    selecting = [config for config in configs if config.selects(node_labels)]
    problems = _config_problems(configs, selecting)
    flip = None
    if selecting:
        try:
            flip = _way_out(node_labels, selecting, configs, label)
        except _NoWayOut as exc:
            problems += exc.reasons
    else:
        flip = _way_in(node_labels, configs, label)
    problems += _label_problems(node_labels, cilium_labels, [flip.key] if flip else _keys(selecting))
    return Selection(bool(selecting), tuple(selecting), flip, tuple(problems))


def _config_problems(configs: list[Config], selecting: list[Config]) -> list[str]:
    """What is wrong with the configs themselves."""
    problems = []
    if not configs:
        problems.append(
            "the cluster has no CiliumBGPClusterConfig and no CiliumBGPPeeringPolicy: no node announces routes"
        )
    if len(selecting) > 1:
        problems.append(f"{_names(selecting)} both select the node: Cilium takes one of them and doesn't say which")
    for config in selecting:
        for condition in config.conditions:
            # All of Cilium's BGP conditions mean a problem when they are True.
            if condition.get("status") == "True":
                said = condition.get("message") or condition.get("reason")
                problems.append(f"{config} says {condition.get('type')}: {said}")
    return problems


def _label_problems(node_labels: Labels, cilium_labels: Labels | None, keys: list[str]) -> list[str]:
    """How the labels of the CiliumNode differ from those of the Node."""
    if cilium_labels is None:
        return ["there is no CiliumNode of this name: Cilium's agent has never run on the node"]
    return [
        f"label {_words(key, node_labels.get(key))} of the Node is {_words(key, cilium_labels.get(key))} on its "
        f"CiliumNode, by which the operator selects: the agent on the node is down, or the label is excluded by "
        f"exclude-node-label-patterns in Cilium's configuration"
        for key in keys
        if node_labels.get(key) != cilium_labels.get(key)
    ]


def deselects(key: str, value: str | None, labels: Labels, configs: list[Config]) -> str | None:
    """Why a value of a label doesn't take the node out, None if it does."""
    after = with_label(labels, key, value)
    still = [str(config) for config in configs if config.selects(after)]
    return f"with {_words(key, value)} the node is still selected by {' and '.join(still)}" if still else None


def label_value(value: Any) -> str | None:
    """The text of a label value that came through Ansible; None if none was given.

    AWX and ansible-core 2.19 change 'false' to False, '1.30' to 1.3 and '0123' to 83. A boolean has one lower-case
    spelling, so it is changed back. How a number was written can't be known.
    """
    if value is None:
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    if not isinstance(value, str):
        raise SelectionError(
            f"bgp_label_value is the {type(value).__name__} {value!r}, and a label's value is text: Ansible or AWX "
            f"read what was written as a number, a date or a list; choose a value that can't be read as one, e.g. "
            f"'false'"
        )
    if len(value) > 63 or not _VALUE.fullmatch(value):
        raise SelectionError(
            f"bgp_label_value {value!r} can't be a label's value: at most 63 letters, digits, '-', '_' and '.', "
            f"with a letter or digit at both ends"
        )
    return value
