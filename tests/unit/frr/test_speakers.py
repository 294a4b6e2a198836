# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.hitless.nodes.plugins.module_utils.frr import speakers
from ansible_collections.hitless.nodes.plugins.module_utils.frr.answers import UnknownError
from ansible_collections.hitless.nodes.tests.unit import frr_samples as samples
from ansible_collections.hitless.nodes.tests.unit.router_bench import both

ROUTER = "192.168.99.10"


@both
def test_every_session_of_the_router_is_listed_with_both_of_its_sides(version: str) -> None:
    found = speakers.speakers(samples.document(version, "established.neighbors"), "default")
    assert {entry["address"]: (entry["remote_as"], entry["internal"]) for entry in found} == {
        "192.168.99.11": (62112, True),
        "192.168.99.12": (65432, False),
        "192.168.99.13": (65432, False),
        "192.168.99.14": (65432, False),
    }
    assert all(entry["router_id"] == entry["address"] == entry["name"] for entry in found)
    assert {(entry["vrf"], entry["local_address"], entry["established"]) for entry in found} == {
        ("default", ROUTER, True)
    }


@both
def test_a_session_that_is_down_has_no_identifier(version: str) -> None:
    found = speakers.speakers(samples.document(version, "stale.neighbors"), "blue")
    (down,) = [entry for entry in found if not entry["established"]]
    assert (down["address"], down["router_id"], down["vrf"]) == (samples.NODE4, None, "blue")


@both
@pytest.mark.parametrize(("name", "up"), [("unnumbered.neighbor", True), ("unnumbered-down.neighbor", False)])
def test_an_unnumbered_session_has_the_name_of_its_interface(version: str, name: str, up: bool) -> None:
    (found,) = speakers.speakers(samples.document(version, name), "default")
    assert (found["name"], found["established"]) == ("p2p", up)
    assert found["address"] is None or found["address"].startswith("fe80::")
    if up:
        assert found["address"]
        assert (found["router_id"], found["remote_as"]) == ("10.62.0.11", 4200000001)


@both
def test_without_neighbours_there_is_no_speaker(version: str) -> None:
    assert speakers.speakers(samples.document(version, "no-peer.neighbors"), "default") == []


@pytest.mark.parametrize("entry", [{}, {"bgpState": None}])
def test_an_entry_that_is_not_understood_is_unknown(entry: dict[str, Any]) -> None:
    with pytest.raises(UnknownError, match="neighbour eth0 isn't understood"):
        speakers.speakers({"vrfId": 0, "eth0": entry}, "default")
