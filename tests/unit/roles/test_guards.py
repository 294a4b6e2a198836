# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Roles and playbooks that refuse, run by the real ansible-playbook; none of them gets as far as a cluster or a BMC."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

TOP = Path(__file__).resolve().parents[3]
ANSIBLE_PLAYBOOK = str(Path(sys.executable).with_name("ansible-playbook"))
INVENTORY: dict[str, Any] = {
    "nodes": {"hosts": {"worker-1": {}, "worker-2": {}, "0123": {}}, "vars": {"power_method": "os"}},
    "routers": {"hosts": {"tor-1": {}}},
}


def play(playbook: Path, tmp_path: Path, *arguments: str, **variables: Any) -> subprocess.CompletedProcess[str]:
    inventory = tmp_path / "inventory.json"
    inventory.write_text(json.dumps(INVENTORY), encoding="utf-8")
    # Nothing of the caller's: neither a cluster nor an inventory.
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("K8S_AUTH_", "KUBE", "ANSIBLE_"))}
    environment = kept | {"HOME": str(tmp_path), "ANSIBLE_NOCOLOR": "1", "ANSIBLE_CONFIG": str(TOP / "ansible.cfg")}
    argv = [ANSIBLE_PLAYBOOK, "-i", str(inventory), str(playbook), *arguments, "-e", json.dumps(variables)]
    return subprocess.run(argv, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False, timeout=900)


def refused(done: subprocess.CompletedProcess[str], words: str) -> None:
    output = done.stdout + done.stderr
    assert done.returncode != 0, output
    assert any(words in line for line in output.splitlines()), output
    assert "Traceback" not in output


MAINTENANCE = TOP / "playbooks" / "node_maintenance.yml"


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({}, "which nodes? Give the inventory name or pattern"),
        ({"target": "worker-9"}, "target=worker-9 matches no host of the inventory"),
        ({"target": "worker-1", "maintenance_tasks": "nowhere.yml"}, "there is no file "),
        ({"target": "worker-1", "maintenance_serial": 0}, "maintenance_serial is 0, and must be a number from 1 on"),
        ({"target": "worker-1", "report_dir": "/proc/reports"}, "the report can't be written to /proc/reports"),
        # A value that only the drain, or only the way back, would have met.
        (
            {"target": "worker-1", "drain_timeout": "5m"},
            "worker-1: drain_timeout is '5m', and must be a whole number of",
        ),
        ({"target": "worker-1", "bgp_settle": -1}, "worker-1: bgp_settle is -1 (a number), and must be at least 0"),
        (
            {"target": "worker-1", "power_on_timeout": "long"},
            "worker-1: power_on_timeout is 'long', and must be a whole",
        ),
        ({"target": "worker-1", "drain_pod_selector": "(("}, "which is no label selector"),
        ({"target": "worker-1", "drain_timout": 5}, "has a variable drain_timout: did you mean drain_timeout?"),
        ({"target": "worker-1", "power_wait": 5}, "has a variable power_wait: see docs/variables.md"),
        ({"target": "worker-1", "bgp_label_value": False}, "bgp_label_value arrived as False (a boolean)"),
        ({"target": "worker-1", "kubeconfig": "{{ nowhere }}"}, "worker-1: kubeconfig can't be evaluated: "),
    ],
)
def test_playbook_refuses_bad_input(variables: dict[str, Any], words: str, tmp_path: Path) -> None:
    refused(play(MAINTENANCE, tmp_path, **variables), words)


