# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether a machine is the one that is meant, by its UUID."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any


def same_uuid(one: Any, other: Any) -> bool:
    """Whether two texts are the same system UUID.

    SMBIOS before 2.6 doesn't say in which order the bytes of the first three fields go, and firmware, kernel and BMC
    don't agree: the swapped form is the same machine (SMBIOS specification, 7.2.1).
    """
    try:
        first, second = uuid.UUID(str(one)), uuid.UUID(str(other))
    except ValueError:
        return False
    return first in (second, uuid.UUID(bytes_le=second.bytes))


class FilterModule:
    """The filters about UUIDs."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Name -> function."""
        return {"same_uuid": same_uuid}
