# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The client against a real HTTP API: every way it can fail has a name and says where and what to do."""

from __future__ import annotations

import contextlib
import socket

import pytest
from ansible_collections.hitless.nodes.plugins.module_utils.base.errors import HitlessError
from ansible_collections.hitless.nodes.plugins.module_utils.kube import api_errors, connection, node_objects
from ansible_collections.hitless.nodes.plugins.module_utils.kube import client as kube_client

READ_NODES = {"apiGroups": [""], "resources": ["nodes"], "verbs": ["get", "list"]}


def test_get_and_list(api):
    api.node("worker-1")
    api.node("worker-2")
    assert api.client.get("/api/v1/nodes/worker-1")["metadata"]["name"] == "worker-1"
    items, version = api.client.list_all("/api/v1/nodes")
    assert [item["metadata"]["name"] for item in items] == ["worker-1", "worker-2"]
    assert int(version) > 0


def test_list_reads_all_pages(api, monkeypatch):
    for i in range(7):
        api.node(f"worker-{i}")
    monkeypatch.setattr(kube_client, "PAGE", 3)
    before = len(api.requests("GET", "/api/v1/nodes"))
    assert len(api.client.list_all("/api/v1/nodes")[0]) == 7
    assert len(api.requests("GET", "/api/v1/nodes")) - before == 3


def test_find_is_none_for_what_is_not_there(api):
    assert api.client.find("/api/v1/nodes/worker-9") is None
    assert api.client.find("/apis/cilium.io/v2/ciliumnodes/worker-9") is None


def test_patch_of_an_old_version_is_a_conflict(api):
    old = api.node()
    api.client.patch("/api/v1/nodes/worker-3", {"metadata": {"labels": {"a": "b"}}})
    stale = {"metadata": {"resourceVersion": old["metadata"]["resourceVersion"], "labels": {"a": "c"}}}
    with pytest.raises(api_errors.Conflict):
        api.client.patch("/api/v1/nodes/worker-3", stale)


def test_write_judges_again_after_a_conflict(api):
    old = api.node()
    api.client.patch("/api/v1/nodes/worker-3", {"metadata": {"labels": {"a": "b"}}})
    judged = []

    def change(node):
        judged.append(node["metadata"].get("labels"))
        return {"metadata": {"labels": {"c": "d"}}}

    node, _patch = node_objects.write(api.client, old, change, check_mode=False)
    assert len(judged) == 2
    assert node["metadata"]["labels"] == {"a": "b", "c": "d"}


def test_write_gives_up_when_somebody_keeps_writing(api):
    node = api.node()

    def change(_node_now):
        api.client.patch("/api/v1/nodes/worker-3", {"metadata": {"labels": {"n": str(len(api.requests()))}}})
        return {"metadata": {"labels": {"c": "d"}}}

    with pytest.raises(HitlessError, match="changed 10 times in a row"):
        node_objects.write(api.client, node, change, check_mode=False)


def test_write_sends_nothing_in_check_mode(api):
    node = api.node()
    patch = {"metadata": {"labels": {"c": "d"}}}
    assert node_objects.write(api.client, node, lambda _node: patch, check_mode=True) == (node, patch)
    assert api.requests("PATCH") == []


def test_unknown_node_names_what_was_meant(api):
    api.node("worker-3")
    with pytest.raises(node_objects.UnknownNode, match="has no node of this name; did you mean worker-3") as caught:
        node_objects.read(api.client, "worker-3.example.org")
    assert caught.value.facts["near_misses"] == ["worker-3"]
    assert api.client.url in caught.value.msg


def test_an_empty_name_is_not_the_list_of_all(api):
    with pytest.raises(node_objects.UnknownNode, match="node_name is empty"):
        node_objects.read(api.client, "")


def test_what_cannot_be_a_name_is_not_sent(api):
    api.node("worker-3")
    with pytest.raises(node_objects.UnknownNode, match="did you mean worker-3"):
        node_objects.read(api.client, "Worker-3")
    with pytest.raises(node_objects.UnknownNode):
        node_objects.read(api.client, "../namespaces/shop")
    assert api.requests("GET", "shop") == []


