# SPDX-License-Identifier: Apache-2.0
"""Diarization: how fast, how exact, and how often wrong.

Row `dvector`: seconds of recorded speech per CPU second of one core for `diarize` after the VAD, on LibriSpeech
test-other joined to one recording; the baseline is Resemblyzer's own embed_utterance at our mean hop on torch, one
thread, in the same run. `max_difference` is 1 - cosine for the same windows. Rows `der_*`: diarization error rate
with a collar of 0.25 s and without overlap (`ours`), and `strict` (no collar, with overlap); the baseline groups
windows of 1.6 s every 0.8 s by average linkage up to a cosine distance of 0.3. One setting for all: the defaults.

Resemblyzer's own requirements compile C, so: pip install torch librosa; pip install --no-deps Resemblyzer==0.1.4
webrtcvad-wheels

    OMP_NUM_THREADS=1 python benchmarks/diarize.py [--data FOLDER] [--repeat 3] [--made 72]
"""

from __future__ import annotations

import argparse
import itertools
import json
import statistics
import sys
import time
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from speechmill import models
from speechmill.core.stage import Context
from speechmill.core.types import Interval, Turn
from speechmill.diarize import dvector
from speechmill.diarize._turns import named
from speechmill.diarize._windows import WINDOW_S, Window
from speechmill.formats.array_audio import ArrayAudio
from speechmill.measures.der import Der, der
from speechmill.vad import silero
from tuning.mixtures import DATA, conversations, decode

