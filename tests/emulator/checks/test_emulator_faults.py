# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The emulator's fault knobs: every one of them fires here."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import urllib3.exceptions
from emulator.client import Answer, Api, eventually
from emulator.process import Process

Json = dict[str, Any]

_NODES = "/api/v1/nodes"


@pytest.fixture
def api(process: Process) -> Iterator[Api]:
    """Its administrator; the knobs are back at rest after every test."""
    admin = Api(process.kubeconfig)
    yield admin
    admin.post("/_emulator/faults", {"clear": True}).of(200)


def turn(api: Api, **knobs: Any) -> Json:
    """Turn knobs; all of them as they are now."""
    shown: Json = api.post("/_emulator/faults", knobs).of(200)
    return shown


def test_rule_answers_as_often_as_it_says(api: Api) -> None:
    turn(api, rules=[{"method": "GET", "path": "/nodes$", "status": 503, "count": 2}])
    answers = [api.get(_NODES).status for _unused in range(4)]
    assert answers == [503, 503, 200, 200]
    assert api.get("/_emulator/faults").of(200)["rules"][0]["hits"] == 2


def test_rule_is_for_its_method_path_query_and_user_only(api: Api) -> None:
    turn(api, rules=[{"method": "POST", "path": "/eviction$", "status": 500}])
    assert api.get(_NODES).status == 200
    turn(
        api,
        clear=True,
        rules=[{"path": "/pods", "query": "fieldSelector", "user": "^kubernetes-admin$", "status": 500}],
    )
    assert api.get("/api/v1/pods").status == 200
    assert api.get("/api/v1/pods", fieldSelector="spec.nodeName=x").status == 500
    turn(api, clear=True, rules=[{"path": "/pods", "user": "^somebody$", "status": 500}])
    assert api.get("/api/v1/pods").status == 200


def test_flow_control_has_retry_after_and_no_cause(api: Api) -> None:
    turn(api, rules=[{"status": 429, "retry_after": 1, "count": 1, "message": "too many requests"}])
    answer = api.get(_NODES)
    status = answer.of(429)
    assert answer.headers["Retry-After"] == "1"
    assert (status["reason"], status["message"]) == ("TooManyRequests", "too many requests")
    assert "causes" not in status["details"]


def test_refusal_of_a_webhook_can_be_told(api: Api) -> None:
    text = 'admission webhook "guard.example.org" denied the request: not today'
    turn(api, rules=[{"method": "PATCH", "status": 403, "reason": "Forbidden", "message": text}])
    assert api.patch(f"{_NODES}/x", {}).of(403)["message"] == text


def test_delay_delays(api: Api) -> None:
    turn(api, rules=[{"path": "/nodes$", "delay": 0.4, "count": 1}])
    began = time.monotonic()
    assert api.get(_NODES).status == 200
    assert time.monotonic() - began >= 0.4


def test_reset_cuts_the_next_requests(api: Api) -> None:
    turn(api, reset=2)
    for _unused in range(2):
        with pytest.raises(urllib3.exceptions.ProtocolError):
            api.get(_NODES)
    assert api.get(_NODES).status == 200


def test_refused_connections_come_back_on_the_same_port(api: Api) -> None:
    seconds = 3
    began = time.monotonic()
    turn(api, refuse=seconds)

    def refused() -> bool:
        try:
            api.get("/version")
        except urllib3.exceptions.HTTPError:
            return True
        return False

    def answers() -> bool:
        return not refused()

    eventually(refused)
    eventually(answers)
    assert time.monotonic() - began >= seconds


def test_refusing_cuts_watches_too(api: Api) -> None:
    stream = api.watch("/api/v1/namespaces", seconds=30)
    assert next(stream)["type"] == "ADDED"
    turn(api, refuse=0.3)
    with pytest.raises(urllib3.exceptions.ProtocolError):
        list(stream)
    eventually(lambda: _status(api) == 200)


def _status(api: Api) -> int:
    try:
        return api.get("/version").status
    except urllib3.exceptions.HTTPError:
        return 0


def test_dropped_watches_end_in_order(api: Api) -> None:
    stream = api.watch("/api/v1/namespaces", seconds=30)
    next(stream)
    turn(api, drop_watches=True)
    assert {event["type"] for event in stream} == {"ADDED"}


