# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to hitless.nodes: it may change in any release, don't import it from elsewhere.

"""Puts images on nodes by a DaemonSet of our own, some nodes at a time, and proves that they are there."""

from __future__ import annotations

import queue
import time
from collections.abc import Callable
from typing import Any

from ..base.errors import HitlessError
from ..base.polling import Limits, Unfinished
from ..kube import node_objects
from ..kube.api_errors import TRANSIENT, Conflict
from ..kube.client import Client
from ..kube.follow import Follower, Lost, Seen
from . import image_ref, pull_daemonset, pull_plan, pull_result
from .daemonset import is_going, owns, path, pods_path
from .image_ref import Reference
from .image_verdicts import COMING, Verdict, pod_verdicts
from .pull_daemonset import PullFailed
from .pull_plan import ASKED, FAILED, LOOK_EVERY, THERE, Target

# Seconds between two writes of the affinity, and between two lists of the pods if they may not be watched.
WRITE_EVERY = 1.0
LIST_EVERY = 5.0
# All nodes are judged this often (seconds). One without news may have run out of time, or its next try may be due.
JUDGE_ALL_EVERY = 1.0


class Pull:
    """One pull, or one slice of it: a DaemonSet that names more nodes as others are done, and what its pods say."""

    def __init__(
        self,
        client: Client,
        params: dict[str, Any],
        references: list[Reference],
        targets: list[Target],
        limits: Limits,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.client = client
        self.params = params
        self.references = references
        self.targets = {target.name: target for target in targets}
        self.limits = limits
        # made: this run has made the DaemonSet. owned: the DaemonSet that exists belongs to this run.
        self.made = False
        self.owned = False
        self._uid = ""
        self._clock = clock
        self._began = clock() - limits.elapsed
        self._inbox: queue.SimpleQueue[Seen | Lost] = queue.SimpleQueue()
        self._pods: dict[str, dict[str, Any]] = {}
        # Nodes with news of their pods.
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
        """The nodes that are not done yet."""
        return pull_plan.left(self.targets.values())

    @property
    def is_late(self) -> bool:
        """Whether the whole time is over, not only that of a slice."""
        return self.now >= self.limits.elapsed + self.limits.left

    @property
    def _where(self) -> str:
        """The API path of the DaemonSet."""
        return path(self.params["namespace"], self.params["name"])

    def state(self) -> dict[str, Any]:
        """What the next slice must know."""
        return {"targets": [target.handover() for target in self.targets.values()], "made": self.made}

    def progress(self) -> str:
        """How far the pull is, in words."""
        return pull_plan.progress(self.targets.values())

    def outcome(self) -> dict[str, Any]:
        """What is known of nodes and images so far, as a result of the module."""
        return pull_result.outcome(self.params, self.references, list(self.targets.values()), self.now)

    def run(self) -> bool:
        """Whether all nodes are done. False: the time of the slice, or the whole time, is over."""
        if not self.left:
            return True
        self._begin()
        end = self.limits.elapsed + self.limits.left
        if self.limits.slice is not None:
            end = min(end, self.limits.elapsed + self.limits.slice)
        follower = self._follower()
        follower.start()
        try:
            while self.left and self.now < end:
                self._widen()
                self._read_inbox(end - self.now)
                self._judge()
        finally:
            follower.stop()
        return not self.left

    # The DaemonSet

    def _begin(self) -> None:
        """Makes the DaemonSet, or goes on with one that an earlier slice or run has made for the same images."""
        body = pull_daemonset.manifest(self.params, self.references, self._next([]))
        there = self._found_or_made(body)
        while there is None:
            if self.is_late:
                name = pull_daemonset.full_name(self.params)
                raise PullFailed(
                    f"{name} of an earlier run was deleted, but is still there: see which finalizer keeps it"
                )
            time.sleep(0.2)
            there = self._found_or_made(body)
        self.owned, self._uid = True, there["metadata"]["uid"]
        named = pull_daemonset.named(there["spec"]["template"]["spec"])
        self._name([name for name in named if name in self.targets])

    def _found_or_made(self, body: dict[str, Any]) -> dict[str, Any] | None:
        """The DaemonSet for this work, which is now ours. None: another one must go first."""
        there = self.client.find(self._where)
        if there is None:
            return self._made(body)
        pull_daemonset.ensure_free(there, self.params)
        if pull_daemonset.same_work(there, body) and not is_going(there):
            self.client.patch(self._where, {"metadata": {"annotations": body["metadata"]["annotations"]}})
            return there
        pull_daemonset.delete(self.client, self._where, there["metadata"]["uid"])
        return None

    def _made(self, body: dict[str, Any]) -> dict[str, Any] | None:
        try:
            there = self.client.post(path(self.params["namespace"]), body)
        except Conflict:  # somebody else has just made one, and the next look tells who
            return None
        self.made = True
        return there

    def _next(self, written: list[str]) -> list[str]:
        return pull_plan.next_nodes(self.targets.values(), written, self.params["parallel"])

    def _name(self, nodes: list[str]) -> None:
        """Notes that the DaemonSet names these nodes now."""
        self._written = nodes
        for name in nodes:
            self.targets[name].ask(self.now)

    def _widen(self) -> None:
        """Names more nodes in the DaemonSet when there is room for them."""
        wanted = self._next(self._written)
        if wanted == self._written or self.now < self._write_at:
            return
        body = {"spec": {"template": {"spec": {"affinity": pull_daemonset.affinity(wanted)}}}}
        try:
            self.client.patch(self._where, body)
        except TRANSIENT:
            return
        self._write_at = self.now + WRITE_EVERY
        self._name(wanted)

    def clean(self) -> None:
        """Removes this run's DaemonSet. Errors are not reported, since the next run finds it by its name."""
        if not self.owned:
            return
        try:
            found = self.client.find(self._where)
            if found is not None:
                pull_daemonset.delete(self.client, self._where, found["metadata"]["uid"])
        except HitlessError:
            return

    # Its pods

    def _follower(self) -> Follower:
        """A thread that puts news of the pods into the inbox."""
        selector = ",".join(f"{key}={value}" for key, value in pull_daemonset.labels(self.params).items())
        where = pods_path(self.params["namespace"])
        return Follower(self.client, where, "", self._inbox.put, every=LIST_EVERY, labelSelector=selector)

    def _read_inbox(self, patience: float) -> None:
        """Takes all news, and waits a moment for the first."""
        try:
            self._take(self._inbox.get(timeout=max(0.05, min(1.0, patience))))
            while not self._inbox.empty():
                self._take(self._inbox.get())
        except queue.Empty:
            return

    def _take(self, message: Seen | Lost) -> None:
        if isinstance(message, Lost):
            raise message.error
        if message.complete:
            self._pods.clear()
        for pod in message.deleted:
            self._pods.pop(pod["metadata"]["uid"], None)
        for pod in message.present:
            self._pods[pod["metadata"]["uid"]] = _kept(pod)
            self._news.add(pull_daemonset.node_of(pod))

    def _judge(self) -> None:
        """Judges the nodes that have news, and from time to time all nodes."""
        now, news = self.now, self._news
        self._news = set()
        if now >= self._judge_all_at:
            news, self._judge_all_at = set(self.targets), now + JUDGE_ALL_EVERY
        if not news:
            return
        pods = self._pods_by_node()
        for target in self.left:
            if target.state == ASKED and target.name in news:
                self._judge_one(target, pods.get(target.name), now)

    def _pods_by_node(self) -> dict[str, dict[str, Any]]:
        """Node -> pod of this DaemonSet. Pods of an earlier DaemonSet, for other images, may still be there."""
        found = {}
        for pod in self._pods.values():
            if owns(self._uid, pod) and not is_going(pod):
                found[pull_daemonset.node_of(pod)] = pod
        return found

    def _judge_one(self, target: Target, pod: dict[str, Any] | None, now: float) -> None:
        verdicts = self.verdicts(target, pod, now) if pod else [COMING]
        target.judge(verdicts, now, self.params["node_timeout"])
        if target.state == ASKED and target.failing is not None and pod is not None:
            self._try_again(target, pod, now)

    def verdicts(self, target: Target, pod: dict[str, Any], now: float) -> list[Verdict]:
        """What a node's pod says of each image. The Node's list helps where the pod alone proves nothing."""
        found = pod_verdicts(self.references, pod, target.listed)
        unproven = any(verdict.state == "coming" and verdict is not COMING for verdict in found)
        if not unproven or now - target.looked < LOOK_EVERY:
            return found
        target.looked = now
        try:
            target.listed = node_objects.read(self.client, target.name).get("status", {}).get("images") or []
        except TRANSIENT:
            return found
        return pod_verdicts(self.references, pod, target.listed)

    def _try_again(self, target: Target, pod: dict[str, Any], now: float) -> None:
        """Has a new pod try the pull that failed. The kubelet's back-off grows, and begins anew for a new pod."""
        if target.tries > self.params["retries"]:
            tried = f" (tried {target.tries} times)" if target.tries > 1 else ""
            target.fail(target.words + tried)
            return
        if now - (target.failing or now) < self.params["retry_delay"]:
            return
        target.tries += 1
        target.failing = None
        name, uid = pod["metadata"]["name"], pod["metadata"]["uid"]
        self._pods.pop(uid, None)
        pull_daemonset.delete(self.client, pods_path(self.params["namespace"], name), uid)


def _kept(pod: dict[str, Any]) -> dict[str, Any]:
    """The parts of a pod that are needed. Thousands of whole pods would take much memory."""
    keys = ("name", "uid", "ownerReferences", "deletionTimestamp")
    metadata = {key: pod["metadata"][key] for key in keys if key in pod["metadata"]}
    bound = pod["spec"].get("nodeName")
    spec = {"nodeName": bound} if bound else {"affinity": pod["spec"].get("affinity")}
    return {"metadata": metadata, "spec": spec, "status": pod.get("status")}


# The module


def pull(client: Client, params: dict[str, Any], *, check_mode: bool) -> dict[str, Any]:
    """The result of image_pull; raises PullFailed, HeldError or Unfinished."""
    if params["state"] == "absent":
        return _absent(client, params, check_mode=check_mode)
    work = _work(client, params)
    if check_mode:
        return _forecast(work)
    try:
        _finish(work)
    except Unfinished:
        raise
    except BaseException:
        work.clean()
        raise
    if not params["hold"]:
        work.clean()
    return _pulled(work)


def _absent(client: Client, params: dict[str, Any], *, check_mode: bool) -> dict[str, Any]:
    """The result of state=absent."""
    limits = Limits.of(params)
    removed = pull_daemonset.remove(client, params, check_mode=check_mode)
    result = pull_result.outcome(params, [], [], limits.elapsed)
    diff = {"before": {"objects": removed}, "after": {"objects": []}}
    return result | {"changed": bool(removed), "removed": removed, "diff": diff}


def _work(client: Client, params: dict[str, Any]) -> Pull:
    """The pull, at its beginning or as the last slice left it."""
    references = [image_ref.parse(text) for text in dict.fromkeys(params["images"] or [])]
    limits, state = Limits.of(params), params["_state"] or {}
    if limits.resumed:
        targets = [Target(**each) for each in state["targets"]]
    else:
        targets = pull_plan.find_targets(client, params, references)
    work = Pull(client, params, references, targets, limits)
    work.made = bool(state.get("made"))
    return work


def _finish(work: Pull) -> None:
    """Returns when the nodes have the images; raises Unfinished at the end of a slice, or PullFailed."""
    ended = work.run()
    if not ended and work.limits.slice is not None and not work.is_late:
        raise Unfinished("image pull", work.progress(), state=work.state(), changed=work.made)
    for target in work.left:
        target.fail_late(round(work.now))
    result = work.outcome() | {"changed": work.made}
    pull_result.stop_at_failures(work.references, list(work.targets.values()), result)


def _pulled(work: Pull) -> dict[str, Any]:
    """The result of a pull that succeeded."""
    result, hold = work.outcome(), work.params["hold"]
    pulled = pull_result.names(result["nodes"], "pulled")
    return result | {
        "changed": bool(pulled) or (hold and work.made),
        "daemonset": f"{work.params['namespace']}/{work.params['name']}" if hold else None,
        "diff": pull_result.without_images(pulled),
        "warnings": pull_result.missing_warnings(result),
    }


def _forecast(work: Pull) -> dict[str, Any]:
    """The result in check mode: what is known without a pod that proves it."""
    missing = []
    for target in work.targets.values():
        if target.before is not True and target.state != FAILED:
            missing.append(target.name)
    for target in work.left:
        target.state = THERE
    changed = bool(missing) or work.params["hold"]
    return work.outcome() | {"changed": changed, "diff": pull_result.without_images(missing)}
