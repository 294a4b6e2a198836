# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The main job: out and back without a lost packet, and what it does when something is wrong."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from conftest import IN_SERVICE, NEWER, OLDER, Cluster, both_versions, lab_name
from lab import demo, lifecycle, network
from lab import settings as s
from lab.probing import Probing
from lab.settings import LabSettings


@pytest.mark.parametrize(
    "scenario",
    [pytest.param("off", marks=pytest.mark.long), pytest.param("hard-reset", marks=pytest.mark.long), "stale"],
)
def test_maintenance_loses_nothing_and_the_control_does(scenario: str, tmp_path: Path) -> None:
    settings = LabSettings(lab_name("e2ed"), scenario=scenario)

    assert demo.demo(settings, tmp_path) == 0

    figures = json.loads((tmp_path / "demo.json").read_text())
    assert figures["graceful_restart"] == scenario
    assert figures["maintenance"]["udp_sent"] >= 10_000
    assert figures["maintenance"]["udp_lost"] == 0
    assert figures["maintenance"]["tcp_new"] > 0
    assert figures["maintenance"]["tcp_failed"] == 0
    assert figures["control"]["udp_lost"] > 0
    assert lifecycle.leftovers(settings.name) == []


@pytest.mark.long
@pytest.mark.parametrize(
    "cluster",
    [pytest.param(OLDER, marks=pytest.mark.newest), pytest.param(NEWER, marks=pytest.mark.xdist_group(NEWER))],
    indirect=True,
)
def test_a_maintenance_leaves_everything_as_it_was_and_reports(cluster: Cluster) -> None:
    boot_id = cluster.lab.machines[cluster.node].boot_id()

    with Probing(cluster.lab, cluster.reports.parent / "probe.json") as probe:
        play = cluster.play("node-maintenance.yml", target=cluster.node)

    assert play.code == 0, play.output
    assert cluster.state() == IN_SERVICE
    assert cluster.lab.machines[cluster.node].boot_id() not in (None, boot_id)
    assert probe.result["udp_lost"] == probe.result["tcp_failed"] == 0
    (report,) = cluster.reports.glob("*.json")
    phases = [phase["phase"] for phase in json.loads(report.read_text())["phases"]]
    assert phases == ["claimed", "drained", "withdrawn", "off", "on", "announced", "schedulable", "released"]
    (page,) = cluster.reports.glob("*.html")
    assert "<svg" in page.read_text()


@pytest.mark.long
def test_a_node_that_was_cordoned_before_stays_cordoned_when_it_is_rebooted(cluster: Cluster) -> None:
    boot_id = cluster.lab.machines[cluster.node].boot_id()
    cluster.patch_node({"spec": {"unschedulable": True}})
    try:
        play = cluster.play("node-maintenance.yml", target=cluster.node, maintenance_action="reboot")

        assert play.code == 0, play.output
        assert cluster.state() == IN_SERVICE | {"unschedulable": True}
        assert cluster.lab.machines[cluster.node].boot_id() not in (None, boot_id)
    finally:
        cluster.patch_node({"spec": {"unschedulable": None}})


@both_versions
def test_fault_21_a_router_that_keeps_the_routes_stops_the_run_and_the_label_is_put_back(cluster: Cluster) -> None:
    # One session stays open, and the second router tells the first one by iBGP, with the node as next hop.
    keeps, told = cluster.lab.routers
    cluster.knob(f'agents.{cluster.node}.keep_peers=["{cluster.lab.machines[keeps].address4}"]')

    play = cluster.play("node-maintenance.yml", target=cluster.node, bgp_withdraw_timeout=8)

    assert play.code != 0
    assert cluster.lab.machines[cluster.node].running()
    assert cluster.state() == IN_SERVICE
    line = next(line for line in play.output.splitlines() if "still" in line and "ipv4" in line)
    assert keeps in line or told in line
    # The node's pods. Of a VIP that others announce, too, the first router may tell the second one another path.
    assert re.search(r"\d/24 \(ipv4, BGP", line)
    # The VIP that left with its pod, by the drain, isn't missed.
    assert "not all routes are back" not in play.output


