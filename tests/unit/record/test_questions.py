# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the record says is what the playbooks do: who is asked for what, and what a failure leads to."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from ansible_collections.hitless.nodes.plugins.module_utils.record import questions, records
from ansible_collections.hitless.nodes.tests.unit.record_samples import RECORD as WHOLE
from hypothesis import example, given
from hypothesis import strategies as st

NOW = datetime(2026, 3, 2, 22, 0, 1, 3000, tzinfo=UTC)
RECORD = {
    "before": {
        "routes": {
            "tor-1": {"default": {"bgp": ["198.51.100.10/32", "10.1.3.0/24"], "fib": ["10.1.3.0/24"]}},
            "tor-2": {"default": {"bgp": ["10.1.3.0/24"], "fib": []}, "blue": {"bgp": ["203.0.113.0/24"], "fib": []}},
            "tor-3": {"default": {"bgp": [], "fib": []}},
            "tor-4": {},
        }
    }
}
CLAIMED = {
    "before": {
        "addresses": ["192.0.2.13", "2001:db8::13"],
        "routes": {
            "tor-1": {"default": {"bgp": ["198.51.100.10/32", "10.1.3.0/24"], "fib": ["10.1.3.0/24"]}},
            "tor-2": {"blue": {"bgp": ["203.0.113.0/24"], "fib": []}},
        },
        "sessions": {
            "tor-1": [
                {"vrf": "default", "address": "192.0.2.13", "established": True},
                {"vrf": "default", "address": "2001:db8::13", "established": False},
                {"vrf": "blue", "address": "fe80::13", "established": True},
            ]
        },
    },
    "history": [],
}


def test_what_is_forwarded_back_has_an_empty_list_where_nothing_was_installed() -> None:
    assert questions.forwarded_back(CLAIMED, "tor-1") == {"default": ["10.1.3.0/24"]}
    assert questions.forwarded_back(CLAIMED, "tor-2") == {"blue": []}
    assert questions.forwarded_back(CLAIMED, "tor-3") == {}


def test_prefixes_anywhere_have_every_prefix_in_every_vrf() -> None:
    every = ["10.1.3.0/24", "198.51.100.10/32", "203.0.113.0/24"]
    assert questions.prefixes_anywhere(CLAIMED, ["default", "red"]) == {"default": every, "red": every}


def test_addresses_on_a_router_are_the_nodes_and_its_link_local_ones_there() -> None:
    assert questions.addresses_on(CLAIMED, "tor-1") == ["192.0.2.13", "2001:db8::13", "fe80::13"]
    assert questions.addresses_on(CLAIMED, "tor-2") == ["192.0.2.13", "2001:db8::13"]


def test_addresses_on_a_router_have_all_next_hops_and_the_link_local_ones_of_that_router() -> None:
    next_hops = {"tor-1": ["192.0.2.13", "fe80::1:13"], "tor-2": ["10.2.0.13", "fe80::2:13"]}
    before = {**CLAIMED["before"], "local_addresses": ["10.9.0.13"], "next_hops": next_hops}
    record = {**CLAIMED, "before": before}
    own = ["192.0.2.13", "2001:db8::13", "10.9.0.13"]
    assert questions.addresses_on(record, "tor-1") == [*own, "fe80::13", "fe80::1:13", "10.2.0.13"]
    assert questions.addresses_on(record, "tor-2") == [*own, "10.2.0.13", "fe80::2:13"]


def test_nobody_waits_for_what_stays() -> None:
    record = {**CLAIMED, "before": {**CLAIMED["before"], "staying": ["10.1.3.0/24", "203.0.113.0/24"]}}
    assert questions.prefixes_anywhere(record, ["red"]) == {"red": ["198.51.100.10/32"]}
    assert questions.prefixes_back(record, "tor-1") == {"default": ["198.51.100.10/32"]}
    assert questions.forwarded_back(record, "tor-1") == {"default": []}
    assert questions.routers_before(record) == ["tor-1"]


