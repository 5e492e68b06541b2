# SPDX-License-Identifier: Apache-2.0
"""Filtering again: a million segments of 10 words and 8 scores, from the command's start to written decisions.

Ours is the command a user types, as a process of its own. The baseline is what one writes by hand: the same
rule over segments as JSON lines, row by row, decisions written as JSON lines; timed on a sample and scaled.
Both read warm files. Run it with: python benchmarks/filter.py
"""

from __future__ import annotations

import argparse
import json
import operator
import platform
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

from speechmill.core.files import write_bytes
from speechmill.core.types import Recording
from speechmill.formats.manifest import segment_schema, write_rows
from speechmill.pipeline.decide import Places, decide, write_decisions
from speechmill.pipeline.filter import rules_from
from speechmill.pipeline.refilter import Index
from speechmill.pipeline.table import DECIDED
from speechmill.store.workspace import Workspace

RULE = "dnsmos_ovrl >= 3.1"
SCORES = (
    "snr_db",
    "dnsmos_sig",
    "dnsmos_bak",
    "dnsmos_ovrl",
    "stoi_est",
    "pesq_est",
    "loudness_lufs",
    "chars_per_s",
)
WORDS = 10
WORD_FIELDS = ("symbol", "start", "duration", "score")
ROW_GROUP = 100_000
PER_RECORDING = 200
ROUNDS = 5


