# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to hitless.nodes: it may change in any release, don't import it from elsewhere.

"""What a pod template has, and whether a pod is made of it. Pure functions over objects of the API."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from .image_ref import Reference, parse

# The parts by which containers are compared. Others may differ, since the API server and webhooks add to a pod.
PARTS = ("name", "image", "command", "args", "env", "envFrom")


def containers(spec: dict[str, Any]) -> list[dict[str, Any]]:
    """The containers of a pod, the init containers first."""
    return [*(spec.get("initContainers") or []), *spec["containers"]]


def made_of(pod: dict[str, Any], template: dict[str, Any]) -> bool:
    """Whether a pod is made of this template, by its images, commands, environment and annotations."""
    annotations = (template.get("metadata") or {}).get("annotations") or {}
    if not annotations.items() <= (pod["metadata"].get("annotations") or {}).items():
        return False
    # A pod may have more containers, since webhooks add some.
    theirs = {one["name"]: one for one in containers(pod["spec"])}
    for one in containers(template["spec"]):
        if one["name"] not in theirs or not _same(one, theirs[one["name"]]):
            return False
    return True


def _same(container: dict[str, Any], other: dict[str, Any]) -> bool:
    return all((container.get(part) or None) == (other.get(part) or None) for part in PARTS)


def image_list(template: dict[str, Any]) -> list[str]:
    """The images of a template, each once."""
    return list(dict.fromkeys(one["image"] for one in containers(template["spec"])))


def references(template: dict[str, Any]) -> list[Reference]:
    """The images of a template, each once, as references."""
    return [parse(text) for text in image_list(template)]


def not_pulled(template: dict[str, Any], pulled: Iterable[str]) -> list[str]:
    """The images of a template that are not among those that were pulled."""
    known = {_image(parse(text)) for text in pulled}
    return [one.text for one in references(template) if _image(one) not in known]


def others_wanted(pod: dict[str, Any], images: Iterable[str]) -> bool:
    """Whether one of these images is another version of an image that the pod runs."""
    wanted = {_image(parse(text)) for text in images}
    repositories = {repository for repository, _tag, _digest in wanted}
    for one in containers(pod["spec"]):
        runs = _image(parse(one["image"]))
        if runs[0] in repositories and runs not in wanted:
            return True
    return False


def _image(one: Reference) -> tuple[str, str | None, str | None]:
    """Which image a reference means. Two spellings of one image give the same."""
    return one.repository, one.tag, one.digest
