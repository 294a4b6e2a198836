# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.hitless.nodes.plugins.module_utils.node import announcers, identities
from ansible_collections.hitless.nodes.plugins.module_utils.node.identities import Identities, Leaving

VIP, VIP6, CIDR = "198.51.100.10/32", "2001:db8:100::10/128", "10.1.3.0/24"


def service(name: str, **changes: Any) -> dict[str, Any]:
    return {"metadata": {"namespace": "shop", "name": name}, "spec": {}, **changes}


def balancer(*addresses: str) -> dict[str, Any]:
    return {"status": {"loadBalancer": {"ingress": [{"ip": address} for address in addresses]}}}


SERVICES = [
    service("web", **balancer("198.51.100.10", "2001:db8:100::10")),
    service("web-2", **balancer("198.51.100.10")),
    service("headless", spec={"clusterIPs": ["None"]}),
    service("by-name", status={"loadBalancer": {"ingress": [{"hostname": "x.example.org"}]}}),
]


def test_a_vip_is_a_prefix_with_an_address_of_a_service() -> None:
    found = announcers.vips([VIP, VIP6, CIDR], SERVICES)
    assert found == {VIP: ["shop/web", "shop/web-2"], VIP6: ["shop/web"]}


@pytest.mark.parametrize(
    "spec", [{"externalIPs": ["198.51.100.10"]}, {"clusterIPs": ["198.51.100.10"]}, {"clusterIP": "198.51.100.10"}]
)
def test_external_and_cluster_addresses_count(spec: dict[str, Any]) -> None:
    assert announcers.vips(["198.51.100.0/24"], [service("web", spec=spec)]) == {"198.51.100.0/24": ["shop/web"]}


# Other nodes by their addresses.
NODES = {"worker-1": ["192.0.2.11", "2001:db8::11"], "worker-2": ["192.0.2.12"], "worker-3": ["192.0.2.13"]}


def known(**router_ids: str) -> Identities:
    """What the cluster says of NODES; router_ids: those that aren't addresses."""
    nodes, configs = {}, {}
    for name, addresses in NODES.items():
        nodes[name] = {"status": {"addresses": [{"type": "InternalIP", "address": each} for each in addresses]}}
        router_id = router_ids.get(name.replace("-", "_"))
        configs[name] = {"spec": {"bgpInstances": [{"name": "main", "routerID": router_id, "peers": []}]}}
    return identities.identities(NODES, nodes, {}, configs, {})


def path(*next_hops: str, by: str | None = None, internal: bool = False) -> dict[str, Any]:
    return {"next_hops": list(next_hops), "from": by or next_hops[0], "internal": internal}


def answer(*paths: str | dict[str, Any], prefix: str = VIP, vrf: str = "default", **more: Any) -> dict[str, Any]:
    listed = [path(each) if isinstance(each, str) else each for each in paths]
    others = [{"vrf": vrf, "prefix": prefix, "paths": listed}] if listed else []
    return {"neighbors": [], "routes": [], "fib": [], "others": others, **more}


def session(address: str, local: str, router_id: str | None = None, remote_as: int = 65432) -> dict[str, Any]:
    ends = {"vrf": "default", "address": address, "local_address": local, "router_id": router_id or address}
    return {**ends, "remote_as": remote_as, "internal": False, "established": True}


def own(address: str, vrf: str = "default") -> dict[str, Any]:
    return {"address": address, "interface": "swp1", "vrf": vrf}


ROUTES = {router: {"default": {"bgp": [VIP, CIDR], "fib": [VIP]}} for router in ("tor-1", "tor-2")}


def lines(minimum: int, *, gone: Leaving | None = None, cluster: Identities | None = None, **answers: Any) -> list[str]:
    found = {name.replace("_", "-"): each for name, each in answers.items()}
    routes = {router: ROUTES[router] for router in found}
    who = identities.who(cluster or known(), "worker-3", None, gone or {})
    vips = announcers.vips([VIP, CIDR], SERVICES)
    return announcers.problems(vips, announcers.by_router(found, routes, vips, who), minimum, gone or {})


