# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to hitless.nodes: it may change in any release, don't import it from elsewhere.

"""One look at a router: what BGP and the kernel know of a node. It takes one process of vtysh and one of ip."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from . import (
    bgp_json,
    forwarding,
    link_local,
    neighbor_json,
    nexthop_text,
    no_neighbors,
    node_sessions,
    route_rules,
    speakers,
)
from .answers import RouterError, UnknownError
from .iproute import Fib
from .questions import INSTANCES, Questions, bgp, neighbor_command, neighbors_command
from .route_rules import Entries, View
from .vtysh import Vtysh

VERSION = "show version"


def no_instance(vrf: str, there: Iterable[str]) -> UnknownError:
    """The error for a VRF without a BGP instance. FRR answers {} there, which could be taken for "no routes"."""
    return UnknownError(
        f"FRR has no BGP instance in VRF {vrf} (it has: {', '.join(there) or 'none'});"
        " is 'router bgp' configured there, and has bgpd read its configuration?"
    )


def _counted(vrf: str, counts: dict[str, int], own: set[str], history: Entries) -> list[dict[str, Any]]:
    """The counts of a view: how many paths lead over each of the node's addresses.

    FRR counts the history entries of dampening, too. They are left out if they are all that it counts.
    """
    found = [{"vrf": vrf, "next_hop": hop, "paths": counts[hop]} for hop in sorted(own & set(counts))]
    past = [entry for entry in history if entry["vrf"] == vrf and own.intersection(entry["next_hops"])]
    counted = sum(counts[hop] for hop in own & set(counts))
    return [] if counted <= len(past) else found


class Router:
    """The router that this process runs on, asked about one node."""

    def __init__(self, vtysh: Vtysh, fib: Fib, addresses: set[str]) -> None:
        self.vtysh = vtysh
        self.fib = fib
        self.addresses = addresses
        # Set by identify(): (VRF, address) of the node's sessions; the addresses of the others and of the router.
        self.senders: set[tuple[str, str]] = set()
        self.foreign: set[str | None] = set()
        # Prefixes that the node goes on announcing, which the counters of its paths count, too.
        self.staying: list[str] = []
        # Set by speakers(): VRF -> all its sessions as FRR shows them, and what FRR says of its version.
        self._neighbors: dict[str, dict[str, Any]] = {}
        self._version = ""
        # Paths of the node add link-local next hops to it. A wait passes it on to its next slice.
        self.link_locals: set[str] = set()

    def look(self, wanted: dict[str, list[str]], *, counted: bool = True) -> View:
        """A view of these prefixes (VRF -> prefixes), see frr/route_rules.py.

        The kernel is read last, because it decides where packets go. counted: whether the counts are needed. With FRR
        8.4 they can take another process.
        """
        questions = Questions(self._possible_sessions(wanted), wanted, self.staying)
        found, counts, counts_text = self._ask_counted(questions.commands, list(wanted), counted=counted)
        answers = questions.read(found)
        for vrf, _pre, paths in answers.paths:
            self.link_locals |= route_rules.link_locals(paths, self.addresses)
            senders = {own for of, own in self.senders if of == vrf}
            self.link_locals |= route_rules.sent_next_hops(paths, senders) - self.foreign
        own = self.addresses | self.link_locals
        view: View = {
            "neighbors": answers.neighbors,
            "routes": [],
            "counts": [],
            "others": [],
            "carried": [],
            "staying": [],
            **forwarding.judged(wanted, self.fib.routes(wanted), answers.zebra, own),
        }
        for vrf, pre, paths in answers.staying:
            view["staying"] += route_rules.staying_paths(vrf, pre, paths)
        for vrf, pre, paths in answers.paths:
            view["routes"] += route_rules.over_node(vrf, pre, paths, own)
            view["others"] += route_rules.over_others(vrf, pre, paths, own)
            view["carried"] += route_rules.carried(vrf, paths, own)
        for vrf, document in zip(wanted, counts):
            view["counts"] += _counted(vrf, bgp_json.path_counts(document), own, answers.history)
        if counted and not counts and not view["routes"] and not view["fib"]:
            view["counts"] = self._counts_in_words(list(wanted), own, answers.history, counts_text)
        return view

    def discover(self, vrfs: list[str]) -> set[str]:
        """Link-local addresses of the node over which the router has sessions. From now on a look includes them."""
        found, _none = self._ask([INSTANCES, *(f"{bgp(vrf)} summary json" for vrf in vrfs)], [], vrfs)
        commands = []
        for vrf, summary in zip(vrfs, found[1:]):
            commands += [neighbor_command(vrf, name) for name in link_local.candidates(summary)]
        if not commands:
            return set()
        same = link_local.same_hardware(self.fib.neighbours(), self.addresses)
        own: set[str] = set()
        for document in self.vtysh.show(commands):
            own |= link_local.link_local_of(document, self.addresses, same)
        self.addresses |= own
        return own

    def speakers(self, vrfs: list[str]) -> tuple[list[dict[str, Any]], list[str]]:
        """(every session that the router has in these VRFs, with whomever; the VRFs with a BGP instance).

        The same process is asked for FRR's version.
        """
        commands = [INSTANCES, *(neighbors_command(vrf) for vrf in vrfs)]
        found, self._version = self._ask_and_text(commands, [VERSION], vrfs)
        listed = []
        for vrf, document in zip(vrfs, found[1:]):
            listed += speakers.speakers(document, vrf)
            self._neighbors[vrf] = document
        return listed, list(bgp_json.instances(found[0]))

    def identify(
        self, sessions: list[dict[str, Any]], who: node_sessions.Identity, routers: list[dict[str, Any]]
    ) -> list[dict[str, Any]]:
        """The node's of these sessions; their addresses, and all next hops that they send, are the node's from now on.

        sessions: every session of the router in the VRFs asked, see speakers(). routers: the router's own addresses.
        UnknownError where two nodes could be meant.
        """
        same: set[str] = set()
        if any(link_local.is_link_local(each["address"] or "") for each in sessions):
            same = link_local.same_hardware(self.fib.neighbours(), who.known)
        found = node_sessions.of_node(sessions, who, same)
        self.addresses |= who.known | {each["address"] for each in found if each["address"]}
        self.senders = {(each["vrf"], each["address"]) for each in found}
        self.foreign = {each["address"] for each in [*sessions, *routers] if each not in found}
        return found

    def announced(self, vrfs: list[str]) -> dict[str, list[str]]:
        """VRF -> prefixes that the router has just now from its sessions with the node, which speakers() has found."""
        prefixes: dict[str, list[str]] = {vrf: [] for vrf in vrfs}
        tables = []
        for vrf, own in self._possible_sessions(vrfs):
            neighbor = neighbor_json.listed(self._neighbors[vrf], own)
            for kind in neighbor["accepted"] if neighbor else ():
                tables.append((vrf, f"{bgp(vrf)} {kind} unicast neighbors {own} routes json"))
        if not tables:
            return prefixes
        documents = self.vtysh.show([command for _vrf, command in tables])
        for (vrf, _command), document in zip(tables, documents):
            prefixes[vrf] += [each for each in bgp_json.announced(document) if each not in prefixes[vrf]]
        return prefixes

    def sessions(self, vrfs: list[str]) -> list[tuple[str, str, dict[str, Any]]]:
        """(VRF, name in FRR's configuration, neighbour) of each session that the router has with the node."""
        asked = self._possible_sessions(vrfs)
        found, _none = self._ask([INSTANCES, *(neighbor_command(vrf, own) for vrf, own in asked)], [], vrfs)
        listed = []
        for (vrf, own), document in zip(asked, found[1:]):
            neighbor = neighbor_json.neighbor(document, own)
            if neighbor:
                listed.append((vrf, next(iter(document)), neighbor))
        return listed

    def release(self) -> str | None:
        """FRR's version. None if FRR doesn't say it."""
        return bgp_json.release(self._version or self.vtysh.text(VERSION))

    def _ask_counted(
        self, commands: list[str], vrfs: list[str], *, counted: bool
    ) -> tuple[list[dict[str, Any]], list[dict[str, Any]], str]:
        """The answers to commands, and those about next hops: as JSON, or as text if this FRR has no JSON for them."""
        json, texts = ([f"{bgp(vrf)} nexthop{form}" for vrf in vrfs] for form in (" json", ""))
        if not counted or not self.vtysh.unsupported.intersection(json):
            return (*self._ask(commands, json if counted else [], vrfs), "")
        found, text = self._ask_and_text(commands, texts, vrfs)
        return found, [], text

    def _counts_in_words(self, vrfs: list[str], own: set[str], history: Entries, text: str) -> Entries:
        """The counts of a view, from text: FRR 8.4 has no JSON for them. Asks the router if text is empty."""
        listed = text or "".join(self.vtysh.text(f"{bgp(vrf)} nexthop") for vrf in vrfs)
        counts: Entries = []
        for vrf, part in zip(vrfs, nexthop_text.split(listed, len(vrfs))):
            counts += _counted(vrf, nexthop_text.path_counts(part), own, history)
        return counts

    def _possible_sessions(self, vrfs: Iterable[str]) -> list[tuple[str, str]]:
        """(VRF, address) of each session that the router may have with the node."""
        return [(vrf, own) for vrf in vrfs for own in sorted(self.addresses)]

    def _ask(
        self, commands: list[str], extra: list[str], vrfs: list[str]
    ) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        """The answers to commands, and to extra commands that not every FRR has. The first command is INSTANCES."""
        try:
            found = self.vtysh.show_with(commands, extra)
        except (RouterError, UnknownError):
            # FRR answers differently for a VRF without an instance. If that is the cause, this error says it plainly.
            self._check_instances(self.vtysh.show([INSTANCES])[0], vrfs)
            raise
        self._check_instances(found[0][0], vrfs)
        return found

    def _ask_and_text(self, commands: list[str], texts: list[str], vrfs: list[str]) -> tuple[list[dict[str, Any]], str]:
        """The answers to commands, and what commands without JSON print. The first command is INSTANCES."""
        try:
            found, text = self.vtysh.show_and_text(commands, texts)
        except (RouterError, UnknownError):
            self._check_instances(self.vtysh.show([INSTANCES])[0], vrfs)
            raise
        self._check_instances(found[0], vrfs)
        return found, text

    def _check_instances(self, document: dict[str, Any], vrfs: list[str]) -> None:
        there = bgp_json.instances(document)
        for vrf in vrfs:
            if vrf not in there:
                raise no_instance(vrf, there)
        empty = [vrf for vrf in vrfs if there[vrf] == 0]
        config = self.vtysh.text("show running-config") if empty else ""
        for vrf in empty:
            if not no_neighbors.is_explained(config, vrf):
                # After a restart with an empty configuration there are no paths. That proves nothing about the node.
                raise UnknownError(
                    f"FRR's BGP instance in VRF {vrf} has no neighbours, which neither 'bgp listen range' nor"
                    " 'import vrf' explains; check the router's name, router_vrfs, and that bgpd has read its"
                    " configuration"
                )
