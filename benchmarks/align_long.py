# SPDX-License-Identifier: Apache-2.0
"""Alignment of one long recording with one text: where words are placed, what is found to be missing, time and memory.

Clips of a data set with known words are strung together in random order, with pauses, noise and chords between them.
Some clips are left out of the audio and stay in the text, others the other way round, one by one and fifteen in a row;
in a hundred words one is made up. No model is given: one is trained on the recording itself. Rows

- <set>.x, x_with_a_model: audio seconds per CPU second of one thread, with and without training; the goal is 100.
- <set>.peak_mb: of the whole process, this script's clips included; the goal is below 1000.
- <set>.within_500ms, within_100ms, within_50ms: share of the spoken words whose start is that near, of all that are
  spoken; the baseline is an aligner with the same model that is given the clips one by one, with exactly their words.
- <set>.not_spoken_precision, not_spoken_recall: of words that the text has and the audio hasn't.
- <set>.outside_recall: share of the time of speech that is in no text which is named as such.

Truth is exact in espeak_vi. In free_spoken_digits a word is as long as its clip; in librispeech words are where an
aligner with the same model finds them in each clip by itself.

    python benchmarks/align_long.py [--data FOLDER] [--minutes 60] [--sets espeak_vi,digits] [--seed 7] [--plain]
"""

from __future__ import annotations

import argparse
import csv
import json
import resource
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import soxr

from speechmill.acoustic.aligner import Aligner
from speechmill.acoustic.long import LongAligned, align_long, bootstrap, sketch
from speechmill.acoustic.train import Options
from speechmill.core.errors import Unalignable
from speechmill.formats import lexicon as lexica
from speechmill.formats.audio import read_audio
from speechmill.formats.lexicon import Lexicon, Pronunciation

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
HZ = 16_000
DIGITS = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
MANY = 15  # clips in a row that only one side has


@dataclass
class Clip:
    """Samples, and (word, start, end) in seconds."""

    samples: np.ndarray
    words: list[tuple[str, float, float]]


@dataclass
class Recording:
    """A long recording under construction; its samples go to a file."""

    path: Path
    samples: int = 0
    text: list[tuple[str, float | None, float | None]] = field(default_factory=list)  # None: not in the audio
    outside: list[tuple[float, float]] = field(default_factory=list)  # speech that is not in the text
    clips: list[tuple[Clip, float, int]] = field(default_factory=list)  # clip, start, index of its first word

    def put(self, samples: np.ndarray) -> None:
        with self.path.open("ab") as file:
            file.write((np.clip(samples, -1, 1) * 32767).astype("<i2").tobytes())
        self.samples += len(samples)

    @property
    def duration(self) -> float:
        return self.samples / HZ

    def read(self, start: float, duration: float) -> np.ndarray:
        first, last = round(start * HZ), min(self.samples, round((start + duration) * HZ))
        found = np.fromfile(self.path, "<i2", last - first, offset=2 * first)
        return found.astype(np.float32) / 32768


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--sets", default="espeak_vi,digits,librispeech")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--plain", action="store_true", help="plant nothing: audio and text agree")
    options = parser.parse_args()
    if not options.data.is_dir():
        raise SystemExit(f"{options.data} is not here: name the folder of test speech with --data")
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as folder:
        for name in options.sets.split(","):
            clips, lexicon = SETS[name](options.data)
            recording = Recording(Path(folder) / name)
            plant(recording, clips, options.minutes * 60, options.seed, not options.plain)
            rows += measured(name, recording, lexicon)
    print(json.dumps({"rows": rows}))


def samples_of(path: Path) -> np.ndarray:
    samples, rate = read_audio(path)
    return soxr.resample(samples[0], rate, HZ)


def espeak_vi(data: Path) -> tuple[list[Clip], Lexicon]:
    folder = data / "espeak_vi"
    gold = json.loads((folder / "gold_words.json").read_text(encoding="utf-8"))
    clips = [
        Clip(samples_of(folder / name.partition("_")[0] / f"{name}.flac"), [tuple(word) for word in gold[name]])
        for name in sorted(gold)
    ]
    return clips, lexica.read(folder / "vietnamese_hanoi_mfa.dict")


def digits(data: Path) -> tuple[list[Clip], Lexicon]:
    """String eight digits of one speaker together to a clip; the lexicon is their letters."""
    rng = np.random.default_rng(1)
    by_speaker: dict[str, list[Path]] = {}
    for path in sorted((data / "free_spoken_digits").glob("*.flac")):
        by_speaker.setdefault(path.stem.split("_")[1], []).append(path)
    clips = []
    for paths in by_speaker.values():
        order = [paths[i] for i in rng.permutation(len(paths))]
        clips += [string(rng, order[i : i + 8]) for i in range(0, len(order), 8)]
    return clips, Lexicon({word: (Pronunciation(tuple(word)),) for word in DIGITS})


