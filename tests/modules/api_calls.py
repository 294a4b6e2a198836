# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Calls of node_claim, node_bgp and node_drain, for the tests of this folder, and what they left behind."""

from __future__ import annotations

import re

import pytest
from ansible_collections.hitless.nodes.plugins.module_utils.base.polling import Unfinished
from ansible_collections.hitless.nodes.plugins.module_utils.node.claim import claim
from ansible_collections.hitless.nodes.plugins.module_utils.node.flip import set_bgp
from ansible_collections.hitless.nodes.plugins.module_utils.node.guard import guard
from ansible_collections.hitless.nodes.plugins.module_utils.node.hops import HopError

# Seconds that no wait comes near, however busy the machine is: what is to end by its timeout says a shorter one.
TIMEOUT = 600.0
NODE = "/api/v1/nodes/worker-3"
RUN = {"holder": "alice@bastion", "host": "bastion", "boot_id": "b", "pid_ns": "n", "pid": 1, "started": 1}
OTHER = {**RUN, "holder": "bob@laptop", "host": "laptop", "boot_id": "c"}
ROUTES = {
    "tor-1": {
        "neighbors": [
            {
                "vrf": "default",
                "address": "192.0.2.13",
                "local_address": "192.0.2.1",
                "remote_as": 65432,
                "next_hops": ["192.0.2.13"],
                "established": True,
                "hold_time": 90,
            }
        ],
        "routes": [{"vrf": "default", "prefix": "198.51.100.10/32", "installed": True}],
        "fib": [{"vrf": "default", "prefix": "198.51.100.10/32"}],
    }
}

# What frr_bgp_info says of a router that has nothing of the node any more.
CLEAN = {"tor-1": {"neighbors": [], "routes": [], "fib": [], "left": []}}


def bgp(client, state, *, check_mode=False, **changes):
    params = {
        "name": "worker-3",
        "state": state,
        "label": None,
        "label_value": None,
        "sessions": "auto",
        "evidence": None,
        "cilium_namespace": "kube-system",
        "timeout": TIMEOUT,
        "_run": RUN,
        "_slice": None,
        "_state": None,
    }
    return set_bgp(client, {**params, **changes}, check_mode=check_mode)


def until_progress(call, words, state=None):
    """The state once the progress line of a slice has these words, and whether any slice changed something.

    call(state) runs a slice, the first one with the given state. It takes as many of them as the machine needs.
    """
    state, seen, changed = state or {"elapsed": 0.0, "slices": 0}, "", False
    while not re.search(words, seen):
        with pytest.raises(Unfinished) as caught:
            call(state)
        seen, changed = str(caught.value), changed or caught.value.result.get("changed", False)
        # Of the time that is given nothing is used up.
        state = {**caught.value.state, "elapsed": caught.value.state.get("since", 0.0), "slices": 1}
    return state, changed


def bgp_until(client, state, words, **changes):
    """As until_progress, for node_bgp."""
    return until_progress(lambda kept: bgp(client, state, _slice=0.2, _state=kept, **changes), words)


def bgp_late(client, state, words, **changes):
    """The HopError of a node_bgp whose time is over when its progress line has these words."""
    kept, _changed = bgp_until(client, state, words, **changes)
    with pytest.raises(HopError) as caught:
        bgp(client, state, _state={**kept, "elapsed": kept["since"] + TIMEOUT}, **changes)
    return caught.value


def claim_params(**changes):
    params = {"name": "worker-3", "phase": None, "routes": ROUTES, "label": None, "takeover": False, "note": None}
    params |= {"evidence": None, "estimate_override": 0, "min_announcers": 1, "recount": False}
    params |= {"unseen_peers": [], "transit_routers": [], "staying_prefixes": []}
    return {**params, "cilium_namespace": "kube-system", "_run": RUN, **changes}


def claimed(api, **changes):
    return claim(api.client, claim_params(**changes), check_mode=False)


def off(api, act="off", **changes):
    """The last look before an act, with routers that have nothing of the node."""
    asked = {"name": "worker-3", "act": act, "routes": CLEAN, "routers": ["tor-1"], "evidence": None, "note": None}
    asked |= {"looked_at": None, "min_announcers": 1, "cilium_namespace": "kube-system", "_run": RUN}
    return guard(api.client, asked | changes, check_mode=False)


def drain_params(**changes):
    defaults = {
        "name": "worker-3",
        "ignore_daemonsets": False,
        "delete_emptydir_data": False,
        "force": False,
        "disable_eviction": False,
        "grace_period": None,
        "skip_wait_for_delete_timeout": 0,
        "pod_selector": "",
        "exclude_namespaces": [],
        "order": "any",
        "on_timeout": "fail",
        "timeout": TIMEOUT,
        "max_parallel": 20,
        "_run": None,
        "_slice": None,
        "_state": None,
    }
    return {**defaults, **changes}


def labels(api):
    return api.client.get(NODE)["metadata"].get("labels") or {}


def writes(api):
    """Writes to the Node since the fixtures made it."""
    return [entry["path"] for entry in api.requests("PATCH", NODE) if not entry["path"].endswith("/status")]
