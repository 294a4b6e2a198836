# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.errors import AnsibleFilterError
from ansible_collections.hitless.nodes.plugins.filter import request

TOP = Path(__file__).resolve().parents[3]
NAMES = ["worker-1", "0123", "1.30", "no", "2026-01-02", "null", "tor-1"]
GROUPS = {"all": NAMES, "routers": ["tor-1"]}


@pytest.mark.parametrize("value", ["worker-1", "0123", "", "False", "~^0123$"])
def test_as_written_leaves_text_alone(value: str) -> None:
    assert request.as_written(value, NAMES) == value


# What AWX's way of handing over variables makes of '0123' and so on (measured with ansible-core 2.19).
@pytest.mark.parametrize(
    ("value", "name"),
    [(83, "0123"), (1.3, "1.30"), (False, "no"), (date(2026, 1, 2), "2026-01-02"), (None, "null")],
)
def test_as_written_takes_back_the_name_that_is_meant(value: Any, name: str) -> None:
    assert request.as_written(value, NAMES) == name


@pytest.mark.parametrize(
    ("value", "names"),
    [
        (83, ["83", "0123"]),
        (False, ["no", "off"]),
        (84, NAMES),
        (True, NAMES),
        (0, ["no"]),
        (1, ["yes"]),
        (True, ["1"]),
        ({"a": 1}, NAMES),
        (None, ["worker-1"]),
    ],
)
def test_as_written_is_empty_when_it_cannot_be_told(value: Any, names: list[str]) -> None:
    assert request.as_written(value, names) == ""


def test_as_written_joins_a_list() -> None:
    assert request.as_written(["worker-1", 83], NAMES) == "worker-1,0123"
    assert request.as_written(["worker-1", 84], NAMES) == ""


def test_as_written_survives_names_that_are_not_yaml() -> None:
    assert request.as_written(83, ["[", "@x", "0123"]) == "0123"


def asked(**more: Any) -> dict[str, Any]:
    return {
        "direction": "maintenance",
        "target": "worker-1",
        "hosts": ["worker-1"],
        "action": "poweroff",
        "tasks": "",
        "order": "drain_first",
        "evidence": "router",
        **more,
    }


def problems(
    hostvars: dict[str, Any] | None = None, groups: dict[str, list[str]] | None = None, **more: Any
) -> list[str]:
    variables = {"power_method": "os"} if hostvars is None else hostvars
    return request.maintenance_problems(asked(**more), GROUPS if groups is None else groups, {"worker-1": variables})


def test_batch_sizes_are_refused_in_a_header_too() -> None:
    assert request.batch_sizes("2") == [2]
    with pytest.raises(AnsibleFilterError, match="the size of a batch is 0, and must be"):
        request.batch_sizes(0)


def test_good_input_has_no_problem() -> None:
    assert problems() == []


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"target": "", "hosts": []}, "-e target="),
        ({"target": "worker-9", "hosts": []}, "target=worker-9 matches no host of the inventory"),
        ({"target": 84, "hosts": []}, "target arrived as 84 (a number)"),
        ({"target": True, "hosts": []}, "target arrived as True (a boolean)"),
        ({"target": "all", "hosts": ["worker-1", "tor-1"]}, "also matches routers (tor-1)"),
        ({"action": "halt"}, "maintenance_action is 'halt', and must be one of: poweroff, reboot, none, pause"),
        ({"action": False}, "maintenance_action is False (a boolean)"),
        ({"action": "reboot", "direction": "out"}, "must be one of: poweroff, none"),
        ({"action": "poweroff", "direction": "probe"}, "maintenance_action is 'poweroff', and must be one of: none"),
        (
            {"action": "none", "direction": "probe", "evidence": "cilium"},
            "evidence is 'cilium', and must be one of: router",
        ),
        ({"order": "any"}, "maintenance_order is 'any'"),
        ({"evidence": "hope"}, "evidence is 'hope', and must be one of: router, cilium, estimate"),
        (
            {"evidence": "cilium", "hostvars": {"power_method": "os", "evidence": "cilium", "bgp_flush": True}},
            "worker-1: bgp_flush changes settings of routers, and evidence=cilium doesn't log in to any",
        ),
        (
            {"hostvars": {"power_method": "os", "evidence": "estimate"}},
            "evidence is 'estimate' for it and 'router' for",
        ),
        ({"window": {"start": "25:00", "end": "05:00"}}, "maintenance_window: start is '25:00'"),
        ({"window": "nights"}, "maintenance_window: 'nights' must have start and end"),
        ({"deadline": "tonight"}, "maintenance_deadline is 'tonight'"),
        ({"serial": 0}, "maintenance_serial is 0, and must be a number from 1 on, a percentage such as 20%"),
        ({"serial": "all"}, "maintenance_serial is 'all'"),
        ({"tasks": "/nowhere/tasks.yml"}, "there is no file /nowhere/tasks.yml"),
        ({"tasks": 83}, "maintenance_tasks is 83 (a number)"),
        ({"hostvars": {"power_method": "os", "bgp_label_value": 1.3}}, "bgp_label_value arrived as 1.3 (a number)"),
        ({"hostvars": {"power_method": "os", "bgp_label_value": None}}, "bgp_label_value arrived as None (nothing)"),
        ({"hostvars": {"power_method": "ipmi"}}, "power_method is 'ipmi'"),
        ({"hostvars": {"power_method": "none"}}, "needs power_method redfish or os"),
        ({"hostvars": {}}, "power_redfish_baseurl is not set"),
        ({"hostvars": {"power_method": "os", "node_name": 83}}, "node_name is 83 (a number), and must be text"),
    ],
)
def test_bad_input_is_one_line(more: dict[str, Any], words: str) -> None:
    found = problems(**more)
    assert len(found) == 1
    assert words in found[0]
    assert "\n" not in found[0]


