# SPDX-License-Identifier: Apache-2.0
"""A model made from the corpus: trained once, pinned, used for what comes later, and made anew when that is asked for.

The trainer here only counts letters; what it learnt is seen in the scores it gives.
"""

from __future__ import annotations

import json
from types import ModuleType

import pyarrow.parquet as pq
import pytest
from msgspec import Struct

from speechmill import api
from speechmill.align import Learnt
from speechmill.core import registry
from speechmill.core.errors import ConfigError, SpeechmillError, Unalignable
from speechmill.core.types import Alignment, Word
from speechmill.pipeline import gc, lessons, run
from speechmill.pipeline.explain import explain
from speechmill.pipeline.overview import overview
from speechmill.pipeline.run import Options
from speechmill.pipeline.worker import Worker
from speechmill.store import made
from speechmill.store.workspace import Workspace
from speechmill.text.spoken import fold

pytestmark = pytest.mark.slow
TEXTS = {f"r{i}": f"utterance number {'x' * i}" for i in range(1, 5)}
SETTINGS = {
    "language": "yo",
    "transcript": ["sidecar"],
    "diarize": "none",
    "vad": "energy",
    "quality": [],
    "filter": "none",
    "export": [],
    "align": "letters",
}


class Config(Struct, frozen=True, forbid_unknown_fields=True):
    train_on: str | None = None
    max_hours: float = 10.0
    seed: int = 0
    lexicon: str = "none"


class Backend:
    def __init__(self, config, context):
        self.letters = (context.made / "letters").read_text() if context.made else None

    def align(self, samples, said, language):
        if self.letters is None:
            raise Unalignable("no-model", "too little to train one")
        words = [Word(one.word, 0.1 * i, 0.1, 0.5) for i, one in enumerate(said.words)]
        return Alignment(fold(said, words, 9.0), (), int(self.letters) / 1000, ("oov", "long-word", "oov"))


class Letters:
    """A trainer that notes what it was given."""

    def __init__(self):
        self.calls = []
        self.fails = None

    def train(self, config, given, texts, folder, note, threads):
        assert threads == Here.workers
        if self.fails:
            raise self.fails
        self.calls.append(sorted(lesson.text for lesson in given))
        assert all(len(lesson.read()) == round(lesson.duration * 16_000) for lesson in given)
        letters = sum(len(lesson.text) for lesson in given)
        (folder / "letters").write_text(str(letters))
        words = {word for text, _language in texts() for word in text.split()}
        return Learnt(len(given), 0.5, 1, phones=7, words=len(words), guessed=2, oov=1)


@pytest.fixture
def trainer(monkeypatch):
    """The aligner `letters`; what is enough to train on is made little."""
    made_by = Letters()
    module = ModuleType("letters")
    module.VERSION, module.SCORED, module.NOT_IDENTITY = "1", True, ("max_hours", "seed", "train_on")
    module.Config, module.Backend, module.train = Config, Backend, made_by.train
    module.trainer = lambda config, base: [config.max_hours, config.seed, config.train_on]
    load = registry.load
    monkeypatch.setattr(registry, "load", lambda family, name: module if name == "letters" else load(family, name))
    monkeypatch.setattr(lessons, "ENOUGH_S", 5.0)
    monkeypatch.setattr(lessons, "ENOUGH_UTTERANCES", 3)
    return made_by


class Here:
    """An engine that works in this process."""

    workers = 1

    def map(self, plan, tasks):
        worker = Worker(plan)
        for task in tasks:
            yield task, worker.work(task)

    def peak_rss_mb(self):
        return 0.0


@pytest.fixture
def folder(tone_corpus):
    return tone_corpus(TEXTS)


@pytest.fixture
def go(trainer, folder, tmp_path):
    """Run on the folder; returns the summary."""

    def run_it(*, settings=None, **options):
        corpus = api.corpus_of(folder, tmp_path / "out", {**SETTINGS, **(settings or {})})
        return run.run(corpus, Here(), Options(**options))

    return run_it


def counts(summary):
    return {name: (count.processed, count.cached) for name, count in summary.stages.items()}


def rows(tmp_path):
    return pq.read_table(tmp_path / "out" / "dataset" / "segments.parquet").to_pylist(maps_as_pydicts="strict")


def letters_of(texts):
    return sum(map(len, texts)) / 1000


def add(folder, make_tone, name, text):
    make_tone(folder / f"{name}.wav", 3.0, 300.0)
    (folder / f"{name}.txt").write_text(text)


