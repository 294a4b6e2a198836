# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A look at a router and a wait on it, against programs that answer as the recorded router did."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible_collections.hitless.nodes.plugins.module_utils.base.errors import HitlessError
from ansible_collections.hitless.nodes.plugins.module_utils.base.net import AddressError
from ansible_collections.hitless.nodes.plugins.module_utils.base.polling import Limits, Unfinished
from ansible_collections.hitless.nodes.plugins.module_utils.frr import router_look
from ansible_collections.hitless.nodes.plugins.module_utils.frr.answers import RouterError, UnknownError
from ansible_collections.hitless.nodes.plugins.module_utils.frr.iproute import Fib
from ansible_collections.hitless.nodes.plugins.module_utils.frr.vtysh import Vtysh
from ansible_collections.hitless.nodes.tests.unit import frr_samples as samples
from ansible_collections.hitless.nodes.tests.unit.frr_samples import NODE4, NODE6, POD_CIDR, VIP4, VIP6
from ansible_collections.hitless.nodes.tests.unit.router_bench import (
    NO_ROUTE,
    WANTED,
    Bench,
    bgp_answers,
    both,
    ip_answers,
    kernel,
    recorded,
)


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    return Bench(tmp_path, monkeypatch)


@both
def test_look_when_established_takes_one_process_of_each_program(bench: Bench, version: str) -> None:
    bench.state(version, "established")
    view = bench.router().look(WANTED)
    assert {(entry["prefix"], entry["next_hop"]) for entry in view["routes"]} == {
        (VIP4, NODE4),
        (POD_CIDR, NODE4),
        (VIP6, NODE6),
    }
    assert [entry["prefix"] for entry in view["fib"]] == [VIP4, POD_CIDR, VIP6]
    assert [entry["address"] for entry in view["neighbors"]] == [NODE4]
    assert (len(bench.vtysh.asked()), len(bench.ip.asked())) == (1, 1)


def test_look_asks_in_each_vrf(bench: Bench) -> None:
    absent = recorded("10.3", "established.absent-prefix")
    none = recorded("10.3", "established.absent-neighbor")
    bench.vtysh.answers(
        {
            "show bgp vrfs json": (0, '{"vrfs": {"default": {}, "blue": {}}}', ""),
            **{f"show bgp{vrf} neighbors {own} json": none for vrf in ("", " vrf blue") for own in (NODE4, NODE6)},
            f"show bgp ipv4 unicast {VIP4} json": absent,
            f"show bgp vrf blue ipv4 unicast {POD_CIDR} json": recorded("10.3", "established.podcidr"),
            "show bgp nexthop json": (0, "{}", ""),
            "show bgp vrf blue nexthop json": recorded("10.3", "established.nexthop"),
        }
    )
    bench.ip.answers(
        {
            "route get fibmatch 192.168.77.128": NO_ROUTE,
            "route get fibmatch 10.244.1.0 vrf blue": kernel(POD_CIDR, [NODE4]),
            "route get fibmatch 10.244.1.255 vrf blue": kernel(POD_CIDR, [NODE4]),
        }
    )
    view = bench.router().look({"default": [VIP4], "blue": [POD_CIDR]})
    assert {entry["vrf"] for entry in view["routes"] + view["fib"] + view["counts"]} == {"blue"}


@both
@pytest.mark.parametrize(
    ("command", "name", "words"),
    [
        ("show bgp vrfs json", "no-router-bgp.neighbors", "isn't understood"),
        (f"show bgp ipv4 unicast {VIP4} json", "no-router-bgp.vip", "Default BGP instance not found"),
        (f"show bgp neighbors {NODE4} json", "no-peer.neighbors", "isn't understood"),
    ],
)
def test_look_when_there_is_no_instance_is_unknown(
    bench: Bench, version: str, command: str, name: str, words: str
) -> None:
    bench.state(version, "expired")
    bench.vtysh.answers({**bgp_answers(version, "expired"), command: recorded(version, name)})
    with pytest.raises(UnknownError, match=words):
        bench.router().look(WANTED)


