# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to hitless.nodes: it may change in any release, don't import it from elsewhere.

"""How tasks reach the cluster and the routers. The inventory says it once for every task of the collection."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

# Variable of the user -> option of every module that talks to the Kubernetes API.
CLUSTER = {
    "kubeconfig": "kubeconfig",
    "kube_context": "context",
    "kube_host": "host",
    "kube_api_key": "api_key",
    "kube_validate_certs": "validate_certs",
    "kube_ca_cert": "ca_cert",
    "kube_client_cert": "client_cert",
    "kube_client_key": "client_key",
    "kube_request_timeout": "request_timeout",
}
# Variable of the user -> option of every module that asks a router.
ROUTER = {"router_vrfs": "vrfs", "router_vtysh": "vtysh", "router_exec": "exec"}
# Otherwise a router that dies silently would hang the open connection to it, and the whole run.
KEEPALIVE = "-o ServerAliveInterval=5 -o ServerAliveCountMax=3"


def options(
    names: Mapping[str, str], args: Mapping[str, Any], variables: Mapping[str, Any], template: Callable[[Any], Any]
) -> dict[str, Any]:
    """A task's arguments, completed by the variables that names maps to options. The task's own arguments win."""
    found = {
        option: template(variables[variable])
        for variable, option in names.items()
        if option not in args and variable in variables
    }
    return {**found, **args}


def keep_alive(connection: Any, variables: Mapping[str, Any]) -> None:
    """Makes a connection to a router end if the router is silent, and carry a module in one round trip if allowed.

    variables: those of the router. Other connections than SSH have no such options and are not changed.
    """
    if connection.transport != "ssh":
        return
    extra = connection.get_option("ssh_extra_args") or ""
    if KEEPALIVE not in extra:
        connection.set_option("ssh_extra_args", f"{extra} {KEEPALIVE}".strip())
    # This makes one round trip instead of five for each look. The inventory can say that a router's sudo forbids it.
    if "ansible_pipelining" not in variables and "ansible_ssh_pipelining" not in variables:
        connection.set_option("pipelining", True)
