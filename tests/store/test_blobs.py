# SPDX-License-Identifier: Apache-2.0
import errno
import hashlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from speechmill.core.errors import BlobError, ConfigError
from speechmill.store.blobs import Blobs, caption_key, open_blobs, original_key
from speechmill.store.blobs.folder import FolderBlobs


def store_file(blobs: Blobs, folder: Path, content: bytes, extension: str = "m4a") -> str:
    path = folder / "made"
    path.write_bytes(content)
    sha256 = hashlib.sha256(content).hexdigest()
    key = original_key(sha256, extension)
    blobs.put(path, key, sha256)
    return key


@pytest.fixture
def blobs(tmp_path: Path) -> Blobs:
    return open_blobs(str(tmp_path / "store"))


def test_an_original_and_captions_are_named_by_their_content() -> None:
    assert original_key("ab" * 32, "mp3") == f"originals/ab/{'ab' * 32}.mp3"
    assert caption_key("cd" * 32) == f"captions/cd/{'cd' * 32}.vtt"


def test_what_was_put_comes_back(blobs: Blobs, tmp_path: Path) -> None:
    key = store_file(blobs, tmp_path, b"sound")
    blobs.get(key, tmp_path / "back" / "again")
    assert (tmp_path / "back" / "again").read_bytes() == b"sound"


def test_an_object_lies_as_a_file_of_its_key(blobs: Blobs, tmp_path: Path) -> None:
    key = store_file(blobs, tmp_path, b"sound")
    path = tmp_path / "store" / key
    assert blobs.local_path(key) == path
    assert blobs.url(key) == str(path)
    assert path.read_bytes() == b"sound"


def test_what_is_there_is_not_written_again(blobs: Blobs, tmp_path: Path) -> None:
    key = store_file(blobs, tmp_path, b"sound")
    path = tmp_path / "store" / key
    first = path.stat().st_ino
    assert blobs.put(tmp_path / "made", key, hashlib.sha256(b"sound").hexdigest()) is False
    assert path.stat().st_ino == first


def test_a_file_that_is_not_what_its_hash_says_is_not_stored(blobs: Blobs, tmp_path: Path) -> None:
    (tmp_path / "made").write_bytes(b"noise")
    sha256 = hashlib.sha256(b"sound").hexdigest()
    with pytest.raises(BlobError, match="is broken"):
        blobs.put(tmp_path / "made", original_key(sha256, "wav"), sha256)
    assert not blobs.exists(original_key(sha256, "wav"))
    assert list(blobs.list(unfinished=True)) == []


def test_a_broken_object_is_found_by_a_second_put_and_by_get(blobs: Blobs, tmp_path: Path) -> None:
    key = store_file(blobs, tmp_path, b"sound")
    (tmp_path / "store" / key).write_bytes(b"soun\0")
    with pytest.raises(BlobError, match="is broken"):
        blobs.put(tmp_path / "made", key, hashlib.sha256(b"sound").hexdigest())
    with pytest.raises(BlobError, match="is broken"):
        blobs.get(key, tmp_path / "back")
    assert not (tmp_path / "back").exists()


def test_an_object_that_is_not_there_is_a_permanent_error(blobs: Blobs, tmp_path: Path) -> None:
    with pytest.raises(BlobError, match="no such file") as caught:
        blobs.get("originals/ab/c.wav", tmp_path / "back")
    assert caught.value.permanent


def test_deleting_twice_is_fine(blobs: Blobs, tmp_path: Path) -> None:
    key = store_file(blobs, tmp_path, b"sound")
    blobs.delete(key)
    blobs.delete(key)
    assert not blobs.exists(key)


def test_a_listing_is_in_the_order_of_whole_keys(tmp_path: Path) -> None:
    for key in ("a/b.wav", "a-b/c.wav", "a/a/z.wav", "b.wav"):
        (tmp_path / key).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / key).write_bytes(b"1")
    blobs = open_blobs(str(tmp_path))
    assert [blob.key for blob in blobs.list()] == ["a-b/c.wav", "a/a/z.wav", "a/b.wav", "b.wav"]
    assert [blob.key for blob in blobs.list("a/")] == ["a/a/z.wav", "a/b.wav"]
    assert [blob.key for blob in blobs.list("a/b")] == ["a/b.wav"]
    assert list(blobs.list("c/")) == []


def test_what_a_crash_left_is_listed_apart(blobs: Blobs, tmp_path: Path) -> None:
    key = store_file(blobs, tmp_path, b"sound")
    (tmp_path / "store" / key).with_name(".tmp-0123.m4a").write_bytes(b"so")
    assert [blob.key for blob in blobs.list()] == [key]
    assert [blob.key[-14:] for blob in blobs.list(unfinished=True)] == ["/.tmp-0123.m4a"]


