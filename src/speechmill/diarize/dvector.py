# SPDX-License-Identifier: Apache-2.0
"""Speakers by clustering d-vectors: no torch, no scikit-learn.

Windows of 1.6 s within speech are embedded by Resemblyzer's voice encoder, grouped and smoothed in time; see
`_voice_encoder` and `_speakers`. A speaker's turn goes on over a short pause. Every instant of speech gets exactly
one speaker: overlap isn't detected.
"""

from __future__ import annotations

import bisect
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from msgspec import Meta, Struct
from numpy.typing import NDArray

from speechmill.core.errors import ItemError
from speechmill.core.stage import Audio, Context
from speechmill.core.types import Interval, Turn
from speechmill.diarize._clustering import Floats, Heard, Labels, Seconds, means_of, smoothed
from speechmill.diarize._speakers import Limits, find_speakers
from speechmill.diarize._turns import bridged, in_order, named
from speechmill.diarize._voice_encoder import SERVED_AS, VoiceEncoder, graph
from speechmill.diarize._windows import Window, apart, halves, joined, mels, windows_of
from speechmill.models.tensors import read_torch

VERSION = "2"
REQUIRES = ()
MODELS = ("dvector",)
LANGUAGES = None
DEVICES = ("cpu", "cuda", "triton")

_PREFIX = "model_state."  # of the network's tensors in the file; the optimiser's lie beside them


class Config(Struct, frozen=True, forbid_unknown_fields=True):
    """Tuned on made conversations of 150 LibriSpeech speakers: see benchmarks/tune_diarization.py."""

    hop_s: Annotated[float, Meta(gt=0, le=1.6)] = 1.6  # a window: each instant is heard once, and twice beside a change
    fine_hop_s: Annotated[float, Meta(gt=0, le=1.6)] = 0.4  # where there is little speech: more windows to count by
    fine_windows: Annotated[int, Meta(ge=1)] = 150  # enough to count by; one minute at the fine hop
    min_interval_s: Annotated[float, Meta(ge=0)] = 0.4  # too short to tell a voice: gets its neighbour's speaker
    speaker_cost: Annotated[float, Meta(ge=0)] = 3.0  # s; saved seconds times log distance: chance gives 2 to 3
    evidence_s: Annotated[float, Meta(gt=0)] = 40.0  # s of speech that count at most: a voice halved saves 0.05 a s
    contrast: Annotated[float, Meta(ge=0)] = 0.045  # cosine within less between two speakers; one voice halved: 0.03
    change_cost: Annotated[float, Meta(ge=0)] = 0.05  # cosine that a change of speaker must win; half after a pause
    min_speaker_s: Annotated[float, Meta(gt=0)] = 1.0  # less is laughter, noise or overlap
    max_speakers: Annotated[int, Meta(ge=1)] = 10  # tried where the number isn't given
    max_windows: Annotated[int, Meta(ge=2)] = 2000  # clustered, evenly spaced; the rest joins the nearest. 64 MB
    halved_s: Annotated[float, Meta(gt=0)] = 0.9  # stretches this long beside a change are halved and heard again
    pause_s: Annotated[float, Meta(ge=0)] = 0.3  # shorter pauses belong to the turn, as in NIST's evaluations


