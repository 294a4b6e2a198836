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
from ansible_collections.hitless.nodes.plugins.module_utils.doctor.registered import bgp_diagnosis
from ansible_collections.hitless.nodes.plugins.module_utils.report.diagnosis_lines import (
    diagnosis_lines,
    diagnosis_page,
    diagnosis_verdict,
)
from ansible_collections.hitless.nodes.plugins.plugin_utils._report_files import write_report

display = Display()

READ = ("cluster", "cilium", "routes", "policies", "answers")
ARGUMENT_SPEC: dict[str, Any] = {
    **{name: {"type": "dict", "required": True} for name in READ},
    "service": {"type": "str", "default": ""},
    "vip": {"type": "str", "default": ""},
    "nodes": {"type": "list", "elements": "str", "default": []},
    "folder": {"type": "path", "default": ""},
}


class ActionModule(ActionBase):
    """Judges where a VIP is lost, and shows it in the terminal and in files on the controller."""

    TRANSFERS_FILES = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """{diagnosis, line, files}."""
        super().run(tmp, task_vars)
        _validation, options = self.validate_argument_spec(argument_spec=ARGUMENT_SPEC)
        read = {name: options[name] for name in READ}
        asked = {"service": options["service"], "vip": options["vip"]}
        at = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        diagnosis = bgp_diagnosis({**read, "asked": asked, "targets": options["nodes"]}, at)
        try:
            files = write_report(
                options["folder"],
                "bgp-doctor",
                diagnosis,
                ("doctor.html.j2", diagnosis_page(diagnosis)),
                check_mode=self._task.check_mode,
            )
        except HitlessError as exc:
            raise AnsibleActionFail(exc.msg) from exc
        for line in diagnosis_lines(diagnosis, files):
            display.display(line)
        return {"changed": False, "diagnosis": diagnosis, "line": diagnosis_verdict(diagnosis), "files": files}
