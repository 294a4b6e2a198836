# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Router advertisements on the interfaces that /etc/hitless/advertise names, as a node with unnumbered sessions sends
them: without them FRR doesn't find the other end. Each also asks the router for its own."""

from __future__ import annotations

import socket
import struct
import time
from pathlib import Path

SOLICITATION, ADVERTISEMENT = 133, 134
ALL_NODES, ALL_ROUTERS = "ff02::1", "ff02::2"
LIFETIME = 1800  # seconds
# hop limit, flags, lifetime, reachable and retransmission times, in the order of RFC 4861.
MESSAGES = {
    ALL_NODES: struct.pack("!BBHBBHII", ADVERTISEMENT, 0, 0, 64, 0, LIFETIME, 0, 0),
    ALL_ROUTERS: struct.pack("!BBHI", SOLICITATION, 0, 0, 0),
}


def send(interface: str) -> None:
    """One advertisement and one solicitation; an interface that is down or gone gets its next ones later."""
    with socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6) as link:
        try:
            index = socket.if_nametoindex(interface)
            link.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, 255)
            link.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, index)
            for to, message in MESSAGES.items():
                link.sendto(message, (to, 0, 0, index))
        except OSError:
            return


def main() -> None:
    """Sends for ever."""
    interfaces = Path("/etc/hitless/advertise").read_text().split()
    while True:
        for interface in interfaces:
            send(interface)
        time.sleep(1)


if __name__ == "__main__":
    main()
