# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to hitless.nodes: it may change in any release, don't import it from elsewhere.

"""FRR's running configuration as data, as far as it decides what is taken from a neighbour. Never with a password."""

from __future__ import annotations

import re
from typing import Any

from ..base.net import address, is_address
from .answers import UnknownError
from .config_diff import lines

FAMILIES = ("ipv4", "ipv6")
_BGP = re.compile(r"router bgp (\S+)(?: (vrf|view) (\S+))?")
_PREFIX_LIST = re.compile(
    r"(ip|ipv6) prefix-list (\S+) (?:seq (\d+) )?(permit|deny) (\S+)(?: ge (\d+))?(?: le (\d+))?$"
)
_DESCRIBED = re.compile(r"(ip|ipv6) prefix-list (\S+) description ")
_ROUTE_MAP = re.compile(r"route-map (\S+) (permit|deny) (\d+)")
_NEIGHBOR = re.compile(r"(no )?neighbor (\S+) (.+)$")
_RANGE = re.compile(r"bgp listen range (\S+) peer-group (\S+)$")
# What a family's lines say of a neighbour on the way in: word -> key.
_INBOUND = {
    "route-map": "route_map",
    "prefix-list": "prefix_list",
    "filter-list": "filter_list",
    "distribute-list": "distribute_list",
}


def configuration(text: str) -> dict[str, Any]:
    """The answer to "show running-config" as {instances, route_maps, prefix_lists}; UnknownError where it is none."""
    listed = lines(text)
    if not listed:
        raise UnknownError("FRR's running configuration is empty; try 'show running-config' on the router by hand")
    blocks = _blocks(listed)
    requires = _requires_policy(listed)
    return {
        "instances": [_instance(head, inside, requires) for head, inside in blocks if _BGP.match(head)],
        "route_maps": _route_maps(blocks),
        "prefix_lists": _prefix_lists([head for head, _inside in blocks]),
    }


def _blocks(listed: list[str]) -> list[tuple[str, list[str]]]:
    """(line without indent, the indented lines below it), in order."""
    found: list[tuple[str, list[str]]] = []
    for line in listed:
        if line.startswith(" "):
            if found:
                found[-1][1].append(line.strip())
        elif line not in ("!", "exit", "end"):
            found.append((line, []))
    return found


def _requires_policy(listed: list[str]) -> bool:
    """FRR's default of "bgp ebgp-requires-policy": on since 7.4 (RFC 8212), off with "frr defaults datacenter"."""
    if "frr defaults datacenter" in listed:
        return False
    version = next((line.split()[2] for line in listed if line.startswith("frr version ")), "")
    found = re.match(r"(\d+)\.(\d+)", version)
    return not found or (int(found.group(1)), int(found.group(2))) >= (7, 4)


def _prefix_lists(heads: list[str]) -> dict[str, dict[str, list[dict[str, Any]]]]:
    """Family -> name -> entries in the order in which they are tried."""
    found: dict[str, dict[str, list[dict[str, Any]]]] = {family: {} for family in FAMILIES}
    for head in heads:
        described = _DESCRIBED.match(head)
        if described:
            # It is a list, also without a line.
            found["ipv4" if described.group(1) == "ip" else "ipv6"].setdefault(described.group(2), [])
        match = _PREFIX_LIST.match(head)
        if not match:
            continue
        family = "ipv4" if match.group(1) == "ip" else "ipv6"
        ge, le = match.group(6), match.group(7)
        entries = found[family].setdefault(match.group(2), [])
        entries.append(
            {
                "seq": int(match.group(3) or 5 * (len(entries) + 1)),
                "action": match.group(4),
                "prefix": match.group(5),
                "ge": int(ge) if ge else None,
                "le": int(le) if le else None,
                "text": head.split(None, 3)[3],
            }
        )
    for lists in found.values():
        for entries in lists.values():
            entries.sort(key=lambda entry: entry["seq"])
    return found


