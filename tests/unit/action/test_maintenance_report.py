# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.hitless.nodes.plugins.action.maintenance_report import file_name, read_probe, redrawn, written
from ansible_collections.hitless.nodes.plugins.module_utils.base.errors import HitlessError
from ansible_collections.hitless.nodes.tests.unit.action.conftest import TOP, Play
from ansible_collections.hitless.nodes.tests.unit.report_samples import HISTORY, PROBE, RELEASED

FAILURE = {"task": "Wait", "reason": "worker-1: <b> is left", "end": "put back"}
CLAIMED = {
    "before": {
        "evidence": "router",
        "unschedulable": False,
        "label": {"key": "enable-bgp", "value": "true"},
        "routes": {"tor-1": {}},
    },
    "prefixes": ["198.51.100.10/32"],
    "withdrawal": {"seconds": 22, "unbounded": False, "reason": "kept as stale"},
    "history": HISTORY[:1],
}
# What the playbooks register, as a run of one node does.
REPORT = [
    {
        "hosts": "worker-1",
        "gather_facts": False,
        "tasks": [
            {"ansible.builtin.import_tasks": str(TOP / "playbooks/tasks/report.yml")},
            {"ansible.builtin.debug": {"msg": "line=({{ maintenance_reported.line }})"}},
            {
                "ansible.builtin.debug": {
                    "msg": "outcome=({{ maintenance_reported.summary.outcome | default('none') }})"
                }
            },
        ],
    }
]


def test_a_maintenance_is_printed_and_written(play: Play, tmp_path: Path) -> None:
    (tmp_path / "probe.json").write_text(json.dumps(PROBE))
    done = play(
        REPORT,
        direction="maintenance",
        claim_info={},
        claim_result={"history": HISTORY[:1]},
        claim_released=RELEASED,
        maintenance_off={"skipped": True},
        node_name="node-1",
        report_probe="probe.json",
    )
    assert done.returncode == 0, done.stdout
    page, data = sorted((tmp_path / "hitless-reports").iterdir())
    assert (page.name, data.name) == ("node-1-20261122T011701Z.html", "node-1-20261122T011701Z.json")
    summary = json.loads(data.read_text())
    assert (summary["outcome"], summary["seconds"], summary["loss"]["udp_lost"]) == ("maintenance", 62.9, 7)
    lines = done.stdout.splitlines()
    assert "node-1: back in service (62.9 s)" in lines
    assert f"  {data}" in lines
    assert "line=()" in done.stdout
    assert "changed=0" in done.stdout


def test_check_mode_says_what_would_be_done_and_writes_nothing(play: Play, tmp_path: Path) -> None:
    info = {"bgp": {"label": {"key": "enable-bgp", "value": "true", "deselect_value": "false"}}}
    done = play(
        REPORT,
        "--check",
        direction="out",
        maintenance_action="reboot",
        claim_info=info,
        claim_result=CLAIMED,
        drain_result={"pods": []},
    )
    lines = done.stdout.splitlines()
    begin = lines.index("worker-1: check mode: nothing was changed")
    assert lines[begin + 1] == "  would cordon it and evict 0 pods (none)"
    assert lines[begin + 4] == "  would reboot it"
    assert not (tmp_path / "hitless-reports").exists()


def test_a_failure_is_reported_with_the_line_that_says_what_now(play: Play, tmp_path: Path) -> None:
    done = play(
        REPORT,
        direction="out",
        claim_info={},
        claim_result=CLAIMED,
        maintenance_failure=FAILURE,
        bgp_undone="router tor-1: 1 missing",
        report_dir="there",
        report_name="x",
    )
    assert "worker-1: failed, put back as it was (0.0 s)" in done.stdout.splitlines()
    words = "the node was put back as it was, but not all routes are back: router tor-1: 1 missing"
    assert f"line=(worker-1: <b> is left; {words})" in done.stdout
    assert "<p>worker-1: &lt;b&gt; is left</p>" in (tmp_path / "there" / "x.html").read_text()


