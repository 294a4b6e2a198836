# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The stand-ins in a lab of plain machines with real routers: the label's five hops, power, pods, faults."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import datetime
from functools import partial
from typing import Any

import pytest
from emulator.images import image_id
from lab import cluster, network, settings
from lab.checks.standins_bench import CILIUM, TESTS, Bench, eventually, holds

pytestmark = pytest.mark.long
Object = dict[str, Any]


@pytest.fixture(scope="module")
def started() -> Iterator[Bench]:
    bench = Bench(settings.LabSettings("sit", form="plain", scenario="off"))
    try:
        bench.start()
        yield bench
    finally:
        bench.stop()


def needs_emulator(bench: Bench, why: str) -> None:
    if not bench.lab.api["emulated"]:
        pytest.skip(why)


@pytest.fixture
def bench(started: Bench) -> Iterator[Bench]:
    """Each test begins and ends with everything in service."""
    yield started
    started.knobs()
    for i, machine in enumerate(started.lab.nodes.values(), 1):
        if not machine.running():
            machine.start()
        started.kube("PATCH", f"/api/v1/nodes/{machine.name}", {"spec": {"unschedulable": None}})
        started.label(machine.name, "true")
        eventually(f"{machine.name} in service", partial(started.in_service, i))
    eventually("web pods ready", lambda: web_ready(started) == cluster.REPLICAS)


def web_ready(bench: Bench) -> int:
    return sum(ready(pod) for pod in bench.pods("web") if not pod["metadata"].get("deletionTimestamp"))


def ready(pod: Object) -> bool:
    return any(c["type"] == "Ready" and c["status"] == "True" for c in pod.get("status", {}).get("conditions", []))


def prefixes_of(bench: Bench, i: int) -> set[str]:
    """Prefixes whose FIB next hops on a router include worker-i."""
    found = set()
    for router in bench.lab.routers:
        for v, hop in enumerate(settings.node_addresses(i)):
            found |= {p for p in settings.prefixes(i)[v] if hop in network.next_hops(router, p)}
    return found


# -- the label's hops


def test_label_flip_closes_all_sessions_and_back(bench: Bench) -> None:
    name = bench.node(1)
    assert bench.all_sessions(1) == {"Established"}
    bench.label(name, "false")
    eventually("NodeConfig deleted", lambda: bench.node_config(name) is None)
    assert bench.cilium_label(name) == "false"
    eventually("sessions closed", lambda: "Established" not in bench.all_sessions(1))
    eventually("routes gone", lambda: not prefixes_of(bench, 1))
    assert prefixes_of(bench, 2)  # nobody else's
    bench.label(name, "true")
    eventually("in service again", lambda: bench.in_service(1))
    eventually("routes back", lambda: prefixes_of(bench, 1) == {*settings.prefixes(1)[0], *settings.prefixes(1)[1]})


def test_label_removed_deselects_too(bench: Bench) -> None:
    bench.label(bench.node(1), None)
    eventually("NodeConfig deleted", lambda: bench.node_config(bench.node(1)) is None)
    assert bench.cilium_label(bench.node(1)) is None


def test_excluded_label_stops_at_the_cilium_node(bench: Bench) -> None:
    name = bench.node(1)
    bench.knobs(agents={name: {"exclude_labels": [cluster.LABEL]}})
    bench.label(name, "false")
    holds("CiliumNode, NodeConfig and sessions as before", lambda: bench.cilium_label(name) == "true")
    assert bench.node_config(name) is not None
    assert bench.all_sessions(1) == {"Established"}
    bench.knobs()
    eventually("NodeConfig deleted", lambda: bench.node_config(name) is None)


