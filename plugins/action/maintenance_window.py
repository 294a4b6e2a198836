# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display
from ansible_collections.hitless.nodes.plugins.module_utils.base.errors import HitlessError
from ansible_collections.hitless.nodes.plugins.module_utils.schedule import progress, windows

display = Display()

ARGUMENT_SPEC = {
    "window": {"type": "raw"},
    "deadline": {"type": "raw"},
    "expected": {"type": "float", "default": 0},
    # It has no default, because required_by would then always ask for a playbook.
    "hosts": {"type": "list", "elements": "str"},
    "results": {"type": "list", "elements": "dict", "default": []},
    "playbook": {"type": "str"},
    "resume_options": {"type": "str", "default": ""},
}


class ActionModule(ActionBase):
    """Says whether one more node may be begun, and if not, how to continue later."""

    TRANSFERS_FILES = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """{open, problem, line}."""
        super().run(tmp, task_vars)
        _validation, options = self.validate_argument_spec(
            argument_spec=ARGUMENT_SPEC, required_by={"hosts": "playbook"}
        )
        hosts, results = options["hosts"] or [], options["results"]
        if len(results) != len(hosts):
            raise AnsibleActionFail("results must have an item for each of the hosts")
        # In check mode it is always allowed to say what would be done.
        if self._task.check_mode:
            return {"changed": False, "open": True, "problem": "", "line": ""}
        done = progress.seconds_of_done(hosts, results)
        needed = max([options["expected"], *done.values()])
        try:
            problem = windows.objection(
                windows.parse(options["window"]),
                datetime.now(UTC),
                needed=needed or None,
                until=windows.deadline(options["deadline"]),
            )
        except HitlessError as exc:
            raise AnsibleActionFail(exc.msg) from exc
        line = ""
        if problem and hosts:
            line = progress.resume_line(hosts, done, problem, options["playbook"], options["resume_options"])
            display.display(line)
        return {"changed": False, "open": not problem, "problem": problem, "line": line}
