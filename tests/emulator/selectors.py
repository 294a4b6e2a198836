# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Label and field selectors, from the query string and from objects (matchLabels, matchExpressions)."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from .errors import bad_request
from .resources import Resource

Json = dict[str, Any]
Match = Callable[[Json], bool]

_KEY = r"(?:[A-Za-z0-9.\-]+/)?[A-Za-z0-9](?:[A-Za-z0-9._\-]*[A-Za-z0-9])?"
_VALUE = r"[A-Za-z0-9._\-]*"
_IN = re.compile(rf"^\s*({_KEY})\s+(in|notin)\s+\(([^)]*)\)\s*$")
_EQUAL = re.compile(rf"^\s*({_KEY})\s*(==|=|!=)\s*({_VALUE})\s*$")
_EXISTS = re.compile(rf"^\s*(!?)\s*({_KEY})\s*$")
# Commas inside brackets belong to a value set.
_COMMA = re.compile(r",(?![^(]*\))")

Requirement = tuple[str, str, frozenset[str]]

_FALSE_WHEN_ABSENT = (("spec", "unschedulable"), ("spec", "hostNetwork"))


def _holds(requirement: Requirement, labels: Json) -> bool:
    key, operator, values = requirement
    if operator == "In":
        return key in labels and labels[key] in values
    if operator == "Exists":
        return key in labels
    if operator == "DoesNotExist":
        return key not in labels
    return key not in labels or labels[key] not in values


def parse_labels(text: str) -> list[Requirement]:
    """The requirements of a labelSelector query."""
    found: list[Requirement] = []
    for part in _COMMA.split(text):
        if not part.strip():
            continue
        if match := _IN.match(part):
            values = frozenset(value.strip() for value in match[3].split(","))
            found.append((match[1], "In" if match[2] == "in" else "NotIn", values))
        elif match := _EQUAL.match(part):
            found.append((match[1], "NotIn" if match[2] == "!=" else "In", frozenset((match[3],))))
        elif match := _EXISTS.match(part):
            found.append((match[2], "DoesNotExist" if match[1] else "Exists", frozenset()))
        else:
            raise bad_request(f'unable to parse requirement: "{part.strip()}" is not a valid label selector')
    return found


def selector_requirements(selector: Json | None) -> list[Requirement]:
    """The requirements of a LabelSelector object; none means that everything matches."""
    selector = selector or {}
    found: list[Requirement] = [
        (key, "In", frozenset((value,))) for key, value in (selector.get("matchLabels") or {}).items()
    ]
    for expression in selector.get("matchExpressions") or ():
        found.append((expression["key"], expression["operator"], frozenset(expression.get("values") or ())))
    return found


def labels_match(requirements: list[Requirement], labels: Json | None) -> bool:
    """Whether the labels meet all requirements."""
    found = labels or {}
    return all(_holds(requirement, found) for requirement in requirements)


def _value_at(obj: Json, path: tuple[str, ...]) -> str:
    value: Any = obj
    for part in path:
        value = value.get(part) if value.__class__ is dict else None
    # First what nearly every object has: 5,000 pods are looked at for one list of a node's pods.
    if value.__class__ is str:
        return value
    if value is None:
        return "false" if path in _FALSE_WHEN_ABSENT else ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict):
        # The one field label that is an object: `source` of an event means its component.
        return str(value.get("component", ""))
    return str(value)


def _field_requirements(resource: Resource, text: str) -> list[tuple[tuple[str, ...], bool, str]]:
    found = []
    for part in text.split(","):
        if not part.strip():
            continue
        match = re.match(r"^\s*([^=!]+?)\s*(==|=|!=)\s*(.*?)\s*$", part)
        if not match:
            raise bad_request(f"invalid selector: '{text}'; can't understand '{part}'")
        label = match[1]
        known = label == "metadata.name" or (label == "metadata.namespace" and resource.namespaced)
        if not known and label not in resource.fields:
            raise bad_request(f'field label not supported: "{label}" for {resource.plural}')
        found.append((tuple(label.split(".")), match[2] != "!=", match[3]))
    return found


def matcher(resource: Resource, label_selector: str, field_selector: str) -> Match | None:
    """A test for objects, or None when everything matches; raises 400 for what can't be parsed."""
    labels = parse_labels(label_selector)
    fields = _field_requirements(resource, field_selector)
    if not labels and not fields:
        return None
    view = resource.to_view

    def test(obj: Json) -> bool:
        if fields:
            shown = view(obj) if view else obj
            for path, wanted, value in fields:
                if (_value_at(shown, path) == value) is not wanted:
                    return False
        return not labels or labels_match(labels, obj["metadata"].get("labels"))

    return test
