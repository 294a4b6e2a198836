# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to hitless.nodes: it may change in any release, don't import it from elsewhere.

"""Who else announces a node's VIPs. If you take out the last announcer, you lose the Service in any case."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from ..base.words import some
from ..cilium import objects
from ..cilium.agents import AT_ONCE, UNANSWERED, Agents, in_parallel, pod_to_ask
from ..kube.api_errors import Forbidden
from ..kube.client import NAMES_ONLY, Client
from ..record import records
from ..record.baseline import Routes, is_answer, prefixes, reason
from . import identities
from .behind import Behind, behind, beyond_node
from .fabric import Fabric
from .identities import Leaving, Who

# Place (a router, or Cilium's agents) -> VIP -> who else announces it there.
Counts = dict[str, dict[str, Behind]]


def addresses(service: dict[str, Any]) -> list[str]:
    """The addresses of a Service that can be announced: load balancer, external and cluster addresses."""
    spec = service.get("spec") or {}
    load_balancer = (service.get("status") or {}).get("loadBalancer") or {}
    found = [entry.get("ip") for entry in load_balancer.get("ingress") or []]
    found += spec.get("externalIPs") or []
    found += spec.get("clusterIPs") or [spec.get("clusterIP")]
    return [address for address in found if address and address != "None"]


def vips(prefixes: Iterable[str], services: list[dict[str, Any]]) -> dict[str, list[str]]:
    """Prefix -> the Services that have an address in it. Other prefixes are the node's own and are left out."""
    named: dict[Any, set[str]] = {}
    for service in services:
        name = f"{service['metadata'].get('namespace')}/{service['metadata']['name']}"
        for address in addresses(service):
            named.setdefault(ipaddress.ip_address(address), set()).add(name)
    found = {}
    for prefix in prefixes:
        network = ipaddress.ip_network(prefix)
        if network.num_addresses == 1:
            names = named.get(network.network_address, set())
        else:
            names = {name for address, of in named.items() if address in network for name in of}
        if names:
            found[prefix] = sorted(names)
    return found


def local(services: list[dict[str, Any]]) -> set[str]:
    """The VIPs that only nodes with a ready pod of the Service announce, as host routes.

    Cilium, BGP Control Plane, service announcements: externalTrafficPolicy Local, and internalTrafficPolicy Local of a
    cluster IP. If several Services share a VIP, it only counts if all of them have this policy.
    """
    policies: dict[Any, set[bool]] = {}
    for service in services:
        spec = service.get("spec") or {}
        own = spec.get("clusterIPs") or [spec.get("clusterIP")]
        for address in addresses(service):
            policy = spec.get("internalTrafficPolicy" if address in own else "externalTrafficPolicy")
            policies.setdefault(ipaddress.ip_address(address), set()).add(policy == "Local")
    return {str(ipaddress.ip_network(address)) for address, found in policies.items() if found == {True}}


def pod_networks(prefixes: Iterable[str], services: list[dict[str, Any]]) -> list[str]:
    """Those of the prefixes that lead to pods: networks in which no Service has an address."""
    known = vips(prefixes, services)
    return [prefix for prefix in prefixes if prefix not in known and ipaddress.ip_network(prefix).num_addresses > 1]


def is_leaving(record: dict[str, Any]) -> bool:
    """Whether a claimed node is out of service or on its way there. After its agent's restart it is on its way back."""
    return records.RANK.get(record["phase"], 0) < records.RANK["restarted"]


