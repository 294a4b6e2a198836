# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Stage 9: routes that a router does not install."""

from __future__ import annotations

from ansible_collections.hitless.nodes.tests.unit.doctor_picture import (
    Picture,
    fails,
    with_paths,
)


def test_a_next_hop_that_cannot_be_reached(picture):
    picture.rib_sample, picture.fib = "", False
    picture.host["unit"] = {"after": [], "before": ["network.target"]}
    fails(with_paths(picture, valid=False), 9, "none is valid", "whether FRR started before its interfaces")
    assert "starts before the network" in picture.found(9, "note")[0]
    # As it was recorded: a next hop that isn't the node.
    picture = Picture(picture.version)
    picture.sample = "established.inaccessible"
    assert "the next hop 198.51.100.7 can't be reached" in picture.found(9, "fail")[0]
    assert "n1 on r1: received and accepted" in picture.found(8, "pass")[0]


def test_a_rib_failure_names_the_route_that_wins(picture):
    picture.rib_sample, picture.fib = "established.ribfailure-ip-route", False
    fails(picture, 9, "another route to it, of protocol kernel", "distance")
    picture.rib_sample = ""
    fails(picture, 9, "zebra doesn't know the route")


def test_zebra_without_rr_semantics_is_a_note_where_there_are_ipv6_vips(picture):
    picture.host["v6_rr_semantics"] = False
    assert picture.found(9, "note") == []
    picture.service["status"]["loadBalancer"]["ingress"].append({"ip": "fd77::128"})
    picture.family = {**picture.family, "afi": "ipv6"}
    picture.peer_config["spec"]["families"].append(picture.family)
    assert "--v6-rr-semantics" in picture.found(9, "note")[0]
