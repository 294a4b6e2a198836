# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is set on a router and undone, against a program that keeps a configuration as FRR does."""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.hitless.nodes.plugins.module_utils.base.errors import HitlessError
from ansible_collections.hitless.nodes.plugins.module_utils.frr import neighbor
from ansible_collections.hitless.nodes.plugins.module_utils.frr.answers import RouterError, UnknownError
from ansible_collections.hitless.nodes.plugins.module_utils.frr.iproute import Fib
from ansible_collections.hitless.nodes.plugins.module_utils.frr.neighbor import Neighbors
from ansible_collections.hitless.nodes.plugins.module_utils.frr.router_look import Router
from ansible_collections.hitless.nodes.plugins.module_utils.frr.vtysh import Vtysh

NODE4, NODE6, OTHER = "192.0.2.11", "2001:db8::11", "192.0.2.12"
DRAIN = "find graceful-shutdown"
STALE = {"vrf": "default", "prefix": "198.51.100.10/32", "from": NODE4, "stale": True}

_PROGRAM = f"""#!{sys.executable} -IS
import json, pathlib, re, sys
folder = pathlib.Path(__file__).parent
state = json.loads((folder / "state.json").read_text())
commands = sys.argv[2::2]
def save():
    (folder / "state.json").write_text(json.dumps(state))
state["asked"].append(commands)
save()
if commands[0] == "configure terminal":
    if state["busy"]:
        state["busy"] -= 1
        save()
        sys.exit("% command failed, could not lock candidate DS")
    line = commands[-1]
    undo, _, setting = line.partition("neighbor ") if line.startswith("no ") else ("", "", line[len("neighbor "):])
    name, _, setting = setting.partition(" ")
    if state["refuse"] in line and state["refuse"]:
        print("% Operation not allowed on a dynamic neighbor")
        sys.exit(1)
    own = state["neighbors"][name]
    if undo:
        own[:] = [each for each in own if each.split()[0] != setting.split()[0]]
    else:
        own.append(setting)
    state["config"] += state["meanwhile"]
    state["meanwhile"] = []
    save()
    sys.exit()
for command in commands:
    if command == "show running-config":
        print("Building configuration...\\n\\nCurrent configuration:\\n!\\n" + "\\n".join(state["config"]))
        print("router bgp 65000")
        for name, settings in state["neighbors"].items():
            print("\\n".join(f" neighbor {{name}} {{each}}" for each in settings))
        print("exit\\n!")
    elif command == "show bgp vrfs json":
        print('{{"vrfs": {{"default": {{"numConfiguredPeers": 3}}}}}}')
    elif command == "show bgp summary json":
        print('{{"ipv4Unicast": {{"peers": {{}}}}}}')
    elif command == "show version":
        print("FRRouting 8.4.4 (tor-1).")
    elif re.match("show bgp neighbors .* json$", command):
        name = command.split()[3]
        shut = any(each.startswith("shutdown") for each in state["neighbors"].get(name, []))
        up = name in state["up"] and not shut
        found = {{"bgpState": "Established" if up else "Idle", "adminShutDown": shut, "remoteAs": 65432}}
        print(json.dumps({{name: found}} if name in state["known"] else {{"bgpNoSuchNeighbor": True}}))
    elif command == "find graceful-shutdown":
        print(state["find"])
    else:
        print("% Unknown command: " + command)
        sys.exit(1)
"""