def _route_maps(blocks: list[tuple[str, list[str]]]) -> dict[str, list[dict[str, Any]]]:
    """Name -> entries in the order in which they are tried."""
    found: dict[str, list[dict[str, Any]]] = {}
    for head, inside in blocks:
        match = _ROUTE_MAP.match(head)
        if not match:
            continue
        found.setdefault(match.group(1), []).append(
            {
                "seq": int(match.group(3)),
                "action": match.group(2),
                "matches": [line[len("match ") :] for line in inside if line.startswith("match ")],
                "sets": [line[len("set ") :] for line in inside if line.startswith("set ")],
                # "call" and "on-match": what they do isn't followed.
                "flow": [line for line in inside if line.startswith(("call ", "on-match "))],
            }
        )
    for entries in found.values():
        entries.sort(key=lambda entry: entry["seq"])
    return found


class _Peers:
    """The neighbours and peer groups of one instance, while its lines are read."""

    def __init__(self) -> None:
        self.own: dict[str, dict[str, Any]] = {}
        self.group_of: dict[str, str] = {}
        self.groups: set[str] = set()
        self.interfaces: set[str] = set()

    def read(self, name: str, words: str, *, no: bool) -> None:
        """Takes in a line of the instance."""
        own = self.own.setdefault(name, {"families": {}})
        if words.startswith("interface"):
            self.interfaces.add(name)
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
            # Of a password only that there is one.
            own[word] = not no

    def read_family(self, family: str, name: str, words: str, *, no: bool) -> None:
        """Takes in a line of one of the instance's families."""
        own = self.own.setdefault(name, {"families": {}})["families"].setdefault(family, {})
        parts = words.split()
        if words == "activate":
            own["active"] = not no
        elif parts[0] in _INBOUND and parts[-1] == "in" and len(parts) == 3:
            own[_INBOUND[parts[0]]] = parts[1]

    def effective(self, name: str, family_default: dict[str, bool]) -> dict[str, Any]:
        """What is in force for a neighbour, its peer group's settings included."""
        own = self.own.get(name, {"families": {}})
        group = self.own.get(self.group_of.get(name, ""), {"families": {}})
        merged = {**group, **own}
        families = {}
        for family in FAMILIES:
            said = {**group["families"].get(family, {}), **own["families"].get(family, {})}
            families[family] = {
                "active": said.get("active", family_default[family]),
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


def _instance(head: str, inside: list[str], requires: bool) -> dict[str, Any]:
    """One BGP instance with its neighbours, peer groups' settings applied."""
    found = _BGP.match(head)
    asn, vrf = (found.group(1), found.group(3) or "default") if found else ("", "default")
    peers = _Peers()
    ranges: list[dict[str, Any]] = []
    family_default = {"ipv4": True, "ipv6": False}
    family: str | None = None
    for line in inside:
        if line.startswith("address-family "):
            parts = line.split()
            family = parts[1] if parts[1] in FAMILIES and parts[2:] in (["unicast"], []) else ""
        elif line == "exit-address-family":
            family = None
        elif family is None and re.match(r"(no )?bgp ebgp-requires-policy", line):
            requires = not line.startswith("no ")
        elif family is None and re.match(r"(no )?bgp default ipv[46]-unicast", line):
            family_default["ipv6" if "ipv6" in line else "ipv4"] = not line.startswith("no ")
        elif _RANGE.match(line):
            wide = _RANGE.match(line)
            ranges += [{"prefix": wide.group(1), "peer_group": wide.group(2)}] if wide else []
        else:
            neighbor = _NEIGHBOR.match(line)
            if neighbor and family is None:
                peers.read(neighbor.group(2), neighbor.group(3), no=bool(neighbor.group(1)))
            elif neighbor and family:
                peers.read_family(family, neighbor.group(2), neighbor.group(3), no=bool(neighbor.group(1)))
    names = [name for name in peers.own if name not in peers.groups]
    return {
        "vrf": vrf,
        "asn": asn,
        "requires_policy": requires,
        "neighbors": [peers.effective(name, family_default) for name in names],
        "ranges": [{**peers.effective(each["peer_group"], family_default), **each} for each in ranges],
    }
