# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the playbooks change on routers, in a lab with FRR 10 whose speakers leave stale routes behind."""

from __future__ import annotations

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
    settings = LabSettings(lab_name("e2er"), form="plain", scenario="stale", frr="10", restart_time=30)
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
def test_a_run_that_is_killed_while_routers_are_drained_is_undone_by_the_next(frr10: Cluster) -> None:
    process = frr10.start("node-out.yml", target=frr10.node, maintenance_action="none", bgp_router_drain=True)
    frr10.kill_when(lambda: DRAINED in "".join(configurations(frr10).values()), process)
    assert DRAINED in "".join(configurations(frr10).values())

    # It doesn't have to be told what the one before was told.
    play = frr10.play("node-in.yml", target=frr10.node, maintenance_action="none")

    assert play.code == 0, play.output
    assert frr10.state() == IN_SERVICE


def test_a_router_that_cannot_drain_a_single_neighbour_is_refused_before_anything_is_drained(cluster: Cluster) -> None:
    since = cluster.last_request()

    play = cluster.play("node-out.yml", target=cluster.node, bgp_router_drain=True)

    assert play.code != 0
    assert "update FRR, or do without the drain on the routers" in play.output
    assert cluster.state() == IN_SERVICE
    assert not any("eviction" in one["path"] for one in cluster.playbooks_writes(since))
