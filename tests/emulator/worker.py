# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What all controllers share: a set of keys to look at, and a task that looks at them a moment later."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Hashable
from typing import Any

from .errors import ApiError
from .registry import Registry, Writer
from .store import Event

_LOG = logging.getLogger(__name__)

# Enough that a client that writes and looks at once sees the old state, as on a real cluster.
DELAY = 0.05
# Objects handled before other tasks (requests) get their turn.
_SLICE = 50


class Worker:
    """A controller: `changed` marks keys, `reconcile` makes one key right. Both are synchronous."""

    manager = "kube-controller-manager"

    def __init__(self, registry: Registry) -> None:
        self.registry = registry
        self.store = registry.store
        self.who = Writer(self.manager)
        self.delay = DELAY
        self._dirty: dict[Hashable, None] = {}
        self._wake = asyncio.Event()
        self.store.listen(self.changed)

    def changed(self, table: str, event: Event) -> None:
        """Called after every write."""
        raise NotImplementedError

    def reconcile(self, key: Any) -> None:
        """Make one thing right; called with each marked key."""
        raise NotImplementedError

    def mark(self, key: Hashable) -> None:
        """Have `reconcile` called with this key soon."""
        self._dirty[key] = None
        self._wake.set()

    async def run(self) -> None:
        """Work for ever."""
        while True:
            await self._wake.wait()
            await asyncio.sleep(self.delay)
            self._wake.clear()
            batch, self._dirty = list(self._dirty), {}
            for number, key in enumerate(batch):
                try:
                    self.reconcile(key)
                except ApiError as error:
                    # The object changed or went away in between: the next event marks it again.
                    _LOG.warning("%s %s: %s", type(self).__name__, key, error.message)
                except Exception:  # noqa: BLE001 one bad object must not end a controller
                    _LOG.exception("%s %s", type(self).__name__, key)
                if number % _SLICE == _SLICE - 1:
                    await asyncio.sleep(0)
