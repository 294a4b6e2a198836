# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.hitless.nodes.plugins.module_utils.frr import config_diff as rc
from ansible_collections.hitless.nodes.tests.unit import frr_samples as samples

both = pytest.mark.parametrize("version", samples.VERSIONS)


@both
def test_settings_of_an_address_and_of_an_interface(version: str) -> None:
    found = rc.instance(rc.lines(samples.text(version, "unnumbered.running-config")), "default")
    assert found
    head, inside = found
    assert head == "router bgp 62112"
    assert rc.settings(inside, "10.62.0.11") == ["remote-as 65432", "password hitless-lab", "timers connect 1"]
    assert rc.settings(inside, "p2p")[0] == "interface remote-as external"
    # 10.62.0.1 is no neighbour, and no beginning of one either.
    assert rc.settings(inside, "10.62.0.1") == []


def test_instance_of_each_vrf() -> None:
    config = ["router bgp 1.10", " neighbor a shutdown", "exit", "router bgp 65000 vrf blue", " neighbor b x", "exit"]
    assert rc.instance(config, "default") == ("router bgp 1.10", [" neighbor a shutdown"])
    assert rc.instance(config, "blue") == ("router bgp 65000 vrf blue", [" neighbor b x"])
    assert rc.instance(config, "red") is None


def test_instance_of_a_view_is_no_vrf() -> None:
    assert rc.instance(["router bgp 65000 view blue", " neighbor b x"], "blue") is None


@pytest.mark.parametrize(
    ("settings", "ours", "graceful"),
    [
        (["remote-as 1"], False, False),
        (["shutdown"], False, False),
        (["shutdown message cable is broken"], False, False),
        (["shutdown message hitless.nodes"], True, False),
        (["graceful-shutdown"], False, True),
    ],
)
def test_what_settings_mean(settings: list[str], ours: bool, graceful: bool) -> None:
    assert (rc.is_shut_by_us(settings), rc.is_graceful(settings)) == (ours, graceful)


@both
def test_no_difference_with_itself(version: str) -> None:
    config = rc.lines(samples.text(version, "unnumbered.running-config"))
    assert rc.differences(config, config) == []


def test_differences_tell_no_secret() -> None:
    before = ["router bgp 1", " neighbor a remote-as 2", " neighbor a password old-one"]
    after = ["router bgp 1", " neighbor a remote-as 2", " neighbor a password new-one", " neighbor a shutdown"]
    assert rc.differences(before, after) == [
        "- neighbor a password ...",
        "+ neighbor a password ...",
        "+ neighbor a shutdown",
    ]
