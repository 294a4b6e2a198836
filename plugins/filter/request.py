# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What was asked for, and what is to be done: rules over the input of the playbooks and over a node's record."""

from __future__ import annotations

import datetime
import os
import uuid
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import yaml
from ansible.errors import AnsibleFilterError
from ansible_collections.hitless.nodes.plugins.module_utils.base.errors import HitlessError
from ansible_collections.hitless.nodes.plugins.module_utils.schedule import batching
from ansible_collections.hitless.nodes.plugins.module_utils.schedule import windows as window_rules

ACTIONS = {
    "maintenance": ("poweroff", "reboot", "none", "pause"),
    "out": ("poweroff", "none"),
    "in": ("poweroff", "reboot", "none", "pause"),
    "probe": ("none",),
    "upgrade": ("none",),
}
ORDERS = ("drain_first", "withdraw_first")
EVIDENCE = ("router", "cilium", "estimate")
# The same as power_method in roles/power/defaults, which can't be read before the role runs (a test compares them).
DEFAULT_POWER_METHOD = "redfish"
POWER_METHODS = ("redfish", "os", "none")


def as_written(value: Any, names: Iterable[str]) -> str:
    """The text that a value was before YAML read it as something else, "" if that can't be told.

    AWX hands variables over such that '0123' arrives as 83, '1.30' as 1.3 and 'no' as False. Of the names that can be
    meant, the one that YAML reads as this value is taken back, unless several are.
    """
    if isinstance(value, str):
        return str(value)
    if isinstance(value, list | tuple):
        names = list(names)
        parts = [as_written(each, names) for each in value]
        return ",".join(parts) if all(parts) else ""
    candidates = [name for name in names if _same_value(_read(name), value)]
    return str(candidates[0]) if len(candidates) == 1 else ""


def _read(name: str) -> Any:
    try:
        return yaml.safe_load(str(name))
    except (yaml.YAMLError, ValueError):
        return str(name)


def _same_value(read: Any, value: Any) -> bool:
    # True == 1 and 83 == 83.0 in Python, but no text is both.
    kinds = (bool, int, float, datetime.datetime, datetime.date)
    kind = next((k for k in kinds if isinstance(value, k)), type(None) if value is None else None)
    return (
        kind is not None
        and isinstance(read, kind)
        and isinstance(read, bool) == isinstance(value, bool)
        and read == value
    )


def _kind(value: Any) -> str:
    """What a value is, in words."""
    kinds = (
        (bool, "a boolean"),
        (int, "a number"),
        (float, "a number"),
        (datetime.date, "a date"),
        (str, "text"),
        (type(None), "nothing"),
    )
    return next((words for kind, words in kinds if isinstance(value, kind)), "not text")


def maintenance_problems(
    request: Mapping[str, Any], groups: Mapping[str, list[str]], hostvars: Mapping[str, Mapping[str, Any]]
) -> list[str]:
    """What is wrong with the input, one line each; [] = go on.

    request: direction (maintenance | out | in | probe | upgrade), target (as given, None if it wasn't), hosts (that it
    matches), action, tasks (path of the task file or ""), order, evidence, window, deadline, serial.
    """
    problems = [
        *_target_problems(request, groups),
        *_choice_problems(request),
        *_task_file_problems(request["tasks"]),
        *_window_problems(request.get("window"), request.get("deadline")),
        *_serial_problems(request.get("serial", 1)),
    ]
    if not problems:
        for host in request["hosts"]:
            problems += _host_problems(host, hostvars[host], request["action"])
            problems += _router_option_problems(host, hostvars[host], request)
    return problems


def _target_problems(request: Mapping[str, Any], groups: Mapping[str, list[str]]) -> list[str]:
    target, hosts = request["target"], request["hosts"]
    routers = groups.get("routers", [])
    if target is None or target == "":
        return ["which nodes? Give the inventory name or pattern: -e target=worker-3"]
    problems = []
    if not as_written(target, groups.get("all", [])):
        problems.append(
            f"target arrived as {target!r} ({_kind(target)}), and no single inventory host reads like that: a "
            "name that YAML takes for a number, a boolean or a date can be given as a pattern, such as target='~^0123$'"
        )
    elif not hosts:
        problems.append(f"target={target} matches no host of the inventory (hosts: {_some(groups.get('all', []))})")
    if not routers and request["evidence"] == "router":
        problems.append(
            "the inventory has no group 'routers', or it is empty: list there the FRR routers that the nodes announce "
            "their routes to, since no node is powered off before every one of them has been asked; where nobody may "
            "ask them, evidence=cilium makes do with Cilium and an estimate"
        )
    both = [host for host in hosts if host in routers]
    if both:
        problems.append(f"target={target} also matches routers ({_some(both)}): give a pattern that matches nodes only")
    return problems


def _choice_problems(request: Mapping[str, Any]) -> list[str]:
    problems = []
    actions = ACTIONS[request["direction"]]
    for name, value, choices in (
        ("maintenance_action", request["action"], actions),
        ("maintenance_order", request["order"], ORDERS),
        ("evidence", request["evidence"], ("router",) if request["direction"] == "probe" else EVIDENCE),
    ):
        if value not in choices:
            kind = "" if isinstance(value, str) else f" ({_kind(value)})"
            problems.append(f"{name} is {value!r}{kind}, and must be one of: {', '.join(choices)}")
    return problems


def _window_problems(window: Any, deadline: Any) -> list[str]:
    problems = []
    for parse, value in ((window_rules.parse, window), (window_rules.deadline, deadline)):
        try:
            parse(value)
        except HitlessError as exc:
            problems.append(f"maintenance_{exc.msg}")
    return problems


