# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a stand-in agent's container prints: as cilium-dbg bgp ..., or in the forms of newer and older releases."""

from __future__ import annotations

import base64
import ipaddress
import json
from dataclasses import dataclass
from typing import Any

from emulator.client import Object

from lab.speaker import SpeakerConfig

VERSION = "1.18.0-stand-in"
Output = tuple[int, str, str]
# The shell writes states as numbers, in this order.
STATES = ("unknown", "idle", "connect", "active", "open_sent", "open_confirm", "established")


@dataclass(frozen=True)
class Told:
    """What the agent knows when it is asked."""

    config: SpeakerConfig | None
    instance: str
    addresses: list[str]
    sessions: list[dict[str, Any]]

    @property
    def asn(self) -> int:
        """The node's AS number, 0 without a speaker."""
        return self.config.asn if self.config else 0

    @property
    def peers(self) -> list[Object]:
        """The sessions in the form of the agent's API."""
        return peers_json(self.asn, self.sessions)

    def routes(self, table: str, family: str) -> list[tuple[str, str, str]]:
        """Peer ("" in the agent's own table), prefix and next hop of each route of a table."""
        if self.config is None:
            return []
        six = family == "ipv6"
        anywhere = "::" if six else "0.0.0.0"
        prefixes = self.config.prefixes6 if six else self.config.prefixes4
        if table == "available":
            return [("", prefix, anywhere) for prefix in prefixes]
        own = next((address for address in self.addresses if (":" in address) is six), anywhere)
        peers = [peer for peer in self.config.peers if (6 if six else 4) in peer.carried]
        return [(peer.address, prefix, peer.local_address or own) for peer in peers for prefix in prefixes]

    @property
    def policies(self) -> list[Object]:
        """One policy for each peer, as Cilium makes them for what is advertised."""
        if self.config is None:
            return []
        prefixes = [(prefix, int(prefix.rpartition("/")[2])) for prefix in sorted(self.config.prefixes)]
        statement = {
            "match-families": [],
            "match-prefixes": [{"cidr": p, "prefix-len-min": bits, "prefix-len-max": bits} for p, bits in prefixes],
            "route-action": "accept",
            "set-local-preference": -1,
            "add-communities": None,
            "add-large-communities": None,
        }
        return [
            {
                "router-asn": self.asn,
                "name": f"{peer.address}-stand-in",
                "type": "export",
                "statements": [{"match-neighbors": [peer.address], **statement}],
            }
            for peer in self.config.peers
        ]


def command(cli: str, told: Told, argv: list[str]) -> Output:
    """Exit code, stdout and stderr of a command; cli is how this agent's is called: cilium-dbg, shell, cilium."""
    program, *rest = argv or [""]
    program = program.rpartition("/")[2]
    if program not in ("cilium-dbg", "cilium"):
        return 127, "", f"stand-in agent: {program}: not modelled\n"
    if program != ("cilium" if cli == "cilium" else "cilium-dbg"):
        return 127, "", f'exec: "{program}": executable file not found in $PATH: unknown\n'
    if rest[:2] == ["shell", "--"]:
        return shell(told, rest[2:]) if cli == "shell" else _unknown_in_shell(rest[2:])
    if rest[:1] == ["bgp"] and cli == "shell":
        return 1, "", f'Error: unknown command "bgp" for "{program}"\n'
    json_wanted = "json" in rest
    words = [w for w in rest if not w.startswith("-") and w != "json"]
    if words == ["version"]:
        return 0, f"Client: {VERSION}\nDaemon: {VERSION}\n", ""
    if words == ["bgp", "peers"]:
        return 0, _dump(told.peers) if json_wanted else _peers_table(told.peers), ""
    if words[:2] == ["bgp", "routes"] and len(words) == 5 and words[4] == "unicast" and json_wanted:
        found = [
            {"router-asn": told.asn, "neighbor": peer, "prefix": prefix, "paths": [path_json(words[3], hop)]}
            for peer, prefix, hop in told.routes(words[2], words[3])
        ]
        return 0, _dump(without_zeros(found)), ""
    if words == ["bgp", "route-policies"] and json_wanted:
        return 0, _dump(told.policies), ""
    return 1, "", f"stand-in agent: {' '.join(argv)}: not modelled\n"


