# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whoever changes a node stops if its record is gone, was changed by hand, or belongs to another Node."""

from __future__ import annotations

import json

import pytest
from ansible_collections.hitless.nodes.plugins.module_utils.base.polling import Unfinished
from ansible_collections.hitless.nodes.plugins.module_utils.cilium.node_picture import node_info
from ansible_collections.hitless.nodes.plugins.module_utils.cilium.selection import SelectionError
from ansible_collections.hitless.nodes.plugins.module_utils.drain.cordon import cordon, uncordon
from ansible_collections.hitless.nodes.plugins.module_utils.drain.drain import DrainError, drain
from ansible_collections.hitless.nodes.plugins.module_utils.node.claim import claim, release
from ansible_collections.hitless.nodes.plugins.module_utils.node.hops import HopError
from ansible_collections.hitless.nodes.plugins.module_utils.node.readiness import PATIENCE, NotBack, wait
from ansible_collections.hitless.nodes.plugins.module_utils.record import records
from api_calls import NODE, OTHER, RUN, TIMEOUT, bgp, claim_params, claimed, drain_params, labels, off, writes

WAIT = {"name": "worker-3", "rebooted": False, "boot_id": None, "agent": False, "cilium_namespace": "kube-system"}
WAIT |= {"timeout": TIMEOUT, "_run": RUN, "_slice": None, "_state": None, "claimed": True}
ACTS = {
    "note": lambda api, **kept: claim(api.client, claim_params(note={"way": "in"}, **kept), check_mode=False),
    "release": lambda api, **kept: release(api.client, claim_params(**kept), check_mode=False),
    "withdraw": lambda api, **kept: bgp(api.client, "withdrawn", **kept),
    "announce": lambda api, **kept: bgp(api.client, "announced", **kept),
    "drain": lambda api, **kept: drain(api.client, drain_params(_run=RUN, **kept), check_mode=False),
    "cordon": lambda api, **kept: cordon(api.client, "worker-3", run=RUN, check_mode=False, **kept),
    "uncordon": lambda api, **kept: uncordon(api.client, "worker-3", run=RUN, check_mode=False, **kept),
    "wait": lambda api, **kept: wait(api.client, WAIT | kept, check_mode=False),
}
every_act = pytest.mark.parametrize("act", list(ACTS))


def write_record(api, text):
    api.client.patch(NODE, {"metadata": {"annotations": {records.ANNOTATION: text}}})


@pytest.fixture
def held(api, request):
    """A claimed node that a person had cordoned."""
    request.getfixturevalue("cilium")
    api.client.patch(NODE, {"spec": {"unschedulable": True}})
    claimed(api)
    return api


@every_act
def test_without_its_record_a_claimed_node_is_left_as_it_is(held, act):
    write_record(held, None)
    done = len(writes(held))
    with pytest.raises(records.GoneError, match=r"worker-3: its record is gone, .* see who removed annotation"):
        ACTS[act](held, claimed=True)
    assert len(writes(held)) == done
    assert (held.client.get(NODE)["spec"]["unschedulable"], labels(held)) == (True, {"enable-bgp": "true"})


def test_nobody_has_to_claim_a_node_to_cordon_it_alone(held):
    write_record(held, None)
    assert uncordon(held.client, "worker-3", run=RUN, check_mode=False)["changed"]
    assert drain(held.client, drain_params(_run=RUN), check_mode=False)["changed"]
    assert bgp(held.client, "withdrawn")["changed"]
    # In check mode the claim has written no record.
    for claimed_before in (True, False):
        assert uncordon(held.client, "worker-3", run=RUN, check_mode=True, claimed=claimed_before)["changed"]


@every_act
def test_a_record_that_was_changed_by_hand_stops_everything(held, act):
    record = json.loads(held.client.get(NODE)["metadata"]["annotations"][records.ANNOTATION])
    record["before"]["unschedulable"] = False
    write_record(held, json.dumps(record))
    done = len(writes(held))
    with pytest.raises(records.RecordError, match=r"was changed by hand since hitless\.nodes wrote it"):
        ACTS[act](held)
    assert len(writes(held)) == done


@every_act
def test_the_record_of_a_node_that_was_made_again_stops_everything(held, act):
    old = held.client.get(NODE)
    held.client.delete(NODE, {})
    metadata = {key: old["metadata"][key] for key in ("name", "labels", "annotations")}
    made = held.post("/api/v1/nodes", {"metadata": metadata, "spec": {"unschedulable": True}})
    done = len(writes(held))
    words = f"belongs to a Node with UID {old['metadata']['uid']}, and this one has UID {made['metadata']['uid']}"
    with pytest.raises(records.RecordError, match=words):
        ACTS[act](held)
    assert len(writes(held)) == done


def move(api, address):
    """Gives the node another address, as a new lease of DHCP would while it is off."""
    addresses = [{"type": "InternalIP", "address": each} for each in (address, "2001:db8::13")]
    api.client.patch(f"{NODE}/status", {"status": {"addresses": addresses}})


