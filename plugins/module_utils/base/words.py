# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to hitless.nodes: it may change in any release, don't import it from elsewhere.

"""Parts of messages: short lists and short texts."""

from __future__ import annotations

from collections.abc import Iterable


def some(items: Iterable[str], most: int = 5) -> str:
    """The first few of a list, and how many more there are: "a, b and 7 more"."""
    listed = list(items)
    more = f" and {len(listed) - most} more" if len(listed) > most else ""
    return ", ".join(listed[:most]) + more


def excerpt(text: str, length: int = 120) -> str:
    """A text as one line of at most that many characters."""
    line = " ".join(text.split())
    return line if len(line) <= length else line[: length - 3] + "..."
