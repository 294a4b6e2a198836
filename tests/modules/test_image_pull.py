# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Pulling images on a real HTTP API, with the lab's stand-in kubelets."""

from __future__ import annotations

import json
import threading

import pytest
from ansible_collections.hitless.nodes.plugins.module_utils.base.polling import Limits, Unfinished
from ansible_collections.hitless.nodes.plugins.module_utils.kube import node_objects
from ansible_collections.hitless.nodes.plugins.module_utils.record import records
from ansible_collections.hitless.nodes.plugins.module_utils.upgrade import pull as pull_module
from ansible_collections.hitless.nodes.plugins.module_utils.upgrade.image_ref import parse
from ansible_collections.hitless.nodes.plugins.module_utils.upgrade.pull import Pull, pull
from ansible_collections.hitless.nodes.plugins.module_utils.upgrade.pull_daemonset import PullFailed, manifest
from ansible_collections.hitless.nodes.plugins.module_utils.upgrade.pull_plan import LOOK_EVERY, Target
from api_calls import OTHER, RUN, TIMEOUT
from emulator.images import digest_of

AGENT, OPERATOR = "registry.invalid/cilium:v2", "registry.invalid/operator:v2"
PINNED = f"{AGENT}@{digest_of(AGENT)}"
DAEMONSETS = "/apis/apps/v1/namespaces/kube-system/daemonsets"


def params(**changes):
    defaults = {
        "images": [PINNED, OPERATOR],
        "state": "present",
        "nodes": None,
        "node_selector": "kubernetes.io/os=linux",
        "allow_missing": [],
        "hold": False,
        "namespace": "kube-system",
        "name": "hitless-image-pull",
        "pull_secrets": [],
        "command": ["sleep", "86400"],
        "parallel": 20,
        "retries": 0,
        "retry_delay": 0.1,
        "node_timeout": TIMEOUT,
        "timeout": TIMEOUT,
        "takeover": False,
        "_run": RUN,
        "_slice": None,
        "_state": None,
    }
    return {**defaults, **changes}


def run(api, *, check_mode=False, **changes):
    return pull(api.client, params(**changes), check_mode=check_mode)


def left(api):
    return [item["metadata"]["name"] for item in api.client.list_all(DAEMONSETS)[0]]


def results(result):
    return {row["name"]: row["result"] for row in result["nodes"]}


def daemonset(api, run=None, images=(PINNED, OPERATOR), nodes=("worker-1",)):
    """What a killed run has left."""
    references = [parse(image) for image in images]
    return api.post(DAEMONSETS, manifest(params(_run=run or RUN), references, list(nodes)))


def test_images_are_pulled_proven_and_let_go(api, kubelets):
    kubelets.knobs(images={"*": {"pull_seconds": 0.2}})
    first = run(api)
    assert first["changed"]
    assert results(first) == dict.fromkeys(kubelets.names, "pulled")
    assert first["images"] == [
        {"image": PINNED, "digests": [digest_of(AGENT)], "nodes": 3, "proven_by": {"pod": 3}},
        {"image": OPERATOR, "digests": [digest_of(OPERATOR)], "nodes": 3, "proven_by": {"pod": 3}},
    ]
    assert left(api) == []
    api.until(lambda: not api.names())
    again = run(api)
    assert (again["changed"], results(again)) == (False, dict.fromkeys(kubelets.names, "present"))


def test_named_nodes_only_and_an_unknown_one_is_refused_before_anything_is_made(api, kubelets):
    result = run(api, nodes=["worker-2"])
    assert results(result) == {"worker-2": "pulled"}
    assert "cilium" not in json.dumps(api.client.get("/api/v1/nodes/worker-1")["status"].get("images") or [])
    with pytest.raises(node_objects.UnknownNode, match="worker-9"):
        run(api, nodes=["worker-2", "worker-9"])
    with pytest.raises(PullFailed, match="no node is selected"):
        run(api, node_selector="nobody=has-it")
    assert len(api.requests("POST", "/daemonsets")) == 1
    assert kubelets.names


def test_hold_keeps_the_images_in_use_until_they_are_let_go(api, kubelets):
    held = run(api, hold=True)
    assert (held["changed"], held["daemonset"]) == (True, "kube-system/hitless-image-pull")
    assert len(api.names()) == len(kubelets.names)
    again = run(api, hold=True)
    assert (again["changed"], left(api)) == (False, ["hitless-image-pull"])
    assert run(api, state="absent", check_mode=True)["changed"]
    gone = run(api, state="absent")
    assert (gone["changed"], gone["removed"]) == (True, ["DaemonSet kube-system/hitless-image-pull"])
    assert left(api) == []
    assert not run(api, state="absent")["changed"]


def test_pods_of_other_images_that_were_held_prove_nothing(api, kubelets):
    run(api, images=[OPERATOR], hold=True)
    result = run(api, images=[AGENT], hold=True)
    assert result["images"][0]["digests"] == [digest_of(AGENT)]
    assert results(result) == dict.fromkeys(kubelets.names, "pulled")
    assert left(api) == ["hitless-image-pull"]


def test_no_more_nodes_pull_at_the_same_time_than_allowed(api, kubelets, monkeypatch):
    monkeypatch.setattr(pull_module, "WRITE_EVERY", 0.0)
    kubelets.knobs(images={"*": {"pull_seconds": 0.3}})
    run(api, parallel=1)
    bodies = api.requests("PATCH", "/daemonsets/")
    assert len(bodies) == 2
    assert len(api.requests("POST", "/daemonsets")) == 1


