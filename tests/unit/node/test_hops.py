# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.hitless.nodes.plugins.module_utils.cilium.bgp_sessions import Answer
from ansible_collections.hitless.nodes.plugins.module_utils.node.hops import (
    PATIENCE,
    field_manager,
    hops,
    progress,
    reached,
    sessions_hop,
)


def thing(labels=None, name="worker-3", owners=(), managed=None):
    metadata = {"name": name, "labels": labels or {}, "ownerReferences": list(owners)}
    return {"metadata": metadata | ({"managedFields": managed} if managed else {})}


OUT = {"enable-bgp": "false"}
IN = {"enable-bgp": "true"}
CONFIG = thing(owners=[{"kind": "CiliumBGPClusterConfig", "name": "rack-1"}])


def look(node=..., cilium=..., config=None, *, key="enable-bgp", value="false", wanted=False):
    cilium_node = None if cilium is None else thing(OUT if cilium is ... else cilium)
    return hops(thing(OUT if node is ... else node), cilium_node, config, key=key, value=value, config_wanted=wanted)


def test_hops_all_passed_on_the_way_out():
    assert [hop["ok"] for hop in look()] == [True, True, True]


def test_hops_all_passed_on_the_way_in():
    assert all(hop["ok"] for hop in look(IN, IN, CONFIG, value="true", wanted=True))


def test_hops_of_a_label_that_is_to_be_absent():
    assert all(hop["ok"] for hop in look({}, {}, value=None))
    assert not all(hop["ok"] for hop in look({}, IN, value=None))


@pytest.mark.parametrize(
    ("seen", "hop", "found", "remedy"),
    [
        (look(IN), "Node", "enable-bgp=true", "another writer has set the label again"),
        (look(cilium=IN), "CiliumNode", "enable-bgp=true", "exclude-node-label-patterns"),
        (look(cilium={}), "CiliumNode", "enable-bgp (absent)", "the agent on worker-3"),
        (look(cilium=None), "CiliumNode", "no CiliumNode", "the agent on worker-3"),
        (look(config=CONFIG), "NodeConfig", "there, of CiliumBGPClusterConfig rack-1", "cilium-operator"),
        (look(config=thing()), "NodeConfig", "there, of no owner", "cilium-operator"),
        (look(IN, IN, None, value="true", wanted=True), "NodeConfig", "not there", "cilium-operator"),
    ],
)
def test_hops_name_the_first_that_is_stuck(seen, hop, found, remedy):
    stuck = next(entry for entry in seen if not entry["ok"])
    assert (stuck["hop"], stuck["found"]) == (hop, found)
    assert remedy in stuck["remedy"]
    assert progress(seen) == f"{hop} is not yet as wanted: {found}"


def test_hops_without_a_missing_cilium_node_when_absence_is_wanted():
    # No CiliumNode is no proof that the label is gone from it.
    assert look({}, None, value=None)[1]["ok"] is False


def test_hops_without_a_label_look_at_the_node_config_only():
    assert [hop["hop"] for hop in look(key=None)] == ["NodeConfig"]


def test_hops_of_a_legacy_policy_have_no_node_config():
    assert [hop["hop"] for hop in look(wanted=None)] == ["Node", "CiliumNode"]


def test_field_manager():
    fields = {"f:metadata": {"f:labels": {"f:enable-bgp": {}}}}
    managed = [{"manager": "kubelet", "fieldsV1": {"f:status": {}}}, {"manager": "argocd", "fieldsV1": fields}]
    assert field_manager(thing(IN, managed=managed), "enable-bgp") == "argocd"
    assert field_manager(thing(IN, managed=managed), "rack") is None
    assert field_manager(thing(IN), "enable-bgp") is None


def test_hops_name_the_manager_that_set_the_label_again():
    fields = {"f:metadata": {"f:labels": {"f:enable-bgp": {}}}}
    node = thing(IN, managed=[{"manager": "argocd", "fieldsV1": fields}])
    seen = hops(node, thing(IN), None, key="enable-bgp", value="false", config_wanted=False)
    assert "(field manager argocd)" in seen[0]["remedy"]


UP = {"peer": "tor-1", "address": "192.0.2.1", "state": "established", "established": True}
DOWN = {**UP, "peer": None, "state": "active", "established": False}
NO_RIGHT = Answer("agent", [], "no right", lasting=True)
BUSY = Answer("agent", [], "busy")


@pytest.mark.parametrize(
    ("answer", "options", "ok", "passed"),
    [
        (Answer("agent", [], None), {}, True, True),
        (Answer("agent", [UP], None), {}, False, False),
        (Answer("agent", [DOWN], None), {}, False, False),
        (Answer("status", [UP], None), {"up": True}, True, True),
        (Answer("status", [UP, DOWN], None), {"up": True}, False, True),
        (Answer("status", [UP, DOWN], None), {"up": True, "mode": "required"}, False, False),
        # A node without any session isn't announced.
        (Answer("agent", [], None), {"up": True, "mode": "required"}, False, False),
        (NO_RIGHT, {}, None, True),
        (NO_RIGHT, {"mode": "required", "seconds": 99}, None, False),
        (BUSY, {}, None, False),
        (BUSY, {"seconds": PATIENCE}, None, True),
    ],
)
def test_sessions_hop(answer, options, ok, passed):
    hop = sessions_hop(answer, **{"up": False, "mode": "auto", "seconds": 0.0, **options})
    assert (hop["ok"], hop["passed"]) == (ok, passed)


def test_sessions_hop_says_what_is_there():
    hop = sessions_hop(Answer("agent", [UP, DOWN], None), up=False, mode="auto", seconds=0.0)
    assert hop["found"] == "tor-1 established, 192.0.2.1 active"
    assert sessions_hop(NO_RIGHT, up=False, mode="auto", seconds=0.0)["found"] == "unknown: no right"


def test_reached_counts_from_the_first():
    seen = look(cilium=IN)
    assert (reached(seen), reached([]), reached(look())) == (1, 0, 3)
