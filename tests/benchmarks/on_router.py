# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs on a router for the benchmark of the evidence: the code of frr_bgp_wait, without the way there by SSH.

One JSON line on stdin (addresses, prefixes, state, looks), JSON lines on stdout. Moments are of the machine's monotonic
clock, which network namespaces share.
"""

from __future__ import annotations

import json
import resource
import sys
import time

# The module, and with it all that a module imports: it counts for memory.
from ansible_collections.hitless.nodes.plugins.modules import frr_bgp_wait as module


def say(**what):
    """One line."""
    print(json.dumps(what), flush=True)


def main():
    """Looks so many times, or waits for the state."""
    task = json.loads(sys.stdin.readline())
    wanted = {"default": task["prefixes"]}
    router = module.Router(
        *module.programs({"vtysh": "vtysh", "exec": None}), module.checked_addresses(task["addresses"])
    )
    wait = module.RouteWait(router, wanted, task["state"], node="node", name="router")
    if task["looks"]:
        before = time.process_time()
        seconds = []
        for _unused in range(task["looks"]):
            started = time.monotonic()
            remaining = wait.remaining(router.look(wanted))
            seconds.append(time.monotonic() - started)
        used = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
        cpu = sum(part.ru_utime + part.ru_stime for part in used) - before
        own, child = (part.ru_maxrss for part in used)
        say(seconds=seconds, cpu=cpu / task["looks"], remaining=len(remaining), rss_kib=own, child_rss_kib=child)
        return
    router.look(wanted)
    say(ready=True)
    wait.wait(module.Limits(timeout=60), settle=0, interval=task["interval"])
    say(returned=time.monotonic())


if __name__ == "__main__":
    main()
