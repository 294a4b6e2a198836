# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Create, replace, the patches, status, dry run, field managers, deletion."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from ..client import JSON_PATCH, STRATEGIC, Api, eventually

Json = dict[str, Any]
Made = Callable[..., Json]


@pytest.fixture(scope="module")
def maps(namespace: str) -> str:
    """Collection path of ConfigMaps."""
    return f"/api/v1/namespaces/{namespace}/configmaps"


@pytest.fixture(scope="module")
def leases(namespace: str) -> str:
    """Collection path of Leases."""
    return f"/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases"


def version_of(obj: Json) -> str:
    """metadata.resourceVersion."""
    version: str = obj["metadata"]["resourceVersion"]
    return version


def test_create_fills_in_metadata(made: Made, maps: str, name: str, namespace: str) -> None:
    metadata = made(maps, {"metadata": {"name": name}})["metadata"]
    assert len(metadata["uid"]) == 36
    assert metadata["namespace"] == namespace
    assert metadata["creationTimestamp"].endswith("Z")
    assert int(metadata["resourceVersion"]) > 0


def test_generated_names_differ(made: Made, maps: str, name: str) -> None:
    names = {made(maps, {"metadata": {"generateName": f"{name}-"}})["metadata"]["name"] for _unused in range(3)}
    assert len(names) == 3
    assert all(one.startswith(f"{name}-") for one in names)


def test_second_create_is_409_already_exists(api: Api, made: Made, maps: str, name: str) -> None:
    made(maps, {"metadata": {"name": name}})
    assert api.post(maps, {"metadata": {"name": name}}).of(409)["reason"] == "AlreadyExists"


def test_create_in_a_missing_namespace_is_404(api: Api, name: str) -> None:
    status = api.post("/api/v1/namespaces/lab-no-such-namespace/configmaps", {"metadata": {"name": name}}).of(404)
    assert status["details"] == {"name": "lab-no-such-namespace", "kind": "namespaces"}


def test_create_without_a_name_is_422(api: Api, maps: str) -> None:
    assert api.post(maps, {"metadata": {}}).of(422)["reason"] == "Invalid"


def test_body_that_is_no_json_is_400(api: Api, maps: str) -> None:
    assert api.call("POST", maps, b"{nonsense").of(400)["reason"] == "BadRequest"


def test_replace_with_an_old_version_is_409_conflict(api: Api, made: Made, maps: str, name: str) -> None:
    first = made(maps, {"metadata": {"name": name}})
    second = api.put(f"{maps}/{name}", {**first, "data": {"n": "1"}}).of(200)
    assert version_of(second) != version_of(first)
    assert api.put(f"{maps}/{name}", {**first, "data": {"n": "2"}}).of(409)["reason"] == "Conflict"
    assert api.get(f"{maps}/{name}").of(200)["data"] == {"n": "1"}


def test_merge_patch_changes_only_what_it_names(api: Api, made: Made, maps: str, name: str) -> None:
    made(maps, {"metadata": {"name": name, "labels": {"a": "1", "b": "2"}}, "data": {"x": "y"}})
    body = {"metadata": {"labels": {"a": None, "c": "3"}}}
    patched = api.patch(f"{maps}/{name}", body).of(200)
    assert patched["metadata"]["labels"] == {"b": "2", "c": "3"}
    assert patched["data"] == {"x": "y"}


def test_merge_patch_with_an_old_version_is_409(api: Api, node: str) -> None:
    path = f"/api/v1/nodes/{node}"
    old = api.get(path).of(200)
    api.patch(path, {"metadata": {"annotations": {"lab": "1"}}}).of(200)
    body = {"metadata": {"resourceVersion": version_of(old), "annotations": {"lab": "2"}}}
    assert api.patch(path, body).of(409)["reason"] == "Conflict"
    body["metadata"]["resourceVersion"] = version_of(api.get(path).of(200))
    assert api.patch(path, body).of(200, 409)


