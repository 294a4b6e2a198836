# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to hitless.nodes: it may change in any release, don't import it from elsewhere.

"""The two states of node_bgp: flip the label that selects the node, and follow it to the agent's sessions.

The label travels Node -> CiliumNode (written by the agent on the node) -> operator -> NodeConfig -> agent's sessions.
Each of these hops has its own deadline, which begins when the one before is passed. This is the part inside Kubernetes;
whether the routers really withdrew the routes is asked on the routers.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from ..base.errors import HitlessError
from ..base.polling import Limits, SliceOver, TimedOut, Unfinished, patiently, poll
from ..cilium import bgp_sessions, node_picture, objects, operator_lease
from ..cilium.agents import Agents
from ..cilium.selection import Config, SelectionError, deselects, judge, label_value, with_label
from ..kube import node_objects
from ..kube.api_errors import TRANSIENT, Forbidden
from ..kube.client import Client
from ..kube.patching import merged
from ..record import questions, records

INTERVAL = 0.25
# Seconds for which an agent that could be asked is asked again, before the routers alone have to do.
PATIENCE = 3.0
# hop, ok (None: unknown), found, remedy; and passed: whether it needn't be waited for any more.
Hop = dict[str, Any]


class HopError(HitlessError):
    """The label didn't arrive: at which hop, the likely cause, and the remedy."""


def words(key: str, value: str | None) -> str:
    """A label as people write it."""
    return f"{key} (absent)" if value is None else f"{key}={value}"


def field_manager(node: dict[str, Any], key: str) -> str | None:
    """Who last wrote a label of a Node, as the API server recorded it; None where it didn't."""
    for entry in node["metadata"].get("managedFields") or []:
        labels = (entry.get("fieldsV1") or {}).get("f:metadata", {}).get("f:labels", {})
        if f"f:{key}" in labels:
            manager: str | None = entry.get("manager")
            return manager
    return None


def hops(
    node: dict[str, Any],
    cilium_node: dict[str, Any] | None,
    node_config: dict[str, Any] | None,
    *,
    key: str | None,
    value: str | None,
    config_wanted: bool | None,
) -> list[Hop]:
    """How far the label has come: each hop with whether it is as wanted, what was found, and what to do if it isn't.

    key None: no label was flipped. config_wanted None: no NodeConfig belongs to this node either way (legacy policy).
    """
    name = node["metadata"]["name"]
    found: list[Hop] = []

    def hop(what: str, ok: bool, is_there: str, remedy: str) -> None:
        found.append({"hop": what, "ok": ok, "passed": ok, "found": is_there, "remedy": remedy})

    if key is not None:
        is_there = (objects.labels(node) or {}).get(key)
        manager = field_manager(node, key)
        hop(
            "Node",
            is_there == value,
            words(key, is_there),
            f"somebody has set the label again{f' (field manager {manager})' if manager else ''}: "
            f"stop whatever manages it (GitOps?) for the time of the maintenance",
        )
        carried = objects.labels(cilium_node)
        hop(
            "CiliumNode",
            carried is not None and carried.get(key) == value,
            "no CiliumNode" if carried is None else words(key, carried.get(key)),
            f"the agent on {name} copies labels from Node to CiliumNode: see whether it runs (kubectl get pods -A "
            f"-l k8s-app=cilium --field-selector spec.nodeName={name}) and whether exclude-node-label-patterns in "
            f"Cilium's configuration leaves this label out",
        )
    if config_wanted is not None:
        owners = [
            f"{owner.get('kind')} {owner.get('name')}"
            for owner in ((node_config or {}).get("metadata") or {}).get("ownerReferences") or []
        ]
        hop(
            "NodeConfig",
            (node_config is not None) == config_wanted,
            f"there, of {' and '.join(owners) or 'nobody'}" if node_config else "not there",
            "cilium-operator creates and deletes CiliumBGPNodeConfigs: see whether it runs, and what it logs with "
            "subsys=bgp-cp-operator",
        )
    return found


