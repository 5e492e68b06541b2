# SPDX-License-Identifier: Apache-2.0
"""The audio of one segment as the bytes of a small file: FLAC or WAV, mono, 16 bit."""

from __future__ import annotations

import io
import wave
from typing import Literal

from speechmill.core.errors import AudioError
from speechmill.core.stage import Samples
from speechmill.core.types import Recording, Segment
from speechmill.exporters._kept import SAMPLING_RATE
from speechmill.store.dataset import Dataset

Container = Literal["flac", "wav"]


def clip(dataset: Dataset, recording: Recording, segment: Segment) -> Samples:
    """Return a segment's samples at the rate at rest: (num_samples,). Raises AudioError where there are none."""
    samples = dataset.cut(recording, segment, sampling_rate=SAMPLING_RATE)
    if not len(samples):
        raise AudioError("no-samples", f"segment {segment.id} begins behind the end of {recording.audio}")
    return samples


def encode(samples: Samples, container: Container) -> bytes:
    """Encode (num_samples,) float32 in [-1, 1] at 24 kHz. 16-bit samples come back exactly as they were."""
    from speechmill.formats.flac import encode_flac
    from speechmill.formats.samples import to_pcm16

    if container == "flac":
        return encode_flac(samples, SAMPLING_RATE)
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as output:
        output.setnchannels(1)
        output.setsampwidth(2)
        output.setframerate(SAMPLING_RATE)
        output.writeframes(to_pcm16(samples).astype("<i2").tobytes())
    return buffer.getvalue()
