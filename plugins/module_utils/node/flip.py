# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to hitless.nodes: it may change in any release, don't import it from elsewhere.

"""The two states of node_bgp: flip the label that selects the node, and follow it to the agent's sessions.

The label travels Node -> CiliumNode (written by the agent on the node) -> operator -> NodeConfig -> agent's sessions.
Each of these hops has its own deadline, which begins when the previous hop is passed. This is the part inside
Kubernetes. Only the routers can say whether they really withdrew the routes.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, replace
from datetime import UTC, datetime
from typing import Any

from ..base.polling import Limits, SliceOver, TimedOut, Unfinished, patiently, poll
from ..cilium import bgp_sessions, node_picture, objects, operator_lease
from ..cilium.agents import Agents
from ..cilium.selection import Config, SelectionError
from ..kube import node_objects
from ..kube.api_errors import TRANSIENT, Forbidden
from ..kube.client import Client
from ..kube.patching import merged
from ..record import questions, records
from . import moved
from .hops import Hop, HopError, field_manager, has_node_config, hops, progress, public, reached, sessions_hop, words
from .way import Way, way_in, way_out

INTERVAL = 0.25


def _flip(
    client: Client, node: dict[str, Any], way: Way, params: dict[str, Any], *, check_mode: bool
) -> tuple[dict[str, Any], bool]:
    """The Node with the wanted label, and whether that was (in check mode, would be) a change."""
    name, key = node["metadata"]["name"], way.key

    def change(current: dict[str, Any]) -> dict[str, Any] | None:
        record = records.parse(current)
        records.ensure_ours(name, record, params["_run"], claimed=params.get("claimed"), check_mode=check_mode)
        if key is None:
            return None
        is_there = (objects.labels(current) or {}).get(key)
        if is_there == way.value:
            return None
        if is_there != way.before:
            raise HopError(
                f"{name}: label {words(key, way.before)} became {words(key, is_there)} while it was to be flipped, by "
                f"{field_manager(current, key) or 'another writer'}: find out who manages it, and run again"
            )
        patch: dict[str, Any] = {"metadata": {"labels": {key: way.value}}}
        if record is not None:
            note = {"label": {"key": key, "before": is_there, "after": way.value}}
            patch = merged(patch, records.annotation(records.stamped(record, note, datetime.now(UTC))))
        return patch

    node, patch = node_objects.write(client, node, change, check_mode=check_mode)
    return node, patch is not None


def _start_problems(
    client: Client, way: Way, node: dict[str, Any], params: dict[str, Any], *, check_mode: bool
) -> tuple[str, list[str]]:
    """Why the label must not be flipped now (empty: it may), and warnings. What follows the label must be running.

    For a node that isn't claimed, this checks what a claim would have checked.
    """
    if way.key is None or (objects.labels(node) or {}).get(way.key) == way.value:
        return "", []
    if records.parse(node) is None:
        picture = node_picture.look(client, params["name"], label=way.key, cilium_namespace=params["cilium_namespace"])
        return "; ".join(picture.problems), picture.warnings
    if way.config_wanted is None:
        return "", []
    # The drain may just have evicted the operator from this node. Another one takes over or starts on another node.
    patience = 0.0 if check_mode else float(params["timeout"])
    operator = operator_lease.look(client, params["cilium_namespace"], patience=patience)
    return operator.problem or "", [operator.warning] if operator.warning else []


def _refuse_moved(node: dict[str, Any], cilium_node: dict[str, Any] | None, state: str, way: Way) -> None:
    """Raises HopError if a node that is to be announced has other addresses than at its claim."""
    record = records.parse(node)
    words_ = moved.moved(record, node, cilium_node) if state == "announced" else ""
    if words_:
        raise HopError(
            f"{node['metadata']['name']}: it isn't announced, and nothing was changed: {words_}: {moved.REMEDY}",
            changed=False,
            label=way.label,
            record=record,
        )


def _takers(client: Client, cilium_node: dict[str, Any] | None) -> list[Config]:
    """What selects a node by the labels of its CiliumNode, as it is now."""
    labels = objects.labels(cilium_node)
    return [] if labels is None else [config for config in objects.configs(client).items if config.selects(labels)]


class _Look:
    """The hops as they are now, one look after the other."""

    def __init__(
        self, client: Client, way: Way, configs: objects.Configs, params: dict[str, Any], *, check_mode: bool
    ) -> None:
        self.client = client
        self.way = way
        self.configs = configs
        self.name: str = params["name"]
        self.up = params["state"] == "announced"
        self.mode: str = params["sessions"]
        self.agents = Agents(client, params["cilium_namespace"], client.timeout)
        self.check_mode = check_mode
        self.asked_since: float | None = None
        hops_in_kubernetes = (0 if way.key is None else 2) + (0 if way.config_wanted is None else 1)
        # How many hops there are to pass.
        self.number = hops_in_kubernetes + (0 if self.mode == "ignored" else 1)

    def __call__(self) -> list[Hop]:
        """The hops, the last one only if the others are passed; raises HopError if waiting is useless."""
        way = self.way
        node = node_objects.read(self.client, self.name)
        cilium_node = self.client.find(objects.node_path(self.name))
        node_config = objects.node_config(self.client, self.configs.api_version, self.name)
        found = hops(node, cilium_node, node_config, key=way.key, value=way.value, config_wanted=way.config_wanted)
        if not self.check_mode:
            self._refuse_in_vain(found, cilium_node, node_config)
        if reached(found) < len(found):
            return found
        if self.mode != "ignored":
            found.append(self._sessions(node, node_config))
        if not self.up and not self.check_mode and reached(found) == len(found):
            self._refuse_takers(found, _takers(self.client, cilium_node))
        return found

    def _sessions(self, node: dict[str, Any], node_config: dict[str, Any] | None) -> Hop:
        reason = ""
        try:
            pods: list[dict[str, Any]] | None = self.agents.pods([self.name])[self.name]
        except Forbidden as exc:
            pods, reason = None, exc.msg
        state = bgp_sessions.Node(self.name, node_objects.is_ready(node), node_config, pods, reason)
        # The status goes with its NodeConfig. Only the agent can say that sessions are closed.
        answer = bgp_sessions.sessions(self.agents, state, "auto" if self.up else "agent")
        now = time.monotonic()
        self.asked_since = now if self.asked_since is None else self.asked_since
        return sessions_hop(answer, up=self.up, mode=self.mode, seconds=now - self.asked_since)

    def _refuse_in_vain(
        self, found: list[Hop], cilium_node: dict[str, Any] | None, node_config: dict[str, Any] | None
    ) -> None:
        """Raises HopError if the label was set back, or if another config has taken the node over."""
        states = {hop["hop"]: hop for hop in found}
        if "Node" in states and not states["Node"]["ok"]:
            hop = states["Node"]
            raise self._error(
                f"wanted label {self._label}, found {hop['found']} on the Node after it had been set: {hop['remedy']}",
                found,
            )
        arrived = "CiliumNode" not in states or states["CiliumNode"]["ok"]
        if not self.up and arrived and self._is_taken(cilium_node, node_config):
            self._refuse_takers(found, _takers(self.client, cilium_node))

    def _is_taken(self, cilium_node: dict[str, Any] | None, node_config: dict[str, Any] | None) -> bool:
        """Whether the NodeConfig belongs to a config that selects the node, or that is new.

        If it belongs to the config that has just lost the node, it is only not deleted yet.
        """
        owner = objects.owner(node_config)
        if owner is None:
            return False
        labels = objects.labels(cilium_node) or {}
        of_owner = [config for config in self.configs.items if config.name == owner]
        return not of_owner or of_owner[0].selects(labels)

    def _refuse_takers(self, found: list[Hop], takers: list[Config]) -> None:
        if takers:
            names = " and ".join(map(str, takers))
            raise self._error(
                f"with {self._label}, {names} selects the node and opens its sessions again: it was changed or made "
                f"since the start; give each config a label of its own",
                found,
            )

    @property
    def _label(self) -> str:
        return words(self.way.key, self.way.value) if self.way.key else "its labels"

    def _error(self, reason: str, found: list[Hop]) -> HopError:
        return HopError(f"{self.name}: {reason}", hops=public(found), label=self.way.label)


def _follow(look: _Look, params: dict[str, Any], limits: Limits, kept: dict[str, Any], *, changed: bool) -> list[Hop]:
    """The hops when the label has passed them all; raises HopError at a hop's deadline, Unfinished at a slice's end.

    kept: what the next slice has to know.
    """
    name, state, way = look.name, params["state"], look.way
    hop, since = int(kept.get("hop", 0)), float(kept.get("since", limits.elapsed))
    if look.number == 0:
        return look()
    while True:
        limits = replace(limits, timeout=since + float(params["timeout"]))
        try:
            met = poll(look, _passes(hop), limits=limits, interval=INTERVAL, retry_on=TRANSIENT)
        except SliceOver as pause:
            words_ = pause.error.msg if pause.error else progress(pause.seen)
            kept |= {"way": asdict(way), "hop": hop, "since": since}
            raise Unfinished(name, words_, state=kept, changed=changed) from pause
        except TimedOut as late:
            raise _late(name, state, way, late, seconds=late.seconds - since, changed=changed) from late
        hop, since, limits = reached(met.seen), met.seconds, limits.after(met.seconds)
        if hop >= look.number:
            return met.seen


def _passes(hop: int) -> Callable[[list[Hop]], bool]:
    """Whether the label has passed a hop."""
    return lambda seen: reached(seen) > hop


def set_bgp(client: Client, params: dict[str, Any], *, check_mode: bool) -> dict[str, Any]:
    """The result of both states; raises SelectionError, HeldError, HopError or Unfinished."""
    name, state = params["name"], params["state"]
    earlier, limits = params["_state"] or {}, Limits.of(params)
    warnings: list[str] = earlier.get("warnings", [])
    flipped_at: str = earlier.get("flipped_at") or records.rfc3339(datetime.now(UTC))

    def read() -> tuple[dict[str, Any], objects.Configs, dict[str, Any] | None]:
        """The Node, after a check that no other run holds it, all that selects nodes, and the CiliumNode."""
        found = node_objects.read(client, name)
        record = records.parse(found)
        records.ensure_ours(name, record, params["_run"], claimed=params.get("claimed"), check_mode=check_mode)
        _ensure_evidence(name, record, params["evidence"], check_mode=check_mode)
        _ensure_routers(name, record, params.get("routers"), state)
        return found, objects.configs(client), client.find(objects.node_path(name))

    if limits.resumed:
        (node, configs, _cilium_node), limits = patiently(
            read, subject=name, limits=limits, retry_on=TRANSIENT, state=earlier
        )
        way, changed = Way(**earlier["way"]), False
    else:
        node, configs, cilium_node = read()
        way = (way_out if state == "withdrawn" else way_in)(node, cilium_node, configs, params)
        _refuse_moved(node, cilium_node, state, way)
        if state == "withdrawn":
            problem, warnings = _start_problems(client, way, node, params, check_mode=check_mode)
            if problem:
                raise HopError(f"{name}: nothing was changed: {problem}", changed=False, label=way.label)
        node, changed = _flip(client, node, way, params, check_mode=check_mode)
    look = _Look(client, way, configs, params, check_mode=check_mode)
    handed_over = {**earlier, "warnings": warnings, "flipped_at": flipped_at}
    seen = look() if check_mode else _follow(look, params, limits, handed_over, changed=changed)
    record = records.parse(node)
    return {
        "changed": changed,
        "name": name,
        "label": way.label,
        "flipped_at": flipped_at,
        "record": record,
        "routers_before": questions.routers_before(record) if record else [],
        "routers_changed": list(questions.routers_changed(record)) if record else [],
        "node_config": has_node_config(seen),
        "hops": public(seen),
        "warnings": warnings,
        "diff": way.diff,
    }


def _ensure_routers(name: str, record: dict[str, Any] | None, routers: list[str] | None, state: str) -> None:
    """Raises SelectionError if the record names routers that nobody would ask. routers: those of the inventory.

    On the way out each one has to say that the routes are gone. On the way back, what was changed on one must be put
    back. Else nothing is waited for on a router that is gone.
    """
    if record is None or routers is None:
        return
    changed = questions.changed_strangers(record, routers)
    unasked = questions.strangers(record, routers) if state == "withdrawn" else []
    if changed:
        why = f"this maintenance has changed the configuration of {' and '.join(changed)} and not put it back"
    elif unasked:
        why = f"{' and '.join(unasked)} had routes of the node at its claim, or a session with it"
    else:
        return
    gone = sorted({*changed, *unasked})
    raise SelectionError(
        f"{name}: nothing was changed: {why}, and isn't in the inventory's group routers any more (bgp_routers): put "
        f"{' and '.join(gone)} back into the inventory until the maintenance has ended, or bring the node back by hand"
    )


def _ensure_evidence(name: str, record: dict[str, Any] | None, evidence: str | None, *, check_mode: bool) -> None:
    """Raises SelectionError unless the record has this evidence. It keeps the previous state by one kind only.

    Without a record the routes can't be compared with before. A claim in check mode has written none.
    """
    claimed_by = ((record or {}).get("before") or {}).get("evidence")
    if evidence in (None, claimed_by) or (record is None and check_mode):
        return
    if record is None:
        raise SelectionError(
            f"{name}: evidence={evidence} needs the record of a claim, and the Node has none (any more): nothing was "
            f"changed; claim the node first, or see who removed the record"
        )
    raise SelectionError(
        f"{name}: its record was made with evidence={claimed_by}, and evidence={evidence} is asked for now: go on with "
        f"evidence={claimed_by}, or bring the node back and claim it anew"
    )


def _late(name: str, state: str, way: Way, late: TimedOut, *, seconds: float, changed: bool) -> HopError:
    """The error for a label that didn't pass a hop in time."""
    facts = {"changed": changed, "label": way.label, "hops": public(late.seen or [])}
    if late.error is not None:
        return HopError(f"{name}: not known to be {state} after {seconds:.0f} s: {late.error.msg}", **facts)
    stuck = late.seen[reached(late.seen)]
    flipped = f"label {words(way.key, way.value)} was set" if way.key else "nothing had to be set"
    return HopError(
        f"{name}: wanted {state}, {flipped}, but after {seconds:.0f} s it is stuck at the hop {stuck['hop']} "
        f"({stuck['found']}): {stuck['remedy']}",
        **facts,
    )
