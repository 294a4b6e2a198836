# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to hitless.nodes: it may change in any release, don't import it from elsewhere.

"""How far a run over many nodes is: which are done, how long they took, and how to go on with the rest."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any


def seconds_of_done(hosts: Iterable[str], results: Iterable[Mapping[str, Any]]) -> dict[str, float]:
    """Host -> seconds that it took, for the hosts that ended well in this run.

    results: for each host the result of maintenance_report, {} if there is none.
    """
    done = {}
    for host, result in zip(hosts, results, strict=True):
        summary = result.get("summary")
        if summary and not summary["failure"]:
            done[host] = float(summary["seconds"])
    return done


def resume_line(hosts: Iterable[str], done: Iterable[str], why: str, playbook: str, options: str = "") -> str:
    """The last line of a run that begins no more nodes: how many are done, and the command for the rest."""
    hosts, done = list(hosts), set(done)
    rest = ",".join(host for host in hosts if host not in done)
    command = f"ansible-playbook hitless.nodes.{playbook} -e target={rest}{' ' + options if options else ''}"
    return f"{len(done)} of {len(hosts)} nodes are done, and no more is begun: {why}; resume with: {command}"
