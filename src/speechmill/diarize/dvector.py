# SPDX-License-Identifier: Apache-2.0
"""Speakers by clustering d-vectors, in numpy: no torch, no scikit-learn.

Windows of 1.6 s within speech are embedded by Resemblyzer's voice encoder and grouped; see
`_voice_encoder` and `_speakers`. Every instant of speech gets exactly one speaker: overlap isn't detected.
"""

from __future__ import annotations

import bisect
import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from msgspec import Meta, Struct
from numpy.typing import NDArray

from speechmill.core import devices
from speechmill.core.errors import ItemError
from speechmill.core.stage import Audio, Context
from speechmill.core.types import Interval, Turn
from speechmill.diarize._changes import dissolve, steady
from speechmill.diarize._clustering import Floats, Labels, centroids
from speechmill.diarize._served_encoder import SERVED_AS, ServedEncoder, graph
from speechmill.diarize._speakers import Limits, find_speakers
from speechmill.diarize._turns import in_order, named
from speechmill.diarize._voice_encoder import VoiceEncoder
from speechmill.diarize._windows import Window, mels, windows_of
from speechmill.models.tensors import read_torch

VERSION = "1"
REQUIRES = ()
MODELS = ("dvector",)
LANGUAGES = None
DEVICES = ("cpu", "cuda", "triton")

_PREFIX = "model_state."  # of the network's tensors in the file; the optimiser's lie beside them


class Config(Struct, frozen=True, forbid_unknown_fields=True):
    """Tuned on mixtures of 1 to 5 of 251 LibriSpeech speakers: clean, over the telephone, reverberant with noise."""

    hop_s: Annotated[float, Meta(gt=0, le=1.6)] = 0.8  # half a window: each instant is heard twice
    min_interval_s: Annotated[float, Meta(ge=0)] = 0.4  # too short to tell a voice: gets its neighbour's speaker
    distance: Annotated[float, Meta(gt=0, lt=2)] = 0.36  # cosine distance up to which average linkage merges
    contrast: Annotated[float, Meta(ge=0)] = 0.06  # cosine within less between two speakers, at least; one split: 0.04
    contrast_windows: Annotated[float, Meta(ge=0)] = 1.5  # ... and 1.5 / windows: one voice of 15 windows reaches 0.1
    contrast_share: Annotated[float, Meta(ge=0, lt=1)] = 0.4  # ... and this share of what all speakers have
    change_cosine: Annotated[float, Meta(ge=0, le=1)] = 0.5  # neighbours less alike: the speaker changes between them
    change_share: Annotated[float, Meta(gt=0, le=1)] = 0.4  # a speaker heard this much in mere changes is none
    min_speaker_s: Annotated[float, Meta(ge=0)] = 2.0  # less is laughter, noise or overlap: joins the nearest
    max_windows: Annotated[int, Meta(ge=2)] = 2000  # clustered, evenly spaced; the rest joins the nearest. 64 MB


class Backend:
    """Finds speakers with d-vectors."""

    def __init__(self, config: Config, context: Context) -> None:
        self.config = config
        tensors = _tensors(context.model_path)
        on_cpu = devices.kind(context.device) == devices.CPU
        self._encoder = VoiceEncoder(tensors) if on_cpu else ServedEncoder(tensors, context.device)
        self._limits = Limits(
            distance=config.distance,
            contrast=config.contrast,
            contrast_windows=config.contrast_windows,
            relative=config.contrast_share,
            min_speaker_s=config.min_speaker_s,
        )

    def diarize(self, audio: Audio, speech: Sequence[Interval], num_speakers: int | None) -> list[Turn]:
        """Return turns that divide the speech: each instant of it is in exactly one.

        speech: of each channel, disjoint. Channels are clustered together: one speaker may be on several.
        Raises ItemError where num_speakers is less than one.
        """
        if num_speakers is not None and num_speakers < 1:
            raise ItemError("bad-num-speakers", f"a recording has 1 or more speakers, not {num_speakers}")
        parts = sorted(in_order(speech), key=lambda part: part.channel)  # stable: time order stays
        least = self.config.min_interval_s if num_speakers != 1 else math.inf
        groups = [windows_of(part, self.config.hop_s) if part.duration >= least else [] for part in parts]
        windows = [window for group in groups for window in group]
        speakers: list[int] = self._speakers(audio, windows, num_speakers).tolist()
        turns, done = [], 0
        for part, group in zip(parts, groups, strict=True):
            if group:
                turns += _divided(part, group, speakers[done : done + len(group)])
            else:
                turns.append((part, _nearest(part, windows, speakers)))
            done += len(group)
        return named(turns)

    def embed(self, audio: Audio, windows: Sequence[Window]) -> Floats:
        """Embed windows, (num_windows, 256); see `_windows.mels` for their order."""
        found = [self._encoder.embed(part) for part in mels(audio, windows)]
        return np.concatenate(found) if found else self._encoder.embed(np.zeros((0, 160, 40), np.float32))

    def _speakers(self, audio: Audio, windows: Sequence[Window], num_speakers: int | None) -> Labels:
        if len(windows) < 2:
            return np.zeros(len(windows), dtype=np.int64)
        embeddings = self.embed(audio, windows)
        seconds = np.array([window.end - window.start for window in windows])
        joined = _joined(windows)
        chosen = whole = np.flatnonzero(steady(embeddings, joined, self.config.change_cosine))
        if len(whole) > self.config.max_windows:
            chosen = whole[np.linspace(0, len(whole) - 1, self.config.max_windows).round().astype(np.int64)]
        # Each stands for as much speech as it was chosen from, so that min_speaker_s keeps its meaning.
        share = seconds[chosen] * (seconds[whole].sum() / seconds[chosen].sum())
        found = find_speakers(embeddings[chosen], share, self._limits, num_speakers)
        nearest = embeddings @ centroids(embeddings[chosen], found, share).T
        labels: Labels = np.argmax(nearest, axis=1).astype(np.int64)
        labels[chosen] = found
        if num_speakers is None:
            labels = dissolve(embeddings, seconds, labels, joined, self.config.change_share)
        return labels


def _joined(windows: Sequence[Window]) -> NDArray[np.bool_]:
    """Tell which windows lie in the same interval as the one before: their stretches touch."""
    touch = [one.end == other.start and one.channel == other.channel for one, other in itertools.pairwise(windows)]
    return np.array([False, *touch])


def networks(model_path: Callable[[str], Path]) -> dict[str, bytes]:
    """Return what a server can have, by name."""
    return {SERVED_AS: graph(_tensors(model_path))}


def _tensors(model_path: Callable[[str], Path]) -> dict[str, NDArray[Any]]:
    return _network(read_torch(model_path(MODELS[0]) / "pretrained.pt"))


def _network(tensors: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    return {name.removeprefix(_PREFIX): array for name, array in tensors.items() if name.startswith(_PREFIX)}


def _divided(part: Interval, windows: Sequence[Window], speakers: Sequence[int]) -> list[tuple[Interval, int]]:
    """Divide an interval among the speakers of its windows; one speaker's stretches in a row are one turn."""
    turns: list[tuple[Interval, int]] = []
    start = part.start
    for index, speaker in enumerate(speakers):
        if index + 1 < len(speakers) and speakers[index + 1] == speaker:
            continue
        end = windows[index].end
        turns.append((Interval(start, end - start, part.channel), speaker))
        start = end
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
