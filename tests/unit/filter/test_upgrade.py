# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.hitless.nodes.plugins.filter.upgrade import FilterModule, upgrade_problems

REQUEST = {
    "images": ["quay.io/cilium/cilium:v1.19.1"],
    "apply": "none",
    "chart": "",
    "rollback": False,
    "without_gr": "refuse",
    "batch": 1,
    "margin": 0.25,
    "measured": [],
}


CHART = {"values": {}, "files": [], "dropped": [], "client_cert": ""}


def test_good_input_has_no_problems():
    assert upgrade_problems(REQUEST) == []
    assert upgrade_problems({**REQUEST, "batch": "3"}) == []
    assert upgrade_problems({**REQUEST, "batch": "1", "without_gr": "drain"}) == []
    assert upgrade_problems({**REQUEST, "images": [], "apply": "", "rollback": True}) == []
    assert upgrade_problems({**REQUEST, "images": [], "apply": "", "chart": CHART}) == []


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"images": []}, "which images?"),
        ({"images": "quay.io/cilium/cilium:v1"}, "must be a list of images"),
        ({"images": ["a b"]}, "agent_images: 'a b' isn't an image reference"),
        ({"apply": "/nowhere/apply.yml"}, "agent_apply: there is no file /nowhere/apply.yml"),
        ({"apply": ""}, "neither agent_chart nor agent_apply was given"),
        ({"chart": CHART}, "both agent_chart and agent_apply were given"),
        ({"apply": "", "chart": {**CHART, "values": "a=b"}}, "agent_values is 'a=b', and must be a mapping"),
        ({"apply": "", "chart": {**CHART, "files": "v.yml"}}, "agent_values_files is 'v.yml', and must be a list"),
        ({"apply": "", "chart": {**CHART, "dropped": "a"}}, "agent_drop_values is 'a', and must be a list"),
        ({"apply": "", "chart": {**CHART, "files": ["/nowhere"]}}, "agent_values_files: /nowhere can't be read"),
        ({"apply": "", "chart": {**CHART, "client_cert": "c.pem"}}, "helm knows client certificates of a kubeconfig"),
        ({"without_gr": "ignore"}, "without_gr is 'ignore', and must be refuse or drain"),
        ({"batch": "30%"}, "agent_batch is '30%', and must be a number from 1 on"),
        ({"batch": 0}, "agent_batch is 0, and must be a number from 1 on"),
        ({"batch": True}, "agent_batch is True, and must be a number from 1 on"),
        ({"batch": 2, "without_gr": "drain"}, "agent_batch and without_gr=drain: "),
        ({"margin": "much"}, "agent_margin is 'much', and must be a number"),
        ({"measured": [-1]}, "agent_measured is [-1], and must be numbers"),
    ],
)
def test_bad_input_is_named(changes, words):
    (problem,) = upgrade_problems({**REQUEST, **changes})
    assert words in problem


def test_the_plugin_names_its_filters():
    assert set(FilterModule().filters()) == {"upgrade_problems"}
