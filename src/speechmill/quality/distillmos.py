# SPDX-License-Identifier: Apache-2.0
"""DistillMOS: predicted overall opinion of a segment, learned from a large self-supervised model.

Scores are those of Microsoft's package `distillmos` 0.9.1, whose weights it reads, without torch: a window of 7.68 s
is scored at least every second, the first and the last at the segment's edges, and windows are averaged. Each is
brought to full scale. Shorter segments are filled with silence, as upstream does. The spectrum's magnitudes are
compressed, so that rounding shows where there is nothing else: on pure tones scores differ from upstream's in the
fourth decimal, on recorded speech in the fifth.
Source: Stahl & Gamper, "Distillation and Pruning for Scalable Self-Supervised Representation-Based Speech Quality
Assessment", ICASSP 2025; https://github.com/microsoft/Distill-MOS.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Literal

import numpy as np
from msgspec import Struct

from speechmill.core.errors import FormatError, Unscorable
from speechmill.core.stage import Context, Samples
from speechmill.core.timebase import WORKING_HZ
from speechmill.models.tensors import read_torch
from speechmill.quality import Column, Cut
from speechmill.quality._distillmos_int8 import Int8Convolutions
from speechmill.quality._distillmos_network import WINDOW, Convolutions, Network

VERSION = "1"
COST = 0.1  # CPU seconds per second of audio, for estimates
REQUIRES = ()
MODELS = ("distillmos",)
LANGUAGES = None

COLUMNS = {"distillmos": Column("MOS", (1.0, 5.0), True, "DistillMOS, Stahl & Gamper, ICASSP 2025")}

MOST_HOP = WORKING_HZ  # samples between windows
SHORTEST_S = 0.1  # of 7.68 s; upstream scores one sample too, but what it says is about silence


class Config(Struct, frozen=True, forbid_unknown_fields=True):
    """How exactly to compute."""

    # "float32": upstream's scores. "int8": convolutions in 8 bits, twice as fast on CPUs with VNNI. Scores of
    # recorded speech move by 0.03 MOS on average and up to 0.2, too much for others to compare with.
    precision: Literal["float32", "int8"] = "float32"


class Backend:
    """Scores segments with DistillMOS."""

    def __init__(self, config: Config, context: Context) -> None:
        self.config = config
        path = context.model_path(MODELS[0]) / "distill_mos_v7.pt"
        tensors = {name.removeprefix("model."): tensor for name, tensor in read_torch(path).items()}
        stack = Convolutions if config.precision == "float32" else Int8Convolutions
        try:
            self._network = Network(tensors, stack(tensors))
        except KeyError as error:
            raise FormatError(f"{path}: no tensor {error}; not DistillMOS 0.9.1") from error

    def score(self, cut: Cut) -> Mapping[str, float]:
        """Return `distillmos`, 1..5. Raises Unscorable("too-short") under 0.1 s."""
        if len(cut.samples) < SHORTEST_S * WORKING_HZ:
            raise Unscorable("too-short", f"{len(cut.samples) / WORKING_HZ:.3f} s; DistillMOS needs {SHORTEST_S} s")
        windows = _windows(cut.samples)
        return {"distillmos": 1 + 4 * sum(self._network.score(window) for window in windows) / len(windows)}


def _windows(samples: Samples) -> list[Samples]:
    """Windows from the first sample to the last, evenly spaced and at most a second apart."""
    if len(samples) <= WINDOW:
        return [np.pad(samples, (0, WINDOW - len(samples)))]
    rest = len(samples) - WINDOW
    count = math.ceil(rest / MOST_HOP) + 1
    starts = [int(place * rest) for place in np.linspace(0, 1, count)]
    return [samples[start : start + WINDOW] for start in starts]
