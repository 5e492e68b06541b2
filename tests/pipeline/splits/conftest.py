# SPDX-License-Identifier: Apache-2.0
"""A workspace whose tables are written by hand: recordings of a minute, a segment for every text."""

from __future__ import annotations

import itertools
import wave
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from speechmill.core.types import Rights, Segment
from speechmill.formats.manifest import segment_schema, table_of, write_rows
from speechmill.pipeline.dataset_options import Splits
from speechmill.pipeline.refilter import Asked, Index, materialise, refilter
from speechmill.pipeline.table import DECIDED, RecordingRow
from speechmill.store.workspace import Workspace

SCORES = ("snr_db",)
WORDS = ("time", "year", "people", "way", "day", "man", "thing", "woman", "life", "child", "world", "school", "state")


def recording(name: str, *, sha256: str | None = None, **more) -> RecordingRow:
    rest = dict.fromkeys(RecordingRow.__struct_fields__) | {
        "id": name,
        "uri": f"{name}.wav",
        "key": name,
        "sha256": sha256 or f"sha-{name}",
        "duration": 60.0,
        "sampling_rate": 16_000,
        "channels": 1,
        "audio": (f"recordings/{name}.flac",),
        "origin": "local",
        "truncated": False,
        "warnings": (),
        "num_segments": 1,
    }
    if author := more.pop("author", None):
        rest["rights"] = Rights(author=author)
    return RecordingRow(**(rest | more))


def said(name: str, *texts: str, speaker: str | None = "#1", duration: float = 10.0, snr: float = 20.0):
    """Segments of a recording, each with a text."""
    who = f"{name}{speaker}" if speaker and speaker.startswith("#") else speaker
    return [
        Segment(f"{name}-{i}", name, i * 10.0, duration, text=text, language="en", speaker=who, scores={"snr_db": snr})
        for i, text in enumerate(texts or (sentence(name),))
    ]


def sentence(name: str) -> str:
    """Eight words that no other recording says together."""
    number = int.from_bytes(name.encode(), "big")
    return " ".join([*(WORDS[(number >> i) % len(WORDS)] for i in range(6)), name, f"{name}x", f"{name}y", f"{name}z"])


def melody(seed: int) -> np.ndarray:
    """Fifteen seconds of notes in noise, at 16 kHz."""
    generator = np.random.default_rng(seed)
    time = np.arange(16_000 // 4) / 16_000
    notes = [np.sin(2 * np.pi * generator.uniform(250, 3500, 3)[:, None] * time).sum(axis=0) for _ in range(60)]
    return (0.1 * np.concatenate(notes) + 0.001 * generator.standard_normal(240_000)).astype(np.float32)


class Corpus:
    """A workspace, and its dataset after each join."""

    def __init__(self, root: Path) -> None:
        self.workspace = Workspace.create(root)
        self.memory = self.workspace.splits
        self.count = itertools.count()

    def write(self, name: str, recordings, segments) -> None:
        """Write what a join writes."""
        schema = segment_schema(SCORES)
        for column in DECIDED:
            schema = schema.remove(schema.get_field_index(column))
        self.workspace.tables.mkdir(exist_ok=True)
        table = table_of(segments, segment_schema(SCORES)).drop_columns(list(DECIDED)).cast(schema)
        pq.write_table(table, self.workspace.tables / f"segments-{name}.parquet", row_group_size=100)
        write_rows(self.workspace.tables / f"recordings-{name}.parquet", recordings, RecordingRow)

    def decide(self, name: str, **asked) -> Index:
        """Decide, and write the dataset. Splits are a quarter each unless asked otherwise."""
        asked = {"splits": Splits(0.25, 0.25), **asked}
        index, _worked = refilter(self.workspace, "run-1", name, Asked(**asked), SCORES)
        materialise(self.workspace, index)
        return index

    def grown(self, name: str, recordings, segments, **asked) -> dict[str, str | None]:
        """Write tables, decide, and return the splits of segments."""
        self.write(name, recordings, segments)
        self.decide(name, **asked)
        return self.splits()

    def rows(self) -> list[dict]:
        return pq.read_table(self.workspace.dataset / "segments.parquet").to_pylist(maps_as_pydicts="strict")

    def splits(self) -> dict[str, str | None]:
        return {row["id"]: row["split"] for row in self.rows()}

    def drops(self) -> dict[str, list[str]]:
        return {row["id"]: [drop["rule"] for drop in row["drops"]] for row in self.rows() if row["drops"]}


@pytest.fixture
def corpus(tmp_path):
    return Corpus(tmp_path / "w")


@pytest.fixture
def make():
    """`recording`, `said`, `sentence` and `melody`, as above."""

    class Make:
        recording = staticmethod(recording)
        said = staticmethod(said)
        sentence = staticmethod(sentence)
        melody = staticmethod(melody)

    return Make


@pytest.fixture(scope="session")
def make_melody():
    """Write a melody as 16-bit WAV."""

    def write(path: Path, seed: int) -> None:
        with wave.open(str(path), "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(16_000)
            file.writeframes((melody(seed) * 32767).astype("<i2").tobytes())

    return write


@pytest.fixture
def twelve(corpus, make):
    """Twelve recordings of twelve speakers, in three splits."""
    names = [f"rec{i}" for i in range(12)]
    rows = [make.recording(name, speaker=f"speaker{i}") for i, name in enumerate(names)]
    corpus.grown("t1", rows, [one for name in names for one in make.said(name)])
    return corpus