def test_fault_31_the_last_announcer_is_refused_and_the_services_are_named() -> None:
    assert lines(1, tor_1=answer("192.0.2.11"), tor_2=answer()) == [
        f"VIP {VIP} of Service shop/web and shop/web-2: its last announcer is this node (others: 0 on tor-2; "
        "claim_min_announcers=1)"
    ]


def test_fault_31_fewer_than_wanted_is_refused_on_the_router_that_has_fewest() -> None:
    (line,) = lines(2, tor_1=answer("192.0.2.11", "192.0.2.12"), tor_2=answer("192.0.2.11"))
    assert "too few others announce it (others: 1 on tor-2 (worker-1); claim_min_announcers=2)" in line


def test_enough_others_on_every_router_are_enough() -> None:
    assert lines(2, tor_1=answer("192.0.2.11", "192.0.2.12"), tor_2=answer("192.0.2.11", "192.0.2.12")) == []


def test_what_no_router_says_is_refused() -> None:
    without = {key: value for key, value in answer("192.0.2.11").items() if key != "others"}
    assert "0 on tor-1" in lines(1, tor_1=without)[0]
    assert "others: unknown" in lines(1, tor_1={"unreachable": True})[0]


def test_other_prefixes_and_vrfs_do_not_count() -> None:
    assert len(lines(1, tor_1=answer("192.0.2.11", prefix=CIDR))) == 1
    assert len(lines(1, tor_1=answer("192.0.2.11", vrf="blue"))) == 1


def record(phase: str = "claimed", **before: Any) -> dict[str, Any]:
    return {"holder": "bob@laptop", "phase": phase, "before": {"addresses": ["192.0.2.11"], **before}}


def test_fault_31_a_node_that_is_claimed_is_no_other_announcer() -> None:
    both = answer("192.0.2.11", "192.0.2.12")
    assert lines(1, tor_1=both, gone={"worker-1": record()}) == []
    (line,) = lines(1, tor_1=answer("192.0.2.11"), gone={"worker-1": record()})
    assert line.endswith("(others: 0 on tor-1; claim_min_announcers=1; not counted: worker-1, claimed by bob@laptop)")


def test_fault_31_a_node_that_is_claimed_is_known_by_all_its_addresses_at_the_claim() -> None:
    sessions = {"tor-1": [{"vrf": "default", "address": "fe80::11"}], "tor-2": []}
    gone = {"worker-1": record(sessions=sessions, next_hops={"tor-1": ["192.0.2.111"]})}
    for hop in ("fe80::11", "192.0.2.111"):
        (line,) = lines(1, tor_1=answer(hop), gone=gone)
        # Not as a path that can't be told: it is left out.
        assert "(others: 0 on tor-1; claim_min_announcers=1; not counted: worker-1" in line
    # A link-local address means something on its own link only.
    (line,) = lines(1, tor_1=answer("192.0.2.12"), tor_2=answer("fe80::11"), gone=gone)
    assert "(others: 0 on tor-2 (1 path over fe80::11, which is no Node's address);" in line


def test_the_node_itself_under_another_address_is_no_other() -> None:
    record_of = {"before": {"addresses": ["192.0.2.13"], "next_hops": {"tor-1": ["192.0.2.113", "fe80::13"]}}}
    who = identities.who(known(), "worker-3", record_of, {})
    for router, hop, said in (
        ("tor-1", "192.0.2.113", 0),
        ("tor-2", "192.0.2.113", 0),
        ("tor-1", "fe80::13", 0),
        ("tor-2", "fe80::13", 1),
    ):
        counts = announcers.by_router({router: answer(hop)}, {router: ROUTES[router]}, [VIP], who)
        assert (counts[router][VIP].names, len(counts[router][VIP].uncounted)) == (frozenset(), said)


def test_a_node_is_counted_once_whatever_its_addresses_are() -> None:
    cluster = known(worker_1="203.0.113.1")
    sessions = [session("198.18.0.11", "198.18.0.1", "203.0.113.1")]
    ways = [path("192.0.2.11"), path("2001:db8::11", "fe80::11"), path("198.18.0.11")]
    (line,) = lines(2, tor_1=answer(*ways, speakers=sessions), cluster=cluster)
    assert "(others: 1 on tor-1 (worker-1);" in line
    assert lines(1, tor_1=answer(ways[2], speakers=sessions), cluster=cluster) == []
    down = [{**sessions[0], "established": False}]
    assert len(lines(1, tor_1=answer(ways[2], speakers=down), cluster=cluster)) == 1


