# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the playbooks change on routers, measure there, or estimate without them: FRR 10, and speakers that leave stale
routes behind."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import IN_SERVICE, Cluster, lab_name
from lab import lifecycle
from lab.probing import Probing
from lab.settings import LabSettings
from lab.state import Lab

DRAINED = "graceful-shutdown"


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    settings = LabSettings(lab_name("e2er"), form="plain", scenario="stale", frr="10", restart_time=15)
    yield lifecycle.up(settings)
    lifecycle.down(settings.name)


@pytest.fixture
def frr10(lab: Lab, tmp_path: Path) -> Iterator[Cluster]:
    """The lab with its node in service and its routers as they were configured."""
    cluster = Cluster(lab, tmp_path / "reports")
    before = configurations(cluster)
    assert cluster.state() == IN_SERVICE
    yield cluster
    (lab.dir / "knobs.json").write_text("{}")
    assert configurations(cluster) == before


def configurations(cluster: Cluster) -> dict[str, str]:
    """Router -> its running configuration."""
    routers = cluster.lab.routers.items()
    return {name: router.run(["vtysh", "-c", "show running-config"]).stdout for name, router in routers}


@pytest.mark.xdist_group("frr10")
@pytest.mark.long
def test_routes_are_drained_and_stale_ones_flushed_without_loss(frr10: Cluster) -> None:
    options = {"bgp_router_drain": True, "bgp_flush": True, "bgp_flush_after": 2, "maintenance_order": "withdraw_first"}
    with Probing(frr10.lab, frr10.reports.parent / "probe.json") as probe:
        play = frr10.play("node-maintenance.yml", target=frr10.node, maintenance_action="none", **options)

    assert play.code == 0, play.output
    assert frr10.state() == IN_SERVICE
    assert "Drain the sessions on every router" in play.output
    for router in frr10.lab.routers:
        assert f"router {router}: stale routes of the node outlived their time" in play.output
    assert probe.result["udp_lost"] == probe.result["tcp_failed"] == 0


@pytest.mark.xdist_group("frr10")
@pytest.mark.long
def test_without_routers_the_run_waits_until_they_are_done_and_says_that_it_estimated(
    frr10: Cluster, tmp_path: Path
) -> None:
    """Cilium's word is not that of the routers, which keep the routes when the sessions are closed."""
    seconds = frr10.lab.settings.restart_time + 2
    frr10.allow_agents_to_be_asked()
    inventory = frr10.inventory_without_routers(tmp_path)
    options = {"inventory": inventory, "target": frr10.node, "maintenance_action": "none", "evidence": "cilium"}
    with Probing(frr10.lab, frr10.reports.parent / "probe.json") as probe:
        out = frr10.play("node-out.yml", **options)
        assert out.code == 0, out.output
        assert not frr10.routers_send_to_node()
        # The record doesn't hold what routers would be compared with.
        other = frr10.play("node-in.yml", target=frr10.node, maintenance_action="none")
        assert other.code != 0
        assert "was claimed with evidence=cilium, and evidence=router is asked for now" in other.output
        assert frr10.phase() == "withdrawn"
        back = frr10.play("node-in.yml", **options)

    assert back.code == 0, back.output
    assert frr10.state() == IN_SERVICE
    assert frr10.routers_send_to_node()
    assert f"estimated, not observed: taken as gone {seconds} s after the agent had closed the sessions" in out.output
    report = max(frr10.reports.glob("*.json"), key=lambda path: path.stat().st_mtime)
    evidence = json.loads(report.read_text())["evidence"]
    assert (evidence["kind"], evidence["observed"], evidence["seconds"]) == ("cilium", False, seconds)
    assert "estimated, not observed" in report.with_suffix(".html").read_text()
    assert probe.result["udp_lost"] == probe.result["tcp_failed"] == 0


