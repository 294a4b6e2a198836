# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""List-and-watch, and the loop that all stand-ins share."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging

import aiohttp

from .client import TRANSIENT, ApiError, AsyncApi, Object, message_of

log = logging.getLogger(__name__)


class Informer:
    """A local copy of a collection, kept current by a watch; whoever subscribed is woken at every change."""

    def __init__(self, api: AsyncApi, path: str, **query: str) -> None:
        self.api = api
        self.path = path
        self.query = query
        self.items: dict[str, Object] = {}  # "namespace/name", or "name" of what has no namespace
        self.synced = asyncio.Event()
        self.connected = False
        self._subscribers: list[asyncio.Event] = []

    def subscribe(self, event: asyncio.Event) -> None:
        """Set this event at every change."""
        self._subscribers.append(event)

    def values(self) -> list[Object]:
        """All objects, by namespace and name."""
        return [self.items[key] for key in sorted(self.items)]

    def _wake(self) -> None:
        for event in self._subscribers:
            event.set()

    async def run(self) -> None:
        """List and watch for ever."""
        pause = 0.2
        while True:
            try:
                version = await self._list()
                pause = 0.2
                while True:
                    version = await self._watch(version)
            except ApiError as error:
                if error.status == 410:  # the watch was too old
                    continue
                log.warning("%s: %s", self.path, error)
            except TRANSIENT as error:
                log.warning("%s: %s", self.path, error or type(error).__name__)
            finally:
                self.connected = False
            await asyncio.sleep(pause)
            pause = min(pause * 1.5, 1.0)

    async def _list(self) -> str:
        answer = await self.api.get(self.path, **self.query)
        items = {_key(item): item for item in answer["items"]}
        kind, api_version = answer.get("kind", "").removesuffix("List"), answer.get("apiVersion")
        for item in items.values():  # lists leave these out of their items
            item.setdefault("kind", kind)
            item.setdefault("apiVersion", api_version)
        self.items = items
        self.connected = True
        self.synced.set()
        self._wake()
        return answer["metadata"]["resourceVersion"]

    async def _watch(self, version: str) -> str:
        """Follow one watch to its end; returns the resourceVersion to go on from."""
        query = {**self.query, "watch": "1", "resourceVersion": version, "timeoutSeconds": "300"}
        query["allowWatchBookmarks"] = "true"
        timeout = aiohttp.ClientTimeout(total=None, connect=10, sock_read=330)
        async with self.api.session().get(self.api.server + self.path, params=query, timeout=timeout) as response:
            if response.status >= 400:
                raise ApiError(response.status, message_of(await response.text()))
            self.connected = True
            rest = b""
            # Not readline(): aiohttp refuses lines over 128 kB, and objects may be larger.
            async for chunk in response.content.iter_any():
                *lines, rest = (rest + chunk).split(b"\n")
                for line in lines:
                    if line.strip():
                        version = self._event(json.loads(line), version)
                if lines:
                    self._wake()
        return version

    def _event(self, event: Object, version: str) -> str:
        item = event["object"]
        if event["type"] == "ERROR":
            raise ApiError(int(item.get("code") or 500), str(item.get("message")))
        if event["type"] == "DELETED":
            self.items.pop(_key(item), None)
        elif event["type"] != "BOOKMARK":
            self.items[_key(item)] = item
        return item["metadata"].get("resourceVersion", version)


def _key(item: Object) -> str:
    metadata = item["metadata"]
    return f"{metadata['namespace']}/{metadata['name']}" if metadata.get("namespace") else str(metadata["name"])


class Controller:
    """The loop all stand-ins share: step() runs when something changed, and when it said it wants to."""

    name = "stand-in"
    idle = 2.0  # seconds between two steps when nothing happens

    def __init__(self) -> None:
        self.wake = asyncio.Event()

    def watches(self, *informers: Informer) -> None:
        """Wake up when one of these changes."""
        for informer in informers:
            informer.subscribe(self.wake)

    async def step(self) -> float | None:
        """Do what is missing now; returns in how many seconds to look again at the latest (None: `idle`)."""
        raise NotImplementedError

    async def run(self) -> None:
        """Step for ever; an API server that is away is met again with the next step."""
        while True:
            self.wake.clear()
            try:
                pause = await self.step()
            except TRANSIENT as error:
                log.warning("%s: %s", self.name, error or type(error).__name__)
                pause = 0.5
            except Exception:  # one that dies would look like a fault that nobody injected
                log.exception("%s: goes on after", self.name)
                pause = 1.0
            # Not wait_for(): Python 3.11's loses a cancellation that comes together with the wake-up.
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(max(0.02, self.idle if pause is None else pause)):
                    await self.wake.wait()
