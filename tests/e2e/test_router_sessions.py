# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The router modules and sessions that the lab's speakers don't have: unnumbered, dynamic, next hops of RFC 8950."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from conftest import lab_name
from lab import bgp_source, lifecycle, network
from lab import settings as s
from lab.bgp_source import Source
from lab.machines import Machine
from lab.settings import LabSettings
from lab.state import Lab

# One process makes the lab for all of them.
pytestmark = pytest.mark.xdist_group("sessions")
TOP = Path(__file__).resolve().parents[2]
ANSIBLE = str(Path(sys.executable).with_name("ansible"))
LINK = "p2p"
# Four octets, so that the number is beyond what some parsers take.
ASN = 4200000001
NODE = list(s.node_addresses(1))
CLIENT = s.addresses("client")[0]
ROUTED, SHADOWED, SIX = "203.0.113.0/24", "203.0.114.0/24", "2001:db8:7::/64"


class Router:
    """The first router of a lab, asked by the modules as a playbook asks it."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.name, self.machine = next(iter(lab.routers.items()))

    def module(self, name: str, *, check: bool = False, **arguments: Any) -> dict[str, Any]:
        """The module's result; a failure is one, too."""
        argv = [ANSIBLE, self.name, "-i", str(self.lab.dir / "inventory.yml"), "-m", f"hitless.nodes.{name}"]
        argv += ["-a", json.dumps(arguments), *(["--check"] if check else [])]
        environment = os.environ | {"ANSIBLE_LOAD_CALLBACK_PLUGINS": "true", "ANSIBLE_STDOUT_CALLBACK": "json"}
        done = subprocess.run(argv, cwd=TOP, env=environment, capture_output=True, text=True, check=False, timeout=600)
        found: dict[str, Any] = json.loads(done.stdout[done.stdout.index("{") :])
        result: dict[str, Any] = found["plays"][0]["tasks"][0]["hosts"][self.name]
        return result

    def configure(self, *commands: str) -> None:
        """Configures FRR."""
        argv = [part for command in ("configure terminal", *commands) for part in ("-c", command)]
        deadline = time.monotonic() + 60
        done = self.machine.run(["vtysh", *argv], timeout=120)
        # A daemon that is busy is one that vtysh doesn't find.
        while "is not running" in done.stderr and time.monotonic() < deadline:
            time.sleep(0.5)
            done = self.machine.run(["vtysh", *argv], timeout=120)
        assert done.returncode == 0, done.stdout + done.stderr


# The other tests that `./dev test` runs have FRR 8.4.
@pytest.fixture(scope="module", params=[pytest.param("8.4", marks=pytest.mark.long), "10"])
def router(request: pytest.FixtureRequest) -> Iterator[Router]:
    """A router with an unnumbered link to worker-1, a range for dynamic neighbours, and a VRF without a device."""
    settings = LabSettings(lab_name("e2es"), form="plain", frr=request.param)
    found = Router(lifecycle.up(settings, network_only=True, announce=True))
    netns = found.machine.netns
    node = found.lab.machines[settings.machine("worker-1")]
    network.ip(["-n", netns, "link", "add", LINK, "type", "veth", "peer", "name", LINK, "netns", node.netns])
    for end in (netns, node.netns):
        network.ip(["-n", end, "link", "set", LINK, "up"])
    families = [
        f"neighbor {peer} {what}"
        for peer in (LINK, "dynamic")
        for what in ("activate", "route-map everything in", "route-map to-nodes out")
    ]
    found.configure(
        "route-map everything permit 10",
        "exit",
        # Better than any BGP route, so that BGP's isn't installed ("RIB failure").
        f"ip route {SHADOWED} blackhole",
        "router bgp 62112",
        f"neighbor {LINK} interface remote-as external",
        "neighbor dynamic peer-group",
        "neighbor dynamic remote-as external",
        f"bgp listen range {s.ACCESS4} peer-group dynamic",
        *("address-family ipv4 unicast", *families, "exit-address-family"),
        *("address-family ipv6 unicast", *families, "exit-address-family"),
        "exit",
        "router bgp 62113 vrf red",
        f"neighbor {NODE[0]} remote-as external",
    )
    yield found
    lifecycle.down(settings.name)


def link_local(machine: Machine) -> str:
    """The address of the unnumbered link."""
    listed = network.ip_json(machine.netns, "-6", "address", "show", "dev", LINK)
    return next(each["local"] for link in listed for each in link["addr_info"] if each["scope"] == "link")


def unnumbered(router: Router) -> tuple[Machine, Source]:
    """worker-1 and what it says over the unnumbered link: IPv4 prefixes with an IPv6 next hop, an IPv6 one."""
    node = router.lab.machines[router.lab.settings.machine("worker-1")]
    own, other = link_local(node), link_local(router.machine)
    prefixes = [ROUTED, SHADOWED, SIX]
    return node, Source(f"{own}%{LINK}", f"{other}%{LINK}", NODE[0], ASN, prefixes, own, [own], restart_time=60)


