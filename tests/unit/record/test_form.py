# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A record is refused in one line, or everything that reads records can read it."""

from __future__ import annotations

import inspect
import json
from copy import deepcopy
from datetime import UTC, datetime
from typing import Any

import pytest
from ansible_collections.hitless.nodes.plugins.module_utils.estimate import per_session
from ansible_collections.hitless.nodes.plugins.module_utils.record import baseline, questions, records, runs
from ansible_collections.hitless.nodes.tests.unit.record_samples import RECORD, node, record
from hypothesis import example, given
from hypothesis import strategies as st

NOW = datetime(2026, 3, 2, 23, tzinfo=UTC)
FACTS = {"boot_id": "boot-3", "ready": True}
RUN = {**RECORD["run"], "pid": 200, "started": 1}
# What to call each question with. A question that isn't here fails the test that lists them.
QUESTIONS: dict[str, Any] = {
    "way": lambda kept: questions.way(FACTS, kept),
    "boot_id_before": questions.boot_id_before,
    "noted_way": questions.noted_way,
    "order": questions.order,
    "min_announcers": lambda kept: questions.min_announcers(kept, 1),
    "staying": questions.staying,
    "after_failure": lambda kept: questions.after_failure(FACTS, kept, ours=True),
    "was_off": questions.was_off,
    "proven_by": questions.proven_by,
    "why_not_off": lambda kept: questions.why_not_off("worker-3", kept, "router"),
    "addresses_on": lambda kept: questions.addresses_on(kept, "tor-1"),
    "prefixes_on": lambda kept: questions.prefixes_on(kept, "tor-1"),
    "prefixes_anywhere": lambda kept: questions.prefixes_anywhere(kept, ["default"]),
    "routers_before": questions.routers_before,
    "every_prefix": questions.every_prefix,
    "not_awaited": questions.not_awaited,
    "prefixes_back": lambda kept: questions.prefixes_back(kept, "tor-1"),
    "forwarded_back": lambda kept: questions.forwarded_back(kept, "tor-1"),
    "sessions_back": lambda kept: questions.sessions_back(kept, "tor-1"),
    "routers_changed": questions.routers_changed,
    "strangers": lambda kept: questions.strangers(kept, ["tor-1"]),
    "changed_strangers": lambda kept: questions.changed_strangers(kept, ["tor-1"]),
}
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=4,
)


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The path to every value inside."""
    found = [path] if path else []
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, each in pairs:
        found += places(each, (*path, key))
    return found


def mangled(kept: dict[str, Any], path: tuple[Any, ...], change: Any) -> dict[str, Any]:
    """A record in which one value is gone (change: nothing) or another one."""
    copy = deepcopy(kept)
    parent = copy
    for key in path[:-1]:
        parent = parent[key]
    if change == ():
        del parent[path[-1]]
    else:
        parent[path[-1]] = change
    return copy


def parsed(on: dict[str, Any]) -> tuple[dict[str, Any] | None, str]:
    """The record of a Node, or why it is refused."""
    try:
        return records.parse(on), ""
    except records.RecordError as refused:
        return None, refused.msg


def read_by_all(kept: dict[str, Any], on: dict[str, Any]) -> None:
    """Calls all that reads records."""
    for ask in QUESTIONS.values():
        ask(kept)
    records.objection("worker-3", kept, RUN, runs.process_lives(kept["run"]), NOW, takeover=False)
    records.restored(on, kept)
    records.set_again(on, kept)
    for phase in records.RANK:
        records.advances(kept, phase)
    baseline.prefixes(kept["before"].get("routes") or {})
    if kept["before"].get("sessions"):
        per_session.estimate("deselected", dict(kept["before"]["sessions"]))
    with pytest.raises(records.HeldError):
        records.ensure_ours("worker-3", kept, RUN)
    again = records.taken_over(records.stamped(kept, {"note": 1}, NOW, phase="off"), RUN, {}, NOW)
    assert records.parse({"metadata": {**on["metadata"], **records.annotation(again)["metadata"]}}) == again


def test_every_question_is_asked_of_mangled_records() -> None:
    functions = inspect.getmembers(questions, inspect.isfunction)
    own = questions.__name__
    known = {name for name, each in functions if not name.startswith("_") and each.__module__ == own}
    assert known == set(QUESTIONS)


def test_a_whole_record_is_read_by_all() -> None:
    on = node(RECORD)
    assert records.parse(on) == RECORD
    read_by_all(RECORD, on)


@given(path=st.sampled_from(places(RECORD)), change=st.just(()) | ANYTHING, digest=st.booleans())
@example(path=("before", "waived"), change={"\n": None}, digest=True)
@example(path=("holder",), change="a\nb", digest=True)
@example(path=("version",), change="a\nb", digest=True)
@example(path=("run", "pid"), change="1", digest=True)
@example(path=("before", "routes", "tor-1", "default"), change=(), digest=True)
@example(path=("history", 0), change=7, digest=True)
def test_a_mangled_record_is_refused_in_one_line_or_read_by_all(path: Any, change: Any, digest: bool) -> None:
    kept = mangled(RECORD, path, change)
    on = node(kept, sealed=False)
    if not digest:
        text = json.loads(on["metadata"]["annotations"][records.ANNOTATION])
        text[records.DIGEST] = records.digest(RECORD)
        on["metadata"]["annotations"][records.ANNOTATION] = json.dumps(text)
    found, refused = parsed(on)
    if found is None:
        assert refused.startswith("worker-3: the maintenance record ")
        assert "\n" not in refused
        return
    read_by_all(found, on)
    # Without its own checksum, only what changes nothing goes through.
    assert digest or found == RECORD


@pytest.mark.parametrize(
    ("path", "change", "words"),
    [
        (("phase",), "resting", 'phase is "resting", and must be one of claimed, drained'),
        (("since",), "today", 'since is "today", and must be a time such as'),
        (("since",), "2026-03-02T22:00:01", "must be a time"),
        (("heartbeat",), 3, "heartbeat is 3, and must be a time"),
        (("run",), {}, "run lacks pid"),
        (("run", "pid"), True, "run.pid is true, and must be the number of a process"),
        (("before",), [], r"before is \[\], and must be a mapping"),
        (("before", "label"), (), "before lacks label"),
        (("before", "label", "key"), None, "before.label.key is null, and must be text"),
        (("before", "routes", "tor-1", "default", "fib"), (), "before.routes.tor-1.default lacks fib"),
        (("before", "sessions", "tor-1", 0, "established"), "yes", r"before.sessions.tor-1\[0\].established"),
        (("history",), (), "it lacks history"),
        (("history", 2, "phase"), "asleep", r"history\[2\].phase is \"asleep\""),
        (("history", 0, "way"), "up", "must be one of out, in, restart"),
    ],
)
def test_what_is_wrong_is_named(path: Any, change: Any, words: str) -> None:
    with pytest.raises(records.RecordError, match=words):
        records.parse(node(mangled(RECORD, path, change), sealed=False))


def test_a_claim_by_other_evidence_has_what_that_needs() -> None:
    kept = record()
    kept["before"] = {**kept["before"], "evidence": "cilium"}
    assert records.parse(node(kept)) == kept
    del kept["before"]["withdrawal"]
    with pytest.raises(records.RecordError, match="before has evidence cilium, and lacks withdrawal"):
        records.parse(node(kept, sealed=False))


@pytest.mark.parametrize(
    "change",
    [{"phase": "claimed"}, {"history": RECORD["history"][:-1]}, {"before": {**RECORD["before"], "boot_id": "boot-4"}}],
)
def test_a_change_by_hand_is_noticed_and_nothing_goes_on(change: dict[str, Any]) -> None:
    on = node(RECORD)
    text = json.loads(on["metadata"]["annotations"][records.ANNOTATION])
    on["metadata"]["annotations"][records.ANNOTATION] = json.dumps({**text, **change})
    with pytest.raises(records.RecordError, match=r"was changed by hand since .* \(alice@bastion, 2026-03-02T22:00:30"):
        records.parse(on)


def test_the_same_record_in_another_spelling_is_no_change() -> None:
    on = node(RECORD)
    text = json.loads(on["metadata"]["annotations"][records.ANNOTATION])
    on["metadata"]["annotations"][records.ANNOTATION] = json.dumps(dict(reversed(text.items())), indent=2)
    assert records.parse(on) == RECORD


def test_a_record_without_its_checksum_was_changed_by_hand() -> None:
    on = node(RECORD)
    text = json.loads(on["metadata"]["annotations"][records.ANNOTATION])
    del text[records.DIGEST]
    on["metadata"]["annotations"][records.ANNOTATION] = json.dumps(text)
    with pytest.raises(records.RecordError, match="was changed by hand"):
        records.parse(on)


def test_the_record_of_another_node_is_no_record() -> None:
    with pytest.raises(records.RecordError, match=r"belongs to a Node with UID uid-3, and this one has UID uid-4"):
        records.parse(node(RECORD, uid="uid-4"))


def test_a_record_that_nobody_could_read_is_not_written() -> None:
    with pytest.raises(records.RecordError, match=r"nothing was written, .* history\[8\].way is 5"):
        records.annotation(records.stamped(RECORD, {"way": 5}, NOW))
    # A note may have anything else, even what JSON spells in another way.
    noted = records.stamped(RECORD, {"numbers": {1: (2, 3)}}, NOW)
    found = records.parse({"metadata": {**node(RECORD)["metadata"], **records.annotation(noted)["metadata"]}})
    assert found is not None
    assert found["history"][-1]["numbers"] == {"1": [2, 3]}
