# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Upgrades by chart, up to the first change, with a real helm: what is refused, and what a rollback goes back to."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from ansible_collections.hitless.nodes.plugins.module_utils.upgrade import helm_chart
from ansible_collections.hitless.nodes.plugins.module_utils.upgrade.helm_release import (
    ReleaseError,
    chart_files,
    release_chart,
)
from lab.helm import CHART, TOP, helm, package, program

NAMESPACE = ("--namespace", "kube-system")
UPGRADE = TOP / "playbooks" / "cilium_upgrade.yml"
DAEMONSET = "/apis/apps/v1/namespaces/kube-system/daemonsets/cilium"
VALUES = {"debug": {"enabled": True}, "envoy": {"enabled": False}}


@pytest.fixture
def release(api, cilium):
    """The stand-in for Cilium's chart, installed with values of its user's."""
    cilium.lease()
    helm(api.kubeconfig, "install", "cilium", str(CHART), *NAMESPACE, values=VALUES)
    return api


def strategy(api):
    return api.client.get(DAEMONSET)["spec"]["updateStrategy"]["type"]


def test_helm_gives_the_daemonset_the_strategy_of_its_values_whatever_it_has(release, tmp_path):
    patch = {"spec": {"updateStrategy": {"type": "OnDelete", "rollingUpdate": None}}}
    release.client.patch(DAEMONSET, patch)
    upgrade = ("upgrade", "cilium", str(package(tmp_path, "1.19.1")), *NAMESPACE)
    helm(release.kubeconfig, *upgrade, values=helm_chart.driven(VALUES))
    assert strategy(release) == "OnDelete"
    helm(release.kubeconfig, *upgrade, values=VALUES)
    assert strategy(release) == "RollingUpdate"


def test_the_chart_of_a_revision_renders_what_it_rendered_then(release, tmp_path):
    helm(release.kubeconfig, "upgrade", "cilium", str(package(tmp_path, "1.19.1")), *NAMESPACE, values={})
    folder = tmp_path / "before"
    params = {"release": "cilium", "revision": 1, "namespace": "kube-system", "path": str(folder)}
    assert release_chart(release.client, params, check_mode=True)["changed"]
    assert not folder.exists()

    found = release_chart(release.client, params, check_mode=False)
    assert (found["changed"], found["values"]) == (True, VALUES)
    assert found["chart"] == {"name": "cilium-standin", "version": "1.18.4"}
    assert not release_chart(release.client, params, check_mode=False)["changed"]
    manifests = helm(release.kubeconfig, "template", "cilium", str(folder), *NAMESPACE, values=VALUES)
    before = helm(release.kubeconfig, "get", "manifest", "cilium", "--revision", "1", *NAMESPACE)
    assert list(yaml.safe_load_all(manifests)) == list(yaml.safe_load_all(before))

    with pytest.raises(
        ReleaseError, match="helm no longer keeps revision 7 of release cilium in namespace kube-system"
    ):
        release_chart(release.client, {**params, "revision": 7}, check_mode=False)
    secrets = "/api/v1/namespaces/kube-system/secrets"
    release.post(secrets, {"metadata": {"name": "sh.helm.release.v1.cilium.v9"}, "data": {"release": "eA=="}})
    with pytest.raises(ReleaseError, match=r"Secret sh.helm.release.v1.cilium.v9 can't be read as a release of helm"):
        release_chart(release.client, {**params, "revision": 9}, check_mode=False)


@pytest.mark.parametrize(
    ("chart", "words"),
    [
        ({"metadata": {"name": "c", "dependencies": [{"name": "d"}]}}, "a chart that needs other charts"),
        ({"metadata": {"name": "c"}, "files": [{"name": "../x"}]}, "would lie outside of the chart's folder"),
        ({"metadata": {"name": "c"}, "templates": [{"name": "/etc/x"}]}, "would lie outside of the chart's folder"),
    ],
)
def test_a_chart_that_is_not_whole_or_not_in_its_folder_is_refused(chart, words):
    with pytest.raises(ReleaseError, match=words):
        chart_files({"name": "cilium", "version": 3, "chart": chart})


def play(api, tmp_path, playbook=UPGRADE, *arguments, environment=None, **variables):
    """The end of an upgrade by ansible-playbook, or of another playbook."""
    inventory = tmp_path / "inventory.json"
    inventory.write_text(json.dumps({"nodes": {"hosts": {"worker-3": {}}}, "routers": {"hosts": {"tor-1": {}}}}))
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("K8S_AUTH_", "KUBE", "ANSIBLE_"))}
    settings = {
        "HOME": str(tmp_path),
        "ANSIBLE_NOCOLOR": "1",
        "ANSIBLE_CONFIG": str(TOP / "ansible.cfg"),
        "K8S_AUTH_KUBECONFIG": str(api.kubeconfig),
    }
    given = {"target": "nodes", "agent_helm": program(), "report_dir": "", **variables}
    argv = [str(Path(sys.executable).with_name("ansible-playbook")), "-i", str(inventory), str(playbook)]
    return subprocess.run(
        [*argv, *arguments, "-e", json.dumps(given)],
        cwd=tmp_path,
        env=kept | settings | (environment or {}),
        capture_output=True,
        text=True,
        check=False,
        timeout=900,
    )


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        (
            {"agent_values": {"debug": {}}},
            "has values that agent_values lacks, and they would be lost (debug.enabled, envoy.enabled)",
        ),
        ({"agent_values": VALUES, "agent_chart": "nowhere/cilium"}, "repo nowhere not found"),
    ],
)
def test_a_chart_that_must_not_be_applied_changes_nothing(release, tmp_path, variables, words):
    since = len(release.requests())
    variables = {"agent_chart": str(package(tmp_path, "1.19.1")), **variables}

    done = play(release, tmp_path, **variables)

    output = done.stdout + done.stderr
    assert done.returncode != 0, output
    lines = [line for line in output.splitlines() if "nothing was changed, since the chart can't be applied: " in line]
    assert any(words in line for line in lines), output
    assert {one["method"] for one in release.requests()[since:]} <= {"GET"}


