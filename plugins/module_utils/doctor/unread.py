# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to hitless.nodes: it may change in any release, don't import it from elsewhere.

"""Reads kind by kind. A kind that can't be read is named with the reason, and the others are still read."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..kube.api_errors import TRANSIENT, Forbidden, NotFound
from ..kube.client import Client
from .links import Facts

# These errors don't stop the rest: a right is missing, or the API doesn't answer for a moment.
UNREAD = (Forbidden, *TRANSIENT)


class Reader:
    """A client of the API. It keeps the reason for each kind that couldn't be read."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.unread: dict[str, str] = {}

    def attempt(self, kind: str, read: Callable[[], Any]) -> Any:
        """What read() returns. None if it can't be read, and the reason is kept."""
        try:
            return read()
        except UNREAD as exc:
            self.unread[kind] = exc.msg
            return None

    def listed(self, kind: str, path: str, **query: Any) -> list[Facts] | None:
        """The objects of a kind. []: the cluster doesn't serve it. None: they can't be read."""

        def read() -> list[Facts]:
            try:
                return self.client.list_all(path, **query)[0]
            except NotFound:
                return []

        found: list[Facts] | None = self.attempt(kind, read)
        return found
