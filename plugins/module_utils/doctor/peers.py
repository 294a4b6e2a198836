# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to hitless.nodes: it may change in any release, don't import it from elsewhere.

"""Whether both sides of each session name each other, and agree on their settings. Pure functions, see links.py."""

from __future__ import annotations

from collections.abc import Iterable

from ..cilium.legacy_policy import KIND as LEGACY
from ..frr.neighbor_json import as_number
from .findings import RIGHTS, Finding, defect, failed, note, passed, says, unknown
from .links import Facts, Link, unasked

BGP_PORT = 179
MISSING_SECRET = "cilium.io/MissingAuthSecret"  # noqa: S105 - the name of a condition


def peers(cluster: Facts, linked: list[Link], routers: dict[str, Facts]) -> list[Finding]:
    """Stage 5: whether both sides of each session name each other, and agree on their settings."""
    found: list[Finding] = []
    for link in linked:
        found += _config_of(link, cluster, linked)
        found += _meeting(link, routers)
    found += _uneven_ports(linked)
    bad = {each.subject for each in found if each.level in ("fail", "unknown")}
    for title in sorted({link.title for link in linked if link.neighbor} - bad):
        found.append(passed(5, title, "both sides name each other"))
    return found


def _config_of(link: Link, cluster: Facts, linked: list[Link]) -> Iterable[Finding]:
    """What is wrong with the PeerConfig of a session, and with its Secret."""
    name, config = link.peer["peer_config"], link.peer_config
    if not name:
        return
    if cluster["unread"].get("peer_configs"):
        who = config["title"] if config else f"CiliumBGPPeerConfig {name}"
        yield unknown(5, who, f"it can't be read: {cluster['unread']['peer_configs']}", RIGHTS)
        return
    if config is None:
        said = f"peer {link.peer['name']} refers to it, but it doesn't exist"
        yield failed(5, f"CiliumBGPPeerConfig {name}", said, "create it, or correct the name")
        return
    proven = _is_proven(name, linked)
    for condition in config["conditions"]:
        if condition["status"] != "True":
            continue
        if condition["type"] == MISSING_SECRET and proven:
            yield note(5, config["title"], f"{says(condition)}, but its sessions are up, so the Secret is there")
        else:
            remedy = "repair what the condition names (see kubectl describe)"
            yield failed(5, config["title"], says(condition), remedy)
    if config["secret"]:
        yield from _secret(config["title"], config["secret"], cluster, proven)


def _is_proven(name: str, linked: list[Link]) -> bool:
    """Whether all sessions with a PeerConfig are up. This proves that its Secret is there."""
    up = [each.established for each in linked if each.peer["peer_config"] == name]
    return bool(up) and all(each is True for each in up)


def _secret(who: str, name: str, cluster: Facts, proven: bool) -> Iterable[Finding]:
    """Whether the Secret of a PeerConfig is where Cilium looks for it, with the key that it reads."""
    secret = next((each for each in cluster["secrets"] if each["name"] == name), None)
    if secret is None or secret["exists"] is None:
        if not proven:
            reason = secret["reason"] if secret else "it wasn't looked for"
            yield unknown(5, who, f"it isn't known whether its Secret {name} exists: {reason}", RIGHTS)
        return
    where = f"Secret {secret['namespace']}/{name}"
    if not secret["exists"]:
        yield _missing_secret(who, where, secret)
    elif secret["keys"] is None:
        if not proven:
            yield unknown(
                5,
                who,
                f"the names of the keys of {where} aren't known: {secret['reason']}",
                "check that it has the key password",
            )
    elif "password" not in secret["keys"]:
        yield failed(
            5,
            who,
            f"{where} has no key password (it has: {', '.join(secret['keys']) or 'none'})",
            "put the password under the key password",
        )


def _missing_secret(who: str, where: str, secret: Facts) -> Finding:
    """A Secret that isn't where Cilium looks for it."""
    elsewhere = secret["elsewhere"]
    found = f"; there is one in {' and '.join(elsewhere)}, where Cilium doesn't look" if elsewhere else ""
    return failed(
        5,
        who,
        f"authSecretRef names {where}, which doesn't exist{found}",
        f"create it in namespace {secret['namespace']} (Helm: bgpControlPlane.secretsNamespace.name), key password",
    )


def _meeting(link: Link, routers: dict[str, Facts]) -> Iterable[Finding]:
    """Whether the router that has the peer's address knows the node, with the same AS numbers and ports."""
    who = f"peer {link.peer['name']}"
    if link.address is None:
        yield unknown(5, who, "Cilium discovers its address, but hasn't said which address it found")
        return
    if link.router is None:
        yield _no_router(who, link.address, link, routers)
        return
    policy = routers[link.router]["policy"] or {}
    if policy.get("configuration") is None:
        yield unknown(5, link.title, f"the configuration of router {link.router} isn't known")
        return
    if link.neighbor is None or link.instance is None:
        yield _no_neighbor(link)
        return
    # An established session proves that both sides agree on all that it needs.
    bad = defect if link.established else failed
    for wrong, remedy in _disagreements(link, link.instance, link.neighbor, policy):
        yield bad(5, link.title, wrong, remedy)
    port = link.neighbor["port"]
    if port and not link.peer["local_port"]:
        yield defect(
            5,
            link.title,
            f"router {link.router} connects to port {port} of the node, but Cilium doesn't listen: the port is set on "
            f"one side only",
            f"{_listen(link, port)}, or remove 'neighbor ... port {port}' from the router",
        )


