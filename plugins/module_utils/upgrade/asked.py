# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to hitless.nodes: it may change in any release, don't import it from elsewhere.

"""What an upgrade was asked for: rules over its variables, before any change. Pure, but looks whether files exist."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ..base.errors import HitlessError
from . import image_ref

Variables = Mapping[str, Any]
# Variable -> (its type in Python, what it must be in words).
KINDS: dict[str, tuple[Any, str]] = {
    "agent_values": (Mapping, "a mapping"),
    "agent_values_files": (list, "a list"),
    "agent_drop_values": (list, "a list"),
}


def problems(run: Variables) -> list[str]:
    """What is wrong with the variables of an upgrade, one line each; [] if nothing is."""
    rollback, chart = is_true(run.get("agent_rollback")), run.get("agent_chart") or ""
    found = _image_problems(run.get("agent_images", []), needed=not rollback and not chart)
    found += _way_problems(run.get("agent_apply") or "", chart, rollback=rollback)
    if chart and not rollback:
        found += _chart_problems(run)
    without_gr = run.get("without_gr") or "refuse"
    if without_gr not in ("refuse", "drain"):
        found.append(f"without_gr is {without_gr!r}, and must be refuse or drain")
    found += _batch_problems(run.get("agent_batch", 1), without_gr)
    found += _number_problems("agent_margin", [run.get("agent_margin", 0.25)], "a number")
    found += _number_problems("agent_measured", run.get("agent_measured", []), "numbers")
    return found


def is_true(value: Any) -> bool:
    """Whether a variable is true, as Ansible's bool filter reads it."""
    return str(value).lower() in ("true", "yes", "on", "1", "y", "t")


def _image_problems(images: Any, *, needed: bool) -> list[str]:
    if isinstance(images, str) or not isinstance(images, Iterable):
        return [f"agent_images is {images!r}, and must be a list of images"]
    found = []
    for image in images:
        try:
            image_ref.parse(str(image))
        except HitlessError as exc:
            found.append(f"agent_images: {exc.msg}")
    if needed and not list(images):
        found.append(
            "agent_images is missing: give all images that the new version runs on the nodes, with their digests: "
            '-e \'{"agent_images": ["quay.io/cilium/cilium:v1.19.1@sha256:..."]}\''
        )
    return found


def _way_problems(apply: Any, chart: Any, *, rollback: bool) -> list[str]:
    """What is wrong with agent_chart and agent_apply. Exactly one of them must be given, except for a rollback."""
    found = []
    if apply not in ("", "none") and not (isinstance(apply, str) and Path(apply).expanduser().is_file()):
        found.append(f"agent_apply: there is no file {apply}")
    if not rollback and bool(apply) == bool(chart):
        given = "both agent_chart and agent_apply are" if chart else "neither agent_chart nor agent_apply is"
        found.append(
            f"{given} given, and one of them must say what changes the DaemonSet: give Cilium's chart as agent_chart, "
            f"or a file of tasks as agent_apply, or agent_apply=none to take the DaemonSet as it is"
        )
    return found


def _chart_problems(run: Variables) -> list[str]:
    found = []
    if run.get("kube_client_cert"):
        found.append("kube_client_cert is given, and helm takes a client certificate only from a kubeconfig: give one")
    for name, (kind, words) in KINDS.items():
        if name in run and not isinstance(run[name], kind):
            found.append(f"{name} is {run[name]!r}, and must be {words}")
    return found


def _batch_problems(size: Any, without_gr: str) -> list[str]:
    # AWX passes numbers as text, and True is 1 in Python.
    if isinstance(size, bool) or not str(size).isdecimal() or int(size) < 1:
        return [f"agent_batch is {size!r}, and must be a number from 1 on"]
    if int(size) > 1 and without_gr == "drain":
        return [
            f"agent_batch is {size}, and must be 1 with without_gr=drain: nodes are taken out of service one by one; "
            f"leave one of the two out"
        ]
    return []


def _number_problems(name: str, numbers: Any, words: str) -> list[str]:
    try:
        good = all(float(number) >= 0 for number in numbers)
    except (TypeError, ValueError):
        good = False
    found = numbers[0] if words == "a number" else numbers
    return [] if good else [f"{name} is {found!r}, and must be {words}"]
