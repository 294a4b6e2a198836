# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options: {}
attributes:
  check_mode:
    description: Can run in C(check_mode) and say what would change, without changing anything.
  diff_mode:
    description: Returns what has changed, or would change in C(check_mode), when in diff mode.
  idempotent:
    description: When run twice in a row with the world unchanged in between, the second time changes nothing.
"""

    # For modules that only read (or wait and read).
    READER = r"""
options: {}
attributes:
  check_mode:
    support: full
    details:
      - Only reads. A module that waits looks once in check mode, returns what it saw, and never sleeps.
  diff_mode:
    support: N/A
    details:
      - Changes nothing.
  idempotent:
    support: full
"""

    # For modules that write.
    WRITER = r"""
options: {}
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
  idempotent:
    support: full
"""

    # For modules whose action plugin says who runs them. The option is the action plugin's, not people's.
    HELD = r"""
options:
  _run:
    description: What tells this run of ansible-playbook from any other. Set by the action plugin, not for playbooks.
    type: dict
attributes:
  action:
    description: Has an action plugin of the same name, so some of it runs on the controller.
    support: full
    details:
      - The action plugin says who runs the playbook, and cuts waits that take long into slices of about 12 seconds,
        between which it prints what is still waited for.
"""

    # For modules that run on routers.
    ROUTER = r"""
options: {}
notes:
  - In a play the variables C(router_vrfs) and C(router_vtysh) stand in for the options O(vrfs) and O(vtysh), those of
    the router before those of the node.
attributes:
  action:
    description: Has an action plugin of the same name, so some of it runs on the controller.
    support: full
    details:
      - The action plugin completes the options from the router's variables, and has the SSH connection end when the
        router is silent.
"""

    # For modules whose action plugin runs them in slices. The options are the action plugin's, not people's.
    SLICED = r"""
options:
  _slice:
    description: Seconds after which to report what is left. Set by the action plugin, not for playbooks.
    type: float
  _state:
    description: What the slice before found out. Set by the action plugin, not for playbooks.
    type: dict
attributes:
  action:
    description: Has an action plugin of the same name, so some of it runs on the controller.
    support: full
    details:
      - The action plugin cuts a wait that takes long into slices of about 12 seconds,
        between which it prints what is still waited for.
"""

    # For actions that show something to people: they are action plugins only.
    REPORTER = r"""
options: {}
attributes:
  check_mode:
    support: full
    details:
      - Prints, but writes no files.
  diff_mode:
    support: N/A
    details:
      - Reports are no change of what they report.
  idempotent:
    support: full
  action:
    description: It is an action plugin and runs on the controller only.
    support: full
"""
