# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What happened: the summary of a maintenance, its lines for the terminal, and the geometry of its timeline."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

# What led from the phase before to this one.
ACTIVITIES = {
    "drained": "drain",
    "withdrawn": "withdraw routes",
    "off": "power off",
    "on": "away",
    "restarted": "restart agent",
    "announced": "announce routes",
    "schedulable": "uncordon",
    "released": "release",
}
CONTROL = re.compile(r"\x1b\[[0-9;]*[A-Za-z]|[\x00-\x08\x0e-\x1f]")
OUTCOMES = {
    "maintenance": "back in service",
    "in": "back in service",
    "out": "out of service",
    "probe": "measured, back in service",
    "check": "check mode: nothing was changed",
    "put back": "failed, put back as it was",
    "left": "failed, and putting it back failed too",
    "stopped": "stopped, stays out of service",
    "upgrade": "its agent is restarted",
    "held": "stopped after its agent's restart had begun, its record is kept",
}


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


def _seconds(earlier: str, later: str) -> float:
    return round((_moment(later) - _moment(earlier)).total_seconds(), 3)


def _duration(seconds: float) -> str:
    """Seconds in words, as short as they can be read."""
    if seconds < 100:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min" if hours else f"{minutes} min {rest:02d} s"


# --- the summary ------------------------------------------------------------------------------------------------


def maintenance_summary(
    sources: Iterable[Mapping[str, Any]],
    node: str,
    outcome: str,
    failure: Mapping[str, Any] | None = None,
    probe: Mapping[str, Any] | None = None,
    plan: Iterable[str] = (),
) -> dict[str, Any]:
    """All that is known of one node's maintenance, as plain data.

    sources: results with a history (of node_claim), of which the longest counts. outcome: a key of OUTCOMES.
    probe: what the prober wrote, if one ran. plan: what would be done (check mode).
    """
    sources = [source for source in sources if source.get("history")]
    history: list[Mapping[str, Any]] = max((source["history"] for source in sources), key=len, default=[])
    restored: dict[str, Any] = next((source["restored"] for source in sources if source.get("restored")), {})
    before: dict[str, Any] = next((source["before"] for source in sources if source.get("before")), {})
    phases = _phases(history)
    return {
        "version": 1,
        "node": node,
        "outcome": outcome,
        "result": OUTCOMES[outcome],
        "started": history[0]["at"] if history else None,
        "finished": history[-1]["at"] if history else None,
        "seconds": _seconds(history[0]["at"], history[-1]["at"]) if history else 0.0,
        "phases": phases,
        "routers": _routers(history),
        "evidence": _evidence(history),
        "agent": _agent(history),
        "before": {key: before[key] for key in ("unschedulable", "label", "addresses") if key in before},
        "restored": dict(restored),
        "failure": dict(failure) if failure else None,
        "plan": list(plan),
        "loss": _loss(probe) if probe else None,
        "history": [dict(entry) for entry in history],
    }


