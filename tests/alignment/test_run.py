# SPDX-License-Identifier: Apache-2.0
"""Aligning corpora with a model: the truth is found, on the file's timeline, and what fails has a reason."""

import errno
from types import SimpleNamespace

import numpy as np
import pytest
from praatio import textgrid as praatio

from speechmill.acoustic.train import Options
from speechmill.acoustic.types import Example
from speechmill.alignment import audio, run, summary
from speechmill.alignment.corpus import Layout, find, single
from speechmill.alignment.lexica import Source, prepare
from speechmill.alignment.outputs import Outputs
from speechmill.alignment.validate import validate
from speechmill.core.errors import ConfigError
from speechmill.core.types import Word
from speechmill.formats import eaf, textgrid
from speechmill.formats.lexicon import Lexicon, Pronunciation
from speechmill.formats.textgrid import IntervalTier, Point, PointTier, TextGrid

HZ = 16_000


@pytest.fixture
def language(letters_language):
    return letters_language


@pytest.fixture
def aligned(language, letters_model, tmp_path):
    """Align a corpus; returns outcomes by key, the corpus' summary and where results are."""

    def align(corpus, lexicon=None, outputs=None):
        prepared = prepare(corpus, Source("letters", lexicon or language.LEXICON, None), None)
        out = tmp_path / "out"
        tally = summary.Tally(corpus, prepared)
        outcomes = {}
        for done in run.align(corpus, prepared, letters_model, out, outputs or Outputs(), threads=2):
            tally.add(done)
            outcomes |= {one.utterance.key: one for one in done.outcomes}
        return SimpleNamespace(outcomes=outcomes, summary=tally.summary("c", "letters", "d", 1.0), out=out)

    return align


def offsets_ms(words, truth):
    assert [word.symbol for word in words] == [word.symbol for word in truth]
    pairs = [(word.start - true.start, word.end - true.end) for word, true in zip(words, truth, strict=True)]
    return 1000 * np.abs(pairs).max()


def test_words_are_found_where_they_are_said(language, aligned, tmp_path):
    truth = language.write_corpus(tmp_path / "corpus", language.TEXTS[:4])
    done = aligned(find(tmp_path / "corpus"))
    assert sorted(done.outcomes) == sorted(truth)
    assert max(offsets_ms(done.outcomes[key].words, words) for key, words in truth.items()) < 40
    assert all(word.score > 0.5 for one in done.outcomes.values() for word in one.words)
    tiers = praatio.openTextgrid(str(done.out / "ann/00.TextGrid"), includeEmptyIntervals=False).tiers
    assert [tier.name for tier in tiers] == ["words", "phones"]
    assert [entry.label for entry in tiers[1].entries] == list("masa" + "isu" + "sima")


def test_each_planted_fault_has_its_reason_and_the_rest_is_aligned(language, aligned, tmp_path):
    folder = tmp_path / "corpus"
    samples, _ = language.said("masa isu")
    planted = {
        "good": "masa isu",
        "cyrillic": "маса ису",
        "unknown": "masa zzz 77",
        "empty": " ",
        "long": "osama " * 40,
    }
    for name, text in planted.items():
        language.write_wav(folder / f"{name}.wav", [samples])
        (folder / f"{name}.lab").write_text(text, encoding="utf-8")
    language.write_wav(folder / "silent.wav", [np.zeros(2 * HZ)])
    (folder / "silent.lab").write_text("masa isu")
    (folder / "broken.wav").write_bytes(b"RIFF....WAVE")
    (folder / "broken.lab").write_text("masa")
    done = aligned(find(folder))
    reasons = {key: one.reason for key, one in done.outcomes.items() if one.reason}
    assert reasons == {"cyrillic": "no-pronunciation", "long": "audio-too-short", "silent": "no-speech"}
    assert "none of 2 words is in the lexicon, written in CYRILLIC" in done.outcomes["cyrillic"].detail
    assert {problem.file: problem.reason for problem in done.summary.problems} == {
        "empty.wav": "empty-text",
        "broken.wav": "undecodable-audio",
    }
    assert (done.summary.utterances, done.summary.aligned, done.summary.failed) == (5, 2, 5)
    assert done.summary.oov == {"маса": 1, "ису": 1, "zzz": 1, "77": 1}
    assert sorted(path.name for path in done.out.iterdir()) == ["good.TextGrid", "unknown.TextGrid"]


