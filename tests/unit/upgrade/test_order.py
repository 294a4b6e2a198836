# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from itertools import groupby

from ansible_collections.hitless.nodes.plugins.module_utils.upgrade.order import batches, batches_of, is_restarted, plan
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

# However slow the machine is.
settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")

NAMES = [f"w{number}" for number in range(12)]


@st.composite
def fleets(draw):
    """Hosts, their zones, a size, and which host is the first to be restarted (None: nobody is)."""
    hosts = draw(st.lists(st.sampled_from(NAMES), unique=True, min_size=1))
    zone = st.sampled_from(draw(st.sampled_from([["a", "b", "c"], ["a", "b", None], [None]])))
    zones = {host: draw(zone) for host in hosts}
    return hosts, zones, draw(st.integers(1, 5)), draw(st.sampled_from([None, *hosts]))


@given(fleets())
def test_every_host_is_in_one_batch_of_one_zone_that_is_not_too_large(fleet):
    hosts, zones, size, first = fleet
    found = batches(hosts, zones, size, first=first)
    assert sorted(host for batch in found for host in batch) == sorted(hosts)
    for batch in found:
        assert 1 <= len(batch) <= size
        assert len({zones[host] for host in batch}) == 1


@given(fleets())
def test_the_first_is_alone_and_before_all_others(fleet):
    hosts, zones, size, first = fleet
    found = batches(hosts, zones, size, first=first)
    if first is not None:
        assert found[0] == [first]


@given(fleets())
def test_a_zone_is_done_before_the_next_one_begins(fleet):
    hosts, zones, size, first = fleet
    order = [zones[host] for batch in batches(hosts, zones, size, first=first) for host in batch]
    runs = [zone for zone, _group in groupby(order) if zone is not None]
    assert len(runs) == len(set(runs))


@given(fleets())
def test_who_says_no_zone_where_others_do_is_alone(fleet):
    hosts, zones, size, first = fleet
    if any(zones.values()):
        for batch in batches(hosts, zones, size, first=first):
            assert len(batch) == 1 or zones[batch[0]] is not None


@given(fleets())
def test_the_order_of_the_hosts_is_kept_within_zones_and_between_them(fleet):
    hosts, zones, size, first = fleet
    order = [host for batch in batches(hosts, zones, size, first=first) for host in batch]
    rest = [host for host in order if host != first]
    for zone in {*zones.values()} - {None}:
        assert [h for h in rest if zones[h] == zone] == [h for h in hosts if zones[h] == zone and h != first]
    begun = list(dict.fromkeys(zones[host] for host in rest if zones[host] not in (None, zones.get(first))))
    assert begun == list(dict.fromkeys(zones[h] for h in hosts if zones[h] not in (None, zones.get(first))))


@given(fleets())
def test_what_is_left_of_a_run_goes_on_in_the_same_order(fleet):
    hosts, zones, size, first = fleet
    order = [host for batch in batches(hosts, zones, size, first=first) for host in batch]
    # A run that is resumed names what is left; unless what is left lost its zones, the order is the same.
    for done in range(len(order)):
        left = order[done:]
        if any(zones[host] is not None for host in left) or not any(zones.values()):
            again = batches(left, zones, size, first=left[0])
            assert [host for batch in again for host in batch] == left


def test_batches_of_two_in_three_zones():
    zones = {"w1": "a", "w2": "b", "w3": "a", "w4": "a", "w5": "b", "w6": "a", "w7": "c"}
    assert batches(list(zones), zones, 2, first="w2") == [["w2"], ["w5"], ["w1", "w3"], ["w4", "w6"], ["w7"]]
    assert batches(list(zones), zones, 1) == [["w1"], ["w3"], ["w4"], ["w6"], ["w2"], ["w5"], ["w7"]]


def test_without_any_zones_there_is_one():
    none = dict.fromkeys(["w1", "w2", "w3"])
    assert batches(list(none), none, 2, first="w1") == [["w1"], ["w2", "w3"]]
    assert batches([*none, "w4"], {**none, "w4": "a"}, 2, first="w1") == [["w1"], ["w2"], ["w3"], ["w4"]]


def agent(name, zone, *, restart=False):
    return {"name": name, "zone": zone, "restart": restart}


def test_an_agent_is_restarted_that_is_not_current_or_not_ready_or_concerned_by_the_change_to_come():
    good = {"current": True, "ready": True, "planned": True}
    assert not is_restarted(good, before_change=False)
    assert is_restarted(good, before_change=True)
    assert not is_restarted({**good, "planned": False}, before_change=True)
    assert is_restarted({**good, "current": False}, before_change=False)
    assert is_restarted({**good, "ready": False}, before_change=False)
    assert is_restarted({}, before_change=False)


def test_the_first_agent_that_is_restarted_is_alone_and_zones_are_not_mixed():
    hosts = {"w1": "w1", "w2": "worker-2", "w3": "w3", "w4": "w4", "w5": "w5"}
    agents = [
        agent("w1", "a"),
        agent("worker-2", "b", restart=True),
        agent("w3", "a", restart=True),
        agent("w4", "b", restart=True),
        agent("w5", "b", restart=True),
    ]
    assert batches_of(hosts, agents, 2) == [["w2"], ["w4", "w5"], ["w1", "w3"]]
    # A node without an agent is not known to have one of the present template.
    assert batches_of({"w9": "w9", "w1": "w1"}, agents, 2) == [["w9"], ["w1"]]


def test_the_plan_counts_the_agents_that_would_be_restarted():
    hosts = {"w1": "w1", "w2": "w2", "w3": "w3"}
    agents = [agent("w1", "a", restart=True), agent("w2", "b"), agent("w3", "a", restart=True)]
    found = batches_of(hosts, agents, 2)
    assert found == [["w1"], ["w3"], ["w2"]]
    assert plan(found, hosts, agents) == "2 of 3 agents would be restarted, in this order: w1; w3"
    assert plan([["w2"]], {"w2": "w2"}, agents) == "0 of 1 agents would be restarted"
