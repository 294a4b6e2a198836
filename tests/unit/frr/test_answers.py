# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.hitless.nodes.plugins.module_utils.frr import answers


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ([], "")),
        (" \n", ([], "")),
        ("{}", ([{}], "")),
        ('\n{"a": 1}\n\n[2]\n', ([{"a": 1}, [2]], "")),
        ('{"a": 1}{"b"', ([{"a": 1}], '{"b"')),
        ("% Unknown command", ([], "% Unknown command")),
    ],
)
def test_documents(text: str, expected: tuple[list[Any], str]) -> None:
    assert answers.documents(text) == expected