def test_what_belongs_to_nobody_is_named() -> None:
    ways = ("10.0.0.99", "10.0.0.99", path("192.0.2.11", by="10.0.0.98", internal=True))
    (line,) = lines(1, tor_1=answer(*ways))
    assert "2 paths over 10.0.0.99, which is no Node's address" in line
    assert "1 path over 192.0.2.11 of worker-1, but from 10.0.0.98, which is neither that node nor a router" in line


def test_an_address_of_two_nodes_is_nobodys() -> None:
    addresses = {"192.0.2.50": frozenset({"worker-1", "worker-2"})}
    (line,) = lines(1, tor_1=answer("192.0.2.50"), cluster=Identities(addresses))
    assert "over 192.0.2.50, an address of worker-1 and worker-2" in line


# --- over routers -----------------------------------------------------------------------------------------------


def pair(one: tuple[Any, ...], two: tuple[Any, ...], *, internal: bool = False, by: str = "") -> dict[str, Any]:
    """tor-1 and tor-2 with a session, and their paths besides the node's."""
    link = {"10.254.0.1": 65001, "10.254.0.2": 65001 if internal else 65002}
    (first, first_as), (second, second_as) = link.items()
    nodes = [session("192.0.2.11", "192.0.2.1"), session("192.0.2.12", "192.0.2.1")]
    return {
        "tor_1": answer(*one, speakers=[session(second, first, by, second_as), *nodes], own_addresses=[own(first)]),
        "tor_2": answer(*two, speakers=[session(first, second, by, first_as), *nodes], own_addresses=[own(second)]),
    }


def over(address: str, *, internal: bool = False) -> dict[str, Any]:
    return path(address, internal=internal)


def test_case_02_two_routers_that_have_the_vip_from_each_other_have_it_from_the_node() -> None:
    found = pair((over("10.254.0.2"),), (over("10.254.0.1"), path("10.255.2.1")))
    (line,) = lines(1, **found)
    assert "its last announcer is this node (others: 0 on tor-1 (1 path over router tor-2, behind which no" in line
    assert "0 on tor-2 (1 path over 10.255.2.1, which is no Node's address, 1 path over router tor-1" in line


def test_a_path_over_a_router_counts_for_the_nodes_that_this_router_has_itself() -> None:
    found = pair((over("10.254.0.2"),), (over("10.254.0.1"), "192.0.2.11"))
    assert lines(1, **found) == []
    (line,) = lines(2, **found)
    assert "1 on tor-1 (worker-1), 1 on tor-2 (worker-1, 1 path over router tor-1" in line


def test_what_comes_by_ibgp_is_not_handed_on_by_ibgp() -> None:
    by = over("10.254.0.2", internal=True)
    assert lines(1, **pair((by,), ("192.0.2.11",), internal=True)) == []
    from_node = path("192.0.2.11", internal=True)
    assert len(lines(1, **pair((by,), (from_node,), internal=True))) == 1


def test_a_copy_counts_if_the_router_that_hands_it_on_has_it_from_the_node() -> None:
    copy = path("192.0.2.11", by="10.254.0.2", internal=True)
    assert lines(1, **pair((copy,), ("192.0.2.11",), internal=True)) == []
    # On tor-2 it is stale, say.
    (line,) = lines(
        1,
        **pair((copy, "192.0.2.12"), ("192.0.2.12",), internal=True),
        gone={"worker-2": record(addresses=["192.0.2.12"])},
    )
    assert "1 path over worker-1 by router tor-2, which doesn't have it from that node" in line


def test_an_unnumbered_session_between_routers_is_told_by_its_two_ends() -> None:
    ends = ("fe80::1", "fe80::2")
    one = answer(path(ends[1]), speakers=[session(ends[1], ends[0], "10.0.0.2", 65002)])
    two = answer("192.0.2.11", speakers=[session(ends[0], ends[1], "10.0.0.1", 65001)])
    assert lines(1, tor_1=one, tor_2=two) == []
    (line,) = lines(1, tor_1=one, tor_2={**two, "others": []})
    assert "1 path over router tor-2, behind which no other node is known" in line


