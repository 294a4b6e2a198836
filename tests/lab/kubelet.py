# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A kubelet for all nodes of an API without machines: pods become Ready, and end a while after they were deleted.

python -m lab.kubelet --kubeconfig FILE [--start S] [--images] [--end S] [--dead NODE]... [--only PREFIX]

Ends at SIGTERM.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import signal
import sys
from pathlib import Path

from emulator.client import TRANSIENT, ApiError, AsyncApi, Object
from emulator.informer import Informer

from lab.standins.images import image_id


class Kubelet(Informer):
    """Looks after every pod that is bound to a node, each by a timer of its own."""

    def __init__(
        self,
        api: AsyncApi,
        *,
        start: float | None,
        end: float,
        dead: frozenset[str] = frozenset(),
        only: str = "",
        images: bool = False,
    ) -> None:
        super().__init__(api, "/api/v1/pods", fieldSelector="spec.nodeName!=")
        self._start = start
        self._end = end
        self._dead = dead
        self._only = only
        self._images = images
        self._under_way: dict[tuple[str, str], asyncio.Task[None]] = {}

    async def _list(self) -> str:
        version = await super()._list()
        for pod in self.items.values():
            self._see(pod)
        return version

    def _event(self, event: Object, version: str) -> str:
        version = super()._event(event, version)
        if event["type"] in ("ADDED", "MODIFIED"):
            self._see(event["object"])
        return version

    def _see(self, pod: Object) -> None:
        """Begins what is to be done with a pod, once."""
        node = pod["spec"].get("nodeName", "")
        if node in self._dead or not node.startswith(self._only):
            return
        metadata = pod["metadata"]
        path = f"/api/v1/namespaces/{metadata['namespace']}/pods/{metadata['name']}"
        if metadata.get("deletionTimestamp"):
            seconds = min(self._end, float(metadata.get("deletionGracePeriodSeconds") or 0))
            body = {"gracePeriodSeconds": 0, "preconditions": {"uid": metadata["uid"]}}
            self._begin("end", metadata["uid"], seconds, "DELETE", path, body)
        elif self._start is not None and (pod.get("status") or {}).get("phase", "Pending") == "Pending":
            status: Object = {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}
            if self._images:
                status["containerStatuses"] = [
                    {"name": c["name"], "image": c["image"], "imageID": image_id(c["image"]), "state": {"running": {}}}
                    for c in pod["spec"]["containers"]
                ]
            self._begin("start", metadata["uid"], self._start, "PATCH", f"{path}/status", {"status": status})

    def _begin(self, what: str, uid: str, seconds: float, method: str, path: str, body: Object) -> None:
        key = (what, uid)
        if key not in self._under_way:
            self._under_way[key] = asyncio.create_task(self._do(key, seconds, method, path, body))

    async def _do(self, key: tuple[str, str], seconds: float, method: str, path: str, body: Object) -> None:
        await asyncio.sleep(seconds)
        content = "application/merge-patch+json" if method == "PATCH" else "application/json"
        while True:
            try:
                await self.api.request(method, path, body, content=content)
            except ApiError as error:
                # Gone, or another pod has the name: nothing is left to do. Anything else is an API that is away.
                if error.status not in (404, 409):
                    await asyncio.sleep(0.5)
                    continue
            except TRANSIENT:
                await asyncio.sleep(0.5)
                continue
            break
        # A pod that a finalizer keeps shows itself again, and needs no second end.
        if key[0] == "start":
            del self._under_way[key]


async def _serve(options: argparse.Namespace) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with AsyncApi(options.kubeconfig, user_agent="lab-kubelet") as api:
        kubelet = Kubelet(
            api,
            start=options.start,
            end=options.end,
            dead=frozenset(options.dead),
            only=options.only,
            images=options.images,
        )
        task = asyncio.create_task(kubelet.run())
        await kubelet.synced.wait()
        print("ready", flush=True)
        await stop.wait()
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


def main(argv: list[str] | None = None) -> int:
    """Exit code 0 after SIGTERM. Prints `ready` when it sees all pods."""
    parser = argparse.ArgumentParser(prog="python -m lab.kubelet", description=__doc__)
    parser.add_argument("--kubeconfig", type=Path, required=True)
    parser.add_argument(
        "--start", type=float, help="seconds until a new pod is Ready; without it pods stay as they are"
    )
    parser.add_argument("--images", action="store_true", help="they say which images their containers have")
    parser.add_argument("--end", type=float, default=0.1, help="seconds until a deleted pod is gone (0.1)")
    parser.add_argument("--dead", action="append", default=[], metavar="NODE", help="its pods neither start nor end")
    parser.add_argument("--only", default="", metavar="PREFIX", help="nodes whose names begin so")
    asyncio.run(_serve(parser.parse_args(argv)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
