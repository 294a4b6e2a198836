# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.hitless.nodes.plugins.module_utils.drain.forecast import (
    last_endpoints,
    looks_vital,
    of_budgets,
    of_pods,
    warnings,
)
from ansible_collections.hitless.nodes.plugins.module_utils.drain.pdb import Budget


def pod(name, *, kind="ReplicaSet", owner="web", phase="Running", emptydir=False, **labels):
    owners = [{"kind": kind, "name": owner, "uid": "u", "controller": True}] if kind else []
    return {
        "metadata": {"namespace": "shop", "name": name, "uid": name, "labels": labels, "ownerReferences": owners},
        "spec": {"volumes": [{"emptyDir": {}}] if emptydir else []},
        "status": {"phase": phase},
    }


def test_of_pods_names_what_is_lost_for_good():
    pods = [
        pod("web-1"),
        pod("bare", kind=None),
        pod("cache", emptydir=True),
        pod("done", kind=None, phase="Succeeded", emptydir=True),
    ]
    found = of_pods(pods)
    assert (found["bare"], found["emptydir"]) == (["shop/bare"], ["shop/cache"])


def budget(name, app, **numbers):
    return Budget("shop", name, selector={"matchLabels": {"app": app}}, **numbers)


def test_of_budgets_names_pods_that_can_never_go():
    budgets = [
        budget("web", "web", min_available=1, healthy=2, desired=1, pods=2, allowed=1),
        budget("db", "db", max_unavailable=0, healthy=1, desired=1, pods=1, allowed=0),
        budget("db-too", "db", max_unavailable=1),
        budget("job", "job", max_unavailable=0),
        budget("elsewhere", "none", max_unavailable=0),
    ]
    pods = [pod("web-1", app="web"), pod("db-1", app="db"), pod("job-1", app="job"), pod("job-2", app="job")]
    pods[3]["status"]["phase"] = "Pending"
    found = of_budgets(pods, budgets)
    rows = {row["name"]: (row["pods_here"], row["never"], row["why"]) for row in found["budgets"]}
    assert rows == {
        "web": (["shop/web-1"], False, ""),
        "db": (["shop/db-1"], True, "maxUnavailable is 0"),
        "db-too": (["shop/db-1"], False, ""),
        "job": (["shop/job-1", "shop/job-2"], True, "maxUnavailable is 0"),
    }
    # job-2 is pending: the API server doesn't ask any budget about it.
    assert [(row["name"], row["budget"]) for row in found["never"]] == [
        ("db-1", "shop/db, shop/db-too"),
        ("job-1", "shop/job"),
    ]


def test_warnings_are_one_for_each_budget():
    never = [{"namespace": "shop", "name": f"web-{i}", "budget": "shop/web", "why": "so"} for i in range(5)]
    (line,) = warnings("worker-3", never)
    assert "PodDisruptionBudget shop/web doesn't let shop/web-0, shop/web-1, shop/web-2 and 2 more go" in line
    assert "change the budget or start more replicas" in line


def endpoint(name, *, node="worker-3", kind="Pod", **conditions):
    target = {"kind": kind, "namespace": "shop", "name": name}
    return {"nodeName": node, "targetRef": target, "conditions": conditions}


def slice_of(service, *endpoints):
    labels = {"kubernetes.io/service-name": service} if service else {}
    return {"metadata": {"namespace": "shop", "labels": labels}, "endpoints": list(endpoints)}


@pytest.mark.parametrize(
    ("slices", "last"),
    [
        ([slice_of("web", endpoint("web-1"))], True),
        ([slice_of("web", endpoint("web-1", ready=True))], True),
        # Not the last: another one, in another slice, of another node, or one that stays here.
        ([slice_of("web", endpoint("web-1"), endpoint("web-2", node="worker-1"))], False),
        ([slice_of("web", endpoint("web-1")), slice_of("web", endpoint("web-2", node="worker-1"))], False),
        ([slice_of("web", endpoint("web-1"), endpoint("agent-1"))], False),
        ([slice_of("web", endpoint("web-1"), endpoint("vm", kind="Machine"))], False),
        ([slice_of("web", endpoint("web-1"), endpoint("web-2", node="worker-1", ready=False))], True),
        # Nothing to lose: not ready here, no endpoints at all, a slice of no Service.
        ([slice_of("web", endpoint("web-1", ready=False))], False),
        ([{**slice_of("web"), "endpoints": None}], False),
        ([slice_of(None, endpoint("web-1"))], False),
    ],
)
def test_last_endpoints(slices, last):
    found = last_endpoints(slices, "worker-3", {"shop/web-1"})
    assert found == ([{"service": "shop/web", "pods": ["shop/web-1"]}] if last else [])


@pytest.mark.parametrize(
    ("made", "vital"),
    [
        (pod("coredns-1", **{"k8s-app": "kube-dns"}), True),
        (pod("x", owner="cilium-operator-7d9"), True),
        (pod("x", **{"app.kubernetes.io/name": "cert-operator"}), True),
        (pod("web-1", app="web"), False),
        (pod("bare", kind=None), False),
    ],
)
def test_looks_vital(made, vital):
    assert looks_vital(made) is vital
