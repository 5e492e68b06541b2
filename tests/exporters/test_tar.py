# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import io
import shutil
import subprocess
import tarfile
from pathlib import Path

import pytest

from speechmill.exporters._tar import Tar, key_of

FILES = {"a.flac": b"x" * 512, "b.json": b"{}", "Đặng.json": b"", "c" * 95 + ".flac": b"y" * 10_241}


def archive(path: Path) -> Path:
    with Tar(path) as tar:
        for name, content in FILES.items():
            tar.add(name, content)
    return path


def test_pythons_tarfile_writes_the_same_bytes(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "theirs.tar", "w", format=tarfile.USTAR_FORMAT) as tar:
        for name, content in FILES.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    ours = archive(tmp_path / "ours.tar").read_bytes()
    with tarfile.open(tmp_path / "ours.tar") as tar:
        assert {member.name: tar.extractfile(member).read() for member in tar} == FILES  # type: ignore[union-attr]
        assert {(member.mtime, member.uid, member.gid, member.uname, member.mode) for member in tar} == {
            (0, 0, 0, "", 0o644)
        }
    theirs = (tmp_path / "theirs.tar").read_bytes()
    assert ours == theirs


@pytest.mark.skipif(shutil.which("tar") is None, reason="the tar program is not installed")
def test_the_tar_program_lists_it(tmp_path: Path) -> None:
    found = subprocess.run(["tar", "-tf", archive(tmp_path / "a.tar")], capture_output=True, check=True)
    assert len(found.stdout.splitlines()) == len(FILES)
    assert found.stderr == b""


def test_an_archive_without_files_is_one(tmp_path: Path) -> None:
    with Tar(tmp_path / "empty.tar"):
        pass
    with tarfile.open(tmp_path / "empty.tar") as tar:
        assert tar.getnames() == []


def test_a_long_name_has_a_header_that_holds_it(tmp_path: Path) -> None:
    with Tar(tmp_path / "long.tar") as tar:
        tar.add("n" * 101 + ".flac", b"content")
        tar.add("Đ" * 60, b"more")
    with tarfile.open(tmp_path / "long.tar") as tar:
        assert tar.getnames() == ["n" * 101 + ".flac", "Đ" * 60]
        assert tar.extractfile(tar.getmembers()[1]).read() == b"more"  # type: ignore[union-attr]


def test_keys_have_no_dots_fit_and_stay_apart() -> None:
    ids = ["talk-0-1-2", "v1.5-0-1-2", "v1_5-0-1-2", "a/b", "x" * 200, "x" * 201, "Đ" * 90, "Đ" * 91]
    keys = [key_of(one) for one in ids]
    assert keys[0] == "talk-0-1-2"
    assert keys[2] == "v1_5-0-1-2"
    assert len(set(keys)) == len(ids)
    assert all("." not in key and "/" not in key and len(key.encode()) <= 84 for key in keys)
