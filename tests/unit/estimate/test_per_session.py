# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.hitless.nodes.plugins.module_utils.base.errors import HitlessError
from ansible_collections.hitless.nodes.plugins.module_utils.estimate.per_session import (
    EVENTS,
    LONGEST_RESTART,
    PROCESSING,
    estimate,
    with_measured,
)
from ansible_collections.hitless.nodes.plugins.module_utils.frr import neighbor_json
from ansible_collections.hitless.nodes.tests.unit import frr_samples as samples
from hypothesis import given
from hypothesis import strategies as st

RESTART, HOLD = 10, 6


def session(*, established: bool = True, hold: int | None = HOLD, **restart: Any) -> dict[str, Any]:
    """A session as frr_bgp_info returns it: graceful restart with N bit, unless restart says otherwise."""
    known = {
        "negotiated": True,
        "families": ["ipv4"],
        "notification": True,
        "restart_time": RESTART,
        "remaining": None,
        "long_lived": False,
        "long_lived_stale_time": None,
    }
    return {
        "vrf": "default",
        "address": "192.0.2.11",
        "established": established,
        "hold_time": hold,
        "accepted": {"ipv4": 3},
        "graceful_restart": known | restart,
    }


def seconds(event: str, *sessions: dict[str, Any], **options: Any) -> float:
    """The bound, infinite where there is none."""
    found = estimate(event, {"tor-1": list(sessions)}, **options)
    assert found["unbounded"] is (found["seconds"] is None)
    return float("inf") if found["unbounded"] else found["seconds"]


# What FRR 8.4.4 and 10.3 say of a session in each column, and the seconds that were measured on both. GoBGP's version
# can't be known from the router; neither can the router's own "no bgp graceful-restart notification".
OFF = session(negotiated=False, families=None, notification=False, restart_time=0)
WITHOUT_N = session(notification=False)
WITH_N = session()
DISABLED = session(negotiated=False, notification=False)


@pytest.mark.parametrize(
    ("event", "facts", "measured", "expected"),
    [
        ("prefix_withdrawn", OFF, 0.1, PROCESSING),
        ("prefix_withdrawn", WITHOUT_N, 0.1, PROCESSING),
        ("prefix_withdrawn", WITH_N, 0.1, PROCESSING),
        ("prefix_withdrawn", DISABLED, 0.1, PROCESSING),
        ("deselected", OFF, 0.1, PROCESSING),
        ("deselected", WITHOUT_N, 0.1, PROCESSING),
        ("deselected", WITH_N, 10.1, RESTART + PROCESSING),
        ("deselected", DISABLED, 0.1, PROCESSING),
        ("agent_stops", OFF, 0.1, PROCESSING),
        ("agent_stops", WITHOUT_N, 10.1, RESTART + PROCESSING),
        ("agent_stops", WITH_N, 10.1, RESTART + PROCESSING),
        ("agent_stops", DISABLED, 0.1, PROCESSING),
        ("silent_loss", OFF, HOLD + 0.1, HOLD + PROCESSING),
        ("silent_loss", WITHOUT_N, HOLD + 0.1, HOLD + PROCESSING),
        ("silent_loss", WITH_N, HOLD + RESTART + 0.1, HOLD + RESTART + PROCESSING),
        ("silent_loss", DISABLED, HOLD + 0.1, HOLD + PROCESSING),
    ],
)
def test_estimate_is_no_shorter_than_measured(
    event: str, facts: dict[str, Any], measured: float, expected: int
) -> None:
    assert seconds(event, facts) == expected
    assert expected >= measured


def test_defaults_of_cilium_black_hole_for_210_seconds_after_a_power_cut() -> None:
    assert seconds("silent_loss", session(hold=90, restart_time=120)) == 210 + PROCESSING


