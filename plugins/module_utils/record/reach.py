# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to hitless.nodes: it may change in any release, don't import it from elsewhere.

"""Whether the listed routers are all that the node speaks to. Pure functions over the results of frr_bgp_info.

A router that nobody asks can go on sending to a node that is off. So each peer that Cilium names must be found on a
listed router, and each listed router must have a session with the node, unless the user says otherwise.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from ..base.net import same_address
from ..frr.node_sessions import answered
from .baseline import is_answer

Answers = dict[str, dict[str, Any]]


@dataclass
class Reach:
    """Why the routers aren't known to be all; and which peers and routers of that kind the user has waived."""

    problems: list[str] = field(default_factory=list)
    waived: dict[str, list[str]] = field(default_factory=lambda: {"peers": [], "routers": []})


def reach(
    name: str,
    peers: list[dict[str, Any]],
    answers: dict[str, Any] | None,
    unseen_peers: Iterable[str] = (),
    transit_routers: Iterable[str] = (),
) -> Reach:
    """What is missing on the routers that answered. Those that didn't are a problem of their own, see baseline().

    unseen_peers: names or addresses of peers that no listed router has. transit_routers: without sessions with nodes.
    """
    good = {router: answer for router, answer in sorted((answers or {}).items()) if is_answer(answer)}
    found = Reach()
    if not good:
        return found
    for peer in _unseen(peers, good):
        if any(_is_meant(peer, each) for each in unseen_peers):
            found.waived["peers"].append(_called(peer))
        else:
            found.problems.append(_unseen_problem(name, peer, good))
    transit = set(transit_routers)
    for router, answer in good.items():
        if answer["neighbors"]:
            continue
        if router in transit:
            found.waived["routers"].append(router)
        else:
            found.problems.append(
                f"router {router} has no session with {name} {_vrfs(answer)}: add the VRF to router_vrfs, or if no "
                f"node has a session with it, set claim_transit_routers: [{router}]"
            )
    return found


def _unseen(peers: list[dict[str, Any]], answers: Answers) -> list[dict[str, Any]]:
    """The peers that no session of any router answers."""
    seen: list[tuple[Any, Any]] = []
    for answer in answers.values():
        sessions = [_session(each) for each in answer["neighbors"]]
        own = answer.get("own_addresses") or []
        seen += [(peer.get("instance"), peer.get("name")) for _session_, peer in answered(sessions, peers, own)]
    return [peer for peer in peers if (peer.get("instance"), peer.get("name")) not in seen]


def _session(neighbor: dict[str, Any]) -> dict[str, Any]:
    keys = ("vrf", "address", "local_address", "remote_as")
    return {key: neighbor.get(key) for key in keys}


def _is_meant(peer: dict[str, Any], text: str) -> bool:
    return text == peer.get("name") or same_address(text, peer.get("address"))


def _called(peer: dict[str, Any]) -> str:
    return str(peer.get("name") or peer.get("address"))


def _unseen_problem(name: str, peer: dict[str, Any], answers: Answers) -> str:
    """Which peer is missing, what is known of it, and what to do."""
    own = _owner(peer, answers)
    asked = own or "; ".join(f"{router} has none {_vrfs(answer)}" for router, answer in answers.items())
    return (
        f"no listed router has the session of {name}'s peer {_called(peer)} ({peer.get('address') or 'no address'}, "
        f"AS {peer.get('asn')}), so whether it still sends to {name} could not be seen ({asked}): add its router to "
        f"the group routers, or its VRF to router_vrfs, or set claim_unseen_peers: [{_called(peer)}]"
    )


def _owner(peer: dict[str, Any], answers: Answers) -> str:
    """Which router has the peer's address, in words; "" if none has."""
    for router, answer in answers.items():
        for own in answer.get("own_addresses") or []:
            if same_address(own["address"], peer.get("address")):
                where = f"router {router} has that address, in VRF {own['vrf']}"
                return f"{where}, but not the session {_vrfs(answer)}"
    return ""


def _vrfs(answer: dict[str, Any]) -> str:
    """Where a router was asked, and where it could be asked."""
    asked = ", ".join(answer.get("vrfs_asked") or ["default"])
    there = ", ".join(answer.get("vrfs_there") or []) or "unknown"
    return f"(router_vrfs: {asked}; VRFs with BGP there: {there})"
