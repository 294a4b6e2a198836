# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to hitless.nodes: it may change in any release, don't import it from elsewhere.

"""The form of a record: which keys it has, and of what kind each value is. Keys that aren't named here may be anything.

Everything that reads records relies on it. So a record that is refused here never becomes a traceback later. Pure
functions: each check gets a value and its place, and returns what is wrong in words, "" if nothing.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

Check = Callable[[Any, str], str]

# Which phase comes after which. Drain and withdrawal come in either order. So do their ways back.
RANK = {
    "claimed": 0,
    "drained": 1,
    "withdrawn": 1,
    "off": 2,
    "on": 3,
    "restarted": 4,
    "announced": 5,
    "schedulable": 5,
    "released": 6,
}
WAYS = ("out", "in", "restart")
EVIDENCE = ("router", "cilium", "estimate")
# How much of a wrong value is shown.
SHOWN = 60


def problem(record: Any) -> str:
    """What is wrong with a record, in words; "" if it has the form of a record."""
    return _record(record, "") or _by_evidence(record["before"])


# --- kinds ------------------------------------------------------------------------------------------------------


def shown(value: Any) -> str:
    """A value in one line."""
    text = json.dumps(value, default=str)
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}..."


def _wrong(value: Any, place: str, wanted: str) -> str:
    return f"{place or 'it'} is {shown(value)}, and must be {wanted}"


def _text(value: Any, place: str) -> str:
    # Names and the like go into messages of one line.
    return "" if isinstance(value, str) and value and value.isprintable() else _wrong(value, place, "text")


def _flag(value: Any, place: str) -> str:
    return "" if isinstance(value, bool) else _wrong(value, place, "true or false")


def _number(value: Any, place: str) -> str:
    is_number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    return "" if is_number else _wrong(value, place, "a number")


def _process(value: Any, place: str) -> str:
    is_process = isinstance(value, int) and not isinstance(value, bool) and value > 0
    return "" if is_process else _wrong(value, place, "the number of a process")


def _time(value: Any, place: str) -> str:
    try:
        known = datetime.fromisoformat(value).tzinfo is not None
    except (TypeError, ValueError):
        known = False
    return "" if known else _wrong(value, place, "a time such as 2026-03-02T22:00:01.003Z")


def _one_of(*choices: str) -> Check:
    def check(value: Any, place: str) -> str:
        known = isinstance(value, str) and value in choices
        return "" if known else _wrong(value, place, f"one of {', '.join(choices)}")

    return check


def _or_none(check: Check) -> Check:
    return lambda value, place: "" if value is None else check(value, place)


def _list(of: Check) -> Check:
    def check(value: Any, place: str) -> str:
        if not isinstance(value, list):
            return _wrong(value, place, "a list")
        return _first(of(each, f"{place}[{number}]") for number, each in enumerate(value))

    return check


def _by_name(of: Check) -> Check:
    """A mapping with any names, such as those of routers."""

    def check(value: Any, place: str) -> str:
        if not isinstance(value, dict):
            return _wrong(value, place, "a mapping")
        unprintable = [name for name in value if _text(name, "")]
        if unprintable:
            return _wrong(unprintable[0], f"a name in {place}", "text")
        return _first(of(each, f"{place}.{name}") for name, each in value.items())

    return check


def _keys(needed: Mapping[str, Check], optional: Mapping[str, Check] | None = None) -> Check:
    """A mapping with these keys, and perhaps others."""
    known = {**needed, **(optional or {})}

    def check(value: Any, place: str) -> str:
        if not isinstance(value, dict):
            return _wrong(value, place, "a mapping")
        missing = sorted(needed.keys() - value.keys())
        if missing:
            return f"{place or 'it'} lacks {' and '.join(missing)}"
        prefix = f"{place}." if place else ""
        return _first(test(value[key], prefix + key) for key, test in known.items() if key in value)

    return check


def _first(found: Any) -> str:
    """The first problem, "" if there is none."""
    return next((line for line in found if line), "")


# --- a record -----------------------------------------------------------------------------------------------------

_TEXTS = _list(_text)
_MAYBE_TEXT = _or_none(lambda value, place: "" if value == "" else _text(value, place))

_RUN = _keys(
    {"pid": _process},
    {"holder": _text, "host": _MAYBE_TEXT, "boot_id": _MAYBE_TEXT, "pid_ns": _MAYBE_TEXT, "started": _or_none(_number)},
)

# A value may be an empty text: that is a label's value, too.
_VALUE = _or_none(lambda value, place: "" if isinstance(value, str) else _wrong(value, place, "text"))

_RESTART = _keys(
    {},
    {
        "negotiated": _or_none(_flag),
        "notification": _or_none(_flag),
        "long_lived": _or_none(_flag),
        "restart_time": _or_none(_number),
        "remaining": _or_none(_number),
        "long_lived_stale_time": _or_none(_number),
        "families": _or_none(_TEXTS),
    },
)

_SESSION = _keys(
    {"address": _text, "established": _flag},
    {"vrf": _MAYBE_TEXT, "hold_time": _or_none(_number), "graceful_restart": _or_none(_RESTART)},
)

_CILIUM_SESSION = _keys(
    {"address": _MAYBE_TEXT, "established": _or_none(_flag), "advertised": _by_name(_number)},
    {"instance": _MAYBE_TEXT, "peer": _MAYBE_TEXT},
)

_BOUND = _keys({"seconds": _number, "unbounded": _flag, "reason": _text, "overridden": _flag})

_BEFORE = _keys(
    {
        "unschedulable": _flag,
        "label": _keys({"key": _text, "value": _VALUE}),
        # Without any, a router would be asked for nothing, and would have nothing.
        "addresses": lambda value, place: (
            _wrong(value, place, "a list of addresses") if value == [] else _TEXTS(value, place)
        ),
    },
    {
        "uid": _MAYBE_TEXT,
        "boot_id": _MAYBE_TEXT,
        "system_uuid": _MAYBE_TEXT,
        "node_addresses": _TEXTS,
        "local_addresses": _or_none(_TEXTS),
        "evidence": _one_of(*EVIDENCE),
        "routes": _by_name(_by_name(_keys({"bgp": _TEXTS, "fib": _TEXTS}))),
        "sessions": _by_name(_list(_SESSION)),
        "next_hops": _by_name(_TEXTS),
        "local": _TEXTS,
        "pod_networks": _or_none(_TEXTS),
        "min_announcers": _number,
        "staying": _TEXTS,
        "waived": _by_name(_TEXTS),
        "cilium": _keys({"sessions": _list(_CILIUM_SESSION)}, {"prefixes": _or_none(_TEXTS)}),
        "withdrawal": _BOUND,
    },
)


def _note_of_label(value: Any, place: str) -> str:
    """What was flipped. A user's own note may have any other kind of that name."""
    return _keys({}, {"key": _MAYBE_TEXT, "before": _VALUE, "after": _VALUE})(value, place) if _is_map(value) else ""


