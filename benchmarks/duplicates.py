# SPDX-License-Identifier: Apache-2.0
"""Recordings and texts that are there twice: what is found of planted copies, what is taken for one and isn't.

Row `audio`: copies of real speech, re-encoded, trimmed, in noise, quieter, 2 % faster or slower (resampled, and in
tempo alone), with an intro (the same in all, so that those are negatives of each other), and several of these at once.
Every kind is a corpus of all originals and one copy of each; a pair that is found is right where it is a copy and its
original. Files are halved by speaker: the least coverage is chosen on one half, figures are of the other. Clips shorter
than 2.5 s are left out. Baselines on the same pairs: equal samples; and Wang's landmarks in pairs (ISMIR 2003), whose
threshold is chosen on the same half.
Row `audio_speed`: landmarks of speech; then near_duplicates of made-up landmarks. Row `text`: made-up sentences (Zipf),
in which near-duplicates are planted: one word of ten or more is another. Seconds are of one core.

    python benchmarks/duplicates.py [--rows audio,audio_speed,text] [--files 130] [--recordings 2000] [--texts 1000000]
"""

from __future__ import annotations

import argparse
import io
import json
import resource
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import av
import numpy as np
import soxr

from speechmill.formats.audio import read_audio
from speechmill.measures.landmarks import OCTAVE, SAMPLING_RATE, TICKS, decode, encode, landmarks
from speechmill.measures.near_audio import MIN_COVERAGE, MIN_DURATION, near_duplicates
from speechmill.measures.near_text import near_texts

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
Samples = Any
Row = dict[str, Any]
Pairs = dict[tuple[int, int], float]
GRID = [round(step, 2) for step in np.arange(0.3, 0.96, 0.05)]
LEAST_PRECISION = 0.995
MEASURED = ("precision", "recall")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", default="audio,audio_speed,text")
    parser.add_argument("--files", type=int, default=130, help="recordings that are copied")
    parser.add_argument("--recordings", type=int, default=2000, help="recordings of three minutes for speed")
    parser.add_argument("--texts", type=int, default=1_000_000)
    options = parser.parse_args()
    rows = [row for name in options.rows.split(",") for row in ROWS[name](options)]
    print(json.dumps({"rows": rows}))


def audio(options: argparse.Namespace) -> list[Row]:
    if not DATA.is_dir():
        raise SystemExit(f"no speech to measure on: {DATA} is absent")
    tune, test = halves(options.files)
    noise = speech("noise_rir/noise1.flac")
    found = {half: corpora(names, noise) for half, names in (("tune", tune), ("test", test))}
    least, at_least = chosen(found["tune"], "ours"), chosen(found["tune"], "wang")
    ours, wang = rates(found["test"], "ours", MIN_COVERAGE), rates(found["test"], "wang", at_least)
    about = {
        "files": len(test),
        "copies": len(test) * len(KINDS),
        "min_coverage": MIN_COVERAGE,
        "min_coverage_chosen": least,
        "of_chosen": rates(found["test"], "ours", least),
        "tune": rates(found["tune"], "ours", MIN_COVERAGE),
        "recall_by_kind": {
            kind: rates({kind: made}, "ours", MIN_COVERAGE)["recall"] for kind, made in found["test"].items()
        },
        "equal_samples": rates(found["test"], "equal", 0.5),
        "wang_threshold_chosen": at_least,
    }
    baseline = "Wang's landmarks in pairs"
    return [row(f"near_audio_{what}", "share", ours[what], wang[what], baseline, about) for what in MEASURED]


def row(name: str, unit: str, ours: float, baseline: float | None, of: str | None, about: Row) -> Row:
    ratio = round(ours / baseline, 3) if baseline else None
    return {
        "name": name,
        "unit": unit,
        "ours": ours,
        "baseline": baseline,
        "baseline_name": of,
        "ratio": ratio,
        **about,
    }


def halves(most: int) -> tuple[list[str], list[str]]:
    """Return files of two sets of speakers."""
    lines = (line.split("\t")[:2] for line in (DATA / "index.tsv").read_text().splitlines()[1:])
    folders = ("librispeech_test_other", "librispeech_train_speakers", "ami_clips", "librivox_austen", "misc")
    names = sorted(
        name for name, seconds in lines if name.split("/")[0] in folders and float(seconds) >= MIN_DURATION + 0.5
    )
    names = [names[i] for i in np.linspace(0, len(names) - 1, min(most, len(names))).astype(int)]
    speakers = sorted({speaker(name) for name in names})
    first = set(speakers[::2])
    return [name for name in names if speaker(name) in first], [name for name in names if speaker(name) not in first]


