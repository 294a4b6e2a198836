# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from ansible_collections.hitless.nodes.plugins.module_utils.request import playbook_options
from ansible_collections.hitless.nodes.plugins.module_utils.request.playbook_options import entry_points

TOP = Path(__file__).resolve().parents[3]
PLAYBOOKS = sorted([*TOP.glob("playbooks/*.yml"), *TOP.glob("playbooks/tasks/*.yml")])


def specs(role: str) -> dict[str, dict[str, object]]:
    text = (TOP / "roles" / role / "meta" / "argument_specs.yml").read_text(encoding="utf-8")
    return {entry: spec["options"] for entry, spec in yaml.safe_load(text)["argument_specs"].items()}


@pytest.mark.parametrize("direction", playbook_options.ACTIONS)
def test_every_entry_point_that_a_run_goes_through_is_one(direction: str) -> None:
    for action in playbook_options.ACTIONS[direction]:
        for role, entry in entry_points(direction, action, router_drain=True):
            assert entry in specs(role)


def test_the_way_back_uses_nothing_of_the_drain_but_the_node() -> None:
    back = entry_points("in", "poweroff", router_drain=False)
    assert ("drain", "drain") not in back
    assert set(specs("drain")["uncordon"]) == {"drain_node"}
    assert "power_off_timeout" not in specs("power")["on"]


def test_only_who_switches_off_is_asked_for_its_power() -> None:
    assert ("power", "off") in entry_points("out", "poweroff", router_drain=False)
    assert ("power", "off") not in entry_points("out", "none", router_drain=False)
    assert ("power", "reboot") in entry_points("maintenance", "reboot", router_drain=False)


def test_every_variable_of_the_playbooks_is_in_a_playbook_or_read_by_an_action() -> None:
    """A name that stands nowhere else is dead, and a mistyped one would be taken for good."""
    texts = [path.read_text(encoding="utf-8") for path in (*PLAYBOOKS, *TOP.glob("plugins/plugin_utils/*.py"))]
    texts += [path.read_text(encoding="utf-8") for path in TOP.glob("roles/*/defaults/main.yml")]
    texts += [(TOP / "plugins/action/maintenance_check.py").read_text(encoding="utf-8")]
    names = {*playbook_options.OF_THE_RUN, *playbook_options.OF_A_HOST, *playbook_options.OTHERS}
    assert sorted(name for name in names if not any(name in text for text in texts)) == []
