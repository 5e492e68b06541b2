# SPDX-License-Identifier: Apache-2.0
"""Made conversations with known turns, to tune and validate diarization on.

Speakers are the 251 of LibriSpeech's training part, a clip of about 12 s each; those of the validation half are
never heard while tuning. A conversation is a chain of turns with pauses and overlap, in one of four kinds of sound:
studio, telephone (one channel, 300 to 3,400 Hz, mu-law), room (an impulse response per speaker, noise) and meeting
(a far microphone: strong reverberation, speakers of different loudness, noise, and peaks down to -35 dBFS).
The truth is where silero hears speech in the clean clip, before anything is done to it.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import av
import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from speechmill import models
from speechmill.core.stage import Context, Samples
from speechmill.core.timebase import WORKING_HZ, on_millisecond
from speechmill.core.types import Turn
from speechmill.formats.array_audio import ArrayAudio
from speechmill.vad import silero

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
KINDS = ("studio", "telephone", "room", "meeting")
SPLIT_SEED = 7
TUNE_SPEAKERS = 150  # of 251; the others are validation


class Voice(Struct, frozen=True):
    """A speaker's clean clip at -26 dBFS, and where they speak in it, in samples."""

    name: str
    samples: Samples
    phrases: tuple[tuple[int, int], ...]


class Conversation(Struct, frozen=True):
    """A recording with its truth."""

    name: str
    kind: str
    samples: Samples
    turns: tuple[Turn, ...]


class Acoustics(Struct, frozen=True):
    """What rooms and noises are made from."""

    noises: tuple[Samples, ...]
    responses: tuple[Samples, ...]


def decode(path: Path) -> Samples:
    """Decode a 16 kHz mono file: (num_samples,) float32."""
    with av.open(str(path)) as container:
        frames = [frame.to_ndarray().reshape(-1) for frame in container.decode(audio=0)]
    return np.concatenate(frames).astype(np.float32) / 32768


def voices(part: str, data: Path = DATA) -> list[Voice]:
    """Voices of a part, "tune" or "validate"."""
    files = sorted((data / "librispeech_train_speakers").glob("*.flac"))
    order = np.random.default_rng(SPLIT_SEED).permutation(len(files))
    chosen = order[:TUNE_SPEAKERS] if part == "tune" else order[TUNE_SPEAKERS:]
    vad = silero.Backend(silero.Config(pad_ms=0), Context(Path(), models.path))
    return [_voice(files[index], vad) for index in sorted(chosen.tolist())]


def _voice(path: Path, vad: silero.Backend) -> Voice:
    samples = decode(path)
    phrases = [
        (round(part.start * WORKING_HZ), round(part.end * WORKING_HZ)) for part in vad.speech(ArrayAudio([samples]), 0)
    ]
    heard = np.concatenate([samples[start:end] for start, end in phrases])
    samples = samples * np.float32(10 ** (-26 / 20) / np.sqrt(np.mean(heard**2)))
    return Voice(path.stem.split("-")[0], samples, tuple(phrases))


def acoustics(part: str, data: Path = DATA) -> Acoustics:
    """Noise and rooms of a part: half of the recorded ones each, and synthetic ones of a seed of their own."""
    tune = part == "tune"
    generator = np.random.default_rng(1 if tune else 2)
    noise = decode(data / "noise_rir" / "noise1.flac")
    middle = len(noise) // 2
    recorded = [decode(data / "noise_rir" / f"rir{index}.flac") for index in ((1, 2) if tune else (3, 4))]
    made = [synthetic_response(generator) for _ in range(12)]
    return Acoustics((noise[:middle] if tune else noise[middle:],), tuple(_direct(one) for one in [*recorded, *made]))


def synthetic_response(generator: np.random.Generator) -> Samples:
    """A direct sound and a decaying tail: reverberation time 0.2 to 0.7 s, direct-to-reverberant -3 to 8 dB."""
    time = np.arange(round(0.6 * WORKING_HZ)) / WORKING_HZ
    tail = generator.normal(size=len(time)) * np.exp(-6.9 * time / generator.uniform(0.2, 0.7))
    tail[: round(0.002 * WORKING_HZ)] = 0
    tail *= 10 ** (-generator.uniform(-3, 8) / 20) / np.sqrt(np.sum(tail**2))
    tail[0] = 1.0
    return tail.astype(np.float32)


