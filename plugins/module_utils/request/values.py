# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to hitless.nodes: it may change in any release, don't import it from elsewhere.

"""Whether one value matches its specification: type, choices, range. Pure functions.

A specification is an option of a role's meta/argument_specs.yml, or one of playbook_options.py.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ansible.module_utils.common.text.converters import to_text
from ansible.module_utils.common.validation import (
    check_type_bool,
    check_type_dict,
    check_type_float,
    check_type_int,
    check_type_list,
)

from .value_words import kind, shown

# Numbers of this collection count seconds or things. Only these may be below 0.
LEAST: dict[str, float] = {
    "agent_batch": 1,
    "agent_parallel": 1,
    "bgp_interval": 0.01,
    "drain_grace_period": -1,
    "drain_max_parallel": 1,
    "kube_request_timeout": 0.1,
}
NUMBERS: dict[str, tuple[Callable[[Any], Any], str]] = {
    "int": (check_type_int, "a whole number"),
    "float": (check_type_float, "a number"),
}
OTHERS: dict[str, tuple[Callable[[Any], Any], str]] = {
    "bool": (check_type_bool, "true or false"),
    "list": (check_type_list, "a list"),
    "dict": (check_type_dict, "a mapping"),
}


def problem(name: str, value: Any, spec: Mapping[str, Any]) -> str:
    """Why a value isn't valid for an option, in one line that names the variable; "" if it is valid."""
    wanted = _type_wanted(value, spec)
    if wanted:
        # A secret is never shown.
        found = kind(value) if spec.get("no_log") else shown(value)
        return f"{name} is {found}, and must be {wanted}"
    if spec.get("type") in NUMBERS:
        return _range_problem(name, value)
    choices = [str(choice) for choice in spec.get("choices") or []]
    if choices and str(value) not in choices:
        return f"{name} is {shown(value)}, and must be one of: {', '.join(choices)}"
    return ""


def _type_wanted(value: Any, spec: Mapping[str, Any]) -> str:
    """What the value should be, "" if it is valid."""
    wanted = spec.get("type", "str")
    if wanted in ("str", "path"):
        choices = spec.get("choices")
        if isinstance(value, str):
            return ""
        return f"one of: {', '.join(map(str, choices))}" if choices else "text: quote it"
    if wanted in NUMBERS:
        # True is 1 in Python.
        check, words = NUMBERS[wanted]
        return "" if not isinstance(value, bool) and _accepted(check, value) else words + _unit(spec)
    if wanted not in OTHERS:
        return ""
    check, words = OTHERS[wanted]
    if not _accepted(check, value):
        return words
    elements = spec.get("elements")
    if wanted == "list" and elements == "str" and isinstance(value, list):
        strange = [each for each in value if not isinstance(each, str)]
        if strange:
            return f"a list of text: {strange[0]!r} in it is {kind(strange[0])}"
    return ""


def _unit(spec: Mapping[str, Any]) -> str:
    """What a number counts, if the option's description begins with it."""
    description = spec.get("description") or ""
    first = description if isinstance(description, str) else str(description[0])
    return " of seconds" if first.startswith("Seconds") else ""


def _accepted(check: Callable[[Any], Any], value: Any) -> bool:
    try:
        check(value)
    except (TypeError, ValueError):
        return False
    return True


def _range_problem(name: str, value: Any) -> str:
    least = LEAST.get(name, 0)
    if float(to_text(value)) < least:
        return f"{name} is {shown(value)}, and must be at least {least:g}"
    return ""