def test_merge_patch_with_another_uid_is_409(api: Api, node: str) -> None:
    body = {"metadata": {"uid": "00000000-0000-0000-0000-000000000000", "annotations": {"lab": "2"}}}
    assert api.patch(f"/api/v1/nodes/{node}", body).of(409)["reason"] == "Conflict"


def test_json_patch_and_its_test_operation(api: Api, made: Made, maps: str, name: str) -> None:
    made(maps, {"metadata": {"name": name}, "data": {"a": "1"}})
    swap = [{"op": "test", "path": "/data/a", "value": "1"}, {"op": "replace", "path": "/data/a", "value": "2"}]
    assert api.patch(f"{maps}/{name}", swap, JSON_PATCH).of(200)["data"] == {"a": "2"}
    assert api.patch(f"{maps}/{name}", swap, JSON_PATCH).status == 422


def test_strategic_patch_merges_conditions_by_type(api: Api, node: str) -> None:
    path = f"/api/v1/nodes/{node}/status"
    for kind, value in (("Ready", "True"), ("LabProbe", "False"), ("Ready", "False")):
        body = {"status": {"conditions": [{"type": kind, "status": value, "reason": "Probe", "message": ""}]}}
        api.patch(path, body, STRATEGIC).of(200)
    conditions = {
        item["type"]: item["status"] for item in api.get(f"/api/v1/nodes/{node}").of(200)["status"]["conditions"]
    }
    assert conditions["LabProbe"] == "False"
    assert conditions["Ready"] in ("False", "Unknown")


def test_merge_patch_replaces_lists_whole(api: Api, node: str) -> None:
    path = f"/api/v1/nodes/{node}"
    for key in ("lab/one", "lab/two"):
        api.patch(path, {"spec": {"taints": [{"key": key, "effect": "PreferNoSchedule"}]}}).of(200)
    keys = {taint["key"] for taint in api.get(path).of(200)["spec"]["taints"]}
    assert "lab/two" in keys
    assert "lab/one" not in keys


def test_unknown_patch_format_is_415(api: Api, node: str) -> None:
    assert api.patch(f"/api/v1/nodes/{node}", {}, "application/json").of(415)["reason"] == "UnsupportedMediaType"


def test_write_that_changes_nothing_keeps_the_version(api: Api, made: Made, maps: str, name: str) -> None:
    made(maps, {"metadata": {"name": name, "labels": {"a": "1"}}})
    path = f"{maps}/{name}"
    before = api.get(path).of(200)
    assert version_of(api.patch(path, {"metadata": {"labels": {"a": "1"}}}).of(200)) == version_of(before)
    assert version_of(api.put(path, before).of(200)) == version_of(before)


@pytest.mark.parametrize("value", [True, 1.3, 7, ["x"]])
def test_label_that_is_no_string_is_400(api: Api, node: str, value: Any) -> None:
    body = {"metadata": {"labels": {"enable-bgp": value}}}
    assert api.patch(f"/api/v1/nodes/{node}", body).of(400)["reason"] == "BadRequest"
    assert "enable-bgp" not in api.get(f"/api/v1/nodes/{node}").of(200)["metadata"]["labels"]


def test_label_value_that_is_not_allowed_is_422_with_the_field(api: Api, node: str) -> None:
    status = api.patch(f"/api/v1/nodes/{node}", {"metadata": {"labels": {"enable-bgp": "not so"}}}).of(422)
    assert status["reason"] == "Invalid"
    assert [cause["field"] for cause in status["details"]["causes"]] == ["metadata.labels"]


def test_annotations_over_262144_bytes_are_422(api: Api, node: str) -> None:
    body = {"metadata": {"annotations": {"lab": "x" * (256 * 1024 + 1)}}}
    assert api.patch(f"/api/v1/nodes/{node}", body).status == 422


