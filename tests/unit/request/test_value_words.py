# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from ansible_collections.hitless.nodes.plugins.module_utils.request.value_words import kind, shown


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (True, "a boolean"),
        (1, "a number"),
        (1.3, "a number"),
        (date(2026, 1, 2), "a date"),
        ("x", "text"),
        (None, "nothing"),
        ([], "a list"),
        ({}, "a mapping"),
        (b"", "not text"),
    ],
)
def test_what_a_value_is_in_words(value: Any, words: str) -> None:
    assert kind(value) == words


def test_text_is_shown_as_it_is_and_others_with_what_they_are() -> None:
    assert shown("5m") == "'5m'"
    assert shown(False) == "False (a boolean)"
