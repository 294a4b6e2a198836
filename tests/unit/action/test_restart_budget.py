# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from typing import Any

from ansible_collections.hitless.nodes.tests.unit.action.conftest import Play

SESSION = {
    "vrf": "default",
    "address": "192.0.2.13",
    "established": True,
    "hold_time": 9,
    "graceful_restart": {"negotiated": True, "families": ["ipv4"], "restart_time": 20},
}
RECORD = {"before": {"sessions": {"tor-1": [SESSION]}}}


def budget(**options: Any) -> list[dict[str, Any]]:
    """A play that compares one node's restart with what its router keeps, and says what comes of it."""
    task = {"name": "worker-1", "record": RECORD, "routers": ["tor-1"], **options}
    tasks: list[dict[str, Any]] = [
        {"hitless.nodes.restart_budget": task, "register": "budget"},
        {"ansible.builtin.debug": {"msg": "way {{ budget.way }}, {{ budget.available }} s"}},
    ]
    return [{"hosts": "worker-1", "gather_facts": False, "tasks": tasks}]


def test_a_restart_that_fits_is_allowed_and_what_else_is_to_be_known_is_printed(play: Play) -> None:
    done = play(budget(measured=[5.0]))
    assert done.returncode == 0, done.stdout
    assert "way restart, 20 s" in done.stdout
    assert any(line.startswith("worker-1: no restart") for line in play(budget()).stdout.splitlines())


def test_one_that_does_not_fit_is_refused_with_the_way_out_or_the_node_is_drained(play: Play) -> None:
    done = play(budget(measured=["17", 5.0]))
    assert done.returncode != 0
    assert "worker-1: its agent isn't restarted: its restart may take 21.2 s" in done.stdout + done.stderr
    assert "take each node out of service for its restart: without_gr=drain" in done.stdout + done.stderr
    assert "way drain, 20 s" in play(budget(measured=[17], without_gr="drain")).stdout
