# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to hitless.nodes: it may change in any release, don't import it from elsewhere.

"""Why no agent should be restarted now, by Cilium's operator and its BGP objects."""

from __future__ import annotations

from dataclasses import dataclass, field

from ..cilium import objects, operator_lease
from ..cilium.selection import Config
from ..kube.client import Client
from .version_step import comes_to

# The first version without CiliumBGPPeeringPolicies.
WITHOUT_POLICIES = (1, 19)


@dataclass
class Found:
    """problems: why no agent should be restarted. warnings: what the user should know all the same."""

    problems: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


def look(client: Client, namespace: str, new_images: list[str]) -> Found:
    """What was found now. new_images: the images of the new version."""
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
                f"CiliumBGPPeeringPolicy {config.name} exists, but Cilium no longer knows this kind from 1.19 on, so "
                f"the nodes that it selects would lose their sessions: change to a CiliumBGPClusterConfig first"
            )
    return found


def _condition_problems(config: Config) -> list[str]:
    """The conditions that report a fault, in words."""
    problems = []
    for condition in config.conditions:
        if condition.get("status") == "True":
            words = condition.get("message") or condition.get("reason")
            problems.append(f"{config.kind} {config.name} says {condition.get('type')}: {words}")
    return problems
