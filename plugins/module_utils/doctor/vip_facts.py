# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to hitless.nodes: it may change in any release, don't import it from elsewhere.

"""What the cluster has of the chain from a Service to the announcement of its addresses, read once.

Every kind that can't be read is named with the reason: the others are read all the same.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterable
from typing import Any

from ..base.errors import HitlessError
from ..cilium import legacy_policy, objects
from ..kube import node_objects
from ..kube.api_errors import TRANSIENT, Forbidden, NotFound
from ..kube.client import Client, segment
from ..record import records
from . import cilium_logs
from .advertisement import prefixes
from .service import vips

Facts = dict[str, Any]
# What doesn't stop the rest: a missing right, and an API that is away for a moment.
UNREAD = (Forbidden, *TRANSIENT)
# The metadata only: the value of a Secret isn't even sent.
METADATA = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
SLICES = "discovery.k8s.io/v1"
CONFIG_MAP = "cilium-config"
SECRETS_SETTING = "bgp-secrets-namespace"
# Namespaces in which a Secret is by mistake: Cilium's for TLS, the one of its earlier releases, the usual one.
MISTAKEN = ("cilium-secrets", "cilium-bgp-secrets", "kube-system")


class VipError(HitlessError):
    """What is asked for can't be looked for."""


def asked(service: str | None, vip: str | None) -> Facts:
    """The question in its one spelling; raises VipError where it is none."""
    if service and vip:
        raise VipError("give service or vip, not both: a Service is looked for by its name or by one of its addresses")
    if service and (service.count("/") != 1 or not all(service.split("/"))):
        raise VipError(f"service is {service!r}: give it as namespace/name, such as shop/web")
    if vip:
        try:
            vip = str(ipaddress.ip_address(vip))
        except ValueError as exc:
            raise VipError(f"vip is {vip!r}, which isn't an IP address: give one such as 198.51.100.10") from exc
    return {"service": service or None, "vip": vip or None}


# Reduced to what the rules look at


def service(item: Facts, only: str | None) -> Facts:
    """A Service."""
    spec, status = item.get("spec") or {}, item.get("status") or {}
    ingress = (status.get("loadBalancer") or {}).get("ingress") or []
    addresses = [("LoadBalancerIP", each.get("ip")) for each in ingress]
    addresses += [("ExternalIP", each) for each in spec.get("externalIPs") or []]
    cluster = spec.get("clusterIPs") or ([spec["clusterIP"]] if spec.get("clusterIP") else [])
    addresses += [("ClusterIP", each) for each in cluster if each != "None"]
    return {
        "namespace": item["metadata"]["namespace"],
        "name": item["metadata"]["name"],
        "labels": item["metadata"].get("labels") or {},
        "type": spec.get("type", "ClusterIP"),
        "class": spec.get("loadBalancerClass"),
        "policy": spec.get("externalTrafficPolicy", "Cluster"),
        "families": spec.get("ipFamilies") or [],
        "selects": bool(spec.get("selector")),
        "ports": [{"port": each["port"], "protocol": each.get("protocol", "TCP")} for each in spec.get("ports") or []],
        "addresses": [{"kind": kind, "address": str(ipaddress.ip_address(each))} for kind, each in addresses if each],
        "only": only,
        "conditions": objects.conditions(item),
        "endpoints": None,
        "endpoints_reason": "",
    }


def endpoints(slices: list[Facts]) -> Facts:
    """The endpoints in the EndpointSlices of one Service: the ready ones with their node, and how many aren't."""
    every = {
        (address, each.get("nodeName"), (each.get("conditions") or {}).get("ready") is not False)
        for found in slices
        for each in found.get("endpoints") or []
        for address in each.get("addresses") or []
    }
    ready = sorted((address, node or "") for address, node, is_ready in every if is_ready)
    return {
        "ready": [{"address": address, "node": node or None} for address, node in ready],
        "unready": sum(not is_ready for _address, _node_name, is_ready in every),
    }


