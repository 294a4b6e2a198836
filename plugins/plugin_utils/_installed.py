# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to hitless.nodes: it may change in any release, don't import it from elsewhere.

"""What is installed on the controller."""

from __future__ import annotations

import importlib.util


def has_collection(name: str) -> bool:
    """Whether a collection (namespace.name) is installed."""
    try:
        return importlib.util.find_spec(f"ansible_collections.{name}") is not None
    except ModuleNotFoundError:  # there isn't even another collection of that namespace
        return False