def test_sessions_back_are_those_that_were_up() -> None:
    up = [{"vrf": "default", "address": "192.0.2.13"}, {"vrf": "blue", "address": "fe80::13"}]
    assert questions.sessions_back(CLAIMED, "tor-1") == up
    assert questions.sessions_back(CLAIMED, "tor-2") == []


def test_routers_changed_are_those_noted_and_not_restored() -> None:
    one, two = {"vrf": "default", "address": "192.0.2.13"}, {"vrf": "default", "address": "2001:db8::13"}
    notes: list[dict[str, Any]] = [
        {"phase": "claimed"},
        {"routers_changed": {"tor-1": [one], "tor-2": [one]}},
        {"routers_changed": {"tor-1": [one, two]}},
        {"routers_restored": ["tor-2"]},
        {"routers_flushed": ["tor-1", "tor-3"]},
    ]
    assert questions.routers_changed(CLAIMED) == {}
    assert questions.routers_changed(CLAIMED | {"history": notes}) == {"tor-1": [one, two], "tor-3": []}
    assert questions.routers_changed(CLAIMED | {"history": [*notes, {"routers_restored": ["tor-1", "tor-3"]}]}) == {}


def test_routers_that_left_the_inventory_are_named() -> None:
    kept = CLAIMED | {"history": [{"routers_changed": {"tor-1": [], "tor-2": []}}, {"routers_restored": ["tor-2"]}]}
    assert questions.strangers(kept, ["tor-1", "tor-2", "tor-3"]) == []
    assert questions.strangers(kept, ["tor-1"]) == ["tor-2"]
    assert questions.changed_strangers(kept, ["tor-1"]) == []
    assert questions.changed_strangers(kept, ["tor-2"]) == ["tor-1"]
    # It was asked, and had nothing of the node.
    nothing = {"before": {"routes": {"tor-1": {"default": {"bgp": [], "fib": []}}}, "sessions": {"tor-1": []}}}
    assert questions.strangers(nothing, []) == []


@pytest.mark.parametrize(
    ("router", "expected"),
    [
        ("tor-2", {"blue": ["203.0.113.0/24"], "default": ["10.1.3.0/24"]}),
        ("tor-3", {}),
        ("tor-4", {}),
        ("tor-9", {}),
    ],
)
def test_prefixes_on_one_router(router: str, expected: dict[str, list[str]]) -> None:
    assert questions.prefixes_on(RECORD, router) == expected


def test_routers_before_are_those_with_routes() -> None:
    assert questions.routers_before(RECORD) == ["tor-1", "tor-2"]
    # Without routers nobody asked them.
    assert questions.routers_before({"before": {"routes": {}}}) == []


@pytest.mark.parametrize(
    ("history", "left_out"),
    [
        ([{"phase": "claimed"}], []),
        ([{"phase": "claimed"}, {"phase": "drained"}], ["198.51.100.10/32"]),
        ([{"phase": "claimed", "unschedulable": True}], ["198.51.100.10/32"]),
    ],
)
def test_vips_that_come_back_with_their_pods_are_not_awaited_after_a_drain(
    history: list[dict[str, Any]], left_out: list[str]
) -> None:
    all_of = ["10.1.3.0/24", "198.51.100.10/32"]
    before = {"routes": {"tor-1": {"default": {"bgp": all_of, "fib": all_of}}}, "local": ["198.51.100.10/32"]}
    record = {"before": before, "history": history}
    expected = {"default": [prefix for prefix in all_of if prefix not in left_out]}
    assert questions.prefixes_back(record, "tor-1") == expected
    assert questions.forwarded_back(record, "tor-1") == expected
    # What is gone has to be gone in any case.
    assert questions.prefixes_anywhere(record, ["default"]) == {"default": all_of}


@pytest.mark.parametrize(
    ("before", "expected"),
    [
        ({"local": ["198.51.100.10/32"], "pod_networks": []}, "withdraw_first"),
        ({"local": ["198.51.100.10/32"], "pod_networks": ["10.1.3.0/24"]}, "drain_first"),
        ({"local": [], "pod_networks": []}, "drain_first"),
        # Whether it announces the way to its pods isn't known.
        ({"local": ["198.51.100.10/32"], "pod_networks": None}, "drain_first"),
        # As an earlier release has written it.
        ({"local": ["198.51.100.10/32"]}, "drain_first"),
        ({}, "drain_first"),
    ],
)
def test_the_order_is_the_one_in_which_nothing_is_cut_off(before: dict[str, Any], expected: str) -> None:
    assert questions.order({"before": before}) == expected


