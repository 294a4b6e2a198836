# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to hitless.nodes: it may change in any release, don't import it from elsewhere.

"""Texts that reports share: durations, labels, shortened lists and dicts, and tables."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from ..base import words

# How many names a line lists before it says how many more there are.
NAMED = 6


def moment(text: str) -> datetime:
    """A moment of a record."""
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


def seconds_between(earlier: str, later: str) -> float:
    """Seconds from one moment of a record to another."""
    return round((moment(later) - moment(earlier)).total_seconds(), 3)


def duration(seconds: float) -> str:
    """A duration as short text."""
    if seconds < 100:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min" if hours else f"{minutes} min {rest:02d} s"


def measured(router: Mapping[str, Any]) -> str:
    """What was measured on a router: {seconds}."""
    return duration(router["seconds"])


def label(key: str | None, value: str | None) -> str:
    """A label of a Node, or that it is absent."""
    return f"{key} (absent)" if value is None else f"{key}={value}"


def kept(source: Mapping[str, Any], keys: Iterable[str]) -> dict[str, Any]:
    """A dict with those of the keys that the source has."""
    return {key: source[key] for key in keys if key in source}


def some(names: Iterable[str]) -> str:
    """The first of the names, and how many more there are."""
    return words.some(names, NAMED) or "none"


def table(rows: Iterable[Sequence[str]]) -> list[str]:
    """Lines with the cells of each column below each other."""
    listed = list(rows)
    widths = [max(len(cell) for cell in column) for column in zip(*listed, strict=True)]
    lines = []
    for row in listed:
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=True)]
        lines.append("  ".join(cells).rstrip())
    return lines
