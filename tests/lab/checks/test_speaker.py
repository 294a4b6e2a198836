# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What FRR does when a node's speaker stops, dies or loses its machine, in each scenario."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from lab import network, speaker
from lab.machines import Machine
from lab.settings import LabSettings, pod_cidrs
from lab.state import Lab

Eventually = Callable[..., None]
CIDR4, CIDR6 = pod_cidrs(1)
VIP4 = "198.51.100.10/32"


def fixture(settings: LabSettings) -> Any:
    @pytest.fixture(scope="module")
    def lab(network_lab: Any) -> Iterator[Lab]:
        with network_lab(settings) as found:
            yield found

    return lab


# A short restart time, so that waiting for its end is short.
stale_lab = fixture(LabSettings("spst", "plain", "stale", "8.4", restart_time=6))
stale_on_new_frr = fixture(LabSettings("spsn", "plain", "stale", "10", restart_time=6))
hard_reset_lab = fixture(LabSettings("sphr", "plain", "hard-reset", "8.4", restart_time=6))
hard_reset_on_new_frr = fixture(LabSettings("sphn", "plain", "hard-reset", "10", restart_time=6))
off_lab = fixture(LabSettings("spof", "plain", "off", "8.4"))


def node(lab: Lab) -> Machine:
    return lab.machines[lab.settings.machine("worker-1")]


def paths(router: Machine, prefix: str) -> list[dict[str, Any]]:
    """FRR's paths of a prefix whose next hop is worker-1, as `show bgp ... json` has them."""
    family = "ipv6" if ":" in prefix else "ipv4"
    found = json.loads(router.run(["vtysh", "-c", f"show bgp {family} unicast {prefix} json"]).stdout)
    return [
        path
        for path in found.get("paths", [])
        if any(hop["ip"] in ("10.62.0.11", "fd62::11") for hop in path["nexthops"])
    ]


def in_fib(lab: Lab) -> set[bool]:
    """{True}: all routers' kernels send worker-1's PodCIDRs to it; {False}: none does."""
    hops = {"10.62.0.11", "fd62::11"}
    return {bool(hops & set(network.next_hops(router, cidr))) for router in lab.routers for cidr in (CIDR4, CIDR6)}


def is_stale(lab: Lab) -> bool:
    """Whether every router keeps the node's PodCIDRs as stale paths, in the kernel too."""
    stale = all(
        any(path.get("stale") for path in paths(router, cidr))
        for router in lab.routers.values()
        for cidr in (CIDR4, CIDR6)
    )
    return stale and in_fib(lab) == {True}


def put_back(lab: Lab, eventually: Eventually) -> None:
    machine = node(lab)
    machine.start()
    speaker.apply(machine, speaker.default_config(lab.settings, "worker-1"))
    eventually(lambda: in_fib(lab) == {True}, "routes are back")
    eventually(
        lambda: all(one["state"] == "established" for one in speaker.neighbors(machine)), "sessions are established"
    )
    eventually(lambda: not any(path.get("stale") for r in lab.routers.values() for path in paths(r, CIDR4)), "fresh")


@pytest.mark.parametrize("name", ["stale_lab", "stale_on_new_frr"])
def test_old_gobgp_leaves_stale_routes_when_deselected(
    name: str, request: pytest.FixtureRequest, eventually: Eventually
) -> None:
    lab = request.getfixturevalue(name)
    speaker.stop(node(lab))
    assert not speaker.running(node(lab))
    assert is_stale(lab), "GoBGP 3.10 under GR and N: the Cease is taken as a restart"
    eventually(lambda: in_fib(lab) == {False}, "stale routes end with the restart time")
    put_back(lab, eventually)


@pytest.mark.parametrize("name", ["hard_reset_lab", "hard_reset_on_new_frr"])
def test_new_gobgp_ends_its_routes_when_deselected_but_not_when_it_dies(
    name: str, request: pytest.FixtureRequest, eventually: Eventually
) -> None:
    lab = request.getfixturevalue(name)
    speaker.stop(node(lab))
    eventually(lambda: in_fib(lab) == {False} or is_stale(lab), "either way")
    assert in_fib(lab) == {False}, "Hard Reset leaves nothing"
    put_back(lab, eventually)
    speaker.kill(node(lab))
    eventually(lambda: is_stale(lab), "stale after the agent's death")
    put_back(lab, eventually)


