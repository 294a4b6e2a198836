# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""exec and log of pods. There is no kubelet: agents connect and answer for their pods, and post log lines."""

from __future__ import annotations

import asyncio
import json
import logging
from collections import deque
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from aiohttp import WSMsgType, web

from .errors import ApiError, bad_request, success, unmodelled
from .paths import is_true, number
from .store import dumps

Json = dict[str, Any]
Pod = tuple[str, str]

_LOG = logging.getLogger(__name__)

# Seconds an agent may take to answer.
_ANSWER_SECONDS = 60.0
_LINES = 10_000
_PROTOCOLS = ("v5.channel.k8s.io", "v4.channel.k8s.io")
_STDOUT, _STDERR, _ERROR = b"\x01", b"\x02", b"\x03"


class Backend:
    """An agent that answers for one pod: it gets {id, argv, container} and sends {id, stdout, stderr, rc}."""

    def __init__(self, socket: web.WebSocketResponse) -> None:
        self._socket = socket
        self._waiting: dict[int, asyncio.Future[Json]] = {}
        self._number = 0

    async def serve(self) -> None:
        """Take answers until the agent goes away."""
        async for message in self._socket:
            if message.type != WSMsgType.TEXT:
                continue
            answer = json.loads(message.data)
            future = self._waiting.pop(answer.get("id"), None)
            if future and not future.done():
                future.set_result(answer)
        for future in self._waiting.values():
            if not future.done():
                future.set_exception(ConnectionError("the agent went away"))

    async def run(self, argv: list[str], container: str) -> Json:
        """The agent's answer; raises ConnectionError or TimeoutError."""
        self._number += 1
        number = self._number
        future: asyncio.Future[Json] = asyncio.get_running_loop().create_future()
        self._waiting[number] = future
        try:
            await self._socket.send_json({"id": number, "argv": argv, "container": container})
            return await asyncio.wait_for(future, _ANSWER_SECONDS)
        finally:
            self._waiting.pop(number, None)


def container_of(pod: Json, wanted: str) -> str:
    """The container that is meant; 400 when it is not in the pod or must be named."""
    name = pod["metadata"]["name"]
    names: list[str] = [item["name"] for item in pod["spec"].get("containers") or ()]
    if wanted:
        if wanted not in names:
            raise bad_request(f"container {wanted} is not valid for pod {name}")
        return wanted
    if len(names) != 1:
        raise bad_request(f"a container name must be specified for pod {name}, choose one of: [{' '.join(names)}]")
    return names[0]


def _outcome(answer: Json) -> Json:
    code = int(answer.get("rc", 0))
    if code == 0:
        return {"metadata": {}, "status": "Success"}
    return {
        "metadata": {},
        "status": "Failure",
        "message": f"command terminated with non-zero exit code: exit status {code}",
        "reason": "NonZeroExitCode",
        "details": {"causes": [{"reason": "ExitCode", "message": str(code)}]},
    }


class PodIO:
    """Registered agents and log lines."""

    def __init__(self) -> None:
        self._backends: dict[Pod, Backend] = {}
        self._logs: dict[tuple[str, str, str], deque[tuple[datetime, str]]] = {}

    async def register(self, request: web.Request) -> web.WebSocketResponse:
        """Serve one agent's connection; a newer one for the same pod takes over."""
        pod = (request.query.get("namespace", ""), request.query.get("pod", ""))
        if not all(pod):
            raise bad_request("an exec backend names its namespace and pod in the query")
        socket = web.WebSocketResponse(heartbeat=20)
        await socket.prepare(request)
        backend = Backend(socket)
        self._backends[pod] = backend
        try:
            await backend.serve()
        finally:
            if self._backends.get(pod) is backend:
                del self._backends[pod]
        return socket

    async def exec(self, request: web.Request, pod: Json) -> web.WebSocketResponse:
        """Answer an exec request; raises 400 and 500 as a server does whose kubelet can't be reached."""
        metadata = pod["metadata"]
        argv = request.query.getall("command", [])
        if not argv:
            raise bad_request("you must specify at least 1 command for the container")
        container = container_of(pod, request.query.get("container", ""))
        if not pod["spec"].get("nodeName"):
            raise bad_request(f"pod {metadata['name']} does not have a host assigned")
        if request.headers.get("Upgrade", "").lower() != "websocket":
            if "spdy" in request.headers.get("Upgrade", "").lower():
                raise unmodelled("exec over SPDY")
            raise bad_request("Upgrade request required")
        backend = self._backends.get((metadata["namespace"], metadata["name"]))
        if backend is None:
            text = f"error dialing backend: no agent answers for pod {metadata['namespace']}/{metadata['name']}"
            raise ApiError(500, "InternalError", text)
        socket = web.WebSocketResponse(protocols=_PROTOCOLS)
        await socket.prepare(request)
        if socket.ws_protocol is None:
            await socket.close(code=1002, message=b"unsupported subprotocol")
            return socket
        try:
            answer = await backend.run(argv, container)
        except (ConnectionError, TimeoutError) as error:
            text = f"error executing command in container: {error or 'no answer in time'}"
            status = ApiError(500, "InternalError", text).status()
            await socket.send_bytes(_ERROR + dumps(status))
        else:
            for channel, key in ((_STDOUT, "stdout"), (_STDERR, "stderr")):
                if answer.get(key):
                    await socket.send_bytes(channel + str(answer[key]).encode())
            await socket.send_bytes(_ERROR + dumps(_outcome(answer)))
        await socket.close()
        return socket

    def post_log(self, query: Mapping[str, str], text: str) -> Json:
        """Take log lines of a pod's container in."""
        key = (query.get("namespace", ""), query.get("pod", ""), query.get("container", ""))
        if not all(key):
            raise bad_request("log lines come with namespace, pod and container in the query")
        lines = self._logs.setdefault(key, deque(maxlen=_LINES))
        lines.extend((datetime.now(UTC), line) for line in text.splitlines())
        return success()

    def log(self, pod: Json, query: Mapping[str, str]) -> bytes:
        """The log of a container as text."""
        if is_true(query.get("follow", "")) or is_true(query.get("previous", "")):
            raise unmodelled("follow and previous of pod logs")
        container = container_of(pod, query.get("container", ""))
        kept = list(self._logs.get((pod["metadata"]["namespace"], pod["metadata"]["name"], container), ()))
        if query.get("sinceSeconds"):
            first = datetime.now(UTC).timestamp() - number(query, "sinceSeconds")
            kept = [item for item in kept if item[0].timestamp() >= first]
        if query.get("sinceTime"):
            begin = datetime.fromisoformat(query["sinceTime"].replace("Z", "+00:00"))
            kept = [item for item in kept if item[0] >= begin]
        if query.get("tailLines"):
            count = number(query, "tailLines")
            kept = kept[-count:] if count else []
        stamped = is_true(query.get("timestamps", ""))
        text = "".join(f"{time.isoformat()} {line}\n" if stamped else f"{line}\n" for time, line in kept).encode()
        return text[: number(query, "limitBytes")] if query.get("limitBytes") else text
