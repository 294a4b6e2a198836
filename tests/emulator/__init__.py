# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A small emulator of the Kubernetes API: what hitless.nodes and its lab use, and 501 for the rest (see README.md)."""

from __future__ import annotations

VERSION = "v1.33.0-emulated"
