# SPDX-License-Identifier: Apache-2.0
"""Alignment: how far boundaries are from the truth, and how fast `speechmill align` is, on corpora it trains on.

Rows are `<set>.<figure>`, the sets

- voxangeles_dev: isolated words of 27 languages with phones marked by hand; figures are those of the onset of each
  phone, word_start of the first phone's onset, word_end of the last phone's end;
- espeak_vi: synthetic Vietnamese with exact word times, aligned with MFA's Hanoi dictionary; figures are those of the
  starts and ends of all words; espeak_vi_graphemes is the same without a dictionary;
- digits: free_spoken_digits strung together by a seed, with pauses; a word is as long as its clip, which is true to
  some 50 ms.

mean_ms, median_ms, le10, le25, le50 (per cent of errors not above 10, 25, 50 ms), word_start_mean_ms, word_end_mean_ms
are of the odd half of the utterances, sorted by name; what was tuned was tuned on the even half, which stands beside as
`even`, and `unbiased` is the odd half's figure with the median error of starts and of ends taken off. train_x is
seconds of audio per second of the whole command that trains and aligns, reading, features and writing included;
align_x the same with the model given; `two_cores` beside them counts CPU seconds, half of them on each of two cores,
which other work on the machine doesn't change. Figures are medians over seeds: of the digits drawn, and of training
(which takes all of these sets, so that only speed differs there).

The baseline is the Montreal Forced Aligner where `mfa` is on the PATH: `mfa train` and then `mfa align` with that
model, whose boundaries count. Else it is what MFA 3.4.3 did on another, quiet machine of two cores; on VoxAngeles it
had the 27 languages of the other half to train on, too.

    python benchmarks/align.py [--data FOLDER] [--sets voxangeles_dev,espeak_vi,espeak_vi_graphemes,digits] [--seeds 3]
"""

from __future__ import annotations

import argparse
import json
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import soundfile
import soxr
from msgspec import Struct

from speechmill.formats import textgrid

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
SETS = "voxangeles_dev,espeak_vi,espeak_vi_graphemes,digits"
FIGURES = ("mean_ms", "median_ms", "le10", "le25", "le50", "word_start_mean_ms", "word_end_mean_ms")
HZ = 16_000
NUM_DIGITS = 300  # utterances
PRONUNCIATIONS = {
    "zero": "Z IH R OW",
    "one": "W AH N",
    "two": "T UW",
    "three": "TH R IY",
    "four": "F AO R",
    "five": "F AY V",
    "six": "S IH K S",
    "seven": "S EH V AH N",
    "eight": "EY T",
    "nine": "N AY N",
}
PUBLISHED = {  # MFA 3.4.3, `align` with the model it trained; speeds of `train` and of `align`
    "voxangeles_dev": {
        "mean_ms": 35.5,
        "median_ms": 15.0,
        "le25": 71.0,
        "word_start_mean_ms": 43.1,
        "word_end_mean_ms": 45.0,
        "train_x": 2.2,
        "align_x": 58.0,
    },
    "espeak_vi": {
        "mean_ms": 20.0,
        "median_ms": 6.6,
        "le10": 68.0,
        "le25": 79.0,
        "le50": 88.0,
        "train_x": 1.7,
        "align_x": 33.0,
    },
}

Interval = tuple[float, float]


class Gold(Struct, frozen=True):
    """A corpus, its lexicon (none: letters are phones), and when the units of each file are said."""

    corpus: Path
    lexicon: Path | None
    units: dict[str, list[Interval]]
    tier: str  # "phones" or "words"
    seconds: float


class Figures(Struct, frozen=True):
    """What came of one seed."""

    odd: dict[str, float]
    even: dict[str, float]
    unbiased: dict[str, float]
    speeds: dict[str, float]
    two_cores: dict[str, float]
    missing: int  # files without as many units as the truth has


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--sets", default=SETS)
    parser.add_argument("--seeds", type=int, default=3)
    options = parser.parse_args()
    if not options.data.is_dir():
        sys.exit(f"{options.data}: no such folder. Name the data with --data FOLDER")
    rows = [row for name in options.sets.split(",") for row in rows_of(name, options.data, options.seeds)]
    print(json.dumps({"rows": rows}))


