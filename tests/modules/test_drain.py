# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Draining on a real HTTP API: what is evicted, what isn't, and what the drain lives through."""

from __future__ import annotations

import re
import threading
import time
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest
import yaml
from ansible_collections.hitless.nodes.plugins.module_utils.base.errors import HitlessError
from ansible_collections.hitless.nodes.plugins.module_utils.base.polling import Unfinished
from ansible_collections.hitless.nodes.plugins.module_utils.drain import evict, pdb, refusals
from ansible_collections.hitless.nodes.plugins.module_utils.drain.cordon import cordon, uncordon
from ansible_collections.hitless.nodes.plugins.module_utils.drain.drain import DrainError, drain
from ansible_collections.hitless.nodes.plugins.module_utils.kube import api_errors
from ansible_collections.hitless.nodes.plugins.module_utils.record import records
from api_calls import TIMEOUT, until_progress
from api_calls import drain_params as params

NODE = "/api/v1/nodes/worker-3"
RUN = {"holder": "alice@bastion", "host": "bastion", "boot_id": "b", "pid_ns": "n", "pid": 1, "started": 1}


@pytest.fixture(autouse=True)
def punctual(monkeypatch):
    """Slices end on time, unless a test is about that."""
    monkeypatch.setattr(evict, "OVERTIME", 0.0)


def until(api, words, **changes):
    """As until_progress, for a drain."""
    return until_progress(
        lambda state: drain(api.client, params(_slice=0.3, _state=state, **changes), check_mode=False), words
    )


def given_up(api, words, **changes):
    """The DrainError of a drain whose time, 20 s, is over when its progress line has these words."""
    state, _changed = until(api, words, **changes)
    with pytest.raises(DrainError) as caught:
        drain(api.client, params(timeout=20.0, _state={**state, "elapsed": 20.0}, **changes), check_mode=False)
    assert re.search(words, caught.value.msg), caught.value.msg
    return caught.value


def in_background(act):
    """The thread that does what happens meanwhile."""
    thread = threading.Thread(target=act, daemon=True)
    thread.start()
    return thread


def claimed(api, *, unschedulable=False):
    """Puts a record on the node, as a claim would have."""
    before = {
        "unschedulable": unschedulable,
        "label": {"key": "enable-bgp", "value": "true"},
        "addresses": ["192.0.2.13"],
    }
    record = records.new(RUN, before, {}, datetime.now(UTC))
    api.client.patch(NODE, records.annotation(record))


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
            alive = [p for p in helper.list_all("/api/v1/pods")[0] if not p["metadata"].get("deletionTimestamp")]
            if len(alive) < 4:
                api.pod(f"new-{made}", node="worker-1", labels={"app": "web"})
                made += 1

    thread = threading.Thread(target=replace, daemon=True)
    thread.start()
    try:
        result = drain(api.client, params(), check_mode=False)
    finally:
        stop.set()
        thread.join(5)
    assert {pod["result"] for pod in result["pods"]} == {"gone"}
    refused = [entry for entry in api.requests("POST", "/eviction") if entry["status"] == 429]
    (row,) = result["budgets"]
    # The watch tells when the next one may go: hardly anything is asked for in vain, else there's one question in 5 s.
    assert len(refused) <= 3 * 4 + row["blocked_seconds"] / pdb.BLIND_PAUSE
    assert (row["name"], row["refusals"], row["blocked_seconds"] > 0) == ("web", len(refused), True)
    assert [
        entry["query"]["watch"] for entry in api.requests("GET", "poddisruptionbudgets") if "watch" in entry["query"]
    ]


@pytest.mark.usefixtures("kubelet")
def test_drain_says_what_a_budget_keeps_and_its_numbers(api):
    api.node()
    api.pod("web-1", labels={"app": "web"})
    api.pod("free-1")
    api.budget("web", {"matchLabels": {"app": "web"}}, minAvailable=1)
    state, changed = until(api, "^.*1 of 2 pods gone, 1 waiting")
    assert changed
    with pytest.raises(DrainError) as caught:
        drain(api.client, params(timeout=20.0, _state={**state, "elapsed": 20.0}), check_mode=False)
    failure = caught.value
    assert "1 of 2 pods are still there after 20 s: shop/web-1 (PodDisruptionBudget shop/web: " in failure.msg
    assert "needs 1 healthy pods and has 1 currently" in failure.msg
    assert [pod["name"] for pod in failure.facts["pending"]] == ["web-1"]
    (row,) = failure.facts["budgets"]
    refused = len(api.requests("POST", "web-1/eviction"))
    assert row.pop("blocked_seconds") > 0
    assert row == {
        "namespace": "shop",
        "name": "web",
        "min_available": 1,
        "max_unavailable": None,
        "healthy": 1,
        "desired_healthy": 1,
        "pods": 1,
        "allowed": 0,
        "refusals": refused,
    }
    assert api.client.get(NODE)["spec"]["unschedulable"] is True


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
    given_up(api, r"web-1 \(terminating for \d+ s, held by finalizers example.org/backup\)")


