# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Stages 10 and 11: the way of a packet."""

from __future__ import annotations

from ansible_collections.hitless.nodes.tests.unit.doctor_picture import (
    PREFIX,
    VIP,
    fails,
    is_unknown,
)


def test_the_kernel_forwards_elsewhere(picture):
    picture.fib = False
    fails(picture, 10, "the kernel forwards it to no node", "ip route get 192.168.77.128")


def test_the_kernel_forwards_over_a_gateway(picture):
    picture.via = ["10.9.0.1"]
    assert any("forwarded to 192.168.99.12 over 10.9.0.1" in said for said in picture.found(10, "pass"))


def test_the_kernel_that_was_asked_is_not_the_one_of_frr(picture):
    picture.fib = False
    said = {"zebra": "installed over 192.168.99.12", "kernel": "no route"}
    picture.uninstalled = [{"vrf": "default", "prefix": PREFIX, "next_hop": "192.168.99.12", **said}]
    found = is_unknown(picture, 10, "zebra says that it is installed over 192.168.99.12", "says no route")
    assert "set router_exec" in found["remedy"]


def test_answers_only_where_asked_for(picture):
    said = {"address": VIP, "port": 80, "protocol": "tcp", "tried_from": "r1", "reason": "refused"}
    picture.answers = [{**said, "answers": True}]
    assert picture.statuses()[10] == "pass"
    picture.answers = [{**said, "answers": False}]
    fails(picture, 11, "refused", "loadBalancerSourceRanges")
    picture.answers = [{**said, "answers": None, "protocol": "udp"}]
    is_unknown(picture, 11)
