# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The stand-ins' rules: pure functions over plain objects."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from emulator.images import ImageStore, Registry, digest_of, image_id
from emulator.objects import condition
from lab.standins import agent, agent_cli, control_plane, kubelets, operator, workloads
from lab.standins.selectors import matches
from lab.standins.world import Knobs

Object = dict[str, Any]


def obj(name: str, labels: dict[str, str] | None = None, **parts: Any) -> Object:
    return {"metadata": {"name": name, "uid": f"uid-{name}", "labels": labels or {}, "namespace": "lab"}, **parts}


# -- selectors


@pytest.mark.parametrize(
    ("selector", "expected"),
    [
        ({}, True),
        ({"matchLabels": {"enable-bgp": "true"}}, True),
        ({"matchLabels": {"enable-bgp": "false"}}, False),
        ({"matchLabels": {"enable-bgp": "true", "rack": "2"}}, False),
        ({"matchExpressions": [{"key": "enable-bgp", "operator": "In", "values": ["true", "yes"]}]}, True),
        ({"matchExpressions": [{"key": "enable-bgp", "operator": "NotIn", "values": ["true"]}]}, False),
        ({"matchExpressions": [{"key": "rack", "operator": "NotIn", "values": ["1"]}]}, True),
        ({"matchExpressions": [{"key": "enable-bgp", "operator": "Exists"}]}, True),
        ({"matchExpressions": [{"key": "rack", "operator": "Exists"}]}, False),
        ({"matchExpressions": [{"key": "rack", "operator": "DoesNotExist"}]}, True),
        (
            {
                "matchLabels": {"enable-bgp": "true"},
                "matchExpressions": [{"key": "enable-bgp", "operator": "DoesNotExist"}],
            },
            False,
        ),
    ],
)
def test_matches(selector: Object, expected: bool) -> None:
    assert matches(selector, {"enable-bgp": "true", "zone": "a"}) is expected


def test_matches_refuses_an_unknown_operator() -> None:
    with pytest.raises(ValueError, match="Gt"):
        matches({"matchExpressions": [{"key": "rack", "operator": "Gt", "values": ["1"]}]}, {})


# -- operator


def cluster_config(name: str, selector: Object | None = None, **peer: Any) -> Object:
    peers = [{"name": "tor-1", "peerAddress": "10.62.0.1", "peerASN": 62112, "peerConfigRef": {"name": "pc"}, **peer}]
    spec: Object = {"bgpInstances": [{"name": "default", "localASN": 65432, "peers": peers}]}
    if selector is not None:
        spec["nodeSelector"] = selector
    return obj(name, spec=spec)


def owned(name: str, owner: str) -> Object:
    found = obj(name)
    found["metadata"]["ownerReferences"] = [{"kind": "CiliumBGPClusterConfig", "name": owner, "uid": f"uid-{owner}"}]
    return found


NODES = {"w1": obj("w1", {"enable-bgp": "true"}), "w2": obj("w2", {"enable-bgp": "false"})}
TRUE = {"matchLabels": {"enable-bgp": "true"}}


def test_plan_selects_by_label_and_everything_without_a_selector() -> None:
    assert operator.plan({"a": cluster_config("a", TRUE)}, NODES, {}) == ({"w1": "a"}, {"a": set()})
    wanted, _unused = operator.plan({"a": cluster_config("a")}, NODES, {})
    assert wanted == {"w1": "a", "w2": "a"}


def test_plan_keeps_a_node_with_the_config_that_has_it_and_tells_the_other() -> None:
    configs = {"a": cluster_config("a", TRUE), "b": cluster_config("b", TRUE)}
    wanted, conflicts = operator.plan(configs, NODES, {"w1": owned("w1", "b")})
    assert wanted == {"w1": "b"}
    assert conflicts == {"a": {"b"}, "b": set()}


def test_plan_hands_a_node_over_when_its_config_does_not_select_it_any_more() -> None:
    configs = {"a": cluster_config("a", TRUE), "b": cluster_config("b")}
    wanted, conflicts = operator.plan(configs, NODES, {"w2": owned("w2", "a"), "w1": owned("w1", "a")})
    assert wanted == {"w1": "a", "w2": "b"}
    assert conflicts == {"a": set(), "b": {"a"}}


