# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""`./dev bench-drain`: node_drain, kubectl drain and kubernetes.core.k8s_drain on the same pods, one after the other.

The API is the lab's emulator in a process of its own; a stand-in for the kubelets ends each pod 2 s after its eviction.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from emulator.client import Api, eventually
from emulator.process import KubeletProcess, Process
from lab import rootfs
from lab.demo import BUILD
from lab.settings import LabError

Json = dict[str, Any]

TOP = Path(__file__).parents[2]
HERE = Path(__file__).parent
NODE, OTHER = "worker-a", "worker-b"
END_SECONDS = 2.0
PODS = "/api/v1/namespaces/default/pods"
REPLICASETS = "/apis/apps/v1/namespaces/default/replicasets"
BUDGETS = "/apis/policy/v1/namespaces/default/poddisruptionbudgets"
TIMEOUT = 300


@dataclass(frozen=True)
class Case:
    """What is on the node, and in the cluster."""

    name: str
    pods: int
    others: int = 0
    budget: bool = False


CASES = (
    Case("10", 10),
    Case("100", 100),
    Case("500", 500),
    Case("budget", 10, budget=True),
    Case("cluster-5000", 500, others=4500),
)
TOOLS = ("node_drain", "kubectl", "k8s_drain wait_sleep 1", "k8s_drain")


