# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Stale paths that are flushed, against a program that keeps a configuration as FRR does."""

from __future__ import annotations

import os
import signal
from typing import Any

import pytest
from ansible_collections.hitless.nodes.plugins.module_utils.base.errors import HitlessError
from ansible_collections.hitless.nodes.plugins.module_utils.frr import neighbor_flush
from ansible_collections.hitless.nodes.plugins.module_utils.frr.answers import RouterError, UnknownError
from ansible_collections.hitless.nodes.plugins.module_utils.frr.neighbor import ChangedError, Session
from ansible_collections.hitless.nodes.tests.unit.neighbor_bench import NODE4, NODE6, OTHER, Bgpd

STALE = {"vrf": "default", "prefix": "198.51.100.10/32", "from": NODE4, "stale": True}


def stale_view() -> dict[str, list[dict[str, Any]]]:
    return {"routes": [dict(STALE)], "neighbors": []}


def flushed(bgpd: Bgpd, views: list[dict[str, list[dict[str, Any]]]], *, timeout: float = 60) -> list[Session]:
    """What was flushed; the last view stays."""
    left = list(views)
    return neighbor_flush.flush(
        bgpd.neighbors(), views[0], lambda: left.pop(0) if len(left) > 1 else left[0], timeout=timeout, interval=0.01
    )


def test_flush_shuts_the_neighbour_until_its_paths_are_gone_and_undoes_it(bgpd: Bgpd) -> None:
    bgpd.set(up=[OTHER])
    before = bgpd.state["neighbors"]
    chosen = flushed(bgpd, [stale_view(), stale_view(), {"routes": [], "neighbors": []}])
    assert [each.address for each in chosen] == [NODE4]
    assert [commands[-1] for commands in bgpd.configured()] == [
        f"neighbor {NODE4} shutdown message hitless.nodes",
        f"no neighbor {NODE4} shutdown",
    ]
    assert bgpd.state["neighbors"] == before


def test_flush_when_only_a_counter_knows_of_stale_paths(bgpd: Bgpd) -> None:
    bgpd.set(up=[OTHER])
    counted = {"routes": [], "neighbors": [{"vrf": "default", "address": NODE6, "accepted": {"ipv6": 2}}]}
    assert [each.address for each in flushed(bgpd, [counted, {"routes": [], "neighbors": []}])] == [NODE6]


def test_flush_when_nothing_is_left_changes_nothing(bgpd: Bgpd) -> None:
    assert flushed(bgpd, [{"routes": [], "neighbors": []}]) == []
    assert bgpd.configured() == []


@pytest.mark.parametrize(("up", "stale"), [([NODE4], True), ([], False)])
def test_flush_when_the_session_is_up_or_paths_are_fresh_is_refused(bgpd: Bgpd, up: list[str], stale: bool) -> None:
    bgpd.set(up=up)
    with pytest.raises(RouterError, match="only stale paths may be flushed; nothing was changed"):
        flushed(bgpd, [{"routes": [STALE | {"stale": stale}], "neighbors": []}])
    assert bgpd.configured() == []


def test_flush_of_paths_that_another_router_hands_on_is_none(bgpd: Bgpd) -> None:
    assert flushed(bgpd, [{"routes": [STALE | {"from": "192.0.2.2"}], "neighbors": []}]) == []


def test_flush_when_the_paths_stay_is_undone_and_fails(bgpd: Bgpd) -> None:
    bgpd.set(up=[OTHER])
    before = bgpd.state["neighbors"]
    with pytest.raises(HitlessError, match=rf"stale paths of {NODE4} are still there .* the shutdown is undone"):
        flushed(bgpd, [stale_view()], timeout=0.05)
    assert bgpd.state["neighbors"] == before


def test_flush_when_the_router_cannot_be_read_meanwhile_is_undone(bgpd: Bgpd) -> None:
    bgpd.set(up=[OTHER])
    before = bgpd.state["neighbors"]

    def look() -> dict[str, list[dict[str, Any]]]:
        raise UnknownError("bgpd is busy")

    with pytest.raises(UnknownError, match="bgpd is busy"):
        neighbor_flush.flush(bgpd.neighbors(), stale_view(), look, timeout=60)
    assert bgpd.state["neighbors"] == before


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_flush_when_the_process_is_ended_is_undone_first(bgpd: Bgpd, number: signal.Signals) -> None:
    bgpd.set(up=[OTHER])
    before, handler = bgpd.state["neighbors"], signal.getsignal(number)

    def look() -> dict[str, list[dict[str, Any]]]:
        os.kill(os.getpid(), number)
        return stale_view()

    with pytest.raises(HitlessError, match=f"ended by signal {number:d}; what was changed on the router is undone"):
        neighbor_flush.flush(bgpd.neighbors(), stale_view(), look, timeout=60)
    assert bgpd.state["neighbors"] == before
    assert signal.getsignal(number) == handler


def test_flush_when_somebody_else_changes_the_configuration_is_a_failure(bgpd: Bgpd) -> None:
    bgpd.set(up=[OTHER])
    views = [stale_view(), {"routes": [], "neighbors": []}]

    def look() -> dict[str, list[dict[str, Any]]]:
        bgpd.set(config=["hostname tor-1", "ip route 203.0.113.0/24 blackhole"])
        return views[1]

    with pytest.raises(ChangedError, match=r"isn't the one from before the flush: \+ip route 203"):
        neighbor_flush.flush(bgpd.neighbors(), views[0], look, timeout=60)
    assert NODE4 in bgpd.state["neighbors"]
    assert bgpd.state["neighbors"][NODE4] == ["remote-as 65432"]
