# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a chart is and would do, by what helm has rendered."""

from __future__ import annotations

from dataclasses import replace

import pytest
import yaml
from ansible_collections.hitless.nodes.plugins.module_utils.upgrade.chart_findings import (
    Rendered,
    Wanted,
    capabilities,
    find,
)

RENDERED = """
kind: DaemonSet
metadata: {{name: cilium}}
spec:
  updateStrategy: {{type: {strategy}}}
  template: {{spec: {{containers: [{{name: cilium-agent, image: "quay.io/cilium/cilium:v1.19.1"}}]}}}}
---
kind: Deployment
metadata: {{name: cilium-operator}}
spec: {{template: {{spec: {{containers: [{{name: operator, image: "quay.io/cilium/operator:v1.19.1"}}]}}}}}}
"""
AGENT, OPERATOR = "quay.io/cilium/cilium:v1.19.1", "quay.io/cilium/operator:v1.19.1"
WANTED = Wanted("cilium", "kube-system", {"debug": False})
RELEASE = {"status": "deployed", "chart": "cilium-1.18.4", "values": {"debug": True}}


def manifests(strategy):
    return list(yaml.safe_load_all(RENDERED.format(strategy=strategy)))


CHART = Rendered(
    {"name": "cilium", "version": "1.19.1", "appVersion": "1.19.1"}, manifests("OnDelete"), manifests("RollingUpdate")
)


def test_a_chart_names_its_images():
    found = find(WANTED, CHART, RELEASE)
    assert (found.problems, found.images, found.agent_images, found.applied) == ([], [AGENT, OPERATOR], [AGENT], False)
    assert find(replace(WANTED, images=[AGENT]), CHART, RELEASE).images == [AGENT]


def test_a_release_of_the_chart_with_these_values_is_applied():
    release = {**RELEASE, "chart": CHART.name, "values": WANTED.values, "manifest": CHART.wanted}
    assert find(WANTED, CHART, release).applied


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"daemonset": "agents"}, "the chart renders no DaemonSet agents"),
        ({"images": [OPERATOR]}, f"images that agent_images lacks ({AGENT})"),
        ({"version": "1.19.2"}, "agent_version is 1.19.2"),
        ({"values": {}}, "would be lost (debug)"),
    ],
)
def test_what_stands_against_a_chart_is_named(changes, words):
    (problem,) = find(replace(WANTED, **changes), CHART, RELEASE).problems
    assert words in problem


def test_a_release_that_is_not_there_or_a_chart_that_ignores_on_delete_is_a_problem():
    (problem,) = find(WANTED, CHART, None).problems
    assert "there is no Helm release cilium" in problem
    (problem,) = find(WANTED, replace(CHART, driven=CHART.wanted), RELEASE).problems
    assert "doesn't give DaemonSet cilium the updateStrategy.type OnDelete" in problem


def test_an_image_of_the_agent_that_is_none_is_a_problem():
    bad = [{"kind": "DaemonSet", "metadata": {"name": "cilium"}, "spec": {"template": {"spec": {"containers": []}}}}]
    bad[0]["spec"]["updateStrategy"] = {"type": "OnDelete"}
    bad[0]["spec"]["template"]["spec"]["containers"] = [{"name": "cilium-agent", "image": "a b"}]
    with pytest.raises(Exception, match="isn't an image reference"):
        find(WANTED, replace(CHART, driven=bad, wanted=bad), RELEASE)


def test_values_may_be_dropped_by_name_and_by_a_rollback():
    assert find(replace(WANTED, values={}, drop_values=["debug"]), CHART, RELEASE).problems == []
    assert find(replace(WANTED, values={}, is_previous=True), CHART, RELEASE).problems == []


def test_helm_is_told_what_the_cluster_serves():
    served = {"apis": {"apps/v1": {"DaemonSet": {}}}, "version": {"server": {"kubernetes": {"gitVersion": "v1.33.4"}}}}
    assert capabilities(served) == [
        *("--kube-version", "v1.33.4"),
        *("--api-versions", "apps/v1"),
        *("--api-versions", "apps/v1/DaemonSet"),
    ]