def test_a_wrong_token_is_told_from_a_missing_right(api):
    client = api.connect(host=api.client.url, api_key="wrong", validate_certs=False, kubeconfig=None)
    with pytest.raises(api_errors.Unauthorized, match=r"wrong or has expired \(401\)") as caught:
        client.get("/api/v1/nodes/worker-3")
    assert "wrong" not in caught.value.msg.replace("is wrong", "")


def test_a_missing_right_is_named(api):
    api.node()
    client = api.user("reader", [READ_NODES])
    assert client.get("/api/v1/nodes/worker-3")
    with pytest.raises(api_errors.Forbidden, match=r"the right to patch nodes is missing \(403\)"):
        client.patch("/api/v1/nodes/worker-3", {"metadata": {"labels": {"a": "b"}}})


def test_nobody_listens(api):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    client = api.connect(host=f"https://127.0.0.1:{port}", api_key="x", kubeconfig=None)
    with pytest.raises(
        api_errors.Unreachable, match=rf"127\.0\.0\.1:{port} \(option host\) can't be reached: .*refused"
    ):
        client.get("/api/v1/nodes")


def test_an_untrusted_certificate_is_not_waited_for(api):
    client = api.connect(host=api.client.url, api_key="x", kubeconfig=None)
    with pytest.raises(connection.ConfigurationError, match="certificate that isn't trusted"):
        client.get("/api/v1/nodes")


def test_an_answer_that_never_comes_ends_by_the_request_timeout(api):
    api.fault(rules=[{"path": "nodes", "delay": 30}])
    client = api.connect(request_timeout=0.3)
    with pytest.raises(api_errors.Unreachable, match="timed out"):
        client.get("/api/v1/nodes")


@pytest.mark.parametrize(("status", "kind"), [(500, api_errors.ServerError), (503, api_errors.ServerError)])
def test_server_errors(api, status, kind):
    api.fault(rules=[{"path": "nodes", "status": status}])
    with pytest.raises(kind) as caught:
        api.client.get("/api/v1/nodes")
    assert caught.value.status == status


def test_flow_control_says_how_long(api):
    api.fault(rules=[{"path": "nodes", "status": 429, "retry_after": 7}])
    with pytest.raises(api_errors.TooManyRequests) as caught:
        api.client.get("/api/v1/nodes")
    assert caught.value.retry_after == 7
    assert not caught.value.has_cause("DisruptionBudget")


def test_a_reset_is_no_answer(api):
    api.fault(reset=1)
    with pytest.raises(api_errors.Unreachable):
        api.connect().get("/api/v1/nodes")


def test_watch_tells_what_happened_since_the_list(api):
    api.node("worker-1")
    _items, version = api.client.list_all("/api/v1/nodes")
    api.node("worker-2")
    events = api.client.watch("/api/v1/nodes", resource_version=version, seconds=5)
    event = next(events)
    assert (event["type"], event["object"]["metadata"]["name"]) == ("ADDED", "worker-2")


def test_watch_of_a_version_that_is_too_old(api):
    _items, version = api.client.list_all("/api/v1/nodes")
    for i in range(3):
        api.node(f"worker-{i}")
    api.fault(compact=True)
    with pytest.raises(api_errors.Expired):
        list(api.client.watch("/api/v1/nodes", resource_version="1" if version == "0" else version, seconds=1))


def test_watch_that_breaks(api):
    _items, version = api.client.list_all("/api/v1/nodes")
    events = api.client.watch("/api/v1/nodes", resource_version=version, seconds=5)
    api.node("worker-1")
    next(events)
    api.fault(drop_watches=True)
    # The server may end the stream in order or cut it: the events end, or it is an error with a name.
    with contextlib.suppress(api_errors.Unreachable):
        assert [event for event in events if event["type"] == "ADDED"] == []
