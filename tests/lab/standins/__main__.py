# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run all stand-ins of one lab in one process: python -m lab.standins --lab NAME."""

from __future__ import annotations

import argparse
import asyncio
import logging
import signal
import sys
from collections.abc import Callable, Coroutine
from typing import Any

from emulator.client import TRANSIENT, AsyncApi
from emulator.informer import Controller

from lab import speaker, state
from lab.settings import LabError
from lab.standins.agent import Agent
from lab.standins.control_plane import EndpointSlices, NodeLifecycle, Scheduler, missing
from lab.standins.exec_backend import ExecBackend
from lab.standins.kubelets import NodeKubelet
from lab.standins.operator import Operator
from lab.standins.workloads import Workloads
from lab.standins.world import Host, Knobs, Settings, World, served_version

log = logging.getLogger("standins")
USER_AGENT = "hitless-lab-stand-in"


async def run(lab: state.Lab, settings: Settings) -> None:
    """All stand-ins, until SIGTERM or SIGINT."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with AsyncApi(lab.dir / "standins.kubeconfig", user_agent=USER_AGENT) as api:
        version = await served_version(api)
        world = World(
            api=api,
            namespace=lab.settings.name,
            settings=settings,
            knobs=Knobs(lab.dir / "knobs.json"),
            hosts={name: Host(machine) for name, machine in lab.nodes.items()},
            speaker=speaker,
            cilium=version,
        )
        emulated = (await api.get("/version")).get("gitVersion", "").endswith("-emulated")
        controllers: list[Controller] = [Operator(world)]
        stands_in = await missing(api, settings.control_plane)
        kinds: dict[str, Callable[[World], Controller]] = {
            "nodes": NodeLifecycle,
            "workloads": Workloads,
            "slices": EndpointSlices,
            "scheduler": Scheduler,
        }
        controllers += [kind(world) for name, kind in kinds.items() if name in stands_in]
        backends = []
        for host in world.hosts.values():
            agent = Agent(world, host)
            kubelet = NodeKubelet(world, host, agent)
            controllers += [kubelet, agent]
            backends.append(ExecBackend(api, agent))
        if emulated:
            await api.create("/_emulator/faults", {"node_grace": settings.grace})
        log.info("stand-ins of lab %s at %s: %s", lab.settings.name, api.server, ", ".join(c.name for c in controllers))
        tasks = [asyncio.create_task(informer.run()) for informer in world.informers.values()]
        try:
            await _all_synced(world, stop)
            work: list[Coroutine[Any, Any, None]] = [world.look(), *(c.run() for c in controllers)]
            if emulated:
                work += [backend.run() for backend in backends]
            tasks += [asyncio.create_task(coroutine) for coroutine in work]
            waiter = asyncio.create_task(stop.wait())
            done, _unused = await asyncio.wait([waiter, *tasks], return_when=asyncio.FIRST_COMPLETED)
            for task in done - {waiter}:
                task.result()  # a stand-in never ends by itself: this raises what ended it
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


async def _all_synced(world: World, stop: asyncio.Event) -> None:
    """Nobody acts before everything has been listed: half a view would delete what it does not see."""
    while not stop.is_set() and not all(i.synced.is_set() for i in world.informers.values()):
        await asyncio.sleep(0.02)


def main(argv: list[str] | None = None) -> int:
    """Exit code 0 after SIGTERM; 1 with one line when the lab or its API server is not there."""
    default = Settings()
    parser = argparse.ArgumentParser(prog="python -m lab.standins", description=__doc__.splitlines()[0])
    parser.add_argument("--lab", default="hn", help="name of the lab (default hn)")
    parser.add_argument("--heartbeat", type=float, default=default.heartbeat, help="seconds (real kubelets: 10)")
    parser.add_argument("--grace", type=float, default=default.grace, help="seconds until Unknown (real: 40 or 50)")
    parser.add_argument("--start", type=float, default=default.start, help="seconds until a pod's containers run")
    parser.add_argument("--status", type=float, default=default.status, help="seconds between reports (Cilium: 5)")
    parser.add_argument(
        "--control-plane",
        choices=("auto", "on", "off"),
        default=default.control_plane,
        help="node lifecycle, workloads, scheduler, endpoint slices: auto = what the server lacks",
    )
    args = parser.parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s.%(msecs)03d %(message)s", datefmt="%H:%M:%S")
    settings = Settings(
        heartbeat=args.heartbeat,
        grace=args.grace,
        start=args.start,
        status=args.status,
        control_plane=args.control_plane,
    )
    try:
        asyncio.run(run(state.load(args.lab), settings))
    except LabError as error:
        print(f"standins: {error}", file=sys.stderr)
        return 1
    except TRANSIENT as error:
        print(f"standins: {error or type(error).__name__}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
