# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the modules on routers are told: how their router is reached, and what the record says of it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from ansible.errors import AnsibleActionFail
from ansible_collections.hitless.nodes.plugins.action import (
    frr_bgp_info,
    frr_bgp_neighbor,
    frr_bgp_wait,
    frr_policy_info,
    port_info,
)
from ansible_collections.hitless.nodes.plugins.plugin_utils._reach import KEEPALIVE

RECORD: dict[str, Any] = {
    "before": {
        "addresses": ["192.0.2.13"],
        "routes": {
            "tor-1": {"default": {"bgp": ["198.51.100.10/32", "10.1.3.0/24"], "fib": ["10.1.3.0/24"]}},
            "tor-2": {"blue": {"bgp": ["203.0.113.0/24"], "fib": []}},
        },
        "sessions": {"tor-1": [{"vrf": "default", "address": "fe80::13", "established": True}]},
        "local": ["198.51.100.10/32"],
    },
    "history": [{"phase": "drained"}, {"routers_changed": {"tor-1": [{"vrf": "default", "address": "fe80::13"}]}}],
}
EVERY = ["10.1.3.0/24", "198.51.100.10/32", "203.0.113.0/24"]


class Connection:
    """A connection with options, as Ansible's have them."""

    def __init__(self, transport: str = "ssh", **options: Any) -> None:
        self.transport = transport
        self.options = options

    def get_option(self, name: str) -> Any:
        return self.options.get(name)

    def set_option(self, name: str, value: Any) -> None:
        self.options[name] = value


def told(
    plugin: Any, args: dict[str, Any], *, router: dict[str, Any] | None = None, connection: Connection | None = None
) -> dict[str, Any]:
    """The arguments that the module gets for a task of node worker-3 that is delegated to tor-1."""
    task = SimpleNamespace(args=args, delegate_to="tor-1", action="hitless.nodes.x", async_val=0)
    templar = SimpleNamespace(template=lambda value: value)
    action = plugin.ActionModule(task, connection or Connection(), SimpleNamespace(become=None), None, templar, None)
    hostvars = {"tor-1": router or {}, "worker-3": {}}
    return action.arguments({"inventory_hostname": "worker-3", "hostvars": hostvars, "router_vtysh": "vtysh -N node"})


def test_a_router_that_only_the_record_names_is_not_asked() -> None:
    task = SimpleNamespace(args={"record": RECORD, "state": "up"}, delegate_to="tor-9", action="x", async_val=0)
    templar = SimpleNamespace(template=lambda value: value)
    action = frr_bgp_neighbor.ActionModule(task, Connection(), SimpleNamespace(become=None), None, templar, None)
    with pytest.raises(AnsibleActionFail, match=r"tor-9: the inventory has no such router \(any more\)"):
        action.arguments({"inventory_hostname": "worker-3", "hostvars": {"tor-1": {}, "worker-3": {}}})


def test_a_withdrawal_is_of_every_prefix_in_every_vrf_of_the_router() -> None:
    found = told(frr_bgp_wait, {"record": RECORD, "state": "withdrawn"}, router={"router_vrfs": ["default", "red"]})
    assert found["addresses"] == ["192.0.2.13", "fe80::13"]
    assert found["prefixes"] == {"default": EVERY, "red": EVERY}
    assert "record" not in found
    assert found["_names"] == {"node": "worker-3", "router": "tor-1"}


def test_what_comes_back_is_what_this_router_had_without_the_vips_that_left_with_their_pods() -> None:
    found = told(frr_bgp_wait, {"record": RECORD, "state": "present"})
    assert found["prefixes"] == {"default": ["10.1.3.0/24"]}
    assert found["forwarded"] == {"default": ["10.1.3.0/24"]}
    assert found["sessions"] == [{"vrf": "default", "address": "fe80::13"}]


def test_what_was_drained_on_the_router_is_put_back() -> None:
    found = told(frr_bgp_neighbor, {"record": RECORD, "state": "up"})
    assert found["drained"] == [{"vrf": "default", "address": "fe80::13"}]
    assert found["vrfs"] == ["default"]


def test_what_is_flushed_is_every_prefix() -> None:
    assert told(frr_bgp_neighbor, {"record": RECORD, "state": "flushed"})["prefixes"] == {"default": EVERY}


def test_vrfs_may_be_written_as_one_text() -> None:
    found = told(frr_bgp_wait, {"record": RECORD, "state": "withdrawn"}, router={"router_vrfs": "default,red"})
    assert set(found["prefixes"]) == {"default", "red"}


def test_the_router_s_variables_count_before_the_node_s_and_the_task_s_before_both() -> None:
    own = {"router_vrfs": ["red"], "router_vtysh": "vtysh -N router", "router_exec": "docker exec frr"}
    assert told(frr_bgp_info, {"addresses": ["192.0.2.13"]})["vtysh"] == "vtysh -N node"
    found = told(frr_bgp_info, {"addresses": ["192.0.2.13"]}, router=own)
    assert (found["vtysh"], found["vrfs"], found["exec"]) == ("vtysh -N router", ["red"], "docker exec frr")
    assert told(frr_bgp_info, {"vtysh": "/opt/vtysh"}, router=own)["vtysh"] == "/opt/vtysh"


@pytest.mark.parametrize("plugin", [frr_bgp_info, frr_bgp_neighbor, frr_bgp_wait, frr_policy_info, port_info])
def test_every_module_on_a_router_is_told_where_frr_runs(plugin: Any) -> None:
    assert told(plugin, {}, router={"router_exec": ["sudo", "-n"]})["exec"] == ["sudo", "-n"]


@pytest.mark.parametrize("record", [{}, {"before": {}}, "x"])
def test_what_is_no_record_is_refused(record: Any) -> None:
    with pytest.raises(AnsibleActionFail, match="option record isn't the record of a node"):
        told(frr_bgp_wait, {"record": record, "state": "withdrawn"})


def test_a_silent_router_ends_its_connection() -> None:
    connection = Connection(ssh_extra_args="-o User=x")
    told(frr_bgp_info, {}, connection=connection)
    assert connection.options == {"ssh_extra_args": f"-o User=x {KEEPALIVE}", "pipelining": True}
    # The same connection can serve the next item of a loop.
    told(frr_bgp_info, {}, connection=connection)
    assert connection.options["ssh_extra_args"].count("ServerAliveInterval") == 1


def test_an_inventory_that_forbids_pipelining_is_obeyed() -> None:
    connection = Connection()
    told(frr_bgp_info, {}, router={"ansible_pipelining": False}, connection=connection)
    assert "pipelining" not in connection.options


def test_connections_of_other_kinds_stay_as_they_are() -> None:
    connection = Connection("community.docker.docker")
    told(frr_bgp_info, {}, connection=connection)
    assert connection.options == {}