def string(rng: np.random.Generator, paths: Sequence[Path]) -> Clip:
    parts: list[np.ndarray] = []
    words = []
    for path in paths:
        start = sum(map(len, parts)) / HZ
        parts.append(samples_of(path))
        words.append((DIGITS[int(path.name[0])], start, start + len(parts[-1]) / HZ))
        parts.append(rng.normal(0, 0.001, int(rng.uniform(0.05, 0.4) * HZ)))
    return Clip(np.concatenate(parts), words)


def librispeech(data: Path) -> tuple[list[Clip], Lexicon]:
    """Words are spread evenly over their clip until `by_clip` times them; the lexicon is their letters."""
    with (data / "librispeech_test_other" / "transcripts.tsv").open(encoding="utf-8") as table:
        texts = {line["file"]: line["text"].split() for line in csv.DictReader(table, delimiter="\t")}
    clips = []
    for name, words in sorted(texts.items()):
        samples = samples_of(data / "librispeech_test_other" / name)
        step = len(samples) / HZ / len(words)
        clips.append(Clip(samples, [(word, i * step, (i + 1) * step) for i, word in enumerate(words)]))
    return clips, Lexicon({word: (Pronunciation(tuple(word)),) for words in texts.values() for word in words})


def by_clip(recording: Recording, aligner: Aligner) -> None:
    """Take for the truth what an aligner says of each clip by itself."""
    for clip, start, first in recording.clips:
        spoken = [i for i in range(first, len(recording.text)) if recording.text[i][1] is not None][: len(clip.words)]
        aligned = aligner.align(clip.samples.astype(np.float32), tuple(((word,),) for word, _, _ in clip.words))
        clip.words = [(word.symbol, word.start, word.end) for word in aligned.words]
        for i, word in zip(spoken, aligned.words, strict=True):
            recording.text[i] = (word.symbol, start + word.start, start + word.end)


SETS = {"espeak_vi": espeak_vi, "digits": digits, "librispeech": librispeech}


def plant(recording: Recording, clips: Sequence[Clip], seconds: float, seed: int, errors: bool) -> None:
    """String clips together; with errors, audio and text don't agree everywhere."""
    rng = np.random.default_rng(seed)
    vocabulary = [word for clip in clips for word, _, _ in clip.words]
    order: list[int] = []
    only, left = "", 0
    while recording.duration < seconds:
        order = order or list(rng.permutation(len(clips)))
        clip = clips[order.pop()]
        if not left:
            only = str(rng.choice(["", "text", "audio"], p=[0.94, 0.03, 0.03])) if errors else ""
            left = (MANY if rng.random() < 0.15 else 1) if only else 0
            if errors and not only and rng.random() < 0.04:
                recording.put(noise(rng))
        left -= bool(left)
        if only == "text":
            recording.text += [(word, None, None) for word, _, _ in clip.words]
            continue
        start = recording.duration
        if only == "audio":
            recording.outside.append((start, start + len(clip.samples) / HZ))
        else:
            said(rng, recording, clip, vocabulary if errors else [])
        recording.put(clip.samples)
        recording.put(rng.normal(0, 0.001, int(rng.choice([rng.uniform(0.1, 0.5), rng.uniform(0.5, 3)]) * HZ)))


def said(rng: np.random.Generator, recording: Recording, clip: Clip, vocabulary: Sequence[str]) -> None:
    """Add a clip's words to the text, and now and then one that isn't said."""
    start, first = recording.duration, len(recording.text)
    for word, begin, end in clip.words:
        if vocabulary and rng.random() < 0.01:
            recording.text.append((vocabulary[rng.integers(len(vocabulary))], None, None))
        recording.text.append((word, start + begin, start + end))
    recording.clips.append((clip, start, first))


def noise(rng: np.random.Generator) -> np.ndarray:
    """Return a burst of noise, or some seconds of chords that die away."""
    if rng.random() < 0.5:
        return rng.normal(0, 0.05, int(rng.uniform(0.2, 1.5) * HZ))
    time_s = np.arange(int(rng.uniform(3, 15) * HZ)) / HZ
    root = 220 * 2 ** (rng.integers(0, 24, int(time_s[-1]) + 1)[time_s.astype(int)] / 12)
    phases = 2 * np.pi * np.cumsum(root) / HZ
    return 0.08 * sum(np.sin(ratio * phases) for ratio in (1, 1.25, 1.5, 2)) * np.exp(-2 * (time_s % 1))


