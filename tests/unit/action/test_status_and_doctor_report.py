# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ansible_collections.hitless.nodes.tests.unit.action.conftest import HOSTS, Play
from ansible_collections.hitless.nodes.tests.unit.doctor_picture import Picture, registered

STATUS: list[dict[str, Any]] = [
    {
        "hosts": "worker-1",
        "gather_facts": False,
        "tasks": [{"ansible.builtin.set_fact": {"status_info": {"failed": True, "msg": "there is no <such> Node"}}}],
    },
    {
        "hosts": "localhost",
        "connection": "local",
        "gather_facts": False,
        "tasks": [{"ansible.builtin.import_role": {"name": "hitless.nodes.status", "tasks_from": "show"}}],
    },
]
DOCTOR: list[dict[str, Any]] = [
    {
        "hosts": "localhost",
        "connection": "local",
        "gather_facts": False,
        "tasks": [
            {
                "hitless.nodes.doctor_report": {
                    "cluster": "{{ read.cluster }}",
                    "cilium": "{{ read.cilium }}",
                    "routes": "{{ read.routes }}",
                    "policies": "{{ read.policies }}",
                    "answers": "{{ read.answers }}",
                    "service": "{{ read.asked.service }}",
                    "nodes": "{{ read.targets }}",
                    "folder": "reports",
                },
                "register": "doctor_result",
            },
            {
                "ansible.builtin.debug": {
                    "msg": "line=({{ doctor_result.line }}) ({{ doctor_result.diagnosis.verdict }})"
                }
            },
        ],
    }
]


def test_a_status_shows_what_was_read_and_what_was_not(play: Play, tmp_path: Path) -> None:
    done = play(STATUS, status_hosts=list(HOSTS), status_dir="there")
    assert done.returncode == 0, done.stdout
    lines = done.stdout.splitlines()
    assert "worker-1: unknown" in lines
    assert "problem: worker-2: it was not read" in lines
    nodes = json.loads((tmp_path / "there" / "bgp-status.json").read_text())["nodes"]
    assert [node["problems"] for node in nodes] == [["there is no <such> Node"], ["worker-2: it was not read"]]
    assert "<li>there is no &lt;such&gt; Node</li>" in (tmp_path / "there" / "bgp-status.html").read_text()


def test_a_status_needs_what_was_read_of_each_host(play: Play) -> None:
    task = {"hitless.nodes.status_report": {"hosts": list(HOSTS), "info": [{}], "cilium": [{}, {}], "routes": [{}, {}]}}
    done = play([{"hosts": "worker-1", "gather_facts": False, "tasks": [task]}])
    assert "info, cilium, routes must have an item for each of the hosts" in done.stdout


def test_the_doctor_judges_prints_and_writes(play: Play, tmp_path: Path) -> None:
    picture = Picture()
    picture.entry["selector"] = {"matchLabels": {"bgp": "<red>"}}
    done = play(DOCTOR, read=registered(picture))
    assert done.returncode == 0, done.stdout
    reason = (
        "Service shop/web, 192.168.77.128: Advertisement services selects Services by bgp=<red>, "
        "but the Service has bgp=blue"
    )
    assert f" 7 FAIL: {reason}" in done.stdout.splitlines()
    assert f"line=(Service shop/web fails at stage 7 (advertisement): {reason}) (fail)" in done.stdout
    assert json.loads((tmp_path / "reports" / "bgp-doctor.json").read_text())["stage"] == 7
    assert "selects Services by bgp=&lt;red&gt;, but" in (tmp_path / "reports" / "bgp-doctor.html").read_text()


def test_check_mode_prints_and_writes_nothing(play: Play, tmp_path: Path) -> None:
    assert "no stage fails" in play(DOCTOR, "--check", read=registered(Picture())).stdout
    play(STATUS, "--check", status_hosts=list(HOSTS), status_dir="reports")
    assert not (tmp_path / "reports").exists()