def shell(told: Told, argv: list[str]) -> Output:
    """What the shell of a newer agent prints."""
    if argv == ["bgp/peers", "--format", "json"]:
        peers = [{**peer, "session-state": STATES.index(peer["session-state"])} for peer in told.peers]
        # Go writes an empty list as null.
        return 0, _dump([{"name": told.instance, "peers": peers}] if peers else None), ""
    if argv[:1] == ["bgp/routes"] and len(argv) == 4 and argv[1] in ("loc", "out"):
        if argv[1] == "loc":
            rows = [
                [told.instance, prefix, hop, "true", "1m2s"] for _peer, prefix, hop in told.routes("available", argv[2])
            ]
            return 0, table(["Instance", "Prefix", "NextHop", "Best", "Age"], rows), ""
        rows = [[told.instance, peer, prefix, hop, "1m2s"] for peer, prefix, hop in told.routes("advertised", argv[2])]
        return 0, table(["Instance", "Peer", "Prefix", "NextHop", "Age"], rows), ""
    return _unknown_in_shell(argv)


def _unknown_in_shell(argv: list[str]) -> Output:
    return 0, f"unknown command {argv[0]!r}\n", ""


def _dump(answer: Any) -> str:
    return json.dumps(answer) + "\n"


def _peers_table(peers: list[Object]) -> str:
    lines = ["Local AS   Peer AS   Peer Address   Session       Uptime"]
    lines += [
        f"{p['local-asn']:<10} {p['peer-asn']:<9} {p['peer-address']:<14} {p['session-state']:<13} "
        f"{p.get('uptime-nanoseconds', 0) // 1_000_000_000}s"
        for p in peers
    ]
    return "\n".join(lines) + "\n"


def without_zeros(value: Any) -> Any:
    """As Cilium's JSON: zero values are omitted."""
    if isinstance(value, dict):
        return {k: without_zeros(v) for k, v in value.items() if v not in (0, "", None, False, [], {})}
    return [without_zeros(v) for v in value] if isinstance(value, list) else value


def peers_json(node_asn: int, sessions: list[dict[str, Any]]) -> list[Object]:
    """Answer of `cilium-dbg bgp peers -o json`."""
    return [
        without_zeros(
            {
                "local-asn": node_asn,
                "peer-asn": s["asn"],
                "peer-address": s["address"],
                "peer-port": 179,
                "session-state": s["state"],
                "uptime-nanoseconds": int((s["uptime"] or 0) * 1e9) if s["state"] == "established" else 0,
                "applied-hold-time-seconds": s["hold_time"],
                "applied-keep-alive-time-seconds": s["keepalive"],
                "families": [
                    {"afi": f["afi"], "safi": f["safi"]}
                    | {k: f.get(k, 0) for k in ("received", "accepted", "advertised")}
                    for f in s["families"]
                ],
                "graceful-restart": {
                    "enabled": bool(s["graceful_restart"].get("enabled")),
                    "restart-time-seconds": s["graceful_restart"].get("restart_time") or 0,
                },
            }
        )
        for s in sessions
    ]


def path_json(family: str, next_hop: str) -> Object:
    """A path as the agent's API has it: its attributes in BGP's own form, in base64."""
    address = ipaddress.ip_address(next_hop).packed
    # For IPv6 MP_REACH_NLRI without its prefix: AFI, SAFI, length, next hop, a reserved octet.
    reach = bytes([0x80, 14, 21, 0, 2, 1, 16]) + address + b"\0"
    hop = bytes([0x40, 3, 4]) + address if family == "ipv4" else reach
    attributes = [{"base64": base64.b64encode(raw).decode()} for raw in (bytes([0x40, 1, 1, 0]), hop)]
    return {"best": True, "age-nanoseconds": 62_000_000_000, "path-attributes": attributes}


def table(titles: list[str], rows: list[list[str]]) -> str:
    """A table as Go's tabwriter prints it with a padding of three."""
    widths = [max(len(row[number]) for row in [titles, *rows]) + 3 for number in range(len(titles))]
    lines = ["".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in [titles, *rows]]
    return "".join(f"{line.rstrip()}\n" for line in lines)