def write_workspace(root: Path, num_segments: int) -> Path:
    """Write what a run leaves and the filter reads; return the segments table."""
    workspace = Workspace.create(root)
    index = Index("bench", "bench", "none", (), None, SCORES)
    write_bytes(workspace.dataset / "index.json", msgspec.json.encode(index))
    schema = segment_schema(SCORES)
    for decided in DECIDED:
        schema = schema.remove(schema.get_field_index(decided))
    path = root / "tables" / "segments-bench.parquet"
    path.parent.mkdir()
    generator = np.random.default_rng(0)
    with pq.ParquetWriter(path, schema, compression="zstd") as writer:
        for first in range(0, num_segments, ROW_GROUP):
            count = min(ROW_GROUP, num_segments - first)
            writer.write_table(made_up(generator, first, count, schema))
    names = range(-(-num_segments // PER_RECORDING))
    rows = [Recording(f"episode-{n:05d}", f"{n}.mp3", "", 2400.0, 44100, 1, ("a.flac",)) for n in names]
    write_rows(root / "tables" / "recordings-bench.parquet", rows, Recording)
    return path


def made_up(generator: np.random.Generator, first: int, count: int, schema: pa.Schema) -> pa.Table:
    number = np.arange(first, first + count)
    recording, start = number // PER_RECORDING, (number % PER_RECORDING) * 12.0
    duration = np.round(np.minimum(generator.gamma(4, 1.6, count) + 0.3, 12.0), 3)
    names = [f"episode-{n:05d}" for n in recording]
    vocabulary = pa.array([f"word{n}"[: 3 + n % 7] for n in range(5000)])
    symbols = vocabulary.take(pa.array(generator.integers(0, 5000, count * WORDS)))
    offsets = pa.array(np.arange(0, count * WORDS + 1, WORDS), pa.int32())
    times = np.repeat(start, WORDS) + np.tile(np.arange(WORDS), count) * np.repeat(duration / WORDS, WORDS)
    words = [symbols, np.round(times, 4), np.round(np.repeat(duration / WORDS, WORDS), 4), generator.random(len(times))]
    quality = [np.where(generator.random(count) < 0.01, np.nan, generator.normal(3, 0.5, count)) for _ in SCORES]
    ends = (start + duration) * 1000
    columns = {
        "id": [f"{n}-0-{int(a * 1000):07d}-{int(b):07d}" for n, a, b in zip(names, start, ends, strict=True)],
        "recording_id": names,
        "start": start,
        "duration": duration,
        "channel": np.zeros(count, np.int64),
        "text": pc.binary_join(pa.ListArray.from_arrays(offsets, symbols), " "),
        "language": ["vi"] * count,
        "speaker": [f"{n}#1" for n in names],
        "overlap": np.where(generator.random(count) < 0.9, 0.0, generator.random(count)),
        "words": pa.ListArray.from_arrays(
            offsets, pa.StructArray.from_arrays([pa.array(one) for one in words], names=list(WORD_FIELDS))
        ),
        "phones": pa.array([[]] * count, schema.field("phones").type),
        "scores": pa.StructArray.from_arrays([pa.array(one, from_pandas=True) for one in quality], names=list(SCORES)),
        "gaps": pa.array([[]] * count, schema.field("gaps").type),
        "corrected": pa.array([[]] * count, schema.field("corrected").type),
    }
    arrays = [one if isinstance(one, pa.Array) else pa.array(one) for one in columns.values()]
    return pa.table(arrays, names=list(columns)).select(schema.names).cast(schema)


def timed(command: list[str]) -> tuple[float, float]:
    """Run a command; return wall seconds and its peak resident memory in MB."""
    begun = time.perf_counter()
    process = psutil.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    peak = 0
    while process.poll() is None:
        try:
            peak = max(peak, process.memory_info().rss)
        except psutil.Error:
            break
        time.sleep(0.005)
    wall = time.perf_counter() - begun
    if process.wait() != 0:
        raise SystemExit(f"{' '.join(command)} failed: {process.stderr.read().decode()[-2000:]}")
    return wall, peak / 1e6


IN_PROCESS = """
import sys
from pathlib import Path
from speechmill.pipeline.decide import Places, decide, write_decisions
from speechmill.pipeline.filter import rules_from
write_decisions(Path(sys.argv[2]), decide(Places(Path(sys.argv[1])), rules_from([sys.argv[3]])))
"""


def by_hand(table: Path, sample: int, folder: Path) -> float:
    """Seconds that a plain loop over JSON lines takes for a sample, decisions written."""
    rows = next(pq.ParquetFile(table).iter_batches(sample)).to_pylist(maps_as_pydicts="strict")
    source, target = folder / "sample.jsonl", folder / "decisions.jsonl"
    source.write_text("\n".join(json.dumps(row) for row in rows) + "\n")
    name, threshold, compare = "dnsmos_ovrl", 3.1, operator.ge
    begun = time.perf_counter()
    with source.open() as lines, target.open("w") as out:
        for line in lines:
            row = json.loads(line)
            value = row["scores"][name]
            kept = value is not None and compare(value, threshold)
            drops = [] if kept else [{"rule": RULE, "value": value, "threshold": threshold}]
            out.write(json.dumps({"id": row["id"], "drops": drops}) + "\n")
    return time.perf_counter() - begun


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--segments", type=int, default=1_000_000)
    parser.add_argument("--sample", type=int, default=20_000)
    parser.add_argument("--no-command", action="store_true", help="time the filter in a process without the CLI")
    arguments = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="speechmill-filter-"))
    try:
        table = write_workspace(folder, arguments.segments)
        if arguments.no_command:
            command = [sys.executable, "-c", IN_PROCESS, str(table), str(folder / "decisions.parquet"), RULE]
        else:
            command = [sys.executable, "-m", "speechmill", "filter", str(folder), "--decisions-only", "--rule", RULE]
        runs = []
        for _ in range(ROUNDS):
            shutil.rmtree(folder / "decisions", ignore_errors=True)  # what is decided already is not decided again
            runs.append(timed(command))
        begun = time.perf_counter()
        write_decisions(folder / "inside.parquet", decide(Places(table), rules_from([RULE])))
        inside = time.perf_counter() - begun
        baseline = by_hand(table, arguments.sample, folder) * arguments.segments / arguments.sample
    finally:
        shutil.rmtree(folder)
    wall = sorted(run[0] for run in runs)[ROUNDS // 2]
    row = {
        "name": "refilter_1m",
        "unit": "s",
        "ours": round(wall, 3),
        "baseline": round(baseline, 1),
        "baseline_name": f"a Python loop over JSON lines ({arguments.sample:,} rows, scaled)",
        "ratio": round(baseline / wall, 1),
        "rss_mb": round(max(run[1] for run in runs)),
        "all_runs": [round(run[0], 3) for run in runs],
        "decide_and_write_only": round(inside, 3),
        "segments": arguments.segments,
        "command": "in-process" if arguments.no_command else "speechmill filter --decisions-only",
        "machine": f"{platform.machine()}, {psutil.cpu_count()} CPUs, Python {platform.python_version()}",
    }
    for key, value in row.items():
        print(f"{key:24}{value}")
    print(json.dumps({"rows": [row]}))


if __name__ == "__main__":
    main()
