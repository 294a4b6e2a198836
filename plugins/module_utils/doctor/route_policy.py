# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to hitless.nodes: it may change in any release, don't import it from elsewhere.

"""Whether a router's configuration accepts a prefix from a neighbour, and if not, which line refuses it.

Pure functions over what frr/running_config.py returns. A verdict is True, False or None. It is None if a line asks for
something that isn't known here (communities, AS paths, access lists). Unknown is never "accepted".
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ..base.net import HOST_LENGTH, family
from ..frr.neighbor_json import as_number

_MATCHES = {"ip address prefix-list ": "ipv4", "ipv6 address prefix-list ": "ipv6"}


@dataclass(frozen=True)
class Verdict:
    """Whether a prefix is accepted (None: unknown), why, and what to change."""

    accepted: bool | None
    why: str
    remedy: str = ""


def _entry_matches(entry: dict[str, Any], prefix: str) -> bool:
    """Whether one line of a prefix-list matches this prefix, as FRR reads ge and le."""
    wanted = ipaddress.ip_network(prefix)
    if entry["prefix"] == "any":
        return True
    own = ipaddress.ip_network(entry["prefix"], strict=False)
    if own.version != wanted.version or not wanted.subnet_of(own):  # type: ignore[arg-type]
        return False
    if entry["ge"] is None and entry["le"] is None:
        return wanted.prefixlen == own.prefixlen
    return (entry["ge"] or own.prefixlen) <= wanted.prefixlen <= (entry["le"] or wanted.max_prefixlen)


def _covers(entry: dict[str, Any], prefix: str) -> bool:
    """Whether a line permits the network around a prefix, of any length."""
    if entry["action"] != "permit" or entry["prefix"] == "any":
        return False
    own, wanted = ipaddress.ip_network(entry["prefix"], strict=False), ipaddress.ip_network(prefix)
    return own.version == wanted.version and wanted.subnet_of(own)  # type: ignore[arg-type]


def _list_title(kind: str, name: str) -> str:
    """The name of a prefix-list in FRR's configuration."""
    return f"{'ip' if kind == 'ipv4' else 'ipv6'} prefix-list {name}"


def prefix_list(config: dict[str, Any], name: str, prefix: str) -> Verdict:
    """What a prefix-list says of a prefix."""
    kind = family(prefix)
    title = _list_title(kind, name)
    entries = config["prefix_lists"][kind].get(name)
    if entries is None:
        return Verdict(
            False,
            f"{title} isn't defined, so FRR refuses the prefix",
            f"define '{title}', or correct its name where it is used",
        )
    if not entries:
        return Verdict(True, f"prefix-list {name} has no line, so FRR permits all prefixes")
    for entry in entries:
        if _entry_matches(entry, prefix):
            said = f"prefix-list {name}: {entry['text']}"
            if entry["action"] == "permit":
                return Verdict(True, said)
            return Verdict(False, said, f"permit {prefix} in {title} before seq {entry['seq']}")
    for entry in entries:
        if _covers(entry, prefix):
            longest = HOST_LENGTH[kind]
            return Verdict(
                False,
                f"prefix-list {name}: '{entry['text']}' covers {prefix}, but only lengths "
                f"{_lengths(entry)} pass, and VIPs are announced as /{longest}",
                f"write '{title} seq {entry['seq']} permit {entry['prefix']} le {longest}'",
            )
    return Verdict(
        False,
        f"prefix-list {name} has no line for {prefix}",
        f"add '{title} permit ...' for the pool that {prefix} is from",
    )


def _lengths(entry: dict[str, Any]) -> str:
    """The lengths that a line lets pass, in words."""
    own = ipaddress.ip_network(entry["prefix"], strict=False)
    low = entry["ge"] or own.prefixlen
    high = entry["le"] or (own.max_prefixlen if entry["ge"] else own.prefixlen)
    return f"/{low}" if low == high else f"/{low} to /{high}"


def route_map(config: dict[str, Any], name: str, prefix: str) -> Verdict:
    """What a route-map says of a prefix."""
    entries = config["route_maps"].get(name)
    if entries is None:
        return Verdict(
            False,
            f"route-map {name} isn't defined, so FRR refuses the prefix",
            f"define route-map {name}, or correct its name at the neighbour",
        )
    refusals: list[Verdict] = []
    doubt = ""
    for entry in entries:
        matched, said = _route_map_entry(config, entry, prefix)
        where = f"route-map {name} {entry['action']} {entry['seq']}"
        if matched is None:
            doubt = doubt or f"{where}: '{said.why}' can't be judged from here"
        elif matched and not doubt:
            return _decision(entry, where, name, prefix)
        elif matched:
            break
        elif said.remedy:
            refusals.append(Verdict(False, f"{where}: {said.why}", said.remedy))
    if doubt:
        return Verdict(None, doubt)
    if refusals:
        # A missing list explains most, then a near miss, then a list that is about something else.
        return min(refusals, key=lambda each: ("isn't defined" not in each.why, "covers" not in each.why))
    return Verdict(False, f"no entry of route-map {name} permits {prefix}", f"add an entry for it to route-map {name}")