def test_plan_drops_nodes_of_a_config_that_is_gone() -> None:
    assert operator.plan({}, NODES, {"w1": owned("w1", "a")}) == ({}, {})


def test_node_config_spec_takes_the_nodes_overrides() -> None:
    override = obj(
        "w1",
        spec={
            "bgpInstances": [
                {
                    "name": "default",
                    "routerID": "10.0.0.9",
                    "localPort": 1179,
                    "peers": [{"name": "tor-1", "localAddress": "10.62.0.11"}],
                },
                {"name": "other", "routerID": "10.0.0.10"},
            ]
        },
    )
    (instance,) = operator.node_config_spec(cluster_config("a"), override)["bgpInstances"]
    assert instance["routerID"] == "10.0.0.9"
    assert instance["localPort"] == 1179
    assert instance["peers"][0]["localAddress"] == "10.62.0.11"
    (plain,) = operator.node_config_spec(cluster_config("a"), None)["bgpInstances"]
    assert plain == cluster_config("a")["spec"]["bgpInstances"][0]


def test_condition_keeps_its_time_while_the_status_is_the_same() -> None:
    before = [{"type": "Ready", "status": "True", "lastTransitionTime": "2026-01-01T00:00:00Z"}]
    assert condition("Ready", "True", "R", "m", before)["lastTransitionTime"] == "2026-01-01T00:00:00Z"
    assert condition("Ready", "False", "R", "m", before)["lastTransitionTime"] > "2026-01-01T00:00:00Z"


# -- agent

NODE = obj("w1", spec={"podCIDRs": ["10.62.101.0/24", "fd62:0:101::/64"]})
NODE["status"] = {"addresses": [{"type": "InternalIP", "address": a} for a in ("10.62.0.11", "fd62::11")]}


def service(name: str = "web", labels: dict[str, str] | None = None, **spec: Any) -> Object:
    ingress = [{"ip": "198.51.100.10"}, {"ip": "2001:db8:100::10"}, {"hostname": "lb.example"}]
    return obj(name, labels or {"announce": "yes"}, spec=spec, status={"loadBalancer": {"ingress": ingress}})


def advertisement(selector: Object | None, kinds: list[str] | None = None) -> Object:
    entry: Object = {"advertisementType": "Service", "service": {"addresses": kinds or ["LoadBalancerIP"]}}
    if selector is not None:
        entry["selector"] = selector
    return obj("adv", {"for": "tor"}, spec={"advertisements": [entry, {"advertisementType": "PodCIDR"}]})


def family(afi: str, selector: Object | None = None) -> Object:
    return {"afi": afi, "safi": "unicast", "advertisements": selector or {"matchLabels": {"for": "tor"}}}


def test_advertised_takes_vips_and_pod_cidrs_of_the_family() -> None:
    advertisements = [advertisement({"matchLabels": {"announce": "yes"}})]
    services = [service(), service("hidden", {"announce": "no"})]
    found = {afi: agent.advertised(family(afi), advertisements, NODE, services, []) for afi in ("ipv4", "ipv6")}
    assert found == {
        "ipv4": {"198.51.100.10/32", "10.62.101.0/24"},
        "ipv6": {"2001:db8:100::10/128", "fd62:0:101::/64"},
    }


def test_advertised_is_empty_without_what_selects_it() -> None:
    matching = advertisement({"matchLabels": {"announce": "yes"}})
    assert agent.advertised(family("ipv4", {"matchLabels": {"for": "x"}}), [matching], NODE, [service()], []) == set()
    assert agent.advertised({"afi": "ipv4", "safi": "unicast"}, [matching], NODE, [service()], []) == set()
    # A Service advertisement without a selector announces nothing; the PodCIDR beside it still is.
    only_pods = agent.advertised(family("ipv4"), [advertisement(None)], NODE, [service()], [])
    assert only_pods == {"10.62.101.0/24"}


def test_advertised_knows_ciliums_own_service_labels() -> None:
    selector = {"matchLabels": {"io.kubernetes.service.namespace": "lab", "io.kubernetes.service.name": "web"}}
    found = agent.advertised(family("ipv4"), [advertisement(selector)], NODE, [service(), service("b")], [])
    assert "198.51.100.10/32" in found


