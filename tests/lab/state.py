# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a lab remembers of itself: lab.json in its directory."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from lab import settings as s
from lab.machines import Machine
from lab.settings import LabError, LabSettings


@dataclass
class Lab:
    """One lab; `api` and `redfish` say how to reach the Kubernetes API and the Redfish endpoint, {} = not started."""

    settings: LabSettings
    api: dict[str, Any] = field(default_factory=dict)
    redfish: dict[str, Any] = field(default_factory=dict)
    ready: bool = False

    @property
    def dir(self) -> Path:
        """The lab's directory."""
        return self.settings.directory

    @property
    def machines(self) -> dict[str, Machine]:
        """All machines by name, routers first."""
        return {self.settings.machine(role): Machine(self.settings, role) for role in s.ROLES}

    @property
    def routers(self) -> dict[str, Machine]:
        """The routers by name."""
        return {name: machine for name, machine in self.machines.items() if machine.role in s.ROUTERS}

    @property
    def nodes(self) -> dict[str, Machine]:
        """The nodes by name."""
        return {name: machine for name, machine in self.machines.items() if machine.role in s.NODES}

    @property
    def client(self) -> Machine:
        """The machine that sends requests."""
        return Machine(self.settings, s.CLIENT)

    def save(self) -> None:
        """Writes lab.json, in one step."""
        content = {
            "settings": asdict(self.settings),
            "api": self.api,
            "redfish": self.redfish,
            "ready": self.ready,
        }
        temporary = self.dir / "lab.json.new"
        temporary.write_text(json.dumps(content, indent=2))
        temporary.chmod(0o600)
        temporary.rename(self.dir / "lab.json")


def load(name: str = "hn") -> Lab:
    """The lab of this name, as it was started."""
    path = LabSettings(name).directory / "lab.json"
    try:
        content = json.loads(path.read_text())
    except FileNotFoundError:
        raise LabError(f"there is no lab {name}: start it with `python -m lab up --name {name}`") from None
    return Lab(LabSettings(**content["settings"]), content["api"], content["redfish"], content["ready"])
