# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Upgrades of Cilium inside the graceful-restart budget (20 s here), and what stops them.

Each test goes on with whatever version the one before has left on all nodes; so none has to put the agents back.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from conftest import IN_SERVICE, TOP, Cluster, Play, lab_name
from lab import lifecycle, network, rights
from lab import settings as s
from lab.cluster import LAB, agent_image
from lab.helm import helm, package, program
from lab.machines import Machine
from lab.probing import Probing
from lab.settings import LabSettings

# Groups are begun first: what takes the longest isn't to be begun last.
pytestmark = pytest.mark.xdist_group("longest")
ZONE = "topology.kubernetes.io/zone"
APPLY = TOP / "tests" / "e2e" / "apply-upgrade.yml"
# What helm needs besides: its releases, and the objects of the chart.
CHART_RIGHTS = """
items:
  - apiVersion: rbac.authorization.k8s.io/v1
    kind: Role
    metadata: {name: chart, namespace: kube-system}
    rules:
      - {apiGroups: [""], resources: [secrets, configmaps], verbs: [get, list, create, update, patch, delete]}
      - {apiGroups: [apps], resources: [deployments, daemonsets], verbs: [get, create, patch, delete]}
  - apiVersion: rbac.authorization.k8s.io/v1
    kind: RoleBinding
    metadata: {name: chart, namespace: kube-system}
    roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: chart}
    subjects: [{kind: ServiceAccount, name: node-maintenance, namespace: hitless}]
"""


class Upgrade:
    """The lab's agents, and upgrades of them."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self.lab = cluster.lab
        self.nodes = list(cluster.lab.nodes)
        rights.allow_upgrades(cluster.lab)

    def options(self, version: str, **variables: Any) -> dict[str, Any]:
        """The options of an upgrade to a version."""
        own = {"target": "nodes", "agent_images": [agent_image(version)], "agent_apply": str(APPLY)}
        # A busy machine measures restarts that take longer than these 5 s.
        return own | {"agent_pull_retries": 0, "agent_margin": 0} | variables

    def to(self, version: str, **variables: Any) -> Play:
        """The end of an upgrade to a version."""
        return self.cluster.play("cilium-upgrade.yml", **self.options(version, **variables))

    def back(self) -> Play:
        """The end of the rollback, by the command that a failure names."""
        return self.cluster.play("cilium-upgrade.yml", target="nodes", agent_rollback=True, agent_margin=0)

    @property
    def versions(self) -> list[str]:
        """The version that each node's agent runs, in the order of the nodes."""
        pods = self.cluster.pods("k8s-app=cilium")
        by_node = {pod["spec"]["nodeName"]: pod["spec"]["containers"][0]["image"] for pod in pods}
        return [by_node.get(name, "").partition("@")[0].rpartition(":v")[2] for name in self.nodes]

    @property
    def away(self) -> set[str]:
        """The nodes without an agent that is Ready."""
        pods = self.cluster.pods("k8s-app=cilium")
        conditions = {pod["spec"]["nodeName"]: (pod.get("status") or {}).get("conditions") or [] for pod in pods}
        return {
            name
            for name in self.nodes
            if not any(c["type"] == "Ready" and c["status"] == "True" for c in conditions.get(name, []))
        }

    @property
    def strategy(self) -> dict[str, Any]:
        """The update strategy of the agents' DaemonSet."""
        found = self.cluster.get("DaemonSet", "cilium", api_version="apps/v1", namespace=self.lab.settings.name)
        assert found
        strategy: dict[str, Any] = found["spec"]["updateStrategy"]
        return strategy

    def restart_bare(self, node: str, version: str) -> None:
        """What somebody does by hand: changes the DaemonSet, and deletes one node's agent."""
        image = agent_image(version)
        containers = {"initContainers": [{"name": "config", "image": image}]}
        containers["containers"] = [{"name": "cilium-agent", "image": image}]
        strategy = {"type": "OnDelete", "rollingUpdate": None}
        self.patch_daemonset({"updateStrategy": strategy, "template": {"spec": containers}})
        (pod,) = (pod for pod in self.cluster.pods("k8s-app=cilium") if pod["spec"]["nodeName"] == node)
        self.cluster.delete_pod(pod["metadata"]["name"])

    def patch_daemonset(self, spec: dict[str, Any]) -> None:
        """A strategic merge patch of the agents' DaemonSet by somebody else."""
        self.cluster.patch("DaemonSet", "cilium", {"spec": spec}, api_version="apps/v1")

    def is_as_before(self) -> bool:
        """Whether all nodes are in service, and the DaemonSet is as its chart has it, with nothing of ours left."""
        return (
            [self.cluster.state(node) for node in self.nodes] == [IN_SERVICE] * len(self.nodes)
            and self.strategy == {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 2}}
            and not self.cluster.pods("app.kubernetes.io/managed-by=hitless.nodes")
        )


