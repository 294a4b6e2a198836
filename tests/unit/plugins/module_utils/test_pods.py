# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.hitless.nodes.plugins.module_utils._pods import (
    MIRROR_ANNOTATION,
    Permissions,
    budget_numbers,
    budgets_of,
    daemonset_of,
    judge,
    tolerates_cordon,
)
from hypothesis import given
from hypothesis import strategies as st

ALL = Permissions(ignore_daemonsets=True, delete_emptydir_data=True, force=True)


def pod(*, kind="ReplicaSet", phase="Running", emptydir=False, mirror=False, tolerations=(), is_controller=True):
    owners = [{"kind": kind, "name": "owner", "controller": is_controller}] if kind else []
    return {
        "metadata": {
            "namespace": "shop",
            "name": "web-1",
            "uid": "u1",
            "ownerReferences": owners,
            "annotations": {MIRROR_ANNOTATION: "hash"} if mirror else {},
        },
        "spec": {
            "volumes": [{"name": "config", "configMap": {}}, *([{"name": "data", "emptyDir": {}}] if emptydir else [])],
            "tolerations": list(tolerations),
        },
        "status": {"phase": phase},
    }


@pytest.mark.parametrize(
    ("made", "permissions", "action", "reason"),
    [
        (pod(), Permissions(), "evict", "evictable"),
        (pod(kind="StatefulSet"), Permissions(), "evict", "evictable"),
        (pod(kind="Job", phase="Succeeded"), Permissions(), "evict", "finished"),
        (pod(kind=None, phase="Failed", emptydir=True), Permissions(), "evict", "finished"),
        (pod(kind="DaemonSet"), Permissions(), "refuse", "ignore_daemonsets"),
        (pod(kind="DaemonSet"), Permissions(ignore_daemonsets=True), "skip", "managed by a DaemonSet"),
        (pod(kind="DaemonSet", emptydir=True), Permissions(ignore_daemonsets=True), "skip", "managed by a DaemonSet"),
        (pod(kind="DaemonSet", phase="Failed"), Permissions(), "evict", "finished"),
        (pod(kind="Node", mirror=True), Permissions(), "skip", "static pod"),
        (pod(kind=None, mirror=True, emptydir=True), Permissions(), "skip", "static pod"),
        (pod(emptydir=True), Permissions(), "refuse", "delete_emptydir_data"),
        (pod(emptydir=True), Permissions(delete_emptydir_data=True), "evict", "evictable"),
        (pod(kind=None), Permissions(), "refuse", "force"),
        (pod(kind=None), Permissions(force=True), "evict", "force"),
        (pod(kind="ReplicaSet", is_controller=False), Permissions(), "refuse", "no controller"),
        (pod(kind=None, emptydir=True), Permissions(force=True), "refuse", "delete_emptydir_data"),
    ],
)
def test_judge(made, permissions, action, reason):
    decision = judge(made, permissions)
    assert decision.action == action
    assert reason in decision.reason


@pytest.mark.parametrize(
    ("permissions", "action"),
    [
        (Permissions(), "refuse"),
        (Permissions(ignore_daemonsets=True), "refuse"),
        (Permissions(force=True), "evict"),
        (ALL, "evict"),
    ],
)
def test_judge_a_pod_whose_daemonset_is_gone(permissions, action):
    assert judge(pod(kind="DaemonSet"), permissions, daemonset_exists=False).action == action


def test_judge_takes_a_pod_without_status_or_volumes():
    bare = {"metadata": {"namespace": "shop", "name": "x", "uid": "u"}, "spec": {}}
    assert judge(bare, Permissions(force=True)).action == "evict"


@given(
    kind=st.sampled_from([None, "ReplicaSet", "StatefulSet", "DaemonSet", "Job", "Node"]),
    is_controller=st.booleans(),
    phase=st.sampled_from(["Pending", "Running", "Succeeded", "Failed", "Unknown"]),
    emptydir=st.booleans(),
    mirror=st.booleans(),
    exists=st.booleans(),
    permissions=st.builds(Permissions, st.booleans(), st.booleans(), st.booleans()),
)
def test_judge_agrees_with_kubectls_rules(kind, is_controller, phase, emptydir, mirror, exists, permissions):
    """kubectl's four filters said once more, as a plain list of what stops a pod (pkg/drain/filters.go)."""
    finished = phase in ("Succeeded", "Failed")
    of_daemonset = kind == "DaemonSet" and is_controller
    controlled = kind is not None and is_controller
    stops = [
        ("refuse", of_daemonset and not finished and not exists and not permissions.force),
        ("refuse", of_daemonset and not finished and exists and not permissions.ignore_daemonsets),
        ("skip", of_daemonset and not finished and exists),
        ("skip", mirror),
        ("refuse", emptydir and not finished and not permissions.delete_emptydir_data),
        ("refuse", not controlled and not finished and not permissions.force),
    ]
    expected = next((action for action, applies in stops if applies), "evict")
    made = pod(kind=kind, is_controller=is_controller, phase=phase, emptydir=emptydir, mirror=mirror)
    assert judge(made, permissions, daemonset_exists=exists).action == expected


def test_daemonset_of():
    assert daemonset_of(pod(kind="DaemonSet")) == ("shop", "owner")
    assert daemonset_of(pod(kind="DaemonSet", phase="Succeeded")) is None
    assert daemonset_of(pod(kind="ReplicaSet")) is None


@pytest.mark.parametrize(
    ("toleration", "tolerates"),
    [
        ({"operator": "Exists"}, True),
        ({"operator": "Exists", "effect": "NoSchedule"}, True),
        ({"operator": "Exists", "effect": "NoExecute"}, False),
        ({"key": "node.kubernetes.io/unschedulable", "operator": "Exists"}, True),
        ({"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule"}, True),
        ({"key": "node.kubernetes.io/unschedulable", "value": "x"}, False),
        ({"key": "node.kubernetes.io/not-ready", "operator": "Exists"}, False),
        ({"operator": "Equal", "value": ""}, False),
    ],
)
def test_tolerates_cordon(toleration, tolerates):
    assert tolerates_cordon(pod(tolerations=[toleration])) is tolerates


def budget(name, selector):
    return {"metadata": {"namespace": "shop", "name": name}, "spec": {"maxUnavailable": 1, "selector": selector}}


def test_budgets_of():
    budgets = [
        budget("web", {"matchLabels": {"app": "web"}}),
        budget("all", {}),
        budget("nobody", None),
        budget("db", {"matchLabels": {"app": "db"}}),
        budget("some", {"matchExpressions": [{"key": "app", "operator": "In", "values": ["web", "api"]}]}),
    ]
    assert [found["metadata"]["name"] for found in budgets_of({"app": "web"}, budgets)] == ["web", "all", "some"]


def test_budget_numbers():
    made = budget("web", {}) | {
        "status": {"currentHealthy": 2, "desiredHealthy": 2, "expectedPods": 3, "disruptionsAllowed": 0}
    }
    assert budget_numbers(made) == {
        "namespace": "shop",
        "name": "web",
        "min_available": None,
        "max_unavailable": 1,
        "healthy": 2,
        "desired_healthy": 2,
        "pods": 3,
        "allowed": 0,
    }
