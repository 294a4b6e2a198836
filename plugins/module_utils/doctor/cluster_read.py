# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to hitless.nodes: it may change in any release, don't import it from elsewhere.

"""Reads once what the cluster has of the chain from a Service to the announcement of its addresses."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..base.errors import HitlessError
from ..base.net import is_address, spelled
from ..cilium import legacy_policy, objects
from ..kube.api_errors import NotFound
from ..kube.client import Client, segment
from . import cilium_logs, cluster_facts, secrets
from .announcement import prefixes
from .links import Facts
from .service import vips
from .unread import UNREAD, Reader

SLICES = "discovery.k8s.io/v1"


class VipError(HitlessError):
    """What is asked for can't be looked up."""


def asked(service: str | None, vip: str | None) -> Facts:
    """What is asked for, in one spelling. Raises VipError if it can't be looked up."""
    if service and vip:
        raise VipError(f"service is {service!r} and vip is {vip!r}: give one of them, not both")
    if service and (service.count("/") != 1 or not all(service.split("/"))):
        raise VipError(f"service is {service!r}: give it as namespace/name, such as shop/web")
    if vip and not is_address(vip):
        raise VipError(f"vip is {vip!r}, which isn't an IP address: give one such as 198.51.100.10")
    return {"service": service or None, "vip": spelled(vip) if vip else None}


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
    reader = Reader(client)
    found = _objects(reader, question, nodes)
    named = {config["secret"] for config in found["peer_configs"] or [] if config["secret"]}
    logs: list[dict[str, Any]] = []
    missing: list[str] = []
    addresses: set[str] = set()
    for node in found["nodes"]:
        addresses.update(node["addresses"])
    if log_lines:
        names = [node["name"] for node in found["nodes"]]
        logs, missing = cilium_logs.read(client, cilium_namespace, names, log_lines)
    services = found["services"] or []
    return {
        "changed": False,
        "asked": question,
        **found,
        "secrets": secrets.read(reader, sorted(named), secrets_namespace, cilium_namespace),
        "vips": [own["address"] for each in services for own in vips(each)],
        "prefixes": prefixes(services, found["advertisements"], found["peer_configs"]),
        "addresses": sorted(addresses),
        "logs": logs,
        "logs_missing": missing,
        "unread": reader.unread,
    }


def _objects(reader: Reader, question: Facts, nodes: list[str]) -> Facts:
    """The objects of each kind, reduced to what the rules need. None for a kind that can't be read."""
    try:
        selectors = reader.attempt("configs", lambda: objects.configs(reader.client))
    except objects.NoCiliumBGP:
        selectors = objects.Configs(None, [])
    version = selectors.api_version if selectors else "v2"
    configs = selectors.items if selectors else []
    base = f"{objects.GROUP}/{version or 'v2'}"
    services = _services(reader, question)
    advertisements = reader.listed("advertisements", f"{base}/ciliumbgpadvertisements")
    peer_configs = reader.listed("peer_configs", f"{base}/ciliumbgppeerconfigs")
    policies = []
    if any(each.kind == legacy_policy.KIND for each in configs):
        policies = reader.listed("policies", f"{objects.GROUP}/v2alpha1/ciliumbgppeeringpolicies") or []
    return {
        "services": services,
        "pools": _pools(reader),
        "advertisements": _with_legacy(
            advertisements, cluster_facts.advertisement, policies, legacy_policy.advertisements
        ),
        "configs": [
            {"kind": each.kind, "name": each.name, "selector": each.selector, "conditions": list(each.conditions)}
            for each in configs
        ],
        "peer_configs": _with_legacy(peer_configs, cluster_facts.peer_config, policies, legacy_policy.peer_configs),
        "nodes": _nodes(reader, nodes, version, policies),
    }


def _pools(reader: Reader) -> list[Facts] | None:
    """The pools, of the version that the cluster serves (v2alpha1 before Cilium 1.18)."""
    for version in ("v2", "v2alpha1"):
        try:
            items = reader.client.list_all(f"{objects.GROUP}/{version}/ciliumloadbalancerippools")[0]
        except NotFound:
            continue
        except UNREAD as exc:
            reader.unread["pools"] = exc.msg
            return None
        return [cluster_facts.pool(item) for item in items]
    return []


