# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to hitless.nodes: it may change in any release, don't import it from elsewhere.

"""The only thing that is ever changed on a router: whether its sessions with a node are shut or drained, and undone.

Only the running configuration is changed, never the file. It is read before and after a change, and may differ in
nothing else.
"""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass, replace
from typing import Any

from ..base.errors import HitlessError
from . import config_blocks
from .answers import RouterError, UnknownError
from .config_diff import differences
from .router_look import Router

SHUT = "shutdown"
DRAIN = "graceful-shutdown"
# Written where a neighbour is shut for a moment, so that a later run knows its own from everybody else's.
MARK = "hitless.nodes"
# FRR's management daemon lets one writer in at a time.
BUSY = "could not lock"
BUSY_SECONDS = 10.0


class ChangedError(HitlessError):
    """The configuration isn't what it was, or not what it was to become."""


@dataclass(frozen=True)
class Session:
    """A session with the node, as the configuration has it. head: the line that begins its BGP instance."""

    vrf: str
    address: str
    name: str
    head: str
    established: bool
    shut: bool
    shut_by_us: bool
    graceful_shutdown: bool

    @property
    def key(self) -> tuple[str, str]:
        """VRF and address, which tell it from the router's other sessions."""
        return self.vrf, self.address

    def facts(self) -> dict[str, Any]:
        """What a module returns of it."""
        found = asdict(self)
        del found["head"]
        return found


@dataclass(frozen=True)
class Change:
    """A setting of a neighbour (SHUT or DRAIN) that is set, or with undo taken back."""

    session: Session
    setting: str
    undo: bool = False

    @property
    def title(self) -> str:
        """How it is called in a diff."""
        return f"{self.session.head}: neighbor {self.session.name} {'no ' if self.undo else ''}{self.setting}"

    @property
    def undone(self) -> Change:
        """What takes it back."""
        return replace(self, undo=not self.undo)

    @property
    def command(self) -> str:
        """The line to give to FRR inside of the BGP instance."""
        if self.undo:
            return f"no neighbor {self.session.name} {self.setting}"
        return f"neighbor {self.session.name} {self._written}"

    @property
    def difference(self) -> str:
        """The difference that it makes in the configuration, as differences() writes it."""
        return f"{'-' if self.undo else '+'} neighbor {self.session.name} {self._written}"

    @property
    def _written(self) -> str:
        """The setting as the configuration shows it."""
        return f"{SHUT} message {MARK}" if self.setting == SHUT else self.setting


def is_shut_by_us(settings: list[str]) -> bool:
    """Whether a neighbour was shut by this collection, which leaves its name in the message."""
    return any(setting.startswith(f"{SHUT} message {MARK}") for setting in settings)


def is_graceful(settings: list[str]) -> bool:
    """Whether a neighbour's paths are kept as a last resort only."""
    return DRAIN in settings


def planned(sessions: list[Session], state: str, drained: list[dict[str, Any]]) -> list[Change]:
    """What has to be changed to reach a state. drained: {vrf, address} of those whose drain is ours to undo."""
    if state == "graceful_shutdown":
        # A session that is down has nothing to drain.
        return [Change(each, DRAIN) for each in sessions if each.established and not each.graceful_shutdown]
    ours = {(each["vrf"], each["address"]) for each in drained}
    plan = []
    for each in sessions:
        if each.graceful_shutdown and each.key in ours:
            plan.append(Change(each, DRAIN, undo=True))
        if each.shut_by_us:
            plan.append(Change(each, SHUT, undo=True))
    return plan


class Neighbors:
    """The router's sessions with a node, as its configuration has them."""

    def __init__(self, router: Router, vrfs: list[str], *, name: str) -> None:
        """name: what the router is called in messages."""
        self.router = router
        self.vrfs = vrfs
        self.name = name

    def config(self) -> list[str]:
        """The whole running configuration, of all daemons."""
        found = config_blocks.lines(self.router.vtysh.text("show running-config"))
        if not any(line.startswith("router bgp ") for line in found):
            raise UnknownError(f"router {self.name}: its running configuration has no 'router bgp'; has bgpd read it?")
        return found

    def read(self, config: list[str]) -> list[Session]:
        """The sessions with the node in a configuration."""
        sessions = []
        instances = config_blocks.instances(config_blocks.blocks(config))
        self.router.discover(self.vrfs)
        for vrf, name, neighbor in self.router.sessions(self.vrfs):
            instance = config_blocks.of_vrf(instances, vrf)
            settings = instance.settings(name) if instance else []
            if instance is None or not settings:
                raise RouterError(
                    f"router {self.name}: neighbour {name} (VRF {vrf}) has no configuration of its own (is it a dynamic"
                    " one, of 'bgp listen range'?), so it can't be shut or drained by itself; nothing was changed"
                )
            sessions.append(
                Session(
                    vrf=vrf,
                    address=neighbor["address"],
                    name=name,
                    head=instance.head,
                    established=neighbor["established"],
                    shut=neighbor["shut"],
                    shut_by_us=is_shut_by_us(settings),
                    graceful_shutdown=is_graceful(settings),
                )
            )
        return sessions

    def ensure_can_drain(self) -> None:
        """RouterError where this FRR can't drain a single neighbour."""
        listed = self.router.vtysh.text(f"find {DRAIN}")
        if not any("neighbor" in line and line.rstrip().endswith(DRAIN) for line in listed.splitlines()):
            raise RouterError(
                f"router {self.name}: FRR {self.router.release() or 'of this version'} has no 'neighbor ... {DRAIN}'"
                " (8.4 hasn't, 10.x has): update FRR, or do without the drain on the routers; nothing was changed"
            )

    def apply(self, plan: list[Change], before: list[str]) -> list[str]:
        """The running configuration after the plan; ChangedError if it differs from before in anything else."""
        for change in plan:
            self._configure([change.session.head, change.command])
        after = self.config()
        found = sorted(differences(before, after))
        wanted = sorted(change.difference for change in plan)
        if found != wanted:
            raise ChangedError(
                f"router {self.name}: its running configuration isn't what it should be:"
                f" wanted {'; '.join(wanted) or 'no difference'}, found {'; '.join(found) or 'no difference'};"
                " did somebody else change it just now? Look at it by hand",
                differences=found,
            )
        return after

    def _configure(self, commands: list[str]) -> None:
        deadline = time.monotonic() + BUSY_SECONDS
        while True:
            try:
                self.router.vtysh.configure(commands)
            except HitlessError as exc:
                if BUSY not in exc.msg or time.monotonic() > deadline:
                    raise
                time.sleep(0.2)
            else:
                return
