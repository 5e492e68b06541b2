# SPDX-License-Identifier: Apache-2.0
"""Paths of texts through known emissions, and the backend over made networks."""

from __future__ import annotations

import importlib.util
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from msgspec import structs

from speechmill.align import ctc
from speechmill.align._ctc_graph import best_path, shortest
from speechmill.align.ctc import Config, joined
from speechmill.core.errors import MissingModel, Unalignable
from speechmill.core.stage import Context
from speechmill.models.ctc import Emissions
from speechmill.text.spoken import spoken

LETTERS = ("<pad>", "<s>", "</s>", "<unk>", "|", *"abcdefghijklmnopqrstuvwxyz'ạẹọ")


def emissions(path: str, certainty: float = 0.9, labels: tuple[str, ...] = LETTERS) -> Emissions:
    """A frame of 20 ms for each character: "-" is a blank."""
    probabilities = np.full((len(path), len(labels)), (1 - certainty) / (len(labels) - 1))
    for frame, label in enumerate(path):
        probabilities[frame, 0 if label == "-" else labels.index(label)] = certainty
    return Emissions(np.log(probabilities).astype(np.float32), labels, 0, frozenset({0, 1, 2, 3}), 0.02)


class Known:
    """An emitter that hears the given emissions, whatever it is given."""

    def __init__(self, emitted: Emissions) -> None:
        self.emitted = emitted

    def emit(self, samples):
        return self.emitted


@pytest.fixture
def align(monkeypatch, tmp_path):
    """Align a text with a path of labels; returns (symbol, first frame, frame after the last)."""

    def go(path, text, language="en", **options):
        made = path if isinstance(path, Emissions) else emissions(path)
        monkeypatch.setattr(ctc, "_opened", lambda config, device: Known(made))
        backend = ctc.Backend(Config(model="here", **options), Context(tmp_path, Path))
        samples = np.full(len(made.log_probs) * 320, 0.1, np.float32)
        return backend.align(samples, spoken(text, language), language)

    return go


def frames(words):
    return [(word.symbol, round(word.start / 0.02), round(word.end / 0.02)) for word in words]


def test_words_lie_where_their_labels_are_emitted(align):
    made = align("--onne-|-two--", "One, two.")
    assert frames(made.words) == [("One", 2, 6), ("two", 9, 12)]
    assert [word.score for word in made.words] == [0.9, 0.9]
    assert made.phones == ()


def test_a_score_is_the_mean_probability_of_the_labels(align):
    sure, unsure = emissions("--one-|-", 0.9), emissions("two--", 0.5)
    both = structs.replace(sure, log_probs=np.concatenate([sure.log_probs, unsure.log_probs]))
    made = align(both, "one two")
    assert [word.score for word in made.words] == [0.9, 0.5]
    assert made.score == 0.7


def test_equal_letters_need_a_blank_between_them(align):
    assert frames(align("-be-e-", "bee").words) == [("bee", 1, 5)]
    assert shortest([((((5, 6, 6),),),)]) == 4
    assert frames(align("-bee|--", "be").words) == [("be", 1, 4)]


def test_words_need_no_space_between_them(align):
    assert frames(align("-so-on-", "so on").words) == [("so", 1, 3), ("on", 4, 6)]
    assert frames(align("-as-so-", "as so").words) == [("as", 1, 3), ("so", 4, 6)]


def test_the_audio_decides_how_a_token_is_said(align):
    made = align("-it|was|nineteen|oh|five-", "It was 1905.")
    assert frames(made.words) == [("It", 1, 3), ("was", 4, 7), ("1905", 8, 24)]
    made = align("-it|was|one|thousand|nine|hundred|five-", "It was 1905.")
    assert frames(made.words)[2] == ("1905", 8, 38)


def test_case_and_apostrophes_are_the_vocabularys(align):
    upper = tuple(label.upper() if label.isalpha() else label for label in LETTERS)
    assert frames(align(emissions("-DON'T-", labels=upper), "don’t").words) == [("don’t", 1, 6)]


def test_a_letter_without_a_label_is_spelled_by_its_parts(align):
    labels = (*LETTERS, "\u0301")
    made = align(emissions("-kẹ\u0301-", labels=labels), "kẹ́", "yo")
    assert frames(made.words) == [("kẹ́", 1, 4)]
    assert frames(align("-cafe-", "café").words) == [("café", 1, 5)]
    assert made.doubts == ()


def test_pieces_of_words_are_labels_too(align):
    labels = ("<pad>", "<s>", "</s>", "<unk>", "▁the", "▁", "re", "s", "t", "h", "e")
    frame = {4: "▁the", 6: "re", 7: "s", 8: "t"}
    path = [0, 4, 0, 6, 0, 0, 7, 8, 0]
    probabilities = np.full((len(path), len(labels)), 0.01)
    probabilities[np.arange(len(path)), path] = 0.9
    made = Emissions(np.log(probabilities).astype(np.float32), labels, 0, frozenset({0, 1, 2, 3}), 0.02)
    assert set(frame) < set(path) | {4}
    assert frames(align(made, "there st").words) == [("there", 1, 4), ("st", 6, 8)]


