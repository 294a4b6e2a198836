# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to hitless.nodes: it may change in any release, don't import it from elsewhere.

"""The FRR client. It returns vtysh's answers, or raises an error that says what is wrong and what to do."""

from __future__ import annotations

import grp
import os
import pwd
import re
import shlex
import subprocess
from typing import Any

from ..base.words import excerpt
from .answers import RouterError, UnknownError, documents
from .place import Place

# Only this group may use vtysh and FRR's directories (the default of configure --enable-vty-group).
GROUP = "frrvty"
# What vtysh prints instead of an answer to a command that this FRR doesn't have.
REFUSAL = re.compile(r"% (?:Unknown command|Command incomplete|Ambiguous command).*\Z")
# What it prints for a daemon that is away. A container that is not running is named otherwise.
DOWN = re.compile(r"\S+ is not running")


def may_ask(user: int, groups: list[int], group: int | None) -> bool | None:
    """Whether a user may talk to FRR's daemons. None (unknown) if the group doesn't exist."""
    if user == 0:
        return True
    return None if group is None else group in groups


def refused(stdout: str) -> str | None:
    """The line in which vtysh refuses a command. None if it refused none."""
    found = REFUSAL.search(stdout.rstrip())
    return found.group(0) if found else None


def failure(
    command: str, rc: int, stdout: str, stderr: str, *, user: str, allowed: bool | None, place: Place | None = None
) -> Exception:
    """The error for an exit code other than 0, with what to do. The texts are those of FRR 8.4 to 10.3.

    place: where vtysh was run, if not as it is. The user's rights there are unknown.
    """
    refusal = refused(stdout)
    if refusal:
        return RouterError(f"vtysh refused '{command}': {excerpt(refusal)}; FRR 8.4 or newer with bgpd is needed")
    # Other lines may say that vtysh can't read its own configuration. That doesn't matter here.
    down = next((line for line in stderr.splitlines() if DOWN.match(line)), None)
    if down:
        return UnknownError(
            f"no answer to '{command}': {excerpt(down)};"
            " start it ('systemctl restart frr', bgpd=yes in /etc/frr/daemons)"
        )
    if "failed to connect to any daemons" in stderr:
        # vtysh says the same if FRR is down, and if the user may not enter its directory.
        if allowed is False:
            return RouterError(
                f"user {user} may not talk to FRR, because it isn't in group {GROUP};"
                f" run 'usermod -aG {GROUP} {user}' on the router and log in again, or use become"
            )
        if place:
            return UnknownError(
                f"no answer to '{command}': vtysh found no FRR daemon by {place}; start FRR there, or correct"
                " router_exec so that its user may talk to FRR"
            )
        doubt = "" if allowed else f", or use become if user {user} isn't in group {GROUP}"
        return UnknownError(f"no answer to '{command}': FRR isn't running; start it ('systemctl restart frr'){doubt}")
    if place:
        return place.failure("vtysh", rc, stdout, stderr)
    said = excerpt(stderr) or excerpt(stdout) or "nothing"
    return UnknownError(f"'{command}' failed: vtysh ended with {rc} and said: {said}; try it on the router by hand")


def answers(commands: list[str], stdout: str) -> list[dict[str, Any]]:
    """One object for each command, in order. Raises UnknownError for missing or incomplete answers, and warnings."""
    found, rest = documents(stdout)
    if rest:
        command = commands[min(len(found), len(commands) - 1)]
        # Zebra says this in plain text, and ends well.
        unknown = re.match(r"% VRF (\S+) not found", rest.lstrip())
        if unknown:
            raise UnknownError(
                f"'{command}': zebra knows no VRF {unknown.group(1)}: the router's kernel has no such VRF;"
                " is router_vrfs right?"
            )
        raise UnknownError(
            f"the answer to '{command}' isn't complete JSON: {excerpt(rest)};"
            " bgpd may be busy or restarting, try it on the router by hand"
        )
    if len(found) != len(commands):
        raise UnknownError(
            f"{len(found)} answers to {len(commands)} commands, beginning with '{commands[0]}';"
            " try them on the router by hand"
        )
    for command, document in zip(commands, found):
        if not isinstance(document, dict):
            raise UnknownError(f"the answer to '{command}' is a {type(document).__name__}, not an object; is this FRR?")
        if "warning" in document:
            # vtysh ends with 0 after a warning such as "Default BGP instance not found".
            raise UnknownError(f"'{command}': {excerpt(str(document['warning']))}; is it the right router and VRF?")
    return found