@pytest.mark.parametrize("claim", [{"skipped": True}, {"failed": True, "msg": "it is held"}])
def test_of_a_refused_node_there_is_only_the_line(claim: dict[str, Any], play: Play, tmp_path: Path) -> None:
    failure = FAILURE | {"reason": "it is held by bob", "end": "refused"}
    done = play(REPORT, direction="out", claim_info={}, claim_result=claim, maintenance_failure=failure)
    assert "line=(worker-1: Wait: it is held by bob; nothing was changed)" in done.stdout
    assert "outcome=(none)" in done.stdout
    assert not (tmp_path / "hitless-reports").exists()


def test_an_upgrade_that_fails_names_what_it_has_not_begun_and_the_way_back(play: Play) -> None:
    done = play(
        REPORT,
        direction="upgrade",
        claim_info={},
        claim_result=CLAIMED,
        maintenance_failure=FAILURE | {"end": "held"},
        target="nodes",
        __untouched=["worker-2"],
        report_dir="",
    )
    words = "its record is kept; not touched: worker-2; the DaemonSet restarts no agent by itself"
    assert f"line=(worker-1: <b> is left; {words}" in done.stdout
    assert "-e target=nodes -e agent_rollback=true" in done.stdout


def test_a_report_that_cannot_be_written_does_not_hide_why_the_node_failed(play: Play, tmp_path: Path) -> None:
    (tmp_path / "taken").touch()
    done = play(
        REPORT,
        direction="out",
        claim_info={},
        claim_result=CLAIMED,
        maintenance_failure=FAILURE,
        report_dir="taken",
    )
    assert done.returncode != 0
    assert "worker-1: <b> is left; the node was put back as it was; the report can't be written to " in done.stdout


def test_a_probe_is_shown_beside_the_estimates(play: Play) -> None:
    done = play(
        REPORT,
        direction="probe",
        claim_info={},
        claim_released=RELEASED,
        claim_result=CLAIMED,
        probe_estimate={"unmeasured": {"deselected": {"seconds": None, "unbounded": True, "reason": "unknown"}}},
        report_dir="",
    )
    lines = done.stdout.splitlines()
    assert "  estimated from the routers' capabilities: 22 s (kept as stale)" in lines
    assert "  estimated from Cilium alone: without a bound (unknown)" in lines
    assert lines.index("  router tor-1: all families 20.4 s") < lines.index(
        "worker-1: measured, back in service (62.9 s)"
    )


def test_an_earlier_report_is_drawn_again_with_a_prober_s_figures(play: Play, tmp_path: Path) -> None:
    options = {"direction": "out", "node": "worker-3", "sources": [RELEASED], "failure": FAILURE, "probe": ""}
    (tmp_path / "old.json").write_text(json.dumps(written(options, check_mode=False)))
    (tmp_path / "probe.json").write_text(json.dumps(PROBE))
    plays = [{"import_playbook": str(TOP / "playbooks/node_report.yml")}]
    done = play(plays, report_json="old.json", report_probe="probe.json", report_dir=".")
    assert done.returncode == 0, done.stdout
    assert "worker-3: failed, put back as it was (62.9 s)" in done.stdout.splitlines()
    found = json.loads((tmp_path / "worker-3-20261122T011701Z.json").read_text())
    assert (found["loss"]["udp_lost"], found["failure"]) == (7, FAILURE)


@pytest.mark.parametrize(
    ("content", "words"),
    [(None, "which report"), ("{", "is not the JSON file of a report"), ("[]", "is not the"), ("{}", "is not the")],
)
def test_what_is_no_report_is_not_drawn_again(content: str | None, words: str, tmp_path: Path) -> None:
    path = tmp_path / "old.json"
    if content is not None:
        path.write_text(content)
    with pytest.raises(HitlessError, match=words):
        redrawn({"report": str(path), "probe": ""})


@pytest.mark.parametrize("content", ["", "{", "[]", "{}"])
def test_a_prober_s_file_that_tells_nothing_is_unreadable(content: str, tmp_path: Path) -> None:
    path = tmp_path / "probe.json"
    assert read_probe(str(path)) == {"missing": str(path)}
    path.write_text(content)
    assert read_probe(str(path)) == {"unreadable": str(path)}
    assert read_probe("") == {}


def test_a_report_without_a_beginning_is_named_for_its_outcome() -> None:
    assert file_name({"node": "worker-3", "started": None, "outcome": "put back"}) == "worker-3-put-back"
