# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to hitless.nodes: it may change in any release, don't import it from elsewhere.

"""Putting images on nodes by a DaemonSet of our own, so many nodes at a time, and proving that they are there.

The DaemonSet names its nodes one by one (node affinity) and gets more of them as others are done; with OnDelete its
pods stay when that changes. As long as they stay, the images are in use, so that no kubelet removes them.
"""

from __future__ import annotations

import json
import queue
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any

from ..base.errors import HitlessError
from ..base.polling import Limits, Unfinished
from ..kube import node_objects
from ..kube.api_errors import TRANSIENT, Conflict, NotFound
from ..kube.client import Client, segment
from ..kube.follow import Follower, Lost, Seen
from ..record import records
from . import image_verdicts

OURS = {"app.kubernetes.io/managed-by": "hitless.nodes"}
RUN = "hitless.nodes/run"
PROOF = "hitless.nodes/image-proof"
# The affinity is written at most this often, and pods are listed this often by who may not watch them (seconds).
WRITE_EVERY = 1.0
LIST_EVERY = 5.0
# A Node's list follows its disk late: after a pull it is read again this often.
LOOK_EVERY = 5.0
WAITING, ASKED, THERE, FAILED = "waiting", "pulling", "there", "failed"


class PullFailed(HitlessError):  # noqa: N818 - reads as what it is
    """Nodes don't have the images."""


@dataclass
class Target:
    """A node that gets the images, and how far it is. Times are seconds since the pull began."""

    name: str
    platform: str
    before: bool | None
    state: str = WAITING
    words: str = ""
    asked: float = 0.0
    failing: float | None = None
    tries: int = 1
    seconds: float | None = None
    digests: list[str | None] = field(default_factory=list)
    how: list[str | None] = field(default_factory=list)
    looked: float = -LOOK_EVERY
    listed: list[dict[str, Any]] = field(default_factory=list)

    def handover(self) -> dict[str, Any]:
        """What the next slice has to know."""
        return {key: value for key, value in asdict(self).items() if key not in ("looked", "listed")}


def path(namespace: str, name: str = "") -> str:
    """The API path of a DaemonSet, or of all in a namespace."""
    return f"/apis/apps/v1/namespaces/{segment(namespace)}/daemonsets{'/' + segment(name) if name else ''}"


def pods_path(namespace: str) -> str:
    """The API path of the pods in a namespace."""
    return f"/api/v1/namespaces/{segment(namespace)}/pods"


