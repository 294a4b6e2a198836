# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A wait on a router, against programs that answer as the recorded router did."""

from __future__ import annotations

import pytest
from ansible_collections.hitless.nodes.plugins.module_utils.base.errors import HitlessError
from ansible_collections.hitless.nodes.plugins.module_utils.base.polling import Limits, Unfinished
from ansible_collections.hitless.nodes.plugins.module_utils.frr.answers import RouterError
from ansible_collections.hitless.nodes.tests.unit import frr_samples as samples
from ansible_collections.hitless.nodes.tests.unit.frr_samples import NODE4, POD_CIDR, VIP4, VIP6
from ansible_collections.hitless.nodes.tests.unit.router_bench import (
    NO_ROUTE,
    Bench,
    bgp_answers,
    both,
    ip_answers,
    kernel,
    recorded,
    zebra,
)


@both
def test_wait_when_stale_paths_expire(bench: Bench, version: str) -> None:
    bench.state(version, "stale")
    bench.at(20.0, version, "expired")
    result = bench.wait()
    assert (result["seconds"], result["settled"], result["remaining"]) == (20.0, True, [])
    assert result["families"] == {"ipv4": 20.0, "ipv6": 20.0}
    assert bench.now == 22.0


@both
@pytest.mark.parametrize(
    ("state", "first", "then"), [("withdrawn", "stale", "expired"), ("present", "expired", "established")]
)
def test_wait_when_the_kernel_changes_between_two_looks_sees_it_at_once(
    bench: Bench, version: str, state: str, first: str, then: str
) -> None:
    bench.state(version, first)
    bench.at(5.0, version, then)
    assert bench.wait(state, settle=0, interval=20.0, soon=1.0)["seconds"] == 5.0


def test_wait_when_things_move_looks_again_soon(bench: Bench) -> None:
    bench.state("10.3", "established")
    bench.at(20.0, "10.3", "stale")
    # The look found stale paths where they were fresh: what comes next isn't a whole interval away.
    bench.at(21.0, "10.3", "expired")
    assert bench.wait(settle=0, interval=20.0, soon=1.0)["seconds"] == 21.0


def test_wait_when_the_kernel_gives_no_answer_between_two_looks_lets_a_look_decide(bench: Bench) -> None:
    bench.state("10.3", "stale")
    wait = bench.waiting()
    bench.ip.answers({})
    assert wait.has_moved(("default", VIP4))


@both
def test_wait_when_routes_come_back_while_settling_begins_anew(bench: Bench, version: str) -> None:
    bench.state(version, "expired")
    bench.at(1.0, version, "established")
    bench.at(5.0, version, "expired")
    result = bench.wait(interval=1.0)
    assert (result["seconds"], result["families"]) == (5.0, {"ipv4": 5.0, "ipv6": 5.0})


def test_wait_keeps_since_when_each_family_is_gone_from_slice_to_slice(bench: Bench) -> None:
    gone6 = {f"show bgp ipv6 unicast {VIP6} json": (0, "{}", ""), "show bgp nexthop json": (0, "{}", "")}
    gone6[f"show bgp neighbors {NODE4} json"] = recorded("10.3", "expired.neighbor")
    gone6[f"show ipv6 route vrf default {VIP6} json"] = zebra(VIP6, ["fd99::13"])
    bench.vtysh.answers(bgp_answers("10.3", "stale") | gone6)
    bench.ip.answers(ip_answers(node=True) | {"route get fibmatch fd77::128": kernel("fd77::128", ["fd99::13"])})
    with pytest.raises(Unfinished) as pause:
        bench.wait(slice=3.0)
    assert pause.value.state["reached"] == {"ipv6": 0.0}
    bench.state("10.3", "expired")
    limits = Limits(timeout=30.0, elapsed=12.0)
    result = bench.waiting().wait(
        limits,
        settle=0,
        interval=1.0,
        reached=pause.value.state["reached"],
        clock=lambda: bench.now,
        sleep=bench.sleep,
    )
    assert result["families"] == {"ipv4": 12.0, "ipv6": 0.0}


