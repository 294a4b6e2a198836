# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Services with traffic policy Local: a node answers their VIPs only while a pod of its own serves."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from conftest import HANGS, IN_SERVICE, Cluster
from lab import lifecycle, network
from lab import settings as s
from lab.probing import Probing

VIPS = [vip for family in s.local_vips(1) for vip in family]


@pytest.fixture
def abrupt(cluster: Cluster) -> Iterator[Cluster]:
    """The lab with pods that stop answering as soon as they are evicted, and without routes to pods."""
    cluster.knob("pods.termination_seconds=0")
    cluster.announce_pods(False)
    yield cluster
    cluster.announce_pods(True)
    lifecycle.wait_for_routes(cluster.lab)


def wait_for_vips(cluster: Cluster) -> None:
    """Returns when the node's pods are back, and with them its VIPs."""
    node = cluster.lab.machines[cluster.node]
    deadline = time.monotonic() + HANGS
    while not all(
        {node.address4, node.address6} & set(network.next_hops(router, vip))
        for router in cluster.lab.routers
        for vip in VIPS
    ):
        assert time.monotonic() < deadline, "its VIPs never came back"
        time.sleep(0.1)


def out_and_back(cluster: Cluster, folder: Path, **variables: Any) -> tuple[dict[str, Any], list[str], bool]:
    """What the prober counted at the VIPs of traffic policy Local, the phases of the report, and what routers did.

    The last one: whether a router still sent anything to the node when the first pod was evicted.
    """
    since = cluster.last_request()

    def evicts() -> bool:
        return any(one["path"].endswith("/eviction") for one in cluster.playbooks_writes(since))

    with Probing(cluster.lab, folder / "probe.json", VIPS) as probe:
        # The stand-ins look at their knobs a few times a second.
        probe.wait(seconds=2)
        variables |= {"target": cluster.node, "maintenance_action": "none", "report_dir": str(folder)}
        process = cluster.start("node-maintenance.yml", **variables)
        cluster.when(evicts, process)
        sent_to = cluster.routers_send_to_node()
        play = cluster.ended(process)
        probe.wait(requests=5_000, seconds=3)
    assert play.code == 0, play.output
    assert cluster.state() == IN_SERVICE
    assert probe.result["udp_sent"] >= 5_000
    (report,) = folder.glob(f"{cluster.node}-*.json")
    return probe.result, [phase["phase"] for phase in json.loads(report.read_text())["phases"]], sent_to


def test_the_routes_go_before_pods_of_policy_local_and_no_request_is_lost_and_the_control_loses(
    abrupt: Cluster, tmp_path: Path
) -> None:
    ours, phases, sent_to = out_and_back(abrupt, tmp_path / "auto")

    assert not sent_to
    # The routers are asked again after the drain.
    assert phases[:5] == ["claimed", "withdrawn", "drained", "withdrawn", "on"], phases
    assert ours["udp_lost"] == ours["tcp_failed"] == 0, ours

    wait_for_vips(abrupt)
    control, phases, sent_to = out_and_back(abrupt, tmp_path / "control", maintenance_order="drain_first")

    assert sent_to
    assert phases[:4] == ["claimed", "drained", "withdrawn", "on"], phases
    assert control["udp_lost"] > 0, control
