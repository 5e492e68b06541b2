# SPDX-License-Identifier: Apache-2.0
"""A folder of seven minutes to train the demo's aligner on: audio with texts, a folder for each reader.

The demo's own two and a half minutes are too few, and stay unheard: what they show is an aligner that a curated set was
trained for. Both languages are in one model, by letters.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from speechmill.core.files import write_bytes
from speechmill.demo.curated_script import READERS, SENTENCES
from speechmill.demo.espeak import Line, speak
from speechmill.demo.sound import at_level, pink_noise

CURATED = "curated"
SEED = 20_260_102
SPEECH_DBFS = -26.0
SNR_DB = 35.0
PAUSE_S = 0.2  # before and after a sentence


def write(folder: Path) -> None:
    """Write <reader>/NN.flac with NN.lab beside it. The same bytes each time on one machine."""
    from speechmill.formats.audio import write_flac

    lines, places, texts = [], [], []
    for language, sentences in SENTENCES.items():
        for reader in READERS[language]:
            for number, text in enumerate(sentences):
                lines.append(Line(text, reader.espeak, reader.words_per_minute, reader.pitch, reader.pitch_range))
                places.append(folder / f"{language}_{reader.name}" / f"{number:02d}.flac")
                texts.append(text)
    random = np.random.default_rng(SEED)
    for path, text, spoken in zip(places, texts, speak(lines), strict=True):
        padded = np.pad(at_level(spoken.samples, SPEECH_DBFS), round(PAUSE_S * spoken.sampling_rate))
        noise = at_level(pink_noise(len(padded), random), SPEECH_DBFS - SNR_DB)
        path.parent.mkdir(parents=True, exist_ok=True)
        write_flac(path, padded + noise, spoken.sampling_rate)
        write_bytes(path.with_suffix(".lab"), f"{text}\n".encode())
