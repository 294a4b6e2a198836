# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to hitless.nodes: it may change in any release, don't import it from elsewhere.

"""The estimate for a node from what Cilium alone knows, and what was once measured of it (annotation of the Node)."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from typing import Any

from ..base.errors import HitlessError
from ..cilium import bgp_sessions, objects
from ..cilium.agent_pod import AGENT_CONTAINER
from ..cilium.agents import Agents
from ..kube import node_objects
from ..kube.client import Client
from ..record import records
from . import per_session

ANNOTATION = "hitless.nodes/measured"
VERSION = 1
# Where each kind of evidence without routers reads the agent, and what.
READS = {"cilium": ("agent", ("peers", "routes")), "estimate": ("auto", ("peers",))}
# Seconds that the agent may take to close its sessions after its CiliumBGPNodeConfig is gone, if that isn't observed.
UNSEEN = 5


def peers(
    client: Client, api_version: str | None, node_config: dict[str, Any] | None, sessions: list[dict[str, Any]]
) -> list[dict[str, Any]]:
    """What per_session needs of each session's peer, in the order of the sessions."""
    asked_for = {(peer["instance"], peer["name"]) for peer in objects.peers(node_config)}
    specs: dict[str, dict[str, Any] | None] = {}

    def spec(session: dict[str, Any]) -> dict[str, Any] | None:
        name = session["peer_config"]
        if (session["instance"], session["peer"]) not in asked_for:
            # The peer is of a legacy policy, or left over. It isn't known what its router was asked for.
            return None
        if not name:
            # A peer that names none gets Cilium's defaults, which have no graceful restart.
            return {}
        if name not in specs:
            found = objects.peer_config(client, api_version, name)
            specs[name] = None if found is None else found.get("spec") or {}
        return specs[name]

    return [
        {
            "name": session["peer"] or session["address"],
            "peer_config": spec(session),
            "hold_time": session["hold_time"],
            "graceful_restart": session["graceful_restart"],
        }
        for session in sessions
    ]


