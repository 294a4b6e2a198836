# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    """What guarded and node_guard are told of a last look."""

    DOCUMENTATION = r"""
options:
  name:
    description:
      - Name of the Node.
    type: str
    required: true
  act:
    description:
      - What is about to be done. V(off) is a shutdown, V(force_off) the forced switch-off after a shutdown that didn't
        end, V(reboot) a reboot, and V(flush) the removal of stale routes on routers.
      - For V(flush) only the record, the label and Cilium's objects are judged.
    type: str
    choices: ["off", force_off, reboot, flush]
    required: true
  evidence:
    description:
      - The weakest proof of the withdrawal that is accepted. By default the evidence of the claim.
    type: str
    choices: [router, cilium, estimate]
  min_announcers:
    description:
      - How many others must announce each VIP of the node now. A record keeps the number of its claim, so only V(0) is
        taken. Then nobody is counted.
      - Not used for V(flush).
    type: int
    default: 1
  cilium_namespace:
    description:
      - Namespace of Cilium's agents and its operator.
    type: str
    default: kube-system
"""
