# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from ansible_collections.hitless.nodes.tests.unit.action.conftest import HOSTS, TOP, Play

# One node after the other, each of which "takes" a million seconds.
BATCHES: list[dict[str, Any]] = [
    {
        "hosts": "localhost",
        "connection": "local",
        "gather_facts": False,
        "tasks": [{"ansible.builtin.set_fact": {"maintenance_hosts": list(HOSTS)}}],
    },
    {
        "hosts": ",".join(HOSTS),
        "gather_facts": False,
        "serial": 1,
        "vars": {"__playbook": "node_maintenance", "__resume_options": "-e a=b"},
        "tasks": [
            {"ansible.builtin.import_tasks": str(TOP / "playbooks/tasks/window.yml")},
            {"ansible.builtin.debug": {"msg": "begun {{ inventory_hostname }}"}},
            {"ansible.builtin.set_fact": {"maintenance_reported": {"summary": {"seconds": 1e6, "failure": None}}}},
        ],
    },
]
IN_AN_HOUR = (datetime.now(UTC) + timedelta(hours=1)).isoformat()


def test_no_node_is_begun_that_could_not_end_and_the_rest_is_named(play: Play) -> None:
    done = play(BATCHES, maintenance_deadline=IN_AN_HOUR)
    assert done.returncode == 0, done.stdout
    assert "begun worker-1" in done.stdout
    assert "begun worker-2" not in done.stdout
    (line,) = [
        line for line in done.stdout.splitlines() if line.startswith("1 of 2 nodes are done, and no more is begun: ")
    ]
    assert "a node has taken up to 1000000 s; resume with: " in line
    assert line.endswith("ansible-playbook hitless.nodes.node_maintenance -e target=worker-2 -e a=b")


def test_what_is_expected_counts_before_anything_was_measured(play: Play) -> None:
    done = play(BATCHES, maintenance_deadline=IN_AN_HOUR, maintenance_expected=7200)
    assert "a node has taken up to 7200 s; resume with: " in done.stdout
    assert "begun" not in done.stdout.replace("no more is begun", "")


def test_check_mode_has_always_time(play: Play) -> None:
    done = play(BATCHES, "--check", maintenance_deadline=IN_AN_HOUR, maintenance_expected=7200)
    assert "begun worker-2" in done.stdout


def test_what_is_no_window_is_one_line(play: Play) -> None:
    done = play(BATCHES, maintenance_window="always")
    assert done.returncode != 0
    assert "must have start and end" in done.stdout


def test_results_that_do_not_fit_the_hosts_are_refused(play: Play) -> None:
    task = {"hitless.nodes.maintenance_window": {"hosts": list(HOSTS), "results": [{}], "playbook": "x"}}
    done = play([{"hosts": "worker-1", "gather_facts": False, "tasks": [task]}])
    assert "results must have an item for each of the hosts" in done.stdout


def test_the_window_of_a_run_as_a_whole_needs_neither_hosts_nor_a_playbook(play: Play) -> None:
    tasks: list[dict[str, Any]] = [
        {"hitless.nodes.maintenance_window": {"deadline": "{{ until }}"}, "register": "window"},
        {"ansible.builtin.debug": {"msg": "open {{ window.open }}"}},
    ]
    plays = [{"hosts": "localhost", "connection": "local", "gather_facts": False, "tasks": tasks}]
    assert "open True" in play(plays, until=IN_AN_HOUR).stdout
    assert "open False" in play(plays, until="2026-01-01T00:00:00+00:00").stdout
