# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import yaml
from ansible.errors import AnsibleActionFail, AnsibleError
from ansible.plugins.action import ActionBase
from ansible.plugins.loader import lookup_loader
from ansible.utils.vars import load_extra_vars
from ansible_collections.hitless.nodes.plugins.module_utils.base.errors import HitlessError
from ansible_collections.hitless.nodes.plugins.module_utils.drain import pod_selector
from ansible_collections.hitless.nodes.plugins.module_utils.request import playbook_options, problems, twins
from ansible_collections.hitless.nodes.plugins.module_utils.schedule import batching, windows
from ansible_collections.hitless.nodes.plugins.module_utils.upgrade import asked
from ansible_collections.hitless.nodes.plugins.plugin_utils._as_written import as_written
from ansible_collections.hitless.nodes.plugins.plugin_utils._installed import chart_tool_problems, has_collection
from ansible_collections.hitless.nodes.plugins.plugin_utils._values import values_of

ROLES = Path(__file__).resolve().parents[2] / "roles"
# The status shows these hosts without a target.
EVERY_NODE = "all:!routers:!localhost"
Specs = dict[str, dict[str, Any]]


class ActionModule(ActionBase):
    """Checks the whole input of a run before any change, by the specs of every role that it will use."""

    TRANSFERS_FILES = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """The hosts that the target matches, and their Nodes; fails with all problems at once."""
        super().run(tmp, task_vars)
        _validation, options = self.validate_argument_spec(
            argument_spec={"direction": {"choices": list(playbook_options.ACTIONS), "required": True}},
        )
        variables = task_vars or {}
        request = self._request(options["direction"], variables)
        found = problems.run_problems(request)
        found += _parse_problems(request.run)
        if request.direction == "upgrade":
            found += _upgrade_problems(request.run)
        if not found:
            found += self._host_problems(request, variables)
        if found:
            raise AnsibleActionFail("; ".join(found))
        # Only the module knows what this host's Python lacks.
        result: dict[str, Any] = self._execute_module(module_args=options, task_vars=variables)
        if result.get("failed"):
            return result
        hostvars = variables["hostvars"]
        nodes = [str(hostvars[host].get("node_name", host)) for host in request.hosts]
        return {**result, "hosts": request.hosts, "nodes": nodes}

    def _request(self, direction: str, variables: Mapping[str, Any]) -> problems.Request:
        """The input, with the values for the run as a whole."""
        template = self._templar.template
        target = template(variables.get("target", EVERY_NODE if direction == "status" else ""))
        groups = {name: list(hosts) for name, hosts in variables["groups"].items()}
        pattern = as_written(target, groups["all"])
        lookup = lookup_loader.get("ansible.builtin.inventory_hostnames", loader=self._loader, templar=self._templar)
        hosts = lookup.run([pattern], variables=variables) if pattern else []
        names = [*playbook_options.OF_THE_RUN, *playbook_options.OTHERS, "agent_images", "evidence", "kube_client_cert"]
        if direction == "in":
            names = [name for name in names if name not in playbook_options.OF_THE_WAY_OUT]
        run = {name: template(variables[name]) for name in names if name in variables}
        tasks = run.get("maintenance_tasks")
        if isinstance(tasks, str) and tasks:
            run["maintenance_tasks"] = str(Path(tasks).expanduser().resolve())
        return problems.Request(
            direction, target, pattern, hosts, groups, run, frozenset(load_extra_vars(self._loader))
        )

    def _host_problems(self, request: problems.Request, variables: Mapping[str, Any]) -> list[str]:
        """What is wrong with the variables of the nodes, and of the routers that have their own."""
        hostvars = variables["hostvars"]
        known = _every_option()
        given = {host: list(hostvars[host]) for host in (*request.hosts, *request.routers)}
        found = problems.name_problems({"the command line": list(request.typed), **given}, known, request.typed)
        if request.direction == "doctor":
            return found + self._problems_of(request, "", variables)
        for host in request.hosts:
            found += self._problems_of(request, host, hostvars[host])
        if request.direction not in playbook_options.READERS:
            found += self._twins(request, hostvars)
        return found

    @staticmethod
    def _twins(request: problems.Request, hostvars: Mapping[str, Any]) -> list[str]:
        """Names of the inventory that are one Node, or one router."""
        found = twins.node_problems({host: hostvars[host].get("node_name", host) for host in request.hosts})
        if request.evidence == "router":
            found += twins.router_problems({router: hostvars[router] for router in request.routers})
        return found

    def _problems_of(self, request: problems.Request, host: str, variables: Mapping[str, Any]) -> list[str]:
        drains = variables.get("bgp_router_drain") not in (None, False, "", "false", "False", "no")
        specs = _options(playbook_options.entry_points(request.direction, str(request.action), router_drain=drains))
        if request.direction == "doctor":
            # Problems name the variables that the user sets.
            specs |= {own: specs.pop(option) for own, option in playbook_options.OF_THE_DOCTOR.items()}
        values: dict[str, Any] = {}
        for name in (*playbook_options.OF_A_HOST, *specs, "evidence"):
            if name not in variables:
                continue
            try:
                # The values of a host are already evaluated. Those of this task are not.
                values[name] = variables[name] if host else self._templar.template(variables[name])
            except AnsibleError as exc:
                where = f"{host}: " if host else ""
                return [f"{where}{name} can't be evaluated: {' '.join(str(exc).split())}"]
        found = problems.host_problems(request, host, values, specs)
        return found + [f"{host}: {line}" for line in (*_selector_problems(values), *_missing(request, values, specs))]


