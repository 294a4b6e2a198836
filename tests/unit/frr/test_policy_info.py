# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is read of a router for the doctor, against programs that answer as the recorded router did."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.hitless.nodes.plugins.module_utils.frr.answers import UnknownError
from ansible_collections.hitless.nodes.plugins.module_utils.frr.iproute import Fib
from ansible_collections.hitless.nodes.plugins.module_utils.frr.policy_info import frr_policy_info
from ansible_collections.hitless.nodes.plugins.module_utils.frr.vtysh import Vtysh
from ansible_collections.hitless.nodes.tests.unit import frr_samples as samples
from ansible_collections.hitless.nodes.tests.unit.frr_samples import VIP4

ADDRESS = Path(__file__).parents[1] / "fixtures" / "ip" / "6.1.0" / "address.json"


@pytest.fixture(autouse=True)
def ip(tmp_path, monkeypatch):
    """An ip that answers "address show" with details as iproute2 did."""
    program = tmp_path / "bin" / "ip"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\n[ "$*" = "-j -details address show" ] && read -r text <{ADDRESS} && echo "$text"\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent))


@pytest.fixture(params=samples.VERSIONS)
def vtysh(request, tmp_path):
    """The recorded router."""
    program = samples.Replay(tmp_path / "v", "vtysh")

    def recorded(name):
        return (0, samples.text(request.param, name), "")

    program.answers(
        {
            "show bgp vrfs json": recorded("established.vrfs"),
            f"show bgp ipv4 unicast {VIP4} json": recorded("established.vip"),
            f"show ip route vrf default {VIP4} json": recorded("established.ip-route-vip"),
            "show bgp ipv6 unicast 2001:db8::1/128 json": recorded("established.absent-prefix"),
            "show ipv6 route vrf default 2001:db8::1/128 json": (0, "{}", ""),
            "show running-config": recorded("established.running-config"),
        }
    )
    return program


def test_configuration_paths_and_routes_of_a_router(vtysh):
    found = frr_policy_info(Vtysh(str(vtysh.path)), Fib(), {"default": [VIP4, "2001:db8::1/128"]})
    assert {path["prefix"] for path in found["paths"]} == {VIP4}
    senders = ["192.168.99.11", "192.168.99.12", "192.168.99.13", "192.168.99.14"]
    assert sorted(path["from"] for path in found["paths"]) == senders
    assert all(path["valid"] for path in found["paths"])
    assert found["rib"] == [
        {
            "vrf": "default",
            "prefix": VIP4,
            "protocol": "bgp",
            "selected": True,
            "installed": True,
            "next_hops": ["192.168.99.12", "192.168.99.13", "192.168.99.14"],
        }
    ]
    assert sorted((each["address"], each["network"], each["interface"]) for each in found["addresses"]) == [
        ("192.0.2.1", "192.0.2.0/24", "d0"),
        ("2001:db8::1", "2001:db8::/64", "d0"),
        ("203.0.113.1", "203.0.113.1/32", "lo"),
    ]
    assert found["configuration"]["route_maps"]["IN"]
    assert {"listen_port", "v6_rr_semantics", "unit"} <= found.keys()


def test_a_vrf_without_an_instance_is_unknown(vtysh):
    with pytest.raises(UnknownError, match="FRR has no BGP instance in VRF blue"):
        frr_policy_info(Vtysh(str(vtysh.path)), Fib(), {"blue": []})


def test_an_answer_of_ip_that_is_not_understood(tmp_path, monkeypatch):
    program = tmp_path / "ip"
    program.write_text("#!/bin/sh\necho nonsense\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UnknownError, match="address show' isn't understood: nonsense"):
        Fib().addresses()
