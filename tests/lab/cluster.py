# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a lab has in its Kubernetes API: seed() makes it, wipe() removes all of it, also from a real server."""

from __future__ import annotations

import asyncio
import base64
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml
from emulator.client import TRANSIENT, ApiError, AsyncApi, Object
from emulator.images import digest_of

from lab import settings as s
from lab import wiring
from lab.settings import LabError, LabSettings
from lab.standins.control_plane import missing
from lab.standins.kubelets import START
from lab.standins.world import CILIUM, served_version
from lab.state import Lab

CRDS = Path(__file__).with_name("crds")
CRD_PATH = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
LAB = "lab.hitless.nodes/lab"  # label of everything that belongs to a lab; its value is the lab's name
LABEL = "enable-bgp"  # the label that the ClusterConfig selects nodes by
ADVERTISE = "lab.hitless.nodes/advertise"  # label by which PeerConfigs find Advertisements, and those find Services
SECRET = "bgp-auth"
INSTANCE = "default"  # name of the one BGP instance
IMAGE = "registry.invalid/lab/{}:1"
CILIUM_IMAGE = "registry.invalid/lab/cilium:v{}"
CILIUM_VERSION = "1.18.4"
REPLICAS = 6
ZONES = ("a", "b", "c")
USER_AGENT = "hitless-lab-seed"
KUBECONFIG = "standins.kubeconfig"
# Objects in this order can all be made at once within a step.
Step = list[tuple[str, Object]]


def seed(lab: Lab, *, cilium: str = "v2") -> None:
    """Make the lab's objects. cilium: newest version of Cilium's BGP kinds to serve (v2alpha1 as 1.16 and 1.17 do)."""
    _run(lab, lambda api: _seed(lab, api, cilium))


def wipe(lab: Lab) -> None:
    """Remove everything that seed() and the stand-ins made; definitions only when nobody else uses them."""
    _run(lab, lambda api: _wipe(lab, api))


def _run(lab: Lab, work: Callable[[AsyncApi], Any]) -> None:
    async def main() -> None:
        async with AsyncApi(lab.dir / KUBECONFIG, user_agent=USER_AGENT) as api:
            await work(api)

    try:
        asyncio.run(main())
    except TRANSIENT as error:
        raise LabError(f"Kubernetes API of lab {lab.settings.name}: {error or type(error).__name__}") from error


# -- what there is


def definitions(name: str, cilium: str) -> list[Object]:
    """The CustomResourceDefinitions, labelled as this lab's."""
    found = []
    for path in sorted(CRDS.glob("*.yml")):
        crd = yaml.safe_load(path.read_text(encoding="utf-8"))
        crd["metadata"]["labels"] = {LAB: name}
        versions = crd["spec"]["versions"]
        if cilium != "v2" and len(versions) > 1:
            for version in versions:
                version["served"] = version["storage"] = version["name"] == cilium
        found.append(crd)
    return found


def nodes(lab: Lab, *, tainted: bool) -> list[Object]:
    """The Nodes, as their kubelets would register them."""
    found = []
    for i, machine in enumerate(lab.nodes.values(), 1):
        labels = {
            LAB: lab.settings.name,
            LABEL: "true",
            "kubernetes.io/hostname": machine.name,
            "kubernetes.io/os": "linux",
            "kubernetes.io/arch": "amd64",
            "topology.kubernetes.io/region": "lab",
            "topology.kubernetes.io/zone": f"lab-{ZONES[(i - 1) % len(ZONES)]}",
        }
        addresses = [{"type": "InternalIP", "address": a} for a in (machine.address4, machine.address6)]
        cidrs = list(s.pod_cidrs(i))
        spec: Object = {"podCIDR": cidrs[0], "podCIDRs": cidrs}
        if tainted:
            spec["taints"] = [{"key": LAB, "value": lab.settings.name, "effect": "NoSchedule"}]
        now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        # Ready at once, so that the first pods are spread over all nodes and not put on the first one that is ready.
        ready = {"type": "Ready", "status": "True", "reason": "LabSeed", "lastTransitionTime": now}
        room = {"cpu": "64", "memory": "256Gi", "pods": "10000", "ephemeral-storage": "100Gi"}
        info = {
            "systemUUID": machine.uuid,
            "bootID": "",  # the stand-in kubelet writes it with the first boot it sees
            "machineID": machine.uuid.replace("-", ""),
            "kernelVersion": "0.0.0-lab",
            "osImage": "hitless lab machine",
            "containerRuntimeVersion": "stand-in://1",
            "kubeletVersion": "v1.36.0-stand-in",
            "kubeProxyVersion": "",
            "operatingSystem": "linux",
            "architecture": "amd64",
        }
        status = {
            "addresses": [*addresses, {"type": "Hostname", "address": machine.name}],
            "nodeInfo": info,
            "capacity": room,
            "allocatable": room,
            "conditions": [ready],
        }
        found.append(_object("v1", "Node", machine.name, labels=labels, spec=spec, status=status))
    return found