class Cluster:
    """An emulator, the kubelets' stand-in, and the pods of one case."""

    def __init__(self, case: Case, folder: Path) -> None:
        self.case = case
        self.folder = folder
        # No kubelet renews the nodes' leases here: they stay Ready all the same.
        self.emulator = Process(folder, "--node-grace", "1000000")
        self.api = Api(self.emulator.kubeconfig)
        self.kubelet: KubeletProcess | None = None

    def __enter__(self) -> Cluster:
        start = 1.0 if self.case.budget else 0.0
        self.kubelet = KubeletProcess(self.emulator.user("kubelet"), "--start", str(start), "--end", str(END_SECONDS))
        for name in (NODE, OTHER):
            self.api.post("/api/v1/nodes", {"metadata": {"name": name}}).of(201)
            ready = {"status": {"conditions": [{"type": "Ready", "status": "True"}]}}
            self.api.patch(f"/api/v1/nodes/{name}/status", ready).of(200)
        self._make_pods("other", OTHER, self.case.others)
        if self.case.budget:
            spec = {"maxUnavailable": 1, "selector": {"matchLabels": {"app": "web"}}}
            self.api.post(BUDGETS, {"metadata": {"name": "web"}, "spec": spec}).of(201)
        return self

    def __exit__(self, *_unused: object) -> None:
        if self.kubelet is not None:
            self.kubelet.stop()
        self.emulator.stop()

    def _owner(self) -> str:
        """UID of an object that may own pods."""
        path = "/api/v1/namespaces/default/configmaps"
        self.api.post(path, {"metadata": {"name": "o"}}).of(201, 409)
        return str(self.api.get(f"{path}/o").of(200)["metadata"]["uid"])

    def _make_pods(self, prefix: str, node: str, count: int) -> None:
        # The garbage collector only wants their owner to be there, and no controller replaces the pods of this one.
        owner = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "o", "uid": self._owner()}

        def make(number: int) -> None:
            metadata = {
                "name": f"{prefix}-{number}",
                "labels": {"app": prefix},
                "ownerReferences": [{**owner, "controller": True}],
            }
            spec = {"nodeName": node, "containers": [{"name": "main", "image": "registry.invalid/none:1"}]}
            self.api.post(PODS, {"metadata": metadata, "spec": spec}).of(201)

        with ThreadPoolExecutor(4) as pool:
            list(pool.map(make, range(count)))

    def _cordon(self, node: str, value: bool) -> None:
        self.api.patch(f"/api/v1/nodes/{node}", {"spec": {"unschedulable": value or None}}).of(200)

    def on(self, node: str) -> list[Json]:
        """The pods of a node."""
        found: list[Json] = self.api.get("/api/v1/pods", fieldSelector=f"spec.nodeName={node}").of(200)["items"]
        return found

    def set_up(self) -> None:
        """The same pods as at the first run, all Ready on the node; everything else is quiet."""
        self._cordon(NODE, False)
        if not self.case.budget:
            self._make_pods("web", NODE, self.case.pods)
        else:
            self._cordon(OTHER, True)
            labels = {"app": "web"}
            template = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "main", "image": "i"}]}}
            spec = {"replicas": self.case.pods, "selector": {"matchLabels": labels}, "template": template}
            self.api.post(REPLICASETS, {"metadata": {"name": "web"}, "spec": spec}).of(201)
        eventually(lambda: self._ready() == self.case.pods, patience=120)
        if self.case.budget:
            self._cordon(OTHER, False)
            eventually(lambda: self.api.get(f"{BUDGETS}/web").json["status"].get("disruptionsAllowed") == 1)

    def _ready(self) -> int:
        return sum(
            condition["type"] == "Ready" and condition["status"] == "True"
            for pod in self.on(NODE)
            for condition in pod["status"].get("conditions") or []
        )

    def tear_down(self) -> None:
        """Whatever a tool left behind goes."""
        if self.case.budget:
            self.api.delete(f"{REPLICASETS}/web", {"propagationPolicy": "Background"})
        selector = {"labelSelector": "app=web"}

        def gone() -> bool:
            self.api.delete(PODS, {"gracePeriodSeconds": 0}, **selector)
            return not self.api.get(PODS, **selector).of(200)["items"]

        eventually(gone, patience=60)

    def cpu(self) -> float:
        """CPU seconds that the emulator has used."""
        fields = Path(f"/proc/{self.emulator.about['pid']}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextmanager
def peak_memory(word: str) -> Iterator[list[float]]:
    """Peak resident memory, MB, of the largest process with a word in its command line; read until the block ends."""
    peak = [0.0]
    stop = threading.Event()
    # Only those that begin in the block are looked at, or looking would be the machine's main work.
    before = set(Path("/proc").glob("[0-9]*"))

    def look() -> None:
        while not stop.wait(0.1):
            for process in set(Path("/proc").glob("[0-9]*")) - before:
                try:
                    if word not in (process / "cmdline").read_text(errors="replace"):
                        continue
                    # VmHWM is the highest value so far: what is missed is only what came after the last look.
                    lines = (process / "status").read_text().splitlines()
                except OSError:
                    continue
                peak[0] = max([peak[0], *(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM:"))])

    thread = threading.Thread(target=look, daemon=True)
    thread.start()
    try:
        yield peak
    finally:
        stop.set()
        thread.join()


def by_kubectl(cluster: Cluster, kubeconfig: Path) -> Json:
    """kubectl drain: its process from start to end."""
    argv = [str(rootfs.kubectl()), "--kubeconfig", str(kubeconfig), "--cache-dir", str(cluster.folder / "kubectl")]
    argv += ["drain", NODE, "--ignore-daemonsets", "--delete-emptydir-data", f"--timeout={TIMEOUT}s"]
    started = time.monotonic()
    with peak_memory("kubectl\0--kubeconfig") as peak:
        done = subprocess.run(argv, capture_output=True, text=True, check=False)
    seconds = time.monotonic() - started
    error = done.stderr.strip().splitlines()[-1] if done.returncode else ""
    return {"seconds": seconds, "max_rss_mb": peak[0], "ok": done.returncode == 0, "error": error}


def by_ansible(cluster: Cluster, kubeconfig: Path, action: str, arguments: Json) -> Json:
    """One task of a playbook that drains."""
    with peak_memory(f"AnsiballZ_{action.rpartition('.')[2]}") as peak:
        row = task_row(cluster.folder, action, {"kubeconfig": str(kubeconfig), "name": NODE, **arguments})
    # k8s_drain turns a timeout into a warning: that is no drain.
    late = any("timeout reached" in warning for warning in row["warnings"])
    error = "timeout" if late else "" if row["ok"] else row["msg"]
    return {"seconds": row["seconds"], "max_rss_mb": peak[0], "ok": row["ok"] and not late, "error": error}


def task_row(folder: Path, action: str, arguments: Json) -> Json:
    """One task of a playbook: its result, and seconds from its start in ansible-playbook until the result is there.

    An empty task goes before it, as in any playbook that drains: what a run's first task costs is not the drain's.
    """
    book = folder / "playbook.json"
    tasks = [{"name": "First", "ansible.builtin.ping": {}}, {"name": "Measured", action: arguments}]
    book.write_text(json.dumps([{"name": "Measured", "hosts": "localhost", "gather_facts": False, "tasks": tasks}]))
    rows = folder / "task.json"
    rows.unlink(missing_ok=True)
    environment = os.environ | {
        "ANSIBLE_CALLBACK_PLUGINS": str(HERE / "callback"),
        "ANSIBLE_CALLBACKS_ENABLED": "task_seconds",
        "TASK_SECONDS": str(rows),
    }
    argv = [str(Path(sys.executable).with_name("ansible-playbook")), str(book)]
    done = subprocess.run(argv, cwd=TOP, env=environment, capture_output=True, text=True, check=False)
    if not rows.exists():
        raise LabError(f"ansible-playbook came to no task: {(done.stderr or done.stdout)[-500:]}")
    row: Json = json.loads(rows.read_text().splitlines()[-1])
    return row


def by_node_drain(cluster: Cluster, kubeconfig: Path) -> Json:
    """hitless.nodes.node_drain."""
    return by_ansible(cluster, kubeconfig, "hitless.nodes.node_drain", {"timeout": TIMEOUT})


def by_k8s_drain(**options: Any) -> Callable[[Cluster, Path], Json]:
    """kubernetes.core.k8s_drain, told to wait: by default it doesn't."""

    def drain(cluster: Cluster, kubeconfig: Path) -> Json:
        arguments = {"delete_options": {"wait_timeout": TIMEOUT, **options}}
        return by_ansible(cluster, kubeconfig, "kubernetes.core.k8s_drain", arguments)

    return drain


DRAINS: dict[str, Callable[[Cluster, Path], Json]] = {
    "node_drain": by_node_drain,
    "kubectl": by_kubectl,
    "k8s_drain wait_sleep 1": by_k8s_drain(wait_sleep=1),
    "k8s_drain": by_k8s_drain(),
}


def run(cluster: Cluster, tool: str) -> Json:
    """One drain: a row of the result."""
    user = f"bench-{tool.replace(' ', '-')}"
    kubeconfig = cluster.emulator.user(user)
    cluster.set_up()
    since = int(cluster.emulator.requests()[-1]["n"])
    cpu, started = cluster.cpu(), time.monotonic()
    measured = DRAINS[tool](cluster, kubeconfig)
    busy = (cluster.cpu() - cpu) / (time.monotonic() - started)
    asked = cluster.emulator.requests(user, since)
    left = len(cluster.on(NODE))
    cluster.tear_down()
    error = measured.pop("error") or (f"{left} pods are still on the node" if left else "")
    return {
        "tool": tool,
        "case": cluster.case.name,
        "pods": cluster.case.pods,
        "seconds": round(measured["seconds"], 2),
        "requests": len(asked),
        "refused": sum(entry["status"] == 429 for entry in asked),
        "max_rss_mb": round(measured["max_rss_mb"], 1),
        "ok": measured["ok"] and not left,
        "error": error,
        "emulator_busy": round(busy, 2),
    }


def overhead(runs: int) -> str:
    """What a task of Ansible costs here before it does anything, and what importing the Kubernetes package does."""
    with tempfile.TemporaryDirectory(prefix="bench-drain-") as folder:
        empty = [
            task_row(Path(folder), "ansible.builtin.command", {"argv": ["true"]})["seconds"] for _number in range(runs)
        ]
    imports = []
    for _number in range(runs):
        started = time.monotonic()
        subprocess.run([sys.executable, "-c", "import kubernetes.config"], check=True)
        imports.append(time.monotonic() - started)
    return (
        f"an empty task (ansible.builtin.command: true) takes {statistics.median(empty):.2f} s here, "
        f"a process that imports kubernetes.config {statistics.median(imports):.2f} s"
    )


def bench(cases: list[Case], tools: list[str], runs: int, slow_runs: int) -> list[Json]:
    """The rows of all runs; tools take turns, so that what else the machine does hits all of them."""
    rows = []
    for case in cases:
        with tempfile.TemporaryDirectory(prefix="bench-drain-") as folder, Cluster(case, Path(folder)) as cluster:
            for number in range(runs):
                for tool in tools:
                    if is_slow(case, tool) and number >= slow_runs:
                        continue
                    row = run(cluster, tool)
                    rows.append(row)
                    said = "" if row["ok"] else f", FAILED: {row['error'][:100]}"
                    print(f"{case.name:13} {tool:23} {row['seconds']:7.2f} s{said}", file=sys.stderr, flush=True)
    return rows


def is_slow(case: Case, tool: str) -> bool:
    """Whether a run takes longer than a minute: kubectl spaces its evictions by 0.2 s."""
    return tool == "kubectl" and case.pods >= 500


def table(rows: list[Json]) -> str:
    """Medians, and how many times longer than node_drain each peer takes, for people."""
    head = f"\n{'case':13} {'tool':23} {'seconds':>8} {'ratio':>6} {'requests':>8} {'refused':>7} {'MB':>6} {'ok':>5}"
    lines = [head + "  emulator busy"]
    for case in dict.fromkeys(row["case"] for row in rows):
        ours = [row["seconds"] for row in rows if row["case"] == case and row["tool"] == "node_drain" and row["ok"]]
        for tool in dict.fromkeys(row["tool"] for row in rows if row["case"] == case):
            of_tool = [row for row in rows if (row["case"], row["tool"]) == (case, tool)]
            keys = ("seconds", "requests", "refused", "max_rss_mb", "emulator_busy")
            middle = {key: statistics.median(row[key] for row in of_tool) for key in keys}
            good = sum(row["ok"] for row in of_tool)
            # How soon a tool gives up is not how soon it drains.
            comparable = ours and good == len(of_tool)
            ratio = f"{middle['seconds'] / statistics.median(ours):.1f}" if comparable else "-"
            lines.append(
                f"{case:13} {tool:23} {middle['seconds']:8.2f} {ratio:>6} {middle['requests']:8g} "
                f"{middle['refused']:7g} {middle['max_rss_mb']:6.1f} {f'{good}/{len(of_tool)}':>5}"
                f"  {middle['emulator_busy']:.0%}{' (the bottleneck?)' if middle['emulator_busy'] > 0.8 else ''}"
            )
    failures = {(row["case"], row["tool"], row["error"]) for row in rows if not row["ok"]}
    return "\n".join(lines + [f"{case}, {tool}: {error[:180]}" for case, tool, error in sorted(failures)])


def main(argv: list[str] | None = None) -> int:
    """Exit code: 0 if every run of node_drain drained its node."""
    parser = argparse.ArgumentParser(prog="./dev bench-drain", description=__doc__)
    names = [case.name for case in CASES]
    parser.add_argument("--runs", type=int, default=5, help="runs of each; medians are printed (5)")
    parser.add_argument("--slow-runs", type=int, help="runs of what takes minutes: kubectl with 500 pods (as --runs)")
    parser.add_argument("--case", action="append", choices=names, help="only this one; may be repeated")
    parser.add_argument("--tool", action="append", choices=TOOLS, help="only this one; may be repeated")
    options = parser.parse_args(argv)
    cases = [case for case in CASES if not options.case or case.name in options.case]
    slow_runs = options.runs if options.slow_runs is None else options.slow_runs
    try:
        rows = bench(cases, options.tool or list(TOOLS), options.runs, slow_runs)
        words = overhead(options.runs)
    except (LabError, AssertionError) as error:
        print(f"bench-drain: {error}", file=sys.stderr)
        return 1
    path = BUILD / "bench" / "drain.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(rows, indent=2) + "\n", encoding="utf-8")
    print(table(rows))
    few = f", {slow_runs} of kubectl with 500 pods" if slow_runs < options.runs else ""
    print(words)
    print(f"{options.runs} runs of each{few}; load average {os.getloadavg()[0]:.1f}; {path}")
    return 0 if all(row["ok"] for row in rows if row["tool"] == "node_drain") else 1


if __name__ == "__main__":
    sys.exit(main())
