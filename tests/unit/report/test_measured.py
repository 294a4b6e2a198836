# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from ansible_collections.hitless.nodes.plugins.module_utils.report.measured import measured_lines
from ansible_collections.hitless.nodes.tests.unit.report_samples import HISTORY, summary

FAMILIES = {"seconds": 22.4, "families": {"ipv4": 22.4, "ipv6": 22.2}}
HISTORY_OF_A_PROBE = [
    HISTORY[0],
    {**HISTORY[2], "routers": {"tor-1": FAMILIES, "tor-2": {"seconds": 23.0}}},
    {**HISTORY[5], "routers": {"tor-3": {"seconds": 1.0}}},
]


def test_each_router_and_both_estimates_are_shown() -> None:
    bounded = {"seconds": 122, "unbounded": False, "reason": "router tor-1: kept as stale"}
    unbounded = {"seconds": None, "unbounded": True, "reason": "peer tor-1: unknown"}
    assert measured_lines(summary({"history": HISTORY_OF_A_PROBE}), bounded, unbounded) == [
        "worker-3: from the change of the label until a router had no path to it any more",
        "  router tor-1: ipv4 22.4 s, ipv6 22.2 s",
        "  router tor-2: all families 23.0 s",
        "  estimated from the routers' capabilities: 122 s (router tor-1: kept as stale)",
        "  estimated from Cilium alone: without a bound (peer tor-1: unknown)",
    ]
