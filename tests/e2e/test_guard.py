# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The world changes after the proof and before the command: no node is switched off while routers send to it."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from conftest import HANGS, IN_SERVICE, Cluster
from lab import lifecycle, network
from lab.probing import UDP_PER_SECOND, Probing

GITOPS = "argocd-controller"


def set_label(cluster: Cluster, value: str = "true") -> None:
    cluster.patch_node({"metadata": {"labels": {"enable-bgp": value}}}, manager=GITOPS)


def line_with(output: str, *words: str) -> str:
    """The line of the output that has all these words."""
    found = [line for line in output.splitlines() if all(word in line for word in words)]
    assert found, output
    return found[-1]


def lost_nothing(probe: Probing, seconds: float) -> None:
    """In so many seconds enough was sent, and all was answered."""
    assert probe.result["udp_sent"] >= UDP_PER_SECOND * seconds
    assert probe.result["udp_lost"] == probe.result["tcp_failed"] == 0


def test_a_label_that_is_set_again_during_the_work_stops_the_reboot(cluster: Cluster, tmp_path: Path) -> None:
    machine = cluster.lab.machines[cluster.node]
    boot_id = machine.boot_id()
    work = tmp_path / "work.yml"
    # Long enough for the label to be put back, and for the routers to send to the node again.
    work.write_text(json.dumps([{"name": "Work", "ansible.builtin.wait_for": {"timeout": 12}}]))

    with Probing(cluster.lab, tmp_path / "probe.json") as probe:
        process = cluster.start(
            "node-maintenance.yml", target=cluster.node, maintenance_action="reboot", maintenance_tasks=str(work)
        )
        cluster.when(lambda: cluster.phase() == "withdrawn", process)
        set_label(cluster)
        cluster.when(cluster.routers_send_to_node, process)
        play = cluster.ended(process)

    assert play.code != 0
    line = line_with(play.output, "the reboot was not sent", f"(field manager {GITOPS})")
    assert "node_in" in line
    assert machine.boot_id() == boot_id
    lost_nothing(probe, 20)

    # The control: the same reboot, at the same moment, without the look.
    with Probing(cluster.lab, tmp_path / "control.json") as control:
        control.wait(requests=UDP_PER_SECOND * 2)
        machine.reboot()
        control.wait(seconds=5)
    assert control.result["udp_lost"] > 0


@pytest.mark.long
def test_a_label_that_is_set_again_during_the_shutdown_stops_the_forced_switch_off(
    cluster: Cluster, tmp_path: Path
) -> None:
    machine = cluster.lab.machines[cluster.node]
    # An operating system that ignores the BMC's soft power-off; only until it starts anew.
    machine.run(["systemctl", "mask", "--runtime", "poweroff.target"])
    try:
        with Probing(cluster.lab, tmp_path / "probe.json") as probe:
            process = cluster.start("node-out.yml", target=cluster.node, power_force_after=12)
            cluster.when(lambda: cluster.phase() == "off", process)
            set_label(cluster)
            cluster.when(cluster.routers_send_to_node, process)
            play = cluster.ended(process)

        assert play.code != 0
        line_with(play.output, "the forced switch-off was not sent", f"(field manager {GITOPS})")
        assert machine.running()
        lost_nothing(probe, 10)
    finally:
        machine.run(["systemctl", "unmask", "--runtime", "poweroff.target"])


@pytest.mark.parametrize("action", ["poweroff", pytest.param("reboot", marks=pytest.mark.long)])
def test_another_machine_behind_ansible_host_is_not_switched_off(cluster: Cluster, tmp_path: Path, action: str) -> None:
    other = list(cluster.lab.nodes)[1]
    boot_id = cluster.lab.machines[other].boot_id()

    def mislead(content: dict[str, Any]) -> None:
        content["nodes"]["hosts"][cluster.node]["ansible_host"] = other

    inventory = cluster.changed_inventory(tmp_path, mislead)
    with Probing(cluster.lab, tmp_path / "probe.json") as probe:
        play = cluster.play(
            "node-maintenance.yml",
            inventory=inventory,
            target=cluster.node,
            power_method="os",
            maintenance_action=action,
        )

    assert play.code != 0
    line_with(play.output, "the machine behind ansible_host is another one", "correct ansible_host")
    assert cluster.lab.machines[other].boot_id() == boot_id
    lost_nothing(probe, 5)


