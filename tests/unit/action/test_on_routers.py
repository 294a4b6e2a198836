# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A module on all routers at the same time, by the real ansible-playbook: how each is reached, and what comes back."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.hitless.nodes.tests.unit import frr_samples as samples
from ansible_collections.hitless.nodes.tests.unit.action.conftest import HOSTS, Play

LOCAL = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
# A sudo that only says who asked for it.
SUDO = """#!/bin/sh
echo "$@" >> {log}
while [ "$1" != /bin/sh ]; do shift; done
exec "$@"
"""


@pytest.fixture
def answers(play: Play, tmp_path: Path) -> Callable[..., dict[str, Any]]:
    """answers(routers, **options): the result of the action on these routers (name -> variables)."""

    def run(routers: dict[str, Any], **options: Any) -> dict[str, Any]:
        out = tmp_path / "out.json"
        asked = {"module": "frr_bgp_info", "routers": list(routers), "node": "worker-3"} | options
        asked.setdefault("arguments", {"addresses": [samples.NODE4]})
        add = [
            {"ansible.builtin.add_host": {"name": name, "groups": "routers", **own}} for name, own in routers.items()
        ]
        copy = {"content": "{{ found | to_json }}", "dest": str(out)}
        tasks = [
            *add,
            {"hitless.nodes.on_routers": asked, "register": "found", "ignore_errors": True},
            {"ansible.builtin.copy": copy, "delegate_to": "localhost"},
        ]
        done = play([{"hosts": HOSTS[0], "gather_facts": False, "tasks": tasks}])
        assert out.exists(), done.stdout + done.stderr
        found: dict[str, Any] = json.loads(out.read_text())
        return found

    return run


def test_each_router_is_reached_as_the_inventory_says(answers: Callable[..., Any], tmp_path: Path) -> None:
    log = tmp_path / "sudo.log"
    sudo = tmp_path / "sudo"
    sudo.write_text(SUDO.format(log=log))
    sudo.chmod(0o755)
    routers = {
        # Not there: the module runs, and says that its program isn't.
        "tor-1": LOCAL | {"router_vtysh": "/nowhere/vtysh-1"},
        "tor-2": LOCAL
        | {"router_vtysh": "/nowhere/vtysh-2", "ansible_become": True, "ansible_become_user": "frr"}
        | {"ansible_become_exe": str(sudo), "ansible_pipelining": True},
        "tor-3": {"ansible_host": "127.0.0.1", "ansible_port": 1},
        "tor-4": {"ansible_connection": "nowhere.at.all"},
    }
    found = answers(routers)

    assert found["failed"] is True
    assert list(found["answers"]) == list(routers)
    assert "/nowhere/vtysh-1" in found["answers"]["tor-1"]["msg"]
    assert "/nowhere/vtysh-2" in found["answers"]["tor-2"]["msg"]
    assert "-u frr" in log.read_text()
    assert found["answers"]["tor-3"]["unreachable"] is True
    assert "nowhere.at.all" in found["answers"]["tor-4"]["msg"]
    assert found["msg"] == found["problem"]
    assert found["problem"].startswith("worker-3: router tor-1: ")
    assert "router tor-3 is unreachable by SSH, so its routes are unknown: " in found["problem"]


def test_who_need_not_answer_is_only_named(answers: Callable[..., Any]) -> None:
    found = answers({"tor-3": {"ansible_host": "127.0.0.1", "ansible_port": 1}}, must_answer=False)
    assert found["failed"] is False
    assert found["problem"].startswith("worker-3: router tor-3 is unreachable")


def test_without_routers_nobody_is_asked(answers: Callable[..., Any]) -> None:
    found = answers({}, node="")
    assert (found["answers"], found["problem"]) == ({}, "")
