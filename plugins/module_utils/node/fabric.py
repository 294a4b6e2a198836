# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to hitless.nodes: it may change in any release, don't import it from elsewhere.

"""Whom the paths of routers belong to that aren't over the node: other nodes, or routers that were asked, too.

Pure functions over what frr_bgp_info returns of each router.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ..base.words import some
from .identities import NOBODY, Names, Who

# A router and one of its VRFs.
Place = tuple[str, str]


@dataclass(frozen=True)
class Way:
    """One usable path of a place, not over the node.

    node: the Node that its next hop belongs to, None for a router's. sender: the place of a router that was asked, from
    which it came, None for others. unknown: why it counts for nobody, "" if it may count. own_as, remote_as: of the
    session, the first as the sender sees it.
    """

    node: str | None
    sender: Place | None
    internal: bool
    unknown: str = ""
    own_as: int | None = None
    remote_as: int | None = None

    @property
    def direct(self) -> bool:
        """Whether a node itself has sent it."""
        return not self.unknown and self.sender is None

    @property
    def copy(self) -> bool:
        """Whether a router hands on a node's path, with the node as next hop."""
        return not self.unknown and self.sender is not None and self.node is not None

    @property
    def through(self) -> bool:
        """Whether it leads to the router that has sent it."""
        return not self.unknown and self.sender is not None and self.node is None


Ways = dict[Place, list[Way]]


class Fabric:
    """The routers that were asked: their sessions with each other, and whom their paths belong to."""

    def __init__(self, answers: dict[str, Any], who: Who) -> None:
        self.who = who
        self.places_of: dict[str, set[Place]] = {}
        self.mirrored: dict[tuple[str, str], list[tuple[Place, int | None]]] = {}
        self.sessions: dict[str, list[dict[str, Any]]] = {}
        self.others: dict[str, list[tuple[Place, list[dict[str, Any]]]]] = {}
        for router, answer in answers.items():
            self._add(router, answer)

    def _add(self, router: str, answer: dict[str, Any]) -> None:
        for own in answer.get("own_addresses") or []:
            self.places_of.setdefault(own["address"], set()).add((router, own.get("vrf") or "default"))
        self.sessions[router] = [each for each in answer.get("speakers") or [] if each["established"]]
        for session in self.sessions[router]:
            ends = (session["local_address"], session["address"])
            self.mirrored.setdefault(ends, []).append(((router, session["vrf"]), session["remote_as"]))
        for entry in answer.get("others") or []:
            place = (router, entry.get("vrf") or "default")
            self.others.setdefault(entry["prefix"], []).append((place, entry.get("paths") or []))

    def ways(self, prefix: str) -> Ways:
        """Place -> its ways to a prefix, without those over nodes that don't count."""
        found: Ways = {}
        for place, paths in self.others.get(prefix, []):
            for path in paths:
                way = self._way(place, path)
                if way is not None:
                    found.setdefault(place, []).append(way)
        return found

    def _way(self, place: Place, path: dict[str, Any]) -> Way | None:
        """What a path is; None for one over a node that doesn't count."""
        by, hops = path["from"] or "", path["next_hops"]
        if any(self.who.out & self._owners(place, address) for address in (*hops, by)):
            return None
        session = self._session(place, by)
        sender, own_as = self._other_end(place, by, session)
        node, unknown = None, ""
        if sender is None or not self._leads_to(sender, by, hops[0]):
            node, unknown = self._owner(place, by, hops[0], sender)
        remote_as = session["remote_as"] if session else None
        return Way(node, sender, bool(path["internal"]), unknown, own_as, remote_as)

    def _leads_to(self, sender: Place, by: str, hop: str) -> bool:
        """Whether a next hop is the router that has sent the path. Of a pair, the first one is the global address."""
        return hop == by or sender in self.places_of.get(hop, ())

    def _owner(self, place: Place, by: str, hop: str, sender: Place | None) -> tuple[str | None, str]:
        """(the Node that a path is of, ""), or (None, why it counts for nobody)."""
        routers = sorted({name for name, _vrf in self.places_of.get(hop, ())} - {place[0]})
        if routers:
            return None, f"over {hop}, an address of router {' and '.join(routers)}"
        owners, senders = self._owners(place, hop), self._owners(place, by)
        if sender is None and not owners:
            owners = senders
        if not owners:
            unread = f" ({some(self.who.known.unread)})" if self.who.known.unread else ""
            return None, f"over {hop}, which is no Node's address{unread}"
        if len(owners) > 1:
            return None, f"over {hop}, an address of {' and '.join(sorted(owners))}"
        (node,) = owners
        if sender is None and owners != senders:
            return None, f"over {hop} of {node}, but from {by}, which is neither that node nor a router that was asked"
        return node, ""

    def _session(self, place: Place, address: str) -> dict[str, Any] | None:
        """The session from which a path came. An imported path names one of another VRF."""
        router, vrf = place
        found = [each for each in self.sessions.get(router, []) if each["address"] == address]
        return next((each for each in found if each["vrf"] == vrf), found[0] if found else None)

    def _other_end(self, place: Place, address: str, session: dict[str, Any] | None) -> tuple[Place | None, int | None]:
        """(the place that sent a path, if it is one of a router that was asked; the AS number that it sees here)."""
        if session and session["local_address"]:
            ends = (session["address"], session["local_address"])
            found = [each for each in self.mirrored.get(ends, []) if each[0] != place]
            return found[0] if len(found) == 1 else (None, None)
        places = sorted(self.places_of.get(address, set()) - {place})
        return (places[0], None) if len(places) == 1 else (None, None)

    def _owners(self, place: Place, address: str) -> Names:
        """The Nodes that have an address. A session with a Node's BGP identifier is that Node's, from any address."""
        owners = self.who.owners(place[0], address)
        if owners:
            return owners
        session = self._session(place, address)
        return self.who.known.router_ids.get(session["router_id"], NOBODY) if session else NOBODY
