# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""`./dev truth-table`: how long routers really send to a node after each kind of end, and the estimate beside it."""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from lab import lifecycle, network, speaker
from lab import settings as s
from lab.demo import BUILD, TOP
from lab.machines import Machine
from lab.settings import LabError, LabSettings
from lab.state import Lab

# Where ansible-playbook finds the collection in a bare checkout, see ansible.cfg.
sys.path.insert(0, str(TOP / ".collections"))
from ansible_collections.hitless.nodes.plugins.module_utils.estimate.per_session import estimate

# GoBGP comes with the Debian release of the nodes; the scenario's own graceful restart isn't used.
GOBGP = {"3.10": "stale", "3.36": "hard-reset"}
# Routes that come back within this time count as never having gone; seconds.
SETTLE = 1.0
INTERVAL = 0.05
# How much longer than the estimate a measurement may take before it is given up; seconds.
PATIENCE = 30
# Marks a row whose estimate is shorter than what was measured.
SHORT = "SHORTER"


@dataclass(frozen=True)
class Restart:
    """One column of the table: what the node asks for, and what the routers are configured with."""

    name: str
    enabled: bool = True
    notification: bool = True
    router: str = ""
    undo: str = ""

    def config(self, lab: Lab, role: str) -> speaker.SpeakerConfig:
        """What a node announces in this column."""
        config = speaker.default_config(lab.settings, role)
        time_ = lab.settings.restart_time if self.enabled else None
        peers = (replace(peer, gr_restart_time=time_, gr_notification=self.notification) for peer in config.peers)
        return replace(config, peers=tuple(peers))


RESTARTS = (
    Restart("off", enabled=False),
    Restart("without N", notification=False),
    Restart("N"),
    Restart(
        "N, no bgp graceful-restart notification",
        router="no bgp graceful-restart notification",
        undo="bgp graceful-restart notification",
    ),
    Restart(
        "N, bgp graceful-restart-disable",
        router="bgp graceful-restart-disable",
        undo="no bgp graceful-restart-disable",
    ),
)


def withdraw(machine: Machine) -> None:
    """Takes all prefixes of a node back; its sessions stay."""
    config = speaker.applied(machine)
    assert config
    speaker.apply(machine, replace(config, prefixes4=(), prefixes6=()))


# What is done to a node, and the event that the estimate knows it as: both Ceases look the same to it.
EVENTS: dict[str, tuple[str, Callable[[Machine], None]]] = {
    "prefix withdrawn": ("prefix_withdrawn", withdraw),
    "deselected": ("deselected", speaker.stop),
    "administrative shutdown": ("deselected", speaker.disable),
    "agent killed": ("agent_stops", speaker.kill),
    "silent loss": ("silent_loss", Machine.cut),
}
# At once, each to a node of its own: routes are told apart by next hop.
ROUNDS = (("prefix withdrawn", "deselected", "agent killed"), ("administrative shutdown", "silent loss"))


