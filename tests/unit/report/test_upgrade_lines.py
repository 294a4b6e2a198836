# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.hitless.nodes.plugins.module_utils.report.upgrade_lines import upgrade_failure_line

FAILURE = {
    "task": "Restart the agent",
    "reason": "w2: its agent was away for 27 s.",
    "end": "held",
    "left": "no answer",
}


@pytest.mark.parametrize(
    ("end", "words"),
    [
        ("refused", "nothing was changed on it"),
        ("put back", "its agent was not restarted, and it was put back as it was"),
        ("held", "27 s; its record is kept"),
        ("left", "putting it back failed as well: no answer; its record is kept"),
        ("unread", "how far it came could not be read (no answer), so nothing was put back"),
        ("lost", "its record is gone, or another run has it, so nothing was put back"),
        ("stopped", "it stays out of service and its record is kept"),
    ],
)
def test_a_failure_names_what_was_not_touched_and_the_way_back(end, words):
    line = upgrade_failure_line({**FAILURE, "end": end}, "w2", ["w3", "w4"], "nodes")
    assert line.startswith("w2: its agent was away for 27 s; ")
    assert words in line
    assert "; not touched: w3, w4; " in line
    assert line.endswith("ansible-playbook hitless.nodes.cilium_upgrade -e target=nodes -e agent_rollback=true")


def test_a_message_that_names_no_node_gets_the_host_and_the_task():
    line = upgrade_failure_line({**FAILURE, "reason": "no answer"}, "w3", [], "nodes")
    assert line.startswith("w3: Restart the agent: no answer; ")
    assert "not touched" not in line
