# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to hitless.nodes: it may change in any release, don't import it from elsewhere.

"""The last line of an upgrade that failed. Pure functions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .failure import LOST, not_read, put_back_failed, what_failed

# End of a failure -> what it means for the node.
STATES = {
    "refused": "nothing was changed on it",
    "put back": "its agent was not restarted, and it was put back as it was",
    "held": "its record is kept",
    "lost": LOST,
}
OUT_OF_SERVICE = "it stays out of service and its record is kept"


def upgrade_failure_line(failure: Mapping[str, Any], host: str, untouched: Sequence[str], target: str) -> str:
    """The last line of an upgrade that failed at a node: what failed, why, which nodes were not touched, what to do.

    failure: {task, reason, end, left}. untouched: the hosts whose nodes were not claimed.
    """
    states = {**STATES, "left": put_back_failed(failure), "unread": not_read(failure)}
    state = states.get(failure["end"], OUT_OF_SERVICE)
    rest = f"; not touched: {', '.join(untouched)}" if untouched else ""
    command = f"ansible-playbook hitless.nodes.cilium_upgrade -e target={target}"
    return (
        f"{what_failed(failure, host)}; {state}{rest}; the DaemonSet restarts no agent by itself until all agents are "
        f"of one template: go on with the same command, or roll back with: {command} -e agent_rollback=true"
    )
