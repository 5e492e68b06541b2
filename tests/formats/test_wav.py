# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import io
import wave

import numpy as np
import pytest

from speechmill.formats.wav import wav_of


@pytest.mark.parametrize("num_samples", [0, 1, 1000])
def test_the_standard_library_writes_the_same(num_samples: int) -> None:
    samples = np.random.default_rng(1).integers(-32768, 32768, num_samples).astype(np.int16)
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as output:
        output.setparams((1, 2, 24_000, num_samples, "NONE", ""))
        output.writeframes(samples.astype("<i2").tobytes())
    assert wav_of(samples, 24_000) == buffer.getvalue()
