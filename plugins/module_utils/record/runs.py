# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to hitless.nodes: it may change in any release, don't import it from elsewhere.

"""A run of ansible-playbook: what identifies it, and whether it is still alive."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

Run = dict[str, Any]


def identity(pid: int) -> Run:
    """What identifies the run with this process. What the system doesn't say is None (macOS)."""
    stat = _stat(pid)
    return {"host": socket.gethostname(), **_here(), "pid": pid, "started": stat[1] if stat else None}


def same(run: Run | None, other: Run | None) -> bool:
    """Whether two identities are the same run of ansible-playbook (the same process, not only the same number)."""
    keys = ("host", "boot_id", "pid_ns", "pid", "started")
    return run is not None and other is not None and all(run.get(key) == other.get(key) for key in keys)


def same_machine(run: Run, other: Run) -> bool:
    """Whether two runs share their process numbers: same boot of the same kernel, same PID namespace."""
    return bool(run.get("boot_id")) and all(run.get(key) == other.get(key) for key in ("boot_id", "pid_ns"))


def process_lives(run: Run) -> bool | None:
    """Whether a run's process still exists; None if this can't be seen from here (another machine or container)."""
    if not same_machine(run, _here()):
        return None
    stat = _stat(run["pid"])
    if stat is None:
        return False
    state, started = stat
    # A zombie, or a process that is being removed, no longer runs.
    return state not in "ZX" and started == run.get("started")


def _here() -> dict[str, str | None]:
    """Where process numbers are valid: the boot of this machine, and the namespace (a container has its own)."""
    boot_id = pid_ns = None
    try:
        boot_id = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        pid_ns = str(Path("/proc/self/ns/pid").readlink())
    except OSError:
        # No /proc, as on macOS.
        pass
    return {"boot_id": boot_id, "pid_ns": pid_ns}


def _stat(pid: int) -> tuple[str, int] | None:
    """State and start time (in clock ticks since boot) of a process, None if there is no such process (proc(5))."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    # Field 2, the command in parentheses, may hold anything; state and starttime are the 1st and the 20th after it.
    fields = stat.rpartition(")")[2].split()
    return fields[0], int(fields[19])
