# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""`./dev bench-order`: a node with pods of a Service with traffic policy Local, out and back in both orders.

Counted are the requests to the Service's VIPs that were lost, and those to the node's own address in its PodCIDRs that
were lost while the node's pods still ran: the routes to pods leave with those to VIPs.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from datetime import datetime
from typing import Any

from lab import cli, lifecycle
from lab import settings as s
from lab.demo import BUILD, playbook
from lab.probing import Probing
from lab.settings import LabError, LabSettings
from lab.state import Lab

ORDERS = ("drain_first", "withdraw_first")
# Seconds from the eviction of a pod until it answers no more.
ENDS = (0.0, 1.0)


def main(argv: list[str] | None = None) -> int:
    """Exit code: 0 if all runs came to their end."""
    parser = argparse.ArgumentParser(prog="./dev bench-order", description=__doc__)
    parser.add_argument("--runs", type=int, default=3, help="runs of each order with each kind of pods")
    parser.add_argument("--ends", type=float, nargs="+", default=ENDS, help="seconds that an evicted pod answers on")
    parser.add_argument("--form", choices=s.FORMS, default="plain", help="machines with systemd, or plain ones")
    parser.add_argument("--name", default="order", help="name of the lab")
    options = parser.parse_args(argv)
    settings = LabSettings(options.name, options.form, "hard-reset")
    try:
        rows = bench(settings, options.runs, options.ends)
    except LabError as error:
        print(f"bench-order: {error}", file=sys.stderr)
        return 1
    path = BUILD / "bench" / "order.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"rows": rows}, indent=2) + "\n", encoding="utf-8")
    print(table(rows))
    return 0


def bench(settings: LabSettings, runs: int, ends: list[float]) -> list[dict[str, Any]]:
    """The rows of all runs, in a lab that is made for them."""
    lab = lifecycle.up(settings)
    try:
        return [run(lab, order, end) for _unused in range(runs) for end in ends for order in ORDERS]
    finally:
        lifecycle.down(settings.name)


def run(lab: Lab, order: str, end: float) -> dict[str, Any]:
    """One node out and back: what was lost, and how long its pods ran without a route."""
    node = next(iter(lab.nodes))
    reports = BUILD / "bench" / "reports"
    for old in reports.glob("*.json"):
        old.unlink()
    if cli.main(["knob", "--name", lab.settings.name, f"pods.termination_seconds={end}"]):
        raise LabError("the pods' knob could not be turned")
    vips = [vip for family in s.local_vips(1) for vip in family]
    pods = Probing(lab, BUILD / "bench" / "order-pods.json", s.pod_gateways(1), rate=50)
    with Probing(lab, BUILD / "bench" / "order-vips.json", vips) as probe, pods:
        # The stand-ins look at their knobs a few times a second.
        probe.wait(seconds=2)
        variables = {"target": node, "maintenance_order": order, "maintenance_action": "none"}
        code = playbook(lab, "playbooks/node-maintenance.yml", {**variables, "report_dir": str(reports)})
        if code:
            raise LabError(f"the playbook failed with exit code {code}; its output is above")
        probe.wait(requests=5_000, seconds=3)
    lifecycle.wait_for_routes(lab)
    counts = {key: probe.result[key] for key in ("udp_sent", "udp_lost", "tcp_new", "tcp_failed", "tcp_moved")}
    (report,) = reports.glob("*.json")
    return {"order": order, "ends": end, **counts, **cut_off(json.loads(report.read_text())["phases"], pods.result)}


def cut_off(phases: list[dict[str, Any]], probe: dict[str, Any]) -> dict[str, Any]:
    """For how many seconds the node's pods ran on without a route, and how many requests were lost until they ended."""
    reached: dict[str, float] = {}
    for phase in phases:
        # The routers are asked again after the drain. The first time counts.
        reached.setdefault(phase["phase"], datetime.fromisoformat(phase["at"]).timestamp())
    seconds = max(0.0, reached["drained"] - reached["withdrawn"])
    lost = sum(n for at, n in probe["lost_per_100ms"] if probe["started"] + at < reached["drained"])
    return {"cut_off": round(seconds, 1), "pods_lost": lost}


def table(rows: list[dict[str, Any]]) -> str:
    """Each order with each kind of pods, for people."""
    head = f"{'order':16}{'pods answer on':>16}{'UDP sent':>12}"
    lines = [f"{head}{'UDP lost, each run':>22}{'TCP failed':>16}{'pods cut off':>16}{'lost':>16}"]
    for order, end in dict.fromkeys((row["order"], row["ends"]) for row in rows):
        of = [row for row in rows if (row["order"], row["ends"]) == (order, end)]
        lost = ", ".join(str(row["udp_lost"]) for row in of)
        failed = ", ".join(str(row["tcp_failed"]) for row in of)
        sent = sum(row["udp_sent"] for row in of)
        cut = statistics.median(row["cut_off"] for row in of)
        pods = ", ".join(str(row["pods_lost"]) for row in of)
        lines.append(f"{order:16}{f'{end:g} s':>16}{sent:>12}{lost:>22}{failed:>16}{f'{cut:g} s':>16}{pods:>16}")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
