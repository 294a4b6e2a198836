# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
from types import SimpleNamespace

import pytest
from ansible_collections.hitless.nodes.plugins.module_utils.record.runs import process_lives
from ansible_collections.hitless.nodes.plugins.plugin_utils import _sliced
from ansible_collections.hitless.nodes.plugins.plugin_utils._sliced import SlicedAction, holder, run_identity


class Action(SlicedAction):
    """The action on top of an engine that answers what the test says, and keeps what it was asked."""

    def __init__(self, answers, args=None, *, async_val=0):
        task = SimpleNamespace(
            args=args or {"name": "worker-3"},
            async_val=async_val,
            action="hitless.nodes.node_drain",
            check_mode=False,
            diff=False,
            timeout=0,
        )
        connection = SimpleNamespace(_shell=SimpleNamespace(tmpdir=None))
        templar = SimpleNamespace(template=lambda value: value)
        super().__init__(task, connection, SimpleNamespace(become=None), None, templar, None)
        self.answers = list(answers)
        self.asked = []

    def _execute_module(self, module_args=None, **_options):
        self.asked.append(module_args)
        return self.answers.pop(0)


def unfinished(left, **result):
    handover = {"subject": "worker-3", "progress": f"{left} pods left", "state": {"left": left}}
    return {"changed": False, "_unfinished": handover, **result}


@pytest.fixture
def lines(monkeypatch):
    printed = []
    monkeypatch.setattr(_sliced.display, "display", printed.append)
    return printed


def test_run_once_when_it_is_done(lines):
    action = Action([{"changed": False, "pods": []}])
    assert action.run(None, {}) == {"changed": False, "pods": []}
    assert lines == []
    (asked,) = action.asked
    assert asked["name"] == "worker-3"
    assert asked["_slice"] == _sliced.SLICE_SECONDS
    assert asked["_state"].keys() == {"elapsed", "slices"}
    assert asked["_run"]["pid"] == os.getppid()


def test_run_goes_on_with_what_the_slice_before_found_out(lines):
    action = Action([unfinished(2, changed=True), unfinished(1), {"changed": False, "pods": ["a"]}])
    assert action.run(None, {}) == {"changed": True, "pods": ["a"]}
    assert [asked["_state"].get("left") for asked in action.asked] == [None, 2, 1]
    assert [asked["_state"]["slices"] for asked in action.asked] == [0, 1, 2]
    elapsed = [asked["_state"]["elapsed"] for asked in action.asked]
    assert elapsed == sorted(elapsed)
    assert lines == ["worker-3: 0 s: 2 pods left", "worker-3: 0 s: 1 pods left"]


@pytest.mark.usefixtures("lines")
def test_run_keeps_changed_of_earlier_slices_in_a_failure():
    action = Action([unfinished(2, changed=True), {"failed": True, "msg": "2 pods are still there"}])
    assert action.run(None, {}) == {"failed": True, "msg": "2 pods are still there", "changed": True}


@pytest.mark.usefixtures("lines")
def test_run_keeps_all_diffs():
    diffs = [{"before": {}, "after": {"a": 1}}, {"before": {"a": 1}, "after": {"a": 2}}]
    one = Action([unfinished(1, diff=diffs[0]), {"changed": True}])
    assert one.run(None, {})["diff"] == diffs[0]
    two = Action([unfinished(1, diff=diffs[0]), {"changed": True, "diff": diffs[1]}])
    assert two.run(None, {})["diff"] == diffs


@pytest.mark.usefixtures("lines")
def test_run_does_not_cut_what_is_asynchronous():
    action = Action([{"changed": False}], async_val=60)
    action.run(None, {})
    assert "_slice" not in action.asked[0]


def test_run_leaves_the_arguments_of_the_task_alone():
    args = {"name": "worker-3"}
    Action([{"changed": False}], args).run(None, {})
    assert args == {"name": "worker-3"}


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({"awx_job_id": 12, "awx_user_name": "alice"}, "awx job 12 (alice)"),
        ({"tower_job_id": 7, "tower_user_name": "bob"}, "awx job 7 (bob)"),
        ({"awx_job_id": 12, "awx_schedule_name": "nightly"}, "awx job 12 (nightly)"),
        ({"awx_job_id": 12}, "awx job 12 (no user)"),
    ],
)
def test_holder_in_awx(variables, words):
    assert holder(variables, "awx-0") == words


def test_holder_at_a_terminal(monkeypatch):
    monkeypatch.setenv("LOGNAME", "alice")
    assert holder({}, "bastion") == "alice@bastion"


def test_holder_of_a_user_without_a_name(monkeypatch):
    for name in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(os, "getuid", lambda: 4242)
    assert holder({}, "bastion") == "uid 4242@bastion"


def test_run_identity_is_that_of_a_living_process():
    run = run_identity({})
    assert process_lives(run) is True
    assert run["pid"] == os.getppid()


def test_the_inventory_says_once_how_to_reach_the_cluster():
    action = Action([{"changed": False}], {"name": "worker-3", "context": "said-by-the-task"})
    action.run(None, {"kubeconfig": "/k", "kube_context": "of-the-inventory", "kube_request_timeout": 3})
    (asked,) = action.asked
    assert {key: asked.get(key) for key in ("kubeconfig", "context", "request_timeout", "host")} == {
        "kubeconfig": "/k",
        "context": "said-by-the-task",
        "request_timeout": 3,
        "host": None,
    }
