# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The emulator as a kube-apiserver alone: without its controllers and scheduler, with pods/binding.

For the test that the stand-ins are enough beside such a server: python -m lab.checks.bare_server DIR.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
from pathlib import Path
from typing import Any

from aiohttp import web
from emulator import discovery
from emulator.housekeeping import Namespaces
from emulator.server import Emulator
from emulator.workloads import Scheduler

_BINDING = re.compile(r"/api/v1/namespaces/([^/]+)/pods/([^/]+)/binding")


class Definitions(Namespaces):
    """kube-apiserver empties and removes definitions itself; namespaces it leaves to a controller."""

    def reconcile(self, key: tuple[str, Any]) -> None:
        """Look at one definition."""
        if key[0].startswith("customresourcedefinitions"):
            super().reconcile(key)


class BareServer(Emulator):
    """Only what kube-apiserver does itself."""

    def __init__(self) -> None:
        super().__init__(node_grace=float("inf"))
        self._workers = [Definitions(self.registry)]
        self._binder = Scheduler(self.registry)

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        found = _BINDING.fullmatch(request.path)
        if request.method != "POST" or not found:
            return await super()._handle(request)
        self._binder._bind((found[1], found[2]), (await request.json())["target"]["name"])
        return web.json_response({"kind": "Status", "status": "Success"}, status=201)


async def main(directory: Path) -> None:
    """Serve until killed; writes admin.kubeconfig, then ready.json."""
    discovery.VERSION = "v1.33.0"  # the stand-ins look for "-emulated"
    server = BareServer()
    await server.start(0)
    (directory / "admin.kubeconfig").write_text(server.admin_kubeconfig())
    (directory / "ready.json").write_text(json.dumps({"url": server.url}))
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
