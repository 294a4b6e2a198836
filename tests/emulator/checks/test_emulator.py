# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The emulator itself: what it says of itself, what it refuses, its log, exec and log of pods, its size."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aiohttp
import kubernetes.client
import kubernetes.config
import kubernetes.stream
import pytest
import yaml
from emulator.client import Api, AsyncApi, eventually
from emulator.process import Process

Json = dict[str, Any]

_PODS = "/api/v1/namespaces/default/pods"


@pytest.fixture
def api(process: Process) -> Api:
    """Its administrator."""
    return Api(process.kubeconfig)


@pytest.fixture
def pod(api: Api) -> Iterator[str]:
    """A running pod with one container."""
    spec = {"nodeName": "n", "containers": [{"name": "agent", "image": "i"}]}
    name: str = api.post(_PODS, {"metadata": {"generateName": "agent-"}, "spec": spec}).of(201)["metadata"]["name"]
    yield name
    api.delete(f"{_PODS}/{name}", {"gracePeriodSeconds": 0})


def test_models_list_what_is_served(api: Api) -> None:
    models = api.get("/_emulator/models").of(200)
    assert models["version"].endswith("-emulated")
    kinds = {(item["apiVersion"], item["kind"]) for item in models["resources"]}
    assert {("v1", "Node"), ("policy/v1", "PodDisruptionBudget"), ("coordination.k8s.io/v1", "Lease")} <= kinds
    assert models["features"]
    assert models["refused"]


@pytest.mark.parametrize(
    "path",
    [
        "/apis/apps/v1/statefulsets",
        "/apis/batch/v1/jobs",
        "/apis/networking.k8s.io/v1/ingresses",
        "/api/v1/persistentvolumes",
    ],
)
def test_built_in_kind_that_is_not_modelled_is_501(api: Api, path: str) -> None:
    status = api.get(path).of(501)
    assert (status["kind"], status["reason"]) == ("Status", "NotImplemented")
    assert "does not model" in status["message"]


def test_what_is_not_modelled_of_a_served_kind_is_501(api: Api, pod: str) -> None:
    assert api.patch("/api/v1/namespaces/default", {}, "application/apply-patch+yaml").status == 501
    assert api.get("/apis/apps/v1/namespaces/default/deployments/x/scale").status == 501
    assert api.get(f"{_PODS}/{pod}/portforward").status == 501
    assert api.get(f"{_PODS}/{pod}/log", follow="true").status == 501


def test_user_of_a_certificate_has_its_groups(api: Api, tmp_path: Path) -> None:
    file = tmp_path / "alice.kubeconfig"
    file.write_bytes(api.post("/_emulator/kubeconfig", {"user": "alice", "groups": ["dev", "ops"]}).body)
    alice = Api(file)
    path = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
    info = alice.post(path, {}).of(201)["status"]["userInfo"]
    assert (info["username"], info["groups"]) == ("alice", ["dev", "ops", "system:authenticated"])
    assert 'User "alice" cannot list resource "nodes"' in alice.get("/api/v1/nodes").of(403)["message"]
    assert alice.get("/_emulator/requests").status == 403


def test_certificate_of_another_authority_is_refused(process: Process, tmp_path: Path) -> None:
    other = Process(tmp_path / "other")
    config = yaml.safe_load(other.kubeconfig.read_text())
    ours = yaml.safe_load(process.kubeconfig.read_text())
    config["clusters"] = ours["clusters"]
    file = tmp_path / "mixed.kubeconfig"
    file.write_text(yaml.safe_dump(config))
    try:
        with pytest.raises(Exception, match=r"(?i)unknown ca|certificate|reset|closed"):
            Api(file).get("/api/v1/nodes")
    finally:
        other.stop()


def test_log_of_requests(api: Api) -> None:
    last = api.get("/_emulator/requests").of(200)["requests"]
    seen = last[-1]["n"] if last else 0
    api.get("/api/v1/nodes", labelSelector="a=b")
    api.post("/api/v1/namespaces/default/configmaps", {"metadata": {"name": "dry"}}, dryRun="All")
    api.patch("/api/v1/nodes/nothing", {"a": "b"})
    entries = api.get("/_emulator/requests", since=seen).of(200)["requests"]
    shown = [(item["method"], item["path"], item["status"], item["dry_run"]) for item in entries]
    assert shown == [
        ("GET", "/api/v1/nodes", 200, False),
        ("POST", "/api/v1/namespaces/default/configmaps", 201, True),
        ("PATCH", "/api/v1/nodes/nothing", 404, False),
    ]
    assert entries[0]["query"] == {"labelSelector": "a=b"}
    assert entries[2]["body_bytes"] == len(json.dumps({"a": "b"}))
    assert {item["user"] for item in entries} == {"kubernetes-admin"}
    assert [item["n"] for item in entries] == [seen + 1, seen + 2, seen + 3]


