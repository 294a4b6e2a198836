# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether the kernel has inotify instances left for a lab: without them systemd in a machine doesn't get far."""

from __future__ import annotations

import contextlib
from pathlib import Path

from lab import settings as s
from lab.settings import LabError

LIMIT = Path("/proc/sys/fs/inotify/max_user_instances")
# Of systemd (252 and 257) as PID 1 of a machine, for root; Linux allows a user 128, so four labs are as many as fit.
PER_MACHINE = 5


def check() -> None:
    """Raises an error that says what to do if another lab's machines would not start."""
    problem = shortage(int(LIMIT.read_text()), used())
    if problem:
        raise LabError(problem)


def shortage(limit: int, in_use: int) -> str | None:
    """What is wrong, None if a lab's machines can have what they need."""
    needed = PER_MACHINE * len(s.ROLES)
    if limit - in_use >= needed:
        return None
    return (
        f"the machines of a lab need {needed} inotify instances, and {in_use} of root's {limit} are in use: "
        f"sysctl fs.inotify.max_user_instances=512, or take another lab down"
    )


def used(process: str = "[0-9]*") -> int:
    """The instances of root's processes (a number, or a pattern of them)."""
    count = 0
    for folder in Path("/proc").glob(process):
        with contextlib.suppress(OSError):  # it has ended
            if folder.stat().st_uid == 0:
                count += sum(map(_is_instance, (folder / "fd").iterdir()))
    return count


def _is_instance(descriptor: Path) -> bool:
    try:
        return str(descriptor.readlink()) == "anon_inode:inotify"
    except OSError:  # it was closed
        return False
