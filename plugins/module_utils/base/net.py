# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to hitless.nodes: it may change in any release, don't import it from elsewhere.

"""IP addresses and prefixes in one spelling, and their family."""

from __future__ import annotations

import ipaddress
from functools import lru_cache
from typing import Any

from .errors import HitlessError

FAMILIES = ("ipv4", "ipv6")
# Family -> length of the prefix that holds a single address.
HOST_LENGTH = {"ipv4": 32, "ipv6": 128}


class AddressError(HitlessError):
    """A text should be an IP address or a prefix, and isn't."""


def family(prefix_or_address: str) -> str:
    """ipv4 or ipv6."""
    return "ipv6" if ":" in prefix_or_address else "ipv4"


def is_address(text: str) -> bool:
    """Whether a text is an IP address."""
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def address(text: str) -> str:
    """An IP address in its one spelling, without the zone of a link-local one. Raises AddressError for other texts."""
    try:
        return str(ipaddress.ip_address(str(text).split("%", 1)[0]))
    except ValueError as exc:
        raise AddressError(f"'{text}' isn't an IP address; give one such as 192.0.2.11") from exc


def prefix(text: Any) -> str:
    """An IP prefix in its one spelling. Raises AddressError for other texts, and for bits right of its length."""
    try:
        return str(ipaddress.ip_network(str(text)))
    except ValueError as exc:
        raise AddressError(f"'{text}' isn't an IP prefix: {exc}; give prefixes such as 198.51.100.10/32") from exc


@lru_cache(maxsize=None)
def spelled(text: str) -> str:
    """An address in its one spelling. Other texts stay as they are."""
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        return text


def same_address(one: str | None, other: str | None) -> bool:
    """Whether two texts are the same address in any spelling. False if one is missing."""
    return bool(one and other) and spelled(str(one)) == spelled(str(other))
