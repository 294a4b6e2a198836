# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to hitless.nodes: it may change in any release, don't import it from elsewhere.

"""Getting pods off a node: evictions by a few threads, watches that tell what became of them, one loop that decides.

All state belongs to the loop. The threads only ask the API and put what it answered into the loop's queue.
"""

from __future__ import annotations

import queue
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from ..base.polling import Limits
from ..kube.api_errors import TRANSIENT, ApiError, NotFound, Unauthorized
from ..kube.client import Client, segment
from ..kube.follow import Follower, Lost, Seen
from .filters import is_ready, is_terminating, overdue_in, skips_budgets
from .pdb import Budget, Gate, keys_of
from .refusals import PAUSE, Refusal, refusal

PODS = "/api/v1/pods"
BUDGETS = "/apis/policy/v1/poddisruptionbudgets"
# For those who may list but not watch: pods of one node are few, budgets are those of the whole cluster.
LIST_PODS_EVERY = 1.0
LIST_BUDGETS_EVERY = 5.0
# For how long a slice goes on when all that is left is terminating: starting the next one takes about as long.
OVERTIME = 3.0

WAITING, ASKED, ENDING, GONE, SKIPPED, FAILED = "waiting", "asked", "terminating", "gone", "skipped", "failed"


@dataclass(frozen=True)
class Options:
    """How to evict."""

    max_parallel: int = 20
    grace_period: int | None = None
    disable_eviction: bool = False
    by_priority: bool = False
    # Seconds after which a terminating pod isn't waited for any more; 0: never.
    skip_wait: int = 0


@dataclass
class Target:
    """A pod that has to go, and how far that is. Times are seconds since the drain began."""

    namespace: str
    name: str
    uid: str
    reason: str
    priority: int = 0
    state: str = WAITING
    words: str = ""
    labels: dict[str, str] = field(default_factory=dict)
    # Keys of the budgets that protect it, and whether they count it: a pod that isn't Ready may go past them.
    budgets: list[str] = field(default_factory=list)
    counted: bool = True
    finalizers: list[str] = field(default_factory=list)
    grace: int | None = None
    deleted_at: str = ""
    next_try: float = 0.0
    asked: float | None = None
    tried: float = 0.0
    ended: float | None = None

    @classmethod
    def of(cls, pod: dict[str, Any], reason: str) -> Target:
        """A pod as the API shows it; one that was deleted already needs no eviction."""
        metadata = pod["metadata"]
        target = cls(
            metadata["namespace"],
            metadata["name"],
            metadata["uid"],
            reason,
            priority=(pod.get("spec") or {}).get("priority") or 0,
            labels=metadata.get("labels") or {},
        )
        target.counted = is_ready(pod) and not skips_budgets(pod)
        target.saw(pod)
        return target

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"

    def saw(self, pod: dict[str, Any]) -> None:
        """Takes note of the pod as it is now."""
        metadata = pod["metadata"]
        self.finalizers = list(metadata.get("finalizers") or [])
        if is_terminating(pod):
            self.deleted_at = metadata["deletionTimestamp"]
            self.grace = metadata.get("deletionGracePeriodSeconds")
            if self.state in (WAITING, ENDING):
                self.state, self.words = ENDING, "terminating"

    @property
    def left(self) -> bool:
        """Whether the drain still waits for it."""
        return self.state not in (GONE, SKIPPED)

    def explain(self, now: float) -> str:
        """Why the pod is still there, in words."""
        if self.state != ENDING:
            return self.words or "not yet evicted"
        seconds = None if self.asked is None else now - self.asked
        since = "" if seconds is None else f" for {seconds:.0f} s"
        if self.finalizers:
            return f"terminating{since}, held by finalizers {', '.join(self.finalizers)}"
        late = self.grace is not None and seconds is not None and seconds > self.grace
        return f"terminating{since}{f', longer than its grace period of {self.grace} s' if late else ''}"

    def handover(self) -> dict[str, Any]:
        """What the next slice has to know."""
        return asdict(self)


@dataclass(frozen=True)
class Answer:
    """What came of asking for one eviction: a refusal, or none; gone: there was no such pod any more."""

    target: Target
    refusal: Refusal | None = None
    gone: bool = False


def gates_of(target: Target, gates: Mapping[str, Gate]) -> list[Gate]:
    """The budgets that have a say in whether a pod may be asked for now."""
    return [gates[key] for key in target.budgets if key in gates] if target.counted else []


