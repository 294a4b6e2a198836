# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs whose record is removed, that lose a node, or that were interrupted and are looked at in check mode."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from conftest import IN_SERVICE, Cluster

RECORD = "hitless.nodes/record"


def task_file(folder: Path, *tasks: dict[str, Any]) -> str:
    """The path of a file with tasks of a user."""
    path = folder / "tasks.yml"
    # JSON is YAML.
    path.write_text(json.dumps(list(tasks)), encoding="utf-8")
    return str(path)


def put_right(cluster: Cluster, node: str) -> None:
    """Does by hand what the last line of a run asks for."""
    annotations, labels = {RECORD: None}, {"enable-bgp": "true"}
    cluster.patch_node(
        {"metadata": {"annotations": annotations, "labels": labels}, "spec": {"unschedulable": None}}, name=node
    )


def test_without_its_record_nothing_more_is_changed(cluster: Cluster, tmp_path: Path) -> None:
    """A person had cordoned the node, and somebody else removes its record while it is out of service."""
    cluster.patch_node({"spec": {"unschedulable": True}})
    gate = tmp_path / "go-on"
    tasks = task_file(
        tmp_path,
        {"name": "Wait", "ansible.builtin.wait_for": {"path": str(gate), "timeout": 600}, "delegate_to": "localhost"},
    )
    try:
        process = cluster.start(
            "node-maintenance.yml", target=cluster.node, maintenance_action="none", maintenance_tasks=tasks
        )
        cluster.when(lambda: "in" in [entry.get("way") for entry in history(cluster)], process)
        cluster.patch_node({"metadata": {"annotations": {RECORD: None}}})
        since = cluster.last_request()
        gate.touch()
        play = cluster.ended(process)

        assert play.code != 0
        assert any(f"{cluster.node}: its record is gone" in line for line in play.output.splitlines()), play.output
        assert "Traceback" not in play.output
        assert cluster.playbooks_writes(since) == []
        assert cluster.state() == {"label": "false", "unschedulable": True, "record": None}
    finally:
        put_right(cluster, cluster.node)


def history(cluster: Cluster) -> list[dict[str, Any]]:
    """What the node's record has noted so far."""
    record = cluster.state()["record"]
    return list(record["history"]) if record else []


def test_a_node_that_cannot_be_reached_in_maintenance_tasks_ends_the_run_after_its_batch(
    cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two of three nodes at once, with a strategy in the environment that would let them run ahead of each other."""
    first, second, third = cluster.lab.nodes
    nowhere = {"ansible_connection": "ssh", "ansible_host": "127.0.0.1", "ansible_port": 1}
    tasks = task_file(
        tmp_path,
        {"name": "Work", "ansible.builtin.raw": "true", "vars": nowhere, "when": f"inventory_hostname == '{first}'"},
    )
    monkeypatch.setitem(cluster.environment, "ANSIBLE_STRATEGY", "free")
    try:
        play = cluster.play(
            "node-maintenance.yml",
            target=f"{first},{second},{third}",
            maintenance_serial=2,
            maintenance_action="none",
            maintenance_tasks=tasks,
            claim_min_announcers=0,
        )

        assert play.code != 0, play.output
        wanted = "it stays out of service and its record is kept; to go on"
        line = next(line for line in play.output.splitlines() if wanted in line)
        assert f"{first}: Ansible couldn't reach it any more" in line
        assert f"ansible-playbook hitless.nodes.node_in -e target={first}" in line
        assert cluster.state(first)["record"]["phase"] == "withdrawn"
        assert cluster.state(second) == IN_SERVICE
        assert cluster.state(third) == IN_SERVICE
        reports = {path.name.rpartition("-")[0] for path in cluster.reports.glob("*.json")}
        assert reports == {first, second}, "the third one was touched, or one has no report"

        back = cluster.play("node-in.yml", target=first, power_method="none")
        assert back.code == 0, back.output
        assert cluster.state(first) == IN_SERVICE
    finally:
        for node in (first, second, third):
            if cluster.state(node) != IN_SERVICE:
                put_right(cluster, node)


@pytest.mark.long
def test_check_mode_of_an_interrupted_run_says_what_would_follow_and_writes_nothing(
    cluster: Cluster, tmp_path: Path
) -> None:
    tasks = task_file(tmp_path, {"name": "Break", "ansible.builtin.fail": {"msg": "as planned"}})
    kept: dict[str, Any] = {"target": cluster.node, "maintenance_action": "none"}
    # Killed on its way out, and stopped by a task of the user when it was out.
    cluster.kill_when(lambda: cluster.state()["label"] == "false", cluster.start("node-maintenance.yml", **kept))
    checked(cluster, **kept)
    stopped = cluster.play("node-maintenance.yml", maintenance_tasks=tasks, **kept)
    assert stopped.code != 0
    assert "it stays out of service and its record is kept" in stopped.output
    checked(cluster, **kept)
    back = cluster.play("node-in.yml", target=cluster.node, power_method="none")
    assert back.code == 0, back.output
    assert cluster.state() == IN_SERVICE


def checked(cluster: Cluster, **kept: Any) -> None:
    """Looks at every way to go on."""
    before, since = cluster.state(), cluster.last_request()
    for playbook in ("node-maintenance.yml", "node-in.yml", "node-out.yml"):
        play = cluster.play(playbook, "--check", "--diff", **kept)
        assert play.code == 0, f"{playbook}:\n{play.output}"
        assert "check mode: nothing was changed" in play.output
    assert cluster.playbooks_writes(since) == []
    assert cluster.state() == before
