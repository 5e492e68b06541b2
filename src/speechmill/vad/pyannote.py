# SPDX-License-Identifier: Apache-2.0
"""VAD from pyannote's segmentation-3.0, as an ONNX file on onnxruntime: no torch, no telemetry.

The network says for each 17 ms of a 10-second window which of seven sets of up to three speakers is heard: nobody, one
of them, or two. Speech is what isn't nobody, averaged over the windows that see a moment. The weights come from a
local folder or a hub; `pyannote/segmentation-3.0` itself is gated and in PyTorch's format, so what is loaded is an
export of it. A token for a gated repository is the hub library's own business (HF_TOKEN, `hf auth login`), never an
option. This is no diarization, and pyannote.audio isn't used: it needs a torchaudio that fits its torch.
Source: Plaquet and Bredin, Powerset multi-class cross entropy loss, Interspeech 2023; windows, averaging and times
follow pyannote.audio's Inference and Binarize, but for probabilities instead of each window's hard decision.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from msgspec import Meta, Struct, structs

from speechmill.core.errors import FormatError
from speechmill.core.stage import Audio, Context, Samples
from speechmill.core.timebase import WORKING_HZ, to_samples
from speechmill.core.types import Interval
from speechmill.models import hub
from speechmill.models.inference import session
from speechmill.vad._hysteresis import intervals, limits, stretches

VERSION = "1"
REQUIRES = ()
MODELS = ()
LANGUAGES = None
DEVICES = ("cpu", "cuda")
NOT_IDENTITY = ("model", "revision", "download_root")  # which weights is said by model_digest

WINDOW = 160_000  # samples: the ten seconds that the network was trained on
HOP = 270  # samples between frames
FRAME = 991  # samples that a frame sees
SCORES = ((WINDOW - FRAME) // HOP + 1, 7)  # of a window's 589 frames: nobody, three speakers, three pairs

_NEEDED = ("onnx/model.onnx or model.onnx",)


class Config(Struct, frozen=True, forbid_unknown_fields=True):
    """Which weights, and pyannote's thresholds and lengths."""

    model: str = "onnx-community/pyannote-segmentation-3.0"  # a hub id, or a folder; an export that isn't gated
    revision: str | None = None  # commit of a hub's repository; None is its newest, which may change
    download_root: str | None = None  # folder of fetched weights; None is the hub library's own cache
    step_s: Annotated[float, Meta(gt=0, le=10)] = 1.0  # between windows: pyannote's; 5 costs a fifth
    threshold: Annotated[float, Meta(gt=0, lt=1)] = 0.5  # probability from which on a frame is speech
    neg_threshold: Annotated[float, Meta(gt=0, lt=1)] | None = None  # ends speech; None: as threshold
    min_speech_ms: Annotated[float, Meta(ge=0)] = 0.0  # pyannote's min_duration_on
    min_silence_ms: Annotated[float, Meta(ge=0)] = 0.0  # pyannote's min_duration_off
    pad_ms: Annotated[float, Meta(ge=0)] = 0.0  # on both sides
    max_speech_s: Annotated[float, Meta(gt=0)] | None = None  # None: no limit; else split at a pause of 98 ms, or hard


def rebase(config: Config, base: Path) -> Config:
    """Let a local model's folder start where the corpus file is."""
    return structs.replace(config, model=hub.rebased(config.model, base))


def prepare(config: Config) -> None:
    """Have the weights here before work starts. Raises MissingModel."""
    hub.folder(_weights(config))


def model_digest(config: Config) -> str:
    """Identify the weights; see `hub.identity`."""
    return hub.identity(_weights(config))


def _weights(config: Config) -> hub.Weights:
    return hub.Weights("vad pyannote", config.model, _NEEDED, (), config.revision, config.download_root)


class Backend:
    """Finds speech with pyannote's segmentation network.

    Raises MissingModel where the weights are neither here nor to be had, FormatError where they are something else.
    """

    def __init__(self, config: Config, context: Context) -> None:
        self.config = config
        folder = hub.folder(_weights(config))
        self._file = next(file for file in (folder / "onnx/model.onnx", folder / "model.onnx") if file.is_file())
        opened: Any = session(self._file, name="pyannote_segmentation", device=context.device, bounded=True)
        self._session, self._input = opened, opened.get_inputs()[0].name

    def probabilities(self, audio: Audio, channel: int) -> Samples:
        """Return the probability of speech in each 270 samples, (num_frames,) float32 in 0..1."""
        num_samples = to_samples(audio.duration, WORKING_HZ)
        total = np.zeros(math.ceil(num_samples / HOP) + WINDOW // HOP, np.float32)
        seen = np.zeros_like(total)
        step = to_samples(self.config.step_s, WORKING_HZ)
        for start in range(0, max(num_samples - WINDOW, 0) + step, step):
            block = audio.read(start / WORKING_HZ, WINDOW / WORKING_HZ, channel=channel, sampling_rate=WORKING_HZ)
            if len(block):
                speech = self._window(block)
                place = slice(round(start / HOP), round(start / HOP) + len(speech))
                total[place] += speech
                seen[place] += 1
        averaged = np.divide(total, np.maximum(seen, 1), dtype=np.float32)
        # Windows have 589 frames and a bit: what lies between two that don't overlap goes on as it was.
        last_seen = np.maximum.accumulate(np.where(seen > 0, np.arange(len(seen)), 0))
        num_frames = max(math.ceil((num_samples - FRAME // 2) / HOP), 0)  # whose middles are in the recording
        return averaged[last_seen[:num_frames]]

    def speech(self, audio: Audio, channel: int) -> list[Interval]:
        """Return one channel's speech, ordered and disjoint."""
        config, num_samples = self.config, to_samples(audio.duration, WORKING_HZ)
        rules = limits(config.threshold, config.neg_threshold or config.threshold, config, HOP)
        found = stretches(self.probabilities(audio, channel).tolist(), HOP, num_samples, rules)
        return intervals([_seen_from_the_middle(*part, num_samples) for part in found], audio.duration, channel)

    def _window(self, block: Samples) -> Samples:
        """(num_samples,) of at most WINDOW, filled up with zeros -> (num_frames,) probabilities."""
        padded = np.pad(block, (0, WINDOW - len(block)))[np.newaxis, np.newaxis]
        scores = self._session.run(None, {self._input: padded})[0][0]
        if scores.shape != SCORES:
            raise FormatError(f"{self._file}: scores of shape {scores.shape}, not {SCORES}: not segmentation-3.0")
        weights = np.exp(scores - scores.max(axis=1, keepdims=True))  # logits or their logarithmic softmax: no matter
        speech: Samples = weights[:, 1:].sum(axis=1) / weights.sum(axis=1)
        return speech


def _seen_from_the_middle(start: int, end: int, num_samples: int) -> tuple[int, int]:
    """Move a stretch from its frames' beginnings to their middles; what touches an edge of the recording stays."""
    shift = FRAME // 2
    return (start + shift if start else 0), (min(end + shift, num_samples) if end < num_samples else num_samples)
