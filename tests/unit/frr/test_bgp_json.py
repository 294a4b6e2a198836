# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.hitless.nodes.plugins.module_utils.frr import bgp_json
from ansible_collections.hitless.nodes.plugins.module_utils.frr.answers import UnknownError
from ansible_collections.hitless.nodes.tests.unit import frr_samples as samples
from ansible_collections.hitless.nodes.tests.unit.frr_samples import NODE4, NODE6, POD_CIDR, VIP4, VIP6

both = pytest.mark.parametrize("version", samples.VERSIONS)


@both
def test_release(version: str) -> None:
    assert bgp_json.release(samples.text(version, "established.version")) == version


def test_release_when_it_is_not_said() -> None:
    assert bgp_json.release("Quagga 1.2\n") is None


@both
def test_instances(version: str) -> None:
    assert bgp_json.instances(samples.document(version, "established.vrfs")) == {"default": 4}


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        ({}, None),
        ({"numConfiguredPeers": 0, "numEstablishedPeers": 0}, 0),
        ({"numConfiguredPeers": 0, "numEstablishedPeers": 2}, 2),
        ({"numConfiguredPeers": 3, "numEstablishedPeers": 0}, 3),
    ],
)
def test_instances_count_neighbours(entry: dict[str, Any], expected: int | None) -> None:
    assert bgp_json.instances({"vrfs": {"blue": entry}}) == {"blue": expected}


@pytest.mark.parametrize("document", [{}, {"vrfs": []}, {"totalVrfs": 0}])
def test_instances_when_not_understood_are_unknown(document: dict[str, Any]) -> None:
    with pytest.raises(UnknownError, match="isn't understood"):
        bgp_json.instances(document)


@both
@pytest.mark.parametrize(
    ("name", "prefix", "expected"),
    [
        # (neighbour that sent it, stale, valid) of the paths over the node
        ("established.vip", VIP4, [("192.168.99.11", False, True), (NODE4, False, True)]),
        ("established.podcidr", POD_CIDR, [("192.168.99.11", False, True), (NODE4, False, True)]),
        ("established.vip6", VIP6, [("192.168.99.11", False, True), (NODE4, False, True)]),
        ("stale.vip", VIP4, [("192.168.99.11", False, True), (NODE4, True, True)]),
        ("stale.podcidr", POD_CIDR, [("192.168.99.11", False, True), (NODE4, True, True)]),
        ("stale.vip6", VIP6, [("192.168.99.11", False, True), (NODE4, True, True)]),
        ("expired.vip", VIP4, []),
        ("expired.podcidr", POD_CIDR, []),
        ("peer-deleted.vip", VIP4, []),
        # In these two the second router still has it from the node and hands it on.
        ("peer-deleted.podcidr", POD_CIDR, [("192.168.99.11", False, True)]),
        ("vip-gone.vip", VIP4, [("192.168.99.11", False, True)]),
        ("established.absent-prefix", "198.51.100.1/32", []),
        ("established.filtered-prefix", "203.0.113.0/24", []),
    ],
)
def test_paths_in_each_state(version: str, name: str, prefix: str, expected: list[tuple[str, bool, bool]]) -> None:
    paths = bgp_json.paths(samples.document(version, name), prefix)
    found = sorted((p["from"], p["stale"], p["valid"]) for p in paths if samples.ADDRESSES & set(p["next_hops"]))
    assert found == expected


@both
def test_paths_tell_best_and_multipath(version: str) -> None:
    paths = bgp_json.paths(samples.document(version, "established.vip"), VIP4)
    assert sorted((p["next_hops"][0], p["bestpath"], p["multipath"]) for p in paths) == [
        (NODE4, False, False),
        (NODE4, True, True),
        ("192.168.99.13", False, True),
        ("192.168.99.14", False, True),
    ]


@both
def test_paths_when_the_next_hop_is_unreachable_are_not_valid(version: str) -> None:
    paths = bgp_json.paths(samples.document(version, "established.inaccessible"), "10.250.0.0/24")
    assert [(p["next_hops"], p["valid"]) for p in paths] == [(["198.51.100.7"], False)]