@pytest.mark.long
@both_versions
def test_fault_11_a_label_that_somebody_sets_back_stops_the_run_and_who_did_is_named(cluster: Cluster) -> None:
    # The agent keeps a session, which holds the run up in the middle of the flip until somebody comes.
    cluster.allow_agents_to_be_asked()
    router = next(iter(cluster.lab.routers.values()))
    cluster.knob(f'agents.{cluster.node}.keep_peers=["{router.address4}"]')
    process = cluster.start("node-maintenance.yml", target=cluster.node, bgp_flip_timeout=300)
    cluster.when(cluster.deselected, process)
    cluster.patch_node({"metadata": {"labels": {"enable-bgp": "true"}}}, manager="argocd-controller")
    play = cluster.ended(process)

    assert play.code != 0
    line = next(line for line in play.output.splitlines() if "the node was put back as it was" in line)
    assert "another writer has set the label again (field manager argocd-controller)" in line
    assert cluster.lab.machines[cluster.node].running()
    assert cluster.state() == IN_SERVICE


@pytest.mark.long
def test_fault_15_an_operator_that_dies_in_mid_run_is_named_and_the_label_is_put_back(cluster: Cluster) -> None:
    process = cluster.start("node-maintenance.yml", target=cluster.node, bgp_flip_timeout=15)
    # After the claim, which would refuse it; its Lease is still fresh when the label is flipped.
    cluster.when(lambda: cluster.state()["unschedulable"], process)
    cluster.knob("operator.dead=true")
    cluster.when(lambda: cluster.state()["label"] == "false", process)
    cluster.when(lambda: cluster.state()["label"] == "true", process)
    cluster.knob("operator.dead=false")
    play = cluster.ended(process)

    assert play.code != 0
    line = next(line for line in play.output.splitlines() if "the node was put back as it was" in line)
    assert "stuck at the hop NodeConfig" in line
    assert "cilium-operator" in line
    assert cluster.lab.machines[cluster.node].running()
    assert cluster.state() == IN_SERVICE


@both_versions
def test_fault_22_a_router_that_is_unreachable_in_mid_wait_is_unknown_and_the_label_is_put_back(
    cluster: Cluster,
) -> None:
    # This router keeps a session, so the run waits for it, and then nobody can log in to it any more.
    router, machine = next(iter(cluster.lab.routers.items()))
    cluster.knob(f'agents.{cluster.node}.keep_peers=["{machine.address4}"]')
    process = cluster.start("node-maintenance.yml", target=cluster.node, bgp_undo_timeout=20)
    cluster.when(cluster.deselected, process)
    cluster.when(lambda: machine.run(["pgrep", "-x", "vtysh"]).returncode == 0, process)
    machine.run(["systemctl", "stop", "ssh"])
    # Also sshd-session, in which newer releases keep what is connected.
    machine.run(["pkill", "sshd"])
    try:
        play = cluster.ended(process)
    finally:
        machine.run(["systemctl", "start", "ssh"])

    assert play.code != 0
    line = next(line for line in play.output.splitlines() if "the node was put back as it was" in line)
    assert f"router {router} is unreachable by SSH, so its routes are unknown" in line
    assert cluster.lab.machines[cluster.node].running()
    assert cluster.state() == IN_SERVICE


@pytest.mark.long
@both_versions
def test_fault_19_without_routers_a_dead_agent_proves_nothing(cluster: Cluster, tmp_path: Path) -> None:
    cluster.allow_agents_to_be_asked()
    inventory = cluster.inventory_without_routers(tmp_path)
    options = {"evidence": "cilium", "bgp_flip_timeout": 8, "bgp_undo_timeout": 60}
    process = cluster.start("node-maintenance.yml", inventory=inventory, target=cluster.node, **options)
    cluster.when(cluster.deselected, process)
    cluster.knob(f"agents.{cluster.node}.dead=true")
    cluster.when(lambda: cluster.state()["label"] == "true", process)
    cluster.knob(f"agents.{cluster.node}.dead=false")
    play = cluster.ended(process)

    assert play.code != 0
    line = next(line for line in play.output.splitlines() if "the node was put back as it was" in line)
    assert "unknown: its agent can't be asked" in line
    assert cluster.lab.machines[cluster.node].running()
    assert cluster.state() == IN_SERVICE


