# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import errno
import functools
import hashlib
import os
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import psutil
import pytest

from speechmill.core.errors import WorkspaceError
from speechmill.core.remote import Asset, Description, Wanted
from speechmill.core.types import Rights, Source
from speechmill.crawl import _decode_process, decode
from speechmill.crawl.decode import Decoder
from speechmill.crawl.handover import source_row
from speechmill.pipeline.intake import Memory, keyed_as_in
from speechmill.pipeline.plan import nodes
from speechmill.pipeline.spec import Corpus, resolve
from speechmill.store.blobs import Blobs, open_blobs, original_key
from speechmill.store.catalog import Stored
from speechmill.store.ledger import Ledger, Result, State
from speechmill.store.workspace import Workspace

WANTED = Wanted()


@pytest.fixture
def corpus(tmp_path: Path) -> Corpus:
    raw = {"sources": [{"local": {"path": "."}}], "language": "en", "store": "workspace"}
    found = resolve(raw, tmp_path)
    Workspace.create(found.store)
    return found


@pytest.fixture
def blobs(tmp_path: Path) -> Blobs:
    return open_blobs(str(tmp_path / "store"))


@pytest.fixture
def one_core(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Decoder, "cores", staticmethod(lambda: 1))


@pytest.fixture
def decoder(corpus: Corpus, blobs: Blobs) -> Iterator[Decoder]:
    found = Decoder(corpus, blobs, ("manual",))
    yield found
    found.close()


def stored(blobs: Blobs, path: Path, number: int = 0) -> Stored:
    """Put a file into the store, as a visit would have."""
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    key = original_key(sha256, "wav")
    blobs.put(path, key, sha256)
    description = Description("fake", str(number), f"https://fake.test/{number}", "Item", rights=Rights(state="cc-by"))
    return Stored(number, "q", description, Asset(key, sha256, path.stat().st_size, "wav"), ())


def states(corpus: Corpus) -> dict[str, State]:
    return Ledger(corpus.store).states(nodes(corpus)[0].folder)


def key_of(corpus: Corpus, blobs: Blobs, one: Stored) -> str:
    row = source_row(one, WANTED, corpus.store, blobs, ("manual",))
    return keyed_as_in(corpus, row, Memory(corpus.store / "other.parquet")).key


def test_a_run_finds_what_was_made_beside_the_fetching(
    corpus: Corpus, blobs: Blobs, decoder: Decoder, tmp_path: Path, make_tone: Callable[..., None]
) -> None:
    make_tone(tmp_path / "a.wav", 0.5)
    one = stored(blobs, tmp_path / "a.wav")
    decoder.put(one, WANTED)
    decoder.drain()
    key = key_of(corpus, blobs, one)
    assert states(corpus) == {key: State(ok=True)}
    made = Ledger(corpus.store).load(nodes(corpus)[0].folder, [key], ["audio"])[key]["audio"]
    assert made.duration == pytest.approx(0.5, abs=0.01)
    assert (corpus.store / made.paths[0]).exists()
    assert decoder.made == 1


def test_a_broken_file_becomes_a_failure_of_the_ledger(
    corpus: Corpus, blobs: Blobs, decoder: Decoder, tmp_path: Path
) -> None:
    (tmp_path / "a.wav").write_bytes(b"no audio " * 100)
    one = stored(blobs, tmp_path / "a.wav")
    decoder.put(one, WANTED)
    decoder.drain()
    state = states(corpus)[key_of(corpus, blobs, one)]
    assert (state.ok, state.permanent) == (False, True)
    assert decoder.made == 0


def test_the_same_recording_is_made_once(
    corpus: Corpus, blobs: Blobs, decoder: Decoder, tmp_path: Path, make_tone: Callable[..., None]
) -> None:
    make_tone(tmp_path / "a.wav", 0.5)
    for number in (0, 0):
        decoder.put(stored(blobs, tmp_path / "a.wav", number), WANTED)
    decoder.drain()
    assert decoder.made == 1


class MakesNothing:
    """Stands for the processes, where only what is done around them matters: every recording is broken at once."""

    def __init__(self, size: int, workspace: Path) -> None: ...

    def do(self, source: Source, timeout_s: float) -> Future[Result]:
        future: Future[Result] = Future()
        future.set_result(_decode_process.broken(source.key, "no-process", ""))
        return future

    def close(self) -> None: ...


