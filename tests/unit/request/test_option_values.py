# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.hitless.nodes.plugins.module_utils.request.values import problem

SECONDS = {"type": "int", "description": ["Seconds for each router."]}


@pytest.mark.parametrize(
    ("value", "spec"),
    [
        (5, SECONDS),
        ("5", SECONDS),
        (0, SECONDS),
        ("0.5", {"type": "float"}),
        ("yes", {"type": "bool"}),
        ("true", {"type": "bool"}),
        ("fail", {"type": "str", "choices": ["fail", "go"]}),
        ("off", {"choices": ("on", "off")}),
        (["a", "b"], {"type": "list", "elements": "str"}),
        ("a,b", {"type": "list", "elements": "str"}),
        ([1.5], {"type": "list", "elements": "float"}),
        ({"a": 1}, {"type": "dict"}),
        ("/a/b", {"type": "path"}),
        (object(), {"type": "raw"}),
    ],
)
def test_good_values_have_no_problem(value: Any, spec: dict[str, Any]) -> None:
    assert problem("drain_timeout", value, spec) == ""


@pytest.mark.parametrize(
    ("value", "spec", "words"),
    [
        ("5m", SECONDS, "option is '5m', and must be a whole number of seconds"),
        (True, SECONDS, "option is True (a boolean), and must be a whole number of seconds"),
        (0.5, SECONDS, "option is 0.5 (a number), and must be a whole number of seconds"),
        (None, SECONDS, "option is None (nothing), and must be a whole number of seconds"),
        (-1, SECONDS, "option is -1 (a number), and must be at least 0"),
        ("long", {"type": "float"}, "option is 'long', and must be a number"),
        ("perhaps", {"type": "bool"}, "option is 'perhaps', and must be true or false"),
        ({"a": 7}, {"type": "list"}, "option is {'a': 7} (a mapping), and must be a list"),
        (
            ["a", 83],
            {"type": "list", "elements": "str"},
            "option is ['a', 83] (a list), and must be a list of text: 83 in it is a number",
        ),
        ("x", {"type": "dict"}, "option is 'x', and must be a mapping"),
        (83, {}, "option is 83 (a number), and must be text: quote it"),
        (False, {"choices": ["fail", "go"]}, "option is False (a boolean), and must be one of: fail, go"),
        ("stay", {"choices": ["fail", "go"]}, "option is 'stay', and must be one of: fail, go"),
    ],
)
def test_a_bad_value_is_one_line(value: Any, spec: dict[str, Any], words: str) -> None:
    assert problem("option", value, spec) == words


def test_a_secret_is_not_shown() -> None:
    assert problem("power_redfish_password", 12345, {"type": "str", "no_log": True}) == (
        "power_redfish_password is a number, and must be text: quote it"
    )


@pytest.mark.parametrize(
    ("name", "value", "good"),
    [
        ("drain_grace_period", -1, True),
        ("drain_grace_period", -2, False),
        ("drain_max_parallel", 0, False),
        ("drain_max_parallel", 1, True),
        ("claim_min_announcers", 0, True),
    ],
)
def test_some_numbers_have_a_least_value_of_their_own(name: str, value: int, good: bool) -> None:
    assert (problem(name, value, {"type": "int"}) == "") is good
