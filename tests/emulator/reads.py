# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""get, list and watch: objects as bytes, pages, event streams."""

from __future__ import annotations

import asyncio
import base64
import binascii
import json
import random
import time
from collections.abc import Iterator, Mapping
from typing import Any

from aiohttp import web

from .errors import ApiError, bad_request
from .paths import is_true, number
from .registry import parse_rv, too_large
from .resources import Resource
from .selectors import Match, matcher
from .store import Entry, Event, Key, Store, dumps

Json = dict[str, Any]

# Seconds between bookmarks (a real server sends one a minute).
_BOOKMARK = 10.0


def render(resource: Resource, entry: Entry, *, typed: bool = True) -> bytes:
    """An object as this resource shows it; items of built-in lists come without kind and apiVersion (typed=False)."""
    body = dumps(resource.to_view(entry.obj)) if resource.to_view else entry.body
    if not typed:
        return body
    return b'{"kind":"%b","apiVersion":"%b",%b' % (resource.kind.encode(), resource.api_version.encode(), body[1:])


def _continue_token(rv: int, key: Key) -> str:
    return base64.urlsafe_b64encode(json.dumps([rv, *key]).encode()).decode()


def _parse_continue(token: str) -> tuple[int, Key]:
    try:
        rv, namespace, name = json.loads(base64.urlsafe_b64decode(token))
    except (ValueError, binascii.Error) as error:
        raise bad_request("continue key is not valid") from error
    return int(rv), (namespace, name)


def _page(
    store: Store, resource: Resource, namespace: str, query: Mapping[str, str]
) -> tuple[list[Entry], int, str, int | None]:
    """(entries, resourceVersion, continue token, remaining items if known)."""
    table = store.table(resource.key)
    match = matcher(resource, query.get("labelSelector", ""), query.get("fieldSelector", ""))
    limit = number(query, "limit")
    token = query.get("continue", "")
    rv, start = store.rv, None
    overlay: dict[Key, Entry | None] = {}
    keys: Iterator[Key]
    if token:
        rv, start = _parse_continue(token)
        known, overlay = table.at(rv)
        keys = (key for key in known if key >= start and (not namespace or key[0] == namespace))
    else:
        wanted = parse_rv(query.get("resourceVersion", ""))
        if wanted > store.rv:
            raise too_large(wanted, store.rv)
        if query.get("resourceVersionMatch") == "Exact" and wanted:
            rv = wanted
            known, overlay = table.at(rv)
            keys = (key for key in known if not namespace or key[0] == namespace)
        else:
            keys = table.span(namespace, None)
    found: list[Entry] = []
    for key in keys:
        entry = overlay.get(key) or table.items[key]
        if match and not match(entry.obj):
            continue
        if limit and len(found) == limit:
            remaining = None if match else 1 + sum(1 for _unused in keys)
            return found, rv, _continue_token(rv, key), remaining
        found.append(entry)
    return found, rv, "", None


def listing(store: Store, resource: Resource, namespace: str, query: Mapping[str, str]) -> bytes:
    """A List as JSON."""
    entries, rv, token, remaining = _page(store, resource, namespace, query)
    metadata: Json = {"resourceVersion": str(rv)}
    if token:
        metadata["continue"] = token
        if remaining is not None:
            metadata["remainingItemCount"] = remaining
    items = b",".join([render(resource, entry, typed=resource.custom) for entry in entries])
    head = dumps({"kind": f"{resource.kind}List", "apiVersion": resource.api_version, "metadata": metadata})
    return b'%b,"items":[%b]}' % (head[:-1], items)


def matching(store: Store, resource: Resource, namespace: str, query: Mapping[str, str]) -> list[Key]:
    """Keys of the objects that the query selects."""
    match = matcher(resource, query.get("labelSelector", ""), query.get("fieldSelector", ""))
    table = store.table(resource.key)
    return [key for key in table.span(namespace, None) if match is None or match(table.items[key].obj)]


class Watch:
    """One watcher: what it has to see of each change."""

    def __init__(self, store: Store, resource: Resource, namespace: str, query: Mapping[str, str]) -> None:
        self._store = store
        self._resource = resource
        self._namespace = namespace
        self._match: Match | None = matcher(resource, query.get("labelSelector", ""), query.get("fieldSelector", ""))
        self._bookmarks = is_true(query.get("allowWatchBookmarks", ""))
        seconds = number(query, "timeoutSeconds")
        self._deadline = time.monotonic() + (seconds or random.uniform(1800, 3600))
        self._queue: asyncio.Queue[bytes | None] = asyncio.Queue()
        # From here to the registration of the listener nothing awaits, so no change is missed.
        try:
            self._backlog(query)
        except ApiError as error:
            self._queue.put_nowait(b'{"type":"ERROR","object":%b}\n' % dumps(error.status()))
            self._queue.put_nowait(None)
        store.listen(self._changed)

    def _backlog(self, query: Mapping[str, str]) -> None:
        table = self._store.table(self._resource.key)
        rv = parse_rv(query.get("resourceVersion", ""))
        if rv:
            for event in table.since(rv):
                self._changed(self._resource.key, event)
            return
        for key in table.span(self._namespace, None):
            entry = table.items[key]
            if self._match is None or self._match(entry.obj):
                self._put("ADDED", entry)

    def _selected(self, entry: Entry | None) -> bool:
        return entry is not None and (self._match is None or self._match(entry.obj))

    def _put(self, kind: str, entry: Entry) -> None:
        self._queue.put_nowait(b'{"type":"%b","object":%b}\n' % (kind.encode(), render(self._resource, entry)))

    def _changed(self, table: str, event: Event) -> None:
        if table != self._resource.key or (self._namespace and event.key[0] != self._namespace):
            return
        before, after = self._selected(event.before), self._selected(event.after)
        if after:
            assert event.after is not None
            self._put("MODIFIED" if before else "ADDED", event.after)
        elif before:
            self._put("DELETED", event.last)

    def end(self) -> None:
        """Let the stream end now."""
        self._queue.put_nowait(None)

    def close(self) -> None:
        """Stop listening."""
        self._store.unlisten(self._changed)

    def _bookmark(self) -> bytes:
        metadata = {"resourceVersion": str(self._store.rv), "creationTimestamp": None}
        obj = {"kind": self._resource.kind, "apiVersion": self._resource.api_version, "metadata": metadata}
        return b'{"type":"BOOKMARK","object":%b}\n' % dumps(obj)

    async def stream(self, response: web.StreamResponse) -> None:
        """Write events until the deadline."""
        # As on a real server, a short watch gets its bookmark before it ends.
        bookmark = min(time.monotonic() + _BOOKMARK, max(time.monotonic(), self._deadline - 2))
        while (left := self._deadline - time.monotonic()) > 0:
            pause = min(left, max(0.0, bookmark - time.monotonic())) if self._bookmarks else left
            try:
                chunk = await asyncio.wait_for(self._queue.get(), pause)
            except TimeoutError:
                if self._bookmarks and time.monotonic() >= bookmark:
                    await response.write(self._bookmark())
                    bookmark = time.monotonic() + _BOOKMARK
                continue
            parts = []
            while chunk is not None:
                parts.append(chunk)
                if self._queue.empty():
                    break
                chunk = self._queue.get_nowait()
            if parts:
                await response.write(b"".join(parts))
            if chunk is None:
                return
