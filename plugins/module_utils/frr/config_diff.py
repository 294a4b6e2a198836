# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to hitless.nodes: it may change in any release, don't import it from elsewhere.

"""How two running configurations of FRR differ, without secrets."""

from __future__ import annotations

import difflib
import re

SECRET = re.compile(r"\b(password|key|secret|md5)\b.*", re.IGNORECASE)


def differences(before: list[str], after: list[str]) -> list[str]:
    """The lines that only one of the two has, each with - or + before it. Secrets are left out."""
    found = difflib.unified_diff(before, after, lineterm="", n=0)
    return [
        SECRET.sub(r"\1 ...", line) for line in found if line[:1] in "+-" and not line.startswith(("+++", "---", "@@"))
    ]
