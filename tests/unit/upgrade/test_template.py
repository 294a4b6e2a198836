# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.hitless.nodes.plugins.module_utils.upgrade.template import (
    image_list,
    made_of,
    not_pulled,
    others_wanted,
    references,
)

OLD, NEW = "quay.io/cilium/cilium:v1.18.4", "quay.io/cilium/cilium:v1.19.1"
DIGEST = f"sha256:{'a' * 64}"


def template(image):
    return {
        "metadata": {"annotations": {"cilium.io/cilium-configmap-checksum": "1"}},
        "spec": {
            "initContainers": [{"name": "config", "image": image, "command": ["cilium-dbg", "build-config"]}],
            "containers": [{"name": "cilium-agent", "image": image, "env": [{"name": "A", "value": "b"}], "args": []}],
        },
    }


def pod():
    made = template(OLD)
    made["metadata"]["annotations"]["added.by/webhook"] = "x"
    made["spec"]["containers"].append({"name": "sidecar", "image": "other:1"})
    return made


def changed(path, value):
    made = template(OLD)
    place = made
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    return made


def test_a_pod_is_made_of_its_template_whatever_webhooks_added():
    assert made_of(pod(), template(OLD))
    assert made_of(pod(), changed(("spec", "containers", 0, "args"), None))


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("spec", "containers", 0, "image"), NEW),
        (("spec", "initContainers", 0, "image"), NEW),
        (("spec", "containers", 0, "args"), ["--debug"]),
        (("spec", "containers", 0, "env"), []),
        (("spec", "containers", 0, "name"), "agent"),
        (("metadata", "annotations"), {"cilium.io/cilium-configmap-checksum": "2"}),
    ],
)
def test_a_pod_is_not_made_of_a_template_that_changed(path, value):
    assert not made_of(pod(), changed(path, value))


def test_image_list_names_those_of_all_containers_once():
    assert image_list(template(OLD)) == [OLD]
    assert image_list(changed(("spec", "initContainers", 0, "image"), NEW)) == [NEW, OLD]


def test_not_pulled_compares_repository_tag_and_digest():
    assert not_pulled(template(OLD), [OLD]) == []
    assert not_pulled(template(f"{OLD}@{DIGEST}"), [OLD]) == [f"{OLD}@{DIGEST}"]
    assert not_pulled(template("cilium/cilium:v1"), ["docker.io/cilium/cilium:v1"]) == []


def test_others_wanted_is_another_version_of_an_image_that_the_pod_runs():
    assert others_wanted(pod(), [NEW])
    assert others_wanted(pod(), [f"{OLD}@{DIGEST}"])
    assert not others_wanted(pod(), [OLD, NEW])
    assert not others_wanted(pod(), ["quay.io/cilium/operator-generic:v1.19.1"])
    assert not others_wanted(pod(), [])


def test_references_are_those_of_all_containers_once():
    two = changed(("spec", "initContainers", 0, "image"), "quay.io/cilium/init:v1")
    assert [reference.text for reference in references(template(OLD))] == [OLD]
    assert [reference.text for reference in references(two)] == ["quay.io/cilium/init:v1", OLD]