def test_what_can_not_be_spelled_leaves_its_place_to_frames_that_fit_nothing_else(align):
    made = align("-to-|-zzz-|-go-", "to 日本 go")
    assert frames(made.words) == [("to", 1, 3), ("日本", 3, 12), ("go", 12, 14)]
    assert [word.score for word in made.words] == [0.9, 0.0, 0.9]
    assert made.doubts == ("unknown-characters",)


def test_a_number_without_rules_is_a_token_nobody_can_spell(align):
    made = align("-so-|-xx-|-ni-", "so 23 ni", "yo")
    assert [(word.symbol, word.score) for word in made.words] == [("so", 0.9), ("23", 0.0), ("ni", 0.9)]


def test_characters_that_the_vocabulary_lacks_are_named(align):
    with pytest.raises(
        Unalignable, match=r"unknown-characters: 日 in '日本', 本 in '日本'; the network's labels are a"
    ):
        align("-to-", "日本")


@pytest.mark.parametrize(
    ("path", "text", "reason"),
    [
        ("-one-", "…", "no-words"),
        ("on", "one", "audio-too-short-for-text"),
        ("-e-", "ee", None),
        ("-xyz-xyz-xyz-", "one two", "poor-match"),
    ],
)
def test_what_can_not_be_aligned_has_a_reason(align, path, text, reason):
    if reason is None:
        with pytest.raises(Unalignable, match="poor-match"):
            align(path, text, min_mean_score=0.6)
        return
    with pytest.raises(Unalignable) as caught:
        align(path, text)
    assert caught.value.reason == reason


def test_silence_is_not_heard(monkeypatch, tmp_path):
    monkeypatch.setattr(ctc, "_opened", lambda config, device: Known(emissions("-one-")))
    backend = ctc.Backend(Config(model="here"), Context(tmp_path, Path))
    for seconds in (0.0, 2.0):
        with pytest.raises(Unalignable, match="silence"):
            backend.align(np.zeros(round(seconds * 16000), np.float32), spoken("one", "en"), "en")


def test_phones_come_with_a_lexicon(align, tmp_path):
    (tmp_path / "lexicon.dict").write_text("tea\tt iː\nfor\tf ə\nfor\tf ɔː\n", encoding="utf-8")
    labels = ("<pad>", "<s>", "</s>", "<unk>", "t", "iː", "f", "ə", "ɔː")
    path = [0, 4, 4, 5, 0, 6, 0, 8, 8, 0]
    probabilities = np.full((len(path), len(labels)), 0.02)
    probabilities[np.arange(len(path)), path] = 0.8
    made = Emissions(np.log(probabilities).astype(np.float32), labels, 0, frozenset({0, 1, 2, 3}), 0.02)
    found = align(made, "Tea for", lexicon=str(tmp_path / "lexicon.dict"))
    assert frames(found.words) == [("Tea", 1, 4), ("for", 5, 9)]
    assert frames(found.phones) == [("t", 1, 3), ("iː", 3, 4), ("f", 5, 6), ("ɔː", 7, 9)]
    found = align(made, "Tea xyz", lexicon=str(tmp_path / "lexicon.dict"))
    assert [(word.symbol, word.score) for word in found.words] == [("Tea", 0.8), ("xyz", 0.0)]
    assert found.doubts == ("unknown-characters",)


def brute_force(log_probs, labels):
    """The best path's score of a label sequence, by the textbook's recursion over all states."""
    states = [0]
    for label in labels:
        states += [label, 0]
    alpha = np.full(len(states), -np.inf)
    alpha[:2] = log_probs[0, states[:2]]
    for frame in log_probs[1:]:
        new = alpha.copy()
        for s in range(1, len(states)):
            new[s] = max(new[s], alpha[s - 1])
            if s > 1 and states[s] != 0 and states[s] != states[s - 2]:
                new[s] = max(new[s], alpha[s - 2])
        alpha = new + frame[states]
    return max(alpha[-2:])


@pytest.mark.parametrize("seed", range(6))
def test_the_path_is_the_best_of_all(seed):
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 3, (30, 4)).astype(np.float32)
    log_probs = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    labels = tuple(int(label) for label in rng.integers(1, 4, 8))
    made = Emissions(log_probs, ("<pad>", "a", "b", "c"), 0, frozenset({0}), 0.02)
    spans = best_path(made, [(((labels,),),)], None)
    assert tuple(span.index for span in spans) == labels
    score, at = 0.0, 0
    for span in spans:
        score += log_probs[at : span.first, 0].sum() + log_probs[span.first : span.last, span.index].sum()
        at = span.last
    assert score + log_probs[at:, 0].sum() == pytest.approx(brute_force(log_probs, labels), rel=1e-4)


