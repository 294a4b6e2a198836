# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to hitless.nodes: it may change in any release, don't import it from elsewhere.

"""The neighbours of a BGP instance, as it is configured. The settings of their peer groups are applied."""

from __future__ import annotations

import re
from typing import Any

from ..base.net import FAMILIES, address, is_address
from .config_blocks import Instance

_NEIGHBOR = re.compile(r"(?P<no>no )?neighbor (?P<name>\S+) (?P<words>.+)$")
_RANGE = re.compile(r"bgp listen range (?P<prefix>\S+) peer-group (?P<group>\S+)$")
# Filters for what comes in from a neighbour: word in a family's lines -> key in the result.
_INBOUND = {
    "route-map": "route_map",
    "prefix-list": "prefix_list",
    "filter-list": "filter_list",
    "distribute-list": "distribute_list",
}


def instance(found: Instance, *, requires_policy: bool) -> dict[str, Any]:
    """An instance with its neighbours and its ranges of dynamic neighbours. requires_policy: FRR's default."""
    peers = _Peers(
        {
            "ipv4": _is_on(found.general, "bgp default ipv4-unicast", default=True),
            "ipv6": _is_on(found.general, "bgp default ipv6-unicast", default=False),
        }
    )
    ranges = []
    for line in found.general:
        dynamic, single = _RANGE.match(line), _NEIGHBOR.match(line)
        if dynamic:
            ranges.append((dynamic.group("prefix"), dynamic.group("group")))
        elif single:
            peers.read(single.group("name"), single.group("words"), no=bool(single.group("no")))
    for family, lines in found.families.items():
        for line in lines:
            single = _NEIGHBOR.match(line)
            if single:
                peers.read_family(family, single.group("name"), single.group("words"), no=bool(single.group("no")))
    return {
        "vrf": found.name,
        "asn": found.asn,
        "requires_policy": _is_on(found.general, "bgp ebgp-requires-policy", default=requires_policy),
        "neighbors": [peers.effective(name) for name in peers.own if name not in peers.groups],
        "ranges": [{**peers.effective(group), "prefix": prefix, "peer_group": group} for prefix, group in ranges],
    }


def _is_on(lines: list[str], setting: str, *, default: bool) -> bool:
    """Whether a setting is on. The last line about it decides."""
    on = default
    for line in lines:
        if line.startswith(setting):
            on = True
        elif line.startswith(f"no {setting}"):
            on = False
    return on


class _Peers:
    """Collects the neighbours and peer groups of one instance from its lines."""

    def __init__(self, active: dict[str, bool]) -> None:
        """active: family -> whether it is active for a neighbour whose lines don't say it."""
        self.active = active
        self.own: dict[str, dict[str, Any]] = {}
        self.group_of: dict[str, str] = {}
        self.groups: set[str] = set()

    def read(self, name: str, words: str, *, no: bool) -> None:
        """Reads a line outside of address families."""
        own = self.own.setdefault(name, {"families": {}})
        if words.startswith("interface"):
            words = re.sub(r"^interface( v6only)? ?", "", words)
        word, _space, rest = words.partition(" ")
        if word == "peer-group":
            if rest:
                self.group_of[name] = rest.split()[0]
            else:
                self.groups.add(name)
        elif word == "remote-as":
            own["remote_as"] = rest
        elif word == "local-as":
            own["local_as"] = rest.split()[0]
        elif word == "port":
            own["port"] = int(rest)
        elif word == "ebgp-multihop":
            own["multihop"] = int(rest) if rest.isdigit() else 255
        elif word in ("password", "shutdown", "passive"):
            # The password itself must not get into results.
            own[word] = not no

    def read_family(self, family: str, name: str, words: str, *, no: bool) -> None:
        """Reads a line of one of the instance's address families."""
        own = self.own.setdefault(name, {"families": {}})["families"].setdefault(family, {})
        parts = words.split()
        if words == "activate":
            own["active"] = not no
        elif parts[0] in _INBOUND and parts[-1] == "in" and len(parts) == 3:
            own[_INBOUND[parts[0]]] = parts[1]

    def effective(self, name: str) -> dict[str, Any]:
        """The settings that apply to a neighbour, with those of its peer group."""
        own = self.own.get(name, {"families": {}})
        group = self.own.get(self.group_of.get(name, ""), {"families": {}})
        merged = {**group, **own}
        families = {}
        for family in FAMILIES:
            said = {**group["families"].get(family, {}), **own["families"].get(family, {})}
            families[family] = {
                "active": said.get("active", self.active[family]),
                **{key: said.get(key) for key in _INBOUND.values()},
            }
        return {
            "name": name,
            "address": address(name) if is_address(name) else None,
            "peer_group": self.group_of.get(name),
            "remote_as": merged.get("remote_as"),
            "local_as": merged.get("local_as"),
            "port": merged.get("port"),
            "multihop": merged.get("multihop"),
            "password": bool(merged.get("password", False)),
            "passive": bool(merged.get("passive", False)),
            "shutdown": bool(merged.get("shutdown", False)),
            "families": families,
        }