def test_dead_agent_stops_at_the_cilium_node_and_leaves_a_stale_status(bench: Bench) -> None:
    name = bench.node(1)
    eventually("status", lambda: established(bench, name) == 4)
    bench.knobs(agents={name: {"dead": True}})
    eventually("agent pod not ready", lambda: not ready(bench.agent_pod(name) or {}))
    eventually("sessions lost", lambda: "Established" not in bench.all_sessions(1))
    bench.label(name, "false")
    holds("CiliumNode unchanged", lambda: bench.cilium_label(name) == "true")
    assert bench.node_config(name) is not None
    assert established(bench, name) == 4  # what the dead agent left behind
    assert bench.ready(name) == "True"
    bench.knobs()
    eventually("agent back, deselected", lambda: bench.node_config(name) is None)
    eventually("no sessions", lambda: "Established" not in bench.all_sessions(1))


def test_dead_operator_stops_at_the_node_config(bench: Bench) -> None:
    name = bench.node(1)
    bench.knobs(operator={"dead": True})
    bench.label(name, "false")
    eventually("CiliumNode changed", lambda: bench.cilium_label(name) == "false")
    lease = f"/apis/coordination.k8s.io/v1/namespaces/{bench.name}/leases/cilium-operator-resource-lock"
    renewed = bench.kube("GET", lease)["spec"]["renewTime"]
    holds("NodeConfig still there", lambda: bench.node_config(name) is not None)
    assert bench.all_sessions(1) == {"Established"}
    holds("its lease is not renewed", lambda: bench.kube("GET", lease)["spec"]["renewTime"] == renewed, 1.0)
    bench.knobs()
    eventually("NodeConfig deleted", lambda: bench.node_config(name) is None)
    eventually("lease renewed", lambda: bench.kube("GET", lease)["spec"]["renewTime"] > renewed)


def test_kept_peer_leaves_one_session_up(bench: Bench) -> None:
    name, (tor4, tor6) = bench.node(1), settings.router_addresses(2)
    bench.knobs(agents={name: {"keep_peers": [tor4, tor6]}})
    bench.label(name, "false")
    eventually("NodeConfig deleted", lambda: bench.node_config(name) is None)
    eventually("closed on router 1", lambda: "Established" not in bench.sessions(1, 1).values())
    holds("up on router 2", lambda: set(bench.sessions(2, 1).values()) == {"Established"})
    bench.knobs()
    eventually("closed there too", lambda: "Established" not in bench.all_sessions(1))


def established(bench: Bench, name: str) -> int:
    """Sessions that the NodeConfig's status calls established."""
    status = (bench.node_config(name) or {}).get("status") or {}
    peers = [p for i in status.get("bgpInstances", []) for p in i["peers"]]
    return sum(p["peeringState"] == "established" for p in peers)


def test_status_reporting_off_removes_the_status(bench: Bench) -> None:
    name = bench.node(1)
    config = eventually("status", lambda: established(bench, name) == 4 and bench.node_config(name))
    peer = config["status"]["bgpInstances"][0]["peers"][0]
    assert peer["establishedTime"].endswith("Z")
    assert peer["timers"] == {"appliedHoldTimeSeconds": 9, "appliedKeepaliveSeconds": 3}
    assert peer["routeCount"][0]["advertised"] >= 3
    bench.knobs(agents={name: {"status_reporting": False}})
    eventually("no status", lambda: not (bench.node_config(name) or {"status": 1}).get("status"))
    bench.knobs()
    eventually("status again", lambda: established(bench, name) == 4)


# -- operator


def config_conditions(bench: Bench, name: str) -> dict[str, str]:
    found = bench.kube("GET", f"{CILIUM}/ciliumbgpclusterconfigs/{name}").get("status") or {}
    return {c["type"].removeprefix("cilium.io/"): c["status"] for c in found.get("conditions", [])}


