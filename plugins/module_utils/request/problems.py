# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to hitless.nodes: it may change in any release, don't import it from elsewhere.

"""Rules for the whole input of a run, before any change. Pure functions.

Every problem is one line that says what was wanted, what was found, and which variable the user sets.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..base.words import some
from . import unknown, values
from .playbook_options import ACTIONS, EVIDENCE, OF_A_HOST, OF_THE_RUN, READERS
from .value_words import kind, shown

Variables = Mapping[str, Any]
Specs = Mapping[str, Mapping[str, Any]]

# The same as power_method in roles/power/defaults (a test compares them).
DEFAULT_POWER_METHOD = "redfish"
# How many hosts a line lists before it only says how many more there are.
NAMED = 8


@dataclass(frozen=True)
class Request:
    """The input of a run.

    target: as given. pattern: as the user wrote it, "" if that isn't known. hosts: those that it matches. groups: those
    of the inventory. run: the variables of the whole run. typed: the names of those on the command line.
    """

    direction: str
    target: Any
    pattern: str
    hosts: list[str]
    groups: Mapping[str, list[str]]
    run: Variables
    typed: frozenset[str] = field(default_factory=frozenset)

    @property
    def action(self) -> Any:
        """What happens to the node. Only a maintenance, or one half of it, switches it off."""
        switches = "poweroff" in ACTIONS[self.direction]
        return self.run.get("maintenance_action", "poweroff" if switches else "none")

    @property
    def evidence(self) -> Any:
        """What has to prove that routes are gone and back."""
        return self.run.get("evidence", "router")

    @property
    def routers(self) -> list[str]:
        """The hosts of the group routers."""
        return self.groups.get("routers", [])


# --- the run ----------------------------------------------------------------------------------------------------


def run_problems(request: Request) -> list[str]:
    """What is wrong with the input of the whole run."""
    problems = [*_target_problems(request), *_choice_problems(request)]
    for name, spec in OF_THE_RUN.items():
        if name in request.run:
            problems.append(values.problem(name, request.run[name], spec))
    problems.append(_task_file_problem(request.run.get("maintenance_tasks", "")))
    return [line for line in problems if line]


def _target_problems(request: Request) -> list[str]:
    target, hosts, routers = request.target, request.hosts, request.routers
    every = request.groups.get("all", [])
    if target is None or target == "":
        needed = "which nodes? Give the inventory name or pattern: -e target=worker-3"
        return [] if request.direction in READERS else [needed]
    problems = []
    if not request.pattern:
        problems.append(
            f"target arrived as {target!r} ({kind(target)}), and no single inventory host reads like that: a "
            "name that YAML takes for a number, a boolean or a date can be given as a pattern, such as target='~^0123$'"
        )
    elif not hosts:
        problems.append(f"target={target} matches no host of the inventory (hosts: {some(every, NAMED) or 'none'})")
    if not routers and request.evidence == "router" and request.direction not in READERS:
        problems.append(
            "the inventory has no group 'routers', or it is empty: list there the FRR routers that the nodes announce "
            "their routes to, since no node is powered off before every one of them has been asked; where nobody may "
            "ask them, evidence=cilium makes do with Cilium and an estimate"
        )
    both = [host for host in hosts if host in routers]
    if both:
        named = some(both, NAMED)
        problems.append(f"target={target} also matches routers ({named}): give a pattern that matches nodes only")
    return problems


def _choice_problems(request: Request) -> list[str]:
    if request.direction in READERS:
        return []
    choices = {
        "maintenance_action": (request.action, ACTIONS[request.direction]),
        "evidence": (request.evidence, ("router",) if request.direction == "probe" else EVIDENCE),
    }
    return [values.problem(name, value, {"choices": allowed}) for name, (value, allowed) in choices.items()]


def _task_file_problem(path: Any) -> str:
    if path == "":
        return ""
    if not isinstance(path, str):
        return f"maintenance_tasks is {shown(path)}, and must be the path of a task file"
    return "" if Path(path).is_file() else f"maintenance_tasks: there is no file {path}"


# --- one node ---------------------------------------------------------------------------------------------------


def host_problems(request: Request, host: str, variables: Variables, specs: Specs) -> list[str]:
    """What is wrong with one node's variables; host is "" for variables that belong to no node.

    specs: name -> specification of the role options that the run uses.
    """
    problems = []
    for name, spec in {**OF_A_HOST, **specs}.items():
        if name in variables and name not in ("bgp_label_value", "power_method"):
            problems.append(values.problem(name, variables[name], spec))
    if "node_name" in variables and variables["node_name"] == "":
        problems.append("node_name is empty: give the name of the Node, or leave it out")
    if "bgp_label_value" in specs:
        problems.append(_label_value_problem(variables))
    problems += _power_problems(variables, request, specs)
    problems += _router_option_problems(variables, request)
    return [f"{host}: {line}" if host else line for line in problems if line]


def _label_value_problem(variables: Variables) -> str:
    value = variables.get("bgp_label_value", "")
    if isinstance(value, str):
        return ""
    hint = "use a value that YAML doesn't take for something else"
    if isinstance(value, bool):
        hint = "quote it; or leave it out where the selector wants 'true', since 'false' is the default then"
    return (
        f"bgp_label_value arrived as {shown(value)}, and a label's value is text: what was written can't be told from "
        f"that: {hint}"
    )


def _power_problems(variables: Variables, request: Request, specs: Specs) -> list[str]:
    if "power_method" not in specs or request.action not in ("poweroff", "reboot"):
        return []
    method = variables.get("power_method", DEFAULT_POWER_METHOD)
    wrong = values.problem("power_method", method, specs["power_method"])
    if wrong:
        return [wrong]
    if method == "none" and request.direction != "in":
        return [f"maintenance_action={request.action} needs power_method redfish or os, and it is none"]
    if method == "redfish" and not variables.get("power_redfish_baseurl"):
        return [
            "power_method is redfish and power_redfish_baseurl is not set: give the URL of its BMC, or power_method=os"
        ]
    return []


def _router_option_problems(variables: Variables, request: Request) -> list[str]:
    """Options for routers that aren't asked or that a probe measures, and evidence that a host sets for itself."""
    evidence = request.evidence
    own = variables.get("evidence", evidence)
    if own != evidence:
        return [f"evidence is {own!r} for it and {evidence!r} for the run: give one for all, such as -e evidence"]
    probing = request.direction == "probe"
    if evidence == "router" and not probing:
        return []
    why = "would change what is to be measured" if probing else f"evidence={evidence} doesn't log in to any"
    return [
        f"{name} changes settings of routers, and {why}: leave it out"
        for name in ("bgp_router_drain", "bgp_flush")
        if variables.get(name) not in (None, False, "", "false", "False", "no")
    ]


# --- names ------------------------------------------------------------------------------------------------------


def name_problems(given: Mapping[str, Iterable[str]], known: Iterable[str], typed: Iterable[str]) -> list[str]:
    """Variables with our prefixes that nothing reads, each once, on any number of hosts.

    given: host -> names of its variables. typed: names from the command line.
    """
    known, typed = frozenset(known), frozenset(typed)
    problems: dict[str, str] = {}
    for host, names in given.items():
        for name, nearest in unknown.unknown(names, known, typed=typed).items():
            where = "" if name in typed else f"{host}: "
            problems.setdefault(name, where + unknown.line(name, nearest))
    return list(problems.values())