def pool(item: Facts) -> Facts:
    """A CiliumLoadBalancerIPPool."""
    spec = item.get("spec") or {}
    return {
        "name": item["metadata"]["name"],
        "disabled": bool(spec.get("disabled")),
        "selector": spec.get("serviceSelector"),
        # "cidrs" is what releases before 1.15 call them.
        "blocks": spec.get("blocks") or spec.get("cidrs") or [],
        "conditions": objects.conditions(item),
    }


def advertisement(item: Facts) -> Facts:
    """A CiliumBGPAdvertisement."""
    return {
        "name": item["metadata"]["name"],
        "title": f"Advertisement {item['metadata']['name']}",
        "legacy": False,
        "labels": item["metadata"].get("labels") or {},
        "advertisements": [
            {
                "type": each.get("advertisementType"),
                "addresses": (each.get("service") or {}).get("addresses") or [],
                "selector": each.get("selector"),
                "aggregation": {
                    "ipv4": (each.get("service") or {}).get("aggregationLengthIPv4"),
                    "ipv6": (each.get("service") or {}).get("aggregationLengthIPv6"),
                },
            }
            for each in (item.get("spec") or {}).get("advertisements") or []
        ],
    }


def peer_config(item: Facts) -> Facts:
    """A CiliumBGPPeerConfig."""
    spec = item.get("spec") or {}
    return {
        "name": item["metadata"]["name"],
        "title": f"CiliumBGPPeerConfig {item['metadata']['name']}",
        "legacy": False,
        "families": [
            {"afi": each.get("afi"), "safi": each.get("safi"), "selector": each.get("advertisements")}
            for each in spec.get("families") or []
        ],
        "peer_port": (spec.get("transport") or {}).get("peerPort"),
        "secret": spec.get("authSecretRef"),
        "graceful_restart": bool((spec.get("gracefulRestart") or {}).get("enabled")),
        "conditions": objects.conditions(item),
    }


def node_config(item: Facts | None) -> Facts | None:
    """A CiliumBGPNodeConfig, with the peers that it asks for."""
    if item is None:
        return None
    instances = {each.get("name"): each for each in (item.get("spec") or {}).get("bgpInstances") or []}
    return {
        "conditions": objects.conditions(item),
        "peers": [
            {
                **peer,
                "local_asn": instances[peer["instance"]].get("localASN"),
                "local_port": instances[peer["instance"]].get("localPort"),
            }
            for peer in objects.peers(item)
        ],
    }


def node(item: Facts, cilium_node: Facts | None, config: Facts | None, policies: Iterable[Facts] = ()) -> Facts:
    """A Node, with what belongs to it. policies: the legacy ones, of which one may stand for its NodeConfig."""
    try:
        record = records.parse(item)
        held = f"{record['holder']} since {record['since']}" if record else None
    except records.RecordError as exc:
        held = exc.msg
    labels, seen = objects.labels(item) or {}, objects.labels(cilium_node)
    annotations = item["metadata"].get("annotations") or {}
    legacy = legacy_policy.node_config(list(policies), labels if seen is None else seen, annotations)
    return {
        "name": item["metadata"]["name"],
        "ready": node_objects.is_ready(item),
        "labels": labels,
        "cilium_labels": seen,
        "addresses": objects.addresses(item, cilium_node),
        "held": held,
        "node_config": node_config(config) or legacy,
    }


def key_names(item: Facts) -> list[str] | None:
    """The names of the keys of a Secret by its metadata, which says who wrote which field; None if it doesn't."""
    owned = [each.get("fieldsV1") or {} for each in item["metadata"].get("managedFields") or []]
    data = [each["f:data"] for each in owned if "f:data" in each]
    if not data:
        return None
    return sorted({key.removeprefix("f:") for each in data for key in each if key.startswith("f:")})


# Reading


