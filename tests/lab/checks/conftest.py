# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Helpers of the lab's own tests."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import pytest
from lab import lifecycle
from lab.settings import LabSettings
from lab.state import Lab

LabMaker = Callable[..., AbstractContextManager[Lab]]


@contextmanager
def _network_lab(settings: LabSettings, *, announce: bool = True) -> Iterator[Lab]:
    lifecycle.down(settings.name)
    try:
        yield lifecycle.up(settings, network_only=True, announce=announce)
    finally:
        lifecycle.down(settings.name)


@pytest.fixture(scope="session")
def network_lab() -> LabMaker:
    """`with network_lab(settings, announce=True) as lab:` a lab without Kubernetes API, removed at the end."""
    return _network_lab


@pytest.fixture(scope="session")
def eventually() -> Callable[..., None]:
    """eventually(condition, what): returns when condition() holds, fails with `what` after a generous time."""

    def wait(condition: Callable[[], object], what: str, *, seconds: float = 300) -> None:
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, f"after {seconds:g} s still not so: {what}"
            time.sleep(0.05)

    return wait
