# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to hitless.nodes: it may change in any release, don't import it from elsewhere.

"""What needs the controller: who runs this playbook, and what a long wait is waiting for."""

from __future__ import annotations

import getpass
import os
import time
from typing import Any

from ansible.plugins.action import ActionBase
from ansible.utils.display import Display
from ansible_collections.hitless.nodes.plugins.module_utils.record import runs
from ansible_collections.hitless.nodes.plugins.plugin_utils import _reach

display = Display()

SLICE_SECONDS = 12.0


def _user() -> str:
    """The login name, or the uid if there is no name (containers with an arbitrary uid)."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"uid {os.getuid()}"


def holder(task_vars: dict[str, Any], host: str) -> str:
    """Who runs this, for people: the AWX job and its user, or user@host."""
    for prefix in ("awx", "tower"):
        job = task_vars.get(f"{prefix}_job_id")
        if job:
            user = task_vars.get(f"{prefix}_user_name") or task_vars.get(f"{prefix}_schedule_name") or "no user"
            return f"awx job {job} ({user})"
    return f"{_user()}@{host}"


def run_identity(task_vars: dict[str, Any]) -> dict[str, Any]:
    """What identifies this ansible-playbook. Called in a worker, whose parent it is."""
    run = runs.identity(os.getppid())
    return {"holder": holder(task_vars, run["host"]), **run}


class SlicedAction(ActionBase):
    """Runs the module of the action's name in slices until it is finished, with progress lines between.

    A module that doesn't wait has no slices. It only needs the way to the cluster from here.
    """

    TRANSFERS_FILES = False
    _supports_async = True
    # A module that writes Nodes has to know who runs it. A module that only reads has no such option.
    SENDS_RUN = True
    WAITS = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """The module's result, with "changed" and the diffs of all its slices."""
        super().run(tmp, task_vars)
        variables = task_vars or {}
        args = self.arguments(variables)
        if self.SENDS_RUN:
            args["_run"] = run_identity(variables)
        if not self.WAITS or self._task.async_val:
            once: dict[str, Any] = self._execute_module(
                module_args=args, task_vars=variables, wrap_async=self._task.async_val
            )
            return once

        started = time.monotonic()
        state: dict[str, Any] = {}
        slices = 0
        changed = False
        diffs: list[Any] = []
        while True:
            known = {"elapsed": time.monotonic() - started, "slices": slices}
            slice_args = {"_slice": SLICE_SECONDS, "_state": state | known}
            result: dict[str, Any] = self._execute_module(module_args=args | slice_args, task_vars=variables)
            changed = changed or bool(result.get("changed"))
            diff = result.pop("diff", None)
            diffs += diff if isinstance(diff, list) else [diff] if diff else []
            unfinished = result.pop("_unfinished", None)
            if unfinished is None:
                break
            state = unfinished["state"]
            slices += 1
            elapsed = time.monotonic() - started
            display.display(f"{unfinished['subject']}: {elapsed:.0f} s: {unfinished['progress']}")
        result["changed"] = changed
        if diffs:
            result["diff"] = diffs[0] if len(diffs) == 1 else diffs
        return result

    def arguments(self, variables: dict[str, Any]) -> dict[str, Any]:
        """The task's arguments, completed by what the inventory says of the cluster."""
        return _reach.options(_reach.CLUSTER, self._task.args, variables, self._templar.template)
