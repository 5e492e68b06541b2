# SPDX-License-Identifier: Apache-2.0
"""Families of damage to clean speech, each a function: noises to add, and processing to go through.

A noise is `noise(rng, num_samples, material)`, of any loudness; processing is `processing(rng, samples)`, as long as
what it was given and aligned with it. All at 16 kHz. Which family is in which split stands in
quality_est_splits.toml. Most are made up here, as few real noises are free to hand on; they are no recordings.
"""

from __future__ import annotations

import io
import itertools
from collections.abc import Callable
from dataclasses import dataclass, field

import av
import numpy as np
import soxr
from numpy.typing import NDArray
from scipy import signal

HZ = 16_000
Signal = NDArray[np.float64]
Rng = np.random.Generator


@dataclass
class Material:
    """What a split's noises may be made of: its own speakers, its recorded noise, its rooms."""

    speech: list[Signal]
    recorded: list[Signal] = field(default_factory=list)
    rooms: list[Signal] = field(default_factory=list)


def unit(samples: Signal) -> Signal:
    """Scale to power 1; silence stays."""
    return samples / (np.sqrt(np.mean(samples**2)) + 1e-12)


def varied(rng: Rng, noise: Signal) -> Signal:
    """The same noise through another microphone, or switched on and off."""
    if rng.random() < 0.7:
        frequency = np.log(np.maximum(np.fft.rfftfreq(len(noise), 1 / HZ), 40.0))
        curve = np.interp(frequency, np.linspace(np.log(40), np.log(8_000), 9), rng.normal(0, 8, 9))
        noise = np.fft.irfft(np.fft.rfft(noise) * 10 ** (curve / 20), len(noise))
    if rng.random() < 0.35:
        mean_s, share, gate, at = np.exp(rng.uniform(np.log(0.02), np.log(0.5))), rng.uniform(0.1, 0.8), [], 0
        while at < len(noise):
            for level, part in ((1.0, share), (10 ** (-rng.uniform(15, 60) / 20), 1 - share)):
                gate.append(np.full(int(rng.exponential(2 * mean_s * part) * HZ) + 1, level))
                at += len(gate[-1])
        smooth = np.convolve(np.concatenate(gate)[: len(noise)], np.ones(48) / 48, "same")
        noise = noise * smooth
    return noise


def stretch(rng: Rng, samples: Signal, num_samples: int) -> Signal:
    """A random stretch, repeated from its start where it is too short."""
    return np.resize(np.roll(samples, -int(rng.integers(len(samples)))), num_samples)


def _band(rng: Rng, samples: Signal, low: float, high: float) -> Signal:
    return signal.sosfilt(signal.butter(2, [low, high], "bandpass", fs=HZ, output="sos"), samples)


def _coloured(rng: Rng, num_samples: int, exponent: float) -> Signal:
    """Noise with power ~ frequency ** exponent, flat below 20 Hz."""
    spectrum = np.fft.rfft(rng.standard_normal(num_samples))
    frequency = np.maximum(np.fft.rfftfreq(num_samples, 1 / HZ), 20.0)
    return np.fft.irfft(spectrum * frequency ** (exponent / 2), num_samples)


def _smooth(rng: Rng, num_samples: int, hertz: float) -> Signal:
    """A slow random walk around 0 with power 1, that moves about `hertz` times a second."""
    points = max(4, int(num_samples / HZ * hertz) + 4)
    return np.interp(np.linspace(0, points - 1, num_samples), np.arange(points), rng.standard_normal(points))


def _decaying(rng: Rng, num_samples: int, decay_s: float) -> Signal:
    return np.exp(-np.arange(num_samples) / (decay_s * HZ))


def _scatter(rng: Rng, num_samples: int, per_second: float, grain: Callable[[], Signal]) -> Signal:
    """Put grains at random moments, each of its own loudness."""
    out = np.zeros(num_samples)
    for start in rng.integers(0, num_samples, max(1, rng.poisson(per_second * num_samples / HZ))):
        part = grain()[: num_samples - start] * 10 ** (rng.uniform(-12, 0) / 20)
        out[start : start + len(part)] += part
    return out


