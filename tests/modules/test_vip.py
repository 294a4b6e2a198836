# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the doctor reads of a cluster: on a real HTTP API, with all rights and without some of them."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest
import yaml
from ansible_collections.hitless.nodes.plugins.module_utils.doctor.cluster_read import VipError, vip_info
from emulator.client import Api

SERVICES = "/api/v1/namespaces/shop/services"
SLICES = "/apis/discovery.k8s.io/v1/namespaces/shop/endpointslices"
SECRETS = "/api/v1/namespaces/{}/secrets"
CONFIG_MAPS = "/api/v1/namespaces/kube-system/configmaps"
MANIFEST = Path(__file__).resolve().parents[2] / "docs" / "manifests" / "doctor-rbac.yml"
BASE = Path(__file__).resolve().parents[2] / "docs" / "manifests" / "rbac.yml"


def info(client, **options):
    asked = {"service": None, "vip": None, "nodes": [], "cilium_namespace": "kube-system"}
    return vip_info(client, **{**asked, "secrets_namespace": None, "log_lines": 0, **options})


def service(api, name="web", *, vip="198.51.100.10", kind="LoadBalancer"):
    labels = {"app": name}
    spec = {"type": kind, "selector": labels, "ports": [{"port": 80}], "clusterIP": "10.96.0.7"}
    api.post(SERVICES, {"metadata": {"name": name, "labels": labels}, "spec": spec})
    if vip:
        status = {"loadBalancer": {"ingress": [{"ip": vip}]}}
        api.client.patch(f"{SERVICES}/{name}/status", {"status": status})
    body = {
        "metadata": {"name": f"{name}-x", "labels": {"kubernetes.io/service-name": name}},
        "addressType": "IPv4",
        "endpoints": [
            {"addresses": ["10.0.1.7"], "nodeName": "worker-3", "conditions": {"ready": True}},
            {"addresses": ["10.0.2.7"], "nodeName": "worker-4", "conditions": {"ready": False}},
        ],
    }
    api.post(SLICES, body)


@pytest.fixture
def chain(api, cilium):
    """One Service, a pool, a PeerConfig with a Secret, and an Advertisement."""
    service(api)
    bgp = cilium.bgp
    pool = {"blocks": [{"cidr": "198.51.100.0/24"}], "serviceSelector": {"matchLabels": {"app": "web"}}}
    api.post(
        f"{bgp}/ciliumloadbalancerippools",
        cilium.kind({"metadata": {"name": "blue"}, "spec": pool}, "CiliumLoadBalancerIPPool"),
    )
    entry = {
        "advertisementType": "Service",
        "service": {"addresses": ["LoadBalancerIP"]},
        "selector": {"matchLabels": {"app": "web"}},
    }
    api.post(
        f"{bgp}/ciliumbgpadvertisements",
        cilium.kind(
            {"metadata": {"name": "vips", "labels": {"advertise": "bgp"}}, "spec": {"advertisements": [entry]}},
            "CiliumBGPAdvertisement",
        ),
    )
    family = {"afi": "ipv4", "safi": "unicast", "advertisements": {"matchLabels": {"advertise": "bgp"}}}
    api.post(
        f"{bgp}/ciliumbgppeerconfigs",
        cilium.kind(
            {"metadata": {"name": "p"}, "spec": {"families": [family], "authSecretRef": "bgp-auth"}},
            "CiliumBGPPeerConfig",
        ),
    )
    return api


