# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""DeleteOptions in protobuf, the one body that `kubectl drain --disable-eviction` sends in no other form.

Field numbers: runtime.Unknown in k8s.io/apimachinery/pkg/runtime/generated.proto, DeleteOptions and Preconditions in
pkg/apis/meta/v1/generated.proto.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from .errors import bad_request

CONTENT_TYPE = "application/vnd.kubernetes.protobuf"
_MAGIC = b"k8s\x00"


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """A number, and where the next thing begins."""
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at


def _fields(data: bytes) -> Iterator[tuple[int, int | bytes]]:
    """(field number, value) of a message of numbers and byte strings."""
    at = 0
    while at < len(data):
        tag, at = _varint(data, at)
        value, at = _varint(data, at)
        match tag & 7:
            case 0:
                yield tag >> 3, value
            case 2:
                if at + value > len(data):
                    raise IndexError
                yield tag >> 3, data[at : at + value]
                at += value
            case other:
                raise ValueError(f"wire type {other}")


def _text(value: int | bytes) -> str:
    if isinstance(value, int):
        raise TypeError("a number instead of text")
    return value.decode()


def delete_options(body: bytes) -> dict[str, Any]:
    """The options as they would be in JSON; 400 for anything else."""
    try:
        if not body.startswith(_MAGIC):
            raise ValueError("no Kubernetes envelope")
        raw = dict(_fields(body[len(_MAGIC) :])).get(2, b"")
        options: dict[str, Any] = {}
        for number, value in _fields(raw if isinstance(raw, bytes) else b""):
            if number == 1 and isinstance(value, int):
                options["gracePeriodSeconds"] = value
            elif number == 2 and isinstance(value, bytes):
                names = {1: "uid", 2: "resourceVersion"}
                options["preconditions"] = {names[key]: _text(text) for key, text in _fields(value)}
            elif number == 4:
                options["propagationPolicy"] = _text(value)
            elif number == 5:
                options.setdefault("dryRun", []).append(_text(value))
            else:
                raise ValueError(f"field {number} of DeleteOptions")
    except (IndexError, KeyError, TypeError, ValueError) as error:
        raise bad_request(f"the body is not DeleteOptions in protobuf as the emulator knows them: {error}") from error
    return options