def due(waiting: Iterable[Target], gates: Mapping[str, Gate], now: float, free: int) -> list[Target]:
    """The pods whose eviction is to be asked for now, at most as many as there are free threads.

    Behind a budget no more are asked for than it lets go, and one when it is time to look whether it does, the
    longest-waiting one first: asking for all would be refused all the same, and every question loads the API server.
    """
    chosen: list[Target] = []
    taken: dict[str, int] = {}
    for target in sorted((t for t in waiting if t.next_try <= now), key=lambda t: t.next_try):
        if len(chosen) >= free:
            break
        mine = gates_of(target, gates)
        if all(gate.room(now, taken.get(gate.budget.key, 0)) for gate in mine):
            chosen.append(target)
            for gate in mine:
                taken[gate.budget.key] = taken.get(gate.budget.key, 0) + 1
    return chosen


def next_moment(waiting: Iterable[Target], gates: Mapping[str, Gate], now: float, end: float) -> float:
    """When there is something to do again, if no answer and no event comes in before.

    What could be done now and wasn't waits for an answer: for a free thread, or for one about the same budget.
    """
    moments = [
        max([target.next_try, *(gate.quiet_until for gate in gates_of(target, gates) if not gate.credit)])
        for target in waiting
    ]
    return min([end, *(moment for moment in moments if moment > now)])