def test_operator_reports_problems_as_conditions(bench: Bench) -> None:
    good = {"NoMatchingNode": "False", "MissingPeerConfigs": "False", "ConflictingClusterConfig": "False"}
    eventually("no problem", lambda: config_conditions(bench, f"{bench.name}-bgp") == good)
    spec = bench.kube("GET", f"{CILIUM}/ciliumbgpclusterconfigs/{bench.name}-bgp")["spec"]
    collection = f"{CILIUM}/ciliumbgpclusterconfigs"
    second: Object = {
        "apiVersion": "cilium.io/v2",
        "kind": "CiliumBGPClusterConfig",
        "metadata": {"name": f"{bench.name}-zz"},
        "spec": spec,
    }
    try:
        bench.kube("POST", collection, second)
        eventually(
            "conflict", lambda: config_conditions(bench, f"{bench.name}-zz").get("ConflictingClusterConfig") == "True"
        )
        assert config_conditions(bench, f"{bench.name}-bgp")["ConflictingClusterConfig"] == "False"
        peer = {"name": "p", "peerASN": 1, "peerAddress": "10.62.0.9", "peerConfigRef": {"name": "none"}}
        alone = {
            "nodeSelector": {"matchLabels": {"rack": "none"}},
            "bgpInstances": [{"name": "i", "localASN": 1, "peers": [peer]}],
        }
        bench.kube("PATCH", f"{collection}/{bench.name}-zz", {"spec": alone})
        expected = {"NoMatchingNode": "True", "MissingPeerConfigs": "True", "ConflictingClusterConfig": "False"}
        eventually("other problems", lambda: config_conditions(bench, f"{bench.name}-zz") == expected)
    finally:
        bench.kube("DELETE", f"{collection}/{bench.name}-zz")


def test_second_config_takes_over_a_flipped_node(bench: Bench) -> None:
    name = bench.node(1)
    spec = bench.kube("GET", f"{CILIUM}/ciliumbgpclusterconfigs/{bench.name}-bgp")["spec"]
    spec.pop("nodeSelector")  # all nodes
    body = {
        "apiVersion": "cilium.io/v2",
        "kind": "CiliumBGPClusterConfig",
        "metadata": {"name": f"{bench.name}-all"},
        "spec": spec,
    }
    bench.kube("POST", f"{CILIUM}/ciliumbgpclusterconfigs", body)
    try:
        bench.label(name, "false")

        def owner() -> str:
            return ((bench.node_config(name) or {"metadata": {}})["metadata"].get("ownerReferences") or [{}])[0].get(
                "name"
            )

        eventually("the other config has it", lambda: owner() == f"{bench.name}-all")
        eventually("sessions are back", lambda: bench.all_sessions(1) == {"Established"})
    finally:
        bench.kube("DELETE", f"{CILIUM}/ciliumbgpclusterconfigs/{bench.name}-all")
    eventually("its NodeConfig is gone with it", lambda: owner() != f"{bench.name}-all")


def test_service_that_no_advertisement_selects_is_withdrawn(bench: Bench) -> None:
    path = f"/api/v1/namespaces/{bench.name}/services/web-2"
    vips = [vip[1] for vip in (settings.VIPS4, settings.VIPS6)]
    router = next(iter(bench.lab.routers))
    bench.kube("PATCH", path, {"metadata": {"labels": {cluster.ADVERTISE: None}}})
    eventually("withdrawn", lambda: not any(network.next_hops(router, vip) for vip in vips))
    assert prefixes_of(bench, 1) == {*settings.prefixes(1)[0], *settings.prefixes(1)[1]} - set(vips)
    bench.kube("PATCH", path, {"metadata": {"labels": {cluster.ADVERTISE: bench.name}}})
    eventually("announced", lambda: all(len(network.next_hops(router, vip)) == 3 for vip in vips))


def test_a_vip_with_policy_local_goes_and_comes_with_its_pod(bench: Bench) -> None:
    name, machine, router = bench.node(1), bench.lab.nodes[bench.node(1)], next(iter(bench.lab.routers))
    (vip4,), (vip6,) = settings.local_vips(1)
    vips = dict(zip((vip4, vip6), settings.node_addresses(1), strict=True))

    def announced() -> list[bool]:
        return [hop in network.next_hops(router, vip) for vip, hop in vips.items()]

    def answered() -> list[bool]:
        own = {a["local"] for link in network.ip_json(machine.netns, "address") for a in link["addr_info"]}
        return [vip.partition("/")[0] in own for vip in vips]

    eventually("announced and answered", lambda: all(announced()) and all(answered()))
    (pod,) = bench.pods("local", name)
    bench.kube("PATCH", f"/api/v1/nodes/{name}", {"spec": {"unschedulable": True}})
    bench.knobs(pods={"termination_seconds": 5})
    bench.kube("DELETE", f"/api/v1/namespaces/{bench.name}/pods/{pod['metadata']['name']}")
    eventually("withdrawn", lambda: not any(announced()))
    assert all(answered())
    eventually("not answered without a pod", lambda: not any(answered()))
    assert prefixes_of(bench, 1) == {*settings.prefixes(1)[0], *settings.prefixes(1)[1]}
    bench.kube("PATCH", f"/api/v1/nodes/{name}", {"spec": {"unschedulable": None}})
    eventually("announced again", lambda: all(announced()))
    assert all(answered())


