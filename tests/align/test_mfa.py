# SPDX-License-Identifier: Apache-2.0
"""MFA as a program: how it is called, what of its answer is believed. A stand-in answers, see stand_in_mfa.py."""

from __future__ import annotations

import json
import os
import stat
import sys
from pathlib import Path

import numpy as np
import psutil
import pytest

from speechmill.align import mfa
from speechmill.align._mfa import Mfa
from speechmill.align._recording import Cut
from speechmill.align.mfa import Backend, Config
from speechmill.core.errors import MissingDependency, MissingModel, ProgramFailed, Unalignable
from speechmill.core.stage import Context
from speechmill.core.types import Word
from speechmill.formats.audio import write_wav
from speechmill.stages.align import Align
from speechmill.text.spoken import spoken

STAND_IN = Path(__file__).with_name("stand_in_mfa.py")

pytestmark = pytest.mark.skipif(os.name == "nt", reason="the stand-in is a shell script")


@pytest.fixture
def program(tmp_path, monkeypatch):
    """Put a stand-in named `mfa` on the PATH; returns the lines it was called with."""
    folder = tmp_path / "bin"
    folder.mkdir()
    script = folder / "mfa"
    script.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{STAND_IN}" "$@"\n')
    script.chmod(script.stat().st_mode | stat.S_IEXEC)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("STAND_IN_LOG", str(tmp_path / "log"))
    monkeypatch.delenv("STAND_IN", raising=False)
    return lambda: [json.loads(line) for line in (tmp_path / "log").read_text().splitlines()]


@pytest.fixture
def models(tmp_path):
    (tmp_path / "acoustic.zip").write_bytes(b"a model")
    (tmp_path / "words.dict").write_text("one\tw a n\ntwo\tt uu\nthree\tth r ii\n")
    return {"model": str(tmp_path / "acoustic.zip"), "dictionary": str(tmp_path / "words.dict")}


@pytest.fixture
def align(program, models, tmp_path, monkeypatch):
    """Align texts, each of two seconds, in one recording."""

    def go(*texts, mode="", **options):
        monkeypatch.setenv("STAND_IN", mode)
        cuts = [
            Cut(lambda: np.full(32_000, 0.1, np.float32), spoken(text, "en"), "en", f"#{i % 2}")
            for i, text in enumerate(texts)
        ]
        return Backend(Config(**models, **options), Context(tmp_path, Path)).align_all(cuts)

    return go


def reasons(made):
    return [one.reason if isinstance(one, Unalignable) else "aligned" for one in made]


def test_words_and_phones_come_back_on_the_tokens(align):
    (made,) = align("One, 2!")
    assert made.words == (Word("One", 0.2, 0.8), Word("2", 1.0, 0.8))
    assert [phone.symbol for phone in made.phones] == ["w", "a", "n", "t", "uu"]
    assert made.phones[0].start == 0.2
    assert made.doubts == ()


def test_a_recording_is_one_start_with_a_folder_of_its_own(align, program):
    align("one", "two", "three")
    align("one")
    first, second = program()
    assert first["line"][0] == "align"
    assert first["line"][5:] == [
        *("--output_format", "long_textgrid", "--clean", "--num_jobs", "1"),
        *("--temporary_directory", f"{first['root']}/temporary"),
    ]
    assert first["root"] != second["root"]
    assert not Path(first["root"]).exists()
    assert not Path(first["line"][1]).exists()


def test_options_are_passed_on(align, program, tmp_path):
    (tmp_path / "g2p.zip").write_bytes(b"a model")
    align("one", beam=100, retry_beam=400, jobs=2, g2p=str(tmp_path / "g2p.zip"))
    line = " ".join(program()[0]["line"])
    assert "--beam 100 --retry_beam 400" in line
    assert f"--g2p_model_path {tmp_path / 'g2p.zip'}" in line
    assert "--num_jobs 2" in line


def test_what_is_left_out_is_named_segment_by_segment(align):
    made = align("one", "two", "three", "one two", mode="lose")
    assert reasons(made) == ["aligned", "aligned", "no-output", "no-output"]  # written by speaker: #0 has 0 and 2
    assert reasons(align("one", "two", mode="lose-all")) == ["no-output", "no-output"]


def test_what_can_not_be_true_is_refused(align):
    (made,) = align("one two three", mode="absurd")
    assert made.reason == "absurd-word"
    assert "'three' from 1.27 to 300.07 s, of 2.00 s" in made.detail
    assert reasons(align("one", mode="other")) == ["other-words"]
    assert reasons(align("one", mode="broken")) == ["broken-output"]
    assert reasons(align("one", max_word_s=1.0)) == ["absurd-word"]


def test_a_word_that_the_dictionary_lacks_is_doubted(align):
    known, unknown = align("one", "one zzyzx")
    assert (known.doubts, unknown.doubts) == ((), ("oov",))
    assert [phone.symbol for phone in unknown.phones][-1] == "spn"


def test_what_is_not_mfas_business_is_not_given_to_it(align, program, models, tmp_path):
    assert reasons(align("one", "…")) == ["aligned", "no-words"]
    assert len(program()) == 1
    silence = Cut(lambda: np.zeros(16_000, np.float32), spoken("one", "en"), "en", None)
    assert reasons(Backend(Config(**models), Context(tmp_path, Path)).align_all([silence])) == ["silence"]
    assert len(program()) == 1


