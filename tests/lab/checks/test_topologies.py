# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every topology comes up as its description says, and its VIPs answer over each router alone."""

from __future__ import annotations

import ipaddress
import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from lab import cluster, frr, lifecycle, network, probing, speaker, wiring
from lab import settings as s
from lab.settings import LabError, LabSettings
from lab.state import Lab
from lab.topologies import TOPOLOGIES

Eventually = Callable[..., None]


def settings_of(topology: str) -> LabSettings:
    return LabSettings("ckt", "plain", topology=topology)


# -- descriptions


@pytest.mark.parametrize("topology", TOPOLOGIES)
def test_names_of_links_are_ones_that_linux_takes_and_no_address_is_used_twice(topology: str) -> None:
    settings = settings_of(topology)
    links = {role: [*wiring.links(settings, role), *wiring.login_links(settings, role)] for role in s.ROLES}
    ports = [network.port(role, link.bridge) for role, found in links.items() for link in found]
    assert all(len(name) <= 15 for name in ports)
    assert len(set(ports)) == len(ports)
    addresses = [address for found in links.values() for link in found for address in link.addresses]
    assert len(set(addresses)) == len(addresses)


@pytest.mark.parametrize("topology", TOPOLOGIES)
def test_all_nodes_have_the_same_peers_as_they_share_a_cluster_config(topology: str) -> None:
    settings = settings_of(topology)
    shared = [[(one.name, one.peer, one.interface) for one in wiring.sessions(settings, node)] for node in s.NODES]
    assert shared == [shared[0]] * len(s.NODES)
    assert {one["peerConfigRef"]["name"] for one in cluster.peers(settings)} == set(cluster.peer_configs(settings))


def test_what_a_second_link_is_told_by_is_in_the_override_and_not_in_the_node() -> None:
    settings = settings_of("second-nic")
    override = cluster.overrides(settings)["ckt-worker-1"]
    assert override == {
        "name": "default",
        "peers": [
            {"name": "tor-2-ipv4", "localAddress": "10.62.2.11"},
            {"name": "tor-2-ipv6", "localAddress": "fd62:0:2::11"},
        ],
    }
    named = {a["address"] for a in cluster.nodes(Lab(settings), tainted=False)[0]["status"]["addresses"]}
    assert named == {"10.62.0.11", "fd62::11", "ckt-worker-1"}


def test_router_ids_of_unnumbered_nodes_are_nobodys_address() -> None:
    settings = settings_of("unnumbered")
    used = {a.split("/")[0] for role in s.ROLES for link in wiring.links(settings, role) for a in link.addresses}
    ids = [override["routerID"] for override in cluster.overrides(settings).values()]
    assert len(set(ids)) == len(s.NODES)
    assert not used & set(ids)
    assert all("peerAddress" not in peer for peer in cluster.peers(settings))


def test_unnumbered_without_a_next_hop_is_refused() -> None:
    with pytest.raises(LabError, match="topology unnumbered has no scenario hard-reset: one of off, stale"):
        LabSettings("ckt", scenario="hard-reset", topology="unnumbered")
    with pytest.raises(LabError, match="topology 'ring': one of ibgp, ebgp, "):
        LabSettings("ckt", topology="ring")


def test_routers_that_listen_have_no_neighbour_with_an_address() -> None:
    lines = [line.split() for line in frr.configuration(settings_of("listen"), "tor-1").splitlines()]
    names = {line[1] for line in lines if line[:1] == ["neighbor"]}
    assert names == {"nodes-ipv4", "nodes-ipv6"}
    assert sum(line[:3] == ["bgp", "listen", "range"] for line in lines) == 2


# -- labs


@pytest.fixture(scope="module", params=TOPOLOGIES)
def lab(request: pytest.FixtureRequest) -> Iterator[Lab]:
    settings = settings_of(request.param)
    lifecycle.down(settings.name)
    try:
        yield lifecycle.up(settings)
    finally:
        lifecycle.down(settings.name)
        assert lifecycle.leftovers(settings.name) == []


def probed(lab: Lab, out: Path) -> dict[str, Any]:
    """What the prober counts in 3 s."""
    argv = lab.client.in_netns([*probing.arguments(lab), "--duration", "3", "--out", str(out)])
    subprocess.run(argv, check=True, stdout=subprocess.DEVNULL, cwd=Path(__file__).parents[2])
    found: dict[str, Any] = json.loads(out.read_text())
    return found


