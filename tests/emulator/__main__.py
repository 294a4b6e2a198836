# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Start the emulator: python -m emulator --dir DIR [--port 0]."""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import os
import signal
import sys
from pathlib import Path

from . import VERSION
from .pki import write_private
from .server import Emulator


async def _serve(directory: Path, port: int, node_grace: float) -> None:
    emulator = Emulator(node_grace=node_grace)
    await emulator.start(port)
    kubeconfig = directory / "admin.kubeconfig"
    authority = directory / "ca.crt"
    write_private(kubeconfig, emulator.admin_kubeconfig())
    write_private(authority, emulator.authority.pem.decode())
    about = {
        "url": emulator.url,
        "pid": os.getpid(),
        "admin_kubeconfig": str(kubeconfig),
        "ca": str(authority),
        "version": VERSION,
    }
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    # Written last: whoever waits for this file finds everything else in place.
    write_private(directory / "emulator.json", json.dumps(about, indent=2) + "\n")
    print(json.dumps(about), flush=True)
    await stop.wait()
    await emulator.stop()
    (directory / "emulator.json").unlink(missing_ok=True)


def main() -> int:
    """Run until SIGTERM; exit code 1 when the port or the directory can't be used."""
    parser = argparse.ArgumentParser(prog="python -m emulator", description="An emulator of the Kubernetes API.")
    parser.add_argument("--dir", type=Path, required=True, help="where emulator.json and admin.kubeconfig are written")
    parser.add_argument("--port", type=int, default=0, help="port on 127.0.0.1 (default: a free one)")
    parser.add_argument("--node-grace", type=float, default=40.0, help="seconds until a silent node is Unknown (40)")
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(name)s: %(message)s")
    directory: Path = arguments.dir.resolve()
    try:
        directory.mkdir(parents=True, exist_ok=True)
        asyncio.run(_serve(directory, arguments.port, arguments.node_grace))
    except OSError as error:
        print(f"emulator: can't serve 127.0.0.1:{arguments.port} with {directory}: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