@both
def test_look_when_the_vrf_has_no_instance_is_unknown(bench: Bench, version: str) -> None:
    unknown = (0, '{\n  "warning":"View/Vrf is unknown"\n}\n', "")
    bench.vtysh.answers(
        {
            "show bgp vrfs json": recorded(version, "established.vrfs"),
            f"show bgp vrf blue neighbors {NODE4} json": (0, "{\n}\n", ""),
            f"show bgp vrf blue neighbors {NODE6} json": (0, "{\n}\n", ""),
            f"show bgp vrf blue ipv4 unicast {VIP4} json": unknown,
        }
    )
    with pytest.raises(UnknownError, match=r"no BGP instance in VRF blue \(it has: default\)"):
        bench.router().look({"blue": [VIP4]})


@both
@pytest.mark.parametrize("name", ["lab.vrfs-no-router-bgp", "lab.vrfs-no-peer"])
def test_look_when_the_instance_is_missing_or_empty_is_unknown(bench: Bench, version: str, name: str) -> None:
    """Routers without "router bgp", or whose configuration is empty, know no path to anything."""
    bench.state(version, "expired")
    bench.vtysh.answers({**bgp_answers(version, "expired"), "show bgp vrfs json": recorded(version, name)})
    with pytest.raises(
        UnknownError, match=r"no BGP instance in VRF default \(it has: none\)|default has no neighbours"
    ):
        bench.router().look(WANTED)


@both
def test_announced_lists_the_prefixes_of_both_families(bench: Bench, version: str) -> None:
    head = f"unicast neighbors {NODE4} routes json"
    bench.vtysh.answers(
        {
            **bgp_answers(version, "established"),
            f"show bgp ipv4 {head}": recorded(version, "established.nbr-routes"),
            f"show bgp ipv6 {head}": recorded(version, "established.nbr-routes6"),
        }
    )
    assert {VIP4, POD_CIDR, VIP6} < set(bench.router().announced(["default"])["default"])


@both
def test_announced_when_there_is_no_session_is_nothing(bench: Bench, version: str) -> None:
    none = recorded(version, "established.absent-neighbor")
    bench.vtysh.answers({**bgp_answers(version, "established"), f"show bgp neighbors {NODE4} json": none})
    assert bench.router().announced(["default"]) == {"default": []}


@both
def test_release(bench: Bench, version: str) -> None:
    bench.state(version, "established")
    assert bench.router().release() == version


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
    assert bench.waiting("unused", wanted).look()["remaining"] == []


def test_look_on_frr_8_counts_paths_of_prefixes_that_nobody_looked_up(bench: Bench) -> None:
    bench.state("8.4.4", "expired")
    text = f"Current BGP nexthop cache:\n {NODE4} valid [IGP metric 0], #paths 2, peer {NODE4}\n  if eth0\n"
    bench.vtysh.answers(bgp_answers("8.4.4", "expired") | {"show bgp nexthop": (0, text, "")})
    remaining = bench.waiting().look()["remaining"]
    assert [(entry["prefix"], entry["next_hop"], entry["paths"]) for entry in remaining] == [("*", NODE4, 2)]


def test_look_on_frr_8_takes_one_process_once_it_is_known_to_have_no_json_for_counts(bench: Bench) -> None:
    bench.state("8.4.4", "expired")
    wait = bench.waiting()
    assert wait.look()["remaining"] == wait.look()["remaining"] == []
    first, text, second = bench.vtysh.asked()
    assert (first[-1], text, second[-1]) == ("show bgp nexthop json", ["show bgp nexthop"], "show bgp nexthop")
    assert first[:-1] == second[:-1]


@pytest.mark.parametrize("said", ["", "% No such BGP instance exist\n", "Current BGP nexthop cache:\n 192.0.2"])
def test_look_on_frr_8_when_the_counts_are_not_understood_is_unknown(bench: Bench, said: str) -> None:
    bench.state("8.4.4", "expired")
    wait = bench.waiting()
    wait.look()
    bench.vtysh.answers(bgp_answers("8.4.4", "expired") | {"show bgp nexthop": (0, said, "")})
    with pytest.raises(UnknownError, match="show bgp nexthop"):
        wait.look()


