# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the targets do to the lab's speakers and routers. Needs PYTHONPATH with the package lab."""

from __future__ import annotations

import argparse
import time

from lab import speaker, state
from lab.machines import Machine

BGPD = "/usr/lib/frr/bgpd"


def wait_for(router: Machine, daemon: str, *, running: bool) -> None:
    """Returns when bgpd runs and answers, or runs no more."""
    for _unused in range(1200):
        answers = router.run(["vtysh", "-d", daemon, "-c", "show version"]).returncode == 0
        if answers is running:
            return
        time.sleep(0.1)
    raise SystemExit(f"{router.name}: {daemon} is {'not ' if running else 'still '}there after 120 s")


def main() -> None:
    """One action on the lab."""
    parser = argparse.ArgumentParser()
    parser.add_argument("lab")
    parser.add_argument("action", choices=["announce", "stop", "kill", "bgpd-down", "bgpd-up"])
    parser.add_argument("machine")
    parser.add_argument("--keep", action="append", default=[], metavar="ROUTER", help="its sessions stay up (stop)")
    parser.add_argument("--family", type=int, choices=[4, 6], help="of those only the ones of this family (stop)")
    options = parser.parse_args()
    lab = state.load(options.lab)
    machine = lab.machines[options.machine]
    if options.action == "announce":
        speaker.apply(machine, speaker.default_config(lab.settings, machine.role))
    elif options.action == "stop":
        kept = [lab.machines[name] for name in options.keep]
        families = {4: {k.address4 for k in kept}, 6: {k.address6 for k in kept}}
        speaker.stop(machine, keep_peers=families.get(options.family) or families[4] | families[6])
    elif options.action == "kill":
        speaker.kill(machine)
    elif options.action == "bgpd-down":
        # watchfrr would start it again; and watchfrr itself must live, since vtysh talks to it, too.
        machine.run(["chmod", "a-x", BGPD])
        machine.run(["pkill", "-KILL", "-x", "bgpd"])
        wait_for(machine, "bgpd", running=False)
    else:
        machine.run(["chmod", "a+x", BGPD])
        # Without pipes: bgpd would keep them open.
        machine.run(["sh", "-c", "/usr/lib/frr/watchfrr.sh restart bgpd >/dev/null 2>&1"], timeout=300)
        wait_for(machine, "bgpd", running=True)


if __name__ == "__main__":
    main()
