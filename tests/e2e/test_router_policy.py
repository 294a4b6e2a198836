# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the doctor says that a router's policy lets in is what bgpd lets in: the same prefixes over many sessions, each
with a policy of its own."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from ipaddress import ip_address
from typing import Any

import pytest
from ansible_collections.hitless.nodes.plugins.module_utils.doctor import route_policy
from conftest import lab_name
from lab import bgp_source, lifecycle, network
from lab import settings as s
from lab.bgp_source import Source
from lab.settings import LabSettings
from test_router_sessions import ASN, CLIENT, Router

pytestmark = [pytest.mark.long, pytest.mark.xdist_group("policy")]

# The same in both families.
WORDS = {
    "ipv4": {
        "ip": "ip",
        "net": "198.51.100.0/24",
        "bits": "198.51.100.77/24",
        "half": "198.51.100.128/25",
        "host": "198.51.100.10/32",
        "odd": "198.51.100.66/32",
        "other": "203.0.113.9/32",
        "zero": "0.0.0.0/0",
        "low": "25",
        "high": "31",
        "full": "32",
    },
    "ipv6": {
        "ip": "ipv6",
        "net": "2001:db8:100::/64",
        "bits": "2001:db8:100::77/64",
        "half": "2001:db8:100:0:8000::/65",
        "host": "2001:db8:100::10/128",
        "odd": "2001:db8:100::66/128",
        "other": "2001:db8:200::9/128",
        "zero": "::/0",
        "low": "65",
        "high": "127",
        "full": "128",
    },
}
PREFIXES = [words[kind] for words in WORDS.values() for kind in ("net", "half", "host", "odd", "other", "zero")]

LIST, MAP = ["prefix-list {name} in"], ["route-map {name} in"]
NET = "{ip} prefix-list {name} seq 5 permit {net} le {full}"
MATCH = " match {ip} address prefix-list {name}"
# Name: what is configured once in each family, and what of the neighbour.
JUDGED: dict[str, tuple[list[str], list[str]]] = {
    "exact": (["{ip} prefix-list {name} seq 5 permit {net}"], LIST),
    "le": ([NET], LIST),
    "ge": (["{ip} prefix-list {name} seq 5 permit {net} ge {full}"], LIST),
    "between": (["{ip} prefix-list {name} seq 5 permit {net} ge {low} le {high}"], LIST),
    "host-bits": (["{ip} prefix-list {name} seq 5 permit {bits} le {full}"], LIST),
    "deny-before": (
        ["{ip} prefix-list {name} seq 10 permit {net} le {full}", "{ip} prefix-list {name} seq 5 deny {odd}"],
        LIST,
    ),
    "deny-after": (["{ip} prefix-list {name} seq 10 deny {odd}", NET], LIST),
    "unnumbered": (["{ip} prefix-list {name} deny {host}", "{ip} prefix-list {name} permit any"], LIST),
    "deny-only": (["{ip} prefix-list {name} seq 5 deny {odd}"], LIST),
    "any": (["{ip} prefix-list {name} seq 5 permit any"], LIST),
    "zero": (["{ip} prefix-list {name} seq 5 permit {zero}"], LIST),
    "zero-le": (["{ip} prefix-list {name} seq 5 permit {zero} le {full}"], LIST),
    "zero-ge": (["{ip} prefix-list {name} seq 5 permit {zero} ge {full}"], LIST),
    "undefined": ([], LIST),
    "described": (["{ip} prefix-list {name} description nothing else"], LIST),
    "no-policy": ([], []),
    "not-active": ([NET], ["prefix-list {name} in", "!activate"]),
    "map": ([NET, "route-map {name} permit 10", MATCH], MAP),
    "map-undefined": ([], MAP),
    "map-empty": (["route-map {name} permit 10"], MAP),
    "map-denies": (["route-map {name} deny 10", "route-map {name} permit 20"], MAP),
    "map-deny-first": ([NET, "route-map {name} deny 10", MATCH, "exit", "route-map {name} permit 20"], MAP),
    "map-deny-last": ([NET, "route-map {name} permit 20", "exit", "route-map {name} deny 10", MATCH], MAP),
    "map-near-miss": (["{ip} prefix-list {name} seq 5 permit {net}", "route-map {name} permit 10", MATCH], MAP),
    "map-of-denies": (
        ["{ip} prefix-list {name} seq 5 deny {net} le {full}", "route-map {name} permit 10", MATCH],
        MAP,
    ),
    "map-list-undefined": (["route-map {name} permit 10", MATCH], MAP),
    "map-list-undefined-then": (["route-map {name} permit 10", MATCH, "exit", "route-map {name} permit 20"], MAP),
    "map-denies-undefined": (["route-map {name} deny 10", MATCH, "exit", "route-map {name} permit 20"], MAP),
    "map-list-described": (
        ["{ip} prefix-list {name} description nothing else", "route-map {name} permit 10", MATCH],
        MAP,
    ),
    # Both families ask for both, of which no prefix is.
    "map-both-families": ([NET, "route-map {name} permit 10", MATCH], ["!shared", *MAP]),
    "map-sets": ([NET, "route-map {name} permit 10", MATCH, " set local-preference 200"], MAP),
    "list-and-map": (
        [
            NET,
            "{ip} prefix-list {name}-2 seq 5 deny {odd}",
            "{ip} prefix-list {name}-2 seq 10 permit any",
            "route-map {name} permit 10",
            " match {ip} address prefix-list {name}-2",
        ],
        [*LIST, *MAP],
    ),
    "grouped": ([NET, "route-map {name} permit 10", MATCH], ["!group", *MAP]),
}
# What the doctor says that it can't tell.
UNKNOWN: dict[str, tuple[list[str], list[str]]] = {
    "community": (["route-map {name} permit 10", " match community standard-one"], MAP),
    "length": (["route-map {name} permit 10", " match {ip} address prefix-len {full}"], MAP),
    "access-list": (["route-map {name} permit 10", " match {ip} address one"], MAP),
    "on-match": (["route-map {name} permit 10", " on-match next", "exit", "route-map {name} deny 20"], MAP),
    "call": (["route-map {name} permit 10", " call nobody"], MAP),
    "filter-list": ([], ["filter-list one in"]),
    "distribute-list": ([], ["distribute-list one in"]),
}


