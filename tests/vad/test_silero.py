# SPDX-License-Identifier: Apache-2.0
"""Silero finds what the reference implementation finds, in blocks and company that leave no trace."""

from __future__ import annotations

from pathlib import Path

import av
import msgspec
import numpy as np
import pytest

from speechmill import models
from speechmill.core.errors import FormatError, MissingModel
from speechmill.core.stage import Context
from speechmill.formats.array_audio import ArrayAudio
from speechmill.formats.audio import read_audio
from speechmill.models.inference import Session, session
from speechmill.vad import _silero_network, silero
from speechmill.vad._silero_network import AsShipped, Rearranged


def decode(path: Path) -> np.ndarray:
    with av.open(str(path)) as container:
        assert container.streams.audio[0].rate == 16_000
        frames = [frame.to_ndarray().reshape(-1) for frame in container.decode(audio=0)]
    return np.concatenate(frames).astype(np.float32) / 32768


def backend(**options) -> silero.Backend:
    """With the weights that faster-whisper has, for it is the reference here."""
    config = silero.Config(**{"weights": "v6", **options})
    try:
        silero.prepare(config)
        return silero.Backend(config, Context(Path(), models.path))
    except MissingModel as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def speech(shared_data) -> np.ndarray:
    files = sorted((shared_data / "librispeech_test_other").glob("*/*.flac"))[:12]
    return np.concatenate([decode(path) for path in files])


def in_samples(intervals) -> list[tuple[int, int]]:
    return [(round(interval.start * 16_000), round(interval.end * 16_000)) for interval in intervals]


def reference(samples, **options) -> list[tuple[int, int]]:
    vad = pytest.importorskip("faster_whisper.vad")
    base = {"min_speech_duration_ms": 250, "min_silence_duration_ms": 100, "speech_pad_ms": 30}
    found = vad.get_speech_timestamps(samples, vad.VadOptions(**{**base, **options}))
    return [(segment["start"], segment["end"]) for segment in found]


def test_every_utterance_gives_the_segments_of_the_reference(shared_data):
    files = sorted((shared_data / "librispeech_test_other").glob("*/*.flac"))
    assert len(files) == 60
    model = backend()
    total = 0
    for path in files:
        samples = decode(path)
        expected = reference(samples)
        assert in_samples(model.speech(ArrayAudio([samples]), 0)) == expected, path.name
        total += len(expected)
    assert total == 166


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ({"max_speech_s": 5.0}, {"max_speech_duration_s": 5.0}),
        ({"max_speech_s": 2.0, "min_silence_ms": 400}, {"max_speech_duration_s": 2.0, "min_silence_duration_ms": 400}),
        ({"threshold": 0.8, "neg_threshold": 0.2}, {"threshold": 0.8, "neg_threshold": 0.2}),
        ({"pad_ms": 200, "min_speech_ms": 0}, {"speech_pad_ms": 200, "min_speech_duration_ms": 0}),
    ],
)
def test_every_option_means_what_it_means_in_the_reference(speech, ours, theirs):
    assert in_samples(backend(**ours).speech(ArrayAudio([speech]), 0)) == reference(speech, **theirs)


