# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to hitless.nodes: it may change in any release, don't import it from elsewhere.

"""One look at a router: what BGP and the kernel know of a node, by one process of vtysh and one of ip."""

from __future__ import annotations

import re
from typing import Any

from ..base.net import address, family, prefix
from . import bgp_json, link_local, nexthop_text, route_rules
from .answers import RouterError, UnknownError
from .iproute import Fib
from .vtysh import Vtysh

INSTANCES = "show bgp vrfs json"


def bgp(vrf: str) -> str:
    """The beginning of a show command for that VRF."""
    return "show bgp" if vrf == "default" else f"show bgp vrf {vrf}"


def checked_addresses(values: list[str]) -> set[str]:
    """The node's addresses in their one spelling; RouterError where there is none."""
    if not values:
        raise RouterError("option addresses is empty; give the addresses of the node, such as [192.0.2.11]")
    return {address(value) for value in values}


def checked_vrfs(values: list[str]) -> list[str]:
    """The VRFs to look at, each once; RouterError for names that can't be one (15 characters, as Linux has it)."""
    for value in values:
        if not re.fullmatch(r"[A-Za-z0-9_.-]{1,15}", value):
            raise RouterError(f"'{value}' can't be the name of a VRF; give names such as default")
    if not values:
        raise RouterError("option vrfs is empty; give at least [default]")
    return list(dict.fromkeys(values))


def checked_prefixes(values: Any, vrfs: list[str]) -> dict[str, list[str]]:
    """VRF -> prefixes, from a list (looked for in every VRF) or a dict of lists; RouterError where it is neither."""
    if values == {}:
        raise RouterError("option prefixes is empty; give a list of prefixes, or a dictionary of a list for each VRF")
    by_vrf = dict(values) if isinstance(values, dict) else dict.fromkeys(checked_vrfs(vrfs), values)
    checked_vrfs([str(vrf) for vrf in by_vrf])
    for vrf, listed in by_vrf.items():
        if not isinstance(listed, list):
            raise RouterError(f"prefixes of VRF {vrf}: {listed!r} isn't a list; give [198.51.100.10/32, ...]")
    return {str(vrf): list(dict.fromkeys(prefix(each) for each in listed)) for vrf, listed in by_vrf.items()}


def checked_sessions(values: list[dict[str, Any]] | None) -> list[dict[str, Any]] | None:
    """Sessions as {vrf, address}, in their one spelling; RouterError for one without an address. None stays None."""
    if values is None:
        return None
    for value in values:
        if "address" not in value:
            raise RouterError(f"{value!r} is no session; give each with its address, such as address: 192.0.2.11")
    return [{"vrf": value.get("vrf") or "default", "address": address(value["address"])} for value in values]


def _counted(vrf: str, counts: dict[str, int], own: set[str]) -> list[dict[str, Any]]:
    """What a view says of the paths over a node's addresses."""
    return [{"vrf": vrf, "next_hop": hop, "paths": counts[hop]} for hop in sorted(own & set(counts))]


