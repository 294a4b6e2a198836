# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to hitless.nodes: it may change in any release, don't import it from elsewhere.

"""What a Helm chart would do to Cilium's agents, by what it renders, and what of a release would be lost.

Pure functions over rendered manifests, Chart.yaml and values, all of them parsed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ..base.words import some
from . import image_ref

# While the rollout is driven. Cilium's chart puts all of updateStrategy into its DaemonSet; null takes the chart's
# default of that key away.
DRIVEN: dict[str, Any] = {"type": "OnDelete", "rollingUpdate": None}
# Helm goes on from these; any other status is a helm that still runs, or was killed, and helm refuses to go on then.
USABLE = ("deployed", "failed")
TEMPLATED = ("DaemonSet", "Deployment", "Job", "ReplicaSet", "StatefulSet")
NAMED = 20
NUMBERS = re.compile(r"v?(\d+\.\d+\.\d+)(?:[-+].*)?")


def merged(values: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Values as helm makes them of several: the later one wins, key by key, and lists as a whole."""
    found: dict[str, Any] = {}
    for one in values:
        for key, value in one.items():
            old = found.get(key)
            if isinstance(value, Mapping) and isinstance(old, Mapping):
                found[key] = merged([old, value])
            else:
                found[key] = value
    return found


def driven(values: Mapping[str, Any]) -> dict[str, Any]:
    """The values with which the DaemonSet's controller restarts no agent."""
    return merged([values, {"updateStrategy": DRIVEN}])


def lost(
    current: Mapping[str, Any], wanted: Mapping[str, Any], dropped: Sequence[str] = (), above: str = ""
) -> list[str]:
    """Keys (a.b.c) of a release's own values that the wanted ones don't have, but for those that may be dropped."""
    found = []
    for key, value in current.items():
        path = f"{above}{key}"
        if any(path == one or path.startswith(f"{one}.") for one in dropped):
            continue
        if path == "updateStrategy" and value == DRIVEN:
            continue  # of a run that was interrupted
        if key not in wanted:
            # A mapping that is there for some of its keys is named by these: only then can a part of it be dropped.
            below = lost(value, {}, dropped, f"{path}.") if isinstance(value, Mapping) else [path]
            found += below
        elif isinstance(value, Mapping) and isinstance(wanted[key], Mapping):
            found += lost(value, wanted[key], dropped, f"{path}.")
    return found


