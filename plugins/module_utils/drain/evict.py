# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to hitless.nodes: it may change in any release, don't import it from elsewhere.

"""Getting pods off a node: a few threads evict, watches show what happened to the pods, and one loop decides.

All state belongs to the loop. The threads only ask the API, and put its answers into the loop's queue.
"""

from __future__ import annotations

import queue
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from ..base.polling import Limits
from ..kube.api_errors import TRANSIENT, ApiError, NotFound, Unauthorized
from ..kube.client import Client, segment
from ..kube.follow import Follower, Lost, Seen
from .filters import overdue_in
from .pdb import BUDGETS, Budget, Gate, keys_of
from .refusals import PAUSE, Refusal, refusal
from .targets import ASKED, ENDING, FAILED, GONE, SKIPPED, WAITING, Target, due, gates_of, next_moment

PODS = "/api/v1/pods"
# Used with the right to list but not to watch. A node has few pods, but budgets are those of the whole cluster.
LIST_PODS_EVERY = 1.0
LIST_BUDGETS_EVERY = 5.0
# How much longer a slice runs if all pods left are terminating. To start the next slice takes about as long.
OVERTIME = 3.0


@dataclass(frozen=True)
class Options:
    """How to evict."""

    max_parallel: int = 20
    grace_period: int | None = None
    disable_eviction: bool = False
    by_priority: bool = False
    # Seconds after which a terminating pod is no longer waited for; 0: never.
    skip_wait: int = 0


