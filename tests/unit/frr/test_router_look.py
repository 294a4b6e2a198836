# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A look at a router, against programs that answer as the recorded router did."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from ansible_collections.hitless.nodes.plugins.module_utils.frr import bgp_json, route_rules, router_look
from ansible_collections.hitless.nodes.plugins.module_utils.frr.answers import UnknownError
from ansible_collections.hitless.nodes.plugins.module_utils.frr.iproute import Fib
from ansible_collections.hitless.nodes.plugins.module_utils.frr.vtysh import Vtysh
from ansible_collections.hitless.nodes.tests.unit import frr_samples as samples
from ansible_collections.hitless.nodes.tests.unit.frr_samples import NODE4, NODE6, POD_CIDR, VIP4, VIP6
from ansible_collections.hitless.nodes.tests.unit.router_bench import (
    NO_ROUTE,
    WANTED,
    Bench,
    bgp_answers,
    both,
    kernel,
    recorded,
    zebra,
)

EMPTY_CONFIG = {"show running-config": (0, "frr version 10.3\n!\nrouter bgp 65000\nexit\n", "")}


@both
def test_look_when_established_takes_one_process_of_each_program(bench: Bench, version: str) -> None:
    bench.state(version, "established")
    view = bench.router().look(WANTED)
    assert {(entry["prefix"], entry["next_hop"]) for entry in view["routes"]} == {
        (VIP4, NODE4),
        (POD_CIDR, NODE4),
        (VIP6, NODE6),
    }
    assert [entry["prefix"] for entry in view["fib"]] == [VIP4, POD_CIDR, VIP6]
    assert [entry["address"] for entry in view["neighbors"]] == [NODE4]
    assert (len(bench.vtysh.asked()), len(bench.ip.asked())) == (1, 1)


def test_look_asks_in_each_vrf(bench: Bench) -> None:
    absent = recorded("10.3", "established.absent-prefix")
    none = recorded("10.3", "established.absent-neighbor")
    bench.vtysh.answers(
        {
            "show bgp vrfs json": (0, '{"vrfs": {"default": {}, "blue": {}}}', ""),
            **{f"show bgp{vrf} neighbors {own} json": none for vrf in ("", " vrf blue") for own in (NODE4, NODE6)},
            f"show bgp ipv4 unicast {VIP4} json": absent,
            f"show bgp vrf blue ipv4 unicast {POD_CIDR} json": recorded("10.3", "established.podcidr"),
            f"show ip route vrf default {VIP4} json": (0, "{}", ""),
            f"show ip route vrf blue {POD_CIDR} json": zebra(POD_CIDR, [NODE4]),
            "show bgp nexthop json": (0, "{}", ""),
            "show bgp vrf blue nexthop json": recorded("10.3", "established.nexthop"),
        }
    )
    bench.ip.answers(
        {
            "route get fibmatch 192.168.77.128": NO_ROUTE,
            "route get fibmatch 10.244.1.0 vrf blue": kernel(POD_CIDR, [NODE4]),
            "route get fibmatch 10.244.1.255 vrf blue": kernel(POD_CIDR, [NODE4]),
        }
    )
    view = bench.router().look({"default": [VIP4], "blue": [POD_CIDR]})
    assert {entry["vrf"] for entry in view["routes"] + view["fib"] + view["counts"]} == {"blue"}


@both
@pytest.mark.parametrize(
    ("command", "name", "words"),
    [
        ("show bgp vrfs json", "no-router-bgp.neighbors", "isn't understood"),
        (f"show bgp ipv4 unicast {VIP4} json", "no-router-bgp.vip", "Default BGP instance not found"),
        (f"show bgp neighbors {NODE4} json", "no-peer.neighbors", "isn't understood"),
    ],
)
def test_look_when_there_is_no_instance_is_unknown(
    bench: Bench, version: str, command: str, name: str, words: str
) -> None:
    bench.state(version, "expired")
    bench.vtysh.answers({**bgp_answers(version, "expired"), command: recorded(version, name)})
    with pytest.raises(UnknownError, match=words):
        bench.router().look(WANTED)


