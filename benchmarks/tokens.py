# SPDX-License-Identifier: Apache-2.0
"""Times of numbers, dates, money and abbreviations, against a synthesiser's exact ones: boundary error in ms.

Each of 25 tokens stands in a sentence that three voices of espeak-ng say, in one of the ways it may be said (drawn
with a fixed seed from the first six). Row `pocketsphinx`: our aligner, given the text as written. The baseline is the
same aligner given the words that were said: the difference is what it costs not to know them. Sentences in which the
synthesiser runs words together have no exact times and are left out, as `skipped` says. Synthetic speech: real speech
is harder, and this says nothing of it.

    python benchmarks/tokens.py
"""

from __future__ import annotations

import json
import random
import statistics
from collections.abc import Iterator
from pathlib import Path

import msgspec
import numpy as np
import soxr

from speechmill import models
from speechmill.align.pocketsphinx import Backend, Config
from speechmill.core.errors import MissingModel, SpeechmillError, Unalignable
from speechmill.core.stage import Context
from speechmill.demo.espeak import Line, Spoken, speak
from speechmill.text import spoken as text

SEED = 3
TOKENS = (
    "$43,000 $5.50 1905 1984 2021 100 105 3/4/2021 10:30 20% 60mph 2½ 10-20 555-1234 i.e. 12.5 -7 21st 1990s "
    "2021-04-03 7am 5kg 1/2 1,250 me@site.org"
)
VOICES = ("en-us", "en-us+f2", "en-us+m3")
AROUND = (
    ("We said that", "before leaving Boston"),
    ("People often wrote", "inside large books"),
    ("Mary told Peter", "during dinner yesterday"),
)


def sentences() -> Iterator[tuple[text.Spoken, int, int, Line]]:
    """Yield what is written, the token's index, the number of the way it is said in, and what is said."""
    draw = random.Random(SEED)
    for token in TOKENS.split():
        for voice, (before, behind) in zip(VOICES, AROUND, strict=True):
            said = text.spoken(f"{before} {token} {behind}", "en")
            index = len(before.split())
            way = draw.randrange(min(6, len(said.ways[index])))
            yield said, index, way, Line(f"{before} {' '.join(said.ways[index][way])} {behind}", voice)


def errors_ms(backend: Backend, said: text.Spoken, index: int, length: int, true: Spoken) -> list[float]:
    """Return the errors of a token's start and end."""
    samples = soxr.resample(true.samples, true.sampling_rate, 16_000).astype(np.float32) / 2
    word = backend.align(samples, said, "en").words[index]
    first, last = true.words[index], true.words[index + length - 1]
    return [1000 * abs(word.start - first.start), 1000 * abs(word.end - last.end)]


def main() -> None:
    try:
        backend = Backend(Config(), Context(Path(), models.path))
    except MissingModel as error:
        raise SystemExit(str(error)) from error
    ours: list[float] = []
    known: list[float] = []
    skipped = refused = 0
    for said, index, way, line in sentences():
        try:
            (true,) = speak([line])
        except SpeechmillError as error:
            if "together" not in str(error):
                raise
            skipped += 1
            continue
        chosen = said.ways[index][way]
        told = msgspec.structs.replace(said, ways=(*said.ways[:index], (chosen,), *said.ways[index + 1 :]))
        try:
            pair = [errors_ms(backend, one, index, len(chosen), true) for one in (said, told)]
        except Unalignable as error:
            print(f"{said.text!r}: {error}")
            refused += 1
            continue
        ours += pair[0]
        known += pair[1]
    within = sum(error <= 100 for error in ours) / len(ours)
    print(f"{len(ours) // 2} tokens, {refused} refused, {skipped} skipped; {within:.2f} of the edges within 100 ms")
    rows = [
        {
            "name": name,
            "unit": "ms",
            "ours": round(measure(ours), 1),
            "baseline": round(measure(known), 1),
            "baseline_name": "pocketsphinx, told the words",
            "ratio": round(measure(ours) / measure(known), 2),
            "tokens": len(ours) // 2,
            "refused": refused,
            "skipped": skipped,
        }
        for name, measure in (("pocketsphinx", statistics.median), ("pocketsphinx_mean", statistics.fmean))
    ]
    print(json.dumps({"rows": rows}))


if __name__ == "__main__":
    main()
