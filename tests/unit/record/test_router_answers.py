# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from typing import Any

from ansible_collections.hitless.nodes.plugins.module_utils.record import router_answers

UNREACHABLE = {"unreachable": True, "changed": False, "msg": "Task failed: Failed to connect: Connection refused"}
SINCE = "2026-11-22T01:17:06.400000Z"


def waited(asked_at: str, seconds: float, **more: Any) -> dict[str, Any]:
    return {"seconds": seconds, "asked_at": f"2026-11-22T01:17:{asked_at}Z", "remaining": [], **more}


def test_a_router_without_an_answer_is_named() -> None:
    assert router_answers.problem({}, ["tor-1"], "worker-3") == "worker-3: router tor-1 was not asked"
    assert router_answers.problem({"tor-1": {"skipped": True}}, ["tor-1"]) == "router tor-1 was not asked"


def test_what_stopped_the_others_comes_first() -> None:
    found = router_answers.problem({"tor-2": {"failed": True, "msg": "no bgpd"}}, ["tor-1", "tor-2"])
    assert found == "router tor-2: no bgpd; router tor-1 was not asked"


def test_only_what_the_module_said_is_kept() -> None:
    answer = {"routes": [], "changed": False, "invocation": {"module_args": {}}, "_ansible_parsed": True}
    assert router_answers.plain(answer) == {"routes": [], "changed": False}


def test_bad_is_a_failure_and_an_unreachable_router() -> None:
    assert router_answers.is_bad(UNREACHABLE)
    assert router_answers.is_bad({"failed": True})
    assert not router_answers.is_bad({"failed": False, "remaining": []})


def test_seconds_count_from_the_moment_given() -> None:
    answers = {"tor-1": waited("08.400", 20.44), "tor-2": waited("08.500", 1.5), "tor-3": UNREACHABLE}
    assert router_answers.seconds(answers, SINCE) == {"tor-1": {"seconds": 22.4}, "tor-2": {"seconds": 3.6}}


def test_seconds_of_families_count_from_the_same_moment() -> None:
    wait = waited("08.400", 20.44, families={"ipv4": 20.44, "ipv6": 20.2})
    assert router_answers.seconds({"tor-1": wait}, SINCE)["tor-1"]["families"] == {"ipv4": 22.4, "ipv6": 22.2}


def test_a_state_has_held_since_the_wait_that_saw_it_ended() -> None:
    assert router_answers.held_seconds({"remaining": [], "ended_at": 70.0}, 100.0) == 30.0
    assert router_answers.held_seconds({"remaining": [], "ended_at": 100.5}, 100.0) == 0.0


def test_a_state_that_was_not_seen_has_not_held() -> None:
    for answer in (None, UNREACHABLE, {"remaining": [{"prefix": "10.0.0.0/24"}], "ended_at": 0.0}):
        assert router_answers.held_seconds(answer, 100.0) == 0.0
