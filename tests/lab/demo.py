# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""`./dev demo`: a maintenance under a prober, then the same node switched off at once, and both counts side by side."""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from lab import lifecycle, rights
from lab import settings as s
from lab.probing import Probing
from lab.settings import LabError, LabSettings
from lab.state import Lab
from lab.topologies import DEFAULT, TOPOLOGIES

TOP = Path(__file__).resolve().parents[2]
BUILD = TOP / "build"
FIGURES = ("udp_sent", "udp_lost", "udp_late", "tcp_new", "tcp_failed", "tcp_late", "tcp_moved", "seconds")


def main(argv: list[str] | None = None) -> int:
    """Exit code: 0 if the maintenance lost nothing and the control something, 1 if not, or if something went wrong."""
    parser = argparse.ArgumentParser(prog="./dev demo", description=__doc__)
    parser.add_argument("--scenario", choices=s.SCENARIOS, default="stale", help="graceful restart of the nodes")
    parser.add_argument("--frr", choices=tuple(s.FRR_SUITES), default="8.4", help="version of the routers")
    parser.add_argument("--topology", choices=tuple(TOPOLOGIES), default=DEFAULT, help="network between them")
    parser.add_argument("--name", default="demo", help="name of the lab")
    options = parser.parse_args(argv)
    try:
        settings = LabSettings(options.name, scenario=options.scenario, frr=options.frr, topology=options.topology)
        return demo(settings)
    except LabError as error:
        print(f"demo: {error}", file=sys.stderr)
        return 1


def demo(settings: LabSettings, build: Path = BUILD) -> int:
    """Runs both, prints and writes demo.json and the report into that folder, removes the lab."""
    started = time.monotonic()
    lab = lifecycle.up(settings)
    what = f"topology {settings.topology}, scenario {settings.scenario}, FRR {settings.frr}"
    print(f"-- lab up after {time.monotonic() - started:.0f} s: {what}")
    try:
        node = next(iter(lab.nodes))
        result: dict[str, Any] = {
            "maintenance": maintenance(lab, node, build),
            "control": control(lab, node, build),
            "speaker": f"GoBGP {_version(lab, node, 'gobgpd')}",
            "frr": _version(lab, next(iter(lab.routers)), "frr"),
            "graceful_restart": settings.scenario,
            "topology": settings.topology,
        }
    finally:
        lifecycle.down(settings.name)
    figures = build / "demo.json"
    figures.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    print(table(result))
    page = next((build / "demo").glob("*.html"))
    shown = [os.path.relpath(path, TOP) for path in (page, figures)]
    print(f"\nreport {shown[0]}, figures {shown[1]}; {time.monotonic() - started:.0f} s in all")
    kept = result["maintenance"]["udp_lost"] == result["maintenance"]["tcp_failed"] == 0
    return 0 if kept and result["control"]["udp_lost"] > 0 else 1


def maintenance(lab: Lab, node: str, build: Path) -> dict[str, Any]:
    """What the prober counted while the shipped playbook took the node out, off, on and back."""
    reports = build / "demo"
    shutil.rmtree(reports, ignore_errors=True)
    print(f"-- ansible-playbook node-maintenance.yml -e target={node}, under the prober", flush=True)
    with Probing(lab, build / "demo-maintenance-probe.json") as probe:
        if code := playbook(lab, "playbooks/node-maintenance.yml", {"target": node, "report_dir": str(reports)}):
            raise LabError(f"the playbook failed with exit code {code}; its output is above")
        # So that a loss right after the last step would be counted, and the sample is large enough to mean something.
        probe.wait(requests=10_000, seconds=3)
    print("-- the report once more, with what the prober counted", flush=True)
    report = next(reports.glob("*.json"))
    variables = {"report_json": str(report), "report_probe": str(probe.out), "report_dir": str(reports)}
    if playbook(lab, "playbooks/node-report.yml", variables):
        raise LabError("the report could not be drawn again; the playbook's output is above")
    return {key: probe.result[key] for key in FIGURES}


def control(lab: Lab, node: str, build: Path) -> dict[str, Any]:
    """What the prober counted when the same node's power was cut at once, until no router sent to it any more."""
    print("-- control: the same node switched off at once, without flip and wait", flush=True)
    limit = lab.settings.hold_time + (lab.settings.graceful_restart or 0) + 10
    with Probing(lab, build / "demo-control-probe.json") as probe:
        probe.wait(seconds=2)
        if playbook(lab, "tests/lab/files/force-off.yml", {"target": node}):
            raise LabError("the control could not switch the node off; the playbook's output is above")
        deadline = time.monotonic() + limit
        while lifecycle.routers_sending_to(lab, node):
            if time.monotonic() > deadline:
                raise LabError(f"{limit} s after the power cut a router still sends to {node}")
            time.sleep(0.5)
        probe.wait(seconds=2)
    return {key: probe.result[key] for key in FIGURES}


def playbook(lab: Lab, path: str, variables: dict[str, Any]) -> int:
    """Exit code of ansible-playbook, run as a user runs it, with no more rights than docs/manifests/rbac.yml gives."""
    argv = [str(Path(sys.executable).with_name("ansible-playbook")), "-i", str(lab.dir / "inventory.yml"), path]
    argv += ["-e", json.dumps(variables)]
    return subprocess.run(argv, cwd=TOP, env=rights.environment(lab), check=False).returncode


def table(result: dict[str, Any]) -> str:
    """Both counts, for people."""
    head = f"\n{result['speaker']}, FRR {result['frr']}, graceful restart: {result['graceful_restart']}, "
    head += f"topology: {result['topology']}\n"
    rows = [["", "UDP sent", "UDP lost", "UDP late", "new TCP", "TCP failed", "TCP late", "TCP moved", "seconds"]]
    for name in ("maintenance", "control"):
        counts = result[name]
        rows.append([name, *(str(counts[key]) for key in FIGURES[:-1]), f"{counts['seconds']:.1f}"])
    return head + "\n".join(f"{row[0]:12}" + "".join(f"{cell:>12}" for cell in row[1:]) for row in rows)


def _version(lab: Lab, machine: str, package: str) -> str:
    root = s.CACHE / lab.settings.suite(lab.machines[machine].role)
    done = subprocess.run(
        ["dpkg-query", f"--root={root}", "-W", "-f", "${Version}", package], capture_output=True, text=True, check=False
    )
    return done.stdout.partition("-")[0] or "unknown"


if __name__ == "__main__":
    sys.exit(main())
