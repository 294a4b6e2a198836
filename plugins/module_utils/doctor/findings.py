# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to hitless.nodes: it may change in any release, don't import it from elsewhere.

"""The chain from a Service to the kernel of a router: its stages, what is found of each, and which breaks first."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

STAGES = {
    1: "Service",
    2: "address pool",
    3: "backends",
    4: "node selection",
    5: "peers",
    6: "sessions",
    7: "advertisement",
    8: "received by routers",
    9: "installed by routers",
    10: "forwarded by the kernel",
    11: "answers",
}
# A cluster with many Services, nodes and routers has thousands of findings. This many of one level are kept of a stage.
MOST = 40
# A defect is wrong, but it isn't what loses a VIP now. A note says what was left out, and why.
LEVELS = ("fail", "unknown", "defect", "pass", "note")
# What to do about a kind of object that can't be read.
RIGHTS = "if a right is missing, grant it (see docs/doctor.md, Rights)"


@dataclass(frozen=True)
class Finding:
    """One thing found: its stage, how bad it is, what it is about, why, and what to do."""

    stage: int
    level: str
    subject: str
    reason: str
    remedy: str = ""


def passed(stage: int, subject: str, reason: str) -> Finding:
    """Something is as it should be."""
    return Finding(stage, "pass", subject, reason)


def failed(stage: int, subject: str, reason: str, remedy: str) -> Finding:
    """Here a VIP is lost."""
    return Finding(stage, "fail", subject, reason, remedy)


def unknown(stage: int, subject: str, reason: str, remedy: str = "") -> Finding:
    """It isn't known, which is never good news."""
    return Finding(stage, "unknown", subject, reason, remedy)


def defect(stage: int, subject: str, reason: str, remedy: str) -> Finding:
    """This is wrong, but it isn't what loses the VIP now."""
    return Finding(stage, "defect", subject, reason, remedy)


def note(stage: int, subject: str, reason: str, remedy: str = "") -> Finding:
    """This is worth knowing, but neither good nor bad."""
    return Finding(stage, "note", subject, reason, remedy)


def says(condition: dict[str, Any]) -> str:
    """What a condition of an object says. Each of Cilium's BGP conditions names a problem if it is True."""
    return f"it says {condition['type']}: {condition.get('message') or condition.get('reason')}"


def diagnosis(findings: Iterable[Finding], *, strict: bool) -> dict[str, Any]:
    """{verdict, stage, reason, remedy, stages: [{number, name, status, findings, left_out}]} of all that was found.

    strict: a defect is a failure too, because the configuration is checked and not one VIP.
    The stage of the verdict is the first one that fails. If none fails, it is the first one that is unknown.
    """
    known = list(dict.fromkeys(findings))
    stages = [_stage(number, [each for each in known if each.stage == number], strict=strict) for number in STAGES]
    for status in ("fail", "unknown"):
        first = next((stage for stage in stages if stage["status"] == status), None)
        if first:
            why = _reasons(first, strict=strict)[0]
            return {
                "verdict": status,
                "stage": first["number"],
                "reason": f"{why['subject']}: {why['reason']}",
                "remedy": why["remedy"],
                "stages": stages,
            }
    return {"verdict": "pass", "stage": None, "reason": "", "remedy": "", "stages": stages}


def _stage(number: int, findings: list[Finding], *, strict: bool) -> dict[str, Any]:
    kept: list[Finding] = []
    for level in LEVELS:
        kept += [each for each in findings if each.level == level][:MOST]
    return {
        "number": number,
        "name": STAGES[number],
        "status": _status(number, {each.level for each in findings}, strict=strict),
        "findings": [_facts(each) for each in kept],
        "left_out": len(findings) - len(kept),
    }


def _status(number: int, levels: set[str], *, strict: bool) -> str:
    """The status of a stage with findings of these levels."""
    if "fail" in levels or (strict and "defect" in levels):
        return "fail"
    for level in ("unknown", "pass"):
        if level in levels:
            return level
    # Users need not ask for the last stage. If nothing is found of any other stage, nothing is known of it.
    return "skipped" if number == max(STAGES) else "unknown"


def _facts(finding: Finding) -> dict[str, Any]:
    """A finding as its stage lists it."""
    facts = asdict(finding)
    del facts["stage"]
    return facts


def _reasons(stage: dict[str, Any], *, strict: bool) -> list[dict[str, Any]]:
    """The findings that make a stage what it is, the worst first."""
    bad = {"fail", "defect"} if strict else {"fail"}
    wanted = bad if stage["status"] == "fail" else {"unknown"}
    found = [each for each in stage["findings"] if each["level"] in wanted]
    nothing = {"subject": stage["name"], "reason": "nothing could be looked at", "remedy": ""}
    return found or [nothing]
