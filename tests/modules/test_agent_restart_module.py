# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Restarting an agent on a real HTTP API, with the lab's stand-in kubelets."""

from __future__ import annotations

import json
import re
import threading
from datetime import UTC, datetime

import pytest
from ansible_collections.hitless.nodes.plugins.module_utils.base.polling import Unfinished
from ansible_collections.hitless.nodes.plugins.module_utils.record import records
from ansible_collections.hitless.nodes.plugins.module_utils.upgrade.agent_restart import (
    RestartFailed,
    RestartRefused,
    restart,
)
from ansible_collections.hitless.nodes.plugins.module_utils.upgrade.image_proof import NotProven
from api_calls import OTHER, RUN, TIMEOUT, until_progress
from emulator.images import digest_of

PODS = "/api/v1/namespaces/kube-system/pods"
DAEMONSETS = "/apis/apps/v1/namespaces/kube-system/daemonsets"
NODE = "worker-2"


def image(version):
    name = f"registry.invalid/cilium:v{version}"
    return f"{name}@{digest_of(name)}"


def template(version):
    return {
        "metadata": {"labels": {"k8s-app": "cilium"}},
        "spec": {
            "terminationGracePeriodSeconds": 1,
            "initContainers": [{"name": "config", "image": image(version)}],
            "containers": [{"name": "cilium-agent", "image": image(version)}],
        },
    }


@pytest.fixture
def daemonset(api, kubelets):
    """Cilium's agents, of version 1, with a template of version 2."""
    kubelets.knobs(pods={"termination_seconds": 0.1})
    spec = {
        "selector": {"matchLabels": {"k8s-app": "cilium"}},
        "updateStrategy": {"type": "OnDelete"},
        "template": template(1),
    }
    api.post(DAEMONSETS, {"metadata": {"name": "cilium"}, "spec": spec})
    api.until(lambda: all(agents(api)[name]["ready"] for name in kubelets.names))
    api.client.patch(f"{DAEMONSETS}/cilium", {"spec": {"template": template(2)}})
    return kubelets


def agents(api):
    found = {name: {"ready": False} for name in ("worker-1", "worker-2", "worker-3")}
    for pod in api.client.list_all(PODS, labelSelector="k8s-app=cilium")[0]:
        conditions = {c["type"]: c["status"] for c in pod["status"].get("conditions") or []}
        found[pod["spec"].get("nodeName")] = {
            "ready": conditions.get("Ready") == "True",
            "uid": pod["metadata"]["uid"],
            "image": pod["spec"]["containers"][0]["image"],
        }
    return found


def run(api, *, check_mode=False, **changes):
    params = {
        "name": NODE,
        "cilium_namespace": "kube-system",
        "daemonset": "cilium",
        "budget": TIMEOUT,
        "sessions": "ignored",
        "image_timeout": TIMEOUT,
        "timeout": TIMEOUT,
        "force": False,
        "_run": RUN,
        "_slice": None,
        "_state": None,
    }
    return restart(api.client, {**params, **changes}, check_mode=check_mode)


def until(api, words, **changes):
    """As until_progress, for a restart."""
    return until_progress(lambda state: run(api, _slice=0.5, _state=state, **changes), words)


def late(api, words, **changes):
    """The RestartFailed of a restart whose time is over when its progress line has these words."""
    state, _changed = until(api, words, **changes)
    with pytest.raises(RestartFailed) as caught:
        run(api, _state={**state, "elapsed": TIMEOUT}, **changes)
    return caught.value


def test_one_agent_is_restarted_and_timed(api, daemonset):
    before = agents(api)
    result = run(api)
    after = agents(api)
    assert (result["changed"], result["exceeded"]) == (True, False)
    assert (after[NODE]["image"], after[NODE]["uid"] == before[NODE]["uid"]) == (image(2), False)
    assert {name: after[name] for name in ("worker-1", "worker-3")} == {
        name: before[name] for name in ("worker-1", "worker-3")
    }
    steps = result["steps"]
    assert 0 <= steps["gone"] <= steps["running"] <= steps["ready"]
    assert (steps["sessions"], result["images"]) == (None, [image(2)])
    proofs = api.client.list_all(PODS, labelSelector="hitless.nodes/image-proof")[0]
    assert [pod for pod in proofs if "deletionTimestamp" not in pod["metadata"]] == []
    again = run(api)
    assert (again["changed"], again["seconds"]) == (False, None)
    assert run(api, force=True)["changed"]
    assert daemonset.names


