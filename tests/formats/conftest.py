# SPDX-License-Identifier: Apache-2.0
"""Media files made on the spot, by the encoders that come with PyAV."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest


def encode_file(
    path: Path,
    samples: Any,
    sampling_rate: int,
    codec: str,
    *,
    fmt: str = "fltp",
    layout: str = "mono",
    container_options: dict[str, str] | None = None,
    starts: dict[int, float] | None = None,
    video: bool = False,
) -> Path:
    """Encode (channels, n) samples that are already of the sample format `fmt`.

    starts: sample index -> second at which that sample is put, to make late starts and holes.
    """
    with av.open(str(path), "w", container_options=container_options or {}) as container:
        picture = container.add_stream("mpeg4", rate=25) if video else None
        options = {"strict": "experimental"} if codec == "vorbis" else {}
        stream = container.add_stream(codec, rate=sampling_rate, layout=layout, options=options)
        if picture is not None:
            picture.width, picture.height, picture.pix_fmt = 32, 32, "yuv420p"
            for number in range(int(25 * samples.shape[1] / sampling_rate)):
                image = av.VideoFrame.from_ndarray(np.zeros((32, 32, 3), np.uint8), format="rgb24")
                image.pts = number
                container.mux(picture.encode(image))
            container.mux(picture.encode(None))
        shift = 0
        for at in range(0, samples.shape[1], sampling_rate // 10):
            part = samples[:, at : at + sampling_rate // 10]
            if starts and at in starts:
                shift = round(starts[at] * sampling_rate) - at
            packed = part if fmt.endswith("p") else part.T.reshape(1, -1)
            frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(packed), format=fmt, layout=layout)
            frame.sample_rate = sampling_rate
            frame.pts = at + shift
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


@pytest.fixture(scope="session")
def encode() -> Callable[..., Path]:
    return encode_file
