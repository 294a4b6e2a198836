# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to hitless.nodes: it may change in any release, don't import it from elsewhere.

"""Label selectors in the text form of `kubectl -l`: "app=web,tier in (front, back),!canary". Pure functions."""

from __future__ import annotations

import re

from ..base.errors import HitlessError

# (key, operator, values), as labels.holds takes it.
Requirement = tuple[str, str, tuple[str, ...]]

_NAME = r"[A-Za-z0-9](?:[-A-Za-z0-9_.]*[A-Za-z0-9])?"
_KEY = rf"(?:{_NAME}/)?{_NAME}"
_TERM = re.compile(
    rf"\s*(?:!\s*(?P<absent>{_KEY})"
    rf"|(?P<set>{_KEY})\s+(?P<in>in|notin)\s*\((?P<values>[^()]*)\)"
    rf"|(?P<key>{_KEY})\s*(?P<operator>==|=|!=)\s*(?P<value>(?:{_NAME})?)"
    rf"|(?P<exists>{_KEY}))\s*(?:,|$)"
)
_VALUE = re.compile(rf"(?:{_NAME})?")


class SelectorError(HitlessError):
    """The text is not a label selector."""


def parse(text: str) -> tuple[Requirement, ...]:
    """The requirements of a selector, all of which must hold; none for an empty text, which selects everything."""
    found: list[Requirement] = []
    position, stripped = 0, text.strip()
    while position < len(stripped):
        match = _TERM.match(stripped, position)
        if match is None or (match.end() == len(stripped) and stripped.endswith(",")):
            raise SelectorError(
                f"drain_pod_selector is {text!r}, which is no label selector from "
                f"{stripped[position : position + 20]!r} on; give one such as app=web,tier in (front, back),!canary"
            )
        found.append(_requirement(match, text))
        position = match.end()
    return tuple(found)


def _requirement(match: re.Match[str], text: str) -> Requirement:
    if match["absent"]:
        return match["absent"], "DoesNotExist", ()
    if match["exists"]:
        return match["exists"], "Exists", ()
    if match["key"]:
        return match["key"], "NotIn" if match["operator"] == "!=" else "In", (match["value"],)
    values = tuple(value.strip() for value in match["values"].split(","))
    wrong = [value for value in values if not _VALUE.fullmatch(value)]
    if wrong:
        raise SelectorError(f"drain_pod_selector is {text!r}: {wrong[0]!r} can't be a label's value")
    return match["set"], "In" if match["in"] == "in" else "NotIn", values
