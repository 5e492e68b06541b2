# SPDX-License-Identifier: Apache-2.0
"""A corpus of many recordings, from planning to the report: seconds and memory of every command, at two sizes.

Stub audio, real ledger: recordings are distinct WAV files of 50 ms, found, hashed and keyed for real; the stages'
results come from an engine that answers at once, so what is timed is planning, ledger, join, filter and report. The
run is killed half-way (no handler runs) and resumed. What an orchestrator runs is planned in shards of 20 recordings,
as of three minutes each: 5,000 shards of 100,000 recordings; one of them is done by the real `speechmill exec`.
Every command is a process of its own; memory is that process's peak, without the interpreter and what it imports
first. What flat memory means stands in `bytes_per_recording`: how much the peak grows from the smaller corpus to the
larger. Seconds are the wall's, `cpu_s` is what the process itself took.

Run it with: python benchmarks/scale.py [--recordings 100000] [--shard-recordings 20]
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import shutil
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil

SMALLER = 10  # times: the size that growth is measured from
SAMPLING_RATE = 8000
SAMPLES = 400
SEGMENTS, WORDS = 3, 8
STUB_AUDIO = "recordings/stub.flac"
SETTINGS = {
    "language": "en",
    "vad": "energy",
    "transcript": ["sidecar"],
    "diarize": "none",
    "align": None,
    "quality": ["snr", "clipping"],
    "filter": ["duration >= 1.0"],
    "export": [],
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recordings", type=int, default=100_000)
    parser.add_argument("--shard-recordings", type=int, default=20, help="20: recordings of three minutes")
    parser.add_argument("--folder", type=Path, help="where to work; default: a temporary one, deleted afterwards")
    parser.add_argument("--phase", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.phase:
        print(json.dumps(PHASES[options.phase](options.folder, options.recordings, options.shard_recordings)))
        return
    folder = options.folder or Path(tempfile.mkdtemp(prefix="speechmill-scale-"))
    try:
        sizes = (max(1, options.recordings // SMALLER), options.recordings)
        small, large = (measure(folder / str(size), size, options.shard_recordings) for size in sizes)
    finally:
        if options.folder is None:
            shutil.rmtree(folder, ignore_errors=True)
    print(json.dumps({"rows": [row(name, sizes, small[name], large[name]) for name in large]}))


def row(name: str, sizes: tuple[int, int], small: dict[str, Any], large: dict[str, Any]) -> dict[str, Any]:
    few, many = sizes
    return {
        "name": name,
        "unit": "s",
        "ours": large["seconds"],
        "recordings": many,
        "cpu_s": large["cpu_s"],
        "us_per_recording": round(large["seconds"] / many * 1e6, 1),
        "peak_mb": large["peak_mb"],
        "smaller": {"recordings": few, **{key: small[key] for key in ("seconds", "cpu_s", "peak_mb")}},
        "bytes_per_recording": round((large["peak_mb"] - small["peak_mb"]) * 2**20 / (many - few)),
        "machine": f"{platform.machine()}, {psutil.cpu_count()} CPUs, Python {platform.python_version()}",
    }


def measure(folder: Path, recordings: int, shard_recordings: int) -> dict[str, dict[str, Any]]:
    """Take a corpus through every command; return seconds and peak memory of each."""
    make_audio(folder / "audio", recordings)
    found = {}
    for name, phase, status in STEPS:
        found[name] = phase_in_a_process(phase, folder, recordings, shard_recordings, status)
        told = "{seconds:8.2f} s {cpu_s:8.2f} s CPU {peak_mb:7.1f} MB".format(**found[name])
        print(f"{recordings:>8} recordings  {name:<12} {told}", file=sys.stderr, flush=True)
    check(folder, recordings)
    return found


def make_audio(folder: Path, recordings: int) -> None:
    """Write distinct WAV files, a thousand to a folder."""
    for number in range(recordings):
        path = folder / f"{number // 1000:04d}" / f"r{number:07d}.wav"
        if number % 1000 == 0:
            path.parent.mkdir(parents=True)
        samples = number.to_bytes(4, "little") + bytes(2 * SAMPLES - 4)
        head = struct.pack("<4sI4s4sIHHIIHH", b"RIFF", 36 + len(samples), b"WAVE", b"fmt ", 16, 1, 1,
                           SAMPLING_RATE, 2 * SAMPLING_RATE, 2, 16)  # fmt: skip
        path.write_bytes(head + struct.pack("<4sI", b"data", len(samples)) + samples)


def phase_in_a_process(phase: str, folder: Path, recordings: int, shard: int, status: int) -> dict[str, Any]:
    """Run a phase as a process of its own. The one that is killed tells nothing: it is timed from outside."""
    size = ("--recordings", str(recordings), "--shard-recordings", str(shard))
    command = [sys.executable, os.path.abspath(__file__), "--phase", phase, "--folder", str(folder), *size]
    began = time.perf_counter()
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True)
    if done.returncode != status:
        raise SystemExit(f"{phase} ended with status {done.returncode}, not {status}")
    if status:
        return {"seconds": round(time.perf_counter() - began, 2), "cpu_s": 0.0, "peak_mb": 0.0}
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answer


def check(folder: Path, recordings: int) -> None:
    """Raise SystemExit where the dataset isn't whole."""
    import pyarrow.parquet as pq

    rows = pq.read_metadata(folder / "out" / "dataset" / "recordings.parquet").num_rows
    if rows != recordings:
        raise SystemExit(f"the dataset has {rows} recordings of {recordings}")


