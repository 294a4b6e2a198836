# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A small network as BGP tables: routers with iBGP or eBGP between them, and nodes that announce one VIP.

One prefix, no policies. A place is a router in one of its VRFs. The shortest AS path is chosen, then eBGP before iBGP,
then the lowest router id.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from ansible_collections.hitless.nodes.plugins.module_utils.frr import forwarding, route_rules
from hypothesis import strategies as st

VIP = "198.51.100.10/32"
NODE = "worker-0"
NODE_AS = 65432
Place = tuple[str, str]


@dataclass(frozen=True)
class Path:
    """One path in a table. sender: who sent it, a place or a node. passed: the places that it came through."""

    next_hop: str
    ases: tuple[int, ...]
    sender: Place | str
    by: str
    internal: bool
    passed: tuple[Place, ...] = ()
    stale: bool = False


@dataclass(frozen=True)
class Session:
    """A session from one end: its own address, and whom it meets where."""

    local: str
    remote: str
    peer: Place | str


@dataclass
class Router:
    name: str
    number: int
    asn: int
    next_hop_self: bool
    reflector: bool
    listed: bool = True

    @property
    def router_id(self) -> str:
        return f"10.255.0.{self.number}"


@dataclass
class Node:
    """A node. known: whether the cluster's objects name its second address. dead: its paths are only kept as stale."""

    name: str
    number: int
    asn: int
    announces: bool
    dead: bool
    known: bool

    def address(self, which: int) -> str:
        return f"192.0.{which + 2}.{self.number + 10}"

    @property
    def router_id(self) -> str:
        return self.address(0)


