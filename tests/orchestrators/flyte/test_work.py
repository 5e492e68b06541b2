# SPDX-License-Identifier: Apache-2.0
"""What a container is told, and when Flyte may skip a share of a run."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from speechmill import api
from speechmill.engines.local import LocalEngine
from speechmill.orchestrators._flyte_work import Work, read, stands_in, tokens, words, works, write
from speechmill.pipeline import run as pipeline
from speechmill.pipeline.flow import Step, When, flow_of
from speechmill.pipeline.orchestrate_options import OrchestrateOptions, Volume
from speechmill.pipeline.planned import plan_run
from speechmill.pipeline.record import Silent
from speechmill.pipeline.spec import Corpus

STAGES = ("normalise", "vad", "transcribe", "diarize", "segment")


def test_a_task_is_read_as_it_was_written() -> None:
    options = OrchestrateOptions(command="/opt/speechmill")
    work = Work("talks", "label", Step("plan", ("plan", "{corpus}"), "Freeze."), options, ("vad",))
    assert read(write(work)) == work


def test_a_container_is_told_nothing_that_it_needs_not_know() -> None:
    options = OrchestrateOptions(emails=("ops@example.org",), volume=Volume(claim="disk"))
    assert "ops@example.org" not in write(Work("talks", "label", Step("plan", ("plan",), ""), options))


def test_what_is_empty_is_not_asked_for() -> None:
    asked = {"--since": "2026-11-01", "--until": "", "--limit": 0, "--run": ""}
    assert words(("plan", "{corpus}"), "", asked) == ["plan", "{corpus}", "--since", "2026-11-01"]


def test_a_run_that_is_there_is_gone_on_with_as_it_was_planned() -> None:
    command = ("plan", "{corpus}", "--json", "--set", "align=none")
    assert words(command, "", {"--run": "/data/runs/1"}) == ["plan", "{corpus}", "--json", "--run", "/data/runs/1"]
    assert words(command, "", {"--run": ""}) == list(command)


def test_settings_may_hold_blanks() -> None:
    assert words(("plan",), "vad.threshold=0.6 'filter=snr > 10'", {})[1:] == [
        "--set",
        "vad.threshold=0.6",
        "--set",
        "filter=snr > 10",
    ]


def test_the_step_for_something_comes_before_the_one_for_nothing() -> None:
    given = Step("given", ("exec",), "", when=When("untranscribed", False))
    asked = Step("asked", ("exec",), "", when=When("untranscribed", True))
    other = Step("other", ("exec",), "", when=When("several_speakers", True))
    assert stands_in((given, asked, other), given) == [asked, given]
    plain = Step("plan", ("plan",), "")
    assert stands_in((plain, given, asked), plain) == [plain]


@pytest.fixture
def corpus(tone_corpus: Callable[[dict[str, str]], Path], tmp_path: Path) -> Corpus:
    folder = tone_corpus({"one": "first", "two": "second"})
    settings = {"transcript": ["sidecar"], "quality": [], "align": None, "export": [], "language": "en"}
    return api.corpus_of(folder, tmp_path / "workspace", settings)


def _plan(corpus: Corpus, stages: tuple[str, ...] = STAGES) -> list[str]:
    planned = plan_run(corpus)
    assert planned.ranges == ("0",)
    return tokens(Path(planned.run), planned.ranges, stages)


def _work(corpus: Corpus) -> None:
    planned = plan_run(corpus)
    recorder, _sources = pipeline.reopen(Path(planned.run), Silent())
    recorder.record(LocalEngine(1), recorder.plan.nodes)


def test_stages_of_a_flow_are_those_of_its_shards(corpus: Corpus) -> None:
    label, align = (works("talks", flow_of(corpus, name), corpus.orchestrate) for name in ("label", "align"))
    assert label["plan"].stages == STAGES
    assert label["prepare"].stages == ()
    assert label["prepare"].name == "talks.label.prepare"
    assert {name: work.kind for name, work in align.items()} == {
        "resume": "plan",
        "finish": "run",
        "conclude": "conclude",
    }


def test_nothing_may_be_skipped_where_the_ledger_lacks_it(corpus: Corpus) -> None:
    assert _plan(corpus) != _plan(corpus)


def test_what_the_ledger_has_may_be_skipped(corpus: Corpus) -> None:
    given = _plan(corpus)
    _work(corpus)
    assert _plan(corpus) == given
    assert _plan(corpus) == given


def test_what_was_lost_is_done_again(corpus: Corpus) -> None:
    given = _plan(corpus)
    _work(corpus)
    lost = next(corpus.store.rglob("vad-*"))
    shutil.rmtree(lost)
    anew = _plan(corpus)
    assert anew != given
    _work(corpus)
    assert _plan(corpus) == anew


def test_another_recording_is_another_share(corpus: Corpus, tone_corpus: Callable[[dict[str, str]], Path]) -> None:
    given = _plan(corpus)
    _work(corpus)
    tone_corpus({"one": "first", "two": "second", "three": "third"})
    assert _plan(corpus) != given


def test_stages_that_come_later_do_not_count(corpus: Corpus) -> None:
    first = _plan(corpus, ("normalise", "vad"))
    planned = plan_run(corpus)
    recorder, _sources = pipeline.reopen(Path(planned.run), Silent())
    recorder.record(LocalEngine(1), recorder.plan.nodes[:2])
    assert _plan(corpus, ("normalise", "vad")) == first
    assert _plan(corpus) != _plan(corpus)


def test_what_waits_for_a_model_is_never_skipped(corpus: Corpus) -> None:
    given = _plan(corpus)
    _work(corpus)
    planned = plan_run(corpus)
    file = Path(planned.run) / "plan.json"
    plan = msgspec.json.decode(file.read_bytes())
    plan["nodes"][4] |= {"trainer": "gmm", "model": None}
    file.write_bytes(msgspec.json.encode(plan))
    assert tokens(Path(planned.run), planned.ranges, STAGES) != given
