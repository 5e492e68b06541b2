# SPDX-License-Identifier: Apache-2.0
"""Splits of a million segments in a hundred thousand recordings, and the check of the finished dataset for leaks.

Made-up recordings of ten segments, 30,000 speakers, every tenth recording crawled from one of 500 channels; texts of
ten words from a vocabulary of 5,000, and one in a thousand is said again elsewhere. Ours is `decide` with and without
splits, each in a process of its own, tables read from warm files. Run it with: python benchmarks/splits.py
"""

from __future__ import annotations

import argparse
import json
import platform
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import msgspec
import numpy as np
import psutil
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from speechmill.formats.manifest import arrow_schema, segment_schema
from speechmill.pipeline.dataset_options import Splits
from speechmill.pipeline.leaks import find_leaks
from speechmill.pipeline.refilter import Asked, materialise, refilter
from speechmill.pipeline.table import DECIDED, RecordingRow
from speechmill.store.workspace import Workspace

PER_RECORDING = 10
WORDS = 10
SPEAKERS = 30_000
CHANNELS = 500
SCORES = ("dnsmos_ovrl",)
ROW_GROUP = 100_000
CASES = {"none": None, "splits": Splits(text=None), "splits and text": Splits()}


def write_tables(root: Path, num_segments: int) -> None:
    """Write what a join leaves."""
    tables = Workspace.create(root).tables
    tables.mkdir()
    generator = np.random.default_rng(0)
    schema = segment_schema(SCORES)
    for name in DECIDED:
        schema = schema.remove(schema.get_field_index(name))
    number = num_segments // PER_RECORDING
    speakers = generator.integers(0, SPEAKERS, number)
    with pq.ParquetWriter(tables / "segments-bench.parquet", schema, compression="zstd") as writer:
        for first in range(0, num_segments, ROW_GROUP):
            writer.write_table(segments(generator, speakers, first, min(ROW_GROUP, num_segments - first), schema))
    pq.write_table(recordings(generator, number), tables / "recordings-bench.parquet", compression="zstd")


def segments(
    generator: np.random.Generator, speakers: np.ndarray, first: int, count: int, schema: pa.Schema
) -> pa.Table:
    number = np.arange(first, first + count)
    names = [f"episode-{n:06d}" for n in number // PER_RECORDING]
    words = generator.integers(0, 5000, (count, WORDS))
    again = generator.random(count) < 0.001
    words[again] = np.random.default_rng(1).integers(0, 5000, (100, WORDS))[generator.integers(0, 100, again.sum())]
    vocabulary = pa.array([f"word{n}"[: 4 + n % 7] + str(n) for n in range(5000)])
    offsets = pa.array(np.arange(0, count * WORDS + 1, WORDS), pa.int32())
    columns = {
        "id": [f"{name}-{n % PER_RECORDING}" for name, n in zip(names, number, strict=True)],
        "recording_id": names,
        "start": (number % PER_RECORDING) * 12.0,
        "duration": np.round(np.minimum(generator.gamma(4, 1.6, count) + 0.3, 12.0), 3),
        "channel": np.zeros(count, np.int64),
        "text": pc.binary_join(pa.ListArray.from_arrays(offsets, vocabulary.take(pa.array(words.ravel()))), " "),
        "language": ["vi" if n % 10 else "en" for n in number // PER_RECORDING],
        "speaker": [f"speaker-{speakers[n]}" for n in number // PER_RECORDING],
        "scores": pa.StructArray.from_arrays([pa.array(generator.normal(3, 0.5, count))], names=list(SCORES)),
    }
    empty = {
        field.name: pa.nulls(count, field.type) if field.type != pa.float64() else pa.array(np.zeros(count))
        for field in schema
        if field.name not in columns
    }
    made = {name: one if isinstance(one, pa.Array) else pa.array(one) for name, one in columns.items()}
    return pa.table({name: (made | empty)[name] for name in schema.names}).cast(schema)


def recordings(generator: np.random.Generator, number: int) -> pa.Table:
    channels = generator.integers(0, CHANNELS, number)
    crawled = np.arange(number) % 10 == 0
    rows = {
        "id": [f"episode-{n:06d}" for n in range(number)],
        "sha256": [f"{n:064x}" for n in range(number)],
        "uri": [f"{n}.mp3" for n in range(number)],
        "key": [f"{n:064x}" for n in range(number)],
        "duration": [120.0] * number,
        "sampling_rate": [44_100] * number,
        "channels": [1] * number,
        "truncated": [False] * number,
        "warnings": [[]] * number,
        "num_segments": [PER_RECORDING] * number,
        "audio": [["a.flac"]] * number,
        "origin": ["youtube" if one else "local" for one in crawled],
        "rights": [{"author": f"channel {one}", "state": "cc-by"} for one in channels],
    }
    schema = arrow_schema(RecordingRow)
    columns = [pa.array(rows[f.name], f.type) if f.name in rows else pa.nulls(number, f.type) for f in schema]
    return pa.table(columns, schema=schema)


def one_case(root: Path, case: str) -> None:
    """Decide, and print seconds and memory as JSON; with splits and text the finished dataset is checked for leaks."""
    workspace = Workspace.open(root)
    begun = time.perf_counter(), time.process_time()
    index, _worked = refilter(workspace, "bench", "bench", Asked(["dnsmos_ovrl >= 2.5"], None, CASES[case]), SCORES)
    decided = time.perf_counter() - begun[0], time.process_time() - begun[1]
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    materialise(workspace, index)
    begun = time.perf_counter(), time.process_time()
    leaks = find_leaks(workspace)
    checked = time.perf_counter() - begun[0], time.process_time() - begun[1]
    columns = pq.read_table(workspace.dataset / "segments.parquet", columns=["split", "duration", "drops"])
    hours = columns.group_by("split").aggregate([("duration", "sum")]).to_pylist()
    print(
        json.dumps(
            {
                "decide_s": round(decided[0], 2),
                "decide_cpu_s": round(decided[1], 2),
                "decide_rss_mb": round(peak),
                "check_s": round(checked[0], 2),
                "check_cpu_s": round(checked[1], 2),
                "rss_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
                "leaks": len(leaks),
                "hours": {str(row["split"]): round(row["duration_sum"] / 3600, 1) for row in hours},
            }
        )
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--segments", type=int, default=1_000_000)
    parser.add_argument("--case", choices=list(CASES), help=argparse.SUPPRESS)
    parser.add_argument("--root", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.case:
        one_case(arguments.root, arguments.case)
        return
    folder = Path(tempfile.mkdtemp(prefix="speechmill-splits-"))
    rows = []
    try:
        write_tables(folder / "w", arguments.segments)
        for case in CASES:
            command = [sys.executable, __file__, "--root", str(folder / "w"), "--case", case]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode:
                raise SystemExit(done.stderr)
            found = msgspec.json.decode(done.stdout)
            print(f"{case:16}{found}")
            rows.append(
                {"name": f"decide_1m_{case.replace(' ', '_')}", "unit": "s", "ours": found["decide_s"], **found}
            )
            shutil.rmtree(folder / "w" / "splits", ignore_errors=True)
    finally:
        shutil.rmtree(folder)
    machine = f"{platform.machine()}, {psutil.cpu_count()} CPUs, Python {platform.python_version()}"
    print(json.dumps({"rows": [{**row, "segments": arguments.segments, "machine": machine} for row in rows]}))


if __name__ == "__main__":
    main()