@dataclass
class Network:
    """Who is there, and the tables: place -> sender -> path; and the next hops that each place's kernel has."""

    routers: dict[str, Router]
    nodes: dict[str, Node]
    igp: bool
    sessions: dict[Place, list[Session]] = field(default_factory=dict)
    tables: dict[Place, dict[Place | str, Path]] = field(default_factory=dict)
    kernel: dict[Place, frozenset[str]] = field(default_factory=dict)
    owners: dict[str, Place | str] = field(default_factory=dict)

    # making it

    def link(self, one: Place, two: Place) -> None:
        number = len(self.owners)
        first, second = f"10.{number}.0.1", f"10.{number}.0.2"
        self.sessions[one].append(Session(first, second, two))
        self.sessions[two].append(Session(second, first, one))
        self.owners |= {first: one, second: two}

    def attach(self, node: Node, place: Place, which: int) -> None:
        local = f"172.16.{len(self.owners)}.1"
        self.sessions[place].append(Session(local, node.address(which), node.name))
        self.owners[local] = place
        if node.announces:
            internal = node.asn == self.asn(place)
            ases = () if internal else (node.asn,)
            address = node.address(which)
            self.tables[place][node.name] = Path(address, ases, node.name, address, internal, (), node.dead)

    def asn(self, at: Place | str) -> int:
        return self.nodes[at].asn if isinstance(at, str) else self.routers[at[0]].asn

    def router_id(self, at: Place | str) -> str:
        return self.nodes[at].router_id if isinstance(at, str) else self.routers[at[0]].router_id

    def node_of(self, address: str) -> Node | None:
        return next((node for node in self.nodes.values() if address in (node.address(0), node.address(1))), None)

    # BGP

    def valid(self, path: Path) -> bool:
        """Whether the next hop can be reached: it is the neighbour, or a routing protocol knows the way."""
        return path.next_hop == path.by or self.igp

    def best(self, place: Place) -> list[Path]:
        """The path that a place has chosen, and after it those that are used beside it."""
        usable = [path for path in self.tables[place].values() if self.valid(path)]
        usable.sort(key=lambda path: (len(path.ases), path.internal, self.router_id(path.sender), path.by))
        rank = [(len(path.ases), path.internal) for path in usable[:1]]
        return [path for path in usable if [(len(path.ases), path.internal)] == rank]

    def sent(self, place: Place, session: Session) -> Path | None:
        """What a place sends to another one."""
        peer = session.peer
        best = self.best(place)[:1]
        if isinstance(peer, str) or not best or best[0].sender == peer:
            return None
        path, router, internal = best[0], self.routers[place[0]], self.asn(place) == self.asn(peer)
        if peer in path.passed or (internal and path.internal and not router.reflector):
            return None
        passed = (*path.passed, place)
        if not internal:
            ases = (router.asn, *path.ases)
            found = Path(session.local, ases, place, session.local, internal=False, passed=passed)
            return None if self.asn(peer) in ases else found
        own_hop = router.next_hop_self and not path.internal
        hop = session.local if own_hop else path.next_hop
        return Path(hop, path.ases, place, session.local, internal=True, passed=passed)

    def say(self, place: Place, session: Session) -> bool:
        """Sends what a place has to say in one session; whether that was something new."""
        assert not isinstance(session.peer, str)
        table = self.tables[session.peer]
        old, new = table.get(place), self.sent(place, session)
        if new is None:
            table.pop(place, None)
        else:
            table[place] = new
        return old != new

    def install(self, place: Place) -> bool:
        """Writes what a place has chosen into its kernel."""
        old, self.kernel[place] = self.kernel[place], frozenset(path.next_hop for path in self.best(place))
        return old != self.kernel[place]

    def steps(self) -> list[tuple[Place, Session | None]]:
        """All that can happen next; None: the kernel is written."""
        found: list[tuple[Place, Session | None]] = []
        for place, sessions in self.sessions.items():
            found.append((place, None))
            found += [(place, session) for session in sessions if not isinstance(session.peer, str)]
        return found

    def happen(self, place: Place, session: Session | None) -> bool:
        return self.install(place) if session is None else self.say(place, session)

    def settle(self) -> bool:
        """Lets everything happen until nothing changes; whether it came to that."""
        steps = self.steps()
        return any(sum(self.happen(*step) for step in steps) == 0 for _round in range(30))

    def meanwhile(self, chance: random.Random) -> Iterator[None]:
        """Lets one thing happen after the other, in any order, until nothing changes."""
        steps = self.steps()
        for _round in range(60):
            chance.shuffle(steps)
            changed = False
            for step in steps:
                # A router that is slow says nothing for a while.
                if chance.random() < 0.6 and self.happen(*step):
                    changed = True
                    yield
            if not changed and self.settle():
                yield
                return

    def leave(self, name: str) -> None:
        """A node's sessions end, and its paths with them."""
        for place in self.sessions:
            self.sessions[place] = [each for each in self.sessions[place] if each.peer != name]
            self.tables[place].pop(name, None)

    # what is true

    def reaches(self, place: Place) -> set[str]:
        """The nodes at which packets may arrive; "" stands for those that get lost."""
        found: set[str] = set()
        left, seen = [place], {place}
        while left:
            here = left.pop()
            if not self.kernel[here]:
                found.add("")
            for hop in self.kernel[here]:
                node = self.node_of(hop)
                if node:
                    found.add(node.name)
                elif (next_place := self.owners[hop]) not in seen:
                    assert not isinstance(next_place, str)
                    seen.add(next_place)
                    left.append(next_place)
        return found

    def arrives(self, place: Place) -> str:
        """The node at which packets arrive that follow the chosen paths only; "" if they get lost."""
        seen = set()
        while place not in seen and self.best(place):
            seen.add(place)
            hop = self.best(place)[0].next_hop
            node = self.node_of(hop)
            if node:
                return "" if node.dead else node.name
            owner = self.owners[hop]
            assert not isinstance(owner, str)
            place = owner
        return ""

    # what frr_bgp_info and frr_bgp_wait would see

    def places(self) -> list[Place]:
        return [place for place in self.sessions if self.routers[place[0]].listed]

    def shown(self, place: Place) -> list[dict[str, Any]]:
        """The paths as frr/bgp_json.py reads them."""
        best = self.best(place)
        return [
            {
                "next_hops": [path.next_hop],
                "reachable": self.valid(path),
                "from": path.by,
                "internal": path.internal,
                "stale": path.stale,
                "valid": self.valid(path),
                "bestpath": path in best[:1],
                "multipath": path in best,
            }
            for path in self.tables[place].values()
        ]

    def view(self, place: Place, addresses: set[str]) -> dict[str, list[dict[str, Any]]]:
        """A look at a place (see frr/route_rules.py)."""
        vrf, paths = place[1], self.shown(place)
        fib = {"vrf": vrf, "family": "ipv4", "prefix": VIP, "matched": VIP, "next_hops": sorted(self.kernel[place])}
        used = [path["next_hops"][0] for path in paths if path["next_hops"][0] in addresses]
        return {
            "neighbors": [],
            "routes": route_rules.over_node(vrf, VIP, paths, addresses),
            "fib": forwarding.forwarded([fib], addresses),
            "counts": [{"vrf": vrf, "next_hop": hop, "paths": used.count(hop)} for hop in sorted(set(used))],
            "others": route_rules.over_others(vrf, VIP, paths, addresses),
            "staying": [],
            "differences": [],
        }

    def answer(self, router: str, addresses: set[str]) -> dict[str, Any]:
        """What frr_bgp_info returns of a router."""
        answer: dict[str, Any] = {"neighbors": [], "routes": [], "fib": [], "others": []}
        answer |= {"speakers": [], "own_addresses": []}
        for place in self.sessions:
            if place[0] == router:
                view = self.view(place, addresses)
                for key in ("routes", "fib", "others"):
                    answer[key] += view[key]
                self._add_sessions(answer, place)
        return answer

    def _add_sessions(self, answer: dict[str, Any], place: Place) -> None:
        for session in self.sessions[place]:
            up = not (isinstance(session.peer, str) and self.nodes[session.peer].dead)
            ends = {"vrf": place[1], "address": session.remote, "local_address": session.local, "established": up}
            remote_as = self.asn(session.peer)
            more = {"remote_as": remote_as, "internal": remote_as == self.asn(place)}
            router_id = self.router_id(session.peer) if up else None
            answer["speakers"].append({**ends, **more, "router_id": router_id})
            answer["own_addresses"].append({"address": session.local, "interface": "swp", "vrf": place[1]})
            if session.peer == NODE:
                answer["neighbors"].append({**ends, "next_hops": [session.remote], "hold_time": 90})

    def answers(self, addresses: set[str]) -> dict[str, dict[str, Any]]:
        """Router -> its answer, of those that are listed."""
        return {name: self.answer(name, addresses) for name, router in self.routers.items() if router.listed}


