# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to hitless.nodes: it may change in any release, don't import it from elsewhere.

"""Whether agents may go from one version to another in one step. Pure functions over images."""

from __future__ import annotations

import re

from .image_ref import parse

VERSION = re.compile(r"v?(\d+)\.(\d+)(?:\.(\d+))?(?:[-+].*)?")


def version_of(image: str) -> tuple[int, int] | None:
    """The major and minor version of an image by its tag, None if the tag has none."""
    match = VERSION.fullmatch(parse(image).tag or "")
    return (int(match[1]), int(match[2])) if match else None


def step_problem(old: str, new: str) -> str | None:
    """Why agents mustn't go from one image to the other in one step, None if they may. One minor version is allowed."""
    before, after = version_of(old), version_of(new)
    if before is None or after is None:
        unknown = old if before is None else new
        return (
            f"the tag of {unknown} has no version, so it isn't known whether the step is allowed: check it "
            f"yourself, and set agent_check_version=false"
        )
    if before[0] != after[0] or abs(before[1] - after[1]) > 1:
        return (
            f"from {before[0]}.{before[1]} to {after[0]}.{after[1]} is more than one minor version, and Cilium "
            f"supports one at a time: go to each version in between first"
        )
    return None


def comes_to(images: list[str], version: tuple[int, int]) -> bool:
    """Whether one of these images is of that version or a newer one."""
    return any((version_of(image) or (0, 0)) >= version for image in images)


def same_repository(image: str, other: str) -> bool:
    """Whether two images are from the same repository."""
    return parse(image).repository == parse(other).repository
