# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to hitless.nodes: it may change in any release, don't import it from elsewhere.

"""A named error for each way in which the Kubernetes API can fail, and the words for it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from ..base.errors import HitlessError


class Unreachable(HitlessError):  # noqa: N818 - the name says that no answer came
    """No answer from the API server."""


class ApiError(HitlessError):
    """The API server answered with an error. status is the HTTP status, details the Status object's details."""

    def __init__(self, msg: str, *, status: int = 0, details: dict[str, Any] | None = None, message: str = "") -> None:
        super().__init__(msg, status=status)
        self.status = status
        self.details = details or {}
        self.message = message
        self.retry_after: float | None = None

    def has_cause(self, reason: str) -> bool:
        """Whether the server gave this machine-readable cause."""
        return any(cause.get("reason") == reason for cause in self.details.get("causes") or [])


class Unauthorized(ApiError):  # noqa: N818 - named as in the API
    """401."""


class Forbidden(ApiError):  # noqa: N818
    """403."""


class NotFound(ApiError):  # noqa: N818
    """404."""


class Conflict(ApiError):  # noqa: N818
    """409."""


class Expired(ApiError):  # noqa: N818
    """410: the resourceVersion or the continue token is too old."""


class TooManyRequests(ApiError):  # noqa: N818
    """429: a PodDisruptionBudget or the server's flow control."""


class ServerError(ApiError):
    """5xx."""


# Errors that a wait retries. Waiting doesn't help against any other (a wrong token, a missing right).
TRANSIENT = (Unreachable, ServerError, TooManyRequests)

_BY_STATUS: dict[int, type[ApiError]] = {
    401: Unauthorized,
    403: Forbidden,
    404: NotFound,
    409: Conflict,
    410: Expired,
    429: TooManyRequests,
}


def right_needed(method: str, path: str, query: dict[str, Any]) -> str:
    """The RBAC right that a request needs, in words: "patch nodes", "create pods/eviction in namespace shop"."""
    parts = path.strip("/").split("/")
    parts = parts[2:] if parts[0] == "api" else parts[3:]
    namespace = ""
    if len(parts) > 2 and parts[0] == "namespaces":
        namespace, parts = f" in namespace {parts[1]}", parts[2:]
    resource, name, subresource = (*parts, "", "", "")[:3]
    if subresource == "exec":
        # A websocket begins with a GET. Since Kubernetes 1.35 it also needs create. Before, get alone was enough.
        verb = "get and create"
    elif method == "GET":
        verb = "get" if name else "watch" if query.get("watch") else "list"
    else:
        verb = {"POST": "create", "PATCH": "patch", "PUT": "update", "DELETE": "delete"}[method]
    return f"{verb} {resource}{'/' + subresource if subresource else ''}{namespace}"


def error_of(
    method: str,
    url: str,
    status: int,
    answer: Mapping[str, Any],
    *,
    right: str,
    source: str,
    headers: Mapping[str, str] | None = None,
) -> ApiError:
    """The error for an answer with an HTTP status of 400 or more.

    right: what the request needs, see right_needed(). source: the origin of the token or certificate.
    """
    message = str(answer.get("message") or "no message")
    where = f"{method} {url}"
    if status == 401:
        msg = f"{where}: the token or certificate from {source} is wrong or has expired (401)"
    elif status == 403:
        msg = f"{where}: the right to {right} is missing (403): {message}"
    else:
        msg = f"{where}: {message} ({status})"
    kind = ServerError if status >= 500 else _BY_STATUS.get(status, ApiError)
    error = kind(msg, status=status, details=answer.get("details"), message=message)
    wait = (headers or {}).get("Retry-After")
    error.retry_after = float(wait) if wait and wait.isdigit() else None
    return error


def status_object(data: bytes) -> dict[str, Any]:
    """The Status object in the body of a failed request. Any other body becomes the message of one."""
    try:
        answer = json.loads(data)
    except ValueError:
        answer = None
    if isinstance(answer, dict) and answer.get("message"):
        return answer
    status: dict[str, Any] = answer if isinstance(answer, dict) else {}
    return {**status, "message": data[:200].decode(errors="replace").strip()}
