# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to hitless.nodes: it may change in any release, don't import it from elsewhere.

"""How tasks reach the cluster and the routers: what the inventory says once, for every task of the collection."""

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
ROUTER = {"router_vrfs": "vrfs", "router_vtysh": "vtysh"}
# A router that dies in silence would otherwise hang the connection that is kept open to it, and the run with it.
KEEPALIVE = "-o ServerAliveInterval=5 -o ServerAliveCountMax=3"


def options(
    names: Mapping[str, str], args: Mapping[str, Any], variables: Mapping[str, Any], template: Callable[[Any], Any]
) -> dict[str, Any]:
    """A task's arguments, completed by the variables that names maps to options. What the task says itself counts."""
    found = {
        option: template(variables[variable])
        for variable, option in names.items()
        if option not in args and variable in variables
    }
    return {**found, **args}


def keep_alive(connection: Any, variables: Mapping[str, Any]) -> None:
    """Has a connection to a router end when the router is silent, and carry a module in one round trip where it may.

    variables: those of the router. Connections of other kinds than SSH have no such options and stay as they are.
    """
    if connection.transport != "ssh":
        return
    extra = connection.get_option("ssh_extra_args") or ""
    if KEEPALIVE not in extra:
        connection.set_option("ssh_extra_args", f"{extra} {KEEPALIVE}".strip())
    # One round trip instead of five for each look, unless the inventory says that this router's sudo doesn't allow it.
    if "ansible_pipelining" not in variables and "ansible_ssh_pipelining" not in variables:
        connection.set_option("pipelining", True)
