# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to hitless.nodes: it may change in any release, don't import it from elsewhere.

"""The last look before something that can't be undone. Everything is judged as it is now, and noted in the record.

An earlier proof doesn't count here: a label may have been set again since, and a router may have learned the routes
again. The rules are pure functions. guard() reads the cluster, and gets the routers' answers from its caller.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from ..base.errors import HitlessError
from ..base.words import some
from ..cilium import bgp_sessions, objects
from ..cilium.agents import Agents
from ..cilium.selection import judge
from ..frr import route_rules
from ..kube import node_objects
from ..kube.client import Client
from ..kube.pods import MIRROR_ANNOTATION, is_finished, is_of_daemonset, tolerates_cordon
from ..record import questions, records, router_answers, runs
from . import announcers
from .hops import set_again

# What is guarded: the shutdown, the forced off after it, the reboot, and the flush of stale routes on routers.
ACTS = ("off", "force_off", "reboot", "flush")
Record = dict[str, Any]


class GuardError(HitlessError):
    """Something that can't be undone would be done at the wrong moment, with all reasons."""


# --- the rules ----------------------------------------------------------------------------------------------------


def record_problems(record: Record | None, run: dict[str, Any] | None) -> list[str]:
    """Why the record doesn't allow it: it is gone, or another run's. records.parse() refuses another Node's."""
    if record is None:
        return ["the Node has no record (any more), so nothing says what was before: who removed it?"]
    if not runs.same(record["run"], run):
        return [f"the Node is held by {record['holder']} since {record['since']}"]
    return []


def label_problems(node: dict[str, Any], record: Record) -> list[str]:
    """Why the node may be announced again: its label isn't as this maintenance set it."""
    again = set_again(node, record)
    return [again] if again else []


def cordon_problems(node: dict[str, Any], record: Record, pods: Iterable[dict[str, Any]]) -> list[str]:
    """Why the node isn't drained any more: it was uncordoned, or pods have come that a drain would evict.

    A node that wasn't drained (the record says so) has nothing to be compared with.
    """
    drains = [entry for entry in record.get("history") or [] if "stay" in entry]
    if not drains:
        return []
    problems = []
    if not node.get("spec", {}).get("unschedulable"):
        problems.append("it was uncordoned since the drain")
    stay = set(drains[-1]["stay"])
    came = [pod for pod in pods if pod["metadata"]["uid"] not in stay and _counts(pod)]
    if came:
        names = some([f"{pod['metadata']['namespace']}/{pod['metadata']['name']}" for pod in came])
        problems.append(f"pods have come to it since the drain: {names}")
    return problems


def _counts(pod: dict[str, Any]) -> bool:
    """Whether a drain would evict the pod: it isn't static, not of a DaemonSet, not finished, and minds a cordon."""
    if MIRROR_ANNOTATION in (pod["metadata"].get("annotations") or {}) or is_finished(pod) or tolerates_cordon(pod):
        return False
    return not is_of_daemonset(pod)


def router_problems(answers: dict[str, Any], routers: list[str]) -> list[str]:
    """Why a router may still send traffic to the node: it gave no answer, or has a path or a kernel route to it."""
    if not routers:
        return ["no router was asked: the group routers is empty"]
    unanswered = router_answers.problem(answers, routers)
    problems = [unanswered] if unanswered else []
    for router in routers:
        answer = answers.get(router)
        if answer is None or router_answers.is_bad(answer):
            continue
        if answer["left"]:
            problems.append(f"router {router} still has {route_rules.described(answer['left'])}")
    return problems


# --- the look -----------------------------------------------------------------------------------------------------


