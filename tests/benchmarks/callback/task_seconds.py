# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

from ansible.plugins.callback import CallbackBase

DOCUMENTATION = r"""
name: task_seconds
type: aggregate
short_description: Writes how long each task took
description:
  - Only for the benchmarks. Writes a line of JSON for each task into the file that E(TASK_SECONDS) names.
requirements: []
"""


class CallbackModule(CallbackBase):
    """Seconds from the start of a task until its result is there: what the module costs as Ansible runs it."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "task_seconds"
    CALLBACK_NEEDS_ENABLED = True

    def v2_playbook_on_task_start(self, task: Any, is_conditional: bool) -> None:  # noqa: ARG002 - Ansible's signature
        self._started = time.monotonic()

    def v2_runner_on_ok(self, result: Any) -> None:
        self._write(result)

    def v2_runner_on_failed(self, result: Any, ignore_errors: bool = False) -> None:  # noqa: ARG002
        self._write(result, ok=False)

    def _write(self, result: Any, *, ok: bool = True) -> None:
        seconds = time.monotonic() - self._started
        # ansible-core 2.18 has _result and _task, 2.19 and newer the names without underscore.
        task = getattr(result, "task", None) or result._task
        values = getattr(result, "result", None) or result._result
        row = {
            "task": task.action,
            "name": task.name,
            "seconds": seconds,
            "ok": ok,
            "msg": str(values.get("msg") or ""),
        }
        row["warnings"] = values.get("warnings") or []
        with Path(os.environ["TASK_SECONDS"]).open("a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")