def test_one_thread_alone_handles_tables_whoever_puts_in(
    corpus: Corpus, blobs: Blobs, tmp_path: Path, make_tone: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Arrow keeps what a table took for each thread that made one: a crawl's would add up."""
    seen: list[tuple[str, int]] = []
    for owner, name in ((Memory, "crawled"), (Memory, "save"), (Ledger, "write"), (Ledger, "compact")):
        monkeypatch.setattr(owner, name, told(getattr(owner, name), seen))
    monkeypatch.setattr(decode, "Processes", MakesNothing)
    decoder = Decoder(corpus, blobs, ("manual",))
    found = []
    for number in range(4):
        make_tone(tmp_path / f"{number}.wav", 0.1 + 0.01 * number)
        found.append(stored(blobs, tmp_path / f"{number}.wav", number))
    for one in found:
        in_a_thread(decoder.put, one, WANTED)
        in_a_thread(decoder.flush)
    decoder.close()
    names = [name for name, _thread in seen]
    assert [names.count(name) for name in ("crawled", "write", "compact", "save")] == [4, 4, 1, 1]
    assert len({thread for _name, thread in seen}) == 1
    assert len(states(corpus)) == 4


def in_a_thread(call: Callable[..., None], *arguments: Any) -> None:
    thread = threading.Thread(target=call, args=arguments)
    thread.start()
    thread.join()


def told(call: Callable[..., Any], seen: list[tuple[str, int]]) -> Callable[..., Any]:
    """Note by which thread something is called."""

    @functools.wraps(call)
    def noted(*arguments: Any) -> Any:
        seen.append((call.__name__, threading.get_ident()))
        return call(*arguments)

    return noted


def test_a_killed_decoder_costs_its_recording_alone(
    one_core: None, corpus: Corpus, blobs: Blobs, decoder: Decoder, tmp_path: Path, make_tone: Callable[..., None]
) -> None:
    make_tone(tmp_path / "a.wav", 0.5)
    make_tone(tmp_path / "b.wav", 600.0)
    make_tone(tmp_path / "c.wav", 0.6)
    decoder.put(stored(blobs, tmp_path / "a.wav", 0), WANTED)
    decoder.drain()  # the process is up
    long = stored(blobs, tmp_path / "b.wav", 1)
    decoder.put(long, WANTED)
    kill_the_busy_one()
    decoder.put(stored(blobs, tmp_path / "c.wav", 2), WANTED)
    decoder.drain()
    found = states(corpus)
    assert found.pop(key_of(corpus, blobs, long)).reason == "worker-died"
    assert [state.ok for state in found.values()] == [True, True]


def decoders() -> list[psutil.Process]:
    """Return the children of this process that decode."""
    alive = [one for one in psutil.Process(os.getpid()).children() if one.status() != psutil.STATUS_ZOMBIE]
    return [child for child in alive if "spawn_main" in " ".join(child.cmdline())]


def kill_the_busy_one() -> None:
    """Kill the child of this process that works hardest."""
    children = decoders()
    before = {child.pid: sum(child.cpu_times()[:2]) for child in children}
    while True:
        time.sleep(0.01)
        for child in children:
            if sum(child.cpu_times()[:2]) > before[child.pid] + 0.05:
                child.kill()
                return


def test_audio_in_a_store_elsewhere_is_made_from_the_file_at_hand(
    corpus: Corpus,
    blobs: Blobs,
    decoder: Decoder,
    tmp_path: Path,
    make_tone: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    make_tone(tmp_path / "a.wav", 0.5)
    one = stored(blobs, tmp_path / "a.wav")
    monkeypatch.setattr(blobs, "local_path", lambda _key: None)
    monkeypatch.setattr(blobs, "url", lambda key: f"s3://bucket/{key}")
    decoder.put(one, WANTED, tmp_path / "a.wav")
    assert decoder.made == 1  # the file may be deleted by now
    decoder.drain()
    assert states(corpus)[key_of(corpus, blobs, one)].ok


def test_a_decoder_that_is_killed_between_two_recordings_costs_nothing(
    corpus: Corpus, blobs: Blobs, decoder: Decoder, tmp_path: Path, make_tone: Callable[..., None]
) -> None:
    for number in range(3):
        make_tone(tmp_path / f"{number}.wav", 0.5 + 0.1 * number)
        decoder.put(stored(blobs, tmp_path / f"{number}.wav", number), WANTED)
        decoder.drain()
        for child in decoders():
            child.kill()
    assert [state.ok for state in states(corpus).values()] == [True] * 3


def test_what_is_not_made_when_it_is_closed_is_left_to_a_run(
    corpus: Corpus, blobs: Blobs, tmp_path: Path, make_tone: Callable[..., None]
) -> None:
    make_tone(tmp_path / "a.wav", 600.0)
    decoder = Decoder(corpus, blobs, ("manual",))
    decoder.put(stored(blobs, tmp_path / "a.wav"), WANTED)
    decoder.close()
    assert states(corpus) == {}


def test_whatever_keeps_processes_from_starting_is_told_to_who_waits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def exhausted(workspace: Path) -> None:
        raise OSError(errno.EAGAIN, "Resource temporarily unavailable")

    monkeypatch.setattr(_decode_process, "_Process", exhausted)
    processes = _decode_process.Processes(1, tmp_path)
    try:
        with pytest.raises(WorkspaceError, match="no process that decodes can be started"):
            processes.do(Source("a", "/a.wav"), 1.0).result(timeout=10)
        monkeypatch.setattr(_decode_process, "_Process", lambda workspace: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            processes.do(Source("b", "/b.wav"), 1.0).result(timeout=10)
    finally:
        processes.close()
