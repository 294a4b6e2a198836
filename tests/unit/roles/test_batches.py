# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Batches of nodes, by the real ansible-playbook: one that can't be reached ends the run."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

TOP = Path(__file__).resolve().parents[3]
ANSIBLE_PLAYBOOK = str(Path(sys.executable).with_name("ansible-playbook"))
NODES = {f"worker-{number}": {"ansible_connection": "local"} for number in (1, 2, 3)}


def batches(tmp_path: Path, gone: list[str], strategy: str) -> subprocess.CompletedProcess[str]:
    """Plays the end of our batches, two nodes at once, after a task of the user that can't reach some of them."""
    inventory = tmp_path / "inventory.json"
    inventory.write_text(json.dumps({"all": {"hosts": NODES}}), encoding="utf-8")
    shipped = yaml.safe_load((TOP / "playbooks/maintenance.yml").read_text(encoding="utf-8"))[1]
    # The keywords that decide what becomes of the others are those of the shipped play.
    play: dict[str, Any] = {key: shipped[key] for key in ("strategy", "max_fail_percentage", "gather_facts")}
    nowhere = {"ansible_connection": "ssh", "ansible_host": "127.0.0.1", "ansible_port": 1}
    play |= {
        "hosts": "all",
        "serial": 2,
        "vars": {"direction": "maintenance", "report_dir": str(tmp_path / "reports")},
        "tasks": [
            {"name": "Begin", "ansible.builtin.debug": {"msg": "begun: {{ inventory_hostname }}"}},
            {
                "block": [
                    {
                        "name": "Work",
                        "ansible.builtin.raw": "true",
                        "vars": nowhere,
                        "when": "inventory_hostname in gone",
                    },
                    {"name": "Note", "ansible.builtin.set_fact": {"claim_info": {}}},
                ],
                "rescue": [{"name": "Rescue", "ansible.builtin.debug": {"msg": "put back now"}}],
            },
            {"name": "Finish", "ansible.builtin.import_tasks": str(TOP / "playbooks/tasks/finish.yml")},
        ],
    }
    path = tmp_path / "play.yml"
    path.write_text(yaml.safe_dump([play], sort_keys=False), encoding="utf-8")
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("K8S_AUTH_", "KUBE", "ANSIBLE_"))}
    kept |= {"HOME": str(tmp_path), "ANSIBLE_NOCOLOR": "1", "ANSIBLE_CONFIG": str(TOP / "ansible.cfg")}
    argv = [ANSIBLE_PLAYBOOK, "-i", str(inventory), str(path), "-e", json.dumps({"gone": gone})]
    return subprocess.run(
        argv,
        cwd=tmp_path,
        env=kept | {"ANSIBLE_STRATEGY": strategy},
        capture_output=True,
        text=True,
        check=False,
        timeout=900,
    )


@pytest.mark.parametrize("strategy", ["linear", "free"])
def test_a_node_that_cannot_be_reached_ends_the_run_after_its_batch(tmp_path: Path, strategy: str) -> None:
    done = batches(tmp_path, ["worker-1"], strategy)
    assert done.returncode != 0, done.stdout
    assert "begun: worker-2" in done.stdout
    assert "begun: worker-3" not in done.stdout
    line = "worker-1: Ansible couldn't reach it any more and dropped it (UNREACHABLE, above); nothing was changed"
    assert line in done.stdout, done.stdout
    # The other one of its batch was finished before that.
    assert "worker-2 " in done.stdout.partition("PLAY RECAP")[2]
    assert "put back now" not in done.stdout


def test_a_batch_of_which_none_is_left_ends_the_run(tmp_path: Path) -> None:
    done = batches(tmp_path, ["worker-1", "worker-2"], "linear")
    assert done.returncode != 0, done.stdout
    assert "begun: worker-3" not in done.stdout


def test_batches_that_can_be_reached_go_on(tmp_path: Path) -> None:
    done = batches(tmp_path, [], "free")
    assert done.returncode == 0, done.stdout
    assert "begun: worker-3" in done.stdout


def test_every_play_has_its_strategy() -> None:
    """Another one in the environment would let nodes of a batch run ahead of each other."""
    for path in sorted((TOP / "playbooks").glob("*.yml")):
        for play in yaml.safe_load(path.read_text(encoding="utf-8")):
            if "hosts" in play:
                assert play.get("strategy") == "linear", f"{path.name}: {play['name']}"
