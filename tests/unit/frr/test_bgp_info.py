# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The module frr_bgp_info as a whole, against programs that answer as the recorded router did."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from ansible_collections.hitless.nodes.plugins.modules import frr_bgp_info
from ansible_collections.hitless.nodes.tests.unit import frr_samples as samples
from ansible_collections.hitless.nodes.tests.unit.router_bench import Bench, bgp_answers, both, ip_answers, recorded

LINKS = (Path(samples.FOLDER).parent / "ip/6.1.0/address.json").read_text()


def info(bench: Bench, **params: Any) -> dict[str, Any]:
    """What the module returns."""
    defaults = {name: spec.get("default") for name, spec in frr_bgp_info.ARGUMENTS.items()}
    asked = {**defaults, "addresses": sorted(samples.ADDRESSES), "vtysh": str(bench.vtysh.path), **params}
    return frr_bgp_info.work(SimpleNamespace(params=asked, check_mode=False))  # type: ignore[arg-type]


def router(bench: Bench, version: str, state: str = "established") -> None:
    """A router in a state of the recordings."""
    head = f"unicast neighbors {samples.NODE4} routes json"
    bench.vtysh.answers(
        {
            **bgp_answers(version, state),
            "show bgp summary json": (0, '{"ipv4Unicast": {"peers": {}}}', ""),
            "show bgp neighbors json": recorded(version, f"{state}.neighbors"),
            f"show bgp ipv4 {head}": (0, json.dumps({"routes": {samples.VIP4: [], samples.POD_CIDR: []}}), ""),
            f"show bgp ipv6 {head}": (0, json.dumps({"routes": {samples.VIP6: []}}), ""),
        }
    )
    bench.ip.answers({**ip_answers(node=True), "-details address show": (0, LINKS, "")})


@both
def test_the_router_itself_and_every_one_that_it_speaks_to(bench: Bench, version: str) -> None:
    router(bench, version)
    found = info(bench)
    assert sorted(each["address"] for each in found["speakers"]) == [f"192.168.99.{last}" for last in range(11, 15)]
    assert found["vrfs_there"] == ["default"]
    assert found["own_addresses"] == [
        {"address": "203.0.113.1", "interface": "lo", "vrf": "default"},
        {"address": "192.0.2.1", "interface": "d0", "vrf": "default"},
        {"address": "2001:db8::1", "interface": "d0", "vrf": "default"},
    ]


def test_an_address_of_a_vrf_is_told_from_one_of_the_default_vrf(bench: Bench) -> None:
    router(bench, "10.3")

    def link(name: str, address: str, **more: Any) -> dict[str, Any]:
        return {"ifname": name, "addr_info": [{"local": address, "prefixlen": 24, "scope": "global"}], **more}

    links = [
        link("blue", "192.0.2.1", linkinfo={"info_kind": "vrf"}),
        link("eth1", "192.0.2.65", master="blue", linkinfo={"info_kind": "veth", "info_slave_kind": "vrf"}),
        link("eth2", "192.0.2.129", master="br0", linkinfo={"info_slave_kind": "bridge"}),
    ]
    bench.ip.answers({**ip_answers(node=True), "-details address show": (0, json.dumps(links), "")})
    assert [(each["address"], each["vrf"]) for each in info(bench)["own_addresses"]] == [
        ("192.0.2.1", "blue"),
        ("192.0.2.65", "blue"),
        ("192.0.2.129", "default"),
    ]
