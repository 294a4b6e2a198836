# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A plain lab with emulator and stand-ins, started with short times, for the tests of the stand-ins."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import lab
from emulator.client import Api
from lab import cluster, lifecycle, settings
from lab.state import Lab

Object = dict[str, Any]
TESTS = str(Path(lab.__file__).parents[1])
CILIUM = "/apis/cilium.io/v2"
TIMES = ["--heartbeat", "0.5", "--grace", "3", "--start", "0.3", "--status", "1"]


def eventually(what: str, probe: Callable[[], Any], seconds: float = 300) -> Any:
    """The first true result of the probe; fails after a generous time."""
    deadline = time.monotonic() + seconds
    while not (found := probe()):
        assert time.monotonic() < deadline, f"not within {seconds:g} s: {what}"
        time.sleep(0.1)
    return found


def holds(what: str, probe: Callable[[], Any], seconds: float = 1.5) -> None:
    """The probe is true all the time: nothing happens that must not."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        assert probe(), f"did not hold: {what}"
        time.sleep(0.1)


def _ended(pid: int) -> bool:
    return not Path(f"/proc/{pid}/exe").exists()


class Kube:
    """What a test asks of the API."""

    def __init__(self, kubeconfig: Path) -> None:
        self.api = Api(kubeconfig)

    def __call__(self, method: str, path: str, body: Object | None = None) -> Object:
        answer: Object = self.api.call(method, path, body).of()
        return answer

    def find(self, path: str) -> Object | None:
        """The object or None."""
        answer = self.api.get(path)
        return None if answer.status == 404 else answer.of(200)

    def items(self, path: str) -> list[Object]:
        """Objects of a collection."""
        return self("GET", path)["items"]


class Bench:
    """The lab and short words for what the tests look at."""

    def __init__(self, lab_settings: settings.LabSettings) -> None:
        self.settings = lab_settings
        self.name = lab_settings.name
        self.lab: Lab
        self.kube: Kube
        self.standins: subprocess.Popen[bytes]
        self.current: dict[str, Any] = {}

    # -- life

    def start(self) -> None:
        """The whole lab, then its stand-ins once more with short times."""
        self.lab = lifecycle.up(self.settings)
        self.kube = Kube(Path(self.lab.api["admin_kubeconfig"]))
        for pid in lifecycle.processes(self.name):
            if b"lab.standins" in Path(f"/proc/{pid}/cmdline").read_bytes():
                os.kill(pid, signal.SIGTERM)
                eventually("the lab's own stand-ins have ended", partial(_ended, pid))
        self.start_standins()

    def start_standins(self) -> None:
        """Start the stand-ins' process."""
        env = os.environ | {settings.MARKER: self.name, "PYTHONPATH": TESTS}
        argv = [sys.executable, "-m", "lab.standins", "--lab", self.name, *TIMES]
        with (self.lab.dir / "logs" / "standins.log").open("ab") as log:
            self.standins = subprocess.Popen(argv, env=env, stdout=log, stderr=log, start_new_session=True)

    def end_standins(self) -> int:
        """SIGTERM to the stand-ins; their exit code."""
        self.standins.terminate()
        return self.standins.wait(120)

    def stop(self) -> None:
        """Remove everything."""
        lifecycle.down(self.name)

    # -- words

    def status(self, method: str, path: str, body: Object | None = None) -> int:
        """HTTP status of a request."""
        return self.kube.api.call(method, path, body).status

    def node(self, i: int) -> str:
        """Name of worker-i."""
        return f"{self.name}-worker-{i}"

    def knobs(self, **knobs: Any) -> None:
        """Set the knobs and wait until the stand-ins have read them; without arguments: no faults."""
        log = self.lab.dir / "logs" / "standins.log"
        seen = log.read_text().count(" knobs: ")
        part = self.lab.dir / "knobs.json.part"
        part.write_text(json.dumps(knobs))
        part.rename(self.lab.dir / "knobs.json")
        if knobs != self.current:
            eventually("knobs are read", lambda: log.read_text().count(" knobs: ") > seen)
        self.current = knobs

    def label(self, name: str, value: str | None) -> None:
        """Set or remove the label that announces the node."""
        self.kube("PATCH", f"/api/v1/nodes/{name}", {"metadata": {"labels": {cluster.LABEL: value}}})

    def get_node(self, name: str) -> Object:
        """The Node."""
        return self.kube("GET", f"/api/v1/nodes/{name}")

    def ready(self, name: str) -> str:
        """Status of the node's Ready condition."""
        conditions = self.get_node(name)["status"]["conditions"]
        return next(c["status"] for c in conditions if c["type"] == "Ready")

    def cilium_label(self, name: str) -> str | None:
        """The label on the CiliumNode."""
        return self.kube("GET", f"{CILIUM}/ciliumnodes/{name}")["metadata"].get("labels", {}).get(cluster.LABEL)

    def node_config(self, name: str) -> Object | None:
        """The NodeConfig."""
        return self.kube.find(f"{CILIUM}/ciliumbgpnodeconfigs/{name}")

    def pods(self, app: str = "", node: str = "") -> list[Object]:
        """Pods of the lab by app (or k8s-app) and node."""
        return [
            p
            for p in self.kube.items(f"/api/v1/namespaces/{self.name}/pods")
            if app in ("", *p["metadata"].get("labels", {}).values()) and node in ("", p["spec"].get("nodeName"))
        ]

    def agent_pod(self, name: str) -> Object | None:
        """The node's agent pod that is not going away."""
        found = [p for p in self.pods("cilium", name) if not p["metadata"].get("deletionTimestamp")]
        return found[0] if found else None

    def sessions(self, router: int, i: int) -> dict[str, str]:
        """State of the router's sessions with worker-i by address."""
        machine = self.lab.routers[f"{self.name}-tor-{router}"]
        states = {}
        for address, afi in zip(settings.node_addresses(i), ("ipv4", "ipv6"), strict=True):
            done = machine.run(["vtysh", "-c", f"show bgp {afi} unicast summary json"])
            states[address] = json.loads(done.stdout)["peers"][address]["state"]
        return states

    def all_sessions(self, i: int) -> set[str]:
        """States of all sessions with worker-i, on both routers and in both families."""
        return {state for router in (1, 2) for state in self.sessions(router, i).values()}

    def in_service(self, i: int) -> bool:
        """Whether worker-i is ready, selected and has all its sessions."""
        name = self.node(i)
        return (
            self.ready(name) == "True"
            and self.node_config(name) is not None
            and self.all_sessions(i) == {"Established"}
        )