def test_check_mode_writes_nothing_and_says_what_would_happen(cluster: Cluster) -> None:
    since = cluster.last_request()

    play = cluster.play("node-maintenance.yml", "--check", target=cluster.node)

    assert play.code == 0, play.output
    assert cluster.playbooks_requests(since), "the playbook asked nothing"
    assert cluster.playbooks_writes(since) == []
    assert cluster.state() == IN_SERVICE
    assert play.recap["changed"] > 0


@both_versions
def test_status_shows_every_session_and_changes_nothing(cluster: Cluster) -> None:
    since = cluster.last_request()

    play = cluster.play("status.yml", target=cluster.node)

    assert play.code == 0, play.output
    assert play.recap["changed"] == 0
    assert cluster.playbooks_writes(since) == []
    status = json.loads((cluster.reports / "bgp-status.json").read_text())
    (node,) = status["nodes"]
    assert node["problems"] == []
    sessions = [session for router in node["routers"] for session in router["sessions"]]
    assert [router["router"] for router in node["routers"]] == list(cluster.lab.routers)
    assert [session["installed"] for session in sessions] == [4, 4, 4, 4]
    assert "<table>" in (cluster.reports / "bgp-status.html").read_text()


def test_node_in_on_a_node_in_service_changes_nothing(cluster: Cluster) -> None:
    play = cluster.play("node-in.yml", target=cluster.node)

    assert play.code == 0, play.output
    assert play.recap["changed"] == 0
    assert cluster.state() == IN_SERVICE


@pytest.mark.long
def test_the_two_halves_do_the_same_as_the_whole_and_force_the_power_off_only_if_allowed(cluster: Cluster) -> None:
    machine = cluster.lab.machines[cluster.node]
    # An operating system that ignores the BMC's soft power-off; only until it starts anew.
    machine.run(["systemctl", "mask", "--runtime", "poweroff.target"])

    refused = cluster.play("node-out.yml", target=cluster.node, power_off_timeout=3)
    assert refused.code != 0
    assert "not allowed (power_force_after=0)" in refused.output
    # Noted before the command: nobody can tell from outside whether it will be obeyed yet.
    assert cluster.phase() == "off"
    assert machine.running()

    out = cluster.play("node-out.yml", target=cluster.node, power_force_after=3)
    assert out.code == 0, out.output
    assert cluster.phase() == "off"
    assert not machine.running()

    again = cluster.play("node-out.yml", target=cluster.node)
    assert again.code == 0, again.output
    assert cluster.phase() == "off"

    back = cluster.play("node-in.yml", target=cluster.node)
    assert back.code == 0, back.output
    assert cluster.state() == IN_SERVICE