def test_family_that_the_node_does_not_ask_for_goes_at_once() -> None:
    both = session() | {"accepted": {"ipv4": 1, "ipv6": 1}}
    found = estimate("agent_stops", {"tor-1": [both]})
    assert {row["family"]: row["seconds"] for row in found["sessions"]} == {
        "ipv4": RESTART + PROCESSING,
        "ipv6": PROCESSING,
    }
    assert found["seconds"] == RESTART + PROCESSING


def test_long_lived_graceful_restart_comes_after_the_restart_time() -> None:
    assert seconds("agent_stops", session(long_lived=True, long_lived_stale_time=3600)) == RESTART + 3600 + PROCESSING
    assert seconds("agent_stops", session(long_lived=True)) == float("inf")


@pytest.mark.parametrize("hold", [0, None])
def test_silent_loss_that_may_never_be_noticed_is_unbounded(hold: int | None) -> None:
    assert seconds("silent_loss", session(hold=hold)) == float("inf")
    assert seconds("deselected", session(hold=hold)) == RESTART + PROCESSING


def test_worst_session_of_all_routers_decides_and_is_named() -> None:
    slow = session(restart_time=120) | {"vrf": "blue", "address": "2001:db8::11", "accepted": {"ipv6": 2}}
    slow["graceful_restart"]["families"] = ["ipv6"]
    found = estimate("deselected", {"tor-1": [OFF], "tor-2": [WITH_N, slow], "tor-3": []})
    assert found["seconds"] == 120 + PROCESSING
    assert found["reason"] == (
        "router tor-2, session 2001:db8::11 in VRF blue, ipv6: kept as stale for the restart time of 120 s "
        "(received by the router), 2 s for the routers to act"
    )
    assert [row["seconds"] for row in found["sessions"]] == [2, 12, 122]


def test_session_that_is_down_counts_as_unknown() -> None:
    """Of a session that is down FRR shows the bits as false, and the configured hold time."""
    down = session(established=False, negotiated=None, notification=None, long_lived=None)
    assert {seconds(event, down) for event in EVENTS} == {float("inf")}
    cilium = [{"name": "tor-1", "peer_config": {"gracefulRestart": {"enabled": True}}, "hold_time": 90}]
    assert seconds("prefix_withdrawn", down, peers=cilium) == 120 + PROCESSING
    down["graceful_restart"]["remaining"] = 300
    assert seconds("deselected", down, peers=cilium) == 300 + PROCESSING
    assert seconds("deselected", down, peers=[peer(None)]) == 300 + PROCESSING


def test_router_that_was_not_asked_widens() -> None:
    found = estimate("deselected", {"tor-1": [WITH_N], "tor-2": None})
    assert found["unbounded"]
    assert found["reason"].startswith(
        "router tor-2, which wasn't asked: perhaps kept as stale for the restart time of 4095 s"
    )
    assert "long-lived graceful restart may be negotiated" in found["reason"]


@pytest.mark.parametrize("routers", [{}, {"tor-1": []}])
def test_nothing_known_at_all_is_unbounded(routers: dict[str, Any]) -> None:
    found = estimate("deselected", routers)
    assert found["unbounded"]
    assert found["reason"].startswith("a session that nothing is known of: perhaps kept as stale")


def peer(graceful_restart: dict[str, Any] | None, *, hold: int | None = 90, name: str = "tor-1") -> dict[str, Any]:
    spec = {"timers": {"holdTimeSeconds": 90}}
    return {
        "name": name,
        "peer_config": spec | ({"gracefulRestart": graceful_restart} if graceful_restart else {}),
        "hold_time": hold,
    }


