# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to hitless.nodes: it may change in any release, don't import it from elsewhere.

"""One module on all routers at the same time. So the slowest router decides how long it takes, not their number."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from ansible.plugins.action import ActionBase
from ansible_collections.hitless.nodes.plugins.module_utils.record import router_answers
from ansible_collections.hitless.nodes.plugins.plugin_utils import _other_hosts, _side_by_side

MODULES = ("frr_bgp_info", "frr_bgp_wait", "frr_bgp_neighbor", "frr_policy_info")
Answers = dict[str, dict[str, Any]]


def ask(
    caller: ActionBase,
    task_vars: dict[str, Any],
    module: str,
    arguments: Mapping[str, dict[str, Any]],
    *,
    stop_early: bool = False,
    check_mode: bool | None = None,
) -> tuple[Answers, list[Any], list[Any]]:
    """Router -> its module's result, and the warnings and diffs of all. arguments: router -> the module's options.

    stop_early: one router that fails is enough. The others are stopped, and have no result.
    """
    jobs = {}
    for router, own in arguments.items():
        jobs[router] = partial(
            _other_hosts.run_action,
            caller,
            task_vars,
            router,
            f"hitless.nodes.{module}",
            own,
            check_mode=check_mode,
        )
    found = _side_by_side.run_all(jobs, stop_when=router_answers.is_bad if stop_early else None)
    warnings: list[Any] = []
    diffs: list[Any] = []
    answers: Answers = {}
    for router, result in found.items():
        warnings += result.pop("warnings", None) or []
        result.pop("deprecations", None)
        diff = result.pop("diff", None) or []
        diffs += diff if isinstance(diff, list) else [diff]
        answers[router] = router_answers.plain(result)
    return answers, warnings, diffs
