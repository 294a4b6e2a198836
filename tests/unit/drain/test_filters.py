# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from ansible_collections.hitless.nodes.plugins.module_utils.drain.filters import (
    Permissions,
    daemonset_of,
    is_ready,
    judge,
    overdue_in,
    skips_budgets,
)
from ansible_collections.hitless.nodes.plugins.module_utils.kube.pods import MIRROR_ANNOTATION, tolerates_cordon
from hypothesis import given
from hypothesis import strategies as st

# It has a kind DaemonSet of its own: https://openkruise.io/docs/user-manuals/advanceddaemonset
KRUISE = "apps.kruise.io/v1alpha1"
ALL = Permissions(ignore_daemonsets=True, delete_emptydir_data=True, force=True)


def pod(
    *,
    kind="ReplicaSet",
    api="apps/v1",
    phase="Running",
    emptydir=False,
    mirror=False,
    tolerations=(),
    is_controller=True,
):
    owners = [{"apiVersion": api, "kind": kind, "name": "owner", "controller": is_controller}] if kind else []
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
        (pod(kind="DaemonSet", api=KRUISE), Permissions(), "evict", "evictable"),
        (pod(kind="DaemonSet", api=KRUISE), Permissions(ignore_daemonsets=True), "evict", "evictable"),
        (pod(kind="DaemonSet", api=KRUISE, emptydir=True), Permissions(ignore_daemonsets=True), "refuse", "emptyDir"),
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
    assert daemonset_of(pod(kind="DaemonSet", api=KRUISE)) is None


@pytest.mark.parametrize("force", [True, False])
def test_a_foreign_kind_is_never_a_daemonset_that_is_gone(force):
    made = pod(kind="DaemonSet", api=KRUISE)
    found = judge(made, Permissions(ignore_daemonsets=True, force=force), daemonset_exists=False)
    assert (found.action, found.reason) == ("evict", "evictable")


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


NOW = datetime(2026, 3, 2, 22, 0, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("permissions", "reason"),
    [
        (Permissions(exclude_namespaces=("other", "shop")), "namespace shop is left out"),
        (Permissions(selector=(("app", "In", ("web",)),)), "pod_selector"),
        (Permissions(skip_wait=10), "should have ended by 2026-03-02T21:59:49Z"),
    ],
)
@pytest.mark.parametrize("made", [pod(), pod(kind=None), pod(kind="DaemonSet"), pod(emptydir=True)])
def test_judge_leaves_alone_whatever_the_pod_is(made, permissions, reason):
    made["metadata"]["deletionTimestamp"] = "2026-03-02T21:59:49Z"
    decision = judge(made, permissions, now=NOW)
    assert decision.action == "skip"
    assert reason in decision.reason


@pytest.mark.parametrize(("deleted", "seconds"), [("21:59:49Z", 0), ("21:59:50Z", 1), ("22:00:30Z", 41)])
def test_overdue_in_counts_whole_seconds_as_kubectl(deleted, seconds):
    # int(11.0) > 10 is the first moment at which kubectl passes it by.
    assert overdue_in(f"2026-03-02T{deleted}", 10, NOW) == seconds


def test_is_ready_and_skips_budgets():
    ready = {"status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}, "metadata": {}}
    assert is_ready(ready)
    assert not skips_budgets(ready)
    assert not is_ready({})
    assert skips_budgets({"status": {"phase": "Pending"}, "metadata": {}})
    assert skips_budgets({**ready, "metadata": {"deletionTimestamp": "2026-03-02T22:00:30Z"}})
