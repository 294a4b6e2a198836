# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.hitless.nodes.plugins.filter.window import (
    FilterModule,
    longest_run,
    resume_line,
    window_problem,
)

NIGHT = {"days": ["fri"], "start": "22:00", "end": "05:00", "tz": "Europe/Berlin"}
HOSTS = ["worker-1", "worker-2", "worker-3"]
HOSTVARS = {
    "worker-1": {"report_summary": {"seconds": 200.5, "failure": None}},
    "worker-2": {"report_summary": {"seconds": 900.0, "failure": {"task": "t"}}},
    "worker-3": {},
}


def test_a_moment_is_judged():
    assert window_problem(NIGHT, 600, now="2026-03-07T04:00:00+01:00") == ""
    assert window_problem(NIGHT, 7200, now="2026-03-07T04:00:00+01:00").startswith("the window ends 2026-03-07 05:00")
    assert window_problem({}, 0.0, "2026-03-07T04:00:00Z", now="2026-03-07T05:00:00Z").startswith(
        "the deadline is over"
    )
    assert window_problem({}) == ""


def test_what_is_no_window_is_an_error_of_one_line():
    with pytest.raises(AnsibleFilterError, match="must have start and end"):
        window_problem("always")


def test_the_longest_good_run_counts_and_the_rest_is_to_be_resumed():
    assert longest_run(HOSTVARS, HOSTS) == 200.5
    assert longest_run({"worker-1": {}}, ["worker-1"]) == 0.0
    assert resume_line(HOSTVARS, HOSTS, "the window is over", "node_maintenance") == (
        "1 of 3 done, and no more is begun: the window is over; resume with: ansible-playbook "
        "hitless.nodes.node_maintenance -e target=worker-2,worker-3"
    )
    assert resume_line(HOSTVARS, HOSTS, "w", "p", "-e a=b").endswith("-e target=worker-2,worker-3 -e a=b")
    assert set(FilterModule().filters()) == {"window_problem", "longest_run", "resume_line"}