@pytest.mark.parametrize(
    "key",
    ["", "/etc/passwd", "a//b", "a/../../b", "..", "./a", "a\\..\\b", "a/\x00b", "a\nb", "a/b\x7f", "a/", "x" * 1025],
)
def test_a_key_that_leads_elsewhere_is_refused(blobs: Blobs, tmp_path: Path, key: str) -> None:
    (tmp_path / "made").write_bytes(b"1")
    for use in (blobs.exists, blobs.delete, blobs.url, blobs.local_path):
        with pytest.raises(BlobError, match="is no key"):
            use(key)
    with pytest.raises(BlobError, match="is no key"):
        blobs.put(tmp_path / "made", key, hashlib.sha256(b"1").hexdigest())
    with pytest.raises(BlobError, match="is no key"):
        blobs.get(key, tmp_path / "back")


class _FullDisk:
    def __enter__(self) -> Path:
        raise OSError(errno.ENOSPC, "No space left on device")

    def __exit__(self, *_: object) -> None: ...


def test_a_full_disk_is_no_error_of_one_object(blobs: Blobs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    key = store_file(blobs, tmp_path, b"sound")
    monkeypatch.setattr("speechmill.store.blobs.folder.atomic", lambda path: _FullDisk())
    with pytest.raises(OSError, match="No space left") as caught:
        blobs.get(key, tmp_path / "back")
    assert caught.value.errno == errno.ENOSPC


def test_a_file_in_the_place_of_the_folder_is_a_configuration_error(tmp_path: Path) -> None:
    (tmp_path / "store").write_text("")
    with pytest.raises(ConfigError, match="can't be a folder of originals"):
        open_blobs(str(tmp_path / "store")).check()


def test_check_makes_the_folder(tmp_path: Path) -> None:
    open_blobs(str(tmp_path / "deep" / "store")).check()
    assert (tmp_path / "deep" / "store").is_dir()


def test_new_folders_are_made_durable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[Path] = []
    monkeypatch.setattr("speechmill.store.blobs.folder.sync_folder", synced.append)
    blobs = FolderBlobs(tmp_path)
    key = store_file(blobs, tmp_path, b"sound")
    assert synced == [tmp_path, tmp_path / "originals"]
    assert blobs.exists(key)


@pytest.mark.parametrize("address", ["ftp://host/folder", "s3://", "s3:///prefix", "s3://b ucket/x", "s3://b/../c"])
def test_an_address_that_names_no_store_is_a_configuration_error(address: str) -> None:
    with pytest.raises(ConfigError):
        open_blobs(address)


def test_credentials_in_an_address_are_refused_and_not_repeated() -> None:
    for address in ("s3://AKIA1:canary@bucket/prefix", "s3://AKIA1:can/ary@bucket/prefix"):
        with pytest.raises(ConfigError) as caught:
            open_blobs(address)
        assert "AKIA1" not in str(caught.value)
        assert "ary" not in str(caught.value)


def test_a_folder_is_opened_without_the_library_for_object_stores(tmp_path: Path) -> None:
    program = f"import sys; from speechmill.store.blobs import open_blobs; open_blobs({str(tmp_path)!r}).check()"
    check = "; sys.exit('obstore' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program + check], check=False).returncode == 0


def killed_while_putting(tmp_path: Path) -> Iterator[str]:
    """Yield what is in a store after a process was killed in the middle of a put."""
    program = (
        "import os, signal, speechmill.store.blobs.folder as folder\n"
        "from pathlib import Path\n"
        "copy = folder._copy\n"
        "def half(source, target):\n"
        "    target.write_bytes(source.read_bytes()[:2])\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
        "folder._copy = half\n"
        f"folder.FolderBlobs(Path({str(tmp_path / 'store')!r})).put(Path({str(tmp_path / 'made')!r}), 'a/b.wav', 'x')\n"
    )
    (tmp_path / "made").write_bytes(b"sound")
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == -9
    yield from (path.name for path in (tmp_path / "store").rglob("*") if path.is_file())


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGKILL")
def test_a_put_that_is_killed_leaves_no_object(tmp_path: Path) -> None:
    names = list(killed_while_putting(tmp_path))
    blobs = open_blobs(str(tmp_path / "store"))
    assert len(names) == 1
    assert list(blobs.list()) == []
    assert [blob.size for blob in blobs.list(unfinished=True)] == [2]
