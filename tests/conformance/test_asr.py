# SPDX-License-Identifier: Apache-2.0
"""What every recogniser keeps, over all that are registered and installed here."""

from __future__ import annotations

import functools
import importlib.util
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from speechmill.core import registry
from speechmill.core.errors import UnsupportedLanguage
from speechmill.core.stage import Context
from speechmill.core.types import Interval, Transcript
from speechmill.formats.array_audio import ArrayAudio


def made(file: str, maker: str) -> Callable[[Path], Path]:
    """Return a maker of a model, out of a module beside the backends' own tests."""

    def write(folder: Path) -> Path:
        path = Path(__file__).parents[1] / "asr" / f"{file}.py"
        spec = importlib.util.spec_from_file_location(file, path)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return getattr(module, maker)(folder)

    return write


# Backends whose weights are in no wheel: models that a test makes, and the options they take.
MADE = {
    "faster_whisper": {"whisper": (made("tiny_whisper", "write"), {"beam_size": 1})},
    "onnx_asr": {
        name: (made("tiny_onnx", name), {"precision": "float32"}) for name in ("nemo_ctc", "nemo_tdt", "nemo_aed")
    },
    "sherpa_onnx": {name: (made("tiny_onnx", name), {}) for name in ("zipformer_ctc", "transducer", "omnilingual")},
    "transformers": {
        "wav2vec2": (made("tiny_transformers", "wav2vec2"), {}),
        "mms": (made("tiny_transformers", "mms"), {"target_lang": "eng"}),
        "transformers_whisper": (made("tiny_transformers", "whisper"), {}),
    },
}
WITHOUT_TIMES = {"nemo_aed"}  # their utterances have no words
CASES = [(name, model) for name in registry.names("asr") for model in MADE.get(name, {"": None})]


@pytest.fixture(scope="session")
def folders(tmp_path_factory):
    """Return a maker of folders of made models, each made once."""

    @functools.cache
    def folder(name: str, model: str) -> Path:
        return MADE[name][model][0](tmp_path_factory.mktemp(model))

    return folder


@pytest.fixture(params=CASES, ids=[f"{name}-{model}" if model else name for name, model in CASES])
def case(request):
    return request.param


@pytest.fixture
def make(case, folders, tmp_path):
    """Return a maker of one backend: new ones must agree with used ones."""
    name, model = case
    module = registry.load("asr", name)
    missing = registry.missing_packages(module)
    if missing:
        pytest.skip(f"not installed: {', '.join(missing)}")
    if model:
        pytest.importorskip("onnx")
    config = module.Config(model=str(folders(name, model)), **MADE[name][model][1]) if model else module.Config()
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
def test_words_are_inside_the_recording_and_in_order(make, case):
    audio = ArrayAudio([babble(8, 1), babble(8, 2)])
    transcript = make().transcribe(audio, speech_of(audio), "en")
    check(transcript, audio, case[0])
    if case[1]:  # made models write about anything that isn't silent
        assert {utterance.channel for utterance in transcript.utterances} == {0, 1}


def test_what_is_written_lies_in_speech(make, case):
    audio = ArrayAudio([babble(10, 6)])
    speech = [Interval(1.0, 1.0), Interval(7.0, 1.5)]
    for utterance in make().transcribe(audio, speech, "en").utterances:
        end = utterance.start + utterance.duration
        assert any(one.start - 0.5 <= utterance.start and end <= one.end + 0.5 for one in speech)


def test_real_speech_has_words(make, case, shared_data):
    av = pytest.importorskip("av")
    with av.open(str(shared_data / "librivox_austen" / "0880.flac")) as container:
        samples = np.concatenate([frame.to_ndarray() for frame in container.decode(audio=0)], axis=1)[0]
    audio = ArrayAudio([samples / np.iinfo(samples.dtype).max])
    transcript = make().transcribe(audio, [Interval(0, audio.duration)], "en")
    check(transcript, audio, case[0])
    assert transcript.utterances
    assert case[1] in WITHOUT_TIMES or all(utterance.words for utterance in transcript.utterances)


@pytest.mark.slow
def test_alone_is_the_same_as_after_others(make):
    recordings = [ArrayAudio([babble(4 + seed, seed) * gain]) for seed, gain in ((3, 1.0), (4, 0.05))]
    alone = [make().transcribe(audio, speech_of(audio), "en") for audio in recordings]
    used = make()
    assert [used.transcribe(audio, speech_of(audio), "en") for audio in recordings[::-1]] == alone[::-1]


class Counted(ArrayAudio):
    """Audio that remembers the longest stretch that was read."""

    longest = 0.0

    def read(self, start=0.0, duration=None, *, channel=0, sampling_rate=16000):
        samples = super().read(start, duration, channel=channel, sampling_rate=sampling_rate)
        self.longest = max(self.longest, len(samples) / sampling_rate)
        return samples


def test_a_long_recording_is_read_a_stretch_at_a_time(make):
    """Nor is a stretch longer than what the shortest-sighted of them hears: its end would be lost."""
    audio = Counted([np.zeros(16000 * 70, np.float32)])
    make().transcribe(audio, [Interval(0.0, 70.0)], "en")
    assert 0.0 < audio.longest <= 30.0


@pytest.mark.parametrize("name", registry.names("asr"))
def test_an_unknown_language_is_refused_by_name(name):
    if getattr(registry.load("asr", name), "LANGUAGES", None) is None:
        pytest.skip("serves any language")
    with pytest.raises(UnsupportedLanguage, match="'xx'"):
        registry.check_language("asr", name, "xx")


def test_vietnamese_and_yoruba_have_recognisers():
    for language in ("vi", "yo"):
        assert {"faster_whisper", "sherpa_onnx"} <= set(registry.for_language("asr", language))
    assert "pocketsphinx" not in registry.for_language("asr", "vi")
