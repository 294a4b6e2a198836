# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from datetime import date

import pytest
from ansible_collections.hitless.nodes.plugins.module_utils.base.errors import HitlessError
from ansible_collections.hitless.nodes.plugins.module_utils.cilium.selection import (
    Config,
    Flip,
    SelectionError,
    deselects,
    is_system,
    judge,
    label_value,
)
from ansible_collections.hitless.nodes.plugins.module_utils.kube.labels import matches

LABELS = {"enable-bgp": "true", "rack": "r1", "kubernetes.io/hostname": "worker-3", "kubernetes.io/os": "linux"}


def config(selector, name="rack-1", kind="CiliumBGPClusterConfig", conditions=()):
    return Config(kind, name, selector, tuple(conditions))


def match_labels(**labels):
    return {"matchLabels": {key.replace("_", "-"): value for key, value in labels.items()}}


def expression(key, operator, *values):
    return {"matchExpressions": [{"key": key, "operator": operator, "values": list(values)}]}


def judged(*configs, labels=None, cilium_labels=..., label=None):
    labels = LABELS if labels is None else labels
    return judge(labels, labels if cilium_labels is ... else cilium_labels, list(configs), label=label)


@pytest.mark.parametrize(
    ("selector", "selects"),
    [
        (None, True),
        ({}, True),
        ({"matchLabels": {}}, True),
        ({"matchLabels": None, "matchExpressions": None}, True),
        (match_labels(enable_bgp="true"), True),
        (match_labels(enable_bgp="yes"), False),
        (match_labels(enable_bgp="true", rack="r2"), False),
        (match_labels(missing="true"), False),
        (expression("enable-bgp", "In", "yes", "true"), True),
        (expression("enable-bgp", "In", "yes"), False),
        (expression("missing", "In", "true"), False),
        (expression("enable-bgp", "NotIn", "false"), True),
        (expression("enable-bgp", "NotIn", "true"), False),
        (expression("missing", "NotIn", "true"), True),
        (expression("enable-bgp", "Exists"), True),
        (expression("missing", "Exists"), False),
        (expression("enable-bgp", "DoesNotExist"), False),
        (expression("missing", "DoesNotExist"), True),
        ({**match_labels(enable_bgp="true"), **expression("rack", "NotIn", "r1")}, False),
    ],
)
def test_matches(selector, selects):
    assert matches(selector, LABELS) is selects


def test_matches_refuses_an_operator_that_kubernetes_does_not_have():
    with pytest.raises(HitlessError, match="operator 'Gt'"):
        matches(expression("rack", "Gt", "1"), LABELS)


@pytest.mark.parametrize(
    ("selector", "labels", "flip"),
    [
        # The Cilium guide's own case, and the same with other values.
        (match_labels(enable_bgp="true"), LABELS, Flip("enable-bgp", "true", "false")),
        (match_labels(rack="r1"), LABELS, Flip("rack", "r1", None)),
        (expression("enable-bgp", "In", "true", "yes"), LABELS, Flip("enable-bgp", "true", "false")),
        (expression("enable-bgp", "In", "yes"), {"enable-bgp": "yes"}, Flip("enable-bgp", "yes", None)),
        # "false" would still be selected here, absence isn't.
        (expression("enable-bgp", "In", "true", "false"), LABELS, Flip("enable-bgp", "true", None)),
        # Selected by what isn't there.
        (expression("no-bgp", "NotIn", "true", "yes"), LABELS, Flip("no-bgp", None, "true")),
        (expression("enable-bgp", "NotIn", "no", "false"), LABELS, Flip("enable-bgp", "true", "false")),
        (expression("no-bgp", "DoesNotExist"), LABELS, Flip("no-bgp", None, "true")),
        # System labels beside one of its own: only the own one is a candidate.
        (
            {"matchLabels": {"kubernetes.io/os": "linux", "enable-bgp": "true"}},
            LABELS,
            Flip("enable-bgp", "true", "false"),
        ),
        # The same key twice.
        (
            {**match_labels(enable_bgp="true"), **expression("enable-bgp", "Exists")},
            LABELS,
            Flip("enable-bgp", "true", "false"),
        ),
        # Administrators' own labels under a prefix that kubelets can't write.
        (
            {"matchLabels": {"bgp.node-restriction.kubernetes.io/on": "true"}},
            {"bgp.node-restriction.kubernetes.io/on": "true"},
            Flip("bgp.node-restriction.kubernetes.io/on", "true", "false"),
        ),
    ],
)
def test_judge_finds_the_flip(selector, labels, flip):
    found = judged(config(selector), labels=labels)
    assert (found.selected, found.flip, found.problems) == (True, flip, ())