def rows_of(name: str, data: Path, seeds: int) -> list[dict[str, object]]:
    """Measure a set; return a row for each figure."""
    with tempfile.TemporaryDirectory() as folder:
        made = [gold(name, data, Path(folder) / f"gold{seed}", seed) for seed in range(seeds)]
        runs = [ours(one, Path(folder) / f"ours{seed}", seed) for seed, one in enumerate(made)]
        baseline, baseline_name = compared(name, made[0], Path(folder) / "mfa")
    values = {figure: statistics.median(run.odd[figure] for run in runs) for figure in FIGURES}
    speeds = {figure: statistics.median(run.speeds[figure] for run in runs) for figure in runs[0].speeds}
    rows: list[dict[str, object]] = []
    for figure, value in {**values, **speeds}.items():
        row: dict[str, object] = {
            "name": f"{name}.{figure}",
            "unit": unit(figure),
            "ours": round(value, 1),
            "baseline": baseline.get(figure),
            "baseline_name": baseline_name,
            "ratio": ratio(figure, value, baseline.get(figure)),
        }
        if figure in values:
            row["even"] = round(statistics.median(run.even[figure] for run in runs), 1)
            row["unbiased"] = round(statistics.median(run.unbiased[figure] for run in runs), 1)
            row["missing"] = max(run.missing for run in runs)
        else:
            row["two_cores"] = round(statistics.median(run.two_cores[figure] for run in runs), 1)
        rows.append(row)
        beside = row.get("even", row.get("two_cores"))
        print(
            f"{row['name']:<40} {row['ours']:>7} (beside {beside}), {baseline_name}: {row['baseline']}", file=sys.stderr
        )
    return rows


def unit(figure: str) -> str:
    if figure.endswith("_x"):
        return "audio seconds per second, whole command"
    return "ms" if figure.endswith("_ms") else "per cent of errors"


def ratio(figure: str, value: float, baseline: float | None) -> float | None:
    """Return how many times better ours is: smaller is better in milliseconds."""
    if not baseline or not value:
        return None
    return round(baseline / value if figure.endswith("_ms") else value / baseline, 2)


def gold(name: str, data: Path, folder: Path, seed: int) -> Gold:
    """Return a set's truth; digits are made in `folder`."""
    if name == "digits":
        return digits(data / "free_spoken_digits", folder, seed)
    corpus = data / name.removesuffix("_graphemes")
    if not corpus.is_dir():
        sys.exit(f"{corpus}: no such folder. Name the data with --data FOLDER, or other --sets")
    phones = name == "voxangeles_dev"
    truth = json.loads((corpus / ("gold_phones.json" if phones else "gold_words.json")).read_text(encoding="utf-8"))
    lexicon = corpus / ("lexicon.dict" if phones else "vietnamese_hanoi_mfa.dict")
    units = {key: [(start, end) for _, start, end in found] for key, found in truth.items()}
    seconds = sum(soundfile.info(path).duration for path in corpus.rglob("*.flac"))
    return Gold(
        corpus, None if name.endswith("graphemes") else lexicon, units, "phones" if phones else "words", seconds
    )