class Backend:
    """Finds speakers with d-vectors."""

    def __init__(self, config: Config, context: Context) -> None:
        self.config = config
        self._encoder = VoiceEncoder(_tensors(context.model_path), context.device)
        self._limits = Limits(
            speaker_cost=config.speaker_cost,
            evidence_s=config.evidence_s,
            contrast=config.contrast,
            min_speaker_s=config.min_speaker_s,
            change_cost=config.change_cost,
            max_speakers=config.max_speakers,
        )

    def diarize(self, audio: Audio, speech: Sequence[Interval], num_speakers: int | None) -> list[Turn]:
        """Return turns that cover the speech: each instant of it is in exactly one, and so are short pauses.

        speech: of each channel, disjoint. Channels are clustered together: one speaker may be on several.
        Raises ItemError where num_speakers is less than one.
        """
        if num_speakers is not None and num_speakers < 1:
            raise ItemError("bad-num-speakers", f"a recording has 1 or more speakers, not {num_speakers}")
        parts = sorted(in_order(speech), key=lambda part: part.channel)  # stable: time order stays
        least = self.config.min_interval_s if num_speakers != 1 else math.inf
        hop_s = self._hop_s(sum(part.duration for part in parts))
        groups = [windows_of(part, hop_s) if part.duration >= least else [] for part in parts]
        windows, labels = self._speakers(audio, [window for group in groups for window in group], num_speakers)
        speakers: list[int] = labels.tolist()
        turns = _divided(windows, speakers)
        short = [part for part, group in zip(parts, groups, strict=True) if not group]
        turns += [(part, _nearest(part, windows, speakers)) for part in short]
        return named(bridged(turns, self.config.pause_s))

    def embed(self, audio: Audio, windows: Sequence[Window]) -> Floats:
        """Embed windows, (num_windows, 256); see `_windows.mels` for their order."""
        found = [self._encoder.embed(part) for part in mels(audio, windows)]
        return np.concatenate(found) if found else self._encoder.embed(np.zeros((0, 160, 40), np.float32))

    def _hop_s(self, speech_s: float) -> float:
        """How far apart windows are: nearer where there is little speech."""
        return min(max(speech_s / self.config.fine_windows, self.config.fine_hop_s), self.config.hop_s)

    def _speakers(self, audio: Audio, windows: list[Window], num_speakers: int | None) -> tuple[list[Window], Labels]:
        """Label windows with speakers; there are more of them where the speaker changes."""
        if len(windows) < 2:
            return windows, np.zeros(len(windows), dtype=np.int64)
        heard = Heard(self.embed(audio, windows), _seconds(windows), joined(windows))
        chosen = np.arange(len(windows))
        if len(windows) > self.config.max_windows:
            chosen = np.linspace(0, len(windows) - 1, self.config.max_windows).round().astype(np.int64)
        some = [windows[index] for index in chosen]
        # Each stands for as much speech as it was chosen from, so that limits in seconds keep their meaning.
        share = heard.seconds[chosen] * (heard.seconds.sum() / heard.seconds[chosen].sum())
        subset = Heard(heard.embeddings[chosen], share, joined(some))
        found = find_speakers(subset, apart(some), self._limits, num_speakers)
        means = means_of(subset, found)
        labels = found if len(some) == len(windows) else self._nearest_means(heard, means)
        return self._finer(audio, windows, heard.embeddings, labels, means)

    def _nearest_means(self, heard: Heard, means: Floats) -> Labels:
        return smoothed(heard.embeddings @ means.T, heard.joined, self.config.change_cost)

    def _finer(
        self, audio: Audio, windows: list[Window], embeddings: Floats, labels: Labels, means: Floats
    ) -> tuple[list[Window], Labels]:
        """Halve windows' stretches beside a change of speaker where they are long, and listen to the halves."""
        beside = joined(windows) & np.append(False, labels[1:] != labels[:-1])
        beside |= np.append(beside[1:], False)
        long = beside & (_seconds(windows) >= self.config.halved_s)
        if not long.any():
            return windows, labels
        parts = [halves(window) if halve else [window] for window, halve in zip(windows, long, strict=True)]
        finer = [window for part in parts for window in part]
        new = np.repeat(long, np.where(long, 2, 1))
        vectors = np.repeat(embeddings, np.where(long, 2, 1), axis=0)
        vectors[new] = self.embed(audio, [window for window, halved in zip(finer, new, strict=True) if halved])
        again = self._nearest_means(Heard(vectors, _seconds(finer), joined(finer)), means)
        # No speaker is lost by listening again: where their number is given it stays.
        return (finer, again) if len(np.unique(again)) == len(means) else (windows, labels)


def _seconds(windows: Sequence[Window]) -> Seconds:
    return np.array([window.end - window.start for window in windows])


def networks(model_path: Callable[[str], Path]) -> dict[str, bytes]:
    """Return what a server can have, by name."""
    return {SERVED_AS: graph(_tensors(model_path))}


def _tensors(model_path: Callable[[str], Path]) -> dict[str, NDArray[Any]]:
    return _network(read_torch(model_path(MODELS[0]) / "pretrained.pt"))


def _network(tensors: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    return {name.removeprefix(_PREFIX): array for name, array in tensors.items() if name.startswith(_PREFIX)}


def _divided(windows: Sequence[Window], speakers: Sequence[int]) -> list[tuple[Interval, int]]:
    """Divide speech among the speakers of its windows; one speaker's touching stretches are one turn."""
    turns: list[tuple[Interval, int]] = []
    start = windows[0].start if windows else 0.0
    touching = [*joined(windows).tolist()[1:], False]
    for index, (window, speaker) in enumerate(zip(windows, speakers, strict=True)):
        if touching[index] and speakers[index + 1] == speaker:
            continue
        turns.append((Interval(start, window.end - start, window.channel), speaker))
        start = windows[index + 1].start if index + 1 < len(windows) else 0.0
    return turns


def _nearest(part: Interval, windows: Sequence[Window], speakers: Sequence[int]) -> int:
    """The speaker of the window nearest in time, on the same channel if it has any; 0 where there is no window."""
    after = bisect.bisect(windows, (part.channel, part.start), key=lambda window: (window.channel, window.start))
    beside = [index for index in (after - 1, after) if 0 <= index < len(windows)]
    if not any(windows[index].channel == part.channel for index in beside):
        beside = list(range(len(windows)))

    def distance(index: int) -> tuple[bool, float]:
        window = windows[index]
        return window.channel != part.channel, max(window.start - part.end, part.start - window.end)

    return speakers[min(beside, key=distance)] if beside else 0