@both
def test_discover_finds_link_local_sessions_only_where_there_are_some(bench: Bench, version: str) -> None:
    own = "fe80::64c6:a8ff:fef5:ff7" if version == "8.4.4" else "fe80::7444:1eff:fec9:462d"
    table = {
        "show bgp vrfs json": recorded(version, "established.vrfs"),
        "show bgp summary json": recorded(version, "unnumbered.summary"),
        "show bgp neighbors p2p json": recorded(version, "unnumbered.neighbor"),
    }
    (bench.ip.folder / "ip").write_text("#!/bin/sh\necho '[]'\n")
    bench.vtysh.answers(table)
    for addresses, expected in (({"10.62.0.11"}, {own}), ({"10.62.0.12"}, set())):
        router = router_look.Router(Vtysh(str(bench.vtysh.path)), Fib(), set(addresses))
        assert router.discover(["default"]) == expected
        assert router.addresses == addresses | expected
    bench.vtysh.answers(table | {"show bgp summary json": (0, "{}", "")})
    assert bench.router().discover(["default"]) == set()


@pytest.mark.parametrize("script", ["echo '[{'", "echo '{}'", "echo nothing >&2; exit 1"])
def test_neighbours_when_ip_gives_no_list_are_unknown(bench: Bench, script: str) -> None:
    (bench.ip.folder / "ip").write_text(f"#!/bin/sh\n{script}\n")
    with pytest.raises(UnknownError, match="isn't understood"):
        Fib().neighbours()


def test_checked_sessions_when_one_has_no_address() -> None:
    with pytest.raises(RouterError, match="is no session; give each with its address"):
        router_look.checked_sessions([{"vrf": "default"}])
    assert router_look.checked_sessions(None) is None
    given = [{"address": "2001:DB8::0:1", "state": "Established"}]
    assert router_look.checked_sessions(given) == [{"vrf": "default", "address": "2001:db8::1"}]


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
    with pytest.raises(RouterError, match=r"worker-3: no prefixes to look for in VRF .* would prove nothing"):
        bench.waiting(state, wanted)


@pytest.mark.parametrize(
    ("values", "vrfs", "expected"),
    [
        ([VIP4, VIP4], ["default"], {"default": [VIP4]}),
        ([VIP4], ["default", "blue"], {"default": [VIP4], "blue": [VIP4]}),
        ({"blue": [POD_CIDR, "FD77:0::128"]}, ["default"], {"blue": [POD_CIDR, VIP6]}),
        ([], ["default"], {"default": []}),
    ],
)
def test_checked_prefixes(values: Any, vrfs: list[str], expected: dict[str, list[str]]) -> None:
    assert router_look.checked_prefixes(values, vrfs) == expected


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ("10.0.0.0/8", "isn't a list"),
        (None, "isn't a list"),
        ({"blue": "10.0.0.0/8"}, "prefixes of VRF blue: '10.0.0.0/8' isn't a list"),
        (["10.0.0.1/8"], "has host bits set"),
        ({"a b": [VIP4]}, "can't be the name of a VRF"),
        ({}, "prefixes is empty"),
    ],
)
def test_checked_prefixes_when_they_are_none(values: Any, words: str) -> None:
    with pytest.raises((RouterError, AddressError), match=words):
        router_look.checked_prefixes(values, ["default"])


@pytest.mark.parametrize("vrf", ["", "a b", "x\nconfigure", "much-too-long-name"])
def test_checked_vrfs_when_it_can_not_be_a_name(vrf: str) -> None:
    with pytest.raises(RouterError, match="can't be the name of a VRF"):
        router_look.checked_vrfs([vrf])


def test_checked_addresses() -> None:
    assert router_look.checked_addresses(["192.0.2.1", "FD00::1"]) == {"192.0.2.1", "fd00::1"}
    with pytest.raises(RouterError, match="addresses is empty"):
        router_look.checked_addresses([])
