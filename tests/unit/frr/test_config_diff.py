# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.hitless.nodes.plugins.module_utils.frr.config_blocks import lines
from ansible_collections.hitless.nodes.plugins.module_utils.frr.config_diff import differences
from ansible_collections.hitless.nodes.tests.unit import frr_samples as samples


@pytest.mark.parametrize("version", samples.VERSIONS)
def test_no_difference_with_itself(version: str) -> None:
    config = lines(samples.text(version, "unnumbered.running-config"))
    assert differences(config, config) == []


def test_differences_tell_no_secret() -> None:
    before = ["router bgp 1", " neighbor a remote-as 2", " neighbor a password old-one"]
    after = ["router bgp 1", " neighbor a remote-as 2", " neighbor a password new-one", " neighbor a shutdown"]
    assert differences(before, after) == [
        "- neighbor a password ...",
        "+ neighbor a password ...",
        "+ neighbor a shutdown",
    ]
