# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""`./dev bench-upgrade`: what pre-pull and plan of an upgrade cost the controller, at 500 simulated nodes.

The API is the lab's emulator in a process of its own; a stand-in for the kubelets has each pod run after some seconds.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from emulator.client import Api, eventually
from emulator.process import KubeletProcess, Process
from lab.cluster import CILIUM_VERSION, agent_image
from lab.demo import BUILD
from lab.settings import LabError

from benchmarks.drain import TOP, peak_memory

Json = dict[str, Any]

SPACE = "/apis/apps/v1/namespaces/kube-system/daemonsets"
# What the issue allows.
MOST_SECONDS, MOST_MB = 60.0, 200.0


def make_nodes(api: Api, count: int) -> list[str]:
    """Ready Nodes, each with the list of images that a busy one has."""
    others = [{"names": [f"registry.invalid/app-{i}:1"], "sizeBytes": 1} for i in range(30)]
    status = {
        "conditions": [{"type": "Ready", "status": "True"}],
        "nodeInfo": {"operatingSystem": "linux", "architecture": "amd64"},
        "images": others,
    }

    def make(name: str) -> None:
        labels = {"kubernetes.io/os": "linux"}
        api.post("/api/v1/nodes", {"metadata": {"name": name, "labels": labels}, "status": status}).of(201)

    names = [f"worker-{number}" for number in range(count)]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(make, names))
    return names


def make_cilium(api: Api, count: int) -> None:
    """The agents' DaemonSet with all its pods, and the definitions of Cilium's BGP kinds."""
    import yaml

    for path in sorted((TOP / "tests" / "lab" / "crds").glob("*.yml")):
        definition = yaml.safe_load(path.read_text(encoding="utf-8"))
        api.post("/apis/apiextensions.k8s.io/v1/customresourcedefinitions", definition).of(201)
    labels = {"k8s-app": "cilium"}
    container = {"name": "cilium-agent", "image": agent_image(CILIUM_VERSION)}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [container]}}
    spec = {"selector": {"matchLabels": labels}, "template": template}
    api.post(SPACE, {"metadata": {"name": "cilium"}, "spec": spec}).of(201)
    eventually(lambda: api.get(f"{SPACE}/cilium").json["status"].get("numberReady") == count, patience=180)


def playbook(folder: Path, kubeconfig: Path, nodes: list[str], parallel: int) -> Path:
    """Pre-pull and plan, as the playbook cilium_upgrade does them."""
    images = [agent_image("1.19.1"), "registry.invalid/lab/operator:v1.19.1", agent_image(CILIUM_VERSION)]
    rollout = {"state": "driven", "images": images[:1], "kubeconfig": str(kubeconfig)}
    pull = {"images": images, "nodes": nodes, "parallel": parallel, "hold": True, "kubeconfig": str(kubeconfig)}
    tasks = [
        {"name": "Take over", "hitless.nodes.agent_rollout": rollout},
        {"name": "Pull", "hitless.nodes.image_pull": pull, "register": "pulled"},
        {"name": "Check", "ansible.builtin.assert": {"that": [f"pulled.nodes | length == {len(nodes)}"]}},
    ]
    path = folder / "playbook.json"
    path.write_text(json.dumps([{"name": "Bench", "hosts": "localhost", "gather_facts": False, "tasks": tasks}]))
    return path


def measure(path: Path) -> Json:
    """Wall and processor seconds of ansible-playbook with all that it starts, and the largest module's memory."""
    argv = [str(Path(sys.executable).with_name("ansible-playbook")), str(path)]
    started = time.monotonic()
    with peak_memory("AnsiballZ_image_pull") as peak, (path.with_suffix(".log")).open("wb") as log:
        process = subprocess.Popen(argv, cwd=TOP, stdout=log, stderr=log, env=os.environ | {"ANSIBLE_NOCOLOR": "1"})
        _pid, status, usage = os.wait4(process.pid, 0)
    if status:
        raise LabError(f"ansible-playbook failed: {path.with_suffix('.log').read_text()[-800:]}")
    return {
        "wall_seconds": round(time.monotonic() - started, 1),
        "controller_seconds": round(usage.ru_utime + usage.ru_stime, 1),
        "max_rss_mb": round(max(peak[0], usage.ru_maxrss / 1024), 1),
    }


def bench(count: int, pull_seconds: float, parallel: int) -> Json:
    """The figures of one run."""
    with tempfile.TemporaryDirectory(prefix="bench-upgrade-") as name:
        folder = Path(name)
        emulator = Process(folder, "--node-grace", "1000000")
        kubelet: KubeletProcess | None = None
        try:
            api = Api(emulator.kubeconfig)
            kubelet = KubeletProcess(emulator.user("kubelet"), "--start", str(pull_seconds))
            api.post("/api/v1/namespaces", {"metadata": {"name": "kube-system"}}).of(201, 409)
            nodes = make_nodes(api, count)
            make_cilium(api, count)
            since = emulator.requests()[-1]["n"]
            figures = measure(playbook(folder, emulator.user("bench"), nodes, parallel))
            asked = emulator.requests("bench", since)
        finally:
            if kubelet is not None:
                kubelet.stop()
            emulator.stop()
    return {"nodes": count, "pull_seconds": pull_seconds, "parallel": parallel, **figures, "requests": len(asked)}


def main(argv: list[str] | None = None) -> int:
    """Exit code 0 if the figures are within what is allowed."""
    parser = argparse.ArgumentParser(prog="./dev bench-upgrade", description=__doc__)
    parser.add_argument("--nodes", type=int, default=500)
    parser.add_argument("--pull", type=float, default=2.0, help="seconds that each node's pull takes (2)")
    parser.add_argument("--parallel", type=int, default=100, help="nodes that pull at the same time (100)")
    options = parser.parse_args(argv)
    try:
        figures = bench(options.nodes, options.pull, options.parallel)
    except LabError as error:
        print(f"bench-upgrade: {error}", file=sys.stderr)
        return 1
    (BUILD / "bench").mkdir(parents=True, exist_ok=True)
    (BUILD / "bench" / "upgrade.json").write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    print(json.dumps(figures, indent=2))
    return 0 if figures["controller_seconds"] <= MOST_SECONDS and figures["max_rss_mb"] <= MOST_MB else 1


if __name__ == "__main__":
    sys.exit(main())
