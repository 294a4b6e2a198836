# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from ansible_collections.hitless.nodes.plugins.module_utils.kube.patching import merged


def test_merged():
    assert merged({"a": {"x": 1, "y": None}}, {"a": {"y": 2}, "b": 3}, {"a": {"x": None}}) == {
        "a": {"x": None, "y": 2},
        "b": 3,
    }


def test_merged_leaves_its_arguments_alone():
    patch = {"a": {"x": 1}}
    merged(patch, {"a": {"y": 2}})
    assert patch == {"a": {"x": 1}}
