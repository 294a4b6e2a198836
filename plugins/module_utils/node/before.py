# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to hitless.nodes: it may change in any release, don't import it from elsewhere.

"""What can't be read any more when a node is out of service, by routers or by Cilium, and why that isn't enough."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ..cilium import bgp_sessions, node_picture, objects, own_routes
from ..cilium.agents import UNANSWERED, Agents, pod_to_ask
from ..estimate import per_node
from ..kube import node_objects
from ..kube.client import Client
from ..record import reach
from ..record.baseline import Baseline, baseline, prefixes
from . import announcers, identities
from .staying import Staying, staying


@dataclass(frozen=True)
class Before:
    """What can't be read later of a node's routes, by the kind of evidence, and why that isn't enough.

    count: counts the others that announce its VIPs. None if they don't matter.
    """

    kept: dict[str, Any]
    problems: list[str]
    count: announcers.Count | None
    warnings: list[str] = field(default_factory=list)


def reasons_against(picture: node_picture.Picture, routes: Before) -> list[str]:
    """Why a node that no run holds must not be claimed now; empty if it may."""
    reasons = list(picture.problems)
    if not picture.selection.selected:
        reasons.append("no CiliumBGPClusterConfig selects it, so it announces no routes that could be withdrawn")
    elif picture.selection.flip is None and not picture.selection.problems:
        reasons.append("no label takes it out of BGP")
    if not picture.addresses:
        reasons.append("it has no InternalIP, by which routers could be asked for it")
    return [*reasons, *routes.problems]


def by_routers(client: Client, picture: node_picture.Picture, params: dict[str, Any]) -> Before:
    """What the routers have of a node, by their answers."""
    name, minimum = params["name"], params["min_announcers"]
    found: Baseline = baseline(name, params["routes"])
    seen = reach.reach(name, picture.peers, params["routes"], params["unseen_peers"], params["transit_routers"])
    problems = [*found.problems, *seen.problems, *_long_lived(found, params["estimate_override"])]
    services, unknown = announcers.services(client) if found.routes else ([], [])
    stays = _staying(client, picture, params, found, None if unknown else services)
    problems += stays.problems
    leaving = [each for each in prefixes(found.routes) if each not in stays.prefixes]
    kept = {
        "routes": found.routes,
        "sessions": found.sessions,
        "next_hops": found.next_hops,
        "local": sorted(announcers.local(services).intersection(leaving)),
        "pod_networks": announcers.pod_networks(leaving, services),
        "waived": seen.waived,
        "staying": stays.prefixes,
        "min_announcers": minimum,
    }
    count = None
    if minimum > 0:
        vips = announcers.vips(prefixes(found.routes), services)
        own = {"before": {"addresses": picture.addresses, **kept}}

        def without(gone: identities.Leaving) -> announcers.Counts:
            who = identities.who(identities.read(client, api_version(picture)), name, own, gone)
            return announcers.by_router(params["routes"], found.routes, vips, who)

        count = announcers.Count(name, vips, minimum, without)
        problems += unknown or count.problems(client)
    return Before(kept, problems, count, [*_waived_warnings(name, seen.waived), *stays.warnings])


def api_version(picture: node_picture.Picture) -> str | None:
    """The version in which the cluster serves Cilium's BGP objects; None if it doesn't."""
    return (picture.api_version or "").rpartition("/")[2] or None


def _staying(
    client: Client,
    picture: node_picture.Picture,
    params: dict[str, Any],
    found: Baseline,
    services: list[dict[str, Any]] | None,
) -> Staying:
    """What of a baseline stays when Cilium's sessions are closed."""
    name, every = params["name"], prefixes(found.routes)
    agents = Agents(client, params["cilium_namespace"], client.timeout)

    def advertised() -> set[str] | str:
        try:
            pod = pod_to_ask(agents.pods([name])[name])
            return {route["prefix"] for route in agents.routes(pod)["advertised"]}
        except UNANSWERED as exc:
            return exc.msg

    stays = staying(name, every, params["staying_prefixes"], services, picture.pod_cidrs, advertised)
    if every and not stays.problems and not set(every) - set(stays.prefixes):
        stays.problems.append(
            f"all that routers have of {name} stays when its sessions are closed ({', '.join(every)}): there is "
            f"nothing to watch being withdrawn"
        )
    return stays


