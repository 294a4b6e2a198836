# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to hitless.nodes: it may change in any release, don't import it from elsewhere.

"""What is said of an upgrade that failed. Pure functions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

# End of a failure -> what it means for the node.
STATES = {
    "refused": "nothing was changed on it",
    "put back": "its agent was not restarted, and it was put back as it was",
    "held": "its record is kept",
    "lost": (
        "its record is gone, or another run has it: see what the node is like, and set label and cordon right by hand"
    ),
}
OUT_OF_SERVICE = "it stays out of service and its record is kept"


def upgrade_failure_line(failure: Mapping[str, Any], host: str, untouched: Sequence[str], target: str) -> str:
    """The last line of an upgrade that failed at a node: what, why, which nodes it never touched, and what now.

    failure: {task, reason, end, left}. untouched: the hosts whose nodes were not claimed.
    """
    reason = failure["reason"].rstrip(".")
    # Our own messages begin with the node and say what was wanted; others need the task's name for that.
    what = reason if reason.startswith(host) else f"{host}: {failure['task']}: {reason}"
    state = STATES.get(failure["end"], OUT_OF_SERVICE)
    if failure["end"] == "left":
        state = f"putting it back failed as well: {failure.get('left', '')}; its record is kept"
    if failure["end"] == "unread":
        state = f"how far it came could not be read ({failure.get('left', '')}), so nothing was put back"
    rest = f"; not touched: {', '.join(untouched)}" if untouched else ""
    command = f"ansible-playbook hitless.nodes.cilium_upgrade -e target={target}"
    return (
        f"{what}; {state}{rest}; the DaemonSet restarts no agent by itself until all agents are of one template: go on "
        f"with the same command, or roll back with: {command} -e agent_rollback=true"
    )
