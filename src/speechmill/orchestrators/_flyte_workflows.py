# SPDX-License-Identifier: Apache-2.0
"""Workflows and launch plans of Flyte (flytekit 1), of a corpus's flows.

NAME.crawl, NAME.label, NAME.align   one each
NAME.everything                      one after the other: Flyte 1 has no event by which one starts the next
NAME.by_date                         label and align what is of the day before the one that it is started for
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, List, NamedTuple  # noqa: UP035  # flytekit names the list of a map by typing's

from flytekit import ConcurrencyLimitBehavior, ConcurrencyPolicy, CronSchedule, Email, LaunchPlan, conditional
from flytekit.core.workflow import (
    PythonFunctionWorkflow,
    WorkflowFailurePolicy,
    WorkflowMetadata,
    WorkflowMetadataDefaults,
)
from flytekit.models.core.execution import WorkflowExecutionPhase
from flytekit.models.documentation import Documentation
from flytekit.sensor.file_sensor import FileSensor
from flytekit.types.directory import FlyteDirectory

from speechmill.orchestrators._flyte_tasks import Concluded, MappedStep, StepTask
from speechmill.orchestrators._flyte_work import Work, stands_in, works
from speechmill.pipeline.flow import Flow, Step, flows
from speechmill.pipeline.orchestrate_options import FLOWS, OrchestrateOptions
from speechmill.pipeline.spec import Corpus

TRIAL = 10  # recordings of the launch plan for trying out
DAILY = "0 0 * * *"
TOLD_OF = (WorkflowExecutionPhase.FAILED, WorkflowExecutionPhase.TIMED_OUT, WorkflowExecutionPhase.ABORTED)


class Labelled(NamedTuple):
    """What `label` gives."""

    run: FlyteDirectory
    path: str  # of the run: what `align` takes
    recordings: int
    audio_h: float


class Crawled(NamedTuple):
    """What `crawl` gives."""

    counts: dict  # type: ignore[type-arg]


class Made(NamedTuple):
    """What is made of a corpus, by the names that a module has them under."""

    workflows: dict[str, Any]
    launch_plans: dict[str, Any]


class _Workflow(PythonFunctionWorkflow):  # type: ignore[misc]
    """A workflow that is named by us, not by the module of its function."""

    def __init__(self, name: str, function: Callable[..., Any], title: str) -> None:
        super().__init__(
            function,
            WorkflowMetadata(on_failure=WorkflowFailurePolicy.FAIL_IMMEDIATELY),
            WorkflowMetadataDefaults(interruptible=False),
            docs=Documentation(short_description=title),
        )
        self._name = name


def made_of(name: str, corpus: Corpus, place: str, settings: Sequence[str]) -> Made:
    """Return workflows and launch plans of a corpus.

    name: what theirs begin with. place: where tasks find the corpus file, unless an execution is told otherwise.
    settings: FIELD=VALUE, over what that file says.
    """
    options, found = corpus.orchestrate, {flow.name: flow for flow in flows(corpus)}
    made = _Makes(name, options, place, settings)
    workflows = {flow.name: made.flow(flow) for flow in found.values()}
    chains = {first: _onward(first, list(found), options.schedules) for first in options.schedules if first in found}
    workflows["everything"] = made.chain("everything", workflows, list(found))
    workflows["by_date"] = made.by_date(workflows, chains.get("label", ["label", "align"]))
    for first, chain in chains.items():
        if len(chain) > 1:
            workflows[f"{first}_onward"] = made.chain(f"{first}_onward", workflows, chain)
    return Made(workflows, launch_plans(name, options, workflows))


def _onward(name: str, names: Sequence[str], scheduled: Collection[str]) -> list[str]:
    """Return a flow and those after it that start when it has ended: up to the next one with a cron of its own."""
    rest = list(names[names.index(name) + 1 :])
    stop = next((place for place, one in enumerate(rest) if one in scheduled), len(rest))
    return [name, *rest[:stop]]


class _Makes:
    """Makes the workflows of one corpus."""

    def __init__(self, name: str, options: OrchestrateOptions, place: str, settings: Sequence[str]) -> None:
        self._name = name
        self._options = options
        self._place = place
        self._settings = settings

    def flow(self, flow: Flow) -> Any:
        """Return a flow as a workflow."""
        make = {"crawl": self._crawl, "label": self._label, "align": self._align}[flow.name]
        return make(flow, _Graph(flow, works(self._name, flow, self._options, self._settings)))

    def _crawl(self, flow: Flow, graph: _Graph) -> Any:
        place = self._place

        def crawl(corpus: str = place, settings: str = "") -> Crawled:
            return Crawled(graph.walk(corpus=corpus, settings=settings)["download"])

        return _Workflow(f"{self._name}.{flow.name}", crawl, flow.title)

    def _label(self, flow: Flow, graph: _Graph) -> Any:
        place, wait_for = self._place, self._options.wait_for
        sensor = _sensor(self._name, self._options) if wait_for else None

        def label(
            corpus: str = place,
            settings: str = "",
            since: str = "",
            until: str = "",
            limit: int = 0,
            run: str = "",
        ) -> Labelled:
            asked = {"since": since, "until": until, "limit": limit, "run": run}
            there = None if sensor is None else sensor(path=wait_for)
            planned = graph.walk(there, corpus=corpus, settings=settings, **asked)["plan"]
            return Labelled(planned.run, planned.path, planned.recordings, planned.audio_h)

        return _Workflow(f"{self._name}.{flow.name}", label, flow.title)

    def _align(self, flow: Flow, graph: _Graph) -> Any:
        place = self._place

        def align(corpus: str = place, run: str = "") -> Concluded:
            nothing = {"settings": "", "since": "", "until": "", "limit": 0}
            concluded = graph.walk(corpus=corpus, run=run, **nothing)["conclude"]
            return Concluded(concluded.report, concluded.segments, concluded.dataset, concluded.counts)

        return _Workflow(f"{self._name}.{flow.name}", align, flow.title)

    def chain(self, name: str, workflows: Mapping[str, Any], names: Sequence[str]) -> Any:
        """Return workflows one after the other, the run that is labelled being the one that is aligned."""
        place = self._place

        def chain(corpus: str = place, settings: str = "") -> None:
            _one_by_one(workflows, names, corpus, settings, {})

        return _Workflow(f"{self._name}.{name}", chain, f"Do {', then '.join(names)}.")

    def by_date(self, workflows: Mapping[str, Any], names: Sequence[str]) -> Any:
        """Return the work on what is of the dates from one moment of the cron to the next: that of `kickoff`."""
        place, cron = self._place, self._options.schedules.get("label", DAILY)
        step = Step("dates", ("dates", cron), "Say of which dates the recordings are that are worked on.")
        dates = StepTask(Work(self._name, "by_date", step, self._options))

        def by_date(kickoff: datetime, corpus: str = place, settings: str = "") -> None:
            found = dates(kickoff=kickoff)
            _one_by_one(workflows, names, corpus, settings, {"since": found.since, "until": found.until})

        return _Workflow(f"{self._name}.by_date", by_date, "Label and align what is of one date, for backfills.")


def _one_by_one(
    workflows: Mapping[str, Any], names: Sequence[str], corpus: Any, settings: Any, dates: Mapping[str, Any]
) -> None:
    last, run = None, ""
    for name in names:
        asked = {"run": run} if name == "align" else {"settings": settings}
        result = workflows[name](corpus=corpus, **asked, **(dates if name == "label" else {}))
        _in_order(last, result)
        run = result.path if name == "label" else run
        last = result


class _Graph:
    """The tasks of a flow, and what follows what."""

    def __init__(self, flow: Flow, todo: Mapping[str, Work]) -> None:
        self._flow = flow
        self._tasks: dict[str, Any] = {}
        for name, work in todo.items():
            task = StepTask(work)
            self._tasks[name] = MappedStep(task) if work.kind == "shards" else task
            if work.step.when is not None:
                self._tasks[name] = _alone(f"{work.name}.shards", self._tasks[name], work.step.title)

    def walk(self, before: Any = None, **asked: Any) -> dict[str, Any]:
        """Do the flow once, as flytekit compiles or runs it. before: what the first steps come after. asked: of them.

        Returns what each step gives.
        """
        results: dict[str, Any] = {}
        planned: Any = None
        for step in self._flow.steps:
            if step.name in results:
                continue
            alternatives = stands_in(self._flow.steps, step)
            result = self._add(alternatives, planned, asked)
            planned = result if step.command[0] == "plan" else planned
            for earlier in [results[name] for name in step.after] or [before]:
                _in_order(earlier, result)
            results |= {one.name: result for one in alternatives}
        return results

    def _add(self, alternatives: Sequence[Step], planned: Any, asked: Mapping[str, Any]) -> Any:
        given = dict(asked)
        if planned is not None:
            given |= {"run": planned.run, "shards": planned.ranges, "token": planned.tokens}
        calls = [functools.partial(_call, self._tasks[one.name], given) for one in alternatives]
        when = alternatives[0].when
        if when is None:
            return calls[0]()
        some, none = calls
        return conditional(alternatives[0].name).if_(getattr(planned, when.fact) > 0).then(some()).else_().then(none())


def _call(task: Any, given: Mapping[str, Any]) -> Any:
    return task(**{name: given[name] for name in task.python_interface.inputs})


def _alone(name: str, mapped: Any, title: str) -> Any:
    """Return a map as a workflow of its own: a branch takes tasks and workflows."""

    def shards(run: FlyteDirectory, shards: List[str], token: List[str]) -> List[dict]:  # type: ignore[type-arg]  # noqa: UP006
        counts: List[dict] = mapped(run=run, shards=shards, token=token)  # type: ignore[type-arg]  # noqa: UP006
        return counts

    return _Workflow(name, shards, title)


def _in_order(earlier: Any, later: Any) -> None:
    """Have one node come after another. While a workflow is run here, what is called first is done first."""
    before, after = _node(earlier), _node(later)
    if before is not None and after is not None:
        before.runs_before(after)


def _node(result: Any) -> Any:
    promise = result[0] if isinstance(result, tuple) else result
    reference = getattr(promise, "ref", None)
    return None if reference is None else reference.node


def _sensor(name: str, options: OrchestrateOptions) -> Any:
    return FileSensor(f"{name}.label.wait_for", timeout=timedelta(hours=options.timeout_h))


def launch_plans(name: str, options: OrchestrateOptions, workflows: Mapping[str, Any]) -> dict[str, Any]:
    """Return launch plans; those with a cron start nothing before they are activated, in one project and domain."""
    told = [Email(phases=list(TOLD_OF), recipients_email=list(options.emails))] if options.emails else None
    daily = _cron(options.schedules.get("label", DAILY), "kickoff")
    trial = functools.partial(LaunchPlan.create, fixed_inputs={"limit": TRIAL})
    found = {
        "trial": trial(f"{name}.label.trial", workflows["label"], notifications=told),
        "backfill": LaunchPlan.create(f"{name}.backfill", workflows["by_date"], schedule=daily, notifications=told),
    }
    for flow, cron in options.schedules.items():
        if flow in workflows:
            found[f"{flow}_scheduled"] = _scheduled(name, flow, cron, options.catchup, workflows, told)
    if told is not None:
        for one in sorted({*FLOWS, "everything"} & set(workflows)):
            found[f"{one}_told"] = LaunchPlan.create(f"{name}.{one}.told", workflows[one], notifications=told)
    return found


def _scheduled(name: str, flow: str, cron: str, catchup: bool, workflows: Mapping[str, Any], told: Any) -> LaunchPlan:
    """Return the launch plan of a flow's cron. One that catches up must not leave out a date because another runs."""
    by_date = flow == "label" and catchup
    chain = "by_date" if by_date else f"{flow}_onward" if f"{flow}_onward" in workflows else flow
    return LaunchPlan.create(
        f"{name}.{flow}.scheduled",
        workflows[chain],
        schedule=_cron(cron, "kickoff" if by_date else None),
        notifications=told,
        concurrency=None if by_date else ConcurrencyPolicy(1, ConcurrencyLimitBehavior.SKIP),
    )


def _cron(written: str, kickoff: str | None) -> CronSchedule:
    return CronSchedule(schedule=written, kickoff_time_input_arg=kickoff)
