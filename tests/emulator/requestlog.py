# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The log of requests that tests can ask for."""

from __future__ import annotations

import time
from collections import deque
from typing import Any

Json = dict[str, Any]

KEPT = 200_000


class RequestLog:
    """The last requests, numbered from 1."""

    def __init__(self) -> None:
        self._entries: deque[Json] = deque(maxlen=KEPT)
        self._number = 0

    def begin(self, method: str, path: str, query: dict[str, str]) -> Json:
        """The entry of a request that has just come; its status stays None until it is answered (or for ever)."""
        self._number += 1
        entry: Json = {
            "n": self._number,
            "t": time.time(),
            "user": None,
            "method": method,
            "path": path,
            "query": query,
            "status": None,
            "dry_run": "All" in query.get("dryRun", ""),
            "body_bytes": 0,
        }
        self._entries.append(entry)
        return entry

    def since(self, number: int) -> list[Json]:
        """Entries with n > number, oldest first."""
        found: list[Json] = []
        for entry in reversed(self._entries):
            if entry["n"] <= number:
                break
            found.append(entry)
        return found[::-1]
