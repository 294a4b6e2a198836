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
    description: A second run changes nothing, if nothing else has changed since the first one.
"""

    # For modules that only read (or wait and read).
    READER = r"""
options: {}
attributes:
  check_mode:
    support: full
    details:
      - Only reads. In check mode a module that waits looks once, returns what it saw, and never sleeps.
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

    # For modules whose action plugin says who runs them. Only the action plugin sets the option.
    HELD = r"""
options:
  _run:
    description: Identifies this run of ansible-playbook. The action plugin sets it. Not for playbooks.
    type: dict
attributes:
  action:
    description: Has an action plugin of the same name, so a part of it runs on the controller.
    support: full
    details:
      - The action plugin says who runs the playbook. It cuts long waits into slices of about 12 seconds, and prints
        between them what is still missing.
"""

    # For modules that change a node after its claim.
    CLAIMED = r"""
options:
  claimed:
    description:
      - Whether the node was claimed, so that it must have a record. V(true) refuses a node without one, because nothing
        says any more what was before. The playbooks set it. In check mode it has no effect, because the claim has
        written no record.
      - By default a node that nobody has claimed is no reason to refuse.
    type: bool
    default: false
"""

    # For modules that run on routers.
    ROUTER = r"""
options: {}
notes:
  - In a play the variables C(router_vrfs), C(router_vtysh) and C(router_exec) are the defaults of the options O(vrfs),
    O(vtysh) and O(exec). Those of the router come before those of the node.
attributes:
  action:
    description: Has an action plugin of the same name, so a part of it runs on the controller.
    support: full
    details:
      - The action plugin takes missing options from the router's variables. It makes the SSH connection end if the
        router is silent.
"""

    # For modules that ask FRR and the kernel of a router; see module_utils/frr/programs.py.
    PROGRAMS = r"""
options:
  vtysh:
    description:
      - The path of C(vtysh), with arguments if the system needs them. For an FRR in a path space this is for instance
        C(/usr/bin/vtysh -N blue).
      - By default the module finds it in E(PATH), or the place that O(exec) leads to does.
    type: str
    default: vtysh
  exec:
    description:
      - The command by which both C(vtysh) and C(ip) are run, as a text or as a list of words. Examples are
        C(ip netns exec blue), C(docker exec frr), C(kubectl exec -n net frr-0 -c frr --) and C(sudo -n).
      - Needed if FRR's kernel routes aren't those that C(ip route) shows to the user who logs in. FRR is then in a
        network namespace or in a container.
      - C(ip) gets its look-ups on its standard input. C(-i) is added to an C(exec) of docker, podman, nerdctl, kubectl,
        oc or crictl. Another command must pass its standard input on.
      - By default both are run as they are.
    type: raw
"""

    # For modules whose action plugin runs them in slices. Only the action plugin sets the options.
    SLICED = r"""
options:
  _slice:
    description: Seconds after which to report what is left. The action plugin sets it. Not for playbooks.
    type: float
  _state:
    description: What the previous slice found. The action plugin sets it. Not for playbooks.
    type: dict
attributes:
  action:
    description: Has an action plugin of the same name, so a part of it runs on the controller.
    support: full
    details:
      - The action plugin cuts long waits into slices of about 12 seconds, and prints between them what is still
        missing.
"""

    # For actions that show something to people. They are only action plugins.
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
      - A report changes nothing of what it reports.
  idempotent:
    support: full
  action:
    description: It is an action plugin and runs only on the controller.
    support: full
"""
