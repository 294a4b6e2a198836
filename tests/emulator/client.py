# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Clients of a Kubernetes API: `Api` shows every answer as it is; `AsyncApi` is for what runs beside other things."""

from __future__ import annotations

import json
import ssl
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlencode

import aiohttp
import urllib3

Object = dict[str, Any]

MERGE = "application/merge-patch+json"
JSON_PATCH = "application/json-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"

# Seconds that controllers of a real cluster, or a busy machine, may need.
PATIENCE = 120.0


class ApiError(Exception):
    """An answer of the API server that is no success."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(f"{status}: {message}")
        self.status = status


# What AsyncApi raises while the API server is away or refuses.
TRANSIENT = (ApiError, aiohttp.ClientError, OSError, TimeoutError, json.JSONDecodeError)


@dataclass(frozen=True)
class Connection:
    """What a kubeconfig says: where the server is, and what a request carries."""

    server: str
    headers: dict[str, str]
    tls: ssl.SSLContext | None


def connection(
    kubeconfig: Path, *, user_agent: str = "hitless-test", token: str | None = None, anonymous: bool = False
) -> Connection:
    """The server of a kubeconfig, as its user, as the user of a token, or as nobody."""
    # Imported here: it takes half a second, which `--help` and the pure functions' tests don't need.
    from kubernetes.client import Configuration
    from kubernetes.config import load_kube_config

    config = Configuration()
    load_kube_config(config_file=str(kubeconfig), client_configuration=config)
    headers = {"User-Agent": user_agent, "Accept": "application/json"}
    own = token is None and not anonymous
    if token:
        headers["Authorization"] = f"Bearer {token}"
    elif own:
        settings: Any = config.auth_settings()  # bearer tokens and basic auth; certificates are in the TLS context
        headers |= {one["key"]: one["value"] for one in settings.values() if one.get("in") == "header"}
    server = config.host.rstrip("/")
    if not server.startswith("https"):
        return Connection(server, headers, None)
    tls = ssl.create_default_context(cafile=config.ssl_ca_cert)
    if not config.verify_ssl:
        tls.check_hostname = False
        tls.verify_mode = ssl.CERT_NONE
    if own and config.cert_file:
        tls.load_cert_chain(config.cert_file, config.key_file)
    return Connection(server, headers, tls)


@dataclass(frozen=True)
class Answer:
    """One answer of the API."""

    status: int
    headers: Any
    body: bytes

    @property
    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)

    def of(self, *statuses: int) -> Any:
        """The body as JSON, after making sure of the status: one of these, or any success."""
        good = self.status in statuses if statuses else self.status < 300
        assert good, f"{self.status} instead of {statuses or 'success'}: {self.body[:500]!r}"
        return self.json


class Api:
    """A server, as one user; threads may share it."""

    def __init__(
        self,
        kubeconfig: Path,
        *,
        user_agent: str = "hitless-test",
        token: str | None = None,
        anonymous: bool = False,
    ) -> None:
        found = connection(kubeconfig, user_agent=user_agent, token=token, anonymous=anonymous)
        self.server = found.server
        self._headers = found.headers
        self._pool = urllib3.PoolManager(ssl_context=found.tls, retries=False, timeout=PATIENCE)

    def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        content_type: str | None = None,
        agent: str | None = None,
        **query: Any,
    ) -> Answer:
        """One request; PATCH is a merge patch unless said otherwise."""
        headers = dict(self._headers)
        if agent:
            headers["User-Agent"] = agent
        data = None
        if body is not None:
            headers["Content-Type"] = content_type or (MERGE if method == "PATCH" else "application/json")
            data = body if isinstance(body, bytes) else json.dumps(body).encode()
        url = f"{self.server}{path}" + (f"?{urlencode(query)}" if query else "")
        answer = self._pool.request(method, url, body=data, headers=headers)
        return Answer(answer.status, answer.headers, answer.data)

    def get(self, path: str, **query: Any) -> Answer:
        """GET."""
        return self.call("GET", path, **query)

    def post(self, path: str, body: Any, **query: Any) -> Answer:
        """POST."""
        return self.call("POST", path, body, **query)

    def put(self, path: str, body: Any, **query: Any) -> Answer:
        """PUT."""
        return self.call("PUT", path, body, **query)

    def patch(self, path: str, body: Any, content_type: str = MERGE, **query: Any) -> Answer:
        """PATCH, a merge patch unless said otherwise."""
        return self.call("PATCH", path, body, content_type=content_type, **query)

    def delete(self, path: str, body: Any = None, **query: Any) -> Answer:
        """DELETE."""
        return self.call("DELETE", path, body, **query)

    def watch(self, path: str, seconds: int = 10, **query: Any) -> Iterator[Object]:
        """The events of a watch until the server ends it."""
        url = f"{self.server}{path}?" + urlencode({"watch": "true", "timeoutSeconds": seconds, **query})
        answer = self._pool.request("GET", url, headers=self._headers, preload_content=False)
        assert answer.status == 200, f"{answer.status}: {answer.read()!r}"
        assert answer.headers["Content-Type"] == "application/json"
        rest = b""
        try:
            for chunk in answer.stream(65536):
                *lines, rest = (rest + chunk).split(b"\n")
                for line in lines:
                    yield json.loads(line)
        finally:
            answer.close()


def eventually(probe: Callable[[], Any], *, patience: float = PATIENCE) -> Any:
    """What `probe` returns as soon as it is true; AssertionError after `patience` seconds."""
    end = time.monotonic() + patience
    while True:
        found = probe()
        if found:
            return found
        assert time.monotonic() < end, f"still not so after {patience} s"
        time.sleep(0.05)


class AsyncApi:
    """A server, as one user, for asyncio; an answer that is no success is raised."""

    def __init__(self, kubeconfig: Path, *, user_agent: str) -> None:
        found = connection(kubeconfig, user_agent=user_agent)
        self.server = found.server
        self._headers = found.headers
        self._tls = found.tls
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        connector = aiohttp.TCPConnector(ssl=self._tls or False, limit=0)
        self._session = aiohttp.ClientSession(headers=self._headers, connector=connector)
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._session:
            await self._session.close()

    def session(self) -> aiohttp.ClientSession:
        """The open session."""
        assert self._session is not None, "use `async with AsyncApi(...)`"
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
                raise ApiError(response.status, message_of(text))
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
        return await self.request("PATCH", path, body, content=MERGE)

    async def delete(self, path: str, body: Object | None = None) -> Object | None:
        """DELETE of one object; None when it was gone already."""
        try:
            return await self.request("DELETE", path, body)
        except ApiError as error:
            if error.status == 404:
                return None
            raise


def message_of(text: str) -> str:
    """The server's own words."""
    try:
        answer = json.loads(text)
    except json.JSONDecodeError:
        return text.strip()[:200]
    return str(answer.get("message") or answer)[:500] if isinstance(answer, dict) else text[:200]


async def patch_existing(api: AsyncApi, path: str, body: Object) -> Object | None:
    """Merge patch; None when the object is gone or was changed in between (the next step sees the new one)."""
    try:
        return await api.patch(path, body)
    except ApiError as error:
        if error.status in (404, 409):
            return None
        raise
