# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""DeleteOptions in protobuf, as `kubectl drain --disable-eviction` sends them, and Secrets, as Helm does."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from ..client import Answer, Api

Json = dict[str, Any]
Made = Callable[..., Json]


def field(number: int, value: int | bytes) -> bytes:
    """A field of a message; numbers and lengths below 128 only."""
    if isinstance(value, int):
        return bytes([number << 3, value])
    return bytes([number << 3 | 2, len(value)]) + value


def envelope(options: bytes, kind: bytes = b"DeleteOptions") -> bytes:
    """What goes over the wire."""
    return b"k8s\x00" + field(1, field(1, b"v1") + field(2, kind)) + field(2, options)


@pytest.fixture
def delete(api: Api, pods: str) -> Callable[[Json, bytes], Answer]:
    """delete(pod, body)."""

    def call(pod: Json, body: bytes) -> Answer:
        path = f"{pods}/{pod['metadata']['name']}"
        return api.call("DELETE", path, body, content_type="application/vnd.kubernetes.protobuf")

    return call


Delete = Callable[[Json, bytes], Answer]


def test_grace_period(api: Api, make_pod: Made, delete: Delete, pods: str) -> None:
    pod = make_pod()
    delete(pod, envelope(field(1, 7))).of(200)
    assert api.get(f"{pods}/{pod['metadata']['name']}").of(200)["metadata"]["deletionGracePeriodSeconds"] == 7
    delete(pod, envelope(field(1, 0))).of(200)
    assert api.get(f"{pods}/{pod['metadata']['name']}").status == 404


def test_preconditions(make_pod: Made, delete: Delete) -> None:
    pod = make_pod()
    other = b"00000000-0000-0000-0000-000000000000"
    assert delete(pod, envelope(field(2, field(1, other)))).status == 409
    assert delete(pod, envelope(field(2, field(1, pod["metadata"]["uid"].encode())) + field(1, 0))).status == 200


def test_dry_run(api: Api, make_pod: Made, delete: Delete, pods: str) -> None:
    pod = make_pod()
    delete(pod, envelope(field(5, b"All") + field(1, 0))).of(200)
    assert "deletionTimestamp" not in api.get(f"{pods}/{pod['metadata']['name']}").of(200)["metadata"]


def secret(name: str, text: bytes, **labels: str) -> bytes:
    """A Secret as Go writes it: what is empty, too."""
    metadata = field(1, name.encode()) + b"".join(field(number, b"") for number in (2, 3, 4, 5, 6, 8)) + field(7, 0)
    for key, value in labels.items():
        metadata += field(11, field(1, key.encode()) + field(2, value.encode()))
    data = field(2, field(1, b"release") + field(2, text))
    return envelope(field(1, metadata) + data + field(3, b"lab/x"), b"Secret")


def test_secrets(api: Api, namespace: str, name: str) -> None:
    secrets = f"/api/v1/namespaces/{namespace}/secrets"
    protobuf = "application/vnd.kubernetes.protobuf"
    api.call("POST", secrets, secret(name, b"one", owner="lab"), content_type=protobuf).of(201)
    made = api.get(f"{secrets}/{name}").of(200)
    assert (made["type"], made["data"], made["metadata"]["labels"]) == ("lab/x", {"release": "b25l"}, {"owner": "lab"})
    assert made["metadata"]["uid"]
    api.call("POST", secrets, secret(name, b"one"), content_type=protobuf).of(409)

    api.call("PUT", f"{secrets}/{name}", secret(name, b"two", owner="b"), content_type=protobuf).of(200)
    new = api.get(f"{secrets}/{name}").of(200)
    assert (new["data"], new["metadata"]["labels"]) == ({"release": "dHdv"}, {"owner": "b"})
    assert new["metadata"]["uid"] == made["metadata"]["uid"]
    for body in (b"{}", b"k8s\x00\x12", envelope(b"\x0a\x7f", b"Secret")):
        api.call("POST", secrets, body, content_type=protobuf).of(400)
    api.delete(f"{secrets}/{name}").of(200)


@pytest.mark.parametrize("body", [b"{}", b"k8s\x00\x12", envelope(b"\x0a\x7f")])
def test_what_is_not_protobuf_is_400(make_pod: Made, delete: Delete, body: bytes) -> None:
    assert delete(make_pod(), body).of(400)["reason"] == "BadRequest"
