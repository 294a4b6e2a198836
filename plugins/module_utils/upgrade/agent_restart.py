# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to hitless.nodes: it may change in any release, don't import it from elsewhere.

"""Restarts the agent of one node: proves its images, deletes its pod, and times each step until the new one works."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from ..base.errors import HitlessError
from ..base.polling import Limits, NotMet, SliceOver, TimedOut, Unfinished, patiently, poll
from ..cilium import bgp_sessions, objects
from ..cilium.agent_pod import agent_started
from ..cilium.agents import UNANSWERED, Agents
from ..kube import node_objects
from ..kube.api_errors import TRANSIENT, Conflict, NotFound
from ..kube.client import Client
from ..kube.pods import moment, pod_ready
from ..record import records
from . import image_proof
from .daemonset import is_going, path, pods_of, pods_path
from .image_ref import parse
from .image_verdicts import container_verdict
from .template import containers, made_of, references

INTERVAL = 0.25
# The steps that are timed, in their order. Each time is in seconds since the deletion of the pod was asked for.
STEPS = ("gone", "running", "ready", "sessions")


class RestartRefused(HitlessError):  # noqa: N818 - reads as what it is
    """The agent mustn't be restarted like this; nothing was changed."""


class RestartFailed(HitlessError):  # noqa: N818
    """The agent isn't back, or it was away too long."""


@dataclass
class Progress:
    """How far the restart is. deleted: when the deletion of the pod was asked for, in seconds of the whole wait."""

    old: str
    deleted: float
    expected: list[str] | None
    proof: float
    marks: dict[str, float] = field(default_factory=dict)
    pod: str | None = None

    def mark(self, step: str, at: float) -> None:
        """Notes when a step was first seen as done."""
        self.marks.setdefault(step, round(max(0.0, at), 2))


# Rules


def refusals(name: str, daemonset: dict[str, Any]) -> list[str]:
    """Why the agents of this DaemonSet can't be restarted one by one, in words; [] if they can."""
    spec = daemonset["spec"]
    found = []
    strategy = (spec.get("updateStrategy") or {}).get("type", "RollingUpdate")
    if strategy != "OnDelete":
        found.append(
            f"DaemonSet {name} has updateStrategy {strategy}, so its controller restarts agents by itself: set it to "
            f"OnDelete until the upgrade has ended"
        )
    always = [one["name"] for one in containers(spec["template"]["spec"]) if one.get("imagePullPolicy") == "Always"]
    if always:
        found.append(
            f"containers {', '.join(always)} of DaemonSet {name} have imagePullPolicy Always, so an agent can't start "
            f"without an answer of the registry: set it to IfNotPresent"
        )
    return found


def image_problem(pod: dict[str, Any], template: dict[str, Any], images: list[dict[str, Any]]) -> str | None:
    """What is wrong with the images that a pod's containers run. None: they are the images of the template."""
    statuses = {one["name"]: one for one in (pod.get("status") or {}).get("containerStatuses") or []}
    for one in template["spec"]["containers"]:
        verdict = container_verdict(parse(one["image"]), statuses.get(one["name"], {}), images)
        if verdict.state != "there":
            return f"container {one['name']}: {verdict.words}"
    return None


def trouble(pod: dict[str, Any]) -> str:
    """Why a pod's containers don't run, in the kubelet's words; "" if it says nothing."""
    status = pod.get("status") or {}
    for one in [*(status.get("initContainerStatuses") or []), *(status.get("containerStatuses") or [])]:
        waiting = (one.get("state") or {}).get("waiting") or {}
        if waiting.get("reason") not in (None, "PodInitializing", "ContainerCreating"):
            return " ".join(f"{one['name']}: {waiting['reason']}: {waiting.get('message', '')}".split()).rstrip(": ")
    return ""


