# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Prints the size and the shape of a tree of this collection, to compare it with another one."""

from __future__ import annotations

import argparse
import ast
import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import yaml
from radon.complexity import cc_visit_ast
from radon.visitors import Function

DOC_BLOCKS = {"DOCUMENTATION", "EXAMPLES", "RETURN"}
COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
# Keys under which YAML keeps a list of tasks. In a file of tasks the list stands alone.
TASK_LISTS = {"tasks", "pre_tasks", "post_tasks", "handlers", "block", "rescue", "always"}
SET_FACT = {"set_fact", "ansible.builtin.set_fact"}
# Folders of data, and of what the tools write.
LEFT_OUT = {"__pycache__", "crds", "fixtures", "output"}


def files_in(folder: Path, *suffixes: str) -> list[Path]:
    """The files below a folder with one of these suffixes, in order."""
    found = []
    for path in sorted(folder.rglob("*")):
        inside = path.relative_to(folder).parts
        left_out = any(part.startswith(".") or part in LEFT_OUT for part in inside)
        if path.is_file() and path.suffix in suffixes and not left_out:
            found.append(path)
    return found


def lines_of(paths: list[Path]) -> int:
    """How many lines these files have together."""
    return sum(len(path.read_text().splitlines()) for path in paths)


# --- Python -----------------------------------------------------------------------------------------------------


def files_per_folder(plugins: Path) -> dict[str, int]:
    """Folder of plugins, or room of module_utils -> how many Python files it has."""
    count = Counter(path.parent.relative_to(plugins).as_posix() for path in files_in(plugins, ".py"))
    return dict(sorted(count.items()))


def doc_block_lines(module: ast.Module) -> int:
    """How many lines are documentation that ansible-doc shows."""
    lines = 0
    for statement in module.body:
        if not isinstance(statement, ast.Assign) or statement.end_lineno is None:
            continue
        names = {target.id for target in statement.targets if isinstance(target, ast.Name)}
        if names & DOC_BLOCKS:
            lines += statement.end_lineno - statement.lineno + 1
    return lines


def own_comprehensions(function: ast.AST) -> int:
    """Comprehensions of a function, without those of functions inside of it."""
    count = 0
    for child in ast.iter_child_nodes(function):
        if isinstance(child, FUNCTIONS):
            continue
        count += isinstance(child, COMPREHENSIONS)
        count += own_comprehensions(child)
    return count


def functions_of(modules: list[ast.Module]) -> dict[str, int]:
    """How many functions there are, and how many of them are hard to read."""
    functions = [node for module in modules for node in ast.walk(module) if isinstance(node, FUNCTIONS)]
    blocks = [block for module in modules for block in cc_visit_ast(module) if isinstance(block, Function)]
    return {
        "functions": len(functions),
        "complexity over 10": sum(block.complexity > 10 for block in blocks),
        "complexity over 15": sum(block.complexity > 15 for block in blocks),
        "more than 3 comprehensions": sum(own_comprehensions(function) > 3 for function in functions),
    }


