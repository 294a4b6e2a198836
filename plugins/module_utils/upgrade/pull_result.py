# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to hitless.nodes: it may change in any release, don't import it from elsewhere.

"""What a pull returns: the result of each node and each image, and whether it is a failure. Pure functions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from .image_ref import Reference
from .image_verdicts import different
from .pull_daemonset import PullFailed
from .pull_plan import THERE, Target


def outcome(
    params: dict[str, Any], references: Sequence[Reference], targets: Sequence[Target], seconds: float
) -> dict[str, Any]:
    """The result of the module with all its keys, for a pull that has changed nothing."""
    rows = [_row(target, params["allow_missing"]) for target in targets]
    there = [target for target in targets if target.state == THERE and target.digests]
    return {
        "changed": False,
        "images": [_image(number, reference, there) for number, reference in enumerate(references)],
        "nodes": rows,
        "failed_nodes": names(rows, "failed"),
        "missing_nodes": names(rows, "missing"),
        "daemonset": None,
        "removed": [],
        "seconds": round(seconds, 1),
        "diff": {"before": {}, "after": {}},
    }


def names(rows: Sequence[dict[str, Any]], result: str) -> list[str]:
    """The names of the nodes with this result."""
    return [row["name"] for row in rows if row["result"] == result]


def _row(target: Target, allow_missing: Sequence[str]) -> dict[str, Any]:
    """What is returned of a node. It is short, since there may be thousands."""
    if target.state == THERE:
        result = "present" if target.before else "pulled"
    else:
        result = "missing" if target.name in allow_missing else "failed"
    return {
        "name": target.name,
        "platform": target.platform,
        "result": result,
        "present_before": target.before,
        "seconds": target.seconds,
        "tries": target.tries,
        "reason": target.words or None,
    }


def _image(number: int, reference: Reference, there: Sequence[Target]) -> dict[str, Any]:
    """What the nodes that have the images have proven of the image with that number."""
    proven_by = Counter(how for target in there if (how := target.how[number]))
    digests = {digest for target in there if (digest := target.digests[number])}
    return {
        "image": reference.text,
        "digests": sorted(digests),
        "nodes": len(there),
        "proven_by": dict(sorted(proven_by.items())),
    }


def without_images(names: Sequence[str]) -> dict[str, Any]:
    """The diff of a pull that gives these nodes the images."""
    return {"before": {"without_images": list(names)}, "after": {"without_images": []}}


def missing_warnings(result: dict[str, Any]) -> list[str]:
    """A warning for each node that lacks the images, where allow_missing permits this."""
    return [
        f"{row['name']} doesn't have the images, as agent_allow_missing permits: {row['reason']}"
        for row in result["nodes"]
        if row["result"] == "missing"
    ]


def stop_at_failures(references: Sequence[Reference], targets: Sequence[Target], result: dict[str, Any]) -> None:
    """Raises PullFailed if a node that must have the images lacks them, or if nodes have different ones."""
    failed = [row for row in result["nodes"] if row["result"] == "failed"]
    if failed:
        raise PullFailed(
            f"{len(failed)} of {len(targets)} nodes don't have the images: {_some(failed)}; correct the registry, "
            f"agent_pull_secrets or the nodes and run again, or name nodes that may lack them in agent_allow_missing",
            **result,
        )
    unlike = different(_by_tag(references, targets))
    if unlike:
        raise PullFailed(f"{'; '.join(unlike)}: the tag has moved, so name the image with its digest", **result)


def _some(rows: Sequence[dict[str, Any]], limit: int = 5) -> str:
    words = [f"{row['name']} ({row['platform']}): {row['reason']}" for row in rows[:limit]]
    if len(rows) > limit:
        words.append(f"and {len(rows) - limit} more")
    return "; ".join(words)


def _by_tag(references: Sequence[Reference], targets: Sequence[Target]) -> list[tuple[str, str, str, str | None]]:
    """(node, platform, image, digest) of each image that was named by its tag only, on each node that has it."""
    found = []
    for target in targets:
        if target.state != THERE:
            continue
        for reference, digest in zip(references, target.digests, strict=True):
            if not reference.digest:
                found.append((target.name, target.platform, reference.text, digest))
    return found
