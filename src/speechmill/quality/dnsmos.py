# SPDX-License-Identifier: Apache-2.0
"""DNSMOS P.835: predicted opinion of signal, background and overall quality, without a reference.

Scores are those of Microsoft's `speechmos` (the model and windowing that Emilia and the DNS challenges
report), not personalised: audio under 9.01 s is repeated, a window of 9.01 s is scored every second, raw
scores go through a polynomial, windows are averaged. Upstream computes each window afresh; here windows
share what they have in common (see `_dnsmos_network`), and the scores differ by rounding alone. Of audio that is
repeated and a multiple of 20 ms long, one repeat is computed.
Source: Reddy et al., "DNSMOS P.835", ICASSP 2022; https://github.com/microsoft/DNS-Challenge.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
from msgspec import Struct

from speechmill.core.errors import Unscorable
from speechmill.core.stage import Context, Samples
from speechmill.core.timebase import WORKING_HZ
from speechmill.quality import Column, Cut
from speechmill.quality import _dnsmos_network as parts

VERSION = "1"
COST = 0.04  # CPU seconds per second of audio, for estimates
REQUIRES = ()
MODELS = ("dnsmos",)
LANGUAGES = None
DEVICES = ("cpu", "cuda", "triton")

FILE = "sig_bak_ovr.onnx"
_SOURCE = "DNSMOS P.835, Reddy et al., ICASSP 2022"
COLUMNS = {
    "dnsmos_sig": Column("MOS", (0.0, 5.0), True, _SOURCE),
    "dnsmos_bak": Column("MOS", (0.0, 5.0), True, _SOURCE),
    "dnsmos_ovrl": Column("MOS", (0.0, 5.0), True, _SOURCE),
}

WINDOW_S = 9.01
WINDOW = 144_160  # samples of WINDOW_S
SHORTEST_S = 0.1  # repeated ninety times, less would be a buzz
# From the network's raw output to MOS: second degree, first, constant.
POLYNOMIALS = np.array(
    [
        [-0.08397278, 1.22083953, 0.0052439],
        [-0.13166888, 1.60915514, -0.39604546],
        [-0.06766283, 1.11546468, 0.04602535],
    ]
)


class Config(Struct, frozen=True, forbid_unknown_fields=True):
    """No options: a score that others are to compare with has none."""


class Backend:
    """Scores segments with DNSMOS."""

    def __init__(self, config: Config, context: Context) -> None:
        self.config = config
        self._network = parts.Network(context.model_path(MODELS[0]) / FILE, context.device)

    def score(self, cut: Cut) -> Mapping[str, float]:
        """Return the three scores, nominally 1..5. Raises Unscorable("too-short") under 0.1 s."""
        samples = cut.samples
        if len(samples) < SHORTEST_S * WORKING_HZ:
            raise Unscorable("too-short", f"{len(samples) / WORKING_HZ:.3f} s; DNSMOS needs {SHORTEST_S} s")
        filled = _repeated(samples)
        period = len(samples) if len(filled) > len(samples) else 0
        raw = self._network.windows(filled, _window_seconds(len(filled)), period=period).astype(np.float64)
        square, linear, constant = POLYNOMIALS.T
        means = (square * raw**2 + linear * raw + constant).mean(axis=0)
        return dict(zip(COLUMNS, means.tolist(), strict=True))


def networks(model_path: Callable[[str], Path]) -> dict[str, bytes]:
    """Return what a server can have, by name."""
    return {parts.EARLY: parts.networks((model_path(MODELS[0]) / FILE).read_bytes())[parts.EARLY]}


def _repeated(samples: Samples) -> Samples:
    """Double the audio until it fills a window, as upstream does."""
    while len(samples) < WINDOW:
        samples = np.concatenate([samples, samples])
    return samples


def _window_seconds(num_samples: int) -> list[int]:
    """The seconds at which upstream scores a window.

    It cuts to whole seconds first, and loses those windows whose end its float arithmetic puts one
    sample early; published scores have both in them.
    """
    count = int(num_samples // WORKING_HZ - WINDOW_S) + 1
    return [second for second in range(count) if int((second + WINDOW_S) * WORKING_HZ) >= second * WORKING_HZ + WINDOW]
