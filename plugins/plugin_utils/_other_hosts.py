# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to hitless.nodes: it may change in any release, don't import it from elsewhere.

"""One action on another host of the inventory, from inside an action plugin.

A loop with delegate_to asks one host after the other. This opens the connection that such a task would have, by the
plugins' own interfaces: connection_loader, set_options, become_loader. So user, jump hosts, become and other kinds of
connections work as the inventory says.
"""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Mapping
from typing import Any

from ansible import constants, context
from ansible.errors import AnsibleActionFail, AnsibleConnectionFailure, AnsibleError
from ansible.module_utils.parsing.convert_bool import boolean
from ansible.plugins.action import ActionBase
from ansible.plugins.loader import become_loader


def run_action(
    caller: ActionBase,
    task_vars: dict[str, Any],
    host: str,
    action: str,
    arguments: dict[str, Any],
    *,
    check_mode: bool | None = None,
    become: bool | None = None,
    connection_variables: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """The result of an action on a host of the inventory, as a task with delegate_to would have it.

    check_mode, become: as the caller's task, unless given. connection_variables: come before those of the host. A host
    that can't be reached is {unreachable, msg}, and any other error of Ansible is {failed, msg}.
    """
    task = caller._task.copy()
    task.action, task.args, task.delegate_to, task.async_val = action, arguments, host, 0
    if check_mode is not None:
        task.check_mode = check_mode
    if become is not None:
        task.become = become
    try:
        variables = _variables(task_vars, host).new_child(dict(connection_variables or {}))
        delegated = task_vars | {"ansible_delegated_vars": {host: variables}}
        connection, play_context = _connection(caller, task, delegated)
        # Most modules have no action plugin of their name, and run by the one that Ansible has for them.
        loader = caller._shared_loader_obj.action_loader
        handler = loader.get(
            action if loader.has_plugin(action) else "ansible.legacy.normal",
            task=task,
            connection=connection,
            play_context=play_context,
            loader=caller._loader,
            templar=caller._templar,
            shared_loader_obj=caller._shared_loader_obj,
        )
        try:
            result: dict[str, Any] = handler.run(task_vars=delegated)
        finally:
            handler.cleanup()
            connection.close()
    except AnsibleConnectionFailure as exc:
        return {"unreachable": True, "changed": False, "msg": str(exc)}
    except AnsibleError as exc:
        return {"failed": True, "changed": False, "msg": str(exc)}
    if result.get("rc", 0) not in (0, "0"):
        result.setdefault("failed", True)
    return result


def _variables(task_vars: Mapping[str, Any], host: str) -> ChainMap[str, Any]:
    """The variables of the host; the inventory's, templated when they are used."""
    hostvars = task_vars["hostvars"]
    # If the inventory doesn't have the host, its name is its address, as with delegate_to.
    own = hostvars[host] if host in hostvars else {}  # noqa: SIM401 - ansible-core 2.18 has no KeyError
    # Where Ansible notes which Python it has found. hostvars make new facts each time, and would forget it.
    facts = dict(own.get("ansible_facts") or {})
    return ChainMap({"inventory_hostname": host, "ansible_facts": facts}, own, {"ansible_host": host})


def _connection(caller: ActionBase, task: Any, task_vars: dict[str, Any]) -> tuple[Any, Any]:
    """The connection to the host to which the task is delegated, with its play context."""
    variables = task_vars["ansible_delegated_vars"][task.delegate_to]
    play_context = caller._play_context.set_task_and_variable_override(
        task=task, variables=task_vars, templar=caller._templar
    )
    play_context.remote_addr = variables["ansible_host"]
    # Not the task's own: from ansible-core 2.21 on that is the one that led to the play's host.
    kind = variables.get("ansible_connection") or context.CLIARGS.get("connection") or constants.DEFAULT_TRANSPORT
    play_context.connection = kind
    connection = caller._shared_loader_obj.connection_loader.get(
        kind, play_context, new_stdin=None, task_uuid=task._uuid
    )
    if connection is None:
        raise AnsibleActionFail(f"{task.delegate_to}: there is no connection plugin {kind} (ansible_connection)")
    connection.set_become_plugin(_become(task, variables))
    keys = task.dump_attrs()
    # The task's timeout is another one than the connection's. Retries are the connection's own.
    keys["timeout"] = play_context.timeout
    keys.pop("retries", None)
    if play_context.password:
        keys["password"] = play_context.password
    if play_context.become_pass:
        keys["become_pass"] = play_context.become_pass
    _set_options("connection", connection, keys, variables)
    _set_options("shell", connection._shell, keys, variables)
    if connection.become is not None:
        _set_options("become", connection.become, keys, variables)
    return connection, play_context


def _become(task: Any, variables: Mapping[str, Any]) -> Any:
    """The become plugin of the host, None without become."""
    wanted = variables.get("ansible_become", task.become)
    if wanted is None or not boolean(wanted):
        return None
    method = variables.get("ansible_become_method") or task.become_method
    plugin = become_loader.get(method)
    if plugin is None:
        raise AnsibleActionFail(f"{task.delegate_to}: there is no become plugin {method} (ansible_become_method)")
    return plugin


def _set_options(kind: str, plugin: Any, keys: dict[str, Any], variables: Mapping[str, Any]) -> None:
    """Sets a plugin's options by the task's keywords and the host's variables."""
    names = constants.config.get_plugin_vars(kind, plugin._load_name)
    plugin.set_options(task_keys=keys, var_options={name: variables[name] for name in names if name in variables})
