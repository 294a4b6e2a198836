# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to hitless.nodes: it may change in any release, don't import it from elsewhere.

"""What a chart would do, and why it mustn't be applied. Pure functions over what helm has rendered."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..base.errors import HitlessError
from . import helm_chart
from .template import image_list, not_pulled

Manifests = Sequence[Any]


@dataclass(frozen=True)
class Wanted:
    """What was asked for. version: "" for any. images: the images to pull, [] for all images of the chart.

    is_previous: the chart and the values are those of the previous revision. Then values of the release may go.
    """

    release: str
    namespace: str
    values: Mapping[str, Any]
    version: str = ""
    images: Sequence[str] = ()
    drop_values: Sequence[str] = ()
    daemonset: str = "cilium"
    check_version: bool = True
    is_previous: bool = False


@dataclass(frozen=True)
class Rendered:
    """Chart.yaml, and the manifests. driven: with OnDelete, for the time of the restarts. wanted: as they stay."""

    chart: Mapping[str, Any]
    driven: Manifests
    wanted: Manifests

    @property
    def name(self) -> str:
        """Name and version of the chart, as helm names it in a release."""
        return f"{self.chart.get('name')}-{self.chart.get('version')}"


@dataclass(frozen=True)
class Findings:
    """images: those to pull. agent_images: those of the agents' DaemonSet. applied: nothing is left to apply."""

    problems: list[str]
    images: list[str]
    agent_images: list[str]
    applied: bool


def find(wanted: Wanted, rendered: Rendered, release: Mapping[str, Any] | None) -> Findings:
    """What was found. release: what kubernetes.core.helm_info says of it now, None if there is none."""
    images = list(wanted.images) or helm_chart.images(rendered.wanted)
    driven = helm_chart.daemonset(rendered.driven, wanted.daemonset)
    daemonset = helm_chart.daemonset(rendered.wanted, wanted.daemonset)
    problems = helm_chart.release_problems(release, wanted.release, wanted.namespace, rendered.chart)
    problems += helm_chart.restart_problems(wanted.daemonset, driven, daemonset)
    agent_images: list[str] = []
    if daemonset:
        template = dict(daemonset["spec"]["template"])
        agent_images = image_list(template)
        problems += _image_problems(not_pulled(template, images))
        problems += _version_problems(wanted, rendered.chart, agent_images)
    if release and not wanted.is_previous:
        lost = helm_chart.lost(release.get("values") or {}, wanted.values, wanted.drop_values)
        problems += helm_chart.lost_problem(lost)
    applied = helm_chart.applied(release or {}, rendered.name, wanted.values, rendered.wanted)
    return Findings(problems, images, agent_images, applied)


def _image_problems(missing: Sequence[str]) -> list[str]:
    if not missing:
        return []
    return [f"the chart's agent has images that agent_images lacks ({', '.join(missing)}): add them to agent_images"]


def _version_problems(wanted: Wanted, chart: Mapping[str, Any], agent_images: Iterable[str]) -> list[str]:
    try:
        return helm_chart.version_problems(chart, wanted.version, agent_images, check=wanted.check_version)
    except HitlessError as exc:
        return [exc.msg]


def capabilities(served: Mapping[str, Any]) -> list[str]:
    """The options that tell `helm template` what a cluster serves. served: the result of k8s_cluster_info."""
    names = list(served["apis"])
    for group, kinds in served["apis"].items():
        names += [f"{group}/{kind}" for kind in kinds]
    options = ["--kube-version", str(served["version"]["server"]["kubernetes"]["gitVersion"])]
    for name in names:
        options += ["--api-versions", name]
    return options
