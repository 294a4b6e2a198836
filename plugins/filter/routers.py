# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the routers answered: who failed, when each was done, and the baseline to compare with."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from ansible_collections.hitless.nodes.plugins.module_utils.record.questions import not_awaited

# The loop variable of every task that goes over the routers.
ROUTER = "__router"
# What a task adds to the result of one loop item, and what no later task needs.
LOOP_KEYS = frozenset({"ansible_loop_var", "invocation", "failed", "changed", "failed_when_result", "warnings"})


def router_problem(loop: Mapping[str, Any], routers: Iterable[str], node: str = "") -> str:
    """One line that names the node, and each router that gave no good answer, and why; "" if all did.

    loop: the registered result of a task that went over the routers with failures let through.
    """
    answers = {each[ROUTER]: each for each in loop.get("results", []) if ROUTER in each}
    problems = []
    for router in routers:
        answer = answers.get(router)
        if answer is None or answer.get("skipped"):
            problems.append(f"router {router} was not asked")
        elif answer.get("unreachable"):
            problems.append(f"router {router} is unreachable by SSH, so its routes are unknown: {_last_line(answer)}")
        elif answer.get("failed"):
            reason = _last_line(answer).removeprefix(f"{node}: ")
            problems.append(reason if router in reason else f"router {router}: {reason}")
    return (f"{node}: " if node and problems else "") + "; ".join(problems)


def _last_line(answer: Mapping[str, Any]) -> str:
    # ansible-core 2.19 puts this before every message.
    text = str(answer.get("msg", "")).strip().removeprefix("Task failed: ") or "it gave no reason"
    output = str(answer.get("module_stderr", "")).strip()
    lines = [line.strip() for line in (text, *output.splitlines()[-1:]) if line.strip()]
    return ": ".join(" ".join(line.split()) for line in lines)


