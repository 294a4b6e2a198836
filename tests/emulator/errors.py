# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The API's errors: each one is a Status object with an HTTP code."""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]


class ApiError(Exception):
    """An answer other than success; `reason` may be empty, as it is for two PDBs on one pod."""

    def __init__(
        self,
        code: int,
        reason: str,
        message: str,
        *,
        details: Json | None = None,
        causes: list[Json] | None = None,
        retry_after: int = 0,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.reason = reason
        self.message = message
        self.details: Json = dict(details or {})
        if causes:
            self.details["causes"] = causes
        if retry_after:
            self.details["retryAfterSeconds"] = retry_after
        self.retry_after = retry_after

    def status(self) -> Json:
        """The Status object of this error."""
        body: Json = {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": self.message,
        }
        if self.reason:
            body["reason"] = self.reason
        if self.details:
            body["details"] = self.details
        body["code"] = self.code
        return body


def success(details: Json | None = None, code: int = 200) -> Json:
    """The Status object of a success without an object to return."""
    body: Json = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success"}
    if details:
        body["details"] = details
    else:
        body["code"] = code
    return body


def _named(plural: str, group: str) -> str:
    return f"{plural}.{group}" if group else plural


def _details(plural: str, group: str, name: str) -> Json:
    details: Json = {"name": name, "kind": plural}
    if group:
        details["group"] = group
    return details


def bad_request(message: str) -> ApiError:
    """400."""
    return ApiError(400, "BadRequest", message)


def unauthorized() -> ApiError:
    """401."""
    return ApiError(401, "Unauthorized", "Unauthorized")


def not_found(plural: str, group: str, name: str) -> ApiError:
    """404 for an object."""
    message = f'{_named(plural, group)} "{name}" not found'
    return ApiError(404, "NotFound", message, details=_details(plural, group, name))


def already_exists(plural: str, group: str, name: str) -> ApiError:
    """409 for a create."""
    message = f'{_named(plural, group)} "{name}" already exists'
    return ApiError(409, "AlreadyExists", message, details=_details(plural, group, name))


def conflict(plural: str, group: str, name: str, why: str) -> ApiError:
    """409 for a write."""
    message = f'Operation cannot be fulfilled on {_named(plural, group)} "{name}": {why}'
    return ApiError(409, "Conflict", message, details=_details(plural, group, name))


MODIFIED = "the object has been modified; please apply your changes to the latest version and try again"


def forbidden(plural: str, group: str, name: str, why: str, causes: list[Json] | None = None) -> ApiError:
    """403 from admission."""
    message = f'{_named(plural, group)} "{name}" is forbidden: {why}'
    return ApiError(403, "Forbidden", message, details=_details(plural, group, name), causes=causes)


def invalid(kind: str, group: str, name: str, causes: list[Json]) -> ApiError:
    """422 with one cause per field; a cause is {reason, message, field}."""
    shown = [f"{cause['field']}: {cause['message']}" for cause in causes]
    text = shown[0] if len(shown) == 1 else f"[{', '.join(shown)}]"
    full = f"{kind}.{group}" if group else kind
    return ApiError(
        422, "Invalid", f'{full} "{name}" is invalid: {text}', details=_details(kind, group, name), causes=causes
    )


def expired(message: str) -> ApiError:
    """410: the resourceVersion or the continue token is too old."""
    return ApiError(410, "Expired", message)


def unsupported_media(accepted: str) -> ApiError:
    """415."""
    message = f"the body of the request was in an unknown format - accepted media types include: {accepted}"
    return ApiError(415, "UnsupportedMediaType", message)


def method_not_allowed() -> ApiError:
    """405."""
    return ApiError(405, "MethodNotAllowed", "the server does not allow this method on the requested resource")


def unmodelled(what: str) -> ApiError:
    """501: a real API server does this, the emulator does not."""
    return ApiError(
        501, "NotImplemented", f"this API server is an emulator and does not model {what}; see /_emulator/models"
    )
