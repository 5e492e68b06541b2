# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import wave

import numpy as np
import pytest

from speechmill.core.errors import AudioError
from speechmill.formats import audio
from speechmill.formats.audio import (
    encode_flac,
    make_canonical,
    open_canonical,
    probe,
    read_audio,
    read_canonical,
    write_flac,
    write_wav,
)


def sine(frequency, seconds, sampling_rate, amplitude=0.5):
    return (amplitude * np.sin(2 * np.pi * frequency * np.arange(int(seconds * sampling_rate)) / sampling_rate)).astype(
        np.float32
    )


def noise(seconds, sampling_rate, channels=1):
    return np.random.default_rng(0).normal(0, 0.1, (channels, int(seconds * sampling_rate))).astype(np.float32)


def write_float_wav(path, samples, sampling_rate, encode):
    return encode(path, samples, sampling_rate, "pcm_f32le", fmt="flt")


def test_a_wav_becomes_a_24_khz_flac_and_a_16_khz_working_copy(tmp_path):
    write_wav(tmp_path / "a.wav", sine(440, 2.0, 44_100), 44_100)
    canonical, opened = make_canonical(tmp_path / "a.wav", tmp_path / "store", "rec", "mix")
    assert canonical.paths == ("rec-0.flac",)
    assert (canonical.duration, canonical.sampling_rate, canonical.channels) == (2.0, 44_100, 1)
    assert (canonical.codec, canonical.truncated, canonical.warnings) == ("pcm_s16le", False, ())
    with opened:
        assert (opened.num_channels, opened.duration) == (1, 2.0)
        at_16, at_24 = opened.read(), opened.read(sampling_rate=24_000)
    assert (len(at_16), len(at_24), at_16.dtype) == (32_000, 48_000, np.float32)
    np.testing.assert_allclose(at_16[1000:-1000], sine(440, 2.0, 16_000)[1000:-1000], atol=2e-4)
    np.testing.assert_allclose(at_24[1000:-1000], sine(440, 2.0, 24_000)[1000:-1000], atol=2e-4)


def test_pcm16_at_24_khz_passes_unchanged(tmp_path):
    samples = np.random.default_rng(0).integers(-32768, 32767, 50_000, dtype=np.int16)
    write_wav(tmp_path / "a.wav", samples, 24_000)
    canonical, opened = make_canonical(tmp_path / "a.wav", tmp_path, "rec", "mix")
    with opened:
        assert np.array_equal(opened.read(sampling_rate=24_000) * 32768, samples)
    assert canonical.warnings == ()


@pytest.mark.parametrize("memory_s", [1200, 1.5])
def test_the_working_copy_is_the_same_when_made_from_the_flac_later(tmp_path, monkeypatch, memory_s):
    monkeypatch.setattr(audio, "MEMORY_S", memory_s)
    spill = tmp_path / "spill"
    spill.mkdir()
    write_wav(tmp_path / "a.wav", noise(7.3, 44_100, 2), 44_100)
    canonical, made = make_canonical(tmp_path / "a.wav", tmp_path, "rec", "each", temporary_folder=spill)
    with made, open_canonical(tmp_path, canonical, temporary_folder=spill) as reopened:
        assert list(spill.iterdir()) == []  # unlinked, or in memory
        for channel in (0, 1):
            assert np.array_equal(made.read(channel=channel), reopened.read(channel=channel))
            assert np.array_equal(made.read(2.0, 3.0, channel=channel), made.read(channel=channel)[32_000:80_000])
        assert not np.array_equal(made.read(channel=0), made.read(channel=1))
        assert reopened.duration == made.duration == 7.3


def test_a_long_working_copy_leaves_memory_for_a_file(tmp_path, monkeypatch):
    folders = []
    real = audio.WorkingCopy.__init__.__globals__["tempfile"].TemporaryFile
    monkeypatch.setattr(audio, "MEMORY_S", 2.0)
    monkeypatch.setattr("tempfile.TemporaryFile", lambda **given: folders.append(given["dir"]) or real(**given))
    write_wav(tmp_path / "short.wav", noise(1.9, 16_000), 16_000)
    make_canonical(tmp_path / "short.wav", tmp_path, "short", "mix", temporary_folder=tmp_path)[1].close()
    assert folders == []
    write_wav(tmp_path / "long.wav", noise(2.1, 16_000), 16_000)
    make_canonical(tmp_path / "long.wav", tmp_path, "long", "mix", temporary_folder=tmp_path)[1].close()
    assert folders == [tmp_path]


