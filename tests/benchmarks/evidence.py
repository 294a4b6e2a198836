# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""`./dev bench-evidence`: what one look at a router costs, and how soon a wait sees that the FIB has changed.

50 prefixes of each family come and go on a router that has 10, 10,000 or 100,000 other routes.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import ansible
from lab import bgp_source, lifecycle, network
from lab import settings as s
from lab.machines import Machine
from lab.settings import LabError, LabSettings
from lab.state import Lab

TOP = Path(__file__).resolve().parents[2]
SIZES = (10, 10_000, 100_000)
PREFIXES = [f"198.51.100.{i}/32" for i in range(1, 51)] + [f"2001:db8:100::{i:x}/128" for i in range(1, 51)]
# Addresses of the client's: the one that announces the prefixes, and the one with all other routes.
ASN = 64999
NODE, FILLER = "10.62.1.10", "10.62.1.11"
NODE6 = str(s.ACCESS6[0x10])
LIBRARY = "/opt/evidence"
TARGETS = {"look_ms": 150, "rss_mib": 40, "latency_ms": 300}


def main(argv: list[str] | None = None) -> int:
    """Exit code: 0 if every target was met."""
    parser = argparse.ArgumentParser(prog="./dev bench-evidence", description=__doc__)
    parser.add_argument("--frr", choices=tuple(s.FRR_SUITES), action="append", help="only this version of FRR")
    parser.add_argument("--routes", type=int, action="append", help="only so many other routes")
    parser.add_argument("--looks", type=int, default=15, help="looks of which the median is taken")
    parser.add_argument("--changes", type=int, default=7, help="changes of the FIB of which the median is taken")
    parser.add_argument("--name", default="evid", help="name of the lab")
    options = parser.parse_args(argv)
    rows: list[dict[str, Any]] = []
    try:
        for frr in options.frr or tuple(s.FRR_SUITES):
            rows += measured(LabSettings(options.name, form="plain", frr=frr), options)
    except LabError as error:
        print(f"bench-evidence: {error}", file=sys.stderr)
        return 1
    path = TOP / "build" / "bench" / "evidence.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"targets": TARGETS, "rows": rows}, indent=2) + "\n", encoding="utf-8")
    print(table(rows))
    return 0 if all(row[key] <= target for row in rows for key, target in TARGETS.items()) else 1


def measured(settings: LabSettings, options: argparse.Namespace) -> list[dict[str, Any]]:
    """One row for each number of routes, on routers with that version of FRR."""
    lab = lifecycle.up(settings, network_only=True)
    try:
        router = next(iter(lab.routers.values()))
        prepare(lab, router)
        version = router.run(["dpkg-query", "-W", "-f", "${Version}", "frr"]).stdout.partition("-")[0]
        with source(lab, NODE, PREFIXES) as node:
            return [{"frr": version, **row(lab, router, node, size, options)} for size in options.routes or list(SIZES)]
    finally:
        lifecycle.down(settings.name)


def prepare(lab: Lab, router: Machine) -> None:
    """Sessions with the client, and what a module finds on a router."""
    network.ip(["-n", lab.client.netns, "address", "add", f"{FILLER}/24", "dev", "access"])
    commands = ["configure terminal", "route-map all permit 10", "exit", f"router bgp {s.ROUTER_ASN}"]
    for address in (NODE, FILLER):
        commands += [f"neighbor {address} remote-as {ASN}", f"neighbor {address} passive"]
        commands += [f"neighbor {address} timers {bgp_source.HOLD_TIME // 3} {bgp_source.HOLD_TIME}"]
    for family in ("ipv4", "ipv6"):
        commands.append(f"address-family {family} unicast")
        for address in (NODE, FILLER):
            commands += [f"neighbor {address} activate", f"neighbor {address} route-map all in"]
            commands.append(f"neighbor {address} route-map to-nodes out")
        commands.append("exit-address-family")
    argv = ["vtysh", *(part for command in commands for part in ("-c", command))]
    # FRR 10's mgmtd refuses other writers while it still reads frr.conf.
    for _unused in range(20):
        done = router.run(argv, timeout=30)
        if not done.returncode:
            break
        time.sleep(0.5)
    else:
        raise LabError(f"{router.name}: {done.stdout.strip()}{done.stderr.strip()}")
    root = Path(f"/proc/{router.leader()}/root{LIBRARY}")
    plugins = root / "ansible_collections/hitless/nodes/plugins"
    for folder in ("modules", "module_utils"):
        shutil.copytree(TOP / "plugins" / folder, plugins / folder)
    shutil.copytree(Path(ansible.__file__).parent / "module_utils", root / "ansible/module_utils")
    (root / "ansible/__init__.py").touch()
    shutil.copy(Path(__file__).with_name("on_router.py"), root)


def source(lab: Lab, address: str, prefixes: list[str]) -> AbstractContextManager[bgp_source.Session]:
    """A speaker at the client that announces nothing as yet."""
    access = s.access_addresses("tor-1")
    assert access
    return bgp_source.running(
        lab.client, bgp_source.Source(address, access[0], address, ASN, prefixes, hop4=address, hop6=[NODE6])
    )