@pytest.mark.usefixtures("kubelet")
def test_drain_goes_on_when_the_api_is_back(api):
    api.node()
    for i in range(3):
        api.pod(f"web-{i}")
    api.fault(rules=[{"method": "POST", "path": "eviction", "status": 503, "count": 2}])

    def later():
        api.until(lambda: api.requests("POST", "eviction"))
        api.fault(refuse=2)

    thread = in_background(later)
    result = drain(api.client, params(), check_mode=False)
    thread.join()
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
    with pytest.raises(api_errors.Unauthorized, match="has expired"):
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
    state, changed = until(api, r"0 of 2 pods gone, 2 terminating: shop/web-1.* \(terminating for ")
    assert changed
    for name in ("web-1", "web-2"):
        helper.delete(f"/api/v1/namespaces/shop/pods/{name}", {"gracePeriodSeconds": 0})
    result = drain(api.client, params(_slice=TIMEOUT, _state={**state, "elapsed": 5.0}), check_mode=False)
    assert {pod["result"] for pod in result["pods"]} == {"gone"}
    assert all(pod["seconds"] >= 5 for pod in result["pods"])
    assert len(api.requests("POST", "/eviction")) == 2


def test_a_slice_waits_a_little_for_pods_that_are_about_to_end(api, monkeypatch):
    api.node()
    api.pod("web-1")
    helper = api.connect()
    helper.delete("/api/v1/namespaces/shop/pods/web-1", {})
    monkeypatch.setattr(evict, "OVERTIME", TIMEOUT)

    def end_it_late():
        # After the slice, which begins before the watch does.
        api.until(lambda: api.requests("GET", "watch"))
        time.sleep(0.5)
        helper.delete("/api/v1/namespaces/shop/pods/web-1", {"gracePeriodSeconds": 0})

    thread = in_background(end_it_late)
    result = drain(api.client, params(_slice=0.1, _state={"elapsed": 0.0}), check_mode=False)
    thread.join()
    assert result_of(result, "web-1") == "gone"


def test_a_slice_does_not_wait_for_pods_that_a_budget_keeps(api, monkeypatch):
    api.node()
    # If it did, the whole time would be over.
    monkeypatch.setattr(evict, "OVERTIME", TIMEOUT)
    api.pod("web-2", labels={"app": "web"})
    api.budget("web", {"matchLabels": {"app": "web"}}, minAvailable=1)
    with pytest.raises(Unfinished, match="1 waiting"):
        drain(api.client, params(timeout=60.0, _slice=0.5, _state={"elapsed": 0.0}), check_mode=False)


def test_drain_counts_the_time_of_all_slices(api):
    api.node()
    api.pod("web-1")
    with pytest.raises(Unfinished) as caught:
        drain(api.client, params(timeout=30.0, _slice=0.1, _state={"elapsed": 0.0}), check_mode=False)
    with pytest.raises(DrainError, match="still there after 30 s"):
        drain(
            api.client,
            params(timeout=30.0, _slice=TIMEOUT, _state={**caught.value.state, "elapsed": 29.5, "slices": 1}),
            check_mode=False,
        )


def test_drain_refuses_a_node_that_another_run_holds(api):
    api.node()
    api.pod("web-1")
    claimed(api)
    with pytest.raises(records.HeldError, match="held by alice@bastion since"):
        drain(api.client, params(_run={**RUN, "pid": 2}), check_mode=False)
    assert "unschedulable" not in api.client.get(NODE)["spec"]


@pytest.mark.usefixtures("kubelet")
def test_drain_notes_cordon_and_phase_in_the_record(api):
    api.node()
    api.pod("web-1")
    claimed(api)
    drain(api.client, params(_run=RUN), check_mode=False)
    record = records.parse(api.client.get(NODE))
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
    with pytest.raises(records.HeldError):
        uncordon(api.client, "worker-3", run=None, check_mode=False)