def test_check_mode_changes_nothing(api, daemonset):
    before = agents(api)
    result = run(api, check_mode=True)
    assert (result["changed"], result["seconds"]) == (True, None)
    assert result["diff"] == {"before": {"images": [image(1)]}, "after": {"images": [image(2)]}}
    assert agents(api) == before
    assert api.requests("POST", "/pods") == []
    assert daemonset.names


def not_proven(api):
    """What a restart says whose images can't be pulled; on a slow machine the kubelet has its say later."""
    for seconds in (2.0, 60.0):
        with pytest.raises(NotProven) as caught:
            run(api, image_timeout=seconds)
        if "i/o timeout" in caught.value.msg:
            break
    return caught.value.msg


def test_an_image_that_is_not_there_and_can_not_be_pulled_stops_before_the_restart(api, daemonset):
    daemonset.knobs(images={NODE: {"away": True}})
    before = agents(api)
    said = not_proven(api)
    assert re.search(
        r"worker-2: it didn't prove within .* that it has its images.*i/o timeout.*nothing was restarted", said
    ), said
    assert agents(api) == before
    proofs = api.client.list_all(PODS, labelSelector="hitless.nodes/image-proof")[0]
    assert [pod for pod in proofs if "deletionTimestamp" not in pod["metadata"]] == []
    # One that was pulled before and removed since is pulled again.
    daemonset.knobs()
    assert run(api)["changed"]


def test_an_update_strategy_that_restarts_by_itself_is_refused(api, daemonset):
    api.client.patch(f"{DAEMONSETS}/cilium", {"spec": {"template": template(1)}})
    api.client.patch(f"{DAEMONSETS}/cilium", {"spec": {"updateStrategy": {"type": "RollingUpdate"}}})
    with pytest.raises(RestartRefused, match="updateStrategy RollingUpdate"):
        run(api, force=True)
    with pytest.raises(RestartRefused, match="there is no DaemonSet tetragon in namespace kube-system"):
        run(api, daemonset="tetragon")
    assert daemonset.names


def test_a_node_of_another_run_is_refused(api, daemonset):
    before = {"unschedulable": False, "label": {"key": "enable-bgp", "value": "true"}, "addresses": ["192.0.2.13"]}
    record = records.new(OTHER, before, {}, datetime.now(UTC))
    api.client.patch(f"/api/v1/nodes/{NODE}", records.annotation(record))
    with pytest.raises(records.HeldError, match="bob@laptop"):
        run(api)
    assert daemonset.names


def claimed(api):
    """Has this run hold the node."""
    before = {"unschedulable": False, "label": {"key": "enable-bgp", "value": "true"}, "addresses": ["192.0.2.13"]}
    api.client.patch(f"/api/v1/nodes/{NODE}", records.annotation(records.new(RUN, before, {}, datetime.now(UTC))))


def ways(api):
    """What the node's record says that was begun with it."""
    record = records.parse(api.client.get(f"/api/v1/nodes/{NODE}"))
    return [entry["way"] for entry in record["history"] if "way" in entry]


def test_the_record_says_that_the_restart_has_begun_before_the_pod_is_deleted(api, daemonset):
    claimed(api)
    run(api)
    assert ways(api) == ["restart"]
    # A kubelet that writes its Node meanwhile has one of ours refused (409) and sent again.
    written = [one["n"] for one in api.requests("PATCH", f'/api/v1/nodes/{NODE}"') if one["status"] == 200]
    deletions = [one["n"] for one in api.requests("DELETE", f"{PODS}/cilium-")]
    assert len(written) == 2  # the claim, and the note
    assert written[-1] < min(deletions)
    assert daemonset.names


def test_a_restart_that_has_not_begun_is_not_in_the_record(api, daemonset):
    claimed(api)
    daemonset.knobs(images={NODE: {"away": True}})
    with pytest.raises(NotProven):
        run(api, image_timeout=4.0)
    run(api, check_mode=True)
    assert ways(api) == []


