# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Options of the modules for routers."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.hitless.nodes.plugins.module_utils.base.net import AddressError
from ansible_collections.hitless.nodes.plugins.module_utils.frr import options
from ansible_collections.hitless.nodes.plugins.module_utils.frr.answers import RouterError
from ansible_collections.hitless.nodes.tests.unit.frr_samples import POD_CIDR, VIP4, VIP6


def test_checked_sessions_when_one_has_no_address() -> None:
    with pytest.raises(RouterError, match="has no address; give each session with its address"):
        options.checked_sessions([{"vrf": "default"}])
    assert options.checked_sessions(None) is None
    given = [{"address": "2001:DB8::0:1", "state": "Established"}]
    assert options.checked_sessions(given) == [{"vrf": "default", "address": "2001:db8::1"}]


@pytest.mark.parametrize(
    ("values", "vrfs", "expected"),
    [
        ([VIP4, VIP4], ["default"], {"default": [VIP4]}),
        ([VIP4], ["default", "blue"], {"default": [VIP4], "blue": [VIP4]}),
        ({"blue": [POD_CIDR, "FD77:0::128"]}, ["default"], {"blue": [POD_CIDR, VIP6]}),
        ([], ["default"], {"default": []}),
    ],
)
def test_checked_prefixes(values: Any, vrfs: list[str], expected: dict[str, list[str]]) -> None:
    assert options.checked_prefixes(values, vrfs) == expected


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ("10.0.0.0/8", "isn't a list"),
        (None, "isn't a list"),
        ({"blue": "10.0.0.0/8"}, "prefixes of VRF blue: '10.0.0.0/8' isn't a list"),
        (["10.0.0.1/8"], "has host bits set"),
        ({"a b": [VIP4]}, "can't be the name of a VRF"),
        ({}, "prefixes is empty"),
    ],
)
def test_checked_prefixes_when_they_are_none(values: Any, words: str) -> None:
    with pytest.raises((RouterError, AddressError), match=words):
        options.checked_prefixes(values, ["default"])


@pytest.mark.parametrize("vrf", ["", "a b", "x\nconfigure", "much-too-long-name"])
def test_checked_vrfs_when_it_can_not_be_a_name(vrf: str) -> None:
    with pytest.raises(RouterError, match="can't be the name of a VRF"):
        options.checked_vrfs([vrf])


def test_checked_addresses() -> None:
    assert options.checked_addresses(["192.0.2.1", "FD00::1"]) == {"192.0.2.1", "fd00::1"}
    with pytest.raises(RouterError, match="addresses is empty"):
        options.checked_addresses([])