def test_a_word_that_nobody_knows_has_a_place_and_no_confidence(language, aligned, tmp_path):
    samples, truth = language.said("masa osama isu")
    language.write_wav(tmp_path / "corpus/a.wav", [samples])
    (tmp_path / "corpus/a.lab").write_text("masa zzz isu")
    one = aligned(find(tmp_path / "corpus")).outcomes["a"]
    assert [word.symbol for word in one.words] == ["masa", "zzz", "isu"]
    assert one.words[1].score == 0
    assert one.words[1].start < truth[1].end
    assert truth[1].start < one.words[1].end
    assert any(warning.startswith("oov") for warning in one.warnings)


def test_audio_of_8_khz_is_aligned(language, aligned, tmp_path):
    samples, truth = language.said("masa isu umi")
    language.write_wav(tmp_path / "corpus/a.wav", [samples.reshape(-1, 2).mean(axis=1)], 8000)
    (tmp_path / "corpus/a.lab").write_text("masa isu umi")
    corpus = find(tmp_path / "corpus")
    assert corpus.recordings[0].sampling_rate == 8000
    assert offsets_ms(aligned(corpus).outcomes["a"].words, truth) < 120


def mixed(language, gains):
    """Two people at once: Ama says her text from 0 s, Kofi his from 0.6 s. Returns channels and truth."""
    ama, hers = language.said("masa isu umi")
    kofi, his = language.said("asu osama")
    late = np.concatenate([np.zeros(round(0.6 * HZ)), kofi])
    both = np.zeros((2, max(len(ama), len(late))))
    both[0, : len(ama)] = ama
    both[1, : len(late)] = late
    his = tuple(Word(word.symbol, word.start + 0.6, word.duration) for word in his)
    return list(np.array(gains) @ both), {"Ama": hers, "Kofi": his}


def two_speakers(seconds):
    ama = IntervalTier("Ama", (Word("masa isu umi", 0.0, 2.32),))
    kofi = IntervalTier("Kofi", (Word("asu osama", 0.6, 1.71),))
    return TextGrid(0.0, seconds, (ama, PointTier("clicks", (Point(0.5, "x"),)), kofi, IntervalTier("notes to self")))


def test_two_people_who_speak_at_once_have_tiers_of_their_own(language, aligned, tmp_path):
    channels, truth = mixed(language, [[1.0, 0.01], [0.01, 1.0]])
    language.write_wav(tmp_path / "corpus/talk.wav", channels)
    textgrid.write(tmp_path / "corpus/talk.TextGrid", two_speakers(2.32))
    done = aligned(find(tmp_path / "corpus", Layout(tier=("Ama", "Kofi"))))
    assert {one.utterance.speaker: one.channel for one in done.outcomes.values()} == {"Ama": 0, "Kofi": 1}
    for one in done.outcomes.values():
        assert offsets_ms(one.words, truth[one.utterance.speaker]) < 100
    grid = textgrid.read(done.out / "talk.TextGrid")
    assert [tier.name for tier in grid.tiers] == [
        *("Ama", "clicks", "Kofi", "notes to self"),
        *("Ama - words", "Ama - phones", "Kofi - words", "Kofi - phones"),
    ]


def test_overlapping_speakers_on_one_channel_are_aligned_too(language, aligned, tmp_path):
    channels, _ = mixed(language, [[1.0, 0.1]])
    language.write_wav(tmp_path / "corpus/talk.wav", channels)
    textgrid.write(tmp_path / "corpus/talk.TextGrid", two_speakers(2.32))
    done = aligned(find(tmp_path / "corpus", Layout(tier=("Ama", "Kofi"))))
    assert [len(one.words) for one in done.outcomes.values()] == [3, 2]


def test_foreign_tiers_survive_and_aligned_ones_are_replaced(language, aligned, tmp_path):
    samples, truth = language.said("masa isu")
    language.write_wav(tmp_path / "corpus/a.wav", [samples])
    (tmp_path / "corpus/a.TextGrid").write_text(
        f'''File type = "ooTextFile"
Object class = "TextGrid"
0 {len(samples) / HZ} <exists> 4
"IntervalTier" "notes" 0 1.5 3 0 0.333333333333333 "" 0.333333333333333 0.4 "" 0.4 1.5 "a ""b"""
"IntervalTier" "words" 0 1.5 1 0 1.5 "old"
"TextTier" "clicks" 0 1.5 1 0.123456789012345 "x"
"IntervalTier" "Ama" 0 1.5 1 0 1.5 "masa isu"
'''
    )
    corpus = find(tmp_path / "corpus", Layout(tier=("Ama",)))
    before = textgrid.read_kept(corpus.recordings[0].transcript)
    done = aligned(corpus, outputs=Outputs(confidence=True))
    after = textgrid.read_kept(done.out / "a.TextGrid")
    assert [tier.name for tier in after.tiers] == ["notes", "words", "clicks", "Ama", "phones", "confidence"]
    assert [after.tiers[i] for i in (0, 2, 3)] == [before.tiers[i] for i in (0, 2, 3)]
    words = textgrid.read(done.out / "a.TextGrid").tiers[1]
    assert offsets_ms(words.intervals, truth) < 40
    assert (after.xmin, after.xmax) == (before.xmin, before.xmax)


