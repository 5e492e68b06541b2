# SPDX-License-Identifier: Apache-2.0
"""What the parts of training are worth: boundary errors with each left out, or with one that is off by default.

Models are trained on each set and align it, as `speechmill align` does; errors in ms are those of the half of the
utterances that options were chosen on, sorted by name the first, third and so on. The baseline of every row is what the
defaults give in the same run. `cpu_s` is what training and aligning took.

    python benchmarks/align_options.py [--data FOLDER] [--only no_seed,triphones,sat,lda]
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from msgspec import Struct

from align import DATA, Gold, gold
from align_scale import read_corpus
from speechmill.acoustic.adapt import adaptation
from speechmill.acoustic.aligner import Aligner
from speechmill.acoustic.train import Options, train
from speechmill.acoustic.types import Aligned
from speechmill.core.errors import ItemError
from speechmill.formats.lexicon import read as read_lexicon

SETS = ("voxangeles_dev", "espeak_vi")
CHANGES = {
    "no_seed": Options(from_seed=False),
    "triphones": Options(triphones=(1, 2, 4, 8)),
    "sat": Options(triphones=(1, 2, 4, 8), adapt_before=(9, 11)),
    "lda": Options(lda=4),
}


class Run(Struct, frozen=True):
    """Errors of a run, and what it took."""

    mean_ms: float
    median_ms: float
    le25: float
    cpu_s: float
    missing: int


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--only", default=",".join(CHANGES))
    options = parser.parse_args()
    if not options.data.is_dir():
        sys.exit(f"{options.data}: no such folder. Name the data with --data FOLDER")
    rows: list[dict[str, Any]] = []
    for name in SETS:
        with tempfile.TemporaryDirectory() as folder:
            one = gold(name, options.data, Path(folder), 0)
        usual = run(one, Options())
        rows += [row(name, change, run(one, CHANGES[change]), usual) for change in options.only.split(",")]
    print(json.dumps({"rows": rows}))


def row(name: str, change: str, found: Run, usual: Run) -> dict[str, Any]:
    print(f"{name} {change:<10} {found}, defaults {usual}", file=sys.stderr)
    return {
        "name": f"{name}.{change}",
        "unit": "ms, mean of the even half",
        "ours": round(found.mean_ms, 1),
        "baseline": round(usual.mean_ms, 1),
        "baseline_name": "defaults",
        "ratio": round(usual.mean_ms / found.mean_ms, 2),
        "median_ms": [round(found.median_ms, 1), round(usual.median_ms, 1)],
        "le25": [round(found.le25, 1), round(usual.le25, 1)],
        "cpu_s": [round(found.cpu_s, 1), round(usual.cpu_s, 1)],
        "missing": found.missing,
    }


def run(one: Gold, options: Options) -> Run:
    """Train, align, compare: onsets of phones where the truth has phones, else starts and ends of words."""
    examples, lexicon = read_corpus(one.corpus), read_lexicon(one.lexicon)
    start = time.process_time()
    aligner = Aligner(train(examples, lexicon, options, threads=1), lexicon)
    found: dict[str, Aligned] = {}
    for speaker in sorted({example.speaker for example in examples}):
        own = [example for example in examples if example.speaker == speaker]
        adapted = adaptation(aligner, own)
        for example in own:
            try:
                found[example.key] = aligner.align(example.read(), example.ways, speaker=adapted)
            except ItemError as error:
                print(f"{example.key}: {error}", file=sys.stderr)
    took = time.process_time() - start
    errors: list[float] = []
    missing = 0
    for key, truth in sorted(one.units.items())[::2]:
        units = units_of(found[key], one.tier) if key in found else []
        if len(units) != len(truth):
            missing += 1
            continue
        errors += [unit[0] - true[0] for unit, true in zip(units, truth, strict=True)]
        if one.tier == "words":
            errors += [unit[1] - true[1] for unit, true in zip(units, truth, strict=True)]
    off = np.abs(errors) * 1000
    return Run(float(off.mean()), float(np.median(off)), float(np.mean(off <= 25)) * 100, took, missing)


def units_of(aligned: Aligned, tier: str) -> list[tuple[float, float]]:
    spans = aligned.words if tier == "words" else [phone for word in aligned.phones for phone in word]
    return [(span.start, span.end) for span in spans]


if __name__ == "__main__":
    main()