def _is_map(value: Any) -> bool:
    return isinstance(value, dict)


_ENTRY = _keys(
    {"phase": _one_of(*RANK), "at": _time},
    {
        "way": _one_of(*WAYS),
        "evidence": _one_of(*EVIDENCE),
        "unschedulable": _flag,
        "stay": _TEXTS,
        "boot_id": _MAYBE_TEXT,
        "label": _note_of_label,
        "guard": _keys({"act": _text, "age": _number, "routers": _TEXTS}),
        "flipped_at": _time,
        "routers": _by_name(_keys({"seconds": _number}, {"families": _by_name(_number)})),
        "routers_changed": _by_name(_list(_keys({"address": _text}, {"vrf": _MAYBE_TEXT}))),
        "routers_flushed": _TEXTS,
        "routers_restored": _TEXTS,
    },
)

_record = _keys(
    {
        "holder": _text,
        "run": _RUN,
        "since": _time,
        "phase": _one_of(*RANK),
        "before": _BEFORE,
        "history": _list(_ENTRY),
    },
    {"heartbeat": _time},
)


def _by_evidence(before: dict[str, Any]) -> str:
    """What is missing for the kind of evidence with which the node was claimed."""
    evidence = before.get("evidence")
    needed = {None: [], "router": ["routes", "sessions"]}.get(evidence, ["cilium", "withdrawal"])
    lacking = [key for key in needed if key not in before]
    return f"before has evidence {evidence}, and lacks {' and '.join(lacking)}" if lacking else ""