def cilium_nodes(lab: Lab) -> list[Object]:
    """The CiliumNodes as the agents would make them; they keep them from then on."""
    return [
        _object(
            "cilium.io/v2",
            "CiliumNode",
            node["metadata"]["name"],
            labels=node["metadata"]["labels"],
            spec={
                "addresses": [
                    {"type": "InternalIP", "ip": a["address"]}
                    for a in node["status"]["addresses"]
                    if a["type"] == "InternalIP"
                ],
                "ipam": {"podCIDRs": node["spec"]["podCIDRs"]},
            },
        )
        for node in nodes(lab, tainted=False)
    ]


def peers(settings: LabSettings) -> list[Object]:
    """The peers of the ClusterConfig. They are the same for every node: what isn't comes from the overrides."""
    found = []
    for session in wiring.sessions(settings, s.NODES[0]):
        where: Object = {"peerAddress": session.peer}
        if session.interface:
            where = {"autoDiscovery": {"mode": "Unnumbered", "unnumbered": {"interface": session.interface}}}
        reference = {"name": _peer_config_name(settings, session)}
        found.append({"name": session.name, "peerASN": session.asn, **where, "peerConfigRef": reference})
    return found


def peer_configs(settings: LabSettings) -> dict[str, Object]:
    """Name -> spec of the PeerConfigs."""
    name = settings.name
    restart: Object = {"enabled": settings.graceful_restart is not None}
    if settings.graceful_restart is not None:
        restart["restartTimeSeconds"] = settings.graceful_restart
    timers = {
        "holdTimeSeconds": settings.hold_time,
        "keepAliveTimeSeconds": settings.keepalive,
        "connectRetryTimeSeconds": settings.connect_retry,
    }
    advertised = {"safi": "unicast", "advertisements": {"matchLabels": {ADVERTISE: name}}}
    return {
        _peer_config_name(settings, session): {
            **({} if session.interface else {"authSecretRef": SECRET}),
            **({"ebgpMultihop": session.hops} if session.hops > 1 else {}),
            "timers": timers,
            "gracefulRestart": restart,
            "families": [{"afi": f"ipv{family}", **advertised} for family in session.families],
        }
        for session in wiring.sessions(settings, s.NODES[0])
    }


def _peer_config_name(settings: LabSettings, session: wiring.Session) -> str:
    """Sessions that differ in nothing but their router share one."""
    if session.interface:
        return f"{settings.name}-unnumbered"
    return f"{settings.name}-ipv{session.families[0]}{'-multihop' if session.hops > 1 else ''}"


def overrides(settings: LabSettings) -> dict[str, Object]:
    """Node -> its part of the instance in a CiliumBGPNodeConfigOverride, if it needs one."""
    found = {}
    for node in s.NODES:
        own: Object = {}
        if settings.network.own_router_ids:
            own["routerID"] = wiring.router_id(settings, node)
        sessions = wiring.sessions(settings, node)
        if local := [{"name": one.name, "localAddress": one.local} for one in sessions if one.local]:
            own["peers"] = local
        if own:
            found[settings.machine(node)] = {"name": INSTANCE, **own}
    return found


