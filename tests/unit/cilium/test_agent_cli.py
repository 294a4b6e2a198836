# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import base64
import json

import pytest
from ansible_collections.hitless.nodes.plugins.module_utils.cilium import agent_cli

# As Cilium 1.15 to 1.19 answer cilium-dbg bgp peers -o json: api/v1/models, zero values left out.
API = [
    {
        "applied-hold-time-seconds": 9,
        "families": [{"advertised": 3, "afi": "ipv4", "safi": "unicast"}],
        "graceful-restart": {"enabled": True, "restart-time-seconds": 20},
        "local-asn": 65432,
        "local-capabilities": None,
        "peer-address": "192.0.2.1",
        "peer-asn": 62112,
        "peer-port": 179,
        "session-state": "established",
        "uptime-nanoseconds": 61_000_000_001,
    },
    {"families": None, "local-asn": 65432, "peer-address": "2001:db8::1", "peer-asn": 62112, "session-state": "active"},
]
# As cilium-dbg shell -- bgp/peers --format json answers in newer releases: pkg/bgp/types.PeerState by instance.
SHELL = [
    {
        "name": "main",
        "peers": [
            {
                "name": "tor-1",
                "peer-address": "192.0.2.1",
                "peer-port": 179,
                "peer-asn": 62112,
                "local-asn": 65432,
                "session-state": 6,
                "uptime-nanoseconds": 61_000_000_001,
                "families": [{"afi": 1, "safi": 1, "advertised": 3}],
                "timers": {"applied-hold-nanoseconds": 9_000_000_000},
                "graceful-restart": {"enabled": True, "restart-time-nanoseconds": 20_000_000_000},
                "local-capabilities": [{}],
                "remote-capabilities": None,
            }
        ],
    },
    {"name": "empty"},
]
# As pkg/bgp/commands prints them (checked with the expectations in Cilium's pkg/bgp/test/testdata/commands.txtar).
LOC = """\
Instance    Prefix          NextHop   Best   Age
instance0   10.244.0.0/24   0.0.0.0   true   1h2m3s
instance1   10.244.0.0/24   0.0.0.0   true   -
"""
OUT = """\
Instance    Peer    Prefix             NextHop           Age
instance0   peer0   fd00:10:244::/64   fd00:10:99:7::5   4s
                    fd00:10:245::/64   fd00:10:99:7::5   4s
            peer1   fd00:10:244::/64   fd00:10:99:7::5   4s
instance1   peer0   fd00:10:244::/64   fd00:10:99:7::6   4s
"""
POLICIES = """\
Instance    Policy Name          Type     Match Peers                 Match Families   Match Prefixes (Min..Max Len)   \
RIB Action   Path Actions
instance0   allow-local          import                                                                                \
accept
instance0   peer0-ipv4-PodCIDR   export   (any) {10.0.0.1} {fd00::1}   ipv4/unicast     10.244.0.0/24 (24..24)         \
accept       {SetLocalPreference: 200} {AddCommunities: [65000:1 65000:2]}
"""


def encoded(*attributes):
    return [{"base64": base64.b64encode(bytes(raw)).decode()} for raw in attributes]


def test_sessions_with_zero_values_left_out():
    first, second = agent_cli.sessions(json.dumps(API))
    assert (first["address"], first["established"], first["uptime"], first["hold_time"]) == ("192.0.2.1", True, 61, 9)
    assert first["graceful_restart"] == {"enabled": True, "restart_time": 20}
    assert first["routes"] == [{"afi": "ipv4", "safi": "unicast", "advertised": 3, "received": 0}]
    assert (second["state"], second["established"], second["uptime"], second["routes"]) == ("active", False, None, [])
    assert second["graceful_restart"] == {"enabled": False, "restart_time": None}


def test_sessions_of_the_shell_are_the_same_with_names():
    (session,) = agent_cli.sessions(json.dumps(SHELL))
    assert session == {**agent_cli.sessions(json.dumps(API))[0], "instance": "main", "peer": "tor-1"}


@pytest.mark.parametrize("text", ["null", "[]", " [ ] \n"])
def test_sessions_of_an_agent_without_any(text):
    assert agent_cli.sessions(text) == []


@pytest.mark.parametrize("state", [None, 0, 7, "", True, "unknown"])
def test_a_session_without_a_state_is_unknown(state):
    (session,) = agent_cli.sessions(json.dumps([{"peer-address": "192.0.2.1", "session-state": state}]))
    assert (session["state"], session["established"]) == ("unknown", None)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "BGP Control Plane is disabled",
        '[{"peer-address": "192.0.2.1"',
        "{}",
        '{"warning": "x"}',
        "[1]",
        "[{}]",
        '[{"peer-address": 1}]',
        '[{"name": "main", "peers": [{}]}]',
    ],
)
def test_what_is_no_list_of_sessions_is_not_understood(text):
    with pytest.raises(agent_cli.NotUnderstood, match="the agent's answer"):
        agent_cli.sessions(text)


