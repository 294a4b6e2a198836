# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.hitless.nodes.plugins.filter.same_uuid import same_uuid


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("4c4c4544-0034-3510-8056-b7c04f4e3932", "4C4C4544-0034-3510-8056-B7C04F4E3932", True),
        ("4c4c4544-0034-3510-8056-b7c04f4e3932", "44454c4c-3400-1035-8056-b7c04f4e3932", True),
        ("4c4c4544-0034-3510-8056-b7c04f4e3932", "4c4c4544-0034-3510-8056-b7c04f4e3933", False),
        ("", "4c4c4544-0034-3510-8056-b7c04f4e3932", False),
        ("", "", False),
        (None, None, False),
        ("Not Settable", "Not Settable", False),
    ],
)
def test_same_uuid(one: Any, other: Any, same: bool) -> None:
    assert same_uuid(one, other) is same
