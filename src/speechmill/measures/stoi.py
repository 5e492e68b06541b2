# SPDX-License-Identifier: Apache-2.0
"""Short-time objective intelligibility (STOI): how much of a clean signal's envelopes survives in a damaged one.

Both signals go to 10 kHz; frames in which the clean one is silent are left out; third-octave envelopes are
correlated over 384 ms at a time, the damaged one clipped at -15 dB of distortion. Values on 10 kHz signals are
those of the package pystoi, up to rounding; the resampler is soxr, pystoi's is another. It asks for signals that
are aligned to the sample, and knows nothing of loudness.
Source: Taal, Hendriks, Heusdens, Jensen, IEEE TASLP 19(7), 2011.
"""

from __future__ import annotations

import functools

import numpy as np
from numpy.typing import NDArray

from speechmill.core.errors import Unscorable
from speechmill.core.timebase import WORKING_HZ

HZ = 10_000
FRAME, HOP, FFT = 256, 128, 512
BANDS, LOWEST_HZ = 15, 150.0  # third octaves, centre of the lowest
SPAN = 30  # frames that are correlated together, 384 ms
SILENT_DB = 40.0  # a frame so far below the loudest holds no speech
LOWEST_SDR_DB = -15.0
EPS = float(np.finfo(np.float64).eps)
BLOCK = 1_000  # spans at a time: bounds memory to some 15 MB

Signal = NDArray[np.float64]


def stoi(clean: NDArray[np.floating], damaged: NDArray[np.floating], *, sampling_rate: int = WORKING_HZ) -> float:
    """Return STOI, about 0 to 1 and higher for better.

    clean, damaged: (num_samples,) mono, of the same length, in any unit. Raises Unscorable: "silence" where
    the clean one is, "too-short" under 31 frames with speech (0.4 s).
    """
    return float(span_scores(clean, damaged, sampling_rate=sampling_rate)[1].mean())


def span_scores(
    clean: NDArray[np.floating], damaged: NDArray[np.floating], *, sampling_rate: int = WORKING_HZ
) -> tuple[Signal, Signal]:
    """Return the time in seconds of each span's middle, and its score; STOI is their mean. Raises as `stoi` does."""
    if len(clean) != len(damaged):
        raise ValueError(f"{len(clean)} samples of clean speech, {len(damaged)} of damaged: cut them alike")
    reference, kept = _speech_frames(_at_10_khz(clean, sampling_rate))
    other = _frames(_at_10_khz(damaged, sampling_rate))[kept]
    num_spans = len(kept) - SPAN
    if num_spans < 1:
        raise Unscorable("too-short", f"{len(kept)} frames with speech; STOI needs {SPAN + 1}")
    x, y = _envelopes(reference), _envelopes(other)
    parts = [
        _correlations(x[:, first : first + BLOCK + SPAN - 1], y[:, first : first + BLOCK + SPAN - 1])
        for first in range(0, num_spans, BLOCK)
    ]
    middles = kept[SPAN // 2 : SPAN // 2 + num_spans].astype(np.float64) * (HOP / HZ)
    return middles, np.concatenate(parts)


def _at_10_khz(samples: NDArray[np.floating], sampling_rate: int) -> Signal:
    import soxr

    wide = np.asarray(samples, np.float64)
    resampled: Signal = wide if sampling_rate == HZ else soxr.resample(wide, sampling_rate, HZ)
    return resampled


def _window() -> Signal:
    return np.hanning(FRAME + 2)[1:-1]  # without the zeros at its ends


def _frames(samples: Signal) -> Signal:
    """Windowed frames, (num_frames, 256); a frame that ends with the last sample is left out, as upstream does."""
    if len(samples) <= FRAME:
        raise Unscorable("too-short", f"{len(samples) / HZ:.3f} s; STOI needs 0.4 s of speech")
    return np.lib.stride_tricks.sliding_window_view(samples[:-1], FRAME)[::HOP] * _window()


def _speech_frames(samples: Signal) -> tuple[Signal, NDArray[np.intp]]:
    """Frames of the clean signal that aren't silent, and their numbers."""
    frames = _frames(samples)
    norms = np.sqrt(np.einsum("ij,ij->i", frames, frames))
    if not norms.any():
        raise Unscorable("silence", "the clean recording is digital silence here")
    levels = 20 * np.log10(norms + EPS)
    kept = np.flatnonzero(levels > levels.max() - SILENT_DB)
    return frames[kept], kept


def _envelopes(frames: Signal) -> Signal:
    """Join frames by overlap and add, cut them anew, sum power in third octaves: (15, num_frames - 1)."""
    halves = np.concatenate([frames[0, :HOP], (frames[1:, :HOP] + frames[:-1, HOP:]).ravel(), frames[-1, HOP:]])
    spectrum = np.fft.rfft(_frames(halves), n=FFT)
    power = spectrum.real**2 + spectrum.imag**2
    envelopes: Signal = np.sqrt(_bands() @ power.T)
    return envelopes


@functools.cache
def _bands() -> Signal:
    """Which bins belong to which third octave, (15, 257): edges at the nearest bin."""
    bins = np.linspace(0, HZ, FFT + 1)[: FFT // 2 + 1]
    centres = LOWEST_HZ * 2.0 ** (np.arange(BANDS) / 3)
    low, high = (np.argmin(np.abs(bins[None] - (centres * 2.0**sixth)[:, None]), axis=1) for sixth in (-1 / 6, 1 / 6))
    number = np.arange(len(bins))
    belongs: Signal = ((number >= low[:, None]) & (number < high[:, None])).astype(np.float64)
    return belongs


def _correlations(x: Signal, y: Signal) -> Signal:
    """Mean over bands of the correlation of each span's envelopes; x is the clean one."""
    x, y = (np.lib.stride_tricks.sliding_window_view(envelope, SPAN, axis=1) for envelope in (x, y))
    scale = _norm(x) / (_norm(y) + EPS)
    y = np.minimum(y * scale, x * (1 + 10 ** (-LOWEST_SDR_DB / 20)))
    x, y = x - x.mean(axis=2, keepdims=True), y - y.mean(axis=2, keepdims=True)
    product = np.einsum("bmn,bmn->bm", x, y)
    correlation: Signal = product / ((_norm(x) + EPS) * (_norm(y) + EPS))[..., 0]
    mean: Signal = correlation.mean(axis=0)
    return mean


def _norm(spans: Signal) -> Signal:
    norm: Signal = np.sqrt(np.einsum("bmn,bmn->bm", spans, spans))[..., None]
    return norm
