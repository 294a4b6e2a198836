# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.hitless.nodes.plugins.module_utils.frr import neighbor_json
from ansible_collections.hitless.nodes.plugins.module_utils.frr.answers import UnknownError
from ansible_collections.hitless.nodes.tests.unit import frr_samples as samples
from ansible_collections.hitless.nodes.tests.unit.frr_samples import NODE4, NODE6

both = pytest.mark.parametrize("version", samples.VERSIONS)


@both
@pytest.mark.parametrize(
    ("name", "address", "state", "established", "shut", "accepted"),
    [
        ("established.neighbor", NODE4, "Established", True, False, {"ipv4": 4, "ipv6": 2}),
        ("stale.neighbor", NODE4, "Active", False, False, {"ipv4": 4, "ipv6": 2}),
        ("expired.neighbor", NODE4, "Active", False, False, {"ipv4": 0, "ipv6": 0}),
        ("peer-deleted.neighbor", NODE4, "Idle", False, False, {"ipv4": 0, "ipv6": 0}),
        ("frr-shutdown.neighbor", "192.168.99.13", "Idle", False, True, {"ipv4": 0, "ipv6": 0}),
    ],
)
def test_neighbor_in_each_state(
    version: str, name: str, address: str, state: str, established: bool, shut: bool, accepted: dict[str, int]
) -> None:
    found = neighbor_json.neighbor(samples.document(version, name), address)
    assert found is not None
    assert (found["state"], found["established"], found["shut"]) == (state, established, shut)
    assert (found["accepted"], found["remote_as"], found["hold_time"]) == (accepted, 65432, 9)
    assert (found["uptime_seconds"] is None) is not established


@both
def test_neighbor_when_established_tells_graceful_restart(version: str) -> None:
    found = neighbor_json.neighbor(samples.document(version, "established.neighbor"), NODE4)
    assert found is not None
    assert found["graceful_restart"] == {
        "local_mode": "Helper",
        "remote_mode": "Restart",
        "negotiated": True,
        "families": ["ipv4", "ipv6"],
        "notification": True,
        "restarted": False,
        "restart_time": 25,
        "remaining": None,
        "long_lived": False,
        "long_lived_stale_time": None if version == "8.4.4" else 0,
    }


@both
def test_neighbor_when_stale_does_not_tell_the_bits(version: str) -> None:
    found = neighbor_json.neighbor(samples.document(version, "stale.neighbor"), NODE4)
    assert found is not None
    restart = found["graceful_restart"]
    assert (restart["remote_mode"], restart["notification"], restart["long_lived"]) == (None, None, None)
    assert (restart["negotiated"], restart["families"]) == (None, None)
    assert (restart["restart_time"], restart["remaining"]) == (25, 21 if version == "8.4.4" else restart["remaining"])
    assert restart["remaining"] > 0


@both
def test_neighbor_when_there_is_none(version: str) -> None:
    assert neighbor_json.neighbor(samples.document(version, "established.absent-neighbor"), "192.168.99.99") is None


@both
@pytest.mark.parametrize("name", ["no-router-bgp.neighbors", "no-peer.neighbors"])
def test_neighbor_when_the_answer_is_empty_is_unknown(version: str, name: str) -> None:
    with pytest.raises(UnknownError, match=f"neighbour {NODE4} isn't understood"):
        neighbor_json.neighbor(samples.document(version, name), NODE4)


@pytest.mark.parametrize("document", [{NODE4: {}}, {NODE4: "up"}, {NODE6: {"bgpState": "Established"}}])
def test_neighbor_when_not_understood_is_unknown(document: dict[str, Any]) -> None:
    with pytest.raises(UnknownError, match="isn't understood"):
        neighbor_json.neighbor(document, NODE4)


def test_neighbor_when_names_and_units_are_newer() -> None:
    found = neighbor_json.neighbor(
        {
            "vrfName": "blue",
            "FD99::12": {
                "remoteAs": "65432",
                "bgpState": "Established",
                "bgpTimerUpSec": 5,
                "bgpTimerHoldTimeSec": 9,
                "neighborCapabilities": {"longLivedGracefulRestart": "advertisedAndReceived"},
                "gracefulRestartInfo": {"ipv6Unicast": {"timers": {"llgrStaleTime": 3600}}},
                "addressFamilyInfo": {"ipv6Unicast": {}, "l2VpnEvpn": {}},
            },
        },
        NODE6,
    )
    assert found is not None
    assert (found["uptime_seconds"], found["hold_time"], found["accepted"]) == (5, 9, {"ipv6": None})
    assert found["graceful_restart"]["long_lived"] is True
    assert found["graceful_restart"]["long_lived_stale_time"] == 3600
    assert found["graceful_restart"]["notification"] is None
    assert (found["graceful_restart"]["negotiated"], found["graceful_restart"]["families"]) == (None, None)


def restart_of(capabilities: dict[str, Any], local: str = "Helper*", remote: str = "Restart") -> dict[str, Any]:
    info = {"localGrMode": local, "remoteGrMode": remote}
    session = {"bgpState": "Established", "neighborCapabilities": capabilities, "gracefulRestartInfo": info}
    found = neighbor_json.neighbor({NODE4: session}, NODE4)
    assert found is not None
    return found["graceful_restart"]


@pytest.mark.parametrize(
    ("value", "expected"),
    [(65432, 65432), ("65432", 65432), ("1.10", 65546), (None, None), ("1.2.3", None), ("internal", None)],
)
def test_as_number(value: Any, expected: int | None) -> None:
    assert neighbor_json.as_number(value) == expected


@pytest.mark.parametrize(
    ("capability", "expected"),
    [("advertisedAndReceived", True), ("advertised", False), ("received", False), (None, None)],
)
def test_long_lived_when_it_is_not_said_is_unknown(capability: str | None, expected: bool | None) -> None:
    assert restart_of({"longLivedGracefulRestart": capability})["long_lived"] is expected


@pytest.mark.parametrize(
    ("listed", "expected"),
    [
        ({"ipv4Unicast": {}}, ["ipv4"]),
        ({"ipv6Unicast": {"preserved": True}, "l2VpnEvpn": {}}, ["ipv6"]),
        ("none", []),
        (None, None),
    ],
)
def test_graceful_restart_families(listed: Any, expected: list[str] | None) -> None:
    assert restart_of({"addressFamiliesByPeer": listed})["families"] == expected


@pytest.mark.parametrize(
    ("capabilities", "local", "remote", "expected"),
    [
        ({"gracefulRestart": "advertisedAndReceived"}, "Helper*", "Restart", True),
        # Configured since, but not applied to this session.
        ({"gracefulRestart": "advertisedAndReceived"}, "Disable*", "Restart", True),
        ({"gracefulRestart": "advertised"}, "Helper*", "Disable", False),
        ({"gracefulRestartCapability": "advertised"}, "Helper*", "Disable", False),
        ({"gracefulRestart": "received", "gracefulRestartCapability": "received"}, "Disable*", "NotApplicable", False),
        ({}, "Disable*", "NotApplicable", False),
        ({}, "Helper*", "Restart", None),
        ({}, "Helper*", "NotApplicable", None),
        ({"gracefulRestart": "exchanged"}, "Helper*", "Restart", None),
    ],
)
def test_graceful_restart_is_negotiated_if_both_sides_sent_it(
    capabilities: dict[str, Any], local: str, remote: str, expected: bool | None
) -> None:
    assert restart_of(capabilities, local, remote)["negotiated"] is expected
