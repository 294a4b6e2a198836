# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.hitless.nodes.plugins.module_utils.record.baseline import baseline, prefixes


def answer(*routes, established=True, **changes):
    return {
        "router": "tor-1",
        "neighbors": [
            {"vrf": "default", "address": "192.0.2.13", "established": established, "hold_time": 90, "state": "x"}
        ],
        "routes": [{"vrf": "default", "prefix": prefix} for prefix, _installed in routes],
        "fib": [{"vrf": "default", "prefix": prefix} for prefix, installed in routes if installed],
    } | changes


VIP = ("198.51.100.10/32", True)


def test_baseline_keeps_prefixes_by_router_vrf_and_table():
    routes = [*answer(VIP, ("198.51.100.20/32", False))["routes"], {"vrf": "blue", "prefix": "2001:db8::/64"}]
    found = baseline("worker-3", {"tor-1": answer(VIP, routes=[*routes, *routes]), "tor-2": answer(VIP)})
    assert found.problems == []
    assert found.routes == {
        "tor-1": {
            "blue": {"bgp": ["2001:db8::/64"], "fib": []},
            "default": {"bgp": ["198.51.100.10/32", "198.51.100.20/32"], "fib": ["198.51.100.10/32"]},
        },
        "tor-2": {"default": {"bgp": ["198.51.100.10/32"], "fib": ["198.51.100.10/32"]}},
    }
    assert prefixes(found.routes) == ["198.51.100.10/32", "198.51.100.20/32", "2001:db8::/64"]


def test_baseline_keeps_what_is_known_of_the_sessions():
    found = baseline("worker-3", {"tor-1": answer(VIP)})
    assert found.sessions == {
        "tor-1": [
            {
                "vrf": "default",
                "address": "192.0.2.13",
                "established": True,
                "graceful_restart": None,
                "hold_time": 90,
            }
        ]
    }


def unseen(prefix, vrf="default"):
    said = {"zebra": "installed over 192.0.2.13, resolved to 10.9.0.1", "kernel": "no route"}
    return {"vrf": vrf, "family": "ipv4", "prefix": prefix, "next_hop": "192.0.2.13", **said}


def test_baseline_is_refused_where_the_kernel_does_not_show_what_zebra_has_installed():
    answers = {"tor-1": answer(VIP, uninstalled=[]), "tor-2": answer(VIP, uninstalled=[unseen(VIP[0], "blue")])}
    (problem,) = baseline("worker-3", answers).problems
    assert problem.startswith(
        "router tor-2: zebra says that 198.51.100.10/32 in VRF blue is installed over 192.0.2.13, resolved to 10.9.0.1,"
        " and the kernel that was asked says no route: it isn't the kernel that FRR uses"
    )
    assert "set router_exec" in problem
    assert "evidence=cilium" in problem
    many = {"tor-1": answer(VIP, uninstalled=[unseen("198.51.100.10/32"), unseen("198.51.100.20/32")])}
    assert "says no route (1 more like it)" in baseline("worker-3", many).problems[0]


def test_baseline_is_content_with_one_router_that_has_routes():
    answers = {"tor-1": answer(VIP), "tor-2": answer(established=False)}
    assert baseline("worker-3", answers).problems == []


@pytest.mark.parametrize(
    ("answers", "problem"),
    [
        (None, "no router was asked"),
        ({}, "no router was asked"),
        ({"tor-1": None}, "router tor-1 has of the node is unknown (no answer)"),
        ({"tor-1": {}}, "unknown (not an answer of frr_bgp_info)"),
        ({"tor-1": {"failed": True, "msg": "bgpd is not running"}}, "unknown (bgpd is not running)"),
        ({"tor-1": {"unreachable": True}}, "unknown (unreachable)"),
        ({"tor-1": answer(VIP, failed=True)}, "unknown"),
        ({"tor-1": answer(VIP, skipped=True)}, "unknown"),
        ({"tor-1": answer(routes=None)}, "unknown"),
        ({"tor-1": answer(VIP, fib=None)}, "unknown"),
        ({"tor-1": answer(VIP), "tor-2": {"unreachable": True}}, "router tor-2 has of the node is unknown"),
        ({"tor-1": answer(VIP, established=False)}, "no router has an established session with worker-3 (tor-1)"),
        ({"tor-1": answer()}, "no router has a route to worker-3 (tor-1)"),
    ],
)
def test_baseline_names_what_is_missing(answers, problem):
    assert any(problem in found for found in baseline("worker-3", answers).problems)


def test_next_hops_are_kept_by_router_without_those_of_other_speakers():
    """A daemon on the node may hand on paths of other nodes, which have sessions of their own elsewhere."""
    node = {"vrf": "default", "address": "192.0.2.13", "router_id": "192.0.2.13", "established": True}
    hops = ["10.2.0.13", "192.0.2.12", "192.0.2.13", "fe80::12", "fe80::13"]
    speakers = [
        {"address": "192.0.2.12", "router_id": "192.0.2.12"},
        {"address": "10.2.0.13", "router_id": "192.0.2.13"},
        {"address": "192.0.2.99", "router_id": None},
        {"address": "fe80::12", "router_id": "192.0.2.12"},
    ]
    answers = {
        "tor-1": answer(VIP, neighbors=[{**node, "next_hops": hops}], speakers=[]),
        "tor-2": answer(VIP, speakers=speakers),
    }
    assert baseline("worker-3", answers).next_hops == {
        "tor-1": ["10.2.0.13", "192.0.2.13", "fe80::12", "fe80::13"],
        "tor-2": [],
    }