def white(rng: Rng, num_samples: int, material: Material) -> Signal:
    return rng.standard_normal(num_samples)


def pink(rng: Rng, num_samples: int, material: Material) -> Signal:
    return _coloured(rng, num_samples, rng.uniform(-1.3, -0.6))


def brown(rng: Rng, num_samples: int, material: Material) -> Signal:
    return _coloured(rng, num_samples, rng.uniform(-2.5, -1.6))


def violet(rng: Rng, num_samples: int, material: Material) -> Signal:
    return _coloured(rng, num_samples, rng.uniform(0.5, 2.0))


def shaped(rng: Rng, num_samples: int, material: Material) -> Signal:
    """Noise with the long-term spectrum of a talker."""
    talker = material.speech[rng.integers(len(material.speech))]
    frequency, power = signal.welch(talker, HZ, nperseg=512)
    spectrum = np.fft.rfft(rng.standard_normal(num_samples))
    gain = np.sqrt(np.interp(np.fft.rfftfreq(num_samples, 1 / HZ), frequency, power))
    return np.fft.irfft(spectrum * gain, num_samples)


def modulated(rng: Rng, num_samples: int, material: Material) -> Signal:
    """Speech-shaped noise with the envelopes of one talker in three bands: speech's rhythm, none of its detail."""
    talker = stretch(rng, material.speech[rng.integers(len(material.speech))], num_samples)
    edges, out = (80, 800, 2400, 7000), np.zeros(num_samples)
    smoother = signal.butter(2, 30, fs=HZ, output="sos")
    for low, high in itertools.pairwise(edges):
        envelope = np.maximum(signal.sosfilt(smoother, np.abs(_band(rng, talker, low, high))), 0)
        out += unit(_band(rng, rng.standard_normal(num_samples), low, high)) * envelope
    return out


def hum(rng: Rng, num_samples: int, material: Material) -> Signal:
    """Mains: 50 or 60 Hz and its harmonics."""
    time, mains = np.arange(num_samples) / HZ, rng.choice([50.0, 60.0]) * rng.uniform(0.995, 1.005)
    weights = rng.uniform(0.1, 1, 40) / np.arange(1, 41) ** rng.uniform(0.3, 1.5)
    phases = rng.uniform(0, 2 * np.pi, 40)
    partials = enumerate(zip(weights, phases, strict=True), 1)
    wave = sum(w * np.sin(2 * np.pi * mains * k * time + p) for k, (w, p) in partials)
    return unit(np.asarray(wave)) + rng.uniform(0, 0.1) * rng.standard_normal(num_samples)


def engine(rng: Rng, num_samples: int, material: Material) -> Signal:
    """Harmonics of a wandering speed over low noise."""
    speed = rng.uniform(25, 120) * np.exp(0.15 * _smooth(rng, num_samples, 1.0))
    phase = 2 * np.pi * np.cumsum(speed) / HZ
    tones = sum(rng.uniform(0.2, 1) / k ** rng.uniform(0.5, 1.2) * np.sin(k * phase) for k in range(1, 25))
    return unit(np.asarray(tones)) + rng.uniform(0.3, 1.5) * unit(_coloured(rng, num_samples, -1.8))


def clicks(rng: Rng, num_samples: int, material: Material) -> Signal:
    """Crackle of a record or a bad contact."""
    length = int(rng.uniform(2, 40))
    out = _scatter(rng, num_samples, rng.uniform(3, 150), lambda: rng.standard_normal(length))
    return out + 1e-3 * rng.standard_normal(num_samples)


def pulsed(rng: Rng, num_samples: int, material: Material) -> Signal:
    """Noise switched or swelling at a rate."""
    time = np.arange(num_samples) / HZ
    wave = np.sin(2 * np.pi * rng.uniform(0.3, 12) * time + rng.uniform(0, 6))
    gate = (wave > rng.uniform(-0.5, 0.5)) * 1.0 if rng.random() < 0.5 else (0.5 + 0.5 * wave) ** rng.uniform(0.5, 3)
    return _coloured(rng, num_samples, rng.uniform(-2, 1)) * (gate + rng.uniform(0, 0.1))


