# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Stage 6: sessions that are down or silent."""

from __future__ import annotations

from ansible_collections.hitless.nodes.tests.unit.doctor_picture import (
    fails,
)


def test_sessions_that_are_down_on_either_side(picture):
    picture.state = "active"
    fails(picture, 6, "Cilium says active, router r1 says Established")
    picture.state, picture.up = "unknown", False
    fails(picture, 6, "Cilium says unknown, router r1 says Active")


def test_a_speaker_that_is_silent_after_a_graceful_restart(picture):
    picture.agent.update(enabled=True, advertised=0, uptime=12)
    before = picture.routers
    mute = [{**each, "accepted": {"ipv4": 0}} for each in before["r1"]["neighbors"]]
    picture._router = lambda name: {
        **before[name],
        "neighbors": mute,
        "policy": {**before[name]["policy"], "paths": []},
    }
    fails(picture, 6, "up for 12 s, but nothing has been announced over it", "at most 6 minutes")
    # Later, or without graceful restart, it is something else.
    for other in ({"uptime": 4000}, {"enabled": False}):
        picture.agent.update(enabled=True, uptime=12)
        picture.agent.update(other)
        fails(picture, 8, "it hasn't arrived")
