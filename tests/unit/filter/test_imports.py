# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from ansible_collections.hitless.nodes.plugins.filter import routers

FILTERS = sorted(path.stem for path in Path(routers.__file__).parent.glob("*.py") if path.stem != "__init__")
# The client of the API takes half a second, and a module's own machinery a quarter.
SLOW = ("kubernetes", "ansible.module_utils.basic")


@pytest.mark.parametrize("name", FILTERS)
def test_filters_import_nothing_slow(name: str) -> None:
    """The process of every task that uses one of our filters imports all of them."""
    code = (
        "import sys, ansible.errors, ansible.template; before = set(sys.modules); "
        f"import ansible_collections.hitless.nodes.plugins.filter.{name}; print(*(set(sys.modules) - before))"
    )
    done = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path[:] = {sys.path!r}; {code}"],
        check=True,
        capture_output=True,
        text=True,
    )
    assert not set(SLOW) & set(done.stdout.split())
