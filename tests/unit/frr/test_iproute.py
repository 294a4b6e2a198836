# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.hitless.nodes.plugins.module_utils.frr import iproute
from ansible_collections.hitless.nodes.plugins.module_utils.frr.answers import RouterError, UnknownError
from ansible_collections.hitless.nodes.tests.unit import frr_samples as samples

RECORDED = Path(__file__).parents[1] / "fixtures" / "ip" / "6.1.0"
LINES = (RECORDED / "batch.in").read_text().splitlines()

# Of each line of the recording: destination of the route that matched and its next hops; None = not forwarded.
EXPECTED = [
    ("10.9.0.0/24", ["10.1.0.11", "10.1.0.12"]),  # ECMP
    None,  # blackhole
    None,  # unreachable
    None,  # prohibit
    ("0.0.0.0/0", ["10.1.0.254"]),  # default route
    ("fd09::/64", ["fd01::11", "fd01::12"]),  # ECMP
    None,  # blackhole
    None,  # unreachable
    None,  # no route
    ("10.9.6.0/24", ["fe80::5"]),  # IPv4 over an IPv6 next hop
    ("10.1.0.1/32", []),  # the router itself
    ("10.1.0.0/24", []),  # connected
    ("10.9.4.0/24", ["10.1.0.12"]),  # next hop object
    ("10.9.5.0/24", ["10.1.0.12", "10.1.0.13"]),  # group of next hop objects
]


def recorded(name: str) -> str:
    return (RECORDED / name).read_text()


def batch(name: str) -> list[dict[str, Any] | None]:
    return iproute.results(LINES, recorded(f"{name}.out"), recorded(f"{name}.err"))


@pytest.mark.parametrize("number", range(len(LINES)))
def test_results_when_some_look_ups_fail_belong_to_their_lines(number: int) -> None:
    route = batch("batch.compat-1")[number]
    looked_up = LINES[number].split()[-1]
    found = route and (iproute.destination(route, looked_up), iproute.next_hops(route))
    assert found == EXPECTED[number]


def test_next_hops_when_only_an_object_is_named_are_unknown() -> None:
    routes = batch("batch.compat-0")
    assert [iproute.next_hops(route) for route in routes[12:] if route] == [None, None]


@pytest.mark.parametrize(
    ("stdout", "stderr", "words"),
    [
        ("", "", "answered 0 of 2"),
        ('[{"dst":"10.0.0.0/8"}]\n', "", "answered 1 of 2"),
        ('[{"dst":"10.0.0.0/8"}]\n[{"dst"', "", "answered 1 of 2"),
        ("[{}]\n[{}]\n[{}]\n", "", "answered 3 of 2"),
        ('[{"dst":"10.0.0.0/8"}]\n[]\n', "", "the answer to 'ip b' isn't understood"),
        ('{"dst":"10.0.0.0/8"}\n[{}]\n', "", "the answer to 'ip a' isn't understood"),
        ("10.0.0.0/8 via 10.1.0.11\n", "", "iproute2 with JSON"),
        ("", 'Error: argument "blue" is wrong: Invalid VRF\n', "Invalid VRF"),
        ("", "RTNETLINK answers: Operation not permitted\nCommand failed -:2\n", "'ip b' failed"),
        ("", "Error: inet prefix is expected\nCommand failed -:1\n", "'ip a' failed"),
    ],
)
def test_results_when_not_one_answer_each_are_unknown(stdout: str, stderr: str, words: str) -> None:
    with pytest.raises(UnknownError, match=words):
        iproute.results(["a", "b"], stdout, stderr)


def test_results_when_the_vrf_is_unknown_to_the_kernel() -> None:
    with pytest.raises(UnknownError, match="Invalid VRF; is the VRF's name right"):
        iproute.results(["a"], recorded("vrf.out"), recorded("vrf.err"))


def test_destination_when_there_is_none_is_unknown() -> None:
    with pytest.raises(UnknownError, match="has no destination"):
        iproute.destination({"gateway": "10.1.0.1"}, "10.9.0.1")


