# SPDX-License-Identifier: Apache-2.0
"""Cutting clips: megabytes of recordings per CPU second of one core, beside a plain copy of the same recordings.

Recordings of an hour are made here from utterances of LibriSpeech test-other, joined and repeated, at 24 kHz. Clips of
2 to 10 s with short gaps are cut out of them into tar archives, as exports do. `anew` is what was done before: each
clip is decoded and encoded by libav, its file opened for it; timed on some clips and scaled. Both read warm files;
CPU time is that of this process, the kernel's work for it too.

    OMP_NUM_THREADS=1 python benchmarks/cut.py [--data FOLDER] [--hours 4] [--repeat 3] [--folder FOLDER]
"""

from __future__ import annotations

import argparse
import json
import platform
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import soundfile
import soxr

from speechmill.exporters._tar import Tar
from speechmill.formats.flac import FlacReader, encode_flac, write_flac
from speechmill.formats.flac_cut import FlacCutter
from speechmill.formats.opus import encode_opus
from speechmill.formats.samples import to_pcm16
from speechmill.formats.wav import wav_of

DATA = Path(__file__).resolve().parents[2] / "shared" / "data" / "librispeech_test_other"
RATE = 24_000
SAMPLE = 40  # clips that are enough to time what is slow

Clip = tuple[Path, int, int]
Work = Callable[[list[Clip], Path], int]  # clips, a folder for what is written; returns bytes


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--hours", type=int, default=4)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--folder", type=Path, help="where files are written; a temporary folder by default")
    options = parser.parse_args()
    if not options.data.is_dir():
        raise SystemExit(f"no folder {options.data}: real speech is needed; say where it is with --data")
    with tempfile.TemporaryDirectory(dir=options.folder) as name:
        rows = measure(Path(name), options.data, options.hours, options.repeat)
    print(f"{platform.processor() or platform.machine()}, Python {platform.python_version()}, numpy {np.__version__}")
    for row in rows:
        print("  ".join(f"{key} {value}" for key, value in row.items()))
    print(json.dumps({"rows": rows}))


def measure(folder: Path, data: Path, hours: int, repeat: int) -> list[dict[str, object]]:
    recordings = make_recordings(folder / "recordings", data, hours)
    clips = [(path, *span) for path in recordings for span in spans_of(FlacReader(path).info.num_samples)]
    all_bytes = sum(path.stat().st_size for path in recordings)
    share = SAMPLE / len(clips)
    copy = min(timed(lambda: copied(recordings, folder / "copy"), folder / "copy") for _ in range(repeat))
    rows = [row_of("copy", all_bytes, copy, copy, all_bytes)]
    works: list[tuple[str, Work, list[Clip], float]] = [
        ("flac", as_flac, clips, 1.0),
        ("wav", as_wav, clips, 1.0),
        ("opus", as_opus, clips[:SAMPLE], share),
        ("flac_anew", as_flac_anew, clips[:SAMPLE], share),
    ]
    for name, work, some, part in works:
        sizes: list[int] = []
        target = folder / name
        seconds = [timed(lambda: sizes.append(work(some, target)), target) for _ in range(repeat)]  # noqa: B023
        rows.append(row_of(name, all_bytes, min(seconds) / part, copy, sizes[0] / part))
    return rows


def row_of(name: str, num_bytes: int, seconds: float, copy: float, written: float) -> dict[str, object]:
    return {
        "name": f"cut_{name}",
        "mb_per_cpu_s": round(num_bytes / 1e6 / seconds, 1),
        "share_of_copy": round(copy / seconds, 3),
        "bytes_written_per_byte": round(written / num_bytes, 3),
    }


def make_recordings(folder: Path, data: Path, hours: int) -> list[Path]:
    parts = []
    for path in sorted(data.rglob("*.flac"))[:60]:
        samples, rate = soundfile.read(path, dtype="float32")
        parts.append(soxr.resample(samples, rate, RATE))
    joined = to_pcm16(np.concatenate(parts))
    folder.mkdir()
    first = folder / "0.flac"
    write_flac(first, np.resize(joined, 3600 * RATE), RATE)
    others = [folder / f"{number}.flac" for number in range(1, hours)]
    for path in others:
        shutil.copyfile(first, path)
    return [first, *others]


def spans_of(num_samples: int) -> Iterator[tuple[int, int]]:
    rng = np.random.default_rng(0)
    at = int(rng.integers(0, RATE))
    while (stop := at + int(rng.integers(2 * RATE, 10 * RATE))) < num_samples:
        yield at, stop
        at = stop + int(rng.integers(0, RATE // 2))


def timed(work: Callable[[], object], folder: Path) -> float:
    """Return the CPU seconds of some work that fills a new folder."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    started = time.process_time()
    work()
    spent = time.process_time() - started
    shutil.rmtree(folder)
    return spent


def copied(recordings: list[Path], folder: Path) -> None:
    for path in recordings:
        shutil.copyfile(path, folder / path.name)


def as_flac(clips: list[Clip], folder: Path) -> int:
    def cut(cutter: FlacCutter, spans: list[tuple[int, int]]) -> Iterator[bytes]:
        cutter.prepare(spans)
        return (cutter.flac(*span) for span in spans)

    return archived(clips, folder, "flac", cut)


def as_wav(clips: list[Clip], folder: Path) -> int:
    return archived(clips, folder, "wav", lambda cutter, spans: (wav_of(cutter.pcm(*span), RATE) for span in spans))


def as_opus(clips: list[Clip], folder: Path) -> int:
    return archived(clips, folder, "opus", lambda cut, spans: (encode_opus(cut.pcm(*span), RATE) for span in spans))


def archived(
    clips: list[Clip],
    folder: Path,
    kind: str,
    cut: Callable[[FlacCutter, list[tuple[int, int]]], Iterator[bytes]],
) -> int:
    by_path: dict[Path, list[tuple[int, int]]] = {}
    for path, start, stop in clips:
        by_path.setdefault(path, []).append((start, stop))
    num_bytes = 0
    for path, spans in by_path.items():
        with FlacCutter(path) as cutter, Tar(folder / f"{path.stem}.tar") as tar:
            for number, content in enumerate(cut(cutter, spans)):
                tar.add(f"{number}.{kind}", content)
                num_bytes += len(content)
    return num_bytes


def as_flac_anew(clips: list[Clip], folder: Path) -> int:
    num_bytes = 0
    with Tar(folder / "anew.tar") as tar:
        for number, (path, start, stop) in enumerate(clips):
            with FlacReader(path) as reader:
                content = encode_flac(reader.read(start, stop), RATE)
            tar.add(f"{number}.flac", content)
            num_bytes += len(content)
    return num_bytes


if __name__ == "__main__":
    main()