def speaker(name: str) -> str:
    """Name who speaks; clips of one meeting or reader are one."""
    folder, last = name.split("/")[0], name.split("/")[-1]
    return last.split("-")[0] if folder.startswith("librispeech") else folder


def speech(name: str) -> Samples:
    samples, rate = read_audio(DATA / name)
    mixed = samples.mean(axis=0)
    return mixed if rate == SAMPLING_RATE else soxr.resample(mixed, rate, SAMPLING_RATE)


def corpora(names: list[str], noise: Samples) -> dict[str, dict[str, Any]]:
    """Find pairs in originals and one copy of each, for each kind of copies."""
    originals = [sixteen_bits(speech(name)) for name in names]
    prints = [landmarks(one) for one in originals]
    return {kind: corpus(originals, prints, kind, noise) for kind in KINDS}


def corpus(originals: list[Samples], prints: list[bytes], kind: str, noise: Samples) -> dict[str, Any]:
    """Find pairs in three ways: pair -> score."""
    copies = [KINDS[kind](one, noise, np.random.default_rng(i)) for i, one in enumerate(originals)]
    every = [*originals, *map(sixteen_bits, copies)]
    prints = [*prints, *map(landmarks, every[len(originals) :])]
    near = near_duplicates(prints, min(GRID))
    ours = dict(zip(zip(near.left.tolist(), near.right.tolist(), strict=True), near.coverage.tolist(), strict=True))
    return {"files": len(originals), "ours": ours, "wang": wang(prints), "equal": equal(every)}


def sixteen_bits(samples: Samples) -> Samples:
    return np.round(np.clip(samples, -1, 1) * 32767).astype(np.float32) / np.float32(32768)


def rates(found: dict[str, dict[str, Any]], what: str, threshold: float) -> Row:
    """Count over all kinds."""
    right = wrong = copies = 0
    for made in found.values():
        pairs = [pair for pair, score in made[what].items() if score >= threshold]
        good = sum(right == left + made["files"] for left, right in pairs)
        right, wrong, copies = right + good, wrong + len(pairs) - good, copies + made["files"]
    return {
        "precision": round(right / max(right + wrong, 1), 4),
        "recall": round(right / copies, 4),
        "wrong_pairs": wrong,
    }


def chosen(found: dict[str, dict[str, Any]], what: str) -> float:
    """Choose the threshold of the best recall at the precision that is asked for; of equal ones the highest."""
    grid = GRID if what == "ours" else [0.002, 0.005, 0.01, 0.02, 0.03, 0.05, 0.1, 0.2]
    scored = [(rates(found, what, threshold), threshold) for threshold in grid]
    good = [(rate["recall"], threshold) for rate, threshold in scored if rate["precision"] >= LEAST_PRECISION]
    return max(good)[1] if good else grid[-1]


def equal(every: list[Samples]) -> Pairs:
    seen: dict[bytes, int] = {}
    return {(seen[one.tobytes()], i): 1.0 for i, one in enumerate(every) if seen.setdefault(one.tobytes(), i) != i}