def by_router(loop: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Router -> its module's result, without what the loop added."""
    return {
        each[ROUTER]: {key: value for key, value in each.items() if key not in LOOP_KEYS and not key.startswith("_")}
        for each in loop.get("results", [])
        if not each.get("skipped")
    }


def router_seconds(loop: Mapping[str, Any], since: str, again: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Router -> {seconds, at_most, families}: seconds from a moment (RFC 3339) until it had reached the state.

    The routers are asked one after the other: if a later one was done when it was first looked at, the number is an
    upper bound and at_most is true. families: the same for each, where the waits say it. again: the second round, in
    which a router that had lost the state reached it anew.
    """
    start = datetime.fromisoformat(since)
    result: dict[str, dict[str, Any]] = {}
    for each in (*loop.get("results", []), *again.get("results", [])):
        waited = float(each.get("seconds", 0.0))
        first = each.get(ROUTER) not in result
        if "seconds" in each and (first or waited > 0):
            asked = (datetime.fromisoformat(each["asked_at"]) - start).total_seconds()
            at_most = bool(result) and waited < 1
            families = {kind: round(asked + seconds, 1) for kind, seconds in (each.get("families") or {}).items()}
            result[each[ROUTER]] = {
                "seconds": round(asked + waited, 1),
                "at_most": at_most,
                **({"families": families} if families else {}),
            }
    return result


def held_seconds(loop: Mapping[str, Any], router: str) -> float:
    """For how many seconds, at least, the state held that a wait in this loop saw on the router; 0.0 if none saw it."""
    ended = [each["ended_at"] for each in loop["results"] if each.get(ROUTER) == router and each.get("remaining") == []]
    return max(0.0, round(time.monotonic() - ended[0], 3)) if ended else 0.0


def baseline(record: Mapping[str, Any], router: str | None = None) -> dict[str, list[str]]:
    """VRF -> the prefixes that the node had in BGP before the claim, on one router or (without one) on any of them."""
    routes = record["before"]["routes"]
    chosen = [routes.get(router) or {}] if router is not None else routes.values()
    result: dict[str, set[str]] = {}
    for vrfs in chosen:
        for vrf, seen in vrfs.items():
            if seen.get("bgp"):
                result.setdefault(vrf, set()).update(seen["bgp"])
    return {vrf: sorted(prefixes) for vrf, prefixes in sorted(result.items())}


def baseline_back(record: Mapping[str, Any], router: str) -> dict[str, list[str]]:
    """VRF -> the prefixes that one router has to have of the node again on the way back."""
    left_out = not_awaited(dict(record))
    return {vrf: [each for each in listed if each not in left_out] for vrf, listed in baseline(record, router).items()}


def installed_baseline(record: Mapping[str, Any], router: str) -> dict[str, list[str]]:
    """VRF -> the prefixes that one router's kernel forwarded to the node before the claim, by routes of their own.

    Those that the way back waits for.
    """
    routes = record["before"]["routes"].get(router) or {}
    left_out = not_awaited(dict(record))
    return {vrf: sorted(set(seen.get("fib") or []) - left_out) for vrf, seen in sorted(routes.items())}


def baseline_in(record: Mapping[str, Any], vrfs: Iterable[str]) -> dict[str, list[str]]:
    """VRF -> all prefixes that any router had of the node before the claim, in whichever VRF.

    What is gone has to be gone everywhere; in a VRF where a prefix never was, its absence is seen just as well.
    """
    every = sorted({prefix for prefixes in baseline(record).values() for prefix in prefixes})
    return dict.fromkeys(vrfs, every)


def addresses_on(record: Mapping[str, Any], router: str) -> list[str]:
    """The node's addresses on one router: those it was claimed with, and those of its link-local sessions there."""
    own = list(record["before"]["addresses"])
    sessions = (record["before"].get("sessions") or {}).get(router) or []
    return own + [each["address"] for each in sessions if each["address"] not in own]


def sessions_before(record: Mapping[str, Any], router: str) -> list[dict[str, str]]:
    """The sessions that one router had with the node before the claim and that were up: {vrf, address}."""
    sessions = (record["before"].get("sessions") or {}).get(router) or []
    return [
        {"vrf": each.get("vrf") or "default", "address": each["address"]} for each in sessions if each["established"]
    ]


def routers_changed(record: Mapping[str, Any]) -> dict[str, list[dict[str, str]]]:
    """Router -> drained sessions, of the routers whose configuration this maintenance changed (or was about to) and
    has not put back, as the record's notes say: routers_changed, routers_flushed, routers_restored."""
    changed: dict[str, list[dict[str, str]]] = {}
    for entry in record.get("history") or []:
        for router, drained in (entry.get("routers_changed") or {}).items():
            known = changed.setdefault(router, [])
            known += [each for each in drained if each not in known]
        for router in entry.get("routers_flushed") or []:
            changed.setdefault(router, [])
        for router in entry.get("routers_restored") or []:
            changed.pop(router, None)
    return changed


def to_note(loop: Mapping[str, Any], key: str) -> dict[str, list[Any]]:
    """Router -> what a result has under a key, of the routers on which something would be changed."""
    return {each[ROUTER]: each[key] for each in loop.get("results", []) if each.get("changed")}


def with_stale(loop: Mapping[str, Any]) -> list[str]:
    """The routers that were seen to have stale paths of the node left when the wait on them was over."""
    return [
        each[ROUTER]
        for each in loop.get("results", [])
        if each.get("failed") and any(entry.get("stale") for entry in each.get("remaining") or [])
    ]


def seconds_left(seconds: float, since: str) -> float:
    """How much is left of so many seconds that began at a moment (RFC 3339, by this machine's clock); 0.0 if none.

    A clock that jumps makes it shorter or longer, never longer than the whole.
    """
    gone = (datetime.now(UTC) - datetime.fromisoformat(since)).total_seconds()
    return round(min(float(seconds), max(0.0, float(seconds) - gone)), 3)


def with_baseline(routers: Iterable[str], record: Mapping[str, Any]) -> list[str]:
    """Those of the routers that had a route of the node before the claim."""
    return [router for router in routers if baseline(record, router)]


def slowest(routers: Mapping[str, Mapping[str, Any]], event: str, at: str) -> dict[str, Any]:
    """The longest of what router_seconds measured of an event, as node_estimate keeps it: {event, seconds, ...}."""
    found = [
        {"event": event, "seconds": seconds, "at": at, "router": router, "family": kind}
        for router, measured in routers.items()
        for kind, seconds in (measured.get("families") or {"all families": measured["seconds"]}).items()
    ]
    return max(found, key=lambda each: each["seconds"])


def measured_lines(
    routers: Mapping[str, Mapping[str, Any]], by_routers: Mapping[str, Any], by_cilium: Mapping[str, Any], node: str
) -> list[str]:
    """What was measured, for the terminal, beside the estimates from what routers negotiated and from Cilium alone."""
    lines = [f"{node}: from the change of the label until a router had no path to it any more"]
    for router, measured in routers.items():
        bound = "at most " if measured["at_most"] else ""
        families = measured.get("families") or {"all families": measured["seconds"]}
        words = ", ".join(f"{kind} {bound}{seconds} s" for kind, seconds in families.items())
        lines.append(f"  router {router}: {words}")
    for source, estimate in (("the routers' capabilities", by_routers), ("Cilium alone", by_cilium)):
        seconds = "without a bound" if estimate["unbounded"] else f"{estimate['seconds']} s"
        lines.append(f"  estimated from {source}: {seconds} ({estimate['reason']})")
    return lines


class FilterModule:
    """The filters about routers."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Name -> function."""
        return {
            "router_problem": router_problem,
            "by_router": by_router,
            "router_seconds": router_seconds,
            "held_seconds": held_seconds,
            "baseline": baseline,
            "baseline_back": baseline_back,
            "with_baseline": with_baseline,
            "installed_baseline": installed_baseline,
            "baseline_in": baseline_in,
            "addresses_on": addresses_on,
            "sessions_before": sessions_before,
            "routers_changed": routers_changed,
            "to_note": to_note,
            "with_stale": with_stale,
            "seconds_left": seconds_left,
            "slowest": slowest,
            "measured_lines": measured_lines,
        }
