# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to hitless.nodes: it may change in any release, don't import it from elsewhere.

"""Looks up addresses in the kernel's forwarding table. One process of ip does all look-ups."""

from __future__ import annotations

import ipaddress
import os
import re
import shutil
import subprocess
from typing import Any

from ..base.net import address, family, prefix
from ..base.words import excerpt
from .answers import RouterError, UnknownError, documents
from .place import Place
from .questions import pairs

# The kernel's errors where it forwards no packet: no route, an unreachable, a blackhole and a prohibit route.
# Routers that announce VIPs often have such a route, for example "ip route 198.51.100.0/24 Null0".
NOT_FORWARDED = ("Network is unreachable", "No route to host", "Invalid argument", "Permission denied")
# The types of routes by which the kernel forwards nothing.
NOT_UNICAST = ("unreachable", "blackhole", "prohibit", "throw")
MAIN = 254
SEARCH = os.pathsep.join(("/usr/sbin", "/sbin", "/usr/bin", "/bin", "/usr/local/sbin", "/usr/local/bin"))


def probes(wanted: str) -> list[str]:
    """The first and the last address of a prefix. With only one, a more specific route could hide the prefix."""
    network = ipaddress.ip_network(wanted)
    return list(dict.fromkeys((str(network[0]), str(network[-1]))))


def look_up(destination: str, vrf: str) -> str:
    """A line for "ip -batch". It asks for the matching route with all next hops, not for the next hop of one flow."""
    return f"route get fibmatch {destination}" + ("" if vrf == "default" else f" vrf {vrf}")


def results(lines: list[str], stdout: str, stderr: str) -> list[dict[str, Any] | None]:
    """For each line of a batch: the route that matched, or None if the kernel forwards nothing.

    ip answers on stdout the lines that succeed, in order. On stderr it names the number of each line that fails.
    """
    failed = _not_forwarded(lines, stderr)
    found, rest = documents(stdout)
    if rest or len(found) + len(failed) != len(lines):
        raise UnknownError(
            f"ip answered {len(found) + len(failed)} of {len(lines)} route look-ups"
            f"{': ' + excerpt(rest) if rest else ''}; iproute2 with JSON (5.0 or newer) is needed"
        )
    answers = iter(found)
    return [None if number in failed else _only(next(answers), line) for number, line in enumerate(lines, start=1)]


def _not_forwarded(lines: list[str], stderr: str) -> set[int]:
    """The numbers of the lines for which the kernel forwards nothing. Raises UnknownError for other failures."""
    failed: dict[int, str] = {}
    reason: list[str] = []
    for line in stderr.splitlines():
        verdict = re.match(r"Command failed -:(\d+)$", line.strip())
        if verdict:
            failed[int(verdict.group(1))] = " ".join(reason)
            reason = []
        else:
            reason += line.split()
    if reason:
        # Some errors end the whole batch, for example an unknown VRF.
        raise UnknownError(f"ip couldn't look up routes: {excerpt(' '.join(reason))}; is the VRF's name right?")
    for number, why in failed.items():
        if not why.startswith("RTNETLINK answers: ") or not why.endswith(NOT_FORWARDED):
            raise UnknownError(f"'ip {lines[number - 1]}' failed: {excerpt(why)}; try it on the router by hand")
    return set(failed)


def _only(document: Any, line: str) -> dict[str, Any]:
    if isinstance(document, list) and len(document) == 1 and isinstance(document[0], dict):
        return document[0]
    raise UnknownError(f"the answer to 'ip {line}' isn't understood: {excerpt(str(document))}")


def destination(route: dict[str, Any], looked_up: str) -> str:
    """The prefix of a matched route. ip writes "default" for 0.0.0.0/0, and a host route without its length."""
    shown = route.get("dst")
    if not isinstance(shown, str):
        raise UnknownError(f"the route to {looked_up} has no destination: {excerpt(str(route))}")
    if shown == "default":
        return "::/0" if family(looked_up) == "ipv6" else "0.0.0.0/0"
    return prefix(shown)


def covers(matched: str, looked_up: str) -> bool:
    """Whether a route's prefix contains the address that was looked up."""
    return ipaddress.ip_address(looked_up) in ipaddress.ip_network(matched)


def is_doubtful(route: dict[str, Any] | None, pre: str, looked_up: str) -> bool:
    """Whether the kernel may have answered with another route than the one that it uses.

    For IPv6, Linux remembers a route with each next hop object. Routes whose groups share the object then answer for
    each other, with a route that doesn't hold the address, or only by chance. This was seen with Linux 6.18. An answer
    for exactly the prefix is right, and so is one without an object. FRR installs all its routes by such objects.
    """
    if route is None or family(looked_up) == "ipv4":
        return False
    matched = destination(route, looked_up)
    return matched != pre and ("nhid" in route or not covers(matched, looked_up))