def tones(rng: Rng, num_samples: int, material: Material) -> Signal:
    """Beeps: one to four tones that come and go."""
    time, out = np.arange(num_samples) / HZ, np.zeros(num_samples)
    for _ in range(int(rng.integers(1, 5))):
        hertz = np.exp(rng.uniform(np.log(150), np.log(6000)))
        gate = 1.0 if rng.random() < 0.4 else _smooth(rng, num_samples, rng.uniform(1, 6)) > 0
        out += rng.uniform(0.2, 1) * np.sin(2 * np.pi * hertz * time + rng.uniform(0, 6)) * gate
    return out + 1e-3 * rng.standard_normal(num_samples)


def impacts(rng: Rng, num_samples: int, material: Material) -> Signal:
    """Knocks and clanks: decaying resonances at random or steady moments."""
    length = int(rng.uniform(0.05, 0.4) * HZ)

    def knock() -> Signal:
        time = np.arange(length) / HZ
        ring = sum(np.sin(2 * np.pi * f * time) * rng.uniform(0.2, 1) for f in np.exp(rng.uniform(4.6, 8.5, 4)))
        mix = np.asarray(ring) + rng.uniform(0, 2) * rng.standard_normal(length)
        return mix * _decaying(rng, length, rng.uniform(0.005, 0.1))

    return _scatter(rng, num_samples, rng.uniform(1, 12), knock) + 2e-3 * _coloured(rng, num_samples, -1)


def fan(rng: Rng, num_samples: int, material: Material) -> Signal:
    """Broadband rush with a few fixed blade tones."""
    time, blade = np.arange(num_samples) / HZ, rng.uniform(60, 400)
    rush = _coloured(rng, num_samples, rng.uniform(-1.6, -0.8)) * (1 + 0.1 * _smooth(rng, num_samples, 4))
    whine = sum(np.sin(2 * np.pi * blade * k * time) / k for k in (1, 2, 3, 5))
    return unit(rush) + rng.uniform(0.05, 0.5) * unit(np.asarray(whine))


def wind(rng: Rng, num_samples: int, material: Material) -> Signal:
    """Gusts of low noise at a microphone."""
    gusts = np.exp(rng.uniform(0.5, 1.2) * _smooth(rng, num_samples, rng.uniform(0.7, 4)))
    return _coloured(rng, num_samples, rng.uniform(-3, -2)) * gusts


def keyboard(rng: Rng, num_samples: int, material: Material) -> Signal:
    """Typing: a press and a release, each a short rattle."""

    def key() -> Signal:
        press = _band(rng, rng.standard_normal(800), rng.uniform(300, 1200), rng.uniform(3000, 7500))
        out = np.zeros(3_000)
        out[:800] = press * _decaying(rng, 800, 0.008)
        out[1_600:2_400] = 0.5 * press * _decaying(rng, 800, 0.006)
        return out

    return _scatter(rng, num_samples, rng.uniform(3, 12), key) + 2e-3 * rng.standard_normal(num_samples)


def recorded(rng: Rng, num_samples: int, material: Material) -> Signal:
    return stretch(rng, material.recorded[rng.integers(len(material.recorded))], num_samples)


def babble(rng: Rng, num_samples: int, material: Material) -> Signal:
    """Two to eight talkers of the split at once."""
    talkers = rng.choice(len(material.speech), int(rng.integers(2, 9)), replace=False)
    return np.sum([unit(stretch(rng, material.speech[talker], num_samples)) for talker in talkers], axis=0)


