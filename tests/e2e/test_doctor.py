# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The doctor in a lab that is well, and in one with the errors of a published example configuration."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from conftest import HANGS, TOP, Cluster, Play, both_versions
from lab import rights
from lab.settings import ECHO_PORT, VIPS4
from lab.state import Lab

MANIFEST = TOP / "docs" / "manifests" / "doctor-rbac.yml"
SERVICE = "web"
ROLE = "node-role.kubernetes.io/control-plane"
UNIT = "/etc/systemd/system/frr.service.d/order.conf"
CIRCLE = "[Unit]\nAfter=network-online.target\nBefore=network.target\n"


@pytest.fixture
def doctor(cluster: Cluster) -> Iterator[Doctor]:
    # With both Secrets that PeerConfigs name here.
    manifest = MANIFEST.read_text().replace("[bgp-auth]", "[bgp-auth, example]")
    made = Doctor(cluster)
    # The agents say so a few seconds after the routers have the routes.
    until(made.says_established)
    rights.grant(cluster.lab, manifest)
    yield made
    rights.revoke(cluster.lab, manifest)


class Doctor:
    """Runs the playbook, and breaks what it looks at."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self.lab: Lab = cluster.lab
        self.name = cluster.lab.settings.name

    def run(self, **variables: Any) -> tuple[Play, dict[str, Any]]:
        """How the playbook ended, and what it wrote."""
        play = self.cluster.play("doctor.yml", cilium_namespace=self.name, **variables)
        assert play.recap["changed"] == 0, play.output
        return play, json.loads((self.cluster.reports / "bgp-doctor.json").read_text())

    def says_established(self) -> bool:
        """Whether Cilium says so of every session."""
        found = [self.cluster.get("CiliumBGPNodeConfig", node, api_version="cilium.io/v2") for node in self.lab.nodes]
        instances = [each for one in found if one for each in one.get("status", {}).get("bgpInstances", [])]
        states = [peer.get("peeringState") for instance in instances for peer in instance.get("peers", [])]
        return len(instances) == len(found) and set(states) == {"established"}

    def patch(self, kind: str, name: str, body: dict[str, Any], api_version: str = "cilium.io/v2") -> None:
        """A merge patch of an object without a namespace."""
        self.cluster._client.resources.get(api_version=api_version, kind=kind).patch(
            body=body, name=name, content_type="application/merge-patch+json"
        )

    def create(self, kind: str, body: dict[str, Any], *, api_version: str, namespace: str | None = None) -> None:
        """A new object."""
        resource = self.cluster._client.resources.get(api_version=api_version, kind=kind)
        resource.create(body={"apiVersion": api_version, "kind": kind, **body}, namespace=namespace)

    def delete(self, kind: str, name: str, *, api_version: str, namespace: str | None = None) -> None:
        """Removes it again."""
        self.cluster._client.resources.get(api_version=api_version, kind=kind).delete(name=name, namespace=namespace)

    def configure(self, router: str, *lines: str) -> None:
        """Lines of configuration on a router, for whose effect on routes it is waited."""
        arguments = [part for line in ("configure terminal", *lines) for part in ("-c", line)]
        done = self.machine(router).run(["vtysh", *arguments, "-c", "end", "-c", "clear bgp * soft in"], timeout=120)
        assert done.returncode == 0, done.stderr or done.stdout

    def machine(self, router: str) -> Any:
        """The machine of tor-1 or tor-2."""
        return self.lab.routers[self.lab.settings.machine(router)]

    def has(self, router: str, vip: str) -> bool:
        """Whether a router has a path to a VIP from a node."""
        done = self.machine(router).run(["vtysh", "-c", f"show bgp ipv4 unicast {vip} json"])
        return any(path["peer"]["type"] == "external" for path in json.loads(done.stdout or "{}").get("paths", []))


def until(condition: Callable[[], bool]) -> None:
    """Waits for what takes FRR or the stand-ins a moment."""
    deadline = time.monotonic() + HANGS
    while not condition():
        assert time.monotonic() < deadline, "it didn't happen"
        time.sleep(0.2)


@both_versions
def test_a_lab_that_is_well_passes_every_stage_and_nothing_is_written(doctor: Doctor) -> None:
    since = doctor.cluster.last_request()

    play, found = doctor.run(vip=VIPS4[0].partition("/")[0], check_port=ECHO_PORT)

    assert play.code == 0, play.output
    assert f"Service {doctor.name}/{SERVICE}" in found["stages"][0]["findings"][0]["subject"]
    assert [stage["status"] for stage in found["stages"]] == ["pass"] * 11
    assert not [each for stage in found["stages"] for each in stage["findings"] if each["level"] != "pass"]
    assert doctor.cluster.playbooks_writes(since) == []
    assert "<table>" in (doctor.cluster.reports / "bgp-doctor.html").read_text()


@both_versions
def test_the_errors_of_the_example_configuration_are_all_found(doctor: Doctor) -> None:
    config = doctor.cluster.get("CiliumBGPClusterConfig", f"{doctor.name}-bgp", api_version="cilium.io/v2")
    assert config
    before = config["spec"]
    with_role = {"metadata": {"labels": {ROLE: ""}}}
    stranger = {
        "name": "tor-9",
        "peerASN": 62112,
        "peerAddress": "192.168.1.1",
        "peerConfigRef": {"name": "example"},
    }
    instance = {**before["bgpInstances"][0], "peers": [*before["bgpInstances"][0]["peers"], stranger]}
    example = {
        "authSecretRef": "example",
        "families": [{"afi": "ipv4", "safi": "unicast", "advertisements": {"matchLabels": {"no": "such"}}}],
    }
    try:
        doctor.create("Namespace", {"metadata": {"name": "cilium-secrets"}}, api_version="v1")
        secret = {"metadata": {"name": "example"}, "data": {"password": "c2VjcmV0"}}
        doctor.create("Secret", secret, api_version="v1", namespace="cilium-secrets")
        peer_config = {"metadata": {"name": "example"}, "spec": example}
        doctor.create("CiliumBGPPeerConfig", peer_config, api_version="cilium.io/v2")
        for node in doctor.lab.nodes:
            doctor.patch("Node", node, with_role, "v1")
        until(lambda: all(_has_role(doctor, node) for node in doctor.lab.nodes))
        selector = {"matchLabels": {**before["nodeSelector"]["matchLabels"], ROLE: ""}}
        doctor.patch(
            "CiliumBGPClusterConfig",
            f"{doctor.name}-bgp",
            {"spec": {"nodeSelector": selector, "bgpInstances": [instance]}},
        )
        address = next(iter(doctor.lab.nodes.values())).address4
        doctor.configure(
            "tor-1",
            "route-map spare permit 10",
            "match ip address prefix-list nowhere",
            "exit",
            "router bgp 62112",
            f"neighbor {address} port 1790",
        )
        doctor.configure("tor-2", "ip prefix-list from-nodes seq 5 permit 198.51.100.0/24")
        doctor.machine("tor-1").write(UNIT, CIRCLE)
        doctor.machine("tor-1").run(["systemctl", "daemon-reload"], timeout=120)
        until(lambda: not doctor.has("tor-2", VIPS4[0]))

        play, found = doctor.run()
    finally:
        doctor.patch(
            "CiliumBGPClusterConfig", f"{doctor.name}-bgp", {"spec": {**before, "nodeSelector": _without_role(before)}}
        )
        for node in doctor.lab.nodes:
            doctor.patch("Node", node, {"metadata": {"labels": {ROLE: None}}}, "v1")
        doctor.delete("CiliumBGPPeerConfig", "example", api_version="cilium.io/v2")
        doctor.delete("Namespace", "cilium-secrets", api_version="v1")
        doctor.machine("tor-1").run(["rm", "-r", UNIT.rpartition("/")[0]])
        doctor.machine("tor-1").run(["systemctl", "daemon-reload"], timeout=120)
        doctor.configure("tor-2", "ip prefix-list from-nodes seq 5 permit 198.51.100.0/24 ge 32")
        doctor.configure("tor-1", "no route-map spare", "router bgp 62112", f"no neighbor {address} port 1790")
        until(lambda: doctor.has("tor-2", VIPS4[0]))

    assert play.code != 0
    assert (found["verdict"], found["stage"]) == ("fail", 4)
    for stage, words in (
        (4, ROLE),
        (5, "peerAddress 192.168.1.1 is no address of any router of the inventory"),
        (5, "/example, which doesn't exist"),
        (5, "the routers have different ports for it"),
        (7, "selects advertisements by no=such"),
        (8, "only lengths /24 pass"),
        (8, "ip prefix-list nowhere, which isn't defined"),
        (9, "Before=network.target"),
    ):
        assert any(words in each["reason"] for each in found["stages"][stage - 1]["findings"]), words
    assert "permit 198.51.100.0/24 le 32" in play.output


def _has_role(doctor: Doctor, node: str) -> bool:
    found = doctor.cluster.get("CiliumNode", node, api_version="cilium.io/v2")
    return bool(found) and ROLE in found["metadata"]["labels"]


def _without_role(spec: dict[str, Any]) -> dict[str, Any]:
    """The selector before, with what was added to it removed by the merge patch."""
    return {"matchLabels": {**spec["nodeSelector"]["matchLabels"], ROLE: None}}
