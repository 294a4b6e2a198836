# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to hitless.nodes: it may change in any release, don't import it from elsewhere.

"""Following a list of objects: one watch in a thread, which survives lost watches, 410 and API server restarts."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from .api_errors import TRANSIENT, ApiError, Expired, Forbidden
from .client import Client

# The server ends a watch after this time, and the next one continues where it ended. So a dead connection is noticed.
WATCH_SECONDS = 10
PAUSE = 1.0


@dataclass(frozen=True)
class Seen:
    """What a watch event or a list says: objects that are there, objects that are gone; complete: all there are.

    version: where a watch continues after this.
    """

    path: str
    version: str
    present: tuple[dict[str, Any], ...] = ()
    deleted: tuple[dict[str, Any], ...] = ()
    complete: bool = False


@dataclass(frozen=True)
class Lost:
    """The error with which a path was refused for good. Nothing more comes from that path."""

    path: str
    error: Exception


class Follower(threading.Thread):
    """Reports what happens to the objects of a path, from a resourceVersion on ("": lists them first), until it stops.

    The right to list is enough. Without the right to watch, it lists at a fixed interval.
    """

    def __init__(
        self,
        client: Client,
        path: str,
        version: str,
        tell: Callable[[Seen | Lost], None],
        *,
        every: float,
        **query: str,
    ) -> None:
        super().__init__(daemon=True)
        self.client = client
        self.path = path
        self.version = version
        self.tell = tell
        self.every = every
        self.query = query
        # Whether a watch now brings the news.
        self.watching = False
        self._may_watch = True
        self._stop_event = threading.Event()

    def stop(self) -> None:
        """Ends it at the next event."""
        self._stop_event.set()

    def run(self) -> None:
        """The thread."""
        while not self._stop_event.is_set():
            try:
                self._follow()
            except Expired:
                self.version = ""
            except TRANSIENT as exc:
                # Where to continue is unknown (it may be another server by then), so it begins with a list.
                self.version = ""
                asked_to_wait = exc.retry_after if isinstance(exc, ApiError) else None
                self._stop_event.wait(max(PAUSE, asked_to_wait or 0.0))
            except Exception as exc:  # noqa: BLE001 - anything that ends the thread must end the loop that waits for it
                self.tell(Lost(self.path, exc))
                return
            finally:
                self.watching = False

    def _follow(self) -> None:
        if not self.version or not self._may_watch:
            objects, self.version = self.client.list_all(self.path, **self.query)
            self.tell(Seen(self.path, self.version, tuple(objects), complete=True))
        if not self._may_watch:
            self._stop_event.wait(self.every)
            return
        try:
            self._watch()
        except Forbidden:
            self._may_watch = False

    def _watch(self) -> None:
        """Follows one watch to its end."""
        events = self.client.watch(self.path, resource_version=self.version, seconds=WATCH_SECONDS, **self.query)
        self.watching = True
        for event in events:
            found = event["object"]
            self.version = found["metadata"]["resourceVersion"]
            if event["type"] == "DELETED":
                self.tell(Seen(self.path, self.version, deleted=(found,)))
            elif event["type"] in ("ADDED", "MODIFIED"):
                self.tell(Seen(self.path, self.version, (found,)))
            if self._stop_event.is_set():
                return
