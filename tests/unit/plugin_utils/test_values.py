# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.hitless.nodes.plugins.module_utils.base.errors import HitlessError
from ansible_collections.hitless.nodes.plugins.plugin_utils._values import values_of


def test_values_of_files_come_first(tmp_path):
    first, second, empty = (tmp_path / name for name in ("1.yml", "2.yml", "3.yml"))
    first.write_text("{a: {b: 1, c: 1}, d: 1}")
    second.write_text("a: {c: 2}")
    empty.write_text("# nothing")
    assert values_of({"d": 3}, map(str, (first, second, empty))) == {"a": {"b": 1, "c": 2}, "d": 3}


@pytest.mark.parametrize("text", ["[1, 2]", "{", None])
def test_a_file_without_values_is_refused(tmp_path, text):
    file = tmp_path / "values.yml"
    if text:
        file.write_text(text)
    with pytest.raises(HitlessError, match=f"agent_values_files: {file} "):
        values_of({}, [str(file)])
