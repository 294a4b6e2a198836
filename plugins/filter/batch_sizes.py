# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How many nodes at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ansible.errors import AnsibleFilterError
from ansible_collections.hitless.nodes.plugins.module_utils.base.errors import HitlessError
from ansible_collections.hitless.nodes.plugins.module_utils.schedule import batching


def batch_sizes(serial: Any) -> list[int | str]:
    """How many nodes at once, as Ansible's serial takes it."""
    try:
        return batching.sizes(serial)
    except HitlessError as exc:
        raise AnsibleFilterError(f"the size of a batch is {exc.msg}") from exc


class FilterModule:
    """The filter for a play's serial."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Name -> function."""
        return {"batch_sizes": batch_sizes}
