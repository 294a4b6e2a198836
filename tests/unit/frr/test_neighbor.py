# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is set on a router and undone, against a program that keeps a configuration as FRR does."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.hitless.nodes.plugins.module_utils.frr import neighbor
from ansible_collections.hitless.nodes.plugins.module_utils.frr.answers import RouterError, UnknownError
from ansible_collections.hitless.nodes.plugins.module_utils.frr.iproute import Fib
from ansible_collections.hitless.nodes.plugins.module_utils.frr.neighbor import Neighbors
from ansible_collections.hitless.nodes.plugins.module_utils.frr.router_look import Router
from ansible_collections.hitless.nodes.plugins.module_utils.frr.vtysh import Vtysh
from ansible_collections.hitless.nodes.tests.unit.neighbor_bench import NODE4, NODE6, OTHER, Bgpd


@pytest.mark.parametrize(
    ("settings", "ours", "graceful"),
    [
        (["remote-as 1"], False, False),
        (["shutdown"], False, False),
        (["shutdown message cable is broken"], False, False),
        (["shutdown message hitless.nodes"], True, False),
        (["graceful-shutdown"], False, True),
    ],
)
def test_what_settings_mean(settings: list[str], ours: bool, graceful: bool) -> None:
    assert (neighbor.is_shut_by_us(settings), neighbor.is_graceful(settings)) == (ours, graceful)


def test_read_finds_the_nodes_neighbours_only(bgpd: Bgpd) -> None:
    bgpd.set(
        neighbors={
            NODE4: ["remote-as 1", "shutdown message hitless.nodes"],
            NODE6: ["x", "graceful-shutdown"],
            OTHER: ["x"],
        }
    )
    neighbors = bgpd.neighbors()
    found = {each.address: each for each in neighbors.read(neighbors.config())}
    assert set(found) == {NODE4, NODE6}
    assert [found[NODE4].shut, found[NODE4].shut_by_us, found[NODE4].graceful_shutdown] == [True, True, False]
    assert [found[NODE6].shut, found[NODE6].shut_by_us, found[NODE6].graceful_shutdown] == [False, False, True]


def test_read_when_a_neighbour_is_dynamic_is_refused(bgpd: Bgpd) -> None:
    bgpd.set(neighbors={OTHER: ["remote-as 65432"], NODE6: ["remote-as 65432"]})
    neighbors = bgpd.neighbors()
    with pytest.raises(RouterError, match=r"can't be shut or drained, because it has no .*; nothing was changed"):
        neighbors.read(neighbors.config())


def test_config_when_it_has_no_bgp_is_unknown(tmp_path: Path) -> None:
    (tmp_path / "vtysh").write_text("#!/bin/sh\necho 'hostname tor-1'\n")
    (tmp_path / "vtysh").chmod(0o755)
    router = Router(Vtysh(str(tmp_path / "vtysh")), Fib(), {NODE4})
    with pytest.raises(UnknownError, match="check that bgpd has read it"):
        Neighbors(router, ["default"], name="tor-1").config()


def test_drain_and_undo_leave_the_configuration_as_it_was(bgpd: Bgpd) -> None:
    before = bgpd.state["neighbors"]
    plan = bgpd.reach("graceful_shutdown")
    assert bgpd.state["neighbors"] == before | {
        name: ["remote-as 65432", "graceful-shutdown"] for name in (NODE4, NODE6)
    }
    assert bgpd.reach("graceful_shutdown") == []
    assert bgpd.reach("up") == []
    bgpd.reach("up", drained=[{"vrf": "default", "address": change.session.address} for change in plan])
    assert bgpd.state["neighbors"] == before
    assert all(commands[1] == "router bgp 65000" for commands in bgpd.configured())
    assert not any("write" in command or "copy" in command for commands in bgpd.state["asked"] for command in commands)


def test_drain_of_a_session_that_is_down_is_none(bgpd: Bgpd) -> None:
    bgpd.set(up=[NODE6])
    assert [change.session.address for change in bgpd.reach("graceful_shutdown")] == [NODE6]


def test_drain_that_somebody_else_has_set_is_not_ours(bgpd: Bgpd) -> None:
    bgpd.set(neighbors={NODE4: ["x", "graceful-shutdown"], NODE6: ["x"], OTHER: ["x"]})
    assert [change.session.address for change in bgpd.reach("graceful_shutdown")] == [NODE6]


@pytest.mark.parametrize("listed", ["", "  (config)  bgp graceful-shutdown\n  (bgp)  no bgp graceful-shutdown"])
def test_drain_when_frr_cannot_is_refused_with_the_remedy(bgpd: Bgpd, listed: str) -> None:
    bgpd.set(find=listed)
    with pytest.raises(
        RouterError, match=r"FRR 8\.4\.4 has no 'neighbor \.\.\. graceful-shutdown'.*bgp_router_drain to false"
    ):
        bgpd.neighbors().ensure_can_drain()
    bgpd.set(find="  (bgp)  [no] neighbor <A.B.C.D|X:X::X:X|WORD> graceful-shutdown")
    bgpd.neighbors().ensure_can_drain()


def test_up_undoes_what_a_killed_run_has_shut_and_nobody_elses(bgpd: Bgpd) -> None:
    bgpd.set(neighbors={NODE4: ["x", "shutdown message hitless.nodes"], NODE6: ["x", "shutdown"], OTHER: ["x"]})
    assert [change.session.address for change in bgpd.reach("up")] == [NODE4]
    assert bgpd.state["neighbors"] == {NODE4: ["x"], NODE6: ["x", "shutdown"], OTHER: ["x"]}


def test_apply_when_something_else_changes_too_is_a_failure(bgpd: Bgpd) -> None:
    bgpd.set(meanwhile=["ip route 203.0.113.0/24 blackhole", "password geheim"])
    with pytest.raises(neighbor.ChangedError, match=r"isn't as wanted.*\+ip route 203") as error:
        bgpd.reach("graceful_shutdown")
    assert "geheim" not in str(error.value)


def test_apply_when_frr_is_busy_tries_again(bgpd: Bgpd) -> None:
    bgpd.set(busy=2)
    bgpd.reach("graceful_shutdown")
    assert len(bgpd.configured()) == 4


def test_apply_when_frr_refuses_says_what_it_said(bgpd: Bgpd) -> None:
    bgpd.set(refuse="graceful")
    with pytest.raises(RouterError, match="Operation not allowed on a dynamic neighbor"):
        bgpd.reach("graceful_shutdown")
