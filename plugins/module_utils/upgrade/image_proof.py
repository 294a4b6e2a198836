# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to hitless.nodes: it may change in any release, don't import it from elsewhere.

"""Proves that a node has its images now, by a pod that is made for this and then removed.

The Node's list follows the disk late, and may be cut off. A container that runs says nothing of an image that was
removed since then. But a new container needs its image. If the image is gone, it is pulled again, or the pull fails.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from ..base.errors import HitlessError
from ..base.polling import Limits, TimedOut, poll
from ..kube import node_objects
from ..kube.api_errors import TRANSIENT, Conflict, NotFound
from ..kube.client import Client
from .daemonset import pods_path
from .image_ref import Reference
from .image_verdicts import COMING, Verdict, pod_spec, pod_verdicts
from .pull_daemonset import OURS, PROOF

INTERVAL = 0.25


class NotProven(HitlessError):  # noqa: N818 - reads as what it is
    """It isn't proven that the node has its images now."""


def prove(
    client: Client,
    node: str,
    references: Sequence[Reference],
    *,
    namespace: str,
    pull_secrets: Sequence[str],
    timeout: float,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> float:
    """Seconds that the proof took; raises NotProven with the kubelet's words."""
    spec = pod_spec(references, pull_secrets=pull_secrets, command=["sleep", "600"])
    body = {
        "metadata": {"generateName": "hitless-image-proof-", "labels": {**OURS, PROOF: "true"}},
        "spec": {**spec, "nodeName": node, "restartPolicy": "Never"},
    }
    pod = client.post(pods_path(namespace), body)
    where = pods_path(namespace, pod["metadata"]["name"])

    def look() -> list[Verdict]:
        current = client.get(where)
        found = pod_verdicts(references, current)
        if any(verdict.state == "coming" and verdict is not COMING for verdict in found):
            listed = node_objects.read(client, node).get("status", {}).get("images") or []
            found = pod_verdicts(references, current, listed)
        return found

    try:
        met = poll(
            look,
            lambda seen: all(verdict.state == "there" for verdict in seen),
            limits=Limits(timeout),
            interval=INTERVAL,
            retry_on=TRANSIENT,
            clock=clock,
            sleep=sleep,
        )
    except TimedOut as late:
        words = [verdict.words or "still pulling" for verdict in late.seen or () if verdict.state != "there"]
        why = "; ".join(dict.fromkeys(words)) or str(late.error)
        raise NotProven(
            f"{node}: it didn't prove within {late.seconds:.0f} s that it has its images ({why}), so nothing was "
            f"restarted: pull them again with image_pull, or raise agent_image_timeout"
        ) from late
    finally:
        _remove(client, where, pod["metadata"]["uid"])
    return round(met.seconds, 1)


def _remove(client: Client, where: str, uid: str) -> None:
    """Removes the pod. If that fails, image_pull with state=absent finds the pod by its label."""
    try:
        client.delete(where, {"preconditions": {"uid": uid}})
    except (NotFound, Conflict, *TRANSIENT):
        return