def test_status_and_spec_are_written_apart(api: Api, node: str) -> None:
    path = f"/api/v1/nodes/{node}"
    both = {"spec": {"podCIDR": "10.250.0.0/24"}, "status": {"phase": "Running"}}
    api.patch(f"{path}/status", both).of(200)
    after = api.get(path).of(200)
    assert "podCIDR" not in after["spec"]
    assert after["status"]["phase"] == "Running"
    api.patch(path, {"status": {"phase": "Pending"}}).of(200)
    assert api.get(path).of(200)["status"]["phase"] == "Running"


def test_generation_counts_changes_of_spec_only(api: Api, made: Made, budgets: str, name: str) -> None:
    spec = {"minAvailable": 1, "selector": {"matchLabels": {"of": name}}}
    assert made(budgets, {"metadata": {"name": name}, "spec": spec})["metadata"]["generation"] == 1
    path = f"{budgets}/{name}"
    labelled = api.patch(path, {"metadata": {"labels": {"a": "b"}}}).of(200)
    assert labelled["metadata"]["generation"] == 1
    assert api.patch(path, {"spec": {"minAvailable": 2}}).of(200)["metadata"]["generation"] == 2


def test_dry_run_changes_nothing(api: Api, made: Made, maps: str, name: str) -> None:
    assert api.post(maps, {"metadata": {"name": name}}, dryRun="All").of(201)["metadata"]["name"] == name
    assert api.get(f"{maps}/{name}").status == 404
    before = made(maps, {"metadata": {"name": name}})
    shown = api.patch(f"{maps}/{name}", {"data": {"a": "b"}}, dryRun="All").of(200)
    assert shown["data"] == {"a": "b"}
    api.delete(f"{maps}/{name}", dryRun="All").of(200)
    assert api.get(f"{maps}/{name}").of(200) == before


def test_dry_run_checks_like_the_real_thing(api: Api, made: Made, maps: str, name: str) -> None:
    made(maps, {"metadata": {"name": name}})
    assert api.post(maps, {"metadata": {"name": name}}, dryRun="All").status == 409
    assert api.patch(f"{maps}/{name}", {"metadata": {"resourceVersion": "1"}}, dryRun="All").status == 409


def _owner_of(obj: Json, *path: str) -> set[str]:
    """Managers that own the field at this path."""
    found = set()
    for entry in obj["metadata"]["managedFields"]:
        fields: Any = entry["fieldsV1"]
        for part in path:
            fields = fields.get(f"f:{part}") if isinstance(fields, dict) else None
        if fields is not None:
            found.add(entry["manager"])
    return found


def test_managed_fields_name_who_wrote_what(api: Api, made: Made, maps: str, name: str) -> None:
    made(maps, {"metadata": {"name": name}})
    path = f"{maps}/{name}"
    api.patch(path, {"metadata": {"labels": {"one": "1"}}}, fieldManager="gitops-controller").of(200)
    api.call(
        "PATCH", path, {"metadata": {"labels": {"two": "2"}}}, content_type="application/merge-patch+json",
        agent="argocd-application-controller/v2 (linux)",
    ).of(200)  # fmt: skip
    obj = api.get(path).of(200)
    assert _owner_of(obj, "metadata", "labels", "one") == {"gitops-controller"}
    assert _owner_of(obj, "metadata", "labels", "two") == {"argocd-application-controller"}
    api.patch(path, {"metadata": {"labels": {"one": "x"}}}, fieldManager="someone-else").of(200)
    assert _owner_of(api.get(path).of(200), "metadata", "labels", "one") == {"someone-else"}
    entry = obj["metadata"]["managedFields"][0]
    assert (entry["operation"], entry["fieldsType"]) == ("Update", "FieldsV1")
    assert entry["time"].endswith("Z")


def test_managed_fields_tell_status_writers_apart(api: Api, node: str) -> None:
    body = {"status": {"phase": "Running"}}
    api.patch(f"/api/v1/nodes/{node}/status", body, fieldManager="lab-kubelet").of(200)
    entries = api.get(f"/api/v1/nodes/{node}").of(200)["metadata"]["managedFields"]
    assert [item.get("subresource") for item in entries if item["manager"] == "lab-kubelet"] == ["status"]


