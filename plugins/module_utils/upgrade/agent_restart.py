# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to hitless.nodes: it may change in any release, don't import it from elsewhere.

"""Restarting one node's agent: its images proven just before, its pod deleted, and how long each step then took."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from ..base.errors import HitlessError
from ..base.polling import Limits, SliceOver, TimedOut, Unfinished, patiently, poll
from ..cilium import bgp_sessions, objects
from ..cilium.agent_pod import agent_started
from ..cilium.agents import UNANSWERED, Agents
from ..kube import node_objects
from ..kube.api_errors import TRANSIENT, Conflict, NotFound
from ..kube.client import Client, segment
from ..kube.pods import moment, pod_ready
from ..record import records
from . import image_proof, image_pull, image_verdicts
from .template import containers, image_list, made_of

INTERVAL = 0.25
# What is timed, in the order in which it happens. Each is seconds since the pod's deletion was asked for.
STEPS = ("gone", "running", "ready", "sessions")


class RestartRefused(HitlessError):  # noqa: N818 - reads as what it is
    """The agent mustn't be restarted like this; nothing was changed."""


class RestartFailed(HitlessError):  # noqa: N818
    """The agent isn't back, or was away for too long."""


@dataclass
class Progress:
    """How far the restart is. deleted: when the pod's deletion was asked for (seconds of the whole wait)."""

    old: str
    deleted: float
    expected: list[str] | None
    proof: float
    marks: dict[str, float] = field(default_factory=dict)
    pod: str | None = None

    def mark(self, step: str, at: float) -> None:
        """Notes when a step was first seen to be done."""
        self.marks.setdefault(step, round(max(0.0, at), 2))


# Rules


def references(template: dict[str, Any]) -> list[image_verdicts.Reference]:
    """The images of a template, each once."""
    return [image_verdicts.parse(text) for text in image_list(template)]


def refusals(name: str, daemonset: dict[str, Any]) -> list[str]:
    """Why no agent of this DaemonSet may be restarted one by one, in words."""
    spec = daemonset["spec"]
    found = []
    strategy = (spec.get("updateStrategy") or {}).get("type", "RollingUpdate")
    if strategy != "OnDelete":
        found.append(
            f"DaemonSet {name} has updateStrategy {strategy}, so its controller restarts agents by itself: it must be "
            f"OnDelete as long as an upgrade goes on"
        )
    always = [one["name"] for one in containers(spec["template"]["spec"]) if one.get("imagePullPolicy") == "Always"]
    if always:
        found.append(
            f"containers {', '.join(always)} of DaemonSet {name} have imagePullPolicy Always, so an agent starts only "
            f"if the registry answers: set it to IfNotPresent"
        )
    return found


def image_problem(pod: dict[str, Any], template: dict[str, Any], images: list[dict[str, Any]]) -> str | None:
    """What is wrong with the images that a pod's containers run, None if they are those of the template."""
    statuses = {one["name"]: one for one in (pod.get("status") or {}).get("containerStatuses") or []}
    for one in template["spec"]["containers"]:
        verdict = image_verdicts.container_verdict(
            image_verdicts.parse(one["image"]), statuses.get(one["name"], {}), images
        )
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

    Agents report every few seconds. When a session came up they say by the clock by which the kubelet says when the
    container was started, in whole seconds.
    """
    times = [moment(row.get("established_time")) for row in rows if row["established"]]
    latest = max((at for at in times if at is not None), default=None)
    if latest is None or started is None or None in times:
        return seen
    return min(seen, running + max(0.0, (latest - started).total_seconds()) + 1)


# Asking and acting


def _daemonset(client: Client, params: dict[str, Any]) -> dict[str, Any]:
    namespace, name = params["cilium_namespace"], params["daemonset"]
    found = client.find(image_pull.path(namespace, name))
    if found is None:
        raise RestartRefused(
            f"there is no DaemonSet {name} in namespace {namespace}: are Cilium's agents in another one?"
        )
    return found


def _pods(client: Client, params: dict[str, Any], daemonset: dict[str, Any]) -> list[dict[str, Any]]:
    """The DaemonSet's pods on the node."""
    where = f"/api/v1/namespaces/{segment(params['cilium_namespace'])}/pods"
    query = {"fieldSelector": f"spec.nodeName={params['name']}"}
    labels = daemonset["spec"]["selector"].get("matchLabels") or {}
    if labels:
        query["labelSelector"] = ",".join(f"{key}={value}" for key, value in labels.items())
    uid = daemonset["metadata"]["uid"]
    return [
        pod
        for pod in client.list_all(where, **query)[0]
        if any(owner.get("uid") == uid for owner in pod["metadata"].get("ownerReferences") or [])
    ]


