# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who restarts the agents: taking that over, giving it back, and what stands against it."""

from __future__ import annotations

import pytest
from ansible_collections.hitless.nodes.plugins.module_utils.upgrade.rollout import (
    ANNOTATION,
    ApplyWrong,
    RolloutRefused,
    agent_image,
    rollout,
)

DAEMONSETS = "/apis/apps/v1/namespaces/kube-system/daemonsets"
OLD, NEW = "quay.io/cilium/cilium:v1.18.4", "quay.io/cilium/cilium:v1.19.1"


def template(image, **spec):
    labels = {"k8s-app": "cilium"}
    return {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "cilium-agent", "image": image}], **spec}}


def test_agent_image_needs_an_agent():
    with pytest.raises(RolloutRefused, match="no container cilium-agent"):
        agent_image({"spec": {"containers": [{"name": "other", "image": "i"}]}})


@pytest.fixture
def daemonset(api, cilium):
    """Cilium's agents on worker-3, of 1.18, as the chart has them."""
    cilium.lease()
    strategy = {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 2}}
    spec = {"selector": {"matchLabels": {"k8s-app": "cilium"}}, "updateStrategy": strategy, "template": template(OLD)}
    api.post(DAEMONSETS, {"metadata": {"name": "cilium"}, "spec": spec})
    api.until(lambda: pods(api))
    return cilium


def pods(api):
    return [p["spec"]["containers"][0]["image"] for p in api.client.list_all("/api/v1/namespaces/kube-system/pods")[0]]


def current(api):
    return api.client.get(f"{DAEMONSETS}/cilium")


def run(api, state, *, check_mode=False, **changes):
    params = {
        "state": state,
        "images": [NEW],
        "cilium_namespace": "kube-system",
        "daemonset": "cilium",
        "preconditions": True,
        "check_version": True,
        "release": None,
        "applied_by": None,
        "expected_images": [],
        "hosts": {},
        "batch": 1,
        "before_change": False,
    }
    return rollout(api.client, {**params, **changes}, check_mode=check_mode)


def test_restarts_are_taken_over_and_given_back(api, daemonset):
    api.client.patch("/api/v1/nodes/worker-3", {"metadata": {"labels": {"topology.kubernetes.io/zone": "rack-1"}}})
    looked = run(api, "driven", check_mode=True)
    assert looked["changed"]
    (agent,) = looked["nodes"]
    assert (agent["name"], agent["zone"], agent["current"], agent["planned"]) == ("worker-3", "rack-1", True, True)
    assert not run(api, "driven", check_mode=True, images=[OLD])["nodes"][0]["planned"]
    hosts = {"w3": "worker-3"}
    looked = run(api, "driven", check_mode=True, hosts=hosts, before_change=True)
    assert (looked["batches"], looked["nodes"][0]["restart"]) == ([["w3"]], True)
    assert looked["plan"] == "1 of 1 agents would be restarted, in this order: w3"
    assert current(api)["spec"]["updateStrategy"]["type"] == "RollingUpdate"

    taken = run(api, "driven")
    assert (taken["changed"], taken["strategy"], taken["images_before"]) == (True, "OnDelete", [OLD])
    assert not run(api, "driven")["changed"]

    api.client.patch(f"{DAEMONSETS}/cilium", {"spec": {"template": template(NEW)}})
    changed = run(api, "driven")
    assert (changed["changed"], changed["outdated"], changed["not_pulled"]) == (False, ["worker-3"], [])
    assert (changed["images"], changed["images_before"]) == ([NEW], [OLD])
    assert run(api, "driven", images=["quay.io/cilium/cilium:v1.19.0"])["not_pulled"] == [NEW]
    with pytest.raises(RolloutRefused, match=r"1 agents are not of the present template \(worker-3\)"):
        run(api, "released")

    (pod,) = api.client.list_all("/api/v1/namespaces/kube-system/pods")[0]
    api.client.delete(f"/api/v1/namespaces/kube-system/pods/{pod['metadata']['name']}", {"gracePeriodSeconds": 0})
    api.until(lambda: pods(api) == [NEW])
    assert run(api, "released")["changed"]
    spec = current(api)["spec"]
    assert spec["updateStrategy"] == {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 2}}
    assert ANNOTATION not in current(api)["metadata"].get("annotations", {})
    assert not run(api, "released")["changed"]
    assert daemonset.agents


def test_an_apply_that_sets_the_strategy_is_seen_and_what_was_before_stays(api, daemonset):
    run(api, "driven")
    strategy = {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 1}}
    api.client.patch(f"{DAEMONSETS}/cilium", {"spec": {"updateStrategy": strategy}})
    again = run(api, "driven")
    assert (again["changed"], again["strategy"]) == (True, "OnDelete")
    run(api, "released")
    assert current(api)["spec"]["updateStrategy"]["rollingUpdate"] == {"maxUnavailable": 2}
    assert daemonset.agents