@both
def test_wait_when_the_routes_stay_fails_with_what_is_left(bench: Bench, version: str) -> None:
    bench.state(version, "stale")
    with pytest.raises(HitlessError) as error:
        bench.wait(timeout=10.0)
    assert error.value.msg.startswith(f"worker-3: 3 of 3 prefixes are still on router tor-1 after 10 s: {VIP4} (ipv4, ")
    assert "graceful restart may keep stale paths" in error.value.msg
    assert {entry["prefix"] for entry in error.value.facts["remaining"]} == {VIP4, POD_CIDR, VIP6}
    assert (error.value.facts["seconds"], error.value.facts["settled"]) == (10.0, False)


@both
def test_wait_when_bgpd_is_down_to_the_end_is_unknown(bench: Bench, version: str) -> None:
    bench.state(version, "established")
    bench.vtysh.answers({"show bgp vrfs json": (1, "", samples.stderr(version, "bgpd-down.summary"))})
    with pytest.raises(HitlessError) as error:
        bench.wait(timeout=10.0)
    assert error.value.msg.startswith(
        "worker-3: unknown after 10 s whether its 3 prefixes are withdrawn on router tor-1: no answer to"
    )
    assert "bgpd is not running" in error.value.msg
    assert [entry["where"] for entry in error.value.facts["remaining"]] == ["unknown"] * 3


@both
def test_wait_when_bgpd_comes_back_goes_on(bench: Bench, version: str) -> None:
    bench.state(version, "established")
    bench.vtysh.answers({"show bgp vrfs json": (1, "", samples.stderr(version, "bgpd-down.summary"))})
    bench.at(5.0, version, "established")
    bench.at(8.0, version, "expired")
    assert bench.wait()["seconds"] == 8.0


@both
def test_wait_when_asking_again_would_not_help_fails_at_once(bench: Bench, version: str) -> None:
    bench.state(version, "established")
    bench.vtysh.answers({})
    with pytest.raises(RouterError, match="vtysh refused"):
        bench.wait()
    assert bench.now == 0.0


@both
def test_wait_when_the_slice_is_over_says_what_is_left(bench: Bench, version: str) -> None:
    bench.state(version, "stale")
    with pytest.raises(Unfinished) as pause:
        bench.wait(slice=3.0)
    assert pause.value.subject == "worker-3"
    assert pause.value.progress.startswith(f"router tor-1: 3 of 3 prefixes left: {VIP4} (ipv4, ")
    assert "(ipv6, " in pause.value.progress
    assert bench.now == 4.0


@both
def test_wait_when_the_slice_ends_unknown_says_so(bench: Bench, version: str) -> None:
    bench.state(version, "established")
    bench.vtysh.answers({"show bgp vrfs json": (1, "", samples.stderr(version, "bgpd-down.summary"))})
    with pytest.raises(Unfinished, match="unknown just now: no answer to 'show bgp vrfs json': bgpd is not running"):
        bench.wait(slice=3.0)


@both
def test_wait_for_present_when_the_session_comes_up(bench: Bench, version: str) -> None:
    bench.state(version, "expired")
    bench.at(4.0, version, "established")
    result = bench.wait("present")
    assert (result["seconds"], result["settled"]) == (4.0, True)


@both
def test_wait_for_present_when_it_does_not_come(bench: Bench, version: str) -> None:
    bench.state(version, "expired")
    with pytest.raises(HitlessError) as error:
        bench.wait("present", timeout=5.0)
    assert error.value.msg.startswith("worker-3: 3 of 3 prefixes are not back on router tor-1 after 5 s: ")
    assert f"session with {NODE4} is Active" in error.value.msg


@both
def test_wait_for_present_when_the_session_flaps_between_two_looks_settles_anew(bench: Bench, version: str) -> None:
    bench.state(version, "established")
    bench.at(2.0, version, "established", ups=2)
    result = bench.wait("present", settle=3.0, interval=1.0)
    # Seen to be up for the second time at 2.0; from the look after that on it holds.
    assert (result["seconds"], bench.now) == (3.0, 6.0)


