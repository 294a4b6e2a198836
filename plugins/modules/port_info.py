#!/usr/bin/python
# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: port_info
short_description: See whether addresses answer on a port
version_added: 0.1.0
description:
  - Tries each address once, from the host that it runs on. With TCP it connects and closes. With UDP it sends one line.
  - If an address doesn't answer, that is a result, not a failure.
extends_documentation_fragment:
  - hitless.nodes.attributes
  - hitless.nodes.attributes.reader
options:
  addresses:
    description:
      - The addresses, IPv4 and IPv6.
    type: list
    elements: str
    required: true
  port:
    description:
      - The port.
    type: int
    required: true
  protocol:
    description:
      - The protocol.
      - If a UDP port sends nothing back, the answer is unknown, unless the other side says that the port is closed.
    type: str
    choices: [tcp, udp]
    default: tcp
  vrf:
    description:
      - The VRF of this host to try from. Another VRF than the default one needs rights, usually by C(become).
    type: str
    default: default
  exec:
    description:
      - The command by which C(ip) is run in the network of FRR, see M(hitless.nodes.frr_bgp_info). In a play the
        variable C(router_exec) is its default.
      - This module itself isn't run by it. If the network there has other addresses than the one that the module runs
        in, the answers are unknown.
    type: raw
  timeout:
    description:
      - Seconds that one try may take.
    type: float
    default: 3.0
author:
  - hitless.nodes contributors (@hitless)
"""

EXAMPLES = r"""
- name: See whether the VIPs answer the router
  hitless.nodes.port_info:
    addresses: [198.51.100.10, "2001:db8:100::10"]
    port: 443
  delegate_to: tor-1
"""

RETURN = r"""
host:
  description: The host that tried.
  type: str
  returned: success
  sample: tor-1
answers:
  description: One entry for each address.
  type: list
  elements: dict
  returned: success
  contains:
    address:
      description: The address.
      type: str
    port:
      description: The port.
      type: int
    protocol:
      description: The protocol.
      type: str
    answers:
      description: Whether it answers. V(null) if that is unknown.
      type: bool
    reason:
      description: How the module knows.
      type: str
"""

import socket
from typing import TYPE_CHECKING, Any

from ansible_collections.hitless.nodes.plugins.module_utils.base import adapter
from ansible_collections.hitless.nodes.plugins.module_utils.frr import port
from ansible_collections.hitless.nodes.plugins.module_utils.frr.place import Place

if TYPE_CHECKING:
    from ansible.module_utils.basic import AnsibleModule

ARGUMENTS: dict[str, Any] = {
    "addresses": {"type": "list", "elements": "str", "required": True},
    "port": {"type": "int", "required": True},
    "protocol": {"type": "str", "choices": list(port.KINDS), "default": "tcp"},
    "vrf": {"type": "str", "default": "default"},
    "exec": {"type": "raw"},
    "timeout": {"type": "float", "default": 3.0},
}


def work(module: AnsibleModule) -> dict[str, Any]:
    """Which addresses answer."""
    params = module.params
    found = port.attempts(
        params["addresses"],
        params["port"],
        protocol=params["protocol"],
        vrf=params["vrf"],
        timeout=params["timeout"],
        place=Place(params["exec"]),
    )
    return {"changed": False, "host": socket.gethostname(), "answers": found}


def main() -> None:
    adapter.run(work, ARGUMENTS)


if __name__ == "__main__":
    main()
