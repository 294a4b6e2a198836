# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.hitless.nodes.plugins.module_utils.base.errors import HitlessError
from ansible_collections.hitless.nodes.plugins.module_utils.schedule.batching import sizes


@pytest.mark.parametrize(
    ("value", "found"),
    [(1, [1]), ("2", [2]), (" 3 ", [3]), ("30%", ["30%"]), ("100%", ["100%"]), ([1, "2", "50%"], [1, 2, "50%"])],
)
def test_sizes_are_numbers_and_percentages(value, found):
    assert sizes(value) == found


@pytest.mark.parametrize("value", [0, "0", "0%", "101%", -1, 1.5, True, None, "", "all", [], [1, 0], [[1]], "1, 2"])
def test_other_sizes_are_refused(value):
    with pytest.raises(HitlessError, match="must be a number from 1 on, a percentage such as 20%, or a list of these"):
        sizes(value)