class Reader:
    """Reads kind by kind, and keeps why one couldn't be read."""

    def __init__(self, client: Client, namespace: str) -> None:
        self.client = client
        self.namespace = namespace
        self.unread: dict[str, str] = {}

    def attempt(self, kind: str, read: Callable[[], Any]) -> Any:
        """What read() returns, None (and a reason) where it can't be read."""
        try:
            return read()
        except UNREAD as exc:
            self.unread[kind] = exc.msg
            return None

    def listed(self, kind: str, path: str, **query: Any) -> list[Facts] | None:
        """The objects of a kind, [] where the cluster doesn't serve it, None where they can't be read."""

        def read() -> list[Facts]:
            try:
                return self.client.list_all(path, **query)[0]
            except NotFound:
                return []

        found: list[Facts] | None = self.attempt(kind, read)
        return found

    def pools(self) -> list[Facts] | None:
        """The pools, of the version that the cluster serves (v2alpha1 before Cilium 1.18)."""
        for version in ("v2", "v2alpha1"):
            try:
                return [
                    pool(item)
                    for item in self.client.list_all(f"{objects.GROUP}/{version}/ciliumloadbalancerippools")[0]
                ]
            except NotFound:
                continue
            except UNREAD as exc:
                self.unread["pools"] = exc.msg
                return None
        return []

    def services(self, question: Facts) -> list[Facts] | None:
        """The Services asked for, with their endpoints."""
        name, vip = question["service"], question["vip"]
        if name:
            namespace, _slash, own = name.partition("/")
            path = f"/api/v1/namespaces/{segment(namespace)}/services/{segment(own)}"
            item = self.attempt("services", lambda: self.client.find(path))
            if "services" in self.unread:
                return None
            found = [] if item is None else [service(item, None)]
        else:
            items = self.listed("services", "/api/v1/services")
            if items is None:
                return None
            every = [service(item, vip) for item in items]
            if vip:
                found = [each for each in every if any(own["address"] == vip for own in each["addresses"])]
            else:
                found = [each for each in every if each["type"] == "LoadBalancer"]
        return self._with_endpoints(found, name)

    def _with_endpoints(self, found: list[Facts], name: str | None) -> list[Facts]:
        if not found:
            return found
        where, query = f"/apis/{SLICES}/endpointslices", {}
        if name:
            where = f"/apis/{SLICES}/namespaces/{segment(found[0]['namespace'])}/endpointslices"
            query = {"labelSelector": f"kubernetes.io/service-name={found[0]['name']}"}
        slices = self.listed("endpoints", where, **query)
        for each in found:
            if slices is None:
                each["endpoints_reason"] = self.unread["endpoints"]
                continue
            key = (each["namespace"], each["name"])
            each["endpoints"] = endpoints([one for one in slices if _belongs(one) == key])
        return found

    def policies(self, selectors: objects.Configs | None) -> list[Facts]:
        """The legacy policies, where there are any."""
        if not any(each.kind == legacy_policy.KIND for each in (selectors.items if selectors else [])):
            return []
        return self.listed("policies", f"{objects.GROUP}/v2alpha1/ciliumbgppeeringpolicies") or []

    def nodes(self, names: list[str], api_version: str | None, policies: list[Facts]) -> list[Facts]:
        """The Nodes of these names (all if there are none), with their CiliumNodes and NodeConfigs."""
        items = self.listed("nodes", "/api/v1/nodes") or []
        cilium_nodes = self.listed("cilium_nodes", f"{objects.GROUP}/v2/ciliumnodes") or []
        path = f"{objects.GROUP}/{api_version}/ciliumbgpnodeconfigs"
        configs = self.listed("node_configs", path) or [] if api_version else []
        by_name = {item["metadata"]["name"]: item for item in cilium_nodes}
        configs_by_name = {item["metadata"]["name"]: item for item in configs}
        known = {item["metadata"]["name"] for item in items}
        strangers = [name for name in names if name not in known]
        if strangers and "nodes" not in self.unread:
            raise VipError(f"the cluster has no node {', '.join(strangers)} (it has: {', '.join(sorted(known))})")
        return [
            node(item, by_name.get(item["metadata"]["name"]), configs_by_name.get(item["metadata"]["name"]), policies)
            for item in items
            if not names or item["metadata"]["name"] in names
        ]

    def secrets(self, names: list[str], namespace: str | None) -> list[Facts]:
        """Of each Secret whether it is where Cilium looks for it, and the names of its keys: never their values."""
        if not names:
            return []
        where = namespace or self._secrets_namespace()
        return [self._secret(name, where) for name in names]

    def _secrets_namespace(self) -> str:
        path = f"/api/v1/namespaces/{segment(self.namespace)}/configmaps/{CONFIG_MAP}"
        found = self.attempt("cilium_config", lambda: self.client.find(path))
        return ((found or {}).get("data") or {}).get(SECRETS_SETTING) or self.namespace

    def _secret(self, name: str, namespace: str) -> Facts:
        facts: Facts = {
            "name": name,
            "namespace": namespace,
            "exists": None,
            "keys": None,
            "elsewhere": [],
            "reason": "",
        }
        try:
            found = self._metadata(namespace, name)
        except UNREAD as exc:
            return {**facts, "reason": exc.msg}
        if found is None:
            others = dict.fromkeys(each for each in (*MISTAKEN, self.namespace) if each != namespace)
            return {**facts, "exists": False, "elsewhere": [each for each in others if self._is_in(each, name)]}
        keys = key_names(found)
        return {**facts, "exists": True, "keys": keys, "reason": "" if keys else "its metadata doesn't say them"}

    def _metadata(self, namespace: str, name: str) -> Facts | None:
        path = f"/api/v1/namespaces/{segment(namespace)}/secrets/{segment(name)}"
        try:
            return {"metadata": self.client.get(path, accept=METADATA)["metadata"]}
        except NotFound:
            return None

    def _is_in(self, namespace: str, name: str) -> bool:
        try:
            return self._metadata(namespace, name) is not None
        except UNREAD:
            return False