def test_the_first_run_trains_pins_and_aligns(go, trainer, tmp_path):
    summary = go()
    assert trainer.calls == [sorted(TEXTS.values())]
    assert counts(summary)["align"] == (4, 0)
    assert counts(summary)["train.align"] == (1, 0)
    assert summary.warnings == []
    found = rows(tmp_path)
    assert [row["scores"]["alignment_score"] for row in found] == [letters_of(TEXTS.values())] * 4
    assert [row["gaps"] for row in found] == [{"align.doubts": "long-word, oov"}] * 4
    (model,) = (path.name for path in (tmp_path / "out" / "models").iterdir() if path.is_dir())
    assert list(made.read_pins(tmp_path / "out" / "models").values()) == [model]


def test_what_is_known_of_the_model_is_told(go, tmp_path):
    go()
    (model,) = overview(tmp_path / "out").models
    assert (model.stage, model.backend, model.source, model.language) == ("align", "letters", "corpus", "yo")
    assert (model.utterances, model.phones, model.words, model.guessed, model.oov) == (4, 7, 6, 2, 1)
    assert f">{model.id}</td>" in (tmp_path / "out" / "report.html").read_text()
    told = "\n".join(explain(tmp_path / "out", rows(tmp_path)[0]["id"]))
    assert f"aligned by    letters, model {model.id}" in told


def test_the_plan_says_what_was_pinned_when(go, tmp_path):
    go()
    go()
    first, second = sorted((tmp_path / "out" / "runs").iterdir())
    waiting, pinned = (
        {node["name"]: node["model"] for node in json.loads((run / "plan.json").read_text())["nodes"]}["align"]
        for run in (first, second)
    )
    assert waiting is None
    assert json.loads((first / "pinned.json").read_text())["models"] == {"align": pinned}
    assert not (second / "pinned.json").exists()


def test_a_later_recording_is_aligned_with_the_pinned_model(go, trainer, folder, make_tone, tmp_path):
    go()
    add(folder, make_tone, "later", "something new")
    summary = go()
    assert len(trainer.calls) == 1
    assert counts(summary)["align"] == (1, 4)
    assert {row["scores"]["alignment_score"] for row in rows(tmp_path)} == {letters_of(TEXTS.values())}


def test_running_again_does_nothing(go, trainer):
    go()
    summary = go()
    assert {name for name, (processed, _cached) in counts(summary).items() if processed} == set()
    assert len(trainer.calls) == 1


def test_training_anew_is_a_decision_and_reruns_alignment_only(go, trainer, folder, make_tone, tmp_path):
    go()
    add(folder, make_tone, "later", "something new")
    go()
    summary = go(retrain=True)
    everything = [*TEXTS.values(), "something new"]
    assert trainer.calls[1:] == [sorted(everything)]
    assert {name for name, (processed, _cached) in counts(summary).items() if processed} == {
        "align",
        "train.align",
        "filter",
    }
    assert {row["scores"]["alignment_score"] for row in rows(tmp_path)} == {letters_of(everything)}
    assert counts(go())["align"] == (0, 5)


def test_training_anew_on_the_same_keeps_the_model(go, trainer):
    go()
    summary = go(retrain=True)
    assert len(trainer.calls) == 1
    assert counts(summary)["align"] == (0, 4)
    assert counts(summary)["train.align"] == (0, 1)


def test_killed_between_training_and_aligning_it_goes_on_with_the_model(go, trainer, monkeypatch, tmp_path):
    def killed(*arguments):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(made, "pin", killed)
        assert go().exit_status == 130
    assert made.read_pins(tmp_path / "out" / "models") == {}
    summary = go()
    assert len(trainer.calls) == 1
    assert counts(summary)["train.align"] == (0, 1)
    assert counts(summary)["align"] == (4, 0)


def test_killed_while_it_trains_nothing_is_left_that_counts(go, trainer, tmp_path):
    trainer.fails = KeyboardInterrupt()
    assert go().exit_status == 130
    assert list((tmp_path / "out" / "models").iterdir()) == []
    trainer.fails = None
    assert counts(go())["align"] == (4, 0)


def test_too_little_is_a_gap_with_what_to_do_and_more_recordings_mend_it(
    go, trainer, monkeypatch, folder, make_tone, tmp_path
):
    monkeypatch.setattr(lessons, "ENOUGH_UTTERANCES", 5)
    summary = go()
    assert summary.exit_status == 0
    assert summary.failures == []
    (warning,) = summary.warnings
    assert "in 4 utterances of" in warning
    assert "`align.train_on`" in warning
    assert [row["gaps"]["align"] for row in rows(tmp_path)] == ["no-model: too little to train one"] * 4
    assert overview(tmp_path / "out").warnings == [warning]
    assert counts(go())["align"] == (0, 4)
    add(folder, make_tone, "fifth", "and that is enough")
    assert counts(go())["align"] == (5, 0)
    assert len(trainer.calls) == 1


