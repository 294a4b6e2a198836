# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""`./dev bench`: one node out and back in the same lab, by our playbook, by a naive one, and by bare calls.

The bare calls take no care and have no tool's overhead: their time is what pods, agents, routers and machines take in
any case. What a playbook takes longer is its own.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import sys
import time
from typing import Any

from emulator.client import AsyncApi
from lab import lifecycle, network
from lab import settings as s
from lab.demo import BUILD, playbook
from lab.probing import Probing
from lab.settings import LabError, LabSettings
from lab.state import Lab

TOOLS = ("hitless.nodes", "naive", "bare")
LABEL = "enable-bgp"


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
        rows = [run(lab, tool) for _unused in range(runs) for tool in TOOLS]
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
        if tool == "bare":
            code = asyncio.run(bare(lab, node))
        elif tool == "naive":
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


async def bare(lab: Lab, node: str) -> int:
    """0, once the node was out, off, on and back: each step begins as soon as the one before is seen to be done."""
    machine = lab.machines[node]
    path = f"/api/v1/nodes/{node}"
    async with AsyncApi(lab.dir / "admin.kubeconfig", user_agent="bench") as api:
        await api.patch(path, {"spec": {"unschedulable": True}})
        pods = [pod["metadata"] for pod in await evictable(api, node)]
        for pod in pods:
            eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": pod["name"]}}
            await api.create(f"/api/v1/namespaces/{pod['namespace']}/pods/{pod['name']}/eviction", eviction)
        while await evictable(api, node):
            await asyncio.sleep(0.05)
        await api.patch(path, {"metadata": {"labels": {LABEL: "false"}}})
        await routes(lab, node, there=False)
        await asyncio.to_thread(machine.poweroff)
        await asyncio.to_thread(machine.start)
        boot_id = machine.boot_id()
        while not ready((await api.get(path))["status"], boot_id):
            await asyncio.sleep(0.05)
        await api.patch(path, {"metadata": {"labels": {LABEL: "true"}}})
        await routes(lab, node, there=True)
        await api.patch(path, {"spec": {"unschedulable": False}})
    return 0


async def evictable(api: AsyncApi, node: str) -> list[dict[str, Any]]:
    """The node's pods that no DaemonSet would start again."""
    pods = (await api.get("/api/v1/pods", fieldSelector=f"spec.nodeName={node}"))["items"]
    return [pod for pod in pods if all(o["kind"] != "DaemonSet" for o in pod["metadata"].get("ownerReferences", []))]


def ready(status: dict[str, Any], boot_id: str | None) -> bool:
    """Whether the kubelet says Ready since that boot."""
    conditions = {condition["type"]: condition["status"] for condition in status["conditions"]}
    return conditions.get("Ready") == "True" and status["nodeInfo"]["bootID"] == boot_id


async def routes(lab: Lab, node: str, *, there: bool) -> None:
    """Returns when the kernel of every router forwards all VIPs to the node (there), or none."""
    machine = lab.machines[node]
    wanted = {(router, vip) for router in lab.routers for vip in s.VIPS} if there else set()
    while True:
        hops = {(router, vip): network.next_hops(router, vip) for router in lab.routers for vip in s.VIPS}
        if {key for key, found in hops.items() if {machine.address4, machine.address6} & set(found)} == wanted:
            return
        await asyncio.sleep(0.05)


def table(result: dict[str, Any]) -> str:
    """Medians, what each tool adds to the bare calls, and the ratios, for people."""
    lines = [f"\nscenario {result['scenario']}; lab up {result['lab_up']} s, down {result['lab_down']} s"]
    medians = {}
    for tool in TOOLS:
        rows = [row for row in result["rows"] if row["tool"] == tool]
        medians[tool] = statistics.median(row["seconds"] for row in rows)
        lost = statistics.median(row["udp_lost"] for row in rows)
        failed = sum(not row["ok"] for row in rows)
        lines.append(f"{tool:14} {medians[tool]:6.1f} s median of {len(rows)}, {lost:g} UDP lost, {failed} runs failed")
    ours, naive = (medians[tool] - medians["bare"] for tool in TOOLS[:2])
    lines.append(f"beyond the bare calls: hitless.nodes {ours:.1f} s, naive {naive:.1f} s")
    lines.append(f"ratio {medians['hitless.nodes'] / medians['naive']:.2f}, beyond the bare calls {ours / naive:.2f}")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
