# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The module frr_bgp_info as a whole, against programs that answer as the recorded router did."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ansible_collections.hitless.nodes.plugins.modules import frr_bgp_info
from ansible_collections.hitless.nodes.tests.unit import frr_samples as samples
from ansible_collections.hitless.nodes.tests.unit.router_bench import (
    NO_ROUTE,
    Bench,
    bgp_answers,
    both,
    ip_answers,
    recorded,
)
from ansible_collections.hitless.nodes.tests.unit.small_router import VIP, info, neighbor, path, small_router

LINKS = (Path(samples.FOLDER).parent / "ip/6.1.0/address.json").read_text()


def router(bench: Bench, version: str, state: str = "established") -> None:
    """A router in a state of the recordings."""
    head = f"unicast neighbors {samples.NODE4} routes json"
    bench.vtysh.answers(
        {
            **bgp_answers(version, state),
            "show bgp summary json": (0, '{"ipv4Unicast": {"peers": {}}}', ""),
            "show bgp neighbors json": recorded(version, f"{state}.neighbors"),
            f"show bgp ipv4 {head}": (0, json.dumps({"routes": {samples.VIP4: [], samples.POD_CIDR: []}}), ""),
            f"show bgp ipv6 {head}": (0, json.dumps({"routes": {samples.VIP6: []}}), ""),
        }
    )
    bench.ip.answers({**ip_answers(node=True), "-details address show": (0, LINKS, "")})


@both
def test_the_router_itself_and_every_one_that_it_speaks_to(bench: Bench, version: str) -> None:
    router(bench, version)
    found = info(bench, addresses=sorted(samples.ADDRESSES))
    assert sorted(each["address"] for each in found["speakers"]) == [f"192.168.99.{last}" for last in range(11, 15)]
    assert found["vrfs_there"] == ["default"]
    assert found["own_addresses"] == [
        {"address": "203.0.113.1", "interface": "lo", "vrf": "default"},
        {"address": "192.0.2.1", "interface": "d0", "vrf": "default"},
        {"address": "2001:db8::1", "interface": "d0", "vrf": "default"},
    ]


@both
def test_it_asks_vtysh_no_more_often_than_one_answer_needs_the_one_before(bench: Bench, version: str) -> None:
    # The sessions with the version, the prefixes that the node's sessions have, and the look. A router that is slow to
    # answer costs that many times its delay.
    router(bench, version)
    found = info(bench, addresses=sorted(samples.ADDRESSES))
    assert found["frr_version"]
    assert len(bench.vtysh.asked()) == 3, bench.vtysh.asked()


def test_an_address_of_a_vrf_is_told_from_one_of_the_default_vrf(bench: Bench) -> None:
    router(bench, "10.3")

    def link(name: str, address: str, **more: Any) -> dict[str, Any]:
        return {"ifname": name, "addr_info": [{"local": address, "prefixlen": 24, "scope": "global"}], **more}

    links = [
        link("blue", "192.0.2.1", linkinfo={"info_kind": "vrf"}),
        link("eth1", "192.0.2.65", master="blue", linkinfo={"info_kind": "veth", "info_slave_kind": "vrf"}),
        link("eth2", "192.0.2.129", master="br0", linkinfo={"info_slave_kind": "bridge"}),
    ]
    bench.ip.answers({**ip_answers(node=True), "-details address show": (0, json.dumps(links), "")})
    assert [
        (each["address"], each["vrf"]) for each in info(bench, addresses=sorted(samples.ADDRESSES))["own_addresses"]
    ] == [
        ("192.0.2.1", "blue"),
        ("192.0.2.65", "blue"),
        ("192.0.2.129", "default"),
    ]


NODE, SECOND, OTHER, ROUTER = "10.1.0.13", "10.2.0.13", "10.2.0.12", "10.2.0.1"
PEERS = [{"name": "tor-2", "instance": "main", "address": "10.2.0.1", "asn": 65000, "local_asn": 65432}]