@pytest.mark.parametrize(
    ("event", "peers", "expected"),
    [
        ("deselected", [peer(None)], PROCESSING),
        ("deselected", [peer({"enabled": False, "restartTimeSeconds": 300})], PROCESSING),
        ("deselected", [peer({"enabled": True})], 120 + PROCESSING),
        ("deselected", [peer(None), peer({"enabled": True, "restartTimeSeconds": 300})], 300 + PROCESSING),
        ("agent_stops", [peer({"enabled": True})], 120 + PROCESSING),
        ("silent_loss", [peer({"enabled": True})], 210 + PROCESSING),
        ("silent_loss", [peer(None)], 90 + PROCESSING),
        # A router with hold time 0 switches it off, whatever the PeerConfig says.
        ("silent_loss", [peer(None, hold=None)], float("inf")),
        ("silent_loss", [peer(None), peer(None, hold=0)], float("inf")),
        ("deselected", [peer(None), {"name": "tor-2", "peer_config": None, "hold_time": 90}], float("inf")),
    ],
)
def test_estimate_from_what_cilium_knows(event: str, peers: list[dict[str, Any]], expected: float) -> None:
    assert seconds(event, peers=peers) == expected


def test_estimate_from_what_cilium_knows_names_peer_and_source() -> None:
    found = estimate("silent_loss", {}, [peer({"enabled": True}, name="rack-1")])
    assert found["reason"] == (
        "peer rack-1: noticed after the hold time of 90 s (that the agent reports), perhaps kept as stale for the "
        "restart time of 120 s (of the CiliumBGPPeerConfig), 2 s for the routers to act"
    )
    assert found["sessions"][0]["session"] == "rack-1"


def test_what_the_router_says_wins_over_what_the_node_asks_for() -> None:
    cilium = [peer({"enabled": True, "restartTimeSeconds": 300})]
    assert seconds("deselected", WITH_N, peers=cilium) == RESTART + PROCESSING
    assert seconds("deselected", session(restart_time=None), peers=cilium) == 300 + PROCESSING
    assert seconds("deselected", session(restart_time=None)) == LONGEST_RESTART + PROCESSING
    assert seconds("deselected", session(negotiated=None), peers=[peer(None)]) == PROCESSING


@pytest.mark.parametrize("version", samples.VERSIONS)
def test_recorded_answers_of_frr(version: str) -> None:
    """The recorded session has restart time 25 and hold time 9."""

    def neighbor(name: str) -> dict[str, Any]:
        found = neighbor_json.neighbor(samples.document(version, name), samples.NODE4)
        assert found is not None
        return {"vrf": "default", **found}

    up = neighbor("established.neighbor")
    assert seconds("deselected", up) == seconds("agent_stops", up) == 25 + PROCESSING
    assert seconds("silent_loss", up) == 9 + 25 + PROCESSING
    assert seconds("deselected", neighbor("stale.neighbor")) == float("inf")


def test_event_that_nobody_knows_is_refused() -> None:
    with pytest.raises(HitlessError, match=r"no estimate for event 'reboot': one of prefix_withdrawn, deselected, "):
        estimate("reboot", {})


events = st.sampled_from(EVENTS)
times = st.integers(0, 4095)
flags = st.one_of(st.none(), st.booleans())
restarts = st.fixed_dictionaries(
    {
        "negotiated": flags,
        "families": st.sampled_from([None, [], ["ipv4"], ["ipv6"]]),
        "notification": flags,
        "restart_time": st.one_of(st.none(), times),
        "remaining": st.one_of(st.none(), times),
        "long_lived": flags,
        "long_lived_stale_time": st.one_of(st.none(), times),
    }
)
sessions = st.builds(
    lambda established, hold, restart: session(established=established, hold=hold, **restart),
    st.booleans(),
    st.one_of(st.none(), st.integers(3, 65535)),
    restarts,
)
offers = st.lists(
    st.builds(
        lambda restart, hold: peer(restart and {"enabled": True, "restartTimeSeconds": restart}, hold=hold),
        st.one_of(st.none(), st.integers(1, 4095)),
        st.one_of(st.none(), st.integers(3, 65535)),
    ),
    max_size=2,
)