def test_a_later_slice_of_a_drain_waits_for_an_api_that_is_away(api):
    api.node()
    api.pod("web-1")
    with pytest.raises(Unfinished) as caught:
        drain(api.client, params(_slice=0.1, _state={"elapsed": 0.0, "slices": 0}), check_mode=False)
    api.connect().delete("/api/v1/namespaces/shop/pods/web-1", {"gracePeriodSeconds": 0})
    api.fault(rules=[{"path": "nodes/worker-3", "status": 503, "count": 2}])
    state = {**caught.value.state, "elapsed": 1.0, "slices": 1}
    result = drain(api.client, params(_slice=TIMEOUT, _state=state), check_mode=False)
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
    with pytest.raises(api_errors.ServerError):
        drain(api.client, params(timeout=300.0, _slice=12.0, _state={"elapsed": 0.0, "slices": 0}), check_mode=False)


# --- options ---------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("kubelet")
def test_drain_leaves_namespaces_and_unselected_pods_alone(api):
    api.node()
    api.pod("web-1", labels={"app": "web"})
    api.pod("db-1", labels={"app": "db"})
    result = drain(api.client, params(pod_selector="app in (web, front)"), check_mode=False)
    assert (result_of(result, "web-1"), result_of(result, "db-1"), api.names()) == ("gone", "skipped", ["db-1"])
    left = drain(api.client, params(exclude_namespaces=["shop"]), check_mode=False)
    assert [pod["reason"] for pod in left["pods"]] == ["namespace shop is left out (drain_exclude_namespaces)"]
    assert api.names() == ["db-1"]


def test_drain_of_a_selector_that_is_none_changes_nothing(api):
    api.node()
    with pytest.raises(HitlessError, match="no label selector"):
        drain(api.client, params(pod_selector="app in web"), check_mode=False)
    assert api.requests("PATCH", "nodes") == []


def prioritized(api, name, priority, **metadata):
    owners = [{**api.owner, "kind": "ReplicaSet"}]
    spec = {"nodeName": "worker-3", "priority": priority, "containers": [{"name": "c", "image": "i"}]}
    body = {"metadata": {"name": name, "ownerReferences": owners, **metadata}, "spec": spec}
    api.post("/api/v1/namespaces/shop/pods", body)


@pytest.mark.usefixtures("kubelet")
def test_drain_by_priority_waits_for_the_less_important_pods(api):
    api.node()
    prioritized(api, "high", 1000)
    prioritized(api, "low-1", 0, finalizers=["example.org/backup"])
    prioritized(api, "low-2", 0)
    with pytest.raises(DrainError) as caught:
        drain(api.client, params(order="priority", timeout=0.5), check_mode=False)
    assert api.requests("POST", "high/eviction") == []
    assert "shop/high (its turn comes after pods of priority 0)" in caught.value.msg
    api.client.patch("/api/v1/namespaces/shop/pods/low-1", {"metadata": {"finalizers": None}})
    result = drain(api.client, params(order="priority"), check_mode=False)
    assert result_of(result, "high") == "gone"


def ends(api, name, *, seconds_ago):
    """Has a pod that nobody ends terminate: it should have ended so many seconds ago."""
    deleted = (datetime.now(UTC) - timedelta(seconds=seconds_ago)).strftime("%Y-%m-%dT%H:%M:%SZ")
    entry = api.emulator.store.table("pods.").items[("shop", name)]
    obj = entry.copy()
    obj["metadata"] |= {"deletionTimestamp": deleted, "deletionGracePeriodSeconds": 30}
    api.loop.call_soon_threadsafe(lambda: api.emulator.store.put("pods.", ("shop", name), obj))
    path = f"/api/v1/namespaces/shop/pods/{name}"
    api.until(lambda: api.client.get(path)["metadata"].get("deletionTimestamp") == deleted)


