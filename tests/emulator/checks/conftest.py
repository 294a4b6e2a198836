# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An emulator for each file of checks."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from emulator.process import Process


@pytest.fixture(scope="module")
def process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    """An emulator for this file."""
    emulator = Process(tmp_path_factory.mktemp("emulator"))
    yield emulator
    assert emulator.stop() == 0
    assert not (emulator.directory / "emulator.json").exists()
