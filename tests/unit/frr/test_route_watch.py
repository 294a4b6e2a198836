# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A watch over an agent's restart, against programs that answer as the recorded router did."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.hitless.nodes.plugins.module_utils.base.errors import HitlessError
from ansible_collections.hitless.nodes.plugins.module_utils.frr.route_watch import RouteWatch
from ansible_collections.hitless.nodes.tests.unit import frr_samples as samples
from ansible_collections.hitless.nodes.tests.unit.frr_samples import NODE4, POD_CIDR, VIP4, VIP6
from ansible_collections.hitless.nodes.tests.unit.router_bench import (
    Bench,
    bgp_answers,
    both,
    ip_answers,
    kernel,
)


@pytest.fixture
def bench(tmp_path, monkeypatch):
    return Bench(tmp_path, monkeypatch)


def watch(bench: Bench, *, begin: float = 10.0, timeout: float = 30.0) -> dict[str, Any]:
    wait = bench.waiting("present")
    wait.sessions = [{"vrf": "default", "address": NODE4}]
    return RouteWatch(wait, lambda: bench.now).watch(begin=begin, timeout=timeout, interval=1.0, sleep=bench.sleep)


def failure(bench: Bench, **limits: float) -> HitlessError:
    with pytest.raises(HitlessError) as error:
        watch(bench, **limits)
    return error.value


@both
def test_routes_that_are_stale_and_then_fresh_again_are_kept(bench: Bench, version: str) -> None:
    bench.state(version, "established")
    bench.at(3.0, version, "stale")
    bench.at(9.0, version, "established", ups=2)
    result = watch(bench)
    assert (result["seconds"], result["remaining"]) == (9.0, [])


@both
def test_a_restart_between_two_looks_is_seen_by_the_session_s_count(bench: Bench, version: str) -> None:
    bench.state(version, "established")
    bench.at(3.0, version, "established", ups=2)
    assert watch(bench)["seconds"] == 3.0


@both
def test_a_loss_ends_it_at_once_though_everything_comes_back(bench: Bench, version: str) -> None:
    bench.state(version, "established")
    bench.at(3.0, version, "stale")
    bench.at(5.0, version, "expired")
    bench.at(6.0, version, "established", ups=2)
    lost = failure(bench)
    assert lost.msg.startswith(
        "worker-3: 3 of 3 prefixes were lost on router tor-1 2.0 s after its sessions went down: "
        f"{VIP4} (ipv4, BGP), {POD_CIDR} (ipv4, BGP), {VIP6} (ipv6, BGP); "
    )
    assert [entry["prefix"] for entry in lost.facts["remaining"]] == [VIP4, POD_CIDR, VIP6]
    assert bench.now == 5.0


@both
def test_what_is_lost_before_the_agent_went_away_is_said(bench: Bench, version: str) -> None:
    answers = bgp_answers(version, "established")
    answers[f"show bgp ipv4 unicast {POD_CIDR} json"] = (0, "{}", "")
    bench.vtysh.answers(answers)
    bench.ip.answers(ip_answers(node=True))
    assert f"1 of 3 prefixes were lost on router tor-1 with its sessions up: {POD_CIDR}" in failure(bench).msg


def test_a_route_that_the_kernel_lacks_in_one_look_is_not_lost_and_in_two_it_is(bench: Bench) -> None:
    lacking = {"route get fibmatch 192.168.77.128": kernel("192.168.77.128", ["192.168.99.13"])}
    bench.state("10.3", "stale")
    bench.ip.answers(ip_answers(node=True) | lacking)
    bench.at(1.0, "10.3", "stale")
    bench.at(2.0, "10.3", "established", ups=2)
    assert watch(bench)["seconds"] == 2.0

    bench.state("10.3", "stale")
    bench.ip.answers(ip_answers(node=True) | lacking)
    assert f"1 of 3 prefixes were lost on router tor-1 1.0 s after its sessions went down: {VIP4} (ipv4, FIB)" in (
        failure(bench).msg
    )


@both
def test_a_router_that_gives_no_answer_twice_may_have_lost_them(bench: Bench, version: str) -> None:
    bench.state(version, "stale")
    down = {"show bgp vrfs json": (1, "", samples.stderr(version, "bgpd-down.summary"))}
    bench.vtysh.answers(bgp_answers(version, "stale") | down)
    bench.at(1.0, version, "stale")
    bench.at(2.0, version, "established", ups=2)
    assert watch(bench)["seconds"] == 2.0

    bench.state(version, "stale")
    bench.vtysh.answers(bgp_answers(version, "stale") | down)
    unknown = failure(bench)
    assert "worker-3: whether its 3 prefixes on router tor-1 are still there isn't known: no answer to" in unknown.msg
    assert [entry["where"] for entry in unknown.facts["remaining"]] == ["unknown"] * 3


@both
def test_no_restart_is_not_known_to_be_harmless(bench: Bench, version: str) -> None:
    bench.state(version, "established")
    unknown = failure(bench, begin=4.0)
    assert "on router tor-1 were kept isn't known: its sessions did not go down within 4 s" in unknown.msg


@both
def test_an_agent_that_stays_away_is_said(bench: Bench, version: str) -> None:
    bench.state(version, "established")
    bench.at(2.0, version, "stale")
    unknown = failure(bench, timeout=7.0)
    assert "are all back isn't known: they are not 5 s after its sessions went down" in unknown.msg
    assert [(entry["where"], entry["next_hop"]) for entry in unknown.facts["remaining"]] == [("session", NODE4)]
