# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Calls of node_claim, node_bgp and node_drain, for the tests of this folder, and what they left behind."""

from __future__ import annotations

from ansible_collections.hitless.nodes.plugins.module_utils.node.claim import claim
from ansible_collections.hitless.nodes.plugins.module_utils.node.flip import set_bgp

NODE = "/api/v1/nodes/worker-3"
RUN = {"holder": "alice@bastion", "host": "bastion", "boot_id": "b", "pid_ns": "n", "pid": 1, "started": 1}
OTHER = {**RUN, "holder": "bob@laptop", "host": "laptop", "boot_id": "c"}
ROUTES = {
    "tor-1": {
        "neighbors": [{"vrf": "default", "address": "192.0.2.13", "established": True, "hold_time": 90}],
        "routes": [{"vrf": "default", "prefix": "198.51.100.10/32", "installed": True}],
        "fib": [{"vrf": "default", "prefix": "198.51.100.10/32"}],
    }
}


def bgp(client, state, *, check_mode=False, **changes):
    params = {
        "name": "worker-3",
        "state": state,
        "label": None,
        "label_value": None,
        "sessions": "auto",
        "cilium_namespace": "kube-system",
        "timeout": 5.0,
        "_run": RUN,
        "_slice": None,
        "_state": None,
    }
    return set_bgp(client, {**params, **changes}, check_mode=check_mode)


def claim_params(**changes):
    params = {"name": "worker-3", "phase": None, "routes": ROUTES, "label": None, "takeover": False, "note": None}
    params |= {"evidence": None, "estimate_override": 0, "min_announcers": 1}
    return {**params, "cilium_namespace": "kube-system", "_run": RUN, **changes}


def claimed(api, **changes):
    return claim(api.client, claim_params(**changes), check_mode=False)


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
        "timeout": 20.0,
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
