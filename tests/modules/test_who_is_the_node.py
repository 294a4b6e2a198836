# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From Cilium's objects over the routers' answers to the record, and to a later look that goes by the record.

Each of these once ended in a withdrawal that was none: the routers still sent to the node.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.hitless.nodes.plugins.module_utils.cilium.node_picture import node_info
from ansible_collections.hitless.nodes.plugins.module_utils.node.claim import ClaimError
from ansible_collections.hitless.nodes.plugins.module_utils.record import questions
from ansible_collections.hitless.nodes.tests.unit.router_bench import Bench
from ansible_collections.hitless.nodes.tests.unit.small_router import VIP, info, left, neighbor, path, small_router
from api_calls import claimed

NODE, SECOND, NODE6 = "192.0.2.13", "198.18.2.13", "2001:db8::13"
TOR_1, TOR_2 = "192.0.2.1", "198.18.2.1"
LOOPBACK, HALF = "10.0.0.13/32", "fe80::540d:b6ff:fec1:91ba"


@pytest.fixture
def routers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Bench]:
    """A router by its name. The one that was asked for last is the one that modules run on."""
    return lambda name: Bench(tmp_path / name, monkeypatch)


@pytest.fixture
def two_peers(api: Any, cilium: Any) -> Any:
    """A node with a peer over each of its two links. No object has its address on the second one."""
    api.client.delete(f"{cilium.bgp}/ciliumbgpclusterconfigs/rack-1", {})
    api.until(lambda: not node_info(api.client, "worker-3")["bgp"]["node_config"])
    peers = [{"name": name, "peerASN": 62112, "peerAddress": own} for name, own in (("tor-1", TOR_1), ("tor-2", TOR_2))]
    cilium.config("rack-2", bgpInstances=[{"name": "main", "localASN": 65432, "peers": peers}])
    api.until(lambda: len(node_info(api.client, "worker-3")["bgp"]["peers"]) == len(peers))
    return api


def tor(bench: Bench, local: str, own: str, *, via: str = "", after: bool = False, **changes: Any) -> None:
    """A router's answers: the node's session and its VIP; after: when the session is down, and the path is stale."""
    state = "Active" if after else "Established"
    paths = [path(own, own, stale=True) if after else path(own, own)]
    kernel = {VIP: {"gateway": via or own, "dev": "swp1"}}
    sessions = {own: neighbor(NODE, local, state=state)}
    small_router(bench, sessions, {VIP: paths}, kernel, absent={NODE, SECOND, NODE6} - {own}, **changes)


def asked(bench: Bench, api: Any) -> dict[str, Any]:
    """The router's answer to what the cluster says of the node."""
    known = node_info(api.client, "worker-3")
    who = {key: known["bgp"][key] for key in ("peers", "router_ids")}
    return info(bench, addresses=known["node"]["addresses"], **who)


def still_left(bench: Bench, record: dict[str, Any], router: str) -> list[tuple[str, str]]:
    """(prefix, where) of what a router still has of the node, by the record."""
    prefixes = questions.prefixes_anywhere(record, ["default"])
    own = questions.addresses_on(record, router)
    found = left(bench, addresses=own, prefixes=prefixes, staying=questions.staying(record))
    return [(entry["prefix"], entry["where"]) for entry in found]


def test_a_path_over_the_second_link_is_the_nodes(two_peers: Any, routers: Callable[[str], Bench]) -> None:
    answers = {}
    for name, local, own in (("tor-1", TOR_1, NODE), ("tor-2", TOR_2, SECOND)):
        bench = routers(name)
        tor(bench, local, own)
        answers[name] = asked(bench, two_peers)
    record = claimed(two_peers, routes=answers, min_announcers=0)["record"]
    assert record["before"]["next_hops"] == {"tor-1": [NODE], "tor-2": [SECOND]}

    bench = routers("tor-2")
    tor(bench, TOR_2, SECOND, after=True)
    assert still_left(bench, record, "tor-2") == [(VIP, "bgp"), (VIP, "fib")]


def test_a_router_that_is_left_out_is_named_by_its_peer(two_peers: Any, routers: Callable[[str], Bench]) -> None:
    bench = routers("tor-1")
    tor(bench, TOR_1, NODE)
    answers = {"tor-1": asked(bench, two_peers)}
    with pytest.raises(ClaimError, match=r"worker-3's peer tor-2 \(198\.18\.2\.1, AS 62112\).*claim_unseen_peers"):
        claimed(two_peers, routes=answers, min_announcers=0)
    found = claimed(two_peers, routes=answers, min_announcers=0, unseen_peers=["tor-2"])
    assert found["record"]["before"]["waived"] == {"peers": ["tor-2"], "routers": []}
    assert any("no router was asked for peers tor-2" in line for line in found["warnings"])