def main(argv: list[str] | None = None) -> int:
    """Exit code: 0 if no estimate was shorter than its measurement, 1 if one was, or if something went wrong."""
    parser = argparse.ArgumentParser(prog="./dev truth-table", description=__doc__)
    parser.add_argument("--frr", choices=tuple(s.FRR_SUITES), action="append", help="only this version of the routers")
    parser.add_argument("--gobgp", choices=tuple(GOBGP), action="append", help="only this version on the nodes")
    parser.add_argument("--restart-time", type=int, default=10, help="of graceful restart, in seconds (default 10)")
    parser.add_argument("--hold-time", type=int, default=6, help="in seconds (default 6)")
    parser.add_argument("--name", default="truth", help="name of the lab")
    options = parser.parse_args(argv)
    rows: list[dict[str, Any]] = []
    try:
        for frr in options.frr or s.FRR_SUITES:
            for gobgp in options.gobgp or GOBGP:
                settings = LabSettings(
                    options.name,
                    "plain",
                    GOBGP[gobgp],
                    frr,
                    restart_time=options.restart_time,
                    hold_time=options.hold_time,
                    keepalive=max(1, options.hold_time // 3),
                )
                for row in measured(settings):
                    rows.append(row)
                    print(line(row), flush=True)
    except LabError as error:
        print(f"truth-table: {error}", file=sys.stderr)
        return 1
    path = BUILD / "truth-table.json"
    path.parent.mkdir(exist_ok=True)
    kept = ("event", "frr", "gobgp", "gr", "measured_seconds", "estimated_seconds")
    path.write_text(json.dumps([{key: row[key] for key in kept} for row in rows], indent=2) + "\n", encoding="utf-8")
    print(table(rows))
    short = [row for row in rows if is_short(row)]
    print(f"\n{len(rows)} measurements, {len(short)} longer than their estimate; {path.relative_to(TOP)}")
    return 1 if short else 0


def measured(settings: LabSettings) -> Iterator[dict[str, Any]]:
    """The rows of one pair of versions, as they come."""
    lab = lifecycle.up(settings, network_only=True, report=lambda text: print(f"-- {text}", flush=True))
    try:
        gobgp = _first(lab.nodes).run(["gobgpd", "--version"]).stdout.split()[-1]
        for restart in RESTARTS:
            for events in ROUNDS:
                announce(lab, restart)
                answers = read(lab)
                yield from measure(lab, dict(zip(lab.nodes.values(), events, strict=False)), answers, restart, gobgp)
                _configure(lab, restart.undo)
    finally:
        lifecycle.down(settings.name)


def announce(lab: Lab, restart: Restart) -> None:
    """Returns when all nodes announce as this column says, with sessions that began under its configuration."""
    nodes = lab.nodes.values()
    with ThreadPoolExecutor() as pool:
        list(pool.map(Machine.start, nodes))
        list(pool.map(speaker.stop, nodes))
        list(pool.map(lambda node: speaker.apply(node, restart.config(lab, node.role)), nodes))
    lifecycle.wait_for_routes(lab)
    if restart.router:
        # Not before the speakers start: with graceful restart, GoBGP 3.10 announces nothing at first to routers that
        # don't do it (it waits for their End-of-RIB, 360 s by default; 3.36 doesn't).
        _configure(lab, restart.router)
        # So that none of the sessions before is taken for one of those that follow.
        time.sleep(1)
        lifecycle.wait_for_routes(lab)


def read(lab: Lab, *, timeout: float = 60) -> dict[str, dict[str, Any]]:
    """Router -> result of frr_bgp_info about all nodes, once every session is up and no path is stale; in seconds."""
    addresses = [address for node in lab.nodes.values() for address in (node.address4, node.address6)]
    deadline = time.monotonic() + timeout
    while True:
        answers = _frr_bgp_info(lab, addresses)
        sessions = [session for answer in answers.values() for session in answer["neighbors"]]
        up = [session for session in sessions if session["established"]]
        stale = [path for answer in answers.values() for path in answer["routes"] if path["stale"]]
        if len(up) == len(lab.routers) * len(addresses) and not stale:
            return answers
        if time.monotonic() > deadline:
            raise LabError(f"after {timeout:g} s {len(up)} sessions are up, and {len(stale)} paths are stale")
        time.sleep(0.5)


def _frr_bgp_info(lab: Lab, addresses: list[str]) -> dict[str, dict[str, Any]]:
    """Router -> result of the module, run on the routers over SSH."""
    argv = [str(Path(sys.executable).with_name("ansible")), "routers", "-i", str(lab.dir / "inventory.yml")]
    argv += ["-m", "hitless.nodes.frr_bgp_info", "-a", json.dumps({"addresses": addresses})]
    environment = os.environ | {"ANSIBLE_STDOUT_CALLBACK": "minimal", "ANSIBLE_NOCOLOR": "1"}
    done = subprocess.run(argv, cwd=TOP, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise LabError(f"frr_bgp_info on the routers: {' '.join((done.stdout + done.stderr).split())[:300]}")
    found = re.finditer(r"^(\S+) \| SUCCESS => (?=\{)", done.stdout, re.MULTILINE)
    return {each[1]: json.JSONDecoder().raw_decode(done.stdout, each.end())[0] for each in found}


def measure(
    lab: Lab, events: dict[Machine, str], answers: dict[str, dict[str, Any]], restart: Restart, gobgp: str
) -> Iterator[dict[str, Any]]:
    """A row for each event, all of them done at once."""
    bounds = {node: _bounds(node, event, answers) for node, event in events.items()}
    longest = max((bound for pair in bounds.values() for bound in pair if bound is not None), default=0)
    begun: dict[Machine, float] = {}
    gone: dict[Machine, float | None] = dict.fromkeys(events)
    with ThreadPoolExecutor() as pool:

        def act(node: Machine) -> None:
            begun[node] = time.monotonic()
            EVENTS[events[node]][1](node)

        def look() -> None:
            hops = {hop for router in lab.routers for hop in network.all_next_hops(router)}
            now = time.monotonic()
            for node in events:
                if hops & {node.address4, node.address6}:
                    gone[node] = None
                elif gone[node] is None:
                    gone[node] = now

        def over() -> bool:
            ends = [end for end in gone.values() if end is not None]
            done = all(action.done() for action in actions) and len(ends) == len(gone)
            return done and time.monotonic() - max(ends) > SETTLE

        look()
        if any(gone.values()):
            raise LabError("before the events a node's routes are missing on all routers")
        actions: list[Future[None]] = [pool.submit(act, node) for node in events]
        deadline = time.monotonic() + longest + PATIENCE
        while not over():
            if time.monotonic() > deadline:
                break
            time.sleep(INTERVAL)
            look()
        for action in actions:
            action.result()
    for node, event in events.items():
        end = gone[node]
        if end is None:
            raise LabError(f"{event}, {restart.name}: {longest + PATIENCE} s later a router still sends to {node.name}")
        yield {
            "event": event,
            "frr": _first(answers)["frr_version"],
            "gobgp": gobgp,
            "gr": restart.name,
            "measured_seconds": round(end - begun[node], 2),
            "estimated_seconds": bounds[node][0],
            "estimated_from_cilium": bounds[node][1],
        }


def _bounds(node: Machine, event: str, answers: dict[str, dict[str, Any]]) -> tuple[int | None, int | None]:
    """Seconds (None = unbounded) estimated from the routers' answers alone, and from what Cilium knows alone."""
    own = (node.address4, node.address6)
    routers = {
        router: [session for session in answer["neighbors"] if session["address"] in own]
        for router, answer in answers.items()
    }
    config = speaker.applied(node)
    assert config
    holds = {session["address"]: session["hold_time"] for session in speaker.neighbors(node)}
    peers = []
    for peer in config.peers:
        asked = {"enabled": True, "restartTimeSeconds": peer.gr_restart_time} if peer.gr_restart_time else None
        spec = {"gracefulRestart": asked} if asked else {}
        peers.append({"name": peer.address, "peer_config": spec, "hold_time": holds.get(peer.address)})
    kind = EVENTS[event][0]
    return estimate(kind, routers)["seconds"], estimate(kind, {}, peers)["seconds"]


def _configure(lab: Lab, command: str) -> None:
    """Gives all routers one command below "router bgp", and has them begin all sessions anew."""
    if not command:
        return
    for router in lab.routers.values():
        # FRR 8.4 applies graceful-restart-disable, and its end, to peers that were cleared since, not to new sessions.
        lines = ("configure terminal", f"router bgp {s.ROUTER_ASN}", command, "end", "clear bgp *")
        done = router.run(["vtysh", *(part for text in lines for part in ("-c", text))])
        if done.returncode:
            raise LabError(f"{router.name}: {command}: {(done.stderr or done.stdout).strip()[:200]}")


def is_short(row: dict[str, Any]) -> bool:
    """Whether one of the two estimates was shorter than what was measured."""
    bounds = (row["estimated_seconds"], row["estimated_from_cilium"])
    return any(bound is not None and bound < row["measured_seconds"] for bound in bounds)


def line(row: dict[str, Any]) -> str:
    """One measurement, for people who wait."""
    bounds = [
        "unbounded" if bound is None else f"{bound} s"
        for bound in (row["estimated_seconds"], row["estimated_from_cilium"])
    ]
    return (
        f"FRR {row['frr']:6} GoBGP {row['gobgp']:7} {row['gr']:39} {row['event']:24}"
        f" {row['measured_seconds']:6.2f} s, estimated {bounds[0]} (from Cilium alone {bounds[1]})"
        f"{' ' + SHORT if is_short(row) else ''}"
    )


def table(rows: list[dict[str, Any]]) -> str:
    """Events by graceful restart: for each pair of versions the seconds measured, and the estimate behind a slash."""
    lines = []
    for pair in dict.fromkeys((row["frr"], row["gobgp"]) for row in rows):
        found = [row for row in rows if (row["frr"], row["gobgp"]) == pair]
        columns = list(dict.fromkeys(row["gr"] for row in found))
        lines += ["", f"FRR {pair[0]}, GoBGP {pair[1]}: seconds measured / estimated"]
        lines.append(f"{'':24}" + "".join(f"  {column:>14}" for column in columns))
        for event in EVENTS:
            cells = {row["gr"]: _cell(row) for row in found if row["event"] == event}
            shown = (f"  {cells.get(column, '-'):>{max(14, len(column))}}" for column in columns)
            lines.append(f"{event:24}" + "".join(shown))
    return "\n".join(lines)


def _cell(row: dict[str, Any]) -> str:
    bound = "unbounded" if row["estimated_seconds"] is None else row["estimated_seconds"]
    return f"{row['measured_seconds']:.2f} / {bound}{' ' + SHORT if is_short(row) else ''}"


def _first(mapping: dict[str, Any]) -> Any:
    return next(iter(mapping.values()))


if __name__ == "__main__":
    sys.exit(main())
