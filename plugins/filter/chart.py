# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Upgrades of Cilium by its chart: the values that helm gets, and what stands against applying it."""

from __future__ import annotations

import importlib.util
import shutil
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import yaml
from ansible.errors import AnsibleFilterError
from ansible_collections.hitless.nodes.plugins.module_utils.base.errors import HitlessError
from ansible_collections.hitless.nodes.plugins.module_utils.upgrade import helm_chart
from ansible_collections.hitless.nodes.plugins.module_utils.upgrade.template import image_list, not_pulled
from ansible_collections.hitless.nodes.plugins.plugin_utils._values import values_of


def chart_values(values: Mapping[str, Any], files: Iterable[str] = ()) -> dict[str, Any]:
    """The values of files of YAML, the later one wins, and then these, as helm puts them together."""
    try:
        return values_of(values, files)
    except HitlessError as exc:
        raise AnsibleFilterError(exc.msg) from exc


def chart_driven(values: Mapping[str, Any]) -> dict[str, Any]:
    """The values with which the DaemonSet's controller restarts no agent."""
    return helm_chart.driven(values)


def chart_findings(look: Mapping[str, Any]) -> dict[str, Any]:
    """What a chart is and would do: {problems, chart, images, agent_images, applied}.

    look: chart (Chart.yaml), as_driven and as_wanted (rendered, with OnDelete and as it is wanted), release (None),
    values, dropped, version, images (pulled; []: those of the chart), daemonset, name, namespace, check_version,
    rollback (whether values of the release may go).
    """
    chart = yaml.safe_load(look["chart"]) or {}
    rendered = {way: list(yaml.safe_load_all(look[way])) for way in ("as_driven", "as_wanted")}
    found = {way: helm_chart.daemonset(manifests, look["daemonset"]) for way, manifests in rendered.items()}
    images = list(look["images"]) or helm_chart.images(rendered["as_wanted"])
    problems = helm_chart.release_problems(look["release"], look["name"], look["namespace"], chart)
    problems += helm_chart.restart_problems(look["daemonset"], found["as_driven"], found["as_wanted"])
    agent: list[str] = []
    if found["as_wanted"]:
        template = dict(found["as_wanted"]["spec"]["template"])
        agent = image_list(template)
        missing = not_pulled(template, images)
        if missing:
            lacking = ", ".join(missing)
            problems.append(f"the chart's agent has images that agent_images doesn't ({lacking}): add them there")
        try:
            problems += helm_chart.version_problems(chart, look["version"], agent, check=look["check_version"])
        except HitlessError as exc:
            problems.append(exc.msg)
    if look["release"] and not look["rollback"]:
        keys = helm_chart.lost(look["release"].get("values") or {}, look["values"], look["dropped"])
        problems += helm_chart.lost_problem(keys)
    named = f"{chart.get('name')}-{chart.get('version')}"
    return {
        "problems": problems,
        "chart": named,
        "images": images,
        "agent_images": agent,
        "applied": helm_chart.applied(look["release"] or {}, named, look["values"], rendered["as_wanted"]),
    }


def chart_capabilities(served: Mapping[str, Any]) -> list[str]:
    """The options that tell `helm template` what a cluster serves, from kubernetes.core.k8s_cluster_info's result."""
    kinds = [f"{group}/{kind}" for group, found in served["apis"].items() for kind in found]
    options = ["--kube-version", str(served["version"]["server"]["kubernetes"]["gitVersion"])]
    return [*options, *(text for name in [*served["apis"], *kinds] for text in ("--api-versions", name))]


def chart_tools_problems(helm: str = "") -> list[str]:
    """What is missing here of what applies charts, one line each; helm: its path, "": the one in PATH."""
    problems = []
    if importlib.util.find_spec("ansible_collections.kubernetes.core") is None:
        problems.append("a chart is applied by kubernetes.core: ansible-galaxy collection install kubernetes.core")
    if shutil.which(helm or "helm") is None:
        where = f"at {helm} (agent_helm)" if helm else "in the controller's PATH"
        problems.append(f"a chart is applied by helm, and there is none {where}: install Helm 3, or say agent_helm")
    return problems


class FilterModule:
    """The filters about charts."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Name -> function."""
        return {
            "chart_values": chart_values,
            "chart_driven": chart_driven,
            "chart_findings": chart_findings,
            "chart_capabilities": chart_capabilities,
            "chart_tools_problems": chart_tools_problems,
        }
