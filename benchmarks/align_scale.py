# SPDX-License-Identifier: Apache-2.0
"""How alignment grows: time and memory for 10 minutes to 10 hours of speech, with a model that is given.

Utterances of espeak_vi are aligned again and again until there is enough, each decoded from its FLAC every time, as a
corpus of that size would be. `growth` sets the time per hour of the largest corpus against that of the smallest: 1 is
linear. `training` does the same for training, whose hours are capped, with several times as many utterances.

    python benchmarks/align_scale.py [--data FOLDER] [--hours 0.1667,1,10] [--threads 2]
"""

from __future__ import annotations

import argparse
import itertools
import json
import resource
import sys
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from speechmill.acoustic.adapt import Adaptation, adaptation
from speechmill.acoustic.aligner import Aligner
from speechmill.acoustic.train import Options, train
from speechmill.acoustic.types import Example
from speechmill.core.errors import ItemError
from speechmill.formats.audio import read_audio
from speechmill.formats.lexicon import Lexicon
from speechmill.formats.lexicon import read as read_lexicon

DATA = Path(__file__).resolve().parents[2] / "shared" / "data" / "espeak_vi"
TRAINING_HOURS = 0.1


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--hours", default="0.1667,1,10")
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    if not options.data.is_dir():
        raise SystemExit(f"{options.data} is not here: it holds the speech that is aligned")
    examples = read_corpus(options.data)
    lexicon = read_lexicon(options.data / "vietnamese_hanoi_mfa.dict")
    rows = training_rows(examples, lexicon, options.threads)
    rows += aligning_rows(examples, lexicon, [float(hours) for hours in options.hours.split(",")], options.threads)
    print(json.dumps({"rows": rows}))


def read_corpus(folder: Path) -> list[Example]:
    """Return the utterances of a corpus: a folder for each speaker, a FLAC with a .lab beside it."""
    found = []
    for path in sorted(folder.rglob("*.flac")):
        seconds = read_audio(path)[0].shape[1] / 16_000
        words = path.with_suffix(".lab").read_text(encoding="utf-8").split()
        read = lambda path=path: read_audio(path)[0][0]  # noqa: E731
        found.append(Example(path.stem, seconds, read, tuple(((word,),) for word in words), path.parent.name))
    return found


def training_rows(examples: list[Example], lexicon: Lexicon, threads: int) -> list[dict[str, Any]]:
    """Train on capped hours of a corpus, and of one with twenty times as many utterances."""
    options = Options(max_hours=TRAINING_HOURS)
    seconds, memory = [], []
    for times in (1, 20):
        start = time.perf_counter()
        train(list(repeated(examples, times)), lexicon, options, threads=threads)
        seconds.append(time.perf_counter() - start)
        memory.append(peak_mb())
    count = len(examples)
    note(
        f"training on {TRAINING_HOURS} h of {count} or {20 * count} utterances: {seconds[0]:.1f} or {seconds[1]:.1f} s"
    )
    return [
        {
            "name": "training",
            "unit": f"seconds, {TRAINING_HOURS} h taken from {20 * count} utterances",
            "ours": round(seconds[1], 2),
            "baseline": round(seconds[0], 2),
            "baseline_name": f"the same hours taken from {count}",
            "ratio": round(seconds[0] / seconds[1], 2),
            "peak_rss_mb": memory,
        }
    ]


def repeated(examples: list[Example], times: int) -> Iterator[Example]:
    for number, example in itertools.product(range(times), examples):
        yield Example(f"{example.key}-{number}", example.duration, example.read, example.ways, example.speaker)


def aligning_rows(examples: list[Example], lexicon: Lexicon, sizes: list[float], threads: int) -> list[dict[str, Any]]:
    """Align corpora of growing size with one model."""
    aligner = Aligner(train(examples, lexicon, Options(max_hours=TRAINING_HOURS), threads=threads), lexicon)
    speakers = {name: [one for one in examples if one.speaker == name] for name in {one.speaker for one in examples}}
    adapted = {name: adaptation(aligner, own) for name, own in speakers.items()}
    align_all(aligner, adapted, examples[:20], threads)
    rows: list[dict[str, Any]] = []
    for hours in sizes:
        corpus = list(until(examples, hours * 3600))
        audio_s = sum(one.duration for one in corpus)
        wall, cpu = time.perf_counter(), time.process_time()
        failed = align_all(aligner, adapted, corpus, threads)
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        speed = audio_s / wall
        note(f"{audio_s / 3600:.2f} h: {speed:.0f} x real time, {audio_s / cpu:.0f} x a core, {peak_mb():.0f} MB")
        first = rows[0]["ours"] if rows else speed
        rows.append(
            {
                "name": f"align_{hours:g}_h",
                "unit": f"x real time with {threads} threads",
                "ours": round(speed, 1),
                "baseline": round(first, 1),
                "baseline_name": "the smallest corpus",
                "ratio": round(speed / first, 3),
                "x_a_core": round(audio_s / cpu, 1),
                "growth": round(first / speed, 3),
                "utterances": len(corpus),
                "failed": failed,
                "peak_rss_mb": peak_mb(),
            }
        )
    return rows


def until(examples: Iterable[Example], seconds: float) -> Iterator[Example]:
    """Yield examples again and again until there are so many seconds."""
    total = 0.0
    for example in itertools.cycle(examples):
        if total >= seconds:
            return
        total += example.duration
        yield example


def align_all(aligner: Aligner, adapted: dict[str, Adaptation], corpus: list[Example], threads: int) -> int:
    """Read and align every utterance; return how many failed."""

    def one(example: Example) -> bool:
        try:
            aligner.align(example.read(), example.ways, speaker=adapted[example.speaker])
        except ItemError:
            return True
        return False

    with ThreadPoolExecutor(threads) as pool:
        return sum(sum(pool.map(one, corpus[start : start + 1000])) for start in range(0, len(corpus), 1000))


def peak_mb() -> float:
    """Return the largest memory of this process so far."""
    used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(used / (1 << 20 if sys.platform == "darwin" else 1 << 10), 1)


def note(text: str) -> None:
    print(text, file=sys.stderr)


if __name__ == "__main__":
    main()
