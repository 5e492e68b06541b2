# SPDX-License-Identifier: Apache-2.0
"""What of a sound tells music and noise from speech: five numbers of its signal, no network.

Speech swells about four times a second, in all bands at once, and changes its spectrum all the time; a voiced stretch
glides. Music holds its pitches; noise holds its spectrum. Sources: Scheirer & Slaney, "Construction and evaluation of a
robust multifeature speech/music discriminator", ICASSP 1997 (4 Hz energy, flux, low-energy frames, pulse); Saunders,
ICASSP 1996. The last, how steadily peaks stay at their frequency, is ours.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from speechmill.core.errors import Unscorable
from speechmill.core.stage import Samples
from speechmill.core.timebase import WORKING_HZ

SHORTEST_S = 1.0  # four swells of speech
FRAME, HOP = 512, 160  # 32 ms every 10 ms
BLOCK = 3_000  # frames transformed at a time: 30 s
BANDS_HZ = (100, 300, 600, 1_000, 1_600, 2_500, 4_000, 7_000)
FLOOR = 1e-10
NAMES = ("swell", "flux", "quiet", "steadiness", "balance")


def features(samples: Samples) -> dict[str, float]:
    """Return the numbers by NAMES; none depends on loudness.

    swell: share of the bands' modulation below 20 Hz that lies at 2 to 8 Hz. flux: mean change of the spectrum from
    frame to frame, in nepers. quiet: share of frames with less than half of the mean energy. steadiness: correlation
    of the spectrum's fine structure over 100 ms, in loud frames. balance: spread of the bands' levels over time, in
    10 dB.
    samples: (num_samples,) at 16 kHz. Raises Unscorable: "too-short" (< 1 s), "silence".
    """
    if len(samples) < SHORTEST_S * WORKING_HZ:
        raise Unscorable("too-short", f"{len(samples) / WORKING_HZ:.3f} s; music needs {SHORTEST_S} s")
    power = _spectrogram(samples)
    energy = power.sum(axis=1)
    if energy.mean() <= FLOOR:
        raise Unscorable("silence")
    power = power / energy.mean() + FLOOR
    energy = power.sum(axis=1)
    loud = energy >= 0.1
    bands = _bands(power)
    values = (
        _swell(bands),
        float(np.abs(np.diff(np.log(bands), axis=0)).mean()),
        float(np.mean(energy < 0.5)),
        _steadiness(np.log(power), loud),
        float(np.std(np.log10(bands), axis=0).mean()),
    )
    return dict(zip(NAMES, values, strict=True))


def _spectrogram(samples: Samples) -> NDArray[np.float32]:
    """Power, (num_frames, 257)."""
    frames = np.lib.stride_tricks.sliding_window_view(samples, FRAME)[::HOP]
    window = np.hanning(FRAME + 1)[:-1].astype(np.float32)
    parts = []
    for first in range(0, len(frames), BLOCK):
        spectrum = np.fft.rfft(frames[first : first + BLOCK] * window)
        parts.append((np.square(spectrum.real) + np.square(spectrum.imag)).astype(np.float32))
    return np.concatenate(parts)


def _bands(power: NDArray[np.float32]) -> NDArray[np.float64]:
    """Power of seven bands: (num_frames, 7)."""
    edges = [round(hertz * FRAME / WORKING_HZ) for hertz in BANDS_HZ]
    return np.stack([power[:, low:high].sum(axis=1, dtype=np.float64) for low, high in pairwise(edges)], axis=1)


def _swell(bands: NDArray[np.float64]) -> float:
    envelopes = np.sqrt(bands)
    envelopes = envelopes - envelopes.mean(axis=0)
    spectrum = np.square(np.abs(np.fft.rfft(envelopes * np.hanning(len(envelopes))[:, None], axis=0))).sum(axis=1)
    hertz = np.fft.rfftfreq(len(envelopes), HOP / WORKING_HZ)
    all_slow = float(spectrum[(hertz > 0) & (hertz < 20)].sum())
    return float(spectrum[(hertz >= 2) & (hertz <= 8)].sum()) / all_slow if all_slow else 0.0


def _steadiness(levels: NDArray[np.float32], loud: NDArray[np.bool_]) -> float:
    """Mean correlation between frames 100 ms apart of what is left of the spectrum without its envelope."""
    width, lag = 9, 10  # 280 Hz; frames
    smooth = np.lib.stride_tricks.sliding_window_view(levels, width, axis=1).mean(axis=-1)
    fine = levels[:, width // 2 : -(width // 2)][:, 3:120] - smooth[:, 3:120]
    fine = fine / (np.sqrt(np.square(fine).sum(axis=1, keepdims=True)) + FLOOR)
    both = loud[lag:] & loud[:-lag]
    return float((fine[lag:] * fine[:-lag]).sum(axis=1)[both].mean()) if both.any() else 0.0
