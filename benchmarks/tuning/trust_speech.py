# SPDX-License-Identifier: Apache-2.0
"""Speech with known text, what recognisers make of it, and texts with known damage, to calibrate trust on.

Development and test share no speaker, no noise and no damage's dice: of LibriSpeech test-other three speakers each,
of the Free Spoken Digit Dataset three speakers each (ten digits strung together are a recording), and the Austen
readings for test alone. Each recording is heard clean and once in noise. A recording has three kinds of transcript:
what pocketsphinx recognised, its true text, and the true text damaged. What recognisers say is kept in a folder.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import av
import msgspec
import numpy as np
import soxr
from msgspec import Struct

from speechmill import models
from speechmill.asr import pocketsphinx
from speechmill.core.stage import Context, Samples
from speechmill.core.timebase import WORKING_HZ
from speechmill.core.types import Interval, Transcript
from speechmill.formats.array_audio import ArrayAudio
from speechmill.vad import silero

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
READERS = {"dev": ("1688", "1998", "2033"), "test": ("2414", "2609", "3005")}
COUNTERS = {"dev": ("george", "lucas", "theo"), "test": ("jackson", "nicolas", "yweweler")}
DIGITS = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
STRINGS = 6  # recordings of ten digits for each speaker
SEED = {"dev": 21, "test": 22}
MOST_READ = {"dev": 10, "test": 5}  # utterances of a reader: recognising is what takes the time
CONTEXT = Context(Path(), models.path)
# The same model with a narrower beam and more weight on its language model: another opinion, though a near one.
OTHER = pocketsphinx.Config(max_active_states=3_000, language_weight=9.5)


class Recording(Struct, frozen=True):
    """A recording with its true text."""

    name: str
    source: str  # read | digits | austen
    text: str
    samples: Samples


class Heard(Struct, frozen=True):
    """What VAD and two recognisers make of a recording."""

    speech: tuple[Interval, ...]
    first: Transcript
    other: Transcript


def decode(path: Path) -> Samples:
    """Decode a mono file to 16 kHz: (num_samples,) float32."""
    with av.open(str(path)) as container:
        rate = container.streams.audio[0].rate
        frames = [frame.to_ndarray().reshape(-1) for frame in container.decode(audio=0)]
    samples = np.concatenate(frames).astype(np.float32) / 32768
    return np.asarray(soxr.resample(samples, rate, WORKING_HZ), np.float32)


def recordings(part: str, data: Path = DATA) -> Iterator[Recording]:
    """Yield the recordings of a part, "dev" or "test", each clean and in noise."""
    random = np.random.default_rng(SEED[part])
    for name, source, text, samples in _clean(part, data, random):
        snr_db = float(random.uniform(0, 20))
        noise = _noise(part, data, len(samples), random)
        if source == "read" and int(name.split("-")[-1]) >= MOST_READ[part]:
            continue
        yield Recording(name, source, text, samples)
        yield Recording(f"{name}@{snr_db:.1f}", source, text, mixed(samples, noise, snr_db))


def _clean(part: str, data: Path, random: np.random.Generator) -> Iterator[tuple[str, str, str, Samples]]:
    for folder, source in (("librispeech_test_other", "read"), ("librivox_austen", "austen")):
        for name, text in _texts(data / folder):
            if name.split("/")[0] in READERS[part] or (source == "austen" and part == "test"):
                yield Path(name).stem, source, text, decode(data / folder / name)
    for speaker in COUNTERS[part]:
        for i in range(STRINGS):
            digits = random.permutation(10)
            yield (
                f"{speaker}-{i}",
                "digits",
                " ".join(DIGITS[d] for d in digits),
                _string(data, speaker, digits, random),
            )


def _texts(folder: Path) -> list[tuple[str, str]]:
    lines = (folder / "transcripts.tsv").read_text(encoding="utf-8").splitlines()[1:]
    return [(name, text) for name, text in (line.split("\t")[:2] for line in lines)]


def _string(data: Path, speaker: str, digits: Sequence[int], random: np.random.Generator) -> Samples:
    parts = [np.zeros(WORKING_HZ // 4, np.float32)]
    for digit in digits:
        take = int(random.integers(50))
        parts += [decode(data / "free_spoken_digits" / f"{digit}_{speaker}_{take}.flac")]
        parts += [np.zeros(round(random.uniform(0.1, 0.4) * WORKING_HZ), np.float32)]
    return np.concatenate(parts)


def _noise(part: str, data: Path, num_samples: int, random: np.random.Generator) -> Samples:
    """Half of the recorded noise, or noise of a tilt that only this part has: falling for dev, rising for test."""
    if random.random() < 0.5:
        recorded = decode(data / "noise_rir" / "noise1.flac")
        half = recorded[: len(recorded) // 2] if part == "dev" else recorded[len(recorded) // 2 :]
        return np.resize(np.roll(half, int(random.integers(len(half)))), num_samples)
    spectrum = np.fft.rfft(random.standard_normal(num_samples))
    tilt = random.uniform(-1.0, 0.0) if part == "dev" else random.uniform(0.0, 0.5)
    spectrum *= np.maximum(np.arange(len(spectrum)) / len(spectrum), 0.005) ** tilt
    return np.asarray(np.fft.irfft(spectrum, num_samples), np.float32)


def mixed(samples: Samples, noise: Samples, snr_db: float) -> Samples:
    """Add noise at a ratio to the mean power of what is within 40 dB of the loudest 20 ms; 16 bits."""
    power = np.square(samples[: len(samples) // 320 * 320], dtype=np.float64).reshape(-1, 320).mean(axis=1)
    loud = power[power > power.max() * 1e-4].mean()
    scale = np.sqrt(loud / np.mean(np.square(noise, dtype=np.float64)) / 10 ** (snr_db / 10))
    total = samples + np.float32(scale) * noise
    total = total * min(1.0, 0.99 / float(np.abs(total).max()))
    return (np.round(total * 32767) / 32768).astype(np.float32)


class Recogniser:
    """Hears recordings, once each: what was said of one is kept in `folder`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._vad = silero.Backend(silero.Config(), CONTEXT)
        self._first = pocketsphinx.Backend(pocketsphinx.Config(), CONTEXT)
        self._other = pocketsphinx.Backend(OTHER, CONTEXT)

    def hear(self, recording: Recording) -> Heard:
        """Return speech and both transcripts."""
        path = self._folder / f"{recording.name}.json"
        if path.exists():
            return msgspec.json.decode(path.read_bytes(), type=Heard)
        audio = ArrayAudio([recording.samples])
        speech = tuple(self._vad.speech(audio, 0))
        heard = Heard(speech, *(one.transcribe(audio, speech, "en") for one in (self._first, self._other)))
        self._folder.mkdir(parents=True, exist_ok=True)
        path.write_bytes(msgspec.json.encode(heard))
        return heard


def damaged(text: str, words: Sequence[str], random: np.random.Generator) -> str:
    """Damage a text as captions are: words left out, put in or changed, an end gone, or all of it wrong."""
    said = text.split()
    kind = random.choice(["words", "words", "cut", "other"])
    if kind == "other":
        return " ".join(random.choice(words, len(said)))
    if kind == "cut":
        keep = max(1, round(len(said) * random.uniform(0.3, 0.9)))
        return " ".join(said[:keep] if random.random() < 0.5 else said[-keep:])
    share, made = random.uniform(0.05, 0.6), []
    for word in said:
        what = random.choice(["keep", "drop", "change", "add"], p=[1 - share, share * 0.3, share * 0.5, share * 0.2])
        made += {
            "keep": [word],
            "drop": [],
            "change": [str(random.choice(words))],
            "add": [word, str(random.choice(words))],
        }[what]
    return " ".join(made) or said[0]
