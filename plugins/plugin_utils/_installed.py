# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to hitless.nodes: it may change in any release, don't import it from elsewhere.

"""What is installed on the controller."""

from __future__ import annotations

import importlib.util
import shutil


def has_collection(name: str) -> bool:
    """Whether a collection (namespace.name) is installed."""
    try:
        return importlib.util.find_spec(f"ansible_collections.{name}") is not None
    except ModuleNotFoundError:  # no collection of that namespace is installed
        return False


def chart_tool_problems(helm: str) -> list[str]:
    """What is missing to apply charts, one line each. helm: its path, "" for the one in PATH."""
    problems = []
    if not has_collection("kubernetes.core"):
        problems.append("a chart is applied by kubernetes.core: ansible-galaxy collection install kubernetes.core")
    if shutil.which(helm or "helm") is None:
        where = f"at {helm} (agent_helm)" if helm else "in the controller's PATH"
        problems.append(f"a chart is applied by helm, and there is none {where}: install Helm 3, or set agent_helm")
    return problems
