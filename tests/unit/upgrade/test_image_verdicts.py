# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.hitless.nodes.plugins.module_utils.upgrade.image_ref import parse
from ansible_collections.hitless.nodes.plugins.module_utils.upgrade.image_verdicts import (
    COMING,
    LISTED,
    container_verdict,
    different,
    listed,
    pod_spec,
    pod_verdicts,
    present,
)

A, B, C = (f"sha256:{letter * 64}" for letter in "abc")
TAGGED = parse("quay.io/cilium/cilium:v1.18.4")
PINNED = parse(f"quay.io/cilium/cilium:v1.18.4@{A}")


def test_listed_finds_an_image_by_tag_or_by_digest_never_by_repository_alone():
    images = [{"names": ["<none>@<none>"]}, {"names": [f"quay.io/cilium/cilium@{A}", "quay.io/cilium/cilium:v1.18.4"]}]
    assert listed(TAGGED, images) is images[1]
    assert listed(PINNED, images) is images[1]
    assert listed(parse("quay.io/cilium/cilium:v1.19.0"), images) is None
    assert listed(parse(f"quay.io/cilium/cilium@{B}"), images) is None
    assert listed(parse("nginx"), [{"names": ["docker.io/library/nginx:latest"]}])


def test_present_does_not_know_where_the_list_may_be_cut_off():
    there = {"names": [f"quay.io/cilium/cilium@{A}"]}
    assert present([PINNED], [there]) is True
    assert present([PINNED, TAGGED], [there]) is False
    assert present([PINNED], []) is False
    assert present([PINNED], [{"names": ["other:1"]}] * LISTED) is None
    assert present([PINNED], [{"names": ["other:1"]}] * LISTED + [there]) is True


def status(image_id="", *, waiting="", message="", running=False):
    state = {"running": {"startedAt": "2026-03-02T22:00:00Z"}} if running else {}
    if waiting:
        state = {"waiting": {"reason": waiting, "message": message}}
    return {"name": "image-0", "imageID": image_id, "state": state}


def test_a_container_that_runs_proves_its_digest():
    found = container_verdict(PINNED, status(f"quay.io/cilium/cilium@{A}", running=True))
    assert (found.state, found.digest, found.how) == ("there", A, "pod")
    found = container_verdict(TAGGED, status(f"quay.io/cilium/cilium@{B}", running=True))
    assert (found.state, found.digest, found.how) == ("there", B, "pod")


def test_another_digest_is_no_proof_unless_the_node_says_that_it_is_the_same_image():
    runs = status(f"quay.io/cilium/cilium@{B}", running=True)
    assert container_verdict(PINNED, runs).state == "coming"
    assert "doesn't say that both are the same" in container_verdict(PINNED, runs).words
    apart = [{"names": [f"quay.io/cilium/cilium@{A}"]}, {"names": [f"quay.io/cilium/cilium@{B}"]}]
    assert container_verdict(PINNED, runs, apart).state == "coming"
    together = [{"names": [f"quay.io/cilium/cilium@{A}", f"quay.io/cilium/cilium@{B}"]}]
    found = container_verdict(PINNED, runs, together)
    assert (found.state, found.digest, found.how) == ("there", A, "node")


def test_an_image_id_without_a_digest_is_no_proof():
    found = container_verdict(TAGGED, status("quay.io/cilium/cilium:v1.18.4", running=True))
    assert (found.state, found.digest) == ("coming", None)


@pytest.mark.parametrize("reason", ["ErrImagePull", "ImagePullBackOff", "RegistryUnavailable"])
def test_a_failed_pull_is_failing_also_where_an_older_container_had_the_image(reason):
    found = container_verdict(PINNED, status(f"quay.io/cilium/cilium@{A}", waiting=reason, message="i/o\ntimeout"))
    assert (found.state, found.final) == ("failing", False)
    assert found.words == f"{PINNED.text}: {reason}: i/o timeout"


def test_a_name_that_is_none_is_final():
    assert container_verdict(PINNED, status(waiting="InvalidImageName")).final


def test_a_container_that_can_t_start_has_had_its_image():
    found = container_verdict(PINNED, status(f"quay.io/cilium/cilium@{A}", waiting="CrashLoopBackOff"))
    assert (found.state, found.how) == ("there", "pod")
    # CRI-O makes no container of an image without the command, so there is no imageID.
    no_container = status(waiting="CreateContainerError", message="executable file not found")
    found = container_verdict(PINNED, no_container)
    assert (found.state, found.digest, found.how) == ("there", A, "reference")
    found = container_verdict(TAGGED, no_container)
    assert (found.state, found.words) == (
        "coming",
        f"{TAGGED.text} is there, but its digest isn't known: name the image with its digest",
    )
    by_tag = [{"names": [f"quay.io/cilium/cilium@{B}", "quay.io/cilium/cilium:v1.18.4"]}]
    found = container_verdict(TAGGED, no_container, by_tag)
    assert (found.state, found.digest, found.how) == ("there", B, "node")


def test_a_container_that_is_being_made_is_coming():
    assert container_verdict(PINNED, status(waiting="ContainerCreating")) == COMING
    assert container_verdict(PINNED, {}) == COMING


def test_pod_verdicts_are_in_the_order_of_the_images():
    spec = pod_spec([PINNED, TAGGED], pull_secrets=["s"], command=["sleep", "1"])
    assert [c["image"] for c in spec["containers"]] == [PINNED.text, TAGGED.text]
    assert spec["imagePullSecrets"] == [{"name": "s"}]
    statuses = [
        {**status(waiting="ErrImagePull"), "name": spec["containers"][1]["name"]},
        {**status(f"q@{A}", running=True), "name": spec["containers"][0]["name"]},
    ]
    found = pod_verdicts([PINNED, TAGGED], {"spec": spec, "status": {"containerStatuses": statuses}})
    assert [verdict.state for verdict in found] == ["there", "failing"]


def test_a_pod_that_is_not_scheduled_or_refused_says_why():
    conditions = [{"type": "PodScheduled", "status": "False", "message": "too many pods"}]
    (found,) = pod_verdicts([PINNED], {"spec": {}, "status": {"conditions": conditions}})
    assert (found.state, found.words) == ("coming", "not scheduled: too many pods")
    refused = {"phase": "Failed", "reason": "OutOfpods", "message": "no room"}
    (found,) = pod_verdicts([PINNED], {"spec": {"nodeName": "w"}, "status": refused})
    assert (found.state, found.words) == ("failing", "the kubelet refused the pod: OutOfpods: no room")


def test_different_compares_nodes_of_the_same_platform():
    arm, amd = "linux/arm64", "linux/amd64"
    assert different([("w1", amd, "i:1", A), ("w2", amd, "i:1", A), ("w3", arm, "i:1", B)]) == []
    (words,) = different([("w1", amd, "i:1", A), ("w2", amd, "i:1", C), ("w3", arm, "i:1", B)])
    assert words == f"i:1 is not the same everywhere: {A} on w1, {C} on w2"