@pytest.fixture
def upgrade(cluster: Cluster) -> Iterator[Upgrade]:
    """All agents of one version, which restart in 5 s."""
    found = Upgrade(cluster)
    cluster.knob('agents={"*": {"restart_seconds": 5}}')
    yield found
    assert len(set(found.versions)) == 1


def test_an_upgrade_of_all_nodes_loses_nothing(upgrade: Upgrade) -> None:
    cluster = upgrade.cluster
    cluster.knob('images={"*": {"pull_seconds": 3}}')

    with Probing(upgrade.lab, cluster.reports.parent / "probe.json") as probe:
        play = upgrade.to("1.19.1")
        probe.wait(requests=10_000, seconds=3)

    assert play.code == 0, play.output
    assert upgrade.versions == ["1.19.1"] * 3
    assert upgrade.is_as_before()
    assert probe.result["udp_sent"] >= 10_000
    assert probe.result["udp_lost"] == probe.result["tcp_failed"] == 0
    reports = [json.loads(path.read_text()) for path in cluster.reports.glob("*.json")]
    assert [report["outcome"] for report in reports] == ["upgrade"] * 3
    for report in reports:
        assert [phase["phase"] for phase in report["phases"]] == [
            "claimed",
            "restarted",
            "announced",
            "schedulable",
            "released",
        ]
        (agent,) = (entry["agent"] for entry in report["history"] if "agent" in entry)
        assert 5 <= agent["seconds"] < agent["budget"] == 20


def held(router: Machine, node: Machine) -> str:
    """What a router has of a VIP's path over a node: fresh, stale or nothing."""
    text = router.run(["vtysh", "-c", f"show bgp ipv4 unicast {s.VIPS4[0]} json"], timeout=300).stdout
    # The other router hands its own on, with the node as next hop; that one isn't marked.
    over = [
        bool(path.get("stale"))
        for path in json.loads(text).get("paths", [])
        if any(hop.get("ip") == node.address4 for hop in path["nexthops"])
    ]
    return "stale" if any(over) else "fresh" if over else "nothing"


def history(look: Callable[[], str], until: list[str], *, timeout: float = 600) -> list[str]:
    """What is seen one after the other, each once, until it ends like that."""
    seen: list[str] = []
    deadline = time.monotonic() + timeout
    while seen[-len(until) :] != until:
        assert time.monotonic() < deadline, f"in the end it was {seen}"
        seen += [now] if (now := look()) not in seen[-1:] else []
        time.sleep(0.25)
    return seen


