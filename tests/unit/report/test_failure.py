# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.hitless.nodes.plugins.module_utils.report.failure import failure_line


@pytest.mark.parametrize(
    ("end", "direction", "words"),
    [
        ("refused", "maintenance", "worker-3: no such node; nothing was changed"),
        ("put back", "out", "worker-3: no such node; the node was put back as it was"),
        ("left", "out", "putting it back failed as well: API away; its record is kept"),
        ("unread", "out", "how far it came could not be read (API away), so nothing was put back; go on with: "),
        (
            "lost",
            "out",
            "its record is gone, or another run has it, so nothing was put back: check label and cordon of the node",
        ),
        (
            "stopped",
            "maintenance",
            "run ansible-playbook hitless.nodes.node_maintenance -e target=worker-3 again, or bring it",
        ),
        ("stopped", "probe", "to go on, bring it back with: ansible-playbook hitless.nodes.node_in -e target=worker-3"),
        ("stopped", "in", "to go on, bring it back with: ansible-playbook hitless.nodes.node_in -e target=worker-3"),
    ],
)
def test_failure_line_is_one_line_that_says_what_now(end: str, direction: str, words: str) -> None:
    failure = {"task": "Read", "reason": "worker-3: no such node.", "end": end, "left": "API away"}
    line = failure_line(failure, "worker-3", direction)
    assert words in line
    assert line.startswith("worker-3: no such node; ")
    assert "\n" not in line


@pytest.mark.parametrize(
    ("reason", "begin"),
    [
        ("worker-3 is held by bob@x", "worker-3 is held by bob@x; "),
        ("non-zero return code", "worker-3: Flash the firmware: non-zero return code; "),
    ],
)
def test_failure_line_names_the_node_once_and_the_task_where_it_is_needed(reason: str, begin: str) -> None:
    failure = {"task": "Flash the firmware", "reason": reason, "end": "refused"}
    assert failure_line(failure, "worker-3", "out").startswith(begin)


def test_failure_line_says_which_routes_are_not_back() -> None:
    failure = {"task": "Wait", "reason": "x", "end": "put back"}
    line = failure_line(failure, "worker-3", "out", "router tor-1: 2 missing")
    assert line.endswith("the node was put back as it was, but not all routes are back: router tor-1: 2 missing")
