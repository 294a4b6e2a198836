# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fault knobs: rules that answer, delay or reset requests before the API sees them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from .errors import ApiError, bad_request

Json = dict[str, Any]

_REASONS = {
    400: "BadRequest",
    401: "Unauthorized",
    403: "Forbidden",
    404: "NotFound",
    409: "Conflict",
    410: "Expired",
    429: "TooManyRequests",
    500: "InternalError",
    503: "ServiceUnavailable",
    504: "Timeout",
}
_SELECTS = {"method", "path", "query", "user", "count"}
_KNOWN = _SELECTS | {"status", "reason", "message", "causes", "retry_after", "delay", "reset"}


@dataclass(slots=True)
class Rule:
    """One fault: which requests it is for, how many are left (None = until cleared), and what happens to them."""

    method: str
    path: re.Pattern[str]
    query: re.Pattern[str]
    user: re.Pattern[str]
    left: int | None
    status: int
    reason: str
    message: str
    causes: list[Json]
    retry_after: int
    delay: float
    reset: bool
    hits: int = 0

    @classmethod
    def parse(cls, spec: Json) -> Rule:
        """A rule from JSON; raises 400 naming what is wrong."""
        unknown = set(spec) - _KNOWN
        if unknown:
            raise bad_request(f"a fault rule has no {', '.join(sorted(unknown))}; it has {', '.join(sorted(_KNOWN))}")
        status = int(spec.get("status", 0))
        if not status and not spec.get("delay") and not spec.get("reset"):
            raise bad_request("a fault rule needs one of: status, delay, reset")
        count = spec.get("count")
        try:
            patterns = [re.compile(spec.get(key, "")) for key in ("path", "query", "user")]
        except re.error as error:
            raise bad_request(f"a fault rule's pattern does not compile: {error}") from error
        return cls(
            method=spec.get("method", "*").upper(),
            path=patterns[0],
            query=patterns[1],
            user=patterns[2],
            left=None if count is None else int(count),
            status=status,
            reason=spec.get("reason", _REASONS.get(status, "")),
            message=spec.get("message", f"fault injected by the emulator: {status}"),
            causes=list(spec.get("causes", [])),
            retry_after=int(spec.get("retry_after", 0)),
            delay=float(spec.get("delay", 0)),
            reset=bool(spec.get("reset", False)),
        )

    def takes(self, method: str, path: str, query: str, user: str) -> bool:
        """Whether this request is the rule's; counts it."""
        if self.left == 0 or self.method not in ("*", method):
            return False
        if not (self.path.search(path) and self.query.search(query) and self.user.search(user)):
            return False
        if self.left is not None:
            self.left -= 1
        self.hits += 1
        return True

    def error(self) -> ApiError:
        """The answer."""
        return ApiError(self.status, self.reason, self.message, causes=self.causes, retry_after=self.retry_after)

    def show(self) -> Json:
        """The rule as JSON."""
        return {
            "method": self.method,
            "path": self.path.pattern,
            "query": self.query.pattern,
            "user": self.user.pattern,
            "left": self.left,
            "status": self.status,
            "delay": self.delay,
            "reset": self.reset,
            "hits": self.hits,
        }


class Faults:
    """The rules in force, oldest first; the first one that matches a request takes it."""

    def __init__(self) -> None:
        self.rules: list[Rule] = []

    def take(self, method: str, path: str, query: str, user: str) -> Rule | None:
        """The rule for this request, or None."""
        return next((rule for rule in self.rules if rule.takes(method, path, query, user)), None)