def _options(entry_points: list[tuple[str, str]]) -> Specs:
    """Name -> specification of all options of these entry points."""
    found: Specs = {}
    for role, entry in entry_points:
        found |= _specs(role)[entry]["options"]
    return found


def _specs(role: str) -> dict[str, Any]:
    text = (ROLES / role / "meta" / "argument_specs.yml").read_text(encoding="utf-8")
    specs: dict[str, Any] = yaml.safe_load(text)["argument_specs"]
    return specs


def _every_option() -> set[str]:
    """The names of all variables that playbooks and roles have."""
    known = {*playbook_options.OF_THE_RUN, *playbook_options.OF_A_HOST, *playbook_options.OTHERS}
    for role in ROLES.iterdir():
        if role.is_dir():
            for spec in _specs(role.name).values():
                known |= set(spec["options"])
    return known


def _parse_problems(run: Mapping[str, Any]) -> list[str]:
    """What is wrong with values that have a special form."""
    rules: tuple[tuple[str, Callable[[Any], Any], str], ...] = (
        ("maintenance_window", windows.parse, "maintenance_"),
        ("maintenance_deadline", windows.deadline, "maintenance_"),
        ("maintenance_serial", batching.sizes, "maintenance_serial is "),
    )
    found = []
    for name, parse, words in rules:
        if run.get(name) in (None, "", {}):
            continue
        try:
            parse(run[name])
        except HitlessError as exc:
            found.append(words + exc.msg)
    return found


def _upgrade_problems(run: Mapping[str, Any]) -> list[str]:
    """What is wrong with the variables of an upgrade, and what is missing here to apply a chart."""
    found = asked.problems(run)
    if not run.get("agent_chart") or asked.is_true(run.get("agent_rollback")):
        return found
    found += chart_tool_problems(str(run.get("agent_helm") or ""))
    values, files = run.get("agent_values", {}), run.get("agent_values_files", [])
    if isinstance(values, Mapping) and isinstance(files, list):
        try:
            values_of(values, files)
        except HitlessError as exc:
            found.append(exc.msg)
    return found


def _selector_problems(values: Mapping[str, Any]) -> list[str]:
    try:
        pod_selector.parse(values.get("drain_pod_selector", ""))
    except HitlessError as exc:
        return [exc.msg]
    return []


def _missing(request: problems.Request, values: Mapping[str, Any], specs: Mapping[str, Any]) -> list[str]:
    """The collections that the run needs and that aren't installed."""
    redfish = values.get("power_method", problems.DEFAULT_POWER_METHOD) == "redfish"
    if "power_method" not in specs or not redfish or request.action not in ("poweroff", "reboot"):
        return []
    if has_collection("community.general"):
        return []
    return [
        "power_method=redfish needs the collection community.general, which isn't installed: "
        "ansible-galaxy collection install community.general"
    ]