@pytest.mark.long
def test_a_bare_restart_whose_image_must_be_pulled_loses_routes_and_packets_and_ours_does_not(upgrade: Upgrade) -> None:
    cluster, (first, second, third) = upgrade.cluster, upgrade.nodes
    node, router = upgrade.lab.machines[first], next(iter(upgrade.lab.routers.values()))
    cluster.knob('images={"*": {"pull_seconds": 30}}')
    cluster.knob(f'agents={{"*": {{"restart_seconds": 5}}, "{first}": {{"datapath_in_agent": true}}}}')

    with Probing(upgrade.lab, cluster.reports.parent / "bare.json") as bare:
        # The stand-ins look at their knobs a few times a second.
        bare.wait(seconds=2)
        upgrade.restart_bare(first, "1.18.7")
        # No session is up when the routes go: what ends them is the restart time (20 s), in the middle of the pull.
        seen = history(lambda: held(router, node), ["stale", "nothing", "fresh"])
        bare.wait(seconds=3)

    assert seen[-3:] == ["stale", "nothing", "fresh"]
    assert bare.result["udp_lost"] > 0

    # The same with ours; the datapath stays, as Cilium's does, so what could be lost is the routes.
    cluster.knob('agents={"*": {"restart_seconds": 5}}')
    zones = [cluster.label(name, ZONE, zone) for name, zone in ((second, "lab-b"), (third, "lab-b"))]
    hops = {machine.address4 for machine in upgrade.lab.nodes.values()}
    # Only these two announce the VIP of local-elsewhere.
    together = {"agent_batch": 2, "claim_min_announcers": 0}
    kept, away = [], []
    with Probing(upgrade.lab, cluster.reports.parent / "probe.json") as probe:
        process = cluster.start("cilium-upgrade.yml", **upgrade.options("1.18.8", **together))
        while process.poll() is None:
            kept.append(hops <= set(network.next_hops(router.netns, s.VIPS4[0])))
            away.append(upgrade.away)
            time.sleep(0.25)
        play = cluster.ended(process)
        probe.wait(requests=10_000, seconds=3)
    for name, zone in zip((second, third), zones, strict=True):
        cluster.label(name, ZONE, zone)

    assert play.code == 0, play.output
    assert upgrade.versions == ["1.18.8"] * 3
    assert all(kept)
    # The first one alone, and then those of one zone together.
    assert {first} in away
    assert {second, third} in away
    assert not any(first in names and len(names) > 1 for names in away)
    assert probe.result["udp_sent"] >= 10_000
    assert probe.result["udp_lost"] == probe.result["tcp_failed"] == 0
    upgrade.patch_daemonset({"updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 2}}})


@pytest.mark.long
def test_without_the_image_nothing_is_restarted(upgrade: Upgrade, tmp_path: Path) -> None:
    cluster, (first, second, _third) = upgrade.cluster, upgrade.nodes
    before = upgrade.versions
    cluster.knob(f'images={{"{second}": {{"fail": "denied"}}}}')

    play = upgrade.to("1.19.2")

    assert play.code != 0
    assert f"{second} (linux/amd64): {agent_image('1.19.2')}: ErrImagePull" in play.output
    assert upgrade.versions == before

    # Pulled, and removed before the restart, with the registry away.
    cluster.knob("images={}")
    lost = {"images": {first: {"removed": [agent_image("1.19.2").partition("@")[2]], "away": True}}}
    apply = tmp_path / "apply.yml"
    copy = {"content": json.dumps(lost), "dest": str(upgrade.lab.dir / "knobs.json"), "mode": "0644"}
    apply.write_text(
        json.dumps(
            [
                {"name": "Apply", "ansible.builtin.include_tasks": str(APPLY)},
                {"name": "Lose the image", "ansible.builtin.copy": copy},
            ]
        )
    )
    play = upgrade.to("1.19.2", agent_apply=str(apply), agent_image_timeout=3)

    assert play.code != 0
    assert f"{first}: it didn't prove within" in play.output
    assert "its agent was not restarted, and it was put back as it was" in play.output
    assert upgrade.versions == before
    assert [cluster.state(node) for node in upgrade.nodes] == [IN_SERVICE] * 3

    play = upgrade.back()
    assert play.code == 0, play.output
    assert upgrade.is_as_before()


@pytest.mark.long
def test_a_prefix_that_a_router_loses_during_a_restart_stops_the_roll(upgrade: Upgrade) -> None:
    first, second, third = upgrade.nodes
    (before,) = set(upgrade.versions)
    routers = upgrade.lab.routers.values()

    def keep_stale_paths(seconds: int) -> None:
        # The restart time that was negotiated, which the budget goes by, stays 20 s.
        line = f"bgp graceful-restart stalepath-time {seconds}"
        for router in routers:
            done = router.run(["vtysh", "-c", "configure terminal", "-c", f"router bgp {s.ROUTER_ASN}", "-c", line])
            assert done.returncode == 0, done.stdout + done.stderr

    keep_stale_paths(2)
    play = upgrade.to("1.18.6")
    keep_stale_paths(360)

    assert play.code != 0
    line = next(line for line in play.output.splitlines() if "prefixes were lost on router" in line and "roll" in line)
    assert f"{first}: " in line
    assert "s after its sessions went down" in line
    assert f"not touched: {second}, {third}" in line
    assert upgrade.versions == ["1.18.6", before, before]

    play = upgrade.to("1.18.6")
    assert play.code == 0, play.output
    assert upgrade.versions == ["1.18.6"] * 3
    assert upgrade.is_as_before()


@pytest.mark.long
def test_check_mode_writes_nothing_and_names_the_agents_that_would_be_restarted(upgrade: Upgrade) -> None:
    cluster, (first, second, third) = upgrade.cluster, upgrade.nodes
    (before,) = set(upgrade.versions)
    since = cluster.last_request()

    play = cluster.play("cilium-upgrade.yml", "--check", **upgrade.options("1.18.3"))

    assert play.code == 0, play.output
    assert (
        f"3 of 3 agents would be restarted, in this order: {first}; {second}; {third} (by their images" in play.output
    )
    assert f"{second}: its agent would be restarted, and the routers keep its routes for 20 s" in play.output
    assert cluster.playbooks_requests(since), "the playbook asked nothing"
    assert cluster.playbooks_writes(since) == []

    play = cluster.play("cilium-upgrade.yml", "--check", **upgrade.options(before))
    assert play.code == 0, play.output
    assert "0 of 3 agents would be restarted" in play.output
    assert upgrade.versions == [before] * 3
    assert upgrade.is_as_before()


@pytest.mark.long
def test_a_restart_over_the_budget_stops_the_roll_and_is_rolled_back(upgrade: Upgrade) -> None:
    cluster, (first, second, third) = upgrade.cluster, upgrade.nodes
    (before,) = set(upgrade.versions)
    cluster.knob(f'agents={{"{second}": {{"restart_seconds": 22}}}}')

    play = upgrade.to("1.18.9")

    assert play.code != 0
    line = next(line for line in play.output.splitlines() if "its agent was away for" in line and "roll back" in line)
    assert f"not touched: {third}" in line
    assert all(f"prefixes were lost on router {router}" in line for router in upgrade.lab.routers)
    assert (
        "roll back with: ansible-playbook hitless.nodes.cilium_upgrade -e target=nodes -e agent_rollback=true" in line
    )
    assert upgrade.versions == ["1.18.9", "1.18.9", before]
    assert cluster.state(first) == cluster.state(third) == IN_SERVICE
    assert upgrade.strategy["type"] == "OnDelete"

    cluster.knob("agents={}")
    play = upgrade.back()

    assert play.code == 0, play.output
    assert upgrade.versions == [before] * 3
    assert upgrade.is_as_before()


@pytest.mark.long
def test_killed_run_again_and_out_of_time(upgrade: Upgrade) -> None:
    cluster, (first, _second, third) = upgrade.cluster, upgrade.nodes
    (before,) = set(upgrade.versions)
    process = cluster.start("cilium-upgrade.yml", **upgrade.options("1.19.5"))
    cluster.kill_when(lambda: upgrade.versions[0] == "1.19.5", process)
    assert upgrade.strategy["type"] == "OnDelete"

    # The one that was begun is brought to its end; then what a node takes doesn't fit into what is left.
    until = (datetime.now(UTC) + timedelta(minutes=5)).isoformat()
    only = {"target": first, "maintenance_deadline": until, "maintenance_expected": 60}
    play = upgrade.to("1.19.5", **only)
    assert play.code == 0, play.output
    assert cluster.state(first) == IN_SERVICE
    play = upgrade.to("1.19.5", maintenance_deadline=until, maintenance_expected=600)
    assert play.code == 0, play.output
    assert "and no more is begun: the deadline ends" in play.output
    assert "resume with: ansible-playbook hitless.nodes.cilium_upgrade -e target=" in play.output
    assert upgrade.versions == ["1.19.5", before, before]

    refused = upgrade.to("1.19.5", agent_measured=[30])
    assert refused.code != 0
    assert "its restart may take 30 s" in refused.output
    assert upgrade.versions == ["1.19.5", before, before]
    assert cluster.state(third) == IN_SERVICE

    play = upgrade.to("1.19.5")
    assert play.code == 0, play.output
    assert upgrade.versions == ["1.19.5"] * 3
    assert upgrade.is_as_before()


@pytest.mark.long
def test_without_graceful_restart_it_is_refused_or_each_node_is_drained_and_nothing_is_lost(tmp_path: Path) -> None:
    settings = LabSettings(lab_name("e2eo"), scenario="off")
    cluster = Cluster(lifecycle.up(settings), tmp_path / "reports")
    try:
        upgrade = Upgrade(cluster)
        before = upgrade.versions
        cluster.knob('agents={"*": {"restart_seconds": 5}}')

        play = upgrade.to("1.19.1")

        assert play.code != 0
        assert (
            "graceful restart was not negotiated, so the routes are dropped as soon as the agent stops" in play.output
        )
        assert "or take each node out of service for its restart: without_gr=drain" in play.output
        assert upgrade.versions == before
        assert [cluster.state(node) for node in upgrade.nodes] == [IN_SERVICE] * 3

        with Probing(upgrade.lab, tmp_path / "probe.json") as probe:
            play = upgrade.to("1.19.1", without_gr="drain")
            probe.wait(requests=10_000, seconds=3)

        assert play.code == 0, play.output
        assert upgrade.versions == ["1.19.1"] * 3
        assert upgrade.is_as_before()
        assert probe.result["udp_sent"] >= 10_000
        assert probe.result["udp_lost"] == probe.result["tcp_failed"] == 0
    finally:
        lifecycle.down(settings.name)
    reports = [json.loads(path.read_text()) for path in cluster.reports.glob("*.json")]
    ways = [[p["phase"] for p in report["phases"]][:4] for report in reports if report["outcome"] == "upgrade"]
    assert ways == [["claimed", "drained", "withdrawn", "restarted"]] * 3
    assert lifecycle.leftovers(settings.name) == []


class Release:
    """The lab's agents as a Helm release."""

    def __init__(self, upgrade: Upgrade, folder: Path) -> None:
        self.upgrade = upgrade
        self.folder = folder
        self.namespace = upgrade.lab.settings.name
        (version,) = set(upgrade.versions)
        # The DaemonSet was there before: nothing of its template changes, so no agent is restarted.
        chart, values = package(folder, version), self.values(version)
        self._helm("upgrade", "--install", "--take-ownership", "cilium", str(chart), values=values)
        rights.grant(upgrade.lab, CHART_RIGHTS)

    def _helm(self, *arguments: str, values: dict[str, Any] | None = None) -> str:
        kubeconfig = self.upgrade.lab.api["admin_kubeconfig"]
        return helm(kubeconfig, "--namespace", self.namespace, *arguments, values=values)

    def values(self, version: str) -> dict[str, Any]:
        """What a user of the chart says about that version."""
        repository, _colon, tag = agent_image(version).partition(":")
        _tag, _at, digest = tag.partition("@")
        operator = {"image": {"repository": "registry.invalid/lab/operator"}}
        envoy = {"image": {"repository": "registry.invalid/lab/envoy"}}
        image = {"repository": repository, "digest": digest}
        return {"image": image, "nodeSelector": {LAB: self.namespace}, "operator": operator, "envoy": envoy}

    def to(self, version: str, *arguments: str, **variables: Any) -> Play:
        """The end of an upgrade by the chart of a version."""
        own = {
            "target": "nodes",
            "agent_chart": str(package(self.folder, version)),
            "agent_values": self.values(version),
            "agent_version": version,
            "agent_helm": program(),
            "agent_pull_retries": 0,
            "agent_margin": 0,
        }
        return self.upgrade.cluster.play("cilium-upgrade.yml", *arguments, **own | variables)

    @property
    def revisions(self) -> list[str]:
        """The chart of each revision, the oldest first."""
        return [each["chart"] for each in json.loads(self._helm("history", "cilium", "--output", "json"))]

    @property
    def own_values(self) -> dict[str, Any]:
        """The values of the release."""
        found: dict[str, Any] = json.loads(self._helm("get", "values", "cilium", "--output", "json"))
        return found

    @property
    def configured(self) -> str:
        """The version that the chart's ConfigMap is of."""
        found = self.upgrade.cluster.get("ConfigMap", "cilium-config", namespace=self.namespace)
        assert found
        version: str = found["data"]["version"]
        return version

    def end(self) -> None:
        """Removes what is of the chart alone; the agents' DaemonSet is the lab's."""
        names = [("v1", "Secret", f"sh.helm.release.v1.cilium.v{n + 1}") for n in range(len(self.revisions))]
        names += [("v1", "ConfigMap", "cilium-config"), ("apps/v1", "Deployment", "cilium-operator")]
        names += [("apps/v1", "DaemonSet", "cilium-envoy")]
        items = [
            {"apiVersion": api_version, "kind": kind, "metadata": {"name": name, "namespace": self.namespace}}
            for api_version, kind, name in names
        ]
        rights.revoke(self.upgrade.lab, json.dumps({"items": items}))
        rights.revoke(self.upgrade.lab, CHART_RIGHTS)


@pytest.fixture
def release(upgrade: Upgrade, tmp_path: Path) -> Iterator[Release]:
    found = Release(upgrade, tmp_path / "charts")
    yield found
    found.end()


@pytest.mark.long
def test_an_upgrade_by_chart_is_stopped_rolled_back_and_done(upgrade: Upgrade, release: Release) -> None:
    cluster, (_first, second, third) = upgrade.cluster, upgrade.nodes
    (before,) = set(upgrade.versions)
    after, old, new = "1.19.7", f"cilium-standin-{before}", "cilium-standin-1.19.7"
    assert upgrade.is_as_before()

    play = release.to(after, "--check")
    assert play.code == 0, play.output
    assert f"release cilium: {old} (revision 1) -> {new}; images: {agent_image(after)}, " in play.output
    assert (release.revisions, upgrade.strategy["type"]) == ([old], "RollingUpdate")

    # Too slow on the second node.
    cluster.knob(f'agents={{"*": {{"restart_seconds": 5}}, "{second}": {{"restart_seconds": 22}}}}')
    play = release.to(after)
    assert play.code != 0
    line = next(line for line in play.output.splitlines() if "its agent was away for" in line and "roll back" in line)
    assert f"not touched: {third}" in line
    assert "ansible-playbook hitless.nodes.cilium_upgrade -e target=nodes -e agent_rollback=true" in line
    assert upgrade.versions == [after, after, before]
    assert upgrade.strategy == {"type": "OnDelete"}
    assert (release.revisions, release.configured) == ([old, new], after)

    # Somebody changes the DaemonSet, and helm, which has applied the chart, sees no difference.
    agent = {"name": "cilium-agent", "image": agent_image(before)}
    first = {"name": "config", "image": agent_image(before)}
    upgrade.patch_daemonset({"template": {"spec": {"initContainers": [first], "containers": [agent]}}})
    play = release.to(after)
    assert play.code != 0
    assert f"helm has applied {new}, but the DaemonSet's images" in play.output
    assert upgrade.versions == [after, after, before]

    # All of the chart goes back, not the template alone; and its values are those of before.
    cluster.knob('agents={"*": {"restart_seconds": 5}}')
    play = cluster.play("cilium-upgrade.yml", target="nodes", agent_rollback=True, agent_margin=0, agent_helm=program())
    assert play.code == 0, play.output
    assert upgrade.versions == [before] * 3
    assert upgrade.is_as_before()
    assert (release.configured, release.own_values) == (before, release.values(before))
    assert release.revisions[-1] == old

    with Probing(upgrade.lab, cluster.reports.parent / "probe.json") as probe:
        play = release.to(after)
        probe.wait(seconds=3)
    assert play.code == 0, play.output
    assert upgrade.versions == [after] * 3
    assert upgrade.is_as_before()
    assert (release.configured, release.own_values) == (after, release.values(after))
    assert probe.result["udp_lost"] == probe.result["tcp_failed"] == 0

    # Again: nothing is left to do, for helm neither.
    revisions = release.revisions
    play = release.to(after)
    assert play.code == 0, play.output
    assert f"-> {new}, which is applied already" in play.output
    assert release.revisions == revisions
    assert upgrade.is_as_before()