def send_over(lab: Lab, routers: list[str]) -> None:
    """Has the client send to these routers only."""
    for v, to in enumerate(("0.0.0.0/0", "::/0")):
        hops = [part for router in routers for part in ("nexthop", "via", wiring.access(router)[v], "dev", "access")]
        network.ip(["-n", lab.client.netns, "route", "replace", to, *hops])


@pytest.mark.long
def test_all_sessions_are_established(lab: Lab, eventually: Eventually) -> None:
    for name, node in lab.nodes.items():
        wanted = {peer.address for peer in speaker.default_config(lab.settings, node.role).peers}

        def established(node: Any = node) -> set[str]:
            return {one["address"] for one in speaker.neighbors(node) if one["state"] == "established"}

        eventually(lambda wanted=wanted, established=established: established() == wanted, f"sessions of {name}")
    assert lifecycle.missing_routes(lab) == []


@pytest.mark.long
def test_vips_answer_over_both_routers_and_over_each_alone(lab: Lab, tmp_path: Path) -> None:
    try:
        for routers in (list(s.ROUTERS), *([router] for router in s.ROUTERS)):
            send_over(lab, routers)
            found = probed(lab, tmp_path / "probe.json")
            assert found["udp_sent"] >= 1000
            assert (found["udp_lost"], found["tcp_failed"]) == (0, 0), routers
    finally:
        send_over(lab, list(s.ROUTERS))


@pytest.mark.long
def test_a_node_that_is_cut_is_missed_and_comes_back(lab: Lab, eventually: Eventually) -> None:
    name, node = next(iter(lab.nodes.items()))
    assert lifecycle.routers_sending_to(lab, name), "at rest some router sends to it"
    node.cut()
    eventually(lambda: not lifecycle.routers_sending_to(lab, name), "no router sends to it")
    node.start()
    eventually(lambda: lifecycle.missing_routes(lab) == [], "all routes are back")


@pytest.mark.long
def test_the_inventory_reaches_every_router_and_its_frr(lab: Lab) -> None:
    content = yaml.safe_load((lab.dir / "inventory.yml").read_text())["routers"]
    for name, own in content["hosts"].items():
        variables = content["vars"] | own
        command = (
            f"{variables.get('router_exec', '')} {variables.get('router_vtysh', 'vtysh')} -c 'show bgp summary json'"
        )
        argv = ["ssh", *variables["ansible_ssh_common_args"].split(), f"{variables['ansible_user']}@{name}", command]
        done = subprocess.run(argv, capture_output=True, text=True, check=True, timeout=120)
        assert json.loads(done.stdout)["ipv4Unicast"]["as"] == wiring.asn(lab.settings, lab.routers[name].role)


@pytest.mark.long
def test_routes_between_the_routers_are_as_described(lab: Lab, eventually: Eventually) -> None:
    """What makes the topologies different is seen in FRR: who is beside the nodes as next hop, and how it resolves."""
    vip = s.VIPS4[0]
    for router in lab.routers.values():
        eventually(lambda router=router: paths(lab, router, vip) is not None, f"{router.name} has the VIP")
        hops = {hop for path in paths(lab, router, vip) or [] for hop in path}
        own = {hop for node in s.NODES for hop in from_nodes(lab, router.role, node)}
        assert own <= hops
        other = s.ROUTERS[1 - s.ROUTERS.index(router.role)]
        assert (wiring.access(other)[0] in hops) == (lab.settings.topology == "ebgp")


def from_nodes(lab: Lab, router: str, node: str) -> set[str]:
    """Next hops of a node's IPv4 paths on a router."""
    if wiring.unnumbered(lab.settings):
        return {wiring.link_local(router, node, node_side=True)}
    return {wiring.node_peer(lab.settings, router, node)[0]}


def paths(lab: Lab, router: Any, prefix: str) -> list[set[str]] | None:
    """The next hops of each path; None = FRR has no such prefix."""
    space = wiring.space(lab.settings, router.role)
    vtysh = ["ip", "netns", "exec", space, "vtysh", "-N", space] if space else ["vtysh"]
    found = json.loads(router.run([*vtysh, "-c", f"show bgp ipv4 unicast {prefix} json"], timeout=60).stdout or "{}")
    if "paths" not in found:
        return None
    return [{str(ipaddress.ip_address(hop["ip"])) for hop in path["nexthops"]} for path in found["paths"]]
