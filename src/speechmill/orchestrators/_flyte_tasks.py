# SPDX-License-Identifier: Apache-2.0
"""Tasks of Flyte (flytekit 1): one for each step, found again in its container by its own description.

Flyte starts a container with the name of a resolver and the words that the resolver asked for. Ours asks for the
whole task as JSON: no module has to be written, copied or imported for it, and the task that runs is the one that was
registered, whatever became of the corpus file.
"""

from __future__ import annotations

import json
import shlex
from collections import OrderedDict
from collections.abc import Mapping
from datetime import datetime, time, timedelta
from pathlib import Path
from typing import Any, List, NamedTuple  # noqa: UP035  # flytekit names the list of a map by typing's

from croniter import croniter
from flytekit import Deck, PodTemplate, Resources, StructuredDataset
from flytekit.configuration import SerializationSettings
from flytekit.core.array_node_map_task import ArrayNodeMapTask
from flytekit.core.base_task import TaskMetadata, TaskResolverMixin
from flytekit.core.context_manager import FlyteContextManager
from flytekit.core.interface import Interface
from flytekit.core.python_function_task import PythonInstanceTask
from flytekit.core.tracker import TrackedInstance
from flytekit.core.type_engine import TypeEngine
from flytekit.exceptions.user import FlyteRecoverableException
from flytekit.models.documentation import Documentation
from flytekit.models.literals import Literal, Scalar, StructuredDatasetMetadata
from flytekit.models.literals import StructuredDataset as DatasetLiteral
from flytekit.models.types import StructuredDatasetType
from flytekit.types.directory import FlyteDirectory
from flytekit.types.file import FlyteFile

from speechmill.orchestrators import _command
from speechmill.orchestrators._flyte_pods import pod
from speechmill.orchestrators._flyte_work import Work, read, tokens, words, write
from speechmill.pipeline.planned import Facts

REPORT = FlyteFile["html"]
FACTS = Facts.__struct_fields__

# What goes into a task and what comes out of it, by its kind.
_INPUTS: Mapping[str, Mapping[str, Any]] = {
    "crawl": {"corpus": str, "settings": str},
    "plan": {
        "corpus": str,
        "settings": str,
        "since": str,
        "until": str,
        "limit": int,
        "run": str,
    },
    "shards": {"run": FlyteDirectory, "shards": str, "token": str},
    "run": {"run": FlyteDirectory},
    "conclude": {"run": FlyteDirectory},
    "dates": {"kickoff": datetime},
}
_PLANNED: Mapping[str, Any] = {
    "run": FlyteDirectory,
    "path": str,
    "ranges": List[str],  # noqa: UP006
    "tokens": List[str],  # noqa: UP006
    "recordings": int,
    "audio_h": float,
    **dict.fromkeys(FACTS, int),
}
_CONCLUDED: Mapping[str, Any] = {
    "report": REPORT,
    "segments": StructuredDataset,
    "dataset": FlyteDirectory,
    "counts": dict,
}
_OUTPUTS: Mapping[str, Mapping[str, Any]] = {
    "plan": _PLANNED,
    "conclude": _CONCLUDED,
    "dates": {"since": str, "until": str},
}
_COUNTS: Mapping[str, Any] = {"counts": dict}


class Concluded(NamedTuple):
    """What a run gives: the values of `_CONCLUDED`."""

    report: REPORT  # type: ignore[valid-type]
    segments: StructuredDataset
    dataset: FlyteDirectory
    counts: dict  # type: ignore[type-arg]


class StepTask(PythonInstanceTask):  # type: ignore[misc]
    """One step of a flow, as a task of Flyte."""

    def __init__(self, work: Work) -> None:
        self.work = work
        need, options = work.step.need, work.options
        asked = Resources(cpu=f"{need.cpu:g}", mem=f"{need.memory_mb}Mi", gpu=str(need.gpu) if need.gpu else None)
        spec, environment = pod(work)
        super().__init__(
            name=work.name,
            task_config=None,
            task_resolver=steps,
            interface=Interface(OrderedDict(_INPUTS[work.kind]), OrderedDict(_OUTPUTS.get(work.kind, _COUNTS))),
            metadata=_metadata(work),
            container_image=options.gpu_image if need.gpu else options.image,
            requests=asked,
            limits=asked,
            environment=environment,
            pod_template=PodTemplate(pod_spec=spec, labels={"app.kubernetes.io/part-of": "speechmill"}),
            enable_deck=work.kind == "conclude",
            deck_fields=(),
            docs=Documentation(short_description=work.step.title),
        )

    @property
    def lhs(self) -> str:
        """Return what flytekit puts into the name of a map: no variable holds this task."""
        return self.work.name

    def execute(self, **inputs: Any) -> Any:
        """Run the step's command. Flyte tries again what is raised as recoverable: an accident, not an answer."""
        try:
            return _DO[self.work.kind](self.work, **inputs)
        except _command.CommandFailed as error:
            if error.worth_a_retry:
                raise FlyteRecoverableException(f"{error}\n{error.printed}") from error
            raise