def test_a_failed_node_fails_with_the_kubelets_words_and_all_is_removed(api, kubelets):
    kubelets.knobs(images={"worker-2": {"fail": "denied: no such robot"}})
    with pytest.raises(PullFailed, match="1 of 3 nodes don't have the images: worker-2") as caught:
        run(api)
    assert "denied: no such robot" in caught.value.msg
    assert caught.value.facts["failed_nodes"] == ["worker-2"]
    assert results(caught.value.facts)["worker-1"] == "pulled"
    assert left(api) == []


def test_a_failed_node_that_may_do_without_is_a_warning(api, kubelets):
    kubelets.knobs(images={"worker-2": {"away": True}})
    result = run(api, allow_missing=["worker-2"])
    assert (result["failed_nodes"], result["missing_nodes"]) == ([], ["worker-2"])
    assert "i/o timeout" in result["warnings"][0]


def test_a_pull_is_tried_again_by_a_new_pod(api, kubelets):
    kubelets.knobs(images={"worker-2": {"fail": "EOF"}})

    def heal():
        api.until(lambda: api.requests("DELETE", "/namespaces/kube-system/pods/hitless-image-pull"))
        kubelets.knobs()

    healer = threading.Thread(target=heal)
    healer.start()
    result = run(api, retries=1000, retry_delay=0.2)
    healer.join()
    tries = {row["name"]: row["tries"] for row in result["nodes"]}
    assert (tries["worker-1"], tries["worker-3"]) == (1, 1)
    assert tries["worker-2"] > 1


def test_a_node_that_takes_too_long_fails(api, kubelets):
    kubelets.knobs(images={"worker-3": {"pull_seconds": 60}})
    with pytest.raises(PullFailed, match=r"worker-3.*not there after 1 s: still pulling"):
        run(api, node_timeout=1.0)
    with pytest.raises(PullFailed, match=r"worker-3.*not there after 1 s: still pulling"):
        run(api, timeout=1.0)
    assert left(api) == []


def test_a_node_that_is_not_ready_fails_without_being_waited_for(api, kubelets):
    kubelets.knobs(kubelets={"worker-1": {"dead": True}})
    conditions = [{"type": "Ready", "status": "Unknown"}]
    api.client.patch("/api/v1/nodes/worker-1/status", {"status": {"conditions": conditions}})
    with pytest.raises(PullFailed, match=r"worker-1.*isn't Ready"):
        run(api)


def test_check_mode_says_what_is_missing_and_writes_nothing(api, kubelets):
    run(api, nodes=["worker-1"])
    writes = len(api.requests("POST", "/daemonsets"))
    result = run(api, check_mode=True)
    assert (result["changed"], len(api.requests("POST", "/daemonsets"))) == (True, writes)
    assert results(result) == {"worker-1": "present", "worker-2": "pulled", "worker-3": "pulled"}
    assert kubelets.names


def test_slices_go_on_where_the_last_one_ended(api, kubelets):
    kubelets.knobs(images={"*": {"away": True}})
    with pytest.raises(Unfinished, match="0 of 3 nodes have the images, 3 are pulling") as caught:
        run(api, _slice=0.2, retries=1000)
    kubelets.knobs()
    assert left(api) == ["hitless-image-pull"]
    state = {**json.loads(json.dumps(caught.value.state)), "elapsed": 0.4, "slices": 1}
    result = run(api, _slice=TIMEOUT, _state=state, retries=1000)
    assert results(result) == dict.fromkeys(kubelets.names, "pulled")
    assert (left(api), len(api.requests("POST", "/daemonsets"))) == ([], 1)


def test_what_a_killed_run_has_left_is_gone_on_with_or_replaced(api, kubelets):
    daemonset(api, run={**RUN, "boot_id": "another", "pid": 2}, images=["registry.invalid/old:v1"])
    with pytest.raises(records.HeldError, match="agent_pull_takeover=true"):
        run(api)
    assert left(api) == ["hitless-image-pull"]
    with pytest.raises(records.HeldError, match="agent_pull_takeover=true"):
        run(api, state="absent")
    assert results(run(api, takeover=True)) == dict.fromkeys(kubelets.names, "pulled")
    assert left(api) == []
    daemonset(api)
    made = len(api.requests("POST", "/daemonsets"))
    assert run(api, nodes=["worker-1", "worker-2"], hold=True)["daemonset"]
    assert len(api.requests("POST", "/daemonsets")) == made


def test_a_daemonset_of_somebody_else_is_left_alone(api, kubelets):
    body = manifest(params(_run=OTHER), [parse(PINNED)], ["worker-1"])
    del body["metadata"]["annotations"]
    api.post(DAEMONSETS, body)
    for state in ("present", "absent"):
        with pytest.raises(PullFailed, match="was not made by image_pull"):
            run(api, state=state)
    assert left(api) == ["hitless-image-pull"]
    assert kubelets.names


def test_where_the_pod_alone_does_not_prove_it_the_nodes_list_is_asked(api, kubelets):
    # The runtime names the image of the platform, the reference the list of platforms.
    both = {"names": [f"registry.invalid/cilium@{digest}" for digest in (f"sha256:{'f' * 64}", digest_of(AGENT))]}
    references = [parse(f"registry.invalid/cilium@sha256:{'f' * 64}")]
    target = Target("worker-1", "linux/amd64", False)
    work = Pull(api.client, params(), references, [target], Limits(30.0))
    pod = {
        "spec": {},
        "status": {"containerStatuses": [{"name": "image-0", "imageID": f"x@{digest_of(AGENT)}", "state": {}}]},
    }
    assert work.verdicts(target, pod, 0.0)[0].state == "coming"
    kubelets.end()
    api.client.patch("/api/v1/nodes/worker-1/status", {"status": {"images": [both]}})
    assert work.verdicts(target, pod, 1.0)[0].state == "coming"  # not asked again so soon
    assert work.verdicts(target, pod, LOOK_EVERY)[0].how == "node"
