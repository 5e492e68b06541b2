# SPDX-License-Identifier: Apache-2.0
"""How often VAD is wrong: missed speech and false alarms against people's labels, on the timeline, without a collar.

`error` is the share of all time that is wrong, which is the frame error as frames get short; `miss` is a share of the
speech, `false_alarm` of the rest. Speech is time in which anybody speaks, by the RTTM of ten clips of AMI meetings and
of two people talking. No default was tuned on either. The last row is the mixtures that `energy` was tuned on: clips
of LibriSpeech's training speakers with white or real noise at 5 to 30 dB, labelled by silero before the noise was
added; so they say nothing about silero. `--tune` shows what was tried there.

    python benchmarks/accuracy_vad.py [--data FOLDER] [--mixtures 24] [--tune]
"""

from __future__ import annotations

import argparse
import itertools
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from speechmill import models
from speechmill.core.stage import Context, Samples
from speechmill.core.types import Interval, Turn
from speechmill.formats import rttm
from speechmill.formats.array_audio import ArrayAudio
from speechmill.formats.audio import read_audio
from speechmill.measures.detection import detection_error
from speechmill.vad import energy, silero

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
HZ = 16_000
CONTEXT = Context(Path(), models.path)
SNRS_DB = (5, 10, 15, 20, 25, 30)

Labelled = tuple[Samples, Sequence[Interval]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--mixtures", type=int, default=24, help="how many, for `energy`")
    parser.add_argument("--tune", action="store_true", help="only try options of `energy` on the mixtures")
    options = parser.parse_args()
    if not options.data.is_dir():
        raise SystemExit(f"no folder {options.data}: real speech is needed; say where it is with --data")
    for release in silero.RELEASES.values():
        models.pull(release.card)
    backends: dict[str, Any] = {
        **{f"silero {name}": silero.Backend(silero.Config(weights=name), CONTEXT) for name in silero.RELEASES},
        "energy": energy.Backend(energy.Config(), CONTEXT),
    }
    made = list(mixtures(options.data, backends["silero v6"], options.mixtures))
    if options.tune:
        print(json.dumps({"rows": tune(made)}))
        return
    sets = {"ami_clips": list(ami(options.data)), "two_speakers": list(two_speakers(options.data))}
    rows = [
        row(name, where, backend, labelled) for where, labelled in sets.items() for name, backend in backends.items()
    ]
    rows.append(row("energy", "mixtures (tuned on)", backends["energy"], made))
    print(json.dumps({"rows": rows}))


def row(name: str, where: str, backend: Any, labelled: Sequence[Labelled]) -> dict[str, Any]:
    """Score one backend on one set; seconds are added up over recordings."""
    miss = false_alarm = speech = total = 0.0
    for samples, reference in labelled:
        audio = ArrayAudio([samples])
        found = detection_error(reference, backend.speech(audio, 0), audio.duration)
        miss, false_alarm = miss + found.miss, false_alarm + found.false_alarm
        speech, total = speech + found.total, total + audio.duration
    figures = {
        "error": round((miss + false_alarm) / total, 4),
        "miss": round(miss / speech, 4),
        "false_alarm": round(false_alarm / (total - speech), 4),
        "detection_error_rate": round((miss + false_alarm) / speech, 4),
    }
    shown = ", ".join(f"{figure} {value:.1%}" for figure, value in figures.items())
    print(f"{where}, {name}: {shown}", file=sys.stderr)
    return {"name": name, "set": where, "unit": "share", **figures, "audio_s": round(total, 1)}


def tune(made: Sequence[Labelled]) -> list[dict[str, Any]]:
    """Try options of `energy`, the best last."""
    rows = []
    for quantile, threshold_db, lower_db, silence_ms in itertools.product(
        (0.1, 0.2, 0.3), (4, 6, 8), (2, 3, 4), (100, 300)
    ):
        energy.FLOOR_QUANTILE = quantile
        lengths = {"neg_threshold_db": max(threshold_db - lower_db, 1), "min_silence_ms": silence_ms}
        config = energy.Config(threshold_db=threshold_db, **lengths)
        name = f"quantile {quantile}, {threshold_db} dB, {lower_db} dB less, {silence_ms} ms"
        rows.append(row(name, "mixtures", energy.Backend(config, CONTEXT), made))
    return sorted(rows, key=lambda tried: -tried["error"])


def ami(data: Path) -> Iterator[Labelled]:
    turns = rttm.read(data / "ami_clips" / "reference.rttm")
    for path in sorted((data / "ami_clips").glob("*.flac")):
        yield read_audio(path)[0][0], anybody(turns.get(path.stem, ()))


def two_speakers(data: Path) -> Iterator[Labelled]:
    (turns,) = rttm.read(data / "two_speakers" / "sample.rttm").values()
    yield read_audio(data / "two_speakers" / "sample.flac")[0][0], anybody(turns)


def anybody(turns: Sequence[Turn]) -> list[Interval]:
    return [Interval(turn.start, turn.duration) for turn in turns]


def mixtures(data: Path, labeller: silero.Backend, number: int) -> Iterator[Labelled]:
    """Four clips with pauses of 0.3 to 3 s before each, quieter or louder, with white noise or a room's."""
    random = np.random.default_rng(1)
    room = read_audio(data / "noise_rir" / "noise1.flac")[0][0]
    files = sorted((data / "librispeech_train_speakers").rglob("*.flac"))
    for index in range(number):
        parts = []
        for path in random.choice(len(files), 4, replace=False):
            parts += [np.zeros(int(random.uniform(0.3, 3) * HZ), np.float32), read_audio(files[path])[0][0]]
        clean = np.concatenate(parts)
        speech = labeller.speech(ArrayAudio([clean]), 0)
        loudness = np.sqrt(
            np.mean(np.concatenate([clean[round(i.start * HZ) : round(i.end * HZ)] for i in speech]) ** 2)
        )
        noise = random.standard_normal(len(clean)) if index % 2 else np.resize(room, len(clean))
        noise *= loudness / np.sqrt(np.mean(noise**2)) * 10 ** (-SNRS_DB[index // 2 % len(SNRS_DB)] / 20)
        yield (10 ** (random.uniform(-25, 0) / 20) * (clean + noise)).astype(np.float32), speech


if __name__ == "__main__":
    main()
