# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An emulator and a kubelet of one's own, each in a process."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Self

from .client import PATIENCE, Api
from .pki import write_private

TESTS = Path(__file__).parents[1]


class Process:
    """An emulator of one's own."""

    def __init__(self, directory: Path, *options: str) -> None:
        self.directory = directory
        self._process = subprocess.Popen(
            [sys.executable, "-m", "emulator", "--dir", str(directory), *options],
            cwd=TESTS,
            stdout=subprocess.DEVNULL,
        )
        ready = directory / "emulator.json"
        end = time.monotonic() + PATIENCE
        while not ready.exists():
            assert self._process.poll() is None, f"the emulator ended with {self._process.returncode}"
            assert time.monotonic() < end, "the emulator did not start"
            time.sleep(0.02)
        self.about: dict[str, Any] = json.loads(ready.read_text())
        self._api = Api(self.kubeconfig)

    @property
    def kubeconfig(self) -> Path:
        """The administrator's kubeconfig."""
        return Path(self.about["admin_kubeconfig"])

    def user(self, name: str) -> Path:
        """The kubeconfig of an administrator of this name: the log of requests then tells who asked."""
        path = self.directory / f"{name}.kubeconfig"
        if not path.exists():
            body = {"user": name, "groups": ["system:masters"]}
            write_private(path, self._api.post("/_emulator/kubeconfig", body).body.decode())
        return path

    def requests(self, user: str | None = None, since: int = 0) -> list[dict[str, Any]]:
        """What a user, or anybody, has asked since the request of this number, oldest first."""
        log = self._api.get("/_emulator/requests", since=since).of(200)["requests"]
        return [entry for entry in log if user in (None, entry["user"])]

    def stop(self) -> int:
        """SIGTERM; the exit code."""
        self._process.terminate()
        return self._process.wait(timeout=PATIENCE)


class KubeletProcess:
    """A kubelet of one's own, as long as the `with` block lasts."""

    def __init__(self, kubeconfig: Path, *options: str) -> None:
        argv = [sys.executable, "-m", "emulator.kubelet", "--kubeconfig", str(kubeconfig), *options]
        self._process = subprocess.Popen(argv, cwd=TESTS, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == "ready\n", "the kubelet did not start"

    def stop(self) -> None:
        """SIGTERM, and its end."""
        self._process.terminate()
        self._process.wait(timeout=PATIENCE)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_unused: object) -> None:
        self.stop()
