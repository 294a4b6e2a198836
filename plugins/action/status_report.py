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
from ansible_collections.hitless.nodes.plugins.module_utils.report.status import bgp_status, status_lines, status_page
from ansible_collections.hitless.nodes.plugins.plugin_utils._report_files import write_report

display = Display()

READ = ("info", "cilium", "routes")
ARGUMENT_SPEC: dict[str, Any] = {
    "hosts": {"type": "list", "elements": "str", "required": True},
    **{name: {"type": "list", "elements": "dict", "required": True} for name in READ},
    "folder": {"type": "path", "default": ""},
}


class ActionModule(ActionBase):
    """Shows nodes by routers, in the terminal and in files on the controller."""

    TRANSFERS_FILES = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """{summary, files}."""
        super().run(tmp, task_vars)
        _validation, options = self.validate_argument_spec(argument_spec=ARGUMENT_SPEC)
        columns = [options["hosts"], *(options[name] for name in READ)]
        if len({len(column) for column in columns}) > 1:
            raise AnsibleActionFail(f"{', '.join(READ)} must have an item for each of the hosts")
        reads = [dict(zip(("host", *READ), row, strict=True)) for row in zip(*columns, strict=True)]
        summary = bgp_status(reads, datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"))
        try:
            files = write_report(
                options["folder"],
                "bgp-status",
                summary,
                ("status.html.j2", status_page(summary)),
                check_mode=self._task.check_mode,
            )
        except HitlessError as exc:
            raise AnsibleActionFail(exc.msg) from exc
        for line in status_lines(summary, files):
            display.display(line)
        return {"changed": False, "summary": summary, "files": files}
