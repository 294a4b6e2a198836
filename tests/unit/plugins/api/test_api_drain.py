# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Draining on a real HTTP API: what is evicted, what isn't, and what the drain lives through."""

from __future__ import annotations

import threading
from datetime import UTC, datetime

import pytest
from ansible_collections.hitless.nodes.plugins.module_utils import _client, _drain, _record
from ansible_collections.hitless.nodes.plugins.module_utils._drain import DrainError, cordon, drain, uncordon
from ansible_collections.hitless.nodes.plugins.module_utils._polling import Unfinished

NODE = "/api/v1/nodes/worker-3"
RUN = {"holder": "alice@bastion", "host": "bastion", "boot_id": "b", "pid_ns": "n", "pid": 1, "started": 1}


def params(**changes):
    defaults = {
        "name": "worker-3",
        "ignore_daemonsets": False,
        "delete_emptydir_data": False,
        "force": False,
        "disable_eviction": False,
        "grace_period": None,
        "timeout": 20.0,
        "max_parallel": 20,
        "_run": None,
        "_slice": None,
        "_state": None,
    }
    return {**defaults, **changes}


def claimed(api, *, unschedulable=False):
    """Puts a record on the node, as a claim would have."""
    before = {"unschedulable": unschedulable, "label": {"key": "enable-bgp", "value": "true"}}
    record = _record.new(RUN, before, {}, datetime.now(UTC))
    api.client.patch(NODE, _record.annotation(record))


def result_of(result, name):
    return next(pod["result"] for pod in result["pods"] if pod["name"] == name)


@pytest.mark.usefixtures("kubelet")
def test_drain_evicts_and_waits(api):
    api.node()
    for i in range(5):
        api.pod(f"web-{i}")
    api.pod("elsewhere", node="worker-1")
    result = drain(api.client, params(), check_mode=False)
    assert result["changed"]
    assert {pod["result"] for pod in result["pods"]} == {"gone"}
    assert all(pod["seconds"] > 0 for pod in result["pods"])
    assert api.names() == ["elsewhere"]
    assert api.client.get(NODE)["spec"]["unschedulable"] is True
    assert len(api.requests("POST", "/eviction")) == 5


def test_drain_of_an_empty_node_only_cordons(api):
    api.node()
    assert drain(api.client, params(), check_mode=False)["changed"]
    assert api.requests("GET", "watch") == []
    again = drain(api.client, params(), check_mode=False)
    assert (again["changed"], again["pods"]) == (False, [])


def test_drain_writes_nothing_in_check_mode(api):
    api.node()
    api.pod("web-1")
    before = len(api.requests("POST"))
    result = drain(api.client, params(), check_mode=True)
    assert (result["changed"], result["unschedulable"], result_of(result, "web-1")) == (True, True, "pending")
    assert (len(api.requests("POST")), api.requests("PATCH", "nodes")) == (before, [])


def test_drain_names_all_refusals_before_the_first_change(api):
    api.node()
    api.pod("web-1")
    api.pod("bare", owner=None)
    api.pod("agent", owner="DaemonSet")
    with pytest.raises(DrainError, match="2 of 3 pods mustn't be evicted, and nothing was changed") as caught:
        drain(api.client, params(), check_mode=False)
    assert sorted(caught.value.facts["refused"]) == ["shop/agent", "shop/bare"]
    assert "shop/bare: it has no controller" in caught.value.msg
    assert "shop/agent: its DaemonSet is gone" in caught.value.msg
    assert "unschedulable" not in api.client.get(NODE)["spec"]
    assert api.requests("PATCH", "nodes") == []


@pytest.mark.usefixtures("kubelet")
def test_drain_asks_for_each_daemonset_once(api):
    api.node()
    template = {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "i"}]}}
    template["spec"]["nodeSelector"] = {"nowhere": "true"}
    api.post(
        "/apis/apps/v1/namespaces/shop/daemonsets",
        {"metadata": {"name": "o"}, "spec": {"selector": {"matchLabels": {"a": "b"}}, "template": template}},
    )
    for i in range(3):
        api.pod(f"agent-{i}", owner="DaemonSet")
    result = drain(api.client, params(ignore_daemonsets=True), check_mode=False)
    assert {pod["result"] for pod in result["pods"]} == {"skipped"}
    assert len(api.requests("GET", "/daemonsets/o")) == 1


