# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""on_routers by the real ansible-playbook. The program ssh is a script that runs here what it was to run there."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.hitless.nodes.tests.unit.action.conftest import HOSTS, Play

ROUTERS = ["tor-1", "tor-2"]
SSH = """#!/bin/sh
for last; do :; done
# Ansible asks with this whether the program knows the option.
[ "$last" = ControlPersist ] && exit 0
echo "$*" >> {calls}
# This machine may have names of Pythons on its PATH that don't work.
PATH={folder}/bin:/usr/bin:/bin exec /bin/sh -c "$last"
"""


@pytest.fixture
def calls(tmp_path: Path) -> Path:
    """The file in which each call of ssh is a line."""
    file = tmp_path / "calls"
    file.touch()
    script = tmp_path / "ssh"
    script.write_text(SSH.format(calls=file, folder=tmp_path), encoding="utf-8")
    script.chmod(0o755)
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/python3").symlink_to(sys.executable)
    return file


def look(play: Play, calls: Path, **router: Any) -> None:
    """One look at both routers. There is no FRR here, so that a module that ran there says that vtysh is missing."""
    router = {"ansible_ssh_executable": str(calls.with_name("ssh")), "router_vtysh": "no-such-vtysh", **router}
    add = {"name": "{{ item }}", "groups": "routers", **router}
    asked = {"module": "frr_policy_info", "routers": ROUTERS, "must_answer": False}
    good = "answers.answers.values() | map(attribute='msg') | select('search', missing) | length == 2"
    tasks = [
        {"ansible.builtin.add_host": add, "loop": ROUTERS},
        {"hitless.nodes.on_routers": asked, "register": "answers"},
        {
            "ansible.builtin.assert": {"that": good, "fail_msg": "{{ answers | string }}"},
            "vars": {"missing": "no-such-vtysh isn't on this host"},
        },
    ]
    done = play([{"hosts": HOSTS[0], "gather_facts": False, "tasks": tasks}])
    assert done.returncode == 0, done.stdout + done.stderr


def to(calls: Path, router: str) -> list[str]:
    """The calls of ssh for one router."""
    return [line for line in calls.read_text().splitlines() if f" {router} " in line]


def test_a_look_is_one_call_of_ssh_over_a_connection_that_stays(play: Play, calls: Path) -> None:
    look(play, calls, ansible_python_interpreter=sys.executable)
    for router in ROUTERS:
        (call,) = to(calls, router)
        assert "ControlPersist=60s" in call


def test_a_router_s_python_is_found_if_the_inventory_does_not_name_it(play: Play, calls: Path) -> None:
    look(play, calls)
    for router in ROUTERS:
        finding, _module = to(calls, router)
        assert "FOUND" in finding
