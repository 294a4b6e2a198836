# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to hitless.nodes: it may change in any release, don't import it from elsewhere.

"""How many nodes at once: for agents that are restarted also in which order, never in two zones at once."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from ..base.errors import HitlessError

SIZE = re.compile(r"[1-9]\d*|(?:100|[1-9]\d?)%")


def sizes(value: Any) -> list[int | str]:
    """What Ansible's serial takes: numbers of hosts or percentages of them; raises HitlessError.

    Ansible itself takes 0 for all hosts at once.
    """
    found: list[int | str] = []
    for one in value if isinstance(value, list) else [value]:
        text = str(one).strip()
        if not SIZE.fullmatch(text):
            break
        found.append(text if text.endswith("%") else int(text))
    else:
        if found:
            return found
    raise HitlessError(f"{value!r}, and must be a number from 1 on, a percentage such as 20%, or a list of these")


def batches(
    hosts: Sequence[str], zones: Mapping[str, str | None], size: int, *, first: str | None = None
) -> list[list[str]]:
    """The hosts in batches of at most size, each of one zone; a zone is done before the next one begins.

    first: the host that is restarted before all others, alone, since it measures; its zone comes first, too, then the
    others as they appear among the hosts. zones: host -> zone, None where its node says none: where others do, it may
    be in any of them, and is alone; where nobody does, there are no zones.
    """
    order = [*([first] if first is not None else []), *(host for host in hosts if host != first)]
    zoned = any(zones.get(host) is not None for host in hosts)
    groups: dict[tuple[str, str], list[str]] = {}
    for host in order:
        zone = zones.get(host)
        key = ("zone", zone) if zone is not None else ("host", host) if zoned else ("zone", "")
        groups.setdefault(key, []).append(host)
    found = []
    for group in groups.values():
        if group[0] == first:
            found.append([group.pop(0)])
        found += [group[start : start + size] for start in range(0, len(group), size)]
    return found