def test_playbook_refuses_two_names_for_one_node_or_router(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    nodes = {"worker-1": {"node_name": "w1"}, "worker-2": {"node_name": "w1"}}
    routers = {"tor-1": {"ansible_host": "192.0.2.1"}, "leaf-1": {"ansible_host": "192.0.2.1"}}
    twice = {"nodes": {"hosts": nodes, "vars": {"power_method": "os"}}, "routers": {"hosts": routers}}
    monkeypatch.setitem(globals(), "INVENTORY", twice)
    done = play(MAINTENANCE, tmp_path, target="nodes")
    refused(done, "worker-1 and worker-2 are the same Node w1 (node_name)")
    refused(done, "routers tor-1 and leaf-1 are the same one, at 192.0.2.1, port 22")


def test_playbook_refuses_a_limit_that_leaves_out_the_check(tmp_path: Path) -> None:
    refused(play(MAINTENANCE, tmp_path, "--limit", "worker-1", target="worker-1"), "not with --limit")


def test_a_retyped_name_is_taken_back_and_no_cluster_is_one_line(tmp_path: Path) -> None:
    # '0123', as AWX hands it over.
    done = play(MAINTENANCE, tmp_path, target=83)
    refused(done, "0123: Read the node, its BGP label and its record: no Kubernetes cluster is configured")
    assert "0123: " in done.stdout.partition("PLAY RECAP")[0]


def test_a_python_without_the_client_of_kubernetes_is_one_line(tmp_path: Path) -> None:
    bare = tmp_path / "bare"
    # Without the packages of this environment.
    bare.write_text(f'#!/bin/sh\nexec {sys.executable} -S "$@"\n', encoding="utf-8")
    bare.chmod(0o755)
    done = play(MAINTENANCE, tmp_path, target="worker-1", ansible_python_interpreter=str(bare))
    refused(done, "the Python package kubernetes is missing for ")
    # Nothing was asked of the node.
    assert "Read the node" not in done.stdout


def test_the_way_back_checks_only_what_it_uses(tmp_path: Path) -> None:
    unused = {"drain_timeout": "5m", "maintenance_order": "any", "maintenance_tasks": "nowhere.yml"}
    done = play(MAINTENANCE.with_name("node_in.yml"), tmp_path, target="worker-1", **unused)
    refused(done, "no Kubernetes cluster is configured")
    assert not [name for name in unused if name in done.stdout + done.stderr]
    refused(
        play(MAINTENANCE.with_name("node_in.yml"), tmp_path, target="worker-1", bgp_settle="x"), "bgp_settle is 'x'"
    )


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({"maintenance_action": "poweroff"}, "maintenance_action is 'poweroff', and must be one of: none"),
        ({"evidence": "estimate"}, "evidence is 'estimate', and must be one of: router"),
        ({"bgp_flush": True}, "bgp_flush changes settings of routers, and would change what is to be measured"),
    ],
)
def test_probe_refuses_what_it_could_not_measure(variables: dict[str, Any], words: str, tmp_path: Path) -> None:
    refused(play(MAINTENANCE.with_name("probe.yml"), tmp_path, target="worker-1", **variables), words)


WAIT = """
- hosts: worker-1
  gather_facts: false
  tasks:
    - ansible.builtin.import_role:
        name: hitless.nodes.bgp
        tasks_from: wait
      module_defaults:
        hitless.nodes.node_claim:
          host: https://127.0.0.1:1
          api_key: none
      vars:
        bgp_node: worker-1
        router_vtysh: /nowhere/vtysh
        __bgp_record:
          before: {addresses: [192.0.2.13], routes: {tor-1: {default: {bgp: [198.51.100.10/32], fib: []}}}}
        __bgp_flip: {flipped_at: "2026-03-02T22:00:00Z"}
        __bgp_state: withdrawn
        __bgp_asked: [tor-1]
        __bgp_timeout: 5
"""


def test_a_wait_that_failed_says_what_routers_said_while_the_api_is_away(tmp_path: Path) -> None:
    playbook = tmp_path / "play.yml"
    playbook.write_text(WAIT, encoding="utf-8")
    done = play(playbook, tmp_path, "-c", "local", ansible_python_interpreter=sys.executable)
    refused(done, "https://127.0.0.1:1 (option host) can't be reached: Connection refused; worker-1: router tor-1: ")


def test_no_node_is_begun_without_time_and_the_run_ends_well(tmp_path: Path) -> None:
    done = play(MAINTENANCE, tmp_path, target="worker-1,worker-2", maintenance_deadline="2026-01-01T05:00:00+01:00")
    assert done.returncode == 0, done.stdout + done.stderr
    line = "0 of 2 nodes are done, and no more is begun: the deadline has passed: it was 2026-01-01T05:00+01:00"
    assert (
        f"{line}; resume with: ansible-playbook hitless.nodes.node_maintenance -e target=worker-1,worker-2"
        in done.stdout
    )
    assert "Read the node" not in done.stdout


UPGRADE = TOP / "playbooks" / "cilium_upgrade.yml"


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({"agent_images": ["i:1"], "agent_apply": "none"}, "which nodes? Give the inventory name or pattern"),
        ({"target": "worker-1"}, "agent_images is missing: give all images that the new version runs on the nodes"),
        (
            {"target": "worker-1", "agent_images": ["i:1"], "agent_apply": "nowhere.yml"},
            "agent_apply: there is no file ",
        ),
        ({"target": "worker-1", "agent_images": ["i:1"]}, "neither agent_chart nor agent_apply is given"),
        (
            {"target": "worker-1", "agent_chart": "c", "agent_values_files": ["/nowhere"]},
            "agent_values_files: /nowhere can't be read",
        ),
        (
            {"target": "worker-1", "agent_chart": "c", "agent_helm": "/nowhere/helm"},
            "there is none at /nowhere/helm (agent_helm)",
        ),
        (
            {"target": "worker-1", "agent_images": ["i:1"], "agent_apply": "none"},
            "no Kubernetes cluster is configured",
        ),
    ],
)
def test_upgrade_refuses_bad_input(variables: dict[str, Any], words: str, tmp_path: Path) -> None:
    refused(play(UPGRADE, tmp_path, **variables), words)


def test_upgrade_refuses_a_limit_that_leaves_out_the_check(tmp_path: Path) -> None:
    refused(play(UPGRADE, tmp_path, "--limit", "worker-1", target="worker-1", agent_images=["i:1"]), "not with --limit")