def test_a_legacy_policy_is_read_as_what_it_stands_for(chain, cilium):
    router = {
        "localASN": 65432,
        "neighbors": [{"peerAddress": "192.0.2.1/32", "peerASN": 62112, "authSecretRef": "bgp-auth"}],
        "serviceSelector": {"matchLabels": {"app": "web"}},
    }
    spec = {"nodeSelector": {"matchLabels": {"rack": "old"}}, "virtualRouters": [router]}
    body = cilium.kind({"metadata": {"name": "old"}, "spec": spec}, "CiliumBGPPeeringPolicy", "v2alpha1")
    chain.post("/apis/cilium.io/v2alpha1/ciliumbgppeeringpolicies", body)
    chain.node("worker-4", rack="old")
    chain.until(lambda: chain.client.find("/apis/cilium.io/v2/ciliumnodes/worker-4"))
    found = info(chain.client, service="shop/web", nodes=["worker-4"])
    assert found["unread"] == {}
    ((peer,),) = [node["node_config"]["peers"] for node in found["nodes"]]
    assert (peer["address"], peer["asn"], peer["local_asn"]) == ("192.0.2.1", 62112, 65432)
    legacy = {kind: [each for each in found[kind] if each["legacy"]] for kind in ("peer_configs", "advertisements")}
    assert [each["name"] for each in legacy["peer_configs"]] == [peer["peer_config"]] == ["old/65432/192.0.2.1"]
    (entry,) = legacy["advertisements"][0]["advertisements"]
    assert (entry["type"], entry["addresses"]) == ("Service", ["LoadBalancerIP"])
    assert [each["name"] for each in found["secrets"]] == ["bgp-auth"]


def secret(api, namespace, **data):
    if not api.client.find(f"/api/v1/namespaces/{namespace}"):
        api.post("/api/v1/namespaces", {"metadata": {"name": namespace}})
    coded = {key: base64.b64encode(value.encode()).decode() for key, value in data.items()}
    api.post(SECRETS.format(namespace), {"metadata": {"name": "bgp-auth"}, "data": coded})


def test_the_whole_chain_of_a_service(chain):
    secret(chain, "kube-system", password="very-secret")
    found = info(chain.client, service="shop/web")
    assert found["unread"] == {}
    assert (found["vips"], found["prefixes"]) == (["198.51.100.10"], ["198.51.100.10/32"])
    assert found["addresses"] == ["192.0.2.13", "2001:db8::13"]
    (one,) = found["services"]
    assert one["endpoints"] == {"ready": [{"address": "10.0.1.7", "node": "worker-3"}], "unready": 1}
    assert found["pools"][0]["blocks"] == [{"cidr": "198.51.100.0/24"}]
    (node,) = found["nodes"]
    (peer,) = node["node_config"]["peers"]
    assert (peer["name"], peer["address"], peer["local_asn"]) == ("tor-1", "192.0.2.1", 65432)
    assert node["cilium_labels"] == {"enable-bgp": "true"}


def test_of_a_secret_the_names_of_its_keys_and_never_a_value(chain):
    secret(chain, "kube-system", password="very-secret")
    found = info(chain.client)
    assert found["secrets"] == [
        {
            "name": "bgp-auth",
            "namespace": "kube-system",
            "exists": True,
            "keys": ["password"],
            "elsewhere": [],
            "reason": "",
        }
    ]
    assert "very-secret" not in json.dumps(found)
    assert base64.b64encode(b"very-secret").decode() not in json.dumps(found)


def test_a_secret_in_the_wrong_namespace(chain):
    secret(chain, "cilium-secrets", password="x")
    (found,) = info(chain.client)["secrets"]
    assert (found["exists"], found["namespace"], found["elsewhere"]) == (False, "kube-system", ["cilium-secrets"])
    # Unless Cilium's configuration says that it is the right one, or the caller does.
    (found,) = info(chain.client, secrets_namespace="cilium-secrets")["secrets"]
    assert found["exists"] is True
    chain.post(
        CONFIG_MAPS, {"metadata": {"name": "cilium-config"}, "data": {"bgp-secrets-namespace": "cilium-secrets"}}
    )
    (found,) = info(chain.client)["secrets"]
    assert (found["exists"], found["namespace"]) == (True, "cilium-secrets")


def test_services_are_found_by_any_of_their_addresses_or_by_their_type(chain):
    service(chain, "db", vip=None, kind="ClusterIP")
    assert [each["name"] for each in info(chain.client)["services"]] == ["web"]
    assert [each["name"] for each in info(chain.client, vip="198.51.100.10")["services"]] == ["web"]
    assert sorted(each["name"] for each in info(chain.client, vip="10.96.0.7")["services"]) == ["db", "web"]
    assert info(chain.client, vip="198.51.100.99")["services"] == []
    assert info(chain.client, service="shop/nobody")["services"] == []


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"service": "web"}, "give it as namespace/name"),
        ({"service": "shop/"}, "give it as namespace/name"),
        ({"vip": "web"}, "isn't an IP address"),
        ({"vip": "198.51.100.10", "service": "shop/web"}, "vip is '198.51.100.10': give one of them, not both"),
        ({"nodes": ["worker-9"]}, "the cluster has no node worker-9 (it has: worker-3): check target and node_name"),
    ],
)
def test_a_question_that_cannot_be_answered(chain, options, said):
    with pytest.raises(VipError, match=said.replace("(", r"\(").replace(")", r"\)")):
        info(chain.client, **options)


