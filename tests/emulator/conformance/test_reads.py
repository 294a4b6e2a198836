# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Discovery, get, list and watch."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

from ..client import Api

Json = dict[str, Any]
Made = Callable[..., Json]


@pytest.fixture(scope="module")
def maps(namespace: str) -> str:
    """Collection path of ConfigMaps: the plainest objects there are."""
    return f"/api/v1/namespaces/{namespace}/configmaps"


def test_version_tells_what_the_server_is(api: Api) -> None:
    version = api.get("/version").of(200)
    emulated = api.get("/_emulator/models").status != 404
    assert version["gitVersion"].startswith("v1.")
    assert version["gitVersion"].endswith("-emulated") is emulated


def test_discovery_lists_eviction_as_kubectl_wants_it(api: Api) -> None:
    listed = api.get("/api/v1").of(200)["resources"]
    eviction = next(item for item in listed if item["name"] == "pods/eviction")
    assert (eviction["group"], eviction["version"], eviction["kind"]) == ("policy", "v1", "Eviction")
    assert "create" in eviction["verbs"]


def test_discovery_lists_the_groups_we_use(api: Api) -> None:
    groups = {group["name"]: group["preferredVersion"]["version"] for group in api.get("/apis").of(200)["groups"]}
    for wanted in ("apps", "policy", "coordination.k8s.io", "apiextensions.k8s.io", "authorization.k8s.io"):
        assert groups[wanted] == "v1"
    assert "v1" in api.get("/api").of(200)["versions"]


def test_discovery_says_scope_and_verbs(api: Api) -> None:
    listed = {item["name"]: item for item in api.get("/apis/policy/v1").of(200)["resources"]}
    budget = listed["poddisruptionbudgets"]
    assert budget["namespaced"] is True
    assert {"get", "list", "watch", "create", "update", "patch", "delete"} <= set(budget["verbs"])
    assert "poddisruptionbudgets/status" in listed


def test_content_type_is_exactly_json(api: Api, namespace: str) -> None:
    for path in ("/api/v1", f"/api/v1/namespaces/{namespace}", "/api/v1/nodes", "/api/v1/nodes/lab-no-such-node"):
        assert api.get(path).headers["Content-Type"] == "application/json"


def test_group_that_is_not_served_is_404(api: Api) -> None:
    assert api.get("/apis/nothing.example.org/v1").status == 404
    assert api.get("/apis/nothing.example.org/v1/things").status == 404


def test_missing_object_is_404_with_details(api: Api) -> None:
    status = api.get("/api/v1/nodes/lab-no-such-node").of(404)
    assert status["kind"] == "Status"
    assert status["reason"] == "NotFound"
    assert status["details"]["name"] == "lab-no-such-node"
    assert status["details"]["kind"] == "nodes"


def test_objects_carry_their_kind_and_items_of_built_in_lists_do_not(
    api: Api, made: Made, maps: str, name: str
) -> None:
    made(maps, {"metadata": {"name": name}})
    one = api.get(f"{maps}/{name}").of(200)
    assert (one["kind"], one["apiVersion"]) == ("ConfigMap", "v1")
    listed = api.get(maps).of(200)
    assert (listed["kind"], listed["apiVersion"]) == ("ConfigMapList", "v1")
    assert all("kind" not in item for item in listed["items"])
    assert int(listed["metadata"]["resourceVersion"]) >= int(one["metadata"]["resourceVersion"])


@pytest.mark.parametrize(
    ("selector", "expected"),
    [
        ("app=a", {"1"}),
        ("app==a", {"1"}),
        ("app!=a", {"2", "3"}),
        ("app", {"1", "2"}),
        ("!app", {"3"}),
        ("app in (a,b),tier", {"2"}),
        ("app notin (a)", {"2", "3"}),
        ("app=a,tier=x", set()),
    ],
)
def test_label_selectors(api: Api, made: Made, maps: str, name: str, selector: str, expected: set[str]) -> None:
    for number, labels in (("1", {"app": "a"}), ("2", {"app": "b", "tier": "x"}), ("3", {})):
        made(maps, {"metadata": {"name": f"{name}-{number}", "labels": {**labels, "of": name}}})
    found = api.get(maps, labelSelector=f"of={name},{selector}").of(200)["items"]
    assert {item["metadata"]["name"].removeprefix(f"{name}-") for item in found} == expected