def bgp_objects(lab: Lab, version: str) -> list[tuple[str, Object]]:
    """ClusterConfig, overrides, PeerConfigs, Advertisements and the pool of the VIPs."""
    name, api_version = lab.settings.name, f"cilium.io/{version}"
    cluster = f"{name}-bgp"
    configs = [
        _object(api_version, "CiliumBGPPeerConfig", config, spec=spec)
        for config, spec in peer_configs(lab.settings).items()
    ]
    own = [
        _object(api_version, "CiliumBGPNodeConfigOverride", node, spec={"bgpInstances": [override]})
        for node, override in overrides(lab.settings).items()
    ]
    instance = {"name": INSTANCE, "localASN": s.NODE_ASN, "peers": peers(lab.settings)}
    selector = {"matchLabels": {LABEL: "true"}}
    config_spec = {"nodeSelector": selector, "bgpInstances": [instance]}
    service = {
        "advertisementType": "Service",
        "service": {"addresses": ["LoadBalancerIP"]},
        # Without a selector a Service advertisement announces nothing.
        "selector": {"matchLabels": {ADVERTISE: name}},
    }
    labels = {ADVERTISE: name}
    pool = {"blocks": [{"cidr": vip} for vip in (*s.VIPS, *s.LOCAL_VIPS)], "serviceSelector": {"matchLabels": labels}}
    return [
        ("ciliumbgpclusterconfigs", _object(api_version, "CiliumBGPClusterConfig", cluster, spec=config_spec)),
        *(("ciliumbgppeerconfigs", config) for config in configs),
        *(("ciliumbgpnodeconfigoverrides", override) for override in own),
        (
            "ciliumbgpadvertisements",
            _object(api_version, "CiliumBGPAdvertisement", f"{name}-vips", labels, {"advertisements": [service]}),
        ),
        (
            "ciliumbgpadvertisements",
            _object(
                api_version,
                "CiliumBGPAdvertisement",
                f"{name}-pods",
                labels,
                {"advertisements": [{"advertisementType": "PodCIDR"}]},
            ),
        ),
        ("ciliumloadbalancerippools", _object(api_version, "CiliumLoadBalancerIPPool", f"{name}-vips", spec=pool)),
    ]


def services(name: str) -> list[tuple[Object, list[str]]]:
    """The Services of type LoadBalancer, each with its VIPs (IPv4 and IPv6)."""
    vips = zip((*s.VIPS4, *s.LOCAL_VIPS4), (*s.VIPS6, *s.LOCAL_VIPS6), strict=True)
    apps = {"web": "web", "web-2": "web", **{service: service for service in s.LOCAL_SERVICES}}
    found = []
    for (service, app), pair in zip(apps.items(), vips, strict=True):
        ports = [{"name": p.lower(), "port": s.ECHO_PORT, "protocol": p} for p in ("UDP", "TCP")]
        spec = {
            "type": "LoadBalancer",
            "selector": {"app": app},
            "ports": ports,
            "externalTrafficPolicy": "Local" if service in s.LOCAL_SERVICES else "Cluster",
            "ipFamilyPolicy": "PreferDualStack",
            "loadBalancerClass": "io.cilium/bgp-control-plane",
            "allocateLoadBalancerNodePorts": False,
        }
        body = _object("v1", "Service", service, {ADVERTISE: name, "app": app}, spec)
        found.append((body, [vip.partition("/")[0] for vip in pair]))
    return found


def agent_image(version: str) -> str:
    """The agent's image as Cilium's chart names it: with tag and digest."""
    name = CILIUM_IMAGE.format(version)
    return f"{name}@{digest_of(name)}"


def local_pods(name: str, template: Object) -> list[Object]:
    """Deployments of one pod each, for the Services with traffic policy Local.

    The pod can only be on one node: evicted from it, it waits until it may come back. It starts at once, so that of two
    nodes that are taken out one after the other, the first one announces again before the second one is looked at.
    """
    found = []
    for service, roles in s.LOCAL_SERVICES.items():
        for role in roles:
            selector = {**template["nodeSelector"], "kubernetes.io/hostname": f"{name}-{role}"}
            pod = {**template, "nodeSelector": selector}
            labels = {"app": service, "role": role}
            found.append(_workload("Deployment", f"{service}-{role}", labels, pod, {START: "0"}, replicas=1))
    return found


