# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What FRR does when a node's speaker stops, dies or loses its machine, in each scenario."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

import pytest
from lab import lifecycle, network, speaker
from lab import settings as s
from lab.machines import Machine
from lab.settings import LabSettings
from lab.state import Lab

pytestmark = pytest.mark.long

Eventually = Callable[..., None]
VIP4 = "198.51.100.10/32"


# Nodes and routers of different Debian releases on purpose: each GoBGP against the FRR that the defaults don't pair it
# with. The shorter restart time makes the wait for its end short; a restart of GoBGP takes 5 to 8 s of it.
SETTINGS = {
    "stale": LabSettings("spst", "plain", "stale", "10", restart_time=30),
    "hard-reset": LabSettings("sphr", "plain", "hard-reset", "8.4"),
    "off": LabSettings("spof", "plain", "off", "8.4"),
}


@pytest.fixture(scope="module")
def labs() -> Iterator[dict[str, Lab]]:
    """A lab of each scenario; they start at once, since each waits for GoBGP's timers more than it works."""

    def start(settings: LabSettings) -> Lab:
        lifecycle.down(settings.name)
        lab = lifecycle.up(settings, network_only=True)
        lifecycle.start_speakers(lab)
        return lab

    with ExitStack() as stack, ThreadPoolExecutor() as pool:
        for settings in SETTINGS.values():
            stack.callback(lifecycle.down, settings.name)
        yield dict(zip(SETTINGS, pool.map(start, SETTINGS.values()), strict=True))


def in_service(kind: str) -> Any:
    """A fixture: the lab of this scenario, with all its nodes in service."""

    @pytest.fixture
    def lab(labs: dict[str, Lab], eventually: Eventually) -> Lab:
        found = labs[kind]
        with ThreadPoolExecutor() as pool:
            list(pool.map(Machine.start, found.nodes.values()))
        lifecycle.start_speakers(found)
        eventually(lambda: lifecycle.missing_routes(found) == [], "all routes are there")
        nodes = found.nodes.values()
        eventually(
            lambda: all(one["state"] == "established" for n in nodes for one in speaker.neighbors(n)), "sessions"
        )
        eventually(lambda: not any(stale(found, role) for role in s.NODES), "no stale path")
        return found

    return lab


stale_lab = in_service("stale")
hard_reset_lab = in_service("hard-reset")
off_lab = in_service("off")


def node(lab: Lab, role: str = "worker-1") -> Machine:
    return lab.machines[lab.settings.machine(role)]


def cidrs(role: str) -> tuple[str, str]:
    return s.pod_cidrs(s.NODES.index(role) + 1)


def paths(router: Machine, prefix: str, role: str = "worker-1") -> list[dict[str, Any]]:
    """FRR's paths of a prefix whose next hop is the node, as `show bgp ... json` has them."""
    family = "ipv6" if s.family(prefix) == 6 else "ipv4"
    found = json.loads(router.run(["vtysh", "-c", f"show bgp {family} unicast {prefix} json"]).stdout)
    return [path for path in found.get("paths", []) if any(hop["ip"] in s.addresses(role) for hop in path["nexthops"])]


def stale(lab: Lab, role: str) -> list[bool]:
    """For each router and family that has stale paths of the node's PodCIDR: whether its kernel still has it as hop."""
    return [
        bool(set(network.next_hops(router.netns, cidr)) & set(s.addresses(role)))
        for router in lab.routers.values()
        for cidr in cidrs(role)
        if any(path.get("stale") for path in paths(router, cidr, role))
    ]


def forwarded(lab: Lab, role: str = "worker-1") -> set[bool]:
    """{True}: all routers' kernels send the node's PodCIDRs to it; {False}: none does."""
    hops = set(s.addresses(role))
    return {bool(hops & set(network.next_hops(router, cidr))) for router in lab.routers for cidr in cidrs(role)}


def test_old_gobgp_leaves_stale_routes_behind(stale_lab: Lab, eventually: Eventually) -> None:
    deselected, dead, restarted = s.NODES
    speaker.kill(node(stale_lab, restarted))
    assert stale(stale_lab, restarted) == [True] * 4, "no NOTIFICATION: the agent may come back"
    speaker.apply(node(stale_lab, restarted), speaker.default_config(stale_lab.settings, restarted))
    speaker.stop(node(stale_lab, deselected))
    node(stale_lab, dead).poweroff()
    assert not speaker.running(node(stale_lab, deselected))
    assert stale(stale_lab, deselected) == [True] * 4, "GoBGP 3.10 with N bit: its Cease is taken as a restart"
    assert stale(stale_lab, dead) == [True] * 4, "the OS ends GoBGP by SIGKILL, without a NOTIFICATION"

    def others_are_gone() -> bool:
        assert forwarded(stale_lab, restarted) == {True}, "a restart within the restart time loses no route"
        return forwarded(stale_lab, deselected) == forwarded(stale_lab, dead) == {False}

    eventually(others_are_gone, "stale routes end with the restart time")
    eventually(lambda: stale(stale_lab, restarted) == [], "the restarted agent's routes are fresh again")