class Router:
    """The router that this process runs on, asked about one node."""

    def __init__(self, vtysh: Vtysh, fib: Fib, addresses: set[str]) -> None:
        self.vtysh = vtysh
        self.fib = fib
        self.addresses = addresses
        # Grows while stale or new paths name link-local next hops of the node; a wait hands it on to its next slice.
        self.link_locals: set[str] = set()

    def look(self, wanted: dict[str, list[str]], *, counted: bool = True) -> dict[str, list[dict[str, Any]]]:
        """A view (see frr/route_rules.py) of these prefixes per VRF. The kernel is read last: it decides on packets.

        counted: whether the counts are needed, which FRR 8.4 takes another process for.
        """
        heads = [INSTANCES]
        sessions = [(vrf, own) for vrf in wanted for own in sorted(self.addresses)]
        heads += [f"{bgp(vrf)} neighbors {own} json" for vrf, own in sessions]
        asked = [(vrf, pre) for vrf, prefixes in wanted.items() for pre in prefixes]
        look_ups = [f"{bgp(vrf)} {family(pre)} unicast {pre} json" for vrf, pre in asked]
        # Zebra's word on IPv6 prefixes: the kernel's isn't always about the right one, see _withdrawal.decided().
        sixes = [(vrf, pre) for vrf, pre in asked if family(pre) == "ipv6"]
        ribs = [f"show ipv6 route vrf {vrf} {pre} json" for vrf, pre in sixes]
        found, extra, counts_text = self._ask_counted(heads + look_ups + ribs, list(wanted), counted=counted)
        zebra = found[len(heads + look_ups) :]

        view: dict[str, list[dict[str, Any]]] = {
            "neighbors": self._neighbors(sessions, found[1 : len(heads)]),
            "routes": [],
            "fib": [],
            "counts": [],
            "others": [],
        }
        paths = [
            bgp_json.paths(document, asked[i][1])
            for i, document in enumerate(found[len(heads) : len(heads + look_ups)])
        ]
        for listed in paths:
            self.link_locals |= route_rules.link_locals(listed, self.addresses)
        own = self.addresses | self.link_locals
        for (vrf, pre), listed in zip(asked, paths):
            view["routes"] += route_rules.over_node(vrf, pre, listed, own)
            view["others"] += route_rules.over_others(vrf, pre, listed, own)
        for vrf, document in zip(wanted, extra):
            counts = bgp_json.path_counts(document)
            view["counts"] += _counted(vrf, counts, own)
        installed = [
            {
                "vrf": vrf,
                "family": "ipv6",
                "prefix": pre,
                "matched": pre,
                "next_hops": bgp_json.installed(document, pre),
            }
            for (vrf, pre), document in zip(sixes, zebra)
        ]
        found_fib = route_rules.forwarded(route_rules.decided(self.fib.routes(wanted), installed), own)
        view["fib"] = sorted(found_fib, key=lambda entry: asked.index((entry["vrf"], entry["prefix"])))
        if counted and not extra and not view["routes"] and not view["fib"]:
            view["counts"] = self._counts_in_words(list(wanted), own, counts_text)
        return view

    def discover(self, vrfs: list[str]) -> set[str]:
        """Link-local addresses over which the router has sessions with the node; they are the node's from now on."""
        found, _none = self._ask([INSTANCES, *(f"{bgp(vrf)} summary json" for vrf in vrfs)], [], vrfs)
        named = [(vrf, name) for vrf, summary in zip(vrfs, found[1:]) for name in link_local.candidates(summary)]
        if not named:
            return set()
        same = link_local.same_hardware(self.fib.neighbours(), self.addresses)
        documents = self.vtysh.show([f"{bgp(vrf)} neighbors {name} json" for vrf, name in named])
        own = {each for document in documents for each in link_local.link_local_of(document, self.addresses, same)}
        self.addresses |= own
        return own

    def announced(self, vrfs: list[str]) -> dict[str, list[str]]:
        """VRF -> prefixes that the router has from its sessions with the node, just now."""
        sessions = [(vrf, own) for vrf in vrfs for own in sorted(self.addresses)]
        heads = [INSTANCES, *(f"{bgp(vrf)} neighbors {own} json" for vrf, own in sessions)]
        found, _none = self._ask(heads, [], vrfs)
        carried = [
            (neighbor["vrf"], f"{bgp(neighbor['vrf'])} {kind} unicast neighbors {neighbor['address']} routes json")
            for neighbor in self._neighbors(sessions, found[1:])
            for kind in neighbor["accepted"]
        ]
        prefixes: dict[str, list[str]] = {vrf: [] for vrf in vrfs}
        if carried:
            documents = self.vtysh.show([command for _vrf, command in carried])
            for (vrf, _command), document in zip(carried, documents):
                prefixes[vrf] += [each for each in bgp_json.announced(document) if each not in prefixes[vrf]]
        return prefixes

    def sessions(self, vrfs: list[str]) -> list[tuple[str, str, dict[str, Any]]]:
        """(VRF, name in FRR's configuration, neighbour) of each session that the router has with the node."""
        asked = [(vrf, own) for vrf in vrfs for own in sorted(self.addresses)]
        found, _none = self._ask([INSTANCES, *(f"{bgp(vrf)} neighbors {own} json" for vrf, own in asked)], [], vrfs)
        listed = [
            (vrf, next(iter(document)), bgp_json.neighbor(document, own))
            for (vrf, own), document in zip(asked, found[1:])
        ]
        return [(vrf, name, neighbor) for vrf, name, neighbor in listed if neighbor]

    def release(self) -> str | None:
        """FRR's version, None where it doesn't say one."""
        return bgp_json.release(self.vtysh.text("show version"))

    def _ask_counted(
        self, commands: list[str], vrfs: list[str], *, counted: bool
    ) -> tuple[list[dict[str, Any]], list[dict[str, Any]], str]:
        """The answers to commands, those about next hops in JSON, or as text where FRR is known to have no JSON."""
        json, texts = ([f"{bgp(vrf)} nexthop{form}" for vrf in vrfs] for form in (" json", ""))
        if not counted or not self.vtysh.unsupported.intersection(json):
            return (*self._ask(commands, json if counted else [], vrfs), "")
        try:
            found, text = self.vtysh.show_and_text(commands, texts)
        except UnknownError:
            self._check_instances(self.vtysh.show([INSTANCES])[0], vrfs)
            raise
        self._check_instances(found[0], vrfs)
        return found, [], text

    def _counts_in_words(self, vrfs: list[str], own: set[str], text: str) -> list[dict[str, Any]]:
        """The counts of a view where FRR (8.4) has no JSON for them; asked for here unless there is a text already."""
        listed = nexthop_text.split(text or "".join(self.vtysh.text(f"{bgp(vrf)} nexthop") for vrf in vrfs), len(vrfs))
        counts = [_counted(vrf, nexthop_text.path_counts(part), own) for vrf, part in zip(vrfs, listed)]
        return [each for found in counts for each in found]

    def _ask(
        self, commands: list[str], extra: list[str], vrfs: list[str]
    ) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        """The answers to commands, of which INSTANCES is the first, and to the extra ones that not every FRR has."""
        try:
            found = self.vtysh.show_with(commands, extra)
        except UnknownError:
            # A VRF without an instance answers in many ways: say that plainly, if that is the cause.
            self._check_instances(self.vtysh.show([INSTANCES])[0], vrfs)
            raise
        self._check_instances(found[0][0], vrfs)
        return found

    def _check_instances(self, document: dict[str, Any], vrfs: list[str]) -> None:
        there = bgp_json.instances(document)
        for vrf in vrfs:
            if vrf not in there:
                # Without an instance FRR answers {} to much, which would read as "no routes".
                raise UnknownError(
                    f"FRR has no BGP instance in VRF {vrf} (it has: {', '.join(there) or 'none'});"
                    " is 'router bgp' configured there, and has bgpd read its configuration?"
                )
            if there[vrf] == 0:
                # As after a restart with an empty configuration: no path to anything, which says nothing of the node.
                raise UnknownError(
                    f"FRR's BGP instance in VRF {vrf} has no neighbours;"
                    " is it the right router and VRF, and has bgpd read its configuration?"
                )

    def _neighbors(self, sessions: list[tuple[str, str]], found: list[dict[str, Any]]) -> list[dict[str, Any]]:
        read = [(vrf, bgp_json.neighbor(document, own)) for (vrf, own), document in zip(sessions, found)]
        return [{"vrf": vrf, **neighbor} for vrf, neighbor in read if neighbor]
