# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Instances without neighbours. Recorded: a default VRF with only a listen range, and a VRF that imports from it."""

from __future__ import annotations

import pytest
from ansible_collections.hitless.nodes.plugins.module_utils.frr import no_neighbors
from ansible_collections.hitless.nodes.plugins.module_utils.frr.answers import UnknownError
from ansible_collections.hitless.nodes.tests.unit import frr_samples as samples
from ansible_collections.hitless.nodes.tests.unit.router_bench import NO_ROUTE, Bench, both, kernel, recorded, zebra

NODE, VIP = "10.1.0.13", "198.51.100.10/32"


def config(*lines: str, vrf: str = "") -> str:
    inside = "".join(f" {line}\n" for line in lines)
    return f"frr version 10.3\n!\nrouter bgp 65001{vrf}\n{inside}exit\n!\nend\n"


@both
@pytest.mark.parametrize("vrf", ["default", "blue"])
def test_recorded_instances_are_explained(version: str, vrf: str) -> None:
    text = samples.text(version, "listen-range.running-config")
    assert no_neighbors.is_explained(text, vrf)
    assert not no_neighbors.is_explained(text, "red")


@pytest.mark.parametrize(
    ("text", "explained"),
    [
        (config("bgp listen range 10.1.0.0/24 peer-group rack"), True),
        (config("bgp listen limit 50", "neighbor rack peer-group"), False),
        (config("address-family ipv4 unicast", " import vrf default", "exit-address-family"), True),
        (config("address-family ipv6 unicast", " import vrf blue", "exit-address-family"), True),
        (config("address-family ipv4 unicast", " import vpn", "exit-address-family"), True),
        (config("address-family ipv4 unicast", " import vrf route-map leak", "exit-address-family"), False),
        (config("address-family ipv4 unicast", " export vpn", "exit-address-family"), False),
        (config("bgp router-id 10.0.0.1"), False),
        (config("bgp listen range 10.1.0.0/24 peer-group rack", vrf=" vrf blue"), False),
        ("", False),
    ],
)
def test_what_explains_it(text: str, explained: bool) -> None:
    assert no_neighbors.is_explained(text, "default") is explained


def lonely(bench: Bench, version: str, text: str) -> None:
    """A router all of whose neighbours were dynamic ones, and have gone."""
    bench.vtysh.answers(
        {
            "show bgp vrfs json": recorded(version, "listen-range.vrfs"),
            "show running-config": (0, text, ""),
            f"show bgp neighbors {NODE} json": recorded(version, "listen-range.neighbor"),
            f"show bgp vrf blue neighbors {NODE} json": recorded(version, "listen-range.neighbor"),
            f"show bgp ipv4 unicast {VIP} json": (0, "{}", ""),
            f"show bgp vrf blue ipv4 unicast {VIP} json": (0, "{}", ""),
            f"show ip route vrf default {VIP} json": zebra(VIP, []),
            f"show ip route vrf blue {VIP} json": zebra(VIP, []),
            "show bgp nexthop json": (0, '{"ipv4": {}, "ipv6": {}}', ""),
            "show bgp vrf blue nexthop json": (0, '{"ipv4": {}, "ipv6": {}}', ""),
        }
    )
    head = "route get fibmatch 198.51.100.10"
    bench.ip.answers({head: NO_ROUTE, f"{head} vrf blue": NO_ROUTE})


@both
@pytest.mark.parametrize("vrfs", [["default"], ["default", "blue"]])
def test_dynamic_neighbours_that_have_gone_and_vrfs_that_only_import_are_withdrawn(
    bench: Bench, version: str, vrfs: list[str]
) -> None:
    lonely(bench, version, samples.text(version, "listen-range.running-config"))
    wait = bench.waiting("withdrawn", {vrf: [VIP] for vrf in vrfs})
    wait.router.addresses = {NODE}
    assert wait.look()["remaining"] == []


@both
def test_what_the_kernel_still_has_counts_there_too(bench: Bench, version: str) -> None:
    lonely(bench, version, samples.text(version, "listen-range.running-config"))
    bench.ip.answers({"route get fibmatch 198.51.100.10": kernel("198.51.100.10", [NODE])})
    wait = bench.waiting("withdrawn", {"default": [VIP]})
    wait.router.addresses = {NODE}
    assert [entry["where"] for entry in wait.look()["remaining"]] == ["fib"]


@both
@pytest.mark.parametrize("text", [config("bgp router-id 10.0.0.1"), "frr version 10.3\n", ""])
def test_an_instance_that_nothing_explains_is_unknown(bench: Bench, version: str, text: str) -> None:
    lonely(bench, version, text)
    wait = bench.waiting("withdrawn", {"default": [VIP]})
    wait.router.addresses = {NODE}
    with pytest.raises(UnknownError, match="VRF default has no neighbours, which neither 'bgp listen range' nor"):
        wait.look()