def test_an_apply_that_would_restart_agents_or_brings_other_images_is_a_failure(api, daemonset):
    run(api, "driven")
    api.client.patch(f"{DAEMONSETS}/cilium", {"spec": {"template": template(NEW)}})
    applied = {"applied_by": "cilium-1.19.1"}
    assert not run(api, "driven", **applied, expected_images=[NEW])["changed"]
    other = "quay.io/cilium/cilium:v1.19.0"
    with pytest.raises(ApplyWrong, match=rf"images that were not pulled \({NEW}\): add them to agent_images"):
        run(api, "driven", **applied, images=[other])
    with pytest.raises(
        ApplyWrong, match=rf"applied cilium-1.19.1, .*images \({NEW}\) are not those of the chart \({other}\)"
    ):
        run(api, "driven", **applied, expected_images=[other])
    api.client.patch(f"{DAEMONSETS}/cilium", {"spec": {"updateStrategy": {"type": "RollingUpdate"}}})
    with pytest.raises(ApplyWrong, match=r"cilium-1.19.1 has set the DaemonSet's updateStrategy.*it is OnDelete again"):
        run(api, "driven", **applied)
    assert current(api)["spec"]["updateStrategy"]["type"] == "OnDelete"
    assert daemonset.agents


def test_rolled_back_is_the_template_of_before(api, daemonset):
    with pytest.raises(RolloutRefused, match="nothing to roll back to"):
        run(api, "rolled_back")
    before = current(api)["spec"]["template"]
    run(api, "driven")
    api.client.patch(f"{DAEMONSETS}/cilium", {"spec": {"template": template(NEW, hostPID=True)}})
    assert not run(api, "rolled_back", check_mode=True)["nodes"][0]["planned"]
    assert run(api, "rolled_back")["changed"]
    assert current(api)["spec"]["template"] == before
    assert (run(api, "rolled_back")["changed"], pods(api)) == (False, [OLD])
    assert daemonset.agents


def test_preconditions(api, daemonset):
    with pytest.raises(RolloutRefused, match=r"from 1.18 to 1.20 is more than one"):
        run(api, "driven", images=["quay.io/cilium/cilium:v1.20.0"])
    assert current(api)["spec"]["updateStrategy"]["type"] == "RollingUpdate"
    assert run(api, "driven", images=["quay.io/cilium/cilium:v1.20.0"], check_version=False)["changed"]
    run(api, "released")

    router = {"localASN": 65432, "neighbors": [{"peerAddress": "192.0.2.1/32", "peerASN": 62112}]}
    policy = {"nodeSelector": {"matchLabels": {"a": "b"}}, "virtualRouters": [router]}
    body = daemonset.kind({"metadata": {"name": "old"}, "spec": policy}, "CiliumBGPPeeringPolicy", "v2alpha1")
    api.post("/apis/cilium.io/v2alpha1/ciliumbgppeeringpolicies", body)
    with pytest.raises(
        RolloutRefused, match=r"CiliumBGPPeeringPolicy old exists, but Cilium no longer knows this kind from 1.19 on"
    ):
        run(api, "driven")
    assert run(api, "driven", images=["quay.io/cilium/cilium:v1.18.9"])["problems"] == []
    run(api, "released")

    path = f"{daemonset.bgp}/ciliumbgpclusterconfigs/rack-1/status"
    wrong = {"type": "cilium.io/MissingPeerConfigs", "status": "True", "reason": "r", "message": "p is missing"}
    stamp = {"lastTransitionTime": "2026-03-02T22:00:00Z"}
    api.client.patch(path, {"status": {"conditions": [{**wrong, **stamp}]}})
    with pytest.raises(RolloutRefused, match=r"rack-1 says cilium.io/MissingPeerConfigs: p is missing"):
        run(api, "driven", images=[])
    found = run(api, "driven", images=[], preconditions=False)
    assert len(found["problems"]) == 1


def test_an_operator_that_is_down_and_a_damaged_annotation_are_refused(api, daemonset):
    daemonset.lease(age=60, seconds=1)
    with pytest.raises(RolloutRefused, match=r"cilium-operator.*is down"):
        run(api, "driven")
    daemonset.lease()
    api.client.patch(f"{DAEMONSETS}/cilium", {"metadata": {"annotations": {ANNOTATION: "{"}}})
    with pytest.raises(RolloutRefused, match="can't be read"):
        run(api, "released")
    with pytest.raises(RolloutRefused, match="there is no DaemonSet tetragon"):
        run(api, "released", daemonset="tetragon")