def test_destination_of_the_ipv6_default_route() -> None:
    assert iproute.destination({"dst": "default"}, "fd00::1") == "::/0"


@pytest.mark.parametrize(
    ("prefix", "expected"),
    [
        ("10.1.3.0/24", ["10.1.3.0", "10.1.3.255"]),
        ("192.0.2.1/32", ["192.0.2.1"]),
        ("fd00::/64", ["fd00::", "fd00::ffff:ffff:ffff:ffff"]),
    ],
)
def test_probes_are_the_first_and_the_last_address(prefix: str, expected: list[str]) -> None:
    assert iproute.probes(prefix) == expected


def test_look_up_names_the_vrf() -> None:
    assert iproute.look_up("10.1.0.1", "default") == "route get fibmatch 10.1.0.1"
    assert iproute.look_up("10.1.0.1", "blue") == "route get fibmatch 10.1.0.1 vrf blue"


@pytest.fixture
def ip(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> samples.Replay:
    program = samples.Replay(tmp_path / "bin", "ip")
    monkeypatch.setenv("PATH", str(program.folder))
    return program


NO_ROUTE = (2, "", "RTNETLINK answers: Network is unreachable\nCommand failed -:NUMBER\n")


def test_routes_when_a_more_specific_one_hides_the_first_address(ip: samples.Replay) -> None:
    ip.answers(
        {
            "route get fibmatch 10.1.0.0": (0, '[{"dst":"10.1.0.0/28","gateway":"192.0.2.9","dev":"x"}]\n', ""),
            "route get fibmatch 10.1.0.255": (0, '[{"dst":"10.1.0.0/24","gateway":"192.0.2.1","dev":"x"}]\n', ""),
            "route get fibmatch fd00::1": NO_ROUTE,
            "route get fibmatch 10.1.0.0 vrf blue": NO_ROUTE,
            "route get fibmatch 10.1.0.255 vrf blue": NO_ROUTE,
        }
    )
    found = iproute.Fib().routes({"default": ["10.1.0.0/24", "fd00::1/128"], "blue": ["10.1.0.0/24"]})
    assert [(entry["matched"], entry["next_hops"]) for entry in found] == [
        ("10.1.0.0/28", ["192.0.2.9"]),
        ("10.1.0.0/24", ["192.0.2.1"]),
    ]
    assert len(ip.asked()) == 1


def shown(*routes: dict[str, Any]) -> tuple[int, str, str]:
    return (0, json.dumps(routes) + "\n", "")


GROUP = {"dst": "fd88::/64", "nhid": 11, "nexthops": [{"gateway": "fd99::2", "dev": "x"}]}
DEFAULT = {"dst": "default", "nhid": 12, "metric": 20, "nexthops": [{"gateway": "fd99::3", "dev": "x"}]}
RIGHT = {"dst": "fd77::1", "nhid": 10, "metric": 20, "nexthops": [{"gateway": "fd99::1", "dev": "x"}]}


@pytest.mark.parametrize("named", [GROUP, DEFAULT, {"dst": "fd88::/64", "gateway": "fd99::2", "dev": "x"}])
def test_routes_when_the_kernel_may_answer_with_another_route_are_looked_up_in_its_table(
    ip: samples.Replay, named: dict[str, Any]
) -> None:
    """As seen on Linux 6.18 for IPv6 routes that share a next hop object, also if the answer holds the address."""
    ip.answers(
        {
            "route get fibmatch fd77::1": shown(named),
            "route get fibmatch fd77::2": shown(named),
            "route get fibmatch fd77::3": shown(named),
            "route get fibmatch fd77::9": shown({**RIGHT, "dst": "fd77::9"}),
            "route show match fd77::1/128": shown({**RIGHT, "metric": 1024, "nexthops": []}, DEFAULT, RIGHT),
            "route show match fd77::2/128": shown({"dst": "fd77::2", "type": "unreachable"}, DEFAULT),
            "route show match fd77::3/128": shown(),
        }
    )
    found = iproute.Fib().routes({"default": ["fd77::1/128", "fd77::2/128", "fd77::3/128", "fd77::9/128"]})
    assert [(entry["prefix"], entry["matched"], entry["next_hops"]) for entry in found] == [
        ("fd77::1/128", "fd77::1/128", ["fd99::1"]),
        ("fd77::9/128", "fd77::9/128", ["fd99::1"]),
    ]


def test_routes_in_a_vrf_are_looked_up_in_its_table_and_then_in_the_main_one(ip: samples.Replay) -> None:
    ip.answers(
        {
            "route get fibmatch fd77::1 vrf blue": shown(GROUP),
            "route get fibmatch fd77::2 vrf blue": shown(GROUP),
            "route show match fd77::1/128 vrf blue": shown(RIGHT),
            "route show match fd77::2/128 vrf blue": shown(),
            "route show match fd77::2/128": shown(DEFAULT),
        }
    )
    found = iproute.Fib().routes({"blue": ["fd77::1/128", "fd77::2/128"]})
    assert [(entry["matched"], entry["table"]) for entry in found] == [("fd77::1/128", None), ("::/0", 254)]


def test_an_answer_that_needs_no_second_look_gets_none(ip: samples.Replay) -> None:
    ip.answers(
        {
            "route get fibmatch fd77::1": shown(RIGHT),
            "route get fibmatch fd77::2": (0, '[{"dst":"default","gateway":"fd99::1","dev":"x"}]\n', ""),
            "route get fibmatch 10.1.0.1": shown({"dst": "default", "nhid": 4, "gateway": "10.0.0.1", "dev": "x"}),
        }
    )
    assert len(iproute.Fib().routes({"default": ["fd77::1/128", "fd77::2/128", "10.1.0.1/32"]})) == 3
    assert len(ip.asked()) == 1


def test_a_second_look_without_an_answer_is_unknown(ip: samples.Replay) -> None:
    ip.answers({"route get fibmatch fd77::1": shown(GROUP)})
    with pytest.raises(UnknownError, match="ip answered 0 of 1 questions for IPv6 routes"):
        iproute.Fib().routes({"default": ["fd77::1/128"]})


def test_routes_when_only_next_hop_objects_are_named_are_resolved(ip: samples.Replay) -> None:
    objects = zip(recorded("nexthop.in").splitlines(), recorded("nexthop.out").splitlines(), strict=True)
    ip.answers(
        {
            "route get fibmatch 10.9.4.7": (0, '[{"dst":"10.9.4.7","nhid":5,"flags":[]}]\n', ""),
            "route get fibmatch 10.9.5.7": (0, '[{"dst":"10.9.5.7","nhid":7,"flags":[]}]\n', ""),
        }
        | {command: (0, answer + "\n", "") for command, answer in objects}
    )
    found = iproute.Fib().routes({"default": ["10.9.4.7/32", "10.9.5.7/32"]})
    assert [entry["next_hops"] for entry in found] == [["10.1.0.12"], ["10.1.0.12", "10.1.0.13"]]


def test_routes_when_a_next_hop_object_went_away(ip: samples.Replay) -> None:
    ip.answers(
        {
            "route get fibmatch 10.9.4.7": (0, '[{"dst":"10.9.4.7","nhid":5,"flags":[]}]\n', ""),
            "nexthop get id 5": (2, "", "RTNETLINK answers: No such file or directory\nCommand failed -:NUMBER\n"),
        }
    )
    with pytest.raises(UnknownError, match="'ip nexthop get id 5' failed"):
        iproute.Fib().routes({"default": ["10.9.4.7/32"]})


def test_routes_when_ip_hangs(ip: samples.Replay) -> None:
    ip.path.write_text("#!/bin/sh\nexec /bin/sleep 60\n")
    with pytest.raises(UnknownError, match="no answer from ip to 1 route look-ups"):
        iproute.Fib(timeout=0.1).routes({"default": ["10.9.4.7/32"]})


def test_fib_when_there_is_no_ip(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(iproute, "SEARCH", str(tmp_path))
    with pytest.raises(RouterError, match="install iproute2"):
        iproute.Fib()
