# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A BGP speaker with one session, for what GoBGP isn't made for: link-local sessions, an IPv6 next hop of IPv4 prefixes
(RFC 8950), 100,000 routes in a second.

Run inside a network namespace. The first line on stdin is a Source as JSON; further lines are commands (announce or
withdraw). Each is answered by a line on stdout.
"""

from __future__ import annotations

import ipaddress
import json
import os
import select
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from lab.machines import Machine
from lab.settings import LabError

OPEN, UPDATE, KEEPALIVE = 1, 2, 4
# The router's own hold time, which may be the shorter one, isn't read.
HOLD_TIME, KEEPALIVE_TIME = 90, 1
ROUTER_ADVERTISEMENT = 134
NO_ADVERTISE = 0xFFFFFF02


@dataclass(frozen=True)
class Source:
    """One session: from an address to a router's (link-local ones with %interface), and what it announces."""

    local: str
    router: str
    router_id: str
    asn: int
    prefixes: list[str] = field(default_factory=list)
    # An IPv6 address as next hop of IPv4 prefixes needs extended next hops on the router, too.
    hop4: str = "0.0.0.0"
    # A global address, a link-local one, or a pair of them.
    hop6: list[str] = field(default_factory=list)
    # Seconds for which the routes are to be kept when the session is lost without a word; 0 = no graceful restart.
    restart_time: int = 0
    # And for how long after that (RFC 9494); 0 = no long-lived graceful restart.
    long_lived_time: int = 0


class Session:
    """A running speaker."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def ask(self, line: str) -> str:
        """What it answers; LabError if it has ended."""
        assert self._process.stdin
        assert self._process.stdout
        try:
            self._process.stdin.write(f"{line}\n")
            self._process.stdin.flush()
            answer = self._process.stdout.readline().strip()
        except BrokenPipeError:
            answer = ""
        if not answer:
            raise LabError(f"no answer to {line[:60]!r}: the speaker has ended")
        return answer


@contextmanager
def running(machine: Machine, source: Source) -> Iterator[Session]:
    """A speaker in the machine's network namespace, its session established; killed at the end, without a word."""
    argv = machine.in_netns([sys.executable, "-m", "lab.bgp_source"])
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[1])}
    process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment)
    try:
        session = Session(process)
        session.ask(json.dumps(asdict(source)))
        yield session
    finally:
        process.kill()
        process.wait()


def message(kind: int, body: bytes = b"") -> bytes:
    """One BGP message (RFC 4271)."""
    return b"\xff" * 16 + struct.pack("!HB", 19 + len(body), kind) + body


def capability(kind: int, value: bytes) -> bytes:
    """One capability (RFC 5492)."""
    return bytes([kind, len(value)]) + value


def opening(source: Source) -> bytes:
    """OPEN with IPv4 and IPv6 unicast, 4-octet AS numbers, extended next hops and, if wanted, graceful restart."""
    capabilities = b"".join(capability(1, struct.pack("!HBB", afi, 0, 1)) for afi in (1, 2))
    capabilities += capability(65, struct.pack("!I", source.asn))
    capabilities += capability(5, struct.pack("!HHH", 1, 1, 2))
    if source.restart_time:
        families = b"".join(struct.pack("!HBB", afi, 1, 0x80) for afi in (1, 2))
        capabilities += capability(64, struct.pack("!H", source.restart_time) + families)
    if source.long_lived_time:
        time_ = source.long_lived_time.to_bytes(3, "big")
        capabilities += capability(71, b"".join(struct.pack("!HBB", afi, 1, 0x80) + time_ for afi in (1, 2)))
    parameter = bytes([2, len(capabilities)]) + capabilities
    # AS_TRANS stands for a number of four octets (RFC 6793).
    asn = source.asn if source.asn < 65536 else 23456
    head = struct.pack("!BHH", 4, asn, HOLD_TIME) + socket.inet_aton(source.router_id)
    return message(OPEN, head + bytes([len(parameter)]) + parameter)