def test_a_router_that_only_had_such_vips_is_asked_for_its_sessions() -> None:
    before = {"routes": {"tor-1": {"default": {"bgp": ["198.51.100.10/32"]}}}, "local": ["198.51.100.10/32"]}
    assert questions.prefixes_back({"before": before, "history": [{"phase": "drained"}]}, "tor-1") == {"default": []}


def record(phase: str, *history: str) -> dict[str, Any]:
    return {"phase": phase, "before": {"boot_id": "old"}, "history": [{"phase": each} for each in history]}


@pytest.mark.parametrize(
    ("boot_id", "kept", "way"),
    [
        ("old", None, "out"),
        ("old", {}, "out"),
        ("old", record("claimed"), "out"),
        ("old", record("withdrawn"), "out"),
        ("new", record("withdrawn"), "out"),
        ("old", record("off"), "out"),
        ("", record("off"), "out"),
        ("new", record("off"), "in"),
        ("old", record("on"), "in"),
        ("new", record("announced"), "in"),
        ("new", record("schedulable"), "in"),
    ],
)
def test_which_way_comes_next(boot_id: str, kept: dict[str, Any] | None, way: str) -> None:
    assert questions.way({"boot_id": boot_id}, kept) == way


def begun(phase: str, *ways: str) -> dict[str, Any]:
    return record(phase) | {"history": [{"phase": phase, "way": way} for way in ways]}


@pytest.mark.parametrize(
    ("ready", "kept", "expected"),
    [
        (True, record("claimed"), "put back"),
        (True, record("drained"), "put back"),
        (True, record("withdrawn"), "put back"),
        (True, begun("withdrawn", "out"), "put back"),
        # The node is not what it was: it may be off.
        (None, record("withdrawn"), "stopped"),
        (False, record("withdrawn"), "stopped"),
        # Noted before the power command.
        (True, record("off"), "stopped"),
        (True, record("on"), "stopped"),
        (True, record("schedulable"), "stopped"),
        # At work, or on its way back.
        (True, begun("withdrawn", "out", "in"), "stopped"),
        (True, begun("withdrawn", "in", "out"), "put back"),
        # Its agent's restart has begun.
        (True, begun("claimed", "out", "restart"), "held"),
        (True, begun("restarted", "out", "restart"), "held"),
        (True, None, "lost"),
    ],
)
def test_what_a_failure_leads_to(ready: bool | None, kept: dict[str, Any] | None, expected: str) -> None:
    assert questions.after_failure({"ready": ready}, kept, ours=True) == expected
    assert questions.after_failure({"ready": ready}, kept, ours=False) == "lost"


def test_was_off_is_told_by_the_history() -> None:
    assert questions.was_off(record("announced", "claimed", "withdrawn", "off", "on", "announced"))
    assert not questions.was_off(record("withdrawn", "claimed", "drained", "withdrawn"))
    assert not questions.was_off(None)


@pytest.mark.parametrize(
    ("history", "evidence"),
    [
        ([], ""),
        ([{"phase": "claimed"}], ""),
        ([{"phase": "withdrawn", "evidence": "cilium"}, {"phase": "off"}], "cilium"),
        ([{"phase": "withdrawn", "evidence": "cilium"}, {"phase": "withdrawn", "evidence": "router"}], "router"),
    ],
)
def test_the_withdrawal_is_proven_by_what_was_noted_last(history: list[dict[str, Any]], evidence: str) -> None:
    assert questions.proven_by({"history": history}) == evidence