@pytest.mark.parametrize(("where", "expected"), [("w1", {"198.51.100.10/32", "2001:db8:100::10/128"}), ("w2", set())])
def test_service_prefixes_with_policy_local_need_an_endpoint_on_the_node(where: str, expected: set[str]) -> None:
    local = service(externalTrafficPolicy="Local")
    slices = [obj("web-1", {"kubernetes.io/service-name": "web"}, endpoints=[{"nodeName": where}])]
    assert agent.service_prefixes(local, ["LoadBalancerIP"], slices, "w1") == expected


def test_with_policy_local_a_pod_that_ends_is_not_announced_and_still_answers() -> None:
    local, other = service(externalTrafficPolicy="Local"), service("b", externalTrafficPolicy="Local")
    other["status"]["loadBalancer"]["ingress"] = [{"ip": "198.51.100.30"}]
    cluster_wide = service("c")
    ends = {"nodeName": "w1", "conditions": {"ready": False, "serving": True, "terminating": True}}
    slices = [obj("web-1", {"kubernetes.io/service-name": "web"}, endpoints=[ends])]
    assert agent.service_prefixes(local, ["LoadBalancerIP"], slices, "w1") == set()
    found = agent.local_vips([local, other, cluster_wide], slices, "w1")
    assert found == {"198.51.100.10": True, "2001:db8:100::10": True, "198.51.100.30": False}


def test_with_policy_local_a_pod_whose_containers_have_ended_answers_no_more_whatever_its_endpoint_says() -> None:
    local = service(externalTrafficPolicy="Local")
    ref = {"kind": "Pod", "uid": "u-1"}
    slices = [obj("web-1", {"kubernetes.io/service-name": "web"}, endpoints=[{"nodeName": "w1", "targetRef": ref}])]
    vips = ("198.51.100.10", "2001:db8:100::10")
    assert agent.local_vips([local], slices, "w1", {"u-2"}) == dict.fromkeys(vips, True)
    assert agent.local_vips([local], slices, "w1", {"u-1"}) == dict.fromkeys(vips, False)
    # What BGP announces follows the endpoint.
    assert agent.service_prefixes(local, ["LoadBalancerIP"], slices, "w1")


def test_service_prefixes_of_the_other_address_kinds() -> None:
    found = service(clusterIPs=["10.96.0.1", "None"], externalIPs=["192.0.2.1"])
    assert agent.service_prefixes(found, ["ClusterIP", "ExternalIP"], [], "w1") == {"10.96.0.1/32", "192.0.2.1/32"}


def speaker(
    node_config: Object,
    peer_config: Object | None,
    passwords: dict[str, str] | None = None,
    discovered: dict[str, str] | None = None,
) -> Any:
    return agent.speaker_config(
        node_config,
        NODE,
        peer_configs={"pc": peer_config} if peer_config else {},
        passwords=passwords or {},
        advertisements=[advertisement({"matchLabels": {"announce": "yes"}})],
        services=[service()],
        slices=[],
        discovered=discovered,
    )


def test_speaker_config_reads_timers_password_and_graceful_restart() -> None:
    spec = {
        "authSecretRef": "s",
        "timers": {"holdTimeSeconds": 9, "keepAliveTimeSeconds": 3},
        "gracefulRestart": {"enabled": True, "restartTimeSeconds": 20},
        "families": [family("ipv4")],
    }
    found = speaker(cluster_config("a"), obj("pc", spec=spec), {"s": "secret"})
    (peer,) = found.peers
    assert (peer.address, peer.asn, peer.password) == ("10.62.0.1", 62112, "secret")
    assert (peer.hold_time, peer.keepalive, peer.connect_retry, peer.gr_restart_time) == (9, 3, 120, 20)
    assert (found.asn, found.router_id) == (65432, "10.62.0.11")
    assert found.prefixes4 == ("10.62.101.0/24", "198.51.100.10/32")
    assert found.prefixes6 == ()