def music(rng: Rng, num_samples: int, material: Material) -> Signal:
    """Chords with a melody and drums, at a tempo."""
    beat, out = int(HZ * 60 / rng.uniform(70, 150)), np.zeros(num_samples + 2 * HZ)
    root, scale = rng.uniform(80, 200), np.array([0, 2, 4, 5, 7, 9, 11, 12, 14, 16])
    overtones = rng.uniform(0, 1, 8) / np.arange(1, 9)

    def note(semitones: float, length: int) -> Signal:
        time = np.arange(length) / HZ
        hertz = root * 2 ** (semitones / 12)
        heard = [(w, hertz * k) for k, w in enumerate(overtones, 1) if hertz * k < 7500]
        wave = sum(w * np.sin(2 * np.pi * partial * time) for w, partial in heard)
        return np.asarray(wave) * np.minimum(1, time / 0.01) * _decaying(rng, length, 0.4)

    for number, start in enumerate(range(0, num_samples, beat)):
        if number % 4 == 0:
            base = rng.choice(scale[:6])
            for step in (0, 4, 7):
                out[start : start + 2 * HZ] += note(base + step, 2 * HZ)[: len(out) - start]
        out[start : start + beat] += 1.5 * note(12 + rng.choice(scale), beat)[: len(out) - start]
        drum = rng.standard_normal(2_000) if number % 2 else np.sin(2 * np.pi * 60 * np.arange(2_000) / HZ) * 3
        out[start : start + 2_000] += rng.uniform(0, 1) * drum * _decaying(rng, 2_000, 0.03)
    return out[:num_samples]


def rain(rng: Rng, num_samples: int, material: Material) -> Signal:
    """Thousands of drops: short ringing grains over a hiss."""

    def drop() -> Signal:
        length = int(rng.uniform(40, 300))
        ring = np.sin(2 * np.pi * rng.uniform(1000, 7000) * np.arange(length) / HZ)
        return ring * _decaying(rng, length, 0.004)

    drops = _scatter(rng, num_samples, rng.uniform(50, 600), drop)
    return unit(drops) + rng.uniform(0.1, 1) * unit(_coloured(rng, num_samples, rng.uniform(-0.5, 0.5)))


def siren(rng: Rng, num_samples: int, material: Material) -> Signal:
    """A tone that sweeps up and down, with harmonics."""
    time = np.arange(num_samples) / HZ
    sweep = signal.sawtooth(2 * np.pi * rng.uniform(0.1, 4) * time, rng.uniform(0.1, 0.9))
    phase = 2 * np.pi * np.cumsum(rng.uniform(500, 1200) * 2 ** (rng.uniform(0.2, 1) * sweep)) / HZ
    wave = sum(np.sin(k * phase) / k ** rng.uniform(0.8, 2) for k in range(1, 6))
    return np.asarray(wave) + 0.02 * rng.standard_normal(num_samples)


def lowpass(rng: Rng, samples: Signal) -> Signal:
    """Less bandwidth; forwards and backwards, so that nothing is delayed."""
    return signal.sosfiltfilt(signal.butter(5, np.exp(rng.uniform(6.9, 8.85)), fs=HZ, output="sos"), samples)


def highpass(rng: Rng, samples: Signal) -> Signal:
    sos = signal.butter(3, np.exp(rng.uniform(5.3, 7.0)), "highpass", fs=HZ, output="sos")
    return signal.sosfiltfilt(sos, samples)


def clipped(rng: Rng, samples: Signal) -> Signal:
    limit = np.quantile(np.abs(samples), rng.uniform(0.7, 0.999))
    return np.clip(samples, -limit, limit)


def overdriven(rng: Rng, samples: Signal) -> Signal:
    """Soft, lopsided saturation."""
    drive = np.exp(rng.uniform(0, 3.0)) / (np.quantile(np.abs(samples), 0.99) + 1e-9)
    bias = rng.uniform(0, 0.3)
    return (np.tanh(drive * samples + bias) - np.tanh(bias)) / drive


def quantised(rng: Rng, samples: Signal) -> Signal:
    step = np.abs(samples).max() / 2 ** rng.integers(3, 10) + 1e-12
    return np.round(samples / step) * step