def test_compaction_is_410_for_old_watches_and_pages(api: Api) -> None:
    listed = api.get("/api/v1/namespaces", limit=1).of(200)
    api.post("/api/v1/namespaces/default/configmaps", {"metadata": {"name": "compaction"}}).of(201)
    turn(api, compact=True)
    event = next(api.watch("/api/v1/namespaces", resourceVersion=listed["metadata"]["resourceVersion"]))
    assert (event["type"], event["object"]["code"]) == ("ERROR", 410)
    page = api.get("/api/v1/namespaces", limit=1, **{"continue": listed["metadata"]["continue"]})
    assert page.of(410)["reason"] == "Expired"


def test_expired_tokens_are_401_and_new_ones_are_not(api: Api, process: Process) -> None:
    path = "/api/v1/namespaces/default/serviceaccounts/default"
    eventually(lambda: api.get(path).status == 200)

    def use() -> Answer:
        return Api(process.kubeconfig, token=token).get("/version")

    token = api.post(f"{path}/token", {}).of(201)["status"]["token"]
    assert use().status == 200
    turn(api, expire_tokens=True)
    assert use().of(401)["reason"] == "Unauthorized"
    token = api.post(f"{path}/token", {}).of(201)["status"]["token"]
    assert use().status == 200


def test_budget_lag_keeps_the_status_behind(api: Api) -> None:
    turn(api, pdb_lag=30)
    budgets = "/apis/policy/v1/namespaces/default/poddisruptionbudgets"
    spec = {"minAvailable": 1, "selector": {"matchLabels": {"a": "b"}}}
    api.post(budgets, {"metadata": {"name": "late"}, "spec": spec}).of(201)
    pods = "/api/v1/namespaces/default/pods"
    pod = {"metadata": {"name": "late", "labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "i"}]}}
    api.post(pods, pod).of(201)
    ready = {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}
    api.patch(f"{pods}/late/status", {"status": ready}).of(200)
    body = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": "late"}}
    answer = api.post(f"{pods}/late/eviction", body)
    assert answer.of(429)["details"]["causes"][0]["reason"] == "DisruptionBudget"
    assert answer.headers["Retry-After"] == "10"


def test_silent_node_becomes_unknown_and_its_pods_unready(api: Api) -> None:
    turn(api, node_grace=0.5)
    ready = {"conditions": [{"type": "Ready", "status": "True"}]}
    api.post(_NODES, {"metadata": {"name": "silent"}, "status": ready}).of(201)
    pods = "/api/v1/namespaces/default/pods"
    spec = {"nodeName": "silent", "containers": [{"name": "c", "image": "i"}]}
    api.post(pods, {"metadata": {"name": "silent"}, "spec": spec}).of(201)
    api.patch(f"{pods}/silent/status", {"status": {"phase": "Running", **ready}}).of(200)
    lease = {"metadata": {"name": "silent"}, "spec": {"renewTime": "2020-01-01T00:00:00.000000Z"}}
    api.post("/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases", lease).of(201)

    def state() -> tuple[str, str, str]:
        node = api.get(f"{_NODES}/silent").of(200)["status"]["conditions"][0]["status"]
        status = api.get(f"{pods}/silent").of(200)["status"]
        return node, status["conditions"][0]["status"], status["phase"]

    eventually(lambda: state() == ("Unknown", "False", "Running"))


def test_unknown_knob_is_refused_by_name(api: Api) -> None:
    assert "no fault knob nonsense" in api.post("/_emulator/faults", {"nonsense": 1}).of(400)["message"]
    assert "has no stauts" in api.post("/_emulator/faults", {"rules": [{"stauts": 1}]}).of(400)["message"]
    assert "needs one of" in api.post("/_emulator/faults", {"rules": [{"path": "x"}]}).of(400)["message"]
    assert (
        "does not compile"
        in api.post("/_emulator/faults", {"rules": [{"path": "(", "status": 500}]}).of(400)["message"]
    )


def test_port_that_is_taken_is_one_line(process: Process, tmp_path: Path) -> None:
    import subprocess
    import sys

    port = process.about["url"].rpartition(":")[2]
    done = subprocess.run(
        [sys.executable, "-m", "emulator", "--dir", str(tmp_path), "--port", port],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 1
    assert len(done.stderr.strip().splitlines()) == 1
    assert f"can't serve 127.0.0.1:{port}" in done.stderr
