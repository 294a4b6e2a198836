# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from ansible_collections.hitless.nodes.plugins.plugin_utils._as_written import as_written

NAMES = ["worker-1", "0123", "1.30", "no", "2026-01-02", "null", "tor-1"]


@pytest.mark.parametrize("value", ["worker-1", "0123", "", "False", "~^0123$"])
def test_as_written_leaves_text_alone(value: str) -> None:
    assert as_written(value, NAMES) == value


# What AWX's way of handing over variables makes of '0123' and so on (measured with ansible-core 2.19).
@pytest.mark.parametrize(
    ("value", "name"),
    [(83, "0123"), (1.3, "1.30"), (False, "no"), (date(2026, 1, 2), "2026-01-02"), (None, "null")],
)
def test_as_written_takes_back_the_name_that_is_meant(value: Any, name: str) -> None:
    assert as_written(value, NAMES) == name


@pytest.mark.parametrize(
    ("value", "names"),
    [
        (83, ["83", "0123"]),
        (False, ["no", "off"]),
        (84, NAMES),
        (True, NAMES),
        (0, ["no"]),
        (1, ["yes"]),
        (True, ["1"]),
        ({"a": 1}, NAMES),
        (None, ["worker-1"]),
    ],
)
def test_as_written_is_empty_when_it_cannot_be_told(value: Any, names: list[str]) -> None:
    assert as_written(value, names) == ""


def test_as_written_joins_a_list() -> None:
    assert as_written(["worker-1", 83], NAMES) == "worker-1,0123"
    assert as_written(["worker-1", 84], NAMES) == ""


def test_as_written_survives_names_that_are_not_yaml() -> None:
    assert as_written(83, ["[", "@x", "0123"]) == "0123"
