# SPDX-License-Identifier: Apache-2.0
"""Signal-to-noise ratio of a stretch of speech whose clean version nobody has.

(P - N) / N in dB, with P the mean power where somebody speaks and N the power of the noise: measured where nobody
does. A stretch cut too tight for that is judged by its own gaps (the idea of NIST's stnr and of Martin's minimum
statistics, IEEE TSAP 2001): in loud noise by the quiet moments of each frequency, as no frame is free of speech at all
of them, and in clean audio by the quietest short frames; between 5 and 20 dB by both. Such a stretch reads some dB high
above 15 dB. It is no estimate of reverberation or of competing speakers. `benchmarks/trust.py` says how far it errs.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from speechmill.core.errors import Unscorable
from speechmill.core.stage import Samples
from speechmill.core.timebase import WORKING_HZ, to_samples
from speechmill.core.types import Interval

RANGE_DB = (-20.0, 100.0)
SHORTEST_S = 0.1
FRAME_S, FRAME_HOP_S = 0.020, 0.010  # shorter than a stop's closure
WINDOW, WINDOW_HOP, SMOOTHED = (
    512,
    128,
    3,
)  # of the spectra that loud noise is read from: 32 ms each 8 ms, three averaged
QUIET_PERCENTILE = 5.0
QUIET_SHARE = 1 / 5.03  # of stationary noise's mean power lies at that percentile, measured on a minute of white noise
NOISY_DB, CLEAN_DB = 5.0, 20.0  # tuned, as is the percentile, on speakers of LibriSpeech train-clean-100 in noise
MOST_ABOVE = 2.5  # times the quietest frames' power: bounds the error on sounds that are as stationary as noise
QUANTISATION = 2.0**-30 / 12  # power of 16 bit rounding: no recording's noise is below it


def snr_db(
    samples: Samples,
    speech: Sequence[Interval],
    *,
    sampling_rate: int = WORKING_HZ,
    min_noise_s: float = 0.1,
    floor_percentile: float = 2.0,
) -> float:
    """Return the ratio in dB, within [-20, 100].

    samples: (num_samples,) in [-1, 1], mono. speech: intervals counted from the first sample.
    min_noise_s: non-speech needed to measure noise in it. floor_percentile: of the energies of frames of
    20 ms, taken as noise where there is less. Raises Unscorable: "too-short" (< 0.1 s), "silence" (nothing
    above 16 bit rounding), "no-speech".
    """
    if len(samples) < SHORTEST_S * sampling_rate:
        raise Unscorable("too-short", f"{len(samples) / sampling_rate:.3f} s; SNR needs {SHORTEST_S} s")
    power = np.square(samples, dtype=np.float64)
    if power.mean() <= QUANTISATION:
        raise Unscorable("silence")
    speaks = _mask(len(samples), speech, sampling_rate)
    if not speaks.any():
        raise Unscorable("no-speech", "the VAD found none in the segment")
    quiet = power[~speaks]
    enough = len(quiet) >= max(1, to_samples(min_noise_s, sampling_rate))
    loud = float(power[speaks].mean())
    noise = float(quiet.mean()) if enough else _noise_between(samples, power, loud, sampling_rate, floor_percentile)
    return _decibels(loud, max(noise, QUANTISATION))


def _mask(num_samples: int, speech: Sequence[Interval], sampling_rate: int) -> NDArray[np.bool_]:
    mask = np.zeros(num_samples, dtype=np.bool_)
    for interval in speech:
        mask[max(0, to_samples(interval.start, sampling_rate)) : max(0, to_samples(interval.end, sampling_rate))] = True
    return mask


def _noise_between(
    samples: Samples, power: NDArray[np.float64], loud: float, sampling_rate: int, percentile: float
) -> float:
    """Noise power from the gaps in speech; `loud` is the mean power where somebody speaks."""
    floor = max(_floor(power, sampling_rate, percentile), QUANTISATION)
    stationary = max(_stationary(samples) * float(power.mean()), QUANTISATION)
    clean = (_decibels(loud, stationary) - NOISY_DB) / (CLEAN_DB - NOISY_DB)
    weight = min(1.0, max(0.0, clean))
    blended = math.exp((1 - weight) * math.log(stationary) + weight * math.log(floor))
    return min(blended, MOST_ABOVE * floor)


def _stationary(samples: Samples) -> float:
    """Share of the mean power that is as stationary as white noise, from the quiet moments of each frequency."""
    frames = np.lib.stride_tricks.sliding_window_view(samples, WINDOW)[::WINDOW_HOP]
    spectrum = np.fft.rfft(frames * np.hanning(WINDOW + 1)[:-1])
    power = np.square(spectrum.real) + np.square(spectrum.imag)
    smooth = np.lib.stride_tricks.sliding_window_view(power, SMOOTHED, axis=0).mean(axis=-1)
    quiet = np.percentile(smooth, QUIET_PERCENTILE, axis=0).sum() / QUIET_SHARE
    total = power.mean(axis=0).sum()
    return float(quiet / total) if total > 0 else 0.0  # all power where no frame looks, as in the last samples


def _floor(power: NDArray[np.float64], sampling_rate: int, percentile: float) -> float:
    frame, hop = to_samples(FRAME_S, sampling_rate), to_samples(FRAME_HOP_S, sampling_rate)
    energies = np.lib.stride_tricks.sliding_window_view(power, frame)[::hop].mean(axis=1)
    return float(np.percentile(energies, percentile))


def _decibels(speech_and_noise: float, noise: float) -> float:
    low, high = RANGE_DB
    signal = speech_and_noise - noise
    if signal <= 0:  # no louder than the noise
        return low
    return min(high, max(low, 10 * math.log10(signal / noise)))
