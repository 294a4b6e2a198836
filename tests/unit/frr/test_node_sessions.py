# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whose is a session? By the node's side as the router sees it, however the node came to it."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.hitless.nodes.plugins.module_utils.frr.answers import UnknownError
from ansible_collections.hitless.nodes.plugins.module_utils.frr.node_sessions import Identity, answered, of_node

PEER = {"name": "tor-2", "instance": "main", "address": "10.2.0.1", "asn": 65000, "local_asn": 65432}
OWN = [{"address": "10.2.0.1", "vrf": "default"}, {"address": "10.9.0.1", "vrf": "blue"}]


def session(address: str | None, local: str | None = "10.2.0.1", **changes: Any) -> dict[str, Any]:
    """A session as speakers() gives it: by default one over a second link, with the identifier of the first."""
    return {
        "vrf": "default",
        "name": address or "eth1",
        "address": address,
        "local_address": local,
        "router_id": "10.1.0.13",
        "remote_as": 65432,
        "internal": False,
        "established": True,
    } | changes


def node(*peers: dict[str, Any], ids: tuple[str, ...] = ("10.1.0.13",), addresses: tuple[str, ...] = ()) -> Identity:
    return Identity(frozenset(addresses or ("10.1.0.13",)), frozenset(ids), peers)


def names(sessions: list[dict[str, Any]], who: Identity, same: tuple[str, ...] = ()) -> list[str]:
    return [each["name"] for each in of_node(sessions, who, set(same))]


OTHERS = [session("10.2.0.12", router_id="10.1.0.12"), session("10.2.0.2", router_id="10.0.0.2", remote_as=65000)]


def test_a_session_over_a_second_link_is_told_by_the_identifier() -> None:
    assert names([*OTHERS, session("10.2.0.13")], node(PEER)) == ["10.2.0.13"]


@pytest.mark.parametrize(
    "changes",
    [
        {"router_id": "10.1.0.14"},
        {"router_id": None},
        {"remote_as": 65433},
        {"local": "10.2.0.2"},
        {"local": None},
    ],
)
def test_a_session_that_differs_from_what_the_peer_says_is_not_the_nodes(changes: dict[str, Any]) -> None:
    assert names([session("10.2.0.13", **changes)], node(PEER)) == []


def test_without_peers_an_identifier_alone_says_nothing_of_a_numbered_session() -> None:
    assert names([session("10.2.0.13")], node()) == []


def test_the_local_address_of_a_peer_is_the_nodes() -> None:
    found = session("10.2.0.13", router_id="198.18.0.1")
    assert names([found], node({**PEER, "local_address": "10.2.0.13"})) == ["10.2.0.13"]


def test_an_identifier_is_learned_from_a_session_with_a_known_address() -> None:
    """As it is made of a hardware address where nodes have no IPv4."""
    first = session("2001:db8::13", "2001:db8::1", router_id="87.65.43.21")
    second = session("2001:db8:2::13", "2001:db8:2::1", router_id="87.65.43.21")
    peers = [{**PEER, "address": "2001:db8::1"}, {**PEER, "address": "2001:db8:2:0::1"}]
    who = node(*peers, ids=(), addresses=("2001:db8::13",))
    assert names([first, second, *OTHERS], who) == ["2001:db8::13", "2001:db8:2::13"]


def test_two_sessions_with_one_identifier_are_unknown() -> None:
    with pytest.raises(UnknownError, match=r"10\.2\.0\.13 and 10\.2\.0\.14 \(VRF default\).*routerID"):
        names([session("10.2.0.13"), session("10.2.0.14")], node(PEER))
    with pytest.raises(UnknownError, match="which session is the node's is unknown"):
        names([session("10.1.0.13"), session("10.2.0.14")], node(PEER))


def test_two_sessions_over_two_addresses_of_the_router_are_the_nodes() -> None:
    peers = [PEER, {**PEER, "name": "tor-2b", "address": "10.3.0.1"}]
    both = [session("10.2.0.13"), session("10.3.0.13", "10.3.0.1")]
    assert names(both, node(*peers)) == ["10.2.0.13", "10.3.0.13"]


def test_a_session_that_is_down_is_no_second_one() -> None:
    down = session("10.2.0.99", None, established=False, router_id=None)
    assert names([down, session("10.2.0.13")], node(PEER)) == ["10.2.0.13"]


@pytest.mark.parametrize("peer", [{**PEER, "address": None}, {**PEER, "address": "fe80::1%eth0"}, PEER])
def test_an_unnumbered_session_is_told_by_identifier_or_hardware(peer: dict[str, Any]) -> None:
    found = session("fe80::13", "fe80::1", name="swp1", router_id="203.0.113.99")
    other = session("fe80::12", "fe80::1", name="swp2", router_id="203.0.113.98")
    assert names([found, other], node(peer, ids=("203.0.113.99",))) == ["swp1"]
    assert names([found, other], node(peer), ("fe80::13",)) == ["swp1"]
    assert names([found, other], node(peer)) == []


def test_more_unnumbered_sessions_than_peers_are_unknown() -> None:
    both = [session("fe80::13", "fe80::1", name="swp1"), session("fe80::12", "fe80::1", name="swp2")]
    with pytest.raises(UnknownError, match="swp1 and swp2"):
        names(both, node({**PEER, "address": None}))
    two = [{**PEER, "address": None}, {**PEER, "name": "b", "address": "fe80::1"}]
    assert names(both, node(*two)) == names(both, node()) == ["swp1", "swp2"]


def pairs(sessions: list[dict[str, Any]], *peers: dict[str, Any]) -> list[tuple[str, str]]:
    return [(each["name"], peer["name"]) for each, peer in answered(sessions, peers, OWN)]


def test_a_peer_is_answered_by_the_session_over_its_address() -> None:
    wrong_as = {**PEER, "name": "c", "local_asn": 65433}
    assert pairs([session("10.2.0.13")], wrong_as, {**PEER, "name": "b", "address": "10.3.0.1"}, PEER) == [
        ("10.2.0.13", "tor-2")
    ]


def test_of_two_sessions_over_one_address_the_local_address_decides() -> None:
    both = [session("10.1.0.13"), session("10.2.0.13")]
    assert pairs(both, {**PEER, "local_address": "10.2.0.13"}) == [("10.2.0.13", "tor-2")]


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (session("10.2.0.13", None, established=False), [("10.2.0.13", "tor-2")]),
        (session("10.2.0.13", None, established=False, remote_as=None), [("10.2.0.13", "tor-2")]),
        (session("2001:db8::13", None, established=False), []),
        (session("10.2.0.13", None, established=False, vrf="blue"), []),
        (session("10.2.0.13", "10.9.0.1"), []),
    ],
)
def test_a_session_that_is_down_answers_a_peer_whose_address_is_the_routers(
    found: dict[str, Any], expected: list[tuple[str, str]]
) -> None:
    assert pairs([found], PEER) == expected


def test_a_peer_without_an_address_is_answered_by_the_only_session_that_is_left() -> None:
    nameless = {**PEER, "name": "gateway", "address": None}
    assert pairs([session("10.2.0.13"), session("fe80::13", "fe80::1")], nameless, PEER) == [
        ("10.2.0.13", "tor-2"),
        ("fe80::13", "gateway"),
    ]
    assert pairs([session("10.9.0.13"), session("fe80::13")], nameless) == []
    assert pairs([session("fe80::13", remote_as=1)], nameless) == []
