# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to hitless.nodes: it may change in any release, don't import it from elsewhere.

"""The middle of the chain: which nodes are selected, whom they peer with, and whether their sessions are up.

Pure functions over what was read on both sides, see doctor/links.py.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ..cilium.legacy_policy import KIND as LEGACY
from ..cilium.selection import Config, is_system
from ..frr.neighbor_json import as_number
from ..kube.labels import requirements
from .findings import Finding, defect, failed, note, passed, unknown
from .links import Facts, Link, configs, selecting, unasked

BGP_PORT = 179
MISSING_SECRET = "cilium.io/MissingAuthSecret"  # noqa: S105 - the name of a condition
# GoBGP's deferral-time, for which it announces nothing after a graceful restart unless all its peers have sent theirs.
DEFERRAL = 360

# Selection


def selection(cluster: Facts, targets: list[str]) -> list[Finding]:
    """Stage 4: whether nodes are selected, and Cilium has made NodeConfigs of that. targets: named by the user."""
    if cluster["unread"].get("configs"):
        return [unknown(4, "ClusterConfigs", f"they can't be read: {cluster['unread']['configs']}")]
    if not cluster["configs"]:
        return [
            failed(
                4,
                "cluster",
                "it has no CiliumBGPClusterConfig and no CiliumBGPPeeringPolicy, so no node announces anything",
                "make a CiliumBGPClusterConfig (and see that Cilium runs with bgpControlPlane.enabled=true)",
            )
        ]
    found = [finding for config in configs(cluster) for finding in _config(config, cluster)]
    for kind in ("nodes", "cilium_nodes", "node_configs"):
        if cluster["unread"].get(kind):
            return [*found, unknown(4, kind, f"they can't be read: {cluster['unread'][kind]}", "see docs/doctor.md")]
    found += [finding for node in cluster["nodes"] for finding in _node(node, cluster, node["name"] in targets)]
    if not any(selecting(cluster, node) for node in cluster["nodes"]):
        names = " and ".join(str(config) for config in configs(cluster))
        found.append(
            failed(4, "nodes", f"none of them is selected by {names}", "label the nodes as the nodeSelector asks for")
        )
    return found


def _config(config: Config, cluster: Facts) -> Iterable[Finding]:
    used = any(config in selecting(cluster, node) for node in cluster["nodes"])
    for condition in config.conditions:
        # All of Cilium's BGP conditions name a problem when they are True.
        if condition.get("status") == "True":
            said = f"it says {condition['type']}: {condition.get('message') or condition.get('reason')}"
            remedy = "correct what its condition names (kubectl describe)"
            yield failed(4, str(config), said, remedy) if used else defect(4, str(config), said, remedy)
    keys = sorted({key for key, _operator, _values in requirements(config.selector) if is_system(key)})
    if keys:
        yield defect(
            4,
            str(config),
            f"its nodeSelector is on {', '.join(keys)}, which belongs to Kubernetes: it selects by what a node is, not "
            f"by what it is to announce, and no node can be taken out of service by it",
            "select by a label of its own, such as matchLabels enable-bgp: 'true', and label the nodes with it",
        )
    elif not requirements(config.selector):
        yield note(4, str(config), "it has no nodeSelector, so it selects every node")
    if config.kind == LEGACY:
        said = "it is of a legacy kind, which Cilium 1.19 doesn't know any more: its nodes will announce nothing then"
        yield note(
            4, str(config), said, "write a CiliumBGPClusterConfig, CiliumBGPPeerConfig and CiliumBGPAdvertisement"
        )


def _node(node: Facts, cluster: Facts, named: bool) -> Iterable[Finding]:
    who = f"node {node['name']}"
    by = selecting(cluster, node)
    wanted = [config for config in configs(cluster) if config.selects(node["labels"])]
    if not by:
        yield from _not_selected(who, node, wanted, named)
        return
    if node["cilium_labels"] is None:
        yield failed(4, who, "it has no CiliumNode: Cilium's agent has never run on it", "see the agent's pod on it")
        return
    if len(by) > 1:
        yield failed(
            4,
            who,
            f"{' and '.join(map(str, by))} select it both, and Cilium takes one of them, which isn't said, or none",
            "make their nodeSelectors exclude each other",
        )
    if by[0].kind == LEGACY and cluster["unread"].get("policies"):
        yield unknown(4, who, f"the peers of {by[0]}, which selects it, can't be read: {cluster['unread']['policies']}")
        return
    if node["node_config"] is None:
        yield failed(
            4,
            who,
            f"it is selected by {by[0]} and has no CiliumBGPNodeConfig",
            "cilium-operator makes it: see whether it runs, and its log (subsys=bgp-cp-operator)",
        )
        return
    wrong = [each for each in node["node_config"]["conditions"] if each["status"] == "True"]
    for condition in wrong:
        yield failed(
            4,
            who,
            f"its CiliumBGPNodeConfig says {condition['type']}: {condition['message'] or condition['reason']}",
            "see the log of its agent (subsys=bgp-control-plane)",
        )
    if not wrong:
        yield passed(4, who, f"selected by {by[0]}, with {len(node['node_config']['peers'])} peers")


def _not_selected(who: str, node: Facts, wanted: list[Config], named: bool) -> Iterable[Finding]:
    if wanted:
        yield failed(
            4,
            who,
            f"its labels select it for {wanted[0]}, those of its CiliumNode don't: the agent on it hasn't copied them",
            "see whether the agent runs, and whether exclude-node-label-patterns leaves the label out",
        )
    elif node["held"]:
        yield note(4, who, f"not selected: it is out of service, held by {node['held']}")
    elif named:
        yield failed(4, who, "no ClusterConfig selects it", "label it as the nodeSelector asks for")
    else:
        yield note(4, who, "not selected, so it announces nothing")
    if node["node_config"]:
        yield defect(
            4, who, "nothing selects it, and it still has a CiliumBGPNodeConfig", "see whether cilium-operator runs"
        )


# Peers


def peers(cluster: Facts, linked: list[Link], routers: dict[str, Facts]) -> list[Finding]:
    """Stage 5: whether both sides of each session name each other, and agree on what a session needs."""
    found = [finding for link in linked for finding in (*_config_of(link, cluster, linked), *_meeting(link, routers))]
    found += _uneven_ports(linked)
    clean = {link.title for link in linked if link.neighbor} - {
        each.subject for each in found if each.level in ("fail", "unknown")
    }
    return found + [passed(5, title, "both sides name each other") for title in sorted(clean)]


def _config_of(link: Link, cluster: Facts, linked: list[Link]) -> Iterable[Finding]:
    """What is wrong with the PeerConfig of a session, and with its Secret."""
    name = link.peer["peer_config"]
    who = link.peer_config["title"] if link.peer_config else f"CiliumBGPPeerConfig {name}"
    if not name:
        return
    if cluster["unread"].get("peer_configs"):
        yield unknown(5, who, f"it can't be read: {cluster['unread']['peer_configs']}")
        return
    if link.peer_config is None:
        yield failed(
            5, who, f"peer {link.peer['name']} refers to it, and there is none", "make it, or correct the name"
        )
        return
    up = [each.established for each in linked if each.peer["peer_config"] == name]
    proven = bool(up) and all(each is True for each in up)
    for condition in link.peer_config["conditions"]:
        if condition["status"] != "True":
            continue
        said = f"it says {condition['type']}: {condition['message'] or condition['reason']}"
        if condition["type"] == MISSING_SECRET and proven:
            yield note(5, who, f"{said}; but its sessions are up, so the secret is there")
        else:
            yield failed(5, who, said, "correct what its condition names (kubectl describe)")
    if link.peer_config["secret"]:
        yield from _secret(who, link.peer_config["secret"], cluster, proven)


def _secret(who: str, name: str, cluster: Facts, proven: bool) -> Iterable[Finding]:
    """Whether the Secret of a PeerConfig is where Cilium looks for it, with the key that it reads."""
    secret = next((each for each in cluster["secrets"] if each["name"] == name), None)
    if secret is None or secret["exists"] is None:
        if not proven:
            reason = secret["reason"] if secret else "it wasn't looked for"
            yield unknown(5, who, f"whether its Secret {name} is there isn't known: {reason}", "see docs/doctor.md")
        return
    where = f"Secret {secret['namespace']}/{name}"
    if not secret["exists"]:
        elsewhere = secret["elsewhere"]
        found = f"; there is one in {' and '.join(elsewhere)}, where Cilium doesn't look" if elsewhere else ""
        yield failed(
            5,
            who,
            f"authSecretRef names {where}, which doesn't exist{found}",
            f"make it in namespace {secret['namespace']} (Helm: bgpControlPlane.secretsNamespace.name), key password",
        )
    elif secret["keys"] is not None and "password" not in secret["keys"]:
        yield failed(
            5,
            who,
            f"{where} has no key password (it has: {', '.join(secret['keys']) or 'none'})",
            "put the password under the key password",
        )
    elif secret["keys"] is None and not proven:
        yield unknown(5, who, f"the names of the keys of {where} aren't known: {secret['reason']}")


def _meeting(link: Link, routers: dict[str, Facts]) -> Iterable[Finding]:
    """Whether the router that a peer's address belongs to knows the node, with the same numbers."""
    address = link.address
    who = f"peer {link.peer['name']}"
    if address is None:
        yield unknown(5, who, "Cilium is to discover its address, and hasn't said which one it found")
        return
    if link.router is None:
        yield _no_router(who, address, link, routers)
        return
    config = (routers[link.router]["policy"] or {}).get("configuration")
    if config is None:
        yield unknown(5, link.title, f"the configuration of router {link.router} isn't known")
        return
    if link.neighbor is None or link.instance is None:
        if link.established:
            yield passed(5, link.title, "the session is up, though no neighbour of that address is configured")
            return
        own = ", ".join(link.node["addresses"])
        yield failed(
            5,
            link.title,
            f"router {link.router} has no neighbour with an address of node {link.node['name']} ({own})",
            f"add 'neighbor ADDRESS remote-as {link.peer['local_asn']}' for it, or a 'bgp listen range'",
        )
        return
    for wrong, remedy in _disagreements(link, link.instance, link.neighbor, routers[link.router]["policy"]):
        # An established session proves that the two agree on all that it needs.
        yield defect(5, link.title, wrong, remedy) if link.established else failed(5, link.title, wrong, remedy)
    port = link.neighbor["port"]
    if port and not link.peer["local_port"]:
        yield defect(
            5,
            link.title,
            f"router {link.router} connects to port {port} of the node, and Cilium doesn't listen: the port is given "
            f"on one side only",
            f"{_listen(link, port)}, or take 'neighbor ... port {port}' out",
        )