def test_drain_passes_by_pods_that_should_have_ended_long_ago(api):
    api.node()
    for name, seconds in (("dead-1", 60), ("dead-2", -3600)):
        api.pod(name)
        ends(api, name, seconds_ago=seconds)

    def later():
        api.until(lambda: api.requests("GET", "watch"))
        ends(api, "dead-2", seconds_ago=1)

    thread = in_background(later)
    result = drain(api.client, params(skip_wait_for_delete_timeout=2), check_mode=False)
    thread.join()
    rows = {pod["name"]: (pod["action"], pod["result"]) for pod in result["pods"]}
    # The first one at once, the second one when its time was over.
    assert rows == {"dead-1": ("skip", "skipped"), "dead-2": ("evict", "skipped")}
    assert "skip_wait_for_delete_timeout" in result["pods"][1]["reason"]
    assert api.requests("POST", "/eviction") == []


@pytest.mark.parametrize(
    ("cordoned", "record", "after", "words"),
    [
        (False, None, False, "the node is schedulable again"),
        (True, None, True, "the node stays cordoned, as it was before"),
        (False, False, False, "the node is schedulable again"),
        (True, False, False, "the node is schedulable again"),
        (True, True, True, "the node stays cordoned, as it was before"),
    ],
)
def test_drain_uncordons_after_a_failure_only_what_it_or_its_claim_cordoned(api, cordoned, record, after, words):
    api.node()
    api.pod("web-1")
    if cordoned:
        cordon(api.client, "worker-3", run=None, check_mode=False)
    if record is not None:
        claimed(api, unschedulable=record)
    run = None if record is None else RUN
    with pytest.raises(DrainError, match=words):
        drain(api.client, params(timeout=0.3, on_timeout="uncordon_and_fail", _run=run), check_mode=False)
    assert bool(api.client.get(NODE)["spec"].get("unschedulable")) is after


def test_drain_remembers_from_slice_to_slice_that_it_cordoned(api):
    api.node()
    api.pod("web-1")
    options = {"timeout": 3.0, "on_timeout": "uncordon_and_fail"}
    with pytest.raises(Unfinished) as caught:
        drain(api.client, params(_slice=0.2, _state={"elapsed": 0.0}, **options), check_mode=False)
    state = {**caught.value.state, "elapsed": 2.9, "slices": 1}
    with pytest.raises(DrainError, match="the node is schedulable again"):
        drain(api.client, params(_slice=TIMEOUT, _state=state, **options), check_mode=False)


def test_drain_says_when_uncordoning_fails(api):
    api.node()
    api.pod("web-1")
    client = api.user("evictor", [*RIGHTS, EVENTS])
    options = {"timeout": 20.0, "on_timeout": "uncordon_and_fail"}
    with pytest.raises(Unfinished) as caught:
        drain(client, params(_slice=0.1, _state={"elapsed": 0.0}, **options), check_mode=False)
    api.fault(rules=[{"method": "PATCH", "path": "nodes/worker-3", "status": 500}])
    state = {**caught.value.state, "elapsed": 20.0, "slices": 1}
    with pytest.raises(DrainError, match=r"the node stays cordoned, uncordoning it failed: .*500"):
        drain(client, params(_state=state, **options), check_mode=False)


# --- the forecast ----------------------------------------------------------------------------------------------------


def endpoints(api, service, *pods):
    """An EndpointSlice: (pod, node) pairs, all ready."""
    made = [
        {"addresses": ["192.0.2.1"], "nodeName": node, "targetRef": {"kind": "Pod", "namespace": "shop", "name": pod}}
        for pod, node in pods
    ]
    labels = {"kubernetes.io/service-name": service}
    body = {"metadata": {"name": f"{service}-x", "labels": labels}, "addressType": "IPv4", "endpoints": made}
    api.post("/apis/discovery.k8s.io/v1/namespaces/shop/endpointslices", body)


def test_the_forecast_is_the_result_of_check_mode(api):
    api.node()
    api.pod("web-1", labels={"app": "web"})
    api.pod("web-2", labels={"app": "web"})
    api.pod("db-1", labels={"app": "db"})
    api.pod("bare-1", owner=None)
    api.budget("web", {"matchLabels": {"app": "web"}}, minAvailable=1)
    api.budget("db", {"matchLabels": {"app": "db"}}, minAvailable=1)
    endpoints(api, "web", ("web-1", "worker-3"), ("web-2", "worker-3"))
    endpoints(api, "db", ("db-1", "worker-3"), ("db-2", "worker-1"))
    result = drain(api.client, params(force=True), check_mode=True)
    ahead = result["forecast"]
    assert [(row["name"], row["allowed"], len(row["pods_here"]), row["never"]) for row in ahead["budgets"]] == [
        ("db", 0, 1, True),
        ("web", 1, 2, False),
    ]
    why = "minAvailable is 1, which needs 1 of its 1 pods"
    assert ahead["never"] == [{"namespace": "shop", "name": "db-1", "budget": "shop/db", "why": why}]
    assert ahead["bare"] == ["shop/bare-1"]
    assert ahead["last_endpoints"] == [{"service": "shop/web", "pods": ["shop/web-1", "shop/web-2"]}]
    assert any("PodDisruptionBudget shop/db doesn't let shop/db-1 go" in line for line in result["warnings"])
    assert api.requests("PATCH", "nodes") == []
    assert api.requests("POST", "/events") == []