@pytest.mark.usefixtures("kubelet")
def test_drain_keeps_trying_behind_a_budget(api):
    api.node()
    for i in range(4):
        api.pod(f"web-{i}", labels={"app": "web"})
    api.budget("web", {"matchLabels": {"app": "web"}}, minAvailable=3)

    # Each replacement comes up elsewhere a moment after its predecessor went.
    stop = threading.Event()
    helper = api.connect()

    def replace():
        made = 0
        while not stop.wait(0.05):
            alive = [p for p in helper.list("/api/v1/pods")[0] if not p["metadata"].get("deletionTimestamp")]
            if len(alive) < 4:
                api.pod(f"new-{made}", node="worker-1", labels={"app": "web"})
                made += 1

    thread = threading.Thread(target=replace, daemon=True)
    thread.start()
    try:
        result = drain(api.client, params(timeout=40.0), check_mode=False)
    finally:
        stop.set()
        thread.join(5)
    assert {pod["result"] for pod in result["pods"]} == {"gone"}
    refused = [entry for entry in api.requests("POST", "/eviction") if entry["status"] == 429]
    assert refused
    assert len(refused) <= 3 + 40


@pytest.mark.usefixtures("kubelet")
def test_drain_says_what_a_budget_keeps_and_its_numbers(api):
    api.node()
    api.pod("web-1", labels={"app": "web"})
    api.pod("free-1")
    api.budget("web", {"matchLabels": {"app": "web"}}, minAvailable=1)
    with pytest.raises(DrainError) as caught:
        drain(api.client, params(timeout=2.5), check_mode=False)
    failure = caught.value
    assert "1 of 2 pods are still there after 2 s: shop/web-1 (PodDisruptionBudget shop/web: " in failure.msg
    assert "needs 1 healthy pods and has 1 currently" in failure.msg
    assert [pod["name"] for pod in failure.facts["pending"]] == ["web-1"]
    assert failure.facts["budgets"] == [
        {
            "namespace": "shop",
            "name": "web",
            "min_available": 1,
            "max_unavailable": None,
            "healthy": 1,
            "desired_healthy": 1,
            "pods": 1,
            "allowed": 0,
        }
    ]
    assert failure.facts["changed"]
    assert api.client.get(NODE)["spec"]["unschedulable"] is True
    # One try at the start, then at most one a second.
    assert len(api.requests("POST", "web-1/eviction")) <= 4


@pytest.mark.usefixtures("kubelet")
def test_drain_passes_budgets_over_only_when_told(api):
    api.node()
    api.pod("web-1", labels={"app": "web"})
    api.budget("web", {"matchLabels": {"app": "web"}}, minAvailable=1)
    result = drain(api.client, params(disable_eviction=True), check_mode=False)
    assert result_of(result, "web-1") == "gone"


@pytest.mark.usefixtures("kubelet")
def test_drain_says_which_finalizer_keeps_a_pod(api):
    api.node()
    api.pod("web-1", finalizers=["example.org/backup"])
    with pytest.raises(DrainError, match=r"web-1 \(terminating for \d s, held by finalizers example.org/backup\)"):
        drain(api.client, params(timeout=1.5), check_mode=False)


@pytest.mark.usefixtures("kubelet")
def test_drain_goes_on_when_the_api_is_back(api):
    api.node()
    for i in range(3):
        api.pod(f"web-{i}")
    api.fault(rules=[{"method": "POST", "path": "eviction", "status": 503, "count": 2}])
    timer = threading.Timer(0.2, lambda: api.fault(refuse=2))
    timer.start()
    result = drain(api.client, params(timeout=30.0), check_mode=False)
    timer.join()
    assert {pod["result"] for pod in result["pods"]} == {"gone"}


def test_drain_outlives_lost_watches(api):
    api.node()
    api.pod("web-1")

    def later():
        api.until(lambda: api.requests("GET", "watch"))
        api.fault(compact=True)
        api.fault(drop_watches=True)
        helper.delete("/api/v1/namespaces/shop/pods/web-1", {"gracePeriodSeconds": 0})

    helper = api.connect()
    thread = threading.Thread(target=later, daemon=True)
    thread.start()
    result = drain(api.client, params(), check_mode=False)
    thread.join()
    assert result_of(result, "web-1") == "gone"


@pytest.mark.usefixtures("kubelet")
def test_drain_without_the_right_to_watch_lists(api):
    api.node()
    api.pod("web-1")
    client = api.user(
        "lister",
        [
            {"apiGroups": [""], "resources": ["nodes"], "verbs": ["get", "patch"]},
            {"apiGroups": [""], "resources": ["pods"], "verbs": ["list"]},
            {"apiGroups": [""], "resources": ["pods/eviction"], "verbs": ["create"]},
        ],
    )
    assert result_of(drain(client, params(), check_mode=False), "web-1") == "gone"


