# SPDX-License-Identifier: Apache-2.0
"""`align` and the commands around it, on a language of six letters whose truth is known."""

import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest
from praatio import textgrid as praatio

from speechmill.acoustic.train import TrainingError
from speechmill.cli.main import cli
from speechmill.core.errors import ConfigError, MissingDependency
from speechmill.formats import lexicon as lexica

_SPEC = importlib.util.spec_from_file_location("letters", Path(__file__).parents[1] / "alignment" / "conftest.py")
letters = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(letters)

YORUBA = str.maketrans({"a": "ẹ́", "o": "ọ", "i": "í", "u": "ú", "s": "ṣ"})
THAI = str.maketrans({"m": "ม", "s": "ส", "a": "า", "i": "ี", "u": "ู"})


def run(*arguments):
    """Run a command in this process; returns its exit status."""
    return cli.main([str(argument) for argument in arguments], standalone_mode=False) or 0


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    """A corpus of sixteen utterances, its lexicon and the truth; tests only read it."""
    base = tmp_path_factory.mktemp("align")
    truth = letters.write_corpus(base / "corpus")
    lexica.write(base / "letters.dict", letters.LEXICON)
    rows = {key: [[word.symbol, word.start, word.end] for word in words] for key, words in truth.items()}
    (base / "gold_words.json").write_text(json.dumps(rows))
    return base


@pytest.fixture(scope="module")
def model(corpus):
    assert run("train-acoustic", corpus / "corpus", corpus / "letters.dict", corpus / "model.npz", "--threads", 1) == 0
    return corpus / "model.npz"


def labels(path):
    grid = praatio.openTextgrid(str(path), includeEmptyIntervals=False)
    return {tier.name: [entry.label for entry in tier.entries] for tier in grid.tiers}


def test_one_file_with_its_text_just_works(speechmill, tmp_path):
    text = " ".join(letters.TEXTS)
    letters.write_wav(tmp_path / "talk.wav", [letters.said(text)[0]])
    (tmp_path / "talk.txt").write_text(text)
    done = speechmill("align", tmp_path / "talk.wav", tmp_path / "talk.txt")
    assert "1 of 1 utterances aligned" in done.stdout
    assert "the least certain words" in done.stdout
    assert done.stdout.splitlines()[-1] == f"written  {tmp_path / 'talk'}.TextGrid"
    assert "trained on 0.6 minutes of speech alone" in done.stderr
    found = labels(tmp_path / "talk.TextGrid")
    assert list(found) == ["words", "phones", "confidence"]
    assert found["words"] == text.split()
    assert found["phones"] == list(text.replace(" ", ""))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["talk.TextGrid", "talk.txt", "talk.wav"]


def test_a_textgrid_that_is_there_is_not_replaced_unless_it_is_asked_for(corpus, model, tmp_path):
    letters.write_wav(tmp_path / "talk.wav", [letters.said("masa")[0]])
    (tmp_path / "talk.txt").write_text("masa")
    (tmp_path / "talk.TextGrid").write_text("my own work")
    given = ("align", tmp_path / "talk.wav", tmp_path / "talk.txt", "--lexicon", corpus / "letters.dict")
    with pytest.raises(ConfigError, match=r"talk\.TextGrid exists already"):
        run(*given, "--model", model)
    assert (tmp_path / "talk.TextGrid").read_text() == "my own work"
    (tmp_path / "talk.txt").write_text("zzz")
    assert run(*given, "--model", model, "--overwrite") == 1
    assert (tmp_path / "talk.TextGrid").read_text() == "my own work"
    (tmp_path / "talk.txt").write_text("masa")
    assert run(*given, "--model", model, "--overwrite") == 0
    assert labels(tmp_path / "talk.TextGrid")["words"] == ["masa"]


def test_a_corpus_is_aligned_with_a_model_of_its_own_and_the_truth_is_found(corpus, tmp_path, capsys):
    status = run("align", corpus / "corpus", corpus / "letters.dict", tmp_path, "--json", "--format", "textgrid,json")
    summary = json.loads(capsys.readouterr().out)
    assert (status, summary["utterances"], summary["aligned"], summary["failed"]) == (0, 16, 16, 0)
    assert json.loads((tmp_path / "alignment.json").read_text()) == summary
    assert len(summary["by_utterance"]) == 16
    assert len(list(tmp_path.rglob("*.TextGrid"))) == len(list(tmp_path.glob("*/*.json"))) == 16
    assert (tmp_path / "acoustic-model.npz").is_file()
    assert run("evaluate", "align", corpus / "gold_words.json", tmp_path, "--json") == 0
    rows = json.loads(capsys.readouterr().out)["rows"]
    assert next(row for row in rows if row["edge"] == "both")["mean_ms"] < 25


def test_a_given_model_aligns_the_same_whatever_the_number_of_threads(corpus, model, tmp_path):
    for threads in (1, 2):
        out = tmp_path / str(threads)
        given = (corpus / "corpus", corpus / "letters.dict", out, "--model", model, "--threads", threads)
        assert run("align", *given) == 0
    one, two = (
        {path.relative_to(tmp_path / name): path.read_bytes() for path in (tmp_path / name).rglob("*.TextGrid")}
        for name in ("1", "2")
    )
    assert one == two
    assert not (tmp_path / "1/acoustic-model.npz").exists()


