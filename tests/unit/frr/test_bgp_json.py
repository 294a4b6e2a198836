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
    found = bgp_json.neighbor(samples.document(version, name), address)
    assert found is not None
    assert (found["state"], found["established"], found["shut"]) == (state, established, shut)
    assert (found["accepted"], found["remote_as"], found["hold_time"]) == (accepted, 65432, 9)
    assert (found["uptime_seconds"] is None) is not established


@both
def test_neighbor_when_established_tells_graceful_restart(version: str) -> None:
    found = bgp_json.neighbor(samples.document(version, "established.neighbor"), NODE4)
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
    found = bgp_json.neighbor(samples.document(version, "stale.neighbor"), NODE4)
    assert found is not None
    restart = found["graceful_restart"]
    assert (restart["remote_mode"], restart["notification"], restart["long_lived"]) == (None, None, None)
    assert (restart["negotiated"], restart["families"]) == (None, None)
    assert (restart["restart_time"], restart["remaining"]) == (25, 21 if version == "8.4.4" else restart["remaining"])
    assert restart["remaining"] > 0


@both
def test_neighbor_when_there_is_none(version: str) -> None:
    assert bgp_json.neighbor(samples.document(version, "established.absent-neighbor"), "192.168.99.99") is None


@both
@pytest.mark.parametrize("name", ["no-router-bgp.neighbors", "no-peer.neighbors"])
def test_neighbor_when_the_answer_is_empty_is_unknown(version: str, name: str) -> None:
    with pytest.raises(UnknownError, match=f"neighbour {NODE4} isn't understood"):
        bgp_json.neighbor(samples.document(version, name), NODE4)


@pytest.mark.parametrize("document", [{NODE4: {}}, {NODE4: "up"}, {NODE6: {"bgpState": "Established"}}])
def test_neighbor_when_not_understood_is_unknown(document: dict[str, Any]) -> None:
    with pytest.raises(UnknownError, match="isn't understood"):
        bgp_json.neighbor(document, NODE4)


def test_neighbor_when_names_and_units_are_newer() -> None:
    found = bgp_json.neighbor(
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
    found = bgp_json.neighbor({NODE4: session}, NODE4)
    assert found is not None
    return found["graceful_restart"]


# As 8.4.4 and 10.3 say it of an established session.
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
    ("capability", "expected"),
    [("advertisedAndReceived", True), ("advertised", False), ("received", False), (None, None)],
)
def test_long_lived_when_it_is_not_said_is_unknown(capability: str | None, expected: bool | None) -> None:
    assert restart_of({"longLivedGracefulRestart": capability})["long_lived"] is expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [(65432, 65432), ("65432", 65432), ("1.10", 65546), (None, None), ("1.2.3", None), ("internal", None)],
)
def test_as_number(value: Any, expected: int | None) -> None:
    assert bgp_json.as_number(value) == expected


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


@both
def test_installed(version: str) -> None:
    found = bgp_json.installed(samples.document(version, "lab.ipv6-route-vip"), "2001:db8:100::10/128")
    assert sorted(found) == ["fd62::11", "fd62::12", "fd62::13"]
    assert bgp_json.installed(samples.document(version, "lab.ipv6-route-absent"), "2001:db8:100::77/128") == []


@both
def test_installed_when_zebra_prefers_another_route(version: str) -> None:
    """The BGP route is in the RIB with next hops that say "fib", but it isn't the one that is installed."""
    assert bgp_json.installed(samples.document(version, "established.ribfailure-ip-route"), "10.251.0.0/24") == []


def test_installed_when_the_next_hop_is_recursive() -> None:
    hops = [{"ip": NODE6, "recursive": True}, {"ip": "fd99::1", "fib": True}, {"ip": "fd99::7"}, {"fib": True}]
    assert bgp_json.installed({VIP6: [{"installed": True, "nexthops": hops}]}, VIP6) == [NODE6, "fd99::1"]


@pytest.mark.parametrize(
    "document", [{VIP6: {}}, {VIP6: ["x"]}, {VIP6: [{"nexthops": 1}]}, {"fd77::/64": [{"installed": True}]}]
)
def test_installed_when_not_understood_is_unknown(document: dict[str, Any]) -> None:
    with pytest.raises(UnknownError, match="isn't understood"):
        bgp_json.installed(document, VIP6)


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