def sessions_hop(answer: bgp_sessions.Answer, *, up: bool, mode: str, seconds: float) -> Hop:
    """The last hop inside the cluster: whether the agent has opened, or closed, the node's sessions.

    mode auto: the routers have the last word, so an agent that can't be asked is passed. On the way in a session may
    take longer than the hop may (routers and agent retry when they like), so it is looked at and not waited for.
    seconds: for how long it has been asked.
    """
    rows = answer.sessions
    if not answer.known:
        ok, found = None, f"unknown: {answer.reason}"
    else:
        ok = bool(rows) and all(row["established"] for row in rows) if up else not rows
        states = ", ".join(f"{row['peer'] or row['address']} {row['state']}" for row in rows)
        found = states or "no sessions"
    remedy = (
        "see what the agent logs with subsys=bgp-control-plane, and what cilium-dbg bgp peers says in its container"
    )
    # An agent that is closing its sessions may fail to list them.
    given_up = ok is None and (answer.lasting or seconds >= PATIENCE)
    passed = bool(ok) or (mode == "auto" and (given_up or up))
    return {"hop": "sessions", "ok": ok, "passed": passed, "found": found, "remedy": remedy}


def reached(hops_: list[Hop]) -> int:
    """How many hops the label has passed, from the first on."""
    return next((number for number, hop in enumerate(hops_) if not hop["passed"]), len(hops_))


def progress(hops_: list[Hop]) -> str:
    """One line on the hop that the label hasn't passed."""
    number = reached(hops_)
    if number == len(hops_):
        return "every hop is as wanted"
    return f"{hops_[number]['hop']} is not yet as wanted: {hops_[number]['found']}"


class _Way:
    """One way, out or in, as decided before the first change."""

    def __init__(self, key: str | None, value: str | None, config_wanted: bool | None, before: str | None) -> None:
        self.key = key
        self.value = value
        self.before = before
        self.config_wanted = config_wanted

    @property
    def label(self) -> dict[str, Any]:
        """RV(label) of the module."""
        return {"key": self.key, "before": self.before, "after": self.value}


def _chosen_key(record: dict[str, Any] | None, label: str | None, name: str) -> str | None:
    """The label key that was fixed before: by the record, or by the caller."""
    if record is None:
        return label
    key: str = record["before"]["label"]["key"]
    if label is not None and label != key:
        raise SelectionError(
            f"{name}: bgp_label is {label}, but the node was claimed with label {key}: leave it out, or release the "
            f"node and claim it with that label"
        )
    return key


def _way_out(
    node: dict[str, Any],
    cilium_node: dict[str, Any] | None,
    configs: objects.Configs,
    params: dict[str, Any],
) -> _Way:
    """What takes the node out: a label to flip, or none if nothing selects it; raises SelectionError."""
    name, record = params["name"], records.parse(node)
    labels = objects.labels(node) or {}
    key = _chosen_key(record, params["label"], name)
    wanted = label_value(params["label_value"])
    selection = judge(labels, objects.labels(cilium_node), configs.items, label=key)
    config_wanted = False if configs.api_version else None
    if not selection.selected:
        key = key or (selection.flip.key if selection.flip else None)
        value = labels.get(key) if key else None
        return _Way(key, value, config_wanted, value)
    # A claim has judged the whole; a node that nobody claimed is judged here.
    if selection.flip is None or (record is None and selection.problems):
        raise SelectionError(f"{name}: {'; '.join(selection.problems)}", problems=list(selection.problems))
    key = selection.flip.key
    value = selection.flip.deselect_value if wanted is None else wanted
    objection = deselects(key, value, labels, configs.items)
    if objection:
        raise SelectionError(f"{name}: bgp_label_value {value!r} doesn't take the node out: {objection}")
    return _Way(key, value, config_wanted, labels.get(key))


def _selects_by_config(items: list[Config], labels: dict[str, str]) -> bool | None:
    """Whether a NodeConfig is to be there with these labels: None where only a legacy policy selects."""
    kinds = {config.kind for config in items if config.selects(labels)}
    if kinds == {"CiliumBGPPeeringPolicy"}:
        return None
    return bool(kinds)


def _way_in(
    node: dict[str, Any],
    cilium_node: dict[str, Any] | None,
    configs: objects.Configs,
    params: dict[str, Any],
) -> _Way:
    """What puts the node back in: the label as before the claim, or the value that selects it if there was none."""
    name, record = params["name"], records.parse(node)
    labels = objects.labels(node) or {}
    key = _chosen_key(record, params["label"], name)
    if record is not None and key is not None:
        value = record["before"]["label"]["value"]
    else:
        selection = judge(labels, objects.labels(cilium_node), configs.items, label=key)
        if selection.selected:
            return _Way(None, None, _selects_by_config(configs.items, labels), None)
        if selection.flip is None:
            raise SelectionError(
                f"{name}: no config selects the node, and no single label would make one do so: name the label to set "
                f"with bgp_label"
            )
        key, value = selection.flip.key, selection.flip.selected_value
    wanted = _selects_by_config(configs.items, with_label(labels, key, value))
    # The label goes back in any case: it is what was there. If nothing selects by it any more, the wait says so.
    return _Way(key, value, True if wanted is False else wanted, labels.get(key))


