# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A kubelet for an API without machines: pods start, become Ready, and end a while after they were deleted.

python -m emulator.kubelet --kubeconfig FILE [--start S] [--end S] [--dead NODE]... [--only PREFIX]

It ends at SIGTERM. The lab's kubelets are of this class, too: there each node has a life of its own.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import signal
import sys
import threading
import time
from collections.abc import Callable, Collection, Coroutine, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .client import PATIENCE, ApiError, AsyncApi, Object, patch_existing
from .images import image_id
from .informer import Controller, Informer
from .objects import condition, timestamp

AT_ONCE = 20  # writes at the same time


@dataclass
class Running:
    """What the kubelet knows of one pod's containers."""

    state: str  # starting | running | ending
    due: float = 0.0  # monotonic time of the next change; 0: none
    pulled: bool = False  # whether all images were there, so that the time to start has begun
    shown: dict[str, str] = field(default_factory=dict)  # container -> reason for which it waits, as written last


def pod_path(pod: Object, subresource: str = "") -> str:
    """Path of a pod in the API."""
    meta = pod["metadata"]
    return f"/api/v1/namespaces/{meta['namespace']}/pods/{meta['name']}{subresource}"


def ready_conditions(pod: Object, ready: bool, reason: str = "") -> list[Object]:
    """The pod's conditions with ready or unready containers; those of others are kept."""
    before = (pod.get("status") or {}).get("conditions") or []
    mine = {"PodScheduled": True, "Initialized": True, "ContainersReady": ready, "Ready": ready}
    found = []
    for kind, good in mine.items():
        one = condition(kind, "True" if good else "False", "" if good else reason or "ContainersNotReady", "", before)
        found.append({key: value for key, value in one.items() if value != ""})
    return found + [c for c in before if c["type"] not in mine]


def running_container(pod: Object, container: Object, *, ready: bool = True, restarts: int = 0) -> Object:
    """Status of a container that runs."""
    return {
        "name": container["name"],
        "image": container["image"],
        "imageID": image_id(container["image"]),
        "containerID": f"stand-in://{pod['metadata']['uid']}/{container['name']}/{restarts}",
        "ready": ready,
        "started": True,
        "restartCount": restarts,
        "state": {"running": {"startedAt": timestamp()}},
    }


def _deleted(pod: Object) -> bool:
    return bool(pod["metadata"].get("deletionTimestamp"))


class Kubelet(Controller):
    """Looks after the pods of some nodes.

    start: seconds until a new pod is Ready; None: pods stay as they are. end: seconds until a pod is gone after it was
    deleted, if its grace period is not shorter.
    """

    name = "kubelet"
    starts: tuple[str, ...] = ("Pending",)  # phases of a pod that it has not seen before and has to start

    def __init__(
        self,
        api: AsyncApi,
        pods: Informer,
        looks_after: Callable[[str], bool],
        *,
        start: float | None,
        end: Callable[[Object], float],
    ) -> None:
        super().__init__()
        self.api = api
        self.containers: dict[str, Running] = {}
        self._pods = pods
        self._looks_after = looks_after
        self._start_after = start
        self._end_after = end
        self.watches(pods)

    def pods(self) -> list[Object]:
        """The pods of its nodes."""
        return [p for p in self._pods.items.values() if self._looks_after(p["spec"].get("nodeName", ""))]

    async def step(self) -> float | None:
        """Bring every pod forward; seconds until the next one is due."""
        due = await self.bring_forward()
        return max(0.0, min(due) - time.monotonic()) if due else None

    async def bring_forward(self) -> list[float]:
        """Do what is due for every pod; monotonic times at which the next ones are due."""
        now = time.monotonic()
        pods = self.pods()
        for uid in self.containers.keys() - {p["metadata"]["uid"] for p in pods}:
            del self.containers[uid]
        work = []
        for pod in pods:
            if (pod.get("status") or {}).get("phase") in ("Succeeded", "Failed") and not _deleted(pod):
                continue
            own = self._containers_of(pod, now)
            if own.state == "running":
                if change := self.change(pod):
                    work.append(change)
            elif now < own.due:
                continue
            elif own.state == "ending":
                own.due = now + 2.0  # until the watch shows it gone; a finalizer can keep the object longer
                work.append(self._end(pod))
            else:
                work.append(self.start(pod, own))
        for first in range(0, len(work), AT_ONCE):
            for result in await asyncio.gather(*work[first : first + AT_ONCE], return_exceptions=True):
                if isinstance(result, BaseException):
                    raise result
        return [c.due for c in self.containers.values() if c.due]

    def _first_seen(self, pod: Object, now: float) -> Running:
        if self._start_after is None or (pod.get("status") or {}).get("phase", "Pending") not in self.starts:
            return Running("running")
        return Running("starting", now + self._start_after)

    def _containers_of(self, pod: Object, now: float) -> Running:
        uid = pod["metadata"]["uid"]
        own = self.containers.get(uid)
        if own is None:
            own = self.containers[uid] = self._first_seen(pod, now)
        if _deleted(pod) and own.state != "ending":
            grace = float(pod["metadata"].get("deletionGracePeriodSeconds") or 0)
            wait = 0.0 if own.state == "starting" else min(self._end_after(pod), grace)
            own.state, own.due = "ending", now + wait
            self.ending(pod)
        return own

    async def runs(self, pod: Object, own: Running, status: Object) -> bool:
        """Says that the pod runs; False if it is gone, or was changed in between."""
        body = {"status": {"phase": "Running", **status}}
        written = await patch_existing(self.api, pod_path(pod, "/status"), body)
        if written is None:
            own.due = time.monotonic() + 0.2
            return False
        own.state, own.due = "running", 0.0
        pod["status"] = written["status"]
        return True

    async def _end(self, pod: Object) -> None:
        """The containers have ended: the object may go."""
        body = {"gracePeriodSeconds": 0, "preconditions": {"uid": pod["metadata"]["uid"]}}
        try:
            await self.api.delete(pod_path(pod), body)
        except ApiError as error:
            if error.status != 409:  # another pod has the name already
                raise

    # -- what a node with a life of its own does otherwise

    async def start(self, pod: Object, own: Running) -> None:
        """Starts a pod."""
        containers = [running_container(pod, c) for c in pod["spec"]["containers"]]
        await self.runs(pod, own, {"conditions": ready_conditions(pod, True), "containerStatuses": containers})

    def change(self, pod: Object) -> Coroutine[Any, Any, None] | None:
        """What is to be written of a pod that runs; None: nothing."""

    def ending(self, pod: Object) -> None:
        """Called once, when the pod's containers begin to end."""