def test_judge_finds_the_way_back_of_a_node_that_is_out():
    found = judged(config(match_labels(enable_bgp="true")), labels={"enable-bgp": "false"})
    assert (found.selected, found.flip, found.problems) == (False, Flip("enable-bgp", "true", "false"), ())


def test_judge_finds_the_way_back_of_a_node_without_the_label():
    found = judged(config(match_labels(enable_bgp="true")), labels={})
    assert found.flip == Flip("enable-bgp", "true", None)


def test_judge_does_not_guess_the_way_back_among_several():
    found = judged(config(match_labels(rack="r1"), "a"), config(match_labels(rack="r2"), "b"), labels={})
    assert (found.selected, found.flip) == (False, None)


@pytest.mark.parametrize(
    ("configs", "words"),
    [
        ([], "no CiliumBGPClusterConfig and no CiliumBGPPeeringPolicy"),
        ([config(None)], "has no nodeSelector, so it selects every node"),
        ([config({})], "has no nodeSelector"),
        ([config(expression("enable-bgp", "Exists"))], "or set bgp_label=enable-bgp"),
        ([config({"matchLabels": {"kubernetes.io/hostname": "worker-3"}})], "kubernetes.io/hostname: such labels"),
        ([config({"matchLabels": {"kubernetes.io/os": "linux"}})], "belong to Kubernetes"),
        ([config(match_labels(enable_bgp="true", rack="r1"))], r"several labels \(enable-bgp, rack\): set bgp_label"),
        (
            [config(match_labels(enable_bgp="true"), "a"), config(match_labels(rack="r1"), "b")],
            "CiliumBGPClusterConfig a and CiliumBGPClusterConfig b both select the node",
        ),
        (
            [config(match_labels(enable_bgp="true")), config({}, "all")],
            "both select the node",
        ),
        (
            [config(match_labels(enable_bgp="true")), config(expression("enable-bgp", "NotIn", "true"), "rest")],
            "with enable-bgp=false, CiliumBGPClusterConfig rest would take the node over",
        ),
        (
            [
                config(match_labels(enable_bgp="true")),
                config(match_labels(rack="r1"), "old", kind="CiliumBGPPeeringPolicy"),
            ],
            "CiliumBGPClusterConfig rack-1 and CiliumBGPPeeringPolicy old both select the node",
        ),
        (
            [
                config(
                    match_labels(enable_bgp="true"),
                    conditions=[
                        {"type": "cilium.io/MissingPeerConfigs", "status": "True", "message": "no config tor"},
                        {"type": "cilium.io/NoMatchingNode", "status": "False"},
                    ],
                )
            ],
            "says cilium.io/MissingPeerConfigs: no config tor",
        ),
    ],
)
def test_judge_refuses(configs, words):
    with pytest.raises(AssertionError, match=words):
        raise AssertionError("; ".join(judged(*configs).problems))


def test_judge_takes_absence_where_false_would_be_taken_over():
    found = judged(config(match_labels(enable_bgp="true")), config(match_labels(enable_bgp="false"), "others"))
    assert (found.flip, found.problems) == (Flip("enable-bgp", "true", None), ())


