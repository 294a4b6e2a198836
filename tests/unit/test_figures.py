# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import ast
from pathlib import Path

import figures

PLAY = """
- name: Take a node out
  hosts: nodes
  tasks:
    - name: Do both
      block:
        - name: Ask
          ansible.builtin.command: "true"
          register: asked
      rescue:
        # Nobody reads never_read here.
        - name: Keep
          ansible.builtin.set_fact:
            kept: "{{ asked }}"
            never_read: 1
"""
TASKS = """
- name: Use
  ansible.builtin.debug:
    var: kept
- name: Set again
  ansible.builtin.debug:
    msg: "{{ other.never_read_more }}"
  register: never_read
"""
FILTER = """
def lines(hostvars):
    return {"never_read": hostvars.get("asked")}
"""


def a_tree(folder: Path) -> Path:
    for path, text in {
        "playbooks/out.yml": PLAY,
        "playbooks/tasks/use.yml": TASKS,
        "plugins/filter/a.py": FILTER,
    }.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)
    return folder


def test_a_name_crosses_files_when_yaml_or_a_filter_reads_it_elsewhere(tmp_path):
    names = figures.names_across_files(a_tree(tmp_path))
    assert {name: files["read in"] for name, files in names.items()} == {
        "asked": ["plugins/filter/a.py"],
        "kept": ["playbooks/tasks/use.yml"],
        "never_read": [],
    }


def test_a_block_is_no_task_and_what_is_in_it_is(tmp_path):
    tree = a_tree(tmp_path)
    counted = {path.name: figures.tasks_in(figures.document_in(path)) for path in (tree / "playbooks").rglob("*.yml")}
    assert counted == {"out.yml": 2, "use.yml": 2}


def test_comprehensions_of_inner_functions_are_their_own():
    module = ast.parse("def outer():\n    [x for x in a]\n    def inner():\n        {y for y in b if (z for z in y)}\n")
    outer = module.body[0]
    assert figures.own_comprehensions(outer) == 1
    assert figures.own_comprehensions(outer.body[1]) == 2


def test_a_task_whose_only_answers_are_skipped_did_nothing():
    log = """
PLAY [One] ****

TASK [Skipped for all] ****
skipping: [worker-1] => (item=tor-1)
skipping: [worker-1]

TASK [Skipped for one item] ****
skipping: [worker-1] => (item=tor-1)
ok: [worker-1] => (item=tor-2)

TASK [More] ****
included: more.yml for worker-1

PLAY RECAP ****
worker-1 : ok=2

TASK [Of the next run] ****
skipping: [worker-1]
"""
    assert figures.run_of(log) == {"tasks run": 3, "of them skipped": 1, "of them includes": 1}