@pytest.mark.xdist_group("frr10")
@pytest.mark.long
def test_without_routers_a_node_is_switched_off_and_on_again_without_loss(frr10: Cluster, tmp_path: Path) -> None:
    frr10.allow_agents_to_be_asked()
    inventory = frr10.inventory_without_routers(tmp_path)
    machine = frr10.lab.machines[frr10.node]
    boot_id = machine.boot_id()
    with Probing(frr10.lab, frr10.reports.parent / "probe.json") as probe:
        process = frr10.start("node-maintenance.yml", inventory=inventory, target=frr10.node, evidence="cilium")
        frr10.when(lambda: not machine.running(), process)
        # Nobody had looked at them.
        assert not frr10.routers_send_to_node()
        play = frr10.ended(process)

    assert play.code == 0, play.output
    assert frr10.state() == IN_SERVICE
    assert machine.boot_id() not in (None, boot_id)
    assert frr10.routers_send_to_node()
    assert probe.result["udp_lost"] == probe.result["tcp_failed"] == 0
    report = json.loads(next(frr10.reports.glob("*.json")).read_text())
    assert (report["evidence"]["kind"], report["evidence"]["observed"]) == ("cilium", False)
    assert {"off", "on"} <= {phase["phase"] for phase in report["phases"]}


@pytest.mark.xdist_group("frr10")
@pytest.mark.long
def test_by_estimate_alone_nobody_is_asked(frr10: Cluster, tmp_path: Path) -> None:
    inventory = frr10.inventory_without_routers(tmp_path)
    options = {"inventory": inventory, "target": frr10.node, "maintenance_action": "none", "evidence": "estimate"}
    refused = frr10.play("node-out.yml", **options)
    assert refused.code != 0
    assert "set claim_min_announcers=0 to go on without knowing" in refused.output
    assert frr10.state() == IN_SERVICE

    out = frr10.play("node-out.yml", claim_min_announcers=0, **options)
    assert out.code == 0, out.output
    seconds = frr10.lab.settings.restart_time + 2 + 5
    assert f"routes:  estimated, not observed: taken as gone {seconds} s after the node was deselected" in out.output
    assert not frr10.routers_send_to_node()
    back = frr10.play("node-in.yml", **options)
    assert back.code == 0, back.output
    assert frr10.state() == IN_SERVICE


@pytest.mark.xdist_group("frr10")
@pytest.mark.long
def test_the_probe_measures_without_loss_and_later_estimates_are_no_shorter(frr10: Cluster, tmp_path: Path) -> None:
    with Probing(frr10.lab, frr10.reports.parent / "probe.json") as probe:
        play = frr10.play("probe.yml", target=frr10.node, probe_store=True)

    assert play.code == 0, play.output
    assert frr10.state() == IN_SERVICE
    assert probe.result["udp_lost"] == probe.result["tcp_failed"] == 0
    for router in frr10.lab.routers:
        assert re.search(rf"router {router}: ipv4 [\d.]+ s, ipv6 [\d.]+ s", play.output), play.output
    restart_time = frr10.lab.settings.restart_time
    assert f"estimated from the routers' capabilities: {restart_time + 2} s" in play.output
    assert f"estimated from Cilium alone: {restart_time + 2} s" in play.output
    node = frr10.get("Node", frr10.node)
    assert node
    measured = json.loads(node["metadata"]["annotations"]["hitless.nodes/measured"])
    assert (measured["event"], measured["seconds"] >= restart_time) == ("deselected", True)

    frr10.allow_agents_to_be_asked()
    inventory = frr10.inventory_without_routers(tmp_path)
    checked = frr10.play("node-out.yml", "--check", inventory=inventory, target=frr10.node, evidence="cilium")
    assert f"measured {measured['seconds']} s on router" in checked.output, checked.output
    frr10.patch_node({"metadata": {"annotations": {"hitless.nodes/measured": None}}})


@pytest.mark.xdist_group("frr10")
@pytest.mark.long
def test_a_run_that_is_killed_while_routers_are_drained_is_undone_by_the_next(frr10: Cluster) -> None:
    process = frr10.start("node-out.yml", target=frr10.node, maintenance_action="none", bgp_router_drain=True)
    frr10.kill_when(lambda: DRAINED in "".join(configurations(frr10).values()), process)
    assert DRAINED in "".join(configurations(frr10).values())

    # It doesn't have to be told what the one before was told.
    play = frr10.play("node-in.yml", target=frr10.node, maintenance_action="none")

    assert play.code == 0, play.output
    assert frr10.state() == IN_SERVICE


@pytest.mark.long
def test_a_router_that_cannot_drain_a_single_neighbour_is_refused_before_anything_is_drained(cluster: Cluster) -> None:
    since = cluster.last_request()

    play = cluster.play("node-out.yml", target=cluster.node, bgp_router_drain=True)

    assert play.code != 0
    assert "use FRR 10.x, or set bgp_router_drain to false" in play.output
    assert cluster.state() == IN_SERVICE
    assert not any("eviction" in one["path"] for one in cluster.playbooks_writes(since))