@st.composite
def networks(draw: st.DrawFn, *, all_listed: bool = False) -> Network:
    """Two to four routers, the node worker-0, and one to three others."""
    often, seldom = st.sampled_from((True, True, False)), st.sampled_from((False, False, False, True))
    routers = {}
    for number in range(draw(st.integers(2, 4))):
        name = f"tor-{number}"
        listed = all_listed or number == 0 or not draw(seldom)
        asn = draw(st.sampled_from((65001, 65002, 65003, 65004)))
        routers[name] = Router(name, number, asn, draw(st.booleans()), draw(seldom), listed)
    nodes = {}
    for number in range(draw(st.integers(2, 3))):
        name = f"worker-{number}"
        asn = 65001 if draw(seldom) else NODE_AS
        first = number == 0
        nodes[name] = Node(
            name, number, asn, first or draw(often), not first and draw(st.booleans()), draw(st.booleans())
        )
    made = Network(routers, nodes, igp=draw(often))
    for name in routers:
        for vrf in ("default", "blue") if draw(seldom) else ("default",):
            made.sessions[name, vrf], made.tables[name, vrf], made.kernel[name, vrf] = [], {}, frozenset()
    places = list(made.sessions)
    for number, one in enumerate(places):
        for two in places[number + 1 :]:
            if one[0] != two[0] and one[1] == two[1] and draw(often):
                made.link(one, two)
    for node in nodes.values():
        for place in places:
            listed = routers[place[0]].listed
            if (listed or node.name != NODE) and draw(st.booleans()):
                made.attach(node, place, draw(st.integers(0, 1)))
    return made


def without_stale(network: Network) -> Network:
    """The same network when the stale paths are gone."""
    made = replace(network, sessions=dict(network.sessions))
    for name, node in network.nodes.items():
        if node.dead:
            made.leave(name)
    return made