# -- exec


def test_agent_answers_bgp_peers_by_exec(bench: Bench) -> None:
    from kubernetes import client, config
    from kubernetes.stream import stream

    needs_emulator(bench, "a real API server dials a kubelet for exec, and stand-ins have none")
    name = bench.node(1)
    api = client.CoreV1Api(config.new_client_from_config(bench.lab.api["admin_kubeconfig"]))
    pod = (bench.agent_pod(name) or {})["metadata"]["name"]

    def run(*command: str) -> tuple[str, str]:
        options = {"container": "cilium-agent", "stdout": True, "stderr": True, "stdin": False, "tty": False}
        found = stream(
            api.connect_get_namespaced_pod_exec,
            pod,
            bench.name,
            command=list(command),
            _preload_content=False,
            **options,
        )
        found.run_forever(timeout=120)
        return found.read_stdout(), found.read_stderr()

    def peers() -> Any:
        try:
            out, _unused = run("cilium-dbg", "bgp", "peers", "-o", "json")
        except client.ApiException:
            return None
        return json.loads(out) if out else None

    found = eventually("an answer", peers)
    assert {p["peer-address"] for p in found} == {*settings.router_addresses(1), *settings.router_addresses(2)}
    assert {(p["local-asn"], p["peer-asn"], p["session-state"]) for p in found} == {(65432, 62112, "established")}
    assert all("received" not in f for p in found for f in p["families"])  # zero: omitted
    assert "stand-in" in run("cilium-dbg", "version")[0]
    assert "not modelled" in run("cilium-dbg", "endpoint", "list")[1]
    bench.knobs(agents={name: {"dead": True}})
    eventually("no answer from a dead agent", lambda: peers() is None)


# -- power and pods


def test_power_cut_node_becomes_unknown_and_comes_back_with_a_new_boot_id(bench: Bench) -> None:
    name, machine = bench.node(2), bench.lab.nodes[bench.node(2)]
    before = bench.get_node(name)["status"]["nodeInfo"]["bootID"]
    assert before == machine.boot_id()
    old_pod = bench.agent_pod(name) or {}
    machine.cut()
    eventually("Ready=Unknown", lambda: bench.ready(name) == "Unknown")
    eventually("pods not ready", lambda: not any(ready(p) for p in bench.pods(node=name)))
    assert all(p["status"]["phase"] == "Running" for p in bench.pods(node=name))
    assert bench.node_config(name) is not None
    machine.start()
    eventually("Ready with a new boot id", lambda: bench.ready(name) == "True")
    after = bench.get_node(name)["status"]["nodeInfo"]["bootID"]
    assert after not in ("", before)
    assert after == machine.boot_id()
    eventually("in service", lambda: bench.in_service(2))
    pod = eventually("agent ready", lambda: ready(bench.agent_pod(name) or {}) and bench.agent_pod(name))
    assert pod["metadata"]["uid"] == old_pod["metadata"]["uid"]  # the same pod, its container started again
    statuses = [p["status"]["containerStatuses"][0] for p in (old_pod, pod)]
    assert statuses[1]["restartCount"] == statuses[0]["restartCount"] + 1


