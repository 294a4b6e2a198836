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


def test_excerpt_is_one_line_of_limited_length() -> None:
    assert answers.excerpt("a\n  b") == "a b"
    assert answers.excerpt("x" * 50, 10) == "xxxxxxx..."


@pytest.mark.parametrize(
    ("text", "expected"),
    [("192.0.2.1", "192.0.2.1"), ("FD00:0:0::1", "fd00::1"), ("fe80::1%eth0", "fe80::1")],
)
def test_address_has_one_spelling(text: str, expected: str) -> None:
    assert answers.address(text) == expected


@pytest.mark.parametrize("text", ["", "worker-3", "192.0.2.0/24"])
def test_address_when_it_is_none(text: str) -> None:
    with pytest.raises(answers.RouterError, match="isn't an IP address; give"):
        answers.address(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [("10.1.0.0/16", "10.1.0.0/16"), ("192.0.2.1", "192.0.2.1/32"), ("FD00:0::/64", "fd00::/64")],
)
def test_prefix_has_one_spelling(text: str, expected: str) -> None:
    assert answers.prefix(text) == expected


@pytest.mark.parametrize("text", ["", "10.1.0.1/16", "10.1.0.0/33", "default", None])
def test_prefix_when_it_is_none(text: Any) -> None:
    with pytest.raises(answers.RouterError, match="isn't an IP prefix"):
        answers.prefix(text)
