# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to hitless.nodes: it may change in any release, don't import it from elsewhere.

"""A report as files on the controller: JSON, and an HTML page without external parts."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ansible_collections.hitless.nodes.plugins.module_utils.base.errors import HitlessError
from jinja2 import Environment, FileSystemLoader, StrictUndefined

PAGES = Path(__file__).with_name("pages")


def write_report(
    folder: str, name: str, data: Mapping[str, Any], page: tuple[str, Mapping[str, Any]], *, check_mode: bool
) -> list[str]:
    """The paths of NAME.html and NAME.json; none without a folder or in check mode.

    page: the name of a template, and its content. A relative folder starts at the current folder.
    """
    if not folder or check_mode:
        return []
    template, content = page
    files = {
        f"{name}.html": _render(template, content),
        f"{name}.json": json.dumps(data, indent=4, sort_keys=True) + "\n",
    }
    path = Path(folder).expanduser().resolve()
    try:
        path.mkdir(parents=True, exist_ok=True)
        return [write(path / each, text) for each, text in files.items()]
    except OSError as exc:
        raise _not_writable(path, exc) from exc


def make_writable(folder: str, *, check_mode: bool) -> None:
    """Makes the folder if it is missing; raises HitlessError if no file can be written there."""
    if not folder or check_mode:
        return
    path = Path(folder).expanduser().resolve()
    try:
        path.mkdir(parents=True, exist_ok=True)
        Path(write(path / ".writable", "")).unlink()
    except OSError as exc:
        raise _not_writable(path, exc) from exc


def write(path: Path, content: str) -> str:
    """The path of a file that is written completely or not at all."""
    handle, part = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(content)
        # mkstemp makes files for one user only. A report is for everybody who may see the folder.
        Path(part).chmod(0o644)
        Path(part).replace(path)
    except OSError:
        Path(part).unlink(missing_ok=True)
        raise
    return str(path)


def _render(template: str, content: Mapping[str, Any]) -> str:
    environment = Environment(
        loader=FileSystemLoader(PAGES),
        autoescape=True,
        trim_blocks=True,
        keep_trailing_newline=True,
        undefined=StrictUndefined,
    )
    return environment.get_template(template).render(page=content)


def _not_writable(folder: Path, exc: OSError) -> HitlessError:
    return HitlessError(
        f"the report can't be written to {folder} on the controller: {exc.strerror or exc}; "
        "set report_dir to another folder, or to '' for no files"
    )
