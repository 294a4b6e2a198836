# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""`./dev bench`: one node out and back, by our playbook and by a naive one, in the same lab, one after the other."""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from typing import Any

from lab import lifecycle
from lab import settings as s
from lab.demo import BUILD, playbook
from lab.probing import Probing
from lab.settings import LabError, LabSettings
from lab.state import Lab


def main(argv: list[str] | None = None) -> int:
    """Exit code: 0 if all runs came to their end."""
    parser = argparse.ArgumentParser(prog="./dev bench", description=__doc__)
    parser.add_argument("--runs", type=int, default=3, help="runs of each playbook; medians are printed")
    parser.add_argument("--scenario", choices=s.SCENARIOS, default="hard-reset", help="graceful restart")
    parser.add_argument("--name", default="bench", help="name of the lab")
    options = parser.parse_args(argv)
    settings = LabSettings(options.name, scenario=options.scenario)
    try:
        result = bench(settings, options.runs)
    except LabError as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    path = BUILD / "bench" / "maintenance.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    print(table(result))
    return 0


def bench(settings: LabSettings, runs: int) -> dict[str, Any]:
    """Seconds and losses of all runs, and how long the lab took to come and go."""
    started = time.monotonic()
    lab = lifecycle.up(settings)
    up = time.monotonic() - started
    try:
        rows = [run(lab, tool) for _unused in range(runs) for tool in ("hitless.nodes", "naive")]
    finally:
        started = time.monotonic()
        lifecycle.down(settings.name)
    down = time.monotonic() - started
    return {"scenario": settings.scenario, "lab_up": round(up, 1), "lab_down": round(down, 1), "rows": rows}


def run(lab: Lab, tool: str) -> dict[str, Any]:
    """One node out and back: {tool, seconds, udp_sent, udp_lost, tcp_failed, ok}."""
    node = next(iter(lab.nodes))
    reports = BUILD / "bench" / "reports"
    with Probing(lab, BUILD / "bench" / "probe.json") as probe:
        started = time.monotonic()
        if tool == "naive":
            vip = s.VIPS4[0]
            variables = {"target": node, "vip": vip, "node_address": lab.machines[node].address4}
            code = playbook(lab, "tests/benchmarks/naive.yml", variables)
        else:
            code = playbook(lab, "playbooks/node-maintenance.yml", {"target": node, "report_dir": str(reports)})
        seconds = time.monotonic() - started
        probe.wait(seconds=3)
    # Neither may start before the other's node is back in service everywhere.
    lifecycle.wait_for_routes(lab)
    counts = {key: probe.result[key] for key in ("udp_sent", "udp_lost", "tcp_failed")}
    return {"tool": tool, "seconds": round(seconds, 1), **counts, "ok": code == 0}


def table(result: dict[str, Any]) -> str:
    """Medians and the ratio, for people."""
    lines = [f"\nscenario {result['scenario']}; lab up {result['lab_up']} s, down {result['lab_down']} s"]
    medians = {}
    for tool in ("hitless.nodes", "naive"):
        rows = [row for row in result["rows"] if row["tool"] == tool]
        medians[tool] = statistics.median(row["seconds"] for row in rows)
        lost = statistics.median(row["udp_lost"] for row in rows)
        failed = sum(not row["ok"] for row in rows)
        lines.append(f"{tool:14} {medians[tool]:6.1f} s median of {len(rows)}, {lost:g} UDP lost, {failed} runs failed")
    lines.append(f"ratio          {medians['hitless.nodes'] / medians['naive']:6.2f}")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
