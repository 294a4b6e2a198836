# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to hitless.nodes: it may change in any release, don't import it from elsewhere.

"""How FRR was started on this host: arguments of its daemons, and order of its unit. None means unknown."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

PROC = Path("/proc")
UNIT = "frr.service"


def arguments(name: str, proc: Path = PROC) -> list[str] | None:
    """The arguments of the running daemon of that name. None if no daemon has the name, or more than one."""
    found = []
    for folder in proc.iterdir():
        if not folder.name.isdigit():
            continue
        try:
            words = (folder / "cmdline").read_bytes().decode("utf-8", "replace").split("\0")
        except OSError:  # The process has just ended.
            continue
        if words[0].rsplit("/", 1)[-1] == name:
            found.append([word for word in words[1:] if word])
    return found[0] if len(found) == 1 else None


def listen_port(bgpd: list[str] | None) -> int | None:
    """The port on which bgpd listens, read from its arguments. 0 if it doesn't listen, None if unknown."""
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
    """Whether zebra replaces IPv6 routes in one step, read from its arguments. None if they are unknown."""
    return None if zebra is None else "--v6-rr-semantics" in zebra


def unit_order(text: str) -> dict[str, list[str]] | None:
    """{after, before} from the answer to "systemctl show". None if there is no such unit."""
    said = dict(line.split("=", 1) for line in text.splitlines() if "=" in line)
    if said.get("LoadState") != "loaded":
        return None
    return {"after": said.get("After", "").split(), "before": said.get("Before", "").split()}


def unit(*, timeout: float = 10.0) -> dict[str, list[str]] | None:
    """{after, before} of FRR's unit. None if systemd has no such unit, or the host has no systemd."""
    command = ["systemctl", "show", UNIT, "--property=LoadState,After,Before"]
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=timeout, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return unit_order(done.stdout.decode("utf-8", "replace"))


def facts(*, elsewhere: bool) -> dict[str, Any]:
    """The facts about the host that frr_policy_info returns. elsewhere: this host's systemd may not start FRR."""
    return {
        "listen_port": listen_port(arguments("bgpd")),
        "v6_rr_semantics": v6_rr_semantics(arguments("zebra")),
        "unit": None if elsewhere else unit(),
    }