def test_the_forecast_names_vital_controllers_that_are_all_here(api):
    api.node()
    for name, node in (("dns-1", "worker-3"), ("dns-2", "worker-3"), ("app-1", "worker-3")):
        hashed = {"k8s-app": "kube-dns"} if name.startswith("dns") else {"app": "web"}
        api.pod(name, node=node, labels={**hashed, "pod-template-hash": "5d4b"})
    # app-1 has the same owner, and isn't vital: it is another pod of that ReplicaSet, so not all are here.
    before = drain(api.client, params(), check_mode=True)["forecast"]["all_replicas_here"]
    api.client.delete("/api/v1/namespaces/shop/pods/app-1", {"gracePeriodSeconds": 0})
    after = drain(api.client, params(), check_mode=True)["forecast"]["all_replicas_here"]
    assert before == []
    assert after == [{"what": "ReplicaSet shop/o", "pods": ["shop/dns-1", "shop/dns-2"]}]


def test_the_forecast_is_told_with_the_refusals(api):
    api.node()
    api.pod("bare-1", owner=None)
    with pytest.raises(DrainError) as caught:
        drain(api.client, params(), check_mode=True)
    assert caught.value.facts["forecast"]["bare"] == ["shop/bare-1"]


RIGHTS = [
    {"apiGroups": [""], "resources": ["nodes"], "verbs": ["get", "patch"]},
    {"apiGroups": [""], "resources": ["pods"], "verbs": ["list", "watch"]},
    {"apiGroups": [""], "resources": ["pods/eviction"], "verbs": ["create"]},
]
EVENTS = {"apiGroups": [""], "resources": ["events"], "verbs": ["create"]}
BUDGETS = {"apiGroups": ["policy"], "resources": ["poddisruptionbudgets"], "verbs": ["list"]}


@pytest.mark.usefixtures("kubelet")
def test_missing_rights_to_extras_are_one_warning_each(api):
    api.node()
    api.pod("web-1", labels={"app": "web"})
    client = api.user("poor", RIGHTS)
    result = drain(client, params(), check_mode=False)
    assert result_of(result, "web-1") == "gone"
    incomplete, events = result["warnings"]
    assert "the forecast is incomplete: " in incomplete
    assert "list poddisruptionbudgets" in incomplete
    assert "list endpointslices" in incomplete
    assert "no Event could be written" in events
    # One was refused, and no other was tried.
    assert len(api.requests("POST", "/events")) == 1


@pytest.mark.usefixtures("kubelet")
def test_the_rights_of_the_manifest_are_enough(api):
    manifest = Path(__file__).resolve().parents[2] / "docs" / "manifests" / "rbac.yml"
    for item in yaml.safe_load(manifest.read_text())["items"]:
        group = f"/apis/{item['apiVersion']}" if "/" in item["apiVersion"] else f"/api/{item['apiVersion']}"
        namespace = item["metadata"].get("namespace")
        place = f"{group}/namespaces/{namespace}" if namespace else group
        api.post(f"{place}/{item['kind'].lower()}s", item)
    account = "/api/v1/namespaces/hitless/serviceaccounts/node-maintenance"
    token = api.post(f"{account}/token", {"spec": {}})["status"]["token"]
    client = api.connect(host=api.client.url, api_key=token, validate_certs=False, kubeconfig=None)
    api.node()
    api.pod("web-1", labels={"app": "web"})
    api.pod("dns-1", labels={"k8s-app": "kube-dns", "pod-template-hash": "5d4b"})
    api.budget("web", {"matchLabels": {"app": "web"}}, minAvailable=1)
    thread = in_background(lambda: lift_when_told(api))
    result = drain(client, params(), check_mode=False)
    thread.join()
    assert {pod["result"] for pod in result["pods"]} == {"gone"}
    # The budget's: nothing is missing.
    assert ["never" in line or "doesn't let" in line for line in result["warnings"]] == [True]
    assert [entry["path"] for entry in api.requests() if entry["status"] == 403] == []


