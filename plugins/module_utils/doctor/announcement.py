# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to hitless.nodes: it may change in any release, don't import it from elsewhere.

"""The rules by which Cilium announces a VIP: families, Advertisements and their selectors. Pure functions."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass

from ..base import net
from ..base.net import HOST_LENGTH, family
from ..kube.labels import matches
from .links import Facts, Link
from .service import is_gateway, selector_labels, vips

# What to do about a family that selects no Advertisement.
UNSELECTED = (
    "add these labels to metadata.labels of the Advertisement, or change advertisements.matchLabels of the family"
)


@dataclass(frozen=True)
class Match:
    """How the configuration announces a VIP to a peer: the prefix, or None with a reason and a remedy.

    dangling: a selector is missing or selects nothing. This is a mistake even if other peers get the VIP.
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


def families(config: Facts, kind: str) -> list[Facts]:
    """The unicast families of a PeerConfig of that kind."""
    return [each for each in config["families"] if (each["afi"], each["safi"]) == (kind, "unicast")]


def match(service: Facts, vip: Facts, config: Facts, advertisements: list[Facts]) -> Match:
    """Whether a PeerConfig and the Advertisements announce a VIP of a Service."""
    kind = family(vip["address"])
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
    selectors = [each["selector"] for each in own if each["selector"] is not None]
    if not selectors:
        return Match(
            None,
            f"family {kind}/unicast of {named} selects no advertisements",
            "set its advertisements.matchLabels to the labels of a CiliumBGPAdvertisement",
            dangling=True,
        )
    chosen = selected(advertisements, selectors)
    if not chosen:
        asked = " or ".join(map(selector_in_words, selectors))
        return Match(
            None,
            f"family {kind}/unicast of {named} selects advertisements by {asked}, but no CiliumBGPAdvertisement has "
            f"such labels; there are: {in_words(advertisements)}",
            UNSELECTED,
            dangling=True,
        )
    return _announced(service, vip, chosen)


def selected(advertisements: list[Facts], selectors: list[Facts]) -> list[Facts]:
    """The Advertisements that at least one of the selectors selects."""
    return [each for each in advertisements if any(matches(selector, each["labels"]) for selector in selectors)]


def _announced(service: Facts, vip: Facts, chosen: list[Facts]) -> Match:
    """Whether one of the entries of these Advertisements announces a VIP."""
    names = _titles(chosen)
    of_kind = []
    for entry in _entries(chosen):
        if entry["type"] == "Service" and vip["kind"] in entry["addresses"]:
            of_kind.append(entry)
    if not of_kind:
        return _of_other_kinds(vip, names, chosen)
    selecting = [entry for entry in of_kind if entry["selector"] is not None]
    if not selecting:
        return Match(
            None,
            f"the Service entry of {names} has no selector, so it announces no Service",
            "add a selector; to select all Services, use matchExpressions: "
            "[{key: somekey, operator: NotIn, values: [never-used]}]",
            dangling=True,
        )
    own = selector_labels(service)
    for entry in selecting:
        if matches(entry["selector"], own):
            return Match(_prefix(service, vip["address"], entry))
    return _not_selected(service, names, selecting)


def _titles(chosen: list[Facts]) -> str:
    return ", ".join(each["title"] for each in chosen)


def _entries(chosen: list[Facts]) -> list[Facts]:
    """The entries of these Advertisements."""
    return [entry for each in chosen for entry in each["advertisements"]]


def _of_other_kinds(vip: Facts, names: str, chosen: list[Facts]) -> Match:
    """The Match if these Advertisements announce no addresses of the VIP's kind."""
    types, addresses = set(), set()
    for entry in _entries(chosen):
        types.add(entry["type"])
        if entry["type"] == "Service":
            addresses.update(entry["addresses"])
    if "Service" in types:
        said = f"has Service entries for {', '.join(sorted(addresses))} only"
    else:
        said = f"is of type {', '.join(sorted(types)) or 'none'} only"
    if any(each["legacy"] for each in chosen):
        remedy = f"set serviceSelector and serviceAdvertisements: [{vip['kind']}] in that virtual router"
    else:
        remedy = f"add an entry with advertisementType: Service, service.addresses: [{vip['kind']}] and a selector"
    return Match(None, f"{names} {said}, but {vip['address']} is a {vip['kind']}", remedy)


def _not_selected(service: Facts, names: str, selecting: list[Facts]) -> Match:
    """The Match if these Advertisements select other Services, by these entries."""
    asked = " or ".join(selector_in_words(entry["selector"]) for entry in selecting)
    if is_gateway(service):
        return Match(
            None,
            f"{names} selects Services by {asked}, but {service['name']} doesn't have such labels: "
            f"Cilium doesn't copy a Gateway's labels to the Service that it creates",
            f"select by gateway.networking.k8s.io/gateway-name or io.kubernetes.service.namespace, which the Service "
            f"has, or label {service['name']} after every deployment",
        )
    return Match(
        None,
        f"{names} selects Services by {asked}, but the Service has {labels_in_words(service['labels'])}",
        "label the Service as the selector asks, or change the selector",
    )


def _prefix(service: Facts, address: str, entry: Facts) -> str:
    """The prefix announced for a VIP: the VIP or its aggregate. With externalTrafficPolicy Local it is the VIP."""
    length = entry["aggregation"][family(address)] if service["policy"] != "Local" else None
    own = HOST_LENGTH[family(address)]
    return str(ipaddress.ip_network(f"{address}/{own if length is None else length}", strict=False))


def in_words(advertisements: list[Facts]) -> str:
    """Advertisements with their labels, in words."""
    return ", ".join(f"{each['name']} ({labels_in_words(each['labels'])})" for each in advertisements) or "none"


def labels_in_words(labels: dict[str, str]) -> str:
    """Labels in words."""
    return ", ".join(f"{key}={value}" for key, value in sorted(labels.items())) or "no labels"


def selector_in_words(selector: Facts) -> str:
    """A selector in words."""
    parts = [f"{key}={value}" for key, value in (selector.get("matchLabels") or {}).items()]
    for each in selector.get("matchExpressions") or []:
        values = f" ({', '.join(each['values'])})" if each.get("values") else ""
        parts.append(f"{each['key']} {each['operator']}{values}")
    return ", ".join(parts) or "anything"


def local_nodes(service: Facts) -> set[str] | None:
    """The nodes that announce a Service because they have its endpoints. None: all nodes announce it."""
    if service["policy"] != "Local" or service["endpoints"] is None or is_gateway(service):
        return None
    nodes = {each["node"] for each in service["endpoints"]["ready"]}
    return None if None in nodes else nodes


def prefixes(services: list[Facts], advertisements: list[Facts] | None, peer_configs: list[Facts] | None) -> list[str]:
    """The prefixes to look up on routers: what is announced for each VIP, or the VIP if nothing is."""
    found: list[str] = []
    for service in services:
        for vip in vips(service):
            matched = [match(service, vip, config, advertisements or []) for config in peer_configs or []]
            found += [each.prefix for each in matched if each.prefix] or [net.prefix(vip["address"])]
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
