# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.hitless.nodes.plugins.module_utils.base import words


@pytest.mark.parametrize(
    ("count", "expected"), [(0, ""), (1, "a"), (5, "a, a, a, a, a"), (7, "a, a, a, a, a and 2 more")]
)
def test_some(count: int, expected: str) -> None:
    assert words.some(["a"] * count) == expected


def test_excerpt_is_one_line_of_limited_length() -> None:
    assert words.excerpt("a\n  b") == "a b"
    assert words.excerpt("x" * 50, 10) == "xxxxxxx..."
