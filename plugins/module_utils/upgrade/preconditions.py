# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to hitless.nodes: it may change in any release, don't import it from elsewhere.

"""Why no agent should be restarted now, by what Cilium's operator and its BGP objects say."""

from __future__ import annotations

from dataclasses import dataclass, field

from ..cilium import objects, operator_lease
from ..cilium.selection import Config
from ..kube.client import Client
from .version_step import comes_to

# The first version that doesn't know CiliumBGPPeeringPolicies any more.
WITHOUT_POLICIES = (1, 19)


@dataclass
class Found:
    """What stands against restarts, and what only has to be said."""

    problems: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


def look(client: Client, namespace: str, new_images: list[str]) -> Found:
    """What was found just now; new_images: those of the version that comes."""
    found = Found()
    operator = operator_lease.look(client, namespace)
    if operator.problem:
        found.problems.append(operator.problem)
    if operator.warning:
        found.warnings.append(operator.warning)
    for config in objects.configs(client).items:
        found.problems += _condition_problems(config)
        if config.kind == "CiliumBGPPeeringPolicy" and comes_to(new_images, WITHOUT_POLICIES):
            found.problems.append(
                f"CiliumBGPPeeringPolicy {config.name} is there, and Cilium 1.19 doesn't know this kind any more: "
                f"nodes that it selects would lose their sessions; go over to CiliumBGPClusterConfig first"
            )
    return found


def _condition_problems(config: Config) -> list[str]:
    """The conditions that say that something is wrong."""
    problems = []
    for condition in config.conditions:
        if condition.get("status") == "True":
            words = condition.get("message") or condition.get("reason")
            problems.append(f"{config.kind} {config.name} says {condition.get('type')}: {words}")
    return problems
