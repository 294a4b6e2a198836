# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.hitless.nodes.plugins.module_utils.report import status

AT = "2026-03-02T22:00:00Z"
UNREACHABLE = {"name": "tor-2", "unreachable": True, "msg": "Task failed: ssh: connect to host tor-2: refused"}


def session(address: str, **more: Any) -> dict[str, Any]:
    restart = {"negotiated": True, "notification": True, "restart_time": 120}
    return {
        "vrf": "default",
        "address": address,
        "state": "Established",
        "established": True,
        "uptime_seconds": 3725,
        "hold_time": 90,
        "accepted": {"ipv4": 2},
        "graceful_restart": restart,
        **more,
    }


def route(prefix: str, sender: str, *, installed: bool = True, stale: bool = False) -> dict[str, Any]:
    return {"vrf": "default", "prefix": prefix, "from": sender, "installed": installed, "stale": stale}


def router(name: str, neighbors: list[dict[str, Any]], routes: list[dict[str, Any]]) -> dict[str, Any]:
    return {"name": name, "neighbors": neighbors, "routes": routes}


def read_of(host: str = "worker-3", **more: Any) -> dict[str, Any]:
    return {"host": host, "info": {}, "cilium": {}, "routes": {}} | more


def read(*routers: dict[str, Any], **more: Any) -> dict[str, Any]:
    info = {
        "node": {"name": "worker-3", "ready": True, "unschedulable": False},
        "bgp": {"selected": True, "label": {"key": "enable-bgp", "value": "true"}, "problems": []},
        "record": None,
    }
    sessions = [{"established": True, "routes": [{"advertised": 2}]}, {"established": None, "routes": []}]
    cilium = {"nodes": [{"sessions": sessions, "node_config": True, "reason": None}]}
    return read_of(info=info, cilium=cilium, routes={"answers": {each["name"]: each for each in routers}}) | more


TOR_1 = router(
    "tor-1",
    [session("192.0.2.13")],
    [
        route("198.51.100.10/32", "192.0.2.13"),
        route("198.51.100.20/32", "192.0.2.13", installed=False, stale=True),
        route("198.51.100.10/32", "192.0.2.2"),
    ],
)


def shown(*routers: dict[str, Any], **more: Any) -> tuple[list[list[str]], list[str]]:
    summary = status.bgp_status([read(*routers, **more)], AT)
    return status.status_rows(summary)[1:], status.status_lines(summary)


def test_a_session_is_a_row_with_what_came_over_it() -> None:
    rows, lines = shown(TOR_1)
    expected = ["tor-1", "192.0.2.13", "Established", "1 h 2 min", "120 s, N", "2", "1", "1", "1"]
    assert rows == [["worker-3", *expected]]
    assert "no problem found" in lines


def test_a_node_is_a_line() -> None:
    _rows, lines = shown(TOR_1)
    assert lines[0] == (
        "worker-3: Ready; selected for BGP by enable-bgp=true; "
        "Cilium says: 1 of 2 sessions established, routes announced: 2"
    )


def test_who_holds_the_node_is_said() -> None:
    held = read(TOR_1)
    held["info"]["record"] = {"holder": "alice@bastion", "phase": "off", "since": AT, "before": {}}
    lines = status.status_lines(status.bgp_status([held], AT))
    assert lines[0].endswith(f"held by alice@bastion since {AT}, phase off")


def test_what_agents_do_not_report_is_not_0() -> None:
    silent = {"sessions": [{"established": None, "routes": []}], "node_config": True, "reason": "its status is stale"}
    _rows, lines = shown(TOR_1, cilium={"nodes": [silent]})
    assert "routes announced: unknown" in lines[0]
    assert any("worker-3: its status is stale" in line for line in lines[1:])
    _rows, lines = shown(TOR_1, cilium={"nodes": [{**silent, "sessions": [], "node_config": False}]})
    assert "no problem found" in lines


def test_an_unreachable_router_is_unknown_and_a_problem() -> None:
    rows, lines = shown(TOR_1, UNREACHABLE)
    assert rows[1][:4] == ["worker-3", "tor-2", "-", "unknown"]
    assert rows[1][-1] == "unknown"
    (problem,) = [line for line in lines if line.startswith("problem: ")]
    assert problem.startswith("problem: router tor-2: unreachable by SSH, so its routes are unknown: ssh: connect")


def test_a_router_without_a_session_says_so() -> None:
    rows, _lines = shown(router("tor-1", [], []))
    assert rows[0][:4] == ["worker-3", "tor-1", "-", "no session"]


def test_a_node_that_could_not_be_read_is_unknown_and_a_problem() -> None:
    failed = {"failed": True, "msg": "worker-3: there is no such Node"}
    summary = status.bgp_status([read_of(info=failed)], AT)
    assert status.status_rows(summary)[1][:4] == ["worker-3", "-", "-", "unknown"]
    assert "problem: worker-3: there is no such Node" in status.status_lines(summary)


def test_a_host_that_was_never_read_is_unknown() -> None:
    summary = status.bgp_status([read_of()], AT)
    assert "problem: worker-3: it was not read" in status.status_lines(summary)


@pytest.mark.parametrize(
    ("known", "words"),
    [
        ({"negotiated": None, "notification": None, "restart_time": None}, "unknown"),
        ({"negotiated": False, "notification": False, "restart_time": None}, "off"),
        ({"negotiated": True, "notification": False, "restart_time": 20}, "20 s"),
        ({"negotiated": True, "notification": True, "restart_time": None}, "unknown, N"),
    ],
)
def test_graceful_restart_in_words(known: dict[str, Any], words: str) -> None:
    rows, _lines = shown(router("tor-1", [session("192.0.2.13", graceful_restart=known)], []))
    assert rows[0][5] == words


def test_a_session_in_a_vrf_names_it() -> None:
    rows, _lines = shown(router("tor-1", [session("192.0.2.13", vrf="blue")], []))
    assert rows[0][2] == "192.0.2.13 (blue)"


def test_the_same_problem_of_all_nodes_is_said_once() -> None:
    summary = status.bgp_status([read(UNREACHABLE, host=name) for name in ("worker-3", "worker-4")], AT)
    lines = status.status_lines(summary)
    assert len([line for line in lines if line.startswith("problem: ")]) == 1
    assert status.status_page(summary)["problems"] == status.status_problems(summary)


def test_a_peer_that_no_router_has_is_a_problem_of_a_node_in_service() -> None:
    peers = [{"name": "tor-9", "instance": "main", "address": "192.0.2.9", "asn": 62112, "local_asn": 65432}]
    found = read({**TOR_1, "fib": []})
    found["info"]["bgp"]["peers"] = peers
    (problem,) = status.bgp_status([found], AT)["nodes"][0]["problems"]
    assert problem.startswith("no listed router has the session of worker-3's peer tor-9 (192.0.2.9, AS 62112)")
    found["info"]["bgp"]["selected"] = False
    assert status.bgp_status([found], AT)["nodes"][0]["problems"] == []
