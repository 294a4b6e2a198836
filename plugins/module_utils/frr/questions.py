# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to hitless.nodes: it may change in any release, don't import it from elsewhere.

"""The show commands of one look at a router, and how their answers are read. One process of vtysh runs them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from ..base.net import family
from . import bgp_json, neighbor_json, rib_json

INSTANCES = "show bgp vrfs json"


def bgp(vrf: str) -> str:
    """The beginning of a show command for that VRF."""
    return "show bgp" if vrf == "default" else f"show bgp vrf {vrf}"


def neighbor_command(vrf: str, name: str) -> str:
    """The command that shows one session."""
    return f"{bgp(vrf)} neighbors {name} json"


def neighbors_command(vrf: str) -> str:
    """The command that shows all sessions in a VRF."""
    return f"{bgp(vrf)} neighbors json"


def prefix_command(vrf: str, pre: str) -> str:
    """The command that shows BGP's paths of one prefix."""
    return f"{bgp(vrf)} {family(pre)} unicast {pre} json"


def rib_command(vrf: str, pre: str) -> str:
    """The command that shows zebra's routes of all protocols to one prefix."""
    return f"show {'ipv6' if family(pre) == 'ipv6' else 'ip'} route vrf {vrf} {pre} json"


def pairs(wanted: dict[str, list[str]]) -> list[tuple[str, str]]:
    """(VRF, prefix) of each prefix."""
    return [(vrf, pre) for vrf, prefixes in wanted.items() for pre in prefixes]


@dataclass(frozen=True)
class Answers:
    """A router's answers.

    neighbors: its sessions, each with its VRF. paths: (VRF, prefix, its paths in BGP). zebra: {vrf, prefix, hops,
    table} of each prefix, as rib_json.installed() has them. history: {vrf, next_hops} of each path that only dampening
    remembers. staying: as paths, of the prefixes that may stay.
    """

    neighbors: list[dict[str, Any]]
    paths: list[tuple[str, str, list[dict[str, Any]]]]
    zebra: list[dict[str, Any]]
    history: list[dict[str, Any]]
    staying: list[tuple[str, str, list[dict[str, Any]]]]


class Questions:
    """What a look asks. sessions: (VRF, address) of each that may exist. wanted: VRF -> prefixes.

    staying: prefixes that may stay, of which only BGP's paths are asked, in the same VRFs.
    """

    def __init__(
        self, sessions: list[tuple[str, str]], wanted: dict[str, list[str]], staying: Iterable[str] = ()
    ) -> None:
        self.sessions = sessions
        self.staying = [(vrf, pre) for vrf in wanted for pre in staying]
        self.prefixes = pairs(wanted)

    @property
    def commands(self) -> list[str]:
        """The commands. The first one asks for the BGP instances."""
        return [
            INSTANCES,
            *(neighbor_command(vrf, own) for vrf, own in self.sessions),
            *(prefix_command(vrf, pre) for vrf, pre in self.prefixes),
            *(rib_command(vrf, pre) for vrf, pre in self.prefixes),
            *(prefix_command(vrf, pre) for vrf, pre in self.staying),
        ]

    def read(self, documents: Iterable[dict[str, Any]]) -> Answers:
        """Reads the answers to the commands, in the order of the commands."""
        rest = iter(documents)
        next(rest)
        neighbors = []
        for vrf, own in self.sessions:
            neighbor = neighbor_json.neighbor(next(rest), own)
            if neighbor:
                neighbors.append({"vrf": vrf, **neighbor})
        paths, history = [], []
        for vrf, pre in self.prefixes:
            document = next(rest)
            paths.append((vrf, pre, bgp_json.paths(document, pre)))
            history += [{"vrf": vrf, "next_hops": hops} for hops in bgp_json.history(document, pre)]
        zebra = [_of_zebra(vrf, pre, next(rest)) for vrf, pre in self.prefixes]
        staying = [(vrf, pre, bgp_json.paths(next(rest), pre)) for vrf, pre in self.staying]
        return Answers(neighbors, paths, zebra, history, staying)


def _of_zebra(vrf: str, pre: str, document: dict[str, Any]) -> dict[str, Any]:
    hops, table = rib_json.installed(document, pre)
    return {"vrf": vrf, "prefix": pre, "hops": hops, "table": table}
