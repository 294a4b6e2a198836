# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.hitless.nodes.plugins.module_utils.kube.node_objects import (
    addresses,
    facts,
    is_ready,
    near_misses,
)

NAMES = ["worker-1", "worker-2", "worker-3", "worker-30", "db.example.org", "cp-1"]


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("worker-3.example.org", ["worker-3"]),
        ("WORKER-3", ["worker-3"]),
        ("db", ["db.example.org"]),
        ("db.other.org", ["db.example.org"]),
        ("wroker-2", ["worker-2"]),
        ("zebra", []),
    ],
)
def test_near_misses(name, found):
    assert near_misses(name, NAMES)[: len(found)] == found
    assert bool(near_misses(name, NAMES)) is bool(found)


def test_is_ready_of_a_node_that_nothing_is_known_of():
    assert is_ready({}) is None


def test_addresses_are_those_that_routes_can_point_to():
    own = [("InternalIP", "192.0.2.13"), ("Hostname", "worker-3"), ("InternalIP", "2001:DB8:0::13")]
    theirs = [("InternalIP", "192.0.2.13"), ("CiliumInternalIP", "10.0.0.1"), ("ExternalIP", "203.0.113.1")]
    assert addresses(own, theirs, [("InternalIP", "nonsense")]) == ["192.0.2.13", "2001:db8::13", "203.0.113.1"]


def test_facts_of_a_bare_node():
    assert facts({"metadata": {"name": "worker-3"}}) == {
        "name": "worker-3",
        "uid": None,
        "addresses": [],
        "boot_id": None,
        "system_uuid": None,
        "ready": None,
        "unschedulable": False,
        "labels": {},
    }


@pytest.mark.parametrize(("status", "ready"), [("True", True), ("False", False), ("Unknown", None), (None, None)])
def test_is_ready(status, ready):
    conditions = [{"type": "DiskPressure", "status": "False"}, {"type": "Ready", "status": status}]
    assert is_ready({"status": {"conditions": conditions}}) is ready
