# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where a VIP is lost: what was read of cluster and routers put together, judged, and as lines for the terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from ansible_collections.hitless.nodes.plugins.filter.report import failure_reason
from ansible_collections.hitless.nodes.plugins.module_utils.base.words import excerpt
from ansible_collections.hitless.nodes.plugins.module_utils.doctor.diagnosis import examine, strict

ROUTER = "__router"
# Kinds of findings of a stage that are printed; all are in the files.
MOST = 5
WORDS = {"fail": "FAIL", "unknown": "unknown", "pass": "pass", "skipped": "not asked for"}


def bgp_diagnosis(read: Mapping[str, Any], at: str) -> dict[str, Any]:
    """The diagnosis as plain data: {version, at, asked, nodes, verdict, stage, reason, remedy, stages, logs, ...}.

    read: the registered results cluster (of vip_info), cilium (of cilium_bgp_info), routes, policies and answers (of
    loops of frr_bgp_info, frr_policy_info and port_info), asked ({service, vip}) and targets, the names of nodes
    that people asked for.
    """
    cluster = read["cluster"] if "asked" in read["cluster"] else None
    found = examine(
        {
            "cluster": cluster,
            "problem": "" if cluster else failure_reason(read["cluster"]),
            "agents": _agents(read["cilium"], cluster),
            "routers": _routers(read["routes"], read["policies"]),
            "answers": _answers(read["answers"]),
            "targets": list(read["targets"]),
        }
    )
    return {
        "version": 1,
        "at": at,
        "asked": cluster["asked"] if cluster else dict(read["asked"]),
        "strict": strict(cluster) if cluster else False,
        "nodes": [node["name"] for node in cluster["nodes"]] if cluster else [],
        **found,
        "logs": cluster["logs"] if cluster else [],
        "logs_missing": cluster["logs_missing"] if cluster else [],
    }


def _agents(read: Mapping[str, Any], cluster: Mapping[str, Any] | None) -> dict[str, Any]:
    """What each agent says, by the name of its node; where it couldn't be asked, why."""
    if "nodes" in read:
        return {node["name"]: node for node in read["nodes"]}
    reason = "" if read.get("skipped") else failure_reason(read)
    nothing: dict[str, Any] = {"sessions": [], "routes": None, "reason": reason}
    return {node["name"]: nothing for node in (cluster or {"nodes": []})["nodes"]}


def _routers(routes: Mapping[str, Any], policies: Mapping[str, Any]) -> dict[str, Any]:
    """What each router knows and is configured to do, by its name."""
    found = {}
    by_router = {answer[ROUTER]: answer for answer in policies.get("results", [])}
    for answer in routes.get("results", []):
        policy = by_router.get(answer[ROUTER], {"msg": "its configuration wasn't read"})
        known, configured = "neighbors" in answer, "configuration" in policy
        wrong = [each for each, good in ((answer, known), (policy, configured)) if not good]
        away = "unreachable by SSH: " if any(each.get("unreachable") for each in wrong) else ""
        found[answer[ROUTER]] = {
            "neighbors": answer["neighbors"] if known else None,
            "fib": answer["fib"] if known else None,
            "policy": policy if configured else None,
            "problem": away + "; ".join(dict.fromkeys(failure_reason(each) for each in wrong)),
        }
    return found


def _answers(read: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What answered, with who tried; a host that couldn't try is unknown."""
    found = []
    for answer in read.get("results", []):
        tried_from = answer.get(ROUTER)
        if "answers" in answer:
            found += [{**each, "tried_from": tried_from} for each in answer["answers"]]
        elif not answer.get("skipped"):
            reason = failure_reason(answer)
            nothing = {"address": "VIPs", "port": "?", "protocol": "?", "answers": None, "reason": reason}
            found.append({**nothing, "tried_from": tried_from})
    return found


def diagnosis_subject(diagnosis: Mapping[str, Any]) -> str:
    """What was looked at, in words."""
    asked = diagnosis["asked"]
    if asked["service"]:
        return f"Service {asked['service']}"
    return f"VIP {asked['vip']}" if asked["vip"] else "the configuration"


def diagnosis_verdict(diagnosis: Mapping[str, Any]) -> str:
    """The verdict in one line."""
    if diagnosis["verdict"] == "pass":
        return f"{diagnosis_subject(diagnosis)}: no stage fails"
    name = next(stage["name"] for stage in diagnosis["stages"] if stage["number"] == diagnosis["stage"])
    how = "fails at" if diagnosis["verdict"] == "fail" else "is unknown at"
    return f"{diagnosis_subject(diagnosis)} {how} stage {diagnosis['stage']} ({name}): {diagnosis['reason']}"


def diagnosis_lines(diagnosis: Mapping[str, Any], paths: Iterable[str] = ()) -> list[str]:
    """What people see: the stages, what is wrong with a remedy each, the lines of logs, and the verdict last."""
    rows = [
        (f"{stage['number']:2d}", stage["name"], WORDS[stage["status"]], _first(stage)) for stage in diagnosis["stages"]
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    lines = [
        "  ".join([*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[3]]) for row in rows
    ]
    lines.append("")
    for stage in diagnosis["stages"]:
        lines += _wrong(stage, diagnosis["strict"])
    if diagnosis["verdict"] != "pass":
        lines += [f"log of {log['pod']}: {line}" for log in diagnosis["logs"] for line in log["lines"]]
        lines += list(diagnosis["logs_missing"])
    lines += ["", diagnosis_verdict(diagnosis)]
    lines += [f"-> {diagnosis['remedy']}"] if diagnosis["remedy"] else []
    return [*lines, *paths]


def _wrong(stage: Mapping[str, Any], strict: bool) -> list[str]:
    """What is wrong in a stage, each with its remedy; what has the same remedy is told once."""
    words = {"fail": WORDS["fail"], "unknown": WORDS["unknown"], "note": "warning"}
    words["defect"] = WORDS["fail"] if strict else "warning"
    groups: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    for each in stage["findings"]:
        if each["level"] in words:
            groups.setdefault((words[each["level"]], each["remedy"] or each["reason"]), []).append(each)
    lines = []
    for (word, _same), found in list(groups.items())[:MOST]:
        more = f" (and {len(found) - 1} more like it)" if len(found) > 1 else ""
        lines.append(f"{stage['number']:2d} {word}: {found[0]['subject']}: {found[0]['reason']}{more}")
        lines += [f"   -> {found[0]['remedy']}"] if found[0]["remedy"] else []
    if len(groups) > MOST:
        lines.append(f"   and {len(groups) - MOST} others of stage {stage['number']}, in the files")
    return lines


def _first(stage: Mapping[str, Any]) -> str:
    """The finding that says most of a stage."""
    listed = stage["findings"]
    wanted = {"fail": ("fail", "defect"), "unknown": ("unknown",)}.get(stage["status"], ("pass",))
    telling = [each for each in listed if each["level"] in wanted]
    if not telling:
        return "" if stage["status"] == "skipped" else "nothing could be looked at"
    more = f" (and {len(telling) - 1} more)" if len(telling) > 1 else ""
    # The whole of what is wrong follows below the table.
    return excerpt(f"{telling[0]['subject']}: {telling[0]['reason']}") + more


class FilterModule:
    """The doctor's filters."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Name -> function."""
        return {
            "bgp_diagnosis": bgp_diagnosis,
            "diagnosis_subject": diagnosis_subject,
            "diagnosis_verdict": diagnosis_verdict,
            "diagnosis_lines": diagnosis_lines,
        }