Recorded = tuple[ArrayAudio, list[Turn]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--made", type=int, default=72, help="made conversations of held-out speakers")
    options = parser.parse_args()
    if not options.data.is_dir():
        raise SystemExit(f"{options.data}: no such folder; give the folder with the test recordings by --data")
    context = Context(Path(), models.path)
    vad, backend = silero.Backend(silero.Config(), context), dvector.Backend(dvector.Config(), context)
    rows = [speed(options.data, options.repeat, vad, backend)]
    for name, recorded in sets(options.data, options.made):
        rows.append(errors(f"der_{name}", recorded, vad, backend))
    print(json.dumps({"rows": rows}))


def speed(data: Path, repeat: int, vad: silero.Backend, backend: dvector.Backend) -> dict[str, Any]:
    """Measure x real time a core, interleaved with Resemblyzer's."""
    audio = ArrayAudio([np.concatenate([decode(path) for path in _files(data)])])
    speech = vad.speech(audio, 0)
    ours, theirs = [], []
    for _ in range(repeat):
        ours.append(_cpu(lambda: backend.diarize(audio, speech, None)))
        theirs.append(_cpu(lambda: _resemblyzer(audio.read())))
    row = {
        "name": "dvector",
        "unit": "seconds of recorded speech per CPU second of one core",
        "ours": round(audio.duration / statistics.median(ours), 1),
        "baseline": round(audio.duration / statistics.median(theirs), 1),
        "baseline_name": "Resemblyzer 0.1.4 embed_utterance, 1.6 s every 0.77 s, torch, one thread",
        "ratio": round(statistics.median(theirs) / statistics.median(ours), 2),
        "max_difference": _difference(audio, backend),
        "speech_share": round(sum(part.duration for part in speech) / audio.duration, 3),
        "audio_s": round(audio.duration, 1),
    }
    print(f"dvector: {row['ours']} x real time a core, Resemblyzer {row['baseline']} x", file=sys.stderr)
    return row


def _files(data: Path) -> list[Path]:
    return sorted((data / "librispeech_test_other").glob("*/*.flac"))


def _cpu(work: Any) -> float:
    start = time.process_time()
    work()
    return time.process_time() - start


_LOADED: dict[str, Any] = {}


def _encoder() -> Any:
    if not _LOADED:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                import torch
                from resemblyzer import VoiceEncoder
        except ImportError as error:
            raise SystemExit(f"{error}. This script's docstring says what to install") from error
        torch.set_num_threads(1)
        _LOADED["encoder"] = VoiceEncoder("cpu", verbose=False)
    return _LOADED["encoder"]


def _resemblyzer(samples: np.ndarray) -> Any:
    return _encoder().embed_utterance(samples, return_partials=True)


def _difference(audio: ArrayAudio, backend: dvector.Backend) -> float:
    """Largest 1 - cosine of the same windows of the first minute, both at the recording's own level."""
    samples = audio.read(0, 60.0)
    _, partials, slices = _resemblyzer(samples)
    inside = [index for index, part in enumerate(slices) if part.stop <= len(samples)]
    windows = [Window(slices[index].start // 160, 0.0, WINDOW_S, 0) for index in inside]
    found = backend.embed(ArrayAudio([samples]), windows)
    return float(np.max(1.0 - np.einsum("ij,ij->i", found, partials[inside])))


def sets(data: Path, made: int) -> list[tuple[str, list[Recorded]]]:
    """The recordings that nothing was tuned on."""
    mixtures = [(one.samples, one.turns) for one in conversations("validate", made, data)]
    found = [
        ("two_speakers", [(decode(data / "two_speakers" / "sample.flac"), _rttm(data / "two_speakers/sample.rttm"))]),
        ("ami_clips", _ami(data / "ami_clips")),
        ("concatenated_conversation", _concatenated(data / "concatenated_conversation")),
        ("held_out_mixtures", mixtures),
    ]
    return [(name, [(ArrayAudio([samples]), list(turns)) for samples, turns in one]) for name, one in found]


def _rttm(path: Path, recording: str | None = None) -> list[Turn]:
    rows = [line.split() for line in path.read_text(encoding="utf-8").splitlines()]
    return [Turn(float(row[3]), float(row[4]), row[7]) for row in rows if recording in (None, row[1])]


def _ami(folder: Path) -> list[tuple[np.ndarray, list[Turn]]]:
    return [(decode(path), _rttm(folder / "reference.rttm", path.stem)) for path in sorted(folder.glob("*.flac"))]


def _concatenated(folder: Path) -> list[tuple[np.ndarray, list[Turn]]]:
    return [(decode(path), _rttm(path.with_suffix(".rttm"))) for path in sorted(folder.glob("*.flac"))]


def errors(name: str, recorded: Sequence[Recorded], vad: silero.Backend, backend: dvector.Backend) -> dict[str, Any]:
    """Score a set with the defaults, with the number of speakers given, and by the baseline."""
    runs: dict[str, list[tuple[Der, Der]]] = {"ours": [], "known": [], "baseline": []}
    right = 0
    for audio, truth in recorded:
        speech = vad.speech(audio, 0)
        count = len({turn.speaker for turn in truth})
        turns = backend.diarize(audio, speech, None)
        right += len({turn.speaker for turn in turns}) == count
        runs["ours"].append(_both(audio, truth, turns))
        runs["known"].append(_both(audio, truth, backend.diarize(audio, speech, count)))
        runs["baseline"].append(_both(audio, truth, linked(audio, speech, backend)))
    ours = runs["ours"]
    total = sum(collar.total for collar, _ in ours)
    row = {
        "name": name,
        "unit": "DER",
        "ours": _rate([collar for collar, _ in ours]),
        "baseline": _rate([collar for collar, _ in runs["baseline"]]),
        "baseline_name": "average linkage to 0.3",
        "ratio": None,
        "strict": _rate([strict for _, strict in ours]),
        "strict_baseline": _rate([strict for _, strict in runs["baseline"]]),
        "known_num_speakers": _rate([collar for collar, _ in runs["known"]]),
        "miss": round(sum(one.miss for one, _ in ours) / total, 4),
        "false_alarm": round(sum(one.false_alarm for one, _ in ours) / total, 4),
        "confusion": round(sum(one.confusion for one, _ in ours) / total, 4),
        "right_number_of_speakers": f"{right} of {len(recorded)}",
    }
    row["ratio"] = round(row["baseline"] / row["ours"], 2) if row["ours"] else None
    counted = f"{right} of {len(recorded)} counted right"
    print(f"{name}: {row['ours']}, strict {row['strict']}, linkage {row['baseline']}; {counted}", file=sys.stderr)
    return row


def _both(audio: ArrayAudio, truth: Sequence[Turn], turns: Sequence[Turn]) -> tuple[Der, Der]:
    strict = der(truth, turns, duration=audio.duration, collar_s=0.0, skip_overlap=False)
    return der(truth, turns, duration=audio.duration), strict


def _rate(found: Sequence[Der]) -> float:
    wrong = sum(one.miss + one.false_alarm + one.confusion for one in found)
    return round(wrong / sum(one.total for one in found), 4)


def linked(audio: ArrayAudio, speech: Sequence[Interval], backend: dvector.Backend) -> list[Turn]:
    """Diarize as the first prototype did: windows every 0.8 s, average linkage up to 0.3."""
    windows = [window for part in speech for window in _every(part, 0.8)]
    if not windows:
        return []
    labels = _average_linkage(backend.embed(audio, windows), 0.3)
    return named(
        [(Interval(one.start, one.end - one.start), label) for one, label in zip(windows, labels, strict=True)]
    )


def _every(part: Interval, hop_s: float) -> list[Window]:
    count = 1 + max(0, round((part.duration - WINDOW_S) / hop_s))
    starts = np.linspace(0, max(0.0, part.duration - WINDOW_S), count) + part.start
    starts = starts if part.duration >= WINDOW_S else [part.start + (part.duration - WINDOW_S) / 2]
    edges = [part.start, *((one + other + WINDOW_S) / 2 for one, other in itertools.pairwise(starts)), part.end]
    return [Window(round(start * 100), edges[i], edges[i + 1], 0) for i, start in enumerate(starts)]


def _average_linkage(embeddings: np.ndarray, threshold: float) -> list[int]:
    groups = [[index] for index in range(len(embeddings))]
    distance = 1.0 - embeddings @ embeddings.T
    np.fill_diagonal(distance, np.inf)
    while len(groups) > 1:
        one, other = sorted(map(int, np.unravel_index(np.argmin(distance), distance.shape)))
        if distance[one, other] > threshold:
            break
        shares = len(groups[one]), len(groups[other])
        row = (shares[0] * distance[one] + shares[1] * distance[other]) / sum(shares)
        distance[one], distance[:, one] = row, row
        distance[one, one] = np.inf
        distance = np.delete(np.delete(distance, other, 0), other, 1)
        groups[one] += groups.pop(other)
    labels = {index: label for label, group in enumerate(groups) for index in group}
    return [labels[index] for index in range(len(embeddings))]


if __name__ == "__main__":
    main()