def digits(clips: Path, folder: Path, seed: int) -> Gold:
    """String digits of one speaker together, three to ten, with pauses of up to half a second or none."""
    random = np.random.default_rng(seed)
    by_speaker: dict[str, list[Path]] = {}
    for path in sorted(clips.glob("*.flac")):
        by_speaker.setdefault(path.stem.split("_")[1], []).append(path)
    if not by_speaker:
        sys.exit(f"{clips}: no clips. Name the data with --data FOLDER, or other --sets")
    units: dict[str, list[Interval]] = {}
    seconds = 0.0
    for number in range(NUM_DIGITS):
        speaker = sorted(by_speaker)[number % len(by_speaker)]
        chosen = random.choice(len(by_speaker[speaker]), int(random.integers(3, 11)), replace=False)
        parts, words, at = [], [], 0
        for path in (by_speaker[speaker][place] for place in chosen):
            samples, rate = soundfile.read(path)
            resampled = soxr.resample(samples, rate, HZ)
            pause = int(HZ * random.choice([0.0, random.uniform(0.1, 0.5)]) if parts else HZ * random.uniform(0.1, 0.4))
            parts += [np.zeros(pause), resampled]
            words.append((list(PRONUNCIATIONS)[int(path.stem[0])], at + pause, at + pause + len(resampled)))
            at += pause + len(resampled)
        audio = np.concatenate([*parts, np.zeros(HZ // 4)])
        audio += random.normal(0, 3e-4, len(audio))
        key = f"{speaker}_{number:04d}"
        (folder / speaker).mkdir(parents=True, exist_ok=True)
        soundfile.write(folder / speaker / f"{key}.flac", np.clip(audio, -1, 1), HZ, subtype="PCM_16")
        (folder / speaker / f"{key}.lab").write_text(" ".join(word for word, _, _ in words), encoding="utf-8")
        units[key] = [(start / HZ, end / HZ) for _, start, end in words]
        seconds += len(audio) / HZ
    lexicon = folder.with_suffix(".dict")
    lexicon.write_text("".join(f"{word}\t{phones}\n" for word, phones in PRONUNCIATIONS.items()), encoding="utf-8")
    return Gold(folder, lexicon, units, "words", seconds)


def ours(one: Gold, out: Path, seed: int) -> Figures:
    """Train and align, then align with the model given; return figures of both."""
    command = [sys.executable, "-m", "speechmill", "align", str(one.corpus)]
    command += [str(one.lexicon)] if one.lexicon else []
    trained = timed([*command, str(out / "trained"), "--seed", str(seed)])
    model = out / "trained" / "acoustic-model.npz"
    aligned = timed([*command, str(out / "aligned"), "--model", str(model)])
    odd, even, unbiased, missing = judged(one, out / "trained")
    return Figures(
        odd,
        even,
        unbiased,
        {"train_x": one.seconds / trained[0], "align_x": one.seconds / aligned[0]},
        {"train_x": one.seconds / trained[1] * 2, "align_x": one.seconds / aligned[1] * 2},
        missing,
    )


def timed(command: Sequence[str]) -> tuple[float, float]:
    """Run a command; return its seconds, and its CPU seconds."""
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    seconds = time.perf_counter() - start
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode not in (0, 1):  # 1: some utterances could not be aligned; they are counted
        sys.exit(f"{' '.join(command)} failed:\n{done.stderr[-2000:]}")
    return seconds, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def judged(one: Gold, out: Path) -> tuple[dict[str, float], dict[str, float], dict[str, float], int]:
    """Return figures of the odd half, of the even half, of the odd half without bias; and files that don't count."""
    found = {path.stem: path for path in out.rglob("*.TextGrid")}
    starts: tuple[list[float], list[float]] = ([], [])
    ends: tuple[list[float], list[float]] = ([], [])
    edges: tuple[list[Interval], list[Interval]] = ([], [])  # errors of a word's start and end
    missing = 0
    for number, (key, truth) in enumerate(sorted(one.units.items())):
        units = intervals(found[key], one.tier) if key in found else []
        if len(units) != len(truth):
            missing += 1
            continue
        off = [(unit[0] - true[0], unit[1] - true[1]) for unit, true in zip(units, truth, strict=True)]
        starts[number % 2].extend(start for start, _ in off)
        ends[number % 2].extend(end for _, end in off)
        edges[number % 2].extend([(off[0][0], off[-1][1])] if one.tier == "phones" else off)
    both = [
        figures(starts[half], [] if one.tier == "phones" else ends[half], edges[half], even)
        for half, even in ((1, False), (0, False), (1, True))
    ]
    return both[0], both[1], both[2], missing


def intervals(path: Path, name: str) -> list[Interval]:
    """Return what is said in the tiers of a TextGrid whose name ends so, without silence."""
    tiers = [tier for tier in textgrid.read(path).tiers if tier.name.endswith(name)]
    symbols = [one for tier in tiers if isinstance(tier, textgrid.IntervalTier) for one in tier.intervals]
    return [(one.start, one.end) for one in symbols if one.symbol.strip() not in ("", "<eps>")]


def figures(
    starts: Sequence[float], ends: Sequence[float], edges: Sequence[Interval], unbiased: bool
) -> dict[str, float]:
    """Return all figures of accuracy."""
    centred: Callable[[Sequence[float]], np.ndarray] = lambda errors: np.abs(  # noqa: E731
        np.asarray(errors, float) * 1000 - (np.median(errors) * 1000 if unbiased and len(errors) else 0.0)
    )
    every = np.concatenate([centred(starts), centred(ends)])
    shares = {f"le{limit}": float(np.mean(every <= limit)) * 100 for limit in (10, 25, 50)}
    return {
        "mean_ms": float(every.mean()),
        "median_ms": float(np.median(every)),
        **shares,
        "word_start_mean_ms": float(centred([start for start, _ in edges]).mean()),
        "word_end_mean_ms": float(centred([end for _, end in edges]).mean()),
    }


def compared(name: str, one: Gold, out: Path) -> tuple[dict[str, float], str]:
    """Return MFA's figures: of a run where it is installed, else as published."""
    if not shutil.which("mfa") or not one.lexicon:
        return PUBLISHED.get(name, {}), "MFA 3.4.3, other machine"
    out.mkdir(parents=True)
    model, inputs = out / "model.zip", [str(one.corpus), str(one.lexicon)]
    trained = timed(["mfa", "train", *inputs, str(model), "--clean", "--quiet"])
    aligned = timed(["mfa", "align", *inputs, str(model), str(out / "aligned"), "--clean", "--quiet"])
    odd, _, _, missing = judged(one, out / "aligned")
    speeds = {"train_x": round(one.seconds / trained[0], 1), "align_x": round(one.seconds / aligned[0], 1)}
    version = subprocess.run(["mfa", "version"], capture_output=True, text=True, check=False).stdout.strip()
    print(f"{name}: MFA left out {missing} files", file=sys.stderr)
    return {figure: round(value, 1) for figure, value in {**odd, **speeds}.items()}, f"MFA {version}, here"


if __name__ == "__main__":
    main()