def test_paths_when_flags_are_written_as_in_tables() -> None:
    path = {"bestpath": True, "nexthops": [{"ip": NODE6}, {"ip": "FE80::1"}]}
    assert bgp_json.paths({"prefix": VIP6, "paths": [path]}, VIP6) == [
        {
            "next_hops": [NODE6, "fe80::1"],
            "reachable": True,
            "from": None,
            "internal": False,
            "stale": False,
            "valid": False,
            "bestpath": True,
            "multipath": False,
        }
    ]


@pytest.mark.parametrize(
    "document",
    [
        {"prefix": VIP4},
        {"prefix": VIP4, "paths": {}},
        {"prefix": "198.51.100.1/32", "paths": []},
        {"paths": []},
        {"prefix": VIP4, "paths": [{}]},
        {"prefix": VIP4, "paths": ["x"]},
        {"prefix": VIP4, "paths": [{"nexthops": [{"hostname": "vm"}]}]},
        {"prefix": VIP4, "paths": [{"nexthops": None}]},
        {"bgpNoSuchNeighbor": True},
    ],
)
def test_paths_when_not_understood_are_unknown(document: dict[str, Any]) -> None:
    with pytest.raises(UnknownError, match="isn't understood"):
        bgp_json.paths(document, VIP4)


# As 8.4.4 and 10.3 say it of an established session.


@both
def test_announced(version: str) -> None:
    assert POD_CIDR in bgp_json.announced(samples.document(version, "established.nbr-routes"))
    assert VIP6 in bgp_json.announced(samples.document(version, "established.nbr-routes6"))


@both
def test_announced_when_stale_is_no_evidence(version: str) -> None:
    found = bgp_json.announced(samples.document(version, "stale.nbr-routes"))
    assert (POD_CIDR in found) is (version != "8.4.4")


@pytest.mark.parametrize("document", [{}, {"routes": []}])
def test_announced_when_not_understood_is_unknown(document: dict[str, Any]) -> None:
    with pytest.raises(UnknownError, match="isn't understood"):
        bgp_json.announced(document)


@pytest.mark.parametrize("name", ["established.nexthop", "stale.nexthop"])
def test_path_counts(name: str) -> None:
    counts = bgp_json.path_counts(samples.document("10.3", name))
    assert (counts[NODE4], counts[NODE6]) == (6, 4)


@pytest.mark.parametrize(
    "document", [{"ipv4": []}, {"ipv4": {NODE4: 3}}, {"ipv4": {NODE4: {"paths": 3}}}, {"nexthops": None}]
)
def test_path_counts_when_not_understood_are_unknown(document: dict[str, Any]) -> None:
    with pytest.raises(UnknownError, match="isn't understood"):
        bgp_json.path_counts(document)


@pytest.mark.parametrize("version", samples.VERSIONS)
def test_history_entries_of_dampening_are_no_paths(version):
    """The node has withdrawn the VIP, and FRR remembers how often it flapped. Another node still announces it."""
    document = samples.document(version, "dampened.vip")
    assert [path["next_hops"] for path in bgp_json.paths(document, "198.51.100.10/32")] == [["10.1.0.14"]]
    assert bgp_json.history(document, "198.51.100.10/32") == [["10.1.0.13"]]


def test_a_path_that_dampening_suppresses_is_not_valid():
    path = {"valid": True, "nexthops": [{"ip": "10.1.0.13"}], "peer": {}, "dampeningSuppressed": True}
    (found,) = bgp_json.paths({"prefix": "198.51.100.10/32", "paths": [path]}, "198.51.100.10/32")
    assert found["valid"] is False


def test_a_prefix_of_which_there_is_only_history_is_not_announced():
    assert bgp_json.announced(samples.document("10.3", "dampened.nbr-routes")) == ["10.244.3.0/24"]
