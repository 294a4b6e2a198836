# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What stays when Cilium's sessions are closed: never a VIP, never pods, and nothing that Cilium announces."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.hitless.nodes.plugins.module_utils.node.staying import Staying, staying

VIP, PODS, LOOPBACK, OTHER = "198.51.100.10/32", "10.1.3.0/24", "10.0.0.13/32", "203.0.113.7/32"
SERVICES = (
    {
        "metadata": {"namespace": "shop", "name": "web"},
        "status": {"loadBalancer": {"ingress": [{"ip": "198.51.100.10"}]}},
    },
)


def judged(
    *named: str,
    found: tuple[str, ...] = (VIP, PODS, LOOPBACK),
    said: Any = frozenset({VIP, PODS}),
    services: Any = SERVICES,
) -> Staying:
    return staying("worker-3", found, named, services, [PODS, "2001:db8:3::/64"], lambda: said)


def test_what_the_agent_does_not_announce_stays_and_is_said() -> None:
    found = judged()
    assert (found.prefixes, found.problems) == ([LOOPBACK], [])
    assert found.warnings == [
        "worker-3: 10.0.0.13/32 isn't announced by Cilium, so it stays on the routers, and nobody waits until it is "
        "gone"
    ]


def test_a_vip_and_pods_never_stay_whatever_the_agent_says() -> None:
    assert judged(said=frozenset({OTHER})).prefixes == []
    more_specific = judged(found=(VIP, "10.1.3.128/25", "10.1.0.0/16"), said=frozenset({VIP}))
    assert (more_specific.prefixes, more_specific.problems, more_specific.warnings) == ([], [], [])


def test_what_cilium_announces_does_not_stay() -> None:
    assert judged(said=frozenset({VIP, PODS, LOOPBACK})).prefixes == []


def test_an_agent_that_announces_nothing_of_it_is_no_witness() -> None:
    (problem,) = judged(said=frozenset()).problems
    assert "name it in claim_staying_prefixes" in problem


def test_an_agent_that_can_not_be_asked_is_no_proof_either() -> None:
    found = judged(said="no right to pods/exec")
    assert (found.prefixes, found.problems) == ([], [])
    assert "10.0.0.13/32" in found.warnings[0]
    assert "(no right to pods/exec): if it stays" in found.warnings[0]


def test_the_agent_is_only_asked_about_what_is_nobodys() -> None:
    def never() -> set[str]:
        raise AssertionError

    assert staying("worker-3", [VIP, PODS], [], SERVICES, [PODS], never).prefixes == []
    assert staying("worker-3", [VIP, PODS, LOOPBACK], [LOOPBACK], SERVICES, [PODS], never).prefixes == [LOOPBACK]
    # Which prefixes are VIPs isn't known.
    assert staying("worker-3", [VIP, PODS, LOOPBACK], [], None, [PODS], never).prefixes == []


def test_what_the_user_names_stays_if_a_router_has_it() -> None:
    assert judged(LOOPBACK, OTHER, said="?").prefixes == [LOOPBACK]


@pytest.mark.parametrize(("named", "kind"), [(VIP, "a Service's VIP"), ("10.1.3.0/25", "of pods")])
def test_the_user_can_not_name_a_vip_or_pods(named: str, kind: str) -> None:
    assert judged(named).problems[0].startswith(f"claim_staying_prefixes names {named}, which is {kind}")
