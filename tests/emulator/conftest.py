# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the conformance and the emulator's own checks share."""

from __future__ import annotations

import os
import shutil

import pytest


@pytest.fixture(scope="session")
def kubectl_program() -> str:
    """The program that KUBECTL names, or the one on PATH; `./dev` names the lab's."""
    found = os.environ.get("KUBECTL") or shutil.which("kubectl")
    if not found:
        pytest.fail("no kubectl: set KUBECTL, or install one")
    return found
