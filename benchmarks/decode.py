# SPDX-License-Identifier: Apache-2.0
"""Decoding: seconds of audio per CPU second of one core, from a stereo file to mono at 24 kHz and 16 kHz.

Rows `decode_FORMAT` end with samples at both rates in memory. Rows `canonical_FORMAT` are what a run does to an
original: the same, with the 24 kHz audio written as FLAC and its loudness measured. The files are made here from 60
utterances of LibriSpeech test-other, joined to 7.5 minutes.

The baseline is the ffmpeg command in one pass to both outputs where it is on the PATH. Elsewhere it is soundfile and
soxr, the way of librosa.load, and for m4a, which soundfile can't read, PyAV with libswresample. It writes the
same files, but measures no loudness. Needs soundfile: pip install -c constraints.txt -e '.[bench]'

    OMP_NUM_THREADS=1 python benchmarks/decode.py [--data FOLDER] [--repeat 5] [--formats flac,mp3]
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import numpy as np
import soundfile
import soxr

from speechmill.core.stage import Samples
from speechmill.formats.audio import make_canonical, read_audio
from speechmill.formats.decode import Original

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
FORMATS = {  # name -> encoder, sampling rate in Hz
    "wav": ("pcm_s16le", 44_100),
    "flac": ("flac", 44_100),
    "mp3": ("libmp3lame", 44_100),
    "m4a": ("aac", 44_100),
    "opus": ("libopus", 48_000),
}
RATES = (24_000, 16_000)
SOURCE_HZ = 16_000

Work = Callable[[Path, Path], object]  # a file, a folder for what is written


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--formats", default=",".join(FORMATS))
    options = parser.parse_args()
    if not options.data.is_dir():
        raise SystemExit(f"no folder {options.data}: real speech is needed; say where it is with --data")
    with tempfile.TemporaryDirectory() as folder:
        speech = [read_audio(path)[0][0] for path in sorted((options.data / "librispeech_test_other").glob("*/*.flac"))]
        samples = np.concatenate(speech)
        audio_s = len(samples) / SOURCE_HZ
        rows = []
        for name in options.formats.split(","):
            path = encode(samples, Path(folder) / f"speech.{name}", *FORMATS[name])
            rows += [row(kind, path, audio_s, options.repeat) for kind in ("decode", "canonical")]
    print(json.dumps({"rows": rows}))


def row(kind: str, path: Path, audio_s: float, repeat: int) -> dict[str, Any]:
    """Measure one row; medians over `repeat` rounds, in each of which both work once."""
    baseline, baseline_name = other(kind, path)
    works: tuple[Work, Work] = (decode if kind == "decode" else canonical, baseline)
    times: tuple[list[float], list[float]] = ([], [])
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(repeat + 1):
            for work, spent in zip(works, times, strict=True):
                start = cpu()
                work(path, Path(folder))
                spent.append(cpu() - start)
    figures = [audio_s / statistics.median(spent[1:]) for spent in times]  # the first round warms up
    name = f"{kind}_{path.suffix[1:]}"
    print(f"{name}: {figures[0]:.0f} x real time, {baseline_name} {figures[1]:.0f} x", file=sys.stderr)
    return {
        "name": name,
        "unit": "audio seconds per CPU second of one core",
        "ours": round(figures[0], 1),
        "baseline": round(figures[1], 1),
        "baseline_name": baseline_name,
        "ratio": round(figures[0] / figures[1], 3),
        "audio_s": round(audio_s, 1),
    }


def decode(path: Path, folder: Path) -> list[Samples]:
    """What `make_canonical` does before anything is written."""
    with Original(path) as original:
        streams = [soxr.ResampleStream(original.sampling_rate, rate, 1) for rate in RATES]
        found: list[list[Samples]] = [[] for _ in RATES]
        for block in original.blocks():
            mono = block.mean(axis=0, dtype=np.float32)
            for stream, parts in zip(streams, found, strict=True):
                parts.append(stream.resample_chunk(mono))
        for stream, parts in zip(streams, found, strict=True):
            parts.append(stream.resample_chunk(np.zeros(0, np.float32), last=True))
        return [np.concatenate(parts) for parts in found]


def canonical(path: Path, folder: Path) -> None:
    _, audio = make_canonical(path, folder, "ours", "mix")
    audio.close()


def other(kind: str, path: Path) -> tuple[Work, str]:
    """Return the baseline for a kind of row and a file, and its name."""
    writes = kind == "canonical"
    if shutil.which("ffmpeg"):
        return (lambda file, folder: ffmpeg(file, folder, writes)), "ffmpeg"
    if path.suffix == ".m4a":
        return (lambda file, folder: at_rest(swresample(file), folder, writes)), "PyAV, libswresample"
    return (lambda file, folder: at_rest(librosas_way(file), folder, writes)), "soundfile, soxr"


def ffmpeg(path: Path, folder: Path, writes: bool) -> None:
    first = [folder / "theirs.flac"] if writes else ["-f", "s16le", os.devnull]
    outputs = ["-ac", "1", "-ar", "24000", *first, "-ac", "1", "-ar", "16000", "-f", "s16le", os.devnull]
    command = ["ffmpeg", "-v", "error", "-y", "-threads", "1", "-i", path, *outputs]
    subprocess.run(list(map(str, command)), check=True)


def librosas_way(path: Path) -> list[Samples]:
    samples, sampling_rate = soundfile.read(path, dtype="float32", always_2d=True)
    mono = samples.mean(axis=1)
    return [soxr.resample(mono, sampling_rate, rate) for rate in RATES]


def swresample(path: Path) -> list[Samples]:
    resamplers = [av.AudioResampler(format="flt", layout="mono", rate=rate) for rate in RATES]
    found: list[list[Samples]] = [[] for _ in RATES]
    with av.open(str(path)) as container:
        container.streams.audio[0].codec_context.thread_count = 1
        for frame in [*container.decode(audio=0), None]:
            for resampler, parts in zip(resamplers, found, strict=True):
                parts += [part.to_ndarray()[0] for part in resampler.resample(frame)]
    return [np.concatenate(parts) for parts in found]


def at_rest(samples: list[Samples], folder: Path, writes: bool) -> None:
    if writes:
        soundfile.write(folder / "theirs.flac", samples[0], RATES[0], subtype="PCM_16")


def encode(samples: Samples, path: Path, codec: str, sampling_rate: int) -> Path:
    """Write speech as stereo, the right channel a little quieter."""
    left = soxr.resample(samples, SOURCE_HZ, sampling_rate).astype(np.float32)
    pcm = (np.clip(np.stack([left, 0.8 * left], axis=1), -1, 1) * 32767).astype(np.int16)
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=sampling_rate, layout="stereo")
        for start in range(0, len(pcm), sampling_rate):
            second = np.ascontiguousarray(pcm[start : start + sampling_rate]).reshape(1, -1)
            frame = av.AudioFrame.from_ndarray(second, format="s16", layout="stereo")
            frame.sample_rate, frame.pts = sampling_rate, start
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def cpu() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(part.ru_utime + part.ru_stime for part in used)


if __name__ == "__main__":
    main()
