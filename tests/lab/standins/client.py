# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A small asynchronous API client for stand-ins and seed: requests, list-and-watch, the controllers' loop."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import ssl
import time
from pathlib import Path
from typing import Any, Self

import aiohttp

Object = dict[str, Any]
MERGE_PATCH = "application/merge-patch+json"
log = logging.getLogger("standins")


class ApiError(Exception):
    """An answer of the API server that is no success."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(f"{status}: {message}")
        self.status = status


# What a stand-in meets while the API server is away or refuses: logged, and tried again with the next step.
TRANSIENT = (ApiError, aiohttp.ClientError, OSError, TimeoutError, json.JSONDecodeError)


class Api:
    """Requests to one API server, configured by a kubeconfig file."""

    def __init__(self, kubeconfig: Path, *, user_agent: str) -> None:
        # Imported here: it takes half a second, which `--help` and the pure functions' tests don't need.
        from kubernetes.client import Configuration
        from kubernetes.config import load_kube_config

        config = Configuration()
        load_kube_config(config_file=str(kubeconfig), client_configuration=config)
        self.server = config.host.rstrip("/")
        self._config = config
        self._headers = {"User-Agent": user_agent, "Accept": "application/json"}
        auth: Any = config.auth_settings()  # bearer tokens and basic auth; certificates are in the TLS context
        self._headers |= {s["key"]: s["value"] for s in auth.values() if s.get("in") == "header"}
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        context: ssl.SSLContext | bool = False
        if self.server.startswith("https"):
            context = ssl.create_default_context(cafile=self._config.ssl_ca_cert)
            if not self._config.verify_ssl:
                context.check_hostname = False
                context.verify_mode = ssl.CERT_NONE
            if self._config.cert_file:
                context.load_cert_chain(self._config.cert_file, self._config.key_file)
        self._session = aiohttp.ClientSession(
            headers=self._headers, connector=aiohttp.TCPConnector(ssl=context, limit=0)
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._session:
            await self._session.close()

    def session(self) -> aiohttp.ClientSession:
        """The open session."""
        assert self._session is not None, "use `async with Api(...)`"
        return self._session

    async def request(
        self, method: str, path: str, body: Any = None, *, content: str = "application/json", query: Any = None
    ) -> Object:
        """The answer's object; ApiError for any status of 400 and above."""
        data = None if body is None else json.dumps(body)
        timeout = aiohttp.ClientTimeout(total=10)
        url = self.server + path
        async with self.session().request(
            method, url, data=data, params=query, headers={"Content-Type": content}, timeout=timeout
        ) as response:
            text = await response.text()
            if response.status >= 400:
                raise ApiError(response.status, _message(text))
            return json.loads(text)

    async def get(self, path: str, **query: str) -> Object:
        """One object, or a list."""
        return await self.request("GET", path, query=query)

    async def find(self, path: str) -> Object | None:
        """One object, or None when it is not there."""
        try:
            return await self.get(path)
        except ApiError as error:
            if error.status == 404:
                return None
            raise

    async def create(self, path: str, body: Object) -> Object:
        """POST to a collection."""
        return await self.request("POST", path, body)

    async def replace(self, path: str, body: Object) -> Object:
        """PUT of one object."""
        return await self.request("PUT", path, body)

    async def patch(self, path: str, body: Object) -> Object:
        """Merge patch of one object."""
        return await self.request("PATCH", path, body, content=MERGE_PATCH)

    async def delete(self, path: str, body: Object | None = None) -> Object | None:
        """DELETE of one object; None when it was gone already."""
        try:
            return await self.request("DELETE", path, body)
        except ApiError as error:
            if error.status == 404:
                return None
            raise


def _message(text: str) -> str:
    """The server's own words."""
    try:
        answer = json.loads(text)
    except json.JSONDecodeError:
        return text.strip()[:200]
    return str(answer.get("message") or answer)[:500] if isinstance(answer, dict) else text[:200]