def test_something_that_fails_is_named_and_ends_with_1(corpus, model, tmp_path, capsys):
    letters.write_wav(tmp_path / "corpus/a.wav", [letters.said("masa")[0]])
    (tmp_path / "corpus/a.lab").write_text("маса")
    letters.write_wav(tmp_path / "corpus/b.wav", [letters.said("masa")[0]])
    letters.write_wav(tmp_path / "corpus/c.wav", [letters.said("masa")[0]])
    (tmp_path / "corpus/c.lab").write_text("masa")
    assert run("align", tmp_path / "corpus", corpus / "letters.dict", tmp_path / "out", "--model", model) == 1
    shown = capsys.readouterr().out
    assert "1 of 2 utterances aligned" in shown
    assert "1 no-pronunciation, such as none of 1 words is in the lexicon, written in CYRILLIC: маса" in shown
    assert "1 no-text, such as no .lab, .txt, .TextGrid or .eaf beside it is called b" in shown
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["alignment.json", "c.TextGrid"]


def test_a_model_is_adapted_to_other_speakers(corpus, model, tmp_path, capsys):
    assert run("adapt", model, corpus / "corpus", corpus / "letters.dict", tmp_path / "adapted.npz", "--json") == 0
    adapted = json.loads(capsys.readouterr().out)
    assert adapted["card"]["phones"] == list("aimosu")
    given = (corpus / "corpus", corpus / "letters.dict", tmp_path / "out", "--model", tmp_path / "adapted.npz")
    assert run("align", *given) == 0


def test_validate_says_what_is_wrong_and_ends_with_1(corpus, tmp_path, capsys):
    assert run("validate", corpus / "corpus", corpus / "letters.dict") == 0
    assert "16 utterances in 16 files (16 of 16000 Hz), 0.01 h, 2 speakers" in capsys.readouterr().out
    letters.write_wav(tmp_path / "a.wav", [letters.said("masa")[0]])
    (tmp_path / "a.lab").write_text("masa zzz")
    assert run("validate", tmp_path, corpus / "letters.dict", "--json", "--no-audio") == 1
    checked = json.loads(capsys.readouterr().out)
    assert checked["oov"] == {"zzz": 1}
    assert run("validate", tmp_path, corpus / "letters.dict") == 1
    assert "error    oov: 1 words that nobody can pronounce" in capsys.readouterr().out


def test_yoruba_letters_are_phones_with_their_marks(tmp_path, corpus):
    for path in (corpus / "corpus").rglob("*.wav"):
        (tmp_path / "corpus").mkdir(exist_ok=True)
        (tmp_path / "corpus" / path.name).write_bytes(path.read_bytes())
        text = path.with_suffix(".lab").read_text().translate(YORUBA)
        (tmp_path / "corpus" / path.name).with_suffix(".txt").write_text(text, encoding="utf-8")
    assert run("align", tmp_path / "corpus", tmp_path / "out", "--language", "yo") == 0
    found = labels(tmp_path / "out/00.TextGrid")
    assert found["words"] == ["mẹ́ṣẹ́", "íṣú", "ṣímẹ́"]
    assert found["phones"] == ["m", "ẹ́", "ṣ", "ẹ́", "í", "ṣ", "ú", "ṣ", "í", "m", "ẹ́"]
    rows = json.loads((corpus / "gold_words.json").read_text())["ann/00"]
    tier = praatio.openTextgrid(str(tmp_path / "out/00.TextGrid"), includeEmptyIntervals=False).getTier("words")
    assert [entry.start for entry in tier.entries] == pytest.approx([start for _, start, _ in rows], abs=0.04)


def test_thai_without_blanks_is_parted_and_timed(tmp_path):
    words = ("masa", "sima", "simu", "misa")
    for i in range(12):
        text = " ".join(words[(i + k * k) % 4] for k in range(3))
        letters.write_wav(tmp_path / f"corpus/{i:02d}.wav", [letters.said(text)[0]])
        thai = text.replace(" ", "").translate(THAI)
        (tmp_path / f"corpus/{i:02d}.txt").write_text(thai, encoding="utf-8")
    assert run("align", tmp_path / "corpus", tmp_path / "out", "--language", "th") == 0
    found = labels(tmp_path / "out/00.TextGrid")
    assert "".join(found["words"]) == "มาสาสีมามาสา"
    assert found["phones"] == [*"มาสา", "สี", *"มามาสา"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("{corpus}", "{corpus}"), "is the corpus itself"),
        (("{corpus}",), "name CORPUS OUT, or CORPUS LEXICON OUT"),
        (("{corpus}", "none.dict", "{out}"), "no lexicon none.dict"),
        (("{corpus}", "{lexicon}", "{out}", "--format", "textgird"), "--format textgird: there are textgrid, json"),
        (("{corpus}", "{lexicon}", "{out}", "--speakers", "x"), "speakers 'x'"),
        (("{out}", "{lexicon}", "{out}2"), "no such folder"),
        (("{lexicon}",), "is a file: name its text too"),
        (("{corpus}", "{lexicon}", "{out}", "--format", ","), "--format names none; there are textgrid, json"),
        (("{corpus}", "{lexicon}", "{out}", "--tonal", "--model", "m.npz"), "--model is trained already"),
        (("{corpus}", "{lexicon}", "{lexicon}/out"), "nothing can be written to .*letters.dict/out: Not a directory"),
    ],
)
def test_what_cant_be_run_is_refused_before_it_starts(corpus, tmp_path, arguments, message):
    places = {"corpus": corpus / "corpus", "lexicon": corpus / "letters.dict", "out": tmp_path / "out"}
    with pytest.raises(ConfigError, match=message):
        run("align", *(argument.format(**places) for argument in arguments))
    assert not (tmp_path / "out").exists()