@both
def test_look_when_the_vrf_has_no_instance_is_unknown(bench: Bench, version: str) -> None:
    unknown = (0, '{\n  "warning":"View/Vrf is unknown"\n}\n', "")
    bench.vtysh.answers(
        {
            "show bgp vrfs json": recorded(version, "established.vrfs"),
            f"show bgp vrf blue neighbors {NODE4} json": (0, "{\n}\n", ""),
            f"show bgp vrf blue neighbors {NODE6} json": (0, "{\n}\n", ""),
            f"show bgp vrf blue ipv4 unicast {VIP4} json": unknown,
            f"show ip route vrf blue {VIP4} json": (0, "% VRF blue not found\n", ""),
        }
    )
    with pytest.raises(UnknownError, match=r"no BGP instance in VRF blue \(it has: default\)"):
        bench.router().look({"blue": [VIP4]})


@both
@pytest.mark.parametrize("name", ["lab.vrfs-no-router-bgp", "lab.vrfs-no-peer"])
def test_look_when_the_instance_is_missing_or_empty_is_unknown(bench: Bench, version: str, name: str) -> None:
    """Routers without "router bgp", or whose configuration is empty, know no path to anything."""
    bench.state(version, "expired")
    bench.vtysh.answers(
        {**bgp_answers(version, "expired"), "show bgp vrfs json": recorded(version, name), **EMPTY_CONFIG}
    )
    with pytest.raises(
        UnknownError, match=r"no BGP instance in VRF default \(it has: none\)|default has no neighbours"
    ):
        bench.router().look(WANTED)


@both
def test_announced_lists_the_prefixes_of_both_families(bench: Bench, version: str) -> None:
    head = f"unicast neighbors {NODE4} routes json"
    bench.vtysh.answers(
        {
            **bgp_answers(version, "established"),
            "show bgp neighbors json": recorded(version, "established.neighbors"),
            f"show bgp ipv4 {head}": recorded(version, "established.nbr-routes"),
            f"show bgp ipv6 {head}": recorded(version, "established.nbr-routes6"),
        }
    )
    router = bench.router()
    router.speakers(["default"])
    assert {VIP4, POD_CIDR, VIP6} < set(router.announced(["default"])["default"])


@both
def test_announced_when_there_is_no_session_is_nothing(bench: Bench, version: str) -> None:
    name, others = "show bgp neighbors json", samples.document(version, "established.neighbors")
    del others[NODE4]
    bench.vtysh.answers({**bgp_answers(version, "established"), name: (0, json.dumps(others), "")})
    router = bench.router()
    assert router.speakers(["default"])[0]
    assert router.announced(["default"]) == {"default": []}


@both
def test_release(bench: Bench, version: str) -> None:
    bench.state(version, "established")
    assert bench.router().release() == version


def test_look_on_frr_8_counts_paths_of_prefixes_that_nobody_looked_up(bench: Bench) -> None:
    bench.state("8.4.4", "expired")
    text = f"Current BGP nexthop cache:\n {NODE4} valid [IGP metric 0], #paths 2, peer {NODE4}\n  if eth0\n"
    bench.vtysh.answers(bgp_answers("8.4.4", "expired") | {"show bgp nexthop": (0, text, "")})
    remaining = bench.waiting().look()["remaining"]
    assert [(entry["prefix"], entry["next_hop"], entry["paths"]) for entry in remaining] == [("*", NODE4, 2)]


def test_look_on_frr_8_takes_one_process_once_it_is_known_to_have_no_json_for_counts(bench: Bench) -> None:
    bench.state("8.4.4", "expired")
    wait = bench.waiting()
    assert wait.look()["remaining"] == wait.look()["remaining"] == []
    first, text, second = bench.vtysh.asked()
    assert (first[-1], text, second[-1]) == ("show bgp nexthop json", ["show bgp nexthop"], "show bgp nexthop")
    assert first[:-1] == second[:-1]


