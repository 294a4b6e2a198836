# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to hitless.nodes: it may change in any release, don't import it from elsewhere.

"""How a router is configured to treat routes, and what it did with some of them."""

from __future__ import annotations

from typing import Any

from . import bgp_json, daemons, rib_json, running_config
from .iproute import Fib
from .questions import INSTANCES, pairs, prefix_command, rib_command
from .router_look import no_instance
from .vtysh import Vtysh


def frr_policy_info(vtysh: Vtysh, fib: Fib, wanted: dict[str, list[str]]) -> dict[str, Any]:
    """The facts that frr_policy_info returns: about these prefixes (VRF -> prefixes), and about the router."""
    there, paths, rib = _look_ups(vtysh, pairs(wanted))
    for vrf in wanted:
        if vrf not in there:
            raise no_instance(vrf, there)
    return {
        "configuration": running_config.configuration(vtysh.text("show running-config")),
        "paths": paths,
        "rib": rib,
        "addresses": fib.addresses(),
        **daemons.facts(elsewhere=vtysh.place.is_elsewhere),
    }


def _look_ups(
    vtysh: Vtysh, asked: list[tuple[str, str]]
) -> tuple[list[str], list[dict[str, Any]], list[dict[str, Any]]]:
    """(VRFs with an instance, BGP's paths, zebra's routes). One process of vtysh answers all."""
    commands = [INSTANCES]
    for vrf, each in asked:
        commands += [prefix_command(vrf, each), rib_command(vrf, each)]
    answers = iter(vtysh.show(commands))
    instances = list(bgp_json.instances(next(answers)))
    paths, rib = [], []
    for vrf, each in asked:
        paths += [{"vrf": vrf, "prefix": each, **path} for path in bgp_json.paths(next(answers), each)]
        rib += [{"vrf": vrf, **route} for route in rib_json.rib(next(answers), each)]
    return instances, paths, rib