def test_a_session_over_link_local_addresses_is_the_nodes(router: Router) -> None:
    node, source = unnumbered(router)
    own = source.hop4
    with bgp_source.running(node, source) as session:
        session.ask("announce")
        present = {"addresses": [*NODE, own], "prefixes": source.prefixes, "state": "present", "settle": 0}
        first = router.module(
            "frr_bgp_wait", **present, forwarded=[ROUTED, SIX], sessions=[{"address": own}], timeout=300
        )
        assert first.get("remaining") == [], first

        info = router.module("frr_bgp_info", addresses=NODE)
        (neighbor,) = [each for each in info["neighbors"] if each["address"] == own]
        assert (neighbor["established"], neighbor["remote_as"], neighbor["router_id"]) == (True, ASN, NODE[0])
        routes = {each["prefix"]: each for each in info["routes"] if each["next_hop"] == own}
        # BGP calls all three valid; what the kernel does is another matter.
        assert {prefix: each["valid"] for prefix, each in routes.items()} == dict.fromkeys(source.prefixes, True)
        assert {prefix: each["installed"] for prefix, each in routes.items()} == {
            ROUTED: True,
            SHADOWED: False,
            SIX: True,
        }

        strict = router.module("frr_bgp_wait", check=True, **present)
        assert [(each["prefix"], each["where"]) for each in strict["remaining"]] == [(SHADOWED, "fib")]

    withdrawn = {"addresses": [*NODE, own], "prefixes": source.prefixes, "state": "withdrawn", "settle": 0}
    stale = router.module("frr_bgp_wait", check=True, **withdrawn)["remaining"]
    assert {(each["prefix"], each["where"]) for each in stale if each["next_hop"] == own} == {
        *((prefix, "bgp") for prefix in source.prefixes),
        (ROUTED, "fib"),
        (SIX, "fib"),
    }
    assert all(each["stale"] for each in stale if each["next_hop"] == own and each["where"] == "bgp")

    # By its own address alone, since while it lives worker-1's other sessions are up and not to be flushed.
    flushed = router.module("frr_bgp_neighbor", addresses=[own], prefixes=source.prefixes, state="flushed")
    assert flushed["flushed"] == [{"vrf": "default", "address": own}], flushed
    assert [(each["name"], each["shut"]) for each in flushed["neighbors"]] == [(LINK, False)]
    gone = router.module("frr_bgp_wait", **withdrawn | {"addresses": [own], "timeout": 20})
    assert gone.get("remaining") == [], gone


def test_a_dynamic_neighbour_that_is_not_listed_proves_nothing(router: Router) -> None:
    source = Source(CLIENT, s.access_addresses("tor-1")[0], CLIENT, ASN, [ROUTED], CLIENT, restart_time=25)  # type: ignore[index]
    look = {"addresses": [CLIENT], "prefixes": [ROUTED], "settle": 0}
    with bgp_source.running(router.lab.client, source) as session:
        session.ask("announce")
        sessions = [{"address": CLIENT}]
        there = router.module("frr_bgp_wait", **look, state="present", sessions=sessions, timeout=300)
        assert there.get("remaining") == [], there
        refused = router.module("frr_bgp_neighbor", addresses=[CLIENT], prefixes=[ROUTED], state="flushed")
        assert "can't be shut or drained, because it has no configuration of its own" in refused["msg"]

    left = router.module("frr_bgp_wait", check=True, **look, state="withdrawn")["remaining"]
    assert [(each["prefix"], each["where"]) for each in left] == [(ROUTED, "bgp"), (ROUTED, "fib")]
    gone = router.module("frr_bgp_wait", **look, state="withdrawn", timeout=300)
    assert gone.get("remaining") == [], gone
    away = router.module("frr_bgp_wait", check=True, **look, state="present", sessions=sessions)["remaining"]
    assert [each["state"] for each in away if each["where"] == "session"] == ["not there"]


def test_fault_29_long_lived_graceful_restart_is_told_from_the_other(router: Router) -> None:
    source = Source(CLIENT, s.access_addresses("tor-1")[0], CLIENT, ASN, restart_time=15)  # type: ignore[index]
    option = "bgp long-lived-graceful-restart stale-time 3600"
    found = {}
    for seconds in (0, 3600):
        router.configure("router bgp 62112", option if seconds else f"no {option}")
        with bgp_source.running(router.lab.client, replace(source, long_lived_time=seconds)) as session:
            session.ask("withdraw")
            (neighbor,) = router.module("frr_bgp_info", addresses=[CLIENT])["neighbors"]
            found[seconds] = neighbor["graceful_restart"]
    router.configure("router bgp 62112", f"no {option}")

    # What a claim does with it: tests/modules.
    assert {seconds: restart["long_lived"] for seconds, restart in found.items()} == {0: False, 3600: True}
    assert found[3600]["long_lived_stale_time"] in (None, 3600)


def test_a_vrf_that_frr_knows_and_the_kernel_does_not_is_unknown(router: Router) -> None:
    # BGP has an instance with neighbours there and says that nothing is in it.
    asked = router.module("frr_bgp_wait", addresses=NODE, prefixes={"red": [ROUTED]}, state="withdrawn", timeout=1)
    assert asked["failed"]
    assert re.search(r"unknown after \d+ s whether its 1 prefixes are withdrawn", asked["msg"]), asked["msg"]
    # FRR 8.4 says nothing at all.
    said = ("zebra knows no VRF red: the router's kernel has no such VRF", "4 answers to 5 commands")
    assert any(each in asked["msg"] for each in said), asked["msg"]
    assert [each["where"] for each in asked["remaining"]] == ["unknown"]