def conditions(node: bgp_sessions.Node, peers_: list[dict[str, Any]]) -> str:
    """A fingerprint of what decides the time, as far as the cluster knows: Cilium's image, peers and settings."""
    images: set[str] = set()
    for pod in node.agents or []:
        images.update(_agent_images(pod))
    spec = (node.node_config or {}).get("spec") or {}
    settings = [[peer["name"], peer["peer_config"]] for peer in peers_]
    text = json.dumps([sorted(images), spec, sorted(settings, key=lambda each: str(each[0]))], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _agent_images(pod: dict[str, Any]) -> Iterator[str]:
    """The image that the agent's container runs."""
    for status in (pod.get("status") or {}).get("containerStatuses") or []:
        if status.get("name") == AGENT_CONTAINER:
            yield status.get("imageID") or status.get("image") or ""


def measured(node: dict[str, Any]) -> dict[str, Any] | None:
    """What was once measured of a Node. None if nothing was or it can't be read; then the worst case counts."""
    text = (node["metadata"].get("annotations") or {}).get(ANNOTATION)
    try:
        found = json.loads(text) if text else None
    except ValueError:
        return None
    wanted = {"version", "event", "seconds", "at", "router", "family", "conditions"}
    if not isinstance(found, dict) or not wanted <= found.keys() or found["version"] != VERSION:
        return None
    return found if isinstance(found["seconds"], int | float) and found["seconds"] >= 0 else None


def estimates(
    event: str,
    node: dict[str, Any],
    seen: bgp_sessions.Node,
    peers_: list[dict[str, Any]],
    *,
    use_measured: bool = True,
) -> dict[str, Any]:
    """{event, seconds, unbounded, reason}: how long routers may send to a node, by what Cilium alone says."""
    bound = per_session.estimate(event, {}, peers_)
    known = measured(node) if use_measured else None
    if known is not None:
        bound = per_session.with_measured(bound, known, unchanged=known["conditions"] == conditions(seen, peers_))
    return {key: bound[key] for key in ("event", "seconds", "unbounded", "reason")}


def withdrawal(bound: dict[str, Any], evidence: str, override: int) -> dict[str, Any]:
    """The bound to wait for after a node is deselected: {seconds, unbounded, reason, overridden}.

    override: the seconds that the user gives for an estimate without a bound; 0 = none.
    """
    result = {key: bound[key] for key in ("seconds", "unbounded", "reason")} | {"overridden": False}
    if bound["unbounded"] and override > 0:
        return result | {
            "seconds": override,
            "overridden": True,
            "reason": f"there is no bound ({bound['reason']}), and claim_estimate_override is {override} s",
        }
    if evidence == "estimate" and not bound["unbounded"]:
        return result | {
            "seconds": bound["seconds"] + UNSEEN,
            "reason": f"{bound['reason']}, {UNSEEN} s for the agent to close the sessions, which isn't observed",
        }
    return result


def _annotation(kept: dict[str, Any] | None) -> dict[str, Any]:
    """The merge patch of a Node that writes what was measured."""
    text = None if kept is None else json.dumps(kept, separators=(",", ":"), sort_keys=True)
    return {"metadata": {"annotations": {ANNOTATION: text}}}


def slowest(given: dict[str, Any]) -> dict[str, Any]:
    """The longest time measured on the routers: {event, at, seconds, router, family}; raises HitlessError.

    given: {event, at, routers: {name: {seconds, families: {family: seconds}}}}, the routers as in a record's history.
    """
    found = []
    for router, times in given["routers"].items():
        families = times.get("families") or {"all families": times.get("seconds")}
        found += [(_seconds(seconds), router, family) for family, seconds in families.items()]
    if not found:
        raise HitlessError("measured: it names no router")
    seconds, router, family = max(found)
    return {"event": given["event"], "at": given["at"], "seconds": seconds, "router": router, "family": family}


def _seconds(given: Any) -> float:
    try:
        seconds = float(given)
    except (TypeError, ValueError):
        seconds = -1.0
    if not 0 <= seconds < float("inf"):
        raise HitlessError(f"measured: {given!r} isn't a number of seconds")
    return seconds


def node_estimate(client: Client, params: dict[str, Any], *, check_mode: bool) -> dict[str, Any]:
    """The result of node_estimate."""
    name, given = params["name"], params["measured"]
    node = node_objects.read(client, name)
    records.ensure_ours(name, records.parse(node), params["_run"], check_mode=check_mode)
    api_version = objects.configs(client).api_version
    agents = Agents(client, params["cilium_namespace"], client.timeout)
    (seen,) = bgp_sessions.read(client, agents, [name], api_version=api_version)
    facts = bgp_sessions.facts(agents, seen, backend="auto", gather=("peers",))
    peers_ = peers(client, api_version, seen.node_config, facts["sessions"])
    before = measured(node)
    kept = before
    patch = None
    if given is not None:
        if seen.node_config is None:
            raise HitlessError(
                f"{name}: it has no CiliumBGPNodeConfig, so the settings that were measured aren't known: measure it "
                f"while it is in service"
            )
        kept = {"version": VERSION, **slowest(given), "conditions": conditions(seen, peers_)}
        wanted = kept
        node, patch = node_objects.write(
            client,
            node,
            lambda current: None if measured(current) == wanted else _annotation(wanted),
            check_mode=check_mode,
        )
    known = {"metadata": {"annotations": _annotation(kept)["metadata"]["annotations"] if kept else {}}}
    return {
        "changed": patch is not None,
        "name": name,
        "unmeasured": {each: estimates(each, known, seen, peers_, use_measured=False) for each in per_session.EVENTS},
        "estimates": {each: estimates(each, known, seen, peers_) for each in per_session.EVENTS},
        "measured": kept,
        "diff": {"before": {"measured": before}, "after": {"measured": kept}},
    }
