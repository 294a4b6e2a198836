# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to hitless.nodes: it may change in any release, don't import it from elsewhere.

"""What Cilium's agent itself says of BGP: its commands in three dialects, and how to read the answers.

The answer of the agent's API (cilium-dbg bgp ..., and cilium bgp ... before 1.15) is a flat list without zero values.
The hive shell (cilium-dbg shell -- bgp/...) will replace it. It answers by instance, and has numbers instead of the
API's words. Its routes and policies are tables.
"""

from __future__ import annotations

import base64
import ipaddress
import json
import re
import struct
from typing import Any

from ..base.errors import HitlessError

Row = dict[str, Any]

DIALECTS = ("cilium-dbg", "shell", "cilium")
FAMILIES = ("ipv4", "ipv6")
# The two tables of routes, and the shell's names for them.
RIBS = {"available": "loc", "advertised": "out"}
# pkg/bgp/types in Cilium: SessionState, Afi and Safi are numbers there, and the shell writes them unchanged.
STATES = ("unknown", "idle", "connect", "active", "open_sent", "open_confirm", "established")
AFIS = {1: "ipv4", 2: "ipv6"}
SAFIS = {1: "unicast"}
# cobra's words for a command or an option that the program no longer has, or doesn't have yet.
NO_COMMAND = ("unknown command", "unknown flag", "unknown shorthand flag", "Usage:")


class NotUnderstood(HitlessError):  # noqa: N818 - reads as what it is
    """An answer in no known form."""


def peers_command(dialect: str) -> tuple[str, ...]:
    """The command that lists the sessions."""
    if dialect == "shell":
        return ("cilium-dbg", "shell", "--", "bgp/peers", "--format", "json")
    return (dialect, "bgp", "peers", "-o", "json")


def routes_command(dialect: str, table: str, family: str) -> tuple[str, ...]:
    """The command that lists the routes of a table (available, advertised) and family."""
    if dialect == "shell":
        return ("cilium-dbg", "shell", "--", "bgp/routes", RIBS[table], family, "unicast")
    return (dialect, "bgp", "routes", table, family, "unicast", "-o", "json")


def policies_command(dialect: str) -> tuple[str, ...]:
    """The command that lists the route policies."""
    if dialect == "shell":
        return ("cilium-dbg", "shell", "--", "bgp/route-policies")
    return (dialect, "bgp", "route-policies", "-o", "json")


def lacks_command(rc: int, stdout: str, stderr: str) -> bool:
    """Whether a program answered that it doesn't know the command. The answer may have rc 0 and be on stdout."""
    if rc == 0 and stdout.lstrip().startswith(("[", "{", "null")):
        return False
    return any(words in stdout + stderr for words in NO_COMMAND)


# Sessions


def _list(text: str) -> list[dict[str, Any]]:
    """The list of objects in an answer. Go writes an empty list as null."""
    try:
        answer = json.loads(text)
    except ValueError as exc:
        first = text.strip().splitlines()[0] if text.strip() else "nothing"
        raise NotUnderstood(f"the agent's answer isn't JSON: {first[:200]}") from exc
    if answer is None:
        return []
    if not isinstance(answer, list) or not all(isinstance(entry, dict) for entry in answer):
        raise NotUnderstood(f"the agent's answer isn't a list of objects: {text.strip()[:200]}")
    return answer


def _word(value: Any, words: dict[int, str] | tuple[str, ...]) -> str | None:
    """A state or family as a word, from a word or a number; None from anything else."""
    if isinstance(value, str) and value:
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        found = dict(enumerate(words)) if isinstance(words, tuple) else words
        return found.get(value)
    return None


def _whole_seconds(nanoseconds: int | None) -> int | None:
    """A duration in whole seconds. None if it is left out, as zero is (here zero means "not in force")."""
    return int(nanoseconds) // 1_000_000_000 if nanoseconds else None


def _session(peer: dict[str, Any], instance: str | None) -> Row:
    """One session of an answer of the agent."""
    address = peer.get("peer-address")
    if not isinstance(address, str) or not address:
        raise NotUnderstood(f"the agent's answer has a peer without an address: {json.dumps(peer)[:200]}")
    state = _word(peer.get("session-state"), STATES) or "unknown"
    timers = peer.get("timers") or {}
    return {
        "instance": instance,
        "peer": peer.get("name") or None,
        "address": address,
        "asn": peer.get("peer-asn"),
        "local_asn": peer.get("local-asn"),
        "state": state,
        "established": None if state == "unknown" else state == "established",
        "established_time": None,
        "uptime": _whole_seconds(peer.get("uptime-nanoseconds")),
        "hold_time": peer.get("applied-hold-time-seconds") or _whole_seconds(timers.get("applied-hold-nanoseconds")),
        "graceful_restart": _graceful_restart(peer.get("graceful-restart") or {}),
        # The agent doesn't report this.
        "peer_config": None,
        "routes": [_route_count(family) for family in peer.get("families") or []],
    }