def test_a_failure_says_what_was_printed_last(align):
    with pytest.raises(Unalignable, match=r"mfa-failed: mfa align ended with 1\. It printed last: .* is locked"):
        align("one", mode="fail")


def test_a_program_that_hangs_is_ended_with_all_that_it_started(align, monkeypatch):
    monkeypatch.setattr(mfa, "_LIMIT_S", 0.6)
    monkeypatch.setattr(mfa, "_LIMIT_PER_AUDIO_S", 0.2)
    before = set(psutil.Process().children(recursive=True))  # what other tests of this process keep running
    with pytest.raises(Unalignable, match=r"mfa-timeout: mfa align was stopped after 1 s"):
        align("one", mode="hang")
    after = [p for p in psutil.Process().children(recursive=True) if p.status() != psutil.STATUS_ZOMBIE]
    assert set(after) - before == set()


def test_mfa_is_stopped_before_its_worker_is():
    """Killed from outside, a worker leaves the program that it started behind."""
    stage = Align.resources
    assert stage.timeout_s > mfa._LIMIT_S
    assert stage.timeout_per_audio_s > mfa._LIMIT_PER_AUDIO_S


def test_one_segment_is_aligned_by_itself(program, models, tmp_path):
    backend = Backend(Config(**models), Context(tmp_path, Path))
    samples = np.full(16_000, 0.1, np.float32)
    assert backend.align(samples, spoken("one", "en"), "en").words == (Word("one", 0.1, 0.8),)
    with pytest.raises(Unalignable, match="silence"):
        backend.align(samples * 0, spoken("one", "en"), "en")


def test_models_are_found_where_mfa_downloads_them(models, tmp_path, monkeypatch):
    root = tmp_path / "root"
    for kind, name in (("acoustic", "english_mfa.zip"), ("dictionary", "english_us_mfa.dict")):
        (root / "pretrained_models" / kind).mkdir(parents=True)
        (root / "pretrained_models" / kind / name).write_bytes(b"content")
    monkeypatch.setenv("MFA_ROOT_DIR", str(root))
    by_name = Config(model="english_mfa", dictionary="english_us_mfa")
    assert mfa.model_digest(by_name) != mfa.model_digest(Config(**models))
    with pytest.raises(MissingModel, match=r"no acoustic model of that name in .* download acoustic german_mfa"):
        mfa.model_digest(Config(model="german_mfa", dictionary="english_us_mfa"))


def test_the_models_content_is_their_identity(models, tmp_path):
    before = mfa.model_digest(Config(**models))
    (tmp_path / "words.dict").write_text("one\to n e\n")
    assert mfa.model_digest(Config(**models)) != before


def test_paths_start_at_the_corpus_file_and_names_stay(models, tmp_path):
    made = mfa.rebase(Config(model="acoustic.zip", dictionary="english_us_mfa"), tmp_path)
    assert (made.model, made.dictionary) == (models["model"], "english_us_mfa")


def test_no_program_is_said_before_anything_is_written(models, tmp_path):
    config = Config(**models, program="no-such-mfa")
    message = r"no program 'no-such-mfa' on PATH\. Install MFA with: conda install"
    with pytest.raises(MissingDependency, match=message):
        mfa.prepare(config)
    with pytest.raises(MissingDependency, match=message):
        Backend(config, Context(tmp_path, Path)).align(np.full(16_000, 0.1, np.float32), spoken("one", "en"), "en")


def test_the_other_commands(program, models, tmp_path, monkeypatch):
    corpus = tmp_path / "corpus" / "s0"
    corpus.mkdir(parents=True)
    write_wav(corpus / "a.wav", np.full(16_000, 0.1, np.float32), 16_000)
    (corpus / "a.lab").write_text("one four")
    dictionary, runs = Path(models["dictionary"]), Mfa()
    assert "1 OOV word types" in runs.validate(corpus.parent, dictionary)
    runs.train_g2p(dictionary, tmp_path / "g2p.zip")
    (tmp_path / "oov.txt").write_text("four\n")
    runs.g2p(tmp_path / "oov.txt", tmp_path / "g2p.zip", tmp_path / "more.dict", variants=2)
    assert (tmp_path / "more.dict").read_text() == "four\tf o u r\n"
    runs.train(corpus.parent, dictionary, tmp_path / "trained.zip", tmp_path / "trained")
    grids = runs.align(corpus.parent, dictionary, tmp_path / "trained.zip", tmp_path / "aligned")
    assert grids == {"s0/a": tmp_path / "aligned" / "s0" / "a.TextGrid"}
    assert (tmp_path / "trained" / "s0" / "a.TextGrid").is_file()
    assert [call["line"][0] for call in program()] == ["validate", "train_g2p", "g2p", "train", "align"]
    assert len({call["root"] for call in program()}) == 5
    monkeypatch.setenv("STAND_IN", "no-model")
    for call in (
        lambda: runs.train_g2p(dictionary, tmp_path / "none.zip"),
        lambda: runs.g2p(tmp_path / "oov.txt", tmp_path / "g2p.zip", tmp_path / "none.dict"),
        lambda: runs.train(corpus.parent, dictionary, tmp_path / "none.zip"),
    ):
        with pytest.raises(ProgramFailed, match=r"no-output: mfa \w+ ended with 0 and did not write .*none\."):
            call()
