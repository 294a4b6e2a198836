# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to hitless.nodes: it may change in any release, don't import it from elsewhere.

"""What a router is configured to do with routes, and what it did with some of them."""

from __future__ import annotations

from typing import Any

from ..base.net import family
from . import bgp_json, daemons, running_config
from .answers import UnknownError
from .iproute import Fib
from .router_look import INSTANCES, bgp
from .vtysh import Vtysh


def frr_policy_info(vtysh: Vtysh, fib: Fib, wanted: dict[str, list[str]]) -> dict[str, Any]:
    """What frr_policy_info returns of these prefixes per VRF, and of the router itself."""
    asked = [(vrf, each) for vrf, prefixes in wanted.items() for each in prefixes]
    there, paths, rib = _look_ups(vtysh, asked)
    for vrf in wanted:
        if vrf not in there:
            raise UnknownError(
                f"FRR has no BGP instance in VRF {vrf} (it has: {', '.join(there) or 'none'});"
                " is 'router bgp' configured there, and has bgpd read its configuration?"
            )
    return {
        "configuration": running_config.configuration(vtysh.text("show running-config")),
        "paths": paths,
        "rib": rib,
        "addresses": fib.addresses(),
        **daemons.facts(),
    }


def _look_ups(
    vtysh: Vtysh, asked: list[tuple[str, str]]
) -> tuple[list[str], list[dict[str, Any]], list[dict[str, Any]]]:
    """(VRFs with an instance, BGP's paths, zebra's routes), all from one process."""
    in_bgp = [f"{bgp(vrf)} {family(each)} unicast {each} json" for vrf, each in asked]
    in_zebra = [f"show {'ipv6' if family(each) == 'ipv6' else 'ip'} route vrf {vrf} {each} json" for vrf, each in asked]
    first, *rest = vtysh.show([INSTANCES, *in_bgp, *in_zebra])
    paths = [
        {"vrf": vrf, "prefix": each, **path}
        for (vrf, each), document in zip(asked, rest[: len(asked)])
        for path in bgp_json.paths(document, each)
    ]
    rib = [
        {"vrf": vrf, **route}
        for (vrf, each), document in zip(asked, rest[len(asked) :])
        for route in bgp_json.rib(document, each)
    ]
    return list(bgp_json.instances(first)), paths, rib
