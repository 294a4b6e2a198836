# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A record with everything that records have, and Nodes that carry one."""

from __future__ import annotations

import json
from copy import deepcopy
from typing import Any

from ansible_collections.hitless.nodes.plugins.module_utils.record import records

SESSION = {
    "vrf": "default",
    "address": "192.0.2.13",
    "established": True,
    "hold_time": 90,
    "graceful_restart": {
        "negotiated": True,
        "restart_time": 120,
        "remaining": None,
        "families": ["ipv4"],
    },
}
ONE = {"vrf": "default", "address": "192.0.2.13"}
RECORD: dict[str, Any] = {
    "version": 1,
    "holder": "alice@bastion",
    "run": {
        "holder": "alice@bastion",
        "host": "bastion",
        "boot_id": "boot-1",
        "pid_ns": "pid:[1]",
        "pid": 100,
        "started": 5000,
    },
    "since": "2026-03-02T22:00:01.003Z",
    "heartbeat": "2026-03-02T22:00:30.003Z",
    "phase": "withdrawn",
    "before": {
        "uid": "uid-3",
        "unschedulable": False,
        "label": {"key": "enable-bgp", "value": "true"},
        "boot_id": "boot-3",
        "system_uuid": "uuid-3",
        "addresses": ["192.0.2.13", "2001:db8::13"],
        "node_addresses": ["192.0.2.13", "2001:db8::13"],
        "local_addresses": ["192.0.2.113"],
        "evidence": "router",
        "routes": {
            "tor-1": {"default": {"bgp": ["198.51.100.10/32", "10.1.3.0/24"], "fib": ["10.1.3.0/24"]}},
            "tor-2": {"blue": {"bgp": ["203.0.113.0/24"], "fib": []}},
        },
        "sessions": {"tor-1": [SESSION], "tor-2": []},
        "next_hops": {"tor-1": ["192.0.2.13", "fe80::13"]},
        "local": ["198.51.100.10/32"],
        "pod_networks": ["10.1.3.0/24"],
        "min_announcers": 1,
        "staying": [],
        "waived": {"peers": [], "routers": []},
        "cilium": {
            "source": "agent",
            "sessions": [
                {
                    "instance": "main",
                    "peer": "tor-1",
                    "address": "192.0.2.1",
                    "established": True,
                    "advertised": {"ipv4/unicast": 3},
                }
            ],
            "prefixes": ["198.51.100.10/32"],
        },
        "withdrawal": {"seconds": 122, "unbounded": False, "reason": "kept as stale", "overridden": False},
    },
    "history": [
        {"phase": "claimed", "at": "2026-03-02T22:00:01.003Z", "way": "out"},
        {"phase": "claimed", "at": "2026-03-02T22:00:02.003Z", "unschedulable": True},
        {"phase": "drained", "at": "2026-03-02T22:00:09.003Z", "stay": ["uid-of-a-pod"]},
        {"phase": "drained", "at": "2026-03-02T22:00:10.003Z", "routers_changed": {"tor-1": [ONE]}},
        {
            "phase": "drained",
            "at": "2026-03-02T22:00:11.003Z",
            "label": {"key": "enable-bgp", "before": "true", "after": "false"},
        },
        {"phase": "drained", "at": "2026-03-02T22:00:12.003Z", "routers_flushed": ["tor-1"]},
        {"phase": "drained", "at": "2026-03-02T22:00:13.003Z", "routers_restored": ["tor-1"]},
        {
            "phase": "withdrawn",
            "at": "2026-03-02T22:00:30.003Z",
            "evidence": "router",
            "observed": True,
            "flipped_at": "2026-03-02T22:00:11.003Z",
            "routers": {"tor-1": {"seconds": 9.9, "families": {"ipv4": 9.9}}, "tor-2": {"seconds": 10.0}},
            "estimate": {},
        },
    ],
}


def record(**changes: Any) -> dict[str, Any]:
    """A record of its own, with other values."""
    return {**deepcopy(RECORD), **changes}


def node(kept: Any, *, sealed: bool = True, uid: str = "uid-3") -> dict[str, Any]:
    """A Node with a record, as it is written or (not sealed) as it is. With the right checksum in both cases."""
    if sealed:
        metadata = records.annotation(kept)["metadata"]
    else:
        text = json.dumps({**kept, records.DIGEST: records.digest(kept)} if isinstance(kept, dict) else kept)
        metadata = {"annotations": {records.ANNOTATION: text}}
    return {
        "metadata": {"name": "worker-3", "uid": uid, "labels": {"enable-bgp": "false"}, **metadata},
        "spec": {"unschedulable": True},
        "status": {"nodeInfo": {"bootID": "boot-3"}},
    }
