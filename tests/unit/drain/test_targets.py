# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from ansible_collections.hitless.nodes.plugins.module_utils.drain.pdb import Budget, Gate
from ansible_collections.hitless.nodes.plugins.module_utils.drain.targets import (
    ASKED,
    ENDING,
    WAITING,
    Target,
    due,
    next_moment,
)


def target(name, state=WAITING, **changes):
    return Target("shop", name, f"uid-{name}", "evictable", state=state, **changes)


def names(targets):
    return [t.name for t in targets]


def gates(**allowed):
    return {f"shop/{name}": Gate(Budget("shop", name, allowed=number)) for name, number in allowed.items()}


def test_due_takes_all_at_first():
    assert names(due([target("a"), target("b")], {}, 0.0, 20)) == ["a", "b"]


def test_due_takes_no_more_than_there_are_threads():
    assert names(due([target("a"), target("b"), target("c")], {}, 0.0, 2)) == ["a", "b"]
    assert due([target("a")], {}, 0.0, 0) == []


def test_due_leaves_those_whose_pause_is_not_over():
    assert names(due([target("a", next_try=1.5), target("b", next_try=1.0)], {}, 1.0, 20)) == ["b"]


def test_due_takes_as_many_as_a_budget_lets_go_the_longest_waiting_first():
    targets = [
        target("a", next_try=3.0, budgets=["shop/web"]),
        target("b", next_try=2.0, budgets=["shop/web"]),
        target("c", next_try=1.0, budgets=["shop/web"]),
        target("d", next_try=3.5, budgets=["shop/db"]),
        target("e", next_try=3.5),
    ]
    assert names(due(targets, gates(web=2, db=0), 4.0, 20)) == ["c", "b", "d", "e"]


def test_due_takes_one_behind_a_budget_that_lets_none_go_when_it_is_time():
    made = gates(web=0)
    made["shop/web"].quiet_until = 5.0
    targets = [target("a", budgets=["shop/web"]), target("b", budgets=["shop/web"])]
    assert names(due(targets, made, 4.9, 20)) == []
    assert names(due(targets, made, 5.0, 20)) == ["a"]


def test_due_takes_none_while_a_budget_is_being_tried():
    made = gates(web=0)
    made["shop/web"].ask("a")
    assert names(due([target("b", budgets=["shop/web"]), target("c")], made, 9.0, 20)) == ["c"]


def test_due_takes_pods_past_a_budget_that_does_not_count_them():
    made = gates(web=0)
    made["shop/web"].quiet_until = 5.0
    assert names(due([target("a", budgets=["shop/web"], counted=False)], made, 0.0, 20)) == ["a"]


def test_next_moment_is_the_first_pause_that_ends():
    made = gates(web=0)
    made["shop/web"].quiet_until = 2.5
    targets = [target("a", next_try=3.0), target("b", next_try=2.0, budgets=["shop/web"])]
    assert next_moment(targets, made, 1.0, 9.0) == 2.5
    assert next_moment([], made, 1.0, 9.0) == 9.0


def test_next_moment_is_an_answer_s_for_what_is_due_and_can_not_be_asked():
    assert next_moment([target("a", next_try=1.0)], {}, 1.0, 9.0) == 9.0


def pod(name="a", *, uid="u", deleted=False, finalizers=(), grace=None, priority=None, phase="Running"):
    metadata = {"namespace": "shop", "name": name, "uid": uid, "labels": {"app": "web"}, "finalizers": list(finalizers)}
    metadata |= {"deletionTimestamp": "2026-03-02T22:00:00Z", "deletionGracePeriodSeconds": grace} if deleted else {}
    conditions = [{"type": "Ready", "status": "True"}]
    return {"metadata": metadata, "spec": {"priority": priority}, "status": {"phase": phase, "conditions": conditions}}


def test_target_of_a_pod_that_is_on_its_way_out_needs_no_eviction():
    assert Target.of(pod(deleted=True), "evictable").state == ENDING
    assert Target.of(pod(), "evictable").state == WAITING


def test_target_knows_priority_and_whether_budgets_count_it():
    assert [Target.of(pod(priority=p), "evictable").priority for p in (None, 0, 1000, -5)] == [0, 0, 1000, -5]
    assert Target.of(pod(), "evictable").counted
    assert not Target.of(pod(phase="Pending"), "evictable").counted
    assert not Target.of(pod() | {"status": {"phase": "Running"}}, "evictable").counted


def test_target_explains_itself():
    stuck = Target.of(pod(deleted=True, finalizers=["example.org/backup"]), "evictable")
    assert stuck.explain(42.0) == "terminating, held by finalizers example.org/backup"
    stuck.asked = 2.0
    assert stuck.explain(42.0) == "terminating for 40 s, held by finalizers example.org/backup"
    late = Target.of(pod(deleted=True, grace=30), "evictable")
    late.asked = 2.0
    assert late.explain(12.0) == "terminating for 10 s"
    assert late.explain(42.0) == "terminating for 40 s, longer than its grace period of 30 s"
    assert target("a").explain(1.0) == "not yet evicted"
    assert target("a", words="its namespace is being deleted").explain(1.0) == "its namespace is being deleted"


def test_target_that_is_asked_for_learns_of_its_end_with_the_answer():
    made = target("a", ASKED)
    made.saw(pod(deleted=True))
    assert (made.state, made.deleted_at) == (ASKED, "2026-03-02T22:00:00Z")


def test_target_comes_back_from_the_next_slice():
    made = target("a", asked=1.0, budgets=["shop/web"])
    assert Target(**made.handover()) == made
