# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to hitless.nodes: it may change in any release, don't import it from elsewhere.

"""Getting pods off a node: evictions by a few threads, one watch that tells which pods are gone, one loop that decides.

All state belongs to the loop. The threads only ask the API and put what it answered into the loop's queue.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from typing import Any

from ansible_collections.hitless.nodes.plugins.module_utils._client import (
    TRANSIENT,
    ApiError,
    Client,
    Conflict,
    Expired,
    Forbidden,
    NotFound,
    ServerError,
    TooManyRequests,
    Unauthorized,
    segment,
)
from ansible_collections.hitless.nodes.plugins.module_utils._errors import HitlessError
from ansible_collections.hitless.nodes.plugins.module_utils._pods import budgets_of, is_terminating
from ansible_collections.hitless.nodes.plugins.module_utils._polling import Limits

# Nobody is asked about the same pod more than once in this time, nor about a budget that refused.
PAUSE = 1.0
# A server error about one eviction (two budgets for one pod is one) doesn't go away in a second.
ERROR_PAUSE = 5.0
# The server ends a watch after this, and the next one goes on where it ended: a dead connection is noticed by that.
WATCH_SECONDS = 10

WAITING, ASKED, ENDING, GONE, FAILED = "waiting", "asked", "terminating", "gone", "failed"


@dataclass
class Target:
    """A pod that has to go, and how far that is. Times are seconds since the drain began."""

    namespace: str
    name: str
    uid: str
    reason: str
    state: str = WAITING
    words: str = ""
    labels: dict[str, str] = field(default_factory=dict)
    budgets: list[str] = field(default_factory=list)
    finalizers: list[str] = field(default_factory=list)
    next_try: float = 0.0
    asked: float | None = None
    ended: float | None = None

    @classmethod
    def of(cls, pod: dict[str, Any], reason: str) -> Target:
        """A pod as the API shows it; one that was deleted already needs no eviction."""
        metadata = pod["metadata"]
        target = cls(
            metadata["namespace"], metadata["name"], metadata["uid"], reason, labels=metadata.get("labels") or {}
        )
        target.saw(pod)
        return target

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"

    def saw(self, pod: dict[str, Any]) -> None:
        """Takes note of the pod as it is now."""
        self.finalizers = list(pod["metadata"].get("finalizers") or [])
        if is_terminating(pod) and self.state in (WAITING, ENDING):
            self.state, self.words = ENDING, "terminating"

    @property
    def left(self) -> bool:
        """Whether the pod is still there."""
        return self.state != GONE

    def explain(self, now: float) -> str:
        """Why the pod is still there, in words."""
        if self.state != ENDING:
            return self.words or "not yet evicted"
        since = f" for {now - self.asked:.0f} s" if self.asked is not None else ""
        held = f", held by finalizers {', '.join(self.finalizers)}" if self.finalizers else ""
        return f"terminating{since}{held}"

    def state_for_next_slice(self) -> dict[str, Any]:
        """What the next slice has to know."""
        return asdict(self) | {"state": WAITING if self.state == ASKED else self.state}


@dataclass(frozen=True)
class Answer:
    """What came of asking for one eviction."""

    target: Target
    state: str
    words: str = ""
    pause: float = PAUSE
    budgets: tuple[str, ...] = ()


@dataclass(frozen=True)
class Seen:
    """What a watch event or a list says: pods that are there, pods that are gone; complete if it is all there is."""

    present: list[dict[str, Any]]
    deleted: tuple[str, ...] = ()
    complete: bool = False


@dataclass(frozen=True)
class Broken:
    """A question that the drain can't do without was refused for good, or a thread died."""

    error: Exception


def due(targets: Iterable[Target], budget_pauses: dict[str, float], now: float, free: int) -> list[Target]:
    """The pods whose eviction is to be asked for now, at most as many as there are free threads.

    Of the pods behind a budget that has refused, only one is asked for at a time, and the longest-waiting one first:
    asking for all of them would be refused all the same, and every question loads the API server.
    """
    targets = list(targets)
    busy = {budget for target in targets if target.state == ASKED for budget in target.budgets}
    busy |= {budget for budget, until in budget_pauses.items() if until > now}
    chosen: list[Target] = []
    for target in sorted((t for t in targets if t.state == WAITING and t.next_try <= now), key=lambda t: t.next_try):
        if len(chosen) >= free:
            break
        if busy.isdisjoint(target.budgets):
            chosen.append(target)
            busy |= set(target.budgets)
    return chosen


def next_moment(targets: Iterable[Target], budget_pauses: dict[str, float], end: float) -> float:
    """When there is something to do again, if no answer and no event comes in before."""
    moments = [
        max([target.next_try, *(budget_pauses.get(budget, 0.0) for budget in target.budgets)])
        for target in targets
        if target.state == WAITING
    ]
    return min([end, *moments])


