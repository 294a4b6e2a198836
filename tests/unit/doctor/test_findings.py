# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from ansible_collections.hitless.nodes.plugins.module_utils.doctor.findings import (
    MOST,
    STAGES,
    defect,
    diagnosis,
    failed,
    note,
    passed,
    unknown,
)

GOOD = [passed(number, "x", "fine") for number in STAGES]


def of(stage, *findings, strict=False):
    found = diagnosis([*(each for each in GOOD if each.stage != stage), *findings], strict=strict)
    return found["verdict"], found["stage"], found["stages"][stage - 1]["status"]


def test_the_worst_finding_of_a_stage_counts():
    bad, what, good = failed(5, "a", "bad", "do"), unknown(5, "a", "what"), passed(5, "a", "good")
    assert of(5, good, what, bad) == ("fail", 5, "fail")
    assert of(5, good, what) == ("unknown", 5, "unknown")
    assert of(5, good) == ("pass", None, "pass")


def test_a_defect_fails_only_where_the_configuration_is_checked():
    wrong, good = defect(5, "a", "wrong", "do"), passed(5, "a", "good")
    assert of(5, good, wrong) == ("pass", None, "pass")
    assert of(5, good, wrong, strict=True) == ("fail", 5, "fail")
    # It is no proof that the rest of the stage is well.
    assert of(5, wrong) == ("unknown", 5, "unknown")


def test_nothing_found_is_nothing_known_but_for_the_last_stage():
    assert of(5) == ("unknown", 5, "unknown")
    assert of(5, note(5, "a", "left out")) == ("unknown", 5, "unknown")
    assert of(max(STAGES)) == ("pass", None, "skipped")


def test_the_first_failure_is_named_before_an_earlier_unknown():
    found = diagnosis([*GOOD, unknown(2, "a", "what"), failed(8, "b", "refused", "permit it")], strict=False)
    assert (found["verdict"], found["stage"], found["reason"], found["remedy"]) == (
        "fail",
        8,
        "b: refused",
        "permit it",
    )
    assert found["stages"][1]["status"] == "unknown"


def test_findings_are_told_once_and_the_worst_first():
    found = diagnosis([passed(1, "a", "b"), passed(1, "a", "b"), failed(1, "c", "d", "e")], strict=False)
    assert [each["level"] for each in found["stages"][0]["findings"]] == ["fail", "pass"]


def test_of_thousands_of_findings_some_are_kept_and_the_others_counted():
    many = [*(passed(5, str(number), "fine") for number in range(1000)), failed(5, "x", "bad", "do")]
    stage = diagnosis(many, strict=False)["stages"][4]
    assert [each["level"] for each in stage["findings"]] == ["fail", *["pass"] * MOST]
    assert stage["left_out"] == 1000 - MOST
