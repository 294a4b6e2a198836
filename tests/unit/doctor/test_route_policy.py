# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is read of FRR's running configuration, and what it does with a prefix from a neighbour."""

from __future__ import annotations

import json

import pytest
from ansible_collections.hitless.nodes.plugins.module_utils.doctor import route_policy
from ansible_collections.hitless.nodes.plugins.module_utils.frr.answers import UnknownError
from ansible_collections.hitless.nodes.plugins.module_utils.frr.running_config import configuration
from ansible_collections.hitless.nodes.tests.unit import frr_samples as samples

CONFIG = """
frr version 10.3
frr defaults traditional
!
ip prefix-list vips seq 20 permit 198.51.100.0/24 le 32
ip prefix-list vips seq 10 deny 198.51.100.66/32
ip prefix-list hosts seq 5 permit 203.0.113.0/24 ge 32
ip prefix-list wide seq 5 permit 203.0.113.0/24 ge 26 le 30
ip prefix-list all seq 5 permit any
ip prefix-list described description nothing else
ipv6 prefix-list six seq 5 permit 2001:db8::/64 le 128
!
route-map in permit 10
 match ip address prefix-list vips
exit
!
route-map in deny 20
 match ip address prefix-list wide
exit
!
route-map in6 permit 10
 match ipv6 address prefix-list six
exit
!
route-map tagged permit 10
 match community blue
exit
!
route-map both permit 10
 match community blue
 match ip address prefix-list hosts
exit
!
route-map chained permit 10
 on-match next
exit
!
route-map empty deny 10
exit
!
route-map of-nothing permit 10
 match ip address prefix-list described
exit
!
router bgp 62112
 no bgp default ipv4-unicast
 neighbor KUBE peer-group
 neighbor KUBE remote-as 65432
 neighbor KUBE password very-secret
 neighbor KUBE port 1790
 neighbor 192.0.2.11 peer-group KUBE
 neighbor 192.0.2.12 remote-as internal
 neighbor 192.0.2.12 local-as 65000 no-prepend
 neighbor 192.0.2.13 remote-as 65432
 neighbor 192.0.2.13 shutdown message gone
 neighbor 192.0.2.13 passive
 neighbor 192.0.2.13 ebgp-multihop 3
 neighbor eth1 interface v6only remote-as external
 bgp listen range 192.0.2.128/25 peer-group KUBE
 !
 address-family ipv4 unicast
  neighbor KUBE activate
  neighbor KUBE route-map in in
  neighbor 192.0.2.12 activate
  neighbor 192.0.2.12 prefix-list all out
  neighbor 192.0.2.13 activate
  neighbor 192.0.2.13 prefix-list vips in
  neighbor 192.0.2.13 route-map in6 in
  neighbor eth1 activate
 exit-address-family
 !
 address-family ipv6 unicast
  neighbor 192.0.2.11 activate
  neighbor 192.0.2.11 route-map in6 in
 exit-address-family
 !
 address-family l2vpn evpn
  neighbor 192.0.2.11 activate
  neighbor 192.0.2.11 route-map empty in
 exit-address-family
exit
!
router bgp 62113 vrf blue
 no bgp ebgp-requires-policy
 neighbor 192.0.2.21 remote-as 65432
exit
!
end
"""


@pytest.fixture
def config():
    return configuration(CONFIG)


def neighbor(config, name, vrf="default"):
    instance = next(each for each in config["instances"] if each["vrf"] == vrf)
    return instance, next(each for each in instance["neighbors"] if each["name"] == name)


def verdict(config, name, prefix, vrf="default"):
    found = route_policy.accepts(config, *neighbor(config, name, vrf), prefix)
    return found.accepted, found.why


@pytest.mark.parametrize("version", samples.VERSIONS)
def test_a_recorded_configuration_is_read(version):
    config = configuration(samples.text(version, "established.running-config"))
    (instance,) = config["instances"]
    assert (instance["vrf"], instance["asn"], instance["requires_policy"]) == ("default", "62112", True)
    own = {each["name"]: each for each in instance["neighbors"]}
    assert list(own) == ["192.168.99.12", "192.168.99.13", "192.168.99.14", "192.168.99.11"]
    assert own["192.168.99.12"]["remote_as"] == "65432"
    assert own["192.168.99.12"]["families"]["ipv4"]["route_map"] == "IN"
    assert own["192.168.99.12"]["families"]["ipv6"] == {
        "active": True,
        "route_map": "IN6",
        "prefix_list": None,
        "filter_list": None,
        "distribute_list": None,
    }
    assert [entry["text"] for entry in config["prefix_lists"]["ipv4"]["KUBE"]] == [
        "seq 5 permit 192.168.77.0/24 le 32",
        "seq 6 permit 10.0.0.0/8 le 32",
    ]
    assert verdict(config, "192.168.99.12", samples.VIP4)[0] is True
    assert verdict(config, "192.168.99.12", samples.VIP6)[0] is True
    assert verdict(config, "192.168.99.12", "203.0.113.1/32")[0] is False


@pytest.mark.parametrize("version", samples.VERSIONS)
def test_a_recorded_unnumbered_session_is_read(version):
    config = configuration(samples.text(version, "unnumbered.running-config"))
    _instance, found = neighbor(config, "p2p")
    assert (found["address"], found["remote_as"], found["families"]["ipv4"]["route_map"]) == (None, "external", "all")


def test_no_password_is_ever_in_it(config):
    text = json.dumps(config)
    assert "very-secret" not in text
    assert neighbor(config, "192.0.2.11")[1]["password"] is True
    assert neighbor(config, "192.0.2.13")[1]["password"] is False


def test_peer_groups_pass_on_what_they_have(config):
    instance, found = neighbor(config, "192.0.2.11")
    assert (found["peer_group"], found["remote_as"], found["port"]) == ("KUBE", "65432", 1790)
    assert found["families"]["ipv4"]["active"] is True
    assert found["families"]["ipv6"] == {**found["families"]["ipv6"], "active": True, "route_map": "in6"}
    (wide,) = instance["ranges"]
    assert (wide["prefix"], wide["peer_group"], wide["remote_as"]) == ("192.0.2.128/25", "KUBE", "65432")


def test_settings_of_a_neighbour(config):
    _instance, found = neighbor(config, "192.0.2.13")
    assert (found["shutdown"], found["passive"], found["multihop"], found["port"]) == (True, True, 3, None)
    assert neighbor(config, "192.0.2.12")[1]["local_as"] == "65000"
    assert neighbor(config, "192.0.2.21", "blue")[1]["families"]["ipv4"]["active"] is True


@pytest.mark.parametrize(
    ("head", "wanted"),
    [
        ("frr version 8.4.4\nfrr defaults traditional", True),
        ("frr version 7.3", False),
        ("frr version 10.3\nfrr defaults datacenter", False),
        ("hostname x", True),
    ],
)
def test_when_ebgp_requires_a_policy(head, wanted):
    config = configuration(f"{head}\nrouter bgp 1\n neighbor 192.0.2.1 remote-as 2\nexit\n")
    assert config["instances"][0]["requires_policy"] is wanted
    assert verdict(config, "192.0.2.1", "198.51.100.1/32")[0] is not wanted


def test_an_empty_answer_is_unknown():
    with pytest.raises(UnknownError, match="is empty"):
        configuration("Building configuration...\n\n")


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
    assert "has no policy for ipv4" in verdict(config, "eth1", "198.51.100.10/32")[1]
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