def guard(client: Client, params: dict[str, Any], *, check_mode: bool) -> dict[str, Any]:
    """The result of node_guard; raises GuardError with every reason why it must not be done now."""
    name, act, run = params["name"], params["act"], params["_run"]
    node = node_objects.read(client, name)
    record = records.parse(node)
    reasons = record_problems(record, run)
    if record is None or reasons:
        raise _refused(name, act, reasons, record)
    evidence = params["evidence"] or record["before"].get("evidence") or "router"
    reasons = label_problems(node, record)
    reasons += _selection_problems(client, params, node)
    if act != "flush":
        reasons += _departure_problems(client, params, node, record, evidence)
        reasons += _too_few_announcers(client, params, record)
    if reasons:
        raise _refused(name, act, reasons, record)

    def change(current: dict[str, Any]) -> dict[str, Any] | None:
        now = records.parse(current)
        again = record_problems(now, run) or label_problems(current, now or {})
        if now is None or again:
            raise _refused(name, act, again, now)
        phase = None if act == "flush" or not records.advances(now, "off") else "off"
        # A node that comes back is told by another boot id than that of this moment.
        boot_id = node_objects.facts(current)["boot_id"]
        note = {**(params["note"] or {}), "boot_id": boot_id, "guard": _note(params, evidence)}
        return records.annotation(records.stamped(now, note, datetime.now(UTC), phase=phase))

    written, _patch = node_objects.write(client, node, change, check_mode=check_mode)
    return {
        "changed": True,
        "name": name,
        "record": records.parse(written),
        "boot_id": node_objects.facts(written)["boot_id"] or "",
    }


def _refused(name: str, act: str, reasons: list[str], record: Record | None) -> GuardError:
    what = {"off": "the shutdown", "force_off": "the forced switch-off", "reboot": "the reboot", "flush": "the flush"}
    return GuardError(
        f"{name}: {what[act]} was not sent, since the last look before it found: {'; '.join(reasons)}",
        reasons=reasons,
        record=record,
    )


def _note(params: dict[str, Any], evidence: str) -> dict[str, Any]:
    """What the record keeps of the look."""
    now = time.monotonic()
    looked_at = params["looked_at"] or now
    routers = sorted(params["routes"] or {})
    return {"act": params["act"], "evidence": evidence, "routers": routers, "age": round(now - looked_at, 3)}


def _selection_problems(client: Client, params: dict[str, Any], node: dict[str, Any]) -> list[str]:
    """Why Cilium may announce from the node: a config selects it, or its NodeConfig is there."""
    configs = objects.configs(client)
    selection = judge(objects.labels(node) or {}, None, configs.items, label=None)
    if selection.selected:
        names = " and ".join(config.name for config in selection.configs)
        return [f"{names} selects it, so Cilium announces from it"]
    if objects.node_config(client, configs.api_version, params["name"]) is not None:
        return ["it has a CiliumBGPNodeConfig, so its agent announces"]
    return []


def _departure_problems(
    client: Client, params: dict[str, Any], node: dict[str, Any], record: Record, evidence: str
) -> list[str]:
    """Why the node can't leave now: its routes aren't proven to be gone, or it isn't drained any more."""
    reasons = []
    unproven = questions.why_not_off(params["name"], record, evidence)
    if unproven:
        reasons.append(unproven.removeprefix(f"{params['name']}: "))
    pods = client.list_all("/api/v1/pods", fieldSelector=f"spec.nodeName={params['name']}")[0]
    reasons += cordon_problems(node, record, pods)
    if record["before"].get("evidence", "router") == "router":
        left = questions.strangers(record, params["routers"])
        reasons += [f"router {each} had its routes at the claim, and isn't among the routers now" for each in left]
        reasons += router_problems(params["routes"] or {}, params["routers"])
    elif evidence == "cilium" and params["act"] != "force_off":
        # When it is forced off, it is already shutting down, and its agent is gone.
        reasons += _agent_problems(client, params)
    return reasons


def _too_few_announcers(client: Client, params: dict[str, Any], record: Record) -> list[str]:
    """The VIPs that too few others announce now. If the node comes back instead, they are there again."""
    minimum = questions.min_announcers(record, params["min_announcers"])
    namespace = params["cilium_namespace"]
    return announcers.recount(client, params["name"], record, params["routes"], minimum, cilium_namespace=namespace)


def _agent_problems(client: Client, params: dict[str, Any]) -> list[str]:
    """Why the node's agent may still announce: it has sessions, or gives no answer."""
    agents = Agents(client, params["cilium_namespace"], client.timeout)
    version = objects.configs(client).api_version
    (node,) = bgp_sessions.read(client, agents, [params["name"]], api_version=version)
    answer = bgp_sessions.sessions(agents, node, "agent")
    if not answer.known:
        return [f"its agent doesn't say whether its sessions are closed: {answer.reason}"]
    if answer.sessions:
        return [f"its agent still has {len(answer.sessions)} BGP sessions"]
    return []
