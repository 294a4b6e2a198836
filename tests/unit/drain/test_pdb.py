# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from ansible_collections.hitless.nodes.plugins.module_utils.drain.pdb import BLIND_PAUSE, Budget, Gate, keys_of


def found(name="web", *, selector=None, generation=1, observed=1, status=None, **spec):
    numbers = {"currentHealthy": 3, "desiredHealthy": 2, "expectedPods": 3, "disruptionsAllowed": 1}
    return {
        "metadata": {"namespace": "shop", "name": name, "generation": generation},
        "spec": {"selector": {"matchLabels": {"app": "web"}} if selector is None else selector, **spec},
        "status": {**numbers, "observedGeneration": observed, **(status or {})},
    }


def test_budget_shows_its_numbers():
    assert Budget.of(found(maxUnavailable=1)).numbers() == {
        "namespace": "shop",
        "name": "web",
        "min_available": None,
        "max_unavailable": 1,
        "healthy": 3,
        "desired_healthy": 2,
        "pods": 3,
        "allowed": 1,
    }


def test_keys_of_are_the_budgets_that_select_a_pod():
    budgets = [
        Budget.of(found("web")),
        Budget.of(found("all", selector={})),
        replace(Budget.of(found("nobody")), selector=None),
        Budget.of(found("db", selector={"matchLabels": {"app": "db"}})),
        replace(Budget.of(found("other")), namespace="other"),
    ]
    assert keys_of({"app": "web"}, "shop", budgets) == ["shop/all", "shop/web"]


@pytest.mark.parametrize(
    ("made", "why"),
    [
        (found(maxUnavailable=1), ""),
        (found(maxUnavailable=0), "maxUnavailable is 0"),
        (found(maxUnavailable="0%"), "maxUnavailable is 0%"),
        (found(minAvailable=2), ""),
        (found(minAvailable=3, status={"desiredHealthy": 3}), "minAvailable is 3, which needs 3 of its 3 pods"),
        (found(minAvailable="90%", status={"desiredHealthy": 3}), "minAvailable is 90%, which needs 3 of its 3 pods"),
        # More than there are: as bad.
        (found(minAvailable=5, status={"desiredHealthy": 5}), "minAvailable is 5, which needs 5 of its 3 pods"),
        # The numbers are those of an older spec.
        (found(minAvailable=3, generation=2, status={"desiredHealthy": 3}), ""),
        (found(minAvailable=1, status={"expectedPods": 0}), ""),
        (
            found(maxUnavailable=1, status={"conditions": [{"reason": "SyncFailed", "message": "no scale"}]}),
            "its controller can't compute it: no scale",
        ),
    ],
)
def test_never(made, why):
    assert Budget.of(made).never() == why


def test_budget_says_what_it_lets_go():
    assert Budget.of(found()).words() == "needs 2 healthy pods and has 3 currently, 1 may go"
    assert "lags" in Budget.of(found(generation=2)).words()
    assert Budget("shop", "web").words() == "its numbers can't be read"


def gate(allowed=1, **changes):
    return Gate(replace(Budget.of(found()), allowed=allowed, **changes))


def test_gate_lets_as_many_be_asked_for_as_the_budget_allows():
    made = gate(allowed=2)
    assert [made.room(0.0, more) for more in (0, 1, 2)] == [True, True, False]
    made.ask("a")
    assert [made.room(0.0, more) for more in (0, 1)] == [True, False]


def test_gate_without_credit_lets_one_be_tried_when_it_is_time():
    made = gate(allowed=0)
    assert [made.room(0.0, more) for more in (0, 1)] == [True, False]
    made.ask("a")
    assert not made.room(0.0)
    made.refuse("a", 1.0, 1.0, watched=False)
    assert [made.room(now) for now in (1.9, 2.0)] == [False, True]
    assert (made.refusals, made.kept) == (1, True)


def test_gate_waits_longer_when_somebody_tells():
    made = gate(allowed=0)
    made.ask("a")
    made.refuse("a", 1.0, 1.0, watched=True)
    assert [made.room(now) for now in (2.0, 1.0 + BLIND_PAUSE)] == [False, True]
    made.update(replace(made.budget, allowed=1))
    assert made.room(1.1)


def test_gate_honours_a_longer_pause_of_the_server():
    made = gate(lags=True)
    made.ask("a")
    made.refuse("a", 1.0, 10.0, watched=True)
    assert [made.room(now) for now in (10.9, 11.0)] == [False, True]


def test_a_pod_that_was_let_go_counts_until_the_status_shows_it():
    made = gate(allowed=1)
    made.ask("a")
    made.let_go("a", 1.0, watched=True)
    assert made.credit == 0
    # An event from before the eviction.
    made.update(replace(made.budget, allowed=1))
    assert made.credit == 0
    made.update(replace(made.budget, allowed=0, disrupted=("a",)))
    assert (made.credit, made.open) == (0, [])
    made.update(replace(made.budget, allowed=1, disrupted=()))
    assert made.credit == 1


def test_the_status_may_show_an_eviction_before_its_answer_is_there():
    made = gate(allowed=1)
    made.ask("a")
    made.update(replace(made.budget, allowed=0, disrupted=("a",)))
    made.update(replace(made.budget, allowed=1, disrupted=()))
    assert made.credit == 1
    made.let_go("a", 1.0, watched=True)
    assert made.credit == 1


def test_a_list_shows_all_that_was_answered_before_it():
    made = gate(allowed=2)
    made.ask("a")
    made.let_go("a", 1.0, watched=True)
    made.ask("b")
    made.update(replace(made.budget, allowed=1), listed=True)
    assert made.open == ["b"]


def test_a_refusal_says_that_the_numbers_are_old_unless_newer_ones_came_since():
    made = gate(allowed=1)
    made.ask("a")
    made.refuse("a", 1.0, 1.0, watched=True)
    assert made.credit == 0
    other = gate(allowed=1)
    other.ask("a")
    other.update(replace(other.budget, allowed=1))
    other.refuse("a", 1.0, 1.0, watched=True)
    assert other.credit == 1


def test_gate_adds_up_the_time_in_which_pods_waited():
    made = gate()
    assert not made.kept
    for now, blocks in ((1.0, True), (2.0, True), (3.5, False), (9.0, True)):
        made.mark(now, blocks=blocks)
    assert made.blocked_seconds(10.0) == 3.5
    assert made.row(10.0)["blocked_seconds"] == 3.5


def test_gate_comes_back_from_the_next_slice():
    made = gate(allowed=2, disrupted=("x",))
    made.ask("a")
    made.let_go("a", 1.0, watched=True)
    made.refusals, made.told = 3, True
    again = Gate.taken_over(json.loads(json.dumps(made.handover())))
    assert again == made
