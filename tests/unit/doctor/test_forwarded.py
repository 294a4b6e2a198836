# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Stages 10 and 11: the way of a packet."""

from __future__ import annotations

from ansible_collections.hitless.nodes.tests.unit.doctor_picture import (
    VIP,
    fails,
    is_unknown,
)


def test_the_kernel_forwards_elsewhere(picture):
    picture.fib = False
    fails(picture, 10, "the kernel forwards it to no node", "ip route get 192.168.77.128")


def test_answers_only_where_asked_for(picture):
    said = {"address": VIP, "port": 80, "protocol": "tcp", "tried_from": "r1", "reason": "refused"}
    picture.answers = [{**said, "answers": True}]
    assert picture.statuses()[10] == "pass"
    picture.answers = [{**said, "answers": False}]
    fails(picture, 11, "refused", "loadBalancerSourceRanges")
    picture.answers = [{**said, "answers": None, "protocol": "udp"}]
    is_unknown(picture, 11)