def _direct(response: Samples) -> Samples:
    """Begin a response at its direct sound, so that truth needs no shift; unit energy."""
    begin = max(0, int(np.argmax(np.abs(response))) - 16)
    response = response[begin:]
    return np.asarray(response / np.sqrt(np.sum(response**2)), dtype=np.float32)


def conversations(part: str, count: int, data: Path = DATA) -> list[Conversation]:
    """Make conversations of 1 to 6 speakers, a third of them of 30 s; the kinds in turn."""
    pool, sound = voices(part, data), acoustics(part, data)
    seeds = np.random.SeedSequence(11 if part == "tune" else 12).spawn(count)
    return [_conversation(index, np.random.default_rng(seed), pool, sound) for index, seed in enumerate(seeds)]


def _conversation(index: int, generator: np.random.Generator, pool: list[Voice], sound: Acoustics) -> Conversation:
    kind = KINDS[index % len(KINDS)]
    num_speakers = int(generator.choice([1, 2, 3, 4, 5, 6], p=[0.15, 0.3, 0.2, 0.2, 0.1, 0.05]))
    cast = [pool[one] for one in generator.choice(len(pool), num_speakers, replace=False)]
    limit_s = 30.0 if index % 3 == 0 else 12.0 * num_speakers
    placed = _script(generator, cast, limit_s)
    length = max(start + len(samples) for _, start, samples, _ in placed) + WORKING_HZ
    mixed = np.zeros(length)
    gains = 10 ** (generator.uniform(-1, 1, num_speakers) * (6 if kind == "meeting" else 3) / 20)
    rooms = [sound.responses[one] for one in generator.integers(len(sound.responses), size=num_speakers)]
    for speaker, start, samples, _ in placed:
        heard = np.convolve(samples, rooms[speaker]) if kind in ("room", "meeting") else samples
        heard = heard[: length - start]
        mixed[start : start + len(heard)] += gains[speaker] * heard
    turns = [turn for _, _, _, found in placed for turn in found]
    samples = _recorded(generator, mixed, kind, sound)
    return Conversation(f"{kind}-{index:03}", kind, samples, tuple(sorted(turns, key=lambda turn: turn.start)))


def _script(
    generator: np.random.Generator, cast: list[Voice], limit_s: float
) -> list[tuple[int, int, Samples, list[Turn]]]:
    """Who says what and when: (speaker, first sample, samples, true turns) until the time or what they have is up."""
    used, placed = [0] * len(cast), []
    end, before = 0.3 * WORKING_HZ, -1
    weights = generator.dirichlet([2.0] * len(cast))
    while end < limit_s * WORKING_HZ:
        left = [one for one in range(len(cast)) if used[one] < len(cast[one].samples) - WORKING_HZ and one != before]
        left = left or [one for one in range(len(cast)) if used[one] < len(cast[one].samples) - WORKING_HZ]
        if not left:
            break
        share = weights[left] + 0.05
        speaker = int(generator.choice(left, p=share / share.sum()))
        wanted = generator.uniform(0.4, 1.0) if generator.random() < 0.2 else 0.8 + generator.gamma(1.6, 1.8)
        begin, stop = _take(cast[speaker], used[speaker], round(wanted * WORKING_HZ))
        used[speaker] = stop
        gap = generator.normal(0.25, 0.45) if speaker != before else generator.uniform(0.3, 1.2)
        start = max(0, round(end + max(gap, -1.5) * WORKING_HZ))
        if generator.random() < 0.08 and placed:  # said while the other goes on
            start = max(0, round(end - generator.uniform(0.5, 2.5) * WORKING_HZ))
        placed.append(
            (speaker, start, _faded(cast[speaker].samples[begin:stop]), _truth(cast[speaker], begin, stop, start))
        )
        end, before = max(end, start + stop - begin), speaker
    return placed