class Vtysh:
    """Runs commands. One process of vtysh runs all commands of a call."""

    def __init__(self, program: str, place: Place | None = None, *, timeout: float = 10.0) -> None:
        """program: path of vtysh, and arguments if the system needs them, such as -N for a path space."""
        self.argv = shlex.split(program)
        self.place = place or Place()
        self.timeout = timeout
        self.unsupported: set[str] = set()
        if not self.argv:
            raise RouterError("router_vtysh (the module's option vtysh) is empty; give vtysh's path")

    def text(self, command: str) -> str:
        """The text that one command prints, for commands without JSON."""
        rc, stdout, stderr = self._run([command])
        if rc:
            raise self._failure(command, rc, stdout, stderr)
        return stdout

    def configure(self, commands: list[str]) -> None:
        """Runs commands in configuration mode. They change the running configuration, and never a file."""
        rc, stdout, stderr = self._run(["configure terminal", *commands])
        # bgpd's refusals are on stdout, for example "% Operation not allowed on a dynamic neighbor".
        said = next((line for line in stdout.splitlines() if line.startswith("%")), "")
        if rc or said:
            if refused(stdout) or not said:
                raise self._failure(commands[-1], rc, stdout, stderr)
            raise RouterError(f"FRR refused '{commands[-1]}': {excerpt(said)}; nothing was changed by it")

    def show(self, commands: list[str]) -> list[dict[str, Any]]:
        """The answers to these commands, in order."""
        rc, stdout, stderr = self._run(commands)
        if rc:
            # vtysh stops at the first command that fails. The commands before it have answered.
            raise self._failure(commands[min(len(documents(stdout)[0]), len(commands) - 1)], rc, stdout, stderr)
        return answers(commands, stdout)

    def show_with(self, commands: list[str], extra: list[str]) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        """The answers to commands, and those to extra commands. The latter are [] if this FRR is too old for them."""
        extra = [] if self.unsupported.intersection(extra) else extra
        rc, stdout, stderr = self._run([*commands, *extra])
        refusal = refused(stdout) if rc else None
        if refusal and any(refusal.endswith(command) for command in extra):
            self.unsupported.update(extra)
            return answers(commands, stdout[: stdout.index(refusal)]), []
        if rc:
            every = [*commands, *extra]
            raise self._failure(every[min(len(documents(stdout)[0]), len(every) - 1)], rc, stdout, stderr)
        found = answers([*commands, *extra], stdout)
        return found[: len(commands)], found[len(commands) :]

    def show_and_text(self, commands: list[str], texts: list[str]) -> tuple[list[dict[str, Any]], str]:
        """The answers to commands, and the text that the commands without JSON (texts) print after them."""
        rc, stdout, stderr = self._run([*commands, *texts])
        found, rest = documents(stdout)
        if rc:
            raise self._failure([*commands, *texts][min(len(found), len(commands) - 1)], rc, stdout, stderr)
        return answers(commands, stdout[: len(stdout) - len(rest)]), rest

    def _run(self, commands: list[str]) -> tuple[int, str, str]:
        argv = self.argv + [part for command in commands for part in ("-c", command)]
        try:
            return self.place.run(argv, "", self.timeout)
        except FileNotFoundError as exc:
            raise RouterError(
                f"{self.argv[0]} isn't on this host; install FRR, or give its path in router_vtysh, or in router_exec"
                " the command that runs it (such as 'docker exec frr')"
            ) from exc
        except PermissionError as exc:
            raise RouterError(
                f"this user may not run {self.argv[0]}; add the user to group {GROUP}, or use become"
            ) from exc
        except subprocess.TimeoutExpired as exc:
            by = f" by {self.place}" if self.place else ""
            raise UnknownError(
                f"no answer to '{commands[0]}'{by} within {self.timeout:.0f} s; bgpd may be busy, see 'show thread cpu'"
            ) from exc

    def _failure(self, command: str, rc: int, stdout: str, stderr: str) -> Exception:
        if self.place:
            return failure(command, rc, stdout, stderr, user="", allowed=None, place=self.place)
        uid = os.geteuid()
        try:
            group: int | None = grp.getgrnam(GROUP).gr_gid
        except KeyError:
            group = None
        try:
            user = pwd.getpwuid(uid).pw_name
        except KeyError:
            user = str(uid)
        return failure(
            command, rc, stdout, stderr, user=user, allowed=may_ask(uid, [os.getegid(), *os.getgroups()], group)
        )