def leaving(client: Client, name: str) -> tuple[Leaving, list[str]]:
    """The other claimed nodes that don't count as announcers; if they are unknown, the reason."""
    found: Leaving = {}
    try:
        nodes = client.list_all("/api/v1/nodes", accept=NAMES_ONLY)[0]
    except Forbidden as exc:
        return {}, [
            f"whether the others that announce its VIPs are on their way out is unknown, since Nodes can't be listed "
            f"({exc.msg}): give that right, or set claim_min_announcers=0 to go on without knowing"
        ]
    problems = []
    for node in nodes:
        other = node["metadata"]["name"]
        try:
            record = records.parse(node) if other != name else None
        except records.RecordError as exc:
            problems.append(f"whether {other} is on its way out, or counts as an announcer, is unknown: {exc.msg}")
            continue
        if record is not None and is_leaving(record):
            found[other] = record
    return found, problems


def by_router(answers: dict[str, Any], routes: Routes, wanted: Iterable[str], who: Who) -> Counts:
    """Router -> VIP -> who else it can send to, for each router whose traffic to that VIP may reach the node.

    A router with several VRFs counts as the one that can send to the fewest. Pure, as all that it calls.
    """
    usable = {router: answer for router, answer in answers.items() if is_answer(answer)}
    fabric = Fabric(usable, who)
    counts: Counts = {}
    for prefix in wanted:
        has = [
            (router, vrf) for router, vrfs in routes.items() for vrf, tables in vrfs.items() if prefix in tables["bgp"]
        ]
        found = behind(fabric, prefix)
        for router, vrf in sorted(beyond_node(fabric.ways(prefix), has)):
            if router in usable:
                here = found.get((router, vrf), Behind())
                least = counts.setdefault(router, {}).get(prefix, here)
                counts[router][prefix] = min(least, here, key=lambda each: len(each.names))
    return counts


def problems(found: dict[str, list[str]], counts: Counts, minimum: int, gone: Leaving) -> list[str]:
    """One line for each VIP that would have fewer announcers than the minimum, with the names of its Services."""
    lines = []
    uncounted = _uncounted(gone)
    for prefix, services in found.items():
        here = {place: by_vip[prefix] for place, by_vip in sorted(counts.items()) if prefix in by_vip}
        short = {place: each for place, each in here.items() if len(each.names) < minimum}
        if here and not short:
            continue
        where = ", ".join(f"{len(each.names)} on {place}{_details(each)}" for place, each in short.items()) or "unknown"
        last = any(not each.names for each in short.values())
        what = "its last announcer is this node" if last else "too few others announce it"
        lines.append(
            f"VIP {prefix} of Service {' and '.join(services)}: {what} (others: {where}; "
            f"claim_min_announcers={minimum}{uncounted})"
        )
    return lines


def _details(each: Behind) -> str:
    """Who was counted in a place, and which paths weren't, in words."""
    said = [*sorted(each.names), *each.uncounted]
    return f" ({some(said)})" if said else ""


def _uncounted(gone: Leaving) -> str:
    """Which other nodes don't count, in words."""
    claimed = ", ".join(f"{name}, claimed by {record['holder']}" for name, record in sorted(gone.items()))
    return f"; not counted: {claimed}" if claimed else ""


@dataclass(frozen=True)
class Count:
    """Who else announces the VIPs of a node. It is asked before the claim is written, and again after it.

    If two claims happen at the same moment, neither sees the other one before. After both are written, at least one
    sees the other.
    """

    name: str
    vips: dict[str, list[str]]
    minimum: int
    without: Callable[[Leaving], Counts]

    def problems(self, client: Client) -> list[str]:
        """Why the node must not be taken out now."""
        if not self.vips:
            return []
        gone, unclear = leaving(client, self.name)
        return unclear or problems(self.vips, self.without(gone), self.minimum, gone)


def services(client: Client) -> tuple[list[dict[str, Any]], list[str]]:
    """All Services; if they can't be listed, the reason why others can't be counted."""
    try:
        return client.list_all("/api/v1/services")[0], []
    except Forbidden as exc:
        return [], [
            f"whether other nodes announce its VIPs is unknown, since Services can't be listed ({exc.msg}): give that "
            f"right, or set claim_min_announcers=0 to go on without knowing"
        ]


