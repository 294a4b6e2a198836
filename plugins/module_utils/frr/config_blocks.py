# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to hitless.nodes: it may change in any release, don't import it from elsewhere.

"""FRR's running configuration, split into blocks and BGP instances."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from ..base.net import FAMILIES

# vtysh prints these lines before the configuration. They aren't part of it.
CHATTER = ("Building configuration", "Current configuration")
_BGP = re.compile(r"router bgp (?P<asn>\S+)(?: (?P<kind>vrf|view) (?P<name>\S+))?")


@dataclass(frozen=True)
class Block:
    """A line without indent, and the indented lines below it, without their indent."""

    head: str
    inside: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Instance:
    """A BGP instance.

    head: its first line. name: its VRF or view. general: the lines outside of address families. families: the lines
    of each unicast family.
    """

    head: str
    asn: str
    name: str
    is_view: bool
    general: list[str]
    families: dict[str, list[str]]

    def settings(self, neighbor: str) -> list[str]:
        """The general settings of a neighbour, without its name: "remote-as 65432", "shutdown message ..."."""
        start = f"neighbor {neighbor} "
        return [line[len(start) :] for line in self.general if line.startswith(start)]


def lines(text: str) -> list[str]:
    """The configuration in the answer to "show running-config", line by line."""
    return [line.rstrip() for line in text.splitlines() if line.strip() and not line.startswith(CHATTER)]


def blocks(config: list[str]) -> list[Block]:
    """The blocks of a configuration, in order."""
    found: list[Block] = []
    for line in config:
        if not line.startswith(" "):
            if line not in ("!", "exit", "end"):
                found.append(Block(line))
        elif found:
            found[-1].inside.append(line.strip())
    return found


def instances(found: list[Block]) -> list[Instance]:
    """The BGP instances among blocks."""
    matched = [(block, _BGP.match(block.head)) for block in found]
    return [_instance(block, match) for block, match in matched if match]


def of_vrf(found: list[Instance], vrf: str) -> Instance | None:
    """The BGP instance of a VRF. None if there is none."""
    return next((each for each in found if each.name == vrf and not each.is_view), None)


def _instance(block: Block, match: re.Match[str]) -> Instance:
    general: list[str] = []
    families: dict[str, list[str]] = {family: [] for family in FAMILIES}
    target = general
    for line in block.inside:
        if line.startswith("address-family "):
            # Lines of other families (multicast, EVPN, ...) are left out.
            target = families.get(_unicast_family(line), [])
        elif line == "exit-address-family":
            target = general
        else:
            target.append(line)
    name = match.group("name") or "default"
    return Instance(block.head, match.group("asn"), name, match.group("kind") == "view", general, families)


def _unicast_family(line: str) -> str:
    """The family in a line such as "address-family ipv4 unicast". "" if the line is about another kind of routes."""
    _words, family, *rest = line.split()
    return family if rest in (["unicast"], []) else ""
