# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to hitless.nodes: it may change in any release, don't import it from elsewhere.

"""Values for helm, from files on the controller and from variables."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml
from ansible_collections.hitless.nodes.plugins.module_utils.base.errors import HitlessError
from ansible_collections.hitless.nodes.plugins.module_utils.upgrade.helm_chart import merged


def values_of(values: Mapping[str, Any], files: Iterable[str]) -> dict[str, Any]:
    """The values of YAML files and then the given values, merged as helm does. A later one wins."""
    return merged([*(_file(file) for file in files), values])


def _file(file: str) -> dict[str, Any]:
    try:
        content = yaml.safe_load(Path(file).expanduser().read_text(encoding="utf-8")) or {}
    except (OSError, ValueError, yaml.YAMLError) as exc:
        raise HitlessError(f"agent_values_files: {file} can't be read: {' '.join(str(exc).split())}") from exc
    if not isinstance(content, dict):
        raise HitlessError(f"agent_values_files: {file} has no mapping of values in it")
    return content
