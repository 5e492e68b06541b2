# SPDX-License-Identifier: Apache-2.0
"""Damaged speech with its true STOI and PESQ, for the quality estimator.

An example is a stretch of a clean clip, damaged by families of its split (damage.py), reduced to features, with
labels of `speechmill.measures.stoi` and the package `pesq` against the clean stretch. Every example has a seed of
its own: the same split, number and seed give the same example, whatever was made before. `varied` is more of `train`,
its noises coloured and gated at random and its rooms more distant.
"""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

import av
import numpy as np
import soxr
from scipy.signal import fftconvolve

import damage
from damage import HZ, Material, Rng, Signal
from speechmill.core.errors import Unscorable
from speechmill.measures.stoi import span_scores
from speechmill.quality._spectrogram import HOP, log_mel

SPLITS = Path(__file__).with_name("quality_est_splits.toml")
SHORTEST_S, LONGEST_S = 1.0, 20.0
SNR_DB = (-5.0, 40.0)
LEVEL_DB = (-42.0, -14.0)  # power of speech, before clipping codecs and 16 bits
STEP = 4 * HOP  # samples of one step of the network
WARP = 0.1  # voices are made up to so much slower or faster, in training only
SHARES = {"room": 0.2, "noise": 0.65, "second noise": 0.15, "processing": 0.4, "second processing": 0.15}
VARIED = {**SHARES, "second noise": 0.35}


def load(path: Path) -> Signal:
    """Decode a mono file at 16 kHz."""
    with av.open(str(path)) as container:
        frames = [frame.to_ndarray().reshape(-1) for frame in container.decode(audio=0)]
    return np.concatenate(frames).astype(np.float64) / 32768


class Split:
    """One split's clips and families; makes its examples."""

    def __init__(self, data: Path, name: str) -> None:
        table = tomllib.loads(SPLITS.read_text(encoding="utf-8"))
        families = table[{"other": "test", "varied": "train"}.get(name, name)]
        self.warped, self.varied = name in ("train", "varied"), name == "varied"
        self.shares = VARIED if self.varied else SHARES
        self.noises, self.processing = families["noise"], families["processing"]
        noise_rir = data / "noise_rir"
        self.material = Material(_speech(data, name, families["speakers"]))
        if "recorded" in self.noises:
            self.material.recorded.append(load(noise_rir / "noise1.flac"))
        self.material.rooms = [
            damage.recorded_room(load(noise_rir / f"{room}.flac"))
            for room in families["rooms"]
            if room != "exponential"
        ]

    def example(self, seed: int, number: int) -> dict[str, Any] | None:
        """Features, labels and what was done; None where PESQ or STOI finds no speech."""
        from pesq import PesqError, pesq

        rng = np.random.default_rng([seed, number])
        clean = self._stretch(rng)
        damaged, done = self._damaged(rng, clean)
        damaged = np.round(np.clip(damaged, -1, 1) * 32767) / 32768
        try:
            middles, spans = span_scores(clean, damaged)
            score = pesq(HZ, clean.astype(np.float32), damaged.astype(np.float32), "wb")
        except (Unscorable, PesqError):
            return None
        features = log_mel(damaged.astype(np.float32))
        steps, known = _per_step(middles, spans, len(features))
        return {
            "features": features.astype(np.float16),
            "stoi": float(spans.mean()),
            "pesq": float(score),
            "steps": steps,
            "known": known,
            "done": json.dumps({"seconds": len(clean) / HZ, **done}),
        }

    def _stretch(self, rng: Rng) -> Signal:
        while True:
            clip = self.material.speech[rng.integers(len(self.material.speech))]
            if self.warped and rng.random() < 0.6:
                clip = soxr.resample(clip, HZ, HZ * rng.uniform(1 - WARP, 1 + WARP))
            longest = min(LONGEST_S, len(clip) / HZ)
            num_samples = int(np.exp(rng.uniform(np.log(min(SHORTEST_S, longest)), np.log(longest))) * HZ)
            start = int(rng.integers(len(clip) - num_samples + 1))
            part = clip[start : start + num_samples]
            if np.sqrt(np.mean(part**2)) > 0.25 * np.sqrt(np.mean(clip**2)):  # else it is mostly a pause
                return damage.unit(part) * 10 ** (rng.uniform(*LEVEL_DB) / 20)

    def _damaged(self, rng: Rng, clean: Signal) -> tuple[Signal, dict[str, Any]]:
        samples, done = clean.copy(), {"noise": [], "processing": [], "room": False, "snr_db": None}
        if rng.random() < self.shares["room"]:
            samples, done["room"] = fftconvolve(samples, self._room(rng))[: len(clean)], True
        for _ in range(self._times(rng, "noise")):
            name, snr_db = str(rng.choice(self.noises)), float(rng.uniform(*SNR_DB))
            noise = damage.NOISES[name](rng, len(clean), self.material)
            noise = damage.unit(damage.varied(rng, noise) if self.varied else noise)
            samples = samples + noise * np.sqrt(np.mean(clean**2)) * 10 ** (-snr_db / 20)
            done["noise"].append(name)
            done["snr_db"] = snr_db
        for _ in range(self._times(rng, "processing")):
            name = str(rng.choice(self.processing))
            samples = damage.PROCESSING[name](rng, samples)
            done["processing"].append(name)
        return samples, done

    def _times(self, rng: Rng, kind: str) -> int:
        """None, one, or two of a kind."""
        draw, once = rng.random(), self.shares[kind]
        return int(draw < once) + int(draw < once * self.shares[f"second {kind}"])

    def _room(self, rng: Rng) -> Signal:
        rooms = self.material.rooms
        if rooms:
            return rooms[rng.integers(len(rooms))]
        return damage.exponential_room(rng, -12.0 if self.varied else -6.0)


