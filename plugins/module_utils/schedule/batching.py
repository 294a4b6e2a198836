# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to hitless.nodes: it may change in any release, don't import it from elsewhere.

"""How many nodes at once, in the form of Ansible's serial."""

from __future__ import annotations

import re
from typing import Any

from ..base.errors import HitlessError

SIZE = re.compile(r"[1-9]\d*|(?:100|[1-9]\d?)%")


def sizes(value: Any) -> list[int | str]:
    """The value in the form of Ansible's serial: numbers or percentages of hosts; raises HitlessError.

    0 is refused, because Ansible reads it as all hosts at once.
    """
    texts = [str(one).strip() for one in (value if isinstance(value, list) else [value])]
    if not texts or not all(SIZE.fullmatch(text) for text in texts):
        raise HitlessError(f"{value!r}, and must be a number from 1 on, a percentage such as 20%, or a list of these")
    return [text if text.endswith("%") else int(text) for text in texts]