def session_mark(seen: float, running: float, started: datetime | None, rows: list[dict[str, Any]]) -> float:
    """After how many seconds the last session was up.

    seen is late, since agents report every few seconds. The agent's time of each session and the kubelet's time of the
    container's start come from one clock, in whole seconds. The difference is exact to one second.
    """
    times = [moment(row.get("established_time")) for row in rows if row["established"]]
    latest = max((at for at in times if at is not None), default=None)
    if latest is None or started is None or None in times:
        return seen
    return min(seen, running + max(0.0, (latest - started).total_seconds()) + 1)


# Asking


def _daemonset(client: Client, params: dict[str, Any]) -> dict[str, Any]:
    namespace, name = params["cilium_namespace"], params["daemonset"]
    found = client.find(path(namespace, name))
    if found is None:
        raise RestartRefused(
            f"there is no DaemonSet {name} in namespace {namespace}: correct agent_daemonset or cilium_namespace"
        )
    return found


def _agent(client: Client, params: dict[str, Any], daemonset: dict[str, Any]) -> dict[str, Any]:
    """The agent's pod on the node; raises RestartRefused if there is none."""
    for pod in pods_of(client, daemonset, node=params["name"]):
        if not is_going(pod):
            return pod
    raise RestartRefused(
        f"{params['name']}: DaemonSet {params['cilium_namespace']}/{params['daemonset']} has no pod on this node, so "
        f"there is no agent to restart: see why the DaemonSet leaves the node out"
    )


def _sessions(client: Client, params: dict[str, Any]) -> tuple[list[dict[str, Any]] | None, str]:
    """The node's sessions, or None and why they aren't known."""
    if params["sessions"] == "ignored":
        return None, "sessions are not looked at, as asked (agent_sessions=ignored)"
    configs = objects.configs(client)
    agents = Agents(client, params["cilium_namespace"], client.timeout)
    (node,) = bgp_sessions.read(client, agents, [params["name"]], api_version=configs.api_version)
    answer = bgp_sessions.sessions(agents, node, "agent" if params["sessions"] == "required" else "auto")
    return (answer.sessions if answer.known else None), answer.reason or ""


# Acting


def restart(client: Client, params: dict[str, Any], *, check_mode: bool) -> dict[str, Any]:
    """The result of agent_restart; raises RestartRefused, NotProven, RestartFailed, HeldError or Unfinished."""
    name, limits, state = params["name"], Limits.of(params), params["_state"] or {}
    daemonset, limits = patiently(
        lambda: _daemonset(client, params), subject=name, limits=limits, retry_on=TRANSIENT if limits.resumed else ()
    )
    template = daemonset["spec"]["template"]
    if "restart" in state:
        return _await(_Comeback(client, params, daemonset, Progress(**state["restart"]), limits), limits)
    node = node_objects.read(client, name)
    record = records.parse(node)
    records.ensure_ours(name, record, params["_run"], claimed=params.get("claimed"), check_mode=check_mode)
    pod = _agent(client, params, daemonset)
    if made_of(pod, template) and pod_ready(pod) and not params["force"]:
        return _result(params, template, pod)
    reasons = refusals(params["daemonset"], daemonset)
    if reasons:
        raise RestartRefused(f"{name}: its agent isn't restarted: {'; '.join(reasons)}")
    if check_mode:
        return _result(params, template, pod) | {"changed": True, "diff": _diff(pod["spec"], template["spec"])}
    return _restart(client, params, daemonset, pod, limits)


def _restart(
    client: Client, params: dict[str, Any], daemonset: dict[str, Any], pod: dict[str, Any], limits: Limits
) -> dict[str, Any]:
    """Proves the images, notes the restart, deletes the pod, and waits for the new one."""
    name, began = params["name"], time.monotonic() - limits.elapsed
    sessions, unknown = _sessions(client, params)
    if sessions is None and params["sessions"] == "required":
        raise RestartRefused(f"{name}: its sessions aren't known, so nothing was restarted: {unknown}")
    proof = _prove(client, params, daemonset["spec"]["template"])
    _note_in_record(client, params)
    progress = Progress(
        old=pod["metadata"]["uid"],
        deleted=time.monotonic() - began,
        expected=None if sessions is None else _established(sessions),
        proof=proof,
    )
    _delete(client, params, pod)
    limits = limits.after(time.monotonic() - began)
    result = _await(_Comeback(client, params, daemonset, progress, limits), limits)
    if sessions is None and params["sessions"] != "ignored":
        result["warnings"] = [f"{name}: it wasn't checked whether Cilium has its sessions again: {unknown}"]
    return result


