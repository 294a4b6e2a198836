# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to hitless.nodes: it may change in any release, don't import it from elsewhere.

"""Proving once more, on one node and just now, that it has its images: by a pod that is made for that, and removed.

A Node's list follows its disk late and may be cut off, and a container that runs says nothing of an image that was
removed since. A new container can't be made without its image: one that is gone is pulled again, or that fails.
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
    """The node doesn't have its images now."""


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
    """Seconds that it took; raises NotProven with the kubelet's words."""
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
            f"{node}: its images aren't on it now, {late.seconds:.0f} s after they were asked for ({why}), so nothing "
            f"was restarted: have image_pull put them there again"
        ) from late
    finally:
        _remove(client, where, pod["metadata"]["uid"])
    return round(met.seconds, 1)


def _remove(client: Client, where: str, uid: str) -> None:
    """Removes the pod. One that stays is found by its label, and removed by image_pull with state absent."""
    try:
        client.delete(where, {"preconditions": {"uid": uid}})
    except (NotFound, Conflict, *TRANSIENT):
        return
