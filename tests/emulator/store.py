# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Objects in memory with one global resourceVersion and a history of events, as etcd and the watch cache give them.

A stored object is never changed in place: every write stores a new one. So bytes can be kept beside it, and events can
point at it.
"""

from __future__ import annotations

import json
from bisect import bisect_left
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any

from .errors import expired

Json = dict[str, Any]
Key = tuple[str, str]

# How many events a watcher can look back in one table.
HISTORY = 4096


def dumps(obj: Any) -> bytes:
    """Compact JSON."""
    return json.dumps(obj, separators=(",", ":"), ensure_ascii=False).encode()


class Entry:
    """One version of one object; `obj` has no apiVersion and kind, since several versions can show it."""

    __slots__ = ("_body", "obj", "rv")

    def __init__(self, obj: Json, rv: int) -> None:
        self.obj = obj
        self.rv = rv
        self._body: bytes | None = None

    @property
    def body(self) -> bytes:
        """The object as JSON, made once."""
        if self._body is None:
            self._body = dumps(self.obj)
        return self._body

    def copy(self) -> Json:
        """The object, free to be changed."""
        copied: Json = json.loads(self.body)
        return copied


class Event:
    """One change: what the object was before it and is after it; `last` is what a DELETED shows."""

    __slots__ = ("_last", "after", "before", "key", "rv")

    def __init__(self, rv: int, key: Key, before: Entry | None, after: Entry | None) -> None:
        self.rv = rv
        self.key = key
        self.before = before
        self.after = after
        self._last: Entry | None = None

    @property
    def last(self) -> Entry:
        """The version before this change with this change's resourceVersion, as watchers see what went away."""
        if self._last is None:
            before = self.before
            assert before is not None
            metadata = {**before.obj["metadata"], "resourceVersion": str(self.rv)}
            self._last = Entry({**before.obj, "metadata": metadata}, self.rv)
        return self._last


Listener = Callable[[str, Event], None]


class Table:
    """The objects of one resource, by (namespace, name)."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.items: dict[Key, Entry] = {}
        self.history: deque[Event] = deque()
        # Events up to this resourceVersion are forgotten.
        self.compacted = 0
        self._keys: list[Key] | None = []

    def keys(self) -> list[Key]:
        """All keys in etcd's order."""
        if self._keys is None:
            self._keys = sorted(self.items)
        return self._keys

    def span(self, namespace: str, start: Key | None) -> Iterator[Key]:
        """Keys of one namespace ("" = all), from `start` on."""
        keys = self.keys()
        first = max(start or ("", ""), (namespace, ""))
        for index in range(bisect_left(keys, first), len(keys)):
            if namespace and keys[index][0] != namespace:
                return
            yield keys[index]

    def apply(self, event: Event) -> None:
        """Take one change in."""
        if event.after is None:
            del self.items[event.key]
            self._keys = None
        else:
            if event.before is None:
                self._keys = None
            self.items[event.key] = event.after
        self.history.append(event)
        if len(self.history) > HISTORY:
            self.compacted = self.history.popleft().rv

    def forget(self, rv: int) -> None:
        """Compact: nothing before now can be watched or continued."""
        self.history.clear()
        self.compacted = rv

    def since(self, rv: int) -> list[Event]:
        """Events after rv; raises 410 when they are forgotten."""
        if rv < self.compacted:
            raise expired(f"too old resource version: {rv} ({self.compacted + 1})")
        events: list[Event] = []
        for event in reversed(self.history):
            if event.rv <= rv:
                break
            events.append(event)
        events.reverse()
        return events

    def at(self, rv: int) -> tuple[list[Key], dict[Key, Entry | None]]:
        """Keys that existed at rv, and the entries that have changed since then; raises 410 when forgotten."""
        if rv < self.compacted:
            raise expired(
                "The provided continue parameter is too old to display a consistent list result. You can start a new "
                "list without the continue parameter."
            )
        overlay: dict[Key, Entry | None] = {}
        for event in reversed(self.history):
            if event.rv <= rv:
                break
            overlay[event.key] = event.before
        if not overlay:
            return self.keys(), overlay
        return sorted({*self.items, *overlay} - {key for key, entry in overlay.items() if entry is None}), overlay


class Store:
    """All tables."""

    def __init__(self) -> None:
        self.rv = 1
        # No table knows anything older than this: a watch cache begins when its server starts.
        self._floor = 0
        self._tables: dict[str, Table] = {}
        self._listeners: list[Listener] = []
        # uid -> (table, key) of the object, and of the objects that name it as an owner.
        self.by_uid: dict[str, tuple[str, Key]] = {}
        self.dependents: dict[str, set[tuple[str, Key]]] = {}

    def table(self, name: str) -> Table:
        """The table of that name, made when it is not there yet."""
        if name not in self._tables:
            self._tables[name] = Table(name)
            self._tables[name].compacted = self._floor
        return self._tables[name]

    def listen(self, listener: Listener) -> None:
        """Call `listener(table, event)` after every change."""
        self._listeners.append(listener)

    def unlisten(self, listener: Listener) -> None:
        """Stop calling it."""
        self._listeners.remove(listener)

    def put(self, table: str, key: Key, obj: Json) -> Entry:
        """Store a new version of an object; sets its resourceVersion."""
        self.rv += 1
        obj["metadata"]["resourceVersion"] = str(self.rv)
        before = self.table(table).items.get(key)
        entry = Entry(obj, self.rv)
        self._index(table, key, before, entry)
        self._commit(table, Event(self.rv, key, before, entry))
        return entry

    def delete(self, table: str, key: Key) -> Entry:
        """Remove an object; its last version carries the resourceVersion of the removal."""
        self.rv += 1
        before = self.table(table).items[key]
        self._index(table, key, before, None)
        event = Event(self.rv, key, before, None)
        self._commit(table, event)
        return event.last

    def compact(self) -> None:
        """Forget all history, as etcd's compaction does."""
        self._floor = self.rv
        for table in self._tables.values():
            table.forget(self.rv)

    def drop(self, name: str) -> None:
        """Remove a table (its CustomResourceDefinition is gone)."""
        self._tables.pop(name, None)

    def _commit(self, table: str, event: Event) -> None:
        self.table(table).apply(event)
        for listener in list(self._listeners):
            listener(table, event)

    def _index(self, table: str, key: Key, before: Entry | None, after: Entry | None) -> None:
        if after is None and before is not None:
            self.by_uid.pop(before.obj["metadata"]["uid"], None)
        elif after is not None:
            self.by_uid[after.obj["metadata"]["uid"]] = (table, key)
        old = _owners(before)
        new = _owners(after)
        for uid in old - new:
            owned = self.dependents.get(uid)
            if owned is not None:
                owned.discard((table, key))
                if not owned:
                    del self.dependents[uid]
        for uid in new - old:
            self.dependents.setdefault(uid, set()).add((table, key))


def _owners(entry: Entry | None) -> set[str]:
    if entry is None:
        return set()
    return {owner.get("uid", "") for owner in entry.obj["metadata"].get("ownerReferences") or ()}