def test_a_router_in_several_vrfs_counts_as_the_vrf_that_has_fewest() -> None:
    vrfs = {"tor-1": {vrf: {"bgp": [VIP], "fib": [VIP]} for vrf in ("default", "blue")}}
    who = identities.who(known(), "worker-3", None, {})
    found = answer("192.0.2.11", "192.0.2.12")
    blue = answer("192.0.2.12", vrf="blue")["others"]
    counts = announcers.by_router({"tor-1": {**found, "others": found["others"] + blue}}, vrfs, [VIP], who)
    assert counts["tor-1"][VIP].names == {"worker-2"}
    assert announcers.by_router({"tor-1": found}, vrfs, [VIP], who)["tor-1"][VIP].names == frozenset()


def test_routers_that_reach_the_node_over_others_are_counted_on_too() -> None:
    """A spine has no session with the node. Of two leaves the node is on one, and the other announcer on the other."""
    leaf_1, leaf_2, spine = "10.1.0.1", "10.2.0.1", ("10.1.0.2", "10.2.0.2")
    answers = {
        "leaf-1": answer(path(spine[0]), speakers=[session(spine[0], leaf_1, "10.0.0.9", 65009)]),
        "leaf-2": answer("192.0.2.11", speakers=[session(spine[1], leaf_2, "10.0.0.9", 65009)]),
        "spine": answer(
            path(leaf_1),
            path(leaf_2),
            speakers=[session(leaf_1, spine[0], "10.0.0.1", 65001), session(leaf_2, spine[1], "10.0.0.2", 65002)],
        ),
    }
    routes = {"leaf-1": ROUTES["tor-1"], "leaf-2": {}, "spine": {}}
    who = identities.who(known(), "worker-3", None, {})
    counts = announcers.by_router(answers, routes, [VIP], who)
    assert {router: set(by_vip[VIP].names) for router, by_vip in counts.items()} == {
        "leaf-1": {"worker-1"},
        "spine": {"worker-1"},
    }
    # The leaves have one AS: each refuses what comes from the other.
    answers["spine"]["speakers"][1]["remote_as"] = 65001
    assert not announcers.by_router(answers, routes, [VIP], who)["leaf-1"][VIP].names


@pytest.mark.parametrize(
    ("phase", "leaving"),
    [
        *((phase, True) for phase in ("claimed", "drained", "withdrawn", "off", "on", "of a later release")),
        *((phase, False) for phase in ("restarted", "announced", "schedulable", "released")),
    ],
)
def test_a_node_that_comes_back_counts_where_it_is_seen(phase: str, leaving: bool) -> None:
    assert announcers.is_leaving(record(phase)) is leaving


def test_vips_of_services_with_policy_local_are_announced_by_nodes_with_pods_only() -> None:
    listed = [
        service(
            "a", spec={"externalTrafficPolicy": "Local", "externalIPs": ["198.51.100.10"], "clusterIP": "10.96.0.1"}
        ),
        service(
            "b", spec={"internalTrafficPolicy": "Local", "clusterIPs": ["fd00:96::2"]}, **balancer("198.51.100.20")
        ),
        # Shared by two Services, of which one has pods anywhere.
        service("c", spec={"externalTrafficPolicy": "Local"}, **balancer("198.51.100.30")),
        service("d", **balancer("198.51.100.30")),
    ]
    assert announcers.local(listed) == {VIP, "fd00:96::2/128"}


def test_pod_networks_are_the_networks_in_which_no_service_has_an_address() -> None:
    listed = [service("a", **balancer("198.51.100.30", "2001:db8:100::30"))]
    announced = ["198.51.100.30/32", "198.51.100.0/24", "192.0.2.13/32", "10.1.3.0/24", "fd00:1:3::/64"]
    assert announcers.pod_networks(announced, listed) == ["10.1.3.0/24", "fd00:1:3::/64"]
    # If Services can't be listed, any network may be one.
    assert announcers.pod_networks(announced, []) == ["198.51.100.0/24", "10.1.3.0/24", "fd00:1:3::/64"]
