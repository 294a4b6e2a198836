# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.hitless.nodes.plugins.module_utils.frr import bgp_json, forwarding, route_rules
from ansible_collections.hitless.nodes.tests.unit import frr_samples as samples
from ansible_collections.hitless.nodes.tests.unit.frr_samples import (
    NODE4,
    NODE6,
    POD_CIDR,
    VIP4,
    VIP6,
    route,
)

both = pytest.mark.parametrize("version", samples.VERSIONS)
OTHER4 = ["192.168.99.13", "192.168.99.14"]
# What the kernel has in each state: prefix -> next hops.
ALL = [route(VIP4, [NODE4, *OTHER4]), route(POD_CIDR, [NODE4]), route(VIP6, [NODE6, "fd99::13"])]
NOTHING: dict[str, list[dict[str, Any]]] = {key: [] for key in samples.EMPTY}
OTHERS_ONLY = [route(VIP4, OTHER4), route(VIP6, ["fd99::13"])]


def names(state: str, *, six: str | None = None) -> dict[str, str]:
    """Which recorded look-ups belong to a state. six: the IPv6 one, which was not recorded in every state."""
    absent = "established.absent-prefix"
    found = {VIP4: f"{state}.vip", POD_CIDR: f"{state}.podcidr", VIP6: six or absent}
    return {prefix: name for prefix, name in found.items() if name != absent}


def judged(view: dict[str, list[dict[str, Any]]]) -> list[tuple[str, str, bool, Any]]:
    entries = route_rules.not_withdrawn(view)
    return [(e["prefix"], e["where"], e["stale"], e.get("from")) for e in entries]


@both
def test_not_withdrawn_when_established_names_every_path_and_next_hop(version: str) -> None:
    view = samples.view(
        version,
        names("established", six="established.vip6"),
        neighbor="established.neighbor",
        fib=ALL,
        counts="established.nexthop",
    )
    assert sorted(judged(view), key=str) == sorted(
        [(prefix, "bgp", False, sender) for prefix in (VIP4, POD_CIDR, VIP6) for sender in (NODE4, "192.168.99.11")]
        + [(prefix, "fib", False, None) for prefix in (VIP4, POD_CIDR, VIP6)],
        key=str,
    )


@both
def test_not_withdrawn_when_stale_says_so(version: str) -> None:
    view = samples.view(
        version, names("stale", six="stale.vip6"), neighbor="stale.neighbor", fib=ALL, counts="stale.nexthop"
    )
    found = judged(view)
    assert {prefix for prefix, where, stale, _sender in found if stale and where == "bgp"} == {VIP4, POD_CIDR, VIP6}
    assert {prefix for prefix, where, _stale, _sender in found if where == "fib"} == {VIP4, POD_CIDR, VIP6}


@both
def test_not_withdrawn_when_stale_paths_are_of_other_prefixes(version: str) -> None:
    """The prefixes looked up are gone, but the session's counter says that stale paths are left (8.4.4 lists none)."""
    view = samples.view(version, {}, neighbor="stale.neighbor", fib=[])
    entries = route_rules.not_withdrawn(view)
    assert [(e["prefix"], e["family"], e["paths"]) for e in entries] == [("*", "ipv4", 4), ("*", "ipv6", 2)]


def test_not_withdrawn_when_only_the_next_hop_counter_says_so() -> None:
    view = samples.view("10.3", {}, neighbor="expired.neighbor", fib=[], counts="stale.nexthop")
    entries = route_rules.not_withdrawn(view)
    # One entry is enough to go on waiting: the counter can't tell prefixes apart.
    assert [(e["prefix"], e["next_hop"], e["paths"]) for e in entries] == [("*", NODE4, 6)]


@both
def test_withdrawn_when_expired_and_the_vip_is_left_on_other_nodes(version: str) -> None:
    view = samples.view(version, names("expired"), neighbor="expired.neighbor", fib=OTHERS_ONLY)
    assert judged(view) == []


