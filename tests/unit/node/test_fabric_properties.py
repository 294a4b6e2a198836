# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""In any small network: "enough announcers" and "withdrawn" are only said where it is true.

The networks are BGP tables (fabric_sim.py). The verdicts are those of the product, from what each router would answer.
"""

from __future__ import annotations

import copy
import random
from collections.abc import Callable
from typing import Any

import pytest
from ansible_collections.hitless.nodes.plugins.module_utils.frr import route_rules
from ansible_collections.hitless.nodes.plugins.module_utils.node import announcers, identities
from ansible_collections.hitless.nodes.plugins.module_utils.record import questions
from ansible_collections.hitless.nodes.plugins.module_utils.record.baseline import baseline
from ansible_collections.hitless.nodes.tests.unit.node.fabric_sim import (
    NODE,
    VIP,
    Network,
    Place,
    networks,
    without_stale,
)
from hypothesis import assume, find, given, settings
from hypothesis import strategies as st

SERVICES = {VIP: ["shop/web"]}


def known(network: Network) -> identities.Identities:
    """What the cluster says of its nodes. The second address of some is known by their sessions only."""
    nodes, configs = {}, {}
    for name, node in network.nodes.items():
        nodes[name] = {"status": {"addresses": [{"type": "InternalIP", "address": node.address(0)}]}}
        peer = {"name": "tor", "localAddress": node.address(1)}
        configs[name] = {"spec": {"bgpInstances": [{"name": "main", "peers": [peer] if node.known else []}]}}
    return identities.identities(nodes, nodes, {}, configs, {})


def record(network: Network) -> dict[str, Any]:
    """The record of the claim, from what the routers answered then."""
    node = network.nodes[NODE]
    own = {session.remote for sessions in network.sessions.values() for session in sessions if session.peer == NODE}
    found = baseline(NODE, network.answers({node.address(0), *own}))
    kept = {"routes": found.routes, "sessions": found.sessions, "next_hops": found.next_hops}
    return {"before": {"addresses": [node.address(0)], **kept}}


def addresses(of: dict[str, Any], router: str) -> set[str]:
    return set(questions.addresses_on(of, router))


Count = Callable[[Network, dict[str, Any]], announcers.Counts]


def by_identity(network: Network, of: dict[str, Any]) -> announcers.Counts:
    """As the product counts."""
    answers = {name: network.answer(name, addresses(of, name)) for name, each in network.routers.items() if each.listed}
    who = identities.who(known(network), NODE, of, {})
    return announcers.by_router(answers, of["before"]["routes"], SERVICES, who)


def by_next_hop(network: Network, of: dict[str, Any]) -> announcers.Counts:
    """As it would be wrong: each other next hop is an announcer, but a router that puts itself there by iBGP."""
    counts: announcers.Counts = {}
    for router, vrfs in of["before"]["routes"].items():
        answer = network.answer(router, addresses(of, router))
        hops: dict[str, set[str]] = {vrf: set() for vrf, tables in vrfs.items() if tables["bgp"]}
        for entry in answer["others"]:
            paths = [each for each in entry["paths"] if not (each["internal"] and each["from"] in each["next_hops"])]
            hops.setdefault(entry["vrf"], set()).update(each["next_hops"][0] for each in paths)
        found = [hops[vrf] for vrf, tables in vrfs.items() if tables["bgp"]]
        if found:
            counts[router] = {VIP: announcers.Behind(frozenset(min(found, key=len)))}
    return counts


def loses(network: Network, count: Count) -> list[Place]:
    """The places that lose the VIP when the node leaves, although its others were said to be enough. [] is right."""
    of = record(network)
    counts = count(network, of)
    if announcers.problems(SERVICES, counts, 1, {}):
        return []
    # With a router that nobody asked, what others have from it isn't seen.
    seen = all(router.listed for router in network.routers.values())
    had = [place for place in network.places() if network.arrives(place) and (seen or place[0] in counts)]
    after = without_stale(network)
    after.leave(NODE)
    if not after.settle():
        return []
    return [place for place in had if not after.arrives(place)]


def settled(network: Network) -> bool:
    """Whether it comes to rest with a node that some router has a route of."""
    return network.settle() and any(NODE in table for table in network.tables.values())


@settings(max_examples=300)
@given(networks())
def test_enough_announcers_are_never_said_to_be_there_where_the_vip_would_be_lost(network: Network) -> None:
    assume(settled(network))
    assert loses(network, by_identity) == []


@pytest.mark.parametrize("routers", [2, 3])
def test_such_networks_tell_a_wrong_count(routers: int) -> None:
    """With the right count nothing is found (above), with the wrong one there is for instance the other router."""

    def wrong(network: Network) -> bool:
        return len(network.routers) == routers and settled(network) and bool(loses(copy.deepcopy(network), by_next_hop))

    network = find(networks(all_listed=True), wrong, settings=settings(max_examples=3000, deadline=None))
    assert loses(network, by_identity) == []


@settings(max_examples=100)
@given(networks(all_listed=True), st.integers(0, 2**32))
def test_withdrawn_is_never_said_while_a_router_sends_to_the_node(network: Network, seed: int) -> None:
    assume(settled(network))
    of = record(network)
    network.leave(NODE)
    for _step in network.meanwhile(random.Random(seed)):
        left = []
        for place in network.places():
            left += route_rules.not_withdrawn(network.view(place, addresses(of, place[0])))
        sending = [place for place in network.places() if NODE in network.reaches(place)]
        assert left or not sending
    assert not left


def test_withdrawn_needs_the_addresses_of_every_router() -> None:
    """With those of the Node alone it would be said too early."""

    def early(network: Network) -> bool:
        if not settled(network):
            return False
        here = copy.deepcopy(network)
        here.leave(NODE)
        own = {here.nodes[NODE].address(0)}
        left = [each for place in here.places() for each in route_rules.not_withdrawn(here.view(place, own))]
        return not left and any(NODE in here.reaches(place) for place in here.places())

    assert find(networks(all_listed=True), early, settings=settings(max_examples=3000, deadline=None))
