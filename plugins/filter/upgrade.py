# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Upgrades of Cilium: what is wrong with the input, whether a restart fits into its budget, and what a failure says."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from ansible_collections.hitless.nodes.plugins.module_utils.base.errors import HitlessError
from ansible_collections.hitless.nodes.plugins.module_utils.schedule import batching
from ansible_collections.hitless.nodes.plugins.module_utils.upgrade import image_verdicts, restart_time
from ansible_collections.hitless.nodes.plugins.plugin_utils._values import values_of


def upgrade_problems(request: Mapping[str, Any]) -> list[str]:
    """What is wrong with the input of an upgrade, one line each; [] = go on.

    request: images, apply (path of a task file, "none", ""), chart ("", or a dict of what is to be known of it),
    rollback, without_gr, batch, margin, measured.
    """
    problems = []
    chart = request["chart"]
    images = request["images"]
    if isinstance(images, str) or not isinstance(images, Iterable):
        problems.append(f"agent_images is {images!r}, and must be a list of images")
    else:
        for image in images:
            try:
                image_verdicts.parse(str(image))
            except HitlessError as exc:
                problems.append(f"agent_images: {exc.msg}")
        if not list(images) and not request["rollback"] and not chart:
            problems.append(
                "which images? Give all that the new version runs on the nodes, with their digests: "
                '-e \'{"agent_images": ["quay.io/cilium/cilium:v1.19.1@sha256:..."]}\''
            )
    apply = request["apply"]
    if apply not in ("", "none") and not (isinstance(apply, str) and Path(apply).is_file()):
        problems.append(f"agent_apply: there is no file {apply}")
    if not request["rollback"] and bool(apply) == bool(chart):
        given = "both agent_chart and agent_apply were" if chart else "neither agent_chart nor agent_apply was"
        problems.append(
            f"what changes the DaemonSet? {given} given: give Cilium's chart (agent_chart), or a file of tasks "
            f"(agent_apply), or agent_apply=none to take the DaemonSet as it is"
        )
    if chart:
        problems += _chart_problems(chart)
    if request["without_gr"] not in ("", "refuse", "drain"):
        problems.append(f"without_gr is {request['without_gr']!r}, and must be refuse or drain")
    problems += _batch_problems(request["batch"], request["without_gr"])
    for name in ("margin", "measured"):
        try:
            numbers = [request[name]] if name == "margin" else list(request[name])
            if any(float(number) < 0 for number in numbers):
                raise ValueError
        except (TypeError, ValueError):
            problems.append(
                f"agent_{name} is {request[name]!r}, and must be {'a number' if name == 'margin' else 'numbers'}"
            )
    return problems


def _batch_problems(size: Any, without_gr: str) -> list[str]:
    # AWX hands numbers over as text, and True is 1 in Python.
    if isinstance(size, bool) or not str(size).isdecimal() or int(size) < 1:
        return [f"agent_batch is {size!r}, and must be a number from 1 on"]
    if int(size) > 1 and without_gr == "drain":
        return [
            "agent_batch and without_gr=drain: nodes whose routes are not kept are out of service for their restart, "
            "and that is done one by one: leave one of the two out"
        ]
    return []


def _chart_problems(chart: Mapping[str, Any]) -> list[str]:
    """What is wrong with the input about a chart: values, files, dropped, client_cert."""
    problems = []
    if chart["client_cert"]:
        problems.append("helm knows client certificates of a kubeconfig only, and kube_client_cert is given")
    for name, kind, words in (("values", Mapping, "a mapping"), ("files", list, "a list"), ("dropped", list, "a list")):
        if not isinstance(chart[name], kind):
            option = {"files": "agent_values_files", "dropped": "agent_drop_values"}.get(name, "agent_values")
            problems.append(f"{option} is {chart[name]!r}, and must be {words}")
    if not problems:
        try:
            values_of(chart["values"], chart["files"])
        except HitlessError as exc:
            problems.append(exc.msg)
    return problems