def test_new_gobgp_ends_its_routes_when_deselected_but_not_when_it_dies(
    hard_reset_lab: Lab, eventually: Eventually
) -> None:
    deselected, dead, _unused = s.NODES
    speaker.stop(node(hard_reset_lab, deselected))
    eventually(lambda: forwarded(hard_reset_lab, deselected) == {False} or stale(hard_reset_lab, deselected), "either")
    assert stale(hard_reset_lab, deselected) == [], "Hard Reset leaves nothing"
    assert forwarded(hard_reset_lab, deselected) == {False}
    speaker.kill(node(hard_reset_lab, dead))
    assert speaker.neighbors(node(hard_reset_lab, dead)) == []
    assert stale(hard_reset_lab, dead) == [True] * 4


def test_session_shut_by_its_node_goes_at_once_without_the_n_bit_only(stale_lab: Lab, eventually: Eventually) -> None:
    with_n, without_n, _unused = s.NODES
    config = speaker.default_config(stale_lab.settings, without_n)
    speaker.stop(node(stale_lab, without_n))
    peers = tuple(replace(peer, gr_notification=False) for peer in config.peers)
    speaker.apply(node(stale_lab, without_n), replace(config, peers=peers))
    eventually(lambda: lifecycle.missing_routes(stale_lab) == [], "all routes are there")
    eventually(lambda: stale(stale_lab, without_n) == [], "no stale path")
    for role in (with_n, without_n):
        speaker.disable(node(stale_lab, role))
    eventually(lambda: forwarded(stale_lab, without_n) == {False}, "a NOTIFICATION ends what isn't kept over one")
    assert stale(stale_lab, with_n) == [True] * 4, "GoBGP 3.10 shuts down without Hard Reset"
    assert speaker.running(node(stale_lab, with_n))
    for role in (with_n, without_n):
        assert not any(one["state"] == "established" for one in speaker.neighbors(node(stale_lab, role)))
        # Else a later start would take this one for running as wanted, with its sessions shut.
        speaker.kill(node(stale_lab, role))


def test_without_graceful_restart_nothing_stays(off_lab: Lab, eventually: Eventually) -> None:
    deselected, dead, cut = s.NODES
    node(off_lab, cut).cut()
    assert forwarded(off_lab, cut) == {True}, "nobody was told"
    speaker.stop(node(off_lab, deselected))
    speaker.kill(node(off_lab, dead))
    for role in s.NODES:
        # For the node that was cut it is the hold timer that ends it.
        eventually(lambda role=role: forwarded(off_lab, role) == {False}, f"{role} is gone")
        assert not any(paths(router, cidr, role) for router in off_lab.routers.values() for cidr in cidrs(role))


def test_kept_peer_leaks_the_route_back_by_ibgp(off_lab: Lab, eventually: Eventually) -> None:
    first, second = off_lab.routers.values()
    cidr4, _unused = cidrs("worker-1")
    speaker.stop(node(off_lab), keep_peers={second.address4, second.address6})
    eventually(lambda: [path["peer"]["type"] for path in paths(first, cidr4)] == ["internal"], "the leaked path alone")
    assert forwarded(off_lab) == {True}, "both routers still send to the node"
    assert {one["address"] for one in speaker.neighbors(node(off_lab))} == {second.address4, second.address6}


def test_withdrawn_prefix_goes_while_the_session_stays(off_lab: Lab, eventually: Eventually) -> None:
    machine, (cidr4, cidr6) = node(off_lab), cidrs("worker-1")
    config = speaker.default_config(off_lab.settings, "worker-1")
    uptime = {one["address"]: one["uptime"] for one in speaker.neighbors(machine)}
    speaker.apply(machine, replace(config, prefixes4=(VIP4,)))
    eventually(lambda: not any(paths(router, cidr4) for router in off_lab.routers.values()), "PodCIDR withdrawn")
    assert all(paths(router, VIP4) and paths(router, cidr6) for router in off_lab.routers.values())
    for one in speaker.neighbors(machine):
        assert one["state"] == "established"
        assert one["uptime"] >= uptime[one["address"]]
        assert one["families"][0]["advertised"] == (1 if one["families"][0]["afi"] == "ipv4" else 3)


def test_peer_with_another_password_stays_out(off_lab: Lab, eventually: Eventually) -> None:
    machine = node(off_lab)
    config = speaker.default_config(off_lab.settings, "worker-1")
    wrong, *right = config.peers
    speaker.stop(machine)
    speaker.apply(machine, replace(config, peers=(replace(wrong, password="wrong"), *right)))
    eventually(lambda: [one["state"] for one in speaker.neighbors(machine)][1:] == ["established"] * 3, "the others")
    assert speaker.neighbors(machine)[0]["state"] != "established"


def test_routers_have_the_kernel_settings(off_lab: Lab) -> None:
    wanted = {
        "net/ipv4/ip_forward": "1",
        "net/ipv6/conf/all/forwarding": "1",
        "net/ipv4/fib_multipath_hash_policy": "1",
        "net/ipv6/fib_multipath_hash_policy": "1",
        "net/ipv4/conf/fabric/rp_filter": "0",
        "net/ipv6/conf/fabric/accept_dad": "0",
    }
    for router in off_lab.routers.values():
        assert router.run(["cat", *(f"/proc/sys/{key}" for key in wanted)]).stdout.split() == list(wanted.values())
        neighbor = json.loads(router.run(["vtysh", "-c", "show bgp neighbors 10.62.0.11 json"]).stdout)["10.62.0.11"]
        assert neighbor["bgpTimerHoldTimeMsecs"] == off_lab.settings.hold_time * 1000
