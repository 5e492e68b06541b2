# SPDX-License-Identifier: Apache-2.0
"""A corpus as flows of steps: what every orchestrator renders into its own terms, and decides nothing about.

    crawl   describe -> download                                                           gives recordings
    label   plan -> prepare -> transcribe -> diarize -> segment -> quality                 gives segments
    align   resume -> train -> align -> score -> finish -> conclude                        gives the dataset

A step is one command of speechmill. A step `over_shards` is done once for each range of shards that `plan` printed. Of
two steps that stand in for each other, `when` says which one runs, by the facts that `plan` printed. Each flow starts
by hand, by cron, or when the flow before it has given what it gives.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from speechmill.core import devices
from speechmill.core.errors import ConfigError
from speechmill.core.registry import Choice
from speechmill.pipeline.batches import is_remote
from speechmill.pipeline.orchestrate_options import OrchestrateOptions
from speechmill.pipeline.plan import Node, nodes, stages
from speechmill.pipeline.spec import Corpus

CORPUS, RUN, SHARDS = "{corpus}", "{run}", "{shards}"  # in a command: to be put in when it is run
PREPARING = ("normalise", "landmarks", "vad")  # those of them that are in the plan


class Need(Struct, frozen=True):
    """What one task of a step asks of a machine."""

    cpu: float = 1.0
    memory_mb: int = 1024
    gpu: int = 0


class When(Struct, frozen=True):
    """A step runs where the number of that name among the facts of the plan is more than zero, or where it is zero."""

    fact: str  # see pipeline.planned.Facts
    any: bool


class Step(Struct, frozen=True):
    """One task, or one for each range of shards."""

    name: str  # a word: a task's id
    command: tuple[str, ...]  # of speechmill; prints one line of JSON
    title: str  # one sentence, for people
    after: tuple[str, ...] = ()
    over_shards: bool = False
    need: Need = Need()
    pool: str | None = None  # what it takes a place in
    when: When | None = None
    fingerprint: str = ""  # of what it computes: another one, another result
    retry: bool = True  # False: a failure is an answer, not an accident


class Flow(Struct, frozen=True):
    """Steps in order: each comes after those it waits for."""

    name: str
    title: str
    steps: tuple[Step, ...]
    starts_after: str | None  # what must have been given; None: nothing
    gives: str


def flows(corpus: Corpus) -> tuple[Flow, ...]:
    """Return the flows of a corpus; no crawl where it has no remote source."""
    found = [_label(corpus), _align(corpus)]
    if any(is_remote(choice) for choice in corpus.sources):
        found.insert(0, _crawl(corpus.orchestrate))
    return tuple(found)


def flow_of(corpus: Corpus, name: str) -> Flow:
    """Return one flow. Raises ConfigError where the corpus has none of that name."""
    found = {flow.name: flow for flow in flows(corpus)}
    if name not in found:
        raise ConfigError(f"the corpus has no flow {name!r}; there are: {', '.join(found)}")
    return found[name]


def asset(corpus: Corpus, given: str) -> str:
    """Return the name under which orchestrators know what a flow gives: `speechmill://vi-podcasts/segments`."""
    return f"speechmill://{corpus.name}/{given}"


def _crawl(options: OrchestrateOptions) -> Flow:
    describe = Step(
        "describe",
        ("crawl", "fetch", CORPUS, "--describe-only", "--no-wait", "--json"),
        "Find and describe what there is: metadata into the catalog, licences decided.",
        pool=options.crawl_pool,
    )
    download = Step(
        "download",
        ("crawl", "fetch", CORPUS, "--no-wait", "--json"),
        "Fetch captions and audio of what the policy accepts, normalise, store, and hand over.",
        after=("describe",),
        pool=options.crawl_pool,
    )
    return Flow("crawl", "Find, describe and fetch speech.", (describe, download), None, "recordings")


def _label(corpus: Corpus) -> Flow:
    options, made = corpus.orchestrate, nodes(corpus)
    before, _ = _around_align(made)
    names = {node.name for node in made}
    asked = {stage.name: stage.choices for stage in stages(corpus)}
    shards = _Shards(made, options)
    preparing = [name for name in PREPARING if name in names]
    recognisers = [choice for choice in corpus.transcript if choice.family == "asr"]
    steps = [
        Step("plan", ("plan", CORPUS, "--tasks", str(options.tasks), "--json"), "Freeze what is done to what."),
        shards.step("prepare", preparing, "Decode, make canonical audio, and find the speech in it.", ("plan",)),
    ]
    last: tuple[str, ...] = ("prepare",)
    if recognisers:
        title = "Recognise what is said where no trusted text is there."
        steps += shards.branch("transcribe", "untranscribed", title, "Take the text that is there.", last, recognisers)
        last = ("transcribe", "transcribe_given")
    else:
        steps.append(shards.step("transcribe", ("transcribe",), "Take the text that is there.", last))
        last = ("transcribe",)
    if corpus.diarize.backend != "none":
        title = "Tell who speaks when, where there may be several."
        given = "Take the one speaker that is known."
        steps += shards.branch("diarize", "several_speakers", title, given, last, asked["diarize"])
        last = ("diarize", "diarize_given")
    else:
        steps.append(shards.step("diarize", ("diarize",), "Take the speakers that are known.", last))
        last = ("diarize",)
    cut = ("segment", *(("second",) if "second" in names else ()))
    steps.append(shards.step("segment", cut, "Cut turns into segments with their text.", last))
    last = ("segment",)
    if metrics := [name for name in before if name.startswith("quality.")]:
        steps.append(shards.step("quality", metrics, "Score the segments.", last))
    return Flow("label", "Say what is spoken, by whom, and how well.", tuple(steps), "recordings", "segments")


def _align(corpus: Corpus) -> Flow:
    options, made = corpus.orchestrate, nodes(corpus)
    _, after = _around_align(made)
    shards = _Shards(made, options)
    steps = [
        Step("resume", ("plan", CORPUS, "--newest", "--tasks", str(options.tasks), "--json"), "Find the newest run.")
    ]
    last = "resume"
    if any(node.trainer for node in made):
        need = Need(cpu=float(options.workers), memory_mb=4096)
        command = ("exec", "--run", RUN, "--stages", "train", "--workers", str(options.workers))
        title = "Check what there is to learn from, extend the lexicon (G2P), train the acoustic model and pin it."
        steps.append(Step("train", command, title, after=(last,), need=need))
        last = "train"
    if corpus.align is not None:
        steps.append(shards.step("align", ("align",), "Time words and phones.", (last,), [corpus.align]))
        last = "align"
    if after:
        steps.append(shards.step("score", after, "Score what alignment is needed for.", (last,)))
        last = "score"
    finish = ("exec", "--run", RUN, "--stages", "finish")
    steps.append(Step("finish", finish, "Join, filter, write the dataset and its exports.", after=(last,)))
    conclude = ("conclude", "--run", RUN, "--max-failed", str(options.max_failed), "--json")
    title = "Write summary and report; fail where more recordings failed than are allowed to."
    steps.append(Step("conclude", conclude, title, after=("finish",), retry=False))
    return Flow("align", "Align, filter and export.", tuple(steps), "segments", "dataset")


def _around_align(made: Sequence[Node]) -> tuple[list[str], list[str]]:
    """Return the metrics that can be computed before segments are aligned, and those that can't."""
    aligned = {column for node in made if node.name == "align" for column in node.writes}
    before, after = list[str](), list[str]()
    for node in made:
        if not node.name.startswith("quality."):
            continue
        if set(node.reads) & aligned:
            aligned |= set(node.writes)
            after.append(node.name)
        else:
            before.append(node.name)
    return before, after


