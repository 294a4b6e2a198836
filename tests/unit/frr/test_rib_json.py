# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.hitless.nodes.plugins.module_utils.frr import rib_json
from ansible_collections.hitless.nodes.plugins.module_utils.frr.answers import UnknownError
from ansible_collections.hitless.nodes.tests.unit import frr_samples as samples
from ansible_collections.hitless.nodes.tests.unit.frr_samples import NODE6, VIP6

both = pytest.mark.parametrize("version", samples.VERSIONS)


def hops_of(document: dict[str, Any], prefix: str) -> list[tuple[str | None, list[str]]]:
    return [(hop["next_hop"], hop["kernel"]) for hop in rib_json.installed(document, prefix)[0]]


@both
def test_installed(version: str) -> None:
    found = rib_json.installed(samples.document(version, "lab.ipv6-route-vip"), "2001:db8:100::10/128")
    assert sorted(hop["next_hop"] for hop in found[0]) == ["fd62::11", "fd62::12", "fd62::13"]
    assert all(hop["kernel"] == [hop["next_hop"]] and not hop["recursive"] for hop in found[0])
    assert found[1] == 254
    absent = samples.document(version, "lab.ipv6-route-absent")
    assert rib_json.installed(absent, "2001:db8:100::77/128") == ([], None)


@both
def test_installed_when_zebra_prefers_another_route(version: str) -> None:
    """The BGP route is in the RIB with next hops that say "fib", but it isn't the one that is installed."""
    document = samples.document(version, "established.ribfailure-ip-route")
    assert hops_of(document, "10.251.0.0/24") == [(None, [])]


@both
def test_installed_when_the_next_hops_are_recursive(version: str) -> None:
    """Two nodes behind one gateway: the second time it is marked as a duplicate, on 10.3 without "fib"."""
    document = samples.document(version, "recursive.ip-route-vip")
    assert hops_of(document, "198.51.100.10/32") == [("10.1.0.13", ["10.9.0.1"]), ("10.1.0.14", ["10.9.0.1"])]


def test_installed_when_a_next_hop_is_recursive_twice_or_not_in_use() -> None:
    hops = [
        {"ip": NODE6, "recursive": True},
        {"ip": "fd88::1", "recursive": True, "resolver": True},
        {"ip": "fd99::1", "fib": True, "resolver": True},
        {"ip": "fd99::6", "resolver": True},
        {"ip": "fd99::7"},
        {"fib": True},
    ]
    assert hops_of({VIP6: [{"installed": True, "nexthops": hops}]}, VIP6) == [(NODE6, ["fd99::1"]), (None, [])]


@pytest.mark.parametrize(
    "document", [{VIP6: {}}, {VIP6: ["x"]}, {VIP6: [{"nexthops": 1}]}, {"fd77::/64": [{"installed": True}]}]
)
def test_installed_when_not_understood_is_unknown(document: dict[str, Any]) -> None:
    with pytest.raises(UnknownError, match="isn't understood"):
        rib_json.installed(document, VIP6)


@pytest.mark.parametrize("document", [{"10.0.0.0/8": []}, {"10.251.0.0/24": [{}]}, {"10.251.0.0/24": {}}])
def test_zebras_answer_that_is_not_understood(document):
    with pytest.raises(UnknownError, match="isn't understood"):
        rib_json.rib(document, "10.251.0.0/24")


@pytest.mark.parametrize("version", samples.VERSIONS)
def test_zebras_routes_of_all_protocols(version):
    found = rib_json.rib(samples.document(version, "established.ribfailure-ip-route"), "10.251.0.0/24")
    assert [(each["protocol"], each["selected"], each["installed"]) for each in found] == [
        ("bgp", False, False),
        ("kernel", True, True),
    ]
    assert rib_json.rib({}, "10.251.0.0/24") == []