def _listen(link: Link, port: int) -> str:
    """How Cilium is told to listen on a port."""
    if link.config_kind == LEGACY:
        asn = link.peer["local_asn"]
        return f"annotate node {link.node['name']} with cilium.io/bgp-virtual-router.{asn}: local-port={port}"
    return f"set localPort: {port} in the ClusterConfig's instance"


def _no_router(who: str, address: str, link: Link, routers: dict[str, Facts]) -> Finding:
    """A peer whose address is no known router's."""
    networks = [
        f"{name}: {', '.join(each['network'] for each in router['policy']['addresses'])}"
        for name, router in routers.items()
        if router["policy"]
    ]
    away = unasked(routers)
    if away:
        return unknown(
            5, who, f"{address} is no address of a router that could be asked; {', '.join(away)} could not be asked"
        )
    if link.established:
        return unknown(
            5,
            who,
            f"its session is up, and {address} is no address of a router of the inventory: what it does can't be seen",
            "add that router to the inventory's group routers",
        )
    return failed(
        5,
        who,
        f"peerAddress {address} is no address of any router of the inventory "
        f"({'; '.join(networks) or 'which has no routers'})",
        f"correct peerAddress in the {link.config_kind}, or add the router that has it to the inventory's routers",
    )


def _disagreements(link: Link, instance: Facts, neighbor: Facts, policy: Facts) -> Iterable[tuple[str, str]]:
    """(what both sides see differently, what to do)."""
    router, peer = link.router, link.peer
    remote, own = neighbor["remote_as"], neighbor["local_as"] or instance["asn"]
    if neighbor["shutdown"]:
        yield (
            f"router {router} has the neighbour shut down",
            f"'no neighbor {neighbor['name']} shutdown' when its maintenance is over",
        )
    if as_number(own) != peer["asn"]:
        yield (
            f"peerASN is {peer['asn']}, and router {router} is AS {own}",
            f"correct peerASN in the {link.config_kind}, or the router's AS",
        )
    external = peer["local_asn"] != as_number(own)
    expected = {"external": external, "internal": not external, "auto": True}
    if not expected.get(remote, as_number(remote) == peer["local_asn"]):
        yield (
            f"the node is AS {peer['local_asn']} (localASN), and router {router} expects {remote} (remote-as)",
            f"correct localASN in the {link.config_kind}, or remote-as on the router",
        )
    config = link.peer_config
    if config and bool(config["secret"]) != neighbor["password"]:
        one, other = ("Cilium", f"router {router}") if config["secret"] else (f"router {router}", "Cilium")
        yield (
            f"{one} has a password for the session and {other} has none",
            f"give both the same: authSecretRef in the {link.peer_config_kind}, 'neighbor ... password' on the router",
        )
    yield from _ports(link, neighbor, policy)