def _belongs(item: Facts) -> tuple[str, str | None]:
    labels = item["metadata"].get("labels") or {}
    return item["metadata"]["namespace"], labels.get("kubernetes.io/service-name")


def _with(
    items: list[Facts] | None,
    reduced: Callable[[Facts], Facts],
    policies: list[Facts],
    of_policy: Callable[[Facts], list[Facts]],
) -> list[Facts] | None:
    """The objects of a kind, and what legacy policies say in its place. None: the kind can't be read."""
    if items is None:
        return None
    return [reduced(item) for item in items] + [each for policy in policies for each in of_policy(policy)]


def vip_info(
    client: Client,
    *,
    service: str | None,
    vip: str | None,
    nodes: list[str],
    cilium_namespace: str,
    secrets_namespace: str | None,
    log_lines: int,
) -> Facts:
    """The result of vip_info."""
    question = asked(service, vip)
    reader = Reader(client, cilium_namespace)
    try:
        selectors = reader.attempt("configs", lambda: objects.configs(client))
    except objects.NoCiliumBGP:
        selectors = objects.Configs(None, [])
    version = selectors.api_version if selectors else "v2"
    base = f"{objects.GROUP}/{version or 'v2'}"
    services = reader.services(question)
    advertisements = reader.listed("advertisements", f"{base}/ciliumbgpadvertisements")
    peer_configs = reader.listed("peer_configs", f"{base}/ciliumbgppeerconfigs")
    policies = reader.policies(selectors)
    found: Facts = {
        "asked": question,
        "services": services,
        "pools": reader.pools(),
        "advertisements": _with(advertisements, advertisement, policies, legacy_policy.advertisements),
        "configs": [
            {"kind": each.kind, "name": each.name, "selector": each.selector, "conditions": list(each.conditions)}
            for each in (selectors.items if selectors else [])
        ],
        "peer_configs": _with(peer_configs, peer_config, policies, legacy_policy.peer_configs),
        "nodes": reader.nodes(nodes, version, policies),
    }
    names = sorted({each["secret"] for each in found["peer_configs"] or [] if each["secret"]})
    found["secrets"] = reader.secrets(names, secrets_namespace)
    logs: list[dict[str, Any]] = []
    missing: list[str] = []
    if log_lines:
        logs, missing = cilium_logs.read(client, cilium_namespace, [each["name"] for each in found["nodes"]], log_lines)
    return {
        "changed": False,
        **found,
        "vips": [each["address"] for one in services or [] for each in vips(one)],
        "prefixes": prefixes(services or [], found["advertisements"], found["peer_configs"]),
        "addresses": sorted({address for each in found["nodes"] for address in each["addresses"]}),
        "logs": logs,
        "logs_missing": missing,
        "unread": reader.unread,
    }
