# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to hitless.nodes: it may change in any release, don't import it from elsewhere.

"""Why a task failed, from its registered result."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

CONTROL = re.compile(r"\x1b\[[0-9;]*[A-Za-z]|[\x00-\x08\x0e-\x1f]")
# ansible-core 2.19 puts this before every message.
PREFIXES = re.compile(r"((Task|Action|Module) failed: )+")


def failure_reason(result: Mapping[str, Any]) -> str:
    """Why a task failed, in one line, from its result. For a loop: why each item failed."""
    items = [each for each in result.get("results", []) if each.get("failed") or each.get("unreachable")]
    lines = [one_line(str(each.get("msg", ""))) for each in items or [result]]
    return "; ".join(line for line in dict.fromkeys(lines) if line) or "it gave no reason"


def one_line(text: str) -> str:
    """A message as one line, without terminal colours and without Ansible's prefix."""
    line = " ".join(CONTROL.sub("", text).split())
    found = PREFIXES.match(line)
    return line[found.end() :] if found else line