def test_field_selectors_of_pods(api: Api, make_pod: Made, pods: str, node: str, namespace: str) -> None:
    running = make_pod("r")["metadata"]["name"]
    waiting = make_pod("w", phase="Pending")["metadata"]["name"]

    def names(selector: str, path: str = pods) -> set[str]:
        return {item["metadata"]["name"] for item in api.get(path, fieldSelector=selector).of(200)["items"]}

    assert names(f"spec.nodeName={node}") == {running, waiting}
    assert names(f"spec.nodeName={node}", "/api/v1/pods") == {running, waiting}
    assert names(f"spec.nodeName={node},status.phase!=Pending") == {running}
    assert names(f"metadata.name={waiting},metadata.namespace={namespace}") == {waiting}


def test_unknown_field_selector_is_400(api: Api, pods: str) -> None:
    assert api.get(pods, fieldSelector="spec.nothing=1").of(400)["reason"] == "BadRequest"


def test_label_selector_that_cannot_be_parsed_is_400(api: Api, pods: str) -> None:
    assert api.get(pods, labelSelector="a==b==c").of(400)["reason"] == "BadRequest"


def test_pages_show_one_snapshot(api: Api, made: Made, maps: str, name: str) -> None:
    for number in range(5):
        made(maps, {"metadata": {"name": f"{name}-{number}", "labels": {"of": name}}})
    first = api.get(maps, labelSelector=f"of={name}", limit=2).of(200)
    assert len(first["items"]) == 2
    made(maps, {"metadata": {"name": f"{name}-3a", "labels": {"of": name}}})
    api.delete(f"{maps}/{name}-4").of(200)
    seen = [item["metadata"]["name"] for item in first["items"]]
    token = first["metadata"]["continue"]
    while token:
        page = api.get(maps, labelSelector=f"of={name}", limit=2, **{"continue": token}).of(200)
        assert page["metadata"]["resourceVersion"] == first["metadata"]["resourceVersion"]
        seen += [item["metadata"]["name"] for item in page["items"]]
        token = page["metadata"].get("continue")
    assert seen == [f"{name}-{number}" for number in range(5)]


def test_pages_without_selector_count_what_remains(api: Api, made: Made, maps: str, name: str) -> None:
    for number in range(3):
        made(maps, {"metadata": {"name": f"{name}-{number}"}})
    everything = len(api.get(maps).of(200)["items"])
    assert api.get(maps, limit=1).of(200)["metadata"]["remainingItemCount"] == everything - 1


def test_nonsense_continue_token_is_400(api: Api, maps: str) -> None:
    assert api.get(maps, limit=1, **{"continue": "nonsense"}).status == 400


def test_limit_that_is_no_number_is_400(api: Api, maps: str) -> None:
    assert api.get(maps, limit="many").status == 400


def test_list_of_a_missing_namespace_is_empty(api: Api) -> None:
    assert api.get("/api/v1/namespaces/lab-no-such-namespace/pods").of(200)["items"] == []


def test_watch_goes_on_where_the_list_ended(api: Api, made: Made, maps: str, name: str) -> None:
    start = api.get(maps).of(200)["metadata"]["resourceVersion"]
    made(maps, {"metadata": {"name": name}})
    changed = api.patch(f"{maps}/{name}", {"data": {"a": "b"}}).of(200)
    api.delete(f"{maps}/{name}").of(200)
    events = []
    for event in api.watch(maps, fieldSelector=f"metadata.name={name}", resourceVersion=start):
        events.append(event)
        if event["type"] == "DELETED":
            break
    assert [event["type"] for event in events] == ["ADDED", "MODIFIED", "DELETED"]
    assert events[0]["object"]["kind"] == "ConfigMap"
    assert events[1]["object"] == changed
    versions = [int(event["object"]["metadata"]["resourceVersion"]) for event in events]
    assert versions == sorted(set(versions))