def test_drain_without_the_right_to_evict_says_so_at_once(api):
    api.node()
    api.pod("web-1")
    client = api.user(
        "reader",
        [
            {"apiGroups": [""], "resources": ["nodes"], "verbs": ["get", "patch"]},
            {"apiGroups": [""], "resources": ["pods"], "verbs": ["list", "watch"]},
        ],
    )
    with pytest.raises(
        DrainError, match=r"and won't go: .*the right to create pods/eviction in namespace shop is missing"
    ):
        drain(client, params(timeout=300.0), check_mode=False)


def test_drain_stops_when_the_token_expires(api):
    api.node()
    api.pod("web-1", finalizers=["example.org/backup"])
    api.post("/api/v1/namespaces/shop/serviceaccounts", {"metadata": {"name": "ops"}})
    api.post(
        "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings",
        {
            "metadata": {"name": "ops"},
            "subjects": [{"kind": "ServiceAccount", "name": "ops", "namespace": "shop"}],
            "roleRef": {"kind": "ClusterRole", "name": "cluster-admin", "apiGroup": "rbac.authorization.k8s.io"},
        },
    )
    token = api.post("/api/v1/namespaces/shop/serviceaccounts/ops/token", {"spec": {}})["status"]["token"]
    client = api.connect(host=api.client.url, api_key=token, validate_certs=False, kubeconfig=None)

    def later():
        api.until(lambda: api.requests("GET", "watch"))
        api.fault(expire_tokens=True)
        api.fault(drop_watches=True)

    thread = threading.Thread(target=later, daemon=True)
    thread.start()
    with pytest.raises(_client.Unauthorized, match="has expired"):
        drain(client, params(timeout=300.0), check_mode=False)
    thread.join()


@pytest.mark.usefixtures("kubelet")
def test_drain_does_not_take_a_successor_for_the_pod(api):
    api.node()
    api.pod("db-0", owner="StatefulSet")
    helper = api.connect()

    def later():
        api.until(lambda: not helper.find("/api/v1/namespaces/shop/pods/db-0"))
        api.pod("db-0", node="worker-1", owner="StatefulSet")

    thread = threading.Thread(target=later, daemon=True)
    thread.start()
    result = drain(api.client, params(), check_mode=False)
    thread.join()
    assert result_of(result, "db-0") == "gone"
    assert api.names() == ["db-0"]


@pytest.mark.usefixtures("kubelet")
def test_drain_evicts_what_was_bound_during_the_cordon(api):
    api.node()
    api.pod("web-1", finalizers=["example.org/backup"])

    def later():
        api.until(lambda: api.requests("POST", "web-1/eviction"))
        api.pod("late-1")
        api.until(lambda: "late-1" not in api.names())
        api.client.patch("/api/v1/namespaces/shop/pods/web-1", {"metadata": {"finalizers": None}})

    thread = threading.Thread(target=later, daemon=True)
    thread.start()
    result = drain(api.client, params(), check_mode=False)
    thread.join()
    assert result_of(result, "late-1") == "gone"


def test_drain_hands_over_at_the_end_of_a_slice_and_goes_on(api):
    api.node()
    api.pod("web-1")
    api.pod("web-2")
    helper = api.connect()
    with pytest.raises(Unfinished) as caught:
        drain(api.client, params(_slice=0.5, _state={"elapsed": 0.0}), check_mode=False)
    pause = caught.value
    assert pause.progress.startswith("2 pods left: shop/web-1 (terminating for ")
    assert pause.result == {"changed": True}
    for name in ("web-1", "web-2"):
        helper.delete(f"/api/v1/namespaces/shop/pods/{name}", {"gracePeriodSeconds": 0})
    result = drain(
        api.client, params(_slice=12.0, _state={**pause.state, "elapsed": 5.0, "slices": 1}), check_mode=False
    )
    assert {pod["result"] for pod in result["pods"]} == {"gone"}
    assert all(pod["seconds"] >= 5 for pod in result["pods"])
    assert len(api.requests("POST", "/eviction")) == 2


def test_drain_counts_the_time_of_all_slices(api):
    api.node()
    api.pod("web-1")
    with pytest.raises(Unfinished) as caught:
        drain(api.client, params(timeout=30.0, _slice=0.1, _state={"elapsed": 0.0}), check_mode=False)
    with pytest.raises(DrainError, match="still there after 30 s"):
        drain(
            api.client,
            params(timeout=30.0, _slice=12.0, _state={**caught.value.state, "elapsed": 29.5, "slices": 1}),
            check_mode=False,
        )