@pytest.mark.parametrize("said", ["", "% No such BGP instance exist\n", "Current BGP nexthop cache:\n 192.0.2"])
def test_look_on_frr_8_when_the_counts_are_not_understood_is_unknown(bench: Bench, said: str) -> None:
    bench.state("8.4.4", "expired")
    wait = bench.waiting()
    wait.look()
    bench.vtysh.answers(bgp_answers("8.4.4", "expired") | {"show bgp nexthop": (0, said, "")})
    with pytest.raises(UnknownError, match="show bgp nexthop"):
        wait.look()


@both
def test_discover_finds_link_local_sessions_only_where_there_are_some(bench: Bench, version: str) -> None:
    own = "fe80::64c6:a8ff:fef5:ff7" if version == "8.4.4" else "fe80::7444:1eff:fec9:462d"
    table = {
        "show bgp vrfs json": recorded(version, "established.vrfs"),
        "show bgp summary json": recorded(version, "unnumbered.summary"),
        "show bgp neighbors p2p json": recorded(version, "unnumbered.neighbor"),
    }
    (bench.ip.folder / "ip").write_text("#!/bin/sh\necho '[]'\n")
    bench.vtysh.answers(table)
    for addresses, expected in (({"10.62.0.11"}, {own}), ({"10.62.0.12"}, set())):
        router = router_look.Router(Vtysh(str(bench.vtysh.path)), Fib(), set(addresses))
        assert router.discover(["default"]) == expected
        assert router.addresses == addresses | expected
    bench.vtysh.answers(table | {"show bgp summary json": (0, "{}", "")})
    assert bench.router().discover(["default"]) == set()


@pytest.mark.parametrize("script", ["echo '[{'", "echo '{}'", "echo nothing >&2; exit 1"])
def test_neighbours_when_ip_gives_no_list_are_unknown(bench: Bench, script: str) -> None:
    (bench.ip.folder / "ip").write_text(f"#!/bin/sh\n{script}\n")
    with pytest.raises(UnknownError, match="isn't understood"):
        Fib().neighbours()


NODE, VIP = "10.1.0.13", "198.51.100.10/32"


def dampened(bench: Bench, version: str, count: int) -> list[dict[str, Any]]:
    """What a router still has of a node that has withdrawn its VIP, with dampening. count: what FRR counts."""
    only = samples.document(version, "dampened.vip")
    only["paths"] = [path for path in only["paths"] if path.get("dampeningHistoryEntry")]
    table = {
        "show bgp vrfs json": recorded(version, "established.vrfs"),
        f"show bgp neighbors {NODE} json": (0, '{"bgpNoSuchNeighbor": true}', ""),
        f"show bgp ipv4 unicast {VIP} json": (0, json.dumps(only), ""),
        f"show ip route vrf default {VIP} json": (0, "{}", ""),
    }
    if version == "8.4.4":
        text = samples.text(version, "dampened.nexthop")
        text = re.sub(rf"( {NODE} .*#paths) \d+", rf"\1 {count}", text)
        table["show bgp nexthop"] = (0, text, "")
    else:
        counts = samples.document(version, "dampened.nexthop")
        counts["ipv4"][NODE]["pathCount"] = count
        table["show bgp nexthop json"] = (0, json.dumps(counts), "")
    bench.vtysh.answers(table)
    bench.ip.answers({"route get fibmatch 198.51.100.10": NO_ROUTE})
    router = router_look.Router(Vtysh(str(bench.vtysh.path)), Fib(), {NODE})
    return route_rules.not_withdrawn(router.look({"default": [VIP]}))


@both
def test_a_path_that_dampening_remembers_is_not_left(bench: Bench, version: str) -> None:
    assert dampened(bench, version, 1) == []


@both
def test_a_path_that_is_counted_besides_what_dampening_remembers_is_left(bench: Bench, version: str) -> None:
    assert [(entry["prefix"], entry["paths"]) for entry in dampened(bench, version, 2)] == [("*", 2)]


def test_what_dampening_remembers_of_a_node_is_no_other_way() -> None:
    path = bgp_json.paths(samples.document("10.3", "dampened.vip"), VIP)
    assert route_rules.over_others("default", VIP, path, {"10.1.0.14"}) == []