@pytest.mark.parametrize(
    ("phase", "by", "asked", "allowed"),
    [
        ("withdrawn", "router", "router", True),
        ("withdrawn", "router", "estimate", True),
        ("off", "cilium", "cilium", True),
        ("withdrawn", "estimate", "cilium", False),
        ("withdrawn", "cilium", "router", False),
        ("withdrawn", "", "estimate", False),
        ("drained", "router", "router", False),
        ("announced", "router", "router", False),
    ],
)
def test_no_power_command_before_the_withdrawal_was_verified(phase: str, by: str, asked: str, allowed: bool) -> None:
    kept = {"phase": phase, "history": [{"phase": "withdrawn", "evidence": by}] if by else []}
    reason = questions.why_not_off("worker-3", kept, asked)
    assert (reason == "") is allowed
    if not allowed:
        assert f"its record says phase {phase}, proven by {by or 'nobody'}, and evidence={asked}" in reason


PHASES = list(records.RANK)
HISTORIES = [("out",), ("in",), ("restart",), ("out", "in"), ("out", "in", "out"), ("in", "out"), ("out", "restart")]


@pytest.mark.parametrize("boot_id", ["old", "new", "", None])
@pytest.mark.parametrize("ready", [True, False, None])
@pytest.mark.parametrize("ways", HISTORIES)
@pytest.mark.parametrize("phase", PHASES)
def test_a_node_that_may_be_off_is_never_put_back(
    phase: str, ways: tuple[str, ...], ready: bool | None, boot_id: str | None
) -> None:
    kept = begun(phase, *ways)
    found = questions.after_failure({"ready": ready, "boot_id": boot_id}, kept, ours=True)
    may_be_put_back = ways[-1] == "out" and phase in ("claimed", "drained", "withdrawn") and ready is True
    assert (found == "put back") is may_be_put_back
    # The kubelet's last word stays for a while when the node is already off. Only a new boot shows that it is back.
    if phase == "off":
        is_back = boot_id == "new"
        assert questions.way({"ready": ready, "boot_id": boot_id}, kept) == ("in" if is_back else "out")


class Run:
    """A maintenance by the record: what its steps note, and whether the machine may be off."""

    def __init__(self) -> None:
        self.boot, self.may_be_off = 1, False
        self.record = records.new(WHOLE["run"], {**WHOLE["before"], "boot_id": "1"}, {"way": "out"}, NOW)

    @property
    def facts(self) -> dict[str, Any]:
        """The Node. Its status is the last that the kubelet wrote, and says Ready for some time when it is off."""
        return {"ready": True, "boot_id": str(self.boot)}

    def note(self, phase: str | None, **note: Any) -> None:
        reached = phase if records.advances(self.record, phase) else None
        if reached or note:
            self.record = records.stamped(self.record, note, NOW, phase=reached)

    def step(self, name: str) -> None:
        if name == "off" and questions.why_not_off("worker-3", self.record, "router") == "":
            self.note("off", power="os", boot_id=str(self.boot))
            self.may_be_off = True
        elif name == "boots":
            self.boot, self.may_be_off = self.boot + 1, False
        elif name == "on" and str(self.boot) != questions.boot_id_before(self.record):
            self.note("on", boot_id=str(self.boot))
        elif name in ("out", "in"):
            self.note(None, way=name)
        elif name in ("drained", "withdrawn", "announced", "schedulable"):
            self.note(name, evidence="router")


STEPS = ["out", "in", "drained", "withdrawn", "off", "boots", "on", "announced", "schedulable"]
ROUND = ["out", "drained", "withdrawn", "off", "boots", "in", "on", "announced"]


@given(steps=st.lists(st.sampled_from(STEPS), max_size=20))
@example(steps=[*ROUND, "out", "drained", "withdrawn", "off"])
@example(steps=["out", "drained", "withdrawn", "off", "out", "drained", "withdrawn"])
def test_no_order_of_steps_and_kills_puts_a_node_back_that_may_be_off(steps: list[str]) -> None:
    run = Run()
    for step in steps:
        run.step(step)
        if run.may_be_off and run.record["phase"] == "off":
            assert questions.after_failure(run.facts, run.record, ours=True) == "stopped", steps
            assert questions.way(run.facts, run.record) == "out", steps
            assert str(run.boot) == questions.boot_id_before(run.record), steps
        if run.may_be_off:
            assert questions.after_failure(run.facts, run.record, ours=True) != "put back", steps