def test_a_record_that_is_removed_in_mid_run_stops_the_run(cluster: Cluster, tmp_path: Path) -> None:
    # A person's cordon, which only the record knows of.
    cluster.patch_node({"spec": {"unschedulable": True}})
    work = tmp_path / "work.yml"
    work.write_text(json.dumps([{"name": "Work", "ansible.builtin.wait_for": {"timeout": 8}}]))
    try:
        process = cluster.start(
            "node-maintenance.yml", target=cluster.node, maintenance_action="none", maintenance_tasks=str(work)
        )
        cluster.when(lambda: cluster.phase() == "withdrawn", process)
        cluster.patch_node({"metadata": {"annotations": {"hitless.nodes/record": None}}})
        play = cluster.ended(process)

        assert play.code != 0
        assert cluster.state() == {"label": "false", "unschedulable": True, "record": None}
    finally:
        cluster.patch_node({"spec": {"unschedulable": None}})
        set_label(cluster)
    lifecycle.wait_for_routes(cluster.lab)
    assert cluster.state() == IN_SERVICE


def others_leave(cluster: Cluster, value: str = "false") -> None:
    """The labels of all other nodes, changed by somebody else; returns when no router sends to them."""
    others = list(cluster.lab.nodes)[1:]
    for name in others:
        cluster.patch_node({"metadata": {"labels": {"enable-bgp": value}}}, manager=GITOPS, name=name)
    if value == "true":
        lifecycle.wait_for_routes(cluster.lab)
        return
    hops = {address for name in others for address in addresses(cluster, name)}
    deadline = time.monotonic() + HANGS
    while any(hops & set(network.all_next_hops(router)) for router in cluster.lab.routers):
        assert time.monotonic() < deadline, "the others' routes stay"
        time.sleep(0.2)


def addresses(cluster: Cluster, name: str) -> tuple[str, str]:
    machine = cluster.lab.machines[name]
    return machine.address4, machine.address6


@contextlib.contextmanager
def paused(process: subprocess.Popen[str]) -> Iterator[None]:
    """The playbook stands still meanwhile, with all that it has started."""
    os.killpg(process.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.killpg(process.pid, signal.SIGCONT)


@pytest.mark.parametrize(
    ("phase", "said"),
    [
        ("claimed", "mustn't be taken out now (counted once more)"),
        pytest.param("withdrawn", "the shutdown was not sent", marks=pytest.mark.long),
    ],
)
def test_others_that_leave_after_the_claim_keep_the_last_announcer_in(
    cluster: Cluster, tmp_path: Path, phase: str, said: str
) -> None:
    machine = cluster.lab.machines[cluster.node]
    try:
        with Probing(cluster.lab, tmp_path / "probe.json") as probe:
            process = cluster.start("node-maintenance.yml", target=cluster.node, maintenance_order="drain_first")
            cluster.when(lambda: cluster.phase() == phase, process)
            with paused(process):
                others_leave(cluster)
            play = cluster.ended(process)
            # The VIP is there, over this node alone.
            assert cluster.routers_send_to_node()

        assert play.code != 0
        line_with(play.output, said, "its last announcer is this node")
        assert cluster.state() == IN_SERVICE
        assert machine.running()
        if phase == "claimed":
            lost_nothing(probe, 5)
    finally:
        others_leave(cluster, "true")


@pytest.mark.long
def test_others_that_leave_before_a_resume_keep_the_last_announcer_in(cluster: Cluster, tmp_path: Path) -> None:
    cluster.kill_when(
        lambda: cluster.phase() == "claimed",
        cluster.start("node-maintenance.yml", target=cluster.node, maintenance_order="drain_first"),
    )
    try:
        with Probing(cluster.lab, tmp_path / "probe.json") as probe:
            others_leave(cluster)
            play = cluster.play("node-maintenance.yml", target=cluster.node, maintenance_order="drain_first")

        assert play.code != 0
        line_with(play.output, "mustn't be taken out now (counted once more)", "its last announcer is this node")
        assert cluster.state() == IN_SERVICE
        lost_nothing(probe, 5)
    finally:
        others_leave(cluster, "true")
