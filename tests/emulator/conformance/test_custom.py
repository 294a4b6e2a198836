# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Custom resources: definitions, validation, versions, status."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from ..client import JSON_PATCH, STRATEGIC, Api, eventually

Json = dict[str, Any]


@pytest.fixture
def thing(api: Api, crd: Json, name: str) -> Iterator[Callable[[Json], Json]]:
    """thing(spec): one custom object."""

    def make(spec: Json) -> Json:
        body = {"apiVersion": crd["version"], "kind": crd["kind"], "metadata": {"name": name}, "spec": spec}
        created: Json = api.post(crd["path"], body).of(201)
        return created

    yield make
    api.delete(f"{crd['path']}/{name}")


Thing = Callable[[Json], Json]


def test_definition_is_served_and_discovered(api: Api, crd: Json) -> None:
    groups = {group["name"]: group for group in api.get("/apis").of(200)["groups"]}
    assert groups[crd["group"]]["preferredVersion"]["version"] == "v2"
    listed = api.get(f"/apis/{crd['group']}/v2").of(200)["resources"]
    assert {item["name"] for item in listed} == {crd["plural"], f"{crd['plural']}/status"}
    assert api.get(crd["path"]).of(200)["kind"] == f"{crd['kind']}List"
    definition = api.get(f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{crd['name']}").of(200)
    conditions = {item["type"]: item["status"] for item in definition["status"]["conditions"]}
    assert conditions["Established"] == "True"


def test_version_that_is_not_served_is_404(api: Api, crd: Json) -> None:
    assert api.get(f"/apis/{crd['group']}/v3/{crd['plural']}").status == 404


def test_items_of_custom_lists_carry_their_kind(api: Api, crd: Json, thing: Thing) -> None:
    thing({"asn": 65001})
    (item,) = api.get(crd["path"]).of(200)["items"]
    assert (item["kind"], item["apiVersion"]) == (crd["kind"], crd["version"])


def test_defaults_of_the_schema_are_filled_in(thing: Thing) -> None:
    assert thing({"asn": 65001})["spec"] == {"asn": 65001, "hold": 90}


@pytest.mark.parametrize(
    ("spec", "field"),
    [
        ({}, "spec.asn"),
        ({"asn": "65001"}, "spec.asn"),
        ({"asn": 0}, "spec.asn"),
        ({"asn": 1, "mode": "c"}, "spec.mode"),
        ({"asn": 1, "peers": ["a", "b", "c"]}, "spec.peers"),
    ],
)
def test_object_that_breaks_the_schema_is_422_with_the_field(
    api: Api, crd: Json, name: str, spec: Json, field: str
) -> None:
    body = {"apiVersion": crd["version"], "kind": crd["kind"], "metadata": {"name": name}, "spec": spec}
    status = api.post(crd["path"], body).of(422)
    assert status["reason"] == "Invalid"
    assert field in [cause["field"] for cause in status["details"]["causes"]]


def test_both_versions_show_the_same_object(api: Api, crd: Json, thing: Thing, name: str) -> None:
    uid = thing({"asn": 65001})["metadata"]["uid"]
    old = api.get(f"{crd['old_path']}/{name}").of(200)
    assert old["apiVersion"] == f"{crd['group']}/v1alpha1"
    assert old["metadata"]["uid"] == uid
    api.patch(f"{crd['old_path']}/{name}", {"spec": {"hold": 9}}).of(200)
    assert api.get(f"{crd['path']}/{name}").of(200)["spec"]["hold"] == 9


def test_status_of_a_custom_object_is_apart(api: Api, crd: Json, thing: Thing, name: str) -> None:
    body = {"asn": 65001}
    thing(body)
    path = f"{crd['path']}/{name}"
    api.patch(path, {"status": {"state": "no"}}).of(200)
    assert "status" not in api.get(path).of(200)
    change = {"metadata": {"labels": {"a": "b"}}, "spec": {"asn": 2}, "status": {"state": "yes"}}
    api.patch(f"{path}/status", change).of(200)
    after = api.get(path).of(200)
    assert (after["status"], after["spec"]["asn"]) == ({"state": "yes"}, 65001)
    assert "labels" not in after["metadata"]
    assert after["metadata"]["generation"] == 1
    assert api.patch(path, {"spec": {"asn": 3}}).of(200)["metadata"]["generation"] == 2


def test_strategic_patch_of_a_custom_object_is_415(api: Api, crd: Json, thing: Thing, name: str) -> None:
    thing({"asn": 65001})
    answer = api.patch(f"{crd['path']}/{name}", {"spec": {"hold": 9}}, STRATEGIC)
    assert answer.of(415)["reason"] == "UnsupportedMediaType"


def test_json_patch_of_a_custom_object(api: Api, crd: Json, thing: Thing, name: str) -> None:
    thing({"asn": 65001})
    patch = [{"op": "add", "path": "/spec/mode", "value": "a"}]
    assert api.patch(f"{crd['path']}/{name}", patch, JSON_PATCH).of(200)["spec"]["mode"] == "a"


def test_custom_object_is_replaced_only_with_its_version(api: Api, crd: Json, thing: Thing, name: str) -> None:
    obj = thing({"asn": 65001})
    del obj["metadata"]["resourceVersion"]
    assert api.put(f"{crd['path']}/{name}", obj).of(422)["reason"] == "Invalid"


def test_watch_of_custom_objects(api: Api, crd: Json, thing: Thing, name: str) -> None:
    start = api.get(crd["path"]).of(200)["metadata"]["resourceVersion"]
    thing({"asn": 65001})
    event = next(api.watch(crd["path"], resourceVersion=start))
    assert (event["type"], event["object"]["metadata"]["name"]) == ("ADDED", name)
    assert event["object"]["kind"] == crd["kind"]


def test_definition_takes_its_objects_with_it(api: Api, crd: Json, thing: Thing) -> None:
    thing({"asn": 65001})
    api.delete(f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{crd['name']}").of(200)
    eventually(lambda: api.get(crd["path"]).status == 404)


def test_definition_must_be_named_after_its_plural_and_group(api: Api, run: str) -> None:
    schema = {"openAPIV3Schema": {"type": "object"}}
    spec = {
        "group": f"{run}.example.org",
        "scope": "Cluster",
        "names": {"plural": "others", "kind": "Other"},
        "versions": [{"name": "v1", "served": True, "storage": True, "schema": schema}],
    }
    body = {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"wrong.{run}.example.org"},
        "spec": spec,
    }
    assert api.post("/apis/apiextensions.k8s.io/v1/customresourcedefinitions", body).status == 422
