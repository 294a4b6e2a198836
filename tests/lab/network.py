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
from lab import wiring
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


def port(role: str, bridge: str) -> str:
    """Name of the switch's end of a machine's link: no more than the 15 characters that Linux allows."""
    return f"{role}.{bridge}"


def login_netns(settings: LabSettings, role: str) -> str:
    """The network namespace in which a machine boots: that of its name, unless another one inside of it forwards."""
    name = settings.machine(role)
    return f"{name}.login" if wiring.space(settings, role) else name


def _netns_of_links(settings: LabSettings, role: str) -> list[tuple[str, list[wiring.Link]]]:
    """A machine's network namespaces, that which forwards first, and their links."""
    found = [(settings.machine(role), wiring.links(settings, role))]
    if login_links := wiring.login_links(settings, role):
        found.append((login_netns(settings, role), login_links))
    return found


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
    """Network namespaces that belong to a lab, whatever its topology, existing ones only."""
    settings = LabSettings(name)
    own = [settings.machine(role) for role in s.ROLES]
    return [netns for netns in (settings.switch, *own, *(f"{each}.login" for each in own)) if (NETNS / netns).exists()]


def create(settings: LabSettings) -> None:
    """Makes the namespaces, bridges and links; machines' addresses come with their start (boot_script)."""
    switch = settings.switch
    machines = [(role, *each) for role in s.ROLES for each in _netns_of_links(settings, role)]
    ip(["-batch", "-"], stdin="\n".join(f"netns add {name}" for name in (switch, *(each[1] for each in machines))))
    _set_sysctls(switch, _SYSCTLS)
    for role, netns, _unused in machines:
        _set_sysctls(netns, _SYSCTLS | (_ROUTER_SYSCTLS if role in s.ROUTERS else {}))
    batch = ["link set lo up"]
    for bridge in wiring.bridges(settings):
        batch += [f"link add name {bridge} type bridge forward_delay 0 mcast_snooping 0"]
        batch += [f"address add {_address(address)} dev {bridge}" for address in wiring.switch_addresses(bridge)]
        batch += [f"link set {bridge} up"]
    for role, netns, links in machines:
        for link in links:
            peer = port(role, link.bridge)
            batch += [f"link add name {peer} type veth peer name {link.name} netns {netns}"]
            batch += [f"link set {peer} master {link.bridge}"]
    ip(["-n", switch, "-batch", "-"], stdin="\n".join(batch))


def boot_script(settings: LabSettings, role: str) -> str:
    """Shell commands that give a machine the network it has at power-on: addresses, routes, links up."""
    spaces = _netns_of_links(settings, role)
    ended = "".join(f"nsenter --net={NETNS / netns} ss -K >/dev/null 2>&1 || true\n" for netns, _unused in spaces)
    up = "".join(f"link set {each} up\n" for each in _ports(settings, role))
    script = f"""\
# Sockets of the last boot are gone without a word, as they are when another kernel boots.
{ended}ip -n {settings.switch} -batch - <<'END'
{up}END
"""
    for netns, links in spaces:
        batch = _boot_batch(links)
        if netns == settings.machine(role):
            batch += _routes_batch(settings, role)
        script += "\n".join([f"ip -n {netns} -batch - <<'END'", *batch, "END", ""])
    return script


def _boot_batch(links: Collection[wiring.Link]) -> list[str]:
    batch = ["link set lo up", "address flush dev lo scope global", "route flush table main"]
    for link in links:
        # Down and up again: all that zebra or a person left on the link in the last boot goes.
        batch += [f"address flush dev {link.name} scope global", f"link set {link.name} down"]
        if all(address.startswith("fe80:") for address in link.addresses):
            # The only link-local address is to be the one that the topology says.
            batch += [f"link set {link.name} addrgenmode none"]
        batch += [f"link set {link.name} up"]
        batch += [f"address replace {_address(address)} dev {link.name}" for address in link.addresses]
    return batch


def _routes_batch(settings: LabSettings, role: str) -> list[str]:
    """Default routes of all but the routers, and a node's own addresses."""
    batch = []
    if role not in s.ROUTERS:
        for routes in wiring.default_routes(settings, role):
            hops = " ".join(f"nexthop via {_via(route)} dev {route.interface}" for route in routes)
            batch += [f"route replace {routes[0].to} {hops}"]
    if role in s.NODES:
        own = (*s.VIPS, *s.pod_gateways(s.NODES.index(role) + 1))
        batch += [f"address replace {_address(address)} dev lo" for address in own]
    return batch


def _address(address: str) -> str:
    """An address for `ip address`, usable at once."""
    return f"{address} nodad" if ":" in address else address


def _via(route: wiring.Route) -> str:
    """A gateway for `ip route`, which wants to be told that it is of the other family."""
    return route.via if s.family(route.via) == s.family(route.to) else f"inet6 {route.via}"


def _ports(settings: LabSettings, role: str) -> list[str]:
    return [port(role, link.bridge) for _unused, links in _netns_of_links(settings, role) for link in links]


def set_vips(netns: str, answered: Collection[str], others: Collection[str]) -> None:
    """Has a machine answer some VIPs and not the others, until it boots again."""
    batch = [
        f"address {verb} {vip} dev lo{' nodad' if ':' in vip and verb == 'replace' else ''}"
        for verb, vips in (("replace", answered), ("delete", others))
        for vip in sorted(vips)
    ]
    # One that isn't there can't be deleted.
    ip(["-n", netns, "-force", "-batch", "-"], stdin="\n".join(batch), check=False)


def ports_down_batch(settings: LabSettings, role: str) -> str:
    """Input of `ip -batch` that takes a machine's links away at the switch."""
    return "".join(f"link set {each} down\n" for each in _ports(settings, role))


def ports_down(settings: LabSettings, role: str) -> None:
    """Takes the machine's links away at the switch; the machine is told nothing."""
    ip(["-n", settings.switch, "-force", "-batch", "-"], stdin=ports_down_batch(settings, role), check=False)


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


def router_on(netns: str, interface: str) -> str | None:
    """The link-local address of a router that the kernel has heard on an interface; None = of none."""
    found = ip_json(netns, "-6", "neighbour", "show", "dev", interface)
    return next((each["dst"] for each in found if each["dst"].startswith("fe80:") and "router" in each), None)


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
