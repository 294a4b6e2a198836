# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A role's argument specs document its defaults, and Ansible doesn't apply them: both must say the same."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

TOP = Path(__file__).resolve().parents[3]
ROLES = sorted(path.parent.parent for path in TOP.glob("roles/*/meta/argument_specs.yml"))


def load(path: Path) -> dict[str, Any]:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def specs(role: Path) -> dict[str, dict[str, Any]]:
    return load(role / "meta" / "argument_specs.yml")["argument_specs"]


def in_the_spec(default: Any) -> Any:
    """A default as a spec has it. antsibull-docs refuses a template for a number, so the spec has what it ends with."""
    number = re.fullmatch(r"{{ \w+ \| default\((\d+)\) }}", str(default))
    return int(number[1]) if number else default


def test_every_role_has_specs() -> None:
    assert [role.name for role in ROLES] == sorted(path.name for path in (TOP / "roles").iterdir() if path.is_dir())


@pytest.mark.parametrize("role", ROLES, ids=lambda role: role.name)
def test_spec_and_defaults_agree(role: Path) -> None:
    documented: dict[str, Any] = {}
    for spec in specs(role).values():
        for name, option in spec["options"].items():
            if "default" in option:
                assert documented.setdefault(name, option["default"]) == option["default"]
            else:
                assert option.get("required") or option["type"] == "raw", f"{name} needs a default or required: true"
    defaults = load(role / "defaults" / "main.yml")
    assert documented == {name: in_the_spec(default) for name, default in defaults.items()}


@pytest.mark.parametrize("role", ROLES, ids=lambda role: role.name)
def test_every_entry_point_has_tasks(role: Path) -> None:
    for entry in specs(role):
        assert (role / "tasks" / f"{entry}.yml").is_file()


@pytest.mark.parametrize("role", ROLES, ids=lambda role: role.name)
def test_options_begin_with_the_role_s_name(role: Path) -> None:
    for spec in specs(role).values():
        assert all(name.startswith(f"{role.name}_") for name in spec["options"])


@pytest.mark.parametrize("role", ROLES, ids=lambda role: role.name)
def test_readme_is_there(role: Path) -> None:
    assert (role / "README.md").read_text(encoding="utf-8").startswith(f"# {role.name}\n")