def _take(voice: Voice, first: int, wanted: int) -> tuple[int, int]:
    """The next stretch of a clip of about a length, from speech to the quietest place near its end."""
    begin = next((max(start, first) for start, end in voice.phrases if end > first), first)
    aim = min(begin + wanted, len(voice.samples))
    around = range(max(begin + 3200, aim - 4000), min(aim + 4000, len(voice.samples) - 400), 160)
    stop = min(around, key=lambda place: float(np.sum(voice.samples[place - 240 : place + 240] ** 2)), default=aim)
    return begin, stop


def _faded(samples: Samples) -> Samples:
    ramp = np.minimum(1.0, np.arange(1, len(samples) + 1) / 80)
    return np.asarray(samples * ramp * ramp[::-1], dtype=np.float32)


def _truth(voice: Voice, begin: int, stop: int, start: int) -> list[Turn]:
    inside = [(max(one, begin), min(other, stop)) for one, other in voice.phrases if other > begin and one < stop]
    return [
        Turn(on_millisecond((start + one - begin) / WORKING_HZ), on_millisecond((other - one) / WORKING_HZ), voice.name)
        for one, other in inside
        if other - one >= 160
    ]


def _recorded(generator: np.random.Generator, mixed: NDArray[np.float64], kind: str, sound: Acoustics) -> Samples:
    """Add noise, send it over the line, set the level, and round to 16 bits."""
    snr_db = {"studio": (30, 50), "telephone": (15, 35), "room": (10, 30), "meeting": (5, 20)}[kind]
    mixed = mixed + _noise(generator, mixed, generator.uniform(*snr_db), sound)
    if kind == "telephone":
        mixed = _line(mixed)
    peak_dbfs = generator.uniform(-36, -20) if kind == "meeting" else generator.uniform(-30, -1)
    mixed = mixed * 10 ** (peak_dbfs / 20) / np.abs(mixed).max()
    return (np.round(mixed * 32767) / 32768).astype(np.float32)


def _noise(
    generator: np.random.Generator, speech: NDArray[np.float64], snr_db: float, sound: Acoustics
) -> NDArray[np.float64]:
    """Recorded noise, or noise with a spectrum that falls with frequency; against the mean power of what is loud."""
    if generator.random() < 0.5:
        source = sound.noises[int(generator.integers(len(sound.noises)))]
        noise = np.resize(np.roll(source, int(generator.integers(len(source)))), len(speech)).astype(np.float64)
    else:
        spectrum = np.fft.rfft(generator.normal(size=len(speech)))
        tilt = np.maximum(np.arange(len(spectrum)) / len(spectrum), 0.005) ** -generator.uniform(0, 0.9)
        noise = np.fft.irfft(spectrum * tilt, len(speech))
    loud = speech[np.abs(speech) > np.abs(speech).max() / 30]
    return noise * np.sqrt(np.mean(loud**2) / np.mean(noise**2)) * 10 ** (-snr_db / 20)


def _line(samples: NDArray[np.float64]) -> NDArray[np.float64]:
    """A telephone line: 300 to 3,400 Hz, eight bits of mu-law."""
    spectrum = np.fft.rfft(samples)
    hz = np.fft.rfftfreq(len(samples), 1 / WORKING_HZ)
    spectrum *= 1 / (1 + (300 / np.maximum(hz, 1)) ** 8) / (1 + (hz / 3400) ** 16)
    line = np.fft.irfft(spectrum, len(samples))
    line /= np.abs(line).max()
    coded = np.round(np.sign(line) * np.log1p(255 * np.abs(line)) / np.log(256) * 127) / 127
    return np.asarray(np.sign(coded) * np.expm1(np.abs(coded) * np.log(256)) / 255)


def overlap_share(turns: Sequence[Turn]) -> float:
    """Share of the time with speech in which two or more speak."""
    edges = sorted([(turn.start, 1) for turn in turns] + [(turn.end, -1) for turn in turns])
    busy = twice = before = 0.0
    active = 0
    for time, step in edges:
        busy += (time - before) * (active > 0)
        twice += (time - before) * (active > 1)
        before, active = time, active + step
    return twice / busy if busy else 0.0