class Bgpd:
    """A router with three neighbours, of which two are the node."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "vtysh").write_text(_PROGRAM)
        (folder / "vtysh").chmod(0o755)
        self.set(
            config=["hostname tor-1"],
            neighbors={name: ["remote-as 65432"] for name in (NODE4, NODE6, OTHER)},
            known=[NODE4, NODE6, OTHER],
            up=[NODE4, NODE6, OTHER],
            find="  (bgp)  [no] neighbor <A.B.C.D|X:X::X:X|WORD> graceful-shutdown",
            busy=0,
            refuse="",
            meanwhile=[],
            asked=[],
        )

    @property
    def state(self) -> dict[str, Any]:
        return json.loads((self.folder / "state.json").read_text())

    def set(self, **values: Any) -> None:
        before = self.state if (self.folder / "state.json").exists() else {}
        (self.folder / "state.json").write_text(json.dumps(before | values))

    def neighbors(self, addresses: set[str] | None = None) -> Neighbors:
        router = Router(Vtysh(str(self.folder / "vtysh")), Fib(), addresses or {NODE4, NODE6})
        return Neighbors(router, ["default"], name="tor-1")

    def reach(self, state: str, drained: list[dict[str, Any]] | None = None) -> list[dict[str, Any]]:
        """The plan, carried out."""
        neighbors = self.neighbors()
        before = neighbors.config()
        plan = neighbor.planned(neighbors.read(before), state, drained or [])
        neighbors.apply(plan, before)
        return plan

    def configured(self) -> list[list[str]]:
        return [commands for commands in self.state["asked"] if commands[0] == "configure terminal"]


@pytest.fixture
def bgpd(tmp_path: Path) -> Bgpd:
    return Bgpd(tmp_path)


def test_read_finds_the_nodes_neighbours_only(bgpd: Bgpd) -> None:
    bgpd.set(
        neighbors={
            NODE4: ["remote-as 1", "shutdown message hitless.nodes"],
            NODE6: ["x", "graceful-shutdown"],
            OTHER: ["x"],
        }
    )
    neighbors = bgpd.neighbors()
    found = {each["address"]: each for each in neighbors.read(neighbors.config())}
    assert set(found) == {NODE4, NODE6}
    assert [found[NODE4][key] for key in ("shut", "shut_by_us", "graceful_shutdown")] == [True, True, False]
    assert [found[NODE6][key] for key in ("shut", "shut_by_us", "graceful_shutdown")] == [False, False, True]


def test_read_when_a_neighbour_is_dynamic_is_refused(bgpd: Bgpd) -> None:
    bgpd.set(neighbors={OTHER: ["remote-as 65432"], NODE6: ["remote-as 65432"]})
    neighbors = bgpd.neighbors()
    with pytest.raises(RouterError, match="can't be shut or drained by itself; nothing was changed"):
        neighbors.read(neighbors.config())


def test_config_when_it_has_no_bgp_is_unknown(tmp_path: Path) -> None:
    (tmp_path / "vtysh").write_text("#!/bin/sh\necho 'hostname tor-1'\n")
    (tmp_path / "vtysh").chmod(0o755)
    router = Router(Vtysh(str(tmp_path / "vtysh")), Fib(), {NODE4})
    with pytest.raises(UnknownError, match="has bgpd read it"):
        Neighbors(router, ["default"], name="tor-1").config()


def test_drain_and_undo_leave_the_configuration_as_it_was(bgpd: Bgpd) -> None:
    before = bgpd.state["neighbors"]
    plan = bgpd.reach("graceful_shutdown")
    assert bgpd.state["neighbors"] == before | {
        name: ["remote-as 65432", "graceful-shutdown"] for name in (NODE4, NODE6)
    }
    assert bgpd.reach("graceful_shutdown") == []
    assert bgpd.reach("up") == []
    bgpd.reach("up", drained=plan)
    assert bgpd.state["neighbors"] == before
    assert all(commands[1] == "router bgp 65000" for commands in bgpd.configured())
    assert not any("write" in command or "copy" in command for commands in bgpd.state["asked"] for command in commands)


def test_drain_of_a_session_that_is_down_is_none(bgpd: Bgpd) -> None:
    bgpd.set(up=[NODE6])
    assert [change["address"] for change in bgpd.reach("graceful_shutdown")] == [NODE6]


def test_drain_that_somebody_else_has_set_is_not_ours(bgpd: Bgpd) -> None:
    bgpd.set(neighbors={NODE4: ["x", "graceful-shutdown"], NODE6: ["x"], OTHER: ["x"]})
    assert [change["address"] for change in bgpd.reach("graceful_shutdown")] == [NODE6]


@pytest.mark.parametrize("listed", ["", "  (config)  bgp graceful-shutdown\n  (bgp)  no bgp graceful-shutdown"])
def test_drain_when_frr_cannot_is_refused_with_the_remedy(bgpd: Bgpd, listed: str) -> None:
    bgpd.set(find=listed)
    with pytest.raises(RouterError, match=r"FRR 8\.4\.4 has no 'neighbor \.\.\. graceful-shutdown'.*update FRR"):
        bgpd.neighbors().ensure_can_drain()
    bgpd.set(find="  (bgp)  [no] neighbor <A.B.C.D|X:X::X:X|WORD> graceful-shutdown")
    bgpd.neighbors().ensure_can_drain()


def test_up_undoes_what_a_killed_run_has_shut_and_nobody_elses(bgpd: Bgpd) -> None:
    bgpd.set(neighbors={NODE4: ["x", "shutdown message hitless.nodes"], NODE6: ["x", "shutdown"], OTHER: ["x"]})
    assert [change["address"] for change in bgpd.reach("up")] == [NODE4]
    assert bgpd.state["neighbors"] == {NODE4: ["x"], NODE6: ["x", "shutdown"], OTHER: ["x"]}


def test_apply_when_something_else_changes_too_is_a_failure(bgpd: Bgpd) -> None:
    bgpd.set(meanwhile=["ip route 203.0.113.0/24 blackhole", "password geheim"])
    with pytest.raises(neighbor.ChangedError, match=r"isn't what it should be.*\+ip route 203") as error:
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


def stale_view() -> dict[str, list[dict[str, Any]]]:
    return {"routes": [dict(STALE)], "neighbors": []}


def flush(bgpd: Bgpd, views: list[dict[str, list[dict[str, Any]]]], *, timeout: float = 60) -> list[dict[str, Any]]:
    """What was flushed; the last view stays."""
    left = list(views)
    return neighbor.flush(
        bgpd.neighbors(), views[0], lambda: left.pop(0) if len(left) > 1 else left[0], timeout=timeout, interval=0.01
    )


def test_flush_shuts_the_neighbour_until_its_paths_are_gone_and_undoes_it(bgpd: Bgpd) -> None:
    bgpd.set(up=[OTHER])
    before = bgpd.state["neighbors"]
    chosen = flush(bgpd, [stale_view(), stale_view(), {"routes": [], "neighbors": []}])
    assert [each["address"] for each in chosen] == [NODE4]
    assert [commands[-1] for commands in bgpd.configured()] == [
        f"neighbor {NODE4} shutdown message hitless.nodes",
        f"no neighbor {NODE4} shutdown",
    ]
    assert bgpd.state["neighbors"] == before


def test_flush_when_only_a_counter_knows_of_stale_paths(bgpd: Bgpd) -> None:
    bgpd.set(up=[OTHER])
    counted = {"routes": [], "neighbors": [{"vrf": "default", "address": NODE6, "accepted": {"ipv6": 2}}]}
    assert [each["address"] for each in flush(bgpd, [counted, {"routes": [], "neighbors": []}])] == [NODE6]


def test_flush_when_nothing_is_left_changes_nothing(bgpd: Bgpd) -> None:
    assert flush(bgpd, [{"routes": [], "neighbors": []}]) == []
    assert bgpd.configured() == []


@pytest.mark.parametrize(("up", "stale"), [([NODE4], True), ([], False)])
def test_flush_when_the_session_is_up_or_paths_are_fresh_is_refused(bgpd: Bgpd, up: list[str], stale: bool) -> None:
    bgpd.set(up=up)
    with pytest.raises(RouterError, match="only stale ones may be flushed; nothing was changed"):
        flush(bgpd, [{"routes": [STALE | {"stale": stale}], "neighbors": []}])
    assert bgpd.configured() == []


def test_flush_of_paths_that_another_router_hands_on_is_none(bgpd: Bgpd) -> None:
    assert flush(bgpd, [{"routes": [STALE | {"from": "192.0.2.2"}], "neighbors": []}]) == []


def test_flush_when_the_paths_stay_is_undone_and_fails(bgpd: Bgpd) -> None:
    bgpd.set(up=[OTHER])
    before = bgpd.state["neighbors"]
    with pytest.raises(
        HitlessError, match=rf"stale paths are still there .* after {NODE4} was shut \(which is undone\)"
    ):
        flush(bgpd, [stale_view()], timeout=0.05)
    assert bgpd.state["neighbors"] == before


def test_flush_when_the_router_cannot_be_read_meanwhile_is_undone(bgpd: Bgpd) -> None:
    bgpd.set(up=[OTHER])
    before = bgpd.state["neighbors"]

    def look() -> dict[str, list[dict[str, Any]]]:
        raise UnknownError("bgpd is busy")

    with pytest.raises(UnknownError, match="bgpd is busy"):
        neighbor.flush(bgpd.neighbors(), stale_view(), look, timeout=60)
    assert bgpd.state["neighbors"] == before


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_flush_when_the_process_is_ended_is_undone_first(bgpd: Bgpd, number: signal.Signals) -> None:
    bgpd.set(up=[OTHER])
    before, handler = bgpd.state["neighbors"], signal.getsignal(number)

    def look() -> dict[str, list[dict[str, Any]]]:
        os.kill(os.getpid(), number)
        return stale_view()

    with pytest.raises(HitlessError, match=f"ended by signal {number:d}; what was changed on the router is undone"):
        neighbor.flush(bgpd.neighbors(), stale_view(), look, timeout=60)
    assert bgpd.state["neighbors"] == before
    assert signal.getsignal(number) == handler


def test_flush_when_somebody_else_changes_the_configuration_is_a_failure(bgpd: Bgpd) -> None:
    bgpd.set(up=[OTHER])
    views = [stale_view(), {"routes": [], "neighbors": []}]

    def look() -> dict[str, list[dict[str, Any]]]:
        bgpd.set(config=["hostname tor-1", "ip route 203.0.113.0/24 blackhole"])
        return views[1]

    with pytest.raises(neighbor.ChangedError, match=r"isn't the one from before the flush: \+ip route 203"):
        neighbor.flush(bgpd.neighbors(), views[0], look, timeout=60)
    assert NODE4 in bgpd.state["neighbors"]
    assert bgpd.state["neighbors"][NODE4] == ["remote-as 65432"]