# --- events ----------------------------------------------------------------------------------------------------------


def told(api):
    return [(event["reason"], event["type"]) for event in api.client.list_all("/api/v1/namespaces/default/events")[0]]


def lift_when_told(api):
    """Lifts the budget web when the drain has said that it is blocked."""
    api.until(lambda: ("DrainBlocked", "Warning") in told(api))
    api.client.patch(PDB, {"spec": {"minAvailable": 0}})


@pytest.mark.usefixtures("kubelet")
def test_events_on_the_node_tell_the_story(api):
    api.node()
    api.pod("web-1", labels={"app": "web"})
    api.pod("web-2", labels={"app": "web"})
    api.pod("web-3", node="worker-1", labels={"app": "web"})
    api.budget("web", {"matchLabels": {"app": "web"}}, minAvailable=3)
    thread = in_background(lambda: lift_when_told(api))
    drain(api.client, params(), check_mode=False)
    thread.join()
    assert sorted(told(api)) == [("DrainBlocked", "Warning"), ("DrainFinished", "Normal"), ("DrainStarted", "Normal")]
    (blocked,) = [
        e for e in api.client.list_all("/api/v1/namespaces/default/events")[0] if e["reason"] == "DrainBlocked"
    ]
    assert blocked["involvedObject"] == {"apiVersion": "v1", "kind": "Node", "name": "worker-3", "uid": "worker-3"}
    assert "PodDisruptionBudget shop/web keeps shop/web-" in blocked["message"]
    assert "needs 3 healthy pods and has 3 currently, 0 may go" in blocked["message"]


def test_a_failed_drain_is_an_event_and_a_drained_node_is_none(api):
    api.node()
    api.pod("web-1")
    with pytest.raises(DrainError):
        drain(api.client, params(timeout=0.3), check_mode=False)
    assert ("DrainFailed", "Warning") in told(api)
    api.client.delete("/api/v1/namespaces/shop/pods/web-1", {"gracePeriodSeconds": 0})
    before = len(told(api))
    drain(api.client, params(), check_mode=False)
    assert len(told(api)) == before


# --- refusals --------------------------------------------------------------------------------------------------------

PDB = "/apis/policy/v1/namespaces/shop/poddisruptionbudgets/web"


@pytest.mark.usefixtures("kubelet")
@pytest.mark.parametrize("fault", [{"compact": True}, {"drop_watches": True}, {"refuse": 0.5}])
def test_a_budget_that_is_lifted_lets_its_pod_go_though_the_watch_was_lost(api, fault):
    api.node()
    api.pod("web-1", labels={"app": "web"})
    api.budget("web", {"matchLabels": {"app": "web"}}, minAvailable=1)

    def later():
        api.until(lambda: [e for e in api.requests("GET", "poddisruptionbudgets") if "watch" in e["query"]])
        api.fault(**fault)
        api.until(lambda: lifted(helper))

    def lifted(client):
        try:
            return client.patch(PDB, {"spec": {"minAvailable": 0}})
        except HitlessError:
            return None

    helper = api.connect()
    thread = threading.Thread(target=later, daemon=True)
    thread.start()
    result = drain(api.client, params(), check_mode=False)
    thread.join()
    assert result_of(result, "web-1") == "gone"


@pytest.mark.usefixtures("kubelet")
@pytest.mark.parametrize("rules", [[BUDGETS], []])
def test_budgets_are_waited_for_without_the_right_to_watch_or_list_them(api, rules):
    api.node()
    api.pod("web-1", labels={"app": "web"})
    api.budget("web", {"matchLabels": {"app": "web"}}, minAvailable=1)
    client = api.user("poor", [*RIGHTS, *rules])

    def later():
        api.until(lambda: len(api.requests("POST", "web-1/eviction")) > 1)
        helper.patch(PDB, {"spec": {"minAvailable": 0}})

    helper = api.connect()
    thread = threading.Thread(target=later, daemon=True)
    thread.start()
    result = drain(client, params(), check_mode=False)
    thread.join()
    assert result_of(result, "web-1") == "gone"
    moments = [entry["t"] for entry in api.requests("POST", "web-1/eviction")]
    assert all(later - earlier > refusals.PAUSE - 0.01 for earlier, later in pairwise(moments)), moments
    # The name is in the server's words, too.
    assert [(row["namespace"], row["name"]) for row in result["budgets"]] == [("shop", "web")]


