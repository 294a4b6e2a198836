# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.hitless.nodes.plugins.module_utils.drain.story import silence


def node(*conditions):
    return {"metadata": {"name": "worker-3"}, "status": {"conditions": list(conditions)}}


@pytest.mark.parametrize(
    "conditions",
    [
        [],
        [{"type": "Ready", "status": "True"}],
        [{"type": "Ready", "status": "False"}],
        [{"type": "Disk", "status": "Unknown"}],
    ],
)
def test_silence_is_only_what_the_control_plane_calls_unknown(conditions):
    assert silence(node(*conditions)) == ""


@pytest.mark.parametrize(
    ("times", "since"),
    [
        ({"lastHeartbeatTime": "T1", "lastTransitionTime": "T2"}, " since T1,"),
        ({"lastTransitionTime": "T2"}, " since T2,"),
        ({}, "silent, "),
    ],
)
def test_silence_says_since_when_and_what_to_do(times, since):
    words = silence(node({"type": "Ready", "status": "Unknown", **times}))
    assert since in words
    assert "out-of-service" in words
