# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from ansible_collections.hitless.nodes.plugins.module_utils._evict import (
    ASKED,
    ENDING,
    FAILED,
    GONE,
    WAITING,
    Target,
    due,
    next_moment,
)


def target(name, state=WAITING, **changes):
    return Target("shop", name, f"uid-{name}", "evictable", state=state, **changes)


def names(targets):
    return [t.name for t in targets]


def test_due_takes_all_that_wait_at_first():
    assert names(due([target("a"), target("b"), target("c", ENDING), target("d", GONE)], {}, 0.0, 20)) == ["a", "b"]


def test_due_takes_no_more_than_there_are_threads():
    assert names(due([target("a"), target("b"), target("c")], {}, 0.0, 2)) == ["a", "b"]
    assert due([target("a")], {}, 0.0, 0) == []


def test_due_leaves_those_whose_pause_is_not_over():
    assert names(due([target("a", next_try=1.5), target("b", next_try=1.0)], {}, 1.0, 20)) == ["b"]


def test_due_takes_one_pod_of_a_budget_that_refused_the_longest_waiting_one():
    targets = [
        target("a", next_try=3.0, budgets=["shop/web"]),
        target("b", next_try=2.0, budgets=["shop/web"]),
        target("c", next_try=3.0, budgets=["shop/db"]),
        target("d"),
    ]
    assert names(due(targets, {}, 4.0, 20)) == ["d", "b", "c"]


def test_due_takes_none_of_a_budget_that_is_being_asked():
    targets = [target("a", ASKED, budgets=["shop/web"]), target("b", budgets=["shop/web"]), target("c")]
    assert names(due(targets, {}, 4.0, 20)) == ["c"]


def test_due_takes_none_of_a_budget_that_refused_just_now():
    targets = [target("a", budgets=["shop/web"]), target("b", budgets=["shop/db"])]
    assert names(due(targets, {"shop/web": 5.0, "shop/db": 4.0}, 4.5, 20)) == ["b"]


def test_due_leaves_failed_ones():
    assert due([target("a", FAILED)], {}, 9.0, 20) == []


def test_next_moment_is_the_first_pause_that_ends():
    targets = [target("a", next_try=3.0), target("b", next_try=2.0, budgets=["shop/web"]), target("c", ENDING)]
    assert next_moment(targets, {"shop/web": 2.5}, 9.0) == 2.5
    assert next_moment([target("c", ENDING)], {}, 9.0) == 9.0


def pod(name="a", *, uid="u", deleted=False, finalizers=()):
    metadata = {"namespace": "shop", "name": name, "uid": uid, "labels": {"app": "web"}, "finalizers": list(finalizers)}
    return {"metadata": metadata | ({"deletionTimestamp": "2026-03-02T22:00:00Z"} if deleted else {})}


def test_target_of_a_pod_that_is_on_its_way_out_needs_no_eviction():
    assert Target.of(pod(deleted=True), "evictable").state == ENDING
    assert Target.of(pod(), "evictable").state == WAITING


def test_target_explains_itself():
    stuck = Target.of(pod(deleted=True, finalizers=["example.org/backup"]), "evictable")
    stuck.asked = 2.0
    assert stuck.explain(42.0) == "terminating for 40 s, held by finalizers example.org/backup"
    assert target("a").explain(1.0) == "not yet evicted"
    assert target("a", words="PodDisruptionBudget shop/web: no").explain(1.0) == "PodDisruptionBudget shop/web: no"


def test_target_comes_back_from_the_next_slice():
    asked = target("a", ASKED, asked=1.0, budgets=["shop/web"])
    assert Target(**asked.state_for_next_slice()) == target("a", WAITING, asked=1.0, budgets=["shop/web"])