@pytest.mark.usefixtures("kubelet")
def test_two_budgets_are_both_named_and_one_less_lets_the_pod_go(api):
    api.node()
    api.pod("web-1", labels={"app": "web"})
    for name in ("web", "all"):
        api.budget(name, {"matchLabels": {"app": "web"}}, minAvailable=0)
    given_up(api, "more than one PodDisruptionBudget protects it, .*: shop/all and shop/web")

    def later():
        api.until(lambda: [e for e in api.requests("POST", "web-1/eviction") if e["status"] == 500][1:])
        helper.delete(PDB, {})

    helper = api.connect()
    thread = threading.Thread(target=later, daemon=True)
    thread.start()
    result = drain(api.client, params(), check_mode=False)
    thread.join()
    assert result_of(result, "web-1") == "gone"


@pytest.mark.usefixtures("kubelet")
def test_a_budget_that_came_after_the_start_is_found(api):
    api.node()
    api.pod("web-1", labels={"app": "web"})
    post = api.client.post
    left = ["web"]

    def late(path, body):
        if path.endswith("web-1/eviction") and left:
            api.budget(left.pop(), {"matchLabels": {"app": "web"}}, minAvailable=1)
        return post(path, body)

    api.client.post = late
    given_up(api, "PodDisruptionBudget shop/web: needs 1 healthy pods")


@pytest.mark.usefixtures("kubelet")
def test_flow_control_stops_all_questions_for_as_long_as_it_says(api):
    api.node()
    for i in range(5):
        api.pod(f"web-{i}")
    api.fault(rules=[{"method": "POST", "path": "eviction", "status": 429, "retry_after": 2, "count": 1}])
    # One at a time, so that nothing else is under way when the server says that it is busy.
    result = drain(api.client, params(max_parallel=1), check_mode=False)
    assert {pod["result"] for pod in result["pods"]} == {"gone"}
    first, second = [entry["t"] for entry in api.requests("POST", "/eviction")][:2]
    assert second - first >= 2
    assert result["budgets"] == []


WEBHOOK = 'pods "web-1" is forbidden: admission webhook "evict.example.org" denied the request: VM is moving'


@pytest.mark.usefixtures("kubelet")
@pytest.mark.parametrize("status", [403, 429])
def test_a_webhook_that_refuses_is_named_and_asked_again(api, status):
    api.node()
    api.pod("web-1")
    rule = {"method": "POST", "path": "web-1/eviction", "status": status, "message": WEBHOOK}
    api.fault(rules=[rule])
    given_up(api, r"shop/web-1 \(admission webhook evict.example.org refuses: VM is")
    api.fault(clear=True, rules=[{**rule, "count": 1}])
    assert result_of(drain(api.client, params(), check_mode=False), "web-1") == "gone"


@pytest.mark.usefixtures("kubelet")
def test_a_namespace_that_is_being_deleted_takes_its_pods_along(api):
    api.node()
    api.pod("web-1")
    # In the moment in which the namespace is deleted already, and the pod isn't.
    causes = [{"reason": "NamespaceTerminating", "message": "namespace shop is being terminated"}]
    rule = {"method": "POST", "path": "web-1/eviction", "status": 403, "message": "no new content", "causes": causes}
    api.fault(rules=[rule])
    given_up(api, "its namespace is being deleted, and it will be with it")

    def later():
        api.until(lambda: len(api.requests("POST", "web-1/eviction")) > 1)
        helper.delete("/api/v1/namespaces/shop/pods/web-1", {})

    helper = api.connect()
    thread = threading.Thread(target=later, daemon=True)
    thread.start()
    result = drain(api.client, params(), check_mode=False)
    thread.join()
    assert result_of(result, "web-1") == "gone"


