# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.hitless.nodes.plugins.module_utils.report.plan import maintenance_plan

CLAIMED = {
    "before": {
        "evidence": "router",
        "unschedulable": False,
        "label": {"key": "enable-bgp", "value": "true"},
        "routes": {"tor-1": {}, "tor-2": {}},
    },
    "prefixes": ["10.1.3.0/24", "198.51.100.10/32"],
    "withdrawal": {"seconds": 22, "unbounded": False, "reason": "router tor-1: kept as stale"},
}


INFO = {"bgp": {"label": {"key": "enable-bgp", "value": "true", "deselect_value": "false"}}}


DRAINED = {
    "pods": [
        {"namespace": "shop", "name": "web-1", "action": "evict"},
        {"namespace": "kube-system", "name": "cilium-x", "action": "skip"},
    ]
}


def test_plan_of_a_maintenance_goes_out_and_back() -> None:
    assert maintenance_plan(CLAIMED, INFO, DRAINED, "maintenance", "poweroff") == [
        "cordon it and evict 1 pods (shop/web-1)",
        "change label enable-bgp=false",
        "wait until 2 prefixes (10.1.3.0/24, 198.51.100.10/32) are gone from tor-1, tor-2 (estimated, not observed: "
        "at most 22 s; router tor-1: kept as stale)",
        "switch it off",
        "wait until it is Ready, and restore label enable-bgp=true",
        "wait until the routes are back on tor-1, tor-2",
        "uncordon it",
    ]


def test_plan_of_a_half_has_that_half_only() -> None:
    assert len(maintenance_plan(CLAIMED, INFO, DRAINED, "out", "none")) == 3
    cordoned = {**CLAIMED, "before": {**CLAIMED["before"], "unschedulable": True}}
    steps = maintenance_plan(cordoned, INFO, {}, "in", "poweroff")
    assert steps[-1] == "leave it cordoned, as it was"


def test_plan_names_a_label_that_would_be_absent() -> None:
    info = {"bgp": {"label": {"key": "bgp", "value": "", "deselect_value": None}}}
    assert "change label bgp (absent)" in maintenance_plan(CLAIMED, info, DRAINED, "out", "none")


def test_plan_says_where_a_withdrawal_has_no_bound() -> None:
    claimed = {**CLAIMED, "withdrawal": {"seconds": None, "unbounded": True, "reason": "long-lived"}}
    step = maintenance_plan(claimed, INFO, DRAINED, "out", "none")[2]
    assert step.endswith("(estimated, not observed: there is no bound; long-lived)")


@pytest.mark.parametrize(
    ("evidence", "words"),
    [
        ("cilium", "ask its agent until its sessions are closed, and wait for as long as routers may go on"),
        ("estimate", "wait for as long as routers may go on"),
    ],
)
def test_plan_without_routers_says_what_is_waited_for(evidence: str, words: str) -> None:
    claimed = {**CLAIMED, "before": {**CLAIMED["before"], "evidence": evidence, "routes": {}}}
    steps = maintenance_plan(claimed, INFO, DRAINED, "maintenance", "none")
    assert steps[2] == f"{words} (estimated, not observed: at most 22 s; router tor-1: kept as stale)"
    assert "wait until Cilium announces as many routes as before" in steps


def test_plan_without_a_claim_is_empty() -> None:
    assert maintenance_plan({}, INFO, {}, "maintenance", "poweroff") == []
