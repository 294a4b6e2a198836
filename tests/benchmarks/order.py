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
    with pods, Probing(lab, BUILD / "bench" / "order-vips.json", vips) as probe:
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
    lost = lost_until(drained_at(json.loads(report.read_text())), pods.result)
    return {"order": order, "ends": end, **counts, "pods_sent": pods.result["udp_sent"], "pods_lost": lost}


def drained_at(report: dict[str, Any]) -> float:
    """When the node's last pod was gone; epoch seconds."""
    (at,) = [phase["at"] for phase in report["phases"] if phase["phase"] == "drained"]
    return datetime.fromisoformat(at).timestamp()


def lost_until(end: float, probe: dict[str, Any]) -> int:
    """How many of a prober's requests were lost before that moment."""
    return sum(lost for at, lost in probe["lost_per_100ms"] if probe["started"] + at < end)


def each(rows: list[dict[str, Any]], key: str) -> str:
    """One figure of each run."""
    return ", ".join(str(row[key]) for row in rows)


def table(rows: list[dict[str, Any]]) -> str:
    """Each order with each kind of pods, for people."""
    head = f"{'order':16}{'pods answer on':>16}{'UDP sent':>12}"
    lines = [f"{head}{'UDP lost':>16}{'TCP failed':>16}{'to pods lost':>20}"]
    for order, end in dict.fromkeys((row["order"], row["ends"]) for row in rows):
        of = [row for row in rows if (row["order"], row["ends"]) == (order, end)]
        lost, failed, pods = (each(of, key) for key in ("udp_lost", "tcp_failed", "pods_lost"))
        sent = sum(row["udp_sent"] for row in of)
        lines.append(f"{order:16}{f'{end:g} s':>16}{sent:>12}{lost:>16}{failed:>16}{pods:>20}")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