def _graceful_restart(found: dict[str, Any]) -> dict[str, Any]:
    seconds = found.get("restart-time-seconds") or _whole_seconds(found.get("restart-time-nanoseconds"))
    return {"enabled": bool(found.get("enabled")), "restart_time": seconds}


def _route_count(family: dict[str, Any]) -> dict[str, Any]:
    return {
        "afi": _word(family.get("afi"), AFIS),
        "safi": _word(family.get("safi"), SAFIS),
        "advertised": int(family.get("advertised", 0)),
        "received": int(family.get("received", 0)),
    }


def sessions(text: str) -> list[Row]:
    """The sessions in an answer of the agent, of either form; raises NotUnderstood."""
    answer = _list(text)
    if all("peer-address" in entry and "peers" not in entry for entry in answer):
        return [_session(peer, None) for peer in answer]
    found = []
    for instance in answer:
        if not isinstance(instance.get("name"), str):
            raise NotUnderstood(f"the agent's answer is neither peers nor instances: {text.strip()[:200]}")
        # An instance without peers leaves the key out.
        found += [_session(peer, instance["name"]) for peer in instance.get("peers") or []]
    return found


# Routes


def _attributes(path: dict[str, Any]) -> dict[int, bytes]:
    """The path attributes by type; each is base64 of its BGP form (RFC 4271, 4.3)."""
    found = {}
    for attribute in path.get("path-attributes") or []:
        raw = base64.b64decode(attribute.get("base64", ""))
        # Flags, type, length of one octet or (extended, flag 0x10) two.
        if len(raw) >= 3:
            found[raw[1]] = raw[4 if raw[0] & 0x10 else 3 :]
    return found


def next_hop(attributes: dict[int, bytes]) -> str | None:
    """The next hop in path attributes: NEXT_HOP (3), or that of MP_REACH_NLRI (14, RFC 4760); None without one."""
    if len(attributes.get(3, b"")) == 4:
        return str(ipaddress.IPv4Address(attributes[3]))
    reach = attributes.get(14, b"")
    # AFI (2), SAFI (1), length, next hop. If there are a global and a link-local address, the first one counts.
    size = reach[3] if len(reach) > 3 else 0
    address = reach[4 : 4 + min(size, 16)]
    return str(ipaddress.ip_address(address)) if len(address) in (4, 16) else None