def _established(client: Client, params: dict[str, Any]) -> tuple[list[dict[str, Any]] | None, str]:
    """The node's sessions, None where they aren't known, and why."""
    if params["sessions"] == "ignored":
        return None, "sessions are not looked at (ignored)"
    configs = objects.configs(client)
    agents = Agents(client, params["cilium_namespace"], client.timeout)
    (node,) = bgp_sessions.read(client, agents, [params["name"]], api_version=configs.api_version)
    answer = bgp_sessions.sessions(agents, node, "agent" if params["sessions"] == "required" else "auto")
    return (answer.sessions if answer.known else None), answer.reason or ""


def restart(client: Client, params: dict[str, Any], *, check_mode: bool) -> dict[str, Any]:
    """The result of agent_restart; raises RestartRefused, NotProven, RestartFailed, HeldError or Unfinished."""
    name, limits, state = params["name"], Limits.of(params), params["_state"] or {}
    daemonset, limits = patiently(
        lambda: _daemonset(client, params), subject=name, limits=limits, retry_on=TRANSIENT if limits.resumed else ()
    )
    if "restart" in state:
        return _follow(client, params, daemonset, Progress(**state["restart"]), limits)
    node = node_objects.read(client, name)
    records.ensure_ours(name, records.parse(node), params["_run"])
    template = daemonset["spec"]["template"]
    pods = [pod for pod in _pods(client, params, daemonset) if not pod["metadata"].get("deletionTimestamp")]
    if not pods:
        raise RestartRefused(
            f"{name}: DaemonSet {params['cilium_namespace']}/{params['daemonset']} has no pod on it to be restarted"
        )
    pod = pods[0]
    if made_of(pod, template) and pod_ready(pod) and not params["force"]:
        return _result(params, template, pod, None, changed=False)
    reasons = refusals(params["daemonset"], daemonset)
    if reasons:
        raise RestartRefused(f"{name}: its agent isn't restarted: {'; '.join(reasons)}")
    if check_mode:
        return _result(params, template, pod, None, changed=True)
    sessions, reason = _established(client, params)
    if sessions is None and params["sessions"] == "required":
        raise RestartRefused(f"{name}: its sessions aren't known, and nothing was restarted: {reason}")
    secrets = [each["name"] for each in template["spec"].get("imagePullSecrets") or []]
    seconds = image_proof.prove(
        client,
        name,
        references(template),
        namespace=params["cilium_namespace"],
        pull_secrets=secrets,
        timeout=params["image_timeout"],
    )
    expected = None if sessions is None else sorted(row["address"] or "" for row in sessions if row["established"])
    progress = Progress(pod["metadata"]["uid"], limits.elapsed + seconds, expected, seconds)
    where = f"/api/v1/namespaces/{segment(params['cilium_namespace'])}/pods/{segment(pod['metadata']['name'])}"
    try:
        client.delete(where, {"preconditions": {"uid": progress.old}})
    except (NotFound, Conflict) as exc:
        raise RestartFailed(
            f"{name}: its agent's pod {pod['metadata']['name']} was replaced by somebody else: {exc.msg}"
        ) from exc
    result = _follow(client, params, daemonset, progress, limits.after(limits.elapsed + seconds))
    if sessions is None and params["sessions"] != "ignored":
        result["warnings"] = [f"{name}: whether Cilium has its sessions again wasn't checked: {reason}"]
    return result


