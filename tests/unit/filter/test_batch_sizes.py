# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.hitless.nodes.plugins.filter.batch_sizes import batch_sizes


def test_batch_sizes_are_refused_in_a_header_too() -> None:
    assert batch_sizes("2") == [2]
    with pytest.raises(AnsibleFilterError, match="the size of a batch is 0, and must be"):
        batch_sizes(0)
