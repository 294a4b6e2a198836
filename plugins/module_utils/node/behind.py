# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to hitless.nodes: it may change in any release, don't import it from elsewhere.

"""Which nodes are behind the paths of routers that aren't over the node itself. Pure functions.

A path can lead to a node, to another router, and from there back to where it came from. So the nodes are those that
routers have from the nodes' own sessions, and what routers surely hand on to each other when the node is gone.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from .fabric import Fabric, Place, Way, Ways
from .identities import NOBODY, Names


@dataclass(frozen=True)
class Behind:
    """What a place can still send a prefix to: the Nodes, and in words the paths that count for nobody."""

    names: Names = NOBODY
    uncounted: tuple[str, ...] = ()


@dataclass
class Handed:
    """What a place without a node of its own surely has from others. ases: those that its path may go through."""

    names: Names
    ases: set[int | None]


class Walk:
    """Who can be reached from each place when the node is gone.

    A router chooses one path and hands on only that one. It prefers the shortest, so a node's own path comes first. It
    hands on what it has by iBGP to nobody by iBGP. A router refuses a path in which its own AS is. What these rules
    leave open counts as not handed on.
    """

    def __init__(self, ways: Ways) -> None:
        self.ways = ways
        self.direct = {place: _direct(found) for place, found in ways.items()}
        self.node_ases = {way.remote_as for found in ways.values() for way in found if way.direct}
        self.copied = self._copied()
        self.handed: dict[Place, Handed] = {}
        self._spread()

    def names(self, place: Place) -> Names:
        """The Nodes that a place can send to."""
        through = [self.handed_on(way) for way in self.ways.get(place, []) if way.through]
        return self.direct.get(place, NOBODY).union(self.copied.get(place, NOBODY), *through)

    def _copied(self) -> dict[Place, Names]:
        """Place -> the Nodes whose path it has from another router, which has it from the node, or again from another.

        A copy of a path that has become stale looks fresh.
        """
        copies = [
            (place, way.sender, frozenset({way.node}))
            for place, found in self.ways.items()
            for way in found
            if way.copy and way.sender and way.node
        ]
        found: dict[Place, Names] = {}
        grown = True
        while grown:
            grown = False
            for place, sender, node in copies:
                has = self.direct.get(sender, NOBODY) | found.get(sender, NOBODY)
                known = found.get(place, NOBODY)
                if has & node - known:
                    found[place] = known | node
                    grown = True
        return found

    def handed_on(self, way: Way) -> Names:
        """The Nodes for which the router at the other end surely hands on a path."""
        if way.sender is None:
            return NOBODY
        own = self.direct.get(way.sender, NOBODY)
        if own and way.internal:
            internal = any(each.direct and each.internal for each in self.ways[way.sender])
            return NOBODY if internal else own
        if way.internal or way.own_as in self.node_ases:
            return NOBODY
        if own:
            return own
        handed = self.handed.get(way.sender)
        return handed.names if handed and way.own_as is not None and way.own_as not in handed.ases else NOBODY

    def _spread(self) -> None:
        """Fills handed, with the shortest paths first: one more AS in each round."""
        plain = {place for place, found in self.ways.items() if all(way.through and not way.internal for way in found)}
        near = {place for place, own in self.direct.items() if own}
        while plain and near:
            reached: set[Place] = set()
            for place in sorted(plain):
                ways = [way for way in self.ways[place] if way.sender in near]
                if ways:
                    reached.add(place)
                    self._reach(place, ways, plain)
            # Of those that aren't sure, a path may still come, so they aren't plain.
            plain -= reached
            near = reached.intersection(self.handed)

    def _reach(self, place: Place, shortest: list[Way], plain: set[Place]) -> None:
        """Notes what a place surely has by its shortest paths. plain: places whose own paths are longer than these."""
        unclear = [way for way in self.ways[place] if way not in shortest and way.sender not in plain]
        beyond = [self.handed[way.sender] for way in shortest if way.sender in self.handed]
        if beyond and unclear:
            return
        # By iBGP the router at the other end may have a path as short as a node's own.
        ases = {way.remote_as for way in (*shortest, *unclear)}.union(*(handed.ases for handed in beyond))
        names = NOBODY.union(*(self.handed_on(way) for way in shortest))
        if names:
            self.handed[place] = Handed(names, ases)


def _direct(ways: list[Way]) -> Names:
    """The Nodes that have themselves sent one of these."""
    return frozenset(way.node for way in ways if way.direct and way.node)


def behind(fabric: Fabric, prefix: str) -> dict[Place, Behind]:
    """Place -> what it can send a prefix to, when the node and those that don't count are gone."""
    ways = fabric.ways(prefix)
    walk = Walk(ways)
    return {place: Behind(walk.names(place), _uncounted(found, walk)) for place, found in ways.items()}


def _uncounted(ways: list[Way], walk: Walk) -> tuple[str, ...]:
    """Each kind of path that counts for nobody, in words, with the number of such paths."""
    kinds = Counter(_reason(way, walk) for way in ways)
    return tuple(
        f"{number} path{'s' if number > 1 else ''} {reason}" for reason, number in sorted(kinds.items()) if reason
    )


def _reason(way: Way, walk: Walk) -> str:
    """Why a path counts for nobody, in words; "" if it counts."""
    if way.unknown or way.sender is None:
        return way.unknown
    router = way.sender[0]
    if way.copy and way.node not in walk.names(way.sender):
        return f"over {way.node} by router {router}, which doesn't have it from that node"
    if way.through and not walk.handed_on(way):
        return f"over router {router}, behind which no other node is known"
    return ""


def beyond_node(ways: Ways, has: Iterable[Place]) -> set[Place]:
    """The places whose traffic may reach the node: those that have its route, and those that reach it through them."""
    found = set(has)
    grown = True
    while grown:
        more = {place for place, each in ways.items() if any(way.sender in found for way in each)} - found
        found |= more
        grown = bool(more)
    return found