class Agent:
    """An exec backend in a thread: `fail` exits 3, everything else is echoed."""

    def __init__(self, process: Process, pod: str) -> None:
        self._target = (process.kubeconfig, pod)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_until_complete, args=(self._serve(),), daemon=True)
        self._ready = threading.Event()
        self._socket: aiohttp.ClientWebSocketResponse | None = None

    def __enter__(self) -> Agent:
        self._thread.start()
        assert self._ready.wait(120)
        return self

    def __exit__(self, *_: object) -> None:
        assert self._socket is not None
        asyncio.run_coroutine_threadsafe(self._socket.close(), self._loop)
        self._thread.join(10)

    async def _serve(self) -> None:
        path = f"/_emulator/exec-backend?namespace=default&pod={self._target[1]}"
        async with (
            AsyncApi(self._target[0], user_agent="agent") as client,
            client.session().ws_connect(client.server + path) as socket,
        ):
            self._socket = socket
            self._ready.set()
            async for message in socket:
                request = json.loads(message.data)
                answer: Json = {"id": request["id"], "stdout": f"{request['container']}: {request['argv']}\n"}
                if request["argv"][0] == "fail":
                    answer |= {"stderr": "no such luck\n", "rc": 3}
                await socket.send_json(answer)


def test_exec_by_the_python_client(process: Process, pod: str) -> None:
    core = kubernetes.client.CoreV1Api(kubernetes.config.new_client_from_config(str(process.kubeconfig)))
    with Agent(process, pod):
        arguments = {"stderr": True, "stdin": False, "stdout": True, "tty": False}
        call = core.connect_get_namespaced_pod_exec
        text = kubernetes.stream.stream(call, pod, "default", command=["echo", "x y"], **arguments)
        assert text == "agent: ['echo', 'x y']\n"
        client = kubernetes.stream.stream(call, pod, "default", command=["fail"], _preload_content=False, **arguments)
        client.run_forever(timeout=120)
        assert client.read_stdout() == "agent: ['fail']\n"
        assert client.read_stderr() == "no such luck\n"
        assert client.returncode == 3


def test_exec_by_kubectl(kubectl_program: str, process: Process, pod: str, tmp_path: Path) -> None:
    environment = {**os.environ, "KUBECONFIG": str(process.kubeconfig), "HOME": str(tmp_path)}

    def run(*argv: str) -> subprocess.CompletedProcess[str]:
        command = [kubectl_program, "exec", pod, "-c", "agent", "--", *argv]
        return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300, check=False)

    with Agent(process, pod):
        good, bad = run("echo", "x"), run("fail")
    assert (good.returncode, good.stdout) == (0, "agent: ['echo', 'x']\n")
    assert bad.returncode == 3
    assert "no such luck" in bad.stderr


def test_exec_without_an_agent_or_container_or_right(process: Process, api: Api, pod: str) -> None:
    path = f"{_PODS}/{pod}/exec"
    assert (
        api.get(path, command="x", container="other").of(400)["message"]
        == f"container other is not valid for pod {pod}"
    )
    assert api.get(path, command="x").of(400)["message"] == "Upgrade request required"
    accounts = "/api/v1/namespaces/default/serviceaccounts/default"
    eventually(lambda: api.get(accounts).status == 200)
    token = api.post(f"{accounts}/token", {}).of(201)["status"]["token"]
    assert 'resource "pods/exec"' in Api(process.kubeconfig, token=token).get(path, command="x").of(403)["message"]
    core = kubernetes.client.CoreV1Api(kubernetes.config.new_client_from_config(str(process.kubeconfig)))
    with pytest.raises(kubernetes.client.exceptions.ApiException) as caught:
        kubernetes.stream.stream(core.connect_get_namespaced_pod_exec, pod, "default", command=["x"])
    assert "500" in str(caught.value)


