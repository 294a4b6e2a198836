# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to hitless.nodes: it may change in any release, don't import it from elsewhere.

"""The maintenance record, one annotation on the Node: who holds it, since when, in which phase, and what was before."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime
from typing import Any

from ..base.errors import HitlessError
from . import form, runs

ANNOTATION = "hitless.nodes/record"
VERSION = 1
RANK = form.RANK
# The key of the annotation with which a change by hand is noticed. The record itself doesn't have it.
DIGEST = "digest"


class RecordError(HitlessError):
    """There is a record, but it can't be read, was changed by hand, or belongs to another Node."""


class HeldError(HitlessError):
    """The node is held by another run."""


class GoneError(HitlessError):
    """The node was claimed, and its record is gone."""


def rfc3339(now: datetime) -> str:
    """A moment in the form of the record: UTC, milliseconds."""
    return now.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def parse(node: dict[str, Any]) -> dict[str, Any] | None:
    """The record on a Node, None if there is none; raises RecordError if it isn't as this collection wrote it there."""
    text = (node["metadata"].get("annotations") or {}).get(ANNOTATION)
    if text is None:
        return None
    name = node["metadata"]["name"]
    remedy = f"set label and cordon of the node right by hand, and remove annotation {ANNOTATION} of the Node"
    try:
        record = json.loads(text)
    except (ValueError, RecursionError) as exc:
        raise RecordError(f"{name}: the maintenance record isn't JSON ({exc}): {remedy}") from exc
    if not isinstance(record, dict) or "version" not in record:
        raise RecordError(f"{name}: the maintenance record isn't one, it has no version: {remedy}")
    if record["version"] != VERSION:
        version, holder, since = (form.shown(record.get(key)) for key in ("version", "holder", "since"))
        raise RecordError(
            f"{name}: the maintenance record has version {version}, this release of hitless.nodes reads {VERSION}; go "
            f"on with the release that wrote it ({holder}, {since})"
        )
    found = record.pop(DIGEST, None)
    wrong = form.problem(record)
    if wrong:
        raise RecordError(f"{name}: the maintenance record can't be used: {wrong}: {remedy}")
    if found != digest(record):
        raise RecordError(
            f"{name}: the maintenance record was changed by hand since hitless.nodes wrote it ({record['holder']}, "
            f"{record.get('heartbeat') or record['since']}), so nothing is changed by it: put it back as it was, or "
            f"{remedy}"
        )
    claimed, uid = record["before"].get("uid"), node["metadata"].get("uid")
    if claimed and claimed != uid:
        raise RecordError(
            f"{name}: the maintenance record belongs to a Node with UID {claimed}, and this one has UID {uid}: it was "
            f"deleted and made again since the claim, or the annotation was copied: {remedy}"
        )
    return record


