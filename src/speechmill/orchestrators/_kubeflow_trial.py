# SPDX-License-Identifier: Apache-2.0
"""A trial of a Katib experiment: run a corpus with some settings, and say how well its dataset matches the true texts.

    python -m speechmill.orchestrators._kubeflow_trial corpus.yaml transcripts.tsv --out ./ws --set vad.threshold=0.4

Prints NAME=VALUE lines, which Katib's collector reads. `word_f1` is what to maximise: the share of true words that the
kept segments have, against the share of their words that are true. Thresholds that drop speech lower it, and so do
thresholds that let through what nobody said. The corpus recognises its speech; nothing of the table is given to it.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

from msgspec import Struct

from speechmill.measures.wer import tokens, wer
from speechmill.orchestrators._command import FAILED
from speechmill.pipeline import spec
from speechmill.sources._tables import read_transcripts
from speechmill.store.dataset import Dataset


class Score(Struct, frozen=True):
    """How a dataset matches true texts; words are counted over all recordings that have one."""

    word_f1: float  # 2 * right words / (true words + kept words)
    wer: float  # of the kept text; what was dropped counts as deleted
    hours_kept: float
    segments_kept: int


def main(arguments: Sequence[str] | None = None) -> int:
    """Run and score; the status is the run's."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpus", type=Path)
    parser.add_argument("truth", type=Path, help="a table with the columns file and text")
    parser.add_argument("--out", type=Path, required=True, help="a workspace; trials that share it share what is equal")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--set", dest="settings", action="append", default=[], metavar="FIELD=VALUE")
    asked = parser.parse_args(arguments)
    words = [sys.executable, "-m", "speechmill", "run", asked.corpus, "--out", asked.out, "--workers", asked.workers]
    settings = [word for setting in asked.settings for word in ("--set", setting)]
    done = subprocess.run([*map(str, words), *settings], stdout=sys.stderr, check=False)
    if done.returncode not in (0, FAILED):
        return done.returncode
    found = score(Dataset(asked.out), read_transcripts(asked.truth), spec.load(asked.corpus).language)
    print(*(f"{name}={getattr(found, name)}" for name in found.__struct_fields__), sep="\n", flush=True)
    return done.returncode


def score(dataset: Dataset, truth: Mapping[str, str], language: str | None) -> Score:
    """Compare the kept segments with true texts by file name, with or without extension; no text is no words."""
    texts: dict[str, list[str]] = defaultdict(list)
    seconds, segments = 0.0, 0
    recordings = dataset.recordings()
    for segment in dataset.segments():
        texts[_stem(recordings[segment.recording_id].uri)].append(segment.text or "")
        seconds, segments = seconds + segment.duration, segments + 1
    true_words = kept_words = wrong = right = 0
    for name, text in truth.items():
        reference = tokens(text, language)
        hypothesis = tokens(" ".join(texts[_stem(name)]), language)
        errors = wer(reference, hypothesis)
        right += len(reference) - errors.substitutions - errors.deletions
        wrong += errors.substitutions + errors.deletions + errors.insertions
        true_words, kept_words = true_words + len(reference), kept_words + len(hypothesis)
    f1 = 2 * right / (true_words + kept_words) if true_words + kept_words else 0.0
    rate = wrong / true_words if true_words else 0.0
    return Score(round(f1, 4), round(rate, 4), round(seconds / 3600, 4), segments)


def _stem(name: str) -> str:
    return Path(name).stem


if __name__ == "__main__":
    raise SystemExit(main())