def _phases(history: list[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The phases in order, each with when it was reached and the seconds since the one before."""
    phases: list[dict[str, Any]] = []
    reached = None
    for entry in history:
        if "continued_by" not in entry:
            # A note without a new phase (a heartbeat) is no step.
            if entry["phase"] == reached:
                continue
            reached = entry["phase"]
        resumed = "continued_by" in entry
        phases.append(
            {
                "phase": "resumed" if resumed else entry["phase"],
                "at": entry["at"],
                "seconds": _seconds(phases[-1]["at"], entry["at"]) if phases else None,
                "activity": "interrupted" if resumed else ACTIVITIES.get(entry["phase"], ""),
            }
        )
    return phases


def _routers(history: list[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Each router with the seconds from the change of the label until it had withdrawn the routes, or had them back."""
    routers: dict[str, dict[str, Any]] = {}
    for entry in history:
        for router, measured in entry.get("routers", {}).items():
            each = routers.setdefault(router, {"router": router, "withdrawn": None, "announced": None})
            # The first time counts: a run that is resumed, or looks again, finds what was done before.
            if entry["phase"] in each and not each[entry["phase"]]:
                each[entry["phase"]] = {"flipped_at": entry["flipped_at"], **measured}
    return list(routers.values())


def _evidence(history: list[Mapping[str, Any]]) -> dict[str, Any] | None:
    """What proved the withdrawal: {kind, observed, seconds, unbounded, reason, overridden}; None if nothing did yet.

    Only routers are observed. With the other kinds the seconds are those that were waited, and the reason says why.
    """
    noted = [entry for entry in history if "evidence" in entry]
    if not noted:
        return None
    kind, estimate = noted[-1]["evidence"], noted[-1].get("estimate") or {}
    return {"kind": kind, "observed": kind == "router", **estimate}


def _agent(history: list[Mapping[str, Any]]) -> dict[str, Any] | None:
    """The restart of the node's agent, {seconds, steps, budget}; None if there was none."""
    restarts = [entry["agent"] for entry in history if (entry.get("agent") or {}).get("seconds") is not None]
    return dict(restarts[-1]) if restarts else None


def _agent_words(agent: Mapping[str, Any]) -> str:
    """For how long the agent was away, of how long it might be, and when each step was done."""
    of = f" of {_duration(agent['budget'])}" if agent.get("budget") else ""
    steps = [f"{step} {_duration(at)}" for step, at in agent["steps"].items() if at is not None]
    return f"away for {_duration(agent['seconds'])}{of} ({', '.join(steps)})"


def _loss(probe: Mapping[str, Any]) -> dict[str, Any]:
    keys = (
        "missing",
        "udp_sent",
        "udp_lost",
        "tcp_new",
        "tcp_failed",
        "tcp_moved",
        "seconds",
        "families",
        "started",
        "lost_per_100ms",
    )
    return {key: probe[key] for key in keys if key in probe}


def summary_lines(summary: Mapping[str, Any], files: Iterable[str] = ()) -> list[str]:
    """The summary for a terminal."""
    took = "" if summary["outcome"] == "check" else f" ({_duration(summary['seconds'])})"
    lines = [f"{summary['node']}: {summary['result']}{took}"]
    if summary["failure"]:
        lines.append(f"  failed:  {summary['failure']['task']}: {summary['failure']['reason']}")
    lines += [f"  would {step}" for step in summary["plan"]]
    for phase in summary["phases"] if not summary["plan"] else []:
        took = "" if phase["seconds"] is None else f"  after {_duration(phase['seconds']):>9}  {phase['activity']}"
        lines.append(f"  {phase['at'][11:23]}  {phase['phase']:<11}{took}".rstrip())
    for router in summary["routers"]:
        lines.append(f"  router {router['router']}: {_router_words(router)}")
    if _estimated_words(summary):
        lines.append(f"  routes:  {_estimated_words(summary)}")
    if summary.get("agent"):
        lines.append(f"  agent: {_agent_words(summary['agent'])}")
    if summary["restored"]:
        lines.append(f"  restored: {_restored_words(summary['restored'])}")
    if summary["loss"]:
        lines.append(f"  traffic: {_loss_words(summary['loss'])}")
    return lines + [f"  {file}" for file in files]


def maintenance_plan(
    claimed: Mapping[str, Any], info: Mapping[str, Any], drained: Mapping[str, Any], direction: str, action: str
) -> list[str]:
    """What would be done, one step a line, each to be read after "would".

    claimed, info, drained: results of node_claim, node_info and (on the way out) node_drain in check mode.
    """
    if not claimed.get("before"):
        return []
    before, label = claimed["before"], info["bgp"]["label"] or {}
    evidence = before["evidence"]
    routers = ", ".join(before["routes"])
    prefixes = f"{len(claimed['prefixes'])} prefixes ({_some(claimed['prefixes'])})"
    steps = []
    if direction != "in":
        pods = [pod for pod in drained.get("pods", []) if pod["action"] == "evict"]
        names = [f"{pod['namespace']}/{pod['name']}" for pod in pods]
        steps.append(f"cordon it and evict {len(pods)} pods ({_some(names)})")
        steps.append(f"change label {_label(label.get('key'), label.get('deselect_value'))}")
        bound = claimed["withdrawal"]
        how_long = "there is no bound" if bound["seconds"] is None else f"at most {bound['seconds']} s"
        estimate = f"estimated, not observed: {how_long}; {bound['reason']}"
        if evidence == "router":
            steps.append(f"wait until {prefixes} are gone from {routers} ({estimate})")
        else:
            closed = "ask its agent until its sessions are closed, and " if evidence == "cilium" else ""
            steps.append(f"{closed}wait for as long as routers may go on ({estimate})")
        steps += {"poweroff": ["switch it off"], "reboot": ["reboot it"], "pause": ["wait for people"]}.get(action, [])
    if direction != "out":
        steps.append(f"wait until it is Ready, and restore label {_label(**before['label'])}")
        back = (
            f"the routes are back on {routers}" if evidence == "router" else "Cilium announces as many routes as before"
        )
        steps.append(f"wait until {back}")
        steps.append("leave it cordoned, as it was" if before["unschedulable"] else "uncordon it")
    return steps


def _estimated_words(summary: Mapping[str, Any]) -> str:
    """That the withdrawal was estimated, and on what that rests; "" where the routers were asked."""
    evidence = summary["evidence"]
    if not evidence or evidence["observed"]:
        return ""
    since = {"cilium": "the agent had closed the sessions", "estimate": "the node was deselected"}[evidence["kind"]]
    return (
        f"estimated, not observed: taken as gone {evidence['seconds']} s after {since} "
        f"(evidence {evidence['kind']}; {evidence['reason']})"
    )


def _label(key: str | None, value: str | None) -> str:
    return f"{key} (absent)" if value is None else f"{key}={value}"


def _some(names: Iterable[str], limit: int = 6) -> str:
    names = list(names)
    return (", ".join(names[:limit]) or "none") + (f" and {len(names) - limit} more" if len(names) > limit else "")


def _router_words(router: Mapping[str, Any]) -> str:
    words = []
    if router["withdrawn"]:
        words.append(f"routes gone {_bound(router['withdrawn'])} after the label changed")
    if router["announced"]:
        words.append(f"back {_bound(router['announced'])} after it was restored")
    return ", ".join(words)


def _bound(measured: Mapping[str, Any]) -> str:
    return f"{'at most ' if measured['at_most'] else ''}{_duration(measured['seconds'])}"


def _restored_words(restored: Mapping[str, Any]) -> str:
    """What the node is like again, in words."""
    words = []
    if "unschedulable" in restored:
        words.append("cordoned, as before" if restored["unschedulable"] else "schedulable")
    label = restored.get("label") or {}
    if label.get("key"):
        value = label.get("value")
        words.append(f"label {_label(label['key'], value)}")
    return ", ".join(words)


def _loss_words(loss: Mapping[str, Any]) -> str:
    """What the prober counted, in words."""
    if "missing" in loss:
        return f"unknown, the prober's file {loss['missing']} is not there"
    words = [f"{loss.get('udp_lost', 0)} of {loss.get('udp_sent', 0)} UDP requests lost"]
    words.append(f"{loss.get('tcp_failed', 0)} of {loss.get('tcp_new', 0)} new TCP connections failed")
    if loss.get("tcp_moved"):
        words.append(f"{loss['tcp_moved']} were reset as a router's next hops changed")
    return ", ".join(words)


# --- failures ---------------------------------------------------------------------------------------------------


def failure_reason(result: Mapping[str, Any]) -> str:
    """Why a task failed, in one line, from its result; of a loop, why each of its items did."""
    items = [each for each in result.get("results", []) if each.get("failed") or each.get("unreachable")]
    texts = [str(each.get("msg", "")) for each in items] or [str(result.get("msg", ""))]
    lines = [_plain(text) for text in dict.fromkeys(texts) if text.strip()]
    return "; ".join(lines) or "it gave no reason"


def _plain(text: str) -> str:
    """One line, without terminal colours and what ansible-core 2.19 puts before every message."""
    line = " ".join(CONTROL.sub("", text).split())
    for prefix in ("Task failed: ", "Action failed: ", "Module failed: "):
        line = line.removeprefix(prefix)
    return line


def failure_line(failure: Mapping[str, Any], host: str, direction: str, undone: str = "") -> str:
    """The last line of a playbook that failed: what, why, and what now."""
    reason = failure["reason"].rstrip(".")
    # Our own messages begin with the node and say what was wanted; others need the task's name for that.
    what = reason if reason.startswith(host) else f"{host}: {failure['task']}: {reason}"
    back = f"ansible-playbook hitless.nodes.node_in -e target={host}"
    if failure["end"] == "refused":
        return f"{what}; nothing was changed"
    if failure["end"] == "put back":
        rest = f", but not all routes are back: {undone}" if undone else ""
        return f"{what}; the node was put back as it was{rest}"
    if failure["end"] == "left":
        left = f"putting it back failed as well: {failure['left']}"
        return f"{what}; {left}; its record is kept, go on with: {back}"
    again = f"run ansible-playbook hitless.nodes.node_{direction} -e target={host} again, or "
    then = f"{'' if direction in ('in', 'probe') else again}bring it back with: {back}"
    return f"{what}; it stays out of service and its record is kept; to go on, {then}"


# --- the timeline -----------------------------------------------------------------------------------------------

# In units of the viewBox: the column of names, the whole drawing, the distance of two rows, the height of a bar.
LEFT = 110
WIDTH = 960
ROW = 34
BAR = 20
# How wide a letter of the labels is, about; a label that doesn't fit its bar is left to the tooltip and the table.
LETTER = 6.6
STEPS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 28800, 86400)


def report_page(summary: Mapping[str, Any]) -> dict[str, Any]:
    """What the page shows: words, rows of the tables, the timeline's geometry. The template decides nothing."""
    probe = summary["loss"]
    lost = probe and any(probe.get(key) for key in ("missing", "udp_lost", "tcp_failed"))
    return {
        "tone": "bad" if summary["failure"] else "plain" if summary["outcome"] == "check" else "good",
        "when": _clock_time(summary["started"]) if summary["started"] else "",
        "took": _duration(summary["seconds"]),
        "phases": [
            {
                "phase": phase["phase"],
                "at": phase["at"][11:23],
                "took": "" if phase["seconds"] is None else _duration(phase["seconds"]),
                "activity": phase["activity"],
            }
            for phase in summary["phases"]
        ],
        "routers": [
            {
                "router": router["router"],
                "withdrawn": _bound(router["withdrawn"]) if router["withdrawn"] else "",
                "announced": _bound(router["announced"]) if router["announced"] else "",
            }
            for router in summary["routers"]
        ],
        "estimated": _estimated_words(summary),
        "agent": _agent_rows(summary.get("agent")),
        "restored": _restored_words(summary["restored"]),
        "loss": {"words": _loss_words(probe), "tone": "bad" if lost else "good"} if probe else None,
        "timeline": _timeline(summary),
    }


def _agent_rows(agent: Mapping[str, Any] | None) -> list[dict[str, Any]]:
    """A row for each step of the agent's restart, and the budget: {step, took, share (of the longest)}."""
    if not agent:
        return []
    times = {step: at for step, at in agent["steps"].items() if at is not None}
    times |= {"away": agent["seconds"]} | ({"budget": agent["budget"]} if agent.get("budget") else {})
    longest = max([0.1, *times.values()])
    return [{"step": step, "took": _duration(at), "share": round(at / longest, 3)} for step, at in times.items()]


def _timeline(summary: Mapping[str, Any]) -> dict[str, Any]:
    """Where everything is drawn: width and height, ticks, and rows of bars, in the units of the SVG's viewBox.

    Empty rows where nothing has a time (check mode).
    """
    if not summary["phases"]:
        return {"width": WIDTH, "height": 0, "ticks": [], "rows": [], "top": 0, "bottom": 0}
    origin = _moment(summary["started"]).timestamp()
    losses = [(start - origin, count) for start, count in _losses(summary["loss"])]
    begin = min([0.0, *(at for at, _count in losses)])
    end = max([summary["seconds"], 0.1, *(at + 1 for at, _count in losses)])
    scale = (WIDTH - LEFT - 10) / (end - begin)

    def x(seconds: float) -> float:
        position: float = LEFT + (min(max(seconds, begin), end) - begin) * scale
        return round(position, 1)

    def block(kind: str, first: float, last: float, label: str, title: str) -> dict[str, Any]:
        width = round(max(x(last) - x(first), 1.0), 1)
        fits = len(label) * LETTER < width - 6
        middle = round(x(first) + width / 2, 1)
        words = label if fits else ""
        return {"kind": kind, "x": x(first), "width": width, "middle": middle, "label": words, "title": title}

    def since(at: str) -> float:
        return _moment(at).timestamp() - origin

    rows: list[dict[str, Any]] = [{"name": "phases", "bars": _phase_bars(summary["phases"], block, since)}]
    rows += [
        {"name": router["router"], "bars": _router_bars(router, block, since, end)} for router in summary["routers"]
    ]
    if summary["loss"] and "missing" not in summary["loss"]:
        most = max((count for _at, count in losses), default=0)
        bars = []
        for at, count in losses:
            height = round(max(BAR * count / most, 2.0), 1)
            bars.append(
                {**block("loss", at, at + 1, "", f"{count} lost"), "height": height, "top": round(BAR - height, 1)}
            )
        rows.append({"name": "lost", "bars": bars, "note": "" if bars else "nothing lost"})
    for number, row in enumerate(rows):
        row |= {"y": 8 + number * ROW, "note": row.get("note", "")}
    bottom = 8 + len(rows) * ROW - (ROW - BAR) + 6
    return {
        "width": WIDTH,
        "height": bottom + 22,
        "left": LEFT,
        "bar": BAR,
        "bottom": bottom,
        "ticks": [{"x": x(at), "label": _clock(at)} for at in _ticks(begin, end)],
        "rows": rows,
    }


def _phase_bars(phases: list[Mapping[str, Any]], block: Callable[..., Any], since: Callable[..., float]) -> list[Any]:
    bars = []
    for earlier, phase in itertools.pairwise(phases):
        title = f"{phase['activity']}: {_duration(phase['seconds'])}, {phase['phase']} at {phase['at']}"
        kind = phase["phase"]
        bars.append(block(kind, since(earlier["at"]), since(phase["at"]), phase["activity"], title))
    return bars


def _router_bars(
    router: Mapping[str, Any], block: Callable[..., Any], since: Callable[..., float], end: float
) -> list[Any]:
    """When the router had the node's routes: from the start until they were gone, and again since they were back."""
    gone, back = router["withdrawn"], router["announced"]
    bars = []
    absent_from = 0.0
    if gone:
        flipped = since(gone["flipped_at"])
        absent_from = flipped + gone["seconds"]
        bars.append(block("routes", 0.0, flipped, "in use", "in use"))
        title = f"gone {_bound(gone)} after the label changed"
        bars.append(block("leaving", flipped, absent_from, "leaving", title))
    present_from = since(back["flipped_at"]) + back["seconds"] if back else end
    bars.append(block("gone", absent_from, present_from, "no path to the node", "no path to the node"))
    if back:
        title = f"back {_bound(back)} after the label was restored"
        bars.append(block("routes", present_from, end, "in use", title))
    return bars


def _losses(loss: Mapping[str, Any] | None) -> list[tuple[float, int]]:
    """(epoch second, lost) of every second in which something was lost."""
    seconds: dict[int, int] = {}
    for at, count in (loss or {}).get("lost_per_100ms", []):
        if count:
            second = int(loss["started"] + at) if loss else 0
            seconds[second] = seconds.get(second, 0) + count
    return sorted((float(second), count) for second, count in seconds.items())


def _ticks(begin: float, end: float) -> list[float]:
    step = next((each for each in STEPS if (end - begin) / each <= 10), STEPS[-1])
    first = -(-begin // step)
    return [number * step for number in range(int(first), int(end // step) + 1)]


def _clock(seconds: float) -> str:
    sign, seconds = ("-" if seconds < 0 else ""), abs(int(seconds))
    hours, rest = divmod(seconds, 3600)
    minutes, rest = divmod(rest, 60)
    if hours:
        return f"{sign}{hours}:{minutes:02d}:{rest:02d}"
    return f"{sign}{minutes}:{rest:02d}" if minutes else f"{sign}{rest} s"


def _clock_time(text: str) -> str:
    """A moment of the record for people: date and time in UTC."""
    return _moment(text).astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


class FilterModule:
    """The filters about what happened."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Name -> function."""
        return {
            "maintenance_summary": maintenance_summary,
            "summary_lines": summary_lines,
            "maintenance_plan": maintenance_plan,
            "failure_reason": failure_reason,
            "failure_line": failure_line,
            "report_page": report_page,
        }