def affinity(nodes: list[str]) -> dict[str, Any]:
    """A pod's affinity to exactly these nodes. Names of Nodes, not the hostname label, which others may have set."""
    # A field selector takes one value, and terms are alternatives.
    names = [{"matchFields": [{"key": "metadata.name", "operator": "In", "values": [name]}]} for name in nodes]
    return {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": names}}}


def named(daemonset: dict[str, Any]) -> list[str]:
    """The nodes that a DaemonSet of ours names."""
    required = daemonset["spec"]["template"]["spec"]["affinity"]["nodeAffinity"]
    terms = required["requiredDuringSchedulingIgnoredDuringExecution"]["nodeSelectorTerms"]
    return [term["matchFields"][0]["values"][0] for term in terms]


def labels(params: dict[str, Any]) -> dict[str, str]:
    """The labels of the DaemonSet and its pods."""
    return {**OURS, "app.kubernetes.io/name": params["name"]}


def manifest(params: dict[str, Any], references: list[image_verdicts.Reference], nodes: list[str]) -> dict[str, Any]:
    """The DaemonSet for these nodes."""
    spec = image_verdicts.pod_spec(references, pull_secrets=params["pull_secrets"], command=params["command"])
    run = params["_run"] or {}
    note = {"run": run, "holder": run.get("holder", "somebody"), "since": records.rfc3339(datetime.now(UTC))}
    return {
        "apiVersion": "apps/v1",
        "kind": "DaemonSet",
        "metadata": {"name": params["name"], "labels": labels(params), "annotations": {RUN: json.dumps(note)}},
        "spec": {
            "selector": {"matchLabels": labels(params)},
            "updateStrategy": {"type": "OnDelete"},
            "revisionHistoryLimit": 0,
            "template": {"metadata": {"labels": labels(params)}, "spec": {**spec, "affinity": affinity(nodes)}},
        },
    }


def platform(node: dict[str, Any]) -> str:
    """A node's operating system and architecture, as image references have them."""
    info = (node.get("status") or {}).get("nodeInfo") or {}
    return f"{info.get('operatingSystem', 'unknown')}/{info.get('architecture', 'unknown')}"


def targets(client: Client, params: dict[str, Any], references: list[image_verdicts.Reference]) -> list[Target]:
    """The nodes that are to get the images; raises UnknownNode for a name that nobody has."""
    wanted, selector = params["nodes"], params["node_selector"]
    if wanted is not None and len(wanted) <= 5:
        nodes = {name: node_objects.read(client, name) for name in wanted}
    else:
        query = {"labelSelector": selector} if selector and wanted is None else {}
        nodes = {node["metadata"]["name"]: node for node in client.list_all("/api/v1/nodes", **query)[0]}
    for name in wanted or ():
        if name not in nodes:
            node_objects.read(client, name)
    found = []
    for name in dict.fromkeys(wanted if wanted is not None else sorted(nodes)):
        node = nodes[name]
        target = Target(
            name, platform(node), image_verdicts.present(references, node.get("status", {}).get("images") or [])
        )
        if not platform(node).startswith("linux/"):
            target.state, target.words = FAILED, f"Cilium runs on Linux, and this is {platform(node)}"
        elif node_objects.is_ready(node) is not True:
            target.state, target.words = FAILED, "it isn't Ready, so its kubelet pulls nothing"
        found.append(target)
    if not found:
        raise PullFailed(f"no node is selected by {selector or 'an empty list of nodes'}: there is nothing to pull on")
    return found


def remove(client: Client, params: dict[str, Any], *, check_mode: bool) -> list[str]:
    """Names of our objects that were there and are removed now, unless another run that lives has them."""
    found = []
    daemonset = client.find(path(params["namespace"], params["name"]))
    if daemonset is not None:
        _ensure_free(daemonset, params)
        found.append(f"DaemonSet {params['namespace']}/{params['name']}")
        if not check_mode:
            _delete(client, path(params["namespace"], params["name"]), daemonset["metadata"]["uid"])
    for pod in client.list_all(pods_path(params["namespace"]), labelSelector=PROOF)[0]:
        found.append(f"pod {params['namespace']}/{pod['metadata']['name']}")
        if not check_mode:
            _delete(
                client, f"{pods_path(params['namespace'])}/{segment(pod['metadata']['name'])}", pod["metadata"]["uid"]
            )
    return found


def _delete(client: Client, where: str, uid: str) -> None:
    body = {"propagationPolicy": "Background", "preconditions": {"uid": uid}}
    try:
        client.delete(where, body)
    except (NotFound, Conflict):  # somebody else did, and may have made another one
        return


def _ensure_free(daemonset: dict[str, Any], params: dict[str, Any]) -> None:
    """Raises HeldError if the DaemonSet is that of another run that may still need it."""
    name = f"DaemonSet {params['namespace']}/{params['name']}"
    annotations = daemonset["metadata"].get("annotations") or {}
    if RUN not in annotations or not OURS.items() <= (daemonset["metadata"].get("labels") or {}).items():
        raise PullFailed(f"{name} is not one of ours: give another name for the one that pulls images")
    note = json.loads(annotations[RUN])
    if not note["run"] or not params["_run"]:
        return
    record = {**note, "phase": "pulling images", "heartbeat": note["since"]}
    lives = records.process_lives(note["run"])
    objection = records.objection(
        name, record, params["_run"], lives, datetime.now(UTC), takeover=params["takeover"] or lives is False
    )
    if objection:
        raise records.HeldError(objection, record=record)


def _same_work(daemonset: dict[str, Any], wanted: dict[str, Any]) -> bool:
    """Whether a DaemonSet that is there pulls the same images in the same way."""
    keys = ("name", "image", "command")
    specs = [each["spec"]["template"]["spec"] for each in (daemonset, wanted)]
    containers = [[[one.get(key) for key in keys] for one in spec["containers"]] for spec in specs]
    secrets = [spec.get("imagePullSecrets") or [] for spec in specs]
    return containers[0] == containers[1] and secrets[0] == secrets[1]


class Pull:
    """One pull, or one slice of it: a DaemonSet that gets more nodes as others are done, and what its pods say."""

    def __init__(
        self,
        client: Client,
        params: dict[str, Any],
        references: list[image_verdicts.Reference],
        nodes: list[Target],
        limits: Limits,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.client = client
        self.params = params
        self.references = references
        self.targets = {target.name: target for target in nodes}
        self.limits = limits
        # Whether this run made the DaemonSet, and whether the one that is there is this run's at all.
        self.made = False
        self.owned = False
        self._uid = ""
        self._clock = clock
        self._began = clock() - limits.elapsed
        self._inbox: queue.SimpleQueue[Seen | Lost] = queue.SimpleQueue()
        self._pods: dict[str, dict[str, Any]] = {}
        # Nodes with news; all are judged once a second.
        self._news: set[str] = set()
        self._judge_all_at = 0.0
        self._written: list[str] = []
        self._write_at = 0.0

    @property
    def now(self) -> float:
        """Seconds since the pull began, earlier slices included."""
        return self._clock() - self._began

    @property
    def left(self) -> list[Target]:
        """The nodes that are not at their end yet."""
        return [target for target in self.targets.values() if target.state in (WAITING, ASKED)]

    def progress(self) -> str:
        """How far it is, in words."""
        counts = {state: sum(t.state == state for t in self.targets.values()) for state in (THERE, ASKED, FAILED)}
        words = f"{counts[THERE]} of {len(self.targets)} nodes have the images, {counts[ASKED]} are pulling"
        words += f", {counts[FAILED]} have failed" if counts[FAILED] else ""
        trouble = [target for target in self.left if target.words]
        return words + "".join(f"; {target.name}: {target.words}" for target in trouble[:2])

    def run(self) -> bool:
        """Whether all nodes are at their end (False: a slice or the whole time is over)."""
        if not self.left:
            return True
        self._begin()
        follower = Follower(
            self.client,
            pods_path(self.params["namespace"]),
            "",
            self._inbox.put,
            every=LIST_EVERY,
            labelSelector=",".join(f"{key}={value}" for key, value in labels(self.params).items()),
        )
        follower.start()
        end = self.limits.elapsed + self.limits.left
        if self.limits.slice is not None:
            end = min(end, self.limits.elapsed + self.limits.slice)
        try:
            while self.left and self.now < end:
                self._widen()
                try:
                    self._take(self._inbox.get(timeout=max(0.05, min(1.0, end - self.now))))
                    while not self._inbox.empty():
                        self._take(self._inbox.get())
                except queue.Empty:
                    pass
                self._judge()
        finally:
            follower.stop()
        return not self.left

    def _begin(self) -> None:
        """Makes the DaemonSet, or goes on with the one that an earlier slice or run has made for the same images."""
        where = path(self.params["namespace"], self.params["name"])
        first = self._next([])
        body = manifest(self.params, self.references, first)
        while True:
            there = self.client.find(where)
            if there is None:
                try:
                    there = self.client.post(path(self.params["namespace"]), body)
                except Conflict:  # one that was just made by somebody else: look whose it is
                    continue
                self.made, self._written = True, first
                break
            _ensure_free(there, self.params)
            if _same_work(there, body) and not there["metadata"].get("deletionTimestamp"):
                self._written = [name for name in named(there) if name in self.targets]
                self.client.patch(where, {"metadata": {"annotations": body["metadata"]["annotations"]}})
                break
            _delete(self.client, where, there["metadata"]["uid"])
            if self.now >= self.limits.elapsed + self.limits.left:
                raise PullFailed(
                    f"DaemonSet {self.params['namespace']}/{self.params['name']} of an earlier run doesn't go"
                )
            time.sleep(0.2)
        self.owned, self._uid = True, there["metadata"]["uid"]
        for name in self._written:
            self._ask(self.targets[name])

    def _ask(self, target: Target) -> None:
        if target.state == WAITING:
            target.state, target.asked = ASKED, self.now

    def _next(self, written: list[str]) -> list[str]:
        """The nodes to name now: those named already, those that have the images anyway, and so many that have not."""
        waiting = [target for target in self.left if target.state == WAITING and target.name not in written]
        ready = [target.name for target in waiting if target.before]
        pulling = sum(t.state == ASKED and not t.before for t in self.targets.values())
        room = max(0, self.params["parallel"] - pulling)
        return [*written, *ready, *[target.name for target in waiting if not target.before][:room]]

    def _widen(self) -> None:
        """Names more nodes in the DaemonSet when there is room for them."""
        wanted = self._next(self._written)
        if wanted == self._written or self.now < self._write_at:
            return
        body = {"spec": {"template": {"spec": {"affinity": affinity(wanted)}}}}
        try:
            self.client.patch(path(self.params["namespace"], self.params["name"]), body)
        except TRANSIENT:
            return
        self._write_at = self.now + WRITE_EVERY
        self._written = wanted
        for name in wanted:
            self._ask(self.targets[name])

    def _take(self, message: Seen | Lost) -> None:
        if isinstance(message, Lost):
            raise message.error
        if message.complete:
            self._pods.clear()
        for pod in message.deleted:
            self._pods.pop(pod["metadata"]["uid"], None)
        for pod in message.present:
            self._pods[pod["metadata"]["uid"]] = _kept(pod)
            self._news.add(_node_of(pod))

    def _judge(self) -> None:
        """Brings every node forward by what its pod says."""
        now, news = self.now, self._news
        self._news = set()
        if now >= self._judge_all_at:
            news, self._judge_all_at = set(self.targets), now + 1.0
        if not news:
            return
        pods = {_node_of(pod): pod for pod in self._pods.values() if self._is_ours(pod)}
        for target in self.left:
            if target.state != ASKED or target.name not in news:
                continue
            pod = pods.get(target.name)
            verdicts = self._verdicts(target, pod, now) if pod else [image_verdicts.COMING]
            if all(verdict.state == "there" for verdict in verdicts):
                target.state, target.seconds, target.words = THERE, round(now - target.asked, 1), ""
                target.digests = [verdict.digest for verdict in verdicts]
                target.how = [verdict.how for verdict in verdicts]
                continue
            failing = [verdict for verdict in verdicts if verdict.state == "failing"]
            bad = failing or [v for v in verdicts if v.state != "there" and v is not image_verdicts.COMING]
            target.words = "; ".join(dict.fromkeys(verdict.words for verdict in bad))
            if not failing:
                target.failing = None
            elif target.failing is None:
                target.failing = now
            if any(verdict.final for verdict in failing):
                target.state = FAILED
            elif now - target.asked > self.params["node_timeout"]:
                target.state = FAILED
                target.words = f"not there after {self.params['node_timeout']:g} s: {target.words or 'still pulling'}"
            elif failing:
                self._again(target, pod, now)

    def _is_ours(self, pod: dict[str, Any]) -> bool:
        """Whether a pod is of this DaemonSet, not of one for other images that was there before, and stays."""
        owners = pod["metadata"].get("ownerReferences") or []
        return not pod["metadata"].get("deletionTimestamp") and any(each["uid"] == self._uid for each in owners)

    def _again(self, target: Target, pod: dict[str, Any] | None, now: float) -> None:
        """A pull that fails is tried by a new pod, for which the kubelet's growing back-off begins anew."""
        if target.tries > self.params["retries"]:
            target.state = FAILED
            target.words += f" (tried {target.tries} times)" if target.tries > 1 else ""
            return
        if pod is None or now - (target.failing or now) < self.params["retry_delay"]:
            return
        target.tries += 1
        target.failing = None
        uid = pod["metadata"]["uid"]
        self._pods.pop(uid, None)
        _delete(self.client, f"{pods_path(self.params['namespace'])}/{segment(pod['metadata']['name'])}", uid)

    def _verdicts(self, target: Target, pod: dict[str, Any], now: float) -> list[image_verdicts.Verdict]:
        found = image_verdicts.pod_verdicts(self.references, pod, target.listed)
        # Only where the pod alone doesn't prove it is the Node's list asked.
        if (
            any(v.state == "coming" and v is not image_verdicts.COMING for v in found)
            and now - target.looked >= LOOK_EVERY
        ):
            target.looked = now
            try:
                target.listed = node_objects.read(self.client, target.name).get("status", {}).get("images") or []
            except TRANSIENT:
                return found
            found = image_verdicts.pod_verdicts(self.references, pod, target.listed)
        return found


def _node_of(pod: dict[str, Any]) -> str:
    """The node that a DaemonSet's pod is for: before it is scheduled, its affinity names it."""
    bound: str = pod["spec"].get("nodeName", "")
    if bound:
        return bound
    try:
        return named({"spec": {"template": {"spec": pod["spec"]}}})[0]
    except (KeyError, IndexError, TypeError):
        return ""


def _kept(pod: dict[str, Any]) -> dict[str, Any]:
    """What is looked at of a pod: of thousands, the rest would take much memory."""
    keys = ("name", "uid", "ownerReferences", "deletionTimestamp")
    metadata = {key: pod["metadata"][key] for key in keys if key in pod["metadata"]}
    bound = pod["spec"].get("nodeName")
    spec = {"nodeName": bound} if bound else {"affinity": pod["spec"].get("affinity")}
    return {"metadata": metadata, "spec": spec, "status": pod.get("status")}


def _state(pull: Pull) -> dict[str, Any]:
    return {"targets": [target.handover() for target in pull.targets.values()], "made": pull.made}


def _entry(target: Target, params: dict[str, Any]) -> dict[str, Any]:
    """What is returned of a node. Short: there may be thousands."""
    result = {THERE: "present" if target.before else "pulled", FAILED: "failed"}.get(target.state, "failed")
    if result == "failed" and target.name in params["allow_missing"]:
        result = "missing"
    return {
        "name": target.name,
        "platform": target.platform,
        "result": result,
        "present_before": target.before,
        "seconds": target.seconds,
        "tries": target.tries,
        "reason": target.words or None,
    }


def _outcome(pull: Pull, *, changed: bool, held: bool) -> dict[str, Any]:
    """The result of the module."""
    params, nodes = pull.params, list(pull.targets.values())
    rows = [_entry(target, params) for target in nodes]
    images = []
    for number, reference in enumerate(pull.references):
        proofs = [(t.digests[number], t.how[number]) for t in nodes if t.state == THERE and t.digests]
        images.append(
            {
                "image": reference.text,
                "digests": sorted({digest for digest, _how in proofs if digest}),
                "nodes": len(proofs),
                "proven_by": {
                    how: sum(one == how for _digest, one in proofs) for how in sorted({h for _d, h in proofs if h})
                },
            }
        )
    return {
        "changed": changed,
        "images": images,
        "nodes": rows,
        "failed_nodes": [row["name"] for row in rows if row["result"] == "failed"],
        "missing_nodes": [row["name"] for row in rows if row["result"] == "missing"],
        "daemonset": f"{params['namespace']}/{params['name']}" if held else None,
        "removed": [],
        "seconds": round(pull.now, 1),
    }


def pull(client: Client, params: dict[str, Any], *, check_mode: bool) -> dict[str, Any]:
    """The result of image_pull; raises PullFailed, HeldError or Unfinished."""
    references = [image_verdicts.parse(text) for text in dict.fromkeys(params["images"] or [])]
    if params["state"] == "absent":
        found = remove(client, params, check_mode=check_mode)
        empty = _outcome(Pull(client, params, references, [], Limits.of(params)), changed=bool(found), held=False)
        return empty | {
            "removed": found,
            "images": [],
            "diff": {"before": {"objects": found}, "after": {"objects": []}},
        }
    limits, state = Limits.of(params), params["_state"] or {}
    nodes = [Target(**each) for each in state["targets"]] if limits.resumed else targets(client, params, references)
    work = Pull(client, params, references, nodes, limits)
    work.made = bool(state.get("made"))
    if check_mode:
        return _checked(work)
    try:
        ended = work.run()
        if not ended and limits.slice is not None and work.now < limits.elapsed + limits.left:
            raise Unfinished("image pull", work.progress(), state=_state(work), changed=work.made)
        for target in work.left:
            target.state = FAILED
            target.words = f"not there after {work.now:.0f} s: {target.words or 'still pulling'}"
        _stop_at_failures(work)
    except Unfinished:
        raise
    except BaseException:
        _clean(work)
        raise
    if not params["hold"]:
        _clean(work)
    result = _outcome(work, changed=False, held=params["hold"])
    pulled = [row["name"] for row in result["nodes"] if row["result"] == "pulled"]
    result["changed"] = bool(pulled) or (params["hold"] and work.made)
    result["warnings"] = [
        f"{row['name']} doesn't have the images, which allow_missing permits: {row['reason']}"
        for row in result["nodes"]
        if row["result"] == "missing"
    ]
    return result | {"diff": {"before": {"without_images": pulled}, "after": {"without_images": []}}}


def _clean(work: Pull) -> None:
    """Removes this run's DaemonSet. What goes wrong isn't said: the next run finds it by its name and removes it."""
    if not work.owned:
        return
    where = path(work.params["namespace"], work.params["name"])
    try:
        found = work.client.find(where)
        if found is not None:
            _delete(work.client, where, found["metadata"]["uid"])
    except HitlessError:
        return


def _checked(work: Pull) -> dict[str, Any]:
    """What check mode returns: what is known without a pod that proves it."""
    missing = [target.name for target in work.targets.values() if target.before is not True and target.state != FAILED]
    for target in work.left:
        target.state, target.seconds = THERE, None
    result = _outcome(work, changed=bool(missing) or work.params["hold"], held=False)
    return result | {"diff": {"before": {"without_images": missing}, "after": {"without_images": []}}}


def _stop_at_failures(work: Pull) -> None:
    """Raises PullFailed if nodes that have to don't have the images, or don't all have the same ones."""
    result = _outcome(work, changed=work.made, held=False)
    failed = [row for row in result["nodes"] if row["result"] == "failed"]
    if failed:
        some = "; ".join(f"{row['name']} ({row['platform']}): {row['reason']}" for row in failed[:5])
        more = f"; and {len(failed) - 5} more" if len(failed) > 5 else ""
        raise PullFailed(
            f"{len(failed)} of {len(result['nodes'])} nodes don't have the images: {some}{more}; set the registry, its "
            f"secrets or the nodes right and run again, or name nodes that may do without in allow_missing",
            **result,
        )
    unlike = image_verdicts.different(
        (target.name, target.platform, reference.text, digest)
        for target in work.targets.values()
        if target.state == THERE
        for reference, digest in zip(work.references, target.digests, strict=True)
        if not reference.digest
    )
    if unlike:
        raise PullFailed(f"{'; '.join(unlike)}: the tag has moved, so name the image with its digest", **result)
