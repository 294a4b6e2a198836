# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to hitless.nodes: it may change in any release, don't import it from elsewhere.

"""Patching an object so that no other writer's change is lost."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..base.errors import HitlessError
from .api_errors import Conflict
from .client import Client

# Ten rounds are more than enough against the kubelet's status writes (one in 10 s). If they don't suffice, another
# writer works against us.
ATTEMPTS = 10


def merged(*patches: dict[str, Any]) -> dict[str, Any]:
    """One merge patch with the effect of several."""
    result: dict[str, Any] = {}
    for patch in patches:
        for key, value in patch.items():
            both = isinstance(value, dict) and isinstance(result.get(key), dict)
            result[key] = merged(result[key], value) if both else value
    return result


def patched(
    client: Client,
    path: str,
    found: dict[str, Any],
    change: Callable[[dict[str, Any]], dict[str, Any] | None],
    *,
    what: str,
    read: Callable[[], dict[str, Any]],
    check_mode: bool,
) -> tuple[dict[str, Any], dict[str, Any] | None]:
    """The object after the patch that change(object) wants, and that patch (None: nothing to change).

    Compare-and-swap: the patch carries the resourceVersion that change() judged. On a conflict the object is read and
    judged again. So a refusal that change() raises is always about the present state. In check mode nothing is sent.
    what: the object, for messages.
    """
    for attempt in range(1, ATTEMPTS + 1):
        patch = change(found)
        if not patch or check_mode:
            return found, patch or None
        version = {"metadata": {"resourceVersion": found["metadata"]["resourceVersion"]}}
        try:
            return client.patch(path, merged(patch, version)), patch
        except Conflict as exc:
            if attempt == ATTEMPTS:
                raise HitlessError(
                    f"{what} changed {ATTEMPTS} times in a row between reading and writing: find out who keeps "
                    f"writing it (kubectl get --show-managed-fields -o yaml)"
                ) from exc
            found = read()
    raise AssertionError("unreachable")
