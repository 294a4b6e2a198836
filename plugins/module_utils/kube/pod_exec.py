# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to hitless.nodes: it may change in any release, don't import it from elsewhere.

"""A command in a pod's container, as kubectl exec runs it. A failed command differs from a failed connection to it."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from ..base.errors import HitlessError
from .api_errors import Unreachable
from .client import Client, segment

# https://kubernetes.io/docs/reference/using-api/websockets/ Version 5 only adds a way to close stdin.
PROTOCOLS = ["v5.channel.k8s.io", "v4.channel.k8s.io"]
STDOUT, STDERR, STATUS = 1, 2, 3
# What container runtimes (runc, crun) say of a program that isn't in the image.
NO_PROGRAM = ("executable file not found", "no such file or directory")


class ExecError(HitlessError):
    """The container runtime didn't run the command."""


class NoProgram(ExecError):  # noqa: N818 - reads as what it is
    """The container has no such program."""


@dataclass(frozen=True)
class Output:
    """The result of a command that ran."""

    rc: int
    stdout: str
    stderr: str


def _exit_code(status: dict[str, Any]) -> int | None:
    """The exit code in the Status that ends an exec; None if the command didn't run."""
    if status.get("status") == "Success":
        return 0
    for cause in (status.get("details") or {}).get("causes") or []:
        if cause.get("reason") == "ExitCode" and str(cause.get("message", "")).isdigit():
            return int(cause["message"])
    return None


def output(frames: Iterable[bytes], subject: str) -> Output:
    """The result in the frames of an exec; raises ExecError, or Unreachable if they end before the status."""
    channels = _channels(frames)
    stdout = channels[STDOUT].decode(errors="replace")
    stderr = channels[STDERR].decode(errors="replace")
    try:
        status = json.loads(channels[STATUS])
    except ValueError as exc:
        raise Unreachable(f"{subject}: the connection broke off before the command ended") from exc
    if not isinstance(status, dict):
        status = {"message": status}
    code = _exit_code(status)
    if code is None:
        said = str(status.get("message"))
        kind = NoProgram if _says_no_program(said) else ExecError
        raise kind(f"{subject} wasn't run: {said.strip()}")
    if code in (126, 127) and _says_no_program(stderr + stdout):
        raise NoProgram(f"{subject} wasn't run: {(stderr or stdout).strip()}")
    return Output(code, stdout, stderr)


def _channels(frames: Iterable[bytes]) -> dict[int, bytes]:
    """The data of each channel. The first byte of a frame is the channel's number."""
    channels: dict[int, bytes] = {STDOUT: b"", STDERR: b"", STATUS: b""}
    for frame in frames:
        if frame and frame[0] in channels:
            channels[frame[0]] += frame[1:]
    return channels


def _says_no_program(text: str) -> bool:
    """Whether a container runtime says that there is no such program."""
    return any(words in text for words in NO_PROGRAM)


def run(client: Client, namespace: str, pod: str, container: str, argv: Iterable[str], *, seconds: float) -> Output:
    """The result of a command in a container; raises Unreachable, an ApiError or ExecError if it couldn't be run."""
    argv = tuple(argv)
    path = f"/api/v1/namespaces/{segment(namespace)}/pods/{segment(pod)}/exec"
    query = [("container", container), ("stdout", "true"), ("stderr", "true"), *(("command", word) for word in argv)]
    frames = client.frames(path, query, protocols=PROTOCOLS, seconds=seconds)
    return output(frames, f"{' '.join(argv)} in {namespace}/{pod}")
