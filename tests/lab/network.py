# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Namespaces, bridges and links of a lab. Nothing is made in the host's own network namespace."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Collection
from pathlib import Path
from typing import Any

from lab import settings as s
from lab.settings import LabError, LabSettings

NETNS = Path("/run/netns")

# fib_multipath_hash_policy=1: without it all ports of one client hash to one node.
# rp_filter=0: answers leave by another link than requests came in. accept_dad=0: addresses usable at once.
_SYSCTLS = {
    "net/ipv4/conf/all/rp_filter": 0,
    "net/ipv4/conf/default/rp_filter": 0,
    "net/ipv6/conf/all/disable_ipv6": 0,
    "net/ipv6/conf/default/disable_ipv6": 0,
    "net/ipv6/conf/all/accept_dad": 0,
    "net/ipv6/conf/default/accept_dad": 0,
    "net/ipv6/conf/default/dad_transmits": 0,
    "net/ipv6/conf/all/accept_ra": 0,
    "net/ipv6/conf/default/accept_ra": 0,
    "net/ipv4/fib_multipath_hash_policy": 1,
    "net/ipv6/fib_multipath_hash_policy": 1,
}
_ROUTER_SYSCTLS = {"net/ipv4/ip_forward": 1, "net/ipv6/conf/all/forwarding": 1, "net/ipv6/conf/default/forwarding": 1}


def port(role: str, network: str) -> str:
    """Name of the switch's end of a machine's link."""
    return f"{role}.{network[0]}"


def links(role: str) -> dict[str, tuple[str, str]]:
    """Interface name (also the bridge's name) -> IPv4 and IPv6 address, of one machine."""
    found = {"fabric": s.fabric_addresses(role), "access": s.access_addresses(role)}
    return {network: pair for network, pair in found.items() if pair}


def ip(arguments: list[str], *, stdin: str | None = None, check: bool = True) -> str:
    """Output of `ip`; an error is one line."""
    done = subprocess.run(["ip", *arguments], input=stdin, capture_output=True, text=True, check=False)
    if check and done.returncode:
        raise LabError(f"ip {' '.join(arguments)}: {(done.stderr.strip() or 'failed').splitlines()[0]}")
    return done.stdout


def ip_json(netns: str, *arguments: str) -> list[dict[str, Any]]:
    """Parsed `ip -j` inside a namespace; empty when the kernel has nothing."""
    output = ip(["-n", netns, "-j", *arguments], check=False).strip()
    return json.loads(output) if output else []


def udp_sent(netns: str) -> int:
    """Datagrams that the kernel has sent from a namespace so far, in both families."""
    argv = in_netns(netns, ["cat", "/proc/net/snmp", "/proc/net/snmp6"])
    lines = [
        line.split() for line in subprocess.run(argv, check=True, capture_output=True, text=True).stdout.splitlines()
    ]
    names, values = (line for line in lines if line[0] == "Udp:")
    six = next(line[1] for line in lines if line[0] == "Udp6OutDatagrams")
    return int(values[names.index("OutDatagrams")]) + int(six)


def namespaces(name: str) -> list[str]:
    """Network namespaces that belong to a lab, existing ones only."""
    settings = LabSettings(name)
    return [netns for netns in (settings.switch, *map(settings.machine, s.ROLES)) if (NETNS / netns).exists()]


def create(settings: LabSettings) -> None:
    """Makes the namespaces, bridges and links; machines' addresses come with their start (boot_script)."""
    switch = settings.switch
    ip(["-batch", "-"], stdin="\n".join(f"netns add {name}" for name in (switch, *map(settings.machine, s.ROLES))))
    _set_sysctls(switch, _SYSCTLS)
    for role in s.ROLES:
        _set_sysctls(settings.machine(role), _SYSCTLS | (_ROUTER_SYSCTLS if role in s.ROUTERS else {}))
    batch = ["link set lo up"]
    for network, (address4, address6) in (("fabric", s.SWITCH_FABRIC), ("access", s.SWITCH_ACCESS)):
        batch += [f"link add name {network} type bridge forward_delay 0 mcast_snooping 0"]
        batch += [f"address add {address4}/24 dev {network}", f"address add {address6}/64 dev {network} nodad"]
        batch += [f"link set {network} up"]
    for role in s.ROLES:
        for network in links(role):
            peer = port(role, network)
            batch += [f"link add name {peer} type veth peer name {network} netns {settings.machine(role)}"]
            batch += [f"link set {peer} master {network}"]
    ip(["-n", switch, "-batch", "-"], stdin="\n".join(batch))