@both
def test_wait_for_withdrawn_does_not_mind_a_session_that_flaps(bench: Bench, version: str) -> None:
    bench.state(version, "expired")
    bench.at(1.0, version, "expired", ups=2)
    assert bench.wait(settle=2.0, interval=1.0)["seconds"] == 0.0


@both
@pytest.mark.parametrize(("held", "seconds"), [(100000.0, 1.0), (1.0, 0.0)])
def test_wait_for_present_when_a_session_is_younger_than_what_an_earlier_wait_saw(
    bench: Bench, version: str, held: float, seconds: float
) -> None:
    bench.state(version, "established")
    assert bench.wait("present", settle=1.0, interval=1.0, held=held)["seconds"] == seconds


@both
def test_wait_for_unused_when_traffic_moves(bench: Bench, version: str) -> None:
    bench.state(version, "established")
    wanted = {"default": [VIP4]}
    bench.ip.answers({"route get fibmatch 192.168.77.128": kernel("192.168.77.128", [NODE4, "192.168.99.13"])})
    wait = bench.waiting("unused", wanted)
    with pytest.raises(HitlessError, match="1 of 1 prefixes are still forwarded to it by router tor-1 after 0 s"):
        wait.wait(Limits(timeout=0.0), settle=0, interval=1.0, clock=lambda: bench.now, sleep=bench.sleep)
    bench.ip.answers({"route get fibmatch 192.168.77.128": kernel("192.168.77.128", ["192.168.99.13"])})
    moved = {f"show ip route vrf default {VIP4} json": zebra(VIP4, ["192.168.99.13"])}
    bench.vtysh.answers(bgp_answers(version, "established") | moved)
    assert bench.waiting("unused", wanted).look()["remaining"] == []


@both
def test_look_once_reports_without_waiting(bench: Bench, version: str) -> None:
    bench.state(version, "stale")
    result = bench.waiting().look()
    assert (result["changed"], result["settled"], result["seconds"]) == (False, False, 0.0)
    assert {entry["prefix"] for entry in result["remaining"]} == {VIP4, POD_CIDR, VIP6}


@pytest.mark.parametrize("state", ["withdrawn", "present"])
@pytest.mark.parametrize("wanted", [{"default": []}, {"default": [VIP4], "blue": []}])
def test_wait_when_there_is_nothing_to_look_for_is_refused(
    bench: Bench, state: str, wanted: dict[str, list[str]]
) -> None:
    with pytest.raises(RouterError, match=r"worker-3: no prefixes to look for in VRF .* so nothing can be proven"):
        bench.waiting(state, wanted)


@both
def test_wait_when_kernel_and_zebra_do_not_agree_is_not_withdrawn(bench: Bench, version: str) -> None:
    """BGP has lost the node. The kernel that was asked isn't FRR's: it has nothing of what other nodes announce."""
    bench.state(version, "expired")
    bench.ip.answers(dict.fromkeys(ip_answers(node=True), NO_ROUTE))
    with pytest.raises(HitlessError) as error:
        bench.wait(timeout=4.0)
    assert f"{VIP4} (ipv4, zebra but not the kernel)" in str(error.value)
    assert "see router_exec" in str(error.value)
    assert {(entry["prefix"], entry["where"]) for entry in error.value.facts["remaining"]} == {
        (VIP4, "zebra"),
        (VIP6, "zebra"),
    }


def test_a_route_over_a_gateway_is_no_witness(bench: Bench) -> None:
    """The kernel alone can't tell whether it is the node's, so it would always seem to have moved."""
    bench.state("10.3", "established")
    entry = {"vrf": "default", "family": "ipv4", "prefix": VIP4, "next_hop": NODE4, "where": "fib", "stale": False}
    assert bench.waiting().witness([{**entry, "via": ["10.9.0.1"]}]) is None
    assert bench.waiting().witness([entry]) == ("default", VIP4)