def test_a_text_far_from_the_audio_widens_the_beam():
    there = "one|" * 40
    made = emissions("-" + there + "-", 0.999)
    one, zs = tuple(LETTERS.index(letter) for letter in "one"), (LETTERS.index("z"),) * 6
    spans = best_path(made, [(((zs,),),), *[(((one,),),)] * 40], LETTERS.index("|"))
    assert len(spans) == 6 + 120
    assert all(left.last <= right.first for left, right in pairwise(spans))


class Windowed:
    """Hears a number at each 20 ms, and nonsense in the outermost ten frames of what it is given."""

    def __init__(self):
        self.longest = 0

    def emit(self, samples):
        self.longest = max(self.longest, len(samples))
        count = (len(samples) - 400) // 320 + 1
        log_probs = np.repeat(samples[: count * 320 : 320, None], 3, axis=1).astype(np.float32)
        self.edges(log_probs, samples)
        return Emissions(log_probs, ("<pad>", "a", "b"), 0, frozenset({0}), 0.02)

    def edges(self, log_probs, samples):
        if samples[0] != 0:
            log_probs[:10] = -9.0
        if samples[-1] != self.end:
            log_probs[-10:] = -9.0


@pytest.mark.parametrize("seconds", [4.0, 9.0, 10.01, 25.02, 33.7])
def test_windows_are_joined_as_if_they_were_heard_at_once(seconds):
    emitter = Windowed()
    samples = np.arange(round(seconds * 16000), dtype=np.float32)
    emitter.end = samples[-1]
    made = joined(emitter, samples, 5.0, 1.0)
    expected = (len(samples) - 400) // 320 + 1
    np.testing.assert_array_equal(made.log_probs[:, 0], np.arange(expected) * 320)
    assert emitter.longest <= 5 * 16000 + 400 + 320


@pytest.fixture(scope="module")
def tiny():
    pytest.importorskip("transformers")
    path = Path(__file__).parents[1] / "asr" / "tiny_transformers.py"
    spec = importlib.util.spec_from_file_location("tiny_transformers", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_made_network_is_opened_and_heard(tiny, tmp_path):
    folder = tiny.wav2vec2(tmp_path / "model")
    samples = np.random.default_rng(5).normal(0, 0.1, 16000 * 7).astype(np.float32)
    backend = ctc.Backend(Config(model=str(folder), window_s=5.0, min_mean_score=0.0), Context(tmp_path, Path))
    made = backend.align(samples, spoken("Chao xin a bed", "en"), "en")
    assert [word.symbol for word in made.words] == ["Chao", "xin", "a", "bed"]
    assert made.words[-1].end <= 7.0
    assert all(word.duration > 0 and 0 <= word.score <= 1 for word in made.words)
    assert all(left.end <= right.start + 1e-6 for left, right in pairwise(made.words))
    assert backend.align(samples, spoken("Chao xin a bed", "en"), "en") == made


def test_an_adapter_spells_its_language(tiny, tmp_path):
    config = Config(model=str(tiny.mms(tmp_path / "model")), target_lang="yor", min_mean_score=0.0)
    samples = np.random.default_rng(5).normal(0, 0.1, 16000 * 2).astype(np.float32)
    made = ctc.Backend(config, Context(tmp_path, Path)).align(samples, spoken("ọ̀ṣọ́ dé", "yo"), "yo")
    assert [word.symbol for word in made.words] == ["ọ̀ṣọ́", "dé"]
    assert made.doubts == ()


def test_weights_that_are_not_there_are_named(tiny, tmp_path):
    folder = tiny.wav2vec2(tmp_path / "model")
    assert ctc.model_digest(Config(model=str(folder))) == ctc.model_digest(Config(model=str(folder), window_s=9.0))
    with pytest.raises(MissingModel, match=r"align ctc: .*has no adapter\.vie\.safetensors"):
        ctc.prepare(Config(model=str(folder), target_lang="vie"))
    (folder / "model.safetensors").write_bytes(b"version https://git-lfs.github.com/spec/v1")
    with pytest.raises(MissingModel, match=r"align ctc: .*model can't be opened"):
        ctc.Backend(Config(model=str(folder)), Context(tmp_path, Path))


def test_the_lexicon_is_part_of_the_identity(tiny, tmp_path):
    folder, path = tiny.wav2vec2(tmp_path / "model"), tmp_path / "a.dict"
    digests = set()
    for line in ("a\tb\n", "a\tc\n"):
        path.write_text(line)
        digests.add(ctc.model_digest(Config(model=str(folder), lexicon=str(path))))
    assert len(digests) == 2
