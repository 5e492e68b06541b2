# SPDX-License-Identifier: Apache-2.0
"""Times are the original's: clicks at known places are found there, whatever codec and container carried them."""

from __future__ import annotations

import numpy as np
import pytest

from speechmill.formats.audio import make_canonical, write_wav

CLICKS_S = (0.1, 1.0, 2.5, 3.9)


def clicks(sampling_rate, places=CLICKS_S, seconds=4.0):
    samples = np.zeros((1, int(seconds * sampling_rate)), np.float32)
    for place in places:
        start = round(place * sampling_rate)
        samples[0, start : start + sampling_rate // 2000] = 0.9
    return samples


def found(samples, places=CLICKS_S, rate=24_000):
    """Where each click begins, in seconds, within 60 ms before and 90 ms after its place."""
    begins = []
    for place in places:
        first = max(0, round((place - 0.06) * rate))
        window = np.abs(samples[first : first + round(0.15 * rate)])
        assert window.max() > 0.2
        begins.append((first + int(np.argmax(window > 0.4 * window.max()))) / rate)
    return begins


def canonical_24(path, folder):
    canonical, opened = make_canonical(path, folder, "rec", "mix")
    with opened:
        return canonical, opened.read(sampling_rate=24_000), opened.read()


@pytest.mark.parametrize(
    ("name", "codec", "rate", "fmt", "layout"),
    [
        ("a.wav", "pcm_s16le", 44_100, "s16", "mono"),
        ("a.flac", "flac", 44_100, "s16", "mono"),
        ("alac.m4a", "alac", 44_100, "s16p", "mono"),
        ("a.mp3", "libmp3lame", 44_100, "fltp", "mono"),
        ("22k.mp3", "libmp3lame", 22_050, "fltp", "mono"),
        ("mp3.mka", "libmp3lame", 44_100, "fltp", "mono"),
        ("a.m4a", "aac", 44_100, "fltp", "mono"),
        ("16k.m4a", "aac", 16_000, "fltp", "mono"),
        ("a.mka", "aac", 48_000, "fltp", "mono"),
        ("a.opus", "libopus", 48_000, "flt", "mono"),
        ("opus.webm", "libopus", 48_000, "flt", "mono"),
        ("a.ogg", "vorbis", 44_100, "fltp", "stereo"),
    ],
)
def test_clicks_stay_where_they_are_within_a_millisecond(tmp_path, encode, name, codec, rate, fmt, layout):
    samples = clicks(rate)
    if fmt.startswith("s16"):
        samples = np.rint(samples * 32767).astype(np.int16)
    if layout == "stereo":
        samples = np.repeat(samples, 2, axis=0)
    path = encode(tmp_path / name, samples, rate, codec, fmt=fmt, layout=layout)
    canonical, at_24, at_16 = canonical_24(path, tmp_path)
    np.testing.assert_allclose(found(at_24), CLICKS_S, atol=1e-3)
    np.testing.assert_allclose(found(at_16, rate=16_000), CLICKS_S, atol=1e-3)
    # MP4 and Matroska don't say where in its last frame AAC ends: up to 1,024 samples of padding stay.
    assert 0 <= canonical.duration - 4.0 <= 1024 / rate
    assert not canonical.truncated


@pytest.mark.parametrize(
    ("name", "codec", "options"), [("a.aac", "aac", {}), ("a.mp3", "libmp3lame", {"write_xing": "0"})]
)
def test_an_encoder_delay_that_the_file_does_not_declare_stays(tmp_path, encode, name, codec, options):
    # Known limit: 1,024 samples of AAC in bare ADTS, 1,105 of LAME without its tag; later, never earlier.
    path = encode(tmp_path / name, clicks(48_000), 48_000, codec, container_options=options)
    _, at_24, _ = canonical_24(path, tmp_path)
    delays = np.array(found(at_24)) - CLICKS_S
    delay = 1024 if codec == "aac" else 1105
    np.testing.assert_allclose(delays, delay / 48_000, atol=1e-3)


def test_audio_that_starts_after_the_video_is_preceded_by_silence(tmp_path, encode):
    path = encode(tmp_path / "a.mkv", clicks(48_000), 48_000, "aac", starts={0: 0.5}, video=True)
    canonical, at_24, _ = canonical_24(path, tmp_path)
    places = tuple(place + 0.5 for place in CLICKS_S)
    np.testing.assert_allclose(found(at_24, places), places, atol=1.5e-3)  # Matroska's clock ticks in ms
    assert canonical.warnings == ("late-start: 0.500 s of silence put before the audio",)


def test_a_hole_becomes_silence(tmp_path, encode):
    path = encode(tmp_path / "a.mka", clicks(48_000), 48_000, "pcm_f32le", fmt="flt", starts={96_000: 12.0})
    canonical, at_24, _ = canonical_24(path, tmp_path)
    np.testing.assert_allclose(found(at_24, (0.1, 1.0, 12.5, 13.9)), (0.1, 1.0, 12.5, 13.9), atol=1e-3)
    assert not at_24[2 * 24_000 + 100 : 12 * 24_000 - 100].any()
    assert canonical.duration == 14.0
    assert canonical.warnings == ("holes: 1 filled with silence, 10.00 s in all",)


def test_a_broken_clock_makes_no_day_of_silence(tmp_path, encode):
    path = encode(tmp_path / "a.mka", clicks(48_000), 48_000, "pcm_f32le", fmt="flt", starts={96_000: 90_000.0})
    canonical, at_24, _ = canonical_24(path, tmp_path)
    np.testing.assert_allclose(found(at_24), CLICKS_S, atol=1e-3)
    assert canonical.duration == 4.0
    assert any(warning.startswith("clock-jumps") for warning in canonical.warnings)


def test_a_recording_that_was_appended_to_another_keeps_both(tmp_path, encode):
    first = encode(tmp_path / "a.opus", clicks(48_000), 48_000, "libopus", fmt="flt").read_bytes()
    (tmp_path / "chained.opus").write_bytes(first + first)
    canonical, at_24, _ = canonical_24(tmp_path / "chained.opus", tmp_path)
    places = (*CLICKS_S, *(4.0 + place for place in CLICKS_S[1:]))
    np.testing.assert_allclose(found(at_24, places), places, atol=0.01)
    assert canonical.duration == pytest.approx(8.0, abs=0.02)


def test_a_change_of_rate_on_the_way_is_resampled(tmp_path, encode):
    one = encode(tmp_path / "a.ts", clicks(48_000), 48_000, "aac").read_bytes()
    two = encode(tmp_path / "b.ts", clicks(32_000), 32_000, "aac").read_bytes()
    (tmp_path / "both.ts").write_bytes(one + two)
    canonical, at_24, _ = canonical_24(tmp_path / "both.ts", tmp_path)
    assert canonical.duration == pytest.approx(8.0, abs=0.15)
    assert canonical.sampling_rate == 48_000
    places = tuple(4.05 + place for place in CLICKS_S)
    np.testing.assert_allclose(found(at_24, places), places, atol=0.08)
    assert any(warning.startswith("format-changes") for warning in canonical.warnings)


def test_a_wav_of_zero_length_data_after_its_header_has_no_samples(tmp_path):
    from speechmill.core.errors import AudioError

    write_wav(tmp_path / "a.wav", np.zeros(0, np.int16), 16_000)
    with pytest.raises(AudioError, match="no-samples"):
        make_canonical(tmp_path / "a.wav", tmp_path, "rec", "mix")