def _established(sessions: list[dict[str, Any]]) -> list[str]:
    """The addresses of the peers whose sessions are up."""
    return sorted(row["address"] or "" for row in sessions if row["established"])


def _prove(client: Client, params: dict[str, Any], template: dict[str, Any]) -> float:
    """Seconds that the proof of the images took; raises NotProven."""
    return image_proof.prove(
        client,
        params["name"],
        references(template),
        namespace=params["cilium_namespace"],
        pull_secrets=[each["name"] for each in template["spec"].get("imagePullSecrets") or []],
        timeout=params["image_timeout"],
    )


def _note_in_record(client: Client, params: dict[str, Any]) -> None:
    """Notes in the node's record that its agent is restarted now; raises HeldError if another run holds the node.

    If the run fails, this note tells the next run that the node is no longer as it was.
    """
    name = params["name"]

    def change(current: dict[str, Any]) -> dict[str, Any] | None:
        record = records.parse(current)
        records.ensure_ours(name, record, params["_run"], claimed=params.get("claimed"))
        if record is None:
            return None
        return records.annotation(records.stamped(record, {"way": "restart"}, datetime.now(UTC)))

    node_objects.write(client, node_objects.read(client, name), change, check_mode=False)


def _delete(client: Client, params: dict[str, Any], pod: dict[str, Any]) -> None:
    """Deletes the agent's pod, but no later pod of the same name; raises RestartFailed."""
    name = pod["metadata"]["name"]
    try:
        client.delete(pods_path(params["cilium_namespace"], name), {"preconditions": {"uid": pod["metadata"]["uid"]}})
    except (NotFound, Conflict) as exc:
        raise RestartFailed(f"{params['name']}: somebody else has replaced its agent's pod {name}: {exc.msg}") from exc


# Waiting


class _Comeback:
    """Looks again and again at what the new agent still lacks. Each step that is done is noted in progress."""

    def __init__(
        self,
        client: Client,
        params: dict[str, Any],
        daemonset: dict[str, Any],
        progress: Progress,
        limits: Limits,
    ) -> None:
        self.client = client
        self.params = params
        self.daemonset = daemonset
        self.template: dict[str, Any] = daemonset["spec"]["template"]
        self.progress = progress
        # The new pod at the last look.
        self.pod: dict[str, Any] | None = None
        self._began = time.monotonic() - limits.elapsed

    @property
    def away(self) -> float:
        """Seconds since the deletion of the old pod was asked for."""
        return time.monotonic() - self._began - self.progress.deleted

    def look(self) -> list[str]:
        """What the agent still lacks, in words; [] when it works."""
        at = self.away
        pods = pods_of(self.client, self.daemonset, node=self.params["name"])
        if any(pod["metadata"]["uid"] == self.progress.old for pod in pods):
            return ["the end of the old pod"]
        self.progress.mark("gone", at)
        new = next((pod for pod in pods if not is_going(pod)), None)
        if new is None:
            return ["a new pod"]
        self.pod, self.progress.pod = new, new["metadata"]["name"]
        for step in (self._running, self._right, self._ready, self._connected):
            lacks = step(new, at)
            if lacks:
                return lacks
        return []

    def _running(self, pod: dict[str, Any], at: float) -> list[str]:
        if agent_started(pod) is None:
            return [f"the start of {self.progress.pod} ({trouble(pod) or 'it is being started'})"]
        self.progress.mark("running", at)
        return []

    def _right(self, pod: dict[str, Any], _at: float) -> list[str]:
        if not made_of(pod, self.template):
            return [f"a pod of the DaemonSet's present template ({self.progress.pod} is of another one)"]
        wrong = image_problem(pod, self.template, [])
        if wrong:
            # An image can have two names. The pod shows only one, and the Node's list may show both.
            node = node_objects.read(self.client, self.params["name"])
            wrong = image_problem(pod, self.template, node.get("status", {}).get("images") or [])
        return [f"the right image ({wrong})"] if wrong else []

    def _ready(self, pod: dict[str, Any], at: float) -> list[str]:
        if not pod_ready(pod):
            return [f"{self.progress.pod} to be Ready ({trouble(pod) or 'it runs'})"]
        self.progress.mark("ready", at)
        return []

    def _connected(self, pod: dict[str, Any], at: float) -> list[str]:
        if self.progress.expected is None:
            return []
        rows, unknown = _sessions(self.client, self.params)
        if rows is None:
            return [f"its sessions ({unknown})"]
        up = _established(rows)
        down = [address for address in self.progress.expected if address not in up]
        if not down:
            running = self.progress.marks["running"]
            self.progress.mark("sessions", session_mark(at, running, agent_started(pod), rows))
        return [f"its session with {address}" for address in down]

    def result(self) -> dict[str, Any]:
        """What the module returns of a restart."""
        diff = _diff(None, self.template["spec"])
        return _result(self.params, self.template, self.pod, self.progress) | {"changed": True, "diff": diff}


