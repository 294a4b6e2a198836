# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A plain client for the probes: every answer with its status, headers and body, and watches as they come."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import kubernetes.client
import kubernetes.config
import urllib3

Json = dict[str, Any]

MERGE = "application/merge-patch+json"
JSON_PATCH = "application/json-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"

# Seconds that controllers of a real cluster, or a busy machine, may need.
PATIENCE = 120.0


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
        """The body as JSON, after making sure of the status."""
        assert self.status in statuses, f"{self.status} instead of {statuses}: {self.body[:500]!r}"
        return self.json


class Api:
    """A server, as one user."""

    def __init__(self, kubeconfig: Path, *, token: str | None = None, anonymous: bool = False) -> None:
        configuration = kubernetes.client.Configuration()
        kubernetes.config.load_kube_config(str(kubeconfig), client_configuration=configuration)
        # The key of the token is `authorization` up to client 36.0, `BearerToken` in 37.
        bearer = configuration.api_key.get("BearerToken") or configuration.api_key.get("authorization")
        own = token is None and not anonymous
        self.host = configuration.host
        self._headers: dict[str, str] = {"User-Agent": "lab-conformance/1", "Accept": "application/json"}
        if token:
            self._headers["Authorization"] = f"Bearer {token}"
        elif own and bearer:
            self._headers["Authorization"] = bearer
        self._pool = urllib3.PoolManager(
            ca_certs=configuration.ssl_ca_cert,
            cert_file=configuration.cert_file if own else None,
            key_file=configuration.key_file if own else None,
            retries=False,
            timeout=PATIENCE,
        )

    def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        content_type: str = "application/json",
        agent: str | None = None,
        **query: Any,
    ) -> Answer:
        """One request."""
        headers = dict(self._headers)
        if agent:
            headers["User-Agent"] = agent
        data = None
        if body is not None:
            headers["Content-Type"] = content_type
            data = body if isinstance(body, bytes) else json.dumps(body).encode()
        url = f"{self.host}{path}" + (f"?{urlencode(query)}" if query else "")
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

    def watch(self, path: str, seconds: int = 10, **query: Any) -> Iterator[Json]:
        """The events of a watch until the server ends it."""
        url = f"{self.host}{path}?" + urlencode({"watch": "true", "timeoutSeconds": seconds, **query})
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


class Process:
    """An emulator of one's own."""

    def __init__(self, directory: Path, *options: str) -> None:
        self.directory = directory
        self._process = subprocess.Popen(
            [sys.executable, "-m", "lab.emulator", "--dir", str(directory), *options],
            cwd=Path(__file__).parents[2],
            stdout=subprocess.DEVNULL,
        )
        ready = directory / "emulator.json"
        end = time.monotonic() + PATIENCE
        while not ready.exists():
            assert self._process.poll() is None, f"the emulator ended with {self._process.returncode}"
            assert time.monotonic() < end, "the emulator did not start"
            time.sleep(0.02)
        self.about: Json = json.loads(ready.read_text())

    @property
    def kubeconfig(self) -> Path:
        """The administrator's kubeconfig."""
        return Path(self.about["admin_kubeconfig"])

    def stop(self) -> int:
        """SIGTERM; the exit code."""
        self._process.terminate()
        return self._process.wait(timeout=PATIENCE)