def test_orderly_poweroff_and_on(bench: Bench) -> None:
    name, machine = bench.node(3), bench.lab.nodes[bench.node(3)]
    bench.label(name, "false")
    eventually("NodeConfig deleted", lambda: bench.node_config(name) is None)
    machine.poweroff()
    eventually("Ready=Unknown", lambda: bench.ready(name) == "Unknown")
    machine.start()
    eventually("Ready", lambda: bench.ready(name) == "True")
    holds("stays deselected", lambda: bench.node_config(name) is None)
    assert "Established" not in bench.all_sessions(3)


def test_reboot_faster_than_the_grace_gives_a_new_boot_id_and_new_sessions(bench: Bench) -> None:
    name, machine = bench.node(3), bench.lab.nodes[bench.node(3)]
    before, pod = bench.get_node(name), bench.agent_pod(name) or {}
    machine.reboot()
    boot_id = machine.boot_id()
    eventually("new boot id", lambda: bench.get_node(name)["status"]["nodeInfo"]["bootID"] == boot_id)
    assert boot_id != before["status"]["nodeInfo"]["bootID"]
    eventually("Ready", lambda: bench.ready(name) == "True")

    def restarted() -> bool:
        now = bench.agent_pod(name) or {}
        counts = [p["status"]["containerStatuses"][0]["restartCount"] for p in (pod, now)]
        return ready(now) and counts[1] > counts[0]

    eventually("agent started again", restarted)
    eventually("in service", lambda: bench.in_service(3))


def test_evicted_pods_reappear_on_other_nodes(bench: Bench) -> None:
    name = bench.node(3)
    uids = {p["metadata"]["uid"] for p in bench.pods("web", name)}
    assert uids
    bench.kube("PATCH", f"/api/v1/nodes/{name}", {"spec": {"unschedulable": True}})

    def drained() -> bool:
        for pod in bench.pods("web", name):
            meta = pod["metadata"]
            body = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": meta["name"]}}
            if not meta.get("deletionTimestamp"):
                path = f"/api/v1/namespaces/{bench.name}/pods/{meta['name']}/eviction"
                assert bench.status("POST", path, body) in (201, 429)
        return not bench.pods("web", name)

    eventually("drained", drained)
    eventually("all replicas ready elsewhere", lambda: web_ready(bench) == cluster.REPLICAS)
    assert {p["spec"]["nodeName"] for p in bench.pods("web")} == {bench.node(1), bench.node(2)}
    assert not uids & {p["metadata"]["uid"] for p in bench.pods("web")}
    slices = bench.kube.items(f"/apis/discovery.k8s.io/v1/namespaces/{bench.name}/endpointslices")
    # Services with traffic policy Local have pods of their own on every node.
    slices = [s for s in slices if s["metadata"]["labels"]["kubernetes.io/service-name"] == "web"]
    assert {e["nodeName"] for s in slices for e in s["endpoints"] if e["conditions"]["ready"]} == {
        bench.node(1),
        bench.node(2),
    }


def test_pods_get_addresses_of_their_node_and_no_two_the_same(bench: Bench) -> None:
    import ipaddress

    pods = bench.pods("web")
    addresses = [a["ip"] for p in pods for a in p["status"]["podIPs"]]
    assert len(addresses) == len(set(addresses)) == 2 * cluster.REPLICAS
    for pod in pods:
        i = int(pod["spec"]["nodeName"][-1])
        for ip, cidr in zip(pod["status"]["podIPs"], settings.pod_cidrs(i), strict=True):
            assert ipaddress.ip_address(ip["ip"]) in ipaddress.ip_network(cidr)


def bare_pod(bench: Bench, name: str, **meta: Any) -> str:
    spec = {
        "nodeName": bench.node(1),
        "terminationGracePeriodSeconds": 30,
        "containers": [{"name": "c", "image": "registry.invalid/lab/bare:1"}],
    }
    path = f"/api/v1/namespaces/{bench.name}/pods"
    bench.kube("POST", path, {"metadata": {"name": name, **meta}, "spec": spec})
    eventually("runs", lambda: ready(bench.kube("GET", f"{path}/{name}")))
    return f"{path}/{name}"


