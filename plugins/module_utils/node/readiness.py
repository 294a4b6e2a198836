# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to hitless.nodes: it may change in any release, don't import it from elsewhere.

"""When a node that was away is back: booted again, Ready, at its old addresses, with a working Cilium agent."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from ..base.errors import HitlessError
from ..base.polling import Limits, SliceOver, TimedOut, Unfinished, patiently, poll
from ..cilium import objects
from ..cilium.agent_pod import AGENT_SELECTOR, agent_missing
from ..kube import node_objects
from ..kube.api_errors import TRANSIENT
from ..kube.client import Client, segment
from ..kube.pods import moment
from ..record import questions, records
from . import moved

INTERVAL = 0.5
# Seconds for which a node that is back may lack its old addresses. A cloud's controller may write them a moment later.
PATIENCE = 60.0


class NotBack(HitlessError):  # noqa: N818 - reads as what it is
    """The node wasn't back in time; the message says what is missing."""


@dataclass(frozen=True)
class Expected:
    """What shows that the node has come back, compared with before. None if it doesn't matter."""

    old_boot_id: str | None
    agent: bool
    agent_since: datetime | None


def expected(record: dict[str, Any] | None, params: dict[str, Any]) -> Expected:
    """What to wait for, from the record and the options; raises NotBack if a new boot can't be recognized."""
    rebooted = params["rebooted"]
    if rebooted is None:
        rebooted = questions.was_off(record) or bool(params["boot_id"])
    if not rebooted:
        return Expected(None, params["agent"], None)
    old_boot_id = params["boot_id"] or (questions.boot_id_before(record) if record else None)
    if not old_boot_id:
        raise NotBack(
            f"{params['name']}: a new boot can't be told from the old one: the node has no record with a boot id; "
            f"give the old one with option boot_id, or set option rebooted to false"
        )
    # If the agent started before the node went off, the kubelet hasn't looked at its container yet.
    return Expected(old_boot_id, params["agent"], _went_off(record or {}))


def _went_off(record: dict[str, Any]) -> datetime | None:
    """When the node went off. If that isn't noted, when it was claimed."""
    stamps = [entry["at"] for entry in record.get("history") or [] if entry.get("phase") == "off"]
    return moment(stamps[-1] if stamps else record.get("since"))


def missing(node: dict[str, Any], agents: list[dict[str, Any]], want: Expected) -> list[str]:
    """What is missing until the node is back, in words, besides its addresses; empty if nothing."""
    facts = node_objects.facts(node)
    lacking = []
    if want.old_boot_id and facts["boot_id"] in (None, "", want.old_boot_id):
        lacking.append(f"a new boot (boot id is still {want.old_boot_id})")
    if facts["ready"] is not True:
        words = {False: "it says NotReady", None: "its kubelet is silent"}[facts["ready"]]
        lacking.append(f"Ready ({words})")
    if want.agent:
        without = agent_missing(agents, want.agent_since)
        if without:
            lacking.append(f"Cilium's agent ({without})")
    return lacking


def wait(client: Client, params: dict[str, Any], *, check_mode: bool) -> dict[str, Any]:
    """The result of node_wait; raises NotBack or Unfinished. Notes the phase "on" in a record of this run."""
    name, limits = params["name"], Limits.of(params)
    if limits.resumed:
        node, limits = patiently(
            lambda: node_objects.read(client, name), subject=name, limits=limits, retry_on=TRANSIENT
        )
    else:
        node = node_objects.read(client, name)
    record = records.parse(node)
    records.ensure_ours(name, record, params["_run"], claimed=params.get("claimed"), check_mode=check_mode)
    want = expected(record, params)
    patience = _Patience(name, (params["_state"] or {}).get("moved_since"))
    began = time.monotonic() - limits.elapsed
    agents_path = f"/api/v1/namespaces/{segment(params['cilium_namespace'])}/pods"

    def look() -> tuple[dict[str, Any], list[str]]:
        current = node_objects.read(client, name)
        agents: list[dict[str, Any]] = []
        if want.agent:
            query = {"labelSelector": AGENT_SELECTOR, "fieldSelector": f"spec.nodeName={name}"}
            agents, _version = client.list_all(agents_path, **query)
        lacking = missing(current, agents, want)
        cilium_node = client.find(objects.node_path(name)) if record else None
        changed = moved.moved(record, current, cilium_node)
        if not check_mode:
            patience.look(changed if not lacking else "", time.monotonic() - began)
        return current, [*lacking, *([f"its old addresses ({changed})"] if changed else [])]

    if check_mode:
        node, lacking = look()
        return _result(node, changed=False, seconds=0.0, waiting_for=lacking)
    try:
        met = poll(look, lambda seen: not seen[1], limits=limits, interval=INTERVAL, retry_on=TRANSIENT)
    except SliceOver as pause:
        raise Unfinished(name, f"waiting for {_words(pause)}", state={"moved_since": patience.since}) from pause
    except TimedOut as late:
        raise NotBack(
            f"{name} is not back after {late.seconds:.0f} s: it lacks {_words(late)}",
            waiting_for=late.seen[1] if late.seen else [],
        ) from late
    node, changed = met.seen[0], False
    if record is not None:
        (node, changed), _limits = patiently(
            lambda: _stamp(client, node, params), subject=name, limits=limits.after(met.seconds), retry_on=TRANSIENT
        )
    return _result(node, changed=changed, seconds=round(met.seconds, 3), waiting_for=[])


class _Patience:
    """How long a node that lacks nothing else may have other addresses. since: at which second of the wait it began."""

    def __init__(self, name: str, since: float | None) -> None:
        self.name = name
        self.since = since

    def look(self, changed: str, now: float) -> None:
        """Raises NotBack if it was so for too long. changed: old and new addresses in words, "" if nothing changed."""
        self.since = None if not changed else now if self.since is None else self.since
        if self.since is not None and now - self.since >= PATIENCE:
            raise NotBack(
                f"{self.name}: it is back with other addresses, so nothing more is changed: {changed}: {moved.REMEDY}",
                waiting_for=[changed],
            )


def _words(state: SliceOver | TimedOut) -> str:
    """What was missing at the last look, or why that isn't known."""
    if state.error is not None:
        return f"an answer ({state.error.msg})"
    return ", ".join(state.seen[1])


def _stamp(client: Client, node: dict[str, Any], params: dict[str, Any]) -> tuple[dict[str, Any], bool]:
    """The Node with phase "on" in its record."""
    name = node["metadata"]["name"]

    def change(current: dict[str, Any]) -> dict[str, Any] | None:
        record = records.parse(current)
        records.ensure_ours(name, record, params["_run"], claimed=params.get("claimed"))
        if record is None or not records.advances(record, "on"):
            return None
        boot_id = current.get("status", {}).get("nodeInfo", {}).get("bootID")
        return records.annotation(records.stamped(record, {"boot_id": boot_id}, datetime.now(UTC), phase="on"))

    node, patch = node_objects.write(client, node, change, check_mode=False)
    return node, patch is not None


def _result(node: dict[str, Any], *, changed: bool, seconds: float, waiting_for: list[str]) -> dict[str, Any]:
    """What the module returns, with the same keys in check mode."""
    return {
        "changed": changed,
        "node": node_objects.facts(node),
        "record": records.parse(node),
        "seconds": seconds,
        "waiting_for": waiting_for,
    }
