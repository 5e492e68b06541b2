# SPDX-License-Identifier: Apache-2.0
"""Versions of a million segments: writing one down with its card, and comparing two of them.

Made-up segments of 10 words and 8 scores, 200 a recording. The second version has ten recordings more, another
threshold, a score that moved everywhere and one text in a hundred that is another. Every measure is a process of its
own, files are warm. Run it with: python benchmarks/versions.py
"""

from __future__ import annotations

import argparse
import json
import platform
import shutil
import sys
import tempfile
from pathlib import Path

import numpy as np
import psutil
import pyarrow as pa
import pyarrow.parquet as pq

from filter import PER_RECORDING, ROW_GROUP, SCORES, made_up, timed
from speechmill.formats.manifest import arrow_schema, segment_schema, table_of
from speechmill.pipeline.refilter import Asked, materialise, refilter
from speechmill.pipeline.table import DECIDED, RecordingRow
from speechmill.store.workspace import Workspace

MORE = 10 * PER_RECORDING
STEPS = {
    "version_and_card_1m": """
import sys
from pathlib import Path
from speechmill.pipeline import card, versions
from speechmill.pipeline.refilter import read_index
from speechmill.store.workspace import Workspace
place = Workspace.open(Path(sys.argv[1]))
versions.record(place, read_index(place))
card.write_dataset_card(place, versions.Shelf(place).newest())
""",
    "diff_1m": """
import sys
from speechmill.cli.main import cli
cli(["dataset", "diff", sys.argv[1], "1", "2", "--json"])
""",
}


def write_tables(workspace: Workspace, name: str, num_segments: int, *, changed: bool) -> None:
    """Write what a join leaves."""
    schema = segment_schema(SCORES)
    for decided in DECIDED:
        schema = schema.remove(schema.get_field_index(decided))
    generator = np.random.default_rng(0)
    workspace.tables.mkdir(exist_ok=True)
    with pq.ParquetWriter(workspace.tables / f"segments-{name}.parquet", schema, compression="zstd") as writer:
        for first in range(0, num_segments, ROW_GROUP):
            table = made_up(generator, first, min(ROW_GROUP, num_segments - first), schema)
            writer.write_table(moved(table) if changed else table)
    rows = [recording(number) for number in range(-(-num_segments // PER_RECORDING))]
    with pq.ParquetWriter(workspace.tables / f"recordings-{name}.parquet", arrow_schema(RecordingRow)) as writer:
        writer.write_table(table_of(rows, arrow_schema(RecordingRow)))


def moved(table: pa.Table) -> pa.Table:
    """Return segments of which one in a hundred has another text, and all another first score."""
    texts = [f"{text} more" if i % 100 == 0 else text for i, text in enumerate(table["text"].to_pylist())]
    scores = table["scores"].combine_chunks()
    parts = [pa.array([None if one is None else one + 0.1 for one in scores.field(0).to_pylist()], pa.float64())]
    parts += [scores.field(i) for i in range(1, len(SCORES))]
    kind = table.schema.field("scores").type
    table = table.set_column(table.schema.get_field_index("text"), "text", pa.array(texts))
    column = pa.StructArray.from_arrays(parts, names=list(SCORES)).cast(kind)
    return table.set_column(table.schema.get_field_index("scores"), "scores", column).cast(table.schema)


def recording(number: int) -> RecordingRow:
    return RecordingRow(
        id=f"episode-{number:05d}",
        uri=f"{number}.mp3",
        key=f"{number:064x}",
        sha256=f"{number:064x}",
        duration=2400.0,
        sampling_rate=44_100,
        channels=1,
        audio=("a.flac",),
        language="vi",
        speaker=None,
        num_speakers=None,
        rights=None,
        origin="local",
        loudness_lufs=None,
        peak_dbfs=None,
        truncated=False,
        warnings=(),
        speech_s=2000.0,
        transcript="sidecar",
        num_segments=PER_RECORDING,
        alias_of=None,
        failed_stage=None,
        reason=None,
        detail=None,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--segments", type=int, default=1_000_000)
    arguments = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="speechmill-versions-"))
    rows = []
    try:
        workspace = Workspace.create(folder / "workspace")
        for name, more, threshold in (("aaaa", 0, 2.9), ("bbbb", MORE, 3.1)):
            write_tables(workspace, name, arguments.segments + more, changed=bool(more))
            asked = Asked([f"dnsmos_ovrl >= {threshold}"])
            materialise(workspace, refilter(workspace, "bench", name, asked, SCORES)[0])
        for name, code in STEPS.items():
            if name.startswith("version"):
                shutil.rmtree(sorted(workspace.versions.iterdir())[-1])
            wall, rss = timed([sys.executable, "-c", code, str(workspace.root)])
            rows.append(
                {
                    "name": name,
                    "unit": "s",
                    "ours": round(wall, 2),
                    "rss_mb": round(rss),
                    "segments": arguments.segments,
                    "machine": f"{platform.machine()}, {psutil.cpu_count()} CPUs, Python {platform.python_version()}",
                }
            )
    finally:
        shutil.rmtree(folder)
    for row in rows:
        print(f"{row['name']:24}{row['ours']:8.2f} s {row['rss_mb']:6} MB")
    print(json.dumps({"rows": rows}))


if __name__ == "__main__":
    main()
