# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to hitless.nodes: it may change in any release, don't import it from elsewhere.

"""The text that the user wrote, if YAML or AWX has changed it to another type."""

from __future__ import annotations

import datetime
from collections.abc import Iterable
from typing import Any

import yaml


def as_written(value: Any, names: Iterable[str]) -> str:
    """The text of a value before YAML read it as another type, "" if it isn't known.

    AWX passes variables so that '0123' arrives as 83, '1.30' as 1.3 and 'no' as False. The result is the one possible
    name that YAML reads as this value. If there are several, the result is "".
    """
    if isinstance(value, str):
        return str(value)
    if isinstance(value, list | tuple):
        names = list(names)
        parts = [as_written(each, names) for each in value]
        return ",".join(parts) if all(parts) else ""
    candidates = [name for name in names if _same_value(_read(name), value)]
    return str(candidates[0]) if len(candidates) == 1 else ""


def _read(name: str) -> Any:
    try:
        return yaml.safe_load(str(name))
    except (yaml.YAMLError, ValueError):
        return str(name)


def _same_value(read: Any, value: Any) -> bool:
    # In Python True == 1 and 83 == 83.0, but no text is both.
    kinds = (bool, int, float, datetime.datetime, datetime.date, type(None))
    kind = next((each for each in kinds if isinstance(value, each)), None)
    if kind is None or not isinstance(read, kind):
        return False
    return isinstance(read, bool) == isinstance(value, bool) and bool(read == value)
