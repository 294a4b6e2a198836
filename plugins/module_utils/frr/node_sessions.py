# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to hitless.nodes: it may change in any release, don't import it from elsewhere.

"""Which of a router's sessions are with one node, and which of the node's peers each of them answers.

The node's side of a session needn't be one of the Node's addresses. It can be on a second link, made by SLAAC, changed
by NAT, or link-local. Then the node is told by its BGP identifier, or by its hardware address. Pure functions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from ..base.net import address, family, is_address, same_address, spelled
from .answers import UnknownError
from .link_local import is_link_local
from .route_rules import View

# Sessions are as speakers.speakers() has them, peers are {name, instance, address, asn, local_address, local_asn}.


@dataclass(frozen=True)
class Identity:
    """Who the node is: its addresses, its BGP identifiers, and the peers that Cilium names for it."""

    addresses: frozenset[str]
    router_ids: frozenset[str] = field(default_factory=frozenset)
    peers: tuple[dict[str, Any], ...] = ()

    @property
    def known(self) -> set[str]:
        """All addresses that are the node's before any router is asked."""
        own = [peer.get("local_address") for peer in self.peers]
        return {*self.addresses, *(address(each) for each in own if each and is_address(each))}


def of_node(sessions: list[dict[str, Any]], who: Identity, same_hardware: set[str]) -> list[dict[str, Any]]:
    """The sessions with the node; UnknownError where two nodes could be meant.

    same_hardware: link-local addresses on the router's links that have the node's hardware address.
    """
    own = who.known | same_hardware
    found = [each for each in sessions if each["address"] in own]
    # However identifiers are made, the node has the same one in all sessions of an instance.
    ids = {*who.router_ids, *who.known, *(each["router_id"] for each in found if _is_instance(each, who))} - {None}
    by_id = [each for each in sessions if each not in found and each["router_id"] in ids]
    unnumbered = [each for each in by_id if _is_link_local(each)]
    numbered = [each for each in by_id if not _is_link_local(each) and _peers_over(each, who)]
    _ensure_one_node(found, numbered)
    _ensure_enough_peers(unnumbered, who)
    return [each for each in sessions if each in found or each in unnumbered or each in numbered]


def _is_instance(session: dict[str, Any], who: Identity) -> bool:
    """Whether a session is of Cilium's: another daemon on the node can have an identifier that others have, too."""
    return not who.peers or bool(_peers_over(session, who))


def _is_link_local(session: dict[str, Any]) -> bool:
    return is_link_local(session["address"] or "")


def _same_as(peer: dict[str, Any], session: dict[str, Any]) -> bool:
    """Whether the AS numbers allow it; an unknown one says nothing."""
    asn = peer.get("local_asn")
    return not asn or session["remote_as"] in (None, asn)


def _peers_over(session: dict[str, Any], who: Identity) -> list[dict[str, Any]]:
    """The node's peers that the router's side of a session is. One whose address isn't known yet may be any."""
    return [
        peer
        for peer in who.peers
        if _same_as(peer, session)
        and (not peer.get("address") or same_address(_plain(peer["address"]), session["local_address"]))
    ]


def _plain(text: str) -> str:
    """An address without the zone of a link-local one."""
    return text.split("%", 1)[0]


def _ensure_one_node(known: list[dict[str, Any]], by_id: list[dict[str, Any]]) -> None:
    """UnknownError if several sessions over one address of the router have one identifier: whose is it?"""
    for each in by_id:
        same = [
            other
            for other in [*known, *by_id]
            if other["established"] and all(other[key] == each[key] for key in ("vrf", "local_address", "router_id"))
        ]
        if len(same) > 1:
            _refuse(each, same)


def _ensure_enough_peers(by_id: list[dict[str, Any]], who: Identity) -> None:
    """UnknownError if more unnumbered sessions have the node's identifier than the node has peers for them."""
    wanted = [peer for peer in who.peers if is_link_local(_plain(peer.get("address") or "fe80::"))]
    for each in by_id:
        same = [other for other in by_id if all(other[key] == each[key] for key in ("vrf", "router_id"))]
        if who.peers and len(same) > max(1, len(wanted)):
            _refuse(each, same)


def _refuse(session: dict[str, Any], same: Iterable[dict[str, Any]]) -> None:
    names = " and ".join(sorted(each["name"] for each in same))
    raise UnknownError(
        f"which session is the node's is unknown: {names} (VRF {session['vrf']}) all have the BGP identifier"
        f" {session['router_id']}; give each node its own (routerID in its CiliumBGPNodeConfigOverride)"
    )


def answered(
    sessions: list[dict[str, Any]], peers: Iterable[dict[str, Any]], own_addresses: list[dict[str, Any]]
) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """(session, peer) of the node's peers that a router's sessions with the node answer, each at most once.

    First those that the router's side of a session tells. A session that is down may have lost it: then any of the
    router's own addresses may have been it. Last a peer without an address, if only one session is left for it.
    """
    own = {(each["vrf"], each["address"]) for each in own_addresses}
    named = [{**peer, "address": spelled(_plain(peer["address"]))} for peer in peers if peer.get("address")]
    nameless = [peer for peer in peers if not peer.get("address")]
    found = _paired(sessions, named, lambda session, peer: session["local_address"] == peer["address"])
    left = [peer for peer in named if all(peer is not taken for _session, taken in found)]
    found += _paired(_free(sessions, found), left, lambda session, peer: _may_have_been(session, peer, own))
    free = _free(sessions, found)
    if len(nameless) == len(free) == 1 and _same_as(nameless[0], free[0]):
        found.append((free[0], nameless[0]))
    return found


def _paired(
    sessions: list[dict[str, Any]], peers: list[dict[str, Any]], fits: Callable[[dict[str, Any], dict[str, Any]], bool]
) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """Each peer with the first session that fits and no other peer has; the one that its local address names first."""
    found: list[tuple[dict[str, Any], dict[str, Any]]] = []
    for peer in peers:
        fitting = [each for each in _free(sessions, found) if _same_as(peer, each) and fits(each, peer)]
        fitting.sort(key=lambda each: not same_address(peer.get("local_address"), each["address"]))
        if fitting:
            found.append((fitting[0], peer))
    return found


def _free(sessions: list[dict[str, Any]], taken: list[tuple[dict[str, Any], dict[str, Any]]]) -> list[dict[str, Any]]:
    return [each for each in sessions if all(each is not session for session, _peer in taken)]


def _may_have_been(session: dict[str, Any], peer: dict[str, Any], own: set[tuple[str, str]]) -> bool:
    """Whether a session that doesn't show the router's side may have been over the peer's address."""
    alike = family(session["address"] or peer["address"]) == family(peer["address"])
    return session["local_address"] is None and alike and (session["vrf"], peer["address"]) in own


def of_sessions(
    view: View,
    sessions: list[dict[str, Any]],
    peers: Iterable[dict[str, Any]],
    own_addresses: list[dict[str, Any]],
) -> list[dict[str, Any]]:
    """For each neighbour of a view: the router's side, the peer that it answers, the next hops that it sends."""
    answers = answered(sessions, peers, own_addresses)
    found = []
    for neighbor in view["neighbors"]:
        key = (neighbor["vrf"], neighbor["address"])
        session = next((each for each in sessions if (each["vrf"], each["address"]) == key), {})
        hops = {hop for each in view["carried"] if (each["vrf"], each["from"]) == key for hop in each["next_hops"]}
        found.append(
            {
                "local_address": session.get("local_address"),
                "peer": next((peer.get("name") for each, peer in answers if each is session), None),
                "next_hops": sorted(hops),
            }
        )
    return found