def test_only_the_nodes_asked_for(chain):
    chain.ready_node("worker-4")
    assert [node["name"] for node in info(chain.client, nodes=["worker-4"])["nodes"]] == ["worker-4"]


def test_the_kinds_of_an_older_cilium(api, old_cilium):
    found = info(api.client)
    assert (found["unread"], found["advertisements"], found["pools"]) == ({}, [], [])
    assert [config["name"] for config in found["configs"]] == ["rack-1"]
    assert found["nodes"][0]["node_config"]["peers"]
    assert old_cilium


def test_a_cluster_without_cilium(api):
    found = info(api.client)
    assert (found["configs"], found["peer_configs"], found["unread"]) == ([], [], {})


# Rights


def test_what_may_not_be_read_is_named_and_the_rest_is_read(chain):
    secret(chain, "kube-system", password="x")
    cilium = {"apiGroups": ["cilium.io"], "resources": ["*"], "verbs": ["get", "list"]}
    nodes = {"apiGroups": [""], "resources": ["nodes"], "verbs": ["get", "list"]}
    client = chain.user("reader", [cilium, nodes])
    found = info(client, service="shop/web", log_lines=5)
    assert found["services"] is None
    assert "the right to get services in namespace shop is missing (403)" in found["unread"]["services"]
    assert found["nodes"][0]["node_config"]
    (one,) = found["secrets"]
    assert (one["exists"], "the right to get secrets in namespace kube-system" in one["reason"]) == (None, True)
    assert len(found["logs_missing"]) == 2
    client = chain.user("nobody", [])
    found = info(client)
    assert sorted(found["unread"]) == sorted(
        ["advertisements", "cilium_nodes", "configs", "node_configs", "nodes", "peer_configs", "pools", "services"]
    )


def rules(path):
    """The rules of all roles of a manifest that are for the whole cluster or for kube-system."""
    items = yaml.safe_load(path.read_text())["items"]
    return [rule for item in items if item["kind"] in ("ClusterRole", "Role") for rule in item["rules"]]


def test_the_manifests_rights_are_enough(chain, agent):
    secret(chain, "kube-system", password="x")
    chain.post(CONFIG_MAPS, {"metadata": {"name": "cilium-config"}, "data": {"bgp-secrets-namespace": "kube-system"}})
    client = chain.user("doctor", [*rules(BASE), *rules(MANIFEST)])
    found = info(client, log_lines=5)
    assert found["unread"] == {}
    assert found["secrets"][0]["keys"] == ["password"]
    said = "namespace kube-system has no pod io.cilium/app=operator (check cilium_namespace)"
    assert found["logs_missing"] == [f"no log of the operator: {said}"]
    assert agent


# Logs


def test_the_lines_that_matter_of_the_agents_asked_for(chain, agent):
    said = "\n".join(
        [
            'level=info msg="other" subsys=policy',
            'level=error msg="Failed to fetch secret" password=very-secret subsys=bgp-control-plane',
        ]
    )
    about = {"namespace": "kube-system", "pod": agent.name, "container": "cilium-agent"}
    Api(chain.kubeconfig).post("/_emulator/pod-log", said.encode(), **about).of(200)
    found = info(chain.client, log_lines=5)
    assert found["logs"] == [
        {
            "pod": agent.name,
            "node": "worker-3",
            "lines": ['level=error msg="Failed to fetch secret" password=*** subsys=bgp-control-plane'],
        }
    ]
    chain.ready_node("worker-4")
    assert info(chain.client, log_lines=5, nodes=["worker-4"])["logs"] == []
