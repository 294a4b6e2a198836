# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.hitless.nodes.plugins.module_utils.request.problems import (
    DEFAULT_POWER_METHOD,
    Request,
    host_problems,
    name_problems,
    run_problems,
)

TOP = Path(__file__).resolve().parents[3]
NAMES = ["worker-1", "0123", "no", "tor-1"]
GROUPS = {"all": NAMES, "routers": ["tor-1"]}
SPECS: dict[str, dict[str, Any]] = {
    "drain_timeout": {"type": "int", "description": "Seconds after which the drain fails."},
    "bgp_label_value": {"type": "raw"},
    "power_method": {"choices": ["redfish", "os", "none"]},
    "power_redfish_password": {"type": "str", "no_log": True},
}


def request(**changes: Any) -> Request:
    """A good request, with changes. Those of the run's variables have no place of their own in it."""
    own = {"direction": "maintenance", "target": "worker-1", "hosts": ["worker-1"], "groups": GROUPS}
    target = changes.get("target", own["target"])
    own["pattern"] = target if isinstance(target, str) else ""
    run = {name: value for name, value in changes.items() if name not in own}
    return Request(**{**own, **{name: value for name, value in changes.items() if name in own}}, run=run)


def of_host(variables: dict[str, Any], **changes: Any) -> list[str]:
    return host_problems(request(**changes), "worker-1", variables, SPECS)


def test_good_input_has_no_problem() -> None:
    assert run_problems(request()) == []
    assert of_host({"power_method": "os"}) == []


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"target": "", "hosts": []}, "-e target="),
        ({"target": "worker-9", "hosts": []}, "target=worker-9 matches no host of the inventory"),
        ({"target": 84, "hosts": []}, "target arrived as 84 (a number)"),
        ({"target": True, "hosts": []}, "target arrived as True (a boolean)"),
        ({"target": "all", "hosts": ["worker-1", "tor-1"]}, "also matches routers (tor-1)"),
        ({"maintenance_action": "halt"}, "maintenance_action is 'halt', and must be one of: poweroff, reboot, none,"),
        ({"maintenance_action": False}, "maintenance_action is False (a boolean)"),
        ({"maintenance_action": "reboot", "direction": "out"}, "must be one of: poweroff, none"),
        ({"maintenance_action": "poweroff", "direction": "probe"}, "is 'poweroff', and must be one of: none"),
        ({"evidence": "cilium", "direction": "probe"}, "evidence is 'cilium', and must be one of: router"),
        ({"maintenance_order": "any"}, "maintenance_order is 'any'"),
        ({"evidence": "hope"}, "evidence is 'hope', and must be one of: router, cilium, estimate"),
        ({"maintenance_expected": "1h"}, "maintenance_expected is '1h', and must be a number"),
        ({"probe_store": "perhaps"}, "probe_store is 'perhaps', and must be true or false"),
        ({"maintenance_tasks": "/nowhere/tasks.yml"}, "there is no file /nowhere/tasks.yml"),
        ({"maintenance_tasks": 83}, "maintenance_tasks is 83 (a number)"),
        ({"groups": {"all": ["worker-1"]}}, "no group 'routers'"),
        ({"groups": {"all": ["worker-1"], "routers": []}}, "no group 'routers'"),
    ],
)
def test_bad_input_of_the_run_is_one_line(changes: dict[str, Any], words: str) -> None:
    found = run_problems(request(**changes))
    assert len(found) == 1
    assert words in found[0]
    assert "\n" not in found[0]


@pytest.mark.parametrize("evidence", ["cilium", "estimate"])
def test_no_routers_is_no_problem_where_nobody_asks_them(evidence: str) -> None:
    assert run_problems(request(groups={"all": ["worker-1"]}, evidence=evidence)) == []


@pytest.mark.parametrize("direction", ["doctor", "status"])
def test_who_only_reads_needs_neither_target_nor_routers(direction: str) -> None:
    assert run_problems(request(direction=direction, target="", hosts=[], groups={"all": ["worker-1"]})) == []
    (line,) = run_problems(request(direction=direction, target="nope", hosts=[]))
    assert "target=nope matches no host" in line