class Informer:
    """A local copy of a collection, kept current by a watch; whoever subscribed is woken at every change."""

    def __init__(self, api: Api, path: str, **query: str) -> None:
        self.api = api
        self.path = path
        self.query = query
        self.items: dict[str, Object] = {}  # "namespace/name", or "name" of what has no namespace
        self.synced = asyncio.Event()
        self.connected = False
        self._subscribers: list[asyncio.Event] = []

    def subscribe(self, event: asyncio.Event) -> None:
        """Set this event at every change."""
        self._subscribers.append(event)

    def values(self) -> list[Object]:
        """All objects, by namespace and name."""
        return [self.items[key] for key in sorted(self.items)]

    def _wake(self) -> None:
        for event in self._subscribers:
            event.set()

    async def run(self) -> None:
        """List and watch for ever."""
        pause = 0.2
        while True:
            try:
                version = await self._list()
                pause = 0.2
                while True:
                    version = await self._watch(version)
            except ApiError as error:
                if error.status == 410:  # the watch was too old
                    continue
                log.warning("%s: %s", self.path, error)
            except TRANSIENT as error:
                log.warning("%s: %s", self.path, error or type(error).__name__)
            finally:
                self.connected = False
            await asyncio.sleep(pause)
            pause = min(pause * 1.5, 1.0)

    async def _list(self) -> str:
        answer = await self.api.get(self.path, **self.query)
        items = {_key(item): item for item in answer["items"]}
        kind, api_version = answer.get("kind", "").removesuffix("List"), answer.get("apiVersion")
        for item in items.values():  # lists leave these out of their items
            item.setdefault("kind", kind)
            item.setdefault("apiVersion", api_version)
        self.items = items
        self.connected = True
        self.synced.set()
        self._wake()
        return answer["metadata"]["resourceVersion"]

    async def _watch(self, version: str) -> str:
        """Follow one watch to its end; returns the resourceVersion to go on from."""
        query = {**self.query, "watch": "1", "resourceVersion": version, "timeoutSeconds": "300"}
        query["allowWatchBookmarks"] = "true"
        timeout = aiohttp.ClientTimeout(total=None, connect=10, sock_read=330)
        async with self.api.session().get(self.api.server + self.path, params=query, timeout=timeout) as response:
            if response.status >= 400:
                raise ApiError(response.status, _message(await response.text()))
            self.connected = True
            rest = b""
            # Not readline(): aiohttp refuses lines over 128 kB, and objects may be larger.
            async for chunk in response.content.iter_any():
                *lines, rest = (rest + chunk).split(b"\n")
                for line in lines:
                    if line.strip():
                        version = self._event(json.loads(line), version)
                if lines:
                    self._wake()
        return version

    def _event(self, event: Object, version: str) -> str:
        item = event["object"]
        if event["type"] == "ERROR":
            raise ApiError(int(item.get("code") or 500), str(item.get("message")))
        if event["type"] == "DELETED":
            self.items.pop(_key(item), None)
        elif event["type"] != "BOOKMARK":
            self.items[_key(item)] = item
        return item["metadata"].get("resourceVersion", version)


def _key(item: Object) -> str:
    metadata = item["metadata"]
    return f"{metadata['namespace']}/{metadata['name']}" if metadata.get("namespace") else str(metadata["name"])


class Controller:
    """The loop all stand-ins share: step() runs when something changed, and when it said it wants to."""

    name = "stand-in"
    idle = 2.0  # seconds between two steps when nothing happens

    def __init__(self) -> None:
        self.wake = asyncio.Event()

    def watches(self, *informers: Informer) -> None:
        """Wake up when one of these changes."""
        for informer in informers:
            informer.subscribe(self.wake)

    async def step(self) -> float | None:
        """Do what is missing now; returns in how many seconds to look again at the latest (None: `idle`)."""
        raise NotImplementedError

    async def run(self) -> None:
        """Step for ever; an API server that is away is met again with the next step."""
        while True:
            self.wake.clear()
            try:
                pause = await self.step()
            except TRANSIENT as error:
                log.warning("%s: %s", self.name, error or type(error).__name__)
                pause = 0.5
            except Exception:  # one that dies would look like a fault that nobody injected
                log.exception("%s: goes on after", self.name)
                pause = 1.0
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.wake.wait(), max(0.02, self.idle if pause is None else pause))


async def patch_existing(api: Api, path: str, body: Object) -> Object | None:
    """Merge patch; None when the object is gone or was changed in between (the next step sees the new one)."""
    try:
        return await api.patch(path, body)
    except ApiError as error:
        if error.status in (404, 409):
            return None
        raise


def timestamp(at: float | None = None, *, micro: bool = False) -> str:
    """RFC 3339 UTC, as Kubernetes writes Time (or MicroTime) values; `at` is epoch seconds, default now."""
    at = time.time() if at is None else at
    text = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(at))
    return f"{text}.{int(at % 1 * 1_000_000):06d}Z" if micro else f"{text}Z"


def condition(kind: str, status: str, reason: str, message: str, previous: list[Object], **extra: Any) -> Object:
    """A condition; lastTransitionTime is kept while the status stays the same."""
    since = next((c["lastTransitionTime"] for c in previous if c["type"] == kind and c["status"] == status), None)
    body = {"type": kind, "status": status, "reason": reason, "message": message, **extra}
    return {**body, "lastTransitionTime": since or timestamp()}


def is_true(obj: Object, kind: str) -> bool:
    """Whether the object's condition of this type is True."""
    return any(c["type"] == kind and c["status"] == "True" for c in (obj.get("status") or {}).get("conditions") or [])
