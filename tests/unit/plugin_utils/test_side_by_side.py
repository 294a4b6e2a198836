# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Jobs at the same time, in real processes: none is lost, and none outlives its caller."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.hitless.nodes.plugins.plugin_utils._side_by_side import run_all


def waits(for_file: Path, then: Path | None = None) -> dict[str, Any]:
    """Ends when the file is there, and makes another one before that."""
    if then is not None:
        then.touch()
    while not for_file.exists():
        time.sleep(0.01)
    return {"pid": os.getpid()}


def test_all_run_at_the_same_time(tmp_path: Path) -> None:
    # Each waits for the other: one after the other, none would ever end.
    one, two = tmp_path / "one", tmp_path / "two"
    found = run_all({"a": lambda: waits(two, one), "b": lambda: waits(one, two)})
    assert list(found) == ["a", "b"]
    assert len({result["pid"] for result in found.values()} | {os.getpid()}) == 3


def test_no_more_than_so_many_at_once_and_none_is_left_out() -> None:
    jobs = {str(number): lambda number=number: {"number": number} for number in range(7)}
    assert run_all(jobs, at_once=2) == {str(number): {"number": number} for number in range(7)}


def test_a_large_result_arrives_whole() -> None:
    assert run_all({"a": lambda: {"text": "x" * 3_000_000}})["a"]["text"] == "x" * 3_000_000


def test_an_error_is_a_failed_result() -> None:
    def broken() -> dict[str, Any]:
        raise ValueError("no")

    assert run_all({"a": broken}) == {"a": {"failed": True, "changed": False, "msg": "ValueError: no"}}


def test_a_process_that_dies_is_a_failed_result() -> None:
    def killed() -> dict[str, Any]:
        os.kill(os.getpid(), signal.SIGKILL)
        return {}

    found = run_all({"a": killed, "b": lambda: {"fine": True}})
    assert found["b"] == {"fine": True}
    assert found["a"] == {"failed": True, "changed": False, "msg": "its process ended with -9 and without a result"}


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_one_that_fails_stops_the_others(tmp_path: Path) -> None:
    began = tmp_path / "began"

    def endless() -> dict[str, Any]:
        began.write_text(str(os.getpid()))
        return waits(tmp_path / "never")

    def fails() -> dict[str, Any]:
        while not began.exists() or not began.read_text():
            time.sleep(0.01)
        return {"failed": True}

    found = run_all({"a": endless, "b": fails}, stop_when=lambda result: result.get("failed", False))
    assert found == {"b": {"failed": True}}
    assert not alive(int(began.read_text()))


def test_an_interrupted_caller_leaves_nothing_behind(tmp_path: Path) -> None:
    began = tmp_path / "began"

    def endless() -> dict[str, Any]:
        began.write_text(str(os.getpid()))
        # As a task's timeout does: it interrupts the process that waits for all.
        os.kill(os.getppid(), signal.SIGALRM)
        return waits(tmp_path / "never")

    def interrupt(*_unused: Any) -> None:
        raise TimeoutError

    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        with pytest.raises(TimeoutError):
            run_all({"a": endless})
    finally:
        signal.signal(signal.SIGALRM, before)
    assert not alive(int(began.read_text()))
