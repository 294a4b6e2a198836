# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Answers pod exec for a stand-in agent: the emulator has no kubelet to dial, so the agent's side connects to it."""

from __future__ import annotations

import asyncio
import contextlib
import logging

import aiohttp
from emulator.client import TRANSIENT, AsyncApi

from lab.standins.agent import Agent

log = logging.getLogger("standins.exec")


class ExecBackend:
    """Keeps one connection to the emulator while the agent is alive."""

    def __init__(self, api: AsyncApi, agent: Agent) -> None:
        self.api = api
        self.agent = agent

    def _pod(self) -> str | None:
        """Name of the pod to answer for; None while the agent does not run."""
        pod = self.agent.kubelet.agent_pod if self.agent.kubelet else None
        return pod["metadata"]["name"] if pod and self.agent.alive else None

    async def run(self) -> None:
        """Connect, answer, connect again, for ever."""
        while True:
            if pod := self._pod():
                with contextlib.suppress(*TRANSIENT):
                    await self._serve(pod)
            await asyncio.sleep(0.2)

    async def _serve(self, pod: str) -> None:
        query = {"namespace": self.agent.world.namespace, "pod": pod}
        url = f"{self.api.server}/_emulator/exec-backend"
        async with self.api.session().ws_connect(url, params=query) as socket:
            while self._pod() == pod and not socket.closed:
                try:
                    message = await socket.receive(timeout=0.3)
                except TimeoutError:
                    continue
                if message.type is not aiohttp.WSMsgType.TEXT:
                    return
                wanted = message.json()
                try:
                    code, stdout, stderr = await self.agent.command(wanted["argv"])
                except Exception as error:
                    log.exception("%s: exec %s", pod, wanted["argv"])
                    code, stdout, stderr = 1, "", f"stand-in agent: {error}\n"
                log.info("%s: exec %s: rc %d", pod, wanted["argv"], code)
                await socket.send_json({"id": wanted["id"], "rc": code, "stdout": stdout, "stderr": stderr})
