# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The last look and the command in one step, by the real ansible-playbook. This machine is the node and the router."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from ansible_collections.hitless.nodes.tests.unit import frr_samples as samples
from ansible_collections.hitless.nodes.tests.unit.small_router import VIP, neighbor, path, small_router
from api_calls import NODE, ROUTES

TOP = Path(__file__).resolve().parents[2]
ANSIBLE_PLAYBOOK = str(Path(sys.executable).with_name("ansible-playbook"))
BOOT_ID = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
ADDRESSES, OTHER = ["192.0.2.13", "2001:db8::13"], "192.0.2.12"
LOCAL = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}


@pytest.fixture
def router(tmp_path):
    """A router that another node has a session with, and that has the VIP over nobody; and what it is asked."""
    made = SimpleNamespace(vtysh=samples.Replay(tmp_path / "v", "vtysh"), ip=samples.Replay(tmp_path / "i", "ip"))
    small_router(made, {OTHER: neighbor(OTHER, "192.0.2.1")}, {VIP: []}, {}, absent=ADDRESSES)
    return made


@pytest.fixture
def sent(api, cilium, router, tmp_path):
    """sent(boot_id=..., **options): (the result of the action after a withdrawal, whether the command was run)."""

    def run(boot_id=BOOT_ID, **options):
        assert cilium
        api.client.patch(f"{NODE}/status", {"status": {"nodeInfo": {"bootID": boot_id}}})
        marker, out = tmp_path / "sent", tmp_path / "out.json"
        act = {"name": "worker-3", "act": "off", "routers": ["tor-1"], "command": f"touch {marker}", **options}
        by_us = {"delegate_to": "localhost"}
        flip = {"name": "worker-3", "state": "withdrawn", "timeout": 60}
        proven = {"name": "worker-3", "phase": "withdrawn"}
        proven["note"] = {"evidence": "router", "label": "{{ flip.label }}"}
        tasks = [
            {"hitless.nodes.node_claim": {"name": "worker-3", "routes": ROUTES}, **by_us},
            {"hitless.nodes.node_bgp": flip, "register": "flip", **by_us},
            {"hitless.nodes.node_claim": proven, **by_us},
            {"hitless.nodes.guarded": act, "register": "found", "ignore_errors": True},
            {"ansible.builtin.copy": {"content": "{{ found | to_json }}", "dest": str(out)}, **by_us},
        ]
        (tmp_path / "play.yml").write_text(json.dumps([{"hosts": "worker-3", "gather_facts": False, "tasks": tasks}]))
        hosts = {"worker-3": LOCAL, "tor-1": LOCAL | {"router_vtysh": str(router.vtysh.path)}}
        (tmp_path / "hosts.json").write_text(json.dumps({"all": {"hosts": hosts}}))
        kept = {key: value for key, value in os.environ.items() if not key.startswith(("ANSIBLE_", "K8S_", "KUBE"))}
        kept |= {"HOME": str(tmp_path), "ANSIBLE_CONFIG": str(TOP / "ansible.cfg"), "ANSIBLE_NOCOLOR": "1"}
        kept["PATH"] = f"{router.ip.folder}:{kept['PATH']}"
        argv = [ANSIBLE_PLAYBOOK, "-i", str(tmp_path / "hosts.json"), str(tmp_path / "play.yml")]
        argv += ["-e", json.dumps({"kubeconfig": str(api.kubeconfig)})]
        done = subprocess.run(argv, env=kept, capture_output=True, text=True, check=False, timeout=600)
        assert out.exists(), done.stdout + done.stderr
        return json.loads(out.read_text()), marker.exists()

    return run


def phase(api):
    return json.loads(api.client.get(NODE)["metadata"]["annotations"]["hitless.nodes/record"])["phase"]


def test_the_command_comes_right_after_the_look(api, sent, router):
    found, ran = sent()
    assert (found["failed"], ran) == (False, True), found
    assert (found["answered"], found["guard"]["act"]) == (True, "off")
    assert found["record"]["history"][-1]["guard"]["routers"] == ["tor-1"]
    assert found["record"]["history"][-1]["guard"]["age"] <= found["guard"]["age_seconds"]
    assert (phase(api), len(router.ip.asked()) > 0) == ("off", True)


def test_a_router_that_has_the_route_again(api, sent, router):
    own = ADDRESSES[0]
    small_router(
        router, {own: neighbor(own, "192.0.2.1")}, {VIP: [path(own, own)]}, {VIP: {"gateway": own, "dev": "x"}}
    )
    table = json.loads((router.vtysh.folder / "answers.json").read_text())
    nobody = (0, json.dumps({"bgpNoSuchNeighbor": True}), "")
    router.vtysh.answers({**table, f"show bgp neighbors {ADDRESSES[1]} json": nobody})
    found, ran = sent()
    assert "router tor-1 still has 198.51.100.10/32 (ipv4, BGP, FIB)" in found["msg"]
    assert (ran, phase(api)) == (False, "withdrawn")


def test_another_machine(sent):
    found, ran = sent(boot_id="another-boot")
    assert "the machine behind ansible_host is another one" in found["msg"]
    assert not ran


def test_a_node_without_a_boot_id_is_refused_before_anything_is_noted(api, sent):
    found, ran = sent(boot_id="")
    assert "the Node doesn't say its boot ID" in found["msg"]
    assert (ran, phase(api)) == (False, "withdrawn")


def test_a_look_that_takes_too_long_is_taken_three_times_and_nothing_is_sent(api, sent, router):
    found, ran = sent(max_age=0)
    assert "no look at the routers and the cluster was done within 0 s in 3 tries" in found["msg"]
    assert "raise power_look_max_age" in found["msg"]
    # Each look asks ip for the router's addresses, and then for the routes.
    assert len(router.ip.asked()) >= 6
    assert (ran, phase(api)) == (False, "withdrawn")