def second_link(bench: Bench) -> None:
    """The node's session with this router is over its second link, which the cluster doesn't know."""
    sessions = {SECOND: neighbor(NODE, ROUTER), OTHER: neighbor("10.1.0.12", ROUTER)}
    paths = [path(SECOND, SECOND), path(OTHER, OTHER)]
    small_router(bench, sessions, {VIP: paths}, {VIP: {"gateway": SECOND, "dev": "swp1"}}, absent=[NODE])


def test_the_session_over_a_second_link_is_the_nodes_with_all_that_it_announces(bench: Bench) -> None:
    second_link(bench)
    found = info(bench, addresses=[NODE], peers=PEERS, router_ids=[NODE])
    assert [(each["address"], each["peer"], each["next_hops"]) for each in found["neighbors"]] == [
        (SECOND, "tor-2", [SECOND])
    ]
    assert [(each["prefix"], each["next_hop"]) for each in found["routes"]] == [(VIP, SECOND)]
    assert [(each["prefix"], each["next_hop"]) for each in found["fib"]] == [(VIP, SECOND)]


def test_without_the_peer_the_session_over_a_second_link_is_nobodys(bench: Bench) -> None:
    second_link(bench)
    found = info(bench, addresses=[NODE])
    assert (found["neighbors"], found["routes"], found["fib"]) == ([], [], [])


GLOBAL, HALF = "fd02::13", "fe80::540d:b6ff:fec1:91ba"


def test_both_halves_of_a_next_hop_are_kept(bench: Bench) -> None:
    """An IPv4 VIP over an IPv6 session: the kernel has only the link-local half."""
    via = {"nhid": 21, "via": {"family": "inet6", "host": HALF}, "dev": "p1"}
    sessions = {GLOBAL: neighbor(NODE, "fd02::1")}
    small_router(bench, sessions, {VIP: [path(GLOBAL, GLOBAL, HALF)]}, {VIP: via}, absent=[NODE])
    (found,) = info(bench, addresses=[NODE, GLOBAL])["neighbors"]
    assert found["next_hops"] == sorted([GLOBAL, HALF])


def test_a_next_hop_that_is_another_speaker_or_the_router_is_not_the_nodes(bench: Bench) -> None:
    sessions = {NODE: neighbor(NODE, ROUTER), OTHER: neighbor("10.1.0.12", ROUTER)}
    paths = [path(NODE, hop) for hop in (NODE, OTHER, ROUTER, "0.0.0.0", "10.7.0.13")]
    small_router(bench, sessions, {VIP: paths}, {VIP: {"gateway": NODE, "dev": "swp1"}})
    links = [{"ifname": "swp1", "addr_info": [{"local": ROUTER, "prefixlen": 24, "scope": "global"}]}]
    table = json.loads((bench.ip.folder / "answers.json").read_text())
    bench.ip.answers({**table, "-details address show": (0, json.dumps(links), "")})
    (found,) = info(bench, addresses=[NODE])["neighbors"]
    assert found["next_hops"] == [NODE, "10.7.0.13"]


def test_a_kernel_that_does_not_show_what_zebra_has_installed_is_looked_at_again_and_named(bench: Bench) -> None:
    router(bench, "10.3")
    assert info(bench, addresses=sorted(samples.ADDRESSES))["uninstalled"] == []
    asked = len(bench.ip.asked())
    nowhere = dict.fromkeys(ip_answers(node=True), NO_ROUTE)
    bench.ip.answers({**nowhere, "-details address show": (0, LINKS, "")})
    found = info(bench, addresses=sorted(samples.ADDRESSES))
    assert {(each["prefix"], each["next_hop"], each["kernel"]) for each in found["uninstalled"]} == {
        (samples.VIP4, samples.NODE4, "no route"),
        (samples.POD_CIDR, samples.NODE4, "no route"),
        (samples.VIP6, samples.NODE6, "no route"),
    }
    assert len(bench.ip.asked()) == asked + 1 + frr_bgp_info.LOOKS
    assert {each["installed"] for each in found["routes"]} == {False}