def _decision(entry: dict[str, Any], where: str, name: str, prefix: str) -> Verdict:
    """What an entry of a route-map does with a prefix for which all its conditions hold."""
    if entry["flow"]:
        return Verdict(None, f"{where} goes on with '{entry['flow'][0]}', which isn't followed here")
    if entry["action"] == "permit":
        return Verdict(True, where)
    return Verdict(False, f"{where} refuses {prefix}", f"permit {prefix} in route-map {name} before it")


def _matched_list(match: str) -> tuple[str, str] | None:
    """(family, name) of the prefix-list that a condition names. None: it is about something else."""
    for words, kind in _MATCHES.items():
        if match.startswith(words):
            return kind, match.split()[3]
    return None


def _route_map_entry(config: dict[str, Any], entry: dict[str, Any], prefix: str) -> tuple[bool | None, Verdict]:
    """Whether all conditions of an entry hold (None: unknown), and the verdict of the one that decides."""
    unknown: Verdict | None = None
    for match in entry["matches"]:
        about = _matched_list(match)
        if about is None:
            unknown = unknown or Verdict(None, f"match {match}")
            continue
        kind, name = about
        if kind != family(prefix):
            return False, Verdict(False, f"match {match} is about {kind} only")
        if config["prefix_lists"][kind].get(name) == []:
            # FRR finds a route-map's entries by the lines of their prefix-lists. Without a line it finds none.
            title = _list_title(kind, name)
            return False, Verdict(
                False, f"{title} has no line, so the entry matches nothing", f"add a line to '{title}'"
            )
        said = prefix_list(config, name, prefix)
        if not said.accepted:
            return False, said
    return (None, unknown) if unknown else (True, Verdict(True, ""))


def accepts(config: dict[str, Any], instance: dict[str, Any], neighbor: dict[str, Any], prefix: str) -> Verdict:
    """Whether the router accepts a prefix from a neighbour, by its configuration."""
    kind = family(prefix)
    inbound = neighbor["families"][kind]
    who = neighbor["name"]
    if not inbound["active"]:
        return Verdict(
            False,
            f"neighbor {who} isn't activated for {kind}",
            f"add 'neighbor {who} activate' in 'address-family {kind} unicast'",
        )
    without_policy = not any(inbound[key] for key in ("route_map", "prefix_list", "filter_list", "distribute_list"))
    if without_policy and instance["requires_policy"] and is_external(instance, neighbor):
        return Verdict(
            False,
            f"neighbor {who} has no inbound policy for {kind}, and 'bgp ebgp-requires-policy' is on",
            f"add one in 'address-family {kind} unicast', such as 'neighbor {who} route-map NAME in'",
        )
    if without_policy:
        return Verdict(True, f"neighbor {who} has no inbound policy")
    for key, words in (("distribute_list", "distribute-list"), ("filter_list", "filter-list")):
        if inbound[key]:
            return Verdict(None, f"neighbor {who} has {words} {inbound[key]}, which can't be judged from here")
    verdicts = []
    if inbound["prefix_list"]:
        verdicts.append(prefix_list(config, inbound["prefix_list"], prefix))
    if inbound["route_map"]:
        verdicts.append(route_map(config, inbound["route_map"], prefix))
    return _worst(verdicts)


def _worst(verdicts: list[Verdict]) -> Verdict:
    """The verdict of lists that must all accept: a refusal if there is one, then an unknown, then the last one."""
    for accepted in (False, None):
        for verdict in verdicts:
            if verdict.accepted is accepted:
                return verdict
    return verdicts[-1]


def is_external(instance: dict[str, Any], neighbor: dict[str, Any]) -> bool:
    """Whether a session is between two autonomous systems."""
    remote = neighbor["remote_as"]
    if remote in ("internal", "external", "auto", None):
        return bool(remote != "internal")
    return as_number(remote) != as_number(neighbor["local_as"] or instance["asn"])


def undefined(config: dict[str, Any]) -> list[tuple[str, str]]:
    """(what names a list or map, what it names) for all names that aren't defined."""
    found = []
    for name, entries in config["route_maps"].items():
        for entry in entries:
            where = f"route-map {name} {entry['action']} {entry['seq']}"
            found += [(where, what) for what in _undefined_in_entry(config, entry)]
    for instance in config["instances"]:
        for neighbor in instance["neighbors"]:
            for kind, inbound in neighbor["families"].items():
                where = f"neighbor {neighbor['name']} ({kind})"
                found += [(where, what) for what in _undefined_in_family(config, kind, inbound)]
    return list(dict.fromkeys(found))


def _undefined_in_entry(config: dict[str, Any], entry: dict[str, Any]) -> Iterator[str]:
    """The lists that an entry of a route-map names and that aren't defined."""
    for match in entry["matches"]:
        about = _matched_list(match)
        if about and about[1] not in config["prefix_lists"][about[0]]:
            yield _list_title(*about)


def _undefined_in_family(config: dict[str, Any], kind: str, inbound: dict[str, Any]) -> Iterator[str]:
    """The inbound lists and maps that a neighbour's family names and that aren't defined."""
    if not inbound["active"]:
        return
    if inbound["route_map"] and inbound["route_map"] not in config["route_maps"]:
        yield f"route-map {inbound['route_map']}"
    if inbound["prefix_list"] and inbound["prefix_list"] not in config["prefix_lists"][kind]:
        yield _list_title(kind, inbound["prefix_list"])