def test_deleted_pod_terminates_for_its_own_time(bench: Bench) -> None:
    path = bare_pod(bench, "slow", annotations={"lab.hitless.nodes/termination-seconds": "10"})
    bench.kube("DELETE", path)
    holds("still terminating", lambda: "deletionTimestamp" in (bench.kube.find(path) or {}).get("metadata", {}), 1.5)
    eventually("gone", lambda: bench.kube.find(path) is None)


def test_finalizer_keeps_a_pod_whose_containers_have_ended(bench: Bench) -> None:
    path = bare_pod(bench, "held", finalizers=["example.org/hold"])
    bench.kube("DELETE", path)
    eventually("containers ended", lambda: bench.kube("GET", path)["metadata"]["deletionGracePeriodSeconds"] == 0)
    holds("kept", lambda: bench.kube.find(path) is not None, 0.5)
    bench.kube("PATCH", path, {"metadata": {"finalizers": None}})
    eventually("gone", lambda: bench.kube.find(path) is None)


def test_dead_kubelet_means_unknown_and_pods_that_never_end(bench: Bench) -> None:
    name = bench.node(1)
    path = bare_pod(bench, "stuck")
    bench.knobs(kubelets={name: {"dead": True}})
    eventually("Ready=Unknown", lambda: bench.ready(name) == "Unknown")
    bench.kube("DELETE", path)
    holds("hangs in Terminating", lambda: bench.kube.find(path) is not None, 2.0)
    assert bench.all_sessions(1) == {"Established"}  # what runs, runs on
    bench.knobs()
    eventually("gone", lambda: bench.kube.find(path) is None)


def test_agent_restart_drops_the_sessions_for_the_time_it_takes(bench: Bench) -> None:
    name = bench.node(1)
    bench.knobs(agents={name: {"restart_seconds": 4}}, pods={"termination_seconds": 0})
    old = eventually("agent pod", lambda: bench.agent_pod(name))
    bench.kube("DELETE", f"/api/v1/namespaces/{bench.name}/pods/{old['metadata']['name']}")
    eventually("sessions lost", lambda: "Established" not in bench.all_sessions(1))
    new = eventually("a new agent pod is ready", lambda: ready(bench.agent_pod(name) or {}) and bench.agent_pod(name))
    assert new["metadata"]["uid"] != old["metadata"]["uid"]
    started = new["status"]["containerStatuses"][0]["state"]["running"]["startedAt"]
    times = [datetime.fromisoformat(text) for text in (new["metadata"]["creationTimestamp"], started)]
    assert (times[1] - times[0]).total_seconds() >= 3  # 4 s, and timestamps are whole seconds
    eventually("sessions back", lambda: bench.all_sessions(1) == {"Established"})


# -- the API goes away, the stand-ins go away


def test_api_server_away_for_a_while_changes_nothing(bench: Bench) -> None:
    needs_emulator(bench, "faults are the emulator's")
    bench.kube("POST", "/_emulator/faults", {"refuse": 4})
    holds("time passes", lambda: True, 4.5)

    def answers() -> bool:
        try:
            return bool(bench.get_node(bench.node(1)))
        except Exception:  # noqa: BLE001  refused until then
            return False

    eventually("API is back", answers)
    for i in (1, 2, 3):
        eventually("ready", partial(bench.in_service, i))
    bench.label(bench.node(1), "false")
    eventually("watches work again", lambda: bench.node_config(bench.node(1)) is None)


def test_restarted_standins_leave_running_what_runs(bench: Bench) -> None:
    boot_id, before = bench.lab.nodes[bench.node(1)].boot_id(), bench.agent_pod(bench.node(1)) or {}
    assert bench.end_standins() == 0
    holds("sessions stay without the stand-ins", lambda: bench.all_sessions(1) == {"Established"}, 0.5)
    bench.start_standins()
    holds("no session is dropped", lambda: bench.all_sessions(1) == {"Established"}, 3)
    pod = bench.agent_pod(bench.node(1)) or {}
    assert pod["status"]["containerStatuses"] == before["status"]["containerStatuses"]
    assert bench.lab.nodes[bench.node(1)].boot_id() == boot_id