def uncounted_prefixes(announced: list[str] | None) -> list[str]:
    """The problem that the node's announced prefixes aren't known, so the others can't be counted."""
    if announced is not None:
        return []
    return [
        "whether other nodes announce its VIPs is unknown, since neither routers nor agents are asked: set "
        "claim_min_announcers=0 to go on without knowing"
    ]


def recount(
    client: Client,
    name: str,
    record: dict[str, Any],
    answers: dict[str, Any] | None,
    minimum: int,
    *,
    cilium_namespace: str = "kube-system",
) -> list[str]:
    """Why a claimed node must not be taken out now, or stay out: its VIPs have too few other announcers. [] if not.

    The node's own routes may be gone by now. So its VIPs, and the routers that had them, are those of the record. A VIP
    that is no longer one of a Service isn't counted. answers: router -> result of frr_bgp_info, just now; not needed if
    the evidence isn't the routers'.
    """
    if minimum <= 0:
        return []
    before = record["before"]
    by_routers = (before.get("evidence") or "router") == "router"
    routes: Routes = before.get("routes") or {}
    announced = prefixes(routes) if by_routers else (before.get("cilium") or {}).get("prefixes")
    listed, unclear = services(client)
    unclear = unclear or uncounted_prefixes(announced)
    wanted = vips(announced or [], listed)
    if unclear or not wanted:
        return unclear
    gone, unclear = leaving(client, name)
    if unclear:
        return unclear
    api_version = objects.configs(client).api_version
    if by_routers:
        who = identities.who(identities.read(client, api_version), name, record, gone)
        silent = _silent(answers or {}, routes, wanted)
        return silent + problems(wanted, by_router(answers or {}, routes, wanted, who), minimum, gone)
    agents = Agents(client, cilium_namespace, client.timeout)
    counts = by_agents(client, agents, {name, *gone}, api_version, wanted, minimum)
    return problems(wanted, counts, minimum, gone)


def _silent(answers: dict[str, Any], routes: Routes, wanted: Iterable[str]) -> list[str]:
    """The routers that had a VIP of the node before, and give no answer now."""
    return [
        f"who else announces its VIPs on router {router} is unknown ({reason(answers.get(router))})"
        for router, vrfs in sorted(routes.items())
        if not is_answer(answers.get(router)) and set(wanted).intersection(prefixes({router: vrfs}))
    ]


def by_agents(
    client: Client,
    agents: Agents,
    excluded: set[str],
    api_version: str | None,
    wanted: Iterable[str],
    minimum: int,
) -> Counts:
    """Place "Cilium" -> VIP -> how many other nodes' agents say that they announce it; counted up to the minimum.

    Agents are asked a few at a time until there are enough. Usually the first ones announce everything. An agent that
    gives no answer counts as announcing nothing. excluded: this node and the claimed nodes.
    """
    counts: dict[str, set[str]] = {prefix: set() for prefix in wanted}
    items = client.list_all(f"{objects.GROUP}/{api_version}/ciliumbgpnodeconfigs")[0] if api_version else []
    names = [item["metadata"]["name"] for item in items if item["metadata"]["name"] not in excluded]
    size = minimum
    while names and any(len(found) < minimum for found in counts.values()):
        batch, names = names[:size], names[size:]
        size = AT_ONCE
        for node, announced in zip(batch, in_parallel(lambda node: _advertised(agents, node), batch), strict=True):
            for prefix in announced.intersection(counts):
                counts[prefix].add(node)
    return {"Cilium's agents": {prefix: Behind(frozenset(found)) for prefix, found in counts.items()}}


def _advertised(agents: Agents, name: str) -> set[str]:
    """The prefixes that a node's agent announces; none if it doesn't answer."""
    try:
        pod = pod_to_ask(agents.pods([name])[name])
        return {route["prefix"] for route in agents.routes(pod)["advertised"]}
    except UNANSWERED:
        return set()
