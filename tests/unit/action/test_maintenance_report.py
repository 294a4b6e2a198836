# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.hitless.nodes.plugins.action.maintenance_report import write


def test_written_file_is_readable_by_all_and_alone(tmp_path: Path) -> None:
    path = tmp_path / "worker-3.json"
    assert write(path, "{}\n") == str(path)
    assert path.read_text(encoding="utf-8") == "{}\n"
    assert path.stat().st_mode & 0o777 == 0o644
    assert list(tmp_path.iterdir()) == [path]


def test_old_file_stays_whole_when_the_new_one_cannot_be_put_there(tmp_path: Path) -> None:
    path = tmp_path / "taken"
    path.mkdir()
    (path / "old").touch()
    with pytest.raises(OSError, match="taken"):
        write(path, "new")
    assert [each.name for each in tmp_path.iterdir()] == ["taken"]