class Resolver(TrackedInstance, TaskResolverMixin):  # type: ignore[misc]
    """Finds a task by its description."""

    def name(self) -> str:
        return "speechmill"

    @property
    def location(self) -> str:
        return f"{__name__}.steps"

    def loader_args(self, settings: SerializationSettings, task: StepTask) -> list[str]:
        """Return the words that a container is started with; the first is for people."""
        return [task.work.name, write(task.work)]

    def load_task(self, loader_args: list[str]) -> StepTask:
        """Make the task that a container was started for."""
        return StepTask(read(loader_args[1]))

    def get_all_tasks(self) -> list[StepTask]:
        raise NotImplementedError("tasks are made when they are asked for")


steps = Resolver()  # flytekit looks resolvers up by module and name


class MappedStep(ArrayNodeMapTask):  # type: ignore[misc]
    """A step over the ranges of shards of a run, `orchestrate.parallel` at once."""

    def __init__(self, task: StepTask) -> None:
        super().__init__(task, concurrency=task.work.options.parallel, bound_inputs={"run"})

    @property
    def execution_mode(self) -> Any:
        """Return how much Flyte keeps of each item: flytekit asks for little of its own task classes alone."""
        from flyteidl.core.workflow_pb2 import ArrayNode

        return ArrayNode.MINIMAL_STATE


def _metadata(work: Work) -> TaskMetadata:
    options, step = work.options, work.step
    cached = options.cache and work.kind == "shards"
    return TaskMetadata(
        cache=cached,
        cache_version=step.fingerprint if cached else "",
        cache_ignore_input_vars=("run", "shards") if cached else (),
        retries=options.retries,
        timeout=timedelta(hours=options.timeout_h),
        generates_deck=work.kind == "conclude",
    )


def _run(work: Work, command: list[str], **places: str) -> dict[str, Any]:
    return _command.run(shlex.split(work.options.command), _command.fill_in(command, places))


def _crawl(work: Work, corpus: str, settings: str) -> dict[str, Any]:
    return _run(work, words(work.step.command, settings, {}), corpus=corpus)


def _plan(work: Work, corpus: str, settings: str, **asked: Any) -> tuple[Any, ...]:
    command = words(work.step.command, settings, {f"--{name}": value for name, value in asked.items()})
    found = _run(work, command, corpus=corpus)
    given = tokens(Path(found["run"]), found["ranges"], work.stages)
    counts = (found["recordings"], found["audio_h"], *(found["facts"][name] for name in FACTS))
    return _folder(found["run"]), found["run"], found["ranges"], given, *counts


def _shards(work: Work, run: FlyteDirectory, shards: str, token: str) -> dict[str, Any]:
    return _run(work, list(work.step.command), run=_path(run), shards=shards)


def _whole(work: Work, run: FlyteDirectory) -> dict[str, Any]:
    return _run(work, list(work.step.command), run=_path(run))


def _conclude(work: Work, run: FlyteDirectory) -> Concluded:
    try:
        found = _run(work, list(work.step.command), run=_path(run))
    except _command.CommandFailed as error:
        if error.status == _command.FAILED:  # who looks for what failed finds it in the report
            _show(json.loads(error.printed))
        raise
    _show(found)
    dataset = Path(found["dataset"])
    return Concluded(FlyteFile(found["report"]), _table(dataset), _folder(str(dataset.parent)), found)


def _dates(work: Work, kickoff: datetime) -> tuple[str, str]:
    """Return the dates between a moment of the cron and the one before: since <= date < until."""
    before = croniter(work.step.command[1], kickoff).get_prev(datetime)
    until = kickoff.date() if kickoff.time() == time.min else kickoff.date() + timedelta(days=1)
    return before.date().isoformat(), until.isoformat()


def _show(concluded: Mapping[str, Any]) -> None:
    Deck("report", Path(concluded["report"]).read_text(encoding="utf-8"))


_DO: Mapping[str, Any] = {
    "crawl": _crawl,
    "plan": _plan,
    "shards": _shards,
    "run": _whole,
    "conclude": _conclude,
    "dates": _dates,
}


def _folder(path: str) -> FlyteDirectory:
    """Return a folder on the volume as it is; without `remote_directory` Flyte would upload it."""
    return FlyteDirectory(path, remote_directory=False)


def _path(folder: FlyteDirectory) -> str:
    return str(folder.remote_source or folder.path)


def _table(path: Path) -> StructuredDataset:
    """Return a Parquet file on the volume as it is: of a StructuredDataset of its own, Flyte would upload it."""
    literal = DatasetLiteral(
        str(path), StructuredDatasetMetadata(structured_dataset_type=StructuredDatasetType(format="parquet"))
    )
    context = FlyteContextManager.current_context()
    return TypeEngine.to_python_value(context, Literal(scalar=Scalar(structured_dataset=literal)), StructuredDataset)
