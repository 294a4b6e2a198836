# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""`./dev bench-routers`: how long looks at 2 and at 16 routers take, side by side and by a loop with delegate_to.

The routers are names in an inventory, each with an SSH connection of its own. All of them lead to the two routers of a
lab, which share this machine's processors with Ansible. So the time with 16 is an upper bound: routers of their own
would add no work here. With slow routers, whose vtysh waits before it answers as that of a busy bgpd does, the
processors matter less.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import yaml
from lab import inventory, lifecycle
from lab import settings as s
from lab.demo import BUILD, TOP
from lab.machines import Machine
from lab.settings import LabError, LabSettings
from lab.state import Lab

HERE = Path(__file__).parent
NUMBERS = (2, 16)
WAYS = ("side by side", "loop")
PHASES = ("claim", "withdraw", "guard")
# A node that has withdrawn everything: nobody announces the prefix, and no path leads over the addresses.
GONE = "203.0.113.77/32"
WITHDRAWN = [str(s.FABRIC4[200]), str(s.FABRIC6[0x200])]
SLOW_VTYSH = "/usr/local/bin/slow-vtysh"

Row = dict[str, Any]


def main(argv: list[str] | None = None) -> int:
    """Exit code: 0 if all runs came to their end."""
    parser = argparse.ArgumentParser(prog="./dev bench-routers", description=__doc__)
    parser.add_argument("--runs", type=int, default=3, help="runs side by side; medians are printed")
    parser.add_argument("--loops", type=int, default=1, help="runs of the loop, which takes long (at most --runs)")
    parser.add_argument("--routers", type=int, nargs="+", default=NUMBERS, help="how many routers are asked")
    parser.add_argument("--slow", type=float, default=1.0, help="seconds that slow routers wait before each answer")
    parser.add_argument("--name", default="routs", help="name of the lab")
    options = parser.parse_args(argv)
    try:
        rows = bench(LabSettings(options.name, form="plain"), options)
    except LabError as error:
        print(f"bench-routers: {error}", file=sys.stderr)
        return 1
    path = BUILD / "bench" / "routers.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"processors": os.cpu_count(), "rows": rows}, indent=2) + "\n", encoding="utf-8")
    print(table(rows))
    return 0


def bench(settings: LabSettings, options: argparse.Namespace) -> list[Row]:
    """The rows of all runs. The kinds take turns, so that other work on this machine concerns all of them."""
    lab = lifecycle.up(settings, network_only=True, announce=True)
    rows: list[Row] = []
    waits = dict.fromkeys((0.0, options.slow))
    try:
        for router in lab.routers.values():
            make_slow_vtysh(router, options.slow)
        for i in range(options.runs):
            ways = WAYS if i < max(options.loops, 1) else WAYS[:1]
            for answers_after, number, way in itertools.product(waits, options.routers, ways):
                rows += run(lab, number, way, answers_after)
    finally:
        lifecycle.down(settings.name)
    return rows


def make_slow_vtysh(router: Machine, seconds: float) -> None:
    """A vtysh that waits before it answers."""
    path = Path(f"/proc/{router.leader()}/root{SLOW_VTYSH}")
    path.write_text(f'#!/bin/sh\nsleep {seconds}\nexec vtysh "$@"\n', encoding="utf-8")
    path.chmod(0o755)


def run(lab: Lab, number: int, way: str, answers_after: float) -> list[Row]:
    """One row for each phase: {routers, phase, way, answers_after, seconds, cpu}.

    cpu: processor seconds of ansible-playbook and its children in the whole run, those of the routers not among them.
    """
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name)
        asked = write_inventory(lab, folder, number, answers_after)
        before = cpu_of_children()
        seconds = phases(folder, {"target": next(iter(lab.nodes)), "way": way, **variables(lab, asked)})
        cpu = round(cpu_of_children() - before, 2)
    print(f"{number:2} routers that wait {answers_after:g} s, {way}: {seconds}", file=sys.stderr, flush=True)
    kind = {"routers": number, "way": way, "answers_after": answers_after, "cpu": cpu}
    return [{**kind, "phase": phase, "seconds": seconds[phase]} for phase in PHASES]


def write_inventory(lab: Lab, folder: Path, number: int, answers_after: float) -> list[str]:
    """An inventory with so many routers in that folder; returns their names.

    Each is a host of its own for ssh, so that none uses another one's connection.
    """
    real = list(lab.routers)
    aliases = {f"{lab.settings.name}-alias-{i + 1}": real[i % len(real)] for i in range(number)}
    lines = []
    for alias, router in aliases.items():
        address = lab.machines[router].address4
        lines += [f"Host {alias}", f"    HostName {address}", f"    HostKeyAlias {router}"]
    config = folder / "ssh_config"
    config.write_text("\n".join([*lines, (lab.dir / "ssh_config").read_text()]), encoding="utf-8")
    content = inventory.content(lab)
    content["routers"]["hosts"] = {alias: {} for alias in aliases}
    content["routers"]["vars"]["ansible_ssh_common_args"] = f"-F {config}"
    if answers_after:
        content["routers"]["vars"]["router_vtysh"] = SLOW_VTYSH
    path = folder / "inventory.yml"
    path.touch(mode=0o600)
    path.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
    return list(aliases)