@given(events, sessions, offers, times, st.integers(0, 100))
def test_longer_timers_never_shorten(
    event: str, facts: dict[str, Any], peers: list[dict[str, Any]], restart: int, more: int
) -> None:
    short = facts | {
        "hold_time": 3 + restart,
        "graceful_restart": facts["graceful_restart"] | {"restart_time": restart},
    }
    long = short | {"hold_time": 3 + restart + more}
    longer = long | {"graceful_restart": facts["graceful_restart"] | {"restart_time": restart + more}}
    found = [seconds(event, each, peers=peers) for each in (short, long, longer)]
    assert found == sorted(found)


@given(events, sessions, st.sampled_from(["negotiated", "families", "notification", "restart_time", "long_lived"]))
def test_unknown_is_never_shorter_than_known(event: str, facts: dict[str, Any], lost: str) -> None:
    blurred = facts | {"graceful_restart": facts["graceful_restart"] | {lost: None}}
    assert seconds(event, blurred) >= seconds(event, facts)
    assert seconds(event, facts | {"hold_time": None}) >= seconds(event, facts)
    assert seconds(event, facts | {"established": None}) >= seconds(event, facts)
    assert seconds(event, facts | {"graceful_restart": None}) >= seconds(event, facts | {"established": True})


@given(events, sessions, sessions, offers)
def test_slowest_session_decides(
    event: str, one: dict[str, Any], other: dict[str, Any], peers: list[dict[str, Any]]
) -> None:
    alone = [seconds(event, each, peers=peers) for each in (one, other)]
    assert seconds(event, one, other, peers=peers) == max(alone)


MEASURED = {"event": "deselected", "seconds": 0.4, "at": "2026-03-02", "router": "tor-1", "family": "ipv6"}


def bound(unchanged: bool, *, facts: dict[str, Any] | None = None, event: str = "deselected", **changes: Any) -> Any:
    found = with_measured(estimate(event, {"tor-1": [facts or WITH_N]}), MEASURED | changes, unchanged=unchanged)
    assert found["unbounded"] is (found["seconds"] is None)
    return found["seconds"]


def test_what_was_measured_counts_as_long_as_nothing_has_changed() -> None:
    assert bound(True) == 1 + PROCESSING
    assert bound(True, seconds=40.0) == 40 + PROCESSING
    assert bound(True, facts=session(long_lived=True)) == 1 + PROCESSING


def test_what_was_measured_with_other_settings_only_lengthens() -> None:
    assert bound(False) == RESTART + PROCESSING
    assert bound(False, seconds=40.0) == 40 + PROCESSING
    assert bound(False, facts=session(long_lived=True)) is None


@pytest.mark.parametrize("unchanged", [True, False])
def test_what_was_measured_says_nothing_of_other_events(unchanged: bool) -> None:
    assert bound(unchanged, event="agent_stops", seconds=40.0) == RESTART + PROCESSING


@given(sessions, offers, st.floats(0, 5000), st.booleans())
def test_no_bound_is_shorter_than_measured(
    facts: dict[str, Any], peers: list[dict[str, Any]], measured: float, unchanged: bool
) -> None:
    found = with_measured(
        estimate("deselected", {"tor-1": [facts]}, peers), MEASURED | {"seconds": measured}, unchanged=unchanged
    )
    assert found["unbounded"] or found["seconds"] >= measured


def test_restart_time_that_the_agent_still_has_counts_beside_the_peer_config() -> None:
    applied = peer({"enabled": True}) | {"graceful_restart": {"enabled": True, "restart_time": 300}}
    assert seconds("deselected", peers=[applied]) == 300 + PROCESSING
    applied = peer(None) | {"graceful_restart": {"enabled": True, "restart_time": None}}
    assert seconds("deselected", peers=[applied]) == LONGEST_RESTART + PROCESSING
    applied = peer(None) | {"graceful_restart": {"enabled": False, "restart_time": None}}
    assert seconds("deselected", peers=[applied]) == PROCESSING
