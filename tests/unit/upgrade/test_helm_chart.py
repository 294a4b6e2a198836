# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a chart renders, and what of a release would be lost."""

from __future__ import annotations

import pytest
from ansible_collections.hitless.nodes.plugins.module_utils.upgrade import helm_chart

AGENT = "quay.io/cilium/cilium:v1.19.1"
CHART = {"name": "cilium", "version": "1.19.1", "appVersion": "1.19.1"}


def pod(*images, init=()):
    return {"spec": {"containers": [{"image": i} for i in images], "initContainers": [{"image": i} for i in init]}}


def made(kind, name="x", annotations=None, **spec):
    return {"kind": kind, "metadata": {"name": name, "annotations": annotations or {}}, "spec": spec}


def test_values_are_merged_as_helm_does():
    assert helm_chart.merged([]) == {}
    first = {"a": {"b": 1, "c": [1, 2]}, "d": {"e": 1}, "f": 1}
    assert helm_chart.merged([first, {"a": {"c": [3]}, "d": None, "f": {"g": 1}}]) == {
        "a": {"b": 1, "c": [3]},
        "d": None,
        "f": {"g": 1},
    }
    assert first["a"]["c"] == [1, 2]


def test_a_driven_rollout_leaves_other_values_alone():
    driven = helm_chart.driven({"debug": True, "updateStrategy": {"rollingUpdate": {"maxUnavailable": 5}}})
    assert driven == {"debug": True, "updateStrategy": {"type": "OnDelete", "rollingUpdate": None}}


@pytest.mark.parametrize(
    ("current", "wanted", "dropped", "lost"),
    [
        ({"a": 1}, {"a": 2}, [], []),
        ({"a": 1}, {}, [], ["a"]),
        ({"a": None}, {}, [], ["a"]),
        ({"a": {"b": 1, "c": {"d": 1}}}, {"a": {"b": 2}}, [], ["a.c.d"]),
        ({"a": {"b": 1}}, {"a": None}, [], []),
        ({"a": {"b": 1, "c": 1}}, {}, ["a"], []),
        ({"a": {"b": 1, "c": 1}}, {}, ["a.b"], ["a.c"]),
        ({"ab": 1}, {}, ["a"], ["ab"]),
        ({"a": {}}, {}, [], []),
        # What an interrupted run has added itself, and what its user has.
        ({"updateStrategy": {"type": "OnDelete", "rollingUpdate": None}}, {}, [], []),
        ({"updateStrategy": {"type": "OnDelete"}}, {}, [], ["updateStrategy.type"]),
    ],
)
def test_lost_values_are_named(current, wanted, dropped, lost):
    assert helm_chart.lost(current, wanted, dropped) == lost


def test_many_lost_values_are_counted():
    (problem,) = helm_chart.lost_problem([f"k{number}" for number in range(25)])
    assert "k19 and 5 more)" in problem
    assert helm_chart.lost_problem([]) == []


def test_images_are_those_of_all_pods():
    manifests = [
        None,
        made("ConfigMap"),
        made("DaemonSet", template=pod("agent", init=["config", "agent"])),
        made("Deployment", template=pod("operator")),
        made("CronJob", jobTemplate={"spec": {"template": pod("certgen")}}),
        {"kind": "List", "items": [{"kind": "Pod", **pod("relay")}]},
        made("Job", annotations={"helm.sh/hook": "post-upgrade"}, template=pod("hook")),
        made("Job", annotations={"helm.sh/hook": "test-success"}, template=pod("test")),
    ]
    assert helm_chart.images(manifests) == ["config", "agent", "operator", "certgen", "relay", "hook"]


def test_a_release_that_is_as_rendered_is_applied():
    objects = [made("DaemonSet", "cilium"), made("Job", "certgen", annotations={"helm.sh/hook": "post-upgrade"})]
    release = {"status": "deployed", "chart": "cilium-1.19.1", "values": {"a": 1}, "manifest": objects[:1]}
    assert helm_chart.applied(release, "cilium-1.19.1", {"a": 1}, objects)
    assert not helm_chart.applied({**release, "status": "failed"}, "cilium-1.19.1", {"a": 1}, objects)
    assert not helm_chart.applied(release, "cilium-1.19.2", {"a": 1}, objects)
    assert not helm_chart.applied(release, "cilium-1.19.1", {}, objects)
    assert not helm_chart.applied(release, "cilium-1.19.1", {"a": 1}, [made("DaemonSet", "cilium", template={})])
    assert not helm_chart.applied({}, "cilium-1.19.1", {}, [])


@pytest.mark.parametrize(
    ("wanted", "images", "check", "words"),
    [
        ("", [AGENT], True, None),
        ("1.19.1", [AGENT], True, None),
        ("v1.19.1", [AGENT], True, None),
        ("1.19.2", [AGENT], True, "appVersion 1.19.1), and agent_version is 1.19.2"),
        ("", [AGENT, "quay.io/cilium/cilium:v1.18.4"], True, "its agent is quay.io/cilium/cilium:v1.18.4: take"),
        ("", ["quay.io/cilium/cilium:v1.18.4"], False, None),
        ("", ["quay.io/cilium/cilium:latest"], True, None),
        ("", ["quay.io/cilium/cilium:v1.19.1-own"], True, None),
    ],
)
def test_versions_agree(wanted, images, check, words):
    problems = helm_chart.version_problems(CHART, wanted, images, check=check)
    assert [words in problem for problem in problems] == ([True] if words else [])


@pytest.mark.parametrize(
    ("release", "words"),
    [
        (None, "there is no Helm release cilium in namespace kube-system"),
        (
            {"status": "pending-upgrade", "chart": "cilium-1.18.4", "revision": "8"},
            "delete Secret sh.helm.release.v1.cilium.v8 in namespace kube-system",
        ),
        (
            {"status": "deployed", "chart": "web-1.0.0"},
            "release cilium has the chart web-1.0.0, but agent_chart is cilium",
        ),
        ({"status": "failed", "chart": "cilium-1.18.4"}, None),
    ],
)
def test_a_release_that_cannot_be_upgraded_is_refused(release, words):
    problems = helm_chart.release_problems(release, "cilium", "kube-system", CHART)
    assert [words in problem for problem in problems] == ([True] if words else [])


def test_agents_are_restarted_by_nobody_else():
    on_delete = made("DaemonSet", "cilium", updateStrategy={"type": "OnDelete"}, template=pod(AGENT))
    rolling = made("DaemonSet", "cilium", updateStrategy={"type": "RollingUpdate"}, template=pod(AGENT))
    bare = made("DaemonSet", "cilium", template=pod(AGENT))
    other = made("DaemonSet", "cilium", template=pod("other"))
    assert helm_chart.daemonset([made("Deployment", "cilium"), rolling], "cilium") is rolling
    assert helm_chart.restart_problems("cilium", on_delete, rolling) == []
    for driven, wanted, words in (
        (None, rolling, "renders no DaemonSet cilium"),
        (rolling, rolling, "doesn't give DaemonSet cilium the updateStrategy.type OnDelete"),
        (bare, bare, "doesn't give DaemonSet cilium the updateStrategy.type OnDelete"),
        (on_delete, other, "differently each time"),
    ):
        (problem,) = helm_chart.restart_problems("cilium", driven, wanted)
        assert words in problem