def row(lab: Lab, router: Machine, node: bgp_source.Session, size: int, options: argparse.Namespace) -> dict[str, Any]:
    """{routes, look_ms, gone_look_ms, rss_mib, child_rss_mib, latency_ms (of both directions), ...}, medians."""
    with source(lab, FILLER, filler(size)) as others:
        others.ask("announce")
        node.ask("announce")
        wait_for_kernel(router, size + len(PREFIXES))
        looks = on_router(router, "withdrawn", looks=options.looks)
        latencies: dict[str, list[float]] = {"withdrawn": [], "present": []}
        for _unused in range(options.changes):
            for state, command in (("withdrawn", "withdraw"), ("present", "announce")):
                latencies[state].append(latency(router, node, state, command))
        node.ask("withdraw")
        wait_for_kernel(router, size)
        gone = on_router(router, "withdrawn", looks=options.looks)
    if looks["remaining"] == 0 or gone["remaining"]:
        raise LabError(f"the looks are wrong: {looks['remaining']} and {gone['remaining']} remain")
    every = latencies["withdrawn"] + latencies["present"]
    return {
        "routes": size,
        "look_ms": milliseconds(looks["seconds"]),
        "gone_look_ms": milliseconds(gone["seconds"]),
        "cpu_ms": round(looks["cpu"] * 1000),
        "rss_mib": round(max(looks["rss_kib"], gone["rss_kib"]) / 1024, 1),
        "child_rss_mib": round(max(looks["child_rss_kib"], gone["child_rss_kib"]) / 1024, 1),
        "latency_ms": milliseconds(every),
        "latency_withdrawn_ms": milliseconds(latencies["withdrawn"]),
        "latency_present_ms": milliseconds(latencies["present"]),
        "latency_worst_ms": round(max(every) * 1000),
    }


def filler(count: int) -> list[str]:
    """So many /24 and longer prefixes that nothing else uses."""
    return [f"{20 + (i >> 16)}.{i >> 8 & 255}.{i & 255}.0/24" for i in range(count)]


def wait_for_kernel(router: Machine, count: int) -> None:
    """Returns when the router's kernel has that many routes of BGP, and their number stands still."""
    deadline = time.monotonic() + 120
    found, before = -1, -2
    while (found != before or found < count) and time.monotonic() < deadline:
        time.sleep(1)
        before = found
        found = sum(
            network.ip(["-n", router.netns, v, "route", "show", "proto", "bgp"]).count("\n") for v in ("-4", "-6")
        )
    if found < count:
        raise LabError(f"{router.name} has {found} routes of {count} after 120 s")


@contextmanager
def running(router: Machine, state: str, looks: int) -> Iterator[subprocess.Popen[str]]:
    """The wait on the router, told what to do."""
    task = {"addresses": [NODE, NODE6], "prefixes": PREFIXES, "state": state, "looks": looks, "interval": 0.25}
    argv = ["env", f"PYTHONPATH={LIBRARY}", "python3", f"{LIBRARY}/on_router.py"]
    process = subprocess.Popen(router.inside(argv), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdin
    process.stdin.write(json.dumps(task) + "\n")
    process.stdin.flush()
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def read(process: subprocess.Popen[str]) -> dict[str, Any]:
    """The next line of a wait."""
    assert process.stdout
    line = process.stdout.readline()
    if not line:
        raise LabError("the wait on the router ended without a result")
    result: dict[str, Any] = json.loads(line)
    return result


def on_router(router: Machine, state: str, *, looks: int) -> dict[str, Any]:
    """Seconds of each look, how much the last one found, and memory in KiB."""
    with running(router, state, looks) as process:
        return read(process)


def latency(router: Machine, node: bgp_source.Session, state: str, command: str) -> float:
    """Seconds from the kernel's last change of a route to the return of a wait that was under way."""
    monitor = subprocess.Popen(
        router.in_netns(["ip", "monitor", "route"]), stdout=subprocess.PIPE, text=True, stderr=subprocess.DEVNULL
    )
    assert monitor.stdout
    with running(router, state, 0) as process:
        read(process)
        # At no fixed distance from a look.
        time.sleep(0.1 + time.monotonic() % 0.4)
        node.ask(command)
        changed, last = 0, 0.0
        while changed < len(PREFIXES):
            # One line for each change; those of routes with several next hops go on in indented ones.
            line = monitor.stdout.readline()
            if any(prefix.partition("/")[0] in line.split() for prefix in PREFIXES):
                changed, last = changed + 1, time.monotonic()
        returned: float = read(process)["returned"]
    monitor.kill()
    monitor.wait()
    return returned - last


def milliseconds(seconds: list[float]) -> int:
    """The median."""
    return round(statistics.median(seconds) * 1000)


def table(rows: list[dict[str, Any]]) -> str:
    """The rows, for people."""
    lines = [f"{len(PREFIXES) // 2} prefixes in each family; medians; MiB of the module (of its largest child)"]
    lines.append(
        f"{'FRR':8}{'routes':>8}{'look':>9}{'gone':>9}{'CPU':>8}{'memory':>14}{'withdrawn':>11}{'present':>10}{'worst':>9}"
    )
    for r in rows:
        lines.append(
            f"{r['frr']:8}{r['routes']:>8}{r['look_ms']:>6} ms{r['gone_look_ms']:>6} ms{r['cpu_ms']:>5} ms"
            f"{r['rss_mib']:>7} ({r['child_rss_mib']:.0f}){r['latency_withdrawn_ms']:>8} ms"
            f"{r['latency_present_ms']:>7} ms{r['latency_worst_ms']:>6} ms"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
