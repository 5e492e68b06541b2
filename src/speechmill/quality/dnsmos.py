# SPDX-License-Identifier: Apache-2.0
"""DNSMOS P.835: predicted opinion of signal, background and overall quality, without a reference.

Scores are those of Microsoft's `speechmos` (the model and windowing that Emilia and the DNS challenges
report), not personalised: audio under 9.01 s is repeated, a window of 9.01 s is scored every second, raw
scores go through a polynomial, windows are averaged. Upstream computes each window afresh; here windows
share the convolutions where they overlap, and only the frames that see a window's zero padding are
computed again, so the scores differ by rounding alone.
Source: Reddy et al., "DNSMOS P.835", ICASSP 2022; https://github.com/microsoft/DNS-Challenge.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from speechmill.core.errors import Unscorable
from speechmill.core.stage import Context, Samples
from speechmill.core.timebase import WORKING_HZ
from speechmill.models.inference import session
from speechmill.models.onnx_graph import cut, weights
from speechmill.quality import Column, Cut

VERSION = "1"
COST = 0.04  # CPU seconds per second of audio, for estimates
REQUIRES = ()
MODELS = ("dnsmos",)
LANGUAGES = None

_SOURCE = "DNSMOS P.835, Reddy et al., ICASSP 2022"
COLUMNS = {
    "dnsmos_sig": Column("MOS", (0.0, 5.0), True, _SOURCE),
    "dnsmos_bak": Column("MOS", (0.0, 5.0), True, _SOURCE),
    "dnsmos_ovrl": Column("MOS", (0.0, 5.0), True, _SOURCE),
}

WINDOW_S = 9.01
WINDOW = 144_160  # samples of WINDOW_S
SHORTEST_S = 0.1  # repeated ninety times, less would be a buzz
FRAME, HOP = 320, 160  # of the network's own STFT
WINDOW_FRAMES = 900
FRAMES_PER_SECOND = WORKING_HZ // HOP
# From the network's raw output to MOS: second degree, first, constant.
POLYNOMIALS = np.array(
    [
        [-0.08397278, 1.22083953, 0.0052439],
        [-0.13166888, 1.60915514, -0.39604546],
        [-0.06766283, 1.11546468, 0.04602535],
    ]
)

# The shared part ends before the last pooling: it halves time twice, so that one second is 25 of its
# steps and windows lie on whole steps; the third halving starts on odd steps in every other window.
SPECTRUM, SHARED, RAW = "mos_estimator_logpow/truediv:0", "mos_estimator_logpow/conv2d_5/Relu:0", "Identity:0"
BINS, CHANNELS, SHARED_BINS = 161, 32, 40
STEP = 4  # frames in one step of the shared part
REACH = 3  # steps at a window's edge that its zero padding reaches: 3x3 convolutions, pooled by 2 and 2
EDGE = 2 * REACH * STEP  # frames: those steps, and as many again that are thrown away
BLOCK = 200  # frames computed at a time: fits caches best, and bounds memory to some 50 MB


class Config(Struct, frozen=True, forbid_unknown_fields=True):
    """No options: a score that others are to compare with has none."""


class Backend:
    """Scores segments with DNSMOS."""

    def __init__(self, config: Config, context: Context) -> None:
        self.config = config
        self._network = _Network(context.model_path(MODELS[0]) / "sig_bak_ovr.onnx")

    def score(self, cut: Cut) -> Mapping[str, float]:
        """Return the three scores, nominally 1..5. Raises Unscorable("too-short") under 0.1 s."""
        samples = cut.samples
        if len(samples) < SHORTEST_S * WORKING_HZ:
            raise Unscorable("too-short", f"{len(samples) / WORKING_HZ:.3f} s; DNSMOS needs {SHORTEST_S} s")
        filled = _repeated(samples)
        raw = self._network.windows(filled, _window_seconds(len(filled))).astype(np.float64)
        square, linear, constant = POLYNOMIALS.T
        means = (square * raw**2 + linear * raw + constant).mean(axis=0)
        return dict(zip(COLUMNS, means.tolist(), strict=True))


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


class _Network:
    """The network in three parts: spectrum in numpy, convolutions shared by windows, a head for each window."""

    def __init__(self, path: Path) -> None:
        model = path.read_bytes()
        kernels = weights(model)
        self._real, self._imaginary = (
            np.ascontiguousarray(kernels[f"time2freq/stft-{part}/kernel:0"][:, :, 0].T) for part in ("real", "imag")
        )
        self._trunk = session(cut(model, {SPECTRUM: ("N", "T", BINS)}, [SHARED]), bounded=True)
        self._head = session(
            cut(model, {SHARED: ("N", CHANNELS, WINDOW_FRAMES // STEP, SHARED_BINS)}, [RAW]), bounded=True
        )

    def windows(self, samples: Samples, seconds: Sequence[int]) -> NDArray[np.float32]:
        """Raw scores of the windows that start at the given seconds: (num_windows, 3)."""
        starts = [second * FRAMES_PER_SECOND for second in seconds]
        spectrum = self._spectrum(samples[: starts[-1] * HOP + WINDOW])
        shared = self._shared(spectrum)
        return np.concatenate([self._head_of(self._window(spectrum, shared, start)) for start in starts])

    def _spectrum(self, samples: Samples) -> NDArray[np.float32]:
        """Log power, (num_frames, 161)."""
        frames = np.ascontiguousarray(np.lib.stride_tricks.sliding_window_view(samples, FRAME)[::HOP], np.float32)
        power = np.square(frames @ self._real) + np.square(frames @ self._imaginary)
        spectrum: NDArray[np.float32] = np.log10(np.maximum(power, np.float32(1e-12)))
        return spectrum

    def _run(self, spectrum: NDArray[np.float32]) -> NDArray[np.float32]:
        """(num_frames, 161) -> (32, num_frames / 4, 40), with zeros around."""
        result: NDArray[np.float32] = self._trunk.run(None, {SPECTRUM: spectrum[None]})[0][0]
        return result

    def _shared(self, spectrum: NDArray[np.float32]) -> NDArray[np.float32]:
        """The shared part over all frames, block by block with the neighbours that each block sees."""
        halo, parts = REACH * STEP, []
        for first in range(0, len(spectrum), BLOCK):
            low, high = max(0, first - halo), min(len(spectrum), first + BLOCK + halo)
            skip = (first - low) // STEP
            parts.append(self._run(spectrum[low:high])[:, skip : skip + BLOCK // STEP])
        return np.concatenate(parts, axis=1)

    def _window(self, spectrum: NDArray[np.float32], shared: NDArray[np.float32], start: int) -> NDArray[np.float32]:
        """One window's own steps: the shared ones, and at both edges those that see zeros."""
        end = start + WINDOW_FRAMES
        own = shared[:, start // STEP : end // STEP].copy()
        if start > 0:
            own[:, :REACH] = self._run(spectrum[start : start + EDGE])[:, :REACH]
        if end < len(spectrum):
            own[:, -REACH:] = self._run(spectrum[end - EDGE : end])[:, -REACH:]
        return own

    def _head_of(self, own: NDArray[np.float32]) -> NDArray[np.float32]:
        result: NDArray[np.float32] = self._head.run(None, {SHARED: own[None]})[0]
        return result
