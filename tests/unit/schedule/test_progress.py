# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from ansible_collections.hitless.nodes.plugins.module_utils.schedule.progress import resume_line, seconds_of_done

HOSTS = ["worker-1", "worker-2", "worker-3", "worker-4"]
RESULTS = [
    {"summary": {"seconds": 200.5, "failure": None}},
    {"summary": {"seconds": 900.0, "failure": {"task": "t"}}},
    {"summary": {}, "line": "it was refused"},
    {},
]


def test_only_what_came_to_a_good_end_is_done() -> None:
    assert seconds_of_done(HOSTS, RESULTS) == {"worker-1": 200.5}
    assert seconds_of_done([], []) == {}


def test_the_rest_is_to_be_resumed() -> None:
    assert resume_line(HOSTS, {"worker-1": 200.5}, "the window is over", "node_maintenance") == (
        "1 of 4 nodes are done, and no more is begun: the window is over; resume with: ansible-playbook "
        "hitless.nodes.node_maintenance -e target=worker-2,worker-3,worker-4"
    )
    assert resume_line(HOSTS[:2], [], "w", "p", "-e a=b").endswith("-e target=worker-1,worker-2 -e a=b")
