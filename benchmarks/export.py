# SPDX-License-Identifier: Apache-2.0
"""Exports: megabytes a second against a plain copy, memory at two sizes, and the metadata of a million segments.

The audio is real speech, put together to a recording of an hour at 24 kHz; a corpus of N hours has that recording N
times (as links, so it is read from memory by the copy and by the exports alike). Each hour is cut into 400 segments
with 12 words and 45 phones each. Every export is a process of its own with one worker; in it the same recordings are
copied first, file by file. Both are told by megabytes of the recordings a second, which are FLAC whatever the format,
and there are two rows for each format:

    export_<format>_cpu            seconds of the processor, against a copy whose bytes are left to the system to write
    export_<format>_wall_on_disk   seconds that a person waits until all bytes are on the disk, of the copy's as well

The first row compares checksums, cutting and tables with a copy that the kernel makes without looking at a byte.
Metadata has 12 words a segment, and phones only where `--phones` asks for them. Peaks of memory are of the process, the
interpreter and what it imports in it.

Run it with: python benchmarks/export.py [--hours 4] [--segments 1000000] [--formats huggingface webdataset:wav ...]
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pyarrow as pa
import pyarrow.parquet as pq
import soxr

DATA = Path(__file__).resolve().parents[2] / "shared" / "data" / "librispeech_test_other"
PER_HOUR, SEGMENT_S, WORDS, PHONES = 400, 8.5, 12, 45
GROUP = 8192
SMALLER = 10  # times: the size that growth of memory is measured from
FORMATS = (
    *("huggingface", "huggingface:wav", "webdataset", "webdataset:wav", "nemo", "nemo:wav", "kaldi:wav", "csv"),
    *("lhotse", "lhotse:shar", "mfa", "textgrid", "elan", "rttm", "ctm", "srt", "vtt", "jsonl"),
)
METADATA = ("lhotse:reference", "jsonl")
METADATA_PER_RECORDING = PER_HOUR


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hours", type=int, default=4, help="of audio, in the larger corpus")
    parser.add_argument("--segments", type=int, default=1_000_000, help="for metadata alone; 0: leave it out")
    parser.add_argument("--formats", nargs="*", default=FORMATS, metavar="FORMAT[:KIND]")
    parser.add_argument("--phones", type=int, default=0, help="of each segment, for metadata")
    parser.add_argument("--workers", type=int, default=1, help="for metadata")
    parser.add_argument("--folder", type=Path, help="where to work; default: a temporary one, deleted afterwards")
    parser.add_argument("--phase", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.phase:
        name, root, workers = options.phase
        print(json.dumps(export(Path(root), name, int(workers))))
        return
    folder = options.folder or Path(tempfile.mkdtemp(prefix="speechmill-export-"))
    try:
        rows = audio_rows(folder, options.hours, options.formats) if options.formats else []
        rows += metadata_rows(folder, options.segments, options.phones, options.workers) if options.segments else []
    finally:
        if options.folder is None:
            shutil.rmtree(folder, ignore_errors=True)
    print(json.dumps({"rows": rows}))


def audio_rows(folder: Path, hours: int, formats: list[str]) -> list[dict[str, Any]]:
    """Export two sizes of corpus to each format, and the larger one with another recording."""
    few = max(1, hours // SMALLER)
    small, large = folder / "small", folder / "large"
    hour = make_hour(folder / "hour.flac")
    write_workspace(small, few, PER_HOUR, hour)
    write_workspace(large, hours, PER_HOUR, hour)
    found = []
    for name in formats:
        little, much = in_a_process(name, small), in_a_process(name, large)
        write_workspace(large, hours + 1, PER_HOUR, hour)
        added = in_a_process(name, large)
        write_workspace(large, hours, PER_HOUR, hour)
        shutil.rmtree(large / "exports")
        found += rows_of(name, hours, much, {"hours": few, "peak_mb": little["peak_mb"]}, added)
    return found


def rows_of(
    name: str, hours: int, much: dict[str, Any], smaller: dict[str, Any], added: dict[str, Any]
) -> list[dict[str, Any]]:
    """Return the two rows of a format: by seconds of the processor, and by those until all is on the disk."""
    rows = []
    for kind, ours, copied in (("cpu", "cpu_s", "copy_cpu_s"), ("wall_on_disk", "seconds", "copy_on_disk_s")):
        row = {
            "name": f"export_{name.replace(':', '_')}_{kind}",
            "unit": "MB/s",
            "ours": round(much["megabytes"] / much[ours], 1),
            "baseline": round(much["megabytes"] / much[copied], 1),
            "baseline_name": "copy of the same recordings, a core",
            "ratio": round(much[copied] / much[ours], 3),
            "hours": hours,
            "out_mb": much["out_mb"],
            "seconds": much["seconds"],
            "cpu_s": much["cpu_s"],
            "peak_mb": much["peak_mb"],
            "smaller": smaller,
            "added_one": {key: added[key] for key in ("written", "kept", "seconds")},
            "machine": machine(),
        }
        print(told(row), file=sys.stderr, flush=True)
        rows.append(row)
    return rows


def metadata_rows(folder: Path, segments: int, phones: int, workers: int) -> list[dict[str, Any]]:
    """Export what is said of many segments, without their audio."""
    root = folder / "metadata"
    write_workspace(root, segments // METADATA_PER_RECORDING, METADATA_PER_RECORDING, None, phones)
    found = []
    for name in METADATA:
        made = in_a_process(name, root, workers)
        row = {
            "name": f"metadata_{name.replace(':', '_')}",
            "unit": "s",
            "ours": made["seconds"],
            "segments": segments,
            "words": WORDS,
            "phones": phones,
            "workers": workers,
            **{key: made[key] for key in ("cpu_s", "peak_mb", "out_mb", "plan_s")},
            "machine": machine(),
        }
        print(told(row), file=sys.stderr, flush=True)
        found.append(row)
    return found


def told(row: dict[str, Any]) -> str:
    return "  ".join(f"{key} {value}" for key, value in row.items() if key not in ("machine", "baseline_name", "unit"))


def machine() -> str:
    return f"{platform.machine()}, {psutil.cpu_count()} CPUs, Python {platform.python_version()}"


def make_hour(path: Path) -> Path:
    """Write an hour of speech as FLAC at 24 kHz: what there is, again and again."""
    from speechmill.formats.audio import read_audio
    from speechmill.formats.flac import write_flac

    if not DATA.is_dir():
        raise SystemExit(f"real speech is not here: {DATA.name}")
    found: list[Any] = []
    for one in sorted(DATA.rglob("*.flac")):
        samples, rate = read_audio(one)
        at_rest = soxr.resample(np.ravel(samples), rate, 24_000)
        found.append((np.clip(at_rest, -1, 1) * 32767).astype(np.int16))
    speech = np.concatenate(found)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_flac(path, np.resize(speech, 3600 * 24_000), 24_000)
    return path


def write_workspace(root: Path, recordings: int, per_recording: int, audio: Path | None, phones: int = PHONES) -> None:
    """Write the dataset of a corpus whose recordings say the same, each under its own name."""
    from speechmill.core.types import Recording
    from speechmill.formats.flac import write_flac
    from speechmill.formats.manifest import segment_schema, table_of, write_rows

    names = [f"talk-{number:06d}" for number in range(recordings)]
    paths = [f"recordings/{name}.flac" if audio else "recordings/none.flac" for name in names]
    (root / "recordings").mkdir(parents=True, exist_ok=True)
    for path in paths if audio else ():
        if not (root / path).exists():
            os.link(audio, root / path)  # type: ignore[arg-type]
    if audio is None:
        write_flac(root / paths[0], np.zeros(3600 * 24_000, np.int16), 24_000)
    rows = [
        Recording(name, f"https://example.org/{name}", f"{i:064d}", 3600.0, 24_000, 1, (path,), language="en")
        for i, (name, path) in enumerate(zip(names, paths, strict=True))
    ]
    write_rows(root / "dataset" / "recordings.parquet", rows, Recording)
    schema = segment_schema(["snr_db", "dnsmos_ovrl"])
    base = table_of([segment(i, phones) for i in range(per_recording)], schema)
    path = root / "dataset" / "segments.parquet"
    with pq.ParquetWriter(path, schema, compression="zstd") as writer:
        for begin in range(0, recordings, 50):
            tables = [renamed(base, name) for name in names[begin : begin + 50]]
            writer.write_table(pa.concat_tables(tables).cast(schema), GROUP)
    (root / "dataset" / "contents.parquet").unlink(missing_ok=True)


def segment(number: int, num_phones: int) -> Any:
    from speechmill.core.types import Segment, Word

    start = number * 9.0
    words = tuple(Word(f"word{(number * 7 + i) % 997}", start + i * 0.7, 0.6, 0.9) for i in range(WORDS))
    phones = tuple(Word("AEIOUKTS"[(number + i) % 8], start + i * 0.18, 0.18) for i in range(num_phones))
    return Segment(
        f"-0-{round(start * 1000):07d}-{round((start + SEGMENT_S) * 1000):07d}",
        "",
        start,
        SEGMENT_S,
        text=" ".join(word.symbol for word in words),
        language="en",
        words=words,
        phones=phones,
        scores={"snr_db": 20.0 + number / 100, "dnsmos_ovrl": 3.1},
        split="train",
    )


def renamed(base: pa.Table, name: str) -> pa.Table:
    ids = pa.array([name + end for end in base["id"].to_pylist()])
    table = base.set_column(base.column_names.index("id"), "id", ids)
    for column, value in (("recording_id", name), ("speaker", f"{name}#1")):
        table = table.set_column(table.column_names.index(column), column, pa.array([value] * len(ids)))
    return table


def in_a_process(name: str, root: Path, workers: int = 1) -> dict[str, Any]:
    """Export in a fresh process. Raises CalledProcessError."""
    command = [sys.executable, __file__, "--phase", name, str(root), str(workers)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, env=environment)
    return dict(json.loads(done.stdout.splitlines()[-1]))


def export(root: Path, name: str, workers: int) -> dict[str, Any]:
    """Copy the recordings, then export them."""
    from speechmill.core import registry
    from speechmill.core.registry import Choice
    from speechmill.pipeline.export.engine import Order, make
    from speechmill.store.contents import read_contents

    backend, _, kind = name.partition(":")
    module = registry.require("exporters", backend)
    config = module.Config(**options_of(backend, kind))
    recordings = sorted((root / "recordings").glob("*.flac"))
    copied = timed(lambda: copy(recordings, root / "copy"))
    flushed = timed(lambda: copy(recordings, root / "copy", on_disk=True))
    contents = timed(lambda: read_contents(root / "dataset"))  # written once for a dataset, when it is made
    planned = timed(lambda: read_contents(root / "dataset"))
    before = peak_mb()
    made: list[Any] = []
    folder = root / "exports" / backend
    order = Order(Choice("exporters", backend, config), "benchmark", workers=workers)
    os.sync()  # what others have left to write is not this export's

    def work() -> None:
        made.append(make(root, folder, order))
        os.sync()  # `make` has done so already, but for the swap

    took = timed(work)
    files = [file.bytes for shard in made[0].export.shards for file in shard.files]
    return {
        "megabytes": round(sum(path.stat().st_size for path in recordings) / 1e6, 3),
        "out_mb": round(sum(files) / 1e6, 1),
        "copy_s": copied[0],
        "copy_cpu_s": copied[1],
        "copy_on_disk_s": flushed[0],
        "seconds": took[0],
        "cpu_s": took[1],
        "contents_s": contents[0],
        "plan_s": planned[0],
        "peak_mb": peak_mb(),
        "before_mb": before,
        "written": made[0].written,
        "kept": made[0].kept,
    }


def options_of(backend: str, kind: str) -> dict[str, Any]:
    if backend == "lhotse":
        return {"layout": "shar"} if kind == "shar" else {"audio": kind or "copy"}
    return {"audio": kind} if kind else {}


def copy(recordings: list[Path], folder: Path, *, on_disk: bool = False) -> None:
    """Copy recordings one after another; each replaces the one before, so that no disk is needed for it.

    on_disk: wait for each until its bytes are there.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for path in recordings:
        shutil.copyfile(path, folder / "copied.flac")
        if on_disk:
            with (folder / "copied.flac").open("rb") as file:
                os.fsync(file.fileno())
    shutil.rmtree(folder)


def timed(work: Any) -> tuple[float, float]:
    """Return the wall's seconds and the process's, its children's too."""
    begun = time.perf_counter(), cpu_s()
    work()
    return round(time.perf_counter() - begun[0], 4), round(cpu_s() - begun[1], 4)


def peak_mb() -> float:
    """The most memory that this process had. What resource calls so is the parent's too, if that had more."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return round(int(line.split()[1]) / 1024, 1)
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1)


def cpu_s() -> float:
    found = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(one.ru_utime + one.ru_stime for one in found)


if __name__ == "__main__":
    main()
