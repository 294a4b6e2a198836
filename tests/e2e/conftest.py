# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The shipped playbooks, run as a user runs them, in a lab of machines."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from kubernetes import config, dynamic
from lab import cli, lifecycle, network, rights
from lab import settings as s
from lab.cluster import ADVERTISE
from lab.settings import LabSettings
from lab.state import Lab

TOP = Path(__file__).resolve().parents[2]
ANSIBLE_PLAYBOOK = str(Path(sys.executable).with_name("ansible-playbook"))
# Seconds. Whatever takes longer hangs, however busy the machine is.
HANGS = 900


def lab_name(name: str) -> str:
    """The name of a lab of this process: the tests run in several ones side by side."""
    return name + os.environ.get("PYTEST_XDIST_WORKER", "").removeprefix("gw")


@dataclass
class Play:
    """How a playbook ended."""

    code: int
    output: str

    @property
    def recap(self) -> dict[str, int]:
        """Sums of the recap's counts over all hosts: ok, changed, unreachable, failed, ..."""
        counts: dict[str, int] = {}
        for key, number in re.findall(r"(\w+)=(\d+)", self.output.partition("PLAY RECAP")[2]):
            counts[key] = counts.get(key, 0) + int(number)
        return counts


class Cluster:
    """A lab, and the API server behind it as its administrator sees it."""

    def __init__(self, lab: Lab, reports: Path) -> None:
        self.lab = lab
        self.reports = reports
        self.node = next(iter(lab.nodes))
        self.environment = rights.environment(lab)
        self._client = dynamic.DynamicClient(config.new_client_from_config(lab.api["admin_kubeconfig"]))

    def play(self, playbook: str, *arguments: str, inventory: Path | None = None, **variables: Any) -> Play:
        """The playbook's end; it gets the lab's inventory and the rights of docs/manifests/rbac.yml, no more."""
        return self.ended(self.start(playbook, *arguments, inventory=inventory, **variables))

    @staticmethod
    def ended(process: subprocess.Popen[str]) -> Play:
        """The end of a playbook that was started."""
        output, _unused = process.communicate(timeout=HANGS)
        return Play(process.returncode, output)

    def start(
        self, playbook: str, *arguments: str, inventory: Path | None = None, **variables: Any
    ) -> subprocess.Popen[str]:
        """The running playbook, in a process group of its own; its output goes to a pipe."""
        variables = {"report_dir": str(self.reports)} | variables
        return subprocess.Popen(
            [
                ANSIBLE_PLAYBOOK,
                "-i",
                str(inventory or self.lab.dir / "inventory.yml"),
                f"playbooks/{playbook}",
                *arguments,
                "-e",
                json.dumps(variables),
            ],
            cwd=TOP,
            env=self.environment | {"ANSIBLE_NOCOLOR": "1"},
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    @staticmethod
    def when(condition: Callable[[], bool], process: subprocess.Popen[str]) -> None:
        """Returns as soon as the condition holds, while the playbook runs on."""
        deadline = time.monotonic() + HANGS
        while not condition():
            assert process.poll() is None, f"the playbook ended before it was so:\n{process.communicate()[0]}"
            assert time.monotonic() < deadline, "it was never so"
            time.sleep(0.05)

    def kill_when(self, condition: Callable[[], bool], process: subprocess.Popen[str]) -> str:
        """Kills a playbook, with all that it has started, as soon as the condition holds; returns what it had said."""
        deadline = time.monotonic() + HANGS
        while not condition():
            assert process.poll() is None, f"the playbook ended before it could be killed:\n{process.communicate()[0]}"
            assert time.monotonic() < deadline, "the moment to kill the playbook never came"
            time.sleep(0.05)
        os.killpg(process.pid, signal.SIGKILL)
        return process.communicate()[0]

    def get(
        self, kind: str, name: str, *, api_version: str = "v1", namespace: str | None = None
    ) -> dict[str, Any] | None:
        """An object as a dict, None if there is none."""
        resource = self._client.resources.get(api_version=api_version, kind=kind)
        try:
            return resource.get(name=name, namespace=namespace).to_dict()
        except dynamic.exceptions.NotFoundError:
            return None

    def pods(self, selector: str) -> list[dict[str, Any]]:
        """The pods of the lab's namespace that a label selector finds and that are not on their way out."""
        resource = self._client.resources.get(api_version="v1", kind="Pod")
        found = resource.get(namespace=self.lab.settings.name, label_selector=selector).to_dict()["items"]
        return [pod for pod in found if not pod["metadata"].get("deletionTimestamp")]

    def state(self, node: str | None = None) -> dict[str, Any]:
        """What a maintenance changes of a node: {label, unschedulable, record}."""
        found = self.get("Node", node or self.node)
        assert found
        annotations = found["metadata"].get("annotations") or {}
        record = annotations.get("hitless.nodes/record")
        return {
            "label": found["metadata"]["labels"].get("enable-bgp"),
            "unschedulable": bool(found["spec"].get("unschedulable")),
            "record": json.loads(record) if record else None,
        }

    def phase(self) -> str | None:
        """The phase in the node's record."""
        record = self.state()["record"]
        return record["phase"] if record else None

    def deselected(self) -> bool:
        """Whether Cilium's operator has followed the label."""
        return self.get("CiliumBGPNodeConfig", self.node, api_version="cilium.io/v2") is None

    def patch_node(self, patch: dict[str, Any], *, manager: str = "somebody-else", name: str | None = None) -> None:
        """A merge patch of the node, or of another one, by somebody else."""
        self._client.resources.get(api_version="v1", kind="Node").patch(
            body=patch, name=name or self.node, content_type="application/merge-patch+json", field_manager=manager
        )

    def label(self, node: str, key: str, value: str) -> str:
        """Sets a node's label; the value that it had."""
        found = self.get("Node", node)
        assert found
        self.patch_node({"metadata": {"labels": {key: value}}}, name=node)
        return str(found["metadata"]["labels"][key])

    def patch(self, kind: str, name: str, patch: dict[str, Any], *, api_version: str) -> None:
        """A strategic merge patch of an object in the lab's namespace by somebody else."""
        self._client.resources.get(api_version=api_version, kind=kind).patch(
            body=patch,
            name=name,
            namespace=self.lab.settings.name,
            content_type="application/strategic-merge-patch+json",
        )

    def delete_pod(self, name: str) -> None:
        """Deletes a pod in the lab's namespace."""
        self._client.resources.get(api_version="v1", kind="Pod").delete(name=name, namespace=self.lab.settings.name)

    def allow_agents_to_be_asked(self) -> None:
        """Gives the playbooks the right to run commands in the pods of Cilium's agents."""
        namespace, name = self.lab.settings.name, "node-maintenance-agents"
        rules = [{"apiGroups": [""], "resources": ["pods/exec"], "verbs": ["get", "create"]}]
        account = {"kind": "ServiceAccount", "name": "node-maintenance", "namespace": "hitless"}
        role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": name}
        for kind, more in (
            ("Role", {"rules": rules}),
            ("RoleBinding", {"roleRef": role, "subjects": [account]}),
        ):
            body = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": kind, "metadata": {"name": name}, **more}
            resource = self._client.resources.get(api_version=body["apiVersion"], kind=kind)
            with contextlib.suppress(dynamic.exceptions.ConflictError):
                resource.create(body=body, namespace=namespace)

    def changed_inventory(self, folder: Path, change: Callable[[dict[str, Any]], Any]) -> Path:
        """A copy of the lab's inventory in which something was changed."""
        content = yaml.safe_load((self.lab.dir / "inventory.yml").read_text())
        change(content)
        path = folder / "inventory.yml"
        path.touch(mode=0o600)
        path.write_text(yaml.safe_dump(content))
        return path

    def inventory_without_routers(self, folder: Path) -> Path:
        """The lab's inventory for somebody who can't log in to its routers."""
        return self.changed_inventory(folder, lambda content: content.pop("routers"))

    def last_request(self) -> int:
        """The number of the latest request in the emulator's log."""
        return rights.emulator(self.lab, "GET", "/_emulator/requests")["requests"][-1]["n"]

    def playbooks_requests(self, since: int) -> list[dict[str, Any]]:
        """What the playbooks' service account has asked since that number, oldest first."""
        log = rights.emulator(self.lab, "GET", f"/_emulator/requests?since={since}")["requests"]
        return [one for one in log if (one["user"] or "").startswith("system:serviceaccount:")]

    def playbooks_writes(self, since: int) -> list[dict[str, Any]]:
        """Those of them that change something."""
        return [one for one in self.playbooks_requests(since) if one["method"] not in ("GET", "HEAD")]

    def knob(self, setting: str) -> None:
        """Turns a knob of the stand-ins."""
        assert cli.main(["knob", "--name", self.lab.settings.name, setting]) == 0

    def announce_pods(self, announced: bool) -> None:
        """Has the nodes announce their PodCIDRs, or not; returns when the routers have followed."""
        name = self.lab.settings.name
        # By this label the lab's CiliumBGPPeerConfigs find an advertisement.
        labels = {ADVERTISE: name if announced else None}
        self._client.resources.get(api_version="cilium.io/v2", kind="CiliumBGPAdvertisement").patch(
            body={"metadata": {"labels": labels}}, name=f"{name}-pods", content_type="application/merge-patch+json"
        )
        cidrs = [cidr for i, _unused in enumerate(s.NODES, 1) for cidr in s.pod_cidrs(i)]
        deadline = time.monotonic() + HANGS
        while any(bool(network.next_hops(router, cidr)) != announced for router in self.lab.routers for cidr in cidrs):
            assert time.monotonic() < deadline, f"it was never so that PodCIDRs are announced: {announced}"
            time.sleep(0.1)

    def routers_send_to_node(self) -> bool:
        """Whether any router's kernel still has the node as a next hop."""
        return bool(lifecycle.routers_sending_to(self.lab, self.node))


IN_SERVICE = {"label": "true", "unschedulable": False, "record": None}


class LabKeeper:
    """Keeps one lab up for all tests, and makes it new where a test has left it damaged."""

    def __init__(self, settings: LabSettings) -> None:
        self.settings = settings
        self.lab = lifecycle.up(settings)

    def cluster(self, reports: Path) -> Cluster:
        """The lab with its node in service."""
        found = Cluster(self.lab, reports)
        if found.state() != IN_SERVICE or not self.lab.machines[found.node].running():
            lifecycle.down(self.settings.name)
            self.lab = lifecycle.up(self.settings)
            found = Cluster(self.lab, reports)
        # Pods that the test before has sent away may be on their way back, and with them their VIPs.
        lifecycle.wait_for_routes(self.lab)
        return found


# FRR 8.4 and GoBGP 3.36, or FRR 10 and GoBGP 3.10, which leaves stale routes behind.
OLDER, NEWER = "frr-8.4", "frr-10"
VERSIONS = [OLDER, pytest.param(NEWER, marks=[pytest.mark.long, pytest.mark.xdist_group(NEWER)])]


@pytest.fixture(scope="session")
def keepers() -> Iterator[Callable[[str], LabKeeper]]:
    """The keeper of the lab with these versions; made when it is asked for the first time."""
    settings = {
        OLDER: LabSettings(lab_name("e2e"), scenario="hard-reset"),
        NEWER: LabSettings(lab_name("e2en"), scenario="stale", frr="10", restart_time=10),
    }
    made: dict[str, LabKeeper] = {}

    def keeper(versions: str) -> LabKeeper:
        if versions not in made:
            made[versions] = LabKeeper(settings[versions])
        return made[versions]

    yield keeper
    for each in made.values():
        lifecycle.down(each.settings.name)
        assert lifecycle.leftovers(each.settings.name) == []


@pytest.fixture
def cluster(request: pytest.FixtureRequest, keepers: Callable[[str], LabKeeper], tmp_path: Path) -> Iterator[Cluster]:
    """The lab with its node in service; marked with both_versions, a test runs in both labs."""
    found = keepers(getattr(request, "param", OLDER)).cluster(tmp_path / "reports")
    yield found
    (found.lab.dir / "knobs.json").write_text("{}")


both_versions = pytest.mark.parametrize("cluster", VERSIONS, indirect=True)
