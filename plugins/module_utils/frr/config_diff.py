# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to hitless.nodes: it may change in any release, don't import it from elsewhere.

"""What FRR's running configuration says of neighbours, and how two of them differ, without secrets."""

from __future__ import annotations

import difflib
import re

# Written where a neighbour is shut for a moment, so that a later run knows its own from everybody else's.
MARK = "hitless.nodes"
SECRET = re.compile(r"\b(password|key|secret|md5)\b.*", re.IGNORECASE)
# What stands before the configuration and isn't part of it.
CHATTER = ("Building configuration", "Current configuration")


def lines(text: str) -> list[str]:
    """The configuration in the answer to "show running-config", line by line."""
    return [line.rstrip() for line in text.splitlines() if line.strip() and not line.startswith(CHATTER)]


def instance(config: list[str], vrf: str) -> tuple[str, list[str]] | None:
    """The line that begins the BGP instance of a VRF, and the lines in it; None where there is none."""
    head: str | None = None
    inside: list[str] = []
    for line in config:
        if head is None:
            found = re.match(r"router bgp \d\S*(?: vrf (\S+))?$", line)
            if found and (found.group(1) or "default") == vrf:
                head = line
        elif line.startswith((" ", "!")):
            inside.append(line)
        else:
            break
    return None if head is None else (head, inside)


def settings(inside: list[str], name: str) -> list[str]:
    """What an instance says of a neighbour, without its name: "remote-as 65432", "shutdown message ..."."""
    start = f" neighbor {name} "
    return [line[len(start) :] for line in inside if line.startswith(start)]


def is_shut_by_us(of_neighbor: list[str]) -> bool:
    """Whether it was shut by this collection, which leaves its name in the message."""
    return any(setting.startswith(f"shutdown message {MARK}") for setting in of_neighbor)


def is_graceful(of_neighbor: list[str]) -> bool:
    """Whether a neighbour's paths are kept as a last resort only."""
    return "graceful-shutdown" in of_neighbor


def differences(before: list[str], after: list[str]) -> list[str]:
    """The lines that one has and the other hasn't, each with - or + before it, secrets left out."""
    found = difflib.unified_diff(before, after, lineterm="", n=0)
    return [
        SECRET.sub(r"\1 ...", line) for line in found if line[:1] in "+-" and not line.startswith(("+++", "---", "@@"))
    ]