@pytest.mark.usefixtures("cilium")
def test_a_router_without_a_session_is_named(api: Any, routers: Callable[[str], Bench]) -> None:
    answers = {}
    for name, own in (("tor-1", NODE), ("spine-1", "192.0.2.99")):
        bench = routers(name)
        sessions = {own: neighbor(own, TOR_1)}
        absent = {NODE, NODE6} - {own}
        small_router(bench, sessions, {VIP: [path(own, own)]}, {VIP: {"gateway": own}}, absent=absent)
        answers[name] = asked(bench, api)
    with pytest.raises(ClaimError, match=r"router spine-1 has no session with worker-3 .*claim_transit_routers"):
        claimed(api, routes=answers, min_announcers=0)
    record = claimed(api, routes=answers, min_announcers=0, transit_routers=["spine-1"])["record"]
    assert record["before"]["waived"] == {"peers": [], "routers": ["spine-1"]}


@pytest.mark.usefixtures("cilium")
def test_a_link_local_half_is_known_when_bgp_has_forgotten_it(api: Any, routers: Callable[[str], Bench]) -> None:
    """The kernel has only that half. A wait that begins when BGP has withdrawn the path must know it."""
    bench = routers("tor-1")
    kernel = {VIP: {"nhid": 21, "via": {"family": "inet6", "host": HALF}, "dev": "p1"}}
    session = {NODE6: neighbor(NODE, TOR_1)}
    small_router(bench, session, {VIP: [path(NODE6, NODE6, HALF)]}, kernel, absent=[NODE])
    record = claimed(api, routes={"tor-1": asked(bench, api)}, min_announcers=0)["record"]
    assert record["before"]["next_hops"] == {"tor-1": sorted([NODE6, HALF])}

    down = {NODE6: neighbor(NODE, TOR_1, state="Active", accepted=0)}
    small_router(bench, down, {VIP: []}, kernel, absent=[NODE, HALF])
    assert still_left(bench, record, "tor-1") == [(VIP, "fib")]
    small_router(bench, down, {VIP: []}, {}, absent=[NODE, HALF])
    assert still_left(bench, record, "tor-1") == []


@pytest.mark.usefixtures("cilium")
def test_the_loopback_of_a_daemon_on_the_host_stays(api: Any, routers: Callable[[str], Bench]) -> None:
    bench = routers("tor-1")
    session = {NODE: neighbor(NODE, TOR_1, accepted=2)}
    both = {VIP: [path(NODE, NODE)], LOOPBACK: [path(NODE, NODE)]}
    small_router(bench, session, both, {each: {"gateway": NODE} for each in both}, absent=[NODE6])
    answers = {"tor-1": asked(bench, api)}
    with pytest.raises(ClaimError, match="there is nothing to watch being withdrawn"):
        claimed(api, routes=answers, min_announcers=0, staying_prefixes=[VIP, LOOPBACK])
    record = claimed(api, routes=answers, min_announcers=0, staying_prefixes=[LOOPBACK])["record"]
    assert record["before"]["staying"] == [LOOPBACK]

    def later(accepted: int, counted: int) -> list[tuple[str, str]]:
        """What is left when the VIP is gone and the loopback isn't, by these counters."""
        session = {NODE: neighbor(NODE, TOR_1, accepted=accepted)}
        paths = {VIP: [], LOOPBACK: [path(NODE, NODE)]}
        kernel = {LOOPBACK: {"gateway": NODE}}
        small_router(bench, session, paths, kernel, absent=[NODE6], counts={NODE: counted})
        return still_left(bench, record, "tor-1")

    assert later(1, 1) == []
    # A path of a prefix that nobody looked up.
    assert later(2, 1) == later(1, 2) == [("*", "bgp")]


@pytest.mark.usefixtures("cilium")
def test_what_stays_is_told_by_the_agent(api: Any, agent: Any, routers: Callable[[str], Bench]) -> None:
    bench = routers("tor-1")
    both = {VIP: [path(NODE, NODE)], LOOPBACK: [path(NODE, NODE)]}
    small_router(bench, {NODE: neighbor(NODE, TOR_1)}, both, {each: {"gateway": NODE} for each in both}, absent=[NODE6])
    answers = {"tor-1": asked(bench, api)}
    route = {"router-asn": 65432, "neighbor": TOR_1, "prefix": VIP, "paths": [{"best": True, "path-attributes": []}]}
    agent.say = lambda argv: (0, json.dumps([route] if "ipv4" in argv else []), "")
    found = claimed(api, routes=answers, min_announcers=0)
    assert found["record"]["before"]["staying"] == [LOOPBACK]
    assert any("10.0.0.13/32 isn't announced by Cilium" in line for line in found["warnings"])
