# SPDX-License-Identifier: Apache-2.0
"""Sending exports to a folder and to an S3 server that fails in the middle."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from pipeline.export.small import Export, segments, write_dataset
from services.s3 import S3Server
from speechmill.core.errors import BlobError
from speechmill.pipeline.export import upload as uploading
from speechmill.pipeline.export.upload import Index, upload
from speechmill.store.blobs.pointer import Read, open_pointer


@pytest.fixture
def root(tmp_path: Path) -> Path:
    write_dataset(tmp_path / "workspace", [one for name in "abc" for one in segments(name)])
    return tmp_path / "workspace"


@pytest.fixture
def folder(root: Path) -> Path:
    return root / "exports" / "huggingface"


def grow(root: Path, *names: str) -> None:
    write_dataset(root, [one for name in ("a", "b", "c", *names) for one in segments(name)])


def index_of(content: bytes) -> Index:
    return msgspec.json.decode(content, type=Index)


def check(files: dict[str, bytes], name: str) -> None:
    """See that a version is whole: every line of its checksums is true of what the store has."""
    lines = files[f"huggingface/{name}/CHECKSUMS.sha256"].decode().splitlines()
    assert len(lines) >= 4
    for line in lines:
        sha256, _, path = line.partition("  ")
        assert hashlib.sha256(files[f"huggingface/{name}/{path}"]).hexdigest() == sha256


def files_of(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_second_version_goes_beside_the_first(root: Path, folder: Path, export: Export, tmp_path: Path) -> None:
    export()
    assert (upload(folder, str(tmp_path / "to")).copied, upload(folder, str(tmp_path / "to")).sent) == (0, 0)
    grow(root, "d")
    export()
    sent = upload(folder, str(tmp_path / "to"))
    assert sent.copied == 3  # the shards of a, b and c
    found = files_of(tmp_path / "to")
    versions = index_of(found["huggingface/index.json"]).versions
    assert [one.segments for one in versions] == [6, 8]
    for one in versions:
        check(found, one.name)
    assert not any(".speechmill-export" in name for name in found)


def test_old_versions_go_where_a_number_is_kept(root: Path, folder: Path, export: Export, tmp_path: Path) -> None:
    for names in ("", "d", "de"):
        grow(root, *names)
        export()
        upload(folder, str(tmp_path / "to"), keep=2)
    found = files_of(tmp_path / "to")
    versions = index_of(found["huggingface/index.json"]).versions
    assert [one.segments for one in versions] == [8, 10]
    assert {name.split("/")[1] for name in found} == {"index.json", *(one.name for one in versions)}


def test_a_pointer_that_somebody_else_changed_is_not_overwritten(tmp_path: Path) -> None:
    pointer = open_pointer(str(tmp_path), "index.json")
    pointer.replace(b"mine", None)
    with pytest.raises(BlobError, match="changed by somebody else"):
        pointer.replace(b"again", None)
    before = pointer.read()
    pointer.replace(b"theirs", before)
    with pytest.raises(BlobError, match="changed by somebody else"):
        pointer.replace(b"mine too", before)
    assert pointer.read() == Read(b"theirs", hashlib.sha256(b"theirs").hexdigest())


@pytest.fixture(scope="module")
def server() -> Iterator[S3Server]:
    pytest.importorskip("moto")
    pytest.importorskip("obstore")
    with S3Server() as started:
        yield started


@pytest.fixture
def s3(server: S3Server, monkeypatch: pytest.MonkeyPatch) -> S3Server:
    for name, value in server.environment.items():
        monkeypatch.setenv(name, value)
    server.heal()
    return server


def objects(server: S3Server, prefix: str) -> dict[str, bytes]:
    return {name.removeprefix(f"{prefix}/"): server.get(name) for name in server.names() if name.startswith(prefix)}


@pytest.mark.slow
@pytest.mark.parametrize("match", ["train-00003", "CHECKSUMS", "PUT .*index.json"])
def test_errors_in_the_middle_leave_the_last_version(
    root: Path, folder: Path, export: Export, s3: S3Server, match: str
) -> None:
    prefix = "errors-" + "".join(letter for letter in match if letter.isalnum())
    to = f"s3://{s3.bucket}/{prefix}"
    export()
    upload(folder, to)
    grow(root, "d")
    export()
    s3.fail("500", share=1.0, match=match)
    with pytest.raises(BlobError):
        upload(folder, to, patience_s=1.0)
    found = objects(s3, prefix)
    (first,) = index_of(found["huggingface/index.json"]).versions
    check(found, first.name)
    s3.heal()
    s3.requests()
    upload(folder, to)
    found = objects(s3, prefix)
    assert [one.segments for one in index_of(found["huggingface/index.json"]).versions] == [6, 8]
    for one in index_of(found["huggingface/index.json"]).versions:
        check(found, one.name)


@pytest.mark.slow
def test_what_the_last_version_has_is_not_sent_again(root: Path, folder: Path, export: Export, s3: S3Server) -> None:
    to = f"s3://{s3.bucket}/again"
    export()
    upload(folder, to)
    grow(root, "d")
    export()
    sent = upload(folder, to)
    assert (sent.copied >= 3, sent.there) == (True, 0)
    found = objects(s3, "again")
    check(found, index_of(found["huggingface/index.json"]).versions[-1].name)


@pytest.mark.slow
def test_two_uploads_at_once_do_not_lose_a_version(
    root: Path, folder: Path, export: Export, s3: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    to = f"s3://{s3.bucket}/both"
    export()
    upload(folder, to)
    grow(root, "d")
    export()
    send = uploading._send

    def meanwhile(*asked: object) -> object:
        pointer = open_pointer(f"{to}/huggingface", "index.json")
        before = pointer.read()
        assert before is not None
        pointer.replace(before.content + b"\n", before)
        return send(*asked)  # type: ignore[arg-type]

    monkeypatch.setattr(uploading, "_send", meanwhile)
    with pytest.raises(BlobError, match="changed by somebody else"):
        upload(folder, to)
