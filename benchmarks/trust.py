# SPDX-License-Identifier: Apache-2.0
"""How far the scores that no reference checks can be trusted, on speech that nothing was tuned on.

Row `transcript_confidence`: expected against true word accuracy of segments, with Brier score, calibration error (ECE)
and correlation; the baseline is the mean of the recogniser's word posteriors, taken as it is. Row `..._given` is the
same of given texts, true ones and damaged ones, by agreement with pocketsphinx; the baseline is the agreement itself.
Row `music`: area under the curve of music and noise against speech, of kinds and speakers that calibrated nothing; the
baseline is the VAD's share of speech. Row `snr`: mean error in dB against WADA's, in noise of 0 to 20 dB; the
readings' own noise counts as speech there, so that any honest estimate reads low at 15 dB and above.
Row `bandwidth`: mean error in Hz on resampled speech; the baseline believes the sampling rate.

What tuned what: benchmarks/tuning/trust.py and music.py on their development parts; SNR's constants on 50 speakers of
LibriSpeech train-clean-100. Test: three readers of test-other, three speakers of digits and the Austen readings; 60
other speakers of train-clean-100. CPU seconds are not compared: these scores cost less than decoding.

    python benchmarks/trust.py [--rows transcript_confidence,music,snr,bandwidth] [--kept FOLDER] [--each 10]
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import soxr

from speechmill.core.errors import Unscorable
from speechmill.core.timebase import WORKING_HZ
from speechmill.core.types import Interval
from speechmill.formats.array_audio import ArrayAudio
from speechmill.measures.bandwidth import bandwidth_hz
from speechmill.measures.snr import snr_db
from speechmill.measures.wada import wada_snr_db
from speechmill.quality import Cut, music
from speechmill.quality._trust import SIDES, models
from speechmill.stages.quality import clip
from speechmill.vad import silero
from tuning.sounds import sounds
from tuning.trust import KEPT
from tuning.trust_examples import Example, examples
from tuning.trust_speech import CONTEXT, DATA, decode, mixed

Row = dict[str, Any]
BINS = 10


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", default=",".join(ROWS))
    parser.add_argument("--kept", type=Path, default=KEPT, help="folder for what recognisers heard")
    parser.add_argument("--each", type=int, default=10, help="clips of a kind of music and noise")
    options = parser.parse_args()
    if not DATA.is_dir():
        raise SystemExit(f"no speech to measure on: {DATA} is absent")
    rows = [row for name in options.rows.split(",") for row in ROWS[name](options)]
    print(json.dumps({"rows": rows}))


def transcript_confidence(options: argparse.Namespace) -> list[Row]:
    found = examples("test", options.kept)
    own = [one for one in found if one.transcript == "pocketsphinx"]
    given = [one for one in found if one.transcript == "sidecar"]
    posterior, agreement = "mean word posterior alone", "1 - WER of the second recogniser alone"
    return [
        _calibration("transcript_confidence", own, {"posterior"}, posterior, lambda one: one.evidence["posterior"]),
        _calibration(
            "transcript_confidence_second", own, {"posterior", "agreement"}, posterior,
            lambda one: one.evidence["posterior"],
        ),
        _calibration(
            "transcript_confidence_given", given, {"agreement"}, agreement, lambda one: one.evidence["agreement"] ** 2
        ),
    ]  # fmt: skip


def _calibration(
    name: str, found: Sequence[Example], sides: set[str], baseline_name: str, baseline: Callable[[Example], float]
) -> Row:
    model = next(one for one in models() if one.transcript == found[0].transcript and one.evidence == SIDES & sides)
    expected = np.array([model.probability(one.evidence) for one in found])
    true, other = np.array([one.accuracy for one in found]), np.array([baseline(one) for one in found])
    ours, theirs = _brier(expected, true), _brier(other, true)
    row = {
        "name": name, "unit": "Brier score", "ours": ours, "baseline": theirs, "baseline_name": baseline_name,
        "ratio": round(theirs / ours, 2), "ece": _ece(expected, true), "baseline_ece": _ece(other, true),
        "r": _r(expected, true), "baseline_r": _r(other, true), "segments": len(found),
        "variance": round(float(np.var(true)), 4), "curve": _curve(expected, true),
    }  # fmt: skip
    print(f"{name}: Brier {ours} (baseline {theirs}), ECE {row['ece']}, r {row['r']}", file=sys.stderr)
    for low, count, mean, accuracy in row["curve"]:
        print(
            f"  {low:.1f}..{low + 0.1:.1f}  {count:4d} segments  expected {mean:.2f}  true {accuracy:.2f}",
            file=sys.stderr,
        )
    return row


def _brier(expected: np.ndarray, true: np.ndarray) -> float:
    return round(float(np.mean((expected - true) ** 2)), 4)


def _r(expected: np.ndarray, true: np.ndarray) -> float:
    return round(float(np.corrcoef(expected, true)[0, 1]), 3)


def _curve(expected: np.ndarray, true: np.ndarray) -> list[tuple[float, int, float, float]]:
    """(lower edge, segments, mean expected, mean true) of tenths that have segments."""
    tenth = np.clip((expected * BINS).astype(int), 0, BINS - 1)
    groups = [(k, tenth == k) for k in range(BINS) if (tenth == k).any()]
    return [
        (k / BINS, int(mine.sum()), round(float(expected[mine].mean()), 3), round(float(true[mine].mean()), 3))
        for k, mine in groups
    ]


def _ece(expected: np.ndarray, true: np.ndarray) -> float:
    rows = _curve(expected, true)
    return round(sum(count * abs(mean - accuracy) for _, count, mean, accuracy in rows) / len(true), 4)


def music_row(options: argparse.Namespace) -> list[Row]:
    backend, vad = music.Backend(music.Config(), CONTEXT), silero.Backend(silero.Config(), CONTEXT)
    scored: dict[str, list[tuple[float, float]]] = {}
    for sound in sounds("test", options.each):
        spoken = sum(one.duration for one in vad.speech(ArrayAudio([sound.samples]), 0))
        value = backend.score(Cut(sound.samples))["music"]
        scored.setdefault(sound.label, []).append((value, 1 - spoken * WORKING_HZ / len(sound.samples)))
    other = np.array(scored["music"] + scored["noise"])
    speech = np.array(scored["speech"] + scored["noisy-speech"] + scored["over-music"])
    ours, theirs = (_auc(other[:, i], speech[:, i]) for i in (0, 1))
    means = {label: round(float(np.mean([value for value, _ in rows])), 3) for label, rows in scored.items()}
    print(f"music: AUC {ours} (1 - share of speech: {theirs}); mean scores {means}", file=sys.stderr)
    heard = np.array(scored["music"])[:, 1] < 0.5
    return [
        {
            "name": "music", "unit": "AUC", "ours": ours, "baseline": theirs,
            "baseline_name": "1 - silero's speech share",
            "ratio": round(ours / theirs, 3), "means": means, "music_taken_for_speech_by_vad": int(heard.sum()),
            "clips": len(other) + len(speech),
        }
    ]  # fmt: skip


def _auc(high: np.ndarray, low: np.ndarray) -> float:
    return round(float((high[:, None] > low).mean() + 0.5 * (high[:, None] == low).mean()), 4)


def snr_row(options: argparse.Namespace) -> list[Row]:
    random = np.random.default_rng(41)
    noise = decode(DATA / "noise_rir" / "noise1.flac")
    noise = noise[len(noise) // 2 :]
    exact, vad = silero.Backend(silero.Config(pad_ms=0), CONTEXT), silero.Backend(silero.Config(), CONTEXT)
    errors: list[tuple[str, float, float, float]] = []
    for path in sorted((DATA / "librispeech_test_other").rglob("*.flac"))[::2]:
        clean = decode(path)
        truth = exact.speech(ArrayAudio([clean]), 0)
        for wanted in (0.0, 5.0, 10.0, 15.0, 20.0):
            kind = random.random() < 0.5
            added = np.resize(np.roll(noise, random.integers(len(noise))), len(clean)) if kind else None
            added = random.standard_normal(len(clean)).astype(np.float32) if added is None else added
            noisy = mixed(clean, added, wanted)
            errors += _snr_errors(clean, noisy, truth, vad.speech(ArrayAudio([noisy]), 0))
    rows = []
    for name, kinds in (("snr", ("whole", "tight")), ("snr_tight", ("tight",))):
        mine = np.array([[ours, theirs] for kind, _true, ours, theirs in errors if kind in kinds])
        ours, theirs = (round(float(np.abs(mine[:, i]).mean()), 2) for i in (0, 1))
        bias = {
            f"{low} to {low + 5} dB": round(float(np.mean(chosen)), 2)
            for low in range(-5, 20, 5)
            if (chosen := [o for kind, true, o, _ in errors if kind in kinds and low <= true < low + 5])
        }
        print(f"{name}: {ours} dB (WADA {theirs} dB), bias {bias}", file=sys.stderr)
        rows.append(
            {
                "name": name, "unit": "mean absolute error, dB", "ours": ours, "baseline": theirs,
                "baseline_name": "WADA", "ratio": round(theirs / ours, 2), "bias": bias, "cuts": len(mine),
            }
        )  # fmt: skip
    return rows


def _snr_errors(
    clean: np.ndarray, noisy: np.ndarray, truth: Sequence[Interval], heard: Sequence[Interval]
) -> list[tuple[str, float, float, float]]:
    """Errors in the whole recording, and in its longest stretch of speech cut without a pause."""
    if not heard or not truth:
        return []
    longest = max(heard, key=lambda one: one.duration)
    cuts = [("whole", 0.0, len(noisy) / WORKING_HZ), ("tight", longest.start, longest.duration)]
    # `mixed` may have scaled both; least squares finds by how much.
    gain = float(np.dot(noisy, clean) / np.dot(clean, clean))
    found = []
    for kind, start, duration in cuts:
        place = slice(round(start * WORKING_HZ), round((start + duration) * WORKING_HZ))
        speaks = np.zeros(len(noisy), bool)
        for one in truth:
            speaks[round(one.start * WORKING_HZ) : round(one.end * WORKING_HZ)] = True
        signal, rest = gain * clean[place], noisy[place] - gain * clean[place]
        if not speaks[place].any() or not rest.any():
            continue
        true = float(10 * np.log10(np.mean(signal[speaks[place]] ** 2) / np.mean(rest**2)))
        try:
            ours = snr_db(noisy[place], clip(heard, start, duration, 0))
            found.append((kind, true, ours - true, wada_snr_db(noisy[place]) - true))
        except Unscorable:
            continue
    return found


def bandwidth_row(options: argparse.Namespace) -> list[Row]:
    errors = []
    for path in sorted((DATA / "librispeech_test_other").rglob("*.flac"))[::3]:
        samples = decode(path)
        for rate in (8_000, 11_025, 16_000):
            narrow = soxr.resample(samples, WORKING_HZ, rate)
            wide = (np.round(soxr.resample(narrow, rate, 24_000) * 32767) / 32768).astype(np.float32)
            errors.append((bandwidth_hz(wide) - rate / 2, 12_000 - rate / 2))
    ours, theirs = (round(float(np.abs(column).mean())) for column in np.array(errors).T)
    print(f"bandwidth: {ours} Hz ({theirs} Hz where the sampling rate is believed)", file=sys.stderr)
    return [
        {
            "name": "bandwidth", "unit": "mean absolute error, Hz", "ours": ours, "baseline": theirs,
            "baseline_name": "half the sampling rate", "ratio": round(theirs / ours, 1), "cuts": len(errors),
        }
    ]  # fmt: skip


ROWS: dict[str, Callable[[argparse.Namespace], list[Row]]] = {
    "transcript_confidence": transcript_confidence,
    "music": music_row,
    "snr": snr_row,
    "bandwidth": bandwidth_row,
}

if __name__ == "__main__":
    main()