def _waived_warnings(name: str, waived: dict[str, list[str]]) -> list[str]:
    """What nobody looks at, because the user said so."""
    found = []
    if waived["peers"]:
        found.append(
            f"{name}: no router was asked for peers {', '.join(waived['peers'])} (claim_unseen_peers): whether they "
            f"still send to it isn't seen"
        )
    if waived["routers"]:
        found.append(f"{name}: {', '.join(waived['routers'])} has no session with it (claim_transit_routers)")
    return found


def _long_lived(found: Baseline, override: int) -> list[str]:
    """The problem that routers may keep the node's routes for hours or days; none if the user accepts that."""
    kept = {
        router
        for router, sessions in found.sessions.items()
        for session in sessions
        if session["established"] and (session["graceful_restart"] or {}).get("long_lived")
    }
    if not kept or override > 0:
        return []
    return [
        f"long-lived graceful restart is negotiated with {' and '.join(sorted(kept))}, so there is no bound to how "
        f"long its stale routes stay: switch it off there, or set claim_estimate_override to try all the same"
    ]


def by_cilium(client: Client, picture: node_picture.Picture, params: dict[str, Any]) -> Before:
    """What the node announces according to Cilium, and the bound to wait for after the withdrawal."""
    name, evidence, minimum = params["name"], params["evidence"], params["min_announcers"]
    version = api_version(picture)
    backend, gather = per_node.READS[evidence]
    agents = Agents(client, params["cilium_namespace"], client.timeout)
    (seen,) = bgp_sessions.read(client, agents, [name], api_version=version)
    facts = bgp_sessions.facts(agents, seen, backend=backend, gather=gather)
    peers = per_node.peers(client, version, seen.node_config, facts["sessions"])
    found = own_routes.kept(facts)
    estimate = per_node.estimates("deselected", picture.node, seen, peers)
    bound = per_node.withdrawal(estimate, evidence, params["estimate_override"])
    problems = [*own_routes.problems(name, facts, peers), *_unbounded(bound)]
    services, unknown = announcers.services(client)
    announced: list[str] | None = found["prefixes"]
    count = None
    if minimum > 0 and not problems:
        problems += announcers.uncounted_prefixes(announced) or unknown
    if minimum > 0 and not problems:
        vips = announcers.vips(announced or [], services)
        count = announcers.Count(
            name,
            vips,
            minimum,
            lambda gone: announcers.by_agents(client, agents, {name, *gone}, version, vips, minimum),
        )
        problems += count.problems(client)
    local = announcers.local(services)
    if announced is not None:
        # If only the number of its routes is known, any of these may be among them.
        local &= set(announced)
    kept = {
        "routes": {},
        "sessions": {},
        "cilium": found,
        "withdrawal": bound,
        "local": sorted(local),
        # None: unknown.
        "pod_networks": None if announced is None else announcers.pod_networks(announced, services),
        "min_announcers": minimum,
    }
    return Before(kept, problems, count)


def _unbounded(bound: dict[str, Any]) -> list[str]:
    """The problem that routers may keep the node's routes for any time; none if the user gives a time."""
    if not bound["unbounded"] or bound["overridden"]:
        return []
    return [
        f"for how long routers may go on sending to it has no bound ({bound['reason']}): let them be asked "
        f"(evidence=router), or set claim_estimate_override to the seconds that are to be waited"
    ]


def before(
    node: dict[str, Any], key: str, picture: node_picture.Picture, evidence: str, routes: Before
) -> dict[str, Any]:
    """What must be true again at the end, and what can't be read later."""
    info = node.get("status", {}).get("nodeInfo", {})
    return {
        "unschedulable": bool(node["spec"].get("unschedulable")),
        "label": {"key": key, "value": (objects.labels(node) or {}).get(key)},
        "uid": node["metadata"].get("uid"),
        "boot_id": info.get("bootID"),
        "system_uuid": info.get("systemUUID"),
        "addresses": picture.addresses,
        "node_addresses": node_objects.facts(node)["addresses"],
        "local_addresses": picture.local_addresses,
        "evidence": evidence,
        **routes.kept,
    }
