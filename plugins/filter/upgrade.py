# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Upgrades of Cilium: what is wrong with the input."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from ansible_collections.hitless.nodes.plugins.module_utils.base.errors import HitlessError
from ansible_collections.hitless.nodes.plugins.module_utils.upgrade import image_ref
from ansible_collections.hitless.nodes.plugins.plugin_utils._values import values_of


def upgrade_problems(request: Mapping[str, Any]) -> list[str]:
    """What is wrong with the input of an upgrade, one line each; [] = go on.

    request: images, apply (path of a task file, "none", ""), chart ("", or a dict of what is to be known of it),
    rollback, without_gr, batch, margin, measured.
    """
    problems = []
    chart = request["chart"]
    images = request["images"]
    if isinstance(images, str) or not isinstance(images, Iterable):
        problems.append(f"agent_images is {images!r}, and must be a list of images")
    else:
        for image in images:
            try:
                image_ref.parse(str(image))
            except HitlessError as exc:
                problems.append(f"agent_images: {exc.msg}")
        if not list(images) and not request["rollback"] and not chart:
            problems.append(
                "which images? Give all that the new version runs on the nodes, with their digests: "
                '-e \'{"agent_images": ["quay.io/cilium/cilium:v1.19.1@sha256:..."]}\''
            )
    apply = request["apply"]
    if apply not in ("", "none") and not (isinstance(apply, str) and Path(apply).is_file()):
        problems.append(f"agent_apply: there is no file {apply}")
    if not request["rollback"] and bool(apply) == bool(chart):
        given = "both agent_chart and agent_apply were" if chart else "neither agent_chart nor agent_apply was"
        problems.append(
            f"what changes the DaemonSet? {given} given: give Cilium's chart (agent_chart), or a file of tasks "
            f"(agent_apply), or agent_apply=none to take the DaemonSet as it is"
        )
    if chart:
        problems += _chart_problems(chart)
    if request["without_gr"] not in ("", "refuse", "drain"):
        problems.append(f"without_gr is {request['without_gr']!r}, and must be refuse or drain")
    problems += _batch_problems(request["batch"], request["without_gr"])
    for name in ("margin", "measured"):
        try:
            numbers = [request[name]] if name == "margin" else list(request[name])
            if any(float(number) < 0 for number in numbers):
                raise ValueError
        except (TypeError, ValueError):
            problems.append(
                f"agent_{name} is {request[name]!r}, and must be {'a number' if name == 'margin' else 'numbers'}"
            )
    return problems


def _batch_problems(size: Any, without_gr: str) -> list[str]:
    # AWX hands numbers over as text, and True is 1 in Python.
    if isinstance(size, bool) or not str(size).isdecimal() or int(size) < 1:
        return [f"agent_batch is {size!r}, and must be a number from 1 on"]
    if int(size) > 1 and without_gr == "drain":
        return [
            "agent_batch and without_gr=drain: nodes whose routes are not kept are out of service for their restart, "
            "and that is done one by one: leave one of the two out"
        ]
    return []


def _chart_problems(chart: Mapping[str, Any]) -> list[str]:
    """What is wrong with the input about a chart: values, files, dropped, client_cert."""
    problems = []
    if chart["client_cert"]:
        problems.append("helm knows client certificates of a kubeconfig only, and kube_client_cert is given")
    for name, kind, words in (("values", Mapping, "a mapping"), ("files", list, "a list"), ("dropped", list, "a list")):
        if not isinstance(chart[name], kind):
            option = {"files": "agent_values_files", "dropped": "agent_drop_values"}.get(name, "agent_values")
            problems.append(f"{option} is {chart[name]!r}, and must be {words}")
    if not problems:
        try:
            values_of(chart["values"], chart["files"])
        except HitlessError as exc:
            problems.append(exc.msg)
    return problems


class FilterModule:
    """The filters about upgrades."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Name -> function."""
        return {
            "upgrade_problems": upgrade_problems,
        }
