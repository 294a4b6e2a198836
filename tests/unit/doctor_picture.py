# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A healthy cluster and two routers, as they answer, to be broken by tests of the doctor one thing at a time.

The routers' answers are the recorded ones of frr_samples.py, the API's objects have the form of Cilium 1.18.
"""

from __future__ import annotations

import copy
from typing import Any

from ansible_collections.hitless.nodes.plugins.module_utils.cilium import legacy_policy, objects
from ansible_collections.hitless.nodes.plugins.module_utils.doctor import cluster_facts, diagnosis
from ansible_collections.hitless.nodes.plugins.module_utils.frr import bgp_json, neighbor_json, rib_json, running_config
from ansible_collections.hitless.nodes.tests.unit import frr_samples as samples

NODES = {"n1": "192.168.99.12", "n2": "192.168.99.13", "n3": "192.168.99.14"}
ROUTERS = {"r1": "192.168.99.10", "r2": "192.168.99.11"}
VIP = "192.168.77.128"
PREFIX = f"{VIP}/32"
BLUE = {"bgp": "blue"}
# The question that has the configuration checked.
WHOLE: dict[str, Any] = {"service": None, "vip": None}


def meta(name: str, labels: dict[str, str] | None = None, **more: Any) -> dict[str, Any]:
    """Metadata of an object."""
    return {"name": name, "labels": dict(labels or {}), **more}


class Picture:
    """What there is on both sides; tests change its parts and ask for the diagnosis."""

    def __init__(self, version: str = "8.4.4") -> None:
        self.version = version
        self.asked: dict[str, Any] = {"service": "shop/web", "vip": None}
        self.targets: list[str] = []
        self.unread: dict[str, str] = {}
        self.service: dict[str, Any] = {
            "metadata": meta("web", BLUE, namespace="shop"),
            "spec": {
                "type": "LoadBalancer",
                "clusterIP": "10.96.0.7",
                "clusterIPs": ["10.96.0.7"],
                "ipFamilies": ["IPv4"],
                "externalTrafficPolicy": "Cluster",
                "selector": {"app": "web"},
                "ports": [{"port": 80, "protocol": "TCP"}],
            },
            "status": {"loadBalancer": {"ingress": [{"ip": VIP, "ipMode": "VIP"}]}},
        }
        self.services = [self.service]
        self.slices = [
            {
                "metadata": meta("web-x", {"kubernetes.io/service-name": "web"}, namespace="shop"),
                "endpoints": [
                    {"addresses": ["10.244.1.7"], "nodeName": "n1", "conditions": {"ready": True}},
                    {"addresses": ["10.244.2.7"], "nodeName": "n2", "conditions": {"ready": True}},
                ],
            }
        ]
        self.pool: dict[str, Any] = {
            "metadata": meta("blue"),
            "spec": {"blocks": [{"cidr": "192.168.77.0/24"}], "serviceSelector": {"matchLabels": BLUE}},
            "status": {"conditions": [self.condition("cilium.io/PoolConflict", "False", "")]},
        }
        self.pools = [self.pool]
        self.entry: dict[str, Any] = {
            "advertisementType": "Service",
            "service": {"addresses": ["LoadBalancerIP"]},
            "selector": {"matchLabels": BLUE},
        }
        self.advertisement = {
            "metadata": meta("services", {"advertise": "bgp"}),
            "spec": {"advertisements": [self.entry]},
        }
        self.advertisements = [self.advertisement]
        self.family: dict[str, Any] = {
            "afi": "ipv4",
            "safi": "unicast",
            "advertisements": {"matchLabels": {"advertise": "bgp"}},
        }
        self.peer_config: dict[str, Any] = {"metadata": meta("tor"), "spec": {"families": [self.family]}}
        self.more_peer_configs: list[dict[str, Any]] = []
        self.instance: dict[str, Any] = {
            "name": "main",
            "localASN": 65432,
            "peers": [
                {"name": name, "peerASN": 62112, "peerAddress": address, "peerConfigRef": {"name": "tor"}}
                for name, address in ROUTERS.items()
            ],
        }
        self.config: dict[str, Any] = {
            "metadata": meta("rack-1"),
            "spec": {"nodeSelector": {"matchLabels": {"enable-bgp": "true"}}, "bgpInstances": [self.instance]},
        }
        # Legacy ones, which may be there instead.
        self.policies: list[dict[str, Any]] = []
        self.nodes = [self.node(name, address) for name, address in NODES.items()]
        self.cilium_nodes = {each["metadata"]["name"]: copy.deepcopy(each) for each in self.nodes}
        self.selected = list(NODES)
        self.conditions: dict[str, list[dict[str, Any]]] = {}
        self.secrets: list[dict[str, Any]] = []
        self.named = True
        self.state = "established"
        self.up = True
        self.agent: dict[str, Any] = {"enabled": False, "advertised": 2, "uptime": 5000, "known": True}
        self.available = [PREFIX]
        self.advertised = [PREFIX]
        self.running = samples.text(version, "established.running-config")
        self.sample = "established.vip"
        self.rib_sample = "established.ip-route-vip"
        self.fib = True
        self.via: list[str] = []
        self.uninstalled: list[dict[str, Any]] = []
        self.addresses = {name: [(address, "192.168.99.0/24")] for name, address in ROUTERS.items()}
        self.host: dict[str, Any] = {
            "listen_port": 179,
            "v6_rr_semantics": True,
            "unit": {"after": ["network-pre.target"], "before": ["multi-user.target"]},
        }
        self.away: dict[str, str] = {}
        self.answers: list[dict[str, Any]] = []

    @staticmethod
    def condition(kind: str, status: str, message: str) -> dict[str, Any]:
        """A condition of an object."""
        return {"type": kind, "status": status, "reason": "because", "message": message}

    @staticmethod
    def node(name: str, address: str) -> dict[str, Any]:
        """A Node."""
        return {
            "metadata": meta(name, {"enable-bgp": "true"}),
            "status": {"addresses": [{"type": "InternalIP", "address": address}]},
        }

    @property
    def cluster(self) -> dict[str, Any]:
        """As vip_info returns it."""
        services = []
        for item in self.services:
            reduced = cluster_facts.service(item, self.asked["vip"])
            reduced["endpoints"] = cluster_facts.endpoints(self.slices)
            services.append(reduced)
        selectors = [objects._config(legacy_policy.KIND, each) for each in self.policies]
        if self.config:
            selectors.append(objects._config("CiliumBGPClusterConfig", self.config))
        legacy = {
            "advertisements": [one for each in self.policies for one in legacy_policy.advertisements(each)],
            "peer_configs": [one for each in self.policies for one in legacy_policy.peer_configs(each)],
        }
        return {
            "asked": self.asked,
            "services": services,
            "pools": [cluster_facts.pool(each) for each in self.pools],
            "advertisements": [
                *(cluster_facts.advertisement(each) for each in self.advertisements),
                *legacy["advertisements"],
            ],
            "configs": [
                {
                    "kind": selector.kind,
                    "name": selector.name,
                    "selector": selector.selector,
                    "conditions": list(selector.conditions),
                }
                for selector in selectors
            ],
            "peer_configs": [
                *(cluster_facts.peer_config(each) for each in (self.peer_config, *self.more_peer_configs)),
                *legacy["peer_configs"],
            ],
            "nodes": [self._node(item) for item in self.nodes],
            "secrets": self.secrets,
            "unread": self.unread,
        }

    def _node(self, item: dict[str, Any]) -> dict[str, Any]:
        name = item["metadata"]["name"]
        config = {
            "metadata": meta(name),
            "spec": {"bgpInstances": [self.instance]},
            "status": {"conditions": self.conditions.get(name, [])},
        }
        policies = [] if "policies" in self.unread else self.policies
        return cluster_facts.node(
            item, self.cilium_nodes.get(name), config if name in self.selected else None, policies
        )

    def legacy(self) -> dict[str, Any]:
        """The same by a policy and without the newer objects; returns its virtual router."""
        neighbors = [{"peerAddress": f"{address}/32", "peerASN": 62112} for address in ROUTERS.values()]
        router = {"localASN": 65432, "neighbors": neighbors, "serviceSelector": {"matchLabels": BLUE}}
        spec = {"nodeSelector": {"matchLabels": {"enable-bgp": "true"}}, "virtualRouters": [router]}
        self.policies = [{"metadata": meta("old"), "spec": spec}]
        self.config, self.advertisements, self.selected = {}, [], []
        # An agent doesn't know names of peers then.
        self.named = False
        return router

    @property
    def agents(self) -> dict[str, Any]:
        """As cilium_bgp_info returns them, by name."""
        return {name: self._agent(name) for name in NODES}

    def _agent(self, name: str) -> dict[str, Any]:
        sessions = [
            {
                "instance": "main" if self.named else None,
                "peer": peer["name"] if self.named else None,
                "address": peer.get("peerAddress"),
                "state": self.state,
                "established": None if self.state == "unknown" else self.state == "established",
                "uptime": self.agent["uptime"],
                "graceful_restart": {"enabled": self.agent["enabled"], "restart_time": 120},
                "routes": [{"afi": "ipv4", "safi": "unicast", "advertised": self.agent["advertised"], "received": 0}],
            }
            for peer in self.instance["peers"]
        ]
        routes = {
            "available": [{"prefix": prefix, "peer": None} for prefix in self.available],
            "advertised": [
                {"prefix": prefix, "peer": peer.get("peerAddress")}
                for prefix in self.advertised
                for peer in self.instance["peers"]
            ],
        }
        known = self.agent["known"]
        reason = None if known else f"its agent can't be asked: no right ({name})"
        return {"name": name, "sessions": sessions, "routes": routes if known else None, "reason": reason}

    @property
    def routers(self) -> dict[str, Any]:
        """As frr_bgp_info and frr_policy_info return them, by name."""
        return {name: self._router(name) for name in ROUTERS}

    def _router(self, name: str) -> dict[str, Any]:
        if name in self.away:
            unread = dict.fromkeys(("neighbors", "fib", "policy"))
            return {**unread, "uninstalled": [], "problem": self.away[name]}
        document = samples.document(self.version, self.sample)
        paths = bgp_json.paths(document, document["prefix"] if document else PREFIX)
        session = neighbor_json.neighbor(samples.document(self.version, "established.neighbor"), NODES["n1"])
        assert session
        state = "Established" if self.up else "Active"
        rib = samples.document(self.version, self.rib_sample) if self.rib_sample else {}
        prefix = next(iter(rib), PREFIX)
        return {
            "neighbors": [
                {**session, "vrf": "default", "address": address, "state": state, "established": self.up}
                for address in NODES.values()
            ],
            "fib": [{"vrf": "default", "prefix": PREFIX, "next_hop": NODES["n1"], "via": self.via}] if self.fib else [],
            "uninstalled": self.uninstalled,
            "policy": {
                "addresses": [{"address": a, "network": n, "interface": "eth0"} for a, n in self.addresses[name]],
                "configuration": running_config.configuration(self.running),
                "paths": [{**each, "vrf": "default", "prefix": PREFIX} for each in paths],
                "rib": [{**each, "prefix": PREFIX} for each in rib_json.rib(rib, prefix)],
                **self.host,
            },
            "problem": "",
        }

    def diagnose(self) -> dict[str, Any]:
        """The diagnosis."""
        return diagnosis.examine(
            {
                "cluster": self.cluster,
                "agents": self.agents,
                "routers": self.routers,
                "answers": self.answers,
                "targets": self.targets,
                "problem": "",
            }
        )

    def found(self, stage: int, level: str) -> list[str]:
        """Subject and reason of what is found of a stage at a level."""
        listed = self.diagnose()["stages"][stage - 1]["findings"]
        return [f"{each['subject']}: {each['reason']}" for each in listed if each["level"] == level]

    def statuses(self) -> list[str]:
        """The status of each stage."""
        return [stage["status"] for stage in self.diagnose()["stages"]]


def fails(picture: Picture, stage: int, *words: str) -> dict[str, Any]:
    """The diagnosis, which is that the chain breaks at this stage, with these words in reason or remedy."""
    found = picture.diagnose()
    said = f"{found['reason']} | {found['remedy']}"
    assert (found["verdict"], found["stage"]) == ("fail", stage), said
    for word in words:
        assert word in said
    assert found["remedy"]
    return found


def is_unknown(picture: Picture, stage: int, *words: str) -> dict[str, Any]:
    """The diagnosis, which is that nothing fails and this stage is the first one that isn't known."""
    found = picture.diagnose()
    assert (found["verdict"], found["stage"]) == ("unknown", stage), found["reason"]
    for word in words:
        assert word in found["reason"]
    return found


def with_paths(picture: Picture, **changes: Any) -> Picture:
    """The picture with these changes of every path that the routers have."""
    before = picture.routers

    def changed(name):
        policy = before[name]["policy"]
        return {**before[name], "policy": {**policy, "paths": [{**path, **changes} for path in policy["paths"]]}}

    picture._router = changed
    return picture


def registered(picture: Picture, **more: Any) -> dict[str, Any]:
    """What the role doctor registers of this picture."""
    routers = picture.routers
    found = {
        "cluster": {**picture.cluster, "logs": [], "logs_missing": []},
        "cilium": {"nodes": list(picture.agents.values())},
        "routes": {"answers": dict(routers)},
        "policies": {"answers": {name: router["policy"] for name, router in routers.items()}},
        "answers": {"skipped": True, "results": [{"__router": "r1", "skipped": True}]},
        "asked": {"service": "shop/web", "vip": ""},
        "targets": [],
    }
    return {**found, **more}