def show_matches(looked_up: str, vrf: str) -> str:
    """A line for "ip -6 -batch". It asks for all routes that hold an address, also the less specific ones."""
    return f"route show match {looked_up}/128" + ("" if vrf == "default" else f" vrf {vrf}")


def longest_match(routes: list[dict[str, Any]], looked_up: str) -> dict[str, Any] | None:
    """The one of the routes that the kernel uses. None if it forwards nothing."""

    def rank(route: dict[str, Any]) -> tuple[int, int]:
        length = ipaddress.ip_network(destination(route, looked_up)).prefixlen
        return (length, -int(route.get("metric", 0)))

    best = max(routes, key=rank, default=None)
    return None if best is None or best.get("type") in NOT_UNICAST else best


def table(route: dict[str, Any]) -> int | None:
    """The number of a matched route's table. ip leaves out the main one. None if it shows only a name."""
    shown = str(route.get("table", MAIN))
    return int(shown) if shown.isdigit() else None


def next_hops(route: dict[str, Any]) -> list[str] | None:
    """The next hops of a matched route. [] if it has none, as a connected or local route.

    None if it only names a next hop object, as with sysctl nexthop_compat_mode=0. Fib looks such objects up.
    """
    listed = route.get("nexthops")
    hops = listed if isinstance(listed, list) else [route]
    found = [_hop(hop) for hop in hops]
    known = [hop for hop in found if hop]
    if not known and "nhid" in route and "dev" not in route:
        return None
    return known


def _hop(hop: dict[str, Any]) -> str | None:
    # An IPv4 route with an IPv6 next hop has "via" instead of "gateway".
    shown = hop.get("gateway") or (hop.get("via") or {}).get("host")
    return address(shown) if shown else None


def _vrf_of(link: dict[str, Any]) -> str:
    """The VRF of an interface, by its details; a VRF's own device belongs to it, too."""
    details = link.get("linkinfo") or {}
    if details.get("info_slave_kind") == "vrf":
        return str(link["master"])
    return str(link["ifname"]) if details.get("info_kind") == "vrf" else "default"


def _members(entry: dict[str, Any]) -> list[int]:
    """The numbers of the members of a next hop object that is a group. [] if it is no group."""
    return [part["id"] for part in entry.get("group", [])]


def _is_own(stderr: str) -> bool:
    """Whether an error text is ip's own, and not one of a command that was to run it."""
    return any(
        line.startswith(("RTNETLINK answers", "Command failed -:", "Error: argument")) for line in stderr.splitlines()
    )


def _search() -> str:
    return os.pathsep.join((os.environ.get("PATH", ""), SEARCH))


