# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab's own definitions of Cilium's kinds: they are structural, take what the seed makes, refuse what is wrong."""

from __future__ import annotations

import copy
from typing import Any

import jsonschema  # type: ignore[import-untyped]
import pytest
from lab import cluster, state
from lab.settings import LabSettings

Object = dict[str, Any]
LAB = state.Lab(LabSettings("crd"))
CRDS = {crd["spec"]["names"]["plural"]: crd for crd in cluster.definitions("crd", "v2")}
BGP = [
    "ciliumbgpclusterconfigs",
    "ciliumbgppeerconfigs",
    "ciliumbgpnodeconfigs",
    "ciliumbgpnodeconfigoverrides",
    "ciliumbgpadvertisements",
    "ciliumloadbalancerippools",
]


def schema(plural: str, version: str = "v2") -> Object:
    found = next(v for v in CRDS[plural]["spec"]["versions"] if v["name"] == version)
    return found["schema"]["openAPIV3Schema"]


def nodes_of(part: Object, where: str) -> list[tuple[str, Object]]:
    found = [(where, part)]
    for name, child in (part.get("properties") or {}).items():
        found += nodes_of(child, f"{where}.{name}")
    for key in ("items", "additionalProperties"):
        if isinstance(part.get(key), dict):
            found += nodes_of(part[key], f"{where}[{key}]")
    return found


def test_all_kinds_are_there_in_the_versions_that_cilium_serves() -> None:
    served = {plural: [v["name"] for v in crd["spec"]["versions"]] for plural, crd in CRDS.items()}
    assert served == {
        **{plural: ["v2", "v2alpha1"] for plural in BGP},
        "ciliumnodes": ["v2"],
        "ciliumbgppeeringpolicies": ["v2alpha1"],
    }


@pytest.mark.parametrize("plural", sorted(CRDS))
def test_schemas_are_structural(plural: str) -> None:
    for version in CRDS[plural]["spec"]["versions"]:
        for where, part in nodes_of(version["schema"]["openAPIV3Schema"], plural):
            assert part.get("type"), f"{where} has no type"
            if part.get("x-kubernetes-list-type") == "map":
                keys = part["x-kubernetes-list-map-keys"]
                assert set(keys) <= set(part["items"].get("required", [])), f"{where}: list keys must be required"
            if part["type"] == "array":
                assert part.get("items"), f"{where} has no items"


@pytest.mark.parametrize("version", ["v2", "v2alpha1"])
def test_definitions_serve_one_version_when_asked(version: str) -> None:
    for crd in cluster.definitions("crd", version):
        stored = [v["name"] for v in crd["spec"]["versions"] if v["storage"]]
        assert len(stored) == 1
        if len(crd["spec"]["versions"]) == 2:
            assert stored == [version]
            served = [v["name"] for v in crd["spec"]["versions"] if v["served"]]
            assert served == (["v2", "v2alpha1"] if version == "v2" else ["v2alpha1"])


def test_the_seeds_objects_are_valid() -> None:
    objects = cluster.bgp_objects(LAB, "v2")
    objects += [("ciliumnodes", node) for node in cluster.cilium_nodes(LAB)]
    for plural, found in objects:
        jsonschema.validate(found, schema(plural))
    assert {plural for plural, _unused in objects} >= {"ciliumbgpclusterconfigs", "ciliumbgppeerconfigs", "ciliumnodes"}


def cluster_config() -> Object:
    return copy.deepcopy(next(o for plural, o in cluster.bgp_objects(LAB, "v2") if plural == "ciliumbgpclusterconfigs"))


@pytest.mark.parametrize(
    "spoil",
    [
        lambda spec: spec.update(bgpInstances=[]),
        lambda spec: spec["bgpInstances"][0].update(localASN=0),
        lambda spec: spec["bgpInstances"][0].update(localASN="65432"),
        lambda spec: spec["bgpInstances"][0].pop("name"),
        lambda spec: spec["bgpInstances"][0]["peers"][0].update(peerASN=-1),
        lambda spec: spec.update(nodeSelector={"matchLabels": {"enable-bgp": True}}),
        lambda spec: spec.update(nodeSelector={"matchExpressions": [{"key": "a", "operator": "Is"}]}),
        lambda spec: spec.update(bgpInstances=spec["bgpInstances"] * 17),
    ],
)
def test_a_wrong_cluster_config_is_refused(spoil: Any) -> None:
    wrong = cluster_config()
    spoil(wrong["spec"])
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(wrong, schema("ciliumbgpclusterconfigs"))


@pytest.mark.parametrize(
    ("plural", "spec"),
    [
        ("ciliumbgppeerconfigs", {"timers": {"holdTimeSeconds": 2}}),
        ("ciliumbgppeerconfigs", {"gracefulRestart": {"enabled": True, "restartTimeSeconds": 4096}}),
        ("ciliumbgppeerconfigs", {"families": [{"afi": "ipv5", "safi": "unicast"}]}),
        ("ciliumbgpadvertisements", {"advertisements": [{"advertisementType": "Vip"}]}),
        (
            "ciliumbgpadvertisements",
            {"advertisements": [{"advertisementType": "Service", "service": {"addresses": []}}]},
        ),
    ],
)
def test_other_wrong_objects_are_refused(plural: str, spec: Object) -> None:
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"metadata": {"name": "x"}, "spec": spec}, schema(plural))
