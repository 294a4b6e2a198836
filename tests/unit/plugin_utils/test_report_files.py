# Copyright (c) 2026, hitless.nodes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.hitless.nodes.plugins.module_utils.base.errors import HitlessError
from ansible_collections.hitless.nodes.plugins.plugin_utils._report_files import make_writable, write, write_report

PAGE = ("status.html.j2", {"at": "2026-03-02T22:00:00Z", "problems": ["<b>&</b>"], "nodes": [], "rows": [["node"]]})


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


def test_a_report_is_a_page_and_json(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    files = write_report("a/b", "x", {"b": 1, "a": 2}, PAGE, check_mode=False)
    assert files == [str(tmp_path / "a/b/x.html"), str(tmp_path / "a/b/x.json")]
    assert Path(files[1]).read_text() == '{\n    "a": 2,\n    "b": 1\n}\n'
    page = Path(files[0]).read_text()
    assert "<li>&lt;b&gt;&amp;&lt;/b&gt;</li>" in page
    assert page.endswith("</html>\n")


@pytest.mark.parametrize(("folder", "check_mode"), [("", False), ("reports", True)])
def test_nothing_is_written_without_a_folder_and_in_check_mode(
    folder: str, check_mode: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert write_report(folder, "x", {}, PAGE, check_mode=check_mode) == []
    make_writable(folder, check_mode=check_mode)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_is_made_writable_without_a_trace(tmp_path: Path) -> None:
    make_writable(str(tmp_path / "reports"), check_mode=False)
    assert list((tmp_path / "reports").iterdir()) == []


def test_a_folder_that_cannot_be_written_names_the_variable(tmp_path: Path) -> None:
    (tmp_path / "taken").touch()
    words = f"the report can't be written to {tmp_path}/taken on the controller: File exists; set report_dir to another"
    with pytest.raises(HitlessError, match=words):
        make_writable(str(tmp_path / "taken"), check_mode=False)
    with pytest.raises(HitlessError, match=words):
        write_report(str(tmp_path / "taken"), "x", {}, PAGE, check_mode=False)
