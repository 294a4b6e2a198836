# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to hitless.nodes: it may change in any release, don't import it from elsewhere.

"""The steps that a maintenance would do, for check mode."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .words import label, some

Result = Mapping[str, Any]

ACTIONS = {"poweroff": ["switch it off"], "reboot": ["reboot it"], "pause": ["wait for people"]}


def maintenance_plan(claimed: Result, info: Result, drained: Result, direction: str, action: str) -> list[str]:
    """The steps that would be done, one per line. Each line follows the word "would".

    claimed, info, drained: results of node_claim, node_info and (on the way out) node_drain in check mode.
    """
    if not claimed.get("before"):
        return []
    steps = []
    if direction != "in":
        steps += [_drain(drained), _deselect(info), _withdraw(claimed), *ACTIONS.get(action, [])]
    if direction != "out":
        steps += _way_back(claimed["before"])
    return steps


def _drain(drained: Result) -> str:
    evicted = [pod for pod in drained.get("pods", []) if pod["action"] == "evict"]
    names = [f"{pod['namespace']}/{pod['name']}" for pod in evicted]
    return f"cordon it and evict {len(names)} pods ({some(names)})"


def _deselect(info: Result) -> str:
    found = info["bgp"]["label"] or {}
    return f"change label {label(found.get('key'), found.get('deselect_value'))}"


def _withdraw(claimed: Result) -> str:
    bound, evidence = claimed["withdrawal"], claimed["before"]["evidence"]
    how_long = "there is no bound" if bound["seconds"] is None else f"at most {bound['seconds']} s"
    estimate = f"estimated, not observed: {how_long}; {bound['reason']}"
    if evidence == "router":
        prefixes, routers = claimed["prefixes"], ", ".join(claimed["before"]["routes"])
        return f"wait until {len(prefixes)} prefixes ({some(prefixes)}) are gone from {routers} ({estimate})"
    closed = "ask its agent until its sessions are closed, and " if evidence == "cilium" else ""
    return f"{closed}wait for as long as routers may go on ({estimate})"


def _way_back(before: Result) -> list[str]:
    if before["evidence"] == "router":
        back = f"the routes are back on {', '.join(before['routes'])}"
    else:
        back = "Cilium announces as many routes as before"
    return [
        f"wait until it is Ready, and restore label {label(**before['label'])}",
        f"wait until {back}",
        "leave it cordoned, as it was" if before["unschedulable"] else "uncordon it",
    ]
