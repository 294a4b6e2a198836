# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import time
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


def test_by_router_keeps_only_what_the_module_said() -> None:
    answer = good("tor-1", routes=[], neighbors=[], frr_version="8.4.4")
    assert routers.by_router({"results": [answer]}) == {
        "tor-1": {"routes": [], "neighbors": [], "frr_version": "8.4.4"},
    }


def test_by_router_keeps_an_unreachable_router_as_such() -> None:
    assert routers.by_router({"results": [UNREACHABLE]})["tor-1"]["unreachable"] is True


SINCE = "2026-11-22T01:17:06.400000Z"


def waited(router: str, asked_at: str, seconds: float) -> dict[str, Any]:
    return good(router, seconds=seconds, asked_at=f"2026-11-22T01:17:{asked_at}Z", remaining=[])


ONCE: dict[str, Any] = {"results": [waited("tor-1", "30.000", 0.0), waited("tor-2", "31.000", 0.0)]}


def test_router_seconds_count_from_the_moment_when_the_router_was_asked() -> None:
    loop = {"results": [waited("tor-1", "08.400", 20.44), waited("tor-2", "29.400", 1.5)]}
    assert routers.router_seconds(loop, SINCE, ONCE) == {
        "tor-1": {"seconds": 22.4, "at_most": False},
        "tor-2": {"seconds": 24.5, "at_most": False},
    }


def test_router_seconds_of_a_later_router_are_a_bound_when_it_was_done_already() -> None:
    loop = {"results": [waited("tor-1", "06.400", 20.4), waited("tor-2", "28.400", 0.0)]}
    assert routers.router_seconds(loop, SINCE, ONCE)["tor-2"] == {"seconds": 22.0, "at_most": True}


def test_router_seconds_of_a_router_that_lost_the_state_again_are_those_of_the_second_round() -> None:
    loop = {"results": [waited("tor-1", "06.400", 0.5), waited("tor-2", "08.400", 0.0)]}
    again = {"results": [waited("tor-1", "09.400", 7.0), waited("tor-2", "17.400", 0.0)]}
    assert routers.router_seconds(loop, SINCE, again) == {
        "tor-1": {"seconds": 10.0, "at_most": False},
        "tor-2": {"seconds": 2.0, "at_most": True},
    }


def test_router_seconds_of_families_count_from_the_same_moment() -> None:
    wait = waited("tor-1", "08.400", 20.44) | {"families": {"ipv4": 20.44, "ipv6": 20.2}}
    found = routers.router_seconds({"results": [wait]}, SINCE, ONCE)
    assert found["tor-1"]["families"] == {"ipv4": 22.4, "ipv6": 22.2}


MEASURED = {
    "tor-1": {"seconds": 22.4, "at_most": False, "families": {"ipv4": 22.4, "ipv6": 22.2}},
    "tor-2": {"seconds": 23.0, "at_most": True},
}


def test_slowest_is_the_router_and_family_that_took_longest() -> None:
    assert routers.slowest(MEASURED, "deselected", "2026-03-02") == {
        "event": "deselected",
        "seconds": 23.0,
        "at": "2026-03-02",
        "router": "tor-2",
        "family": "all families",
    }
    assert routers.slowest({"tor-1": MEASURED["tor-1"]}, "deselected", "x")["family"] == "ipv4"


def test_measured_lines_show_each_router_and_both_estimates() -> None:
    bounded = {"seconds": 122, "unbounded": False, "reason": "router tor-1: kept as stale"}
    unbounded = {"seconds": None, "unbounded": True, "reason": "peer tor-1: unknown"}
    assert routers.measured_lines(MEASURED, bounded, unbounded, "worker-3")[1:] == [
        "  router tor-1: ipv4 22.4 s, ipv6 22.2 s",
        "  router tor-2: all families at most 23.0 s",
        "  estimated from the routers' capabilities: 122 s (router tor-1: kept as stale)",
        "  estimated from Cilium alone: without a bound (peer tor-1: unknown)",
    ]


