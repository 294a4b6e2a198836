# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.hitless.nodes.plugins.module_utils.request.twins import node_problems, router_problems


def test_two_names_for_one_node() -> None:
    assert node_problems({"worker-1": "worker-1", "worker-2": "worker-2"}) == []
    (line,) = node_problems({"worker-1": "w1.example.org", "old-name": "w1.example.org", "worker-2": "worker-2"})
    assert line.startswith("worker-1 and old-name are the same Node w1.example.org (node_name): ")
    # A node_name that is another one's inventory name.
    assert node_problems({"worker-1": "worker-1", "spare": "worker-1"})


@pytest.mark.parametrize(
    ("routers", "words"),
    [
        ({"tor-1": {}, "tor-2": {}}, ""),
        ({"tor-1": {"ansible_host": "192.0.2.1"}, "tor-2": {"ansible_host": "192.0.2.2"}}, ""),
        (
            {"tor-1": {"ansible_host": "192.0.2.1"}, "leaf-1": {"ansible_host": "192.0.2.1", "ansible_port": 22}},
            "routers tor-1 and leaf-1 are the same one, at 192.0.2.1, port 22: ",
        ),
        # The name of one is the address of the other.
        ({"192.0.2.1": {}, "tor-1": {"ansible_host": "192.0.2.1"}}, "at 192.0.2.1, port 22"),
        # Behind one address: forwarded ports, network namespaces, containers.
        ({"a": {"ansible_host": "gw", "ansible_port": 2201}, "b": {"ansible_host": "gw", "ansible_port": 2202}}, ""),
        ({"a": {"ansible_host": "gw", "router_exec": "ip netns exec a"}, "b": {"ansible_host": "gw"}}, ""),
        ({"a": {"ansible_host": "gw", "router_vtysh": ["vtysh", "-N", "a"]}, "b": {"ansible_host": "gw"}}, ""),
        ({"a": {"ansible_host": "gw", "ansible_connection": "docker"}, "b": {"ansible_host": "gw"}}, ""),
        (
            {
                "a": {"ansible_host": "gw", "router_exec": "ip netns exec a"},
                "b": {"ansible_host": "gw", "router_exec": "ip netns exec a"},
            },
            "at gw, port 22 (ip netns exec a)",
        ),
    ],
)
def test_two_names_for_one_router(routers: dict[str, dict[str, Any]], words: str) -> None:
    found = router_problems(routers)
    assert len(found) == bool(words)
    assert words in "".join(found)
