# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to hitless.nodes: it may change in any release, don't import it from elsewhere.

"""The last line of a maintenance that failed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

LOST = (
    "its record is gone, or another run has it, so nothing was put back: check label and cordon of the "
    "node, and correct them by hand"
)


def what_failed(failure: Mapping[str, Any], host: str) -> str:
    """The node, and why it failed. The task is added if the reason doesn't say what was wanted."""
    reason = failure["reason"].rstrip(".")
    # Our own messages begin with the node and say what was wanted.
    return reason if reason.startswith(host) else f"{host}: {failure['task']}: {reason}"


def put_back_failed(failure: Mapping[str, Any]) -> str:
    """The text for a node that could not be put back."""
    return f"putting it back failed as well: {failure.get('left', '')}; its record is kept"


def not_read(failure: Mapping[str, Any]) -> str:
    """The text for a record that could not be read."""
    return f"how far it came could not be read ({failure.get('left', '')}), so nothing was put back"


def failure_line(failure: Mapping[str, Any], host: str, direction: str, undone: str = "") -> str:
    """What failed and why, how the node was left, and what to do now.

    failure: {task, reason, end, left}. undone: which routes aren't back although the node was put back.
    """
    what = what_failed(failure, host)
    back = f"ansible-playbook hitless.nodes.node_in -e target={host}"
    if failure["end"] == "refused":
        return f"{what}; nothing was changed"
    if failure["end"] == "put back":
        rest = f", but not all routes are back: {undone}" if undone else ""
        return f"{what}; the node was put back as it was{rest}"
    if failure["end"] == "left":
        return f"{what}; {put_back_failed(failure)}, go on with: {back}"
    if failure["end"] == "unread":
        return f"{what}; {not_read(failure)}; go on with: {back}"
    if failure["end"] == "lost":
        return f"{what}; {LOST}"
    again = f"run ansible-playbook hitless.nodes.node_{direction} -e target={host} again, or "
    then = f"{'' if direction in ('in', 'probe') else again}bring it back with: {back}"
    return f"{what}; it stays out of service and its record is kept; to go on, {then}"
