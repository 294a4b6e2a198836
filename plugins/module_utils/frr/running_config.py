# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to hitless.nodes: it may change in any release, don't import it from elsewhere.

"""The parts of FRR's running configuration that decide what is accepted from a neighbour. Never a password."""

from __future__ import annotations

import re
from operator import itemgetter
from typing import Any

from ..base.net import FAMILIES
from . import config_neighbors
from .answers import UnknownError
from .config_blocks import Block, blocks, instances, lines

_PREFIX_LIST = re.compile(
    r"(?P<word>ip|ipv6) prefix-list (?P<name>\S+) "
    r"(?P<text>(?:seq (?P<seq>\d+) )?(?P<action>permit|deny) (?P<prefix>\S+)(?: ge (?P<ge>\d+))?(?: le (?P<le>\d+))?)$"
)
_DESCRIBED = re.compile(r"(?P<word>ip|ipv6) prefix-list (?P<name>\S+) description ")
_ROUTE_MAP = re.compile(r"route-map (?P<name>\S+) (?P<action>permit|deny) (?P<seq>\d+)")
# What FRR calls the families in prefix-lists.
_FAMILY = {"ip": "ipv4", "ipv6": "ipv6"}


def configuration(text: str) -> dict[str, Any]:
    """{instances, route_maps, prefix_lists} from "show running-config". Raises UnknownError if it is empty."""
    listed = lines(text)
    if not listed:
        raise UnknownError("FRR's running configuration is empty; try 'show running-config' on the router by hand")
    found = blocks(listed)
    requires = _requires_policy(listed)
    return {
        "instances": [config_neighbors.instance(each, requires_policy=requires) for each in instances(found)],
        "route_maps": _route_maps(found),
        "prefix_lists": _prefix_lists(found),
    }


def _requires_policy(listed: list[str]) -> bool:
    """FRR's default of "bgp ebgp-requires-policy". On since 7.4 (RFC 8212), off with "frr defaults datacenter"."""
    if "frr defaults datacenter" in listed:
        return False
    version = next((line.split()[2] for line in listed if line.startswith("frr version ")), "")
    found = re.match(r"(\d+)\.(\d+)", version)
    return not found or (int(found.group(1)), int(found.group(2))) >= (7, 4)


def _prefix_lists(found: list[Block]) -> dict[str, dict[str, list[dict[str, Any]]]]:
    """Family -> name -> entries in the order in which they are tried."""
    lists: dict[str, dict[str, list[dict[str, Any]]]] = {family: {} for family in FAMILIES}
    for block in found:
        described = _DESCRIBED.match(block.head)
        if described:
            # A described prefix-list exists, also if it has no entries.
            lists[_FAMILY[described.group("word")]].setdefault(described.group("name"), [])
            continue
        match = _PREFIX_LIST.match(block.head)
        if match:
            entries = lists[_FAMILY[match.group("word")]].setdefault(match.group("name"), [])
            entries.append(_prefix_list_entry(match, seq=5 * (len(entries) + 1)))
    for of_family in lists.values():
        for entries in of_family.values():
            entries.sort(key=itemgetter("seq"))
    return lists


def _prefix_list_entry(match: re.Match[str], *, seq: int) -> dict[str, Any]:
    """An entry of a prefix-list. seq: the number to use if the line has none."""
    ge, le = match.group("ge"), match.group("le")
    return {
        "seq": int(match.group("seq") or seq),
        "action": match.group("action"),
        "prefix": match.group("prefix"),
        "ge": int(ge) if ge else None,
        "le": int(le) if le else None,
        "text": match.group("text"),
    }


def _route_maps(found: list[Block]) -> dict[str, list[dict[str, Any]]]:
    """Name -> entries in the order in which they are tried."""
    maps: dict[str, list[dict[str, Any]]] = {}
    for block in found:
        match = _ROUTE_MAP.match(block.head)
        if match:
            maps.setdefault(match.group("name"), []).append(_route_map_entry(match, block.inside))
    for entries in maps.values():
        entries.sort(key=itemgetter("seq"))
    return maps


def _route_map_entry(match: re.Match[str], inside: list[str]) -> dict[str, Any]:
    return {
        "seq": int(match.group("seq")),
        "action": match.group("action"),
        "matches": [line[len("match ") :] for line in inside if line.startswith("match ")],
        "sets": [line[len("set ") :] for line in inside if line.startswith("set ")],
        # Lines whose effect isn't followed.
        "flow": [line for line in inside if line.startswith(("call ", "on-match "))],
    }
