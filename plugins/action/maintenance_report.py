# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

display = Display()


class ActionModule(ActionBase):
    """Prints lines as they are, and writes files on the controller: both without starting a module there."""

    TRANSFERS_FILES = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """The paths of the files written; never changed, since it is about reports and not about what they report."""
        super().run(tmp, task_vars)
        _validation, options = self.validate_argument_spec(
            argument_spec={
                "folder": {"type": "path"},
                "lines": {"type": "list", "elements": "str", "default": []},
                "files": {"type": "dict", "default": {}},
            },
        )
        for line in options["lines"]:
            display.display(line)
        paths = []
        if options["folder"] and not self._task.check_mode:
            folder = Path(options["folder"])
            try:
                folder.mkdir(parents=True, exist_ok=True)
                paths = [write(folder / name, str(content)) for name, content in options["files"].items()]
                if not options["files"]:
                    write(folder / ".writable", "")
                    (folder / ".writable").unlink()
            except OSError as exc:
                raise AnsibleActionFail(
                    f"the report can't be written to {folder} on the controller: {exc.strerror or exc}; "
                    "say another place with report_dir, or nowhere with report_dir=''"
                ) from exc
        return {"changed": False, "files": paths}


def write(path: Path, content: str) -> str:
    """The path of a file that is there as a whole, or not at all."""
    handle, part = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(content)
        # mkstemp makes files for one user only; a report is for all who may see the folder.
        Path(part).chmod(0o644)
        Path(part).replace(path)
    except OSError:
        Path(part).unlink(missing_ok=True)
        raise
    return str(path)
