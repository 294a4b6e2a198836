# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""`./dev topologies`: what tests/e2e/test_topologies.py counted in each network, as the table of docs/evidence.md.

Each test writes its row, also if it fails, to build/topologies/NAME.json. A row is what `./dev demo` counts.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lab.topologies import TOPOLOGIES

RESULTS = Path(__file__).resolve().parents[2] / "build" / "topologies"
MISSING = "(not run)"
HEAD = (
    "| topology | what is different | routers, nodes | maintenance: UDP lost of sent; TCP failed of new "
    "| control: the same |",
    "|---|---|---|---|---|",
)

Result = Mapping[str, Any]


def main(argv: list[str] | None = None) -> int:
    """Exit code: 0 if every topology has a result, 1 if not."""
    parser = argparse.ArgumentParser(prog="./dev topologies", description=__doc__)
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder of the tests' results")
    results = read(parser.parse_args(argv).results)
    print("\n".join(table(results)))
    missing = sorted(TOPOLOGIES.keys() - results.keys())
    if missing:
        print(f'topologies: no result of {", ".join(missing)}: run ./dev e2e -m "" -k topologies', file=sys.stderr)
    return 1 if missing else 0


def read(folder: Path) -> dict[str, Result]:
    """Topology -> its result, for those that have one."""
    paths = {name: folder / f"{name}.json" for name in TOPOLOGIES}
    return {name: json.loads(path.read_text(encoding="utf-8")) for name, path in paths.items() if path.exists()}


def table(results: Mapping[str, Result]) -> list[str]:
    """A table in Markdown, one row for each topology of the lab."""
    return [*HEAD, *(row(name, results.get(name)) for name in TOPOLOGIES)]


def row(name: str, result: Result | None) -> str:
    """One topology."""
    cells = [f"`{name}`", TOPOLOGIES[name].about]
    if result is None:
        cells += [MISSING] * 3
    else:
        cells.append(f"FRR {result['frr']}, {result['speaker']}, `{result['graceful_restart']}`")
        cells += [counted(result[run]) for run in ("maintenance", "control")]
    return f"| {' | '.join(cells)} |"


def counted(counts: Mapping[str, int]) -> str:
    """What was lost, of how many. A zero is what the promise is about, so it stands out."""
    pairs = (("udp_lost", "udp_sent"), ("tcp_failed", "tcp_new"))
    return "; ".join(f"{_zero(counts[lost])} of {counts[sent]:,}" for lost, sent in pairs)


def _zero(lost: int) -> str:
    return f"{lost:,}" if lost else "**0**"


if __name__ == "__main__":
    sys.exit(main())