@pytest.mark.parametrize("groups", [{"all": ["worker-1"]}, {"all": ["worker-1"], "routers": []}])
def test_no_routers_is_a_problem(groups: dict[str, list[str]]) -> None:
    (line,) = problems(groups=groups)
    assert "no group 'routers'" in line


@pytest.mark.parametrize("evidence", ["cilium", "estimate"])
def test_no_routers_is_no_problem_where_nobody_asks_them(evidence: str) -> None:
    assert problems(groups={"all": ["worker-1"]}, evidence=evidence) == []


@pytest.mark.parametrize(
    ("history", "evidence"),
    [
        ([], ""),
        ([{"phase": "claimed"}], ""),
        ([{"phase": "withdrawn", "evidence": "cilium"}, {"phase": "off"}], "cilium"),
        ([{"phase": "withdrawn", "evidence": "cilium"}, {"phase": "withdrawn", "evidence": "router"}], "router"),
    ],
)
def test_withdrawn_by_is_what_was_noted_last(history: list[dict[str, Any]], evidence: str) -> None:
    assert request.withdrawn_by({"history": history}) == evidence
    assert request.withdrawn_by(None) == ""


@pytest.mark.parametrize("value", ["false", "out", "", False, True])
def test_a_label_value_that_is_text_or_boolean_is_no_problem(value: Any) -> None:
    assert problems(hostvars={"power_method": "os", "bgp_label_value": value}) == []


def test_no_power_is_needed_when_nothing_is_switched() -> None:
    assert problems(hostvars={"power_method": "none"}, action="none") == []
    assert problems(hostvars={}, action="pause") == []


def test_a_task_file_that_is_there_is_no_problem(tmp_path: Path) -> None:
    path = tmp_path / "tasks.yml"
    path.write_text("---\n", encoding="utf-8")
    assert problems(tasks=str(path)) == []


def test_default_power_method_is_the_role_s() -> None:
    defaults = yaml.safe_load((TOP / "roles/power/defaults/main.yml").read_text(encoding="utf-8"))
    spec = yaml.safe_load((TOP / "roles/power/meta/argument_specs.yml").read_text(encoding="utf-8"))
    assert defaults["power_method"] == request.DEFAULT_POWER_METHOD
    choices = spec["argument_specs"]["check"]["options"]["power_method"]["choices"]
    assert tuple(choices) == request.POWER_METHODS


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("4c4c4544-0034-3510-8056-b7c04f4e3932", "4C4C4544-0034-3510-8056-B7C04F4E3932", True),
        ("4c4c4544-0034-3510-8056-b7c04f4e3932", "44454c4c-3400-1035-8056-b7c04f4e3932", True),
        ("4c4c4544-0034-3510-8056-b7c04f4e3932", "4c4c4544-0034-3510-8056-b7c04f4e3933", False),
        ("", "4c4c4544-0034-3510-8056-b7c04f4e3932", False),
        ("", "", False),
        (None, None, False),
        ("Not Settable", "Not Settable", False),
    ],
)
def test_same_uuid(one: Any, other: Any, same: bool) -> None:
    assert request.same_uuid(one, other) is same


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
def test_maintenance_way(boot_id: str, kept: dict[str, Any] | None, way: str) -> None:
    assert request.maintenance_way({"boot_id": boot_id}, kept) == way


@pytest.mark.parametrize(
    ("ready", "kept", "expected"),
    [
        (True, None, True),
        (False, None, True),
        (True, record("drained"), True),
        (True, record("withdrawn"), True),
        (None, record("withdrawn"), False),
        (False, record("withdrawn"), False),
        (True, record("off"), False),
        (True, record("on"), False),
    ],
)
def test_may_put_back(ready: bool | None, kept: dict[str, Any] | None, expected: bool) -> None:
    assert request.may_put_back({"ready": ready}, kept) is expected


def test_was_off_is_told_by_the_history() -> None:
    assert request.was_off(record("announced", "claimed", "withdrawn", "off", "on", "announced"))
    assert not request.was_off(record("withdrawn", "claimed", "drained", "withdrawn"))
    assert not request.was_off(None)


def test_nodes_have_the_name_of_their_host_unless_it_says_another() -> None:
    hostvars = {"a": {"node_name": "a.example"}, "b": {"node_name": ""}, "c": {}}
    assert request.node_names(["a", "b", "c"], hostvars) == ["a.example", "b", "c"]