def test_speaker_config_takes_the_nodes_own_address_and_the_hops() -> None:
    config = cluster_config("a")
    config["spec"]["bgpInstances"][0]["peers"][0]["localAddress"] = "10.62.2.11"
    (peer,) = speaker(config, obj("pc", spec={"ebgpMultihop": 4, "families": [family("ipv4")]})).peers
    assert (peer.local_address, peer.hops, peer.carried) == ("10.62.2.11", 4, (4,))


def test_unnumbered_peer_is_left_out_until_its_router_is_heard() -> None:
    config = cluster_config("a")
    peer = config["spec"]["bgpInstances"][0]["peers"][0]
    del peer["peerAddress"]
    peer["autoDiscovery"] = {"mode": "Unnumbered", "unnumbered": {"interface": "up1"}}
    spec = {"families": [family("ipv4"), family("ipv6")]}
    assert speaker(config, obj("pc", spec=spec)).peers == ()
    (found,) = speaker(config, obj("pc", spec=spec), discovered={"up1": "fe80::1"}).peers
    assert (found.address, found.carried) == ("fe80::1%up1", (4, 6))


def test_speaker_config_uses_ciliums_defaults() -> None:
    (peer,) = speaker(cluster_config("a"), obj("pc", spec={})).peers
    assert (peer.hold_time, peer.keepalive, peer.connect_retry, peer.gr_restart_time) == (90, 30, 120, None)
    spec: Object = {"gracefulRestart": {"enabled": True}}
    assert speaker(cluster_config("a"), obj("pc", spec=spec)).peers[0].gr_restart_time == 120
    spec = {"gracefulRestart": {"enabled": False, "restartTimeSeconds": 20}}
    assert speaker(cluster_config("a"), obj("pc", spec=spec)).peers[0].gr_restart_time is None


def test_speaker_config_leaves_a_peer_out_whose_peer_config_is_missing() -> None:
    assert speaker(cluster_config("a"), None).peers == ()


SESSION: Object = {
    "address": "10.62.0.1",
    "asn": 62112,
    "state": "established",
    "uptime": 5,
    "hold_time": 9,
    "keepalive": 3,
    "families": [{"afi": "ipv4", "safi": "unicast", "advertised": 3, "received": 0, "accepted": 0}],
    "graceful_restart": {"enabled": True, "restart_time": 20},
}


def test_peers_json_omits_zero_values() -> None:
    (up,) = agent_cli.peers_json(65432, [SESSION])
    assert up["families"] == [{"afi": "ipv4", "safi": "unicast", "advertised": 3}]
    assert up["uptime-nanoseconds"] == 5_000_000_000
    assert up["graceful-restart"] == {"enabled": True, "restart-time-seconds": 20}
    (down,) = agent_cli.peers_json(65432, [{**SESSION, "state": "active", "graceful_restart": {}, "hold_time": 0}])
    assert down["session-state"] == "active"
    assert not {"uptime-nanoseconds", "applied-hold-time-seconds"} & set(down)
    assert down["graceful-restart"] == {}  # a pointer in Cilium's model: the object stays, its zero values go
    assert json.loads(json.dumps(down)) == down


def test_peer_status_has_times_and_counts_only_when_established() -> None:
    peer = {"name": "tor-1", "peerAddress": "10.62.0.1", "peerASN": 62112}
    up = agent.peer_status(peer, SESSION, "2026-01-01T00:00:00Z")
    assert up["peeringState"] == "established"
    assert up["establishedTime"] == "2026-01-01T00:00:00Z"
    assert up["timers"] == {"appliedHoldTimeSeconds": 9, "appliedKeepaliveSeconds": 3}
    assert up["routeCount"] == [{"afi": "ipv4", "safi": "unicast", "advertised": 3, "received": 0}]
    assert agent.peer_status(peer, {**SESSION, "state": "active"}, None)["peeringState"] == "active"
    assert agent.peer_status(peer, None, None)["peeringState"] == "idle"


# -- control plane


def node(name: str = "w1", *, ready: bool = True, **spec: Any) -> Object:
    status = {"conditions": [{"type": "Ready", "status": "True" if ready else "Unknown"}]}
    return obj(name, {"zone": "a"}, spec=spec, status=status)


def pod(name: str = "p", *, labels: dict[str, str] | None = None, **spec: Any) -> Object:
    return obj(name, labels, spec=spec, status={})