def workloads(name: str) -> list[tuple[str, Object]]:
    """Deployment web with a PodDisruptionBudget, local_pods, and the agents' DaemonSet; no pod has an emptyDir."""
    tolerations = [{"key": LAB, "operator": "Equal", "value": name, "effect": "NoSchedule"}]
    common = {"nodeSelector": {LAB: name}, "automountServiceAccountToken": False}
    app = {
        **common,
        "tolerations": tolerations,
        "terminationGracePeriodSeconds": 30,
        "containers": [{"name": "web", "image": IMAGE.format("web"), "ports": [{"containerPort": s.ECHO_PORT}]}],
    }
    web = {
        **app,
        "topologySpreadConstraints": [
            {
                "maxSkew": 1,
                "topologyKey": "kubernetes.io/hostname",
                "whenUnsatisfiable": "ScheduleAnyway",
                "labelSelector": {"matchLabels": {"app": "web"}},
            }
        ],
    }
    agent = {
        **common,
        "hostNetwork": True,
        "priorityClassName": "system-node-critical",
        "tolerations": [{"operator": "Exists"}],
        "terminationGracePeriodSeconds": 1,
        "initContainers": [{"name": "config", "image": agent_image(CILIUM_VERSION)}],
        "containers": [{"name": "cilium-agent", "image": agent_image(CILIUM_VERSION)}],
    }
    # As in Cilium's chart.
    strategy = {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 2}}
    return [
        ("/apis/apps/v1/{}/deployments", _workload("Deployment", "web", {"app": "web"}, web, replicas=REPLICAS)),
        *(("/apis/apps/v1/{}/deployments", deployment) for deployment in local_pods(name, app)),
        (
            "/apis/policy/v1/{}/poddisruptionbudgets",
            _object(
                "policy/v1",
                "PodDisruptionBudget",
                "web",
                spec={"maxUnavailable": 1, "selector": {"matchLabels": {"app": "web"}}},
            ),
        ),
        (
            "/apis/apps/v1/{}/daemonsets",
            _workload("DaemonSet", "cilium", {"k8s-app": "cilium"}, agent, updateStrategy=strategy),
        ),
    ]


def _workload(
    kind: str, name: str, labels: dict[str, str], pod: Object, annotations: dict[str, str] | None = None, **spec: Any
) -> Object:
    template = {"metadata": {"labels": labels, "annotations": annotations or {}}, "spec": pod}
    body = {**spec, "selector": {"matchLabels": labels}, "template": template}
    return _object("apps/v1", kind, name, labels, body)


def _object(
    api_version: str, kind: str, name: str, labels: dict[str, str] | None = None, spec: Any = None, **more: Any
) -> Object:
    body = {"apiVersion": api_version, "kind": kind, "metadata": {"name": name, "labels": dict(labels or {})}, **more}
    return body if spec is None else {**body, "spec": spec}


# -- making it


async def _seed(lab: Lab, api: AsyncApi, cilium: str) -> None:
    name = lab.settings.name
    emulated = (await api.get("/version")).get("gitVersion", "").endswith("-emulated")
    space = f"namespaces/{name}"
    await _create_all(api, name, [(CRD_PATH, crd) for crd in definitions(name, cilium)], keep=True)
    await _create_all(api, name, [("/api/v1/namespaces", _object("v1", "Namespace", name))], keep=True)
    await _create_all(api, name, [("/api/v1/namespaces", _object("v1", "Namespace", "kube-node-lease"))], keep=True)
    version = await served_version(api)
    # On a real cluster others' pods must not land on machines that only have stand-in kubelets.
    step: Step = [("/api/v1/nodes", node) for node in nodes(lab, tainted=not emulated)]
    step += [(f"{CILIUM}/v2/ciliumnodes", node) for node in cilium_nodes(lab)]
    secret = _object("v1", "Secret", SECRET, data={"password": base64.b64encode(s.PASSWORD.encode()).decode()})
    step += [(f"/api/v1/{space}/secrets", secret)]
    step += [(f"{CILIUM}/{version}/{plural}", obj) for plural, obj in bgp_objects(lab, version)]
    step += [(f"/api/v1/{space}/services", service) for service, _unused in services(name)]
    step += [(path.format(space), obj) for path, obj in workloads(name)]
    await _create_all(api, name, step)
    for service, vips in services(name):
        ingress = {"ingress": [{"ip": vip, "ipMode": "VIP"} for vip in vips]}
        path = f"/api/v1/{space}/services/{service['metadata']['name']}/status"
        await api.patch(path, {"status": {"loadBalancer": ingress}})


