# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.hitless.nodes.plugins.filter.chart import (
    FilterModule,
    chart_capabilities,
    chart_driven,
    chart_findings,
    chart_tools_problems,
    chart_values,
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
LOOK = {
    "chart": "{name: cilium, version: 1.19.1, appVersion: 1.19.1}",
    "as_driven": RENDERED.format(strategy="OnDelete"),
    "as_wanted": RENDERED.format(strategy="RollingUpdate"),
    "release": {"status": "deployed", "chart": "cilium-1.18.4", "values": {"debug": True}},
    "values": {"debug": False},
    "dropped": [],
    "version": "",
    "images": [],
    "daemonset": "cilium",
    "name": "cilium",
    "namespace": "kube-system",
    "check_version": True,
    "rollback": False,
}


def test_a_chart_names_its_images():
    assert chart_findings(LOOK) == {
        "problems": [],
        "chart": "cilium-1.19.1",
        "images": [AGENT, OPERATOR],
        "agent_images": [AGENT],
        "applied": False,
    }
    assert chart_findings({**LOOK, "images": [AGENT]})["images"] == [AGENT]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"release": None}, "there is no Helm release cilium"),
        ({"as_driven": LOOK["as_wanted"]}, "another updateStrategy than OnDelete"),
        ({"daemonset": "agents"}, "the chart renders no DaemonSet agents"),
        ({"images": [OPERATOR]}, f"images that agent_images doesn't ({AGENT})"),
        ({"version": "1.19.2"}, "agent_version is 1.19.2"),
        ({"values": {}}, "would be lost (debug)"),
    ],
)
def test_what_stands_against_a_chart_is_named(changes, words):
    (problem,) = chart_findings({**LOOK, **changes})["problems"]
    assert words in problem


def test_values_may_be_dropped_by_name_and_by_a_rollback():
    assert chart_findings({**LOOK, "values": {}, "dropped": ["debug"]})["problems"] == []
    assert chart_findings({**LOOK, "values": {}, "rollback": True})["problems"] == []


def test_values_of_files_come_first(tmp_path):
    first, second, empty = (tmp_path / name for name in ("1.yml", "2.yml", "3.yml"))
    first.write_text("{a: {b: 1, c: 1}, d: 1}")
    second.write_text("a: {c: 2}")
    empty.write_text("# nothing")
    assert chart_values({"d": 3}, map(str, (first, second, empty))) == {"a": {"b": 1, "c": 2}, "d": 3}
    assert chart_driven({}) == {"updateStrategy": {"type": "OnDelete", "rollingUpdate": None}}


@pytest.mark.parametrize("text", ["[1, 2]", "{", None])
def test_a_file_without_values_is_refused(tmp_path, text):
    file = tmp_path / "values.yml"
    if text:
        file.write_text(text)
    with pytest.raises(AnsibleFilterError, match=f"agent_values_files: {file} "):
        chart_values({}, [str(file)])


def test_helm_is_told_what_the_cluster_serves():
    served = {"apis": {"apps/v1": {"DaemonSet": {}}}, "version": {"server": {"kubernetes": {"gitVersion": "v1.33.4"}}}}
    assert chart_capabilities(served) == [
        *("--kube-version", "v1.33.4"),
        *("--api-versions", "apps/v1"),
        *("--api-versions", "apps/v1/DaemonSet"),
    ]


def test_what_applies_charts_must_be_there(monkeypatch, tmp_path):
    (problem,) = chart_tools_problems("/nowhere/helm")
    assert "there is none at /nowhere/helm (agent_helm)" in problem
    monkeypatch.setenv("PATH", str(tmp_path))
    (problem,) = chart_tools_problems()
    assert "there is none in the controller's PATH" in problem
    helm = tmp_path / "helm"
    helm.write_text("")
    helm.chmod(0o755)
    assert chart_tools_problems() == []
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    (problem,) = chart_tools_problems()
    assert "ansible-galaxy collection install kubernetes.core" in problem


def test_the_plugin_names_its_filters():
    names = {"chart_values", "chart_driven", "chart_findings", "chart_capabilities", "chart_tools_problems"}
    assert set(FilterModule().filters()) == names
