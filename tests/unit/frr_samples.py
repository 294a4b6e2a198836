# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Recorded answers of FRR, and a program that gives them as vtysh or ip would."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from ansible_collections.hitless.nodes.plugins.module_utils.frr import bgp_json, forwarding, neighbor_json, route_rules

FOLDER = Path(__file__).parent / "fixtures" / "frr"
VERSIONS = ("8.4.4", "10.3")
# The node of the recordings.
NODE4, NODE6 = "192.168.99.12", "fd99::12"
ADDRESSES = {NODE4, NODE6}
VIP4, VIP6, POD_CIDR = "192.168.77.128/32", "fd77::128/128", "10.244.1.0/24"

# The lists of a view.
EMPTY = ("neighbors", "routes", "fib", "uninstalled", "differences", "counts", "others", "carried", "staying")

_PROGRAM = f"""#!{sys.executable} -IS
import json, pathlib, sys
folder = pathlib.Path(__file__).parent
log = folder / "asked.json"
asked = json.loads(log.read_text()) if log.exists() else []
answers = json.loads((folder / "answers.json").read_text())
batch = "-batch" in sys.argv
commands = sys.argv[2::2] if sys.argv[1] == "-c" else sys.stdin.read().splitlines() if batch else []
if not commands and not batch:
    commands = [" ".join(sys.argv[2:])]
    answers = {{commands[0]: [0, "[]", ""], **answers}}
log.write_text(json.dumps([*asked, commands]))
worst = 0
for number, command in enumerate(commands, start=1):
    rc, stdout, stderr = answers.get(command, [1, "% Unknown command: " + command + "\\n", ""])
    sys.stdout.write(stdout)
    sys.stderr.write(stderr.replace("NUMBER", str(number)))
    worst = worst or rc
    if rc and sys.argv[1] == "-c":
        break
sys.exit(worst)
"""


def text(version: str, name: str) -> str:
    """What was recorded on stdout."""
    return next((FOLDER / version).glob(f"{name}.*")).read_text()


def document(version: str, name: str) -> dict[str, Any]:
    """A recorded answer that is one JSON object."""
    return json.loads(text(version, name))


def stderr(version: str, name: str) -> str:
    """What was recorded on stderr."""
    for line in (FOLDER / version / "INDEX.tsv").read_text().splitlines()[1:]:
        file, _rc, said, _command = line.split("\t")
        if file.startswith(f"{name}."):
            return said.removeprefix("stderr=")[1:-1].replace("\\n", "\n")
    raise KeyError(name)


def route(prefix: str, hops: list[str], *, vrf: str = "default", matched: str | None = None) -> dict[str, Any]:
    """A route as iproute.Fib.routes() gives it."""
    family = "ipv6" if ":" in prefix else "ipv4"
    return {"vrf": vrf, "family": family, "prefix": prefix, "matched": matched or prefix, "next_hops": hops}


def view(
    version: str, names: dict[str, str], *, neighbor: str, fib: list[dict[str, Any]], counts: str | None = None
) -> Any:
    """A view of the recorded router. names: prefix -> name of the recorded look-up; counts: of "show bgp nexthop"."""
    found: dict[str, list[dict[str, Any]]] = {key: [] for key in EMPTY}
    for prefix, name in names.items():
        paths = bgp_json.paths(document(version, name), prefix)
        found["routes"] += route_rules.over_node("default", prefix, paths, ADDRESSES)
    session = neighbor_json.neighbor(document(version, neighbor), NODE4)
    found["neighbors"] = [{"vrf": "default", **session}] if session else []
    if counts and version != "8.4.4":
        numbers = bgp_json.path_counts(document(version, counts))
        found["counts"] = [
            {"vrf": "default", "next_hop": hop, "paths": numbers[hop]} for hop in sorted(ADDRESSES & set(numbers))
        ]
    found["fib"] = forwarding.forwarded(fib, ADDRESSES)
    return found


class Replay:
    """A program in a folder of its own that answers commands from a table, and remembers what it was asked."""

    def __init__(self, folder: Path, name: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.path = folder / name
        self.path.write_text(_PROGRAM)
        self.path.chmod(0o755)

    def answers(self, table: dict[str, tuple[int, str, str]]) -> None:
        """From now on: command -> (exit code, stdout, stderr); others are unknown to it."""
        (self.folder / "answers.json").write_text(json.dumps(table))

    def asked(self) -> list[list[str]]:
        """The commands of each call, in order."""
        log = self.folder / "asked.json"
        return json.loads(log.read_text()) if log.exists() else []
