# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.hitless.nodes.plugins.module_utils.drain.pod_selector import SelectorError, parse


@pytest.mark.parametrize(
    ("text", "requirements"),
    [
        ("", ()),
        ("  ", ()),
        ("app=web", (("app", "In", ("web",)),)),
        ("app==web", (("app", "In", ("web",)),)),
        ("app = web", (("app", "In", ("web",)),)),
        ("app=", (("app", "In", ("",)),)),
        ("app!=web", (("app", "NotIn", ("web",)),)),
        ("example.org/app", (("example.org/app", "Exists", ()),)),
        ("!canary", (("canary", "DoesNotExist", ()),)),
        ("tier in (front, back)", (("tier", "In", ("front", "back")),)),
        ("tier notin (front)", (("tier", "NotIn", ("front",)),)),
        ("in in (in),notin", (("in", "In", ("in",)), ("notin", "Exists", ()))),
        (
            "app=web, tier in (front,back) ,!canary",
            (("app", "In", ("web",)), ("tier", "In", ("front", "back")), ("canary", "DoesNotExist", ())),
        ),
    ],
)
def test_parse(text, requirements):
    assert parse(text) == requirements


@pytest.mark.parametrize(
    "text", ["app=web,", ",app", "app=web tier", "app in web", "app in (a b)", "-app", "app>1", "a=b=c", "app=we b"]
)
def test_parse_refuses_what_is_no_selector(text):
    with pytest.raises(SelectorError, match="drain_pod_selector is"):
        parse(text)