def mulaw(rng: Rng, samples: Signal) -> Signal:
    """A telephone's 8 kHz and 8 bits."""
    narrow = np.clip(soxr.resample(samples, HZ, 8_000), -1, 1)
    coded = np.round(np.sign(narrow) * np.log1p(255 * np.abs(narrow)) / np.log(256) * 127) / 127
    wide = soxr.resample(np.sign(coded) * (256 ** np.abs(coded) - 1) / 255, 8_000, HZ)
    return np.pad(wide, (0, HZ))[: len(samples)]


def adpcm(rng: Rng, samples: Signal) -> Signal:
    """G.726 at 8 kHz, or G.722."""
    if rng.random() < 0.5:
        return coded(samples, "g722", "wav", 64_000)
    narrow = coded(soxr.resample(samples, HZ, 8_000), "g726", "wav", int(rng.choice([16, 24, 32, 40])) * 1000, 8_000)
    return np.pad(soxr.resample(narrow, 8_000, HZ), (0, HZ))[: len(samples)]


def mp3(rng: Rng, samples: Signal) -> Signal:
    return coded(samples, "libmp3lame", "mp3", int(rng.choice([8, 16, 24, 32, 48])) * 1000)


def aac(rng: Rng, samples: Signal) -> Signal:
    return coded(samples, "aac", "adts", int(rng.choice([8, 12, 16, 24, 32])) * 1000)


def opus(rng: Rng, samples: Signal) -> Signal:
    return coded(samples, "libopus", "ogg", int(rng.choice([6, 8, 10, 12, 16, 24])) * 1000)


def lost(rng: Rng, samples: Signal) -> Signal:
    """Packets of 10 to 40 ms gone, alone or in bursts, with silence instead."""
    return samples * np.repeat(~_gone(rng, len(samples), (packet := _packet(rng))), packet)[: len(samples)]


def repeated(rng: Rng, samples: Signal) -> Signal:
    """Packets gone, the last good one in their place, ever softer."""
    packet = _packet(rng)
    gone, out = _gone(rng, len(samples), packet), np.pad(samples, (0, packet))
    for number in np.flatnonzero(gone):
        if number:
            start = number * packet
            out[start : start + packet] = 0.7 * out[start - packet : start]
    return out[: len(samples)]


def subtraction(rng: Rng, samples: Signal) -> Signal:
    """Power spectral subtraction with a floor: musical noise."""
    _, _, spectrum = signal.stft(samples, HZ, nperseg=512, noverlap=384)
    power = np.abs(spectrum) ** 2
    noise = np.percentile(power, rng.uniform(10, 40), axis=1, keepdims=True) * rng.uniform(1, 5)
    gain = np.sqrt(np.maximum(1 - noise / (power + 1e-15), rng.uniform(0.0005, 0.05)))
    return _inverse(spectrum * gain, len(samples))


def wiener(rng: Rng, samples: Signal) -> Signal:
    """Decision-directed Wiener filter, Ephraim and Malah's a-priori SNR."""
    _, _, spectrum = signal.stft(samples, HZ, nperseg=512, noverlap=384)
    power = np.abs(spectrum) ** 2
    noise = np.percentile(power, rng.uniform(10, 30), axis=1) * rng.uniform(1, 4) + 1e-12
    gain, before, floor = np.empty_like(power), np.zeros(len(power)), rng.uniform(0.02, 0.2)
    for frame in range(power.shape[1]):
        post = power[:, frame] / noise
        prior = 0.96 * before + 0.04 * np.maximum(post - 1, 0)
        gain[:, frame] = np.maximum(prior / (1 + prior), floor)
        before = gain[:, frame] ** 2 * post
    return _inverse(spectrum * gain, len(samples))


def _inverse(spectrum: NDArray[np.complex128], num_samples: int) -> Signal:
    _, out = signal.istft(spectrum, HZ, nperseg=512, noverlap=384)
    return np.pad(out, (0, max(0, num_samples - len(out))))[:num_samples]


def _packet(rng: Rng) -> int:
    return int(rng.choice([160, 320, 480, 640]))


