# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ansible_collections.hitless.nodes.plugins.module_utils.base.task_results import failure_reason


class FilterModule:
    """The filter that says why a task failed."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Name -> function."""
        return {"failure_reason": failure_reason}
