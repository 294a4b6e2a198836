# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A router of programs that answer as the recorded one did, with a clock that only sleeping moves."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.hitless.nodes.plugins.module_utils.base.polling import Limits
from ansible_collections.hitless.nodes.plugins.module_utils.frr import router_look
from ansible_collections.hitless.nodes.plugins.module_utils.frr.iproute import Fib
from ansible_collections.hitless.nodes.plugins.module_utils.frr.route_wait import RouteWait
from ansible_collections.hitless.nodes.plugins.module_utils.frr.vtysh import Vtysh
from ansible_collections.hitless.nodes.tests.unit import frr_samples as samples
from ansible_collections.hitless.nodes.tests.unit.frr_samples import NODE4, NODE6, POD_CIDR, VIP4, VIP6

both = pytest.mark.parametrize("version", samples.VERSIONS)
WANTED = {"default": [VIP4, POD_CIDR, VIP6]}
NO_ROUTE = (2, "", "RTNETLINK answers: Network is unreachable\nCommand failed -:NUMBER\n")


def kernel(destination: str, hops: list[str]) -> tuple[int, str, str]:
    listed = ", ".join(f'{{"gateway": "{hop}", "dev": "eth0"}}' for hop in hops)
    return (0, f'[{{"dst": "{destination}", "nexthops": [{listed}]}}]\n', "")


def zebra(prefix: str, hops: list[str]) -> tuple[int, str, str]:
    """What zebra says of a prefix that it has installed over these next hops; without one, it has no route."""
    listed = [{"ip": hop, "fib": True, "active": True} for hop in hops]
    entry = {"prefix": prefix, "protocol": "bgp", "selected": True, "installed": True, "table": 254}
    return (0, json.dumps({prefix: [{**entry, "nexthops": listed}]} if hops else {}), "")


def recorded(version: str, name: str) -> tuple[int, str, str]:
    return (0, samples.text(version, name), "")


def zebra_answers(*, node: bool) -> dict[str, tuple[int, str, str]]:
    """The same routes that ip_answers() has in the kernel."""
    own4, own6 = ([NODE4], [NODE6]) if node else ([], [])
    return {
        f"show ip route vrf default {VIP4} json": zebra(VIP4, [*own4, "192.168.99.13"]),
        f"show ip route vrf default {POD_CIDR} json": zebra(POD_CIDR, own4),
        f"show ipv6 route vrf default {VIP6} json": zebra(VIP6, [*own6, "fd99::13"]),
    }


def bgp_answers(version: str, state: str) -> dict[str, tuple[int, str, str]]:
    """What vtysh says in a state of the recordings; the look-ups that weren't recorded in it find nothing."""
    absent = recorded(version, "established.absent-prefix")
    table = {
        "show version": recorded(version, "established.version"),
        "show bgp vrfs json": recorded(version, "established.vrfs"),
        f"show bgp neighbors {NODE4} json": recorded(version, f"{state}.neighbor"),
        f"show bgp neighbors {NODE6} json": recorded(version, "established.absent-neighbor"),
        f"show bgp ipv4 unicast {VIP4} json": recorded(version, f"{state}.vip"),
        f"show bgp ipv4 unicast {POD_CIDR} json": recorded(version, f"{state}.podcidr"),
        f"show bgp ipv6 unicast {VIP6} json": absent,
        **zebra_answers(node=state in ("established", "stale")),
    }
    if version == "8.4.4":
        table["show bgp nexthop"] = (0, "Current BGP nexthop cache:\n", "")
    else:
        table["show bgp nexthop json"] = (0, "{}", "")
    if state in ("established", "stale"):
        table[f"show bgp ipv6 unicast {VIP6} json"] = recorded(version, f"{state}.vip6")
        if version != "8.4.4":
            table["show bgp nexthop json"] = recorded(version, f"{state}.nexthop")
    return table


def ip_answers(*, node: bool) -> dict[str, tuple[int, str, str]]:
    own4, own6 = ([NODE4], [NODE6]) if node else ([], [])
    pods = kernel(POD_CIDR, [NODE4]) if node else NO_ROUTE
    return {
        "route get fibmatch 192.168.77.128": kernel("192.168.77.128", [*own4, "192.168.99.13"]),
        "route get fibmatch fd77::128": kernel("fd77::128", [*own6, "fd99::13"]),
        "route get fibmatch 10.244.1.0": pods,
        "route get fibmatch 10.244.1.255": pods,
    }


class Bench:
    """A router of programs, and a clock that only sleeping moves."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.vtysh = samples.Replay(folder / "v", "vtysh")
        self.ip = samples.Replay(folder / "i", "ip")
        monkeypatch.setenv("PATH", str(self.ip.folder))
        self.now = 0.0
        self.script: list[tuple[float, str, str, int]] = []

    def state(self, version: str, state: str, ups: int = 1) -> None:
        answers = bgp_answers(version, state)
        rc, text, said = answers[f"show bgp neighbors {NODE4} json"]
        text = text.replace('"connectionsEstablished":1', f'"connectionsEstablished":{ups}')
        self.vtysh.answers(answers | {f"show bgp neighbors {NODE4} json": (rc, text, said)})
        self.ip.answers(ip_answers(node=state in ("established", "stale")))

    def at(self, moment: float, version: str, state: str, ups: int = 1) -> None:
        """What the router will be like from that moment on; ups: how often its session has come up."""
        self.script.append((moment, version, state, ups))

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        while self.script and self.script[0][0] <= self.now:
            self.state(*self.script.pop(0)[1:])

    def router(self) -> router_look.Router:
        return router_look.Router(Vtysh(str(self.vtysh.path)), Fib(), set(samples.ADDRESSES))

    def waiting(self, state: str = "withdrawn", wanted: dict[str, list[str]] | None = None) -> RouteWait:
        return RouteWait(self.router(), wanted or WANTED, state, node="worker-3", name="tor-1")

    def wait(
        self,
        state: str = "withdrawn",
        *,
        settle: float = 2.0,
        interval: float = 4.0,
        soon: float = 0,
        held: float = 0,
        **limits: Any,
    ) -> dict[str, Any]:
        return self.waiting(state).wait(
            Limits(**{"timeout": 30.0, **limits}),
            settle=settle,
            interval=interval,
            held=held,
            soon=soon or interval,
            clock=lambda: self.now,
            sleep=self.sleep,
        )
