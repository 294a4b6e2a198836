# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.hitless.nodes.plugins.module_utils.node import announcers

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


def answer(*next_hops: str, prefix: str = VIP) -> dict[str, Any]:
    others = [{"vrf": "default", "prefix": prefix, "next_hops": list(next_hops)}] if next_hops else []
    return {"neighbors": [], "routes": [], "fib": [], "others": others}


ROUTES = {router: {"default": {"bgp": [VIP, CIDR], "fib": [VIP]}} for router in ("tor-1", "tor-2")}


def lines(minimum: int, *, gone: announcers.Leaving | None = None, **answers: Any) -> list[str]:
    found = {name.replace("_", "-"): each for name, each in answers.items()}
    routes = {router: ROUTES[router] for router in found}
    vips = announcers.vips([VIP, CIDR], SERVICES)
    return announcers.problems(vips, announcers.by_router(found, routes, vips, gone or {}), minimum, gone or {})


def test_fault_31_the_last_announcer_is_refused_and_the_services_are_named() -> None:
    assert lines(1, tor_1=answer("192.0.2.11"), tor_2=answer()) == [
        f"VIP {VIP} of Service shop/web and shop/web-2: its last announcer is this node (others: 0 on tor-2; "
        "claim_min_announcers=1)"
    ]


def test_fault_31_fewer_than_wanted_is_refused_on_the_router_that_has_fewest() -> None:
    (line,) = lines(2, tor_1=answer("192.0.2.11", "192.0.2.12"), tor_2=answer("192.0.2.11"))
    assert "too few others announce it (others: 1 on tor-2; claim_min_announcers=2)" in line


def test_enough_others_on_every_router_are_enough() -> None:
    assert lines(2, tor_1=answer("192.0.2.11", "192.0.2.12"), tor_2=answer("192.0.2.11", "192.0.2.12")) == []


def test_what_no_router_says_is_refused() -> None:
    without = {key: value for key, value in answer("192.0.2.11").items() if key != "others"}
    assert "0 on tor-1" in lines(1, tor_1=without)[0]
    assert "others: unknown" in lines(1, tor_1={"unreachable": True})[0]


def test_other_prefixes_and_vrfs_do_not_count() -> None:
    assert len(lines(1, tor_1=answer("192.0.2.11", prefix=CIDR))) == 1
    blue = answer("192.0.2.11")
    blue["others"][0]["vrf"] = "blue"
    assert len(lines(1, tor_1=blue)) == 1


def record(phase: str = "claimed", **before: Any) -> dict[str, Any]:
    return {"holder": "bob@laptop", "phase": phase, "before": {"addresses": ["192.0.2.11"], **before}}


def test_fault_31_a_node_that_is_claimed_is_no_other_announcer() -> None:
    both = answer("192.0.2.11", "192.0.2.12")
    assert lines(1, tor_1=both, gone={"worker-1": record()}) == []
    (line,) = lines(1, tor_1=answer("192.0.2.11"), gone={"worker-1": record()})
    assert line.endswith("(others: 0 on tor-1; claim_min_announcers=1; not counted: worker-1, claimed by bob@laptop)")


def test_fault_31_a_node_that_is_claimed_is_known_by_its_link_local_sessions_too() -> None:
    gone = {"worker-1": record(sessions={"tor-1": [{"vrf": "default", "address": "fe80::11"}], "tor-2": []})}
    link_local = answer("fe80::11")
    (line,) = lines(1, tor_1=link_local, tor_2=link_local, gone=gone)
    # A link-local address means something on its own link only.
    assert "(others: 0 on tor-1;" in line


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
