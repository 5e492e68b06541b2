# SPDX-License-Identifier: Apache-2.0
"""Music and noise made up by rule, to calibrate and test the score `music` on; no recordings.

Kinds are split: a kind that calibrates is in no test. Speakers are split too. Each kind is a function of a generator
and a number of samples at 16 kHz.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from speechmill.core.stage import Samples
from speechmill.core.timebase import WORKING_HZ
from speechmill.demo.sound import music as arpeggios
from tuning.trust_speech import DATA, decode, mixed

Signal = NDArray[np.float64]
Rng = np.random.Generator
MAJOR, MINOR = (0, 2, 4, 5, 7, 9, 11), (0, 2, 3, 5, 7, 8, 10)
SPEAKERS = {"dev": slice(0, 60), "test": slice(60, 120)}  # of LibriSpeech train-clean-100, by lot
CLIP_S = 6.0


class Sound(Struct, frozen=True):
    """A clip: speech | noisy-speech | over-music | music | noise, and the kind that it was made of."""

    label: str
    kind: str
    samples: Samples


def tone(hertz: float, num_samples: int, partials: int, slope: float, decay_s: float) -> Signal:
    """A note: partials that fall by a power, a short attack, a decay."""
    time = np.arange(num_samples) / WORKING_HZ
    count = min(partials, int(7_500 / hertz))
    wave = sum(np.sin(2 * np.pi * hertz * k * time) / k**slope for k in range(1, count + 1))
    return np.asarray(wave) * np.minimum(1, time / 0.01) * np.exp(-time / decay_s)


def _place(total: Signal, start: int, part: Signal, gain: float = 1.0) -> None:
    end = min(len(total), start + len(part))
    total[start:end] += gain * part[: end - start]


def _note(scale: tuple[int, ...], step: int, base: float) -> float:
    return float(base * 2 ** (step // 7 + scale[step % 7] / 12))


def melody(random: Rng, num_samples: int) -> Signal:
    """One voice that wanders through a scale."""
    total, at, step, scale = np.zeros(num_samples), 0, 7, MAJOR if random.random() < 0.5 else MINOR
    while at < num_samples:
        length = int(random.choice([0.125, 0.25, 0.25, 0.5]) * 2 * WORKING_HZ * random.uniform(0.95, 1.05))
        step = int(np.clip(step + random.integers(-2, 3), 0, 14))
        _place(total, at, tone(_note(scale, step, 220), int(length * 1.5), 8, 1.2, 0.4))
        at += length
    return total


def chords(random: Rng, num_samples: int) -> Signal:
    """Three or four notes at a time, held for a second or two, as of an organ."""
    total, at = np.zeros(num_samples), 0
    while at < num_samples:
        length, root = int(random.uniform(0.8, 2.0) * WORKING_HZ), int(random.integers(0, 7))
        for third in range(int(random.integers(3, 5))):
            _place(total, at, tone(_note(MAJOR, root + 2 * third, 131), length, 10, 1.0, 5.0))
        at += length
    return total


def drums(random: Rng, num_samples: int) -> Signal:
    """A beat: kick, snare, hat."""
    total, beat = np.zeros(num_samples), int(random.uniform(0.12, 0.2) * WORKING_HZ)
    for number, at in enumerate(range(0, num_samples, beat)):
        time = np.arange(beat * 2) / WORKING_HZ
        hat = np.diff(random.standard_normal(beat * 2 + 1)) * np.exp(-time / 0.02)
        _place(total, at, hat, 0.2)
        if number % 4 == 0:
            _place(total, at, np.sin(2 * np.pi * 50 * time * np.exp(-time * 4)) * np.exp(-time / 0.1), 1.5)
        if number % 4 == 2:
            _place(total, at, random.standard_normal(beat * 2) * np.exp(-time / 0.06), 0.6)
    return total


def band(random: Rng, num_samples: int) -> Signal:
    """Chords, a melody and drums."""
    parts = [part(random, num_samples) for part in (chords, melody, drums)]
    return sum(  # type: ignore[no-any-return]
        gain * part / (np.std(part) + 1e-9)
        for gain, part in zip((0.7, 1.0, random.uniform(0, 0.8)), parts, strict=True)
    )


def strings(random: Rng, num_samples: int) -> Signal:
    """Slow bowed notes with vibrato that slide into each other."""
    time, total = np.arange(num_samples) / WORKING_HZ, np.zeros(num_samples)
    for voice in range(3):
        points = np.cumsum(random.integers(-2, 3, int(num_samples / WORKING_HZ * 1.2) + 2)) + 4 * voice
        places = np.linspace(0, num_samples, len(points))
        pitch = 147 * 2 ** (np.interp(np.arange(num_samples), places, np.round(points)) / 12)
        pitch *= 1 + 0.006 * np.sin(2 * np.pi * random.uniform(4.5, 6.5) * time)
        phase = 2 * np.pi * np.cumsum(pitch) / WORKING_HZ
        total += sum(np.sin(k * phase) / k for k in range(1, 12))
    return total


def plucked(random: Rng, num_samples: int) -> Signal:
    """Arpeggios of plucked notes, those of the demonstration corpus, at another tempo and pitch."""
    made = arpeggios(num_samples / WORKING_HZ * 1.5 + 1, WORKING_HZ).astype(np.float64)
    places = np.arange(num_samples) * random.uniform(0.8, 1.4)
    return np.interp(places, np.arange(len(made)), made)


def coloured(random: Rng, num_samples: int) -> Signal:
    """Steady noise of some tilt."""
    spectrum = np.fft.rfft(random.standard_normal(num_samples))
    spectrum *= np.maximum(np.arange(len(spectrum)) / len(spectrum), 0.005) ** random.uniform(-1.2, 0.4)
    return np.fft.irfft(spectrum, num_samples)


def hum(random: Rng, num_samples: int) -> Signal:
    """Mains and their harmonics over a faint rush."""
    mains = tone(float(random.choice([50, 60])), num_samples, 30, random.uniform(0.3, 1.2), 1e3)
    return mains + 0.1 * random.standard_normal(num_samples)


def gusts(random: Rng, num_samples: int) -> Signal:
    """Noise that swells slowly."""
    points = random.gamma(1.0, 1.0, int(num_samples / WORKING_HZ) + 3)
    swell = np.interp(np.linspace(0, len(points) - 1, num_samples), np.arange(len(points)), points)
    return swell * coloured(random, num_samples)


def typing(random: Rng, num_samples: int) -> Signal:
    """Short knocks at odd moments."""
    total = 0.01 * random.standard_normal(num_samples)
    for at in random.integers(0, num_samples, int(num_samples / WORKING_HZ * random.uniform(3, 8))):
        knock = random.standard_normal(800) * np.exp(-np.arange(800) / random.uniform(40, 160))
        _place(total, int(at), knock, random.uniform(0.3, 1.0))
    return total


def recorded(random: Rng, num_samples: int) -> Signal:
    """The one recorded noise there is."""
    noise = decode(DATA / "noise_rir" / "noise1.flac").astype(np.float64)
    return np.resize(np.roll(noise, int(random.integers(len(noise)))), num_samples)


Kinds = dict[str, Callable[[Rng, int], Signal]]
MUSIC: dict[str, Kinds] = {
    "dev": {"melody": melody, "chords": chords, "drums": drums},
    "test": {"band": band, "strings": strings, "plucked": plucked},
}
NOISE: dict[str, Kinds] = {
    "dev": {"coloured": coloured, "hum": hum, "typing": typing},
    "test": {"gusts": gusts, "recorded": recorded},
}


def sounds(part: str, each: int, data: Path = DATA) -> Iterator[Sound]:
    """Yield clips of a part, "dev" or "test": `each` of every kind of music and noise, and speech of all speakers."""
    random = np.random.default_rng(31 if part == "dev" else 32)
    length = round(CLIP_S * WORKING_HZ)
    for label, kinds in (("music", MUSIC[part]), ("noise", NOISE[part])):
        for name, make in kinds.items():
            for _ in range(each):
                made = make(random, length)
                yield Sound(label, name, (0.1 * made / np.std(made)).astype(np.float32))
    files = sorted((data / "librispeech_train_speakers").glob("*.flac"))
    order = np.random.default_rng(30).permutation(len(files))[SPEAKERS[part]]
    for index in order.tolist():
        yield from _speech(part, decode(files[index]), random, length)


def _speech(part: str, clip: Samples, random: Rng, length: int) -> Iterator[Sound]:
    """A speaker's clip clean, in noise, and over music that is 5 to 15 dB softer."""
    clip = clip[: length + int(random.integers(0, max(1, len(clip) - length)))][-length:]
    yield Sound("speech", "clean", clip)
    for label, kinds, low, high in (("noisy-speech", NOISE[part], 5, 20), ("over-music", MUSIC[part], 5, 15)):
        name = str(random.choice(sorted(kinds)))
        made = kinds[name](random, len(clip)).astype(np.float32)
        yield Sound(label, name, mixed(clip, made, float(random.uniform(low, high))))