def _communities(raw: bytes) -> list[str]:
    """Communities as people write them (RFC 1997)."""
    return [f"{high}:{low}" for high, low in struct.iter_unpack("!HH", raw[: len(raw) // 4 * 4])]


def _large_communities(raw: bytes) -> list[str]:
    """Large communities as people write them (RFC 8092)."""
    return [f"{a}:{b}:{c}" for a, b, c in struct.iter_unpack("!III", raw[: len(raw) // 12 * 12])]


def _route(route: dict[str, Any], path: dict[str, Any], family: str) -> Row:
    attributes = _attributes(path)
    preference = attributes.get(5, b"")
    return {
        "instance": None,
        "local_asn": route.get("router-asn"),
        "peer": route.get("neighbor") or None,
        "family": family,
        "prefix": route.get("prefix"),
        "next_hop": next_hop(attributes),
        "best": bool(path.get("best")),
        "age": int(path.get("age-nanoseconds", 0)) // 1_000_000_000,
        "local_preference": int.from_bytes(preference, "big") if len(preference) == 4 else None,
        "communities": _communities(attributes.get(8, b"")),
        "large_communities": _large_communities(attributes.get(32, b"")),
    }


_DURATION = re.compile(r"(\d+)([hms])")
_UNITS = {"h": 3600, "m": 60, "s": 1}


def _duration(text: str) -> int | None:
    """The seconds of a duration as Go prints it ("1h2m3s"); None if it isn't one."""
    parts = _DURATION.findall(text)
    return sum(int(number) * _UNITS[unit] for number, unit in parts) if parts else None


def table(text: str, *wanted: str) -> list[dict[str, str]]:
    """The rows of a table of Go's tabwriter, where each column begins at its title; raises NotUnderstood."""
    lines = [line for line in text.splitlines() if line.strip()]
    head = lines[0] if lines else ""
    # Two spaces or more end a title.
    titles = list(re.finditer(r"\S+(?: \S+)*", head))
    if not set(wanted) <= {title.group() for title in titles} or not titles:
        raise NotUnderstood(f"the agent's answer isn't the table expected: {head.strip()[:200] or 'nothing'}")
    starts = [title.start() for title in titles]
    ends = [*starts[1:], None]
    rows = []
    for line in lines[1:]:
        row = {}
        for title, start, end in zip(titles, starts, ends, strict=True):
            row[title.group()] = line[start:end].strip()
        rows.append(row)
    return rows


def routes(text: str, dialect: str, family: str) -> list[Row]:
    """The routes in an answer of the agent; raises NotUnderstood."""
    if dialect != "shell":
        return [_route(route, path, family) for route in _list(text) for path in route.get("paths") or []]
    found: list[Row] = []
    last: dict[str, str] = {}
    for row in table(text, "Instance", "Prefix", "NextHop"):
        _fill_blanks(row, last)
        last = row
        found.append(_table_route(row, family))
    return found


def _fill_blanks(row: dict[str, str], above: dict[str, str]) -> None:
    """Fills the blank cells on the left. They mean the same as in the line above."""
    for title in ("Instance", "Peer", "Prefix"):
        if title not in row:
            continue
        if row[title]:
            return
        row[title] = above.get(title, "")


def _table_route(row: dict[str, str], family: str) -> Row:
    return {
        "instance": row["Instance"],
        "local_asn": None,
        "peer": row.get("Peer") or None,
        "family": family,
        "prefix": row["Prefix"],
        "next_hop": row["NextHop"],
        # The table of advertised routes has no such column. An advertised route is the best one.
        "best": row.get("Best", "true") == "true",
        "age": _duration(row.get("Age", "")),
        "local_preference": None,
        "communities": [],
        "large_communities": [],
    }


# Route policies


def _statement(statement: dict[str, Any]) -> Row:
    preference = statement.get("set-local-preference", 0)
    neighbors = statement.get("match-neighbors") or []
    prefixes = statement.get("match-prefixes") or []
    return {
        "match_neighbors": _members(neighbors, "neighbors"),
        "match_families": [
            f"{family.get('afi')}/{family.get('safi')}" for family in statement.get("match-families") or []
        ],
        "match_prefixes": [
            {
                "cidr": prefix.get("cidr"),
                "min": int(prefix.get("prefix-len-min", 0)),
                "max": int(prefix.get("prefix-len-max", 0)),
            }
            for prefix in _members(prefixes, "prefixes")
        ],
        "action": statement.get("route-action"),
        # -1 means none, and 0 is left out.
        "local_preference": preference if preference >= 0 else None,
        "communities": statement.get("add-communities") or [],
        "large_communities": statement.get("add-large-communities") or [],
    }


def _members(match: Any, key: str) -> list[Any]:
    """The members of a match: a list, or (newer) an object with the way to match and the list."""
    found = match.get(key) if isinstance(match, dict) else match
    return list(found or [])


def _cells(text: str) -> list[str]:
    """The entries of a cell. Several are in braces, after the way to match them in parentheses."""
    return re.findall(r"\{([^}]*)\}", text) or ([re.sub(r"^\((?:any|all|invert)\) ", "", text)] if text else [])


_PREFIX = re.compile(r"(\S+) \((\d+)\.\.(\d+)\)")
_ACTION = re.compile(r"(\w+): \[?([^\]]*)\]?")


def _table_statement(row: dict[str, str]) -> Row:
    prefixes = [_PREFIX.match(cell) for cell in _cells(row["Match Prefixes (Min..Max Len)"])]
    actions = {match[1]: match[2] for cell in _cells(row["Path Actions"]) if (match := _ACTION.match(cell))}
    preference = actions.get("SetLocalPreference")
    return {
        "match_neighbors": _cells(row["Match Peers"]),
        "match_families": _cells(row["Match Families"]),
        "match_prefixes": [{"cidr": m[1], "min": int(m[2]), "max": int(m[3])} for m in prefixes if m],
        "action": row["RIB Action"],
        "local_preference": int(preference) if preference else None,
        "communities": actions.get("AddCommunities", "").split(),
        "large_communities": actions.get("AddLargeCommunities", "").split(),
    }


def policies(text: str, dialect: str) -> list[Row]:
    """The route policies in an answer of the agent; raises NotUnderstood."""
    if dialect != "shell":
        return [
            {
                "instance": None,
                "local_asn": policy.get("router-asn"),
                "name": policy.get("name"),
                "type": policy.get("type"),
                "statements": [_statement(statement) for statement in policy.get("statements") or []],
            }
            for policy in _list(text)
        ]
    found: dict[tuple[str, str], Row] = {}
    columns = ("Instance", "Policy Name", "Type", "Match Peers", "Match Families", "RIB Action", "Path Actions")
    for row in table(text, *columns, "Match Prefixes (Min..Max Len)"):
        key = (row["Instance"], row["Policy Name"])
        policy = found.setdefault(
            key, {"instance": key[0], "local_asn": None, "name": key[1], "type": row["Type"], "statements": []}
        )
        policy["statements"].append(_table_statement(row))
    return list(found.values())
