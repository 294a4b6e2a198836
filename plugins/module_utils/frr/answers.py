# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to hitless.nodes: it may change in any release, don't import it from elsewhere.

"""Shared by all code that reads a router's answers: two kinds of errors, and the splitting of JSON documents."""

from __future__ import annotations

import json
from typing import Any

from ..base.errors import HitlessError
from ..base.words import excerpt


class RouterError(HitlessError):
    """The router can't be asked in this way: no vtysh, no permission or wrong input. Asking again doesn't help."""


class UnknownError(HitlessError):
    """There is no answer, or it isn't understood. That is never good news. A wait asks again until its deadline."""


def documents(text: str) -> tuple[list[Any], str]:
    """The JSON documents at the beginning of a text, and the rest of the text ("" if all of it is JSON)."""
    decoder = json.JSONDecoder()
    found: list[Any] = []
    position = 0
    while True:
        # raw_decode doesn't skip leading white space (FRR 10.x begins some answers with an empty line).
        position += len(text[position:]) - len(text[position:].lstrip())
        if position >= len(text):
            return found, ""
        try:
            document, position = decoder.raw_decode(text, position)
        except ValueError:
            return found, text[position:]
        found.append(document)


def strange(what: str, document: Any) -> UnknownError:
    """The error for an answer whose form isn't known."""
    return UnknownError(
        f"FRR's answer about {what} isn't understood: {excerpt(str(document))}; report it together with 'show version'"
    )
