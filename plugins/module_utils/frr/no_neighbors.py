# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to hitless.nodes: it may change in any release, don't import it from elsewhere.

"""Why a BGP instance has no neighbours just now, by its running configuration. Pure functions.

FRR doesn't list a dynamic neighbour ("bgp listen range") whose session is down. A VRF that imports the routes of
another one may need no neighbours at all. An instance without such a line may have lost its configuration.
"""

from __future__ import annotations

from .config_blocks import Instance, blocks, instances, lines, of_vrf


def is_explained(config: str, vrf: str) -> bool:
    """Whether the answer to "show running-config" explains that the instance of a VRF has no neighbours."""
    instance = of_vrf(instances(blocks(lines(config))), vrf)
    return instance is not None and (_listens(instance) or _imports(instance))


def _listens(instance: Instance) -> bool:
    """Whether it takes sessions from anybody in a range of addresses."""
    return any(line.startswith("bgp listen range ") for line in instance.general)


def _imports(instance: Instance) -> bool:
    """Whether it imports the routes of other VRFs. A route-map for that doesn't import by itself."""
    every = [line for listed in instance.families.values() for line in listed]
    return any(
        line == "import vpn" or (line.startswith("import vrf ") and not line.startswith("import vrf route-map "))
        for line in every
    )
