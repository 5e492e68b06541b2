# SPDX-License-Identifier: Apache-2.0
import hashlib
import importlib.util
import re
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from speechmill.core.errors import BlobError, ConfigError
from speechmill.store.blobs import Blobs, open_blobs, original_key

_SPEC = importlib.util.spec_from_file_location("s3", Path(__file__).parents[1] / "services" / "s3.py")
assert _SPEC is not None
assert _SPEC.loader is not None
s3 = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(s3)
Server = Any  # an S3Server, of a module that is loaded by its path


@pytest.fixture(scope="module")
def one_server() -> Iterator[Server]:
    with s3.S3Server() as server:
        yield server


@pytest.fixture
def server(one_server: Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    for name, value in one_server.environment.items():
        monkeypatch.setenv(name, value)
    one_server.heal()
    one_server.requests()
    yield one_server
    one_server.heal()


PART = 1 << 16  # bytes; in place of the real 8 MiB, which the system test sends
LARGE = b"large" * (2 * PART // 5) + b"and a bit"  # three parts


@pytest.fixture
def blobs(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Blobs:
    """A store under a prefix of this test's own, with patience for a server on a busy machine."""
    monkeypatch.setattr("speechmill.store.blobs.objects.PART", PART)
    return open_blobs(f"s3://corpus/{tmp_path.name}/store")


@pytest.fixture
def impatient(blobs: Blobs) -> Blobs:
    """The same store, given up soon."""
    return open_blobs(blobs.address, patience_s=2.0)


def made(folder: Path, content: bytes) -> tuple[Path, str, str]:
    path = folder / "made"
    path.write_bytes(content)
    sha256 = hashlib.sha256(content).hexdigest()
    return path, original_key(sha256, "m4a"), sha256


@pytest.mark.parametrize("content", [b"", b"sound", b"x" * PART, LARGE], ids=["empty", "small", "one part", "large"])
def test_what_was_put_comes_back(blobs: Blobs, tmp_path: Path, content: bytes) -> None:
    path, key, sha256 = made(tmp_path, content)
    assert blobs.put(path, key, sha256) is True
    assert blobs.exists(key)
    blobs.get(key, tmp_path / "back")
    assert (tmp_path / "back").read_bytes() == content
    assert list(blobs.list(unfinished=True)) == []


@pytest.mark.parametrize("content", [b"sound", LARGE], ids=["small", "large"])
def test_what_is_there_is_not_written_again(blobs: Blobs, server: Server, tmp_path: Path, content: bytes) -> None:
    path, key, sha256 = made(tmp_path, content)
    blobs.put(path, key, sha256)
    server.requests()
    assert blobs.put(path, key, sha256) is False
    assert not [line for line in server.requests() if line.startswith(("PUT", "POST")) and line.endswith(" 200")]


def test_the_server_refuses_to_create_what_is_there(blobs: Blobs, server: Server, tmp_path: Path) -> None:
    path, key, sha256 = made(tmp_path, b"sound")
    blobs.put(path, key, sha256)
    blobs.put(path, key, sha256)
    puts = [line.rpartition(" ")[2] for line in server.requests() if line.startswith("PUT")]
    assert puts == ["200", "412"]


def test_a_large_object_gets_its_name_only_if_nothing_has_it(
    blobs: Blobs, server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, key, sha256 = made(tmp_path, LARGE)
    blobs.put(path, key, sha256)
    monkeypatch.setattr(type(blobs), "exists", lambda self, key: False)  # another writer came between
    server.requests()
    assert blobs.put(path, key, sha256) is False
    completed = [line for line in server.requests() if line.startswith("POST") and "uploadId" in line and key in line]
    assert [line[-3:] for line in completed] == ["412"]
    assert list(blobs.list(unfinished=True)) == []
    assert server.uploads() == 0


def test_what_is_too_large_to_copy_goes_up_under_its_own_name(
    blobs: Blobs, server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("speechmill.store.blobs.objects.MAX_COPY", len(LARGE) - 1)
    path, key, sha256 = made(tmp_path, LARGE)
    server.fail("corrupt", count=1, match="^PUT")
    with pytest.raises(BlobError, match="is broken"):
        blobs.put(path, key, sha256)
    assert not blobs.exists(key)
    assert blobs.put(path, key, sha256) is True
    assert blobs.put(path, key, sha256) is False


def test_many_that_put_the_same_at_once_create_it_once(blobs: Blobs, tmp_path: Path) -> None:
    path, key, sha256 = made(tmp_path, b"sound")
    created: list[bool] = []
    threads = [threading.Thread(target=lambda: created.append(blobs.put(path, key, sha256))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(created) == [False] * 7 + [True]


def test_a_put_of_one_part_costs_one_request(blobs: Blobs, server: Server, tmp_path: Path) -> None:
    blobs.put(*made(tmp_path, b"sound"))
    assert [line.split()[0] for line in server.requests()] == ["PUT"]


@pytest.mark.parametrize("content", [b"sound", LARGE], ids=["small", "large"])
def test_bytes_that_arrive_broken_do_not_stay(blobs: Blobs, server: Server, tmp_path: Path, content: bytes) -> None:
    path, key, sha256 = made(tmp_path, content)
    server.fail("corrupt", count=1, match="^PUT")
    with pytest.raises(BlobError, match="is broken") as caught:
        blobs.put(path, key, sha256)
    assert not caught.value.permanent
    assert not blobs.exists(key)
    assert list(blobs.list(unfinished=True)) == []
    assert blobs.put(path, key, sha256) is True


def test_a_broken_object_is_found_by_a_second_put_and_by_get(blobs: Blobs, server: Server, tmp_path: Path) -> None:
    path, key, sha256 = made(tmp_path, b"sound")
    server.put(f"{tmp_path.name}/store/{key}", b"soun\0")
    with pytest.raises(BlobError, match="is broken"):
        blobs.put(path, key, sha256)
    with pytest.raises(BlobError, match="is broken"):
        blobs.get(key, tmp_path / "back")
    assert not (tmp_path / "back").exists()


def test_an_object_whose_etag_is_no_md5_is_read_back(blobs: Blobs, server: Server, tmp_path: Path) -> None:
    """As with encryption by KMS. Here the ETag is that of another cut into parts."""
    path, key, sha256 = made(tmp_path, LARGE)
    blobs.put(path, key, sha256)
    halves = hashlib.md5(b"".join(hashlib.md5(LARGE[i::2]).digest() for i in (0, 1))).hexdigest()
    listed = next(iter(blobs.list()))
    assert listed.etag != halves
    blobs._check_arrived(key, _sums(sha256, halves))  # type: ignore[attr-defined]
    with pytest.raises(BlobError, match="is broken"):
        blobs._check_arrived(key, _sums("0" * 64, halves))  # type: ignore[attr-defined]
    assert [line[:3] for line in server.requests()][-4:] == ["HEA", "GET", "HEA", "GET"]


def _sums(sha256: str, etag: str) -> object:
    from speechmill.store.blobs.objects import _Sums

    return _Sums(len(LARGE), sha256, frozenset({etag}))


@pytest.mark.parametrize("kind", ["500", "503", "reset"])
def test_two_faults_in_a_row_are_passed_over(blobs: Blobs, server: Server, tmp_path: Path, kind: str) -> None:
    path, key, sha256 = made(tmp_path, b"sound")
    server.fail(kind, count=2, match="^PUT")
    blobs.put(path, key, sha256)
    server.fail(kind, count=2, match="^GET")
    blobs.get(key, tmp_path / "back")
    assert (tmp_path / "back").read_bytes() == b"sound"


def test_a_large_put_goes_on_while_a_third_of_requests_fail(blobs: Blobs, server: Server, tmp_path: Path) -> None:
    path, key, sha256 = made(tmp_path, LARGE)
    server.fail("503", share=0.34)
    blobs.put(path, key, sha256)
    blobs.get(key, tmp_path / "back")
    assert (tmp_path / "back").read_bytes() == LARGE


def test_a_put_that_was_done_but_answered_with_an_error_is_done(blobs: Blobs, server: Server, tmp_path: Path) -> None:
    path, key, sha256 = made(tmp_path, b"sound")
    server.fail("late-500", count=1, match="^PUT")
    assert blobs.put(path, key, sha256) is False
    assert server.get(f"{tmp_path.name}/store/{key}") == b"sound"


def test_an_answer_that_breaks_off_goes_on_where_it_broke(blobs: Blobs, server: Server, tmp_path: Path) -> None:
    path, key, sha256 = made(tmp_path, LARGE)
    blobs.put(path, key, sha256)
    server.requests()
    server.fail("truncate", count=2, match="^GET")
    blobs.get(key, tmp_path / "back")
    assert (tmp_path / "back").read_bytes() == LARGE
    assert [line[-3:] for line in server.requests()] == ["200", "206", "206"]


@pytest.mark.parametrize(
    ("kind", "said"),
    [("500", "500 InternalError"), ("503", "503 SlowDown"), ("stall", "no answer in time"), ("reset", "broke")],
)
def test_a_store_that_goes_on_failing_is_an_error_that_may_pass(
    blobs: Blobs, impatient: Blobs, server: Server, tmp_path: Path, kind: str, said: str
) -> None:
    path, key, sha256 = made(tmp_path, b"sound")
    server.fail(kind, share=1, match="^PUT", seconds=3.0)
    with pytest.raises(BlobError, match=said) as caught:
        impatient.put(path, key, sha256)
    assert not caught.value.permanent
    server.heal()
    blobs.put(path, key, sha256)
    assert blobs.exists(key)


def test_a_large_put_that_fails_leaves_nothing(impatient: Blobs, server: Server, tmp_path: Path) -> None:
    path, key, sha256 = made(tmp_path, LARGE)
    server.fail("500", share=1, match="partNumber=2")
    with pytest.raises(BlobError, match="500"):
        impatient.put(path, key, sha256)
    assert server.uploads() == 0
    assert [found for found in server.names() if tmp_path.name in found] == []


def test_a_server_that_is_gone_is_an_error_that_may_pass(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with s3.S3Server() as dying:
        for name, value in dying.environment.items():
            monkeypatch.setenv(name, value)
    blobs = open_blobs("s3://corpus/x", patience_s=0.3)
    with pytest.raises(BlobError, match="connection refused") as caught:
        blobs.check()
    assert not caught.value.permanent


def refusals(blobs: Blobs, tmp_path: Path) -> dict[str, Callable[[], object]]:
    return {
        "put": lambda: blobs.put(*made(tmp_path, b"sound")),
        "large put": lambda: blobs.put(*made(tmp_path, LARGE)),
        "get": lambda: blobs.get("a/b", tmp_path / "back"),
        "exists": lambda: blobs.exists("a/b"),
        "delete": lambda: blobs.delete("a/b"),
        "list": lambda: list(blobs.list()),
    }


@pytest.mark.parametrize("use", ["put", "large put", "get", "exists", "delete", "list"])
def test_wrong_credentials_are_permanent_and_say_what_to_set_and_no_secret(
    blobs: Blobs, server: Server, tmp_path: Path, use: str
) -> None:
    server.fail("403", share=1)
    with pytest.raises(BlobError) as caught:
        refusals(blobs, tmp_path)[use]()
    assert caught.value.permanent
    assert "AWS_SECRET_ACCESS_KEY" in str(caught.value)
    shown = "".join(traceback.format_exception(caught.value))
    assert s3.SECRET not in shown
    assert s3.TOKEN not in shown


def test_check_makes_wrong_credentials_a_configuration_error(blobs: Blobs, server: Server) -> None:
    server.fail("403", share=1)
    with pytest.raises(ConfigError, match="AWS_ACCESS_KEY_ID"):
        blobs.check()


def test_no_credentials_at_all_are_said_as_such(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_METADATA_ENDPOINT", "http://127.0.0.1:1")  # where nobody gives any
    with pytest.raises(ConfigError, match="no credentials; set AWS_ACCESS_KEY_ID"):
        open_blobs("s3://corpus/x", patience_s=0.3).check()


def test_a_bucket_that_is_not_there_is_a_configuration_error(server: Server) -> None:
    with pytest.raises(ConfigError, match="no bucket 'nobody'"):
        open_blobs("s3://nobody/x").check()


def test_a_put_into_a_bucket_that_is_not_there_is_permanent(server: Server, tmp_path: Path) -> None:
    with pytest.raises(BlobError, match="no bucket 'nobody'") as caught:
        open_blobs("s3://nobody/x").put(*made(tmp_path, b"sound"))
    assert caught.value.permanent


def test_an_empty_store_passes_the_check(blobs: Blobs) -> None:
    blobs.check()


def test_an_endpoint_without_encryption_must_be_allowed(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ALLOW_HTTP")
    with pytest.raises(ConfigError, match="AWS_ALLOW_HTTP=true"):
        open_blobs("s3://corpus/x")


def test_an_object_that_is_not_there_is_a_permanent_error(blobs: Blobs, tmp_path: Path) -> None:
    with pytest.raises(BlobError, match="no such object") as caught:
        blobs.get("originals/ab/c.wav", tmp_path / "back")
    assert caught.value.permanent
    assert not (tmp_path / "back").exists()


def test_deleting_twice_is_fine(blobs: Blobs, tmp_path: Path) -> None:
    path, key, sha256 = made(tmp_path, b"sound")
    blobs.put(path, key, sha256)
    blobs.delete(key)
    blobs.delete(key)
    assert not blobs.exists(key)


def test_a_listing_goes_over_pages_in_the_order_of_keys(blobs: Blobs, server: Server, tmp_path: Path) -> None:
    names = [f"a/{number:04d}.wav" for number in range(105)] + ["a-b/c.wav", "b.wav", "a/.tmp-12ab.wav"]
    for name in names:
        server.put(f"{tmp_path.name}/store/{name}", b"1")
    assert [blob.key for blob in blobs.list()] == sorted(names[:-1])
    assert [blob.key for blob in blobs.list("a/010")] == [f"a/0{number}.wav" for number in range(100, 105)]
    assert [blob.key for blob in blobs.list(unfinished=True)] == ["a/.tmp-12ab.wav"]


def test_a_name_with_signs_is_taken_as_it_is(server: Server, tmp_path: Path) -> None:
    server.put("talks 100%/a b%20é?#1.mp3", b"sound")
    blobs = open_blobs("s3://corpus/talks 100%")
    blobs.get("a b%20é?#1.mp3", tmp_path / "back")
    assert (tmp_path / "back").read_bytes() == b"sound"
    assert [blob.key for blob in blobs.list()] == ["a b%20é?#1.mp3"]
    assert blobs.url("a b%20é?#1.mp3") == "s3://corpus/talks 100%/a b%20é?#1.mp3"


def test_an_object_opened_by_its_own_folder_is_checked_by_its_whole_address(
    blobs: Blobs, server: Server, tmp_path: Path
) -> None:
    _, key, _ = made(tmp_path, b"sound")
    server.put(f"{tmp_path.name}/store/{key}", b"noise")
    folder, _, name = blobs.url(key).rpartition("/")
    with pytest.raises(BlobError, match="is broken"):
        open_blobs(folder).get(name, tmp_path / "back")


def test_somebody_else_s_name_that_looks_like_a_hash_promises_nothing(
    blobs: Blobs, server: Server, tmp_path: Path
) -> None:
    server.put(f"{tmp_path.name}/store/{'ab' * 32}.wav", b"sound")
    blobs.get(f"{'ab' * 32}.wav", tmp_path / "back")
    assert (tmp_path / "back").read_bytes() == b"sound"


def test_a_key_that_leads_elsewhere_is_refused_before_anything_is_asked(
    blobs: Blobs, server: Server, tmp_path: Path
) -> None:
    for key in ("", "/a", "a/../b", "a\\b", "a\nb"):
        for use in (blobs.exists, blobs.delete, blobs.url, blobs.local_path):
            with pytest.raises(BlobError, match="is no key"):
                use(key)
        with pytest.raises(BlobError, match="is no key"):
            blobs.get(key, tmp_path / "back")
    assert server.requests() == []


def test_a_full_disk_passes_through(blobs: Blobs, tmp_path: Path) -> None:
    path, key, sha256 = made(tmp_path, b"sound" * 100_000)
    blobs.put(path, key, sha256)
    program = (
        "import errno, resource, signal, sys\n"
        "from pathlib import Path\n"
        "from speechmill.store.blobs import open_blobs\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))\n"  # as a full disk does, a write fails in the middle
        "try:\n"
        f"    open_blobs({blobs.address!r}).get({key!r}, Path({str(tmp_path / 'back')!r}))\n"
        "except OSError as error:\n"
        "    sys.exit(0 if error.errno == errno.EFBIG else 1)\n"
        "sys.exit(2)\n"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
    assert not (tmp_path / "back").exists()


@pytest.mark.system
def test_a_gibibyte_passes_in_flat_memory(blobs: Blobs, tmp_path: Path) -> None:
    path = tmp_path / "gibibyte"
    with path.open("wb") as file:
        file.truncate(1 << 30)
    program = (
        "import resource, sys\n"
        "from pathlib import Path\n"
        "from speechmill.core.files import sha256_file\n"
        "from speechmill.store.blobs import open_blobs\n"
        f"blobs, path = open_blobs({blobs.address!r}), Path({str(path)!r})\n"
        "blobs.check()\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "sha256 = sha256_file(path)\n"
        "blobs.put(path, f'originals/{sha256[:2]}/{sha256}.wav', sha256)\n"
        "blobs.get(f'originals/{sha256[:2]}/{sha256}.wav', path.with_name('back'))\n"
        "print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert (tmp_path / "back").stat().st_size == 1 << 30
    assert int(done.stdout) < 160  # MiB: four parts of 8 MiB under way, in the library's buffers and in ours


@pytest.mark.parametrize(
    ("stalled", "reached", "left"),
    [
        ("partNumber=2", r"PUT .*partNumber=1&.* 200", 0),
        (r"POST .*m4a\?uploads", r"POST .*/\.tmp-\w+\?uploadId=.* 200", 1),
    ],
    ids=["uploading", "uploaded, without its name"],
)
def test_a_large_put_that_is_killed_leaves_no_object_and_can_be_put_again(
    blobs: Blobs, server: Server, tmp_path: Path, stalled: str, reached: str, left: int
) -> None:
    path, key, sha256 = made(tmp_path, LARGE)
    program = (
        "from pathlib import Path\n"
        "from speechmill.store.blobs import objects\n"
        f"objects.PART = {PART}\n"
        f"objects.ObjectBlobs({blobs.address!r}, 60.0).put(Path({str(path)!r}), {key!r}, {sha256!r})\n"
    )
    server.fail("stall", share=1, match=stalled, seconds=5.0)
    with subprocess.Popen([sys.executable, "-c", program]) as process:
        seen: list[str] = []
        while process.poll() is None and not any(re.match(reached, line) for line in seen):
            seen += server.requests()
            time.sleep(0.01)
        process.kill()
    server.heal()
    assert process.returncode == -9
    assert not blobs.exists(key)
    assert len(list(blobs.list(unfinished=True))) == left
    assert blobs.put(path, key, sha256) is True
    assert [blob.key for blob in blobs.list()] == [key]