def _follow(
    client: Client, params: dict[str, Any], daemonset: dict[str, Any], progress: Progress, limits: Limits
) -> dict[str, Any]:
    """Waits until the new agent works; the result, or what is missing."""
    name, template = params["name"], daemonset["spec"]["template"]
    seen: dict[str, Any] = {"pod": None, "lacks": ["an answer"]}

    def look(at: float) -> list[str]:
        pods = _pods(client, params, daemonset)
        if any(pod["metadata"]["uid"] == progress.old for pod in pods):
            return ["the end of the old pod"]
        progress.mark("gone", at)
        new = next((pod for pod in pods if not pod["metadata"].get("deletionTimestamp")), None)
        if new is None:
            return ["a new pod"]
        seen["pod"], progress.pod = new, new["metadata"]["name"]
        started = agent_started(new)
        if started is None:
            return [f"the start of {progress.pod} ({trouble(new) or 'it is being started'})"]
        progress.mark("running", at)
        if not made_of(new, template):
            return [f"a pod of the DaemonSet's present template ({progress.pod} is of another one)"]
        wrong = image_problem(new, template, [])
        if wrong:
            wrong = image_problem(new, template, node_objects.read(client, name).get("status", {}).get("images") or [])
        if wrong:
            return [f"the right image ({wrong})"]
        if not pod_ready(new):
            return [f"{progress.pod} to be Ready ({trouble(new) or 'it runs'})"]
        progress.mark("ready", at)
        if progress.expected is None:
            return []
        rows, reason = _established(client, params)
        if rows is None:
            return [f"its sessions ({reason})"]
        up = {row["address"] for row in rows if row["established"]}
        down = [address for address in progress.expected if address not in up]
        if not down:
            progress.mark("sessions", session_mark(at, progress.marks["running"], started, rows))
        return [f"its session with {address}" for address in down]

    began = time.monotonic() - limits.elapsed

    def now() -> float:
        return time.monotonic() - began

    try:
        poll(
            lambda: seen.update(lacks=look(now() - progress.deleted)) or seen["lacks"],
            lambda lacks: not lacks,
            limits=limits,
            interval=INTERVAL,
            retry_on=(*TRANSIENT, *UNANSWERED),
        )
    except SliceOver as pause:
        words = pause.error.msg if pause.error else ", ".join(pause.seen)
        away = now() - progress.deleted
        line = f"its agent is away for {away:.0f} s{_of(params)}, waiting for {words}"
        raise Unfinished(name, line, state={"restart": vars(progress)}, changed=True) from pause
    except TimedOut as late:
        words = late.error.msg if late.error else ", ".join(late.seen)
        raise RestartFailed(
            f"{name}: its agent doesn't work {now() - progress.deleted:.0f} s after its pod was deleted{_of(params)}: "
            f"it lacks {words}",
            **_result(params, template, seen["pod"], progress, changed=True),
        ) from late
    result = _result(params, template, seen["pod"], progress, changed=True)
    if result["exceeded"]:
        raise RestartFailed(
            f"{name}: its agent was away for {result['seconds']:g} s, and the routers keep its routes for "
            f"{params['budget']:g} s: routes may have been lost meanwhile",
            **result,
        )
    return result


def _of(params: dict[str, Any]) -> str:
    return f" (of {params['budget']:g} s)" if params["budget"] else ""


def _result(
    params: dict[str, Any],
    template: dict[str, Any],
    pod: dict[str, Any] | None,
    progress: Progress | None,
    *,
    changed: bool,
) -> dict[str, Any]:
    """What the module returns, with the same keys in every case."""
    marks = progress.marks if progress else {}
    last = marks.get("sessions", marks.get("ready"))
    seconds = None if last is None else round(last, 1)
    images = [one["image"] for one in template["spec"]["containers"]]
    old = [one["image"] for one in pod["spec"]["containers"]] if pod and not progress else None
    return {
        "changed": changed,
        "name": params["name"],
        "pod": pod["metadata"]["name"] if pod else None,
        "images": images,
        "seconds": seconds,
        "steps": {step: marks.get(step) for step in STEPS},
        "proof_seconds": progress.proof if progress else None,
        "budget": params["budget"],
        "exceeded": seconds is not None and params["budget"] is not None and seconds > params["budget"],
        "diff": {"before": {"images": old or []}, "after": {"images": images}}
        if changed
        else {"before": {}, "after": {}},
    }