def test_blocks_leave_no_trace(speech, monkeypatch):
    model, audio = backend(), ArrayAudio([speech])
    whole = model.probabilities(audio, 0)
    assert len(whole) == -(-len(speech) // 512) > 960
    monkeypatch.setattr(Rearranged, "block", 7)
    assert np.array_equal(model.probabilities(audio, 0), whole)


def test_channels_get_together_what_they_get_alone_bit_for_bit(speech):
    model = backend()
    lengths = [16_000, 0, 31 * 16_000, 1, 512, 513, 16_000, 5 * 16_000 + 7, *range(2_000, 36_000, 2_000)]
    assert len(lengths) > silero.TOGETHER
    recordings = [ArrayAudio([speech[1_000 * i :][:length]]) for i, length in enumerate(lengths)]
    together = model.probabilities_of([(audio, 0) for audio in recordings])
    assert [len(found) for found in together] == [-(-length // 512) for length in lengths]
    for audio, found in zip(recordings, together, strict=True):
        assert np.array_equal(model.probabilities(audio, 0), found)


def test_no_channels_have_no_probabilities():
    assert backend().probabilities_of([]) == []


def test_another_device_gets_the_graph_as_it_ships(speech, monkeypatch):
    opened = []

    def plain(model: Path, **options: object) -> Session:
        opened.append(options)
        return session(model, bounded=True)

    audio = ArrayAudio([speech[: 70 * 16_000], speech[16_000 : 71 * 16_000]])
    on_cpu = backend(weights="v6.2").probabilities_of([(audio, 0), (audio, 1)])
    monkeypatch.setattr(_silero_network, "session", plain)
    model = silero.Backend(silero.Config(), Context(Path(), models.path, "triton://localhost:8001"))
    assert opened == [{"name": "silero_vad", "device": "triton://localhost:8001", "bounded": True}]
    there = model.probabilities_of([(audio, 0), (audio, 1)])
    assert not np.array_equal(there[0], there[1])
    np.testing.assert_allclose(there, on_cpu, rtol=0, atol=1e-5)


def test_each_channel_is_its_own(speech):
    audio = ArrayAudio([np.zeros_like(speech), speech])
    model = backend()
    assert model.speech(audio, 0) == []
    assert in_samples(model.speech(audio, 1)) == reference(speech)
    assert {interval.channel for interval in model.speech(audio, 1)} == {1}
    assert model.speech_of([(audio, 1), (audio, 0)]) == [model.speech(audio, 1), []]


def test_no_more_than_a_minute_is_read_at_once():
    asked = []

    class Long(ArrayAudio):
        def read(self, start=0.0, duration=None, **options):
            asked.append(duration)
            return super().read(start, duration, **options)

    audio = Long([np.zeros(150 * 16_000)] * 3)
    model = backend()
    model.speech(audio, 0)
    assert max(asked) <= 60
    asked.clear()
    model.speech_of([(audio, 0), (audio, 1), (audio, 2)])
    assert max(asked) <= 20  # the minute is shared


def test_an_empty_recording_has_no_speech():
    assert backend().speech(ArrayAudio([np.zeros(0)]), 0) == []


def test_a_broken_model_is_named(tmp_path):
    (tmp_path / "silero_vad_16k_sequence.onnx").write_bytes(b"not a model")
    with pytest.raises(FormatError, match=r"silero_vad_16k_sequence\.onnx"):
        silero.Backend(silero.Config(), Context(tmp_path, lambda _: tmp_path))


@pytest.mark.parametrize("text", ['{"threshold": 1.5}', '{"pad_ms": -1}', '{"treshold": 0.5}'])
def test_odd_options_are_refused(text):
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(text, type=silero.Config)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("pattern", "num_files"),
    [
        ("ami_clips/*.flac", 10),
        ("two_speakers/*.flac", 1),
        ("noise_rir/*.flac", 5),
        ("librivox_austen/*.flac", 5),
        ("voxangeles_dev/*/*.flac", 909),
        ("espeak_vi/*/*.flac", 252),
    ],
)
@pytest.mark.parametrize("weights", silero.RELEASES)
def test_probabilities_and_segments_are_those_of_the_graph_as_it_ships(
    shared_data, monkeypatch, pattern, num_files, weights
):
    files = sorted(shared_data.glob(pattern))
    assert len(files) == num_files
    model, upstream = backend(weights=weights), backend(weights=weights)
    release = silero.RELEASES[weights]
    upstream._network = AsShipped(models.path(release.card) / release.file, release.served_as)
    monkeypatch.setattr(AsShipped, "block", 10**9)  # in one piece
    for path in files[:: max(num_files // 10, 1)]:
        samples, sampling_rate = read_audio(path)
        assert sampling_rate == 16_000
        audio = ArrayAudio(samples)
        expected = upstream.probabilities(audio, 0)
        np.testing.assert_allclose(model.probabilities(audio, 0), expected, rtol=0, atol=1e-4, err_msg=path.name)
        assert model.speech(audio, 0) == upstream.speech(audio, 0), path.name
