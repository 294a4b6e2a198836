# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to hitless.nodes: it may change in any release, don't import it from elsewhere.

"""The Kubernetes API as plain HTTP: paths and dicts in, dicts out, and a named error for each way it can fail.

Only the configuration and the connection pool come from the ``kubernetes`` package. Both stayed the same from 31 to 37.
Its typed models changed, and importing them takes a second.
"""

from __future__ import annotations

import contextlib
import json
import ssl
import time
from collections.abc import Iterator, Mapping
from typing import Any, NoReturn, cast
from urllib.parse import quote, urlencode

from ansible.module_utils.basic import AnsibleModule

from ..base.errors import HitlessError
from .api_errors import ApiError, Expired, NotFound, Unreachable, error_of, right_needed, status_object
from .connection import ConfigurationError, configure, connection_pool, websocket_options

# They come with the kubernetes package. connection.LIBRARIES reports it if that is missing.
with contextlib.suppress(ImportError):
    import urllib3
    import websocket

PAGE = 500
# A list of 5,000 pods is read in pages. A list that only needs names requests nothing else.
NAMES_ONLY = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json"


def segment(name: str) -> str:
    """A name as one segment of a path."""
    return quote(name, safe="")


def connect(module: AnsibleModule, *, connections: int = 4) -> Client:
    """The connection for a module's parameters. Warns if the server's certificate isn't checked."""
    client = Client(module.params, connections=connections)
    if not client.verified:
        module.warn(
            f"the certificate of {client.url} is not checked (validate_certs or K8S_AUTH_VERIFY_SSL is false, or the "
            f"kubeconfig says insecure-skip-tls-verify): a third party on the way could read the token and change the "
            f"answers"
        )
    return client


