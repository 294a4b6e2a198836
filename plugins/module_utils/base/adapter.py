# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to hitless.nodes: it may change in any release, don't import it from elsewhere.

"""Shared by all modules: builds AnsibleModule, does the work, and turns an error into the result."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from .errors import HitlessError
from .polling import Unfinished

# Only the action plugins set these options, so they begin with an underscore and aren't documented.
RUN_OPTIONS: dict[str, Any] = {"_run": {"type": "dict"}}
# For modules that change a node after its claim.
CLAIMED_OPTIONS: dict[str, Any] = {"claimed": {"type": "bool", "default": False}}
SLICE_OPTIONS: dict[str, Any] = {"_slice": {"type": "float"}, "_state": {"type": "dict"}}


def run(
    work: Callable[[AnsibleModule], dict[str, Any]],
    argument_spec: dict[str, Any],
    *,
    libraries: Mapping[str, str | None] | None = None,
    **options: Any,
) -> None:
    """Ends the process with the result of work(module), or with the failure that it raised. Gives the warnings first.

    libraries: name of a Python package -> traceback of its failed import. None if the package is there.
    """
    module = AnsibleModule(argument_spec=argument_spec, supports_check_mode=True, **options)
    for library, failure in (libraries or {}).items():
        if failure:
            module.fail_json(msg=missing(library), exception=failure)
    try:
        result = work(module)
    except Unfinished as pause:
        handover = {"subject": pause.subject, "progress": pause.progress, "state": pause.state}
        module.exit_json(**{"changed": False, **pause.result, "_unfinished": handover})
    except HitlessError as exc:
        module.fail_json(msg=exc.msg, **_said(module, exc.facts))
    module.exit_json(**_said(module, result))


def missing(library: str) -> str:
    """What to do if a Python package is missing."""
    return (
        f"the Python package {library} is missing for {sys.executable}: {sys.executable} -m pip install {library}, or "
        f"set ansible_python_interpreter to a Python that has it"
    )


def _said(module: AnsibleModule, facts: dict[str, Any]) -> dict[str, Any]:
    """The result without its warnings, which were given before."""
    for line in facts.get("warnings", []):
        module.warn(line)
    return {key: value for key, value in facts.items() if key != "warnings"}