CHANGED = "the Node had 192.0.2.13 at its claim, and has 192.0.2.99, 2001:db8::13 now"


def test_a_node_with_another_address_is_not_announced(held):
    bgp(held.client, "withdrawn")
    move(held, "192.0.2.99")
    done = len(writes(held))
    with pytest.raises(HopError, match=f"it isn't announced, and nothing was changed: {CHANGED}"):
        bgp(held.client, "announced")
    assert len(writes(held)) == done
    move(held, "192.0.2.13")
    assert bgp(held.client, "announced")["changed"]


def test_a_node_that_comes_back_with_another_address_is_given_some_time(held):
    move(held, "192.0.2.99")
    assert wait(held.client, WAIT, check_mode=True)["waiting_for"] == [f"its old addresses ({CHANGED})"]
    with pytest.raises(Unfinished, match="waiting for its old addresses") as pause:
        wait(held.client, WAIT | {"_slice": 0.1}, check_mode=False)
    later = {**pause.value.state, "slices": 1, "elapsed": pause.value.state["moved_since"] + PATIENCE}
    done = len(writes(held))
    with pytest.raises(
        NotBack, match=f"worker-3: it is back with other addresses, so nothing more is changed: {CHANGED}"
    ):
        wait(held.client, WAIT | {"_state": later}, check_mode=False)
    assert len(writes(held)) == done
    move(held, "192.0.2.13")
    assert wait(held.client, WAIT | {"_state": later}, check_mode=False)["changed"]


def test_a_router_that_left_the_inventory_is_named_before_the_label_is_flipped(held):
    done = len(writes(held))
    with pytest.raises(
        SelectionError, match=r"nothing was changed: tor-1 had routes .* put tor-1 back into the inventory"
    ):
        bgp(held.client, "withdrawn", routers=["tor-2"])
    assert len(writes(held)) == done
    assert bgp(held.client, "withdrawn", routers=["tor-1", "tor-2"])["changed"]
    # Nothing has to be waited for on a router that is gone.
    assert bgp(held.client, "announced", routers=["tor-2"])["changed"]


def test_what_was_changed_on_a_router_that_left_the_inventory_is_not_forgotten(held):
    note = {"routers_changed": {"tor-9": [{"vrf": "default", "address": "192.0.2.13"}]}}
    claim(held.client, claim_params(note=note), check_mode=False)
    done = len(writes(held))
    for state in ("withdrawn", "announced"):
        with pytest.raises(SelectionError, match="has changed the configuration of tor-9 and not put it back"):
            bgp(held.client, state, routers=["tor-1"])
    assert len(writes(held)) == done


def test_a_second_round_under_one_record_needs_another_boot(held):
    def note(phase, **changes):
        return claim(held.client, claim_params(phase=phase, routes=None, **changes), check_mode=False)

    def boots(boot_id):
        held.client.patch(f"{NODE}/status", {"status": {"nodeInfo": {"bootID": boot_id}}})

    for earlier, later in (("boot-1", "boot-2"), ("boot-2", "boot-3")):
        bgp(held.client, "withdrawn")
        note("withdrawn", note={"evidence": "router"})
        assert off(held)["record"]["history"][-1]["boot_id"] == earlier
        # The Node still shows what the kubelet reported last.
        kept = node_info(held.client, "worker-3", RUN)
        assert (kept["way"], kept["after_failure"]) == ("out", "stopped")
        missing = wait(held.client, WAIT | {"rebooted": None}, check_mode=True)["waiting_for"]
        assert missing == [f"a new boot (boot id is still {earlier})"]
        boots(later)
        assert wait(held.client, WAIT | {"rebooted": None}, check_mode=False)["record"]["phase"] == "on"
        bgp(held.client, "announced")
        note("announced")


@pytest.mark.usefixtures("cilium")
def test_a_record_that_goes_during_a_drain_stops_it_and_the_node_stays_cordoned(api):
    claimed(api)
    api.pod("stuck", finalizers=["example.org/keep"])
    params = drain_params(_run=RUN, claimed=True, timeout=0.3, on_timeout="uncordon_and_fail")
    # The pod stays until the time is over, and somebody removes the record before that.
    asked = api.client.patch

    def patch(path, body, **more):
        answer = asked(path, body, **more)
        if path == NODE and "spec" in body:
            asked(path, {"metadata": {"annotations": {records.ANNOTATION: None}}})
        return answer

    api.client.patch = patch
    with pytest.raises(DrainError, match=r"stays cordoned, uncordoning it failed: worker-3: its record is gone"):
        drain(api.client, params, check_mode=False)
    assert api.client.get(NODE)["spec"]["unschedulable"]


def test_a_record_of_an_ended_run_is_no_objection_in_check_mode(held):
    claim(held.client, claim_params(_run=OTHER, takeover=True), check_mode=False)
    assert bgp(held.client, "withdrawn", check_mode=True)["changed"]
    assert not drain(held.client, drain_params(_run=RUN), check_mode=True)["changed"]
    with pytest.raises(records.HeldError):
        bgp(held.client, "withdrawn")
