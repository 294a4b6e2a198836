# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to hitless.nodes: it may change in any release, don't import it from elsewhere.

"""Checks options that several modules for routers have, and brings each value to one spelling."""

from __future__ import annotations

import re
from typing import Any

from ..base.net import address, prefix
from .answers import RouterError


def checked_addresses(values: list[str]) -> set[str]:
    """The node's addresses in one spelling. Raises RouterError if there are none."""
    if not values:
        raise RouterError("option addresses is empty; give the addresses of the node, such as [192.0.2.11]")
    return {address(value) for value in values}


def checked_vrfs(values: list[str]) -> list[str]:
    """The VRFs to look at, each once. Raises RouterError for a bad name. Linux allows 15 characters."""
    for value in values:
        if not re.fullmatch(r"[A-Za-z0-9_.-]{1,15}", value):
            raise RouterError(f"'{value}' can't be the name of a VRF; give names such as default")
    if not values:
        raise RouterError("router_vrfs (the module's option vrfs) is empty; give at least [default]")
    return list(dict.fromkeys(values))


def checked_prefixes(values: Any, vrfs: list[str]) -> dict[str, list[str]]:
    """VRF -> prefixes. values: a list for every VRF, or a dict of lists. Raises RouterError for anything else."""
    if values == {}:
        raise RouterError("option prefixes is empty; give a list of prefixes, or a dictionary with a list for each VRF")
    by_vrf = dict(values) if isinstance(values, dict) else dict.fromkeys(checked_vrfs(vrfs), values)
    checked_vrfs([str(vrf) for vrf in by_vrf])
    for vrf, listed in by_vrf.items():
        if not isinstance(listed, list):
            raise RouterError(f"prefixes of VRF {vrf}: {listed!r} isn't a list; give [198.51.100.10/32, ...]")
    return {str(vrf): list(dict.fromkeys(prefix(each) for each in listed)) for vrf, listed in by_vrf.items()}


def checked_sessions(values: list[dict[str, Any]] | None) -> list[dict[str, Any]] | None:
    """Sessions as {vrf, address}, in one spelling. Raises RouterError for one without address. None stays None."""
    if values is None:
        return None
    for value in values:
        if "address" not in value:
            raise RouterError(
                f"{value!r} has no address; give each session with its address, such as address: 192.0.2.11"
            )
    return [{"vrf": value.get("vrf") or "default", "address": address(value["address"])} for value in values]
