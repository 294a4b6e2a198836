# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import copy
from datetime import UTC, datetime

from ansible_collections.hitless.nodes.plugins.module_utils.upgrade.agent_restart import (
    image_problem,
    refusals,
    session_mark,
    trouble,
)

A, B = (f"sha256:{letter * 64}" for letter in "ab")
IMAGE = f"quay.io/cilium/cilium:v1.18.4@{A}"
TEMPLATE = {
    "metadata": {"annotations": {"cilium.io/cilium-configmap-checksum": "1"}},
    "spec": {
        "initContainers": [{"name": "config", "image": IMAGE, "command": ["cilium-dbg", "build-config"]}],
        "containers": [{"name": "cilium-agent", "image": IMAGE, "env": [{"name": "A", "value": "b"}], "args": []}],
    },
}


def pod(**status):
    return {**copy.deepcopy(TEMPLATE), "status": status}


def changed(path, value):
    template = copy.deepcopy(TEMPLATE)
    place = template
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    return template


def test_refusals():
    assert refusals("cilium", {"spec": {"updateStrategy": {"type": "OnDelete"}, "template": TEMPLATE}}) == []
    (words,) = refusals("cilium", {"spec": {"template": TEMPLATE}})
    assert words.startswith("DaemonSet cilium has updateStrategy RollingUpdate")
    always = changed(("spec", "initContainers", 0, "imagePullPolicy"), "Always")
    (words,) = refusals("cilium", {"spec": {"updateStrategy": {"type": "OnDelete"}, "template": always}})
    assert words.startswith("containers config of DaemonSet cilium have imagePullPolicy Always")


def test_the_image_that_runs_is_the_template_s():
    def status(digest):
        return {"name": "cilium-agent", "imageID": f"quay.io/cilium/cilium@{digest}", "state": {"running": {}}}

    assert image_problem(pod(containerStatuses=[status(A)]), TEMPLATE, []) is None
    assert "container cilium-agent" in (image_problem(pod(containerStatuses=[status(B)]), TEMPLATE, []) or "")
    assert "not yet pulled" in (image_problem(pod(), TEMPLATE, []) or "")
    both = {"names": [f"quay.io/cilium/cilium@{A}", f"quay.io/cilium/cilium@{B}"]}
    assert image_problem(pod(containerStatuses=[status(B)]), TEMPLATE, [both]) is None


def test_trouble_is_in_the_kubelets_words():
    waiting = {"reason": "ImagePullBackOff", "message": "Back-off\npulling"}
    init = [{"name": "config", "state": {"waiting": waiting}}]
    main = [{"name": "cilium-agent", "state": {"waiting": {"reason": "PodInitializing"}}}]
    found = trouble(pod(initContainerStatuses=init, containerStatuses=main))
    assert found == "config: ImagePullBackOff: Back-off pulling"
    assert trouble(pod(containerStatuses=main)) == ""


def test_when_a_session_came_up_is_told_by_the_agent_not_by_when_it_reported():
    started = datetime(2026, 3, 2, 22, 0, 0, tzinfo=UTC)
    rows = [
        {"established": True, "established_time": "2026-03-02T22:00:03Z"},
        {"established": True, "established_time": "2026-03-02T22:00:05Z"},
        {"established": False, "established_time": None},
    ]
    assert session_mark(12.0, 2.5, started, rows) == 8.5
    assert session_mark(6.0, 2.5, started, rows) == 6.0
    assert session_mark(12.0, 2.5, None, rows) == 12.0
    assert session_mark(12.0, 2.5, started, [*rows, {"established": True, "established_time": None}]) == 12.0
    assert session_mark(12.0, 2.5, started, []) == 12.0
