# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to hitless.nodes: it may change in any release, don't import it from elsewhere.

"""What a pod template says, and whether a pod is made of it. Pure functions over objects of the API."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from . import image_verdicts

# Of a container, what makes it another one. What the API server or a webhook adds to a pod isn't in the template.
PARTS = ("name", "image", "command", "args", "env", "envFrom")


def containers(spec: dict[str, Any]) -> list[dict[str, Any]]:
    """The containers of a pod, those that run first included."""
    return [*(spec.get("initContainers") or []), *spec["containers"]]


def made_of(pod: dict[str, Any], template: dict[str, Any]) -> bool:
    """Whether a pod is what this template makes, as far as images, commands, environment and annotations tell."""
    annotations = (template.get("metadata") or {}).get("annotations") or {}
    if not annotations.items() <= (pod["metadata"].get("annotations") or {}).items():
        return False
    # Webhooks may add containers.
    theirs = {one["name"]: one for one in containers(pod["spec"])}
    return all(
        one["name"] in theirs
        and all((one.get(part) or None) == (theirs[one["name"]].get(part) or None) for part in PARTS)
        for one in containers(template["spec"])
    )


def image_list(template: dict[str, Any]) -> list[str]:
    """The images of a template, each once."""
    return list(dict.fromkeys(one["image"] for one in containers(template["spec"])))


def not_pulled(template: dict[str, Any], pulled: Sequence[str]) -> list[str]:
    """The images of a template that are not among those that were pulled before."""
    known = {(one.repository, one.tag, one.digest) for one in map(image_verdicts.parse, pulled)}
    found = [image_verdicts.parse(text) for text in image_list(template)]
    return [one.text for one in found if (one.repository, one.tag, one.digest) not in known]


def others_wanted(pod: dict[str, Any], images: Sequence[str]) -> bool:
    """Whether one of these images is to take the place of one that the pod runs: another version of the same name."""
    wanted: dict[str, set[tuple[str | None, str | None]]] = {}
    for one in map(image_verdicts.parse, images):
        wanted.setdefault(one.repository, set()).add((one.tag, one.digest))
    found = [image_verdicts.parse(one["image"]) for one in containers(pod["spec"])]
    return any(one.repository in wanted and (one.tag, one.digest) not in wanted[one.repository] for one in found)