@both
def test_withdrawn_when_the_dynamic_neighbour_has_vanished(version: str) -> None:
    view = samples.view(version, names("expired"), neighbor="established.absent-neighbor", fib=OTHERS_ONLY)
    assert judged(view) == []


@both
def test_not_withdrawn_when_the_dynamic_neighbour_has_vanished_but_the_fib_has_not(version: str) -> None:
    view = samples.view(version, names("expired"), neighbor="established.absent-neighbor", fib=ALL[:1])
    assert judged(view) == [(VIP4, "fib", False, None)]


@both
def test_not_withdrawn_when_another_router_hands_the_node_on(version: str) -> None:
    """iBGP: the session is closed (Cease) and its routes are gone, but the other router still has one."""
    view = samples.view(version, names("peer-deleted"), neighbor="peer-deleted.neighbor", fib=[ALL[1], *OTHERS_ONLY])
    assert judged(view) == [(POD_CIDR, "bgp", False, "192.168.99.11"), (POD_CIDR, "fib", False, None)]


@both
def test_not_withdrawn_when_the_vip_is_left_through_the_other_router_only(version: str) -> None:
    view = samples.view(version, {VIP4: "vip-gone.vip"}, neighbor="peer-deleted.neighbor", fib=[])
    assert judged(view) == [(VIP4, "bgp", False, "192.168.99.11")]


@both
def test_not_withdrawn_when_ipv4_is_gone_and_ipv6_is_left(version: str) -> None:
    view = samples.view(
        version, {**names("expired"), VIP6: "stale.vip6"}, neighbor="expired.neighbor", fib=[*OTHERS_ONLY, ALL[2]]
    )
    assert {prefix for prefix, _where, _stale, _sender in judged(view)} == {VIP6}


def test_not_withdrawn_when_an_ipv4_prefix_has_the_nodes_ipv6_next_hop() -> None:
    paths = [{"next_hops": [NODE6], "from": NODE6, "stale": False, "valid": True, "bestpath": True, "multipath": False}]
    view = {
        **NOTHING,
        "routes": route_rules.over_node("default", POD_CIDR, paths, samples.ADDRESSES),
        "fib": forwarding.forwarded([route(POD_CIDR, [NODE6])], samples.ADDRESSES),
    }
    assert judged(view) == [(POD_CIDR, "bgp", False, NODE6), (POD_CIDR, "fib", False, None)]


@both
def test_not_withdrawn_when_only_the_kernel_still_has_it(version: str) -> None:
    view = samples.view(version, names("expired"), neighbor="expired.neighbor", fib=[route(POD_CIDR, [NODE4])])
    assert judged(view) == [(POD_CIDR, "fib", False, None)]


@both
def test_not_withdrawn_when_a_shorter_route_forwards_to_the_node(version: str) -> None:
    fib = [route(POD_CIDR, [NODE4], matched="10.0.0.0/8")]
    view = samples.view(version, names("expired"), neighbor="expired.neighbor", fib=fib)
    assert judged(view) == [(POD_CIDR, "fib", False, None)]


def test_not_withdrawn_looks_at_every_vrf() -> None:
    view = {
        **NOTHING,
        "fib": forwarding.forwarded([route(POD_CIDR, [NODE4], vrf="blue")], samples.ADDRESSES),
        "counts": [{"vrf": "red", "next_hop": NODE6, "paths": 3}],
        "staying": [],
    }
    entries = route_rules.not_withdrawn(view)
    assert [(e["vrf"], e["prefix"], e["where"]) for e in entries] == [("blue", POD_CIDR, "fib"), ("red", "*", "bgp")]


WANTED = {"default": [VIP4, POD_CIDR, VIP6]}


def missing(view: dict[str, list[dict[str, Any]]]) -> list[tuple[str, str]]:
    return [(entry["prefix"], entry["where"]) for entry in route_rules.not_present(view, WANTED)]


@both
def test_present_when_established_and_installed(version: str) -> None:
    view = samples.view(version, names("established", six="established.vip6"), neighbor="established.neighbor", fib=ALL)
    assert missing(view) == []


