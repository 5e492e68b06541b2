# SPDX-License-Identifier: Apache-2.0
"""What the options of `dvector` were chosen by: made conversations of 150 LibriSpeech speakers, see tuning/mixtures.py.

Prints for each value of an option, the others at their defaults: DER with a collar of 0.25 s, the confusion in it, the
share of conversations with the right number of speakers and with too many, and the share of clips of one speaker
that are taken for more. The truth goes on over pauses under `pause_s`, as turns do. None of the recordings that
benchmarks/diarize.py reports on is read here.

    python benchmarks/tune_diarization.py [--part tune] [--count 96] [--option speaker_cost=2.5,3,3.5] ...
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from speechmill import models
from speechmill.core.stage import Context
from speechmill.core.types import Interval, Turn
from speechmill.diarize import dvector
from speechmill.diarize._turns import bridged
from speechmill.diarize._windows import Window
from speechmill.formats.array_audio import ArrayAudio
from speechmill.measures.der import der
from speechmill.vad import silero
from tuning.mixtures import Conversation, conversations, voices

PAUSE_S = dvector.Config().pause_s
SWEPT = {
    "speaker_cost": (2.5, 2.75, 3.0, 3.25, 3.5),
    "evidence_s": (30.0, 40.0, 60.0),
    "contrast": (0.035, 0.045, 0.055, 0.07),
    "change_cost": (0.02, 0.05, 0.08, 0.12),
    "min_speaker_s": (0.5, 1.0, 2.0),
    "fine_hop_s": (0.3, 0.4, 0.8),
}


class Remembered(dvector.Backend):
    """Embeds each window once, whatever the options are."""

    vectors: ClassVar[dict[tuple[int, int], np.ndarray]] = {}

    def embed(self, audio: Any, windows: list[Window]) -> np.ndarray:
        new = sorted({one.first: one for one in windows if (id(audio), one.first) not in self.vectors}.items())
        for (first, _), vector in zip(new, super().embed(audio, [one for _, one in new]), strict=True):
            self.vectors[id(audio), first] = vector
        return np.array([self.vectors[id(audio), one.first] for one in windows]).reshape(-1, 256)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--part", choices=("tune", "validate"), default="tune")
    parser.add_argument("--count", type=int, default=96)
    parser.add_argument("--option", action="append", help="NAME=VALUE,VALUE,...; all of them where none is given")
    options = parser.parse_args()
    swept = dict(_parsed(one) for one in options.option) if options.option else SWEPT
    context = Context(Path(), models.path)
    vad = silero.Backend(silero.Config(), context)
    made = [_heard(one, vad) for one in conversations(options.part, options.count)]
    single = [ArrayAudio([one.samples]) for one in voices(options.part)]
    alone = [(audio, vad.speech(audio, 0)) for audio in single]
    for name, values in swept.items():
        for value in values:
            print(f"{name}={value}: {_report(Remembered(dvector.Config(**{name: value}), context), made, alone)}")


def _parsed(option: str) -> tuple[str, tuple[float, ...]]:
    name, _, values = option.partition("=")
    return name, tuple(float(value) for value in values.split(","))


def _heard(one: Conversation, vad: silero.Backend) -> tuple[ArrayAudio, list[Interval], list[Turn]]:
    audio = ArrayAudio([one.samples])
    names = sorted({turn.speaker for turn in one.turns})
    parts = [
        part
        for number, name in enumerate(names)
        for part in bridged([(Interval(t.start, t.duration), number) for t in one.turns if t.speaker == name], PAUSE_S)
    ]
    return audio, vad.speech(audio, 0), [Turn(part.start, part.duration, names[number]) for part, number in parts]


def _report(backend: dvector.Backend, made: list[Any], alone: list[Any]) -> str:
    wrong, total, confusion, counts = 0.0, 0.0, 0.0, []
    for audio, speech, truth in made:
        turns = backend.diarize(audio, speech, None)
        found = der(truth, turns, duration=audio.duration)
        wrong += found.miss + found.false_alarm + found.confusion
        total, confusion = total + found.total, confusion + found.confusion
        counts.append(len({turn.speaker for turn in turns}) - len({turn.speaker for turn in truth}))
    more = [len({turn.speaker for turn in backend.diarize(audio, speech, None)}) > 1 for audio, speech in alone]
    return (
        f"DER {wrong / total:.4f} confusion {confusion / total:.4f} right {np.mean(np.equal(counts, 0)):.2f} "
        f"too many {np.mean(np.greater(counts, 0)):.2f} one speaker split {np.mean(more):.3f}"
    )


if __name__ == "__main__":
    main()
