# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The rules of the last look: each reason against a power command."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.hitless.nodes.plugins.module_utils.node import guard

RUN = {"host": "admin", "pid": 7, "started": 1, "holder": "alice@admin", "machine": "m"}
LEFT = {
    "vrf": "default",
    "family": "ipv4",
    "prefix": "198.51.100.10/32",
    "next_hop": "192.0.2.13",
    "where": "bgp",
    "stale": True,
}


def node(**more: Any) -> dict[str, Any]:
    labels = {"enable-bgp": "false"} | more.pop("labels", {})
    return {"metadata": {"name": "worker-3", "uid": "uid-3", "labels": labels}, "spec": {"unschedulable": True}} | more


def record(**more: Any) -> dict[str, Any]:
    flip = {"phase": "withdrawn", "label": {"key": "enable-bgp", "after": "false"}}
    return {
        "holder": "alice@admin",
        "since": "2026-03-02T22:00:00Z",
        "run": RUN,
        "before": {"uid": "uid-3"},
        "history": [{"phase": "drained", "stay": ["pod-1"]}, flip],
    } | more


def pod(uid: str, *, kind: str = "ReplicaSet", phase: str = "Running", **metadata: Any) -> dict[str, Any]:
    owner = {"apiVersion": "apps/v1", "kind": kind, "name": "o", "controller": True}
    return {
        "metadata": {"namespace": "shop", "name": uid, "uid": uid, "ownerReferences": [owner], **metadata},
        "spec": {},
        "status": {"phase": phase},
    }


def test_nothing_speaks_against_it() -> None:
    assert guard.record_problems(record(), RUN) == []
    assert guard.label_problems(node(), record()) == []
    assert guard.cordon_problems(node(), record(), [pod("pod-1")]) == []
    assert guard.router_problems({"tor-1": {"left": []}}, ["tor-1"]) == []


def test_a_record_that_is_gone() -> None:
    assert "has no record (any more)" in guard.record_problems(None, RUN)[0]


def test_a_record_of_another_run() -> None:
    (line,) = guard.record_problems(record(), RUN | {"pid": 8})
    assert line == "the Node is held by alice@admin since 2026-03-02T22:00:00Z"


def test_a_label_that_was_set_again() -> None:
    (line,) = guard.label_problems(node(labels={"enable-bgp": "true"}), record())
    assert "found enable-bgp=true on the Node after enable-bgp=false had been set" in line


def test_a_node_that_was_uncordoned() -> None:
    assert guard.cordon_problems(node(spec={}), record(), []) == ["it was uncordoned since the drain"]


def test_a_pod_that_came_since_the_drain() -> None:
    (line,) = guard.cordon_problems(node(), record(), [pod("pod-1"), pod("pod-2")])
    assert line == "pods have come to it since the drain: shop/pod-2"


@pytest.mark.parametrize(
    "harmless",
    [
        pod("d", kind="DaemonSet"),
        pod("f", phase="Succeeded"),
        pod("m", annotations={"kubernetes.io/config.mirror": "x"}),
        pod("t") | {"spec": {"tolerations": [{"operator": "Exists"}]}},
    ],
    ids=["of a DaemonSet", "finished", "static", "that minds no cordon"],
)
def test_a_pod_that_a_drain_leaves_may_come(harmless: dict[str, Any]) -> None:
    assert guard.cordon_problems(node(), record(), [harmless]) == []


def test_a_node_that_was_not_drained_is_compared_with_nothing() -> None:
    assert guard.cordon_problems(node(spec={}), record(history=[]), [pod("pod-2")]) == []


def test_a_router_that_still_has_a_route() -> None:
    (line,) = guard.router_problems({"tor-1": {"left": [LEFT]}}, ["tor-1"])
    assert line == "router tor-1 still has 198.51.100.10/32 (ipv4, stale in BGP)"


def test_a_router_without_an_answer_is_no_good_news() -> None:
    assert guard.router_problems({}, ["tor-1"]) == ["router tor-1 was not asked"]
    failed = {"tor-1": {"failed": True, "msg": "no bgpd"}}
    assert guard.router_problems(failed, ["tor-1"]) == ["router tor-1: no bgpd"]
    assert guard.router_problems({}, []) == ["no router was asked: the group routers is empty"]
