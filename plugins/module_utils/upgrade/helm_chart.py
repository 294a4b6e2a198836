# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to hitless.nodes: it may change in any release, don't import it from elsewhere.

"""What a Helm chart would do to Cilium's agents, and which values of a release would be lost.

Pure functions over rendered manifests, Chart.yaml and values, all of them parsed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ..base.words import some
from . import image_ref

# The update strategy while this collection restarts the agents. Cilium's chart copies all of updateStrategy into its
# DaemonSet. The null removes the chart's default of rollingUpdate.
DRIVEN: dict[str, Any] = {"type": "OnDelete", "rollingUpdate": None}
# Helm can upgrade a release that has one of these. With any other status another helm still runs, or was killed, and
# helm refuses.
USABLE = ("deployed", "failed")
TEMPLATED = ("DaemonSet", "Deployment", "Job", "ReplicaSet", "StatefulSet")
NAMED = 20
NUMBERS = re.compile(r"v?(\d+\.\d+\.\d+)(?:[-+].*)?")


def merged(values: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Several values merged as helm does it: the later ones win, key by key. A list is replaced as a whole."""
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
    """The values with OnDelete, so that the DaemonSet's controller restarts no agent."""
    return merged([values, {"updateStrategy": DRIVEN}])


def lost(
    current: Mapping[str, Any], wanted: Mapping[str, Any], dropped: Sequence[str] = (), above: str = ""
) -> list[str]:
    """Keys (a.b.c) of a release's own values that the wanted values lack. Keys in dropped, and below them, may go."""
    found = []
    for key, value in current.items():
        path = f"{above}{key}"
        if any(path == one or path.startswith(f"{one}.") for one in dropped):
            continue
        if path == "updateStrategy" and value == DRIVEN:
            continue  # a run that was interrupted has left it
        if key not in wanted:
            # Each key of a mapping is named by itself, so that the user can drop some of them.
            below = lost(value, {}, dropped, f"{path}.") if isinstance(value, Mapping) else [path]
            found += below
        elif isinstance(value, Mapping) and isinstance(wanted[key], Mapping):
            found += lost(value, wanted[key], dropped, f"{path}.")
    return found


def _pod(manifest: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The pod (metadata and spec) that an object makes, None if it makes none."""
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
    """Whether helm makes the object only for `helm test`."""
    hooks = str(((manifest.get("metadata") or {}).get("annotations") or {}).get("helm.sh/hook", ""))
    return bool(hooks) and all(hook.strip().startswith("test") for hook in hooks.split(","))


def flat(manifests: Iterable[Any]) -> list[Mapping[str, Any]]:
    """The objects of rendered manifests. A List is replaced by its objects."""
    found: list[Mapping[str, Any]] = []
    for one in manifests:
        if isinstance(one, Mapping):
            is_list = one.get("kind") == "List"
            found += flat(one.get("items") or []) if is_list else [one]
    return found


def images(manifests: Iterable[Any]) -> list[str]:
    """The images of all pods that the manifests make, each once. Init containers are included."""
    found: list[str] = []
    for manifest in flat(manifests):
        pod = None if _is_test(manifest) else _pod(manifest)
        spec = (pod or {}).get("spec") or {}
        for one in [*(spec.get("initContainers") or []), *(spec.get("containers") or [])]:
            # A container without an image may be a mistake. The API server reports that.
            if one.get("image"):
                found.append(str(one["image"]))
    return list(dict.fromkeys(found))


def applied(release: Mapping[str, Any], chart: str, values: Mapping[str, Any], manifests: Iterable[Any]) -> bool:
    """Whether a release (from helm_info) is already what the chart (name-version) renders with these values."""

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
    """The numbers of a version: 1.19.1 for v1.19.1 and 1.19.1-rc.0. None if it is no version."""
    match = NUMBERS.fullmatch(str(version or ""))
    return match[1] if match else None


def version_problems(chart: Mapping[str, Any], wanted: str, agent: Iterable[str], *, check: bool = True) -> list[str]:
    """Where the chart, the wanted version and the images of its agent disagree.

    wanted: "" for any. check: whether to compare the tags of the images.
    """
    named = f"the chart is {chart.get('name')} {chart.get('version')} (appVersion {chart.get('appVersion')})"
    versions = {str(chart.get(key) or "").removeprefix("v") for key in ("version", "appVersion")}
    if wanted and str(wanted).removeprefix("v") not in versions:
        return [f"{named}, and agent_version is {wanted}: correct agent_chart or agent_version"]
    app = _numbers(chart.get("appVersion"))
    tags = {image: _numbers(image_ref.parse(image).tag) for image in agent}
    others = [image for image, tag in tags.items() if tag and tag != app]
    if check and app and others:
        return [f"{named}, but with these values its agent is {', '.join(others)}: take the image out of agent_values"]
    return []


def release_problems(
    release: Mapping[str, Any] | None, name: str, namespace: str, chart: Mapping[str, Any]
) -> list[str]:
    """Why a chart can't be applied to a release (None: there is none)."""
    if release is None:
        return [
            f"there is no Helm release {name} in namespace {namespace}: correct agent_release or cilium_namespace, or "
            f"use agent_apply instead of agent_chart if Cilium wasn't installed by helm"
        ]
    status, of = str(release.get("status")), str(release.get("chart"))
    if status not in USABLE:
        # No message may advise `helm rollback`: after it, the DaemonSet's controller restarts all agents.
        secret = f"sh.helm.release.v1.{name}.v{release.get('revision')}"
        return [
            f"release {name} is {status}, so another helm still runs, or was interrupted: wait until it has ended; if "
            f"none runs any more, delete Secret {secret} in namespace {namespace}"
        ]
    if not of.startswith(f"{chart.get('name')}-"):
        return [
            f"release {name} has the chart {of}, but agent_chart is {chart.get('name')}: correct agent_release or "
            f"agent_chart"
        ]
    return []


def lost_problem(keys: Sequence[str]) -> list[str]:
    """What to do about values that would be lost."""
    if not keys:
        return []
    return [
        f"the release has values that agent_values lacks, and they would be lost ({some(keys, NAMED)}): "
        f"add them to agent_values, or name those that may go in agent_drop_values"
    ]


def restart_problems(name: str, as_driven: Mapping[str, Any] | None, as_wanted: Mapping[str, Any] | None) -> list[str]:
    """Why agents would be restarted out of turn, by the DaemonSet as it is rendered with OnDelete, and as wanted."""
    if as_driven is None or as_wanted is None:
        return [f"the chart renders no DaemonSet {name} with these values: set agent_daemonset to its name"]
    if ((as_driven["spec"].get("updateStrategy")) or {}).get("type") != "OnDelete":
        return [
            f"the chart doesn't give DaemonSet {name} the updateStrategy.type OnDelete of its values, so the "
            f"DaemonSet's controller would restart agents by itself: use agent_apply instead of agent_chart"
        ]
    if as_driven["spec"]["template"] != as_wanted["spec"]["template"]:
        return [
            f"the chart renders the template of DaemonSet {name} differently each time, so each time the agents would "
            f"be restarted: use agent_apply instead of agent_chart"
        ]
    return []
