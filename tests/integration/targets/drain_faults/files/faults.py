# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Three API servers with nodes that are hard to drain, and what goes wrong with them while they are being drained.

Needs PYTHONPATH with the package lab. `up` runs until SIGTERM; the others ask something of it.
"""

from __future__ import annotations

import argparse
import base64
import json
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import urllib3.exceptions
from emulator.client import Api, eventually
from emulator.process import KubeletProcess, Process

Json = dict[str, Any]

OTHER = "other"
PODS = "/api/v1/namespaces/default/pods"
BUDGETS = "/apis/policy/v1/namespaces/default/poddisruptionbudgets"
ACCOUNTS = "/api/v1/namespaces/default/serviceaccounts"
ACCOUNT = "system:serviceaccount:default:drainer"
OWNERS = "/api/v1/namespaces/default/configmaps"
KEEP = "example.org/keep"
MIRROR = {"kubernetes.io/config.mirror": "hash"}
# How long the API is away: longer than a slice of a drain, and longer than the timeout of the second one.
AWAY = {"away": 60, "clock": 25}


class Cluster:
    """An API server and the kubelets of its nodes. A user for each node drains it, so that the log tells who asked."""

    def __init__(self, folder: Path, name: str, dead: list[str] | None = None) -> None:
        self.folder = folder
        self.emulator = Process(folder / name)
        self.api = Api(self.emulator.kubeconfig)
        self.owner: Json = self.api.post(OWNERS, {"metadata": {"name": "owner"}}).of(201)["metadata"]
        options = [word for node in dead or [] for word in ("--dead", node)]
        self.kubelet = KubeletProcess(self.emulator.kubeconfig, "--end", "0.5", *options)
        self.node(OTHER)

    def end(self) -> None:
        self.kubelet.stop()
        self.emulator.stop()

    def node(self, name: str, *, ready: str = "True") -> None:
        """A node, and the kubeconfig of the user who drains it."""
        self.api.post("/api/v1/nodes", {"metadata": {"name": name}}).of(201)
        condition = {"type": "Ready", "status": ready, "lastHeartbeatTime": "2026-01-01T00:00:00Z"}
        self.api.patch(f"/api/v1/nodes/{name}/status", {"status": {"conditions": [condition]}}).of(200)
        wanted = {"user": name, "groups": ["system:masters"]}
        self.write(name, self.api.post("/_emulator/kubeconfig", wanted).body)

    def write(self, name: str, content: bytes) -> None:
        path = self.folder / f"{name}.kubeconfig"
        path.write_bytes(content)
        path.chmod(0o600)

    def pod(self, node: str, name: str, kind: str = "ReplicaSet", *, emptydir: bool = False, **metadata: Any) -> None:
        """A pod that is Ready; kind: of its controller, empty for none."""
        owner = {"apiVersion": "apps/v1", "kind": kind, "name": "owner", "uid": self.owner["uid"], "controller": True}
        volumes = [{"name": "data", "emptyDir": {}}] if emptydir else []
        body = {
            "metadata": {"name": name, "ownerReferences": [owner] if kind else [], **metadata},
            "spec": {
                "nodeName": node,
                "terminationGracePeriodSeconds": 1,
                "containers": [{"name": "main", "image": "i"}],
                "volumes": volumes,
            },
        }
        self.api.post(PODS, body).of(201)
        status = {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}
        self.api.patch(f"{PODS}/{name}/status", {"status": status}).of(200)

    def budget(self, name: str, app: str, minimum: int) -> None:
        spec = {"minAvailable": minimum, "selector": {"matchLabels": {"app": app}}}
        self.api.post(BUDGETS, {"metadata": {"name": name}, "spec": spec}).of(201)
        eventually(lambda: "observedGeneration" in self.api.get(f"{BUDGETS}/{name}").of(200)["status"])

    def fault(self, **knobs: Any) -> None:
        self.api.post("/_emulator/faults", knobs).of(200)

    def watched_by(self, user: str) -> None:
        """Returns when a drain has asked for its two evictions and watches its pods: it is in the middle."""

        def so() -> bool:
            asked = self.emulator.requests(user)
            evicted = sum(entry["path"].endswith("/eviction") and entry["status"] == 201 for entry in asked)
            return evicted == 2 and any(entry["query"].get("watch") for entry in asked)

        eventually(so, patience=900)


def write_token(api: Api, folder: Path) -> None:
    """A kubeconfig with a new token of the service account."""
    config = json.loads((folder / "main" / "admin.kubeconfig").read_text())
    answer = api.post(f"{ACCOUNTS}/drainer/token", {"spec": {}}).of(201)
    config["users"][0]["user"] = {"token": answer["status"]["token"]}
    path = folder / "token.kubeconfig"
    path.write_text(json.dumps(config))
    path.chmod(0o600)


def refusals(cluster: Cluster) -> None:
    """One node with every reason for which an eviction is refused or doesn't end (fault 36)."""
    cluster.node("stuck")
    for name in ("db-0", "db-1"):
        cluster.pod("stuck", name, "StatefulSet", labels={"app": "db"})
    cluster.budget("db", "db", 2)
    cluster.pod("stuck", "backup", finalizers=[KEEP])
    cluster.pod("stuck", "guarded")
    cluster.pod("stuck", "twice", labels={"app": "twice"})
    for name in ("first", "second"):
        cluster.budget(name, "twice", 0)
    denied = 'admission webhook "guard.example.org" denied the request: not during business hours'
    rule = {"user": "^stuck$", "method": "POST", "path": "pods/guarded/eviction", "status": 403, "message": denied}
    cluster.fault(rules=[rule])
    # Flow control is about the API server as a whole, so it has nodes of its own: for a while, and for ever.
    busy = {"method": "POST", "path": "/eviction$", "status": 429, "retry_after": 1}
    busy["message"] = "Too many requests, please try again later."
    for node, count in (("busy", {"count": 2}), ("overloaded", {})):
        cluster.node(node)
        cluster.pod(node, f"{node}-0")
        cluster.fault(rules=[{"user": f"^{node}$", **busy, **count}])