class Client:
    """A connection to one API server. Safe to use from several threads, as urllib3's pool is."""

    def __init__(self, params: dict[str, Any], *, connections: int = 4) -> None:
        self._configuration, self.source = configure(params)
        self._configuration.connection_pool_maxsize = connections
        self.url = self._configuration.host
        self.timeout = params["request_timeout"]
        self.verified = bool(self._configuration.verify_ssl) or not self.url.startswith("https:")
        if not self.verified:
            # connect() warns once. urllib3 would warn at every request.
            urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)
        self._pool = connection_pool(self._configuration, self.source)

    # One request.

    def get(self, path: str, *, accept: str = "application/json", **query: Any) -> dict[str, Any]:
        """One object or list."""
        return self._answer("GET", path, query, headers={"Accept": accept})

    def text(self, path: str, **query: Any) -> str:
        """A text that isn't an object, such as the log of a pod."""
        response = self._send("GET", path, query)
        if response.status >= 400:
            self._fail("GET", path, query, response.status, status_object(response.data), response.headers)
        return str(response.data.decode(errors="replace"))

    def find(self, path: str) -> dict[str, Any] | None:
        """One object, None if it (or its whole kind) doesn't exist."""
        try:
            return self.get(path)
        except NotFound:
            return None

    def patch(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """The object after a merge patch (custom resources refuse strategic merge patches)."""
        return self._answer("PATCH", path, {}, body=body, content_type="application/merge-patch+json")

    def post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """The created object."""
        return self._answer("POST", path, {}, body=body)

    def delete(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """The server's answer to a deletion with these DeleteOptions."""
        return self._answer("DELETE", path, {}, body=body)

    # Many objects.

    def list_all(
        self, path: str, *, accept: str = "application/json", **query: Any
    ) -> tuple[list[dict[str, Any]], str]:
        """All objects of a list, read in pages, and the resourceVersion from which a watch continues."""
        for attempt in (1, 2, 3):
            items: list[dict[str, Any]] = []
            version = ""
            try:
                for answer in self.pages(path, accept=accept, **query):
                    items += answer.get("items") or []
                    version = answer.get("metadata", {}).get("resourceVersion", "")
            except Expired:
                # The token of the next page only lives as long as etcd's history (5 minutes). So begin again.
                if attempt == 3:
                    raise
            else:
                return items, version
        raise AssertionError("unreachable")

    def pages(self, path: str, *, accept: str = "application/json", **query: Any) -> Iterator[dict[str, Any]]:
        """The pages of a list, one at a time. A caller that only counts needs little memory."""
        page = {"limit": PAGE, **query}
        while True:
            answer = self.get(path, accept=accept, **page)
            yield answer
            token = answer.get("metadata", {}).get("continue")
            if not token:
                return
            page["continue"] = token

    def watch(self, path: str, *, resource_version: str, seconds: int, **query: Any) -> Iterator[dict[str, Any]]:
        """The events of one watch, until the server ends it after that many seconds; raises Expired for a 410 in it."""
        query |= {
            "watch": 1,
            "resourceVersion": resource_version,
            "allowWatchBookmarks": "true",
            "timeoutSeconds": seconds,
        }
        # The server ends the watch. If it is silent for longer than that, the connection is dead.
        response = self._send("GET", path, query, read_timeout=seconds + self.timeout, stream=True)
        try:
            if response.status >= 400:
                self._fail("GET", path, query, response.status, status_object(response.read()), response.headers)
            for line in _lines(response):
                event = json.loads(line)
                if event.get("type") == "ERROR":
                    status = event.get("object") or {}
                    self._fail("GET", path, query, int(status.get("code") or 500), status)
                yield event
        except (urllib3.exceptions.HTTPError, OSError, ValueError) as exc:
            raise Unreachable(f"the watch of {self.url}{path} broke: {_reason(exc)}") from exc
        finally:
            # An unfinished stream can't be returned to the pool.
            response.close()

    def frames(
        self, path: str, query: list[tuple[str, str]], *, protocols: list[str], seconds: float
    ) -> Iterator[bytes]:
        """The messages of a websocket until the server closes it; raises Unreachable when that takes longer."""
        deadline = time.monotonic() + seconds
        where = f"{self.url}{path}"
        socket = self._open_websocket(path, query, protocols)
        try:
            while True:
                left = deadline - time.monotonic()
                if left <= 0:
                    raise Unreachable(f"{where} gave no answer within {seconds:g} s")
                socket.settimeout(left)
                opcode, data = socket.recv_data()
                if opcode == websocket.ABNF.OPCODE_CLOSE:
                    return
                yield data
        except websocket.WebSocketConnectionClosedException:
            # There was no closing handshake. The caller sees whether everything has arrived.
            return
        except websocket.WebSocketTimeoutException as exc:
            raise Unreachable(f"{where} gave no answer within {seconds:g} s") from exc
        except (websocket.WebSocketException, OSError) as exc:
            raise Unreachable(f"{where} broke off: {_reason(exc)}") from exc
        finally:
            # No closing handshake, because it would wait for the server.
            socket.shutdown()

    # Underneath.

    def _open_websocket(self, path: str, query: list[tuple[str, str]], protocols: list[str]) -> websocket.WebSocket:
        try:
            # The library that the kubernetes package uses for exec. Its own kubernetes.stream drops HTTP statuses and
            # lost the token in 36 (https://github.com/kubernetes-client/python/issues/2595).
            return websocket.create_connection(
                f"ws{self.url.removeprefix('http')}{path}?{urlencode(query)}",
                timeout=self.timeout,
                header=[f"{key}: {value}" for key, value in self._authorization().items()],
                subprotocols=protocols,
                enable_multithread=False,
                **websocket_options(self._configuration),
            )
        except websocket.WebSocketBadStatusException as exc:
            answer = status_object(getattr(exc, "resp_body", None) or b"")
            self._fail("GET", path, {}, exc.status_code, answer, getattr(exc, "resp_headers", None))
        except (websocket.WebSocketException, OSError) as exc:
            raise _no_connection(f"{self.url}{path}", exc) from exc

    def _authorization(self) -> dict[str, str]:
        """The headers that identify us. The token is read again if the kubeconfig renews it."""
        settings = cast("dict[str, dict[str, str]]", self._configuration.auth_settings())
        return {setting["key"]: setting["value"] for setting in settings.values()}

    def _answer(self, method: str, path: str, query: dict[str, Any], **options: Any) -> dict[str, Any]:
        response = self._send(method, path, query, **options)
        if response.status >= 400:
            self._fail(method, path, query, response.status, status_object(response.data), response.headers)
        try:
            answer = json.loads(response.data)
        except ValueError as exc:
            raise ApiError(
                f"{self.url}{path} ({self.source}) answered {response.status} with something that is not JSON: "
                f"is this a Kubernetes API server?",
                status=response.status,
            ) from exc
        return answer if isinstance(answer, dict) else {}

    def _send(
        self,
        method: str,
        path: str,
        query: dict[str, Any],
        *,
        body: dict[str, Any] | None = None,
        content_type: str = "application/json",
        headers: dict[str, str] | None = None,
        read_timeout: float | None = None,
        stream: bool = False,
    ) -> urllib3.BaseHTTPResponse:
        ours = {"Accept": "application/json", "User-Agent": "hitless.nodes"}
        headers = {**ours, **(headers or {}), **self._authorization()}
        if body is not None:
            headers["Content-Type"] = content_type
        url = f"{self.url}{path}{'?' + urlencode(query) if query else ''}"
        try:
            response: urllib3.BaseHTTPResponse = self._pool.request(
                method,
                url,
                body=None if body is None else json.dumps(body).encode(),
                headers=headers,
                timeout=urllib3.Timeout(connect=self.timeout, read=read_timeout or self.timeout),
                retries=False,
                preload_content=not stream,
            )
            return response
        except (urllib3.exceptions.HTTPError, OSError) as exc:
            raise _no_connection(f"the Kubernetes API {self.url} ({self.source})", exc) from exc

    def _fail(
        self,
        method: str,
        path: str,
        query: dict[str, Any],
        status: int,
        answer: dict[str, Any],
        headers: Mapping[str, str] | None = None,
    ) -> NoReturn:
        """Raises the error with the name of an HTTP status."""
        right = right_needed(method, path, query)
        raise error_of(method, f"{self.url}{path}", status, answer, right=right, source=self.source, headers=headers)


def _lines(response: urllib3.BaseHTTPResponse) -> Iterator[bytes]:
    """The lines of a streamed answer, as they come in."""
    rest = b""
    for chunk in response.stream(65536):
        *lines, rest = (rest + chunk).split(b"\n")
        yield from (line for line in lines if line.strip())


def _no_connection(where: str, exc: BaseException) -> HitlessError:
    """The error for a connection that could not be made."""
    if _is_bad_certificate(exc):
        return ConfigurationError(f"{where} shows a certificate that isn't trusted: {_reason(exc)}")
    return Unreachable(f"{where} can't be reached: {_reason(exc)}")


def _is_bad_certificate(exc: BaseException) -> bool:
    """Whether a connection failed because of the server's certificate. Waiting doesn't help against that."""
    cause: BaseException | None = exc
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return True
        cause = cause.args[0] if cause.args and isinstance(cause.args[0], BaseException) else cause.__cause__
    return False


def _reason(exc: BaseException) -> str:
    """The innermost text of a connection error: "Connection refused", not the object that had it."""
    cause: BaseException = exc
    while cause.__cause__ is not None:
        cause = cause.__cause__
    return (
        getattr(cause, "strerror", None) or getattr(cause, "verify_message", None) or str(cause) or type(cause).__name__
    )
