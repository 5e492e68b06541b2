# SPDX-License-Identifier: Apache-2.0
"""Opus in Ogg (RFC 7845), written byte-reproducibly and as long as its samples, to the sample."""

from __future__ import annotations

import io

import av
import numpy as np

from speechmill.formats.samples import Pcm16

BITS_PER_SECOND = 32_000  # full band speech in one channel: RFC 7587 (3.1.1) advises 28 to 40 kbit/s


def encode_opus(samples: Pcm16, sampling_rate: int) -> bytes:
    """Return an Ogg Opus file of (num_samples,) int16 in one channel.

    sampling_rate: 8, 12, 16, 24 or 48 kHz. Equal samples give equal bytes with one version of libopus.
    """
    file = io.BytesIO()
    # bitexact: no version of libav in the file, and a stream number that isn't drawn by chance.
    with av.open(file, "w", format="ogg", container_options={"fflags": "+bitexact"}) as container:
        # "voip" cuts low voices off and moves them by what its filter takes: nobody who trains wants that.
        options = {"b": str(BITS_PER_SECOND), "application": "audio", "flags": "+bitexact"}
        stream = container.add_stream("libopus", rate=sampling_rate, layout="mono", options=options)
        stream.codec_context.thread_count = 1
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(samples).reshape(1, -1), format="s16", layout="mono")
        frame.sample_rate = sampling_rate
        frame.pts = 0
        for part in (frame, None):
            container.mux(stream.encode(part))
    return file.getvalue()
