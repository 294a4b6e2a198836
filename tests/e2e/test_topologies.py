# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The plain maintenance in networks as people have them, each with its control: the node switched off at once."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from conftest import TOP, lab_name
from lab import demo, lifecycle
from lab.settings import LabSettings
from lab.topologies import TOPOLOGIES

# `./dev test` runs these, `./dev long` the others.
QUICK = ("ebgp",)


def parameters() -> list[Any]:
    return [name if name in QUICK else pytest.param(name, marks=pytest.mark.long) for name in TOPOLOGIES]


# One after the other: each has a lab of its own.
@pytest.mark.xdist_group("topologies")
@pytest.mark.parametrize("topology", parameters())
def test_the_plain_maintenance_loses_nothing_and_its_control_does(topology: str, tmp_path: Path) -> None:
    settings = LabSettings(lab_name("e2et"), restart_time=10, topology=topology)

    # `./dev topologies` prints the rows. None is left of a run that came to no figures.
    row = TOP / "build" / "topologies" / f"{topology}.json"
    row.unlink(missing_ok=True)

    code = demo.demo(settings, tmp_path)

    text = (tmp_path / "demo.json").read_text(encoding="utf-8")
    row.parent.mkdir(parents=True, exist_ok=True)
    row.write_text(text, encoding="utf-8")
    figures = json.loads(text)
    assert figures["topology"] == topology
    assert figures["maintenance"]["udp_sent"] >= 10_000
    assert (figures["maintenance"]["udp_lost"], figures["maintenance"]["tcp_failed"]) == (0, 0)
    assert figures["maintenance"]["tcp_new"] >= 500
    # The prober was at work, and would have seen it.
    assert figures["control"]["udp_sent"] >= 1000
    assert figures["control"]["udp_lost"] > 0
    assert code == 0
    assert lifecycle.leftovers(settings.name) == []