def _gone(rng: Rng, num_samples: int, packet: int) -> NDArray[np.bool_]:
    """Gilbert's two states: a packet is likelier lost after a lost one."""
    count, rate, stay = num_samples // packet + 1, rng.uniform(0.01, 0.25), rng.uniform(0, 0.7)
    gone, draws = np.zeros(count, np.bool_), rng.random(count)
    for number in range(1, count):
        gone[number] = draws[number] < (stay if gone[number - 1] else rate * (1 - stay))
    return gone


def coded(samples: Signal, codec: str, container: str, bit_rate: int, hertz: int = HZ) -> Signal:
    """Encode, decode, and take the codec's delay out again."""
    decoded = _decoded(_encoded(samples, codec, container, bit_rate, hertz), hertz)
    size = 1 << int(len(samples) + len(decoded) - 1).bit_length()
    match = np.fft.irfft(np.fft.rfft(decoded, size) * np.conj(np.fft.rfft(samples, size)), size)
    lags = np.arange(-hertz // 8, hertz // 8)
    delay = int(lags[np.argmax(match[lags])])
    moved = decoded[delay:] if delay >= 0 else np.concatenate([np.zeros(-delay), decoded])
    return np.pad(moved, (0, max(0, len(samples) - len(moved))))[: len(samples)]


def _encoded(samples: Signal, codec: str, container: str, bit_rate: int, hertz: int) -> bytes:
    file = io.BytesIO()
    with av.open(file, "w", format=container) as output:
        stream = output.add_stream(codec, rate=hertz, layout="mono")
        stream.bit_rate = bit_rate
        pcm = (np.clip(samples, -1, 1) * 32767).astype(np.int16)
        frame = av.AudioFrame.from_ndarray(pcm[None], format="s16", layout="mono")
        frame.sample_rate = hertz
        for converted in av.AudioResampler(stream.format, "mono", hertz, stream.frame_size or 0).resample(frame):
            output.mux(stream.encode(converted))
        output.mux(stream.encode(None))
    return file.getvalue()


def _decoded(data: bytes, hertz: int) -> Signal:
    resampler, parts = av.AudioResampler("flt", "mono", hertz), []
    with av.open(io.BytesIO(data)) as container:
        for frame in container.decode(audio=0):
            parts += [part.to_ndarray()[0] for part in resampler.resample(frame)]
    return np.concatenate(parts).astype(np.float64)


def exponential_room(rng: Rng, lowest_db: float) -> Signal:
    """A made-up room: the direct path, some echoes, a tail that decays by 60 dB in 0.15 to 1.2 s.

    lowest_db: how far the direct path may lie above the rest at least; 15 dB at most.
    """
    decay, num_samples = rng.uniform(0.15, 1.2), int(0.9 * HZ)
    tail = rng.standard_normal(num_samples) * 10 ** (-3 * np.arange(num_samples) / (decay * HZ))
    tail[: int(rng.uniform(0.002, 0.02) * HZ)] = 0
    for start in rng.integers(16, 800, 6):
        tail[start] += rng.normal() * 3
    room = tail / (np.sqrt(np.sum(tail**2)) + 1e-12) * 10 ** (-rng.uniform(lowest_db, 15) / 20)
    room[0] = 1.0
    return room


def recorded_room(samples: Signal) -> Signal:
    """A recorded response from its direct path on, which gets amplitude 1."""
    direct = int(np.argmax(np.abs(samples)))
    return samples[direct : direct + HZ] / samples[direct]


NOISES: dict[str, Callable[[Rng, int, Material], Signal]] = {
    noise.__name__: noise
    for noise in (
        *(white, pink, brown, violet, shaped, modulated, hum, engine, clicks, pulsed, tones, impacts),
        *(fan, wind, keyboard),
        *(recorded, babble, music, rain, siren),
    )
}
PROCESSING: dict[str, Callable[[Rng, Signal], Signal]] = {
    process.__name__: process
    for process in (
        *(lowpass, clipped, quantised, mp3, adpcm, mulaw, lost, subtraction),
        *(aac, overdriven, highpass),
        *(opus, wiener, repeated),
    )
}
