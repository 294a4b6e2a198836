# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.hitless.nodes.plugins.module_utils.upgrade.restart_time import budget, node_budget

QUICK = {"timers": {"connectRetryTimeSeconds": 5}}


def neighbor(address="192.0.2.13", *, restart_time=120, **changes):
    restart = {"negotiated": True, "families": ["ipv4"], "restart_time": restart_time, "notification": True}
    restart |= changes.pop("graceful_restart", {})
    row = {"vrf": "default", "address": address, "established": True, "shut": False, "hold_time": 90}
    return {**row, "accepted": {"ipv4": 4}, "graceful_restart": restart, **changes}


def test_the_shortest_restart_time_of_all_routers_counts():
    found = budget({"tor-1": [neighbor()], "tor-2": [neighbor(restart_time=30)]}, [QUICK], [5.0])
    assert (found["available"], found["needed"], found["measured"]) == (30, 6.2, 5.0)
    assert (found["problems"], found["warnings"]) == ([], [])
    assert [(row["router"], row["seconds"], row["hold_time"]) for row in found["sessions"]] == [
        ("tor-1", 120, 90),
        ("tor-2", 30, 90),
    ]


@pytest.mark.parametrize(
    ("neighbors", "words"),
    [
        (None, "router tor-1: it wasn't asked, so it isn't known whether it would keep the routes"),
        ([], "no router has a session with it"),
        ([neighbor(established=False)], "session 192.0.2.13, ipv4: it isn't up now"),
        ([neighbor(graceful_restart={"negotiated": None})], "doesn't say whether graceful restart was negotiated"),
        (
            [neighbor(graceful_restart={"negotiated": False})],
            "graceful restart was not negotiated, so the routes are dropped",
        ),
        ([neighbor(graceful_restart={"families": ["ipv6"]})], "not negotiated for this family"),
        ([neighbor(restart_time=None)], "doesn't say how long it keeps the routes"),
        ([neighbor(restart_time=0)], "doesn't say how long it keeps the routes"),
        ([{**neighbor(), "graceful_restart": None}], "doesn't say whether graceful restart was negotiated"),
        ([neighbor(vrf="blue", established=False)], "session 192.0.2.13 in VRF blue, ipv4: it isn't up now"),
        ([neighbor(shut=True)], "no router has a session with it"),
    ],
)
def test_what_is_not_known_to_be_kept_is_a_problem(neighbors, words):
    found = budget({"tor-1": neighbors}, [QUICK], [5.0])
    (problem,) = found["problems"]
    assert words in problem


def test_one_good_router_does_not_make_up_for_another():
    found = budget({"tor-1": [neighbor()], "tor-2": None}, [QUICK], [5.0])
    assert (found["available"], len(found["problems"])) == (120, 1)


def test_a_session_of_a_record_has_no_counts_but_families():
    kept = neighbor()
    del kept["accepted"], kept["shut"]
    assert budget({"tor-1": [kept]}, [QUICK], [5.0])["sessions"][0]["family"] == "ipv4"


def test_a_restart_that_takes_longer_than_there_is_is_a_problem():
    found = budget({"tor-1": [neighbor(restart_time=20)]}, [QUICK], [4.0, 16.5])
    assert found["needed"] == 20.6
    assert found["problems"] == [
        "its restart may take 20.6 s (16.5 s measured, and 25% more by agent_margin), but router tor-1, session "
        "192.0.2.13, ipv4 keeps its routes for only 20 s: raise gracefulRestart.restartTimeSeconds in its "
        "CiliumBGPPeerConfig"
    ]
    assert budget({"tor-1": [neighbor(restart_time=20)]}, [QUICK], [16.5], margin=0.1)["problems"] == []


def test_the_first_restart_is_a_measurement():
    found = budget({"tor-1": [neighbor(restart_time=20)]}, [QUICK])
    assert (found["needed"], found["problems"]) == (None, [])
    assert found["warnings"] == ["no restart was measured yet, so it isn't known whether it ends within 20 s"]


def test_a_late_second_try_to_connect_is_warned_of_with_the_setting():
    found = budget({"tor-1": [neighbor()]}, [{}], [20.0])
    assert found["problems"] == []
    (warning,) = found["warnings"]
    assert "comes after 120 to 240 s" in warning
    assert "set timers.connectRetryTimeSeconds in its CiliumBGPPeerConfig to 50 or less" in warning


def test_unknown_peer_configs_are_warned_of():
    (warning,) = budget({"tor-1": [neighbor()]}, [QUICK, None], [20.0])["warnings"]
    assert "couldn't be read" in warning


def record(**changes):
    return {"before": {"sessions": {"tor-1": [neighbor(restart_time=20, **changes)]}}}


def of_node(record, *, routers=("tor-1",), measured=(5.0,), margin=0.25, without_gr="refuse"):
    return node_budget(record, routers, [QUICK], measured, margin=margin, without_gr=without_gr)


def test_a_node_is_restarted_drained_or_refused():
    fits = of_node(record())
    assert (fits["way"], fits["available"], fits["problems"], fits["warnings"]) == ("restart", 20, [], [])
    assert of_node(record(), measured=[17.0])["way"] == "refuse"
    assert of_node(record(), measured=[17.0], margin=0.1)["way"] == "restart"
    off = record(graceful_restart={"negotiated": False})
    assert of_node(off)["way"] == "refuse"
    assert of_node(off, without_gr="drain")["way"] == "drain"


def test_a_router_that_the_record_does_not_know_is_a_problem():
    (problem,) = of_node(record(), routers=["tor-1", "tor-2"])["problems"]
    assert "router tor-2: it wasn't asked" in problem
    (problem,) = of_node({"before": {}})["problems"]
    assert "router tor-1: it wasn't asked" in problem