def boot_script(settings: LabSettings, role: str) -> str:
    """Shell commands that give a machine the network it has at power-on: addresses, routes, links up."""
    name = settings.machine(role)
    batch = ["link set lo up", "address flush dev lo scope global", "route flush table main"]
    for network, (address4, address6) in links(role).items():
        # Down and up again: all that zebra or a person left on the link in the last boot goes.
        batch += [f"address flush dev {network} scope global", f"link set {network} down", f"link set {network} up"]
        batch += [f"address replace {address4}/24 dev {network}", f"address replace {address6}/64 dev {network} nodad"]
    if role not in s.ROUTERS:
        network = next(iter(links(role)))
        pick = s.fabric_addresses if network == "fabric" else s.access_addresses
        for v, default in ((0, "0.0.0.0/0"), (1, "::/0")):
            hops = " ".join(f"nexthop via {pair[v]} dev {network}" for pair in map(pick, s.ROUTERS) if pair)
            batch += [f"route replace {default} {hops}"]
    if role in s.NODES:
        own = (*s.VIPS, *s.pod_gateways(s.NODES.index(role) + 1))
        batch += [f"address replace {address} dev lo{' nodad' if ':' in address else ''}" for address in own]
    up = "".join(f"link set {port(role, network)} up\n" for network in links(role))
    return f"""\
# Sockets of the last boot are gone without a word, as they are when another kernel boots.
nsenter --net={NETNS / name} ss -K >/dev/null 2>&1 || true
ip -n {settings.switch} -batch - <<'END'
{up}END
ip -n {name} -batch - <<'END'
{chr(10).join(batch)}
END
"""


def set_vips(netns: str, answered: Collection[str], others: Collection[str]) -> None:
    """Has a machine answer some VIPs and not the others, until it boots again."""
    batch = [
        f"address {verb} {vip} dev lo{' nodad' if ':' in vip and verb == 'replace' else ''}"
        for verb, vips in (("replace", answered), ("delete", others))
        for vip in sorted(vips)
    ]
    # One that isn't there can't be deleted.
    ip(["-n", netns, "-force", "-batch", "-"], stdin="\n".join(batch), check=False)


def ports_down_batch(role: str) -> str:
    """Input of `ip -batch` that takes a machine's links away at the switch."""
    return "".join(f"link set {port(role, network)} down\n" for network in links(role))


def ports_down(settings: LabSettings, role: str) -> None:
    """Takes the machine's links away at the switch; the machine is told nothing."""
    ip(["-n", settings.switch, "-force", "-batch", "-"], stdin=ports_down_batch(role), check=False)


def remove(name: str) -> None:
    """Deletes the lab's namespaces, and with them bridges and links."""
    for netns in namespaces(name):
        ip(["netns", "delete", netns], check=False)
        # `ip netns delete` leaves the file when a crash came between its creation and the mount.
        (NETNS / netns).unlink(missing_ok=True)


def next_hops(netns: str, prefix: str) -> list[str]:
    """Next hops that the kernel of a namespace uses for a prefix, sorted; [] = no route."""
    return _gateways(ip_json(netns, "-6" if s.family(prefix) == 6 else "-4", "route", "show", "exact", prefix))


def all_next_hops(netns: str) -> list[str]:
    """Next hops of all routes that the kernel of a namespace has, IPv4 and IPv6, sorted."""
    return _gateways([route for family in ("-4", "-6") for route in ip_json(netns, family, "route", "show")])


def _gateways(routes: list[dict[str, Any]]) -> list[str]:
    hops = [hop for route in routes for hop in route.get("nexthops", [route])]
    return sorted({via for hop in hops if (via := hop.get("gateway") or hop.get("via", {}).get("host"))})


def in_netns(netns: str, argv: list[str]) -> list[str]:
    """argv that runs on the host, but inside a network namespace."""
    return ["nsenter", f"--net={NETNS / netns}", "--", *argv]


def _set_sysctls(netns: str, values: dict[str, int]) -> None:
    # /proc/sys/net shows the network namespace of the task that opens it.
    lines = "".join(f"echo {value} > /proc/sys/{key}\n" for key, value in values.items())
    argv = in_netns(netns, ["sh", "-e"])
    done = subprocess.run(argv, input=lines, capture_output=True, text=True, check=False, timeout=10)
    if done.returncode:
        raise LabError(f"sysctl in {netns}: {done.stderr.strip()}")
