# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display
from ansible_collections.hitless.nodes.plugins.module_utils.base.errors import HitlessError
from ansible_collections.hitless.nodes.plugins.module_utils.report.failure import (
    failure_line as maintenance_failure_line,
)
from ansible_collections.hitless.nodes.plugins.module_utils.report.lines import summary_lines
from ansible_collections.hitless.nodes.plugins.module_utils.report.measured import measured_lines
from ansible_collections.hitless.nodes.plugins.module_utils.report.page import report_page
from ansible_collections.hitless.nodes.plugins.module_utils.report.plan import maintenance_plan
from ansible_collections.hitless.nodes.plugins.module_utils.report.summary import (
    maintenance_summary,
    outcome_of,
    was_begun,
)
from ansible_collections.hitless.nodes.plugins.module_utils.report.upgrade_lines import upgrade_failure_line
from ansible_collections.hitless.nodes.plugins.plugin_utils._report_files import make_writable, write_report

display = Display()

ARGUMENT_SPEC = {
    "state": {"type": "str", "choices": ["written", "redrawn", "writable"], "default": "written"},
    "node": {"type": "str"},
    "host": {"type": "str", "default": ""},
    "direction": {"type": "str", "choices": ["maintenance", "out", "in", "probe", "upgrade"]},
    "sources": {"type": "list", "elements": "dict", "default": []},
    "failure": {"type": "dict", "default": {}},
    "undone": {"type": "str", "default": ""},
    "target": {"type": "str", "default": ""},
    "untouched": {"type": "list", "elements": "str", "default": []},
    "claimed": {"type": "dict", "default": {}},
    "info": {"type": "dict", "default": {}},
    "drained": {"type": "dict", "default": {}},
    "action": {"type": "str", "choices": ["poweroff", "reboot", "none", "pause"], "default": "poweroff"},
    "estimates": {
        "type": "dict",
        "options": {"routers": {"type": "dict", "required": True}, "cilium": {"type": "dict", "required": True}},
    },
    "probe": {"type": "path", "default": ""},
    "report": {"type": "path", "default": ""},
    "folder": {"type": "path", "default": ""},
    "name": {"type": "str", "default": ""},
}
REQUIRED_IF = [("state", "written", ("node", "direction"))]


class ActionModule(ActionBase):
    """Reports one node's maintenance, in the terminal and in files on the controller."""

    TRANSFERS_FILES = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """{summary, files, line}; never changed, because a report changes nothing of what it reports."""
        super().run(tmp, task_vars)
        _validation, options = self.validate_argument_spec(argument_spec=ARGUMENT_SPEC, required_if=REQUIRED_IF)
        host = options["host"] or (task_vars or {}).get("inventory_hostname", options["node"])
        line = ""
        try:
            if options["state"] == "writable":
                make_writable(options["folder"], check_mode=self._task.check_mode)
                return {"changed": False, "summary": {}, "files": [], "line": ""}
            line = failure_line(options, host)
            summary = redrawn(options) if options["state"] == "redrawn" else written(options, self._task.check_mode)
            files = self._show(summary, options) if summary else []
        except HitlessError as exc:
            # The reason why the node failed must not be lost because of the report.
            raise AnsibleActionFail("; ".join(each for each in (line, exc.msg) if each)) from exc
        return {"changed": False, "summary": summary, "files": files, "line": line}

    def _show(self, summary: dict[str, Any], options: dict[str, Any]) -> list[str]:
        """Prints and writes the summary; returns the paths of the files."""
        lines = summary_lines(summary)
        if options["estimates"]:
            lines = measured_lines(summary, options["estimates"]["routers"], options["estimates"]["cilium"]) + lines
        for line in lines:
            display.display(line)
        files = write_report(
            options["folder"],
            options["name"] or file_name(summary),
            summary,
            ("report.html.j2", report_page(summary)),
            check_mode=self._task.check_mode,
        )
        for file in files:
            display.display(f"  {file}")
        return files


def failure_line(options: dict[str, Any], host: str) -> str:
    """The last line of a run that failed, "" if it didn't fail."""
    failure, direction = options["failure"], options["direction"]
    if not failure:
        return ""
    if direction == "upgrade":
        return upgrade_failure_line(failure, host, options["untouched"], options["target"])
    return maintenance_failure_line(failure, host, direction, options["undone"])


def written(options: dict[str, Any], check_mode: bool) -> dict[str, Any]:
    """The summary of what happened, {} if the node was not claimed."""
    direction, failure = options["direction"], options["failure"]
    if not was_begun(options["sources"], failure):
        return {}
    plan = []
    if check_mode and direction != "upgrade":
        plan = maintenance_plan(options["claimed"], options["info"], options["drained"], direction, options["action"])
    outcome = outcome_of(direction, failure, check_mode=check_mode)
    return maintenance_summary(
        options["sources"], options["node"], outcome, failure, read_probe(options["probe"]), plan
    )


def redrawn(options: dict[str, Any]) -> dict[str, Any]:
    """The summary of an earlier report, with the prober's file as it is now."""
    path = options["report"]
    if not path or not Path(path).is_file():
        example = "hitless-reports/worker-3-20260302T220001Z.json"
        raise HitlessError(f"which report? Give its JSON file: -e report_json={example}")
    try:
        earlier = json.loads(Path(path).read_text(encoding="utf-8"))
        node, outcome, failure = earlier["node"], earlier["outcome"], earlier["failure"]
    except (OSError, ValueError, TypeError, KeyError) as exc:
        raise HitlessError(f"report_json: {path} is not the JSON file of a report") from exc
    return maintenance_summary([earlier], node, outcome, failure, read_probe(options["probe"]))


def read_probe(path: str) -> dict[str, Any]:
    """What a prober wrote, or that its file is of no use; {} if no file was named."""
    if not path:
        return {}
    if not Path(path).is_file():
        return {"missing": path}
    try:
        found = json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        found = None
    return found if isinstance(found, dict) and found else {"unreadable": path}


def file_name(summary: dict[str, Any]) -> str:
    """The node and when it was begun. If it was not begun, the result instead."""
    began = re.sub(r"[-:]|\.[0-9]+", "", summary["started"] or "")
    return f"{summary['node']}-{began or summary['outcome'].replace(' ', '-')}"
