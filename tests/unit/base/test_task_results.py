# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.hitless.nodes.plugins.module_utils.base.task_results import failure_reason


@pytest.mark.parametrize(
    ("result", "reason"),
    [
        ({"msg": "one\n  two "}, "one two"),
        ({"msg": "All items completed", "results": [{"failed": True, "msg": "a"}, {"msg": "fine"}]}, "a"),
        ({"msg": "x", "results": [{"unreachable": True, "msg": "a"}, {"failed": True, "msg": "b"}]}, "a; b"),
        ({"msg": "x", "results": [{"failed": True, "msg": "a"}, {"failed": True, "msg": "a"}]}, "a"),
        ({"msg": "Task failed: Action failed: no"}, "no"),
        ({"msg": "\x1b[0;1;38;5;185mFailed\x1b[0m to\r\n start"}, "Failed to start"),
        ({}, "it gave no reason"),
    ],
)
def test_failure_reason(result: dict[str, Any], reason: str) -> None:
    assert failure_reason(result) == reason