def test_lease_is_taken_by_one_writer_only(api: Api, made: Made, leases: str, name: str) -> None:
    lease = made(leases, {"metadata": {"name": name}, "spec": {"holderIdentity": "", "leaseDurationSeconds": 15}})
    won = api.put(f"{leases}/{name}", {**lease, "spec": {**lease["spec"], "holderIdentity": "one"}})
    lost = api.put(f"{leases}/{name}", {**lease, "spec": {**lease["spec"], "holderIdentity": "two"}})
    assert (won.status, lost.status) == (200, 409)
    assert api.get(f"{leases}/{name}").of(200)["spec"]["holderIdentity"] == "one"


def test_lease_without_a_version_is_not_replaced(api: Api, made: Made, leases: str, name: str) -> None:
    made(leases, {"metadata": {"name": name}})
    assert api.put(f"{leases}/{name}", {"metadata": {"name": name}, "spec": {}}).of(422)["reason"] == "Invalid"


def test_delete_of_a_missing_object_is_404(api: Api, maps: str) -> None:
    assert api.delete(f"{maps}/lab-nothing").of(404)["reason"] == "NotFound"


def test_delete_answers_with_a_status(api: Api, made: Made, maps: str, name: str) -> None:
    uid = made(maps, {"metadata": {"name": name}})["metadata"]["uid"]
    status = api.delete(f"{maps}/{name}").of(200)
    assert (status["kind"], status["status"]) == ("Status", "Success")
    assert status["details"]["uid"] == uid


def test_delete_with_another_uid_is_409(api: Api, made: Made, maps: str, name: str) -> None:
    uid = made(maps, {"metadata": {"name": name}})["metadata"]["uid"]
    other = {"preconditions": {"uid": "00000000-0000-0000-0000-000000000000"}}
    assert api.delete(f"{maps}/{name}", other).of(409)["reason"] == "Conflict"
    assert api.delete(f"{maps}/{name}", {"preconditions": {"uid": uid}}).status == 200


def test_finalizer_holds_an_object_back(api: Api, made: Made, maps: str, name: str) -> None:
    made(maps, {"metadata": {"name": name, "finalizers": ["lab.example.org/hold"]}})
    path = f"{maps}/{name}"
    assert "deletionTimestamp" in api.delete(path).of(200)["metadata"]
    assert "deletionTimestamp" in api.get(path).of(200)["metadata"]
    assert api.patch(path, {"metadata": {"finalizers": ["lab.example.org/hold", "lab.example.org/b"]}}).status == 422
    api.patch(path, {"metadata": {"finalizers": None}}).of(200)
    assert api.get(path).status == 404


def test_bound_pod_terminates_until_its_kubelet_says_so(api: Api, make_pod: Made, pods: str) -> None:
    pod = make_pod()
    path = f"{pods}/{pod['metadata']['name']}"
    marked = api.delete(path).of(200)
    assert marked["metadata"]["deletionGracePeriodSeconds"] == 30
    assert "deletionTimestamp" in api.get(path).of(200)["metadata"]
    again = api.delete(path, {"gracePeriodSeconds": 60}).of(200)
    assert again["metadata"]["deletionGracePeriodSeconds"] == 30
    api.delete(path, {"gracePeriodSeconds": 0, "preconditions": {"uid": pod["metadata"]["uid"]}}).of(200)
    assert api.get(path).status == 404


def test_pod_without_a_node_goes_at_once(api: Api, make_pod: Made, pods: str) -> None:
    name = make_pod(bound=False, phase="Pending")["metadata"]["name"]
    api.delete(f"{pods}/{name}").of(200)
    assert api.get(f"{pods}/{name}").status == 404


def test_pod_keeps_its_node(api: Api, make_pod: Made, pods: str) -> None:
    name = make_pod()["metadata"]["name"]
    assert api.patch(f"{pods}/{name}", {"spec": {"nodeName": "elsewhere"}}).of(422)["reason"] == "Invalid"


