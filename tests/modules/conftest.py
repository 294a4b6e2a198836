# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A Kubernetes API for the tests of this folder: the lab's emulator in a thread, and a kubelet that ends pods."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
import threading
import time
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest
import yaml

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from emulator.client import AsyncApi
from emulator.kubelet import in_a_thread
from emulator.server import Emulator
from lab.standins import world
from lab.standins.kubelets import NodeKubelet

# Seconds. Whatever takes longer hangs, however busy the machine is.
HANGS = 120


class Api:
    """One emulator, and short ways to put objects into it, to break it, and to ask what it was asked."""

    def __init__(self, folder):
        self.loop = asyncio.new_event_loop()
        threading.Thread(target=self.loop.run_forever, daemon=True).start()
        self.emulator = Emulator()
        self.call(self.emulator.start(0))
        self.kubeconfig = folder / "admin.kubeconfig"
        self.kubeconfig.write_text(self.emulator.admin_kubeconfig())
        self.client = self.connect()
        self.post("/api/v1/namespaces", {"metadata": {"name": "shop"}})
        # Any object may own the pods: the garbage collector only wants one to be there, and no controller should act.
        owner = self.post("/api/v1/namespaces/shop/configmaps", {"metadata": {"name": "o"}})
        self.owner = {"apiVersion": "apps/v1", "name": "o", "uid": owner["metadata"]["uid"], "controller": True}

    def call(self, coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(HANGS)

    def connect(self, **params):
        # Imported here: pytest-ansible sets the finder of collections up after it has read the conftests.
        from ansible_collections.hitless.nodes.plugins.module_utils.kube import client, connection

        defaults = {name: option.get("default") for name, option in connection.argument_spec().items()}
        return client.Client({**defaults, "kubeconfig": str(self.kubeconfig), "request_timeout": 60.0, **params})

    def close(self):
        self.call(self.emulator.stop())
        self.loop.call_soon_threadsafe(self.loop.stop)

    # Objects.

    def post(self, path, body):
        return self.client.post(path, body)

    def node(self, name="worker-3", **labels):
        return self.post("/api/v1/nodes", {"metadata": {"name": name, "labels": labels}, "spec": {}})

    def ready_node(self, name="worker-3", *, boot_id="boot-1", **labels):
        made = self.node(name, **(labels or {"enable-bgp": "true"}))
        status = {
            "addresses": [{"type": "InternalIP", "address": a} for a in ("192.0.2.13", "2001:db8::13")],
            "conditions": [{"type": "Ready", "status": "True"}],
            "nodeInfo": {"bootID": boot_id, "systemUUID": "uuid-3"},
        }
        self.client.patch(f"/api/v1/nodes/{name}/status", {"status": status})
        return made

    def pod(self, name, *, node="worker-3", labels=None, owner="ReplicaSet", ready=True, **metadata):
        owners = [{**self.owner, "kind": owner}] if owner else []
        body = {
            "metadata": {"name": name, "labels": labels or {}, "ownerReferences": owners, **metadata},
            "spec": {
                "nodeName": node,
                "terminationGracePeriodSeconds": 30,
                "containers": [{"name": "c", "image": "i"}],
            },
        }
        made = self.post("/api/v1/namespaces/shop/pods", body)
        conditions = [{"type": "Ready", "status": "True" if ready else "False"}]
        self.client.patch(
            f"/api/v1/namespaces/shop/pods/{name}/status", {"status": {"phase": "Running", "conditions": conditions}}
        )
        return made

    def budget(self, name, selector, **spec):
        path = "/apis/policy/v1/namespaces/shop/poddisruptionbudgets"
        self.post(path, {"metadata": {"name": name}, "spec": {"selector": selector, **spec}})
        self.until(lambda: "observedGeneration" in self.client.get(f"{path}/{name}")["status"])

    def names(self):
        return sorted(pod["metadata"]["name"] for pod in self.client.list_all("/api/v1/pods")[0])

    # Faults and questions.

    def fault(self, **fault):
        self.post("/_emulator/faults", fault)

    def requests(self, method=None, part=""):
        """What was asked of the API by others than the kubelet."""
        log = self.client.get("/_emulator/requests")
        entries = log.get("items") or log.get("requests") or []
        return [e for e in entries if (method in (None, e["method"])) and part in json.dumps(e)]

    def user(self, name, rules):
        """A client of a user who has just these rights."""
        if rules:
            rbac = "/apis/rbac.authorization.k8s.io/v1"
            self.post(f"{rbac}/clusterroles", {"metadata": {"name": name}, "rules": rules})
            subject = {"kind": "User", "name": name, "apiGroup": "rbac.authorization.k8s.io"}
            role = {"kind": "ClusterRole", "name": name, "apiGroup": "rbac.authorization.k8s.io"}
            self.post(
                f"{rbac}/clusterrolebindings", {"metadata": {"name": name}, "subjects": [subject], "roleRef": role}
            )
        answer = self.post("/_emulator/kubeconfig", {"user": name, "groups": []})
        path = self.kubeconfig.with_name(f"{name}.kubeconfig")
        path.write_text(answer["kubeconfig"] if "kubeconfig" in answer else json.dumps(answer))
        return self.connect(kubeconfig=str(path))

    @staticmethod
    def until(condition):
        """Waits for what the emulator's controllers, or a thread of the test, do a moment later."""
        deadline = time.monotonic() + HANGS
        while not condition():
            assert time.monotonic() < deadline, "it was never so"
            time.sleep(0.02)


def owner_of(metadata):
    """The name of the first owner."""
    return metadata["ownerReferences"][0]["name"]


class Cilium:
    """Agents that copy labels from Node to CiliumNode, and an operator that makes and deletes NodeConfigs."""

    def __init__(self, api, *, version="v2"):
        self.api = api
        self.version = version
        self.agents = self.operator = True
        self.excluded = set()
        self.client = api.connect()
        self.stop = threading.Event()
        for path in sorted((Path(__file__).resolve().parents[1] / "lab" / "crds").glob("*.yml")):
            definition = yaml.safe_load(path.read_text())
            if version != "v2" and len(definition["spec"]["versions"]) > 1:
                for one in definition["spec"]["versions"]:
                    one["served"] = one["storage"] = one["name"] == version
            api.post("/apis/apiextensions.k8s.io/v1/customresourcedefinitions", definition)
        self.bgp = f"/apis/cilium.io/{version}"
        api.until(lambda: api.client.find(f"{self.bgp}/ciliumbgpnodeconfigs"))
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def config(self, name="rack-1", **spec):
        """A ClusterConfig with one peer; spec overrides the selector enable-bgp=true."""
        peer = {"name": "tor-1", "peerASN": 62112, "peerAddress": "192.0.2.1", "peerConfigRef": {"name": "p"}}
        instance = {"name": "main", "localASN": 65432, "peers": [peer]}
        selector = {"nodeSelector": {"matchLabels": {"enable-bgp": "true"}}}
        body = {"metadata": {"name": name}, "spec": {**selector, "bgpInstances": [instance], **spec}}
        return self.api.post(f"{self.bgp}/ciliumbgpclusterconfigs", self.kind(body, "CiliumBGPClusterConfig"))

    def kind(self, body, kind, version=None):
        return {"apiVersion": f"cilium.io/{version or self.version}", "kind": kind, **body}

    def run(self):
        while not self.stop.wait(0.03):
            with contextlib.suppress(Exception):
                self.look()

    def look(self):
        from ansible_collections.hitless.nodes.plugins.module_utils.kube.labels import matches

        cilium_nodes = {
            item["metadata"]["name"]: item for item in self.client.list_all("/apis/cilium.io/v2/ciliumnodes")[0]
        }
        for node in self.client.list_all("/api/v1/nodes")[0] if self.agents else []:
            name = node["metadata"]["name"]
            labels = {k: v for k, v in (node["metadata"].get("labels") or {}).items() if k not in self.excluded}
            if name not in cilium_nodes:
                pairs = [("InternalIP", entry["address"]) for entry in node["status"].get("addresses") or []]
                spec = {"addresses": [{"type": kind, "ip": address} for kind, address in pairs]}
                body = {"metadata": {"name": name, "labels": labels}, "spec": spec}
                self.client.post("/apis/cilium.io/v2/ciliumnodes", self.kind(body, "CiliumNode", "v2"))
                continue
            old = cilium_nodes[name]["metadata"].get("labels") or {}
            if old != labels:
                gone = dict.fromkeys(old.keys() - labels.keys())
                patch = {"metadata": {"labels": {**gone, **labels}}}
                self.client.patch(f"/apis/cilium.io/v2/ciliumnodes/{name}", patch)
        configs = self.client.list_all(f"{self.bgp}/ciliumbgpclusterconfigs")[0] if self.operator else []
        path = f"{self.bgp}/ciliumbgpnodeconfigs"
        there = {item["metadata"]["name"]: item["metadata"] for item in self.client.list_all(path)[0]}
        for name, cilium_node in cilium_nodes.items() if self.operator else []:
            labels = cilium_node["metadata"].get("labels") or {}
            wanted = [config for config in configs if matches(config["spec"].get("nodeSelector"), labels)]
            if wanted and name not in there:
                config = wanted[0]
                owner = {key: config["metadata"][key] for key in ("name", "uid")}
                owners = [{"apiVersion": f"cilium.io/{self.version}", "kind": "CiliumBGPClusterConfig", **owner}]
                spec = {"bgpInstances": config["spec"]["bgpInstances"]}
                body = {"metadata": {"name": name, "ownerReferences": owners}, "spec": spec}
                self.client.post(path, self.kind(body, "CiliumBGPNodeConfig"))
            elif name in there and owner_of(there[name]) not in [config["metadata"]["name"] for config in wanted]:
                self.client.delete(f"{path}/{name}", {})

    def status(self, **peer):
        """Writes the status of worker-3's NodeConfig, with its one peer established unless said otherwise."""
        found = {"name": "tor-1", "peerAddress": "192.0.2.1", "peerASN": 62112, "peeringState": "established", **peer}
        status = {"bgpInstances": [{"name": "main", "localASN": 65432, "peers": [found]}]}
        self.api.client.patch(f"{self.bgp}/ciliumbgpnodeconfigs/worker-3/status", {"status": status})

    def lease(self, *, age=0.0, seconds=600, holder="operator-1"):
        """Writes the operator's Lease as renewed age seconds ago, and good for so many (longer than any test takes)."""
        renewed = (datetime.now(UTC) - timedelta(seconds=age)).isoformat().replace("+00:00", "Z")
        spec = {"holderIdentity": holder, "leaseDurationSeconds": seconds, "renewTime": renewed}
        path = "/apis/coordination.k8s.io/v1/namespaces/kube-system/leases"
        name = "cilium-operator-resource-lock"
        if self.client.find(f"{path}/{name}"):
            self.client.patch(f"{path}/{name}", {"spec": spec})
        else:
            self.client.post(path, {"metadata": {"name": name}, "spec": spec})

    def end(self):
        self.stop.set()
        self.thread.join(10)


class Agent:
    """The agent's pod on a node, Ready, and what answers for its container: say(argv) -> (rc, stdout, stderr)."""

    def __init__(self, api, *, node="worker-3", name="cilium-x"):
        self.api = api
        self.name = name
        self.path = f"/api/v1/namespaces/kube-system/pods/{name}"
        self.asked = []
        self.sessions = []
        labels = {"k8s-app": "cilium"}
        spec = {"nodeName": node, "containers": [{"name": "cilium-agent", "image": "i"}]}
        api.post("/api/v1/namespaces/kube-system/pods", {"metadata": {"name": name, "labels": labels}, "spec": spec})
        self.ready(True)
        self.say = self.answer
        self.connected = threading.Event()
        self.task = asyncio.run_coroutine_threadsafe(self.serve(), api.loop)
        assert self.connected.wait(HANGS)

    def ready(self, ready, *, started="2026-03-02T20:00:00Z"):
        """Sets what the kubelet says of the pod."""
        status = {
            "phase": "Running",
            "conditions": [{"type": "Ready", "status": str(ready)}],
            "containerStatuses": [{"name": "cilium-agent", "state": {"running": {"startedAt": started}}}],
        }
        self.api.client.patch(f"{self.path}/status", {"status": status})

    def answer(self, argv):
        """cilium-dbg bgp peers -o json, as Cilium 1.15 to 1.19 answer it."""
        if argv != ["cilium-dbg", "bgp", "peers", "-o", "json"]:
            return 1, "", f"Error: unknown command {argv}\n"
        return 0, json.dumps(self.sessions), ""

    def up(self, address="192.0.2.1", state="established"):
        """Makes the agent say that it has this one session."""
        self.sessions = [{"local-asn": 65432, "peer-asn": 62112, "peer-address": address, "session-state": state}]

    async def serve(self):
        path = f"/_emulator/exec-backend?namespace=kube-system&pod={self.name}"
        async with (
            AsyncApi(self.api.kubeconfig, user_agent="agent") as api,
            api.session().ws_connect(api.server + path) as socket,
        ):
            self.connected.set()
            async for message in socket:
                wanted = message.json()
                self.asked.append(wanted["argv"])
                answer = await asyncio.to_thread(self.say, wanted["argv"])
                if answer is None:
                    return
                rc, stdout, stderr = answer
                await socket.send_json({"id": wanted["id"], "rc": rc, "stdout": stdout, "stderr": stderr})

    def end(self):
        self.task.cancel()


class Machine:
    """A machine that always runs."""

    def __init__(self, name):
        self.name = name

    def boot_id(self):
        return f"boot-{self.name}"


class AgentProcess:
    """The agent in a node's agent pod: it runs as long as its pod does."""

    def __init__(self):
        self.wake = asyncio.Event()
        self.kubelet = None
        self.starts = True

    def ready(self):
        return self.starts and self.kubelet.agent_pod is not None

    async def pod_ended(self):
        """There are no VIPs."""


def _conditions(status):
    return {condition["type"]: condition["status"] for condition in status["conditions"]}


class Kubelets:
    """The lab's stand-in kubelets, on Nodes of their own: they pull images, and start and end pods."""

    def __init__(self, api, folder, names):
        self.api = api
        self.names = names
        self.file = folder / "knobs.json"
        self.agents = {}
        self.world = None
        for name in names:
            info = {"operatingSystem": "linux", "architecture": "amd64"}
            conditions = [{"type": "Ready", "status": "True", "lastTransitionTime": "2026-03-02T20:00:00Z"}]
            labels = {"enable-bgp": "true", "kubernetes.io/os": "linux"}
            status = {"nodeInfo": info, "conditions": conditions}
            api.post("/api/v1/nodes", {"metadata": {"name": name, "labels": labels}, "status": status})
        self.task = asyncio.run_coroutine_threadsafe(self.run(), api.loop)
        api.until(self.register)

    def register(self):
        if self.task.done():
            self.task.result()
        statuses = [self.api.client.get(f"/api/v1/nodes/{name}")["status"] for name in self.names]
        return all(
            status["nodeInfo"].get("bootID") and {"Ready": "True"}.items() <= _conditions(status).items()
            for status in statuses
        )

    async def run(self):
        hosts = {name: world.Host(Machine(name)) for name in self.names}
        settings = world.Settings(heartbeat=2.0, start=0.05, tick=0.05)
        async with AsyncApi(self.api.kubeconfig, user_agent="kubelets") as client:
            self.world = world.World(client, "kube-system", settings, world.Knobs(self.file), hosts, None, "v2")
            followed = [self.world[kind] for kind in ("nodes", "pods")]
            tasks = [asyncio.create_task(informer.run()) for informer in followed]
            try:
                for informer in followed:
                    await informer.synced.wait()
                tasks.append(asyncio.create_task(self.world.look()))
                for name, host in hosts.items():
                    self.agents[name] = AgentProcess()
                    tasks.append(asyncio.create_task(NodeKubelet(self.world, host, self.agents[name]).run()))
                await asyncio.gather(*tasks)
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)

    def knobs(self, **knobs):
        """Turns the knobs and waits until the kubelets see them."""
        part = self.file.with_suffix(".part")
        part.write_text(json.dumps(knobs))
        part.rename(self.file)
        self.api.until(lambda: self.world.knobs.data == knobs)

    def end(self):
        self.task.cancel()


