# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Are the listed routers all that the node speaks to?"""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.hitless.nodes.plugins.module_utils.record.reach import reach

TOR_1 = {"name": "tor-1", "instance": "main", "address": "192.0.2.1", "asn": 62112, "local_asn": 65432}
TOR_2 = {"name": "tor-2", "instance": "main", "address": "192.0.2.2", "asn": 62113, "local_asn": 65432}
NONE: dict[str, list[str]] = {"peers": [], "routers": []}


def answer(*local: str | None, **changes: Any) -> dict[str, Any]:
    """A router's answer, with a session of the node over each of these addresses of the router."""
    neighbors = [
        {"vrf": "default", "address": "192.0.2.13", "local_address": each, "remote_as": 65432} for each in local
    ]
    found = {"neighbors": neighbors, "routes": [], "fib": [], "vrfs_asked": ["default"], "vrfs_there": ["default"]}
    return found | {"own_addresses": []} | changes


def test_all_is_well_if_every_peer_and_every_router_has_a_session() -> None:
    found = reach("worker-3", [TOR_1, TOR_2], {"tor-1": answer("192.0.2.1"), "tor-2": answer("192.0.2.2")})
    assert (found.problems, found.waived) == ([], NONE)


def test_a_peer_that_no_listed_router_has_is_named_with_what_was_asked() -> None:
    answers = {"tor-1": answer("192.0.2.1", vrfs_there=["default", "blue"])}
    assert reach("worker-3", [TOR_1, TOR_2], answers).problems == [
        "no listed router has the session of worker-3's peer tor-2 (192.0.2.2, AS 62113), so whether it still sends to "
        "worker-3 could not be seen (tor-1 has none (router_vrfs: default; VRFs with BGP there: default, blue)): add "
        "its router to the group routers, or its VRF to router_vrfs, or set claim_unseen_peers: [tor-2]"
    ]


def test_a_peer_in_a_vrf_that_was_not_asked_is_found_by_its_address() -> None:
    own = [{"address": "192.0.2.2", "interface": "eth9", "vrf": "blue"}]
    (problem,) = reach("worker-3", [TOR_1, TOR_2], {"tor-1": answer("192.0.2.1", own_addresses=own)}).problems
    assert "router tor-1 has that address, in VRF blue, but not the session (router_vrfs: default" in problem


@pytest.mark.parametrize("waiver", ["tor-2", "192.0.2.2"])
def test_a_peer_can_be_waived_by_name_or_address(waiver: str) -> None:
    found = reach("worker-3", [TOR_1, TOR_2], {"tor-1": answer("192.0.2.1")}, ["tor-9", waiver])
    assert (found.problems, found.waived) == ([], {"peers": ["tor-2"], "routers": []})


def test_what_needs_no_waiver_is_not_recorded_as_waived() -> None:
    answers = {"tor-1": answer("192.0.2.1")}
    assert reach("worker-3", [TOR_1], answers, ["tor-1"], ["tor-1"]).waived == NONE


def test_a_router_without_a_session_is_named() -> None:
    answers = {"tor-1": answer("192.0.2.1"), "spine-1": answer(vrfs_asked=["red"], vrfs_there=["red", "blue"])}
    assert reach("worker-3", [TOR_1], answers).problems == [
        "router spine-1 has no session with worker-3 (router_vrfs: red; VRFs with BGP there: red, blue): add the VRF "
        "to router_vrfs, or if no node has a session with it, set claim_transit_routers: [spine-1]"
    ]
    found = reach("worker-3", [TOR_1], answers, transit_routers=["spine-1"])
    assert (found.problems, found.waived) == ([], {"peers": [], "routers": ["spine-1"]})


def test_a_session_that_is_down_still_answers_its_peer() -> None:
    """Nobody waits for it, but its router is looked at."""
    own = [{"address": "192.0.2.2", "interface": "eth1", "vrf": "default"}]
    answers = {"tor-1": answer("192.0.2.1"), "tor-2": answer(None, own_addresses=own)}
    assert reach("worker-3", [TOR_1, TOR_2], answers).problems == []


@pytest.mark.parametrize("answers", [None, {}, {"tor-1": {"failed": True, "msg": "x"}}])
def test_without_answers_there_is_nothing_to_compare(answers: Any) -> None:
    assert reach("worker-3", [TOR_1], answers).problems == []
