# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from datetime import UTC, datetime

from ansible_collections.hitless.nodes.plugins.module_utils.kube.events import LONGEST, event

NOW = datetime(2026, 3, 2, 22, 0, 0, 999, tzinfo=UTC)


def test_event_is_one_that_kubectl_describe_finds():
    made = event("worker-3", "DrainStarted", "cordoned", NOW, warning=False)
    assert made["metadata"]["namespace"] == "default"
    assert made["metadata"]["name"].startswith("worker-3.")
    assert made["involvedObject"] == {"apiVersion": "v1", "kind": "Node", "name": "worker-3", "uid": "worker-3"}
    assert (made["type"], made["firstTimestamp"], made["count"]) == ("Normal", "2026-03-02T22:00:00Z", 1)
    assert event("worker-3", "DrainFailed", "late", NOW, warning=True)["type"] == "Warning"


def test_events_have_names_of_their_own_and_are_cut():
    made = [event("n" * 253, "DrainFailed", "x" * 5000, NOW, warning=True) for _unused in range(2)]
    assert made[0]["metadata"]["name"] != made[1]["metadata"]["name"]
    assert len(made[0]["metadata"]["name"]) <= 253
    assert (len(made[0]["message"]), made[0]["message"][-3:]) == (LONGEST, "...")