def test_an_elan_document_comes_back_as_one(language, aligned, tmp_path):
    samples, truth = language.said("masa isu")
    language.write_wav(tmp_path / "corpus/a.wav", [np.concatenate([np.zeros(HZ), samples])])
    tiers = [
        eaf.Tier("tx@A", (Word("masa isu", 1.0, len(samples) / HZ),), "speech", "Ama"),
        eaf.Tier("notes", (Word("a < b", 0.1, 0.5),), "comment"),
        eaf.Tier("empty", (), "comment"),
    ]
    eaf.write(tmp_path / "corpus/a.eaf", tiers)
    done = aligned(find(tmp_path / "corpus", Layout(tier=("type:speech",))))
    found = eaf.read(done.out / "a.eaf")
    before = eaf.read(tmp_path / "corpus/a.eaf").tiers
    assert found.tiers[:3] == before
    assert [(tier.name, tier.participant) for tier in found.tiers[3:]] == [("words", "Ama"), ("phones", "Ama")]
    moved = [Word(word.symbol, word.start + 1.0, word.duration) for word in truth]
    assert offsets_ms(found.tiers[3].annotations, moved) < 40
    assert offsets_ms(textgrid.read(done.out / "a.TextGrid").tiers[0].intervals, moved) < 40


def test_one_file_with_its_text_lies_in_no_folder(language, aligned, tmp_path):
    samples, _ = language.said("masa")
    language.write_wav(tmp_path / "talk.v1.wav", [samples])
    (tmp_path / "text.txt").write_text("masa")
    done = aligned(single(tmp_path / "talk.v1.wav", tmp_path / "text.txt"))
    assert [path.name for path in done.out.iterdir()] == ["talk.v1.TextGrid"]


def test_phones_that_the_model_doesnt_know_stop_the_run(language, aligned, tmp_path):
    language.write_corpus(tmp_path / "corpus", language.TEXTS[:1])
    strange = Lexicon({word: (Pronunciation(("q", "x")),) for word in language.WORDS})
    with pytest.raises(ConfigError, match="2 of 2 phones of the lexicon are not in the model: q, x"):
        aligned(find(tmp_path / "corpus"), strange)


def test_an_error_of_one_utterance_is_its_reason(language, aligned, tmp_path, monkeypatch):
    language.write_corpus(tmp_path / "corpus", language.TEXTS[:2])
    real = run.Aligner.align

    def align(self, samples, ways, **given):
        if ways[0] == (("masa",),):
            raise ZeroDivisionError("planted")
        return real(self, samples, ways, **given)

    monkeypatch.setattr(run.Aligner, "align", align)
    outcomes = aligned(find(tmp_path / "corpus")).outcomes
    assert {key: one.reason for key, one in outcomes.items()} == {"ann/00": "error-ZeroDivisionError", "bob/01": ""}
    assert outcomes["ann/00"].detail.startswith("planted (test_run.py:")


def test_an_error_of_one_file_is_the_reason_of_its_utterances(language, aligned, tmp_path, monkeypatch):
    language.write_corpus(tmp_path / "corpus", language.TEXTS[:2])
    real = run.speaker_channels
    monkeypatch.setattr(run, "speaker_channels", lambda one, audio: real(one, audio) if "bob" in one.key else 1 / 0)
    outcomes = aligned(find(tmp_path / "corpus")).outcomes
    assert {key: one.reason for key, one in outcomes.items()} == {"ann/00": "error-ZeroDivisionError", "bob/01": ""}


def test_a_full_disk_is_no_files_fault(language, aligned, tmp_path, monkeypatch):
    language.write_corpus(tmp_path / "corpus", language.TEXTS[:1])

    def full(*given, **options):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(run.Aligner, "align", full)
    with pytest.raises(OSError, match="No space left"):
        aligned(find(tmp_path / "corpus"))


def test_audio_that_is_gone_since_it_was_found_is_a_reason(language, aligned, tmp_path):
    language.write_corpus(tmp_path / "corpus", language.TEXTS[:2])
    corpus = find(tmp_path / "corpus")
    (tmp_path / "corpus/ann/00.wav").unlink()
    outcomes = aligned(corpus).outcomes
    assert {key: one.reason for key, one in outcomes.items()} == {"ann/00": "unreadable", "bob/01": ""}