def test_drain_refuses_a_node_that_another_run_holds(api):
    api.node()
    api.pod("web-1")
    claimed(api)
    with pytest.raises(_record.HeldError, match="held by alice@bastion since"):
        drain(api.client, params(_run={**RUN, "pid": 2}), check_mode=False)
    assert "unschedulable" not in api.client.get(NODE)["spec"]


@pytest.mark.usefixtures("kubelet")
def test_drain_notes_cordon_and_phase_in_the_record(api):
    api.node()
    api.pod("web-1")
    claimed(api)
    drain(api.client, params(_run=RUN), check_mode=False)
    record = _record.parse(api.client.get(NODE))
    assert [(entry["phase"], entry.get("unschedulable")) for entry in record["history"]] == [
        ("claimed", None),
        ("claimed", True),
        ("drained", None),
    ]
    # Cordon and record in one write, and the phase at the end.
    assert len(api.requests("PATCH", "nodes/worker-3")) == 3


def test_cordon(api):
    api.node()
    assert cordon(api.client, "worker-3", run=None, check_mode=True)["changed"]
    assert cordon(api.client, "worker-3", run=None, check_mode=False)["changed"]
    assert not cordon(api.client, "worker-3", run=None, check_mode=False)["changed"]


def test_uncordon(api):
    api.node()
    cordon(api.client, "worker-3", run=None, check_mode=False)
    assert uncordon(api.client, "worker-3", run=None, check_mode=False)["changed"]
    assert "unschedulable" not in api.client.get(NODE)["spec"]
    assert not uncordon(api.client, "worker-3", run=None, check_mode=False)["changed"]


def test_uncordon_leaves_a_node_that_was_cordoned_before_the_claim(api):
    api.node()
    cordon(api.client, "worker-3", run=None, check_mode=False)
    claimed(api, unschedulable=True)
    result = uncordon(api.client, "worker-3", run=RUN, check_mode=False)
    assert (result["changed"], result["kept_cordoned"], result["unschedulable"]) == (False, True, True)
    assert api.client.get(NODE)["spec"]["unschedulable"] is True


def test_uncordon_refuses_a_node_that_another_run_holds(api):
    api.node()
    cordon(api.client, "worker-3", run=None, check_mode=False)
    claimed(api, unschedulable=True)
    with pytest.raises(_record.HeldError):
        uncordon(api.client, "worker-3", run=None, check_mode=False)


@pytest.mark.parametrize(("count", "words"), [(1, "a"), (5, "a, a, a, a, a"), (7, "a, a, a, a, a, and 2 more")])
def test_shorten(count, words):
    assert _drain.shorten(["a"] * count) == words


def test_a_later_slice_of_a_drain_waits_for_an_api_that_is_away(api):
    api.node()
    api.pod("web-1")
    with pytest.raises(Unfinished) as caught:
        drain(api.client, params(_slice=0.1, _state={"elapsed": 0.0, "slices": 0}), check_mode=False)
    api.connect().delete("/api/v1/namespaces/shop/pods/web-1", {"gracePeriodSeconds": 0})
    api.fault(rules=[{"path": "nodes/worker-3", "status": 503, "count": 2}])
    state = {**caught.value.state, "elapsed": 1.0, "slices": 1}
    result = drain(api.client, params(_slice=12.0, _state=state), check_mode=False)
    assert result_of(result, "web-1") == "gone"


def test_a_later_slice_of_a_drain_hands_over_while_the_api_is_away(api):
    api.node()
    api.pod("web-1")
    with pytest.raises(Unfinished) as caught:
        drain(api.client, params(_slice=0.1, _state={"elapsed": 0.0, "slices": 0}), check_mode=False)
    api.fault(rules=[{"path": "nodes/worker-3", "status": 503}])
    state = {**caught.value.state, "elapsed": 1.0, "slices": 1}
    with pytest.raises(Unfinished, match="503") as again:
        drain(api.client, params(_slice=0.1, _state=state), check_mode=False)
    assert again.value.state["targets"] == caught.value.state["targets"]


def test_the_first_look_of_a_drain_fails_at_once(api):
    api.node()
    api.fault(rules=[{"path": "nodes/worker-3", "status": 503}])
    with pytest.raises(_client.ServerError):
        drain(api.client, params(timeout=300.0, _slice=12.0, _state={"elapsed": 0.0, "slices": 0}), check_mode=False)
