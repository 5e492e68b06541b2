# SPDX-License-Identifier: Apache-2.0
"""A small finished workspace: two recordings, two speakers, two languages, awkward texts, one dropped segment."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import pytest

from speechmill.core.stage import Context
from speechmill.core.types import Drop, Recording, Rights, Segment, Word
from speechmill.formats.flac import write_flac
from speechmill.formats.manifest import segment_schema, table_of, write_parquet, write_rows
from speechmill.store.dataset import Dataset

SAMPLING_RATE = 24_000
ENGLISH = 'She said "no"\nand <script>alert(1)</script> | left, \\ done'
VIETNAMESE = "Xin chào, tôi tên là Đặng Nguyễn Ánh"
DROPPED = "this one was dropped"
ATTRIBUTION = "Ánh & Co. <b>| CC</b>"

RECORDINGS = (
    Recording(
        id="talk-1a2b3c",
        uri="https://example.org/talk.mp3",
        sha256="0" * 64,
        duration=3.0,
        sampling_rate=44_100,
        channels=2,
        audio=("recordings/aa/talk-0.flac", "recordings/aa/talk-1.flac"),
        language="en",
        rights=Rights(licence="CC BY 4.0", state="cc-by", evidence="https://example.org", attribution=ATTRIBUTION),
    ),
    Recording(
        id="tin-tuc-9f8e7d",
        uri="/home/somebody/private/tin tuc.wav",
        sha256="1" * 64,
        duration=2.0,
        sampling_rate=16_000,
        channels=1,
        audio=("recordings/bb/tin-tuc-0.flac",),
        language="vi",
    ),
)

SEGMENTS = (
    Segment(
        id="talk-1a2b3c-0-0000100-0001100",
        recording_id="talk-1a2b3c",
        start=0.1,
        duration=1.0,
        text=ENGLISH,
        language="en",
        speaker="anna",
        words=(Word("she", 0.1, 0.4, 0.9), Word('"no"', 0.6, 0.5)),
        phones=(Word("SH", 0.1, 0.2), Word("IY", 0.3, 0.2), Word("N", 0.6, 0.3), Word("OW", 0.9, 0.2)),
        scores={"snr_db": 21.5, "dnsmos": None},
        gaps={"dnsmos": "too-short"},
    ),
    Segment(
        id="talk-1a2b3c-0-0001500-0002000",
        recording_id="talk-1a2b3c",
        start=1.5,
        duration=0.5,
        text=DROPPED,
        language="en",
        speaker="anna",
        scores={"snr_db": 1.0, "dnsmos": 1.5},
        drops=(Drop("snr_db", 1.0, 10.0),),
    ),
    Segment(
        id="talk-1a2b3c-1-0000500-0001700",
        recording_id="talk-1a2b3c",
        start=0.5,
        duration=1.2,
        channel=1,
        text="hello there",
        language="en",
        speaker="Bảo, the host",
        words=(Word("hello", 0.5, 0.5), Word("there", 1.2, 0.5)),
        phones=(Word("HH", 0.5, 0.5), Word("DH", 1.2, 0.5)),
        scores={"snr_db": 15.0, "dnsmos": 3.25},
    ),
    Segment(
        id="tin-tuc-9f8e7d-0-0000250-0001750",
        recording_id="tin-tuc-9f8e7d",
        start=0.25,
        duration=1.5,
        text=VIETNAMESE,
        language="vi",
        speaker="anna",
        words=(Word("xin", 0.25, 0.25, 0.5), Word("chào", 0.5, 1.25, 0.75)),
        phones=(Word("s", 0.25, 0.1), Word("i", 0.35, 0.15), Word("t͡ɕ", 0.5, 1.25)),
        scores={"snr_db": 30.0, "dnsmos": 4.0},
    ),
)


def tone(hertz: float, seconds: float) -> np.ndarray:
    """(num_samples,) int16: a sine, so that a cut's place can be told from its samples."""
    time = np.arange(round(seconds * SAMPLING_RATE)) / SAMPLING_RATE
    return np.rint(8000 * np.sin(2 * np.pi * hertz * time) * (1 + time) / 4).astype(np.int16)


def make_workspace(root: Path, segments: tuple[Segment, ...] = SEGMENTS) -> Dataset:
    """Write recordings and the two tables; the tones are 200, 300 and 400 Hz."""
    hertz = 200.0
    for recording in RECORDINGS:
        for path in recording.audio:
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            write_flac(root / path, tone(hertz, recording.duration), SAMPLING_RATE)
            hertz += 100.0
    write_rows(root / "dataset" / "recordings.parquet", RECORDINGS, Recording)
    table = table_of(segments, segment_schema(["snr_db", "dnsmos"]))
    write_parquet(root / "dataset" / "segments.parquet", table)
    return Dataset(root)


def all_dropped() -> tuple[Segment, ...]:
    return tuple(msgspec.structs.replace(segment, drops=(Drop("snr_db"),)) for segment in SEGMENTS)


@pytest.fixture
def dataset(tmp_path: Path) -> Dataset:
    return make_workspace(tmp_path / "workspace")


@pytest.fixture
def empty_dataset(tmp_path: Path) -> Dataset:
    """A dataset whose filter kept nothing."""
    return make_workspace(tmp_path / "empty-workspace", all_dropped())


@pytest.fixture
def context(tmp_path: Path) -> Context:
    def no_models(name: str) -> Path:
        raise AssertionError(f"an exporter asked for the model {name}")

    return Context(workspace=tmp_path / "workspace", model_path=no_models)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "export"
    made.mkdir()
    return made
