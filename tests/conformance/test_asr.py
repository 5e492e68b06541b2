# SPDX-License-Identifier: Apache-2.0
"""What every recogniser keeps, over all that are registered and installed here."""

from __future__ import annotations

import importlib.util
from itertools import pairwise
from pathlib import Path

import msgspec
import numpy as np
import pytest

from speechmill.core import registry
from speechmill.core.errors import UnsupportedLanguage
from speechmill.core.stage import Context
from speechmill.core.types import Interval, Transcript
from speechmill.formats.array_audio import ArrayAudio


@pytest.fixture(scope="session")
def made_whisper(tmp_path_factory) -> Path:
    path = Path(__file__).parents[1] / "asr" / "tiny_whisper.py"
    spec = importlib.util.spec_from_file_location("tiny_whisper", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.write(tmp_path_factory.mktemp("made-whisper"))


@pytest.fixture(params=registry.names("asr"))
def make(request, tmp_path):
    """Return a maker of one backend: new ones must agree with used ones."""
    module = registry.load("asr", request.param)
    missing = registry.missing_packages(module)
    if missing:
        pytest.skip(f"not installed: {', '.join(missing)}")
    config = module.Config()
    if request.param == "faster_whisper":
        config = msgspec.structs.replace(config, model=str(request.getfixturevalue("made_whisper")), beam_size=1)
    context = Context(tmp_path, _wheel_models)
    return lambda: module.Backend(config, context)


def _wheel_models(name: str) -> Path:
    if name != "pocketsphinx-en":
        pytest.skip(f"model {name} is not in an installed wheel")
    import pocketsphinx

    return Path(pocketsphinx.get_model_path("en-us"))


def babble(seconds: float, seed: int) -> np.ndarray:
    """Noise in syllable-like bursts: enough for a recogniser to write something, or nothing."""
    rng = np.random.default_rng(seed)
    noise = rng.normal(0, 0.1, round(seconds * 16000))
    return (noise * (np.sin(np.arange(len(noise)) * 2 * np.pi * 4 / 16000) > 0)).astype(np.float32)


def speech_of(audio: ArrayAudio) -> list[Interval]:
    return [Interval(1.0, audio.duration - 2.0, channel) for channel in range(audio.num_channels)]


def check(transcript: Transcript, audio: ArrayAudio, name: str) -> None:
    assert transcript.backend == name
    for utterance in transcript.utterances:
        assert utterance.text == utterance.text.strip() != ""
        assert 0 <= utterance.start <= utterance.start + utterance.duration <= audio.duration + 1e-6
        assert 0 <= utterance.channel < audio.num_channels
        assert utterance.language
        assert all(left.end <= right.start + 1e-6 for left, right in pairwise(utterance.words))
        for word in utterance.words:
            assert word.symbol.strip() == word.symbol != ""
            assert utterance.start - 1e-6 <= word.start
            assert word.duration >= 0
            assert word.end <= utterance.start + utterance.duration + 1e-6
            assert word.score is None or 0 <= word.score <= 1


def test_no_speech_is_an_empty_transcript(make):
    audio = ArrayAudio([babble(5, 0)])
    assert make().transcribe(audio, [], "en").utterances == ()


def test_digital_silence_is_an_empty_transcript(make):
    audio = ArrayAudio([np.zeros(16000 * 4, np.float32)])
    assert make().transcribe(audio, speech_of(audio), "en").utterances == ()


@pytest.mark.slow
def test_words_are_inside_the_recording_and_in_order(make, request):
    audio = ArrayAudio([babble(8, 1), babble(8, 2)])
    check(make().transcribe(audio, speech_of(audio), "en"), audio, request.node.callspec.params["make"])


def test_real_speech_has_words(make, request, shared_data):
    av = pytest.importorskip("av")
    with av.open(str(shared_data / "librivox_austen" / "0880.flac")) as container:
        samples = np.concatenate([frame.to_ndarray() for frame in container.decode(audio=0)], axis=1)[0]
    audio = ArrayAudio([samples / np.iinfo(samples.dtype).max])
    transcript = make().transcribe(audio, [Interval(0, audio.duration)], "en")
    check(transcript, audio, request.node.callspec.params["make"])
    assert sum(len(utterance.words) for utterance in transcript.utterances) > 0


@pytest.mark.slow
def test_alone_is_the_same_as_after_others(make):
    recordings = [ArrayAudio([babble(4 + seed, seed) * gain]) for seed, gain in ((3, 1.0), (4, 0.05))]
    alone = [make().transcribe(audio, speech_of(audio), "en") for audio in recordings]
    used = make()
    assert [used.transcribe(audio, speech_of(audio), "en") for audio in recordings[::-1]] == alone[::-1]


@pytest.mark.parametrize("name", registry.names("asr"))
def test_an_unknown_language_is_refused_by_name(name):
    if getattr(registry.load("asr", name), "LANGUAGES", None) is None:
        pytest.skip("serves any language")
    with pytest.raises(UnsupportedLanguage, match="'xx'"):
        registry.check_language("asr", name, "xx")


def test_vietnamese_has_a_recogniser():
    assert "faster_whisper" in registry.for_language("asr", "vi")
    assert "pocketsphinx" not in registry.for_language("asr", "vi")
