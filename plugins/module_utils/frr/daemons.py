# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to hitless.nodes: it may change in any release, don't import it from elsewhere.

"""How FRR was started on this host: its daemons' arguments and its unit's order. What can't be known is None."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

PROC = Path("/proc")
UNIT = "frr.service"


def arguments(name: str, proc: Path = PROC) -> list[str] | None:
    """The arguments of the one daemon of that name that runs here; None where there is none, or more than one."""
    found = []
    for folder in proc.iterdir():
        if not folder.name.isdigit():
            continue
        try:
            words = (folder / "cmdline").read_bytes().decode("utf-8", "replace").split("\0")
        except OSError:  # It has just ended.
            continue
        if words[0].rsplit("/", 1)[-1] == name:
            found.append([word for word in words[1:] if word])
    return found[0] if len(found) == 1 else None


def listen_port(bgpd: list[str] | None) -> int | None:
    """The port on which bgpd listens, by its arguments; 0 where it doesn't, None where that isn't known."""
    if bgpd is None:
        return None
    port = "179"
    for word, following in zip(bgpd, [*bgpd[1:], ""]):
        if word in ("-p", "--bgp_port"):
            port = following
        elif word.startswith("--bgp_port="):
            port = word.split("=", 1)[1]
        elif word.startswith("-p") and word[2:].isdigit():
            port = word[2:]
    return int(port) if port.isdigit() else None


def v6_rr_semantics(zebra: list[str] | None) -> bool | None:
    """Whether zebra replaces IPv6 routes in one step, by its arguments; None where they aren't known."""
    return None if zebra is None else "--v6-rr-semantics" in zebra


def unit_order(text: str) -> dict[str, list[str]] | None:
    """{after, before} in the answer to "systemctl show"; None where there is no such unit."""
    said = dict(line.split("=", 1) for line in text.splitlines() if "=" in line)
    if said.get("LoadState") != "loaded":
        return None
    return {"after": said.get("After", "").split(), "before": said.get("Before", "").split()}


def unit(*, timeout: float = 10.0) -> dict[str, list[str]] | None:
    """{after, before} of FRR's unit, None where systemd has none or isn't there."""
    command = ["systemctl", "show", UNIT, "--property=LoadState,After,Before"]
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=timeout, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return unit_order(done.stdout.decode("utf-8", "replace"))


def facts(*, elsewhere: bool) -> dict[str, Any]:
    """What frr_policy_info returns of the host. elsewhere: FRR may not be the one that this host's systemd starts."""
    return {
        "listen_port": listen_port(arguments("bgpd")),
        "v6_rr_semantics": v6_rr_semantics(arguments("zebra")),
        "unit": None if elsewhere else unit(),
    }