@pytest.mark.parametrize(
    ("rc", "stdout", "stderr", "lacks"),
    [
        (1, "", 'Error: unknown command "bgp" for "cilium-dbg"', True),
        (0, 'unknown command "bgp/peers"', "", True),
        (0, "unknown flag: --format", "", True),
        (0, "Access to BGP control plane\n\nUsage:\n  cilium-dbg bgp [command]", "", True),
        (1, "", "Error: cannot get peers list: connection refused", False),
        (0, "[]", 'Command "peers" is deprecated, use "cilium-dbg shell -- bgp/peers" instead. Usage: x', False),
        (0, "BGP Control Plane is disabled", "", False),
    ],
)
def test_lacks_command(rc, stdout, stderr, lacks):
    assert agent_cli.lacks_command(rc, stdout, stderr) == lacks


def test_routes_with_their_path_attributes():
    local = {
        "best": True,
        "age-nanoseconds": 5_000_000_000,
        "path-attributes": encoded([64, 1, 1, 0], [64, 3, 4, 0, 0, 0, 0]),
    }
    (route,) = agent_cli.routes(
        json.dumps([{"router-asn": 65432, "prefix": "10.1.0.0/24", "paths": [local]}]), "cilium", "ipv4"
    )
    assert (route["prefix"], route["next_hop"], route["best"], route["age"]) == ("10.1.0.0/24", "0.0.0.0", True, 5)
    assert (route["communities"], route["local_preference"], route["peer"]) == ([], None, None)
    hop6 = [0x20, 1, 0x0D, 0xB8, *[0] * 11, 0x13]
    reach = [0x90, 14, 0, 21, 0, 2, 1, 16, *hop6, 0]
    tagged = encoded(reach, [64, 5, 4, 0, 0, 0, 100], [192, 8, 4, 255, 255, 0, 0], [192, 32, 12, *[0, 0, 0, 7] * 3])
    answer = [{"neighbor": "192.0.2.1", "prefix": "2001:db8::/64", "paths": [{"path-attributes": tagged}]}]
    (route,) = agent_cli.routes(json.dumps(answer), "cilium-dbg", "ipv6")
    assert (route["peer"], route["next_hop"], route["local_preference"]) == ("192.0.2.1", "2001:db8::13", 100)
    assert (route["communities"], route["large_communities"]) == (["65535:0"], ["7:7:7"])


@pytest.mark.parametrize("attributes", [{}, {3: b"12"}, {14: b"\x00\x02\x01"}, {14: b"\x00\x02\x01\x10123"}])
def test_next_hop_of_broken_attributes(attributes):
    assert agent_cli.next_hop(attributes) is None


def test_routes_of_the_shell():
    first, second = agent_cli.routes(LOC, "shell", "ipv4")
    assert (first["instance"], first["prefix"], first["next_hop"], first["age"]) == (
        "instance0",
        "10.244.0.0/24",
        "0.0.0.0",
        3723,
    )
    assert (second["instance"], second["best"], second["age"], second["peer"]) == ("instance1", True, None, None)
    rows = agent_cli.routes(OUT, "shell", "ipv6")
    assert [(row["instance"], row["peer"], row["prefix"]) for row in rows] == [
        ("instance0", "peer0", "fd00:10:244::/64"),
        ("instance0", "peer0", "fd00:10:245::/64"),
        ("instance0", "peer1", "fd00:10:244::/64"),
        ("instance1", "peer0", "fd00:10:244::/64"),
    ]


@pytest.mark.parametrize(
    "text", ["", "something else\n", "VRouter   Prefix   NextHop\n64512   10.1.0.0/24   0.0.0.0\n"]
)
def test_another_table_is_not_understood(text):
    with pytest.raises(agent_cli.NotUnderstood, match="isn't the table expected"):
        agent_cli.routes(text, "shell", "ipv4")


def test_policies_of_both_forms():
    statement = {
        "add-communities": ["65000:1", "65000:2"],
        "match-families": [{"afi": "ipv4", "safi": "unicast"}],
        "match-neighbors": ["10.0.0.1", "fd00::1"],
        "match-prefixes": [{"cidr": "10.244.0.0/24", "prefix-len-min": 24, "prefix-len-max": 24}],
        "route-action": "accept",
        "set-local-preference": 200,
    }
    answer = [{"router-asn": 65000, "name": "peer0-ipv4-PodCIDR", "type": "export", "statements": [statement]}]
    (from_json,) = agent_cli.policies(json.dumps(answer), "cilium-dbg")
    local, from_table = agent_cli.policies(POLICIES, "shell")
    assert from_json["statements"] == from_table["statements"]
    assert (from_table["instance"], from_table["name"], from_table["type"]) == (
        "instance0",
        "peer0-ipv4-PodCIDR",
        "export",
    )
    assert local["statements"][0] == {
        "match_neighbors": [],
        "match_families": [],
        "match_prefixes": [],
        "action": "accept",
        "local_preference": None,
        "communities": [],
        "large_communities": [],
    }


def test_policies_of_newer_agents_match_by_kind():
    match = {"type": "any", "neighbors": ["10.0.0.1"]}
    answer = [{"name": "p", "statements": [{"match-neighbors": match, "set-local-preference": -1}]}]
    ((statement,),) = [policy["statements"] for policy in agent_cli.policies(json.dumps(answer), "cilium-dbg")]
    assert (statement["match_neighbors"], statement["local_preference"]) == (["10.0.0.1"], None)