class Fib:
    """Looks routes up with iproute2."""

    def __init__(self, place: Place | None = None, *, timeout: float = 10.0, system: str = "") -> None:
        """system: what the router's kernel calls itself, for tests."""
        self.place = place or Place()
        self.timeout = timeout
        name = system or os.uname().sysname
        if name != "Linux":
            raise RouterError(
                f"this router runs {name}, not Linux: what its kernel forwards can't be read here;"
                " use evidence=cilium or evidence=estimate for the nodes that peer with it (docs/evidence.md)"
            )
        # Elsewhere the search is that place's own.
        program = "ip" if self.place else shutil.which("ip", path=_search())
        if not program:
            raise RouterError(
                "ip isn't on this host; install iproute2 (where that can't be: evidence=cilium, docs/evidence.md)"
            )
        self.program = program

    def routes(self, wanted: dict[str, list[str]]) -> list[dict[str, Any]]:
        """{vrf, family, prefix, matched, next_hops, table} of each route that the kernel has for an address.

        prefix: the one that was asked for. table: the number of the kernel's table, None if ip shows only a name.
        """
        asked = []
        for vrf, pre in pairs(wanted):
            asked += [(vrf, pre, dst) for dst in probes(pre)]
        found = self._batch([look_up(dst, vrf) for vrf, _pre, dst in asked])
        doubted = [number for number, (_vrf, pre, dst) in enumerate(asked) if is_doubtful(found[number], pre, dst)]
        for number, route in zip(doubted, self._matches([asked[number] for number in doubted])):
            found[number] = route
        entries: list[dict[str, Any]] = []
        unresolved: dict[int, list[dict[str, Any]]] = {}
        for (vrf, pre, dst), route in zip(asked, found):
            if route is None:
                continue
            hops = next_hops(route)
            entry: dict[str, Any] = {"vrf": vrf, "family": family(pre), "prefix": pre}
            entry.update({"matched": destination(route, dst), "next_hops": hops or [], "table": table(route)})
            if hops is None:
                unresolved.setdefault(int(route["nhid"]), []).append(entry)
            if entry not in entries:
                entries.append(entry)
        for number, hops in self._objects(list(unresolved)).items():
            for entry in unresolved[number]:
                entry["next_hops"] = hops
        return entries

    def _matches(self, asked: list[tuple[str, str, str]]) -> list[dict[str, Any] | None]:
        """For each (VRF, prefix, IPv6 address) the route that matches the address, None if nothing is forwarded.

        The kernel lists whole tables for it. So only doubtful answers are looked up again like this.
        """
        found = self._shown([(vrf, dst) for vrf, _pre, dst in asked])
        # Without a route in a VRF's table, Linux goes on to the main one.
        missing = [number for number, (vrf, _pre, _dst) in enumerate(asked) if vrf != "default" and not found[number]]
        for number, routes in zip(missing, self._shown([("default", asked[number][2]) for number in missing])):
            found[number] = routes
        return [longest_match(routes, dst) for routes, (_vrf, _pre, dst) in zip(found, asked)]

    def _shown(self, asked: list[tuple[str, str]]) -> list[list[dict[str, Any]]]:
        """For each (VRF, IPv6 address) all routes that hold the address."""
        if not asked:
            return []
        lines = [show_matches(dst, vrf) for vrf, dst in asked]
        rc, stdout, stderr = self._run(["-6", "-force", "-batch", "-"], "\n".join([*lines, ""]))
        found, rest = documents(stdout)
        if rc or rest or len(found) != len(lines) or not all(isinstance(routes, list) for routes in found):
            raise UnknownError(
                f"ip answered {len(found)} of {len(lines)} questions for IPv6 routes: {excerpt(stderr or rest)};"
                f" try 'ip -6 -j {lines[0]}' on the router by hand"
            )
        # ip leaves out the table that it was asked for.
        return [
            [route if vrf == "default" else {"table": vrf, **route} for route in routes]
            for (vrf, _dst), routes in zip(asked, found)
        ]

    def neighbours(self) -> list[dict[str, Any]]:
        """The hosts on the router's links, as ip lists them: {dst, dev, lladdr, ...}."""
        return self._listed(["neigh", "show"])

    def addresses(self) -> list[dict[str, Any]]:
        """The router's own global addresses as {address, network, interface, vrf}, of all VRFs."""
        found = []
        for link in self._listed(["-details", "address", "show"]):
            where = {"interface": link["ifname"], "vrf": _vrf_of(link)}
            for own in link.get("addr_info", []):
                if own.get("scope") != "global" or "local" not in own:
                    continue
                network = ipaddress.ip_interface(f"{own['local']}/{own['prefixlen']}").network
                found.append({"address": address(own["local"]), "network": str(network), **where})
        return found

    def _objects(self, numbers: list[int]) -> dict[int, list[str]]:
        """Number -> next hops of each next hop object. A group has those of its members."""
        objects = self._with_members(numbers)
        hops = {}
        for number in numbers:
            shown = [_hop(objects[part]) for part in _members(objects[number]) or [number]]
            hops[number] = [hop for hop in shown if hop]
        return hops

    def _with_members(self, numbers: list[int]) -> dict[int, dict[str, Any]]:
        """Number -> next hop object, for these objects and the members of groups among them."""
        objects: dict[int, dict[str, Any]] = {}
        missing = numbers
        while missing:
            members: set[int] = set()
            found = self._batch([f"nexthop get id {number}" for number in missing])
            for number, entry in zip(missing, found):
                if entry is None:
                    raise UnknownError(f"next hop object {number} was removed while it was looked up")
                objects[number] = entry
                members.update(_members(entry))
            missing = sorted(members - set(objects))
        return objects

    def _listed(self, arguments: list[str]) -> list[dict[str, Any]]:
        """What ip lists as JSON."""
        rc, stdout, stderr = self._run(arguments, "")
        found, rest = documents(stdout)
        if rc or rest or not all(isinstance(listed, list) for listed in found):
            if rc and self.place:
                raise self.place.failure("ip", rc, stdout, stderr)
            raise UnknownError(f"'ip -j {' '.join(arguments)}' isn't understood: {excerpt(stderr or stdout)}")
        return [entry for listed in found for entry in listed]

    def _batch(self, lines: list[str]) -> list[dict[str, Any] | None]:
        rc, stdout, stderr = self._run(["-force", "-batch", "-"], "\n".join([*lines, ""]))
        if self.place and lines and not stdout and not _is_own(stderr):
            raise self.place.failure("ip", rc, stdout, stderr)
        return results(lines, stdout, stderr)

    def _run(self, arguments: list[str], text: str) -> tuple[int, str, str]:
        try:
            return self.place.run([self.program, "-j", *arguments], text, self.timeout)
        except subprocess.TimeoutExpired as exc:
            asked = f"{text.count(chr(10))} route look-ups" if text else f"'ip {' '.join(arguments)}'"
            by = f" by {self.place}" if self.place else ""
            raise UnknownError(f"no answer from ip to {asked}{by} within {self.timeout:.0f} s") from exc
