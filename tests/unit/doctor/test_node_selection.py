# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Stage 4: nodes that are not selected, or selected twice."""

from __future__ import annotations

from ansible_collections.hitless.nodes.tests.unit.doctor_picture import (
    fails,
)
from ansible_collections.hitless.nodes.tests.unit.record_samples import RECORD, node, record


def test_nothing_selects(picture):
    for each in (*picture.nodes, *picture.cilium_nodes.values()):
        each["metadata"]["labels"] = {}
    picture.selected = []
    fails(picture, 4, "none of them is selected by CiliumBGPClusterConfig rack-1")


def test_a_node_out_of_service_is_no_problem_unless_it_was_asked_for(picture):
    for each in (picture.nodes[2], picture.cilium_nodes["n3"]):
        each["metadata"]["labels"] = {}
    picture.selected.remove("n3")
    assert picture.diagnose()["verdict"] == "pass"
    assert "n3: not selected" in picture.found(4, "note")[0]
    picture.targets = ["n3"]
    fails(picture, 4, "node n3: no ClusterConfig selects it")
    before = {**RECORD["before"], "uid": None}
    picture.nodes[2]["metadata"]["annotations"] = node(record(before=before))["metadata"]["annotations"]
    assert picture.diagnose()["verdict"] == "pass"
    assert "held by alice@bastion" in picture.found(4, "note")[0]


def test_label_that_has_not_reached_the_cilium_node(picture):
    picture.cilium_nodes["n2"]["metadata"]["labels"] = {}
    picture.selected.remove("n2")
    fails(picture, 4, "the agent on it hasn't copied them", "exclude-node-label-patterns")
    del picture.cilium_nodes["n2"]
    fails(picture, 4, "it has no CiliumNode")


def test_selected_without_node_config_and_the_other_way_round(picture):
    picture.selected.remove("n2")
    fails(picture, 4, "node n2: it is selected by CiliumBGPClusterConfig rack-1, but has no CiliumBGPNodeConfig")
    picture.selected = ["n1", "n2", "n3"]
    for each in (picture.nodes[1], picture.cilium_nodes["n2"]):
        each["metadata"]["labels"] = {}
    assert "it still has a CiliumBGPNodeConfig" in picture.found(4, "defect")[0]


def test_conditions_are_problems(picture):
    picture.config["status"] = {"conditions": [picture.condition("cilium.io/MissingPeerConfigs", "True", "tor-9")]}
    fails(picture, 4, "MissingPeerConfigs: tor-9")
    picture.config["status"] = {}
    picture.conditions["n1"] = [picture.condition("cilium.io/BGPReconcileError", "True", "bad")]
    fails(picture, 4, "node n1: its CiliumBGPNodeConfig says cilium.io/BGPReconcileError: bad")
