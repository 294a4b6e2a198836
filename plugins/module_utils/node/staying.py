# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to hitless.nodes: it may change in any release, don't import it from elsewhere.

"""What a node goes on announcing when Cilium has closed its sessions, as the loopback of a routing daemon on the host.

Nobody can wait until that is gone. But a Service's VIP, or pods' addresses, are never taken for it.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from ..base.net import prefix
from . import announcers


@dataclass
class Staying:
    """The prefixes that stay, why that can't be so, and what isn't sure."""

    prefixes: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


def staying(
    name: str,
    found: Iterable[str],
    named: Iterable[str],
    services: list[dict[str, Any]] | None,
    pod_cidrs: Iterable[str],
    advertised: Callable[[], set[str] | str],
) -> Staying:
    """What stays of the prefixes that routers have of the node.

    named: by the user. services None: they aren't known. advertised: the prefixes that the node's agent says it
    announces, or why they are unknown; it is only asked if a prefix is neither a Service's nor in pod_cidrs.
    """
    found = sorted(set(found))
    asked = {prefix(each) for each in named}
    vips = set(announcers.vips([*found, *asked], services or []))
    pods = [ipaddress.ip_network(each) for each in pod_cidrs]
    result = Staying(sorted(asked & set(found)))
    for each in sorted(asked):
        if each in vips or _overlaps(each, pods):
            kind = "a Service's VIP" if each in vips else "of pods"
            result.problems.append(
                f"claim_staying_prefixes names {each}, which is {kind}, so it must be gone before the node is: take it "
                f"out of claim_staying_prefixes"
            )
    others = [each for each in found if each not in asked | vips and not _overlaps(each, pods)]
    if others and services is not None:
        _judge(result, name, found, others, advertised())
    return result


def _judge(result: Staying, name: str, found: list[str], others: list[str], said: set[str] | str) -> None:
    """Adds what the agent's word means for the prefixes that are neither Services' nor pods'."""
    listed = ", ".join(others)
    if isinstance(said, str):
        result.warnings.append(
            f"{name}: {listed} is neither a Service's VIP nor of pods, and whether Cilium announces it is unknown "
            f"({said}): if it stays when Cilium's sessions are closed, name it in claim_staying_prefixes"
        )
        return
    by_others = [each for each in others if each not in said]
    if by_others and not said.intersection(found):
        result.problems.append(
            f"routers have {listed} of {name}, and its agent says that it announces none of their prefixes, so what "
            f"stays when its sessions are closed is unknown: name it in claim_staying_prefixes"
        )
    elif by_others:
        result.prefixes = sorted({*result.prefixes, *by_others})
        result.warnings.append(
            f"{name}: {', '.join(by_others)} isn't announced by Cilium, so it stays on the routers, and nobody waits "
            f"until it is gone"
        )


def _overlaps(text: str, networks: list[ipaddress.IPv4Network | ipaddress.IPv6Network]) -> bool:
    own = ipaddress.ip_network(text)
    return any(own.version == each.version and own.overlaps(each) for each in networks)