def _serial_problems(serial: Any) -> list[str]:
    try:
        batching.sizes(serial)
    except HitlessError as exc:
        return [f"maintenance_serial is {exc.msg}"]
    return []


def _task_file_problems(path: Any) -> list[str]:
    if path == "":
        return []
    if not isinstance(path, str):
        return [f"maintenance_tasks is {path!r} ({_kind(path)}), and must be the path of a task file"]
    if not os.path.isfile(path):  # noqa: PTH113 - a path in a message, nothing else is done with it
        return [f"maintenance_tasks: there is no file {path}"]
    return []


def _host_problems(host: str, variables: Mapping[str, Any], action: str) -> list[str]:
    problems = []
    name = variables.get("node_name", host)
    if not isinstance(name, str) or not name:
        problems.append(f"{host}: node_name is {name!r} ({_kind(name)}), and must be text: quote it in the inventory")
    value = variables.get("bgp_label_value", "")
    if not isinstance(value, str | bool):
        problems.append(
            f"{host}: bgp_label_value arrived as {value!r} ({_kind(value)}), and a label's value is text: what was "
            "written can't be told from that; use a value that YAML doesn't take for something else"
        )
    if action in ("poweroff", "reboot"):
        method = variables.get("power_method", DEFAULT_POWER_METHOD)
        if method not in POWER_METHODS:
            problems.append(f"{host}: power_method is {method!r}, and must be one of: {', '.join(POWER_METHODS)}")
        elif method == "none":
            problems.append(f"{host}: maintenance_action={action} needs power_method redfish or os, and it is none")
        elif method == "redfish" and not variables.get("power_redfish_baseurl"):
            problems.append(
                f"{host}: power_method is redfish and power_redfish_baseurl is not set: give the URL of its BMC, "
                "or power_method=os"
            )
    return problems


def _router_option_problems(host: str, variables: Mapping[str, Any], request: Mapping[str, Any]) -> list[str]:
    """What is asked for of routers that nobody asks or that are measured, and evidence that a host has of its own."""
    evidence = request["evidence"]
    own = variables.get("evidence", evidence)
    if own != evidence:
        return [
            f"{host}: evidence is {own!r} for it and {evidence!r} for the run: give one for all, such as -e evidence"
        ]
    probing = request["direction"] == "probe"
    if evidence == "router" and not probing:
        return []
    why = "would change what is to be measured" if probing else f"evidence={evidence} doesn't log in to any"
    return [
        f"{host}: {name} changes settings of routers, and {why}: leave it out"
        for name in ("bgp_router_drain", "bgp_flush")
        if variables.get(name) not in (None, False, "", "false", "False", "no")
    ]


def _some(names: Iterable[str], limit: int = 8) -> str:
    names = list(names)
    more = f" and {len(names) - limit} more" if len(names) > limit else ""
    return (", ".join(names[:limit]) or "none") + more


def same_uuid(one: Any, other: Any) -> bool:
    """Whether two texts are the same system UUID.

    SMBIOS before 2.6 doesn't say in which order the bytes of the first three fields go, and firmware, kernel and BMC
    don't agree: the swapped form is the same machine (SMBIOS specification, 7.2.1).
    """
    try:
        first, second = uuid.UUID(str(one)), uuid.UUID(str(other))
    except ValueError:
        return False
    return first in (second, uuid.UUID(bytes_le=second.bytes))


def maintenance_way(node: Mapping[str, Any], record: Mapping[str, Any] | None) -> str:
    """Which half is to be done next, "out" or "in": for a node that was left in the middle, what can be seen decides.

    node, record: of node_info. A node that has come back with a new boot id after it was off is not taken off again.
    """
    if not record:
        return "out"
    if record["phase"] in ("on", "restarted", "announced", "schedulable", "released"):
        return "in"
    before = record["before"].get("boot_id")
    if record["phase"] == "off" and node.get("boot_id") and node["boot_id"] != before:
        return "in"
    return "out"


def may_put_back(node: Mapping[str, Any], record: Mapping[str, Any] | None) -> bool:
    """Whether a failure on the way out is answered by putting the node back, as seen before this run changed anything.

    Not if an earlier run may have switched it off already: announcing the routes of a node that is off loses traffic.
    """
    if not record:
        return True
    return record["phase"] in ("claimed", "drained", "withdrawn") and node.get("ready") is True


def node_names(hosts: Iterable[str], hostvars: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """The names of Nodes for inventory hosts: node_name where a host has it, its inventory name otherwise."""
    return [str(hostvars[host].get("node_name") or host) for host in hosts]


def withdrawn_by(record: Mapping[str, Any] | None) -> str:
    """By which evidence a record says that the node's routes are withdrawn, as noted last; "" if it doesn't say."""
    noted = [entry["evidence"] for entry in (record or {}).get("history", []) if "evidence" in entry]
    return noted[-1] if noted else ""


def was_off(record: Mapping[str, Any] | None) -> bool:
    """Whether the node was switched off or rebooted since the claim, so that it must come back with a new boot id."""
    return any(entry["phase"] == "off" for entry in (record or {}).get("history", []))


def batch_sizes(serial: Any) -> list[int | str]:
    """How many nodes at once, as Ansible's serial takes it."""
    try:
        return batching.sizes(serial)
    except HitlessError as exc:
        raise AnsibleFilterError(f"the size of a batch is {exc.msg}") from exc


class FilterModule:
    """The filters about what is to be done."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Name -> function."""
        return {
            "as_written": as_written,
            "batch_sizes": batch_sizes,
            "maintenance_problems": maintenance_problems,
            "maintenance_way": maintenance_way,
            "may_put_back": may_put_back,
            "node_names": node_names,
            "same_uuid": same_uuid,
            "was_off": was_off,
            "withdrawn_by": withdrawn_by,
        }
