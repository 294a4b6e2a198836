# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to hitless.nodes: it may change in any release, don't import it from elsewhere.

"""Variables that nothing reads. Most likely the name was mistyped. Pure functions."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable, Mapping

# Our variables begin with these. Variables of other software may begin with them, too.
PREFIXES = (
    "agent_",
    "bgp_",
    "claim_",
    "doctor_",
    "drain_",
    "kube_",
    "maintenance_",
    "power_",
    "probe_",
    "report_",
    "router_",
    "status_",
)
# How similar two names must be to count as a typing error, from 0 to 1.
ALIKE = 0.85


def unknown(given: Iterable[str], known: Collection[str], *, typed: Collection[str] = ()) -> Mapping[str, str]:
    """Names with our prefixes that no option has -> the nearest name of an option, "" if none is near.

    given: the names of a host's variables. typed: the names on the command line. These are meant for this run, so they
    are always reported. A variable of the inventory may belong to other software. It is only reported if it is nearly
    the same as one of ours.
    """
    found = {}
    for name in sorted(given):
        if name in known or not name.startswith(PREFIXES):
            continue
        nearest = difflib.get_close_matches(name, sorted(known), n=1, cutoff=ALIKE)
        if nearest or name in typed:
            found[name] = nearest[0] if nearest else ""
    return found


def line(name: str, nearest: str) -> str:
    """The message for such a name."""
    hint = f"did you mean {nearest}?" if nearest else "see docs/variables.md for those that there are"
    return f"no playbook or role has a variable {name}: {hint}"
