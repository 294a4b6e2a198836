# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A kubelet small enough for probes: its pods become Ready, and end when they are asked to."""

from __future__ import annotations

import threading
from types import TracebackType

from ..client import Api

_PERIOD = 0.1


class Kubelet:
    """Looks after the pods of one node in one namespace, in a thread, as long as the `with` block lasts."""

    def __init__(self, api: Api, pods: str, node: str) -> None:
        self._api = api
        self._pods = pods
        self._node = node
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Kubelet:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stop.wait(_PERIOD):
            for pod in self._api.get(self._pods, fieldSelector=f"spec.nodeName={self._node}").json["items"]:
                path = f"{self._pods}/{pod['metadata']['name']}"
                if "deletionTimestamp" in pod["metadata"]:
                    uid = pod["metadata"]["uid"]
                    self._api.delete(path, {"gracePeriodSeconds": 0, "preconditions": {"uid": uid}})
                elif pod["status"]["phase"] == "Pending":
                    status = {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}
                    self._api.patch(f"{path}/status", {"status": status})
