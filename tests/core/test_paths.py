# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from pathlib import Path

import pytest

from speechmill.core.errors import WorkspaceError
from speechmill.core.paths import file_name, inside

OUTSIDE = (
    *("../../etc/passwd", "/etc/passwd", "a/../../b", "..", "", ".", "..\\..\\b", "\\\\server\\share\\a"),
    *("C:\\Windows\\a", "C:a", "a\x00b", "\\a"),
)


@pytest.mark.parametrize("relative", OUTSIDE)
def test_a_path_that_leads_out_is_refused_and_the_table_is_named(relative: str, tmp_path: Path) -> None:
    with pytest.raises(WorkspaceError, match=r"recordings\.parquet: .* does not lie below"):
        inside(tmp_path, relative, "recordings.parquet")


def test_a_link_that_leads_out_is_refused_and_one_that_stays_is_not(tmp_path: Path) -> None:
    root = tmp_path / "workspace"
    root.mkdir()
    (tmp_path / "secret").write_text("s")
    (root / "real").write_text("r")
    (root / "out").symlink_to(tmp_path / "secret")
    (root / "in").symlink_to(root / "real")
    with pytest.raises(WorkspaceError, match="is a link that leads out"):
        inside(root, "out", "recordings.parquet")
    assert inside(root, "in", "recordings.parquet").read_text() == "r"


def test_a_folder_on_another_disk_is_of_the_workspace(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "disk" / "a.flac").write_text("a")
    (tmp_path / "workspace").mkdir()
    (tmp_path / "workspace" / "recordings").symlink_to(tmp_path / "disk")
    assert inside(tmp_path / "workspace", "recordings/a.flac", "x").read_text() == "a"


@pytest.mark.parametrize("name", [*OUTSIDE, "a/b", "a:b", "a\n", "a ", ".a", "a.", "a?", "\ud800", "x" * 201])
def test_what_can_not_be_a_file_name_is_refused(name: str) -> None:
    with pytest.raises(WorkspaceError, match=r"recordings\.parquet: "):
        file_name(name, "recordings.parquet")


def test_letters_of_any_script_can() -> None:
    assert file_name("Tập_1-1a2b3c4d", "x") == "Tập_1-1a2b3c4d"