def test_judge_removes_a_label_that_only_has_to_exist_when_it_is_named():
    found = judged(config(expression("enable-bgp", "Exists")), label="enable-bgp")
    assert (found.flip, found.problems) == (Flip("enable-bgp", "true", None), ())


def test_judge_refuses_a_label_that_says_off_and_selects_all_the_same():
    found = judged(config(expression("enable-bgp", "Exists")), labels={"enable-bgp": "False"}, label="enable-bgp")
    assert found.flip is None
    assert "looks like off" in found.problems[0]


def test_judge_takes_the_label_that_is_named_among_several():
    found = judged(config(match_labels(enable_bgp="true", rack="r1")), label="rack")
    assert (found.flip, found.problems) == (Flip("rack", "r1", None), ())


@pytest.mark.parametrize("label", ["missing", "False", "kubernetes.io/arch"])
def test_judge_refuses_a_named_label_that_nobody_selects_by(label):
    found = judged(config(match_labels(enable_bgp="true")), label=label)
    assert found.flip is None
    assert found.problems == (
        f"CiliumBGPClusterConfig rack-1 selects the node by enable-bgp, not by {label}: nothing would happen",
    )


def test_judge_refuses_a_named_system_label():
    found = judged(config({"matchLabels": {"kubernetes.io/os": "linux"}}), label="kubernetes.io/os")
    assert found.flip is None


def test_judge_refuses_a_label_that_the_cilium_node_does_not_carry():
    found = judged(config(match_labels(enable_bgp="true")), cilium_labels={"rack": "r1"})
    assert "label enable-bgp=true of the Node is enable-bgp absent on its CiliumNode" in found.problems[0]
    assert "exclude-node-label-patterns" in found.problems[0]


def test_judge_does_not_mind_other_labels_that_the_cilium_node_does_not_carry():
    assert judged(config(match_labels(enable_bgp="true")), cilium_labels={"enable-bgp": "true"}).problems == ()


def test_judge_refuses_a_node_without_a_cilium_node():
    found = judged(config(match_labels(enable_bgp="true")), cilium_labels=None)
    assert found.problems == ("there is no CiliumNode of this name: Cilium's agent has never run on the node",)


@pytest.mark.parametrize(
    ("key", "system"),
    [
        ("node-role.kubernetes.io/control-plane", True),
        ("kubernetes.io/hostname", True),
        ("topology.kubernetes.io/zone", True),
        ("beta.kubernetes.io/arch", True),
        ("node.k8s.io/x", True),
        ("enable-bgp", False),
        ("example.org/bgp", False),
        ("notkubernetes.io/bgp", False),
        ("node-restriction.kubernetes.io/bgp", False),
    ],
)
def test_is_system(key, system):
    assert is_system(key) is system


def test_deselects_says_who_still_selects():
    configs = [config(expression("enable-bgp", "In", "true", "no"))]
    assert deselects("enable-bgp", "false", LABELS, configs) is None
    assert deselects("enable-bgp", None, LABELS, configs) is None
    assert deselects("enable-bgp", "no", LABELS, configs) == (
        "with enable-bgp=no the node is still selected by CiliumBGPClusterConfig rack-1"
    )


@pytest.mark.parametrize(
    ("given", "text"),
    [
        (None, None),
        (False, "false"),
        (True, "true"),
        ("false", "false"),
        ("1.30", "1.30"),
        ("", ""),
        ("a" * 63, "a" * 63),
    ],
)
def test_label_value_is_what_was_meant(given, text):
    assert label_value(given) == text


@pytest.mark.parametrize("given", [1.3, 83, 0, date(2026, 3, 2), ["false"], {"a": 1}])
def test_label_value_refuses_what_was_retyped(given):
    with pytest.raises(SelectionError, match="a label's value is text"):
        label_value(given)


@pytest.mark.parametrize("given", ["a" * 64, "-x", "x-", "a b", "ä", "2026-03-02 00:00:00"])
def test_label_value_refuses_what_kubernetes_would(given):
    with pytest.raises(SelectionError, match="can't be a label's value"):
        label_value(given)
