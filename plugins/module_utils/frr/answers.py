# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to hitless.nodes: it may change in any release, don't import it from elsewhere.
# Runs on routers: Python 3.8 and its standard library are all there is.

"""What everything that reads a router's answers shares: the two kinds of error, JSON documents, addresses."""

from __future__ import annotations

import ipaddress
import json
from typing import Any

from ..base.errors import HitlessError


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


def excerpt(text: str, length: int = 120) -> str:
    """One line of at most that many characters, for messages."""
    line = " ".join(text.split())
    return line if len(line) <= length else line[: length - 3] + "..."


def address(text: str) -> str:
    """The one spelling of an IP address, without the zone of a link-local one; RouterError where it is none."""
    try:
        return str(ipaddress.ip_address(str(text).split("%", 1)[0]))
    except ValueError as exc:
        raise RouterError(f"'{text}' isn't an IP address; give the node's addresses, such as 192.0.2.11") from exc


def is_address(text: str) -> bool:
    """Whether a text is an IP address (FRR's objects mix addresses with other keys)."""
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def prefix(text: str) -> str:
    """The one spelling of an IP prefix; RouterError where it is none, or has bits right of its length."""
    try:
        return str(ipaddress.ip_network(str(text)))
    except ValueError as exc:
        raise RouterError(f"'{text}' isn't an IP prefix: {exc}; give prefixes such as 198.51.100.10/32") from exc


def family(prefix_or_address: str) -> str:
    """ipv4 or ipv6."""
    return "ipv6" if ":" in prefix_or_address else "ipv4"