def upgrade_batches(
    hosts: Iterable[str],
    hostvars: Mapping[str, Mapping[str, Any]],
    agents: Iterable[Mapping[str, Any]],
    size: int = 1,
    planned: bool = False,
) -> list[list[str]]:
    """The hosts in the order in which their agents are restarted, in batches of at most size, each of one zone.

    agents: nodes of a result of agent_rollout. planned: whether those are restarted, too, that a change to come
    concerns. The first that is restarted is a batch of its own.
    """
    hosts = list(hosts)
    rows = {str(row["name"]): row for row in agents}
    found = {host: rows.get(str(hostvars[host].get("node_name") or host)) or {} for host in hosts}
    zones = {host: row.get("zone") for host, row in found.items()}
    first = next((host for host, row in found.items() if _is_restarted(row, planned=planned)), None)
    return batching.batches(hosts, zones, int(size), first=first)


def _is_restarted(row: Mapping[str, Any], *, planned: bool) -> bool:
    return not (row.get("current") and row.get("ready")) or (planned and bool(row.get("planned")))


def upgrade_plan(
    batches: Iterable[Iterable[str]], hostvars: Mapping[str, Mapping[str, Any]], agents: Iterable[Mapping[str, Any]]
) -> str:
    """Which agents a run that is only looked at (check mode) would restart, and in which order, in one line."""
    rows = {str(row["name"]): row for row in agents}
    wanted = [list(batch) for batch in batches]
    found = []
    for batch in wanted:
        named = {host: rows.get(str(hostvars[host].get("node_name") or host)) or {} for host in batch}
        found.append([host for host, row in named.items() if _is_restarted(row, planned=True)])
    count = sum(len(batch) for batch in found)
    total = sum(len(batch) for batch in wanted)
    order = "; ".join(", ".join(batch) for batch in found if batch)
    return f"{count} of {total} agents would be restarted" + (f", in this order: {order}" if order else "")


def measured_restarts(
    hostvars: Mapping[str, Mapping[str, Any]], hosts: Iterable[str], earlier: Iterable[float] = ()
) -> list[float]:
    """Seconds of the restarts of this run, and of earlier ones as given."""
    results = (hostvars[host].get("agent_restarted") or {} for host in hosts)
    return [*(float(each) for each in earlier), *(r["seconds"] for r in results if r.get("seconds") is not None)]


def restart_budget(
    record: Mapping[str, Any],
    routers: Iterable[str],
    peer_configs: Iterable[Mapping[str, Any]] = (),
    measured: Iterable[float] = (),
    margin: float = 0.25,
    without_gr: str = "refuse",
) -> dict[str, Any]:
    """The budget of a claimed node, and way: restart, drain (take it out of BGP for its restart), or refuse.

    record: of the claim, with the sessions that each router had with the node before.
    """
    sessions = record["before"].get("sessions") or {}
    found = restart_time.budget(
        {router: sessions.get(router) for router in routers},
        [dict(config) for config in peer_configs],
        [float(each) for each in measured],
        margin=float(margin),
    )
    way = "restart" if not found["problems"] else "drain" if without_gr == "drain" else "refuse"
    return {**found, "way": way}


def upgrade_failure_line(
    failure: Mapping[str, Any], host: str, hosts: Iterable[str], hostvars: Mapping[str, Mapping[str, Any]], target: str
) -> str:
    """The last line of an upgrade that failed at a node: what, why, which nodes it never touched, and what now."""
    reason = failure["reason"].rstrip(".")
    what = reason if reason.startswith(host) else f"{host}: {failure['task']}: {reason}"
    hosts = list(hosts)
    untouched = [one for one in hosts[hosts.index(host) + 1 :] if not hostvars[one].get("claim_result")]
    state = {
        "refused": "nothing was changed on it",
        "put back": "its agent was not restarted, and it was put back as it was",
        "left": f"putting it back failed as well: {failure.get('left', '')}; its record is kept",
        "held": "its record is kept",
    }.get(failure["end"], "it stays out of service and its record is kept")
    rest = f"; not touched: {', '.join(untouched)}" if untouched else ""
    again = f"ansible-playbook hitless.nodes.cilium_upgrade -e target={target}"
    return (
        f"{what}; {state}{rest}; the DaemonSet restarts nobody by itself until all agents are of one template: go on "
        f"with the same command, or roll back with: {again} -e agent_rollback=true"
    )


class FilterModule:
    """The filters about upgrades."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Name -> function."""
        return {
            "upgrade_problems": upgrade_problems,
            "upgrade_batches": upgrade_batches,
            "upgrade_plan": upgrade_plan,
            "measured_restarts": measured_restarts,
            "restart_budget": restart_budget,
            "upgrade_failure_line": upgrade_failure_line,
        }
