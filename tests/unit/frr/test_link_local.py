# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.hitless.nodes.plugins.module_utils.frr import bgp_json, link_local, neighbor_json, nexthop_text
from ansible_collections.hitless.nodes.plugins.module_utils.frr.answers import UnknownError
from ansible_collections.hitless.nodes.tests.unit import frr_samples as samples

both = pytest.mark.parametrize("version", samples.VERSIONS)
# Of the recorded unnumbered sessions: the other end, which calls itself 10.62.0.11.
OTHER_END = {"8.4.4": "fe80::64c6:a8ff:fef5:ff7", "10.3": "fe80::7444:1eff:fec9:462d"}
NEIGHBOURS = json.loads((Path(samples.FOLDER).parent / "ip/6.1.0/neigh.json").read_text())


@both
def test_candidates_are_the_sessions_without_an_address_of_their_own(version: str) -> None:
    assert link_local.candidates(samples.document(version, "unnumbered.summary")) == ["p2p"]


@pytest.mark.parametrize(
    ("peers", "expected"),
    [
        ({"fe80::1": {"state": "Established"}, "192.0.2.1": {"state": "Established"}}, ["fe80::1"]),
        ({"eth0": {"state": "Active"}}, []),
        ({"eth0": "odd"}, []),
    ],
)
def test_candidates(peers: dict[str, Any], expected: list[str]) -> None:
    assert link_local.candidates({"ipv4Unicast": {"peers": peers}, "ipv6Unicast": {"peers": peers}}) == expected


@pytest.mark.parametrize("summary", [{"warning": "x"}, {"ipv4Unicast": {}}, {"ipv4Unicast": {"peers": []}}])
def test_candidates_when_the_answer_is_not_understood(summary: dict[str, Any]) -> None:
    with pytest.raises(UnknownError, match="isn't understood"):
        link_local.candidates(summary)


@both
def test_link_local_of_a_session_that_calls_itself_like_the_node(version: str) -> None:
    document = samples.document(version, "unnumbered.neighbor")
    assert link_local.link_local_of(document, {"10.62.0.11"}, set()) == {OTHER_END[version]}
    assert link_local.link_local_of(document, {"10.62.0.12"}, set()) == set()
    assert link_local.link_local_of(document, {"10.62.0.12"}, {OTHER_END[version]}) == {OTHER_END[version]}


def test_link_local_of_a_session_over_another_address_is_none() -> None:
    document = {"eth0": {"bgpNeighborAddr": "192.0.2.1", "remoteRouterId": "192.0.2.1"}}
    assert link_local.link_local_of(document, {"192.0.2.1"}, set()) == set()
    assert (
        link_local.link_local_of({"eth0": {"bgpNeighborAddr": "none", "remoteRouterId": "0.0.0.0"}}, set(), set())
        == set()
    )


def test_same_hardware_on_the_same_link() -> None:
    # FRR itself enters 169.254.0.1 with the other end's hardware address, for its IPv4 routes over IPv6 next hops.
    assert link_local.same_hardware(NEIGHBOURS, {"169.254.0.1"}) == {OTHER_END["8.4.4"]}
    assert link_local.same_hardware(NEIGHBOURS, {"10.62.0.11"}) == set()
    moved = [{**entry, "dev": "other"} if entry["dst"].startswith("fe80") else entry for entry in NEIGHBOURS]
    assert link_local.same_hardware(moved, {"169.254.0.1"}) == set()
    assert link_local.same_hardware([{"dst": "192.0.2.1", "dev": "eth0", "state": ["FAILED"]}], {"192.0.2.1"}) == set()


@both
@pytest.mark.parametrize(("name", "established"), [("unnumbered.neighbor", True), ("unnumbered-down.neighbor", False)])
def test_neighbor_of_an_unnumbered_session_is_found_by_its_address(version: str, name: str, established: bool) -> None:
    found = neighbor_json.neighbor(samples.document(version, name), OTHER_END[version])
    assert found
    assert (found["address"], found["established"]) == (OTHER_END[version], established)
    assert found["remote_as"] == 4200000001
    assert found["router_id"] == ("10.62.0.11" if established else "0.0.0.0")


@both
def test_paths_of_an_ipv4_prefix_with_a_link_local_next_hop(version: str) -> None:
    (path,) = bgp_json.paths(samples.document(version, "unnumbered.podcidr"), "203.0.113.0/24")
    assert (path["next_hops"], path["from"], path["valid"]) == ([OTHER_END[version]], OTHER_END[version], True)


def test_path_counts_in_the_text_of_frr_8() -> None:
    counts = nexthop_text.path_counts(samples.text("8.4.4", "unnumbered.nexthop"))
    assert {"10.62.0.11": 6, "fd62::11": 6, "10.62.0.2": 0, OTHER_END["8.4.4"]: 2}.items() <= counts.items()
    assert nexthop_text.path_counts("Current BGP nexthop cache:\n") == {}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "% No such BGP instance exist\n",
        "Current BGP nexthop cache:\n 192.0.2.1 valid, paths many\n",
        "Current BGP nexthop cache:\n cable valid [IGP metric 0], #paths 1\n",
        "Current BGP nexthop cache:\n 192.0.2.1 valid [IGP met",
    ],
)
def test_path_counts_when_the_text_is_not_understood(text: str) -> None:
    with pytest.raises(UnknownError, match="isn't understood"):
        nexthop_text.path_counts(text)


def test_split_gives_the_text_of_each_vrf() -> None:
    one, two = (f"Current BGP nexthop cache:\n 192.0.2.{i} valid, #paths {i}\n" for i in (1, 2))
    assert [nexthop_text.path_counts(part) for part in nexthop_text.split(one + two, 2)] == [
        {"192.0.2.1": 1},
        {"192.0.2.2": 2},
    ]
    for count in (1, 3):
        with pytest.raises(UnknownError, match=f"2 answers to {count} times"):
            nexthop_text.split(one + two, count)


def test_path_counts_of_a_next_hop_that_cannot_be_reached() -> None:
    assert nexthop_text.path_counts("Current BGP nexthop cache:\n 192.0.2.1 invalid, #paths 3\n") == {"192.0.2.1": 3}
