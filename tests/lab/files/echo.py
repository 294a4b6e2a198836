# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""UDP and TCP echo on each address given in /etc/hitless/echo: "the datapath answers"."""

from __future__ import annotations

import asyncio
import os
import socket
from pathlib import Path

# linux/in.h and linux/in6.h; Python has no names for them.
IP_FREEBIND, IPV6_FREEBIND = 15, 78


class UdpEcho(asyncio.DatagramProtocol):
    """Sends each datagram back from the address it came to (one socket per address)."""

    def connection_made(self, transport: asyncio.DatagramTransport) -> None:  # type: ignore[override]
        """Keeps the transport for the answers."""
        self.transport = transport

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        """Answers."""
        self.transport.sendto(data, addr)


async def tcp_echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Sends back what comes until the other side closes."""
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    except ConnectionError:
        pass
    finally:
        writer.close()


def ready() -> None:
    """Tells systemd, if it started us, that all sockets are bound."""
    if path := os.environ.get("NOTIFY_SOCKET"):
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
            notify.sendto(b"READY=1", "\0" + path[1:] if path.startswith("@") else path)


def bound(kind: socket.SocketKind, address: str, port: int) -> socket.socket:
    """A socket of an address that the machine may not have yet."""
    v6 = ":" in address
    sock = socket.socket(socket.AF_INET6 if v6 else socket.AF_INET, kind)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.setsockopt(*((socket.IPPROTO_IPV6, IPV6_FREEBIND) if v6 else (socket.IPPROTO_IP, IP_FREEBIND)), 1)
    sock.bind((address, port))
    return sock


async def main() -> None:
    """Serves for ever."""
    port, *addresses = Path("/etc/hitless/echo").read_text().split()
    loop = asyncio.get_running_loop()
    for address in addresses:
        await loop.create_datagram_endpoint(UdpEcho, sock=bound(socket.SOCK_DGRAM, address, int(port)))
        await asyncio.start_server(tcp_echo, sock=bound(socket.SOCK_STREAM, address, int(port)), backlog=1024)
    ready()
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