@both
def test_not_present_when_the_session_is_down_though_the_other_router_has_all_paths(version: str) -> None:
    view = samples.view(version, names("stale", six="stale.vip6"), neighbor="stale.neighbor", fib=ALL)
    # The paths over the other router are fresh: only the session tells.
    assert missing(view) == [("*", "session")]


@both
def test_not_present_when_all_paths_are_stale(version: str) -> None:
    view = samples.view(version, names("stale", six="stale.vip6"), neighbor="established.neighbor", fib=ALL)
    view["routes"] = [entry for entry in view["routes"] if entry["stale"]]
    assert missing(view) == [(VIP4, "bgp"), (POD_CIDR, "bgp"), (VIP6, "bgp")]


@both
def test_not_present_when_nothing_is_there(version: str) -> None:
    view = samples.view(version, names("expired"), neighbor="expired.neighbor", fib=OTHERS_ONLY)
    assert missing(view) == [(VIP4, "bgp"), (POD_CIDR, "bgp"), (VIP6, "bgp"), ("*", "session")]


@both
def test_not_present_when_bgp_has_it_but_the_kernel_has_not(version: str) -> None:
    """RIB failure, or frr started before the network was up: valid and best in BGP, not forwarded."""
    prefix = "10.251.0.0/24"
    view = samples.view(version, {prefix: "established.ribfailure"}, neighbor="established.neighbor", fib=[])
    entries = route_rules.not_present(view, {"default": [prefix]})
    assert [(e["prefix"], e["where"], e["next_hop"]) for e in entries] == [(prefix, "fib", NODE4)]


@both
def test_not_present_when_only_a_shorter_route_forwards_to_the_node(version: str) -> None:
    fib = [ALL[0], route(POD_CIDR, [NODE4], matched="10.0.0.0/8"), ALL[2]]
    view = samples.view(version, names("established", six="established.vip6"), neighbor="established.neighbor", fib=fib)
    assert missing(view) == [(POD_CIDR, "fib")]


def test_not_present_when_the_path_is_not_valid() -> None:
    entry = {"vrf": "default", "prefix": POD_CIDR, "family": "ipv4", "next_hop": NODE4, "valid": False, "stale": False}
    view: dict[str, list[dict[str, Any]]] = {**NOTHING, "routes": [entry]}
    assert [e["where"] for e in route_rules.not_present(view, {"default": [POD_CIDR]})] == ["bgp"]


@both
@pytest.mark.parametrize(("shut", "accepted"), [(True, {"ipv4": 0}), (False, {"ipv6": 0}), (False, {})])
def test_present_when_a_session_that_is_down_does_not_matter(
    version: str, shut: bool, accepted: dict[str, int]
) -> None:
    """Shut down by the router's configuration, or of a family that isn't looked for."""
    view = samples.view(version, {VIP4: "established.vip"}, neighbor="established.neighbor", fib=ALL)
    down = {**view["neighbors"][0], "established": False, "state": "Idle", "shut": shut, "accepted": accepted}
    view["neighbors"].append({**down, "address": NODE6})
    assert route_rules.not_present(view, {"default": [VIP4]}) == []


@both
def test_present_when_a_prefix_that_was_never_installed_is_in_bgp_only(version: str) -> None:
    prefix = "10.251.0.0/24"
    view = samples.view(version, {prefix: "established.ribfailure"}, neighbor="established.neighbor", fib=[])
    assert route_rules.not_present(view, {"default": [prefix]}, forwarded={"default": []}) == []
    assert len(route_rules.not_present(view, {"default": [prefix]}, forwarded={"default": [prefix]})) == 1


@both
def test_not_present_when_a_session_that_was_up_before_is_not_listed(version: str) -> None:
    """A dynamic neighbour that is down, while the other router has all its paths."""
    view = samples.view(version, names("established", six="established.vip6"), neighbor="established.neighbor", fib=ALL)
    sessions = [{"vrf": "default", "address": NODE4}]
    assert route_rules.not_present(view, WANTED, sessions=sessions) == []
    entries = route_rules.not_present({**view, "neighbors": []}, WANTED, sessions=sessions)
    assert [(e["where"], e["next_hop"], e["state"]) for e in entries] == [("session", NODE4, "not there")]
    assert route_rules.described(entries) == f"session with {NODE4} is not there (ipv4)"