def test_training_that_fails_is_a_warning(go, trainer, tmp_path):
    trainer.fails = SpeechmillError("no utterance has audio for its phones")
    summary = go()
    assert summary.exit_status == 0
    assert "no model could be trained: no utterance has audio" in summary.warnings[0]
    assert [row["words"] for row in rows(tmp_path)] == [[]] * 4


def test_another_training_option_is_another_model(go, trainer, tmp_path):
    go()
    first = rows(tmp_path)
    go(settings={"align": {"letters": {"seed": 1}}})
    assert len(trainer.calls) == 2
    assert counts(go())["align"] == (0, 4)
    assert rows(tmp_path) == first


def test_hours_are_capped_by_lot(go, trainer):
    go(settings={"align": {"letters": {"max_hours": 6.5 / 3600}}})
    (given,) = trainer.calls
    assert len(given) == 3


@pytest.fixture
def curated(make_tone, tmp_path):
    """A folder in the layout of other aligners, of four utterances, one without a text and one that is there twice."""
    for i in range(6):
        folder = tmp_path / "curated" / f"speaker{i % 2}"
        folder.mkdir(parents=True, exist_ok=True)
        make_tone(folder / f"{i}.wav", 2.0, 200.0 + 10 * min(i, 4))
        if i:
            (folder / f"{i}.lab").write_text("as curated as can be")
    return tmp_path / "curated"


def test_a_curated_folder_is_trained_on_in_the_place_of_the_corpus(go, trainer, curated, tmp_path):
    summary = go(settings={"align": {"letters": {"train_on": str(curated)}}})
    assert trainer.calls == [["as curated as can be"] * 4]
    assert counts(summary)["align"] == (4, 0)
    (model,) = overview(tmp_path / "out").models
    assert model.source == str(curated)
    assert model.left_out == {"duplicate": 1, "no-text": 1}


def test_a_curated_folder_that_is_not_there_is_told_before_work_starts(go, tmp_path):
    with pytest.raises(ConfigError, match=r"align.letters.train_on: no such folder: .*nowhere"):
        go(settings={"align": {"letters": {"train_on": str(tmp_path / "nowhere")}}})
    assert not (tmp_path / "out" / "stages").exists()


def test_gc_keeps_the_pinned_model_and_its_alignments(go, trainer, folder, make_tone, tmp_path):
    go()
    add(folder, make_tone, "later", "something new")
    go(retrain=True)
    before = rows(tmp_path)
    assert len(trainer.calls) == 2
    gc.delete(gc.collect(Workspace.open(tmp_path / "out")))
    assert len([path for path in (tmp_path / "out" / "models").iterdir() if path.is_dir()]) == 1
    assert counts(go())["align"] == (0, 5)
    assert rows(tmp_path) == before


def test_a_run_of_shards_waits_for_the_model(go, trainer, tmp_path, monkeypatch):
    from click.testing import CliRunner

    from speechmill.cli import exec as command
    from speechmill.engines import local

    monkeypatch.setattr(local, "LocalEngine", lambda workers, memory_mb: Here())
    with monkeypatch.context() as patch:
        patch.setattr(run, "train", lambda *arguments: (_ for _ in ()).throw(KeyboardInterrupt))
        assert go().exit_status == 130
    (plan,) = (tmp_path / "out" / "runs").iterdir()

    def execute(*arguments):
        return CliRunner().invoke(command.command, ["--run", str(plan), *arguments])

    for stages in ("align", "finish"):
        refused = execute("--stages", stages)
        assert "align waits for a model made from the corpus; first: --stages train" in str(refused.exception)
    assert json.loads(execute("--stages", "train").stdout)["stages"]["train.align"]["processed"] == 1
    assert json.loads(execute("--stages", "train").stdout)["stages"] == {}
    assert json.loads(execute("--stages", "align", "--shard", "0").stdout)["stages"]["align"]["processed"] == 4
    assert json.loads(execute("--stages", "finish").stdout)["stages"]["filter"]["processed"] == 1
    assert {row["scores"]["alignment_score"] for row in rows(tmp_path)} == {letters_of(TEXTS.values())}
    assert counts(go())["align"] == (0, 4)
    assert len(trainer.calls) == 1
