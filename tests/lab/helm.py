# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The helm that `./dev setup` has unpacked, and the chart that stands in for Cilium's."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from lab.settings import LabError

TOP = Path(__file__).resolve().parents[2]
CHART = TOP / "tests" / "charts" / "cilium-standin"


def program() -> str:
    """The path of helm; LabError if there is none."""
    folders = [Path(sys.executable).parent, TOP / ".venv" / "bin", os.environ.get("PATH", "")]
    found = shutil.which("helm", path=os.pathsep.join(map(str, folders)))
    if found is None:
        raise LabError("there is no helm: `./dev setup` unpacks one")
    return found


def helm(kubeconfig: Path | str, *arguments: str, values: dict[str, Any] | None = None) -> str:
    """What helm says; values are those of its `--values -`."""
    argv = [program(), "--kubeconfig", str(kubeconfig), *arguments, *(("--values", "-") if values is not None else ())]
    stdin = None if values is None else json.dumps(values)
    done = subprocess.run(argv, input=stdin, capture_output=True, text=True, check=False, timeout=600)
    if done.returncode:
        raise LabError(f"helm {' '.join(arguments)}: {done.stderr.strip()}")
    return done.stdout


def package(folder: Path, version: str) -> Path:
    """The chart as an archive of that version."""
    folder.mkdir(parents=True, exist_ok=True)
    helm("/dev/null", "package", str(CHART), "--version", version, "--app-version", version, "-d", str(folder))
    return folder / f"cilium-standin-{version}.tgz"
