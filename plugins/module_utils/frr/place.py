# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to hitless.nodes: it may change in any release, don't import it from elsewhere.

"""Where vtysh and ip are run on a router: as they are, or both by one command (router_exec).

The kernel of a network namespace or container is not the one of the login. So both programs have to be asked there.
"""

from __future__ import annotations

import os
import shlex
import subprocess
from pathlib import Path
from typing import Any

from ..base.words import excerpt
from .answers import RouterError, UnknownError

# These pass standard input on only if they are told to, and ip gets its look-ups that way.
_WITHOUT_INPUT = ("docker", "podman", "nerdctl", "kubectl", "oc", "crictl")
_SAME_PLACE = ("sudo", "doas")
_INTERACTIVE = ("-i", "-it", "-ti", "--interactive", "--stdin")


def checked(command: Any) -> list[str]:
    """The words of router_exec, given as a list or as one text; [] where it isn't set."""
    try:
        words = shlex.split(command) if isinstance(command, str) else [str(word) for word in command or []]
    except (ValueError, TypeError) as exc:
        raise RouterError(
            f"router_exec (the module's option exec) {command!r} can't be split into words ({exc});"
            " give a command such as 'ip netns exec blue'"
        ) from exc
    return _with_input(words)


def _with_input(words: list[str]) -> list[str]:
    """The words, with -i after "exec" where the program needs it to pass its standard input on."""
    if "exec" not in words or set(words).intersection(_INTERACTIVE):
        return words
    position = words.index("exec")
    programs = {Path(word).name for word in words[:position]}
    if not programs.intersection(_WITHOUT_INPUT):
        return words
    return [*words[: position + 1], "-i", *words[position + 1 :]]


class Place:
    """Runs programs on the router, by a command if one is given."""

    def __init__(self, command: Any = None) -> None:
        """command: that of router_exec, as a text or as a list of words."""
        self.words = checked(command)

    def __bool__(self) -> bool:
        """Whether programs are run by a command."""
        return bool(self.words)

    @property
    def is_elsewhere(self) -> bool:
        """Whether the command may lead to other processes and another network than the login's, as sudo doesn't."""
        rest = [word for word in self.words if not word.startswith("-")]
        return bool(rest) and (len(rest) > 1 or Path(rest[0]).name not in _SAME_PLACE)

    def __str__(self) -> str:
        """What is named in messages."""
        return f"router_exec ({' '.join(self.words)})"

    def run(self, argv: list[str], text: str, timeout: float) -> tuple[int, str, str]:
        """(exit code, stdout, stderr) of a program that is given a text to read.

        FileNotFoundError and PermissionError are the program's; a command that can't be run is a RouterError.
        """
        try:
            done = subprocess.run(
                [*self.words, *argv],
                input=text.encode(),
                capture_output=True,
                timeout=timeout,
                check=False,
                env={**os.environ, "LC_ALL": "C"},
            )
        except (FileNotFoundError, PermissionError) as exc:
            if not self.words:
                raise
            raise RouterError(
                f"{self} can't be run on this router: {self.words[0]}: {str(exc.strerror).lower()}; correct router_exec"
            ) from exc
        return done.returncode, done.stdout.decode("utf-8", "replace"), done.stderr.decode("utf-8", "replace")

    def failure(self, program: str, rc: int, stdout: str, stderr: str) -> UnknownError:
        """The error where the command ended without what the program says."""
        said = excerpt(stderr) or excerpt(stdout) or "nothing"
        return UnknownError(
            f"{program} gave no answer by {self}, which ended with {rc} and said: {said};"
            f" is that namespace or container there and running, with {program} in it, and may this user enter it?"
        )