def nlri(prefix: str) -> bytes:
    """A prefix as UPDATE messages carry it."""
    network = ipaddress.ip_network(prefix)
    return bytes([network.prefixlen]) + network.network_address.packed[: (network.prefixlen + 7) // 8]


def attribute(flags: int, kind: int, value: bytes) -> bytes:
    """A path attribute, always with the long form of the length."""
    return struct.pack("!BBH", flags | 0x10, kind, len(value)) + value


def updates(source: Source, *, announced: bool) -> Iterator[bytes]:
    """UPDATE messages that announce or withdraw all prefixes, in the form of RFC 4760 where the next hop is IPv6."""
    common = attribute(0x40, 1, b"\0") + attribute(0x40, 2, struct.pack("!BBI", 2, 1, source.asn))
    # They stay on this router.
    common += attribute(0xC0, 8, struct.pack("!I", NO_ADVERTISE))
    for afi in (1, 2):
        hops = source.hop6 if afi == 2 else [source.hop4]
        family = [nlri(prefix) for prefix in source.prefixes if (":" in prefix) == (afi == 2)]
        for part in batches(family):
            if ":" not in hops[0]:
                body = attributes(common + attribute(0x40, 3, socket.inet_aton(hops[0]))) + part
                yield message(UPDATE, body if announced else struct.pack("!H", len(part)) + part + b"\0\0")
                continue
            hop = b"".join(socket.inet_pton(socket.AF_INET6, each) for each in hops)
            reach = struct.pack("!HBB", afi, 1, len(hop)) + hop + b"\0" + part
            unreach = struct.pack("!HB", afi, 1) + part
            found = common + attribute(0x80, 14, reach) if announced else attribute(0x80, 15, unreach)
            yield message(UPDATE, attributes(found))
        if announced:
            # End-of-RIB (RFC 4724).
            yield message(UPDATE, b"\0\0\0\0" if afi == 1 else attributes(attribute(0x80, 15, b"\0\2\1")))


def attributes(found: bytes) -> bytes:
    """The head of an UPDATE that withdraws nothing in its old form."""
    return struct.pack("!HH", 0, len(found)) + found


def batches(parts: list[bytes], size: int = 200) -> Iterator[bytes]:
    """Them joined, as many at once as fit into a message of 4096 octets."""
    for start in range(0, len(parts), size):
        yield b"".join(parts[start : start + size])


def established(source: Source) -> socket.socket:
    """A session with the router, which may refuse one for a moment, for instance just after its configuration."""
    family = socket.AF_INET6 if ":" in source.local else socket.AF_INET
    local, router = (
        socket.getaddrinfo(host, port, family)[0][4] for host, port in ((source.local, 0), (source.router, 179))
    )
    for _unused in range(100):
        link = socket.socket(family)
        link.settimeout(10)
        try:
            link.bind(local)
            link.connect(router)
            if opened(link, source):
                link.settimeout(None)
                return link
        except OSError:
            pass
        link.close()
        if "%" in source.local:
            advertise(source.local)
        time.sleep(0.2)
    raise SystemExit(f"{source.router} opens no session with {source.local}")


def opened(link: socket.socket, source: Source) -> bool:
    """Whether the router has answered with its OPEN and its first KEEPALIVE."""
    link.sendall(opening(source))
    seen = b""
    while seen.count(b"\xff" * 16) < 2:
        received = link.recv(4096)
        if not received:
            return False
        seen += received
        link.sendall(message(KEEPALIVE))
    return True


def advertise(local: str) -> None:
    """A router advertisement from that link-local address: how FRR finds the other end of an unnumbered session."""
    with socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6) as link:
        address, _unused, interface = local.partition("%")
        index = socket.if_nametoindex(interface)
        link.bind((address, 0, 0, index))
        link.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, 255)
        link.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, index)
        link.sendto(struct.pack("!BBHBBHII", ROUTER_ADVERTISEMENT, 0, 0, 64, 0, 1800, 0, 0), ("ff02::1", 0, 0, index))


def serve(source: Source, commands: Iterable[Any]) -> None:
    """Holds the session until the commands end."""
    link = established(source)
    print("established", flush=True)
    due = time.monotonic()
    while True:
        if time.monotonic() >= due:
            link.sendall(message(KEEPALIVE))
            due = time.monotonic() + KEEPALIVE_TIME
        ready, _unused, _unused2 = select.select([sys.stdin, link], [], [], 1)
        if link in ready and not link.recv(65536):
            raise SystemExit(f"{source.router} closed the session with {source.local}")
        if sys.stdin in ready:
            command = next(iter(commands), "").strip()
            if not command:
                return
            for update in updates(source, announced=command == "announce"):
                link.sendall(update)
            print(command, flush=True)


def main() -> None:
    """Serves what the first line says."""
    serve(Source(**json.loads(sys.stdin.readline())), iter(sys.stdin.readline, ""))


if __name__ == "__main__":
    main()
