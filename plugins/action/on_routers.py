# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import time
from typing import Any

from ansible.plugins.action import ActionBase
from ansible_collections.hitless.nodes.plugins.module_utils.record import router_answers
from ansible_collections.hitless.nodes.plugins.plugin_utils import _on_routers

ARGUMENT_SPEC = {
    "module": {"type": "str", "required": True, "choices": list(_on_routers.MODULES)},
    "routers": {"type": "list", "elements": "str", "required": True},
    "arguments": {"type": "dict", "default": {}},
    "node": {"type": "str", "default": ""},
    "stop_early": {"type": "bool", "default": False},
    "must_answer": {"type": "bool", "default": True},
    "since": {"type": "str", "default": ""},
    "after": {"type": "dict", "default": {}},
}


class ActionModule(ActionBase):
    """Runs a module of this collection on all routers at the same time."""

    TRANSFERS_FILES = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """{answers, problem, seconds}, and failed with one line unless all routers gave a good answer."""
        super().run(tmp, task_vars)
        _validation, options = self.validate_argument_spec(argument_spec=ARGUMENT_SPEC)
        answers, warnings, diffs = _on_routers.ask(
            self,
            task_vars or {},
            options["module"],
            self._arguments(options),
            stop_early=options["stop_early"],
        )
        problem = router_answers.problem(answers, options["routers"], options["node"])
        result: dict[str, Any] = {
            "changed": any(answer.get("changed") for answer in answers.values()),
            "answers": answers,
            "problem": problem,
            "seconds": router_answers.seconds(answers, options["since"]) if options["since"] else {},
        }
        if problem and options["must_answer"]:
            result |= {"failed": True, "msg": problem}
        if warnings:
            result["warnings"] = warnings
        if diffs:
            result["diff"] = diffs
        return result

    @staticmethod
    def _arguments(options: dict[str, Any]) -> dict[str, dict[str, Any]]:
        """The module's options for each router. After an earlier wait, also for how long its state has held there."""
        arguments = {}
        for router in options["routers"]:
            arguments[router] = dict(options["arguments"])
            if options["after"]:
                held = router_answers.held_seconds(options["after"].get(router), time.monotonic())
                arguments[router]["held"] = held
        return arguments
