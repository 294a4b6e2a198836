# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to hitless.nodes: it may change in any release, don't import it from elsewhere.

"""Values in words, for messages. Pure functions."""

from __future__ import annotations

import datetime
from typing import Any


def kind(value: Any) -> str:
    """The kind of a value, in words."""
    kinds = (
        (bool, "a boolean"),
        (int, "a number"),
        (float, "a number"),
        (datetime.date, "a date"),
        (str, "text"),
        (type(None), "nothing"),
        (list, "a list"),
        (dict, "a mapping"),
    )
    return next((words for each, words in kinds if isinstance(value, each)), "not text")


def shown(value: Any) -> str:
    """A value for a message: text as it is, anything else with its kind."""
    return repr(value) if isinstance(value, str) else f"{value!r} ({kind(value)})"
