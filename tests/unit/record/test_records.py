# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from ansible_collections.hitless.nodes.plugins.module_utils.record import records

NOW = datetime(2026, 3, 2, 22, 0, 1, 3000, tzinfo=UTC)
RUN = {
    "holder": "alice@bastion",
    "host": "bastion",
    "boot_id": "boot-1",
    "pid_ns": "pid:[1]",
    "pid": 100,
    "started": 5000,
}
BEFORE = {"unschedulable": False, "label": {"key": "enable-bgp", "value": "true"}, "addresses": ["192.0.2.13"]}


def record(**changes):
    return records.new(RUN, BEFORE, {}, NOW) | changes


def node(text=None, *, labels=None, unschedulable=None):
    annotations = {} if text is None else {records.ANNOTATION: text}
    spec = {} if unschedulable is None else {"unschedulable": unschedulable}
    return {"metadata": {"name": "worker-3", "annotations": annotations, "labels": labels or {}}, "spec": spec}


def test_parse_returns_none_without_a_record():
    assert records.parse(node()) is None
    assert records.parse({"metadata": {"name": "worker-3"}}) is None


def test_parse_reads_what_annotation_writes():
    text = records.annotation(record())["metadata"]["annotations"][records.ANNOTATION]
    assert records.parse(node(text)) == record()


def test_annotation_removes():
    assert records.annotation(None) == {"metadata": {"annotations": {records.ANNOTATION: None}}}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "isn't JSON"),
        ("{", "isn't JSON"),
        ("[]", "has no version"),
        ("{}", "has no version"),
        (json.dumps(record(version=2)), "has version 2, this release of hitless.nodes reads 1"),
    ],
)
def test_parse_refuses_what_it_does_not_know(text, words):
    with pytest.raises(records.RecordError, match=words):
        records.parse(node(text))


def test_new_has_its_first_history_entry():
    made = records.new(RUN, BEFORE, {"why": "disk"}, NOW)
    assert made["history"] == [{"why": "disk", "phase": "claimed", "at": "2026-03-02T22:00:01.003Z"}]
    assert (made["since"], made["heartbeat"]) == ("2026-03-02T22:00:01.003Z", "2026-03-02T22:00:01.003Z")


def test_stamped_keeps_what_was_before():
    later = records.stamped(record(), {"pods": 3}, NOW + timedelta(seconds=9), phase="drained")
    assert later["history"][1:] == [{"pods": 3, "phase": "drained", "at": "2026-03-02T22:00:10.003Z"}]
    assert (later["phase"], later["since"], later["before"]) == ("drained", "2026-03-02T22:00:01.003Z", BEFORE)


def test_stamped_keeps_the_phase_without_a_new_one():
    assert records.stamped(record(phase="off"), {}, NOW)["phase"] == "off"


@pytest.mark.parametrize(
    ("now", "phase", "advances"),
    [
        ("claimed", "drained", True),
        ("claimed", "withdrawn", True),
        ("drained", "withdrawn", True),
        ("withdrawn", "drained", True),
        ("withdrawn", "off", True),
        ("off", "drained", False),
        ("off", "withdrawn", False),
        ("on", "off", False),
        ("off", "off", False),
        ("on", "announced", True),
        ("announced", "schedulable", True),
        ("schedulable", "announced", True),
        ("withdrawn", "announced", True),
        ("announced", "on", True),
        ("schedulable", "drained", True),
        ("drained", None, False),
    ],
)
def test_advances(now, phase, advances):
    assert records.advances(record(phase=now), phase) is advances


OTHER = {**RUN, "pid": 200, "started": 9000}


