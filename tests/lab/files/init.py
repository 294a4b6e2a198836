# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""init of a plain machine: starts its services, reaps, and ends as the signal says (systemd's own numbers)."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

POWEROFF, REBOOT = signal.SIGRTMIN + 4, signal.SIGRTMIN + 5
EXIT = {POWEROFF: 0, REBOOT: 133}
RUN = Path("/run/hitless")


class Halt(BaseException):
    """Carries the exit status."""


def halt(number: int, _frame: object) -> None:
    """Leaves whatever PID 1 is waiting for."""
    raise Halt(EXIT[number])


def start(name: str, *argv: str) -> None:
    """Starts a service that stays in the foreground; its output goes to /run/hitless/NAME.log."""
    with (RUN / f"{name}.log").open("ab") as log:
        process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
    (RUN / f"{name}.pid").write_text(f"{process.pid}\n")


def boot(role: str) -> None:
    """Starts what a machine of this role runs; the echo service comes before any BGP."""
    if role == "node":
        start("hitless-echo", "/usr/bin/python3", "/usr/local/lib/hitless/echo.py")
        if Path("/etc/hitless/advertise").exists():
            start("hitless-advertise", "/usr/bin/python3", "/usr/local/lib/hitless/advertise.py")
    Path("/run/sshd").mkdir(mode=0o755)
    start("sshd", "/usr/sbin/sshd", "-D")
    if role == "router":
        Path("/run/frr").mkdir(mode=0o755)
        shutil.chown("/run/frr", "frr", "frr")
        # A router has its FRR in one path space: the default one, or the one that has a folder.
        spaces = [path.parent.name for path in Path("/etc/frr").glob("*/frr.conf")]
        start("frr", "/usr/lib/frr/frrinit.sh", "start", *spaces)


def shutdown() -> None:
    """Ends all processes: the speaker at once and without a word, as Cilium's agent dies with its OS."""
    with contextlib.suppress(OSError, ValueError):
        os.kill(int((RUN / "hitless-speaker.pid").read_text()), signal.SIGKILL)
    with contextlib.suppress(OSError):
        os.kill(-1, signal.SIGTERM)
    deadline = time.monotonic() + 3
    with contextlib.suppress(ChildProcessError):
        while time.monotonic() < deadline:
            if os.waitpid(-1, os.WNOHANG) == (0, 0):
                time.sleep(0.02)


def main() -> int:
    """Exit status of the machine: 0 = powered off, 133 = reboot."""
    try:
        for number in EXIT:
            signal.signal(number, halt)
        boot(Path("/etc/hitless/role").read_text().strip())
        while True:
            try:
                os.waitpid(-1, 0)
            except ChildProcessError:
                time.sleep(0.5)
    except Halt as wanted:
        for number in EXIT:
            signal.signal(number, signal.SIG_IGN)
        shutdown()
        return int(wanted.args[0])


if __name__ == "__main__":
    raise SystemExit(main())