def test_watch_without_version_begins_with_what_is_there(api: Api, made: Made, maps: str, name: str) -> None:
    made(maps, {"metadata": {"name": name}})
    event = next(api.watch(maps, fieldSelector=f"metadata.name={name}"))
    assert (event["type"], event["object"]["metadata"]["name"]) == ("ADDED", name)


def test_object_that_leaves_a_selector_is_deleted_for_the_watcher(api: Api, made: Made, maps: str, name: str) -> None:
    made(maps, {"metadata": {"name": name, "labels": {"in": name}}})
    start = api.get(maps).of(200)["metadata"]["resourceVersion"]
    api.patch(f"{maps}/{name}", {"metadata": {"labels": {"in": None}}}).of(200)
    back = api.patch(f"{maps}/{name}", {"metadata": {"labels": {"in": name}}}).of(200)
    stream = api.watch(maps, labelSelector=f"in={name}", resourceVersion=start)
    left, entered = next(stream), next(stream)
    assert left["type"] == "DELETED"
    assert left["object"]["metadata"]["labels"] == {"in": name}
    assert int(left["object"]["metadata"]["resourceVersion"]) > int(start)
    assert (entered["type"], entered["object"]) == ("ADDED", back)


def test_watch_ends_after_its_timeout(api: Api, maps: str) -> None:
    start = api.get(maps).of(200)["metadata"]["resourceVersion"]
    began = time.monotonic()
    events = list(api.watch(maps, seconds=1, resourceVersion=start, fieldSelector="metadata.name=lab-nothing"))
    assert events == []
    assert time.monotonic() - began > 0.9


def test_bookmarks_come_when_asked_for(api: Api, maps: str) -> None:
    start = api.get(maps).of(200)["metadata"]["resourceVersion"]
    query = {"resourceVersion": start, "allowWatchBookmarks": "true", "fieldSelector": "metadata.name=lab-nothing"}
    event = next(api.watch(maps, seconds=60, **query))
    assert event["type"] == "BOOKMARK"
    assert int(event["object"]["metadata"]["resourceVersion"]) >= int(start)


def test_watch_from_a_forgotten_version_is_410_inside_the_stream(api: Api, maps: str) -> None:
    event = next(api.watch(maps, resourceVersion="1"))
    assert event["type"] == "ERROR"
    assert (event["object"]["kind"], event["object"]["code"]) == ("Status", 410)
    assert event["object"]["reason"] in ("Expired", "Gone")


def test_list_newer_than_the_server_is_refused(api: Api, maps: str) -> None:
    newest = int(api.get(maps).of(200)["metadata"]["resourceVersion"])
    answer = api.get(maps, resourceVersion=str(newest + 1_000_000), resourceVersionMatch="NotOlderThan")
    assert answer.of(504)["details"]["causes"][0]["reason"] == "ResourceVersionTooLarge"


def test_event_is_seen_in_both_groups(api: Api, made: Made, namespace: str, name: str) -> None:
    made(
        f"/api/v1/namespaces/{namespace}/events",
        {
            "metadata": {"name": name, "namespace": namespace},
            "involvedObject": {"kind": "Pod", "namespace": namespace, "name": name},
            "reason": "Probing",
            "message": "hello",
            "type": "Normal",
            "source": {"component": "lab"},
        },
    )
    core = f"/api/v1/namespaces/{namespace}/events"
    found = api.get(core, fieldSelector=f"involvedObject.name={name},involvedObject.kind=Pod").of(200)["items"]
    assert [item["message"] for item in found] == ["hello"]
    new = api.get(f"/apis/events.k8s.io/v1/namespaces/{namespace}/events/{name}").of(200)
    assert (new["note"], new["regarding"]["name"], new["apiVersion"]) == ("hello", name, "events.k8s.io/v1")
