# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a router does with a prefix from a neighbour, by its running configuration."""

from __future__ import annotations

import pytest
from ansible_collections.hitless.nodes.plugins.module_utils.doctor import route_policy
from ansible_collections.hitless.nodes.plugins.module_utils.frr.running_config import configuration
from ansible_collections.hitless.nodes.tests.unit import frr_samples as samples
from ansible_collections.hitless.nodes.tests.unit.frr_config import CONFIG, neighbor


@pytest.fixture
def config():
    return configuration(CONFIG)


def verdict(config, name, prefix, vrf="default"):
    found = route_policy.accepts(config, *neighbor(config, name, vrf), prefix)
    return found.accepted, found.why


@pytest.mark.parametrize("version", samples.VERSIONS)
def test_a_recorded_configuration(version):
    config = configuration(samples.text(version, "established.running-config"))
    assert verdict(config, "192.168.99.12", samples.VIP4)[0] is True
    assert verdict(config, "192.168.99.12", samples.VIP6)[0] is True
    assert verdict(config, "192.168.99.12", "203.0.113.1/32")[0] is False


@pytest.mark.parametrize(
    ("head", "wanted"),
    [
        ("frr version 8.4.4\nfrr defaults traditional", True),
        ("frr version 7.3", False),
        ("frr version 10.3\nfrr defaults datacenter", False),
        ("hostname x", True),
    ],
)
def test_a_policy_that_is_missing(head, wanted):
    config = configuration(f"{head}\nrouter bgp 1\n neighbor 192.0.2.1 remote-as 2\nexit\n")
    assert verdict(config, "192.0.2.1", "198.51.100.1/32")[0] is not wanted


@pytest.mark.parametrize(
    ("name", "prefix", "accepted"),
    [
        ("vips", "198.51.100.10/32", True),
        ("vips", "198.51.100.66/32", False),
        ("vips", "198.51.100.0/24", True),
        ("vips", "203.0.113.1/32", False),
        ("hosts", "203.0.113.1/32", True),
        ("hosts", "203.0.113.0/28", False),
        ("wide", "203.0.113.0/28", True),
        ("wide", "203.0.113.0/25", False),
        ("wide", "203.0.113.1/32", False),
        ("all", "192.0.2.0/24", True),
        ("six", "2001:db8::1/128", True),
        ("six", "2001:db8:1::1/128", False),
        ("nowhere", "198.51.100.10/32", False),
        # One without a line lets all in, but no entry of a route-map matches by it.
        ("described", "198.51.100.10/32", True),
        # Lists of IPv4 and IPv6 are two name spaces.
        ("vips", "2001:db8::1/128", False),
    ],
)
def test_prefix_lists(config, name, prefix, accepted):
    found = route_policy.prefix_list(config, name, prefix)
    assert found.accepted is accepted
    assert accepted or found.remedy


def test_a_near_miss_says_which_lengths_pass(config):
    assert "only lengths /26 to /30 pass" in route_policy.prefix_list(config, "wide", "203.0.113.1/32").why
    assert "only lengths /32 pass" in route_policy.prefix_list(config, "hosts", "203.0.113.0/28").why


@pytest.mark.parametrize(
    ("name", "prefix", "accepted", "said"),
    [
        ("in", "198.51.100.10/32", True, "route-map in permit 10"),
        ("in", "203.0.113.0/28", False, "route-map in deny 20 refuses"),
        ("in", "192.0.2.0/24", False, "prefix-list vips has no line for"),
        ("in6", "198.51.100.10/32", False, "no entry of route-map in6 permits"),
        ("tagged", "198.51.100.10/32", None, "'match community blue' can't be judged"),
        ("both", "198.51.100.10/32", False, "prefix-list hosts has no line"),
        ("both", "203.0.113.9/32", None, "can't be judged"),
        ("chained", "198.51.100.10/32", None, "on-match next"),
        ("empty", "198.51.100.10/32", False, "route-map empty deny 10 refuses"),
        ("of-nothing", "198.51.100.10/32", False, "prefix-list described has no line, so the entry matches nothing"),
        ("nowhere", "198.51.100.10/32", False, "route-map nowhere isn't defined"),
    ],
)
def test_route_maps(config, name, prefix, accepted, said):
    found = route_policy.route_map(config, name, prefix)
    assert found.accepted is accepted
    assert said in found.why


def test_what_a_neighbour_may_announce(config):
    assert verdict(config, "192.0.2.11", "198.51.100.10/32")[0] is True
    # Over iBGP no policy is needed, and an outbound list isn't one.
    assert verdict(config, "192.0.2.12", "198.51.100.10/32")[0] is True
    # Both lists must let it in.
    assert verdict(config, "192.0.2.13", "198.51.100.10/32") == (
        False,
        "no entry of route-map in6 permits 198.51.100.10/32",
    )
    assert "has no inbound policy for ipv4" in verdict(config, "eth1", "198.51.100.10/32")[1]
    assert "isn't activated for ipv6" in verdict(config, "192.0.2.13", "2001:db8::1/128")[1]
    assert verdict(config, "192.0.2.21", "198.51.100.10/32", "blue")[0] is True


def test_lists_that_are_not_read_are_unknown(config):
    for key, words in (("filter_list", "filter-list x"), ("distribute_list", "distribute-list x")):
        instance, found = neighbor(config, "192.0.2.11")
        found["families"]["ipv4"][key] = "x"
        said = route_policy.accepts(config, instance, found, "198.51.100.10/32")
        assert said.accepted is None
        assert words in said.why
        found["families"]["ipv4"][key] = None


def test_names_without_a_definition(config):
    assert route_policy.undefined(config) == []
    text = CONFIG.replace("ipv6 prefix-list six", "ipv6 prefix-list seven").replace(
        "prefix-list vips in", "prefix-list nil in"
    )
    text = text.replace("KUBE route-map in in", "KUBE route-map inn in")
    assert route_policy.undefined(configuration(text)) == [
        ("route-map in6 permit 10", "ipv6 prefix-list six"),
        ("neighbor 192.0.2.11 (ipv4)", "route-map inn"),
        ("neighbor 192.0.2.13 (ipv4)", "ip prefix-list nil"),
    ]
