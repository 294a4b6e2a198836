# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to hitless.nodes: it may change in any release, don't import it from elsewhere.

"""Several jobs at the same time, each in a process of its own, as Ansible itself forks one for each host."""

from __future__ import annotations

import os
import pickle
import select
import signal
from collections.abc import Callable, Mapping
from typing import Any

Result = dict[str, Any]
Job = Callable[[], Result]


def run_all(
    jobs: Mapping[str, Job], *, stop_when: Callable[[Result], bool] | None = None, at_once: int = 64
) -> dict[str, Result]:
    """The results of all jobs, in the order of the jobs.

    A job that ends without a result is {failed, msg}. stop_when: a result after which the others needn't go on. They
    are stopped, and have no result. at_once: how many run at the same time.
    """
    waiting = list(jobs)
    running: dict[int, tuple[str, int, bytearray]] = {}
    results: dict[str, Result] = {}
    try:
        while waiting or running:
            while waiting and len(running) < at_once:
                name = waiting.pop(0)
                reader, pid = _start(jobs[name], others=list(running))
                running[reader] = (name, pid, bytearray())
            for reader in _finished(running):
                name, pid, text = running.pop(reader)
                os.close(reader)
                results[name] = _result(pid, bytes(text))
                if stop_when is not None and stop_when(results[name]):
                    waiting.clear()
                    _stop(running)
    finally:
        # Also if a task's timeout ends this.
        _stop(running)
    return {name: results[name] for name in jobs if name in results}


def _start(job: Job, *, others: list[int]) -> tuple[int, int]:
    """A new process that runs the job: where to read its result from, and its pid."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid:
        os.close(writer)
        return reader, pid
    # From here on it is the new process. It must never return into its parent's code.
    code = 1
    try:
        # Ansible's own handlers would stop all processes of the parent.
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_DFL)
        for descriptor in (reader, *others):
            os.close(descriptor)
        with os.fdopen(writer, "wb") as pipe:
            pickle.dump(_outcome(job), pipe)
        code = 0
    finally:
        os._exit(code)


def _outcome(job: Job) -> Result:
    """The result of the job, or what it failed with."""
    try:
        return job()
    except Exception as exc:  # noqa: BLE001 - the parent must hear of any failure
        return {"failed": True, "changed": False, "msg": f"{type(exc).__name__}: {exc}"}


def _finished(running: dict[int, tuple[str, int, bytearray]]) -> list[int]:
    """Reads what has come, and returns the readers that are at their end."""
    finished = []
    for reader in select.select(list(running), [], [])[0]:
        chunk = os.read(reader, 1 << 16)
        if chunk:
            running[reader][2].extend(chunk)
        else:
            finished.append(reader)
    return finished


def _result(pid: int, text: bytes) -> Result:
    """What a process that has ended wrote."""
    _pid, status = os.waitpid(pid, 0)
    try:
        result: Result = pickle.loads(text)  # noqa: S301 - written by a process forked from this one
    except (EOFError, pickle.UnpicklingError):
        code = os.waitstatus_to_exitcode(status)
        return {"failed": True, "changed": False, "msg": f"its process ended with {code} and without a result"}
    return result


def _stop(running: dict[int, tuple[str, int, bytearray]]) -> None:
    """Ends what still runs, and forgets it."""
    for reader, (_name, pid, _text) in list(running.items()):
        os.kill(pid, signal.SIGTERM)
        os.close(reader)
        os.waitpid(pid, 0)
        del running[reader]