def test_feasible_wants_a_ready_schedulable_selected_untainted_node() -> None:
    taint = {"key": "k", "value": "v", "effect": "NoSchedule"}
    assert control_plane.feasible(pod(), node())
    assert not control_plane.feasible(pod(), node(ready=False))
    assert not control_plane.feasible(pod(), node(unschedulable=True))
    assert not control_plane.feasible(pod(nodeSelector={"zone": "b"}), node())
    assert not control_plane.feasible(pod(), node(taints=[taint]))
    tolerations = [{"key": "k", "operator": "Equal", "value": "v", "effect": "NoSchedule"}]
    assert control_plane.feasible(pod(tolerations=tolerations), node(taints=[taint]))
    assert control_plane.feasible(pod(tolerations=[{"operator": "Exists"}]), node(taints=[taint]))
    assert not control_plane.feasible(pod(tolerations=[{"key": "k", "value": "x"}]), node(taints=[taint]))
    assert control_plane.feasible(pod(), node(taints=[{**taint, "effect": "PreferNoSchedule"}]))


def test_feasible_takes_daemonset_pods_to_their_node_only_even_a_cordoned_one() -> None:
    fields = [{"matchFields": [{"key": "metadata.name", "operator": "In", "values": ["w1"]}]}]
    required = {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": fields}}
    daemon = pod(affinity={"nodeAffinity": required})
    assert control_plane.feasible(daemon, node("w1", ready=False, unschedulable=True))
    assert not control_plane.feasible(daemon, node("w2"))


def test_endpoints_are_ready_only_while_the_pod_is_and_does_not_terminate() -> None:
    def running(name: str, ready: str, **meta: Any) -> Object:
        found = pod(name, labels={"app": "web"}, nodeName="w1")
        ips = [{"ip": "10.62.101.2"}, {"ip": "fd62:0:101::2"}]
        conditions = [{"type": "Ready", "status": ready}]
        found["status"] = {"phase": "Running", "podIPs": ips, "conditions": conditions}
        found["metadata"].update(meta)
        return found

    pods = [
        running("a", "True"),
        running("b", "False"),
        running("c", "True", deletionTimestamp="2026-01-01T00:00:00Z"),
        pod("pending", labels={"app": "web"}),
        running("other", "True", labels={"app": "x"}),
    ]
    found = control_plane.endpoints(service(selector={"app": "web"}), pods, 6)
    assert [e["addresses"] for e in found] == [["fd62:0:101::2"]] * 3
    assert [e["conditions"] for e in found] == [
        {"ready": True, "serving": True, "terminating": False},
        {"ready": False, "serving": False, "terminating": False},
        {"ready": False, "serving": True, "terminating": True},
    ]


# -- kubelets and knobs


def test_ready_conditions_keep_those_of_others() -> None:
    found = pod()
    found["status"] = {"conditions": [{"type": "DisruptionTarget", "status": "True", "lastTransitionTime": "x"}]}
    conditions = {c["type"]: c["status"] for c in kubelets.ready_conditions(found, False)}
    assert conditions == {
        "PodScheduled": "True",
        "Initialized": "True",
        "ContainersReady": "False",
        "Ready": "False",
        "DisruptionTarget": "True",
    }


def test_knobs_default_to_no_faults_and_follow_the_file(tmp_path: Path) -> None:
    knobs = Knobs(tmp_path / "knobs.json")
    assert knobs.refresh() is False
    assert knobs.status_reporting("w1") is True
    assert knobs.termination_seconds(pod()) == 1.0
    agents = {"*": {"status_reporting": False}, "w1": {"dead": True, "keep_peers": ["10.62.0.1"], "restart_seconds": 3}}
    content = {"operator": {"dead": True}, "agents": agents, "pods": {"termination_seconds": 4}}
    knobs.path.write_text(json.dumps(content))
    assert knobs.refresh() is True
    assert knobs.refresh() is False
    assert knobs.operator_dead()
    assert (knobs.agent_dead("w1"), knobs.agent_dead("w2")) == (True, False)
    assert (knobs.status_reporting("w1"), knobs.keep_peers("w1")) == (False, ("10.62.0.1",))
    assert (knobs.restart_seconds("w1"), knobs.restart_seconds("w2")) == (3.0, None)
    assert knobs.termination_seconds(pod()) == 4.0
    own = pod()
    own["metadata"]["annotations"] = {"lab.hitless.nodes/termination-seconds": "0.5"}
    assert knobs.termination_seconds(own) == 0.5


def test_knobs_ignore_a_half_written_file_and_forget_a_removed_one(tmp_path: Path) -> None:
    knobs = Knobs(tmp_path / "knobs.json")
    knobs.path.write_text('{"operator": {"dead": true}}')
    assert knobs.refresh() is True
    knobs.path.write_text('{"operator": {"de')
    assert knobs.refresh() is False
    assert knobs.operator_dead()
    knobs.path.unlink()
    assert knobs.refresh() is True
    assert not knobs.operator_dead()


# -- images

AGENT = "registry.invalid/lab/cilium:v1"
PINNED = f"{AGENT}@{digest_of(AGENT)}"


def test_image_id_is_repository_and_digest_of_what_the_tag_names() -> None:
    assert image_id(AGENT) == image_id(PINNED) == f"registry.invalid/lab/cilium@{digest_of(AGENT)}"
    assert (
        image_id("registry.invalid:5000/c") == f"registry.invalid:5000/c@{digest_of('registry.invalid:5000/c:latest')}"
    )


def test_a_pull_takes_its_time_once() -> None:
    store = ImageStore()
    first = store.want("pod-1", PINNED, 100.0, Registry(seconds=5))
    assert first is not None
    assert (first.reason, first.due) == ("ContainerCreating", 105.0)
    assert store.want("pod-1", PINNED, 105.0, Registry(seconds=5)) is None
    assert store.want("pod-2", AGENT, 105.0, Registry(seconds=5)) is None
    assert store.listed(crowded=False)[0]["names"] == [image_id(AGENT)]


def test_a_pull_that_fails_backs_off_and_a_new_pod_tries_at_once() -> None:
    store, away = ImageStore(), Registry(failure="dial tcp: i/o timeout")
    failed = store.want("pod-1", AGENT, 100.0, away)
    assert failed is not None
    assert failed.reason == "ErrImagePull"
    assert "i/o timeout" in failed.message
    backed_off = store.want("pod-1", AGENT, 100.5, Registry())
    assert backed_off is not None
    assert backed_off.reason == "ImagePullBackOff"
    assert store.want("pod-2", AGENT, 100.5, Registry()) is None


def test_a_digest_that_is_not_the_tags_is_not_found() -> None:
    failed = ImageStore().want("pod-1", f"{AGENT}@sha256:{'0' * 64}", 1.0, Registry())
    assert failed is not None
    assert failed.message.endswith("not found")


def test_an_image_is_removed_and_a_crowded_node_names_others() -> None:
    store = ImageStore()
    store.add(AGENT)
    assert len(store.listed(crowded=True)) == 50
    assert AGENT not in str(store.listed(crowded=True))
    store.remove("lab/cilium")
    assert store.listed(crowded=False) == []
    assert store.want("pod-1", AGENT, 1.0, Registry(seconds=3)) is not None


def test_pull_policy_always_asks_the_registry_for_what_is_there() -> None:
    store = ImageStore()
    store.add(AGENT)
    assert store.want("pod-1", AGENT, 1.0, Registry(), always=True) is None
    failed = store.want("pod-1", AGENT, 1.0, Registry(failure="away"), always=True)
    assert failed is not None
    assert failed.reason == "ErrImagePull"


def test_a_daemonset_belongs_to_nodes_by_selector_and_affinity() -> None:
    by_name = {"matchFields": [{"key": "metadata.name", "operator": "In", "values": ["w2"]}]}
    affinity = {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [by_name]}}}
    assert [name for name in NODES if workloads.belongs({}, NODES[name])] == ["w1", "w2"]
    assert [name for name in NODES if workloads.belongs({"affinity": affinity}, NODES[name])] == ["w2"]
    assert not workloads.belongs({"affinity": affinity, "nodeSelector": {"enable-bgp": "true"}}, NODES["w2"])
