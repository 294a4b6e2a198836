# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.hitless.nodes.plugins.module_utils.upgrade.asked import problems

# As the playbook's variables arrive.
ASKED = {"agent_images": ["quay.io/cilium/cilium:v1.19.1"], "agent_apply": "none"}
BY_CHART = {"agent_chart": "cilium/cilium"}


@pytest.mark.parametrize(
    "asked",
    [
        ASKED,
        {**ASKED, "agent_batch": "3"},
        {**ASKED, "agent_batch": "1", "without_gr": "drain"},
        {"agent_rollback": "true"},
        {"agent_rollback": True, **BY_CHART},
        BY_CHART,
        {**BY_CHART, "agent_values": {"a": 1}, "agent_values_files": ["v.yml"]},
    ],
)
def test_good_input_has_no_problems(asked):
    assert problems(asked) == []


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({**ASKED, "agent_images": []}, "agent_images is missing"),
        ({"agent_apply": "none"}, "agent_images is missing"),
        ({**ASKED, "agent_images": "quay.io/cilium/cilium:v1"}, "must be a list of images"),
        ({**ASKED, "agent_images": ["a b"]}, "agent_images: 'a b' isn't an image reference"),
        ({**ASKED, "agent_apply": "/nowhere/apply.yml"}, "agent_apply: there is no file /nowhere/apply.yml"),
        ({**ASKED, "agent_apply": ""}, "neither agent_chart nor agent_apply is given"),
        ({**ASKED, **BY_CHART}, "both agent_chart and agent_apply are given"),
        ({**BY_CHART, "agent_values": "a=b"}, "agent_values is 'a=b', and must be a mapping"),
        ({**BY_CHART, "agent_values_files": "v.yml"}, "agent_values_files is 'v.yml', and must be a list"),
        ({**BY_CHART, "agent_drop_values": "a"}, "agent_drop_values is 'a', and must be a list"),
        ({**BY_CHART, "kube_client_cert": "c.pem"}, "helm takes a client certificate only from a kubeconfig"),
        ({**ASKED, "without_gr": "ignore"}, "without_gr is 'ignore', and must be refuse or drain"),
        ({**ASKED, "agent_batch": "30%"}, "agent_batch is '30%', and must be a number from 1 on"),
        ({**ASKED, "agent_batch": 0}, "agent_batch is 0, and must be a number from 1 on"),
        ({**ASKED, "agent_batch": True}, "agent_batch is True, and must be a number from 1 on"),
        ({**ASKED, "agent_batch": 2, "without_gr": "drain"}, "agent_batch is 2, and must be 1 with without_gr=drain: "),
        ({**ASKED, "agent_margin": "much"}, "agent_margin is 'much', and must be a number"),
        ({**ASKED, "agent_measured": [-1]}, "agent_measured is [-1], and must be numbers"),
        ({**ASKED, "agent_measured": 5}, "agent_measured is 5, and must be numbers"),
    ],
)
def test_bad_input_is_named(asked, words):
    (problem,) = problems(asked)
    assert words in problem