class _Shards:
    """Makes the steps that are done once for each range of shards."""

    def __init__(self, made: Sequence[Node], options: OrchestrateOptions) -> None:
        self._nodes = {node.name: node for node in made}
        self._options = options

    def step(
        self,
        name: str,
        names: Sequence[str],
        title: str,
        after: tuple[str, ...],
        choices: Sequence[Choice] = (),
        when: When | None = None,
    ) -> Step:
        mine = [self._nodes[one] for one in names]
        gpu = int(self._options.gpu and any(_may_use_gpu(choice) for choice in choices))
        workers = self._options.workers
        need = Need(
            cpu=max(node.resources.cpu for node in mine) * workers,
            memory_mb=max(node.resources.memory_mb for node in mine) * workers,
            gpu=gpu,
        )
        command = ("exec", "--run", RUN, "--stages", ",".join(names), "--shard", SHARDS, "--workers", str(workers))
        pool = self._options.gpu_pool if gpu else None
        return Step(name, command, title, after, True, need, pool, when, "-".join(node.fingerprint for node in mine))

    def branch(
        self, name: str, fact: str, title: str, given: str, after: tuple[str, ...], choices: Sequence[Choice]
    ) -> list[Step]:
        """Return a step, and what stands in for it where there is nothing for its backends to do."""
        return [
            self.step(name, (name,), title, after, choices, When(fact, True)),
            self.step(f"{name}_given", (name,), given, after, (), When(fact, False)),
        ]


def _may_use_gpu(choice: Choice) -> bool:
    return "cuda" in devices.kinds(choice.module) and devices.kind(choice.device) in ("auto", "cuda")
