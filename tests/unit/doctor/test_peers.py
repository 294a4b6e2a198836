# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Stage 5: two sides that do not meet."""

from __future__ import annotations

import pytest
from ansible_collections.hitless.nodes.tests.unit.doctor_picture import (
    fails,
    is_unknown,
)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda p: p.instance.update(localASN=65000), "the node is AS 65000 (localASN), but router r1 expects 65432"),
        (lambda p: p.instance["peers"][0].update(peerASN=62000), "peerASN is 62000, but router r1 is AS 62112"),
        (lambda p: p.peer_config["spec"].update(authSecretRef="s"), "Cilium has a password for the session"),
        (lambda p: p.instance["peers"][0].update(peerConfigRef={"name": "x"}), "refers to it, but it doesn't exist"),
    ],
)
def test_two_sides_that_disagree(picture, change, said):
    change(picture)
    picture.secrets = [
        {"name": "s", "namespace": "kube-system", "exists": True, "keys": ["password"], "elsewhere": [], "reason": ""}
    ]
    picture.state, picture.up = "active", False
    fails(picture, 5, said)


def test_a_router_that_does_not_know_the_node_or_has_it_shut(picture):
    whole = picture.running
    picture.running = "\n".join(line for line in whole.splitlines() if "192.168.99.13" not in line)
    picture.state, picture.up = "active", False
    fails(picture, 5, "router r1 has no neighbour with an address of node n2 (192.168.99.13)")
    picture.running = whole.replace("neighbor KUBE remote-as", "neighbor KUBE shutdown\n neighbor KUBE remote-as")
    fails(picture, 5, "has the neighbour shut down")
    picture.running = picture.running.replace(
        " neighbor 192.168.99.13 peer-group KUBE", " bgp listen range 192.168.99.0/24 peer-group KUBE"
    )
    fails(picture, 5, "has the neighbour shut down")


def test_secret_without_the_key_or_out_of_sight(picture):
    picture.peer_config["spec"]["authSecretRef"] = "s"
    picture.running = picture.running.replace("KUBE remote-as 65432", "KUBE remote-as 65432\n neighbor KUBE password x")
    there = {"name": "s", "namespace": "kube-system", "exists": True, "keys": ["pw"], "elsewhere": [], "reason": ""}
    picture.secrets = [there]
    fails(picture, 5, "Secret kube-system/s has no key password (it has: pw)")
    picture.secrets = [{**there, "exists": None, "reason": "no right"}]
    # A session that is up proves that the secret is there.
    assert picture.diagnose()["verdict"] == "pass"
    picture.state, picture.up = "unknown", True
    assert picture.diagnose()["verdict"] == "pass"
    picture.up = False
    found = picture.diagnose()
    assert (found["verdict"], found["stage"]) == ("fail", 6)
    assert "its Secret s exists: no right" in picture.found(5, "unknown")[0]
    picture.secrets = [{**there, "keys": None, "reason": "its metadata doesn't name them"}]
    assert "aren't known: its metadata" in picture.found(5, "unknown")[0]


def test_missing_auth_secret_is_believed_unless_sessions_prove_the_opposite(picture):
    picture.peer_config["status"] = {"conditions": [picture.condition("cilium.io/MissingAuthSecret", "True", "s")]}
    assert picture.diagnose()["verdict"] == "pass"
    assert "so the Secret is there" in picture.found(5, "note")[0]
    picture.state = "active"
    fails(picture, 5, "MissingAuthSecret: s")


def test_a_router_outside_of_the_inventory_is_unknown(picture):
    picture.instance["peers"].append(
        {"name": "r9", "peerASN": 62112, "peerAddress": "192.168.99.9", "peerConfigRef": {"name": "tor"}}
    )
    is_unknown(picture, 5, "192.168.99.9 is no address of a router of the inventory")
    picture.instance["peers"][2]["peerAddress"] = None
    assert "Cilium discovers its address" in picture.found(5, "unknown")[0]