def _flip(
    client: Client, node: dict[str, Any], way: _Way, run: dict[str, Any] | None, *, check_mode: bool
) -> tuple[dict[str, Any], bool]:
    """The Node with the label as wanted, and whether that was (or, in check mode, would be) a change."""
    name, key = node["metadata"]["name"], way.key

    def change(current: dict[str, Any]) -> dict[str, Any] | None:
        record = records.parse(current)
        records.ensure_ours(name, record, run)
        if key is None:
            return None
        is_there = (objects.labels(current) or {}).get(key)
        if is_there == way.value:
            return None
        if is_there != way.before:
            raise HopError(
                f"{name}: label {words(key, way.before)} became {words(key, is_there)} while it was to be flipped, by "
                f"{field_manager(current, key) or 'somebody else'}: find out who manages it, and run again"
            )
        patch: dict[str, Any] = {"metadata": {"labels": {key: way.value}}}
        if record is not None:
            note = {"label": {"key": key, "before": is_there, "after": way.value}}
            patch = merged(patch, records.annotation(records.stamped(record, note, datetime.now(UTC))))
        return patch

    node, patch = node_objects.write(client, node, change, check_mode=check_mode)
    return node, patch is not None


def _start_problems(
    client: Client, way: _Way, node: dict[str, Any], params: dict[str, Any], *, check_mode: bool
) -> tuple[str, list[str]]:
    """Why the label mustn't be flipped now (empty: it may), and warnings: who follows it must be there.

    What a claim has looked at is looked at here for a node that nobody claimed.
    """
    if way.key is None or (objects.labels(node) or {}).get(way.key) == way.value:
        return "", []
    if records.parse(node) is None:
        picture = node_picture.look(client, params["name"], label=way.key, cilium_namespace=params["cilium_namespace"])
        return "; ".join(picture.problems), picture.warnings
    if way.config_wanted is None:
        return "", []
    # The drain may just have evicted the operator from this node: another takes over, or is started elsewhere.
    patience = 0.0 if check_mode else float(params["timeout"])
    operator = operator_lease.look(client, params["cilium_namespace"], patience=patience)
    return operator.problem or "", [operator.warning] if operator.warning else []


def _takers(client: Client, cilium_node: dict[str, Any] | None) -> list[Config]:
    """What selects a node by the labels of its CiliumNode, as it is now."""
    labels = objects.labels(cilium_node)
    return [] if labels is None else [config for config in objects.configs(client).items if config.selects(labels)]