def _speech(data: Path, name: str, speakers: list[int]) -> list[Signal]:
    if name == "other":
        return [load(path) for path in sorted((data / "librispeech_test_other").glob("*/*.flac"))]
    wanted = {str(speaker) for speaker in speakers}
    clips = sorted((data / "librispeech_train_speakers").glob("*.flac"))
    return [load(path) for path in clips if path.name.split("-")[0] in wanted]


def _per_step(middles: Signal, spans: Signal, num_frames: int) -> tuple[np.ndarray, np.ndarray]:
    """STOI's spans on the network's own steps of 64 ms, and which steps have one within 0.1 s."""
    times = (np.arange(num_frames // 4) * STEP + STEP / 2) / HZ
    nearest = np.abs(middles[np.searchsorted(middles, times).clip(0, len(middles) - 1)] - times)
    return np.interp(times, middles, spans).astype(np.float16), nearest < 0.1


def make(data: Path, folder: Path, name: str, count: int, seed: int, part: int, parts: int) -> None:
    """Make every `parts`-th of a split's examples from `part` on; write shards of 200 as they come."""
    split, shard, number = Split(data, name), [], part
    for number in range(part, count, parts):
        found = split.example(seed, number)
        if found is not None:
            shard.append(found)
        if len(shard) == 200:
            _write(folder / f"{name}-{part}-{number:07d}.npz", shard)
            shard = []
    if shard:
        _write(folder / f"{name}-{part}-{number:07d}.npz", shard)


def _write(path: Path, shard: list[dict[str, Any]]) -> None:
    lengths = np.array([len(example["features"]) for example in shard])
    joined = {key: np.concatenate([example[key] for example in shard]) for key in ("features", "steps", "known")}
    single = {key: np.array([example[key] for example in shard]) for key in ("stoi", "pesq", "done")}
    temporary = path.with_name(f".{path.name}")
    with temporary.open("wb") as file:
        np.savez(file, lengths=lengths, **joined, **single)
    temporary.replace(path)
