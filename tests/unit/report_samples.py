# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A maintenance as its record tells it, and what a prober counted meanwhile, for the tests of reports."""

from __future__ import annotations

from typing import Any

from ansible_collections.hitless.nodes.plugins.module_utils.report.summary import maintenance_summary

HISTORY: list[dict[str, Any]] = [
    {"phase": "claimed", "at": "2026-11-22T01:17:01.100Z"},
    {"phase": "drained", "at": "2026-11-22T01:17:05.400Z"},
    {
        "phase": "withdrawn",
        "at": "2026-11-22T01:17:31.400Z",
        "flipped_at": "2026-11-22T01:17:06.400000Z",
        "routers": {"tor-1": {"seconds": 20.4}, "tor-2": {"seconds": 22.6}},
    },
    {
        "phase": "off",
        "at": "2026-11-22T01:17:35.300Z",
        "guard": {"act": "off", "evidence": "router", "routers": ["tor-1", "tor-2"], "age": 1.42},
    },
    {"phase": "on", "at": "2026-11-22T01:17:52.300Z"},
    {
        "phase": "announced",
        "at": "2026-11-22T01:18:01.900Z",
        "flipped_at": "2026-11-22T01:17:53.100000Z",
        "routers": {"tor-1": {"seconds": 3.4}},
    },
    {"phase": "schedulable", "at": "2026-11-22T01:18:03.000Z"},
    {"phase": "released", "at": "2026-11-22T01:18:04.000Z"},
]


RELEASED = {
    "history": HISTORY,
    "before": {"unschedulable": False, "label": {"key": "enable-bgp", "value": "true"}, "addresses": [], "routes": {}},
    "restored": {"unschedulable": False, "label": {"key": "enable-bgp", "value": "true"}},
}


PROBE = {
    "udp_sent": 100,
    "udp_lost": 7,
    "tcp_new": 10,
    "tcp_failed": 0,
    "tcp_moved": 1,
    "seconds": 70.0,
    # 2026-11-22T01:17:00Z
    "started": 1795310220.0,
    "lost_per_100ms": [[12.1, 3], [12.2, 0], [12.9, 2], [14.0, 2]],
}


def summary(*sources: dict[str, Any], outcome: str = "maintenance", **more: Any) -> dict[str, Any]:
    """The summary of these sources, or of the maintenance above."""
    return maintenance_summary(sources or (RELEASED,), "worker-3", outcome, **more)
