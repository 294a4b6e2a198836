# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What all tasks of the integration targets have in common."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

TARGETS = Path(__file__).parents[1] / "integration" / "targets"


def tasks(part: Any) -> Iterator[dict[str, Any]]:
    """The tasks of a file, those in blocks included."""
    for task in part if isinstance(part, list) else []:
        yield task
        for key in ("block", "rescue", "always"):
            yield from tasks(task.get(key))


@pytest.mark.parametrize(
    "path", sorted(TARGETS.glob("*/tasks/*.yml")), ids=lambda path: f"{path.parts[-3]}/{path.name}"
)
def test_an_assertion_says_what_it_saw(path: Path) -> None:
    silent = [
        task["name"]
        for task in tasks(yaml.safe_load(path.read_text()))
        if "fail_msg" not in task.get("ansible.builtin.assert", {"fail_msg": ""})
    ]
    assert silent == []
