# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
import yaml
from ansible_collections.hitless.nodes.plugins.module_utils.request import playbook_options

TOP = Path(__file__).parents[2]
ROOMS = TOP / "plugins" / "module_utils"
ARCHITECTURE = TOP / "docs" / "architecture.md"
PAGES = [*TOP.glob("*.md"), *TOP.glob("docs/*.md"), *TOP.glob("roles/*/README.md"), TOP / "tests" / "lab" / "README.md"]
VARIABLES = TOP / "docs" / "variables.md"
LINK = re.compile(r"\]\((?!https?://)([^)#\s]*)(?:#([^)\s]+))?\)")
PATH = re.compile(r"`([a-z_]+/[\w./-]*)`")


def prose(page: Path) -> list[str]:
    """The lines of a page that are neither code nor a row of a table."""
    text = re.sub(r"^```.*?^```", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    return [line for line in text.splitlines() if not line.startswith(("|", "    "))]


def anchors(page: Path) -> set[str]:
    """The anchors that GitHub gives to the headings of a page."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(TOP)))
def test_links_lead_somewhere(page: Path) -> None:
    lost = []
    for path, anchor in LINK.findall(page.read_text()):
        target = (page.parent / path).resolve() if path else page
        if not target.exists() or (anchor and anchor not in anchors(target)):
            lost.append(f"{path}#{anchor}")
    assert lost == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(TOP)))
def test_prose_is_wrapped_at_100_columns(page: Path) -> None:
    assert [line for line in prose(page) if len(line) > 100] == []


@pytest.mark.parametrize("page", [ARCHITECTURE, TOP / "CONTRIBUTING.md"], ids=lambda page: page.name)
def test_files_that_a_page_names_are_there(page: Path) -> None:
    named = PATH.findall(page.read_text())
    made_up = {"roles/ROLE/", "changelogs/fragments/"}
    lost = [
        path
        for path in named
        if not any(path.startswith(prefix) for prefix in made_up)
        and not any((folder / path).exists() for folder in (TOP, ROOMS))
    ]
    assert named != []
    assert lost == []


def test_architecture_has_the_floors_that_import_linter_holds() -> None:
    settings = tomllib.loads((TOP / "pyproject.toml").read_text())["tool"]["importlinter"]
    layers = next(contract["layers"] for contract in settings["contracts"] if contract["type"] == "layers")
    floors = [set(layer.split(" | ")) for layer in layers]
    rows = re.findall(r"^\| \d \| (.*) \|$", ARCHITECTURE.read_text(), re.MULTILINE)
    assert [set(re.findall(r"`(\w+)`", row)) for row in rows] == floors


def test_architecture_says_what_every_room_knows() -> None:
    rooms = {path.name for path in ROOMS.iterdir() if path.is_dir() and path.name != "__pycache__"}
    explained = set(re.findall(r"^\| `(\w+)` \| \S.* \| .* \|$", ARCHITECTURE.read_text(), re.MULTILINE))
    assert rooms - explained == set()


def role_options() -> dict[str, object]:
    """Name -> default of every option of every role."""
    found: dict[str, object] = {}
    for path in TOP.glob("roles/*/meta/argument_specs.yml"):
        for spec in yaml.safe_load(path.read_text())["argument_specs"].values():
            found |= dict.fromkeys(spec["options"])
    for path in TOP.glob("roles/*/defaults/main.yml"):
        found |= yaml.safe_load(path.read_text()) or {}
    return found


def every_variable() -> set[str]:
    """All variables that playbooks and roles have."""
    own = {*playbook_options.OF_THE_RUN, *playbook_options.OF_A_HOST, *playbook_options.OTHERS}
    return own | {*playbook_options.OF_THE_DOCTOR, *role_options(), "target", "evidence"}


def set_by_playbooks() -> set[str]:
    """What the playbooks give to roles or take from other variables."""
    texts = [path.read_text() for path in TOP.glob("playbooks/**/*.yml")]
    return {name for text in texts for name in re.findall(r"^ +(\w+): ", text, re.MULTILINE)}


def documented() -> list[str]:
    """The variables in the first column of the tables."""
    rows = re.findall(r"^\| variable \|.*\n\|[-|]+\|\n((?:\|.*\n)*)", VARIABLES.read_text(), re.MULTILINE)
    cells = [line.split("|")[1] for table in rows for line in table.splitlines()]
    return [name for cell in cells for name in re.findall(r"`(\w+)`", cell)]


def test_every_variable_that_a_user_sets_is_documented() -> None:
    # An option such as claim_routers, whose default is another variable, is for those who use a role alone.
    derived = {name for name, default in role_options().items() if str(default).startswith("{{")}
    only_set_by_playbooks = set_by_playbooks() & set(role_options())
    assert sorted(every_variable() - derived - only_set_by_playbooks - set(documented())) == []


def test_every_variable_that_is_documented_is_there() -> None:
    assert documented() != []
    assert sorted(set(documented()) - every_variable()) == []


def test_the_changelog_has_every_module_and_filter() -> None:
    text = (TOP / "CHANGELOG.rst").read_text()
    plugins = {path.stem for path in [*TOP.glob("plugins/modules/*.py"), *TOP.glob("plugins/filter/*.yml")]}
    assert set(re.findall(r"^- hitless\.nodes\.(\w+) - ", text, re.MULTILINE)) == plugins


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(TOP)))
def test_commands_that_a_page_names_are_there(page: Path) -> None:
    text = page.read_text()
    branches = re.findall(r"^  ([a-z][\w |-]*)\) ", (TOP / "dev").read_text(), re.MULTILINE)
    commands = {command for branch in branches for command in branch.split(" | ")}
    assert set(re.findall(r"\./dev ([a-z][\w-]*)", text)) - commands == set()
    playbooks = {path.stem for path in TOP.glob("playbooks/*.yml")}
    assert set(re.findall(r"ansible-playbook [^\n]*hitless\.nodes\.(\w+)", text)) - playbooks == set()