def _await(comeback: _Comeback, limits: Limits) -> dict[str, Any]:
    """The result when the new agent works; raises RestartFailed with what it lacks, or Unfinished."""
    params, name = comeback.params, comeback.params["name"]
    of = f" (of {params['budget']:g} s)" if params["budget"] else ""
    try:
        poll(
            comeback.look,
            lambda lacks: not lacks,
            limits=limits,
            interval=INTERVAL,
            retry_on=(*TRANSIENT, *UNANSWERED),
        )
    except SliceOver as pause:
        line = f"its agent has been away for {comeback.away:.0f} s{of}, waiting for {_missing(pause)}"
        raise Unfinished(name, line, state={"restart": vars(comeback.progress)}, changed=True) from pause
    except TimedOut as late:
        raise RestartFailed(
            f"{name}: its agent doesn't work {comeback.away:.0f} s after its pod was deleted{of}: it lacks "
            f"{_missing(late)}; see the agent's log, or raise agent_restart_timeout",
            **comeback.result(),
        ) from late
    result = comeback.result()
    if result["exceeded"]:
        raise RestartFailed(
            f"{name}: its agent was away for {result['seconds']:g} s, but the routers keep its routes for only "
            f"{params['budget']:g} s: routes may have been lost meanwhile",
            **result,
        )
    return result


def _missing(late: NotMet) -> str:
    """What the agent lacked at the last look, or why there was no answer."""
    return late.error.msg if late.error else ", ".join(late.seen)


def _result(
    params: dict[str, Any], template: dict[str, Any], pod: dict[str, Any] | None, progress: Progress | None = None
) -> dict[str, Any]:
    """What the module returns, always with the same keys. Without progress, nothing was restarted."""
    marks = progress.marks if progress else {}
    last = marks.get("sessions", marks.get("ready"))
    seconds = None if last is None else round(last, 1)
    budget = params["budget"]
    return {
        "changed": False,
        "name": params["name"],
        "pod": pod["metadata"]["name"] if pod else None,
        "images": _images(template["spec"]),
        "seconds": seconds,
        "steps": {step: marks.get(step) for step in STEPS},
        "proof_seconds": progress.proof if progress else None,
        "budget": budget,
        "exceeded": seconds is not None and budget is not None and seconds > budget,
        "diff": {"before": {}, "after": {}},
    }


def _images(spec: dict[str, Any]) -> list[str]:
    return [one["image"] for one in spec["containers"]]


def _diff(old: dict[str, Any] | None, new: dict[str, Any]) -> dict[str, Any]:
    """The images of the old pod's spec (None: unknown) and of the new one."""
    return {"before": {"images": _images(old) if old else []}, "after": {"images": _images(new)}}
