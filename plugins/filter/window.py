# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Windows: whether there is time for one more node, and how a run goes on that had no more."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from ansible.errors import AnsibleFilterError
from ansible_collections.hitless.nodes.plugins.module_utils.base.errors import HitlessError
from ansible_collections.hitless.nodes.plugins.module_utils.schedule import windows as window_rules


def window_problem(windows: Any, needed: float | None = None, until: Any = None, now: str | None = None) -> str:
    """Why no node may be begun now, in one line; "" if one may.

    needed: seconds that a node takes, None = unknown. until: a deadline. now: the moment (RFC 3339) to judge by.
    """
    moment = datetime.fromisoformat(now) if now else datetime.now(UTC)
    try:
        return window_rules.objection(
            window_rules.parse(windows),
            moment,
            needed=float(needed) if needed else None,
            until=window_rules.deadline(until),
        )
    except HitlessError as exc:
        raise AnsibleFilterError(exc.msg) from exc


def longest_run(hostvars: Mapping[str, Mapping[str, Any]], hosts: Iterable[str]) -> float:
    """The most seconds that one of these hosts has taken in this run; 0.0 if none has come to its end."""
    return max((summary["seconds"] for _host, summary in _done(hostvars, hosts)), default=0.0)


def resume_line(
    hostvars: Mapping[str, Mapping[str, Any]], hosts: Iterable[str], why: str, playbook: str, options: str = ""
) -> str:
    """The last line of a run that had no more time: what is done, and the command for the rest."""
    hosts = list(hosts)
    done = [host for host, _summary in _done(hostvars, hosts)]
    rest = ",".join(host for host in hosts if host not in done)
    command = f"ansible-playbook hitless.nodes.{playbook} -e target={rest}{' ' + options if options else ''}"
    return f"{len(done)} of {len(hosts)} done, and no more is begun: {why}; resume with: {command}"


def _done(hostvars: Mapping[str, Mapping[str, Any]], hosts: Iterable[str]) -> list[tuple[str, Mapping[str, Any]]]:
    """The hosts whose summary of this run says that they came to a good end, with it."""
    found = [(host, hostvars[host].get("report_summary") or {}) for host in hosts]
    return [(host, summary) for host, summary in found if summary and not summary.get("failure")]


class FilterModule:
    """The filters about windows."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Name -> function."""
        return {"window_problem": window_problem, "longest_run": longest_run, "resume_line": resume_line}