def test_a_task_file_that_is_there_is_no_problem(tmp_path: Path) -> None:
    path = tmp_path / "tasks.yml"
    path.write_text("---\n", encoding="utf-8")
    assert run_problems(request(maintenance_tasks=str(path))) == []


@pytest.mark.parametrize(
    ("variables", "changes", "words"),
    [
        ({"drain_timeout": "5m"}, {}, "drain_timeout is '5m', and must be a whole number of seconds"),
        ({"drain_timeout": -1}, {}, "drain_timeout is -1 (a number), and must be at least 0"),
        ({"bgp_label_value": 1.3}, {}, "bgp_label_value arrived as 1.3 (a number)"),
        ({"bgp_label_value": None}, {}, "bgp_label_value arrived as None (nothing)"),
        ({"bgp_label_value": False}, {}, "bgp_label_value arrived as False (a boolean), and a label's value is text"),
        ({"bgp_label_value": True}, {}, "quote it"),
        ({"power_method": "ipmi"}, {}, "power_method is 'ipmi', and must be one of: redfish, os, none"),
        ({"power_method": "none"}, {}, "needs power_method redfish or os"),
        ({"power_method": "redfish"}, {}, "power_redfish_baseurl is not set"),
        ({"power_redfish_password": 12}, {}, "power_redfish_password is a number, and must be text"),
        ({"node_name": 83}, {}, "node_name is 83 (a number), and must be text"),
        ({"node_name": ""}, {}, "node_name is empty"),
        ({"router_vrfs": {"red": 1}}, {}, "router_vrfs is {'red': 1} (a mapping), and must be a list"),
        ({"evidence": "estimate"}, {}, "evidence is 'estimate' for it and 'router' for the run"),
        (
            {"evidence": "cilium", "bgp_flush": True},
            {"evidence": "cilium"},
            "bgp_flush changes settings of routers, and evidence=cilium doesn't log in to any",
        ),
        ({"bgp_router_drain": "yes"}, {"direction": "probe"}, "would change what is to be measured"),
    ],
)
def test_bad_input_of_a_node_is_one_line(variables: dict[str, Any], changes: dict[str, Any], words: str) -> None:
    found = of_host({"power_method": "os", **variables}, **changes)
    assert len(found) == 1
    assert found[0].startswith("worker-1: ")
    assert words in found[0]
    assert "\n" not in found[0]


@pytest.mark.parametrize("value", ["false", "out", ""])
def test_a_label_value_that_is_text_is_no_problem(value: str) -> None:
    assert of_host({"power_method": "os", "bgp_label_value": value}) == []


def test_no_power_is_needed_when_nothing_is_switched() -> None:
    assert of_host({"power_method": "none"}, maintenance_action="none") == []
    assert of_host({}, maintenance_action="pause") == []


def test_everything_that_is_wrong_is_said_at_once() -> None:
    assert len(of_host({"power_method": "os", "drain_timeout": "5m", "node_name": 83, "bgp_label_value": True})) == 3


def test_what_the_run_does_not_use_is_not_looked_at() -> None:
    variables = {"drain_timeout": "5m", "power_method": "ipmi", "bgp_label_value": True}
    assert host_problems(request(), "worker-1", variables, {}) == []


def test_default_power_method_is_the_role_s() -> None:
    defaults = yaml.safe_load((TOP / "roles/power/defaults/main.yml").read_text(encoding="utf-8"))
    assert defaults["power_method"] == DEFAULT_POWER_METHOD


def test_a_mistyped_name_is_said_once_and_with_the_host_unless_it_was_typed() -> None:
    given = {"worker-1": ["drain_timout", "power_wait"], "worker-2": ["drain_timout", "power_wait"]}
    found = name_problems(given, {"drain_timeout"}, ["power_wait"])
    assert len(found) == 2
    assert found[0].startswith("worker-1: no playbook or role has a variable drain_timout")
    assert found[1].startswith("no playbook or role has a variable power_wait")
