# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from ansible_collections.hitless.nodes.plugins.filter import routers

# As registered by ansible-core 2.19 from a loop with ignore_errors and ignore_unreachable.
UNREACHABLE = {
    "ansible_loop_var": "__router",
    "changed": False,
    "msg": "Task failed: Failed to connect to the host via ssh: ssh: connect to host tor-1 port 22: Connection refused",
    "__router": "tor-1",
    "unreachable": True,
}
FAILED = {
    "ansible_loop_var": "__router",
    "changed": False,
    "failed": True,
    "msg": "vtysh: no permission:\n  the user must be in group frrvty",
    "__router": "tor-2",
}
CRASHED = {
    "ansible_loop_var": "__router",
    "changed": False,
    "failed": True,
    "module_stderr": "sh: 1:\n/usr/bin/python3: not found\n",
    "module_stdout": "",
    "msg": "Module result deserialization failed: No start of json char found",
    "__router": "tor-2",
}


def good(router: str, **more: Any) -> dict[str, Any]:
    return {
        "ansible_loop_var": "__router",
        "__router": router,
        "_ansible_no_log": False,
        "changed": False,
        "failed": False,
        "invocation": {"module_args": {}},
        **more,
    }


def test_router_problem_is_empty_when_all_answered() -> None:
    assert routers.router_problem({"results": [good("tor-1"), good("tor-2")]}, ["tor-1", "tor-2"]) == ""


def test_router_problem_names_the_unreachable_router_and_why() -> None:
    text = routers.router_problem({"results": [UNREACHABLE, good("tor-2")]}, ["tor-1", "tor-2"])
    assert text.startswith("router tor-1 is unreachable by SSH, so its routes are unknown: Failed to connect")
    assert text.endswith("port 22: Connection refused")


def test_router_problem_is_one_line_when_the_message_is_not() -> None:
    text = routers.router_problem({"results": [FAILED]}, ["tor-2"])
    assert text == "router tor-2: vtysh: no permission: the user must be in group frrvty"


def test_router_problem_does_not_repeat_a_name_that_the_message_has() -> None:
    failed = {**FAILED, "msg": "worker-3: 1 of 4 prefixes still there after 60 s (router tor-2)"}
    assert routers.router_problem({"results": [failed]}, ["tor-2"]) == failed["msg"]


def test_router_problem_names_the_node_once() -> None:
    failed = {**FAILED, "msg": "worker-3: 1 of 4 prefixes are still on router tor-2 after 60 s"}
    assert routers.router_problem({"results": [failed]}, ["tor-2"], "worker-3") == failed["msg"]
    assert routers.router_problem({"results": [FAILED]}, ["tor-2"], "worker-3").startswith("worker-3: router tor-2: ")
    assert routers.router_problem({"results": [good("tor-2")]}, ["tor-2"], "worker-3") == ""


def test_router_problem_shows_what_a_crashed_module_said() -> None:
    assert "/usr/bin/python3: not found" in routers.router_problem({"results": [CRASHED]}, ["tor-2"])


def test_router_problem_names_a_router_after_which_the_loop_was_broken_off() -> None:
    text = routers.router_problem({"results": [UNREACHABLE]}, ["tor-1", "tor-2"])
    assert text.endswith("; router tor-2 was not asked")


def test_router_problem_names_a_skipped_router() -> None:
    assert routers.router_problem({"results": [good("tor-1", skipped=True)]}, ["tor-1"]) == "router tor-1 was not asked"


def test_router_problem_names_every_router_when_the_loop_did_not_run() -> None:
    assert routers.router_problem({"skipped": True}, ["tor-1"]) == "router tor-1 was not asked"


@pytest.mark.parametrize(("offset", "expected"), [(0, 240), (-100, 140), (-300, 0), (3600, 240)])
def test_seconds_left_is_never_more_than_the_whole(offset: int, expected: float) -> None:
    now = datetime.now(UTC)
    found = routers.seconds_left(240, (now + timedelta(seconds=offset)).isoformat())
    passed = (datetime.now(UTC) - now).total_seconds()
    assert max(0, expected - passed) - 1 <= found <= expected