@pytest.fixture(scope="module", params=["8.4", "10"])
def router(request: pytest.FixtureRequest) -> Iterator[Router]:
    """A router whose neighbours are made here."""
    settings = LabSettings(lab_name("e2ep"), form="plain", frr=request.param)
    yield Router(lifecycle.up(settings, network_only=True))
    lifecycle.down(settings.name)


def neighbour_address(index: int) -> str:
    """The address of the client from which a session comes."""
    return str(ip_address(CLIENT) + 50 + index)


def configured(name: str, address: str, policy: tuple[list[str], list[str]]) -> list[str]:
    """The lines that make a neighbour with that policy."""
    once, inbound = policy
    lines: list[str] = []
    named = {kind: name if "!shared" in inbound else f"{name}-{kind}" for kind in WORDS}
    for kind, words in WORDS.items():
        lines += [line.format(name=named[kind], **words) for line in once]
        if any(line.startswith("route-map") for line in once):
            lines.append("exit")
    lines += ["router bgp 62112", f"neighbor {address} remote-as {ASN}", f"neighbor {address} passive"]
    if "!group" in inbound:
        lines += [f"neighbor {name} peer-group", f"neighbor {address} peer-group {name}"]
    for kind in WORDS:
        lines.append(f"address-family {kind} unicast")
        if "!activate" not in inbound or kind == "ipv6":
            lines.append(f"neighbor {address} activate")
        # So that bgpd says what has arrived, whatever became of it.
        lines.append(f"neighbor {address} soft-reconfiguration inbound")
        who = name if "!group" in inbound else address
        lines += [f"neighbor {who} {line.format(name=named[kind])}" for line in inbound if not line.startswith("!")]
        lines.append("exit-address-family")
    return [*lines, "exit"]


def shown(router: Router, address: str, kind: str, what: str) -> set[str]:
    """The prefixes that bgpd has received from a neighbour, or has taken (routes)."""
    done = router.machine.run(["vtysh", "-c", f"show bgp {kind} unicast neighbors {address} {what} json"])
    found: dict[str, Any] = json.loads(done.stdout or "{}")
    return set(found.get("receivedRoutes" if what == "received-routes" else "routes") or {})


def taken(router: Router, address: str, kinds: list[str]) -> set[str]:
    """What bgpd has taken of the prefixes, once all of them have gone through its policy."""
    source = Source(
        address,
        s.access_addresses("tor-1")[0],
        address,
        ASN,
        PREFIXES,
        address,
        [s.addresses("client")[1]],  # type: ignore[index]
    )
    with bgp_source.running(router.lab.client, source) as session:
        session.ask("announce")
        deadline = time.monotonic() + 300
        # bgpd notes what has arrived and judges it in one step.
        for kind in kinds:
            wanted = {prefix for prefix in PREFIXES if route_policy.family(prefix) == kind}
            while shown(router, address, kind, "received-routes") != wanted:
                assert time.monotonic() < deadline, f"not all has arrived from {address}"
                time.sleep(0.1)
        return {prefix for kind in kinds for prefix in shown(router, address, kind, "routes")}


def test_what_a_policy_lets_in_is_what_bgpd_takes(router: Router) -> None:
    cases = {**JUDGED, **UNKNOWN}
    addresses = {name: neighbour_address(index) for index, name in enumerate(cases)}
    client = router.lab.client
    (interface,) = {
        link["ifname"]
        for link in network.ip_json(client.netns, "address")
        if any(each["local"] == CLIENT for each in link["addr_info"])
    }
    router.configure(
        "bgp community-list standard standard-one permit 65000:1",
        "bgp as-path access-list one permit .*",
        "access-list one permit any",
        "ipv6 access-list one permit any",
    )
    for name, address in addresses.items():
        network.ip(["-n", client.netns, "address", "add", f"{address}/24", "dev", interface])
        router.configure(*configured(name, address, cases[name]))

    answer = router.module("frr_policy_info", prefixes=[])
    (instance,) = answer["configuration"]["instances"]
    neighbours = {each["address"]: each for each in instance["neighbors"]}
    wrong = []
    for name, address in addresses.items():
        neighbour = neighbours[address]
        said = {
            prefix: route_policy.accepts(answer["configuration"], instance, neighbour, prefix).accepted
            for prefix in PREFIXES
        }
        if name in UNKNOWN:
            assert set(said.values()) == {None}, (name, said)
            continue
        found = taken(router, address, [kind for kind, each in neighbour["families"].items() if each["active"]])
        wrong += [
            f"{name}: {prefix} predicted {told}, not so" for prefix, told in said.items() if told != (prefix in found)
        ]
    assert wrong == []