async def _create_all(api: AsyncApi, name: str, step: Step, *, keep: bool = False) -> None:
    """Create at once; keep: what is there already may stay."""

    async def create(path: str, obj: Object) -> None:
        obj["metadata"]["labels"] = {**(obj["metadata"].get("labels") or {}), LAB: name}
        if path == "/api/v1/namespaces" and obj["metadata"]["name"] != name:
            del obj["metadata"]["labels"]  # the cluster's own: not ours to remove
        for attempt in range(50):
            try:
                await api.create(path, obj)
                return
            except ApiError as error:
                if error.status == 409 and keep:
                    return
                if error.status == 409:
                    what = f"{obj['kind']} {obj['metadata']['name']}"
                    raise LabError(
                        f"{what} is already in the cluster: `python -m lab down --name {name}` first"
                    ) from error
                # A real server serves a new kind a moment after it says so.
                if error.status != 404 or attempt == 49:
                    raise
            await asyncio.sleep(0.2)

    await asyncio.gather(*(create(path, obj) for path, obj in step))


# -- removing it


async def _wipe(lab: Lab, api: AsyncApi) -> None:
    name = lab.settings.name
    space = f"namespaces/{name}"
    background = {"propagationPolicy": "Background"}
    for path in (f"/apis/apps/v1/{space}/deployments", f"/apis/apps/v1/{space}/daemonsets"):
        await _delete_all(api, path, background)
    for path in (
        f"/apis/apps/v1/{space}/replicasets",
        f"/apis/policy/v1/{space}/poddisruptionbudgets",
        f"/api/v1/{space}/services",
        f"/apis/discovery.k8s.io/v1/{space}/endpointslices",
        f"/api/v1/{space}/secrets",
        f"/apis/coordination.k8s.io/v1/{space}/leases",
    ):
        await _delete_all(api, path, background)
    machines = set(lab.nodes)
    # The kubelets are gone or going: nobody else would end the pods of these nodes.
    for pod in (await api.get("/api/v1/pods"))["items"]:
        meta = pod["metadata"]
        if meta["namespace"] == name or pod["spec"].get("nodeName") in machines:
            await api.delete(f"/api/v1/namespaces/{meta['namespace']}/pods/{meta['name']}", {"gracePeriodSeconds": 0})
    for machine in machines:
        await api.delete(f"/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/{machine}")
        await api.delete(f"/api/v1/nodes/{machine}")
    namespace = await api.delete(f"/api/v1/namespaces/{name}")
    if namespace is not None and "nodes" in await missing(api, "auto"):
        # Nobody empties namespaces here: ours is empty but for what the stand-ins made.
        await _delete_all(api, f"/api/v1/{space}/serviceaccounts", {})
        namespace = await api.get(f"/api/v1/namespaces/{name}")
        await api.replace(f"/api/v1/namespaces/{name}/finalize", {**namespace, "spec": {"finalizers": []}})
    for crd in await _items(api, CRD_PATH):
        if crd["spec"]["group"] == "cilium.io":
            await _wipe_kind(api, crd, lab)
    await _gone(api, f"/api/v1/namespaces/{name}")


async def _wipe_kind(api: AsyncApi, crd: Object, lab: Lab) -> None:
    """Delete the lab's objects of one of Cilium's kinds, then its definition if the lab made it and nobody uses it."""
    spec, name = crd["spec"], lab.settings.name
    version = next(v["name"] for v in spec["versions"] if v.get("served"))
    path = f"/apis/{spec['group']}/{version}/{spec['names']['plural']}"
    others = 0
    for item in await _items(api, path):
        meta = item["metadata"]
        mine = (meta.get("labels") or {}).get(LAB) == name or meta["name"] in lab.nodes
        if mine:
            await api.delete(f"{path}/{meta['name']}")
        others += not mine
    if not others and LAB in (crd["metadata"].get("labels") or {}):
        await api.delete(f"{CRD_PATH}/{crd['metadata']['name']}")
        await _gone(api, f"{CRD_PATH}/{crd['metadata']['name']}")


async def _items(api: AsyncApi, path: str) -> list[Object]:
    """Items of a collection; none when the server does not have the kind."""
    try:
        return (await api.get(path))["items"]
    except ApiError as error:
        if error.status == 404:
            return []
        raise


async def _delete_all(api: AsyncApi, path: str, body: Object) -> None:
    for item in await _items(api, path):
        await api.delete(f"{path}/{item['metadata']['name']}", body)


async def _gone(api: AsyncApi, path: str, seconds: float = 30) -> None:
    """Wait until an object is gone; a namespace needs a controller for that."""
    deadline = time.monotonic() + seconds
    while await api.find(path) is not None:
        if time.monotonic() > deadline:
            raise LabError(f"{path} is still there {seconds:g} s after its deletion: look at its finalizers")
        await asyncio.sleep(0.1)