def _pod(manifest: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The pod that an object makes (metadata and spec), None if it makes none."""
    kind, spec = manifest.get("kind"), manifest.get("spec") or {}
    if kind == "Pod":
        return manifest
    if kind == "CronJob":
        spec = (spec.get("jobTemplate") or {}).get("spec") or {}
    elif kind not in TEMPLATED:
        return None
    template: Mapping[str, Any] | None = spec.get("template")
    return template


def _is_test(manifest: Mapping[str, Any]) -> bool:
    """Whether only `helm test` makes the object."""
    hooks = str(((manifest.get("metadata") or {}).get("annotations") or {}).get("helm.sh/hook", ""))
    return bool(hooks) and all(hook.strip().startswith("test") for hook in hooks.split(","))


def flat(manifests: Iterable[Any]) -> list[Mapping[str, Any]]:
    """The objects of rendered manifests, those in a List, too."""
    found: list[Mapping[str, Any]] = []
    for one in manifests:
        if isinstance(one, Mapping):
            is_list = one.get("kind") == "List"
            found += flat(one.get("items") or []) if is_list else [one]
    return found


def images(manifests: Iterable[Any]) -> list[str]:
    """The images of all containers and init containers of all pods that the manifests make, each once."""
    found: list[str] = []
    for manifest in flat(manifests):
        pod = None if _is_test(manifest) else _pod(manifest)
        spec = (pod or {}).get("spec") or {}
        for one in [*(spec.get("initContainers") or []), *(spec.get("containers") or [])]:
            # Without one (an image volume, a mistake) there is nothing to pull, and the API server judges the rest.
            if one.get("image"):
                found.append(str(one["image"]))
    return list(dict.fromkeys(found))


def applied(release: Mapping[str, Any], chart: str, values: Mapping[str, Any], manifests: Iterable[Any]) -> bool:
    """Whether a release (of helm_info) is what a chart (name-version) renders with these values."""

    def objects(all_of_them: Iterable[Any]) -> dict[tuple[Any, ...], Any]:
        found = {}
        for each in flat(all_of_them):
            metadata = each.get("metadata") or {}
            # Hooks are no part of a release's manifest.
            if "helm.sh/hook" not in (metadata.get("annotations") or {}):
                key = (each.get("apiVersion"), each.get("kind"), metadata.get("namespace"), metadata.get("name"))
                found[key] = each
        return found

    same = release.get("status") == "deployed" and release.get("chart") == chart and release.get("values") == values
    return same and objects(release.get("manifest") or []) == objects(manifests)


def daemonset(manifests: Iterable[Any], name: str) -> Mapping[str, Any] | None:
    """The DaemonSet of that name, None if the manifests have none."""
    named = (each for each in flat(manifests) if (each.get("metadata") or {}).get("name") == name)
    return next((each for each in named if each.get("kind") == "DaemonSet"), None)


def _numbers(version: Any) -> str | None:
    """1.19.1 of v1.19.1 or 1.19.1-rc.0, None if it is no version."""
    match = NUMBERS.fullmatch(str(version or ""))
    return match[1] if match else None


def version_problems(chart: Mapping[str, Any], wanted: str, agent: Iterable[str], *, check: bool = True) -> list[str]:
    """In what the chart, the wanted version ("": any) and the images of its agent disagree.

    check: whether the tags of the images say a version.
    """
    named = f"the chart is {chart.get('name')} {chart.get('version')} (appVersion {chart.get('appVersion')})"
    versions = {str(chart.get(key) or "").removeprefix("v") for key in ("version", "appVersion")}
    if wanted and str(wanted).removeprefix("v") not in versions:
        return [f"{named}, and agent_version is {wanted}: correct one of the two"]
    app = _numbers(chart.get("appVersion"))
    tags = {image: _numbers(image_ref.parse(image).tag) for image in agent}
    others = [image for image, tag in tags.items() if tag and tag != app]
    if check and app and others:
        return [f"{named}, and with these values its agent is {', '.join(others)}: take the image out of agent_values"]
    return []


def release_problems(
    release: Mapping[str, Any] | None, name: str, namespace: str, chart: Mapping[str, Any]
) -> list[str]:
    """Why a chart can't be applied to a release (None: there is none)."""
    if release is None:
        return [
            f"there is no Helm release {name} in namespace {namespace} that could be upgraded (agent_release, "
            f"cilium_namespace): what was not installed by helm is changed by agent_apply"
        ]
    status, of = str(release.get("status")), str(release.get("chart"))
    if status not in USABLE:
        # helm would end that by `helm rollback`, which has the DaemonSet's controller restart all agents.
        secret = f"sh.helm.release.v1.{name}.v{release.get('revision')}"
        return [
            f"release {name} is {status}: another helm is at work, or was interrupted; when that is certainly over, "
            f"delete Secret {secret} in namespace {namespace}"
        ]
    if not of.startswith(f"{chart.get('name')}-"):
        return [
            f"release {name} is of chart {of}, and agent_chart is {chart.get('name')}: correct agent_release or "
            f"agent_chart"
        ]
    return []


def lost_problem(keys: Sequence[str]) -> list[str]:
    """What to do about values that would be lost."""
    if not keys:
        return []
    return [
        f"the release has values that agent_values doesn't, and they would be lost ({some(keys, NAMED)}): "
        f"add them to agent_values, or name those that may go in agent_drop_values"
    ]


def restart_problems(name: str, as_driven: Mapping[str, Any] | None, as_wanted: Mapping[str, Any] | None) -> list[str]:
    """Why others would restart agents; given is the DaemonSet rendered with OnDelete, and as it is wanted."""
    if as_driven is None or as_wanted is None:
        return [f"the chart renders no DaemonSet {name} with these values: say in agent_daemonset what it is called"]
    if ((as_driven["spec"].get("updateStrategy")) or {}).get("type") != "OnDelete":
        return [
            f"the chart gives DaemonSet {name} another updateStrategy than OnDelete although its values say so "
            f"(updateStrategy.type), and its controller would restart agents by itself: change it by agent_apply"
        ]
    if as_driven["spec"]["template"] != as_wanted["spec"]["template"]:
        return [
            f"the chart renders the template of DaemonSet {name} differently each time, and so each time agents would "
            f"be restarted: change it by agent_apply"
        ]
    return []