def variables(lab: Lab, asked: list[str]) -> dict[str, Any]:
    """What each phase asks the routers for: a claim for all of the node, a wait and the guard for what is recorded."""
    node = next(iter(lab.nodes.values()))
    addresses = [node.address4, node.address6]
    withdraw = {"state": "withdrawn", "settle": 0, "timeout": 60, "record": record(WITHDRAWN, asked, [GONE])}
    announced = [prefix for family in s.prefixes(1) for prefix in family]
    guard = {"record": record(addresses, asked, announced)}
    return {"asked": asked, "claim": {"addresses": addresses}, "withdraw": withdraw, "guard": guard}


def record(addresses: list[str], asked: list[str], prefixes: list[str]) -> dict[str, Any]:
    """What tasks on routers read of the record of a node."""
    routes = {router: {"default": {"bgp": prefixes, "fib": []}} for router in asked}
    return {"before": {"addresses": addresses, "routes": routes}, "history": []}


def phases(folder: Path, asked: dict[str, Any]) -> dict[str, float]:
    """Phase -> seconds from the start of its task until the result is there. The first one opens the connections."""
    rows = folder / "rows"
    environment = {
        "ANSIBLE_CALLBACK_PLUGINS": str(HERE / "callback"),
        "ANSIBLE_CALLBACKS_ENABLED": "task_seconds",
        "ANSIBLE_SSH_CONTROL_PATH_DIR": str(folder / "cp"),
        "TASK_SECONDS": str(rows),
    }
    argv = [str(Path(sys.executable).with_name("ansible-playbook")), "-i", str(folder / "inventory.yml")]
    argv += [str(HERE / "routers.yml"), "-e", json.dumps(asked)]
    done = subprocess.run(argv, cwd=TOP, env={**os.environ, **environment}, capture_output=True, text=True, check=False)
    if done.returncode:
        raise LabError(f"the playbook failed with exit code {done.returncode}: {done.stdout[-2000:]}{done.stderr}")
    found = [json.loads(line) for line in rows.read_text().splitlines()]
    return {row["name"]: round(row["seconds"], 2) for row in found}


def cpu_of_children() -> float:
    """Processor seconds of all processes of this one that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def median(rows: list[Row], key: str, **kind: Any) -> float:
    """The median of one figure over the rows of a kind."""
    return statistics.median(row[key] for row in rows if all(row[name] == value for name, value in kind.items()))


def table(rows: list[Row]) -> str:
    """Medians of each phase and their ratios, for people."""
    numbers = sorted({row["routers"] for row in rows})
    runs = [sum(row["way"] == way for row in rows) // kinds(rows, way) for way in WAYS]
    head = "".join(f"{f'{number} routers':>12}" for number in numbers)
    lines = [
        "",
        f"Seconds, medians of {runs[0]} runs side by side and {runs[1]} of the loop, on {os.cpu_count()} processors.",
        "All routers are names of two machines that share these processors with Ansible, so what many of them take is",
        "an upper bound. The claim opens the connections.",
        f"{'routers answer':<16}{'phase':<10}{'way':<14}{head}{'ratio':>8}{'loop / ours':>14}",
    ]
    for answers_after in dict.fromkeys(row["answers_after"] for row in rows):
        for phase in PHASES:
            for way in WAYS:
                lines.append(line(rows, numbers, answers_after, phase, way))
    for number in numbers:
        ours = [median(rows, "cpu", routers=number, way=way) for way in WAYS]
        lines.append(
            f"processor seconds of ansible-playbook in a run, {number} routers: {ours[0]:.1f}, loop {ours[1]:.1f}"
        )
    return "\n".join(lines)


def kinds(rows: list[Row], way: str) -> int:
    """How many rows each round has of one way."""
    return len({(row["routers"], row["phase"], row["answers_after"]) for row in rows if row["way"] == way})


def line(rows: list[Row], numbers: list[int], answers_after: float, phase: str, way: str) -> str:
    """One phase in one way: how long each number of routers took, most by fewest, and the loop by side by side."""
    kind = {"answers_after": answers_after, "phase": phase}
    took = [median(rows, "seconds", **kind, way=way, routers=number) for number in numbers]
    answer = f"after {answers_after:g} s" if answers_after else "at once"
    text = f"{answer:<16}{phase:<10}{way:<14}" + "".join(f"{each:>12.2f}" for each in took)
    text += f"{took[-1] / took[0]:>8.2f}"
    if way == "loop":
        text += f"{took[-1] / median(rows, 'seconds', **kind, way=WAYS[0], routers=numbers[-1]):>14.1f}"
    return text


if __name__ == "__main__":
    sys.exit(main())
