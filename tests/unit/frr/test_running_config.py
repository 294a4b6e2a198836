# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is read of FRR's running configuration."""

from __future__ import annotations

import json

import pytest
from ansible_collections.hitless.nodes.plugins.module_utils.frr.answers import UnknownError
from ansible_collections.hitless.nodes.plugins.module_utils.frr.running_config import configuration
from ansible_collections.hitless.nodes.tests.unit import frr_samples as samples
from ansible_collections.hitless.nodes.tests.unit.frr_config import CONFIG, neighbor


@pytest.fixture
def config():
    return configuration(CONFIG)


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


def test_an_empty_answer_is_unknown():
    with pytest.raises(UnknownError, match="is empty"):
        configuration("Building configuration...\n\n")