def kinds(cluster: Cluster) -> None:
    """Pods that a drain has to look at twice (fault 37)."""
    cluster.node("mixed")
    cluster.pod("mixed", "bare", "")
    cluster.pod("mixed", "cache", emptydir=True)
    cluster.pod("mixed", "static", "Node", annotations=MIRROR)
    cluster.pod("mixed", "agent", "DaemonSet")
    labels = {"app": "agent"}
    template = {
        "metadata": {"labels": labels},
        "spec": {"nodeSelector": {"no": "such-node"}, "containers": [{"name": "c"}]},
    }
    daemonset = {"metadata": {"name": "owner"}, "spec": {"selector": {"matchLabels": labels}, "template": template}}
    cluster.api.post("/apis/apps/v1/namespaces/default/daemonsets", daemonset).of(201)
    cluster.node("stateful")
    cluster.pod("stateful", "queue-0", "StatefulSet")
    cluster.pod("stateful", "slow", finalizers=[KEEP])
    cluster.node("dead", ready="Unknown")
    cluster.pod("dead", "lost")


def comes_back(cluster: Cluster) -> None:
    """As a StatefulSet does: the pod's successor has its name, and only then does the last pod of the node end."""
    before = cluster.api.get(f"{PODS}/queue-0").of(200)["metadata"]["uid"]
    eventually(lambda: cluster.api.get(f"{PODS}/queue-0").status == 404, patience=900)
    cluster.pod(OTHER, "queue-0", "StatefulSet")
    assert cluster.api.get(f"{PODS}/queue-0").of(200)["metadata"]["uid"] != before
    cluster.api.patch(f"{PODS}/slow", {"metadata": {"finalizers": None}}).of(200)


def outages(cluster: Cluster) -> None:
    """Requests in the middle of a drain are cut or answered with 503 (fault 1)."""
    for node, what in (("reset", {"reset": True}), ("unavailable", {"status": 503})):
        cluster.node(node)
        for number in range(3):
            cluster.pod(node, f"{node}-{number}")
        evictions = {"user": f"^{node}$", "path": "/eviction$", "count": 3, **what}
        cluster.fault(rules=[evictions, {"user": f"^{node}$", "query": "watch", "count": 2, **what}])


def goes_away(cluster: Cluster, name: str) -> None:
    """The whole API server is away in the middle of a drain, and what keeps a pod ends when it is back (fault 1)."""
    cluster.watched_by(name)
    cluster.fault(refuse=AWAY[name])
    time.sleep(1)

    def freed() -> bool:
        try:
            return cluster.api.patch(f"{PODS}/{name}-1", {"metadata": {"finalizers": None}}).status == 200
        except urllib3.exceptions.HTTPError:
            return False

    if name == "away":
        eventually(freed, patience=900)


