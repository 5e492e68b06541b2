# SPDX-License-Identifier: Apache-2.0
"""Silero finds what the reference implementation finds, in blocks that leave no trace."""

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
from speechmill.vad import silero


def decode(path: Path) -> np.ndarray:
    with av.open(str(path)) as container:
        assert container.streams.audio[0].rate == 16_000
        frames = [frame.to_ndarray().reshape(-1) for frame in container.decode(audio=0)]
    return np.concatenate(frames).astype(np.float32) / 32768


def backend(**options) -> silero.Backend:
    try:
        return silero.Backend(silero.Config(**options), Context(Path(), models.path))
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
    assert audio.duration > silero.BLOCK_S
    in_minutes = model.probabilities(audio, 0)
    assert len(in_minutes) == -(-len(speech) // 512)
    monkeypatch.setattr(silero, "BLOCK_S", 0.32)  # ten windows
    np.testing.assert_allclose(model.probabilities(audio, 0), in_minutes, atol=1e-5)


def test_each_channel_is_its_own(speech):
    audio = ArrayAudio([np.zeros_like(speech), speech])
    model = backend()
    assert model.speech(audio, 0) == []
    assert in_samples(model.speech(audio, 1)) == reference(speech)
    assert {interval.channel for interval in model.speech(audio, 1)} == {1}


def test_an_empty_recording_has_no_speech():
    assert backend().speech(ArrayAudio([np.zeros(0)]), 0) == []


def test_a_broken_model_is_named(tmp_path):
    (tmp_path / "silero_vad_v6.onnx").write_bytes(b"not a model")
    with pytest.raises(FormatError, match=r"silero_vad_v6\.onnx"):
        silero.Backend(silero.Config(), Context(tmp_path, lambda _: tmp_path))


@pytest.mark.parametrize("text", ['{"threshold": 1.5}', '{"pad_ms": -1}', '{"treshold": 0.5}'])
def test_odd_options_are_refused(text):
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(text, type=silero.Config)