def wang(prints: list[bytes]) -> Pairs:
    """Score pairs by the share of equal hashes of two peaks that agree on a place: bins of 16 Hz, steps of 16 ms."""
    hashes, times, whose = [], [], []
    for i, one in enumerate(prints):
        peaks = decode(one)
        bins = np.rint(2 ** (peaks.frequency / OCTAVE) / 15.625).astype(np.int64)
        frames = peaks.time // 4
        for step in range(1, 6):
            gap = frames[step:] - frames[:-step]
            good = (gap >= 1) & (gap < 64)
            hashes.append(((bins[:-step] * 512 + bins[step:]) * 64 + gap)[good])
            times.append(frames[:-step][good])
            whose.append(np.full(int(good.sum()), i))
    value, at, recording = (np.concatenate(parts) for parts in (hashes, times, whose))
    totals = np.bincount(recording, minlength=len(prints))
    order = np.lexsort((recording, value))
    value, at, recording = value[order], at[order], recording[order]
    votes = []
    for step in range(1, 40):
        same = np.flatnonzero(value[step:] == value[:-step])
        same = same[recording[same] != recording[same + step]]
        votes.append(np.stack([recording[same], recording[same + step], (at[same + step] - at[same]) // 3], axis=1))
    places, counts = np.unique(np.concatenate(votes), axis=0, return_counts=True)
    best: Pairs = {}
    for (left, right, _), count in zip(places.tolist(), counts.tolist(), strict=True):
        score = count / max(min(totals[left], totals[right]), 1)
        best[left, right] = max(best.get((left, right), 0.0), float(score))
    return best


def encoded(samples: Samples, container: str, codec: str, kbits: int, rate: int) -> Samples:
    """Encode and decode again."""
    resampled = samples if rate == SAMPLING_RATE else soxr.resample(samples, SAMPLING_RATE, rate)
    pcm = np.ascontiguousarray((np.clip(resampled, -1, 1) * 32767).astype(np.int16)[np.newaxis])
    file = io.BytesIO()
    with av.open(file, "w", format=container) as out:
        stream = out.add_stream(codec, rate=rate, layout="mono")
        stream.bit_rate = kbits * 1000
        stream.codec_context.open()
        frame = av.AudioFrame.from_ndarray(pcm, format="s16", layout="mono")
        frame.sample_rate = rate
        context = stream.codec_context
        fitted = av.AudioResampler(context.format.name, "mono", rate, frame_size=context.frame_size or 1024)
        for part in (*fitted.resample(frame), *fitted.resample(None)):
            out.mux(stream.encode(part))
        out.mux(stream.encode(None))
    file.seek(0)
    with av.open(file) as back:
        fitted = av.AudioResampler("fltp", "mono", SAMPLING_RATE)
        parts = [part for frame in back.decode(audio=0) for part in fitted.resample(frame)] + fitted.resample(None)
    return np.concatenate([part.to_ndarray()[0] for part in parts])


def in_noise(samples: Samples, noise: Samples, snr_db: float, random: np.random.Generator) -> Samples:
    part = np.resize(np.roll(noise, -int(random.integers(len(noise)))), len(samples))
    return samples + part * np.sqrt((samples**2).mean() / (part**2).mean() / 10 ** (snr_db / 10))


def at_tempo(samples: Samples, factor: float) -> Samples:
    graph = av.filter.Graph()
    source = graph.add_abuffer(sample_rate=SAMPLING_RATE, format="flt", layout="mono")
    tempo, sink = graph.add("atempo", str(factor)), graph.add("abuffersink")
    source.link_to(tempo)
    tempo.link_to(sink)
    graph.configure()
    frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(samples[np.newaxis], np.float32), "flt", "mono")
    frame.sample_rate, frame.pts = SAMPLING_RATE, 0
    graph.push(frame)
    graph.push(None)
    return np.concatenate(list(_pulled(graph)))


def _pulled(graph: av.filter.Graph) -> Iterator[Samples]:
    while True:
        try:
            yield graph.pull().to_ndarray()[0]
        except (BlockingIOError, EOFError):
            return


def with_intro(samples: Samples) -> Samples:
    """Put 20 seconds of chords before it, or a third of its length: the same in all recordings."""
    random = np.random.default_rng(7)
    seconds = np.arange(20 * SAMPLING_RATE) / SAMPLING_RATE
    intro = np.zeros(len(seconds))
    for beat in range(40):
        tone = sum(np.sin(2 * np.pi * pitch * seconds) for pitch in random.uniform(200, 2500, 4))
        intro += 0.05 * tone * np.exp(-6 * np.abs(seconds - beat / 2)) * (seconds >= beat / 2)
    return np.concatenate([intro[: min(len(intro), len(samples) // 3)], samples])


KINDS: dict[str, Callable[[Samples, Samples, np.random.Generator], Samples]] = {
    "mp3_32": lambda samples, noise, random: encoded(samples, "mp3", "libmp3lame", 32, 22_050),
    "mp3_64": lambda samples, noise, random: encoded(samples, "mp3", "libmp3lame", 64, 44_100),
    "aac_48": lambda samples, noise, random: encoded(samples, "mp4", "aac", 48, 24_000),
    "opus_32": lambda samples, noise, random: encoded(samples, "ogg", "libopus", 32, 48_000),
    "trimmed": lambda samples, noise, random: samples[len(samples) // 10 : -len(samples) // 10],
    "noise_20_db": lambda samples, noise, random: in_noise(samples, noise, 20, random),
    "noise_15_db": lambda samples, noise, random: in_noise(samples, noise, 15, random),
    "noise_10_db": lambda samples, noise, random: in_noise(samples, noise, 10, random),
    "quieter": lambda samples, noise, random: samples * 0.2,
    "slower": lambda samples, noise, random: soxr.resample(samples, 98, 100),
    "faster": lambda samples, noise, random: soxr.resample(samples, 102, 100),
    "slower_tempo": lambda samples, noise, random: at_tempo(samples, 0.98),
    "faster_tempo": lambda samples, noise, random: at_tempo(samples, 1.02),
    "intro": lambda samples, noise, random: with_intro(samples),
    "faster_noise_15_db_mp3": lambda samples, noise, random: encoded(
        in_noise(soxr.resample(samples, 102, 100), noise, 15, random), "mp3", "libmp3lame", 48, 22_050
    ),
}


def audio_speed(options: argparse.Namespace) -> list[Row]:
    rows = []
    if DATA.is_dir():
        samples = np.concatenate([speech(name) for name in halves(60)[0]]).astype(np.float32)
        began = time.process_time()
        made = landmarks(samples)
        took, seconds = time.process_time() - began, len(samples) / SAMPLING_RATE
        about: Row = {"bytes_an_hour": round(len(made) / seconds * 3600)}
        rows.append(row("landmarks", "x real time", round(seconds / took), None, None, about))
    random = np.random.default_rng(0)
    prints = [made_up(random) for _ in range(options.recordings)]
    copies = prints[: options.recordings // 100]
    began = time.process_time()
    found = near_duplicates([*prints, *copies])
    took = round(time.process_time() - began, 1)
    about = {
        "recordings": len(prints),
        "hours": round(len(prints) * 180 / 3600),
        "found": len(found.left),
        "planted": len(copies),
        "rss_mb": peak_mb(),
    }
    return [*rows, row("near_audio_matching", "s", took, None, None, about)]


def made_up(random: np.random.Generator) -> bytes:
    """Return landmarks of three minutes, as many as speech has."""
    count = 180 * 25
    time_of = np.sort(random.integers(0, 180 * TICKS, count))
    frequency = np.rint(random.uniform(np.log2(200), np.log2(4000), count) * OCTAVE).astype(np.int64)
    return encode([(time_of, frequency)], 180 * SAMPLING_RATE)


def text(options: argparse.Namespace) -> list[Row]:
    texts, planted = sentences(options.texts, np.random.default_rng(0))
    before = peak_mb()
    began = time.process_time()
    near = near_texts(texts, 0.8)
    took = time.process_time() - began
    pairs = set(zip(near.left.tolist(), near.right.tolist(), strict=True))
    wanted = [tuple(sorted((int(near.group[left]), int(near.group[right])))) for left, right in planted]
    wrong = sum(_jaccard(texts[left], texts[right]) < 0.8 for left, right in pairs)
    about = {
        "texts": len(texts),
        "rss_mb": peak_mb(),
        "rss_before_mb": before,
        "planted": len(wanted),
        "recall": round(sum(pair in pairs for pair in wanted) / len(wanted), 5),
        "pairs": len(pairs),
        "precision": round(1 - wrong / max(len(pairs), 1), 5),
    }
    return [row("near_texts", "s", round(took, 1), None, None, about)]


def sentences(count: int, random: np.random.Generator) -> tuple[list[str], list[tuple[int, int]]]:
    """Make sentences of 4 to 16 words; in a fiftieth, one word of another sentence is changed."""
    rank = np.arange(1, 50_001)
    lengths = random.integers(4, 17, count)
    words = [f"w{number}" for number in random.choice(len(rank), lengths.sum(), p=1 / rank / (1 / rank).sum()).tolist()]
    ends = np.cumsum(lengths).tolist()
    texts = [" ".join(words[end - length : end]) for end, length in zip(ends, lengths.tolist(), strict=True)]
    planted = []
    for number, source in enumerate(random.choice(count // 2, count // 50, replace=False).tolist()):
        changed = texts[source].split()
        if len(changed) >= 10:
            changed[len(changed) // 2] = f"changed{number}"
            texts[count // 2 + number] = " ".join(changed)
            planted.append((source, count // 2 + number))
    return texts, planted


def _jaccard(one: str, other: str) -> float:
    mine, its = one.split(), other.split()
    shared = sum(min(mine.count(word), its.count(word)) for word in {*mine})
    return shared / (len(mine) + len(its) - shared)


def peak_mb() -> int:
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


ROWS: dict[str, Callable[[argparse.Namespace], list[Row]]] = {"audio": audio, "audio_speed": audio_speed, "text": text}

if __name__ == "__main__":
    main()
