# SPDX-License-Identifier: Apache-2.0
"""Noise, music and lossy files for the demo; speech comes from `espeak`. Not a synthesiser of anything real."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from speechmill.core.files import atomic
from speechmill.core.stage import Samples
from speechmill.core.timebase import to_samples

_CODECS = {".m4a": "aac", ".mp3": "libmp3lame"}
_BIT_RATE = 96_000
_BLOCK = 1152  # a frame of MP3; the encoder cuts as it needs

_A4_HZ = 440.0
_CHORDS = ((0, 4, 7), (-3, 0, 4), (5, 9, 12), (7, 11, 14))  # C, A minor, F, G: semitones from C4
_C4 = -9  # semitones from A4
_CHORD_S = 2.0


def at_level(samples: Samples, dbfs: float, measured: Samples | None = None) -> Samples:
    """Scale so that the root mean square (of `measured`, a part of it) is `dbfs`; silence stays silent."""
    rms = float(np.sqrt(np.mean(np.square(samples if measured is None else measured, dtype=np.float64))))
    return samples * np.float32(10 ** (dbfs / 20) / rms) if rms else samples


def pink_noise(num_samples: int, random: np.random.Generator) -> Samples:
    """Return noise of equal power per octave, like a room's: (num_samples,) float32."""
    spectrum = np.fft.rfft(random.standard_normal(num_samples))
    spectrum[1:] /= np.sqrt(np.arange(1, len(spectrum)))
    spectrum[0] = 0
    return np.fft.irfft(spectrum, num_samples).astype(np.float32)


def music(duration: float, sampling_rate: int) -> Samples:
    """Return arpeggios over four chords, two seconds each, again and again: (num_samples,) float32."""
    total = np.zeros(to_samples(duration, sampling_rate))
    beat = _CHORD_S / 8
    for number in range(round(duration / beat)):
        chord = _CHORDS[int(number * beat / _CHORD_S) % len(_CHORDS)]
        notes = [chord[number % 3] + 12]
        if number % 8 == 0:
            notes += [chord[0] - 12, *chord]
        for note in notes:
            _add_note(total, number * beat, note, sampling_rate)
    fade = np.minimum(1.0, np.arange(len(total))[::-1] / (0.5 * sampling_rate))
    return (total * fade).astype(np.float32)


def _add_note(total: NDArray[np.float64], start: float, semitones: int, sampling_rate: int) -> None:
    """Add a plucked note in place: six harmonics, a short attack, a decay of about a second."""
    first = to_samples(start, sampling_rate)
    time = np.arange(len(total) - first) / sampling_rate
    frequency = _A4_HZ * 2 ** ((semitones + _C4) / 12)
    tone = sum(np.sin(2 * np.pi * frequency * k * time) / k**1.5 for k in range(1, 7))
    total[first:] += tone * np.minimum(1.0, time / 0.01) * np.exp(-2.5 * time)


def write_lossy(path: Path, samples: Samples, sampling_rate: int) -> None:
    """Write (channels, num_samples) float32 as .m4a (AAC) or .mp3, the same bytes each time."""
    import av

    with atomic(path) as temporary, av.open(str(temporary), "w", options={"fflags": "+bitexact"}) as container:
        stream = container.add_stream(_CODECS[path.suffix], rate=sampling_rate)
        stream.codec_context.layout = "mono" if len(samples) == 1 else "stereo"
        stream.codec_context.bit_rate = _BIT_RATE
        stream.codec_context.flags |= av.codec.context.Flags.bitexact
        for first in range(0, samples.shape[1], _BLOCK):
            block = np.ascontiguousarray(samples[:, first : first + _BLOCK])
            frame = av.AudioFrame.from_ndarray(block, format="fltp", layout=stream.codec_context.layout)
            frame.sample_rate = sampling_rate
            frame.pts = first
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
