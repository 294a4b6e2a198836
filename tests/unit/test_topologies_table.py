# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from benchmarks import topologies
from lab.topologies import TOPOLOGIES

EVIDENCE = Path(__file__).parents[2] / "docs" / "evidence.md"
# As ./dev demo writes it.
RESULT = {
    "maintenance": {"udp_sent": 19376, "udp_lost": 0, "tcp_new": 968, "tcp_failed": 0},
    "control": {"udp_sent": 9112, "udp_lost": 2262, "tcp_new": 454, "tcp_failed": 116},
    "speaker": "GoBGP 3.10.0",
    "frr": "8.4.4",
    "graceful_restart": "stale",
    "topology": "ebgp",
}


def test_a_row_has_what_was_sent_and_lost() -> None:
    assert topologies.row("ebgp", RESULT) == (
        f"| `ebgp` | {TOPOLOGIES['ebgp'].about} | FRR 8.4.4, GoBGP 3.10.0, `stale` | "
        f"**0** of 19,376; **0** of 968 | 2,262 of 9,112; 116 of 454 |"
    )


def test_a_loss_of_the_maintenance_is_shown() -> None:
    lossy = {**RESULT, "maintenance": {**RESULT["maintenance"], "udp_lost": 7}}  # type: ignore[dict-item]
    assert "| 7 of 19,376; **0** of 968 |" in topologies.row("ebgp", lossy)


def test_a_topology_without_a_result_is_shown_and_is_a_failure(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "ebgp.json").write_text(json.dumps(RESULT), encoding="utf-8")
    code = topologies.main(["--results", str(tmp_path)])
    printed = capsys.readouterr()
    assert code == 1
    assert [line.count("|") for line in printed.out.splitlines()] == [6] * (2 + len(TOPOLOGIES))
    assert printed.out.count("(not run)") == 3 * (len(TOPOLOGIES) - 1)
    assert "no result of ibgp, listen, multihop" in printed.err

    for name in TOPOLOGIES:
        (tmp_path / f"{name}.json").write_text(json.dumps(RESULT), encoding="utf-8")
    assert topologies.main(["--results", str(tmp_path)]) == 0
    assert "(not run)" not in capsys.readouterr().out


def test_the_documentation_has_every_topology_of_the_lab() -> None:
    text = EVIDENCE.read_text(encoding="utf-8")
    assert topologies.HEAD[0] in text
    rows = dict(re.findall(r"^\| `([a-z-]+)` \| (.*?) \|", text.partition(topologies.HEAD[0])[2], re.MULTILINE))
    wanted = {name: topology.about for name, topology in TOPOLOGIES.items()}
    assert {name: rows.get(name) for name in wanted} == wanted