def _no_neighbor(link: Link) -> Finding:
    """A router without a neighbour for the node in its configuration."""
    if link.established:
        return passed(5, link.title, "the session is up, though no neighbour of that address is configured")
    own = ", ".join(link.node["addresses"])
    return failed(
        5,
        link.title,
        f"router {link.router} has no neighbour with an address of node {link.node['name']} ({own})",
        f"add 'neighbor ADDRESS remote-as {link.peer['local_asn']}' or a 'bgp listen range' on the router",
    )


def _listen(link: Link, port: int) -> str:
    """What to do so that Cilium listens on a port."""
    if link.config_kind == LEGACY:
        asn = link.peer["local_asn"]
        return f"annotate node {link.node['name']} with cilium.io/bgp-virtual-router.{asn}: local-port={port}"
    return f"set localPort: {port} in the ClusterConfig's instance"


def _no_router(who: str, address: str, link: Link, routers: dict[str, Facts]) -> Finding:
    """A peer whose address no known router has."""
    networks = [
        f"{name}: {', '.join(each['network'] for each in router['policy']['addresses'])}"
        for name, router in routers.items()
        if router["policy"]
    ]
    away = unasked(routers)
    if away:
        return unknown(
            5,
            who,
            f"no router that answered has its address {address}; {', '.join(away)} could not be asked",
            "repair the access to these routers (see docs/getting-started.md)",
        )
    if link.established:
        return unknown(
            5,
            who,
            f"its session is up, but {address} is no address of a router of the inventory, so the doctor can't ask it",
            "add that router to the group routers of the inventory",
        )
    return failed(
        5,
        who,
        f"peerAddress {address} is no address of any router of the inventory "
        f"({'; '.join(networks) or 'it has no routers'})",
        f"correct peerAddress in the {link.config_kind}, or add the router that has it to the group routers",
    )


def _disagreements(link: Link, instance: Facts, neighbor: Facts, policy: Facts) -> Iterable[tuple[str, str]]:
    """(what differs between both sides, what to do)."""
    router, peer = link.router, link.peer
    remote, own = neighbor["remote_as"], neighbor["local_as"] or instance["asn"]
    if neighbor["shutdown"]:
        yield (
            f"router {router} has the neighbour shut down",
            f"set 'no neighbor {neighbor['name']} shutdown' on the router when its maintenance is over",
        )
    if as_number(own) != peer["asn"]:
        yield (
            f"peerASN is {peer['asn']}, but router {router} is AS {own}",
            f"correct peerASN in the {link.config_kind}, or the router's AS",
        )
    external = peer["local_asn"] != as_number(own)
    expected = {"external": external, "internal": not external, "auto": True}
    if not expected.get(remote, as_number(remote) == peer["local_asn"]):
        yield (
            f"the node is AS {peer['local_asn']} (localASN), but router {router} expects {remote} (remote-as)",
            f"correct localASN in the {link.config_kind}, or remote-as on the router",
        )
    config = link.peer_config
    if config and bool(config["secret"]) != neighbor["password"]:
        one, other = ("Cilium", f"router {router}") if config["secret"] else (f"router {router}", "Cilium")
        yield (
            f"{one} has a password for the session, but {other} has none",
            f"set the same password on both sides: authSecretRef in the {link.peer_config_kind}, and "
            f"'neighbor ... password' on the router",
        )
    yield from _ports(link, neighbor, policy)


def _ports(link: Link, neighbor: Facts, policy: Facts) -> Iterable[tuple[str, str]]:
    """Whether at least one side connects to a port on which the other one listens."""
    listens = policy.get("listen_port")
    if link.peer_config is None or listens is None:
        return
    wanted = link.peer_config.get("peer_port") or BGP_PORT
    if wanted == listens or _router_connects(link, neighbor):
        return
    given = "peerPort" if wanted != BGP_PORT else "bgpd's port"
    yield (
        f"Cilium connects to port {wanted} (peerPort), but bgpd on router {link.router} listens on {listens}: "
        f"{given} is set on one side only",
        f"set the same port on both sides: peerPort in the {link.peer_config_kind}, and -p in bgpd_options of "
        f"/etc/frr/daemons on the router",
    )


def _router_connects(link: Link, neighbor: Facts) -> bool:
    """Whether the router connects to a port on which Cilium listens."""
    local = link.peer["local_port"]
    return bool(local) and not neighbor["passive"] and (neighbor["port"] or BGP_PORT) == local


def _uneven_ports(linked: list[Link]) -> Iterable[Finding]:
    """A port that some routers have for a node, but others don't."""
    by_node: dict[str, dict[str, int | None]] = {}
    for link in linked:
        ports = by_node.setdefault(link.node["name"], {})
        if link.router and link.neighbor:
            ports[link.router] = link.neighbor["port"] or ports.get(link.router)
    for name, ports in by_node.items():
        if len(set(ports.values())) > 1:
            said = ", ".join(f"{router} {port or 'none'}" for router, port in ports.items())
            yield defect(
                5,
                f"node {name}",
                f"the routers have different ports for it ('neighbor ... port'): {said}",
                "set the same port for it on all routers, or on none",
            )