def test_without_graceful_restart_nothing_stays(off_lab: Lab, eventually: Eventually) -> None:
    for end in (speaker.stop, speaker.kill):
        end(node(off_lab))
        eventually(lambda: in_fib(off_lab) == {False}, "gone")
        assert not any(paths(router, CIDR4) for router in off_lab.routers.values())
        put_back(off_lab, eventually)


def test_agent_restart_keeps_the_routes(stale_lab: Lab, eventually: Eventually) -> None:
    machine = node(stale_lab)
    speaker.kill(machine)
    assert speaker.neighbors(machine) == []
    eventually(lambda: is_stale(stale_lab), "stale after the agent's death")
    speaker.apply(machine, speaker.default_config(stale_lab.settings, "worker-1"))
    fresh = 0
    while fresh < 3:
        assert in_fib(stale_lab) == {True}, "a restart within the restart time loses no route"
        fresh = 0 if is_stale(stale_lab) or not speaker.neighbors(machine) else fresh + 1
    put_back(stale_lab, eventually)


def test_os_shutdown_sends_no_notification(stale_lab: Lab, eventually: Eventually) -> None:
    node(stale_lab).poweroff()
    assert is_stale(stale_lab), "gobgpd ended by SIGKILL: the routers wait for it to come back"
    put_back(stale_lab, eventually)


def test_power_cut_is_noticed_after_the_hold_time_only(off_lab: Lab, eventually: Eventually) -> None:
    node(off_lab).cut()
    assert in_fib(off_lab) == {True}, "nobody was told"
    eventually(lambda: in_fib(off_lab) == {False}, "the hold timer ends it")
    put_back(off_lab, eventually)


def test_kept_peer_leaks_the_route_back_by_ibgp(off_lab: Lab, eventually: Eventually) -> None:
    first, second = off_lab.routers.values()
    speaker.stop(node(off_lab), keep_peers={second.address4, second.address6})
    eventually(lambda: [path.get("type", "") for path in paths(first, CIDR4)] == ["internal"], "the leaked path alone")
    assert in_fib(off_lab) == {True}, "both routers still send to the node"
    assert {one["address"] for one in speaker.neighbors(node(off_lab))} == {second.address4, second.address6}
    put_back(off_lab, eventually)


def test_withdrawn_prefix_goes_while_the_session_stays(off_lab: Lab, eventually: Eventually) -> None:
    machine = node(off_lab)
    config = speaker.default_config(off_lab.settings, "worker-1")
    uptime = {one["address"]: one["uptime"] for one in speaker.neighbors(machine)}
    speaker.apply(machine, replace(config, prefixes4=(VIP4,)))
    eventually(lambda: not any(paths(router, CIDR4) for router in off_lab.routers.values()), "PodCIDR withdrawn")
    assert all(paths(router, VIP4) and paths(router, CIDR6) for router in off_lab.routers.values())
    for one in speaker.neighbors(machine):
        assert one["state"] == "established"
        assert one["uptime"] >= uptime[one["address"]]
        assert one["families"][0]["advertised"] == (1 if one["families"][0]["afi"] == "ipv4" else 3)
    put_back(off_lab, eventually)


def test_routers_have_the_kernel_settings(off_lab: Lab) -> None:
    for router in off_lab.routers.values():
        wanted = {
            "net/ipv4/ip_forward": "1",
            "net/ipv6/conf/all/forwarding": "1",
            "net/ipv4/fib_multipath_hash_policy": "1",
            "net/ipv6/fib_multipath_hash_policy": "1",
            "net/ipv4/conf/fabric/rp_filter": "0",
            "net/ipv6/conf/fabric/accept_dad": "0",
        }
        found = router.run(["cat", *(f"/proc/sys/{key}" for key in wanted)]).stdout.split()
        assert found == list(wanted.values())
        assert (
            json.loads(router.run(["vtysh", "-c", "show bgp neighbors 10.62.0.11 json"]).stdout)["10.62.0.11"][
                "bgpTimerHoldTimeMsecs"
            ]
            == 9000
        )
