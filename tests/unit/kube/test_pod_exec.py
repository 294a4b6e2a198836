# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json

import pytest
from ansible_collections.hitless.nodes.plugins.module_utils.kube.api_errors import Unreachable, right_needed
from ansible_collections.hitless.nodes.plugins.module_utils.kube.pod_exec import ExecError, NoProgram, output

SUCCESS = b'\x03{"metadata": {}, "status": "Success"}'


def failure(message, code=None):
    causes = [] if code is None else [{"reason": "ExitCode", "message": str(code)}]
    return b"\x03" + json.dumps({"status": "Failure", "message": message, "details": {"causes": causes}}).encode()


def test_output_of_a_command_that_succeeded():
    found = output([b"\x01[1,", b"\x02warn", b"\x01 2]", b"", b"\xff\x00", SUCCESS], "x")
    assert (found.rc, found.stdout, found.stderr) == (0, "[1, 2]", "warn")


def test_output_of_a_command_that_failed():
    found = output([b"\x02no", failure("command terminated with non-zero exit code: exit status 3", 3)], "x")
    assert (found.rc, found.stdout, found.stderr) == (3, "", "no")


def test_output_in_pieces_of_a_character():
    assert output([b"\x01\xc3", b"\x01\xa9", SUCCESS], "x").stdout == "é"


@pytest.mark.parametrize("frames", [[], [b"\x01[]"], [b"\x01[]", b'\x03{"status"']])
def test_output_without_a_status_is_no_output(frames):
    with pytest.raises(
        Unreachable, match="cilium bgp in kube-system/c: the connection broke off before the command end"
    ):
        output(frames, "cilium bgp in kube-system/c")


def test_output_of_a_container_that_is_gone():
    with pytest.raises(ExecError, match="x wasn't run: container not found") as caught:
        output([failure('container not found ("cilium-agent")')], "x")
    assert not isinstance(caught.value, NoProgram)


@pytest.mark.parametrize(
    "frames",
    [
        [failure('failed to exec in container: exec: "cilium-dbg": executable file not found in $PATH: unknown')],
        [b"\x02OCI runtime exec failed: exec: cilium-dbg: no such file or directory", failure("exit status 127", 127)],
    ],
)
def test_output_of_a_program_that_is_not_there(frames):
    with pytest.raises(NoProgram):
        output(frames, "cilium-dbg bgp peers")


def test_output_keeps_an_exit_code_that_only_looks_like_it():
    assert output([b"\x02dial unix: no such file or directory", failure("exit status 1", 1)], "x").rc == 1


def test_right_needed_for_exec():
    path = "/api/v1/namespaces/kube-system/pods/cilium-x/exec"
    assert right_needed("GET", path, {}) == "get and create pods/exec in namespace kube-system"