def test_deletecollection_takes_a_selector(api: Api, made: Made, maps: str, name: str) -> None:
    for suffix, group in (("a", "x"), ("b", "y")):
        made(maps, {"metadata": {"name": f"{name}-{suffix}", "labels": {"of": name, "g": group}}})
    api.delete(maps, labelSelector=f"of={name},g=x").of(200)
    left = api.get(maps, labelSelector=f"of={name}").of(200)["items"]
    assert [item["metadata"]["name"] for item in left] == [f"{name}-b"]


def test_namespace_that_goes_takes_nothing_new(api: Api, made: Made, name: str) -> None:
    made("/api/v1/namespaces", {"metadata": {"name": name}})
    maps = f"/api/v1/namespaces/{name}/configmaps"
    api.post(maps, {"metadata": {"name": "held", "finalizers": ["lab.example.org/hold"]}}).of(201)
    api.delete(f"/api/v1/namespaces/{name}").of(200)
    status = api.post(maps, {"metadata": {"name": "late"}}).of(403)
    assert status["reason"] == "Forbidden"
    assert [cause["reason"] for cause in status["details"]["causes"]] == ["NamespaceTerminating"]
    assert api.get(f"/api/v1/namespaces/{name}").of(200)["status"]["phase"] == "Terminating"
    api.patch(f"{maps}/held", {"metadata": {"finalizers": None}}).of(200)


@pytest.mark.usefixtures("need_controllers")
def test_children_follow_their_owner(api: Api, made: Made, maps: str, name: str) -> None:
    owner = made(maps, {"metadata": {"name": name}})
    reference = {"apiVersion": "v1", "kind": "ConfigMap", "name": name, "uid": owner["metadata"]["uid"]}
    made(maps, {"metadata": {"name": f"{name}-child", "ownerReferences": [reference]}})
    api.delete(f"{maps}/{name}", {"propagationPolicy": "Background"}).of(200)
    eventually(lambda: api.get(f"{maps}/{name}-child").status == 404)


@pytest.mark.usefixtures("need_controllers")
def test_owner_deleted_in_the_foreground_goes_last(api: Api, made: Made, maps: str, name: str) -> None:
    owner = made(maps, {"metadata": {"name": name}})
    reference = {"apiVersion": "v1", "kind": "ConfigMap", "name": name, "uid": owner["metadata"]["uid"],
                 "blockOwnerDeletion": True}  # fmt: skip
    child = f"{name}-child"
    made(maps, {"metadata": {"name": child, "ownerReferences": [reference], "finalizers": ["lab.example.org/hold"]}})
    api.delete(f"{maps}/{name}", {"propagationPolicy": "Foreground"}).of(200, 202)
    eventually(lambda: "deletionTimestamp" in api.get(f"{maps}/{child}").of(200)["metadata"])
    assert api.get(f"{maps}/{name}").of(200)["metadata"]["finalizers"] == ["foregroundDeletion"]
    api.patch(f"{maps}/{child}", {"metadata": {"finalizers": None}}).of(200)
    eventually(lambda: api.get(f"{maps}/{name}").status == 404)


@pytest.mark.usefixtures("need_controllers")
def test_orphans_stay(api: Api, made: Made, maps: str, name: str) -> None:
    owner = made(maps, {"metadata": {"name": name}})
    reference = {"apiVersion": "v1", "kind": "ConfigMap", "name": name, "uid": owner["metadata"]["uid"]}
    made(maps, {"metadata": {"name": f"{name}-child", "ownerReferences": [reference]}})
    api.delete(f"{maps}/{name}", {"propagationPolicy": "Orphan"}).of(200)
    eventually(lambda: api.get(f"{maps}/{name}").status == 404)
    assert "ownerReferences" not in api.get(f"{maps}/{name}-child").of(200)["metadata"]
