# SPDX-License-Identifier: Apache-2.0
"""Canonical audio of a whole channel, copied as it is or as WAV."""

from __future__ import annotations

import shutil
import wave
from pathlib import Path

from speechmill.exporters._kept import SAMPLING_RATE


def copy_whole(source: Path, target: Path) -> float:
    """Copy a canonical FLAC to `target`, .flac or .wav, a frame at a time. Returns its seconds."""
    from speechmill.formats.flac import FlacReader

    with FlacReader(source) as reader:
        if target.suffix == ".flac":
            shutil.copyfile(source, target)
            return reader.info.num_samples / SAMPLING_RATE
        with wave.open(str(target), "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(SAMPLING_RATE)
            file.setnframes(reader.info.num_samples)
            for samples in reader.frames():
                file.writeframesraw(samples.astype("<i2", copy=False).tobytes())
        return reader.info.num_samples / SAMPLING_RATE