def expiry(cluster: Cluster) -> None:
    """A drain with a token (fault 46)."""
    cluster.node("token")
    cluster.pod("token", "token-0")
    cluster.pod("token", "token-1", finalizers=[KEEP])
    cluster.api.post(ACCOUNTS, {"metadata": {"name": "drainer"}}).of(201)
    rbac = "rbac.authorization.k8s.io"
    binding = {
        "metadata": {"name": "drainer"},
        "subjects": [{"kind": "ServiceAccount", "name": "drainer", "namespace": "default"}],
        "roleRef": {"kind": "ClusterRole", "name": "cluster-admin", "apiGroup": rbac},
    }
    cluster.api.post(f"/apis/{rbac}/v1/clusterrolebindings", binding).of(201)
    write_token(cluster.api, cluster.folder)


def expires(cluster: Cluster) -> None:
    cluster.watched_by(ACCOUNT)
    cluster.fault(expire_tokens=True)
    cluster.fault(drop_watches=True)


def large(cluster: Cluster) -> None:
    """A node, and a kubeconfig whose authority needs 750 kB when the client writes it into a file (fault 44)."""
    cluster.node("full")
    cluster.pod("full", "full-0")
    config = json.loads((cluster.folder / "full.kubeconfig").read_text())
    certificate = Path(cluster.emulator.about["ca"]).read_bytes()
    # What stands between certificates is no certificate.
    padded = certificate + b"no certificate\n" * 50_000
    config["clusters"][0]["cluster"]["certificate-authority-data"] = base64.b64encode(padded).decode()
    cluster.write("full", json.dumps(config).encode())


def up(folder: Path) -> None:
    """Everything is there when FOLDER/ready is."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_unused: stop.set())
    # Where the disk that is full will be mounted.
    (folder / "disk").mkdir()
    (folder / "pid").write_text(str(threading.get_native_id()))
    main = Cluster(folder, "main", dead=["dead"])
    away, clock = Cluster(folder, "away"), Cluster(folder, "clock")
    try:
        for make in (refusals, kinds, outages, expiry):
            make(main)
        large(main)
        for cluster, name in ((away, "away"), (clock, "clock")):
            cluster.node(name)
            # The second is left when the API is back.
            cluster.pod(name, f"{name}-0")
            cluster.pod(name, f"{name}-1", finalizers=[KEEP])
        scripts: list[Callable[[], None]] = [
            lambda: comes_back(main),
            lambda: expires(main),
            lambda: goes_away(away, "away"),
            lambda: goes_away(clock, "clock"),
        ]
        for script in scripts:
            threading.Thread(target=script, daemon=True).start()
        (folder / "ready").touch()
        stop.wait()
    finally:
        for cluster in (main, away, clock):
            cluster.end()


def seen(api: Api, node: str) -> Json:
    """What is on a node now, and what the user who drains it has asked for."""
    log = api.get("/_emulator/requests", since=0).of(200)["requests"]
    user = ACCOUNT if node == "token" else node
    asked = [entry for entry in log if entry["user"] == user]
    left = api.get("/api/v1/pods", fieldSelector=f"spec.nodeName={node}").of(200)["items"]
    return {
        "cordoned": bool(api.get(f"/api/v1/nodes/{node}").of(200)["spec"].get("unschedulable")),
        "left": sorted(pod["metadata"]["name"] for pod in left),
        "writes": sum(entry["method"] != "GET" for entry in asked),
        "patches": sum(entry["method"] == "PATCH" for entry in asked),
        "evictions": [entry["status"] for entry in asked if entry["path"].endswith("/eviction")],
    }


def main() -> None:
    """One action; `seen` prints JSON."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("action", choices=["up", "seen", "release", "token"])
    parser.add_argument("cluster", nargs="?", default="main")
    parser.add_argument("names", nargs="*", help="seen: nodes; release: pods")
    options = parser.parse_args()
    if options.action == "up":
        up(options.folder)
        return
    api = Api(options.folder / options.cluster / "admin.kubeconfig")
    if options.action == "seen":
        print(json.dumps({node: seen(api, node) for node in options.names}))
    elif options.action == "release":
        for pod in options.names:
            api.patch(f"{PODS}/{pod}", {"metadata": {"finalizers": None}}).of(200)
    else:
        write_token(api, options.folder)


if __name__ == "__main__":
    main()
