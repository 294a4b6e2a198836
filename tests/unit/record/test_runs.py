# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
from pathlib import Path

from ansible_collections.hitless.nodes.plugins.module_utils.record import runs


def here(pid):
    """The identity of a process of this machine."""
    stat = Path(f"/proc/{pid}/stat").read_text()
    return {
        "boot_id": Path("/proc/sys/kernel/random/boot_id").read_text().strip(),
        "pid_ns": str(Path("/proc/self/ns/pid").readlink()),
        "pid": pid,
        "started": int(stat.rpartition(")")[2].split()[19]),
    }


def test_process_lives():
    run = here(os.getpid())
    assert runs.process_lives(run) is True
    assert runs.process_lives({**run, "started": run["started"] + 1}) is False
    assert runs.process_lives({**run, "pid": 2**22 + 1}) is False


def test_process_lives_is_unknown_from_elsewhere():
    assert runs.process_lives({**here(os.getpid()), "boot_id": "another"}) is None
    assert runs.process_lives({**here(os.getpid()), "pid_ns": "pid:[0]"}) is None


def test_process_lives_does_not_take_a_zombie_for_alive():
    child = os.fork()
    if child == 0:
        os._exit(0)
    try:
        os.waitid(os.P_PID, child, os.WEXITED | os.WNOWAIT)
        assert runs.process_lives(here(child)) is False
    finally:
        os.waitpid(child, 0)


def test_identity_is_that_of_the_process():
    run = runs.identity(os.getpid())
    assert {key: run[key] for key in here(os.getpid())} == here(os.getpid())
    assert runs.same(run, dict(run))
    assert not runs.same(run, runs.identity(os.getppid()))


def test_identity_of_a_process_that_is_gone_has_no_start():
    assert runs.identity(2**22 + 1)["started"] is None
