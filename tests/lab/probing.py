# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The prober in a lab's client while something else happens."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Any

from lab import network
from lab import settings as s
from lab.settings import LabError
from lab.state import Lab

UDP_PER_SECOND = 200  # in each of the two families


def arguments(lab: Lab, prefixes: Iterable[str] = s.VIPS, rate: int = UDP_PER_SECOND) -> list[str]:
    """Command of a prober without where its result goes; by default for the VIPs that every node has."""
    argv = [sys.executable, "-m", "lab.prober", "--targets", *(prefix.partition("/")[0] for prefix in prefixes)]
    argv += ["--port", str(s.ECHO_PORT), "--udp-rate", str(rate), "--tcp-rate", "10"]
    return [*argv, "--routers", *lab.routers]


class Probing:
    """`with Probing(lab, out) as probe:` sends requests to all VIPs; afterwards probe.result says what was lost."""

    def __init__(self, lab: Lab, out: Path, prefixes: Iterable[str] = s.VIPS, *, rate: int = UDP_PER_SECOND) -> None:
        """lab: a lab that is up; out: the file for the prober's JSON, written at the end; prefixes: what is asked."""
        self.lab = lab
        self.out = out
        self._arguments = arguments(lab, prefixes, rate)
        self.result: dict[str, Any] = {}
        self._sent = 0
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Probing:
        self.out.parent.mkdir(parents=True, exist_ok=True)
        self.out.unlink(missing_ok=True)
        argv = [*self._arguments, "--out", str(self.out)]
        environment = os.environ | {"PYTHONPATH": str(Path(__file__).resolve().parents[1])}
        self._sent = network.udp_sent(self.lab.client.netns)
        self._process = subprocess.Popen(self.lab.client.in_netns(argv), stdout=subprocess.DEVNULL, env=environment)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process
        self._process.terminate()
        code = self._process.wait(timeout=300)
        if kind is None:
            if code:
                raise LabError(f"the prober ended with exit code {code}")
            self.result = json.loads(self.out.read_text(encoding="utf-8"))

    def wait(self, *, seconds: float = 0, requests: int = 0) -> None:
        """Goes on for that many seconds, and until that many UDP requests have been sent since the start."""
        time.sleep(seconds)
        while network.udp_sent(self.lab.client.netns) - self._sent < requests:
            assert self._process
            if self._process.poll() is not None:
                raise LabError(f"the prober ended with exit code {self._process.returncode}")
            time.sleep(0.1)
