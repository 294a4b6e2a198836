# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Stage 8: prefixes that a router does not take."""

from __future__ import annotations

from ansible_collections.hitless.nodes.tests.unit.doctor_picture import (
    NODES,
    fails,
    with_paths,
)


def test_no_policy_at_all_with_ebgp_requires_policy(picture):
    picture.running = picture.running.replace("  neighbor KUBE route-map IN in\n", "")
    picture.sample = "established.filtered-prefix"
    fails(picture, 8, "no inbound policy for ipv4, and 'bgp ebgp-requires-policy' is on")
    picture.running = picture.running.replace(
        " bgp log-neighbor-changes", " bgp log-neighbor-changes\n no bgp ebgp-requires-policy"
    )
    fails(picture, 8, "though its policy would accept it")


def test_a_path_that_came_through_another_router_only_is_not_from_the_node(picture):
    fails(with_paths(picture, **{"from": "192.168.99.11"}), 8, "the router has no path from the node")


def test_a_session_over_a_link_local_address_is_found_by_the_nodes_identifier(picture):
    picture.instance["peers"] = [{**picture.instance["peers"][0], "peerAddress": "fd99::10"}]
    picture.addresses["r1"].append(("fd99::10", "fd99::/64"))
    before = {name: {**router} for name, router in picture.routers.items()}
    local = {address: f"fe80::{number}" for number, address in enumerate(NODES.values(), 1)}
    for router in before.values():
        router["neighbors"] = [
            {**each, "router_id": each["address"], "address": local[each["address"]]} for each in router["neighbors"]
        ]
        paths = [{**path, "from": local.get(path["from"], path["from"])} for path in router["policy"]["paths"]]
        router["policy"] = {**router["policy"], "paths": paths}
    picture._router = lambda name: before[name]
    assert picture.diagnose()["verdict"] == "pass", picture.diagnose()["reason"]
    assert "the session is up, though no neighbour of that address is configured" in picture.found(5, "pass")[0]