@pytest.mark.usefixtures("kubelet")
def test_a_budget_whose_status_lags_is_waited_for_until_the_watch_shows_it(api, monkeypatch):
    api.node()
    api.pod("web-1", labels={"app": "web"})
    api.fault(pdb_lag=TIMEOUT)
    spec = {"selector": {"matchLabels": {"app": "web"}}, "minAvailable": 0}
    made = api.post(PDB.rpartition("/")[0], {"metadata": {"name": "web"}, "spec": spec})
    with pytest.raises(Unfinished, match="its status isn't up to date yet"):
        drain(api.client, params(_slice=0.5, _state={"elapsed": 0.0}), check_mode=False)

    def later():
        api.until(lambda: [e for e in api.requests("POST", "web-1/eviction") if e["status"] == 429])
        status = {"observedGeneration": made["metadata"]["generation"], "disruptionsAllowed": 1, "desiredHealthy": 0}
        api.client.patch(f"{PDB}/status", {"status": {**status, "currentHealthy": 1, "expectedPods": 1}})

    # Without news from the watch it would ask again when all time is over.
    monkeypatch.setattr(pdb, "BLIND_PAUSE", 2 * TIMEOUT)
    thread = in_background(later)
    result = drain(api.client, params(), check_mode=False)
    thread.join()
    assert result_of(result, "web-1") == "gone"


def test_a_silent_kubelet_is_named_with_a_remedy(api):
    api.node()
    heard = "2026-03-02T22:00:00Z"
    condition = {"type": "Ready", "status": "Unknown", "lastHeartbeatTime": heard}
    api.client.patch(f"{NODE}/status", {"status": {"conditions": [condition]}})
    api.pod("web-1")
    words = f"the node's kubelet is silent since {heard}, .*node.kubernetes.io/out-of-service"
    failure = given_up(api, r"web-1 .terminating for \d+ s.")
    assert re.search(f"web-1 .terminating for .* s.; {words}", failure.msg), failure.msg
    # And before anything was changed.
    assert any(heard in line for line in failure.facts["warnings"])


def test_a_drain_that_can_not_go_on_says_what_it_had_done(api):
    api.node()
    api.pod("web-1")
    api.fault(rules=[{"method": "POST", "path": "eviction", "status": 401}])
    with pytest.raises(api_errors.Unauthorized) as caught:
        drain(api.client, params(timeout=300.0), check_mode=False)
    assert caught.value.facts["changed"]
    assert [pod["name"] for pod in caught.value.facts["pods"]] == ["web-1"]
    assert [pod["name"] for pod in caught.value.facts["pending"]] == ["web-1"]
    assert "1 of 1 pods are still there, and the node stays cordoned: " in caught.value.msg


@pytest.mark.usefixtures("kubelet")
def test_a_drain_asks_for_little_besides_its_evictions(api):
    api.node()
    for i in range(30):
        api.pod(f"web-{i}")
    before = len(api.requests())
    client = api.user("counted", [{"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}])
    drain(client, params(), check_mode=False)
    mine = [entry for entry in api.requests()[before:] if entry["user"] == "counted"]
    # The server ends a watch every 10 s, so how many there are depends on the machine.
    assert len([entry for entry in mine if "watch" not in entry["query"]]) <= 30 + 15
    paths = [
        (entry["method"], entry["path"]) for entry in mine if entry["method"] == "GET" and "watch" not in entry["query"]
    ]
    assert len(paths) == len(set(paths))


def test_drain_goes_on_behind_a_budget_in_the_next_slice(api):
    api.node()
    api.pod("web-1", labels={"app": "web"})
    api.budget("web", {"matchLabels": {"app": "web"}}, minAvailable=1)
    state, _changed = until(api, r"1 waiting: shop/web-1 .PodDisruptionBudget shop/web: needs 1")
    api.until(lambda: ("DrainBlocked", "Warning") in told(api))
    lists = len(api.requests("GET", "poddisruptionbudgets"))
    api.client.patch(PDB, {"spec": {"minAvailable": 0}})
    helper = api.connect()
    thread = threading.Thread(
        target=lambda: (
            api.until(lambda: [e for e in api.requests("POST", "web-1/eviction") if e["status"] == 201]),
            helper.delete("/api/v1/namespaces/shop/pods/web-1", {"gracePeriodSeconds": 0}),
        ),
        daemon=True,
    )
    thread.start()
    result = drain(api.client, params(_slice=TIMEOUT, _state=state), check_mode=False)
    thread.join()
    assert result_of(result, "web-1") == "gone"
    # The watch goes on where the one of the slice before ended.
    assert all("watch" in entry["query"] for entry in api.requests("GET", "poddisruptionbudgets")[lists:])
    assert result["budgets"][0]["blocked_seconds"] > 0
    assert told(api).count(("DrainBlocked", "Warning")) == 1