def _services(reader: Reader, question: Facts) -> list[Facts] | None:
    """The Services asked for, with their endpoints."""
    if question["service"]:
        found = _service_by_name(reader, question["service"])
    else:
        found = _services_by_vip(reader, question["vip"])
    if found:
        _add_endpoints(reader, found, question["service"])
    return found


def _service_by_name(reader: Reader, name: str) -> list[Facts] | None:
    """The one Service of that name (namespace/name); [] where there is none."""
    namespace, _slash, own = name.partition("/")
    path = f"/api/v1/namespaces/{segment(namespace)}/services/{segment(own)}"
    item = reader.attempt("services", lambda: reader.client.find(path))
    if "services" in reader.unread:
        return None
    return [] if item is None else [cluster_facts.service(item, None)]


def _services_by_vip(reader: Reader, vip: str | None) -> list[Facts] | None:
    """The Services that have this address. Without an address, all of type LoadBalancer."""
    items = reader.listed("services", "/api/v1/services")
    if items is None:
        return None
    services = [cluster_facts.service(item, vip) for item in items]
    if not vip:
        return [each for each in services if each["type"] == "LoadBalancer"]
    return [each for each in services if _has_address(each, vip)]


def _has_address(service: Facts, vip: str) -> bool:
    return any(own["address"] == vip for own in service["addresses"])


def _add_endpoints(reader: Reader, services: list[Facts], name: str | None) -> None:
    """Sets the endpoints of Services, or why they aren't known. name: the only Service that is asked for."""
    where, query = f"/apis/{SLICES}/endpointslices", {}
    if name:
        where = f"/apis/{SLICES}/namespaces/{segment(services[0]['namespace'])}/endpointslices"
        query = {"labelSelector": f"kubernetes.io/service-name={services[0]['name']}"}
    slices = reader.listed("endpoints", where, **query)
    for each in services:
        if slices is None:
            each["endpoints_reason"] = reader.unread["endpoints"]
            continue
        key = (each["namespace"], each["name"])
        each["endpoints"] = cluster_facts.endpoints([one for one in slices if _belongs_to(one) == key])


def _belongs_to(item: Facts) -> tuple[str, str | None]:
    """Namespace and name of the Service of an EndpointSlice."""
    labels = item["metadata"].get("labels") or {}
    return item["metadata"]["namespace"], labels.get("kubernetes.io/service-name")


def _nodes(reader: Reader, names: list[str], api_version: str | None, policies: list[Facts]) -> list[Facts]:
    """The Nodes of these names (all if there are none), with their CiliumNodes and NodeConfigs."""
    items = _by_name(reader.listed("nodes", "/api/v1/nodes"))
    cilium_nodes = _by_name(reader.listed("cilium_nodes", f"{objects.GROUP}/v2/ciliumnodes"))
    configs: dict[str, Facts] = {}
    if api_version:
        configs = _by_name(reader.listed("node_configs", f"{objects.GROUP}/{api_version}/ciliumbgpnodeconfigs"))
    strangers = [name for name in names if name not in items]
    if strangers and "nodes" not in reader.unread:
        raise VipError(
            f"the cluster has no node {', '.join(strangers)} (it has: {', '.join(sorted(items))}): "
            f"check target and node_name"
        )
    found = []
    for name, item in items.items():
        if not names or name in names:
            found.append(cluster_facts.node(item, cilium_nodes.get(name), configs.get(name), policies))
    return found


def _by_name(items: list[Facts] | None) -> dict[str, Facts]:
    return {item["metadata"]["name"]: item for item in items or []}


def _with_legacy(
    items: list[Facts] | None,
    reduced: Callable[[Facts], Facts],
    policies: list[Facts],
    of_policy: Callable[[Facts], list[Facts]],
) -> list[Facts] | None:
    """The objects of a kind, and what legacy policies say instead of them. None: the kind can't be read."""
    if items is None:
        return None
    found = [reduced(item) for item in items]
    for policy in policies:
        found += of_policy(policy)
    return found
