# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to hitless.nodes: it may change in any release, don't import it from elsewhere.

"""The doctor's diagnosis as lines for the terminal, and the content of its HTML page."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ..base.words import excerpt
from .words import table

# How many groups of findings of a stage are printed. The files have all.
MOST = 5
WORDS = {"fail": "FAIL", "unknown": "unknown", "pass": "pass", "skipped": "not asked for"}


def diagnosis_subject(diagnosis: Mapping[str, Any]) -> str:
    """What the doctor looked at, as text."""
    asked = diagnosis["asked"]
    if asked["service"]:
        return f"Service {asked['service']}"
    return f"VIP {asked['vip']}" if asked["vip"] else "the configuration"


def diagnosis_verdict(diagnosis: Mapping[str, Any]) -> str:
    """The verdict in one line."""
    if diagnosis["verdict"] == "pass":
        return f"{diagnosis_subject(diagnosis)}: no stage fails"
    name = next(stage["name"] for stage in diagnosis["stages"] if stage["number"] == diagnosis["stage"])
    how = "fails at" if diagnosis["verdict"] == "fail" else "is unknown at"
    return f"{diagnosis_subject(diagnosis)} {how} stage {diagnosis['stage']} ({name}): {diagnosis['reason']}"


def diagnosis_page(diagnosis: Mapping[str, Any]) -> dict[str, Any]:
    """The content of the HTML page: the diagnosis, and its subject and verdict as text."""
    return {**diagnosis, "subject": diagnosis_subject(diagnosis), "words": diagnosis_verdict(diagnosis)}


def diagnosis_lines(diagnosis: Mapping[str, Any], files: Iterable[str] = ()) -> list[str]:
    """The lines for the terminal: the stages, what is wrong and what to do, lines of logs, and last the verdict."""
    lines = [*table(_row(stage) for stage in diagnosis["stages"]), ""]
    for stage in diagnosis["stages"]:
        lines += _wrong(stage, diagnosis["strict"])
    if diagnosis["verdict"] != "pass":
        for log in diagnosis["logs"]:
            lines += [f"log of {log['pod']}: {line}" for line in log["lines"]]
        lines += diagnosis["logs_missing"]
    lines += ["", diagnosis_verdict(diagnosis)]
    if diagnosis["remedy"]:
        lines.append(f"-> {diagnosis['remedy']}")
    return [*lines, *files]


def _row(stage: Mapping[str, Any]) -> list[str]:
    return [f"{stage['number']:2d}", stage["name"], WORDS[stage["status"]], _first(stage)]


def _wrong(stage: Mapping[str, Any], strict: bool) -> list[str]:
    """What is wrong in a stage, and what to do. Findings with the same remedy are shown once."""
    groups: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    for finding in stage["findings"]:
        word = _level_word(finding["level"], strict)
        if word:
            groups.setdefault((word, finding["remedy"] or finding["reason"]), []).append(finding)
    lines = []
    for (word, _same), found in list(groups.items())[:MOST]:
        more = f" (and {len(found) - 1} more like it)" if len(found) > 1 else ""
        lines.append(f"{stage['number']:2d} {word}: {found[0]['subject']}: {found[0]['reason']}{more}")
        if found[0]["remedy"]:
            lines.append(f"   -> {found[0]['remedy']}")
    if len(groups) > MOST:
        lines.append(f"   and {len(groups) - MOST} others of stage {stage['number']}, in the files")
    return lines


def _level_word(level: str, strict: bool) -> str:
    """The word for a finding of this level in the list of what is wrong. "" if nothing is wrong."""
    if level == "defect":
        return WORDS["fail"] if strict else "warning"
    return {"fail": WORDS["fail"], "unknown": WORDS["unknown"], "note": "warning"}.get(level, "")


def _first(stage: Mapping[str, Any]) -> str:
    """The most important finding of a stage."""
    listed = stage["findings"]
    wanted = {"fail": ("fail", "defect"), "unknown": ("unknown",)}.get(stage["status"], ("pass",))
    telling = [each for each in listed if each["level"] in wanted]
    if not telling:
        return "" if stage["status"] == "skipped" else "nothing could be looked at"
    more = f" (and {len(telling) - 1} more)" if len(telling) > 1 else ""
    # The full list of what is wrong follows below the table.
    return excerpt(f"{telling[0]['subject']}: {telling[0]['reason']}") + more