def test_exec_needs_get_and_create(process: Process, api: Api, pod: str) -> None:
    rbac = "/apis/rbac.authorization.k8s.io/v1/namespaces/default"
    accounts = "/api/v1/namespaces/default/serviceaccounts"
    api.post(accounts, {"metadata": {"name": "execs"}}).of(201)
    rules = [{"apiGroups": [""], "resources": ["pods/exec"], "verbs": ["get"]}]
    api.post(f"{rbac}/roles", {"metadata": {"name": "execs"}, "rules": rules}).of(201)
    reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "execs"}
    subjects = [{"kind": "ServiceAccount", "name": "execs", "namespace": "default"}]
    api.post(f"{rbac}/rolebindings", {"metadata": {"name": "execs"}, "roleRef": reference, "subjects": subjects}).of(
        201
    )
    token = api.post(f"{accounts}/execs/token", {}).of(201)["status"]["token"]
    user = Api(process.kubeconfig, token=token)
    path = f"{_PODS}/{pod}/exec"
    assert 'cannot create resource "pods/exec"' in user.get(path, command="x").of(403)["message"]
    rules[0]["verbs"] = ["get", "create"]
    api.patch(f"{rbac}/roles/execs", {"rules": rules}).of(200)
    assert user.get(path, command="x").status == 400


def test_log_of_a_pod(api: Api, pod: str) -> None:
    text = b"one\ntwo\nthree\n"
    path = f"/_emulator/pod-log?namespace=default&pod={pod}&container=agent"
    api.call("POST", path, text, content_type="text/plain").of(200)
    assert api.get(f"{_PODS}/{pod}/log").body == text
    assert api.get(f"{_PODS}/{pod}/log", tailLines=2, container="agent").body == b"two\nthree\n"
    assert api.get(f"{_PODS}/{pod}/log", limitBytes=3).body == b"one"
    assert api.get(f"{_PODS}/{pod}/log", sinceTime="2099-01-01T00:00:00Z").body == b""
    assert api.get(f"{_PODS}/{pod}/log", timestamps="true").body.splitlines()[0].endswith(b" one")
    assert api.get(f"{_PODS}/{pod}/log", container="other").status == 400


def test_pods_of_a_removed_node_are_removed(api: Api) -> None:
    api.post("/api/v1/nodes", {"metadata": {"name": "short-lived"}}).of(201)
    spec = {"nodeName": "short-lived", "containers": [{"name": "c", "image": "i"}]}
    api.post(_PODS, {"metadata": {"name": "short-lived"}, "spec": spec}).of(201)
    api.delete("/api/v1/nodes/short-lived").of(200)
    eventually(lambda: api.get(f"{_PODS}/short-lived").status == 404)


def test_body_of_more_than_3_mib_is_413(api: Api) -> None:
    body = {"metadata": {"name": "large"}, "data": {"x": "y" * (3 * 1024 * 1024)}}
    assert api.post("/api/v1/namespaces/default/configmaps", body).of(413)["reason"] == "RequestEntityTooLarge"


def test_five_thousand_pods_are_listed_in_pages_and_watched(api: Api) -> None:
    """One list in pages of 500 and one watch; that is how the collection reads them."""
    namespace = {"metadata": {"name": "many"}}
    api.post("/api/v1/namespaces", namespace).of(201)
    path = "/api/v1/namespaces/many/pods"
    for number in range(5000):
        spec = {"nodeName": f"n{number % 1000}", "containers": [{"name": "c", "image": "i"}]}
        api.post(path, {"metadata": {"name": f"p{number:04}"}, "spec": spec}).of(201)
    names: list[str] = []
    token = ""
    while True:
        page = api.get(path, limit=500, **({"continue": token} if token else {})).of(200)
        names += [item["metadata"]["name"] for item in page["items"]]
        token = page["metadata"].get("continue", "")
        if not token:
            break
    assert names == [f"p{number:04}" for number in range(5000)]
    on_one = api.get("/api/v1/pods", fieldSelector="spec.nodeName=n7").of(200)["items"]
    assert len(on_one) == 5
    api.delete("/api/v1/namespaces/many").of(200)
    api.delete(path, gracePeriodSeconds=0).of(200)
    eventually(lambda: api.get("/api/v1/namespaces/many").status == 404, patience=300)


def test_help_says_what_it_is() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "emulator", "--help"],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        timeout=300,
        check=True,
    )
    assert "emulator of the Kubernetes API" in done.stdout
