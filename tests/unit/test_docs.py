# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

TOP = Path(__file__).parents[2]
ROOMS = TOP / "plugins" / "module_utils"
ARCHITECTURE = TOP / "docs" / "architecture.md"
PAGES = [*TOP.glob("*.md"), *TOP.glob("docs/*.md"), *TOP.glob("roles/*/README.md"), TOP / "tests" / "lab" / "README.md"]
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