def test_router_seconds_without_a_wait_are_none() -> None:
    assert routers.router_seconds({"results": [UNREACHABLE]}, SINCE, {}) == {}


def test_held_seconds_are_those_since_the_wait_on_that_router_ended() -> None:
    now = time.monotonic()
    loop = {"results": [good("tor-1", remaining=[], ended_at=now - 30), good("tor-2", remaining=[], ended_at=now - 2)]}
    shorter = routers.held_seconds(loop, "tor-2")
    assert shorter >= 2
    assert routers.held_seconds(loop, "tor-1") >= shorter + 28


@pytest.mark.parametrize("answer", [UNREACHABLE, good("tor-1", remaining=[{"prefix": "10.0.0.0/24"}], ended_at=0.0)])
def test_held_seconds_are_0_where_the_state_was_not_seen(answer: dict[str, Any]) -> None:
    assert routers.held_seconds({"results": [answer]}, "tor-1") == 0.0


RECORD = {
    "before": {
        "routes": {
            "tor-1": {"default": {"bgp": ["198.51.100.10/32", "10.1.3.0/24"], "fib": ["10.1.3.0/24"]}},
            "tor-2": {"default": {"bgp": ["10.1.3.0/24"], "fib": []}, "blue": {"bgp": ["203.0.113.0/24"], "fib": []}},
            "tor-3": {"default": {"bgp": [], "fib": []}},
            "tor-4": {},
        }
    }
}


def test_baseline_of_all_routers_is_what_any_had() -> None:
    assert routers.baseline(RECORD) == {"default": ["10.1.3.0/24", "198.51.100.10/32"], "blue": ["203.0.113.0/24"]}


@pytest.mark.parametrize(
    ("router", "expected"),
    [
        ("tor-2", {"blue": ["203.0.113.0/24"], "default": ["10.1.3.0/24"]}),
        ("tor-3", {}),
        ("tor-4", {}),
        ("tor-9", {}),
    ],
)
def test_baseline_of_one_router(router: str, expected: dict[str, list[str]]) -> None:
    assert routers.baseline(RECORD, router) == expected


def test_with_baseline_leaves_out_routers_without_routes() -> None:
    assert routers.with_baseline(["tor-1", "tor-2", "tor-3", "tor-4", "tor-9"], RECORD) == ["tor-1", "tor-2"]


CLAIMED = {
    "before": {
        "addresses": ["192.0.2.13", "2001:db8::13"],
        "routes": {
            "tor-1": {"default": {"bgp": ["198.51.100.10/32", "10.1.3.0/24"], "fib": ["10.1.3.0/24"]}},
            "tor-2": {"blue": {"bgp": ["203.0.113.0/24"], "fib": []}},
        },
        "sessions": {
            "tor-1": [
                {"vrf": "default", "address": "192.0.2.13", "established": True},
                {"vrf": "default", "address": "2001:db8::13", "established": False},
                {"vrf": "blue", "address": "fe80::13", "established": True},
            ]
        },
    },
    "history": [],
}


def test_installed_baseline_has_an_empty_list_where_nothing_was_installed() -> None:
    assert routers.installed_baseline(CLAIMED, "tor-1") == {"default": ["10.1.3.0/24"]}
    assert routers.installed_baseline(CLAIMED, "tor-2") == {"blue": []}
    assert routers.installed_baseline(CLAIMED, "tor-3") == {}


def test_baseline_in_has_every_prefix_in_every_vrf() -> None:
    every = ["10.1.3.0/24", "198.51.100.10/32", "203.0.113.0/24"]
    assert routers.baseline_in(CLAIMED, ["default", "red"]) == {"default": every, "red": every}


def test_addresses_on_a_router_are_the_nodes_and_its_link_local_ones_there() -> None:
    assert routers.addresses_on(CLAIMED, "tor-1") == ["192.0.2.13", "2001:db8::13", "fe80::13"]
    assert routers.addresses_on(CLAIMED, "tor-2") == ["192.0.2.13", "2001:db8::13"]