def test_where_no_text_has_all_its_words_in_the_lexicon_they_are_named(corpus, tmp_path):
    (tmp_path / "few.dict").write_text("masa\tm a s a\n")
    with pytest.raises(TrainingError, match=r"none of 16 texts .* lacks 7: \w+ \(\d+\).* Predict them with --g2p"):
        run("align", corpus / "corpus", tmp_path / "few.dict", tmp_path / "out")


def test_adapting_to_texts_without_a_known_word_names_what_is_lacking(corpus, model, tmp_path):
    (tmp_path / "few.dict").write_text("moma\tm o m a\n")
    with pytest.raises(TrainingError, match=r"none of 16 texts has all its words in the lexicon; it lacks 8"):
        run("adapt", model, corpus / "corpus", tmp_path / "few.dict", tmp_path / "adapted.npz")


@pytest.mark.parametrize(
    "arguments",
    [
        ("train-acoustic", "{corpus}", "{lexicon}", "{lexicon}/model.npz"),
        ("adapt", "{model}", "{corpus}", "{lexicon}", "{lexicon}/model.npz"),
        ("train-g2p", "{lexicon}", "{lexicon}/model.npz"),
    ],
)
def test_where_nothing_can_be_written_is_told_before_training(corpus, model, arguments):
    places = {"corpus": corpus / "corpus", "lexicon": corpus / "letters.dict", "model": model}
    with pytest.raises(ConfigError, match=r"nothing can be written to .*letters\.dict: "):
        run(*(argument.format(**places) for argument in arguments))


def test_a_text_without_words_is_named(tmp_path):
    letters.write_wav(tmp_path / "talk.wav", [letters.said("masa")[0]])
    (tmp_path / "talk.txt").write_text("... !")
    with pytest.raises(TrainingError, match=r"none of 1 texts has a word, such as '\.\.\. !'"):
        run("align", tmp_path / "talk.wav", tmp_path / "talk.txt")


def test_a_folder_without_texts_is_refused_with_the_reason(corpus, tmp_path):
    letters.write_wav(tmp_path / "a.wav", [np.zeros(16_000)])
    with pytest.raises(ConfigError, match=r"a\.wav: no-text"):
        run("align", tmp_path, corpus / "letters.dict", tmp_path / "out")


@pytest.mark.slow
def test_every_recording_of_voxangeles_gets_a_textgrid(shared_data, tmp_path, capsys):
    source = shared_data / "voxangeles_dev"
    audio = []
    for language in ("ace", "ces"):
        (tmp_path / "corpus").mkdir(exist_ok=True)
        (tmp_path / "corpus" / language).symlink_to(source / language)
        audio += (source / language).glob("*.flac")
    status = run("align", tmp_path / "corpus", source / "lexicon.dict", tmp_path / "out", "--json")
    summary = json.loads(capsys.readouterr().out)
    grids = list((tmp_path / "out").rglob("*.TextGrid"))
    assert summary["utterances"] == len(audio) > 50
    assert len(grids) + sum(bool(line["reason"]) for line in summary["by_utterance"]) == len(audio)
    assert status == int(len(grids) < len(audio))
    assert run("evaluate", "align", source / "gold_phones.json", tmp_path / "out", "--json") == 1  # the other languages
    rows = json.loads(capsys.readouterr().out)["rows"]
    assert next(row for row in rows if row["edge"] == "start")["median_ms"] < 40


@pytest.mark.parametrize("command", ["align", "train-acoustic", "adapt", "validate"])
def test_a_package_that_is_missing_is_named_with_the_command_that_installs_it(command, corpus, tmp_path, monkeypatch):
    monkeypatch.setattr("speechmill.core.registry.missing_packages", lambda module: ["numba>=0.61"])
    model, new = tmp_path / "model.npz", tmp_path / "new"
    given = {
        "align": ("corpus", "letters.dict", new),
        "train-acoustic": ("corpus", "letters.dict", new),
        "adapt": (model, "corpus", "letters.dict", new),
        "validate": ("corpus", "letters.dict"),
    }
    with pytest.raises(MissingDependency, match="pip install 'numba"):
        run(command, *(corpus / one for one in given[command]))