def timed(work: Callable[[], Any]) -> dict[str, Any]:
    """Return seconds and peak memory of some work, without what imports took before it."""
    before = psutil.Process().memory_info().rss
    began, cpu = time.perf_counter(), time.process_time()
    answer = work()
    seconds, cpu = time.perf_counter() - began, time.process_time() - cpu
    peak = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 - before) / 2**20
    return {"seconds": round(seconds, 2), "cpu_s": round(cpu, 2), "peak_mb": round(peak, 1), "answer": answer}


def corpus_of(folder: Path) -> Any:
    """Return the corpus; what every command needs is imported after this."""
    from speechmill import api

    return api.corpus_of(folder / "audio", folder / "out", SETTINGS)


def plan(folder: Path, recordings: int, shard: int) -> dict[str, Any]:
    """Plan a run for an orchestrator, in shards as of longer recordings."""
    from speechmill.pipeline import pending, planned

    corpus = corpus_of(folder)
    pending.SHARD_RECORDINGS = shard
    return timed(lambda: planned.plan_run(corpus).shards)


def killed(folder: Path, recordings: int, shard: int) -> dict[str, Any]:
    return _run(folder, stop_after=recordings // 2)


def run(folder: Path, recordings: int, shard: int) -> dict[str, Any]:
    return _run(folder)


def _run(folder: Path, stop_after: int | None = None) -> dict[str, Any]:
    from speechmill.pipeline import run as pipeline
    from speechmill.store.workspace import Workspace

    corpus = corpus_of(folder)
    write_stub(Workspace.create(corpus.store).root)
    options = pipeline.Options(report_audio=False)
    return timed(lambda: pipeline.run(corpus, stub_engine(stop_after), options).exit_status)


def report(folder: Path, recordings: int, shard: int) -> dict[str, Any]:
    from speechmill.pipeline.report import write_report

    corpus_of(folder)
    return timed(lambda: write_report(folder / "out", audio=False).stat().st_size)


def status(folder: Path, recordings: int, shard: int) -> dict[str, Any]:
    from speechmill.pipeline.overview import overview

    corpus_of(folder)
    return timed(lambda: overview(folder / "out").recordings)


def exec_shard(folder: Path, recordings: int, shard: int) -> dict[str, Any]:
    """Do the last shard by the command that every orchestrator's task is; its whole time, interpreter and all."""
    newest = max((folder / "out" / "runs").glob("*/plan.json")).parent
    last = (recordings - 1) // shard
    command = ["exec", "--run", str(newest), "--shard", str(last), "--workers", "1"]
    began = time.perf_counter()
    subprocess.run([sys.executable, "-m", "speechmill", *command], stdout=subprocess.DEVNULL, check=True)
    seconds, used = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    peak = used.ru_maxrss / 1024  # of the command or its worker
    return {"seconds": round(seconds, 2), "cpu_s": round(used.ru_utime + used.ru_stime, 2), "peak_mb": round(peak, 1)}


def finish(folder: Path, recordings: int, shard: int) -> dict[str, Any]:
    from speechmill.pipeline import run as pipeline
    from speechmill.pipeline.events import add_counts
    from speechmill.pipeline.record import Silent

    corpus = corpus_of(folder)
    newest = max((folder / "out" / "runs").glob("*/plan.json")).parent

    def work() -> None:
        recorder, sources = pipeline.reopen(newest, Silent())
        add_counts(newest, pipeline.finish_corpus(recorder, corpus, sources, stub_engine(None)))

    return timed(work)


def conclude(folder: Path, recordings: int, shard: int) -> dict[str, Any]:
    from speechmill.pipeline import planned

    corpus_of(folder)
    newest = max((folder / "out" / "runs").glob("*/plan.json")).parent
    return timed(lambda: planned.conclude(newest, audio=False).recordings)


def write_stub(workspace: Path) -> None:
    """Write the one canonical file that every recording's result names."""
    import numpy as np

    from speechmill.formats.flac import write_flac

    (workspace / STUB_AUDIO).parent.mkdir(parents=True, exist_ok=True)
    write_flac(workspace / STUB_AUDIO, np.zeros(2400, dtype=np.float32), 24_000)


def stub_engine(stop_after: int | None) -> Any:
    """Return an engine that answers each task at once; killed by the system's hand after so many."""
    from speechmill.pipeline.events import Event
    from speechmill.pipeline.worker import Engine, Outcome
    from speechmill.store.ledger import Result

    class Stub(Engine):
        workers = 1

        def map(self, plan: Any, tasks: Iterator[Any]) -> Iterator[tuple[Any, Any]]:
            columns = stub_columns()
            writes = {node.name: {name: columns[name] for name in node.writes} for node in plan.nodes}
            for number, task in enumerate(tasks):
                if number == stop_after:
                    os.kill(os.getpid(), 9)
                key, name = task.source.key, task.source.id
                results = {stage: Result(key, writes[stage]) for stage in task.stages}
                events = [Event(time.time(), stage, name, 0.001, 0.001, 0.05, 300.0) for stage in task.stages]
                yield task, Outcome(results, {}, tuple(events))

        def peak_rss_mb(self) -> float:
            return 0.0

    return Stub()


def stub_columns() -> dict[str, Any]:
    """Return what the stages say of every recording: three segments of eight timed words."""
    from speechmill.core.types import Canonical, Interval, Transcript, Turn, Utterance, Word

    starts = [10.0 * number for number in range(SEGMENTS)]
    spoken = tuple(
        Utterance(
            "eight words that nobody has ever said here", start, 0.8 + start / 10, 0, "#1", "en", 0.0,
            tuple(Word("word", start + 0.1 * n, 0.1, 0.9) for n in range(WORDS)),
        )
        for start in starts
    )  # fmt: skip
    scores = dict.fromkeys(("snr_db", "clipped_share", "clipping"), 0.5)
    found: dict[str, Any] = {
        "audio": Canonical((STUB_AUDIO,), 30.0, SAMPLING_RATE, 1, "pcm_s16le", -23.0, -3.0),
        "speech": tuple(Interval(start, 1.0) for start in starts),
        "transcript": Transcript("sidecar", spoken),
        "turns": tuple(Turn(start, 1.0, "#1") for start in starts),
        "segments": spoken,
    }
    return _Columns(found, scores)


class _Columns(dict[str, Any]):
    """Columns by name; a score that is not named here is 0.5, and there are no gaps."""

    def __init__(self, found: dict[str, Any], scores: dict[str, float]) -> None:
        super().__init__(found)
        self._scores = scores

    def __missing__(self, name: str) -> Any:
        return (self._scores.get(name.rpartition(".")[2], 0.5) if ".scores." in name else None,) * SEGMENTS


PHASES = {phase.__name__: phase for phase in (plan, killed, run, report, status, exec_shard, finish, conclude)}
STEPS = (  # name, phase, the status that it ends with
    ("plan", "plan", 0),
    ("exec_new", "exec_shard", 0),  # one of its shards, of which nothing is there yet: a worker starts and decodes
    ("killed", "killed", -9),
    ("status_live", "status", 0),
    ("resume", "run", 0),
    ("rerun", "run", 0),
    ("report", "report", 0),
    ("status", "status", 0),
    ("plan_again", "plan", 0),
    ("exec_done", "exec_shard", 0),  # everything is there
    ("finish", "finish", 0),
    ("conclude", "conclude", 0),
)


if __name__ == "__main__":
    main()