@pytest.mark.long
def test_fault_48_a_window_that_ends_in_the_middle_ends_the_run_after_the_node_in_work(
    cluster: Cluster, tmp_path: Path
) -> None:
    first, *rest = nodes = list(cluster.lab.nodes)
    # At least 80 s until it ends, for the first node to be begun; the work on it lasts until it has ended.
    now = datetime.now(UTC)
    end = (now + timedelta(seconds=140)).replace(second=0, microsecond=0)
    window = {"start": f"{now - timedelta(hours=1):%H:%M}", "end": f"{end:%H:%M}", "tz": "UTC"}
    left = f"{{{{ [0, {int(end.timestamp()) + 1} - now(fmt='%s') | int] | max }}}}"
    work = tmp_path / "work.yml"
    work.write_text(json.dumps([{"name": "Work", "ansible.builtin.wait_for": {"timeout": left}}]))
    options = {"maintenance_action": "none", "maintenance_tasks": str(work)}

    with Probing(cluster.lab, tmp_path / "probe.json") as probe:
        play = cluster.play("node-maintenance.yml", target=",".join(nodes), maintenance_window=window, **options)
        assert play.code == 0, play.output
        line = next(line for line in play.output.splitlines() if "no more is begun" in line)
        assert "1 of 3 nodes are done, and no more is begun: no window is open: the next one begins" in line
        assert [cluster.state(node) for node in nodes] == [IN_SERVICE] * 3
        assert [path.name.startswith(first) for path in cluster.reports.glob("*.json")] == [True]

        # By the command that the line names, in a window that is open.
        command = re.search(r"resume with: ansible-playbook hitless\.nodes\.node_maintenance -e target=([^ \"]+)", line)
        assert command is not None
        assert command[1] == ",".join(rest)
        play = cluster.play("node-maintenance.yml", target=command[1], **options)

    assert play.code == 0, play.output
    assert "no more is begun" not in play.output
    assert [cluster.state(node) for node in nodes] == [IN_SERVICE] * 3
    phases = [
        [phase["phase"] for phase in json.loads(path.read_text())["phases"]] for path in cluster.reports.glob("*.json")
    ]
    assert phases == [["claimed", "drained", "withdrawn", "on", "announced", "schedulable", "released"]] * 3
    assert probe.result["udp_lost"] == probe.result["tcp_failed"] == 0


@pytest.mark.xdist_group("longest")
def test_killed_at_every_phase_and_run_again_it_ends_as_if_nothing_had_happened(cluster: Cluster) -> None:
    cluster.patch_node({"metadata": {"labels": {"enable-bgp": "true"}}})
    moments = {
        "cordoned": lambda: cluster.state()["unschedulable"],
        "label flipped": lambda: cluster.state()["label"] == "false",
        "power command sent": lambda: not cluster.lab.machines[cluster.node].running(),
        "recorded as off": lambda: cluster.phase() == "off",
        "switched on": lambda: cluster.phase() == "on",
        "announced": lambda: cluster.phase() == "announced",
    }
    with Probing(cluster.lab, cluster.reports.parent / "probe.json") as probe:
        for moment, condition in moments.items():
            cluster.kill_when(condition, cluster.start("node-maintenance.yml", target=cluster.node))
            assert cluster.state()["record"], moment
            if not cluster.lab.machines[cluster.node].running():
                assert not cluster.routers_send_to_node(), moment

        play = cluster.play("node-maintenance.yml", target=cluster.node)

    assert play.code == 0, play.output
    assert cluster.state() == IN_SERVICE
    assert probe.result["udp_lost"] == 0


@pytest.mark.parametrize("order", ["drain_first", pytest.param("withdraw_first", marks=pytest.mark.long)])
def test_a_vip_with_policy_local_that_left_with_its_pod_is_not_waited_for(cluster: Cluster, order: str) -> None:
    node, vips = cluster.lab.machines[cluster.node], s.local_vips(1)
    hops = {vip: hop for hop, of in zip((node.address4, node.address6), vips, strict=True) for vip in of}

    def announced() -> list[bool]:
        return [hop in network.next_hops(router, vip) for router in cluster.lab.routers for vip, hop in hops.items()]

    assert announced() == [True] * 4
    # Cordoned before, it stays so, and its pod can't come back.
    cluster.patch_node({"spec": {"unschedulable": True}})
    try:
        play = cluster.play(
            "node-maintenance.yml", target=cluster.node, maintenance_order=order, bgp_announce_timeout=120
        )

        assert play.code == 0, play.output
        assert cluster.state() == IN_SERVICE | {"unschedulable": True}
        assert announced() == [False] * 4
    finally:
        cluster.patch_node({"spec": {"unschedulable": None}})
    lifecycle.wait_for_routes(cluster.lab)
    assert announced() == [True] * 4