@pytest.fixture
def api(tmp_path):
    made = Api(tmp_path)
    yield made
    made.close()


@contextlib.contextmanager
def selecting(api, names, **options):
    """Cilium with ClusterConfig rack-1 (enable-bgp=true), once it has selected these nodes."""
    made = Cilium(api, **options)
    made.config()
    api.until(lambda: all(api.client.find(f"{made.bgp}/ciliumbgpnodeconfigs/{name}") for name in names))
    try:
        yield made
    finally:
        made.end()


@pytest.fixture
def cilium(api):
    """Cilium 1.18 or newer, and the Node worker-3 that it selects."""
    api.ready_node()
    with selecting(api, ["worker-3"]) as made:
        yield made


@pytest.fixture
def make_agent(api):
    """make_agent(node=..., name=...): one more agent; who makes it ends it."""
    return partial(Agent, api)


@pytest.fixture
def agent(cilium, make_agent):
    made = make_agent()
    yield made
    made.end()
    assert cilium


@pytest.fixture
def old_cilium(api):
    """Cilium 1.16 or 1.17: the same with the BGP kinds in v2alpha1 only."""
    api.ready_node()
    with selecting(api, ["worker-3"], version="v2alpha1") as made:
        yield made


@pytest.fixture
def kubelets(api, tmp_path):
    """Nodes worker-1 to worker-3 with kubelets that pull images."""
    made = Kubelets(api, tmp_path, ["worker-1", "worker-2", "worker-3"])
    yield made
    made.end()


@pytest.fixture
def selected(api, kubelets):
    """The same nodes, selected by Cilium's ClusterConfig rack-1."""
    with selecting(api, kubelets.names) as made:
        yield made


@pytest.fixture
def kubelet(api):
    """It ends pods that were deleted: the real thing's part in a drain."""
    with in_a_thread(api.kubeconfig):
        yield
