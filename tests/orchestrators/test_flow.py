# SPDX-License-Identifier: Apache-2.0
"""Flows of steps: every corpus that is shown gives commands that the command line takes, in an order that works."""

from __future__ import annotations

import os
from pathlib import Path

import click
import pytest

from speechmill.cli.main import cli
from speechmill.core.errors import ConfigError
from speechmill.orchestrators import _command
from speechmill.pipeline import flow, spec
from speechmill.pipeline.plan import nodes

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = sorted((ROOT / "examples").glob("corpus*.yaml"))
PLACES = {"corpus": "corpus.yaml", "run": "/w/runs/1", "shards": "0..4"}
LOCAL = {"name": "talks", "sources": [{"local": {"path": "audio"}}], "language": "en"}


def corpus_of(**fields):
    return spec.resolve({**LOCAL, **fields}, Path("/nowhere"))


def steps_of(corpus, name):
    return {step.name: step for step in flow.flow_of(corpus, name).steps}


def parsed(command):
    """Read words as the command line does, without running what they ask for."""
    group, words = cli, list(command)
    while isinstance(group, click.Group):
        found = group.get_command(click.Context(group), words[0])
        assert found is not None, words
        group, words = found, words[1:]
    return group.make_context(group.name, words)


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_the_command_line_takes_every_step_of_every_example(path):
    found = flow.flows(spec.load(path))
    assert [made.name for made in found][-2:] == ["label", "align"]
    for made in found:
        for step in made.steps:
            parsed(_command.fill_in(step.command, PLACES))


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_every_stage_of_a_run_is_in_just_one_place(path):
    corpus = spec.load(path)
    named = [
        name
        for made in flow.flows(corpus)
        for step in made.steps
        if step.over_shards and not step.name.endswith("_given")
        for name in step.command[step.command.index("--stages") + 1].split(",")
    ]
    assert sorted(named) == sorted(node.name for node in nodes(corpus))


def test_each_step_comes_after_those_it_waits_for():
    for made in flow.flows(corpus_of(orchestrate={"workers": 2})):
        seen = set()
        for step in made.steps:
            assert set(step.after) <= seen
            seen.add(step.name)


def test_only_a_remote_source_is_crawled():
    assert [made.name for made in flow.flows(corpus_of())] == ["label", "align"]
    remote = corpus_of(sources=[{"podcast": {"feed": "https://example.org/feed"}}])
    assert [made.name for made in flow.flows(remote)] == ["crawl", "label", "align"]
    with pytest.raises(ConfigError, match="the corpus has no flow 'crawl'; there are: label, align"):
        flow.flow_of(corpus_of(), "crawl")


def test_each_flow_starts_after_what_the_one_before_gives():
    made = flow.flows(corpus_of(sources=[{"podcast": {"feed": "https://example.org/feed"}}]))
    assert [one.starts_after for one in made] == [None, "recordings", "segments"]
    assert [one.gives for one in made] == ["recordings", "segments", "dataset"]
    assert flow.asset(corpus_of(), "segments") == "speechmill://talks/segments"


def test_stand_ins_run_by_opposite_facts():
    steps = steps_of(corpus_of(transcript=["sidecar", "pocketsphinx"]), "label")
    for name, fact in (("transcribe", "untranscribed"), ("diarize", "several_speakers")):
        assert steps[name].when == flow.When(fact, True)
        assert steps[f"{name}_given"].when == flow.When(fact, False)
        assert steps[name].command == steps[f"{name}_given"].command


def test_without_a_recogniser_or_diarization_there_is_nothing_to_choose():
    steps = steps_of(corpus_of(transcript=["sidecar"], diarize="none"), "label")
    assert not any(step.when for step in steps.values())


def test_a_gpu_is_only_for_steps_that_may_use_one():
    corpus = corpus_of(transcript=["sidecar", "faster_whisper"], orchestrate={"gpu": True, "workers": 2})
    steps = steps_of(corpus, "label")
    assert {name for name, step in steps.items() if step.need.gpu} == {"transcribe", "diarize"}
    assert {name for name, step in steps.items() if step.pool == "speechmill_gpu"} == {"transcribe", "diarize"}
    assert steps["prepare"].need.cpu == 2.0


def test_a_corpus_that_trains_its_aligner_trains_before_it_aligns():
    steps = steps_of(corpus_of(language="vi", transcript=["sidecar"], align="gmm"), "align")
    assert list(steps)[:3] == ["resume", "train", "align"]
    assert steps["align"].after == ("train",)
    assert "train" not in steps_of(corpus_of(), "align")


def test_another_setting_is_another_fingerprint_downstream_only():
    before = steps_of(corpus_of(), "label")
    after = steps_of(corpus_of(segment={"turns": {"max_s": 20.0}}), "label")
    changed = {name for name in before if before[name].fingerprint != after[name].fingerprint}
    assert changed == {"segment", "quality"}


def test_the_last_task_has_the_most_failures_allowed_and_is_not_tried_again():
    conclude = steps_of(corpus_of(orchestrate={"max_failed": 20}), "align")["conclude"]
    assert conclude.command[-3:] == ("--max-failed", "20", "--json")
    assert not conclude.retry


def test_the_examples_are_here():
    assert len(EXAMPLES) >= 3, os.listdir(ROOT / "examples")
