# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to hitless.nodes: it may change in any release, don't import it from elsewhere.

"""Tries once whether a port of an address answers, by TCP or UDP."""

from __future__ import annotations

import ipaddress
import socket
from typing import Any

from ..base.errors import HitlessError
from ..base.net import address
from .answers import RouterError
from .iproute import Fib
from .place import Place

KINDS = {"tcp": socket.SOCK_STREAM, "udp": socket.SOCK_DGRAM}


def attempt(host: str, port: int, *, protocol: str, vrf: str, timeout: float) -> dict[str, Any]:
    """{answers, reason}. answers is None if a UDP port sent nothing, because many UDP ports never answer such a try."""
    version = ipaddress.ip_address(host).version
    with socket.socket(socket.AF_INET6 if version == 6 else socket.AF_INET, KINDS[protocol]) as one:
        one.settimeout(timeout)
        try:
            if vrf != "default":
                one.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, vrf.encode())
            one.connect((host, port))
            if protocol == "udp":
                one.send(b"\n")
                one.recv(1)
        except socket.timeout:
            reason = f"no answer within {timeout:g} s"
            return {"answers": None if protocol == "udp" else False, "reason": reason}
        except PermissionError as exc:
            raise RouterError(
                f"this user may not open a socket in VRF {vrf}; use become, or try a port in the default VRF"
            ) from exc
        except OSError as exc:
            return {"answers": False, "reason": str(exc.strerror or exc).lower()}
    return {"answers": True, "reason": "it answers" if protocol == "udp" else "it accepts the connection"}


def _why_not_here(place: Place) -> str:
    """Why a try from this process says nothing of the place where FRR is; "" where it does."""
    if not place.is_elsewhere:
        return ""
    try:
        if Fib(place).addresses() == Fib().addresses():
            return ""
    except HitlessError as exc:
        return exc.msg
    return f"{place} leads to another network than the one that a try could be made from"


def attempts(
    hosts: list[str], port: int, *, protocol: str, vrf: str, timeout: float, place: Place | None = None
) -> list[dict[str, Any]]:
    """One entry for each address: {address, port, protocol, answers, reason}. place: where FRR is."""
    if not 0 < port < 65536:
        raise RouterError(f"{port} is no port number; give a number from 1 to 65535")
    own = [address(host) for host in hosts]
    said = {"port": port, "protocol": protocol}
    away = _why_not_here(place or Place())
    if away:
        return [{"address": host, **said, "answers": None, "reason": away} for host in own]
    return [
        {"address": host, **said, **attempt(host, port, protocol=protocol, vrf=vrf, timeout=timeout)} for host in own
    ]