def _ports(link: Link, neighbor: Facts, policy: Facts) -> Iterable[tuple[str, str]]:
    """Whether at least one side connects to a port on which the other one listens."""
    listens = policy.get("listen_port")
    wanted = (link.peer_config or {}).get("peer_port") or BGP_PORT
    if link.peer_config is None or listens is None or wanted == listens:
        return
    local = link.peer["local_port"]
    if local and not neighbor["passive"] and (neighbor["port"] or BGP_PORT) == local:
        return
    given = "peerPort" if wanted != BGP_PORT else "bgpd's port"
    yield (
        f"Cilium connects to port {wanted} (peerPort), and bgpd on router {link.router} listens on {listens}: "
        f"{given} is given on one side only",
        f"set peerPort in the {link.peer_config_kind} and bgpd's -p (bgpd_options of /etc/frr/daemons) to the same",
    )


def _uneven_ports(linked: list[Link]) -> list[Finding]:
    """A port that some routers have for a node, and others don't."""
    found = []
    for name in dict.fromkeys(link.node["name"] for link in linked):
        ports: dict[str, int | None] = {}
        for link in linked:
            if link.node["name"] == name and link.router and link.neighbor:
                ports[link.router] = link.neighbor["port"] or ports.get(link.router)
        if len(set(ports.values())) > 1:
            said = ", ".join(f"{router} {port or 'none'}" for router, port in ports.items())
            found.append(
                defect(
                    5,
                    f"node {name}",
                    f"the routers have different ports for it ('neighbor ... port'): {said}",
                    "give all routers the same port for it, or none",
                )
            )
    return found


