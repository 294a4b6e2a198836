# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A program in the place of vtysh that keeps a configuration as FRR does, to set things on and undo them."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from ansible_collections.hitless.nodes.plugins.module_utils.frr import neighbor
from ansible_collections.hitless.nodes.plugins.module_utils.frr.iproute import Fib
from ansible_collections.hitless.nodes.plugins.module_utils.frr.neighbor import Neighbors
from ansible_collections.hitless.nodes.plugins.module_utils.frr.router_look import Router
from ansible_collections.hitless.nodes.plugins.module_utils.frr.vtysh import Vtysh

NODE4, NODE6, OTHER = "192.0.2.11", "2001:db8::11", "192.0.2.12"

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

    def reach(self, state: str, drained: list[dict[str, Any]] | None = None) -> list[neighbor.Change]:
        """The plan, carried out."""
        neighbors = self.neighbors()
        before = neighbors.config()
        plan = neighbor.planned(neighbors.read(before), state, drained or [])
        neighbors.apply(plan, before)
        return plan

    def configured(self) -> list[list[str]]:
        return [commands for commands in self.state["asked"] if commands[0] == "configure terminal"]
