# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is forwarded to a node by the words of kernel and zebra. Recorded: two nodes behind one gateway."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest
from ansible_collections.hitless.nodes.plugins.module_utils.frr import forwarding, rib_json, route_rules
from ansible_collections.hitless.nodes.tests.unit import frr_samples as samples
from ansible_collections.hitless.nodes.tests.unit.frr_samples import route

both = pytest.mark.parametrize("version", samples.VERSIONS)
N1, N2, GATE = "10.1.0.13", "10.1.0.14", "10.9.0.1"
N1_6, GATE6 = "fd01::13", "fd09::1"
VIP, PODS, VIP6 = "198.51.100.10/32", "10.244.3.0/24", "fd77::10/128"
OWN = (N1, N1_6)
RECORDED = {VIP: "recursive.ip-route-vip", PODS: "recursive.ip-route-podcidr", VIP6: "recursive.ipv6-route-vip"}


def of_zebra(version: str, prefix: str) -> dict[str, Any]:
    """What zebra has installed for a prefix in the recording."""
    hops, table = rib_json.installed(samples.document(version, RECORDED[prefix]), prefix)
    return {"vrf": "default", "prefix": prefix, "hops": hops, "table": table}


def zebra(prefix: str, hops: list[str], table: int | None = 254, vrf: str = "default") -> dict[str, Any]:
    """A route of zebra's over hosts on its links."""
    listed = [{"next_hop": hop, "recursive": False, "kernel": [hop]} for hop in hops]
    return {"vrf": vrf, "prefix": prefix, "hops": listed, "table": table}


def kernel(prefix: str, hops: list[str], **more: Any) -> dict[str, Any]:
    return {**route(prefix, hops), "table": 254, **more}


def judged(prefix: str, routes: list[Any], entry: dict[str, Any] | None, own: Iterable[str] = OWN) -> dict[str, Any]:
    wanted = {entry["vrf"] if entry else "default": [prefix]}
    return forwarding.judged(wanted, routes, [entry] if entry else [], set(own))


def withdrawn(found: dict[str, Any]) -> bool:
    """Whether a look that finds nothing else than this counts as withdrawn."""
    return not route_rules.not_withdrawn({**{key: [] for key in samples.EMPTY}, **found})


@both
@pytest.mark.parametrize("prefix", [VIP, PODS])
def test_what_is_resolved_over_a_gateway_is_forwarded_to_the_node(version: str, prefix: str) -> None:
    found = judged(prefix, [kernel(prefix, [GATE])], of_zebra(version, prefix))
    assert found["fib"] == [
        {"vrf": "default", "family": "ipv4", "prefix": prefix, "matched": prefix, "next_hop": N1, "via": [GATE]}
    ]
    assert (found["uninstalled"], found["differences"]) == ([], [])
    assert not withdrawn(found)


@both
def test_a_vip_that_another_node_announces_over_the_same_gateway_is_withdrawn(version: str) -> None:
    entry = of_zebra(version, VIP)
    entry["hops"] = [hop for hop in entry["hops"] if hop["next_hop"] == N2]
    assert withdrawn(judged(VIP, [kernel(VIP, [GATE])], entry))


@both
def test_both_nodes_are_resolved_to_the_gateway(version: str) -> None:
    hops = of_zebra(version, VIP)["hops"]
    assert [(hop["next_hop"], hop["recursive"], hop["kernel"]) for hop in hops] == [
        (N1, True, [GATE]),
        (N2, True, [GATE]),
    ]


def test_a_route_of_the_kernel_that_zebra_does_not_explain_is_not_withdrawn() -> None:
    """Zebra has lost it, and the kernel still forwards to the gateway, perhaps to the node."""
    for entry in (None, zebra(VIP, []), zebra(VIP, ["10.9.0.7"])):
        found = judged(VIP, [kernel(VIP, [GATE, "10.9.0.7"] if entry and entry["hops"] else [GATE])], entry)
        assert found["fib"] == []
        assert [(each["where"], each["next_hop"]) for each in found["differences"]] == [("kernel", GATE)]
        assert not withdrawn(found)


def test_a_shorter_route_or_none_is_withdrawn() -> None:
    assert withdrawn(judged(VIP, [], zebra(VIP, [])))
    assert withdrawn(judged(VIP, [kernel(VIP, [GATE], matched="0.0.0.0/0")], zebra(VIP, [])))