def test_sessions_before_are_those_that_were_up() -> None:
    up = [{"vrf": "default", "address": "192.0.2.13"}, {"vrf": "blue", "address": "fe80::13"}]
    assert routers.sessions_before(CLAIMED, "tor-1") == up
    assert routers.sessions_before(CLAIMED, "tor-2") == []


def test_routers_changed_are_those_noted_and_not_restored() -> None:
    one, two = {"vrf": "default", "address": "192.0.2.13"}, {"vrf": "default", "address": "2001:db8::13"}
    notes: list[dict[str, Any]] = [
        {"phase": "claimed"},
        {"routers_changed": {"tor-1": [one], "tor-2": [one]}},
        {"routers_changed": {"tor-1": [one, two]}},
        {"routers_restored": ["tor-2"]},
        {"routers_flushed": ["tor-1", "tor-3"]},
    ]
    assert routers.routers_changed(CLAIMED) == {}
    assert routers.routers_changed(CLAIMED | {"history": notes}) == {"tor-1": [one, two], "tor-3": []}
    assert routers.routers_changed(CLAIMED | {"history": [*notes, {"routers_restored": ["tor-1", "tor-3"]}]}) == {}


def test_to_note_is_about_the_routers_that_would_be_changed() -> None:
    loop = {"results": [good("tor-1", drained=[], changed=False), good("tor-2", drained=[1]) | {"changed": True}]}
    assert routers.to_note(loop, "drained") == {"tor-2": [1]}


def test_with_stale_are_the_routers_that_a_wait_left_with_stale_paths() -> None:
    def ended(router: str, **more: Any) -> dict[str, Any]:
        return good(router, **more) | {"failed": True}

    loop = {
        "results": [
            ended("tor-1", remaining=[{"stale": False}, {"stale": True}]),
            ended("tor-2", remaining=[{"stale": False}]),
            ended("tor-3"),
            good("tor-4", remaining=[]),
            UNREACHABLE,
        ]
    }
    assert routers.with_stale(loop) == ["tor-1"]


@pytest.mark.parametrize(("offset", "expected"), [(0, 240), (-100, 140), (-300, 0), (3600, 240)])
def test_seconds_left_is_never_more_than_the_whole(offset: int, expected: float) -> None:
    now = datetime.now(UTC)
    found = routers.seconds_left(240, (now + timedelta(seconds=offset)).isoformat())
    passed = (datetime.now(UTC) - now).total_seconds()
    assert max(0, expected - passed) - 1 <= found <= expected


@pytest.mark.parametrize(
    ("history", "left_out"),
    [
        ([{"phase": "claimed"}], []),
        ([{"phase": "claimed"}, {"phase": "drained"}], ["198.51.100.10/32"]),
        ([{"phase": "claimed", "unschedulable": True}], ["198.51.100.10/32"]),
    ],
)
def test_vips_that_come_back_with_their_pods_are_not_awaited_after_a_drain(
    history: list[dict[str, Any]], left_out: list[str]
) -> None:
    all_of = ["10.1.3.0/24", "198.51.100.10/32"]
    before = {"routes": {"tor-1": {"default": {"bgp": all_of, "fib": all_of}}}, "local": ["198.51.100.10/32"]}
    record = {"before": before, "history": history}
    expected = {"default": [prefix for prefix in all_of if prefix not in left_out]}
    assert routers.baseline_back(record, "tor-1") == expected
    assert routers.installed_baseline(record, "tor-1") == expected
    # What is gone has to be gone in any case.
    assert routers.baseline_in(record, ["default"]) == {"default": all_of}


def test_a_router_that_only_had_such_vips_is_asked_for_its_sessions() -> None:
    before = {"routes": {"tor-1": {"default": {"bgp": ["198.51.100.10/32"]}}}, "local": ["198.51.100.10/32"]}
    assert routers.baseline_back({"before": before, "history": [{"phase": "drained"}]}, "tor-1") == {"default": []}
