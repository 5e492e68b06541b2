# SPDX-License-Identifier: Apache-2.0
"""DNSMOS: seconds of audio per CPU second of one core, ours beside speechmos, on the segments that the pipeline cuts.

Segments are those of `speechmill run` over LibriSpeech test-other and the Austen clips (cut by given text), AMI and the
two speakers (cut by speaker turns). Row `dnsmos` is all of them; `dnsmos_3s` those up to 4.5 s, `dnsmos_7s` those up to
9.01 s, where audio is no longer repeated, `dnsmos_15s` the longer ones. No segment there is longer than 20 s, so
`dnsmos_30s` takes stretches of 30 s out of the concatenated conversations; it is not part of `dnsmos`. Both sides score
each segment in turn. `max_difference` is over all segments and all three scores. speechmos also computes P.808, which
takes `p808_share` of its CPU time.

    OMP_NUM_THREADS=1 python benchmarks/dnsmos.py [--data FOLDER] [--repeat 3] [--rows dnsmos,dnsmos_30s] [--trim 320]

--trim cuts each segment to a multiple of so many samples; 320 is 20 ms, where repeated audio is computed once.
Needs speechmos: pip install -c constraints.txt -e '.[bench]'
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

import speechmill
from speechmill import models
from speechmill.core.stage import Context, Samples
from speechmill.formats.audio import read_audio
from speechmill.quality import Cut, dnsmos

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
HZ = 16_000
CUT, LONG = ("librispeech_test_other", "librivox_austen", "ami_clips", "two_speakers"), "concatenated_conversation"
CLASSES = {"dnsmos_3s": (0.0, 4.5), "dnsmos_7s": (4.5, dnsmos.WINDOW_S), "dnsmos_15s": (dnsmos.WINDOW_S, 20.0)}
NAMES = {"dnsmos_sig": "sig_mos", "dnsmos_bak": "bak_mos", "dnsmos_ovrl": "ovrl_mos"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--rows", default="dnsmos,dnsmos_3s,dnsmos_7s,dnsmos_15s,dnsmos_30s")
    parser.add_argument("--trim", type=int, default=1)
    options = parser.parse_args()
    if not options.data.is_dir():
        raise SystemExit(f"no folder {options.data}: real speech is needed; say where it is with --data")
    asked = options.rows.split(",")
    segments = list(cut_segments(options.data)) if asked != ["dnsmos_30s"] else []
    long = list(stretches(options.data / LONG)) if "dnsmos_30s" in asked else []
    contenders = ours(), theirs()
    measured = [measure(trimmed(one, options.trim), *contenders, options.repeat) for one in segments + long]
    of_segments, of_long = measured[: len(segments)], measured[len(segments) :]
    rows = [row(name, of_long if name == "dnsmos_30s" else within(name, of_segments)) for name in asked]
    print(json.dumps({"rows": rows}))


def row(name: str, measured: list[dict[str, float]]) -> dict[str, Any]:
    """Sum up the segments of one row."""
    audio_s, fast, slow = (sum(one[key] for one in measured) for key in ("audio_s", "ours", "baseline"))
    made = {
        "name": name,
        "unit": "audio seconds per CPU second of one core",
        "ours": round(audio_s / fast, 2),
        "baseline": round(audio_s / slow, 2),
        "baseline_name": "speechmos",
        "ratio": round(slow / fast, 2),
        "max_difference": max(one["difference"] for one in measured),
        "segments": len(measured),
        "audio_s": round(audio_s, 1),
        "p808_share": round(sum(one["p808"] for one in measured) / slow, 3),
    }
    print(
        f"{name}: {made['ours']} x real time, speechmos {made['baseline']} x, "
        f"{len(measured)} segments within {made['max_difference']:.1e}",
        file=sys.stderr,
    )
    return made


def within(name: str, measured: list[dict[str, float]]) -> list[dict[str, float]]:
    low, high = CLASSES.get(name, (0.0, float("inf")))
    return [one for one in measured if low < one["audio_s"] <= high]


def measure(samples: Samples, ours: Score, theirs: Score, repeat: int) -> dict[str, float]:
    """Score a segment with both in turn; CPU seconds are medians over `repeat` rounds."""
    spent: tuple[list[float], list[float]] = ([], [])
    scores = []
    for _ in range(repeat):
        for score, times in zip((ours, theirs), spent, strict=True):
            start = time.process_time()
            scores.append(score(samples))
            times.append(time.process_time() - start)
    found, expected = scores[0], scores[1]
    return {
        "audio_s": len(samples) / HZ,
        "ours": statistics.median(spent[0]),
        "baseline": statistics.median(spent[1]),
        "difference": max(abs(found[mine] - expected[name]) for mine, name in NAMES.items()),
        "p808": expected["p808_s"],
    }


Score = Callable[[Samples], dict[str, float]]


def ours() -> Score:
    backend = dnsmos.Backend(dnsmos.Config(), Context(Path(), models.path))
    return lambda samples: dict(backend.score(Cut(samples)))


def theirs() -> Score:
    """The package itself, its two networks held to one thread, as ours are; it would take every core."""
    import onnxruntime
    from speechmos import dnsmos as package

    package.run(np.zeros(HZ, np.float32), HZ)
    opened, options = package.dnsmos, one_thread(onnxruntime)
    opened.onnx_sess = onnxruntime.InferenceSession(opened.primary_model_path, options)
    other = str(Path(opened.primary_model_path).with_name("model_v8.onnx"))
    opened.p808_onnx_sess = onnxruntime.InferenceSession(other, options)
    spent = [0.0]

    def timed(function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **named: Any) -> Any:
            start = time.process_time()
            result = function(*arguments, **named)
            spent[0] += time.process_time() - start
            return result

        return call

    opened.audio_melspec = timed(opened.audio_melspec)
    opened.p808_onnx_sess = SimpleNamespace(run=timed(opened.p808_onnx_sess.run))

    def score(samples: Samples) -> dict[str, float]:
        before = spent[0]
        return {**package.run(samples, HZ), "p808_s": spent[0] - before}

    return score


def one_thread(onnxruntime: Any) -> Any:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    return options


def cut_segments(data: Path) -> Iterator[Samples]:
    """Every segment of the pipeline's dataset, as a metric is given it."""
    for name in CUT:
        with tempfile.TemporaryDirectory() as folder:
            settings = ("--language", "en", "--transcript", "sidecar", "--quality", "snr", "--align", "none")
            rest = ("--filter", "none", "--export", "none", "--workers", "1", "--no-audio")
            command = [sys.executable, "-m", "speechmill", "run", str(data / name), "--out", folder, *settings, *rest]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode == 2:
                raise SystemExit(f"{' '.join(command)} ended {done.returncode}\n{done.stderr}")
            dataset = speechmill.open(folder)
            recordings = dataset.recordings()
            for segment in dataset.segments(kept=False):
                yield dataset.cut(recordings[segment.recording_id], segment, sampling_rate=HZ)


def stretches(folder: Path) -> Iterator[Samples]:
    """The first two stretches of 30 s of each conversation."""
    for path in sorted(folder.glob("*.flac")):
        samples, sampling_rate = read_audio(path)
        if sampling_rate != HZ:
            raise SystemExit(f"{path}: {sampling_rate} Hz; 16 kHz is needed")
        yield from (samples[0, start : start + 30 * HZ] for start in (0, 30 * HZ))


def trimmed(samples: Samples, multiple: int) -> Samples:
    return samples[: len(samples) // multiple * multiple]


if __name__ == "__main__":
    if os.environ.get("OMP_NUM_THREADS") != "1":  # numpy's threads are decided when it is imported
        raise SystemExit("set OMP_NUM_THREADS=1 in the environment: a worker of the pipeline has one thread")
    main()
