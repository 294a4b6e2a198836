# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bad input: one clear line before any change, and an exit code that is not 0.

What is refused without asking anybody is tested in tests/unit/roles/test_guards.py.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.hitless.nodes.plugins.module_utils.record import records
from conftest import IN_SERVICE, Cluster, both_versions


def refused(cluster: Cluster, *said: str, inventory: Path | None = None, **variables: Any) -> None:
    """Runs the maintenance; it must end without any write, without a traceback, with a line that says all of this."""
    since = cluster.last_request()
    play = cluster.play("node-maintenance.yml", inventory=inventory, **({"target": cluster.node} | variables))
    assert play.code != 0, play.output
    assert "Traceback" not in play.output
    assert any(all(word in line for word in said) for line in play.output.splitlines()), play.output
    assert cluster.playbooks_writes(since) == []
    assert cluster.state() == IN_SERVICE


def test_a_host_that_is_no_node_of_the_cluster(cluster: Cluster, tmp_path: Path) -> None:
    def rename(content: dict[str, Any]) -> None:
        hosts = content["nodes"]["hosts"]
        hosts[f"{cluster.node}.example.com"] = hosts.pop(cluster.node)

    inventory = cluster.changed_inventory(tmp_path, rename)
    refused(
        cluster,
        f"{cluster.node}.example.com",
        "did you mean",
        inventory=inventory,
        target=f"{cluster.node}.example.com",
    )


def test_no_group_of_routers(cluster: Cluster, tmp_path: Path) -> None:
    refused(cluster, "routers", inventory=cluster.changed_inventory(tmp_path, lambda content: content.pop("routers")))


def test_a_router_that_does_not_answer(cluster: Cluster, tmp_path: Path) -> None:
    router = next(iter(cluster.lab.routers))

    def move(content: dict[str, Any]) -> None:
        content["routers"]["hosts"][router] = {"ansible_host": "10.62.0.99", "ansible_ssh_timeout": 3}

    refused(cluster, router, "nreachable", inventory=cluster.changed_inventory(tmp_path, move))


def test_a_router_that_is_left_out_of_the_inventory(cluster: Cluster, tmp_path: Path) -> None:
    """Its session with the node would stay open, and it would go on sending to a node that is off."""
    kept, left_out = cluster.lab.routers
    role = left_out.removeprefix(f"{cluster.lab.settings.name}-")

    def leave_out(content: dict[str, Any]) -> None:
        content["routers"]["hosts"].pop(left_out)

    inventory = cluster.changed_inventory(tmp_path, leave_out)
    for peer in (f"{role}-ipv4", f"{role}-ipv6"):
        said = f"no listed router has the session of {cluster.node}'s peer {peer}"
        refused(cluster, said, f"{kept} has none (router_vrfs: default", "claim_unseen_peers", inventory=inventory)


@both_versions
def test_fault_31_a_vip_that_too_few_others_announce(cluster: Cluster) -> None:
    # Two other nodes announce all VIPs; of the node's own PodCIDR it is the only announcer, which is no fault.
    name = cluster.lab.settings.name
    refused(cluster, f"of Service {name}/web:", "others: 2 on", "claim_min_announcers=3", claim_min_announcers=3)


@pytest.mark.long
@both_versions
def test_fault_31_a_node_that_somebody_else_has_claimed_does_not_count(cluster: Cluster) -> None:
    _own, other, _third = cluster.lab.nodes.values()
    run = {"holder": "bob@laptop", "host": "laptop", "boot_id": "b", "pid_ns": "n", "pid": 1, "started": 1}
    before = {
        "unschedulable": False,
        "label": {"key": "enable-bgp", "value": "true"},
        "addresses": [other.address4, other.address6],
    }
    record = records.new(run, before, {}, datetime.now(UTC))
    name = cluster.lab.settings.name
    try:
        cluster.patch_node(records.annotation(record), name=other.name)
        said = f"claim_min_announcers=2; not counted: {other.name}, claimed by bob@laptop"
        refused(cluster, f"of Service {name}/web:", "others: 1 on", said, claim_min_announcers=2)
    finally:
        cluster.patch_node(records.annotation(None), name=other.name)


@both_versions
def test_a_router_user_who_may_not_ask_frr(cluster: Cluster, tmp_path: Path) -> None:
    def demote(content: dict[str, Any]) -> None:
        content["routers"]["vars"]["ansible_user"] = "guest"

    refused(cluster, "frrvty", "guest", inventory=cluster.changed_inventory(tmp_path, demote))


def test_an_api_server_that_is_not_there(cluster: Cluster, tmp_path: Path) -> None:
    kubeconfig = yaml.safe_load(Path(cluster.environment["K8S_AUTH_KUBECONFIG"]).read_text())
    kubeconfig["clusters"][0]["cluster"]["server"] = "https://127.0.0.1:1"
    path = tmp_path / "kubeconfig"
    path.write_text(yaml.safe_dump(kubeconfig))
    refused(cluster, "https://127.0.0.1:1", kubeconfig=str(path))


@pytest.mark.long
def test_a_kubeconfig_that_is_not_there(cluster: Cluster, tmp_path: Path) -> None:
    refused(cluster, "nothing-here", kubeconfig=str(tmp_path / "nothing-here"))


def test_a_token_that_is_wrong(cluster: Cluster, tmp_path: Path) -> None:
    kubeconfig = yaml.safe_load(Path(cluster.environment["K8S_AUTH_KUBECONFIG"]).read_text())
    kubeconfig["users"][0]["user"] = {"token": "wrong"}
    path = tmp_path / "kubeconfig"
    path.write_text(yaml.safe_dump(kubeconfig))
    refused(cluster, "401", kubeconfig=str(path))


def test_a_label_that_no_selector_uses(cluster: Cluster) -> None:
    refused(cluster, "colour", bgp_label="colour", claim_label="colour")


@pytest.mark.parametrize("value", [1.30, *(pytest.param(value, marks=pytest.mark.long) for value in (None, False))])
def test_a_label_value_that_ansible_has_retyped(cluster: Cluster, value: Any) -> None:
    # node_bgp refuses it at the flip; it must be refused before the drain.
    refused(cluster, "label_value", bgp_label_value=value)
