# SPDX-License-Identifier: Apache-2.0
"""A ten-hour recording goes through in bounded memory: 8 kHz mu-law, silence with five minutes of speech in bursts."""

import json
import struct
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from speechmill.formats.audio import read_audio

HOURS = 10
RATE = 8_000
BURSTS = 40
EVERY_S = HOURS * 3600 / BURSTS
LEAD_S = 30.0  # of silence before each burst
PEAK_RSS_MB = 1500
NAMES = ("normalise", "vad", "transcribe", "diarize", "segment", "quality.snr", "quality.dnsmos")


def mu_law(samples):
    """Encode float32 in [-1, 1] as ITU-T G.711 mu-law, by its continuous law; one byte a sample."""
    magnitude = np.log1p(255 * np.abs(samples)) / np.log1p(255)
    code = np.minimum(127, (magnitude * 128).astype(np.uint8))
    return (~np.where(samples < 0, code | 0x80, code).astype(np.uint8)).tobytes()


def speech_of(folder: Path) -> list[np.ndarray]:
    """Read forty utterances at 8 kHz."""
    import soxr

    paths = sorted(folder.rglob("*.flac"), key=lambda path: path.stat().st_size)[-BURSTS:]
    found = []
    for path in paths:
        samples, rate = read_audio(path)
        found.append(soxr.resample(samples[0], rate, RATE))
    return found


def write(path: Path, bursts: list[np.ndarray]) -> None:
    """Write the recording as a WAV of mu-law; silence is its byte for zero."""
    size = HOURS * 3600 * RATE
    with path.open("wb") as file:
        header = struct.pack("<4sI4s4sIHHIIHHH", b"RIFF", size + 38, b"WAVE", b"fmt ", 18, 7, 1, RATE, RATE, 1, 8, 0)
        file.write(header + struct.pack("<4sI", b"data", size))
        for burst in bursts:
            lead, spoken = b"\xff" * int(LEAD_S * RATE), mu_law(burst)
            file.write((lead + spoken).ljust(int(EVERY_S * RATE), b"\xff"))


def stamp(seconds: float) -> str:
    whole = int(seconds)
    return f"{whole // 3600:02d}:{whole // 60 % 60:02d}:{whole % 60:02d}.{round((seconds - whole) * 1000):03d}"


@pytest.mark.system
def test_ten_hours_take_bounded_memory(shared_data, speechmill, tmp_path):
    folder = tmp_path / "audio"
    folder.mkdir()
    bursts = speech_of(shared_data / "librispeech_test_other")
    write(folder / "long.wav", bursts)
    places = [(i * EVERY_S + LEAD_S, len(burst) / RATE) for i, burst in enumerate(bursts)]
    cues = [f"{stamp(at)} --> {stamp(at + length)}\nburst {i}\n" for i, (at, length) in enumerate(places)]
    (folder / "long.vtt").write_text("WEBVTT\n\n" + "\n".join(cues))
    arguments = ("--language", "en", "--transcript", "sidecar", "--align", "none", "--filter", "none")
    more = ("--export", "huggingface", "--workers", "1", "--json", "--out", tmp_path / "out")
    summary = json.loads(speechmill("run", folder, *arguments, *more, timeout=1200).stdout)
    assert summary["failures"] == []
    assert {name: summary["stages"][name]["processed"] for name in NAMES} == dict.fromkeys(NAMES, 1)
    assert summary["audio_s"] == HOURS * 3600
    assert summary["peak_rss_mb"] < PEAK_RSS_MB
    rows = pq.read_table(tmp_path / "out" / "dataset" / "segments.parquet").to_pylist(maps_as_pydicts="strict")
    assert [row["text"] for row in rows] == [f"burst {i}" for i in range(BURSTS)]
    for row, (at, length) in zip(rows, places, strict=True):
        assert row["start"] == pytest.approx(at - 0.1, abs=2e-3)  # padded
        # What fills no step of 20 ms is taken from the padding.
        assert length + 0.2 - 0.024 < row["duration"] <= length + 0.2 + 0.004
        assert row["scores"]["dnsmos_ovrl"] is not None
    shards = (tmp_path / "out" / "exports" / "huggingface" / "data").glob("*.parquet")
    assert sum(pq.read_metadata(path).num_rows for path in shards) == BURSTS
