# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.hitless.nodes.plugins.module_utils.upgrade.version_step import (
    comes_to,
    same_repository,
    step_problem,
    version_of,
)

OLD, NEW = "quay.io/cilium/cilium:v1.18.4", "quay.io/cilium/cilium:v1.19.1"
DIGEST = f"sha256:{'a' * 64}"


@pytest.mark.parametrize(
    ("image", "version"),
    [
        (OLD, (1, 18)),
        (f"{NEW}@{DIGEST}", (1, 19)),
        ("quay.io/cilium/cilium:1.18", (1, 18)),
        ("quay.io/cilium/cilium:v1.19.0-rc.1", (1, 19)),
        ("quay.io/cilium/cilium:latest", None),
        (f"quay.io/cilium/cilium@{DIGEST}", None),
    ],
)
def test_version_of(image, version):
    assert version_of(image) == version


def test_step_problem_one_minor_version_at_a_time_in_either_direction():
    assert step_problem(OLD, NEW) is None
    assert step_problem(NEW, OLD) is None
    assert step_problem(OLD, OLD) is None
    assert "from 1.17 to 1.19 is more than one" in (step_problem("c/c:v1.17.9", "c/c:v1.19.1") or "")
    assert "from 1.19 to 2.0 is more than one" in (step_problem("c/c:v1.19.9", "c/c:v2.0.0") or "")
    assert "has no version, so it isn't known" in (step_problem(OLD, "c/c:latest") or "")


def test_images_come_to_a_version_or_past_it():
    assert comes_to([OLD, NEW], (1, 19))
    assert not comes_to([OLD, "quay.io/cilium/cilium:latest"], (1, 19))
    assert not comes_to([], (1, 19))


def test_versions_of_one_image_have_the_same_repository():
    assert same_repository(OLD, f"{NEW}@{DIGEST}")
    assert not same_repository(OLD, "quay.io/cilium/operator:v1.18.4")
