# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to hitless.nodes: it may change in any release, don't import it from elsewhere.

"""What Cilium announces of a VIP, to whom, and by which link of labels and selectors it doesn't. Pure functions."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from ..kube.labels import matches
from .findings import Finding, defect, failed, note, passed, unknown
from .links import Facts, Link, from_node, same
from .service import is_gateway, selector_labels, title, vips


@dataclass(frozen=True)
class Match:
    """Whether configuration announces a VIP to a peer: as prefix, or None with a reason and a remedy.

    dangling: what is asked for isn't there at all, so it is a mistake whoever else gets the VIP.
    """

    prefix: str | None
    reason: str = ""
    remedy: str = ""
    dangling: bool = False


@dataclass(frozen=True, eq=False)
class Expected:
    """A prefix that a node should announce to a peer, for a VIP of a Service."""

    service: Facts
    vip: str
    link: Link
    prefix: str


def afi(address: str) -> str:
    """ipv4 or ipv6."""
    return "ipv6" if ":" in address else "ipv4"


def families(config: Facts, kind: str) -> list[Facts]:
    """The unicast families of a PeerConfig of that kind."""
    return [each for each in config["families"] if (each["afi"], each["safi"]) == (kind, "unicast")]


def match(service: Facts, vip: Facts, config: Facts, advertisements: list[Facts]) -> Match:
    """Whether a PeerConfig and the Advertisements announce a VIP of a Service."""
    kind = afi(vip["address"])
    named = config["title"]
    own = families(config, kind)
    if not own:
        return Match(
            None,
            f"{named} has no family {kind}/unicast",
            f"add it to the neighbor's families (afi: {kind}, safi: unicast), and activate it on the router"
            if config["legacy"]
            else f"add it to spec.families, with the labels of an Advertisement (afi: {kind}, safi: unicast)",
        )
    asked = [each["selector"] for each in own if each["selector"] is not None]
    if not asked:
        return Match(
            None,
            f"family {kind}/unicast of {named} selects no advertisements",
            "give it advertisements.matchLabels with the labels of a CiliumBGPAdvertisement",
            dangling=True,
        )
    chosen = [each for each in advertisements if any(matches(selector, each["labels"]) for selector in asked)]
    if not chosen:
        there = ", ".join(f"{each['name']} ({_labels(each['labels'])})" for each in advertisements) or "none at all"
        return Match(
            None,
            f"family {kind}/unicast of {named} selects advertisements by {' or '.join(map(_selector, asked))}, and no "
            f"CiliumBGPAdvertisement has such labels (there are: {there})",
            "give the Advertisement's metadata.labels what the PeerConfig selects by, or the other way round",
            dangling=True,
        )
    return _entries(service, vip, chosen)


def _entries(service: Facts, vip: Facts, chosen: list[Facts]) -> Match:
    """Whether one of the entries of these Advertisements announces a VIP."""
    names, legacy = ", ".join(each["title"] for each in chosen), any(each["legacy"] for each in chosen)
    entries = [entry for each in chosen for entry in each["advertisements"] if entry["type"] == "Service"]
    of_kind = [entry for entry in entries if vip["kind"] in entry["addresses"]]
    if not of_kind:
        types = sorted({entry["type"] for each in chosen for entry in each["advertisements"]})
        said = (
            f"has Service entries for {', '.join(sorted({a for e in entries for a in e['addresses']}))} only"
            if entries
            else f"is of type {', '.join(types) or 'none'} only"
        )
        remedy = (
            f"give that virtual router a serviceSelector, and serviceAdvertisements: [{vip['kind']}]"
            if legacy
            else f"add an entry: advertisementType: Service, service.addresses: [{vip['kind']}], with a selector"
        )
        return Match(None, f"{names} {said}, and {vip['address']} is a {vip['kind']}", remedy)
    selecting = [entry for entry in of_kind if entry["selector"] is not None]
    if not selecting:
        return Match(
            None,
            f"{names} is for Services and has no selector, and without one it announces no Service",
            "give it a selector; one that selects all is matchExpressions: [{key: somekey, operator: NotIn, values: "
            "[never-used]}]",
            dangling=True,
        )
    own = selector_labels(service)
    hit = next((entry for entry in selecting if matches(entry["selector"], own)), None)
    if hit is None:
        asked = " or ".join(_selector(entry["selector"]) for entry in selecting)
        if is_gateway(service):
            return Match(
                None,
                f"{names} selects Services by {asked}, and {service['name']} doesn't have that: a "
                f"Gateway's labels aren't copied to the Service that Cilium makes for it",
                f"select by gateway.networking.k8s.io/gateway-name or io.kubernetes.service.namespace, which it has, "
                f"or label {service['name']}, again after every deployment",
            )
        return Match(
            None,
            f"{names} selects Services by {asked}, and it has {_labels(service['labels'])}",
            "label the Service as that selector asks for, or change the selector",
        )
    return Match(_prefix(service, vip["address"], hit))


def _prefix(service: Facts, address: str, entry: Facts) -> str:
    """What is announced for a VIP: itself, or (but for externalTrafficPolicy Local) what an entry aggregates it to."""
    length = entry["aggregation"][afi(address)] if service["policy"] != "Local" else None
    own = 128 if ":" in address else 32
    return str(ipaddress.ip_network(f"{address}/{own if length is None else length}", strict=False))


def _labels(labels: dict[str, str]) -> str:
    return ", ".join(f"{key}={value}" for key, value in sorted(labels.items())) or "no labels"


def _selector(selector: Facts) -> str:
    """A selector in words."""
    parts = [f"{key}={value}" for key, value in (selector.get("matchLabels") or {}).items()]
    for each in selector.get("matchExpressions") or []:
        values = f" ({', '.join(each['values'])})" if each.get("values") else ""
        parts.append(f"{each['key']} {each['operator']}{values}")
    return ", ".join(parts) or "anything"


def local_nodes(service: Facts) -> set[str] | None:
    """The nodes that announce a Service because of its endpoints; None: all do."""
    if service["policy"] != "Local" or service["endpoints"] is None or is_gateway(service):
        return None
    nodes = {each["node"] for each in service["endpoints"]["ready"]}
    return None if None in nodes else nodes


def prefixes(services: list[Facts], advertisements: list[Facts] | None, peer_configs: list[Facts] | None) -> list[str]:
    """The prefixes to look up on routers: of each VIP what is announced, or itself where nothing is."""
    found: list[str] = []
    for service in services:
        for vip in vips(service):
            announced = [match(service, vip, each, advertisements or []).prefix for each in peer_configs or []]
            own = str(ipaddress.ip_network(vip["address"]))
            found += [each for each in announced if each] or [own]
    return list(dict.fromkeys(found))


def expected(services: list[Facts], linked: list[Link], advertisements: list[Facts]) -> list[Expected]:
    """What should be announced, by the configuration."""
    found = []
    for service in services:
        nodes = local_nodes(service)
        for vip in vips(service):
            for link in linked:
                if link.peer_config is None or (nodes is not None and link.node["name"] not in nodes):
                    continue
                prefix = match(service, vip, link.peer_config, advertisements).prefix
                if prefix:
                    found.append(Expected(service, vip["address"], link, prefix))
    return found


def advertised(
    cluster: Facts, linked: list[Link], agents: dict[str, Facts], routers: dict[str, Facts], *, strict: bool
) -> list[Finding]:
    """Stage 7: whether each VIP is announced, by configuration and in the agents' own tables.

    strict: also what is wrong in the configuration of other Services and families.
    """
    services = cluster["services"]
    for kind in ("advertisements", "peer_configs"):
        if cluster["unread"].get(kind):
            return [unknown(7, kind, f"they can't be read: {cluster['unread'][kind]}", "see docs/doctor.md")]
    found = list(_configured(linked, cluster["advertisements"])) if strict else []
    for service in services:
        for vip in vips(service):
            found += _vip(service, vip, linked, cluster["advertisements"])
    wanted = expected(services, linked, cluster["advertisements"])
    found += [finding for each in wanted for finding in _agent(each, agents, routers)]
    if not services and not found:
        found.append(passed(7, "PeerConfigs", "each family selects an Advertisement, and each of those selects"))
    return found


def _configured(linked: list[Link], advertisements: list[Facts]) -> Iterable[Finding]:
    """What is wrong whatever the Service: families and Advertisements that select nothing."""
    for config in {link.peer_config["name"]: link.peer_config for link in linked if link.peer_config}.values():
        who = config["title"]
        if not config["families"]:
            yield defect(7, who, "it has no families, so it announces nothing", "give it spec.families")
        for family in config["families"]:
            name = f"family {family['afi']}/{family['safi']}"
            if family["selector"] is None:
                yield defect(7, who, f"{name} selects no advertisements", "give it advertisements.matchLabels")
            elif not any(matches(family["selector"], each["labels"]) for each in advertisements):
                there = ", ".join(f"{each['name']} ({_labels(each['labels'])})" for each in advertisements)
                yield defect(
                    7,
                    who,
                    f"{name} selects advertisements by {_selector(family['selector'])}, and no CiliumBGPAdvertisement "
                    f"has such labels (there are: {there or 'none at all'})",
                    "give the Advertisement's metadata.labels what the PeerConfig selects by, or the other way round",
                )
    for each in advertisements:
        if any(entry["type"] == "Service" and entry["selector"] is None for entry in each["advertisements"]):
            yield defect(
                7,
                f"CiliumBGPAdvertisement {each['name']}",
                "it is for Services and has no selector, and without one it announces no Service",
                "give it a selector",
            )


def _vip(service: Facts, vip: Facts, linked: list[Link], advertisements: list[Facts]) -> Iterable[Finding]:
    """Whether the configuration announces a VIP to at least one peer of each node, and by no mistake not to others."""
    who = f"{title(service)}, {vip['address']}"
    nodes = local_nodes(service)
    own = _carrying([link for link in linked if nodes is None or link.node["name"] in nodes], afi(vip["address"]))
    judged = [
        (link, match(service, vip, link.peer_config, advertisements)) for link in own if link.peer_config is not None
    ]
    if not judged:
        yield unknown(7, who, "no node that should announce it has a peer whose PeerConfig is known", "see stages 4, 5")
    told = {each.prefix for _link, each in judged if each.prefix}
    by = {link.node["name"] for link, each in judged if each.prefix}
    if told:
        yield passed(7, who, f"by configuration announced as {', '.join(sorted(told))} by {len(by)} nodes")
    bad = dict.fromkeys(
        each for link, each in judged if not each.prefix and (each.dangling or link.node["name"] not in by)
    )
    for each in bad:
        yield failed(7, who, each.reason, each.remedy)
    for each in dict.fromkeys(each for _link, each in judged if not each.prefix and each not in bad):
        yield note(7, who, each.reason)


def _carrying(linked: list[Link], kind: str) -> list[Link]:
    """Of each node the sessions that carry a family, all if none does.

    IPv4 over one session and IPv6 over another is no mistake.
    """
    able = {link for link in linked if link.peer_config is None or families(link.peer_config, kind)}
    nodes = {link.node["name"] for link in able if link.peer_config}
    return [link for link in linked if link in able or link.node["name"] not in nodes]


def _agent(each: Expected, agents: dict[str, Facts], routers: dict[str, Facts]) -> Iterable[Finding]:
    """Whether the agent itself has a prefix, and says that it announces it to the peer."""
    node = each.link.node["name"]
    who = f"{each.prefix} from {node} to {each.link.router or each.link.peer['name']}"
    routes: dict[str, list[dict[str, Any]]] | None = (agents.get(node) or {}).get("routes")
    if routes is None:
        router = routers.get(each.link.router or "")
        if router and from_node(router, each.prefix, each.link):
            yield passed(7, who, "announced: the router has it")
            return
        reason = (agents.get(node) or {}).get("reason") or "it wasn't asked"
        yield unknown(
            7,
            who,
            f"whether its agent announces it isn't known: {reason}",
            "allow pods/exec in Cilium's namespace, see docs/doctor.md",
        )
    elif not any(route["prefix"] == each.prefix for route in routes["available"]):
        yield failed(
            7,
            who,
            "its agent doesn't have that route in its own table",
            "see its log (subsys=bgp-control-plane) and the CiliumBGPNodeConfig's conditions",
        )
    elif not any(route["prefix"] == each.prefix and _to(route, each.link) for route in routes["advertised"]):
        yield failed(
            7,
            who,
            "its agent has that route, and doesn't announce it to this peer",
            "see stage 6 (is the session up, and not silent?) and the agent's route policies (cilium_bgp_info)",
        )
    else:
        yield passed(7, who, "announced by its agent")


def _to(route: Facts, link: Link) -> bool:
    """Whether an advertised route goes to a peer, whom newer agents call by name."""
    return route["peer"] == link.peer["name"] or same(route["peer"], link.address)
