# SPDX-License-Identifier: Apache-2.0
"""WAV: PCM16 behind a header of 44 bytes."""

from __future__ import annotations

import struct

import numpy as np

from speechmill.formats.samples import Pcm16

_HEADER = struct.Struct("<4sI4s4sIHHIIHH4sI")
_PCM, _BITS = 1, 16


def wav_of(samples: Pcm16, sampling_rate: int) -> bytes:
    """Return (num_samples,) int16 as a mono file."""
    content = np.ascontiguousarray(samples, "<i2")
    size, step = content.nbytes, _BITS // 8
    form = (b"fmt ", 16, _PCM, 1, sampling_rate, sampling_rate * step, step, _BITS)
    return b"".join((_HEADER.pack(b"RIFF", 36 + size, b"WAVE", *form, b"data", size), content.data))
