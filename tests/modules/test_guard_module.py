# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The last look: what the cluster and the routers say now decides, not what was proven before."""

from __future__ import annotations

import pytest
from ansible_collections.hitless.nodes.plugins.module_utils.drain.drain import drain
from ansible_collections.hitless.nodes.plugins.module_utils.node.guard import GuardError
from ansible_collections.hitless.nodes.plugins.module_utils.record import records
from api_calls import CLEAN, NODE, ROUTES, RUN, bgp, claimed, drain_params, off, writes

LEFT = {"vrf": "default", "family": "ipv4", "prefix": "198.51.100.10/32", "next_hop": "192.0.2.13", "where": "fib"}
DIRTY = {"tor-1": {**CLEAN["tor-1"], "left": [LEFT | {"stale": False}]}}


@pytest.fixture
def out(api, request):
    """A node whose routes are withdrawn, as its record says."""
    request.getfixturevalue("cilium")
    claimed(api, routes=ROUTES)
    drain(api.client, drain_params(_run=RUN), check_mode=False)
    flipped = bgp(api.client, "withdrawn")
    claimed(api, phase="withdrawn", note={"evidence": "router", "label": flipped["label"]})
    return api


def refused(api, words, **changes):
    """The act isn't allowed, and nothing is written."""
    done = len(writes(api))
    with pytest.raises(GuardError, match=words):
        off(api, **changes)
    assert len(writes(api)) == done


def test_the_look_is_noted_before_the_command(out):
    found = off(out, note={"power": "os"})
    assert found["boot_id"] == "boot-1"
    entry = found["record"]["history"][-1]
    assert (entry["phase"], entry["power"], entry["boot_id"]) == ("off", "os", "boot-1")
    assert (entry["guard"]["act"], entry["guard"]["routers"]) == ("off", ["tor-1"])
    assert records.parse(out.client.get(NODE)) == found["record"]


@pytest.mark.parametrize("act", ["off", "force_off", "reboot"])
def test_a_router_that_has_a_route_again(out, act):
    refused(out, r"router tor-1 still has 198\.51\.100\.10/32 \(ipv4, FIB\)", act=act, routes=DIRTY)


def test_a_router_that_gives_no_answer(out):
    refused(out, r"router tor-1 was not asked", routes={})
    refused(out, r"router tor-2 was not asked", routers=["tor-1", "tor-2"])


def test_a_router_that_left_the_inventory(out):
    refused(out, r"router tor-1 had its routes at the claim, and isn't among the routers now", routers=["tor-2"])


@pytest.mark.parametrize("act", ["off", "force_off", "reboot", "flush"])
def test_a_label_that_was_set_again(out, act):
    out.client.patch(NODE, {"metadata": {"labels": {"enable-bgp": "true"}}})
    refused(out, r"another writer has set the label again", act=act)


def test_a_node_config_that_is_there_again(out, cilium):
    cilium.operator = False
    spec = {"bgpInstances": [{"name": "main", "localASN": 65432, "peers": []}]}
    out.post(f"{cilium.bgp}/ciliumbgpnodeconfigs", {"metadata": {"name": "worker-3"}, "spec": spec})
    refused(out, r"it has a CiliumBGPNodeConfig, so its agent announces")


def test_a_node_that_was_uncordoned(out):
    out.client.patch(NODE, {"spec": {"unschedulable": None}})
    refused(out, r"it was uncordoned since the drain")


def test_a_record_that_is_gone_or_of_another_run(out):
    refused(out, r"the Node is held by alice@bastion", _run=RUN | {"pid": 2})
    out.client.patch(NODE, {"metadata": {"annotations": {records.ANNOTATION: None}}})
    refused(out, r"the Node has no record \(any more\)")


def test_a_node_that_was_made_again(out):
    node = out.client.get(NODE)
    out.client.delete(NODE, {})
    kept = {key: node["metadata"][key] for key in ("name", "labels", "annotations")}
    out.post("/api/v1/nodes", {"metadata": kept, "spec": {"unschedulable": True}})
    with pytest.raises(records.RecordError, match="it was deleted and made again since the claim"):
        off(out)


@pytest.mark.usefixtures("cilium")
def test_routes_that_were_never_proven_to_be_gone(api):
    claimed(api, routes=ROUTES)
    bgp(api.client, "withdrawn")
    refused(api, r"its record says phase claimed, proven by nobody")


@pytest.mark.parametrize(("by", "asked"), [("estimate", "router"), ("estimate", "cilium"), ("cilium", "router")])
@pytest.mark.usefixtures("cilium")
def test_less_evidence_than_is_asked_for(api, by, asked):
    claimed(api)
    bgp(api.client, "withdrawn")
    claimed(api, phase="withdrawn", note={"evidence": by})
    refused(api, f"proven by {by}, and evidence={asked} is asked for", evidence=asked)
    assert claimed(api)["record"]["phase"] == "withdrawn"


@pytest.mark.parametrize(("by", "asked"), [("router", "estimate"), ("cilium", "cilium"), ("router", None)])
@pytest.mark.usefixtures("cilium")
def test_as_much_evidence_as_is_asked_for(api, by, asked):
    claimed(api)
    bgp(api.client, "withdrawn")
    claimed(api, phase="withdrawn", note={"evidence": by})
    assert off(api, evidence=asked)["record"]["phase"] == "off"
