# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to hitless.nodes: it may change in any release, don't import it from elsewhere.

"""The two programs that a module asks on a router, and the options by which a user says how they are run."""

from __future__ import annotations

from typing import Any

from .iproute import Fib
from .place import Place
from .vtysh import Vtysh

# Documented in the doc fragment attributes.programs.
PROGRAMS: dict[str, Any] = {
    "vtysh": {"type": "str", "default": "vtysh"},
    "exec": {"type": "raw"},
}


def programs(params: dict[str, Any]) -> tuple[Vtysh, Fib]:
    """vtysh and ip as a module's options have them, both run in the same place."""
    place = Place(params["exec"])
    return Vtysh(params["vtysh"], place), Fib(place)