def public_filters(folder: Path) -> int:
    """How many filters users can call."""
    count = 0
    for path in files_in(folder, ".py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef) and node.name == "filters":
                dicts = [inner.value for inner in ast.walk(node) if isinstance(inner, ast.Return)]
                count += sum(len(value.keys) for value in dicts if isinstance(value, ast.Dict))
    return count


# --- YAML -------------------------------------------------------------------------------------------------------


class AnyTag(yaml.SafeLoader):
    """Reads Ansible's own tags (!unsafe, !vault) as nothing."""


AnyTag.add_multi_constructor("!", lambda *_: None)


def document_in(path: Path) -> Any:
    """What a YAML file holds."""
    return AnyTag(path.read_text()).get_single_data()


def all_dicts(value: Any) -> list[dict[str, Any]]:
    """Every mapping in a document, wherever it stands."""
    if isinstance(value, dict):
        return [value, *(inner for item in value.values() for inner in all_dicts(item))]
    if isinstance(value, list):
        return [inner for item in value for inner in all_dicts(item)]
    return []


def tasks_in(document: Any) -> int:
    """How many tasks a playbook or a file of tasks has. A block is none, what is in it counts."""
    lists = [document] if isinstance(document, list) else []
    for mapping in all_dicts(document):
        lists += [value for key, value in mapping.items() if key in TASK_LISTS and isinstance(value, list)]
    entries = [entry for entries in lists for entry in entries if isinstance(entry, dict)]
    return sum(not is_play(entry) and "block" not in entry for entry in entries)


def is_play(entry: dict[str, Any]) -> bool:
    """Whether an entry of a playbook is a play or an imported playbook."""
    return "hosts" in entry or any(key.endswith("import_playbook") for key in entry)


def names_set(document: Any) -> set[str]:
    """The names that a document registers or sets."""
    names: set[str] = set()
    for mapping in all_dicts(document):
        if isinstance(mapping.get("register"), str):
            names.add(mapping["register"])
        for key in SET_FACT & mapping.keys():
            names |= mapping[key].keys() - {"cacheable"}
    return names


def without_comments(text: str) -> str:
    """The lines that aren't comments as a whole."""
    return "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("#"))


def looked_up(module: ast.Module) -> set[str]:
    """The texts with which a Python file may look a name up. Keys of a dict that it makes itself are none."""
    keys = {key for node in ast.walk(module) if isinstance(node, ast.Dict) for key in node.keys}
    constants = {node for node in ast.walk(module) if isinstance(node, ast.Constant)} - keys
    return {node.value for node in constants if isinstance(node.value, str)}


def names_across_files(tree: Path) -> dict[str, dict[str, list[str]]]:
    """Each registered or set name -> the files that set it, and the other files that read it."""
    yaml_files = [*files_in(tree / "playbooks", ".yml", ".j2")]
    yaml_files += [path for path in files_in(tree / "roles", ".yml", ".j2") if path.parent.name != "meta"]
    texts = {path: without_comments(path.read_text()) for path in yaml_files}
    python = {path: looked_up(ast.parse(path.read_text())) for path in files_in(tree / "plugins", ".py")}

    set_in: dict[str, list[Path]] = {}
    for path in yaml_files:
        if path.suffix == ".yml":
            for name in names_set(document_in(path)):
                set_in.setdefault(name, []).append(path)

    found = {}
    for name, setters in sorted(set_in.items()):
        word = re.compile(rf"\b{re.escape(name)}\b")
        readers = [path for path, text in texts.items() if path not in setters and word.search(text)]
        readers += [path for path, words in python.items() if name in words]
        found[name] = {
            "set in": [str(path.relative_to(tree)) for path in setters],
            "read in": [str(path.relative_to(tree)) for path in readers],
        }
    return found


# --- a run ------------------------------------------------------------------------------------------------------


def run_of(log: str) -> dict[str, int]:
    """The tasks of the first run of ansible-playbook in a log, and how many of them did nothing."""
    first = log.split("\nPLAY RECAP", 1)[0]
    # What comes before the first heading is no task.
    tasks = first.split("\nTASK [")[1:]
    skipped = 0
    for task in tasks:
        answers = set(re.findall(r"^(\w+): ", task, re.MULTILINE))
        skipped += answers == {"skipping"}
    included = sum("\nincluded: " in task for task in tasks)
    return {"tasks run": len(tasks), "of them skipped": skipped, "of them includes": included}


# --- the table --------------------------------------------------------------------------------------------------


def figures(tree: Path, log: Path | None) -> dict[str, Any]:
    """All figures of a tree, by subject."""
    plugins = tree / "plugins"
    python = files_in(plugins, ".py")
    modules = [ast.parse(path.read_text()) for path in python]
    fragments = files_in(plugins / "doc_fragments", ".py")
    documented = sum(doc_block_lines(module) for module in modules) + lines_of(fragments)
    play_files = files_in(tree / "playbooks", ".yml") + files_in(tree / "roles", ".yml")
    names = names_across_files(tree)
    crossing = [name for name, files in names.items() if files["read in"]]
    by_python = [name for name in crossing if any(path.startswith("plugins/") for path in names[name]["read in"])]

    found = {
        "Python files in plugins": files_per_folder(plugins),
        "lines": {
            "plugins: Python": lines_of(python) - documented,
            "plugins: documentation in Python": documented,
            "plugins: documentation beside it": lines_of(files_in(plugins, ".yml")),
            "playbooks and roles": lines_of(play_files),
            "tests: Python": lines_of(files_in(tree / "tests", ".py")),
            "tests: YAML": lines_of(files_in(tree / "tests", ".yml")),
            "docs": lines_of([*files_in(tree / "docs", ".md"), *tree.glob("*.md"), *files_in(tree / "roles", ".md")]),
        },
        "functions of plugins": functions_of(modules),
        "names": {
            "public modules": len(files_in(plugins / "modules", ".py")),
            "public filters": public_filters(plugins / "filter"),
            "registered or set": len(names),
            "of them read in another file": len(crossing),
            "of them read in Python by name": len(by_python),
        },
        "tasks": {"in playbooks and roles": sum(tasks_in(document_in(path)) for path in task_files(play_files))},
    }
    if log:
        found["one maintenance"] = run_of(log.read_text())
    return found


def task_files(play_files: list[Path]) -> list[Path]:
    """Those that may have tasks: no variables, no specs."""
    return [path for path in play_files if path.parent.name not in {"defaults", "meta", "vars"}]


def show(found: dict[str, dict[str, int]]) -> None:
    """Print the figures as a table."""
    for subject, rows in found.items():
        print(subject)
        for name, number in rows.items():
            print(f"  {name:<42}{number:>7,}")
        if subject == "Python files in plugins":
            print(f"  {'all':<42}{sum(rows.values()):>7,}")


def main() -> None:
    parser = argparse.ArgumentParser(prog="./dev figures", description=__doc__)
    here = Path(__file__).parents[1]
    parser.add_argument("--tree", type=Path, default=here, help="measure this checkout; default: the one it is in")
    parser.add_argument("--log", type=Path, help="count the tasks of the first run in this output of ansible-playbook")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--names", action="store_true", help="print as JSON which files set and read each name")
    arguments = parser.parse_args()
    if arguments.names:
        print(json.dumps(names_across_files(arguments.tree), indent=2))
        return
    found = figures(arguments.tree, arguments.log)
    if arguments.json:
        print(json.dumps(found, indent=2))
    else:
        show(found)


if __name__ == "__main__":
    main()