def test_standins_of_a_lab_that_is_not_there_say_so() -> None:
    env = os.environ | {"PYTHONPATH": TESTS}
    argv = [sys.executable, "-m", "lab.standins", "--lab", "nolab"]
    done = subprocess.run(argv, capture_output=True, text=True, env=env, check=False, timeout=300)
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "nolab" in done.stderr


# -- seed and wipe


def test_wipe_removes_everything_that_seed_and_standins_made_and_nothing_else(bench: Bench) -> None:
    foreign = {
        "apiVersion": "cilium.io/v2",
        "kind": "CiliumLoadBalancerIPPool",
        "metadata": {"name": "of-somebody-else"},
        "spec": {"blocks": [{"cidr": "203.0.113.0/24"}]},
    }
    pools = f"{CILIUM}/ciliumloadbalancerippools"
    bench.kube("POST", pools, foreign)
    assert bench.end_standins() == 0
    try:
        cluster.wipe(bench.lab)
        assert bench.kube.items("/api/v1/nodes") == []
        assert bench.kube.items("/api/v1/pods") == []
        assert bench.kube.items("/apis/coordination.k8s.io/v1/leases") == []
        assert bench.kube.find(f"/api/v1/namespaces/{bench.name}") is None
        kinds = bench.kube.items(cluster.CRD_PATH)
        assert [k["spec"]["names"]["plural"] for k in kinds] == ["ciliumloadbalancerippools"]
        assert [p["metadata"]["name"] for p in bench.kube.items(pools)] == ["of-somebody-else"]
        bench.kube("DELETE", f"{pools}/of-somebody-else")
    finally:
        cluster.seed(bench.lab)
        bench.start_standins()
    with pytest.raises(settings.LabError, match="already in the cluster"):
        cluster.seed(bench.lab)


# -- images


def test_agent_pod_waits_for_its_image_and_says_why(bench: Bench) -> None:
    name = bench.node(2)
    old = eventually("agent", lambda: bench.agent_pod(name))
    bench.knobs(images={name: {"removed": ["lab/cilium"], "fail": "denied"}})
    eventually("the node does not name it", lambda: "lab/cilium" not in str(bench.get_node(name)["status"]["images"]))

    bench.kube("DELETE", f"/api/v1/namespaces/{bench.name}/pods/{old['metadata']['name']}")

    def waiting(kind: str) -> str:
        statuses = ((bench.agent_pod(name) or {}).get("status") or {}).get(kind) or [{}]
        return statuses[0].get("state", {}).get("waiting", {}).get("reason", "")

    eventually("back-off", lambda: waiting("initContainerStatuses") == "ImagePullBackOff")
    assert waiting("containerStatuses") in ("PodInitializing", "ImagePullBackOff")
    assert "Established" not in bench.all_sessions(2)
    bench.knobs(images={name: {"pull_seconds": 0.5}})
    eventually("in service again", lambda: bench.in_service(2))
    status = (bench.agent_pod(name) or {})["status"]["containerStatuses"][0]
    assert status["imageID"] == image_id(status["image"])
    assert "lab/cilium" in str(bench.get_node(name)["status"]["images"])


def test_the_vips_of_a_node_end_with_its_agent_where_a_knob_says_so(bench: Bench) -> None:
    name = bench.node(1)

    def answers() -> bool:
        return bench.lab.machines[name].run(["pgrep", "-f", "hitless/echo.py"]).returncode == 0

    bench.knobs(agents={name: {"dead": True}})
    eventually("agent gone", lambda: "Established" not in bench.all_sessions(1))
    assert answers()
    bench.knobs()
    eventually("in service again", lambda: bench.in_service(1))
    bench.knobs(agents={name: {"dead": True, "datapath_in_agent": True}})
    eventually("datapath gone", lambda: not answers())
    bench.knobs()
    eventually("in service again", lambda: bench.in_service(1))
    eventually("datapath back", answers)