def test_a_speaker_is_adapted_to_by_examples_from_all_over():
    given = [Example(str(i), 2.0, lambda: None, ()) for i in range(100)]
    assert [one.key for one in run.sample(given, 20.0)] == [str(10 * i) for i in range(10)]
    assert run.sample(given, 300.0) == given


def test_a_file_is_decoded_once_for_its_speaker_and_its_alignment(language, aligned, tmp_path, monkeypatch):
    language.write_corpus(tmp_path / "corpus", language.TEXTS[:6])
    decoded = []
    monkeypatch.setattr(run, "opened", lambda recording: decoded.append(recording.key) or audio.opened(recording))
    done = aligned(find(tmp_path / "corpus"))
    assert sorted(decoded) == sorted(done.outcomes) == ["ann/00", "ann/02", "ann/04", "bob/01", "bob/03", "bob/05"]


def test_what_is_kept_of_decoded_files_is_bounded(language, tmp_path, monkeypatch):
    language.write_corpus(tmp_path, language.TEXTS[:2])
    first, second = find(tmp_path).recordings
    monkeypatch.setattr(run, "MEMORY_S", max(first.duration, second.duration))
    kept = run.Kept()
    held = [audio.opened(one) for one in (first, second)]
    kept.keep(first, held[0])
    kept.keep(second, held[1])
    assert kept.take(first) is held[0]
    assert kept.take(second) is not held[1]
    kept.keep(second, held[1])  # there is room again
    assert kept.take(second) is held[1]


def test_the_least_certain_words_come_first(language, aligned, tmp_path):
    samples, _ = language.said("masa isu umi")
    language.write_wav(tmp_path / "corpus/a.wav", [samples])
    (tmp_path / "corpus/a.lab").write_text("masa osama umi")
    done = aligned(find(tmp_path / "corpus")).summary
    assert done.least_certain[0].word == "osama"
    assert [one.score for one in done.least_certain] == sorted(one.score for one in done.least_certain)


def test_a_corpus_without_faults_validates(language, tmp_path):
    language.write_corpus(tmp_path / "corpus")
    corpus = find(tmp_path / "corpus")
    checked = validate(corpus, prepare(corpus, Source("x", language.LEXICON, None), None))
    assert (checked.utterances, checked.speakers, checked.tokens, checked.words, checked.phones) == (16, 2, 48, 8, 6)
    assert checked.wrong is False
    assert {finding.check for finding in checked.findings} == {"little-speech", "rare-phones"}


def test_in_long_audio_words_are_looked_for_and_those_that_arent_there_named(language, aligned, tmp_path, monkeypatch):
    texts = [" ".join(language.WORDS[(3 * i + k * k) % 8] for k in range(6)) for i in range(16)]
    parts = [language.said(text) for text in texts]
    language.write_wav(tmp_path / "corpus/a.wav", [np.concatenate([samples for samples, _ in parts])])
    (tmp_path / "corpus/a.lab").write_text(" ".join([*texts[:8], "osama umi simu " * 8, *texts[8:]]))
    corpus = find(tmp_path / "corpus")
    monkeypatch.setattr(run, "LONG_S", corpus.duration - 1)
    one = aligned(corpus).outcomes["a"]
    truth, at = [], 0.0
    for samples, words in parts:
        truth += [Word(word.symbol, word.start + at, word.duration) for word in words]
        at += len(samples) / HZ
    found = {(word.symbol, round(word.start, 1)) for word in one.words}
    right = sum(any((word.symbol, round(word.start + d, 1)) in found for d in (-0.1, 0.0, 0.1)) for word in truth)
    assert right > 0.9 * len(truth)
    assert set(range(48, 72)) - set(one.not_spoken) == set()


def test_where_all_is_one_long_text_a_model_is_trained_on_its_pieces(language, tmp_path, monkeypatch):
    texts = [" ".join(language.WORDS[(3 * i + k * k) % 8] for k in range(6)) for i in range(16)]
    samples = np.concatenate([language.said(text)[0] for text in texts])
    language.write_wav(tmp_path / "a.wav", [samples])
    (tmp_path / "a.lab").write_text(" ".join(texts))
    corpus = find(tmp_path)
    prepared = prepare(corpus, Source("letters", language.LEXICON, None), None)
    monkeypatch.setattr(run, "LONG_S", corpus.duration - 1)
    model = run.train(corpus, prepared, Options(), threads=1)
    assert model.card.utterances > 3
    assert model.card.phones == tuple("aimosu")
