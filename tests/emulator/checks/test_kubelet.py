# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The kubelet, and the loop of all controllers: how they end."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path

from emulator.client import Api, eventually
from emulator.informer import Controller
from emulator.kubelet import in_a_thread
from emulator.process import TESTS, Process

PODS = "/api/v1/namespaces/default/pods"


class Idle(Controller):
    """It has nothing to do."""

    async def step(self) -> float | None:
        return 60.0


def test_a_controller_that_is_woken_and_cancelled_at_once_ends() -> None:
    async def end() -> bool:
        controller = Idle()
        task = asyncio.create_task(controller.run())
        await asyncio.sleep(0.01)
        controller.wake.set()
        task.cancel()
        done, _pending = await asyncio.wait([task], timeout=5)
        return bool(done)

    assert asyncio.run(end())


def test_a_pod_starts_and_ends_on_its_nodes_only(process: Process) -> None:
    api = Api(process.kubeconfig)
    for node in ("ours-1", "ours-2", "other"):
        spec = {"nodeName": node, "containers": [{"name": "c", "image": "i"}], "terminationGracePeriodSeconds": 1}
        api.post(PODS, {"metadata": {"name": node}, "spec": spec}).of(201)
    with in_a_thread(process.kubeconfig, only="ours-", dead=["ours-2"], start=0.0):
        eventually(lambda: api.get(f"{PODS}/ours-1").json["status"]["phase"] == "Running")
        for node in ("other", "ours-2", "ours-1"):
            api.delete(f"{PODS}/{node}").of(200)
        eventually(lambda: api.get(f"{PODS}/ours-1").status == 404)
    for node in ("other", "ours-2"):
        pod = api.get(f"{PODS}/{node}").of(200)
        assert pod["status"]["phase"] == "Pending"
        api.delete(f"{PODS}/{node}", {"gracePeriodSeconds": 0}).of(200)


def test_a_kubelet_without_api_ends_when_it_is_told_to(tmp_path: Path) -> None:
    gone = Process(tmp_path)
    kubeconfig = tmp_path / "kept.kubeconfig"
    kubeconfig.write_text(gone.kubeconfig.read_text())
    gone.stop()
    argv = [sys.executable, "-m", "emulator.kubelet", "--kubeconfig", str(kubeconfig)]
    with subprocess.Popen(argv, cwd=TESTS, stderr=subprocess.PIPE, text=True) as kubelet:
        assert kubelet.stderr is not None
        # It has tried, and is in its loop.
        assert "/api/v1/pods: " in kubelet.stderr.readline()
        kubelet.terminate()
        try:
            assert kubelet.wait(timeout=20) == 0
        finally:
            kubelet.kill()