@pytest.mark.parametrize(
    ("run", "lives", "takeover", "objection"),
    [
        (RUN, True, False, None),
        (RUN, False, False, None),
        # The process that wrote it is gone: resumed.
        (OTHER, False, False, None),
        # Same number, another process.
        ({**RUN, "started": 9000}, False, False, None),
        # It still runs: nobody else, not even by takeover.
        (OTHER, True, False, "its process 100 on bastion still runs"),
        (OTHER, True, True, "its process 100 on bastion still runs"),
        # Another user, another boot, another container, another machine: only by takeover.
        ({**OTHER, "holder": "bob@bastion"}, False, False, "held by alice@bastion since 2026-03-02T22:00:01.003Z"),
        ({**OTHER, "boot_id": "boot-2"}, None, False, "claim_takeover=true"),
        ({**OTHER, "pid_ns": "pid:[2]"}, None, False, "claim_takeover=true"),
        ({**OTHER, "host": "laptop", "boot_id": "boot-9"}, None, False, "last sign of life 3 minutes ago from bastion"),
        ({**OTHER, "boot_id": None}, None, False, "claim_takeover=true"),
        ({**OTHER, "boot_id": "boot-2"}, None, True, None),
        ({**OTHER, "holder": "bob@bastion"}, False, True, None),
        # Whether it lives couldn't be seen, though it looks like the same machine: not resumed.
        (OTHER, None, False, "claim_takeover=true"),
    ],
)
def test_objection(run, lives, takeover, objection):
    later = NOW + timedelta(minutes=3)
    found = records.objection("worker-3", record(), run, lives, later, takeover=takeover)
    if objection is None:
        assert found is None
    else:
        assert objection in found


def test_objection_without_a_boot_id_on_either_side_is_no_proof_of_the_same_machine():
    run = {**RUN, "boot_id": None}
    held = record(run=run)
    assert records.objection("worker-3", held, {**run, "pid": 1}, False, NOW, takeover=False)


def test_ensure_ours():
    records.ensure_ours("worker-3", None, RUN)
    records.ensure_ours("worker-3", record(), {**RUN})
    for run in (OTHER, None):
        with pytest.raises(records.HeldError, match="held by alice@bastion since"):
            records.ensure_ours("worker-3", record(), run)


def test_taken_over_keeps_what_was_true_before_the_first_claim():
    taken = records.taken_over(record(phase="off"), {**OTHER, "holder": "bob@laptop"}, {}, NOW)
    assert (taken["holder"], taken["run"]["pid"], taken["phase"], taken["before"]) == ("bob@laptop", 200, "off", BEFORE)
    assert taken["history"][-1]["from"] == "alice@bastion"


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0, "0 s"), (119, "119 s"), (120, "2 minutes"), (7200, "2 hours"), (200000, "2 days"), (-5, "0 s")],
)
def test_age(seconds, words):
    assert records.age("2026-03-02T22:00:01.003Z", NOW + timedelta(seconds=seconds)) == words


def test_age_of_nonsense_is_unknown():
    assert records.age("", NOW) == "an unknown time"


@pytest.mark.parametrize(
    ("labels", "unschedulable", "before", "differences"),
    [
        ({"enable-bgp": "true"}, None, BEFORE, []),
        ({"enable-bgp": "true"}, False, BEFORE, []),
        ({"enable-bgp": "false"}, None, BEFORE, ["label enable-bgp is 'false' and was 'true'"]),
        ({}, None, BEFORE, ["label enable-bgp is absent and was 'true'"]),
        ({"enable-bgp": "true"}, True, BEFORE, ["it is cordoned and was schedulable"]),
        ({}, True, {"unschedulable": True, "label": {"key": "enable-bgp", "value": None}}, []),
        (
            {"enable-bgp": ""},
            True,
            {"unschedulable": True, "label": {"key": "enable-bgp", "value": None}},
            ["label enable-bgp is '' and was absent"],
        ),
    ],
)
def test_restored(labels, unschedulable, before, differences):
    found = records.restored(node(labels=labels, unschedulable=unschedulable), record(before=before))
    assert found[1] == differences


def flipped(after):
    return {"phase": "claimed", "at": "t", "label": {"key": "enable-bgp", "before": "true", "after": after}}


@pytest.mark.parametrize(
    ("history", "labels", "found"),
    [
        ([], {"enable-bgp": "true"}, None),
        ([{"phase": "claimed", "at": "t", "label": "a note"}], {}, None),
        ([flipped("false")], {"enable-bgp": "false"}, None),
        ([flipped("false")], {"enable-bgp": "true"}, {"key": "enable-bgp", "wanted": "false", "found": "true"}),
        ([flipped(None)], {}, None),
        ([flipped(None)], {"enable-bgp": "true"}, {"key": "enable-bgp", "wanted": None, "found": "true"}),
        # Only the last one counts.
        ([flipped("false"), flipped("true")], {"enable-bgp": "true"}, None),
        ([{"phase": "withdrawn", "at": "t", "label": {"key": None, "before": None, "after": None}}], {}, None),
    ],
)
def test_a_label_that_somebody_has_set_again(history, labels, found):
    assert records.set_again(node(labels=labels), {"history": history}) == found