def digest(record: dict[str, Any]) -> str:
    """A checksum of a record. It shows a change by hand, and protects against nothing else."""
    text = json.dumps(record, separators=(",", ":"), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def annotation(record: dict[str, Any] | None) -> dict[str, Any]:
    """The merge patch of a Node that writes its record (None: removes it); raises RecordError before a wrong one."""
    text = None
    if record is not None:
        # As it will be read: JSON has no numbers as keys, and no tuples.
        plain = json.loads(json.dumps(record))
        wrong = form.problem(plain)
        if wrong:
            raise RecordError(
                f"nothing was written, since nobody could read this record again: {wrong}; see option note"
            )
        text = json.dumps({**plain, DIGEST: digest(plain)}, separators=(",", ":"), sort_keys=True)
    return {"metadata": {"annotations": {ANNOTATION: text}}}


def new(run: dict[str, Any], before: dict[str, Any], note: dict[str, Any], now: datetime) -> dict[str, Any]:
    """The record of a node that was just claimed."""
    at = rfc3339(now)
    return {
        "version": VERSION,
        "holder": run["holder"],
        "run": run,
        "since": at,
        "heartbeat": at,
        "phase": "claimed",
        "before": before,
        "history": [{**note, "phase": "claimed", "at": at}],
    }


def stamped(record: dict[str, Any], note: dict[str, Any], now: datetime, *, phase: str | None = None) -> dict[str, Any]:
    """The record after a step: heartbeat, history, and the phase if it is new."""
    at = rfc3339(now)
    phase = phase or record["phase"]
    history = [*record.get("history", []), {**note, "phase": phase, "at": at}]
    return {**record, "heartbeat": at, "phase": phase, "history": history}


def advances(record: dict[str, Any], phase: str | None) -> bool:
    """Whether noting a phase says something new.

    A resumed run goes again through phases that the record has passed. These are not noted again. Only a node that was
    put back into service (a failure before power-off was undone) begins another round.
    """
    if phase is None or phase == record["phase"]:
        return False
    in_service_again = RANK[record["phase"]] >= RANK["announced"]
    return in_service_again or RANK[phase] >= RANK[record["phase"]]


def set_again(node: dict[str, Any], record: dict[str, Any]) -> dict[str, Any] | None:
    """The label that this maintenance set and another writer changed since, None if it is unchanged.

    {key, wanted, found}; None also if no label of the node was flipped.
    """
    labels = [entry.get("label") for entry in record.get("history") or []]
    flips = [label for label in labels if isinstance(label, dict) and label.get("key") and "after" in label]
    if not flips:
        return None
    key, wanted = flips[-1]["key"], flips[-1]["after"]
    found = (node["metadata"].get("labels") or {}).get(key)
    return None if found == wanted else {"key": key, "wanted": wanted, "found": found}


def taken_over(record: dict[str, Any], run: dict[str, Any], note: dict[str, Any], now: datetime) -> dict[str, Any]:
    """The record of an earlier run, continued by this one. It keeps the previous state of the first claim."""
    note = {**note, "continued_by": run["holder"], "from": record["holder"]}
    return stamped({**record, "holder": run["holder"], "run": run}, note, now)


def age(since: str, now: datetime) -> str:
    """How long ago a moment of a record was, in words."""
    try:
        seconds = max(0, int((now - datetime.fromisoformat(since)).total_seconds()))
    except (ValueError, TypeError):
        return "an unknown time"
    for unit, size in (("day", 86400), ("hour", 3600), ("minute", 60)):
        if seconds >= 2 * size:
            return f"{seconds // size} {unit}s"
    return f"{seconds} s"


def objection(
    name: str,
    record: dict[str, Any],
    run: dict[str, Any],
    lives: bool | None,
    now: datetime,
    *,
    takeover: bool,
    variable: str = "claim_takeover",
) -> str | None:
    """Why this run may not continue a record, None if it may. variable: the one with which the user sets takeover.

    The same run may. So may the same user on the same machine, if the process that wrote the record is gone. That is
    how an interrupted playbook is resumed. All others have to set takeover. A record whose process is seen alive is
    never taken over.
    """
    theirs = record["run"]
    if runs.same(theirs, run):
        return None
    held = f"{name} is held by {record['holder']} since {record['since']} (phase {record['phase']})"
    if lives:
        return f"{held}, its process {theirs.get('pid')} on {theirs.get('host')} still runs: let it end, or stop it"
    if takeover or (lives is False and runs.same_machine(theirs, run) and record["holder"] == run["holder"]):
        return None
    return (
        f"{held}, last sign of life {age(record.get('heartbeat', ''), now)} ago from {theirs.get('host')}: "
        f"if that run is certainly over, go on in its place with {variable}=true"
    )


def ensure_ours(
    name: str,
    record: dict[str, Any] | None,
    run: dict[str, Any] | None,
    *,
    claimed: bool | None = False,
    check_mode: bool = False,
) -> None:
    """Raises HeldError if the node has a record of another run, GoneError if it has none and must have one (claimed).

    In check mode the claim has written nothing: no record, and no takeover of an earlier run's. Then only a run that is
    seen alive counts.
    """
    if check_mode and (record is None or not runs.process_lives(record["run"])):
        return
    if record is None and claimed:
        raise gone(name)
    if record is not None and not runs.same(record["run"], run):
        raise HeldError(
            f"{name} is held by {record['holder']} since {record['since']} (phase {record['phase']}): nothing was "
            f"changed; go on in its place with node_claim first, or wait until it is released",
            record=record,
        )


def gone(name: str) -> GoneError:
    """The error for a node that was claimed and has no record any more."""
    return GoneError(
        f"{name}: its record is gone, so nothing says what was before, and nothing was changed: see who removed "
        f"annotation {ANNOTATION} of the Node (or the whole Node), and set label and cordon right by hand"
    )


def restored(node: dict[str, Any], record: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """The present state, and its differences from before the claim, in words (none: all restored)."""
    before = record["before"]
    labels = node["metadata"].get("labels") or {}
    key, value = before["label"]["key"], before["label"]["value"]
    cordoned = bool(node.get("spec", {}).get("unschedulable"))
    now = {"unschedulable": cordoned, "label": {"key": key, "value": labels.get(key)}}
    differences = []
    if cordoned != before["unschedulable"]:
        words = {True: "cordoned", False: "schedulable"}
        differences.append(f"it is {words[cordoned]} and was {words[before['unschedulable']]}")
    if labels.get(key) != value:
        words_of = {v: "absent" if v is None else repr(v) for v in (labels.get(key), value)}
        differences.append(f"label {key} is {words_of[labels.get(key)]} and was {words_of[value]}")
    return now, differences
