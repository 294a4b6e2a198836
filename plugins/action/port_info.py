# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from ansible_collections.hitless.nodes.plugins.plugin_utils._router import RouterAction


class ActionModule(RouterAction):
    """Runs port_info on a router, which it reaches as the inventory says."""

    OPTIONS = {"router_exec": "exec"}