@both
def test_present_when_a_session_that_was_down_before_still_is(version: str) -> None:
    view = samples.view(version, names("established", six="established.vip6"), neighbor="established.neighbor", fib=ALL)
    down = {**view["neighbors"][0], "established": False, "state": "Active", "address": NODE6, "accepted": {"ipv6": 0}}
    view["neighbors"].append(down)
    assert [entry["where"] for entry in route_rules.not_present(view, WANTED)] == ["session"]
    assert route_rules.not_present(view, WANTED, sessions=[{"vrf": "default", "address": NODE4}]) == []


def test_unused_when_only_prefixes_without_another_way_are_forwarded() -> None:
    own = [{"next_hops": [NODE4], "from": NODE4, "internal": False, "valid": True, "reachable": True, "stale": False}]
    other = {**own[0], "next_hops": ["192.168.99.13"], "from": "192.168.99.13"}
    ways = [
        *route_rules.over_others("default", VIP4, [*own, other], {NODE4}),
        *route_rules.over_others("default", POD_CIDR, own, {NODE4}),
        *route_rules.over_others("default", "10.9.0.0/24", [*own, {**other, "stale": True}], {NODE4}),
        *route_rules.over_others("default", "10.8.0.0/24", [*own, {**other, "valid": False}], {NODE4}),
        *route_rules.over_others("default", "10.7.0.0/24", [*own, {**other, "reachable": False}], {NODE4}),
    ]
    path = {"next_hops": ["192.168.99.13"], "from": "192.168.99.13", "internal": False}
    assert ways == [{"vrf": "default", "prefix": VIP4, "paths": [path]}]
    fib = forwarding.forwarded([route(VIP4, [NODE4, "192.168.99.13"]), route(POD_CIDR, [NODE4])], {NODE4})
    left = route_rules.not_unused({**NOTHING, "fib": fib, "others": ways})
    assert [(e["prefix"], e["where"]) for e in left] == [(VIP4, "fib")]
    assert route_rules.not_unused({**NOTHING, "fib": fib[1:], "others": ways}) == []


@pytest.mark.parametrize("version", samples.VERSIONS)
def test_other_ways_are_paths_over_other_next_hops(version: str) -> None:
    paths = bgp_json.paths(samples.document(version, "established.vip"), VIP4)
    (found,) = route_rules.over_others("default", VIP4, paths, samples.ADDRESSES)
    hops = sorted((path["next_hops"], path["from"], path["internal"]) for path in found["paths"])
    assert hops == [([f"192.168.99.{last}"], f"192.168.99.{last}", False) for last in (13, 14)]


@pytest.mark.parametrize("version", samples.VERSIONS)
def test_a_path_whose_next_hop_is_not_reachable_is_no_other_way(version: str) -> None:
    prefix = "10.250.0.0/24"
    paths = bgp_json.paths(samples.document(version, "established.inaccessible"), prefix)
    assert paths
    assert route_rules.over_others("default", prefix, paths, set()) == []


def test_a_history_entry_of_dampening_is_no_other_way() -> None:
    hop = {"ip": "192.168.99.13", "afi": "ipv4", "accessible": True, "used": True}
    peer = {"peerId": "192.168.99.13", "type": "external"}
    entry = {"dampeningHistoryEntry": True, "nexthops": [hop], "peer": peer}
    paths = bgp_json.paths({"prefix": VIP4, "paths": [entry]}, VIP4)
    assert route_rules.over_others("default", VIP4, paths, {NODE4}) == []


@both
def test_with_installed_tells_what_the_kernel_has(version: str) -> None:
    view = samples.view(version, names("established"), neighbor="established.neighbor", fib=ALL[:1])
    found = {(entry["prefix"], entry["installed"]) for entry in route_rules.with_installed(view)}
    assert found == {(VIP4, True), (POD_CIDR, False)}