async def _serve(
    kubeconfig: Path,
    *,
    stop: asyncio.Event,
    ready: Callable[[], None],
    start: float | None = None,
    end: float = 0.1,
    dead: Collection[str] = (),
    only: str = "",
) -> None:
    async with AsyncApi(kubeconfig, user_agent="kubelet") as api:
        pods = Informer(api, "/api/v1/pods", fieldSelector="spec.nodeName!=")
        kubelet = Kubelet(
            api,
            pods,
            lambda node: node not in dead and node.startswith(only),
            start=start,
            end=lambda _pod: end,
        )

        async def look_after() -> None:
            await pods.synced.wait()
            ready()
            await kubelet.run()

        tasks = [asyncio.create_task(pods.run()), asyncio.create_task(look_after())]
        await stop.wait()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@contextlib.contextmanager
def in_a_thread(kubeconfig: Path, **options: Any) -> Iterator[None]:
    """A kubelet as long as the `with` block lasts; options: start, end, dead, only."""
    loop = asyncio.new_event_loop()
    stop, ready = asyncio.Event(), threading.Event()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    done = asyncio.run_coroutine_threadsafe(_serve(kubeconfig, stop=stop, ready=ready.set, **options), loop)
    done.add_done_callback(lambda _unused: ready.set())
    try:
        assert ready.wait(PATIENCE), "the kubelet sees no pods"
        if not done.done():
            yield
    finally:
        loop.call_soon_threadsafe(stop.set)
        try:
            done.result(10)
        finally:
            loop.call_soon_threadsafe(loop.stop)
            thread.join(10)
            loop.close()


async def _until_told(options: argparse.Namespace) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await _serve(
        options.kubeconfig,
        stop=stop,
        ready=lambda: print("ready", flush=True),
        start=options.start,
        end=options.end,
        dead=options.dead,
        only=options.only,
    )


def main(argv: list[str] | None = None) -> int:
    """Exit code 0 after SIGTERM. Prints `ready` when it sees all pods."""
    parser = argparse.ArgumentParser(prog="python -m emulator.kubelet", description=__doc__)
    parser.add_argument("--kubeconfig", type=Path, required=True)
    parser.add_argument(
        "--start", type=float, help="seconds until a new pod is Ready; without it pods stay as they are"
    )
    parser.add_argument("--end", type=float, default=0.1, help="seconds until a deleted pod is gone (0.1)")
    parser.add_argument("--dead", action="append", default=[], metavar="NODE", help="its pods neither start nor end")
    parser.add_argument("--only", default="", metavar="PREFIX", help="nodes whose names begin so")
    asyncio.run(_until_told(parser.parse_args(argv)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
