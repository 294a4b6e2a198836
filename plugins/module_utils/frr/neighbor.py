# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to hitless.nodes: it may change in any release, don't import it from elsewhere.

"""Shuts or drains a router's sessions with a node, and undoes it. Nothing else is ever changed on a router.

Only the running configuration is changed, never the file. It is read before and after a change. It may differ only
by that change.
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
# The message of our shutdowns. A later run knows by it which shutdowns are ours.
MARK = "hitless.nodes"
# FRR's management daemon says this while somebody else writes.
BUSY = "could not lock"
BUSY_SECONDS = 10.0


class ChangedError(HitlessError):
    """The configuration isn't as it was before, or not as the change should have made it."""


@dataclass(frozen=True)
class Session:
    """A session with the node, as it is configured. head: the first line of its BGP instance."""

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
        """VRF and address. No other session of the router has the same."""
        return self.vrf, self.address

    def facts(self) -> dict[str, Any]:
        """The session as modules return it."""
        found = asdict(self)
        del found["head"]
        return found


@dataclass(frozen=True)
class Change:
    """Sets a setting of a neighbour (SHUT or DRAIN). With undo: removes it."""

    session: Session
    setting: str
    undo: bool = False

    @property
    def title(self) -> str:
        """The name of the change in a diff."""
        return f"{self.session.head}: neighbor {self.session.name} {'no ' if self.undo else ''}{self.setting}"

    @property
    def undone(self) -> Change:
        """The change that undoes this one."""
        return replace(self, undo=not self.undo)

    @property
    def command(self) -> str:
        """The command for FRR inside of the BGP instance."""
        if self.undo:
            return f"no neighbor {self.session.name} {self.setting}"
        return f"neighbor {self.session.name} {self._written}"

    @property
    def difference(self) -> str:
        """How the change shows in the configuration, as differences() writes it."""
        return f"{'-' if self.undo else '+'} neighbor {self.session.name} {self._written}"

    @property
    def _written(self) -> str:
        """The setting as the configuration shows it."""
        return f"{SHUT} message {MARK}" if self.setting == SHUT else self.setting


def is_shut_by_us(settings: list[str]) -> bool:
    """Whether this collection shut a neighbour. It leaves its name in the message."""
    return any(setting.startswith(f"{SHUT} message {MARK}") for setting in settings)


def is_graceful(settings: list[str]) -> bool:
    """Whether a neighbour is drained: its paths are used only if there is no other."""
    return DRAIN in settings


def planned(sessions: list[Session], state: str, drained: list[dict[str, Any]]) -> list[Change]:
    """The changes that reach a state. drained: {vrf, address} of the sessions whose drain may be undone."""
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
    """The router's sessions with a node, as they are configured."""

    def __init__(self, router: Router, vrfs: list[str], *, name: str) -> None:
        """name: the router's name in messages."""
        self.router = router
        self.vrfs = vrfs
        self.name = name

    def config(self) -> list[str]:
        """The whole running configuration, of all daemons."""
        found = config_blocks.lines(self.router.vtysh.text("show running-config"))
        if not any(line.startswith("router bgp ") for line in found):
            raise UnknownError(
                f"router {self.name}: its running configuration has no 'router bgp'; check that bgpd has read it"
            )
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
                    f"router {self.name}: neighbour {name} in VRF {vrf} can't be shut or drained, because it has no"
                    " configuration of its own; dynamic neighbours ('bgp listen range') have none; nothing was changed"
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
        """Raises RouterError if this FRR can't drain a single neighbour."""
        listed = self.router.vtysh.text(f"find {DRAIN}")
        if not any("neighbor" in line and line.rstrip().endswith(DRAIN) for line in listed.splitlines()):
            raise RouterError(
                f"router {self.name}: FRR {self.router.release() or 'of this version'} has no 'neighbor ... {DRAIN}';"
                " use FRR 10.x, or set bgp_router_drain to false; nothing was changed"
            )

    def apply(self, plan: list[Change], before: list[str]) -> list[str]:
        """Makes the changes, and returns the running configuration. Raises ChangedError if anything else differs."""
        for change in plan:
            self._configure([change.session.head, change.command])
        after = self.config()
        found = sorted(differences(before, after))
        wanted = sorted(change.difference for change in plan)
        if found != wanted:
            raise ChangedError(
                f"router {self.name}: its running configuration isn't as wanted:"
                f" wanted {'; '.join(wanted) or 'no difference'}, found {'; '.join(found) or 'no difference'};"
                " somebody else may have changed it just now, look at it by hand",
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
