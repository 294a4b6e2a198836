# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A lab that the kernel has no inotify instances for is refused before anything is started."""

from __future__ import annotations

import ctypes
import os
from pathlib import Path

import pytest
from lab import inotify, lifecycle
from lab.settings import LabError, LabSettings


def test_instances_are_counted() -> None:
    before = inotify.used(str(os.getpid()))
    made = [ctypes.CDLL(None).inotify_init1(os.O_CLOEXEC) for _unused in range(3)]
    try:
        assert inotify.used(str(os.getpid())) == before + 3
    finally:
        for each in made:
            os.close(each)
    assert inotify.used(str(os.getpid())) == before


def test_too_few_are_one_line_with_a_remedy() -> None:
    assert inotify.shortage(128, 98) is None
    assert inotify.shortage(128, 99) == (
        "the machines of a lab need 30 inotify instances, and 99 of root's 128 are in use: "
        "sysctl fs.inotify.max_user_instances=512, or take another lab down"
    )


@pytest.mark.skipif(os.geteuid() != 0, reason="a lab needs root")
def test_a_lab_that_would_not_start_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    limit = tmp_path / "max_user_instances"
    limit.write_text("29\n")
    monkeypatch.setattr(inotify, "LIMIT", limit)
    settings = LabSettings("ino")
    with pytest.raises(LabError, match=r"need 30 inotify instances, and \d+ of root's 29 are in use"):
        lifecycle.up(settings)
    assert not settings.directory.exists()
    assert lifecycle.leftovers(settings.name) == []
