# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to hitless.nodes: it may change in any release, don't import it from elsewhere.

"""Label selectors, as Kubernetes reads them. Pure functions."""

from __future__ import annotations

from typing import Any

from ..base.errors import HitlessError

Labels = dict[str, str]


def requirements(selector: dict[str, Any] | None) -> list[tuple[str, str, tuple[str, ...]]]:
    """The conditions of a label selector as (key, operator, values), matchLabels as In; all of them must hold."""
    selector = selector or {}
    labels = [(key, "In", (value,)) for key, value in (selector.get("matchLabels") or {}).items()]
    expressions = [
        (entry["key"], entry["operator"], tuple(entry.get("values") or ()))
        for entry in selector.get("matchExpressions") or []
    ]
    return labels + expressions


def holds(key: str, operator: str, values: tuple[str, ...], labels: Labels) -> bool:
    """Whether one condition of a selector holds. As in Kubernetes, NotIn also holds if the label is absent."""
    match operator:
        case "In":
            return key in labels and labels[key] in values
        case "NotIn":
            return labels.get(key) not in values
        case "Exists":
            return key in labels
        case "DoesNotExist":
            return key not in labels
    raise HitlessError(f"a label selector uses the operator {operator!r} on label {key}, which Kubernetes doesn't have")


def matches(selector: dict[str, Any] | None, labels: Labels) -> bool:
    """Whether a selector selects these labels. An absent or empty one selects every node."""
    return all(holds(*requirement, labels) for requirement in requirements(selector))
