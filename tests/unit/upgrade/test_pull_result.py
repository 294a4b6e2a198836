# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.hitless.nodes.plugins.module_utils.upgrade.image_ref import parse
from ansible_collections.hitless.nodes.plugins.module_utils.upgrade.pull_daemonset import PullFailed
from ansible_collections.hitless.nodes.plugins.module_utils.upgrade.pull_plan import FAILED, THERE, Target
from ansible_collections.hitless.nodes.plugins.module_utils.upgrade.pull_result import (
    missing_warnings,
    outcome,
    stop_at_failures,
)

A, B = (f"sha256:{letter * 64}" for letter in "ab")
OPERATOR = parse("quay.io/cilium/operator:v1.19.1")
PINNED = parse(f"quay.io/cilium/operator@{A}")


def there(name, digest, *, before=False, how="pod"):
    return Target(name, "linux/amd64", before, THERE, digests=[digest], how=[how])


def failed(name):
    return Target(name, "linux/amd64", False, FAILED, words="denied")


def result(targets, *, reference=OPERATOR, allow_missing=()):
    return outcome({"allow_missing": list(allow_missing)}, [reference], targets, 1.04)


def test_nodes_have_the_images_or_get_them_or_fail_or_may_do_without():
    found = result([there("w1", A, before=True), there("w2", A), failed("w3"), failed("w4")], allow_missing=["w4"])
    assert [row["result"] for row in found["nodes"]] == ["present", "pulled", "failed", "missing"]
    assert (found["failed_nodes"], found["missing_nodes"], found["seconds"]) == (["w3"], ["w4"], 1.0)
    assert missing_warnings(found) == ["w4 doesn't have the images, as agent_allow_missing permits: denied"]


def test_what_proved_an_image_is_counted():
    found = result([there("w1", A), there("w2", B, how="node"), there("w3", A), failed("w4")])
    (image,) = found["images"]
    assert (image["digests"], image["nodes"], image["proven_by"]) == ([A, B], 3, {"node": 1, "pod": 2})


def test_nodes_that_failed_are_named_and_many_are_counted():
    targets = [failed(f"w{number}") for number in range(7)]
    with pytest.raises(PullFailed, match=r"7 of 7 nodes don't have .*w4 \(linux/amd64\): denied; and 2 more; correct"):
        stop_at_failures([OPERATOR], targets, result(targets))


def test_a_tag_that_is_not_the_same_everywhere_is_refused_and_a_digest_needs_no_comparing():
    targets = [there("w1", A), there("w2", B)]
    with pytest.raises(
        PullFailed, match=r"operator:v1.19.1 is not the same everywhere.*name the image with its digest"
    ):
        stop_at_failures([OPERATOR], targets, result(targets))
    stop_at_failures([PINNED], targets, result(targets, reference=PINNED))
    stop_at_failures([OPERATOR], targets[:1], result(targets[:1]))