def test_reading_is_clipped_to_the_recording(tmp_path):
    write_wav(tmp_path / "a.wav", noise(1.0, 24_000), 24_000)
    _, opened = make_canonical(tmp_path / "a.wav", tmp_path, "rec", "mix")
    with opened:
        for rate in (16_000, 24_000):
            whole = opened.read(sampling_rate=rate)
            assert np.array_equal(opened.read(-0.5, 1.0, sampling_rate=rate), whole[: rate // 2])
            assert np.array_equal(opened.read(0.75, 9.0, sampling_rate=rate), whole[rate * 3 // 4 :])
            assert len(opened.read(2.0, 1.0, sampling_rate=rate)) == 0
        with pytest.raises(ValueError, match="8000"):
            opened.read(sampling_rate=8000)


def test_any_cut_of_the_flac_is_exact(tmp_path):
    samples = noise(33.0, 24_000)[0]
    write_flac(tmp_path / "a.flac", samples, 24_000)
    whole, rate = read_audio(tmp_path / "a.flac")
    assert (whole.shape, rate) == ((1, 792_000), 24_000)
    rng = np.random.default_rng(1)
    for start in [0, 1, 2303, 2304, 2305, 4608, 791_999, *rng.integers(0, 790_000, 60)]:
        length = int(rng.integers(1, 50_000))
        cut = read_canonical(tmp_path / "a.flac", start / 24_000, length / 24_000)
        assert np.array_equal(cut, whole[0, start : start + length])


@pytest.mark.parametrize("sampling_rate", [16_000, 22_050, 48_000])
def test_a_cut_at_another_rate_is_that_of_the_whole(tmp_path, sampling_rate):
    import soxr

    write_flac(tmp_path / "a.flac", noise(8.0, 24_000)[0], 24_000)
    whole = soxr.resample(read_audio(tmp_path / "a.flac")[0][0], 24_000, sampling_rate)
    for start, duration in [(0.0, 1.0), (0.1234, 2.0), (3.3333, 0.5), (7.5, 2.0)]:
        cut = read_canonical(tmp_path / "a.flac", start, duration, sampling_rate=sampling_rate)
        first = round(start * sampling_rate)
        expected = whole[first : round((start + duration) * sampling_rate)]
        assert len(cut) == len(expected)
        assert np.abs(cut - expected).max() < 1.5 / 32768


@pytest.mark.parametrize(
    ("codec", "fmt", "rate", "tolerance"),
    [
        ("pcm_u8", "u8", 8_000, 0.01),
        ("pcm_s16le", "s16", 96_000, 1e-3),
        ("pcm_s24le", "s32", 48_000, 1e-3),
        ("pcm_s32le", "s32", 22_050, 1e-3),
        ("pcm_f32le", "flt", 44_100, 1e-3),
        ("pcm_f64le", "dbl", 11_025, 1e-3),
        ("pcm_mulaw", "s16", 8_000, 0.03),
        ("pcm_alaw", "s16", 8_000, 0.03),
    ],
)
def test_every_sample_format_and_rate_gives_the_same_tone(tmp_path, encode, codec, fmt, rate, tolerance):
    tone = sine(300, 1.0, rate)[np.newaxis]
    stored = {
        "u8": lambda: np.rint(tone * 127 + 128).astype(np.uint8),
        "s16": lambda: np.rint(tone * 32767).astype(np.int16),
        "s32": lambda: np.rint(tone.astype(np.float64) * (2**31 - 1)).astype(np.int32),
        "flt": lambda: tone,
        "dbl": lambda: tone.astype(np.float64),
    }[fmt]()
    path = encode(tmp_path / "a.wav", stored, rate, codec, fmt=fmt)
    canonical, opened = make_canonical(path, tmp_path, "rec", "mix")
    assert (canonical.duration, canonical.sampling_rate, canonical.codec) == (1.0, rate, codec)
    with opened:
        np.testing.assert_allclose(
            opened.read(sampling_rate=24_000)[2000:-2000], sine(300, 1.0, 24_000)[2000:-2000], atol=tolerance
        )


def test_mix_averages_the_channels_and_each_keeps_them(tmp_path):
    write_wav(tmp_path / "a.wav", np.array([[0.5] * 24_000, [-0.25] * 24_000], np.float32), 24_000)
    mixed, opened = make_canonical(tmp_path / "a.wav", tmp_path, "mix", "mix")
    with opened:
        assert set(opened.read(sampling_rate=24_000)) == {np.float32(0.125)}
    each, opened = make_canonical(tmp_path / "a.wav", tmp_path, "each", "each")
    with opened:
        assert set(opened.read(channel=0, sampling_rate=24_000)) == {np.float32(0.5)}
        assert set(opened.read(channel=1, sampling_rate=24_000)) == {np.float32(-0.25)}
    assert (mixed.channels, mixed.paths) == (2, ("mix-0.flac",))
    assert (each.channels, each.paths) == (2, ("each-0.flac", "each-1.flac"))


def test_the_low_frequency_channel_is_no_part_of_the_mix(tmp_path, encode):
    levels = np.array([0.1, 0.2, 0.3, 0.9, 0.4, 0.5], np.float32)  # FL FR FC LFE BL BR
    samples = np.repeat(levels[:, np.newaxis], 24_000, axis=1)
    path = encode(tmp_path / "a.wav", samples, 24_000, "pcm_f32le", fmt="flt", layout="5.1")
    canonical, opened = make_canonical(path, tmp_path, "rec", "mix")
    with opened:
        assert opened.read(sampling_rate=24_000)[100] == pytest.approx(0.3, abs=1e-4)
    assert canonical.channels == 6


def test_what_is_louder_than_full_scale_is_limited_counted_and_never_wraps(tmp_path, encode):
    samples = np.full((1, 24_000), 0.1, np.float32)
    samples[0, 100:105] = 1.5
    samples[0, 200:203] = -1.5
    samples[0, 300] = 1.0
    path = write_float_wav(tmp_path / "a.wav", samples, 24_000, encode)
    canonical, opened = make_canonical(path, tmp_path, "rec", "mix")
    with opened:
        read = opened.read(sampling_rate=24_000)
    assert read[100:105].min() > 0.9999
    assert read[200:203].max() == -1.0
    assert canonical.warnings == ("clipped-samples: 8 were louder than full scale and limited",)


def test_samples_that_are_no_numbers_are_silenced(tmp_path, encode):
    samples = sine(300, 1.0, 48_000)[np.newaxis].copy()
    samples[0, 1000], samples[0, 2000] = np.nan, np.inf
    canonical, opened = make_canonical(
        write_float_wav(tmp_path / "a.wav", samples, 48_000, encode), tmp_path, "rec", "mix"
    )
    with opened:
        assert np.isfinite(opened.read()).all()
        np.testing.assert_allclose(opened.read()[8000:], sine(300, 1.0, 16_000)[8000:], atol=0.01)
    assert any(warning.startswith("not-finite") for warning in canonical.warnings)


@pytest.mark.parametrize(("amplitude", "lufs", "peak"), [(0.999, -3.02, -0.01), (0.1, -23.01, -20.0)])
def test_loudness_of_a_997_hz_sine_is_that_of_the_standard(tmp_path, amplitude, lufs, peak):
    # ITU-R BS.1770-4: a 0 dB FS, 997 Hz sine in one channel reads -3.01 LKFS.
    write_wav(tmp_path / "a.wav", sine(997, 5.0, 24_000, amplitude), 24_000)
    canonical, opened = make_canonical(tmp_path / "a.wav", tmp_path, "rec", "mix")
    opened.close()
    assert canonical.loudness_lufs == pytest.approx(lufs, abs=0.03)
    assert canonical.peak_dbfs == pytest.approx(peak, abs=0.02)


def test_silence_has_no_loudness_and_no_peak(tmp_path):
    write_wav(tmp_path / "a.wav", np.zeros(48_000, np.int16), 16_000)
    canonical, opened = make_canonical(tmp_path / "a.wav", tmp_path, "rec", "mix")
    opened.close()
    assert (canonical.duration, canonical.loudness_lufs, canonical.peak_dbfs) == (3.0, None, None)


def test_the_same_samples_give_the_same_bytes_whatever_the_container(tmp_path, encode):
    samples = np.rint(noise(3.7, 44_100) * 32767).astype(np.int16)
    write_wav(tmp_path / "a.wav", samples, 44_100)
    encode(tmp_path / "b.flac", samples, 44_100, "flac", fmt="s16")
    encode(tmp_path / "c.mka", samples, 44_100, "pcm_s16le", fmt="s16")
    for name, stem in [("a.wav", "a"), ("b.flac", "b"), ("c.mka", "c"), ("a.wav", "a")]:  # a twice: overwritten
        make_canonical(tmp_path / name, tmp_path / "out", stem, "mix")[1].close()
    contents = {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()}
    assert sorted(contents) == ["a-0.flac", "b-0.flac", "c-0.flac"]
    assert contents["a-0.flac"] == contents["b-0.flac"] == contents["c-0.flac"]
    assert b"Lavf" not in contents["a-0.flac"]


def test_flac_bytes_are_reproducible_and_lossless(tmp_path):
    samples = np.random.default_rng(0).integers(-32768, 32767, (2, 30_001), dtype=np.int16)
    content = encode_flac(samples, 22_050)
    assert content == encode_flac(samples, 22_050)
    (tmp_path / "a.flac").write_bytes(content)
    decoded, rate = read_audio(tmp_path / "a.flac")
    assert rate == 22_050
    assert np.array_equal(decoded * 32768, samples)


def test_wav_round_trip(tmp_path):
    samples = np.array([[0.0, 0.5, -1.0, 2.0]], np.float32)
    write_wav(tmp_path / "a.wav", samples, 8_000)
    decoded, rate = read_audio(tmp_path / "a.wav")
    assert rate == 8_000
    assert (decoded * 32768).tolist() == [[0.0, 16384.0, -32768.0, 32767.0]]
    with wave.open(str(tmp_path / "a.wav")) as file:
        assert (file.getsampwidth(), file.getnchannels(), file.getnframes()) == (2, 1, 4)


def test_integers_other_than_pcm16_are_refused():
    with pytest.raises(ValueError, match="int64"):
        encode_flac(np.zeros(10, np.int64), 24_000)


def test_the_audio_of_a_video_is_found(tmp_path, encode):
    path = encode(tmp_path / "a.mp4", sine(440, 2.0, 48_000)[np.newaxis], 48_000, "aac", video=True)
    assert probe(path).codec == "aac"
    canonical, opened = make_canonical(path, tmp_path, "rec", "mix")
    with opened:
        # The encoder alters single frames of a pure tone by as much as 0.4; their place is what matters.
        assert np.corrcoef(opened.read()[:32_000], sine(440, 2.0, 16_000))[0, 1] > 0.98
    assert canonical.duration == pytest.approx(2.0, abs=0.03)


@pytest.mark.parametrize(
    ("name", "codec"), [("a.m4a", "aac"), ("a.mp3", "mp3"), ("a.opus", "opus"), ("a.flac", "flac"), ("a.webm", "opus")]
)
def test_probe_reads_the_headers(tmp_path, encode, name, codec):
    encoder = {"mp3": "libmp3lame", "opus": "libopus"}.get(codec, codec)
    samples, fmt = (noise(2.0, 48_000), "fltp") if codec != "flac" else (np.zeros((1, 96_000), np.int16), "s16")
    found = probe(encode(tmp_path / name, samples, 48_000, encoder, fmt=fmt if codec != "opus" else "flt"))
    assert (found.codec, found.sampling_rate, found.channels) == (codec, 48_000, 1)
    assert found.duration == pytest.approx(2.0, abs=0.03)


def test_tags_and_names_in_an_old_encoding_do_no_harm(tmp_path):
    import os

    write_wav(tmp_path / "a.wav", noise(1.0, 16_000), 16_000)
    content = (tmp_path / "a.wav").read_bytes()
    tag = b"LIST\x10\x00\x00\x00INFOINAM\x04\x00\x00\x00\xe9\xe8\xff\x00"
    path = tmp_path / os.fsdecode(b"caf\xe9.wav")
    size = (len(content) + len(tag) - 8).to_bytes(4, "little")
    path.write_bytes(content[:4] + size + content[8:36] + tag + content[36:])
    canonical, opened = make_canonical(path, tmp_path, "rec", "mix")
    opened.close()
    assert (canonical.duration, canonical.warnings) == (1.0, ())


@pytest.mark.parametrize("damage", ["gone", "header", "middle", "end", "other"])
def test_a_damaged_canonical_file_is_told(tmp_path, damage):
    write_wav(tmp_path / "a.wav", noise(3.0, 24_000), 24_000)
    canonical, opened = make_canonical(tmp_path / "a.wav", tmp_path, "rec", "mix")
    opened.close()
    path = tmp_path / "rec-0.flac"
    content = bytearray(path.read_bytes())
    if damage == "gone":
        path.unlink()
    elif damage == "header":
        path.write_bytes(b"x" * len(content))
    elif damage == "middle":
        content[len(content) // 2] ^= 0x40
        path.write_bytes(content)
    elif damage == "end":
        path.write_bytes(content[: len(content) * 2 // 3])
    else:
        write_flac(path, noise(2.0, 24_000), 24_000)
    with pytest.raises(AudioError) as error:
        open_canonical(tmp_path, canonical)
    assert error.value.reason == ("canonical-audio-missing" if damage == "gone" else "canonical-audio-corrupt")
    assert not error.value.permanent


def test_a_real_file(shared_data, tmp_path):
    canonical, opened = make_canonical(shared_data / "misc" / "jfk.flac", tmp_path, "jfk", "mix")
    with opened, open_canonical(tmp_path, canonical) as reopened:
        assert canonical.duration == opened.duration == 11.0
        assert np.array_equal(opened.read(), reopened.read())
        assert 0.05 < np.sqrt(np.mean(opened.read(3.0, 5.0) ** 2)) < 0.5
    assert (canonical.sampling_rate, canonical.channels, canonical.codec) == (44_100, 2, "flac")
    assert -20 < canonical.loudness_lufs < -10