@dataclass(frozen=True)
class Answer:
    """The result of requesting one eviction: a refusal, or none. gone: the pod no longer existed."""

    target: Target
    refusal: Refusal | None = None
    gone: bool = False


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
        """budgets_version: where a watch on the budgets continues ("": list them first; None: they can't be read).

        arrived: decides about a pod that came to the node later. blocked: called once for each budget that keeps pods,
        in a thread, with the name of one of them.
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
        self._timeout = limits.elapsed + limits.left
        self._slice_end = self._timeout
        if limits.slice is not None:
            self._slice_end = min(self._timeout, limits.elapsed + limits.slice)
        self._inbox: queue.SimpleQueue[Answer | Seen | Lost] = queue.SimpleQueue()
        self._quiet_until = 0.0
        self._left: set[str] = set()
        self._pods: Follower | None = None
        self._budgets: Follower | None = None

    @property
    def now(self) -> float:
        """Seconds since the drain began, earlier slices included."""
        return self._clock() - self._began

    @property
    def pending(self) -> list[Target]:
        """The pods that are still there and are waited for."""
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
            # Without the right to list budgets, only the server's message is known.
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

        pods: all pods of the node, as listed at that resourceVersion. After that a watch shows the changes.
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
                self._listen(max(0.001, moment - self.now))
        finally:
            self._end(pool)

    # The loop's side.

    def _listen(self, seconds: float) -> None:
        """Handles what comes in, or returns if nothing does in that time."""
        try:
            self._take(self._inbox.get(timeout=seconds))
        except queue.Empty:
            return
        while not self._inbox.empty():
            self._take(self._inbox.get())

    def _end(self, pool: ThreadPoolExecutor) -> None:
        """Ends the threads, and counts their last answers."""
        for follower in (self._pods, self._budgets):
            if follower is not None:
                follower.stop()
        # Wait for open requests (at most request_timeout), so that their answers are counted.
        pool.shutdown(wait=True, cancel_futures=True)
        while not self._inbox.empty():
            message = self._inbox.get()
            if not isinstance(message, Lost):
                self._take(message)
        for target in self.pending:
            if target.state == ASKED:  # It was queued, but the server wasn't asked.
                self._unasked(target)
        for gate in self.gates.values():
            gate.mark(self.now, blocks=False)

    def _unasked(self, target: Target) -> None:
        target.state = WAITING
        for gate in gates_of(target, self.gates):
            gate.forget(target.name)

    def _step(self, pool: ThreadPoolExecutor) -> float | None:
        """Does what is due, and returns when to look again, None if nothing more can be done."""
        now = self.now
        overdue = self._skip_overdue(now)
        active = self.active
        end = self._end_of_slice(active)
        if not active or now >= end:
            return None
        waiting = [target for target in active if target.state == WAITING]
        if now >= self._quiet_until:
            free = self.options.max_parallel - sum(target.state == ASKED for target in active)
            for target in due(waiting, self.gates, now, free):
                self._ask_for(target, now)
                pool.submit(self._ask, target)
        self._mark(pool, [target for target in waiting if target.state == WAITING], now)
        moments = [next_moment(waiting, self.gates, now, end), overdue]
        if now < self._quiet_until:
            moments.append(self._quiet_until)
        return min(moments)

    def _end_of_slice(self, active: list[Target]) -> float:
        """When this slice ends. It is a little later if all pods left are terminating."""
        if all(target.state == ENDING for target in active):
            return min(self._timeout, self._slice_end + OVERTIME)
        return self._slice_end

    def _ask_for(self, target: Target, now: float) -> None:
        """Notes that a pod's eviction is being requested."""
        target.state, target.tried = ASKED, now
        if target.asked is None:
            target.asked = now
        for gate in gates_of(target, self.gates):
            gate.ask(target.name)

    def _skip_overdue(self, now: float) -> float:
        """Stops waiting for pods that have been terminating for too long; returns when the next one is due."""
        moments = [self._timeout]
        for target in self.pending if self.options.skip_wait else []:
            if target.state != ENDING or not target.deleted_at:
                continue
            seconds = overdue_in(target.deleted_at, self.options.skip_wait, datetime.now(UTC))
            if seconds > 0:
                moments.append(now + seconds)
                continue
            target.state = SKIPPED
            target.words = (
                f"should have ended by {target.deleted_at}, no longer waited for (drain_skip_wait_for_delete_timeout)"
            )
        return min(moments)

    def _mark(self, pool: ThreadPoolExecutor, waiting: list[Target], now: float) -> None:
        """Notes which budgets keep pods now. The first time, a watch on them begins and the caller is told."""
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
                # From now on, only the refusals have the names of budgets.
                self.budgets_version, self._budgets = None, None
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
        if answer.refusal is not None:
            self._refused(target, answer.refusal, now)
        else:
            self.evicted = self.evicted or not answer.gone
            for gate in gates_of(target, self.gates):
                gate.let_go(target.name, now, watched=self._watched)
        if answer.gone:
            self._gone(target)
        if target.state != ASKED:  # The watch was faster, and the pod is gone.
            return
        if answer.refusal is None:
            target.state, target.words = ENDING, "terminating"
        else:
            self._try_again(target, answer.refusal, now)

    def _try_again(self, target: Target, refused: Refusal, now: float) -> None:
        """When to request a refused eviction again, if at all."""
        target.words = refused.words
        # The budget's gate handles a longer pause. News from the watch may end it.
        target.next_try = now + (PAUSE if refused.kind == "budget" else refused.pause)
        if refused.final:
            target.state = FAILED
        elif target.deleted_at:
            # Somebody else has deleted it in the meantime.
            target.state = ENDING
        else:
            target.state = WAITING

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
            # The watch shows when one of them is gone.
            self._watch_budgets()

    def _protected(self, target: Target, refused: Refusal) -> None:
        """Puts a pod behind the budget that refused it, if that wasn't known (no right to list, or a new budget)."""
        if not target.budgets:
            name = next(iter(refused.budgets), "")
            budget = Budget(target.namespace, name or "(name unknown)")
            self.gates.setdefault(budget.key, Gate(budget))
            target.budgets = [budget.key]

    def _take_budgets(self, seen: Seen) -> None:
        self.budgets_version = seen.version
        here = self._of_our_namespaces([Budget.of(found) for found in seen.present])
        gone = {Budget.of(found).key for found in seen.deleted}
        if seen.complete:
            gone |= self.gates.keys() - {budget.key for budget in here}
        moved = self._lose_budgets(gone)
        for budget in here:
            moved = self._have_budget(budget, listed=seen.complete) or moved
        if moved:
            self._protect_anew()

    def _of_our_namespaces(self, budgets: list[Budget]) -> list[Budget]:
        """The budgets that may protect a pod that is still there."""
        namespaces = {target.namespace for target in self.pending}
        return [budget for budget in budgets if budget.namespace in namespaces]

    def _lose_budgets(self, keys: set[str]) -> bool:
        """Whether one of these budgets, which are gone, was known."""
        known = keys & self.gates.keys()
        for key in known:
            # Its row stays for the result. Without a selector it protects no pod.
            gate = self.gates[key]
            gate.update(replace(gate.budget, selector=None), listed=True)
        return bool(known)

    def _have_budget(self, budget: Budget, *, listed: bool) -> bool:
        """Whether a budget is new, or protects other pods than before."""
        gate = self.gates.get(budget.key)
        if gate is None:
            self.gates[budget.key] = Gate(budget)
            return True
        moved = gate.budget.selector != budget.selector
        gate.update(budget, listed=listed)
        return moved

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
            # A scheduler that had not yet seen the cordon put it here, or somebody did it on purpose.
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
        except Exception as exc:  # noqa: BLE001 - anything that ends a thread must end the loop, which would wait for it
            self._inbox.put(Lost(PODS, exc))

    def _evict(self, target: Target) -> Answer:
        """The API's answer to one eviction; raises only what ends the whole drain."""
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