@both
@pytest.mark.parametrize("prefix", [VIP, PODS, VIP6])
def test_a_kernel_that_does_not_have_what_zebra_installed_is_not_the_right_one(version: str, prefix: str) -> None:
    """As when FRR runs in a network namespace, and ip is asked on the host."""
    default = kernel(prefix, ["192.0.2.254"], matched="::/0" if ":" in prefix else "0.0.0.0/0", object=None)
    for routes, said in (([], "no route"), ([default], default["matched"] + " over 192.0.2.254")):
        found = judged(prefix, routes, of_zebra(version, prefix))
        own, gate = (N1_6, GATE6) if ":" in prefix else (N1, GATE)
        assert found["fib"] == []
        (entry,) = found["uninstalled"]
        assert (entry["next_hop"], entry["zebra"], entry["kernel"]) == (
            own,
            f"installed over {own}, resolved to {gate}",
            said,
        )
        assert not withdrawn(found)


def test_a_kernel_that_does_not_have_another_nodes_route_is_not_the_right_one() -> None:
    """The node's own is gone from both. So nothing but the others' shows that the wrong kernel was asked."""
    found = judged(VIP, [], zebra(VIP, [N2]))
    assert found["uninstalled"] == []
    assert [(each["where"], each["next_hop"]) for each in found["differences"]] == [("zebra", N2)]
    assert not withdrawn(found)


def test_the_kernel_has_fewer_of_the_others_next_hops_just_now() -> None:
    assert withdrawn(judged(VIP, [kernel(VIP, [N2])], zebra(VIP, [N2, "10.1.0.15"])))


def test_a_route_of_another_table_does_not_show_that_zebras_is_installed() -> None:
    """A VRF without the route: Linux goes on to the main table, where the same prefix is over the same node."""
    entry = zebra(VIP, [N1], table=10, vrf="blue")
    found = judged(VIP, [kernel(VIP, [N1], vrf="blue", table=254)], entry)
    assert [each["kernel"] for each in found["uninstalled"]] == [f"{VIP} over {N1} in table 254"]
    assert not withdrawn(found)
    assert judged(VIP, [kernel(VIP, [N1], vrf="blue", table=10)], entry)["uninstalled"] == []


@pytest.mark.parametrize("tables", [(None, 10), (10, None)])
def test_a_table_that_is_not_known_says_nothing(tables: tuple[int | None, int | None]) -> None:
    entry = zebra(VIP, [N1], table=tables[0], vrf="blue")
    assert judged(VIP, [kernel(VIP, [N1], vrf="blue", table=tables[1])], entry)["uninstalled"] == []


def test_the_stand_in_for_a_link_local_next_hop_of_an_ipv4_prefix() -> None:
    """Zebra without next hop objects gives the kernel 169.254.0.1 for it."""
    link_local = "fe80::13"
    routes = [kernel(VIP, ["169.254.0.1"])]
    found = judged(VIP, routes, zebra(VIP, [link_local]), {link_local})
    assert [(each["next_hop"], each["via"]) for each in found["fib"]] == [(link_local, [link_local])]
    assert found["differences"] == []
    assert withdrawn(judged(VIP, routes, zebra(VIP, ["fe80::14"]), {link_local}))
    assert not withdrawn(judged(VIP, routes, zebra(VIP, []), {link_local}))


def test_a_recursive_next_hop_of_which_zebra_does_not_say_what_it_is_to_the_kernel() -> None:
    hops = [{"next_hop": N1, "recursive": True, "kernel": []}, {"next_hop": GATE, "recursive": False, "kernel": [GATE]}]
    entry = {"vrf": "default", "prefix": VIP, "hops": hops, "table": 254}
    assert [each["next_hop"] for each in judged(VIP, [kernel(VIP, [GATE])], entry)["fib"]] == [N1]
    assert judged(VIP, [kernel(VIP, ["10.9.0.7"])], entry)["fib"] == []


def test_routes_without_a_next_hop_are_no_difference() -> None:
    """Connected and blackhole routes: neither has the address of a host."""
    entry = {**zebra(PODS, []), "hops": [{"next_hop": None, "recursive": False, "kernel": []}]}
    assert withdrawn(judged(PODS, [kernel(PODS, [])], entry))
    assert withdrawn(judged(PODS, [], entry))


def test_a_difference_is_described() -> None:
    found = judged(VIP, [], zebra(VIP, [N1]))
    left = route_rules.not_withdrawn({**{key: [] for key in samples.EMPTY}, **found})
    assert route_rules.described(left) == f"{VIP} (ipv4, zebra but not the kernel)"


def test_traffic_has_not_moved_as_long_as_zebra_has_the_node() -> None:
    ways = [{"vrf": "default", "prefix": VIP, "next_hops": [N2]}]
    view = {key: [] for key in samples.EMPTY}
    over_gate = judged(VIP, [kernel(VIP, [GATE])], of_zebra("10.3", VIP))
    unseen = judged(VIP, [], of_zebra("10.3", VIP))
    assert [each["where"] for each in route_rules.not_unused({**view, **over_gate, "others": ways})] == ["fib"]
    assert [each["where"] for each in route_rules.not_unused({**view, **unseen, "others": ways})] == ["zebra"]
