# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to hitless.nodes: it may change in any release, don't import it from elsewhere.

"""What everything that reads a router's answers shares: the two kinds of error, and JSON documents."""

from __future__ import annotations

import json
from typing import Any

from ..base.errors import HitlessError
from ..base.words import excerpt


class RouterError(HitlessError):
    """The router can't be asked like this (no vtysh, no permission, wrong input): asking again won't help."""


class UnknownError(HitlessError):
    """No answer, or none that is understood: unknown, never good news. A wait asks again until its deadline."""


def documents(text: str) -> tuple[list[Any], str]:
    """The JSON documents that follow each other in a text, and the rest that is none ("" where all was understood)."""
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
    """The error for an answer in no form that is known."""
    return UnknownError(
        f"FRR's answer about {what} isn't understood: {excerpt(str(document))}; report it together with 'show version'"
    )