class Evictor:
    """Evicts pods from one node until they are gone, failed for good, or the time is over."""

    def __init__(
        self,
        client: Client,
        node: str,
        targets: list[Target],
        *,
        limits: Limits,
        max_parallel: int,
        grace_period: int | None,
        disable_eviction: bool,
        arrived: Callable[[dict[str, Any]], Target | None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.client = client
        self.selector = f"spec.nodeName={node}"
        self.targets = {target.uid: target for target in targets}
        self.max_parallel = max_parallel
        self.grace_period = grace_period
        self.disable_eviction = disable_eviction
        self.arrived = arrived
        self.evicted = False
        self._clock = clock
        self._began = clock() - limits.elapsed
        self._end = limits.elapsed + min(limits.left, limits.slice if limits.slice is not None else limits.left)
        self._inbox: queue.SimpleQueue[Answer | Seen | Broken] = queue.SimpleQueue()
        self._budgets: dict[str, list[dict[str, Any]]] = {}
        self._lock = threading.Lock()
        self._budget_pauses: dict[str, float] = {}
        self._left: set[str] = set()

    @property
    def now(self) -> float:
        """Seconds since the drain began, earlier slices included."""
        return self._clock() - self._began

    @property
    def pending(self) -> list[Target]:
        """The pods that are still there."""
        return [target for target in self.targets.values() if target.left]

    def run(self, pods: list[dict[str, Any]], resource_version: str) -> None:
        """Returns when nothing more can be done: all gone, the rest failed for good, or the time is over.

        pods are all pods of the node, as a list with that resourceVersion showed them; from there on a watch tells.
        """
        self._take(Seen(pods, complete=True))
        if not self.pending:
            return
        stop = threading.Event()
        threading.Thread(target=self._follow, args=(resource_version, stop), daemon=True).start()
        pool = ThreadPoolExecutor(self.max_parallel)
        try:
            while True:
                self._ask_for_more(pool)
                active = [target for target in self.pending if target.state != FAILED]
                if not active or self.now >= self._end:
                    return
                moment = next_moment(active, self._budget_pauses, self._end)
                try:
                    self._take(self._inbox.get(timeout=max(0.01, moment - self.now)))
                except queue.Empty:
                    continue
        finally:
            stop.set()
            # Questions under way are waited for (at most request_timeout), so that their answers are counted.
            pool.shutdown(wait=True, cancel_futures=True)
            while not self._inbox.empty():
                message = self._inbox.get()
                if not isinstance(message, Broken):
                    self._take(message)

    # The loop's side.

    def _ask_for_more(self, pool: ThreadPoolExecutor) -> None:
        asked = sum(target.state == ASKED for target in self.targets.values())
        for target in due(self.targets.values(), self._budget_pauses, self.now, self.max_parallel - asked):
            target.state = ASKED
            if target.asked is None:
                target.asked = self.now
            pool.submit(self._ask, target)

    def _take(self, message: Answer | Seen | Broken) -> None:
        match message:
            case Broken(error):
                raise error
            case Answer():
                self._take_answer(message)
            case Seen(present, deleted, complete):
                uids = {pod["metadata"]["uid"] for pod in present}
                gone = set(deleted) | (self.targets.keys() - uids if complete else set())
                for uid in gone & self.targets.keys():
                    self._gone(self.targets[uid])
                for pod in present:
                    self._present(pod)

    def _take_answer(self, answer: Answer) -> None:
        target = answer.target
        if answer.budgets:
            target.budgets = list(answer.budgets)
        if answer.state == ENDING:
            self.evicted = True
            # The budget let one go: perhaps it lets the next one go, too.
            for budget in target.budgets:
                self._budget_pauses.pop(budget, None)
        elif answer.state == WAITING:
            for budget in answer.budgets:
                self._budget_pauses[budget] = self.now + answer.pause
        if target.state != ASKED:  # The watch was faster: it is gone.
            return
        target.state, target.words, target.next_try = answer.state, answer.words, self.now + answer.pause
        if answer.state == GONE:
            self._gone(target)

    def _present(self, pod: dict[str, Any]) -> None:
        metadata = pod["metadata"]
        target = self.targets.get(metadata["uid"])
        if target is not None:
            target.saw(pod)
        elif metadata["uid"] not in self._left:
            # Bound to the node by a scheduler that hadn't seen the cordon yet, or put here on purpose.
            newcomer = self.arrived(pod)
            if newcomer is None:
                self._left.add(metadata["uid"])
            else:
                self.targets[newcomer.uid] = newcomer

    def _gone(self, target: Target) -> None:
        if target.left:
            target.state, target.words, target.ended = GONE, "", self.now

    # The threads' side.

    def _ask(self, target: Target) -> None:
        try:
            self._inbox.put(self._evict(target))
        except Exception as exc:  # noqa: BLE001 - whatever ends a thread has to end the loop, which would wait for it
            self._inbox.put(Broken(exc))

    def _evict(self, target: Target) -> Answer:
        """What the API says of one eviction; raises only what ends the whole drain."""
        options: dict[str, Any] = {"preconditions": {"uid": target.uid}}
        if self.grace_period is not None:
            options["gracePeriodSeconds"] = self.grace_period
        path = f"/api/v1/namespaces/{segment(target.namespace)}/pods/{segment(target.name)}"
        try:
            if self.disable_eviction:
                self.client.delete(path, {"apiVersion": "v1", "kind": "DeleteOptions", **options})
            else:
                metadata = {"namespace": target.namespace, "name": target.name}
                eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": metadata}
                self.client.post(f"{path}/eviction", {**eviction, "deleteOptions": options})
            return Answer(target, ENDING)
        except NotFound:
            return Answer(target, GONE)
        except Unauthorized:
            raise
        except TooManyRequests as exc:
            if not exc.has_cause("DisruptionBudget"):
                pause = max(PAUSE, exc.retry_after or 0.0)
                return Answer(target, WAITING, f"the API server is busy (429): {exc.message}", pause)
            return self._refused_by_budget(target, exc)
        except Conflict as exc:
            # Another pod has the name by now, and the watch will say that ours is gone; or somebody changed ours.
            return Answer(target, WAITING, f"{exc.message} (409)")
        except ServerError as exc:
            return Answer(target, WAITING, f"{exc.message} ({exc.status})", ERROR_PAUSE)
        except TRANSIENT as exc:
            return Answer(target, WAITING, exc.msg)
        except Forbidden as exc:
            if exc.has_cause("NamespaceTerminating"):
                return Answer(target, WAITING, "its namespace is being deleted", ERROR_PAUSE)
            return Answer(target, FAILED, exc.msg)
        except ApiError as exc:
            return Answer(target, FAILED, exc.msg)

    def _refused_by_budget(self, target: Target, error: TooManyRequests) -> Answer:
        """The answer for a pod that a PodDisruptionBudget keeps, with the budget's numbers as the server gave them."""
        causes = [cause.get("message", "") for cause in error.details.get("causes") or []]
        names = self._names_of_budgets(target)
        words = f"PodDisruptionBudget {', '.join(names)}: {'; '.join(causes) or error.message}"
        return Answer(target, WAITING, words, max(PAUSE, error.retry_after or 0.0), names)

    def _names_of_budgets(self, target: Target) -> tuple[str, ...]:
        """The budgets that select a pod; its namespace where they can't be read. Read once per namespace."""
        with self._lock:
            if target.namespace not in self._budgets:
                try:
                    items, _version = self.client.list(budgets_path(target.namespace))
                except HitlessError:
                    items = []
                self._budgets[target.namespace] = items
        names = [budget["metadata"]["name"] for budget in budgets_of(target.labels, self._budgets[target.namespace])]
        return tuple(f"{target.namespace}/{name}" for name in names) or (f"of namespace {target.namespace}",)

    def _follow(self, version: str, stop: threading.Event) -> None:
        """Tells the loop what happens to the node's pods, through lost watches and API restarts, until it stops."""
        may_watch = True
        while not stop.is_set():
            try:
                if not version or not may_watch:
                    pods, version = self.client.list("/api/v1/pods", fieldSelector=self.selector)
                    self._inbox.put(Seen(pods, complete=True))
                if not may_watch:
                    stop.wait(PAUSE)
                    continue
                version = self._watch(version, stop)
            except Expired:
                version = ""
            except Forbidden as exc:
                # A right to list pods without the right to watch them is enough; a missing right to list isn't.
                if not may_watch or not version:
                    self._inbox.put(Broken(exc))
                    return
                may_watch = False
            except TRANSIENT:
                # Where it goes on is unknown (the server may be another one by then), so it begins with a list.
                version = ""
                stop.wait(PAUSE)
            except Exception as exc:  # noqa: BLE001 - as in _ask
                self._inbox.put(Broken(exc))
                return

    def _watch(self, version: str, stop: threading.Event) -> str:
        """Follows one watch to its end; the resourceVersion where the next one goes on."""
        events = self.client.watch(
            "/api/v1/pods", resource_version=version, seconds=WATCH_SECONDS, fieldSelector=self.selector
        )
        for event in events:
            pod = event["object"]
            version = pod["metadata"]["resourceVersion"]
            if event["type"] == "DELETED":
                self._inbox.put(Seen([], deleted=(pod["metadata"]["uid"],)))
            elif event["type"] in ("ADDED", "MODIFIED"):
                self._inbox.put(Seen([pod]))
            if stop.is_set():
                break
        return version


def budgets_path(namespace: str) -> str:
    """The API path of a namespace's PodDisruptionBudgets."""
    return f"/apis/policy/v1/namespaces/{segment(namespace)}/poddisruptionbudgets"
