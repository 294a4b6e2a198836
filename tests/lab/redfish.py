# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The machines' BMC: sushy-tools' Redfish endpoint over TLS, with a driver whose systems are the lab's machines.

sushy-tools' own fake driver cannot do this: its notifier tells neither ForceOff from GracefulShutdown nor when, and
its power state is what was asked for last, not what the machine is.
"""

from __future__ import annotations

import argparse
import json
import ssl
import sys
import threading
from collections.abc import Callable
from typing import ClassVar

from sushy_tools import error  # type: ignore[import-untyped]
from sushy_tools.emulator import main as sushy  # type: ignore[import-untyped]
from sushy_tools.emulator.resources.systems.fakedriver import FakeDriver  # type: ignore[import-untyped]
from werkzeug.serving import make_server

from lab import power, state
from lab.machines import Machine
from lab.settings import LabError
from lab.state import Lab

# An OS may take longer to stop than any test waits; what it has not done by then it will not do.
_ORDERLY = 90.0


class Driver(FakeDriver):  # type: ignore[misc]
    """Systems whose power is the power of the lab's machines; boot devices and the like stay as fake as they are."""

    machines: ClassVar[dict[str, Machine]] = {}  # by UUID

    def get_power_state(self, identity: str) -> str:
        """What the machine is now, whoever has switched it."""
        return "On" if self._machine(identity).running() else "Off"

    def set_power_state(self, identity: str, state: str) -> None:
        """Does what the button does, and answers at once, as a BMC does."""
        machine = self._machine(identity)
        actions: dict[str, Callable[[], object]] = {
            "On": machine.start,
            "ForceOn": machine.start,
            "ForceOff": machine.cut,
            "GracefulShutdown": lambda: machine.poweroff(wait=_ORDERLY),
            "GracefulRestart": lambda: machine.reboot(wait=_ORDERLY),
            "ForceRestart": lambda: _restart(machine),
        }
        if state not in actions:
            raise error.NotSupportedError(f"Power state {state} is not supported")
        threading.Thread(target=_quietly, args=(machine, state, actions[state]), daemon=True).start()

    def _machine(self, identity: str) -> Machine:
        return self.machines[self.uuid(identity)]


def serve(lab: Lab, port: int) -> None:
    """Serves until it is killed; writes redfish.json {url, baseurl} once the port is bound."""
    Driver.machines = {machine.uuid: machine for machine in lab.nodes.values()}
    # The emulator picks the driver by this name when the first request comes.
    sushy.fakedriver.FakeDriver = Driver
    sushy.app.configure(
        extra_config={
            "SUSHY_EMULATOR_FAKE_DRIVER": True,
            "SUSHY_EMULATOR_AUTH_FILE": str(lab.dir / power.HTPASSWD),
            "SUSHY_EMULATOR_STATE_DIR": str(lab.dir),
            "SUSHY_EMULATOR_FEATURE_SET": "full",
            "SUSHY_EMULATOR_FAKE_SYSTEMS": [
                {"uuid": machine.uuid, "name": machine.name, "power_state": "Off", "nics": []}
                for machine in lab.nodes.values()
            ],
        }
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(lab.dir / power.CERTIFICATE, lab.dir / power.KEY)
    server = make_server("127.0.0.1", port, sushy.app, threaded=True, ssl_context=context)
    where = {"url": f"https://127.0.0.1:{server.port}", "baseurl": f"127.0.0.1:{server.port}"}
    temporary = lab.dir / f"{power.ENDPOINT}.new"
    temporary.write_text(json.dumps(where))
    temporary.rename(lab.dir / power.ENDPOINT)
    server.serve_forever()


def main() -> int:
    """Exit code 1 when the lab or the port is not there."""
    parser = argparse.ArgumentParser(prog="python -m lab.redfish", description="Redfish for the machines of a lab.")
    parser.add_argument("--lab", required=True, help="name of the lab")
    parser.add_argument("--port", type=int, default=0, help="port on 127.0.0.1 (default: a free one)")
    arguments = parser.parse_args()
    try:
        serve(state.load(arguments.lab), arguments.port)
    except (LabError, OSError) as problem:
        print(f"redfish: {problem}", file=sys.stderr)
        return 1
    return 0


def _restart(machine: Machine) -> None:
    machine.cut()
    machine.start()


def _quietly(machine: Machine, action: str, function: Callable[[], object]) -> None:
    try:
        function()
    except LabError as problem:
        # As with a BMC, who pressed the button sees it only in the power state.
        print(f"{machine.name}: {action}: {problem}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    raise SystemExit(main())
