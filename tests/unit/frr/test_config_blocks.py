# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.hitless.nodes.plugins.module_utils.frr.config_blocks import (
    Instance,
    blocks,
    instances,
    lines,
    of_vrf,
)
from ansible_collections.hitless.nodes.tests.unit import frr_samples as samples

both = pytest.mark.parametrize("version", samples.VERSIONS)


def instance(config: list[str], vrf: str) -> Instance | None:
    """The instance of a VRF in a configuration."""
    return of_vrf(instances(blocks(config)), vrf)


@both
def test_settings_of_an_address_and_of_an_interface(version: str) -> None:
    found = instance(lines(samples.text(version, "unnumbered.running-config")), "default")
    assert found
    assert found.head == "router bgp 62112"
    assert found.settings("10.62.0.11") == ["remote-as 65432", "password hitless-lab", "timers connect 1"]
    assert found.settings("p2p")[0] == "interface remote-as external"
    # 10.62.0.1 is no neighbour, and no beginning of one either.
    assert found.settings("10.62.0.1") == []


def test_instance_of_each_vrf() -> None:
    config = ["router bgp 1.10", " neighbor a shutdown", "exit", "router bgp 65000 vrf blue", " neighbor b x", "exit"]
    default, blue = instance(config, "default"), instance(config, "blue")
    assert default
    assert (default.head, default.asn, default.general) == ("router bgp 1.10", "1.10", ["neighbor a shutdown"])
    assert blue
    assert (blue.head, blue.asn, blue.general) == ("router bgp 65000 vrf blue", "65000", ["neighbor b x"])
    assert instance(config, "red") is None


def test_instance_of_a_view_is_no_vrf() -> None:
    assert instance(["router bgp 65000 view blue", " neighbor b x"], "blue") is None


def test_lines_of_a_family_are_no_general_settings() -> None:
    config = [
        "router bgp 65000",
        " neighbor a remote-as 1",
        " !",
        " address-family ipv4 unicast",
        "  neighbor a activate",
        " exit-address-family",
        " address-family l2vpn evpn",
        "  neighbor a route-map x in",
        " exit-address-family",
        "exit",
    ]
    found = instance(config, "default")
    assert found
    assert found.settings("a") == ["remote-as 1"]
    assert found.families == {"ipv4": ["neighbor a activate"], "ipv6": []}
