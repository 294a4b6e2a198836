# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the real kernel says of routes by next hop objects, in a network namespace of its own."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator

import pytest
from ansible_collections.hitless.nodes.plugins.module_utils.frr.iproute import Fib
from ansible_collections.hitless.nodes.plugins.module_utils.frr.place import Place
from conftest import lab_name

NODE, OTHERS = "fd77::11", ["fd77::12", "fd77::13"]
# The VIPs of all three, and one that the node doesn't announce.
VIPS = [f"2001:db8:100::{last}/128" for last in range(10, 20)]
OTHERS_VIP = "2001:db8:100::30/128"


def run(netns: str, *argv: str) -> None:
    subprocess.run(["ip", "-n", netns, *argv], check=True, capture_output=True)


@pytest.fixture
def netns() -> Iterator[str]:
    """A router's kernel: each VIP by a group of next hop objects, as FRR installs it. All groups share two of them."""
    name = lab_name("e2ek")
    subprocess.run(["ip", "netns", "add", name], check=True)
    try:
        run(name, "link", "add", "one", "type", "veth", "peer", "name", "two")
        for link in ("lo", "one", "two"):
            run(name, "link", "set", link, "up")
        run(name, "address", "add", "fd77::1/64", "dev", "one", "nodad")
        for number, hop in enumerate([NODE, *OTHERS], start=1):
            run(name, "nexthop", "add", "id", str(number), "via", hop, "dev", "one")
        run(name, "nexthop", "add", "id", "10", "group", "1/2/3")
        run(name, "nexthop", "add", "id", "11", "group", "2/3")
        run(name, "-6", "route", "add", OTHERS_VIP, "nhid", "11", "proto", "bgp")
        for vip in VIPS:
            run(name, "-6", "route", "add", vip, "nhid", "10", "proto", "bgp")
        yield name
    finally:
        subprocess.run(["ip", "netns", "delete", name], check=True)


@pytest.fixture
def one_processor() -> Iterator[None]:
    """The kernel remembers routes for each processor."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(before)})
    yield
    os.sched_setaffinity(0, before)


@pytest.mark.usefixtures("one_processor")
def test_a_vip_is_seen_over_the_node_whatever_route_the_kernel_answers_with(netns: str) -> None:
    fib = Fib(Place(["ip", "netns", "exec", netns]))
    # What the kernel remembers with the others' objects from now on is their own VIP.
    for port in range(1, 40):
        run(
            netns,
            "-6",
            "route",
            "get",
            OTHERS_VIP.partition("/")[0],
            "ipproto",
            "udp",
            "sport",
            str(port),
            "dport",
            "1",
        )

    found = fib.routes({"default": [*VIPS, OTHERS_VIP]})

    seen = {entry["prefix"]: (entry["matched"], entry["next_hops"]) for entry in found}
    assert seen == {vip: (vip, [NODE, *OTHERS]) for vip in VIPS} | {OTHERS_VIP: (OTHERS_VIP, OTHERS)}


@pytest.mark.usefixtures("one_processor")
def test_a_vip_that_is_gone_is_not_seen_by_another_route(netns: str) -> None:
    fib = Fib(Place(["ip", "netns", "exec", netns]))
    run(netns, "-6", "route", "add", "default", "nhid", "11", "proto", "bgp")
    run(netns, "-6", "route", "delete", VIPS[0])
    for vip in VIPS[1:]:
        run(netns, "-6", "route", "get", "fibmatch", vip.partition("/")[0])

    (entry,) = fib.routes({"default": VIPS[:1]})

    assert (entry["matched"], entry["next_hops"]) == ("::/0", OTHERS)