def measured(name: str, recording: Recording, lexicon: Lexicon) -> list[dict[str, Any]]:
    """Align a recording, and return rows."""
    ways = tuple(((word,),) for word, _, _ in recording.text)
    before = time.process_time()
    found = sketch(recording.read, recording.duration, ways, lexicon)
    sketched = time.process_time()
    options = Options(max_hours=0.35)
    model = bootstrap(recording.read, recording.duration, ways, lexicon, sketched=found, options=options, threads=1)
    trained = time.process_time()
    aligner = Aligner(model, lexicon)
    aligned = align_long(aligner, recording.read, recording.duration, ways, sketched=found)
    done = time.process_time()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        f"{name}: {recording.duration:.0f} s, {len(ways)} words; CPU s: search {sketched - before:.1f}, train "
        f"{trained - sketched:.1f}, align {done - trained:.1f}; {peak:.0f} MB",
        file=sys.stderr,
    )
    x, x_given = recording.duration / (done - before), recording.duration / (done - trained + sketched - before)
    if name == "librispeech":
        by_clip(recording, aligner)
    rows = [
        row(f"{name}.x", "audio seconds per CPU second, all of it, training included", x, 100, "the goal"),
        row(f"{name}.x_with_a_model", "the same, with a model given", x_given, 100, "the goal"),
        row(f"{name}.peak_mb", "MB", peak, 1000, "the goal", lower=True),
    ]
    return rows + placed(name, recording, aligned, aligner) + missed(name, recording, aligned)


def placed(name: str, recording: Recording, aligned: LongAligned, aligner: Aligner) -> list[dict[str, Any]]:
    spoken = {i: start for i, (_, start, _) in enumerate(recording.text) if start is not None}
    found = {i: words[0].start for i, words in enumerate(aligned.words) if words}
    ours = np.array([abs(found.get(i, np.inf) - start) for i, start in spoken.items()])
    cut = np.array(list(one_by_one(recording, aligner)))
    return [
        row(
            f"{name}.within_{limit}ms", "share of spoken words whose start is that near",
            float((ours <= limit / 1000).mean()), float((cut <= limit / 1000).mean()), "the same model, clip by clip",
        )
        for limit in (500, 100, 50)
    ]  # fmt: skip


def one_by_one(recording: Recording, aligner: Aligner) -> Any:
    """Yield how far words are from where they start, each clip aligned with exactly its words."""
    for clip, _, _ in recording.clips:
        try:
            aligned = aligner.align(clip.samples.astype(np.float32), tuple(((word,),) for word, _, _ in clip.words))
        except Unalignable:
            yield from [np.inf] * len(clip.words)
            continue
        yield from (abs(one.start - start) for one, (_, start, _) in zip(aligned.words, clip.words, strict=True))


def missed(name: str, recording: Recording, aligned: LongAligned) -> list[dict[str, Any]]:
    absent = {i for i, (_, start, _) in enumerate(recording.text) if start is None}
    named = {i for i, words in enumerate(aligned.words) if words is None}
    if not absent:
        return [
            row(f"{name}.lost", "share of spoken words named as not spoken", len(named) / len(recording.text), 0, "")
        ]
    heard = sum(
        max(0.0, min(end, one.end) - max(start, one.start))
        for start, end in recording.outside
        for one in aligned.outside
    )
    total = sum(end - start for start, end in recording.outside)
    both = len(absent & named)
    share = len(absent) / len(recording.text)
    return [
        row(f"{name}.not_spoken_precision", "share", both / max(1, len(named)), share, "naming any word"),
        row(f"{name}.not_spoken_recall", "share", both / len(absent), 0.0, "forcing all words"),
        row(f"{name}.outside_recall", "share of seconds", heard / max(total, 1e-9), 0.0, "forcing all words"),
    ]


def row(
    name: str, unit: str, ours: float, baseline: float, baseline_name: str, *, lower: bool = False
) -> dict[str, Any]:
    ratio = (baseline / ours if lower else ours / baseline) if ours and baseline else None
    print(f"  {name}: {ours:.4g} ({baseline_name}: {baseline:.4g})", file=sys.stderr)
    return {
        "name": name,
        "unit": unit,
        "ours": round(ours, 4),
        "baseline": round(baseline, 4),
        "baseline_name": baseline_name,
        "ratio": round(ratio, 3) if ratio else None,
    }


if __name__ == "__main__":
    main()
