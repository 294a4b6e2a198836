# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The bodies that clients of the lab send in no other form than protobuf.

DeleteOptions by `kubectl drain --disable-eviction`, and Secrets by Helm, which keeps its releases in them (client-go
prefers protobuf for what it has types of since 0.32).

Field numbers: runtime.Unknown in k8s.io/apimachinery/pkg/runtime/generated.proto, DeleteOptions, Preconditions and
ObjectMeta in pkg/apis/meta/v1/generated.proto, Secret in k8s.io/api/core/v1/generated.proto.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator
from typing import Any

from .errors import bad_request

CONTENT_TYPE = "application/vnd.kubernetes.protobuf"
_MAGIC = b"k8s\x00"

# Field number: (name in JSON, what it is). Go writes what is empty, too.
_METADATA = {
    1: ("name", "text"),
    2: ("generateName", "text"),
    3: ("namespace", "text"),
    4: ("selfLink", "ignored"),
    5: ("uid", "text"),
    6: ("resourceVersion", "text"),
    7: ("generation", "ignored"),
    8: ("creationTimestamp", "ignored"),
    11: ("labels", "texts"),
    12: ("annotations", "texts"),
}
_SECRET = {2: ("data", "bytes"), 3: ("type", "text"), 4: ("stringData", "texts")}


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


def _raw(body: bytes) -> bytes:
    """What is in the envelope."""
    if not body.startswith(_MAGIC):
        raise ValueError("no Kubernetes envelope")
    raw = dict(_fields(body[len(_MAGIC) :])).get(2, b"")
    return raw if isinstance(raw, bytes) else b""


def _object(fields: Iterable[tuple[int, int | bytes]], table: dict[int, tuple[str, str]]) -> dict[str, Any]:
    """A message as it would be in JSON."""
    found: dict[str, Any] = {}
    for number, value in fields:
        name, kind = table[number]
        if kind == "text" and value:
            found[name] = _text(value)
        elif kind in ("texts", "bytes") and isinstance(value, bytes):
            pair = dict(_fields(value))
            content = pair.get(2, b"")
            text = base64.b64encode(content).decode() if kind == "bytes" and isinstance(content, bytes) else None
            found.setdefault(name, {})[_text(pair[1])] = _text(content) if text is None else text
    return found


def secret(body: bytes) -> dict[str, Any]:
    """The Secret as it would be in JSON; 400 for anything else."""
    try:
        fields = list(_fields(_raw(body)))
        metadata = next((value for number, value in fields if number == 1), b"")
        if not isinstance(metadata, bytes):
            raise TypeError("metadata is a number")
        found = _object((one for one in fields if one[0] != 1), _SECRET)
        return {**found, "metadata": _object(_fields(metadata), _METADATA)}
    except (IndexError, KeyError, TypeError, ValueError) as error:
        raise bad_request(f"the body is not a Secret in protobuf as the emulator knows them: {error}") from error


def delete_options(body: bytes) -> dict[str, Any]:
    """The options as they would be in JSON; 400 for anything else."""
    try:
        options: dict[str, Any] = {}
        for number, value in _fields(_raw(body)):
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