CHART_TASK = """
- hosts: localhost
  gather_facts: false
  tasks:
    - hitless.nodes.agent_chart:
        chart: "{{ chart }}"
        values: {password: hunter2}
        previous: "{{ previous | default({}) }}"
        state: "{{ state }}"
        driven: true
        advice: no agent was restarted
        helm: "{{ agent_helm }}"
"""
CHECKED = "nothing was changed, since the chart can't be applied: "
NO_HELM = (
    "a chart is applied by helm, and there is none at /nowhere/helm (agent_helm): install Helm 3, or set agent_helm"
)


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({"state": "checked", "agent_helm": "/nowhere/helm"}, CHECKED + NO_HELM),
        (
            {"state": "checked", "previous": {"name": "cilium", "revision": 7}},
            f"{CHECKED}helm no longer keeps revision 7 of release cilium",
        ),
        (
            {"state": "applied"},
            'helm failed: Failure when executing Helm command. Exited 1. stdout: stderr: Error: path "',
        ),
    ],
)
def test_what_helm_cannot_do_is_one_line(api, tmp_path, variables, words):
    playbook = tmp_path / "play.yml"
    playbook.write_text(CHART_TASK)
    done = play(api, tmp_path, playbook, chart="/nowhere/cilium", **variables)
    output = done.stdout + done.stderr
    assert done.returncode != 0, output
    assert any(words in line for line in output.splitlines()), output
    assert ("; no agent was restarted" in output) == (variables["state"] == "applied")
    assert "Traceback" not in output


def test_a_chart_is_applied_with_ondelete_and_its_values_are_shown_nowhere(release, tmp_path):
    playbook = tmp_path / "play.yml"
    playbook.write_text(CHART_TASK)
    chart = str(package(tmp_path, "1.19.1"))
    done = play(release, tmp_path, playbook, "-vvv", chart=chart, state="applied")
    output = done.stdout + done.stderr
    assert done.returncode == 0, output
    assert "changed=1" in output
    assert "hunter2" not in output
    assert strategy(release) == "OnDelete"


# Its path alone, and not that of ansible's own Python package, in which kubernetes.core is here.
ONLY_OURS = {"ANSIBLE_COLLECTIONS_PATH": str(TOP / ".collections"), "ANSIBLE_COLLECTIONS_SCAN_SYS_PATH": "false"}


def test_without_kubernetes_core_one_line_says_what_to_install_before_any_change(release, tmp_path):
    since = len(release.requests())
    chart = str(package(tmp_path, "1.19.1"))
    done = play(release, tmp_path, environment=ONLY_OURS, agent_chart=chart, agent_values=VALUES)
    output = done.stdout + done.stderr
    assert done.returncode != 0, output
    line = "a chart is applied by kubernetes.core: ansible-galaxy collection install kubernetes.core"
    assert any(line in each for each in output.splitlines()), output
    assert "Traceback" not in output
    assert {one["method"] for one in release.requests()[since:]} <= {"GET"}


def test_out_of_time_images_are_pulled_restarts_taken_over_and_nothing_else_is_changed(api, selected, tmp_path):
    selected.lease()
    helm(api.kubeconfig, "install", "cilium", str(CHART), *NAMESPACE, values=VALUES)
    chart = str(package(tmp_path, "1.19.1"))
    before = helm(api.kubeconfig, "history", "cilium", *NAMESPACE)
    done = play(
        api,
        tmp_path,
        agent_chart=chart,
        agent_values=VALUES,
        maintenance_deadline="2026-01-01T00:00:00+00:00",
    )
    output = done.stdout + done.stderr
    assert done.returncode == 0, output
    assert "release cilium: cilium-standin-1.18.4 (revision 1) -> cilium-standin-1.19.1; images: " in output
    assert "0 of 1 nodes are done, and no more is begun: the deadline has passed: it was" in output
    assert strategy(api) == "OnDelete"
    assert helm(api.kubeconfig, "history", "cilium", *NAMESPACE) == before
    names = [item["metadata"]["name"] for item in api.client.list_all(DAEMONSET.rpartition("/")[0])[0]]
    assert sorted(names) == ["cilium", "hitless-image-pull"]