class _Look:
    """The hops as they are now, one look after the other."""

    def __init__(
        self, client: Client, way: _Way, configs: objects.Configs, params: dict[str, Any], *, check_mode: bool
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
        """The hops, the last one only when those before it are passed; raises HopError where waiting is in vain."""
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
        # A status goes with its NodeConfig: that sessions are closed, only the agent can say.
        answer = bgp_sessions.sessions(self.agents, state, "auto" if self.up else "agent")
        now = time.monotonic()
        self.asked_since = now if self.asked_since is None else self.asked_since
        return sessions_hop(answer, up=self.up, mode=self.mode, seconds=now - self.asked_since)

    def _refuse_in_vain(
        self, found: list[Hop], cilium_node: dict[str, Any] | None, node_config: dict[str, Any] | None
    ) -> None:
        """Raises HopError for a label that somebody has set back, and for a node that another config has taken over."""
        if found and found[0]["hop"] == "Node" and not found[0]["ok"]:
            raise HopError(
                f"{self.name}: wanted label {words(self.way.key or '', self.way.value)}, found {found[0]['found']} on "
                f"the Node after it had been set: {found[0]['remedy']}",
                hops=public(found),
                label=self.way.label,
            )
        if self.up or node_config is None or not all(hop["ok"] for hop in found if hop["hop"] == "CiliumNode"):
            return
        owner = objects.owner(node_config)
        config = next((config for config in self.configs.items if config.name == owner), None)
        labels = objects.labels(cilium_node) or {}
        # That of the config which has just lost the node is only not deleted yet; any other is new.
        if owner is not None and (config is None or config.selects(labels)):
            self._refuse_takers(found, _takers(self.client, cilium_node))

    def _refuse_takers(self, found: list[Hop], takers: list[Config]) -> None:
        if takers:
            names = " and ".join(map(str, takers))
            raise HopError(
                f"{self.name}: with {words(self.way.key, self.way.value) if self.way.key else 'its labels'}, {names} "
                f"selects the node and opens its sessions again: it was changed or made since the start; give each "
                f"config a label of its own",
                hops=public(found),
                label=self.way.label,
            )


def public(hops_: list[Hop]) -> list[Hop]:
    """The hops as modules return them."""
    return [{key: hop[key] for key in ("hop", "ok", "found")} for hop in hops_]


def _follow(look: _Look, params: dict[str, Any], limits: Limits, kept: dict[str, Any], *, changed: bool) -> list[Hop]:
    """The hops once the label has passed them all; raises HopError at a hop's deadline, Unfinished at a slice's end.

    kept is what the next slice has to know.
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
            kept |= {"way": vars(way), "hop": hop, "since": since}
            raise Unfinished(name, words_, state=kept, changed=changed) from pause
        except TimedOut as late:
            raise _late(name, state, way, late, seconds=late.seconds - since, changed=changed) from late
        hop, since, limits = reached(met.seen), met.seconds, limits.after(met.seconds)
        if hop >= look.number:
            return met.seen


def _passes(hop: int) -> Callable[[list[Hop]], bool]:
    """Whether the label is further than a hop."""
    return lambda seen: reached(seen) > hop


def set_bgp(client: Client, params: dict[str, Any], *, check_mode: bool) -> dict[str, Any]:
    """The result of both states; raises SelectionError, HeldError, HopError or Unfinished."""
    name, run, state = params["name"], params["_run"], params["state"]
    earlier, limits = params["_state"] or {}, Limits.of(params)
    warnings: list[str] = earlier.get("warnings", [])
    flipped_at: str = earlier.get("flipped_at") or records.rfc3339(datetime.now(UTC))

    def read() -> tuple[dict[str, Any], objects.Configs, dict[str, Any] | None]:
        """The Node, after a check that nobody else holds it, all that selects nodes, and the CiliumNode."""
        found = node_objects.read(client, name)
        record = records.parse(found)
        records.ensure_ours(name, record, run)
        _ensure_evidence(name, record, params["evidence"])
        return found, objects.configs(client), client.find(objects.node_path(name))

    if limits.resumed:
        (node, configs, _cilium_node), limits = patiently(
            read, subject=name, limits=limits, retry_on=TRANSIENT, state=earlier
        )
        way, changed = _Way(**earlier["way"]), False
    else:
        node, configs, cilium_node = read()
        way = (_way_out if state == "withdrawn" else _way_in)(node, cilium_node, configs, params)
        if state == "withdrawn":
            problem, warnings = _start_problems(client, way, node, params, check_mode=check_mode)
            if problem:
                raise HopError(f"{name}: nothing was changed: {problem}", changed=False, label=way.label)
        node, changed = _flip(client, node, way, run, check_mode=check_mode)
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
        "node_config": _has_node_config(seen),
        "hops": public(seen),
        "warnings": warnings,
        "diff": {
            "before": {"labels": {way.key: way.before} if way.key and way.before is not None else {}},
            "after": {"labels": {way.key: way.value} if way.key and way.value is not None else {}},
        },
    }


def _ensure_evidence(name: str, record: dict[str, Any] | None, evidence: str | None) -> None:
    """Raises SelectionError if the record was made for other evidence: it holds what was before by one kind only."""
    claimed_by = ((record or {}).get("before") or {}).get("evidence")
    if record is None or evidence in (None, claimed_by):
        return
    raise SelectionError(
        f"{name}: its record was made with evidence={claimed_by}, and evidence={evidence} is asked for now: go on with "
        f"evidence={claimed_by}, or bring the node back and claim it anew"
    )


def _has_node_config(seen: list[Hop]) -> bool:
    """Whether the node has a NodeConfig, by the hops that were looked at."""
    return any(hop["hop"] == "NodeConfig" and hop["found"] != "not there" for hop in seen)


def _late(name: str, state: str, way: _Way, late: TimedOut, *, seconds: float, changed: bool) -> HopError:
    """The error of a label that didn't pass a hop in time."""
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
