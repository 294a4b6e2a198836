# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Stage 7: labels and selectors that do not meet."""

from __future__ import annotations

import pytest
from ansible_collections.hitless.nodes.tests.unit.doctor_picture import (
    PREFIX,
    fails,
)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda p: p.entry.pop("selector"), ("has no selector", "announces no Service")),
        (lambda p: p.entry["service"].update(addresses=["ClusterIP"]), ("ClusterIP only", "is a LoadBalancerIP")),
        (lambda p: p.entry.update(advertisementType="PodCIDR"), ("is of type PodCIDR only",)),
        (lambda p: p.family.pop("advertisements"), ("selects no advertisements",)),
        (lambda p: p.family.update(afi="ipv6"), ("has no family ipv4/unicast",)),
        (lambda p: p.peer_config["spec"].pop("families"), ("has no family ipv4/unicast",)),
        (
            lambda p: p.entry.update(selector={"matchLabels": {"bgp": "red"}}),
            ("selects Services by bgp=red", "bgp=blue"),
        ),
        (lambda p: p.advertisements.clear(), ("there are: none",)),
    ],
)
def test_a_link_of_labels_that_is_missing(picture, change, words):
    change(picture)
    fails(picture, 7, *words)


def test_a_family_over_another_session_is_no_mistake(picture):
    six = {**picture.family, "afi": "ipv6"}
    picture.more_peer_configs = [{"metadata": {"name": "tor6"}, "spec": {"families": [six]}}]
    for name, address in (("r1-6", "fd99::10"), ("r2-6", "fd99::11")):
        peer = {"name": name, "peerASN": 62112, "peerAddress": address, "peerConfigRef": {"name": "tor6"}}
        picture.instance["peers"].append(peer)
    assert picture.found(7, "note") == picture.found(7, "fail") == []
    # One that carries the family and selects others is worth a word, as long as another peer is told.
    picture.more_peer_configs[0]["spec"]["families"] = [
        {**picture.family, "advertisements": {"matchLabels": {"a": "b"}}}
    ]
    assert "by a=b" in picture.found(7, "fail")[0]
    picture.advertisements.append({**picture.advertisement, "metadata": {"name": "others", "labels": {"a": "b"}}})
    picture.advertisements[1] = {
        **picture.advertisements[1],
        "spec": {"advertisements": [{**picture.entry, "selector": {"matchLabels": {"bgp": "red"}}}]},
    }
    assert picture.found(7, "fail") == []
    assert "selects Services by bgp=red" in picture.found(7, "note")[0]


def test_a_gateways_service_lacks_the_gateways_label(picture):
    picture.service["metadata"].update(
        name="cilium-gateway-shop",
        labels={"gateway.networking.k8s.io/gateway-name": "shop", "io.cilium.gateway/owning-gateway": "shop"},
    )
    picture.pool["spec"].pop("serviceSelector")
    fails(picture, 7, "Cilium doesn't copy a Gateway's labels", "label cilium-gateway-shop after every deployment")
    assert "Envoy" in picture.found(3, "pass")[0]
    picture.entry["selector"] = {"matchLabels": {"io.kubernetes.service.namespace": "shop"}}
    assert picture.diagnose()["verdict"] == "pass"


def test_an_agent_without_the_route_or_that_keeps_it_from_a_peer(picture):
    picture.advertised = []
    fails(picture, 7, "doesn't announce it to this peer")
    picture.available = []
    fails(picture, 7, "the agent doesn't have the route")


def test_an_agent_that_cannot_be_asked_is_believed_where_the_router_has_the_route(picture):
    picture.agent["known"] = False
    assert picture.diagnose()["verdict"] == "pass"
    assert "the router has it, so it is announced" in picture.found(7, "pass")[-1]
    picture.sample = "established.filtered-prefix"
    found = picture.diagnose()
    assert (found["verdict"], found["stage"], found["stages"][6]["status"]) == ("fail", 8, "unknown")


def test_an_aggregate_is_looked_for_instead_of_the_vip(picture):
    picture.entry["service"]["aggregationLengthIPv4"] = 24
    picture.available = picture.advertised = ["192.168.77.0/24"]
    fails(picture, 8, "192.168.77.0/24 from n1 on r1")
    # With externalTrafficPolicy Local it isn't aggregated.
    picture.service["spec"]["externalTrafficPolicy"] = "Local"
    picture.available = picture.advertised = [PREFIX]
    assert picture.diagnose()["verdict"] == "pass"