# Sessions


def sessions(linked: list[Link], agents: dict[str, Facts]) -> list[Finding]:
    """Stage 6: whether each session is up on both sides, and the speaker has begun to speak."""
    return [_session(link, agents.get(link.node["name"]) or {}) for link in linked]


def _session(link: Link, agent: Facts) -> Finding:
    session, live = link.session or {}, link.live or {}
    words = []
    if session.get("state"):
        words.append(f"Cilium says {session['state']}")
    if live:
        words.append(f"router {link.router} says {live['state']}")
    said = ", ".join(words)
    if link.established is None:
        reason = agent.get("reason") or "neither Cilium nor the router says anything of it"
        return unknown(6, link.title, f"its state isn't known: {reason}", "see stage 5 and the logs")
    if not link.established:
        return failed(
            6,
            link.title,
            f"the session isn't up ({said})",
            "see stage 5; then the way between them (a firewall, ebgpMultihop over several hops), and the logs",
        )
    silent = silence(link, agent)
    if silent:
        return failed(
            6,
            link.title,
            silent,
            "wait, at most 6 minutes; it ends sooner when all peers of the node are up, so mend or remove those that "
            "aren't",
        )
    return passed(6, link.title, said)


def silence(link: Link, agent: Facts) -> str | None:
    """That a speaker is up and mute after a graceful restart, None if it isn't."""
    session = link.session or {}
    restart = (session.get("graceful_restart") or {}).get("enabled")
    if restart is None:
        restart = (link.peer_config or {}).get("graceful_restart")
    counts: list[Any] = [count["advertised"] for count in session.get("routes") or []]
    # An End-of-RIB counts as advertised: a speaker that has nothing to say, but speaks, has at least that.
    if not restart or not counts or any(count != 0 for count in counts):
        return None
    accepted = (link.live or {}).get("accepted") or {}
    if any(accepted.values()) or not ((agent.get("routes") or {}).get("available")):
        return None
    if session.get("uptime") is not None and session["uptime"] > DEFERRAL:
        return None
    since = f" since {session['uptime']} s" if session.get("uptime") is not None else ""
    return (
        f"the session is up{since}, and nothing has been announced over it: after a graceful restart the speaker "
        f"waits until all its peers have sent their routes, or for {DEFERRAL} s"
    )