def path(sender: str, *hops: str) -> dict[str, Any]:
    return {
        "next_hops": list(hops),
        "from": sender,
        "stale": False,
        "valid": True,
        "bestpath": True,
        "multipath": False,
    }


@pytest.mark.parametrize(
    ("paths", "expected"),
    [
        ([path(NODE6, NODE6, "fe80::12")], {"fe80::12"}),
        ([path(NODE6, NODE6)], set()),
        # Another router may put its own link-local address beside the node's global one.
        ([path("fd99::11", NODE6, "fe80::11")], set()),
        ([path("fd99::13", "fd99::13", "fe80::13")], set()),
    ],
)
def test_link_locals_are_learned_from_the_nodes_own_paths(paths: list[dict[str, Any]], expected: set[str]) -> None:
    assert route_rules.link_locals(paths, samples.ADDRESSES) == expected


def entry(prefix: str, where: str = "bgp", **more: Any) -> dict[str, Any]:
    family = "ipv6" if ":" in prefix else "ipv4"
    return {
        "vrf": "default",
        "family": family,
        "prefix": prefix,
        "next_hop": NODE4,
        "where": where,
        "stale": False,
        **more,
    }


@pytest.mark.parametrize(
    ("entries", "expected"),
    [
        ([], ""),
        (
            [entry(VIP4, stale=True), entry(VIP4), entry(VIP4), entry(VIP4, "fib")],
            f"{VIP4} (ipv4, stale in BGP, BGP, FIB)",
        ),
        ([entry(VIP6, vrf="blue")], f"{VIP6} (ipv6, VRF blue, BGP)"),
        ([entry("*", paths=3)], f"3 other paths over {NODE4} (ipv4)"),
        ([entry("*", "session", state="Idle")], f"session with {NODE4} is Idle (ipv4)"),
        ([entry(VIP4, "unknown")], f"{VIP4} (ipv4)"),
        ([entry(f"10.0.{n}.0/24") for n in range(7)], " and 2 more"),
    ],
)
def test_described(entries: list[dict[str, Any]], expected: str) -> None:
    text = route_rules.described(entries)
    assert text == expected or (len(entries) > 5 and text.endswith(expected))


def test_prefixes_of_counts_each_prefix_once() -> None:
    entries = [entry(VIP4), entry(VIP4, "fib"), entry("*", paths=3), entry(VIP6)]
    assert route_rules.prefixes_of(entries) == [("default", VIP4), ("default", VIP6)]


def test_samples_hold_the_trap_that_the_rules_are_about() -> None:
    """FRR 8.4.4 lists no route of the neighbour while its stale paths are in use."""
    assert bgp_json.announced(samples.document("8.4.4", "stale.nbr-routes")) == []


@both
@pytest.mark.parametrize("state", ["established", "stale"])
def test_kept_is_fresh_or_stale(version: str, state: str) -> None:
    wanted = {"default": [VIP4, POD_CIDR, VIP6]}
    view = samples.view(version, names(state, six=f"{state}.vip6"), neighbor=f"{state}.neighbor", fib=ALL)
    assert route_rules.not_kept(view, wanted) == []
    without = samples.view(version, names(state, six=f"{state}.vip6"), neighbor=f"{state}.neighbor", fib=ALL[:2])
    assert [(e["prefix"], e["where"]) for e in route_rules.not_kept(without, wanted)] == [(VIP6, "fib")]
    assert route_rules.not_kept(without, wanted, forwarded={"default": [VIP4, POD_CIDR]}) == []


@both
def test_not_kept_is_what_has_expired_though_others_announce_the_vip(version: str) -> None:
    view = samples.view(version, names("expired"), neighbor="expired.neighbor", fib=OTHERS_ONLY)
    lost = route_rules.not_kept(view, {"default": [VIP4, POD_CIDR, VIP6]})
    assert [(e["prefix"], e["where"], e["stale"]) for e in lost] == [
        (VIP4, "bgp", False),
        (POD_CIDR, "bgp", False),
        (VIP6, "bgp", False),
    ]