class Evictor:
    """Evicts pods from one node until they are gone, failed for good, or the time is over."""

    def __init__(
        self,
        client: Client,
        node: str,
        targets: list[Target],
        *,
        options: Options,
        limits: Limits,
        gates: dict[str, Gate],
        budgets_version: str | None,
        arrived: Callable[[dict[str, Any]], Target | None],
        blocked: Callable[[Gate, str], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """budgets_version: where a watch on the budgets goes on ("": list them first; None: they can't be read).

        arrived: what becomes of a pod that came to the node since. blocked: called once for each budget that keeps
        pods, in a thread, with the name of one of them.
        """
        self.client = client
        self.node = node
        self.targets = {target.uid: target for target in targets}
        self.options = options
        self.gates = gates
        self.budgets_version = budgets_version
        self.arrived = arrived
        self.blocked = blocked
        self.evicted = False
        self._clock = clock
        self._began = clock() - limits.elapsed
        self._end = limits.elapsed + limits.left
        self._slice_end = self._end if limits.slice is None else min(self._end, limits.elapsed + limits.slice)
        self._inbox: queue.SimpleQueue[Answer | Seen | Lost] = queue.SimpleQueue()
        self._quiet_until = 0.0
        self._left: set[str] = set()
        self._pods: Follower | None = None
        self._budgets: Follower | None = None
        # Budgets were asked about in vain: their names are in the refusals only.
        self.budgets_lost: Exception | None = None

    @property
    def now(self) -> float:
        """Seconds since the drain began, earlier slices included."""
        return self._clock() - self._began

    @property
    def pending(self) -> list[Target]:
        """The pods that are still there and waited for."""
        return [target for target in self.targets.values() if target.left]

    @property
    def active(self) -> list[Target]:
        """The pending pods whose turn it is, without those that failed for good."""
        pending = self.pending
        if self.options.by_priority and pending:
            level = min(target.priority for target in pending)
            pending = [target for target in pending if target.priority == level]
        return [target for target in pending if target.state != FAILED]

    def explain(self, target: Target) -> str:
        """Why a pod is still there, in words."""
        if target.state != WAITING:
            return target.explain(self.now)
        keeping = [gate for gate in gates_of(target, self.gates) if not gate.credit]
        if keeping and len(target.budgets) == 1:
            budget = keeping[0].budget
            # Who may not list budgets has the server's words only.
            return f"PodDisruptionBudget {budget.key}: {target.words if budget.desired is None else budget.words()}"
        level = min(other.priority for other in self.pending)
        if self.options.by_priority and target.priority > level:
            return f"its turn comes after pods of priority {level}"
        return target.explain(self.now)

    def handover(self) -> dict[str, Any]:
        """What the next slice has to know."""
        return {
            "targets": [target.handover() for target in self.targets.values()],
            "gates": [gate.handover() for gate in self.gates.values()],
            "budgets_version": self.budgets_version,
        }

    def run(self, pods: list[dict[str, Any]], resource_version: str) -> None:
        """Returns when nothing more can be done: all gone, the rest failed for good, or the time is over.

        pods are all pods of the node, as a list with that resourceVersion showed them; from there on a watch tells.
        """
        self._take(Seen(PODS, resource_version, tuple(pods), complete=True))
        pods.clear()
        if not self.pending:
            return
        query = {"fieldSelector": f"spec.nodeName={self.node}"}
        self._pods = Follower(self.client, PODS, resource_version, self._inbox.put, every=LIST_PODS_EVERY, **query)
        self._pods.start()
        pool = ThreadPoolExecutor(self.options.max_parallel)
        try:
            while (moment := self._step(pool)) is not None:
                try:
                    self._take(self._inbox.get(timeout=max(0.001, moment - self.now)))
                    while not self._inbox.empty():
                        self._take(self._inbox.get())
                except queue.Empty:
                    continue
        finally:
            for follower in (self._pods, self._budgets):
                if follower is not None:
                    follower.stop()
            # Questions under way are waited for (at most request_timeout), so that their answers are counted.
            pool.shutdown(wait=True, cancel_futures=True)
            while not self._inbox.empty():
                message = self._inbox.get()
                if not isinstance(message, Lost):
                    self._take(message)
            for target in self.pending:
                if target.state == ASKED:  # It was queued, and nobody was asked.
                    self._unasked(target)
            for gate in self.gates.values():
                gate.mark(self.now, blocks=False)

    # The loop's side.

    def _unasked(self, target: Target) -> None:
        target.state = WAITING
        for gate in gates_of(target, self.gates):
            gate.forget(target.name)

    def _step(self, pool: ThreadPoolExecutor) -> float | None:
        """Does what is due; when to look again, None when nothing more can be done."""
        now = self.now
        overdue = self._skip_overdue(now)
        active = self.active
        end = self._slice_end
        if all(target.state == ENDING for target in active):
            end = min(self._end, end + OVERTIME)
        if not active or now >= end:
            return None
        waiting = [target for target in active if target.state == WAITING]
        free = self.options.max_parallel - sum(target.state == ASKED for target in active)
        for target in due(waiting, self.gates, now, free) if now >= self._quiet_until else ():
            target.state, target.tried = ASKED, now
            if target.asked is None:
                target.asked = now
            for gate in gates_of(target, self.gates):
                gate.ask(target.name)
            pool.submit(self._ask, target)
        self._mark(pool, [target for target in waiting if target.state == WAITING], now)
        moments = [next_moment(waiting, self.gates, now, end), overdue]
        if now < self._quiet_until:
            moments.append(self._quiet_until)
        return min(moments)

    def _skip_overdue(self, now: float) -> float:
        """Lets go of pods that have been terminating for too long; when the next one will have."""
        if not self.options.skip_wait:
            return self._end
        moments = [self._end]
        for target in self.pending:
            if target.state == ENDING and target.deleted_at:
                seconds = overdue_in(target.deleted_at, self.options.skip_wait, datetime.now(UTC))
                if seconds <= 0:
                    target.state = SKIPPED
                    target.words = (
                        f"should have ended by {target.deleted_at}, no longer waited for (skip_wait_for_delete_timeout)"
                    )
                else:
                    moments.append(now + seconds)
        return min(moments)

    def _mark(self, pool: ThreadPoolExecutor, waiting: list[Target], now: float) -> None:
        """Takes note of which budgets keep pods now; the first time, a watch on them begins and the caller is told."""
        keeping: dict[str, Target] = {}
        for target in waiting:
            for gate in gates_of(target, self.gates):
                if not gate.credit:
                    keeping.setdefault(gate.budget.key, target)
        for key, gate in self.gates.items():
            gate.mark(now, blocks=key in keeping)
            if key in keeping and not gate.told:
                gate.told = True
                pool.submit(self._tell, gate, keeping[key])
        if keeping:
            self._watch_budgets()

    def _watch_budgets(self) -> None:
        if self._budgets is None and self.budgets_version is not None:
            self._budgets = Follower(
                self.client, BUDGETS, self.budgets_version, self._inbox.put, every=LIST_BUDGETS_EVERY
            )
            self._budgets.start()

    @property
    def _watched(self) -> bool:
        return self._budgets is not None and self._budgets.watching

    def _take(self, message: Answer | Seen | Lost) -> None:
        match message:
            case Lost(path, error):
                if path != BUDGETS or isinstance(error, Unauthorized) or not isinstance(error, ApiError):
                    raise error
                self.budgets_lost, self.budgets_version, self._budgets = error, None, None
            case Answer():
                self._take_answer(message)
            case Seen(path=path) if path == BUDGETS:
                self._take_budgets(message)
            case Seen():
                self._take_pods(message)

    def _take_pods(self, seen: Seen) -> None:
        uids = {pod["metadata"]["uid"] for pod in seen.present}
        gone = {pod["metadata"]["uid"] for pod in seen.deleted}
        if seen.complete:
            gone |= self.targets.keys() - uids
        for uid in gone & self.targets.keys():
            self._gone(self.targets[uid])
        for pod in seen.present:
            self._present(pod)

    def _take_answer(self, answer: Answer) -> None:
        target, now = answer.target, self.now
        if answer.refusal is None:
            self.evicted = self.evicted or not answer.gone
            for gate in gates_of(target, self.gates):
                gate.let_go(target.name, now, watched=self._watched)
        else:
            self._refused(target, answer.refusal, now)
        if answer.gone:
            self._gone(target)
        if target.state != ASKED:  # The watch was faster: it is gone.
            return
        if answer.refusal is None:
            target.state, target.words = ENDING, "terminating"
        else:
            target.state = FAILED if answer.refusal.final else WAITING
            # A budget's longer pause is its gate's, which news from the watch may end.
            target.next_try = now + (PAUSE if answer.refusal.kind == "budget" else answer.refusal.pause)
            target.words = answer.refusal.words
            if target.deleted_at and target.state == WAITING:
                # Somebody else has deleted it in the meantime.
                target.state = ENDING

    def _refused(self, target: Target, refused: Refusal, now: float) -> None:
        if refused.for_all:
            self._quiet_until = max(self._quiet_until, now + refused.pause)
        if refused.kind == "budget":
            self._protected(target, refused)
            target.counted = True
        for gate in gates_of(target, self.gates):
            if refused.kind == "budget":
                gate.refuse(target.name, now, refused.pause, watched=self._watched)
            else:
                gate.forget(target.name)
                gate.refusals += refused.kind == "two budgets"
        if refused.kind == "two budgets":
            # The watch tells when one of them is gone.
            self._watch_budgets()

    def _protected(self, target: Target, refused: Refusal) -> None:
        """Puts a pod behind the budget that refused it, where that wasn't known (none may be listed, or it is new)."""
        if not target.budgets:
            name = next(iter(refused.budgets), "")
            budget = Budget(target.namespace, name or "(name unknown)")
            self.gates.setdefault(budget.key, Gate(budget))
            target.budgets = [budget.key]

    def _take_budgets(self, seen: Seen) -> None:
        self.budgets_version = seen.version
        namespaces = {target.namespace for target in self.pending}
        gone = {f"{found['metadata']['namespace']}/{found['metadata']['name']}" for found in seen.deleted}
        here = [Budget.of(found) for found in seen.present if found["metadata"]["namespace"] in namespaces]
        if seen.complete:
            gone |= self.gates.keys() - {budget.key for budget in here}
        moved = bool(gone & self.gates.keys())
        for key in gone & self.gates.keys():
            # Its row stays for the result; what protects nobody stops nobody.
            lost = self.gates[key]
            lost.update(replace(lost.budget, selector=None), listed=True)
        for budget in here:
            gate = self.gates.get(budget.key)
            moved = moved or gate is None or gate.budget.selector != budget.selector
            if gate is None:
                self.gates[budget.key] = Gate(budget)
            else:
                gate.update(budget, listed=seen.complete)
        if moved:
            self._protect_anew()

    def _protect_anew(self) -> None:
        """Which budgets protect which pods, after one came, went or changed its selector."""
        budgets = [gate.budget for gate in self.gates.values()]
        for target in self.pending:
            keys = keys_of(target.labels, target.namespace, budgets)
            if keys != target.budgets:
                for gate in gates_of(target, self.gates):
                    gate.forget(target.name)
                target.budgets = keys
                target.next_try = min(target.next_try, target.tried + PAUSE)

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
                budgets = [gate.budget for gate in self.gates.values()]
                newcomer.budgets = keys_of(newcomer.labels, newcomer.namespace, budgets)
                self.targets[newcomer.uid] = newcomer

    def _gone(self, target: Target) -> None:
        if target.state != GONE:
            target.state, target.words, target.ended = GONE, "", self.now
            for gate in gates_of(target, self.gates):
                gate.forget(target.name)

    # The threads' side.

    def _tell(self, gate: Gate, target: Target) -> None:
        try:
            self.blocked(gate, str(target))
        except Exception as exc:  # noqa: BLE001 - as in _ask
            self._inbox.put(Lost(PODS, exc))

    def _ask(self, target: Target) -> None:
        try:
            self._inbox.put(self._evict(target))
        except Exception as exc:  # noqa: BLE001 - whatever ends a thread has to end the loop, which would wait for it
            self._inbox.put(Lost(PODS, exc))

    def _evict(self, target: Target) -> Answer:
        """What the API says of one eviction; raises only what ends the whole drain."""
        options: dict[str, Any] = {"preconditions": {"uid": target.uid}}
        if self.options.grace_period is not None:
            options["gracePeriodSeconds"] = self.options.grace_period
        path = f"/api/v1/namespaces/{segment(target.namespace)}/pods/{segment(target.name)}"
        try:
            if self.options.disable_eviction:
                self.client.delete(path, {"apiVersion": "v1", "kind": "DeleteOptions", **options})
            else:
                metadata = {"namespace": target.namespace, "name": target.name}
                eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": metadata}
                self.client.post(f"{path}/eviction", {**eviction, "deleteOptions": options})
            return Answer(target)
        except NotFound:
            return Answer(target, gone=True)
        except Unauthorized:
            raise
        except (*TRANSIENT, ApiError) as exc:
            return Answer(target, refusal(exc, target.budgets))