def test_a_node_without_an_agent_is_refused(api, daemonset):
    api.client.patch(f"{DAEMONSETS}/cilium", {"spec": {"template": {"spec": {"nodeSelector": {"no": "where"}}}}})
    api.until(lambda: not api.client.list_all(PODS)[0])
    with pytest.raises(RestartRefused, match="worker-2: DaemonSet kube-system/cilium has no pod on this node"):
        run(api)
    assert daemonset.names


def test_a_restart_that_takes_longer_than_the_budget_fails_after_the_agent_is_back(api, daemonset):
    daemonset.knobs(agents={NODE: {"restart_seconds": 1.0}})
    with pytest.raises(
        RestartFailed, match=r"was away for .* s, but the routers keep its routes for only 0.5 s"
    ) as caught:
        run(api, budget=0.5)
    assert caught.value.facts["exceeded"]
    assert caught.value.facts["steps"]["ready"] >= 1.0
    assert agents(api)[NODE]["ready"]


def test_an_agent_that_does_not_come_back_fails_with_what_it_waits_for(api, daemonset):
    daemonset.agents[NODE].starts = False
    failure = late(api, "waiting for cilium-.* to be Ready")
    assert re.search(r"doesn't work .* s after its pod was deleted \(of 600 s\): it lacks", failure.msg), failure.msg
    assert failure.facts["steps"]["running"] is not None
    assert failure.facts["steps"]["ready"] is None


def test_slices_go_on_with_the_same_restart(api, daemonset):
    daemonset.agents[NODE].starts = False
    with pytest.raises(Unfinished, match=r"its agent has been away for \d+ s \(of 600 s\), waiting for") as caught:
        run(api, _slice=0.5)
    daemonset.agents[NODE].starts = True
    state = {**json.loads(json.dumps(caught.value.state)), "elapsed": 1.0, "slices": 1}
    result = run(api, _slice=TIMEOUT, _state=state)
    assert (result["changed"], agents(api)[NODE]["image"]) == (True, image(2))
    assert len(api.requests("DELETE", "/kube-system/pods/cilium-")) == 2  # ours, and the kubelet's that ends it


def established(api, selected, since):
    """Has the agent of the node report that its session is up since then."""
    peer = {"name": "tor-1", "peerAddress": "192.0.2.1", "peerASN": 62112, "peeringState": "established"}
    instance = {"name": "main", "localASN": 65432, "peers": [{**peer, "establishedTime": since.isoformat()[:19] + "Z"}]}
    path = f"{selected.bgp}/ciliumbgpnodeconfigs/{NODE}/status"
    api.client.patch(path, {"status": {"bgpInstances": [instance]}})


def test_sessions_have_to_be_up_again(api, daemonset, selected):
    daemonset.knobs(agents={NODE: {"restart_seconds": 4.0}})
    established(api, selected, datetime.now(UTC))
    old = agents(api)[NODE]["uid"]

    def report():
        api.until(lambda: agents(api)[NODE].get("uid", old) != old and agents(api)[NODE]["ready"])
        established(api, selected, datetime.now(UTC))

    agent = threading.Thread(target=report)
    agent.start()
    result = run(api, sessions="auto")
    agent.join()
    assert result["steps"]["sessions"] is not None
    assert result["seconds"] == round(result["steps"]["sessions"], 1)


def test_a_session_that_stays_down_is_named(api, daemonset, selected):
    daemonset.knobs(agents={NODE: {"restart_seconds": 4.0}})
    established(api, selected, datetime.now(UTC))
    failure = late(api, "waiting for its sessions", sessions="auto")
    assert re.search(r"it lacks its sessions .*tor-1", failure.msg), failure.msg
    assert failure.facts["steps"]["ready"] is not None
    assert failure.facts["steps"]["sessions"] is None


def test_sessions_that_must_be_known_and_are_not_are_refused(api, daemonset):
    with pytest.raises(Exception, match="serves neither CiliumBGPClusterConfig"):
        run(api, sessions="required")
    assert daemonset.names
