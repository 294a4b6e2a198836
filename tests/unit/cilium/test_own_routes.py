# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.hitless.nodes.plugins.module_utils.cilium import own_routes


def session(state: str = "established", *, peer: str = "tor-1", advertised: int = 3) -> dict[str, Any]:
    return {
        "instance": "main",
        "peer": peer,
        "address": "192.0.2.1",
        "state": state,
        "established": None if state == "unknown" else state == "established",
        "routes": [{"afi": "ipv4", "safi": "unicast", "advertised": advertised, "received": 0}],
    }


def facts(*sessions: dict[str, Any], reason: str | None = None, routes: Any = None) -> dict[str, Any]:
    known = {"known": reason is None, "reason": reason, "source": "agent", "sessions": list(sessions)}
    return known | {"routes": None if routes is None else {"advertised": [{"prefix": prefix} for prefix in routes]}}


def peer(restart: bool | None = False, applied: bool | None = None) -> dict[str, Any]:
    spec = None if restart is None else {"gracefulRestart": {"enabled": restart}}
    return {"peer_config": spec, "graceful_restart": None if applied is None else {"enabled": applied}}


def test_what_is_kept() -> None:
    found = own_routes.kept(facts(session(), routes=["198.51.100.10/32", "10.1.3.0/24", "10.1.3.0/24"]))
    assert found == {
        "source": "agent",
        "sessions": [
            {
                "instance": "main",
                "peer": "tor-1",
                "address": "192.0.2.1",
                "established": True,
                "advertised": {"ipv4/unicast": 3},
            }
        ],
        "prefixes": ["10.1.3.0/24", "198.51.100.10/32"],
    }
    assert own_routes.kept(facts(session()))["prefixes"] is None


@pytest.mark.parametrize(
    ("sessions", "peers", "words"),
    [
        ([session("active")], [peer()], "worker-3 has no established session by Cilium's word (tor-1 active)"),
        ([], [], "(no peers)"),
        ([session(advertised=0)], [peer()], "announces no route"),
        # GoBGP counts the End-of-RIB, which there is with graceful restart only.
        ([session(advertised=1)], [peer(True)], "announces no route"),
        ([session(advertised=1)], [peer(False, applied=True)], "announces no route"),
        ([session(advertised=1)], [peer(None)], "announces no route"),
        ([session("active", advertised=9), session(advertised=0)], [peer(), peer()], "announces no route"),
    ],
)
def test_fault_26_what_is_no_baseline(sessions: list[Any], peers: list[Any], words: str) -> None:
    (line,) = own_routes.problems("worker-3", facts(*sessions), peers)
    assert words in line


def test_what_is_unknown_is_no_baseline() -> None:
    (line,) = own_routes.problems("worker-3", facts(session(), reason="its agent is silent"), [peer()])
    assert line == "what worker-3 announces is unknown: its agent is silent"


@pytest.mark.parametrize(("number", "restart"), [(1, False), (2, True)])
def test_one_session_with_a_route_is_a_baseline(number: int, restart: bool) -> None:
    found = facts(session("idle"), session(advertised=number))
    assert own_routes.problems("worker-3", found, [peer(restart), peer(restart)]) == []


BEFORE = own_routes.kept(facts(session(), session("active", peer="tor-2")))["sessions"]


@pytest.mark.parametrize(
    ("now", "lacking"),
    [
        ([session()], []),
        ([session(advertised=4), session("active", peer="tor-2")], []),
        ([session("active")], ["session with tor-1 is active"]),
        ([session("unknown")], ["session with tor-1 is unknown"]),
        ([], ["session with tor-1 is not there"]),
        ([session(peer="tor-2")], ["session with tor-1 is not there"]),
        ([session(advertised=2)], ["2 of 3 routes of ipv4/unicast are announced to tor-1"]),
        ([session() | {"routes": []}], ["0 of 3 routes of ipv4/unicast are announced to tor-1"]),
    ],
)
def test_back_is_as_many_routes_on_each_session_that_was_up(now: list[Any], lacking: list[str]) -> None:
    assert own_routes.missing(BEFORE, facts(*now)) == lacking


def test_back_is_unknown_when_cilium_does_not_say() -> None:
    assert own_routes.missing(BEFORE, facts(session(), reason="it may be stale")) == ["unknown: it may be stale"]


def test_gone_is_an_answer_without_sessions() -> None:
    assert own_routes.left(facts()) is None
    assert own_routes.left(facts(session("idle"))) == "its agent still has sessions: tor-1 idle"
    assert own_routes.left(facts(reason="there is no agent pod")) == "unknown: there is no agent pod"


def test_vips_that_come_back_with_their_pods_are_not_missed() -> None:
    before = own_routes.kept(facts(session(advertised=3)))["sessions"]
    now = facts(session(advertised=2))
    assert own_routes.missing(before, now, ["2001:db8:100::10/128"]) == [
        "2 of 3 routes of ipv4/unicast are announced to tor-1"
    ]
    assert own_routes.missing(before, now, ["198.51.100.10/32"]) == []
