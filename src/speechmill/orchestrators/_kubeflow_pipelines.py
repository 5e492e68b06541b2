# SPDX-License-Identifier: Apache-2.0
"""Flows as pipelines of kfp: a step is a task, and a step over shards a pipeline of its own within.

That one has the branch outside and the loop inside: kfp starts a pod for each branch and each turn of a loop, before
the task's own. Nothing outside may wait for a task in a loop or a branch, but may for the pipeline that holds them.
"""

import contextlib
import shlex
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any

from kfp import dsl, kubernetes
from msgspec import structs

from speechmill.orchestrators import _kubeflow_tasks as tasks
from speechmill.orchestrators._kubeflow_words import BACKOFF, pipeline_name, retry_window_s, slug, with_settings
from speechmill.pipeline.flow import CORPUS, Flow, Step, When, flows
from speechmill.pipeline.orchestrate_options import OrchestrateOptions
from speechmill.pipeline.spec import Corpus

GPU = "nvidia.com/gpu"
SECRET = "speechmill"  # a Secret of the namespace, if there is one
SECRET_KEYS = ("PGPASSWORD", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")  # those of its keys that become variables


def pipelines(corpus: Corpus) -> dict[str, Any]:
    """Return the pipeline of each flow by its name, and under "" the one that does them all in turn."""
    made = {flow.name: _flow(corpus, flow) for flow in flows(corpus)}
    return {"": _whole(corpus, made), **made}


def _flow(corpus: Corpus, flow: Flow) -> Any:
    made = {"crawl": _crawl, "label": _label, "align": _align}[flow.name]
    flow = structs.replace(flow, steps=tuple(with_settings(corpus, step) for step in flow.steps))
    name = pipeline_name(corpus.name, flow.name)
    return dsl.pipeline(
        made(corpus, flow), name=name, description=flow.title, display_name=f"{corpus.name}: {flow.name}"
    )


def _crawl(corpus: Corpus, flow: Flow) -> Callable[..., None]:
    rendering = _Rendering(corpus.orchestrate, flow)

    def crawl(corpus: str = _corpus_file(corpus), settings: str = "") -> None:
        rendering.tasks({"corpus": corpus, "settings": settings})

    return crawl


def _label(corpus: Corpus, flow: Flow) -> Callable[..., str]:
    rendering = _Rendering(corpus.orchestrate, flow)

    def label(
        corpus: str = _corpus_file(corpus), settings: str = "", since: str = "", until: str = "", run: str = ""
    ) -> str:
        asked = {"corpus": corpus, "settings": settings, "since": since, "until": until, "run": run}
        return rendering.tasks(asked)["plan"].outputs["run"]  # type: ignore[no-any-return]

    return label


def _align(corpus: Corpus, flow: Flow) -> Callable[..., str]:
    rendering = _Rendering(corpus.orchestrate, flow)

    def align(corpus: str = _corpus_file(corpus), run: str = "") -> str:
        asked = {"corpus": corpus, "settings": "", "since": "", "until": "", "run": run}
        return rendering.tasks(asked)["resume"].outputs["run"]  # type: ignore[no-any-return]

    return align


def _whole(corpus: Corpus, made: dict[str, Any]) -> Any:
    def whole(
        corpus: str = _corpus_file(corpus), settings: str = "", since: str = "", until: str = "", run: str = ""
    ) -> None:
        label = made["label"](corpus=corpus, settings=settings, since=since, until=until, run=run)
        if "crawl" in made:
            label.after(made["crawl"](corpus=corpus, settings=settings))
        made["align"](corpus=corpus, run=label.output)

    title = "All that is done to a corpus, from its sources to its dataset."
    return dsl.pipeline(whole, name=pipeline_name(corpus.name, ""), description=title, display_name=corpus.name)


def _corpus_file(corpus: Corpus) -> str:
    """Return where the corpus file is expected; a run may name another place."""
    return f"{corpus.orchestrate.volume.path.rstrip('/')}/{slug(corpus.name)}.yaml"


class _Rendering:
    """Makes the tasks of a flow, within a pipeline that is being made."""

    def __init__(self, options: OrchestrateOptions, flow: Flow) -> None:
        self._options = options
        self._program = shlex.split(options.command)
        self._groups = _stand_ins(flow.steps)
        # Made now: within a pipeline that is being made, kfp makes no other.
        self._loops = {steps[0].name: self._over_shards(steps) for steps in self._groups if steps[0].over_shards}

    def tasks(self, asked: dict[str, Any]) -> dict[str, Any]:
        """Make the tasks; return each by its step's name."""
        made: dict[str, Any] = {}
        planned = None
        for steps in self._groups:
            task = self._task(steps, asked, planned)
            task.after(*{id(made[name]): made[name] for name in steps[0].after}.values())
            made |= {step.name: task for step in steps}
            if steps[0].command[0] == "plan":
                planned = task
            if steps[0].command[0] == "conclude":
                self._judge(task, steps[0])
        return made

    def _task(self, steps: Sequence[Step], asked: dict[str, Any], planned: Any) -> Any:
        step = steps[0]
        if step.over_shards:
            when = step.when
            count = {} if when is None else {"count": planned.outputs[when.fact]}
            return self._loops[step.name](run=planned.outputs["run"], ranges=planned.outputs["ranges"], **count)
        if step.command[0] == "crawl":
            return self._single(tasks.crawl, step, asked)
        if step.command[0] == "plan":
            return self._single(tasks.plan_run, step, asked)
        done = tasks.conclude if step.command[0] == "conclude" else tasks.exec_stages
        return self._single(done, step, {"run": planned.outputs["run"]})

    def _over_shards(self, steps: Sequence[Step]) -> Any:
        """Return a pipeline that does a step for each range, or that one of its stand-ins which the count asks for."""

        def loops(run: str, ranges: list, count: Any) -> None:  # type: ignore[type-arg]
            for step in steps:
                with _branch(step.when, count), dsl.ParallelFor(ranges, parallelism=self._options.parallel) as shards:
                    self._single(tasks.exec_stages, step, {"run": run, "shards": shards})

        def branches(run: str, ranges: list, count: int) -> None:  # type: ignore[type-arg]
            loops(run, ranges, count)

        def plain(run: str, ranges: list) -> None:  # type: ignore[type-arg]
            loops(run, ranges, None)

        made = plain if steps[0].when is None else branches
        return dsl.pipeline(made, name=slug(steps[0].name), description=steps[0].title)

    def _single(self, function: Callable[..., Any], step: Step, values: dict[str, Any]) -> Any:
        image = self._options.gpu_image if step.need.gpu else self._options.image
        component = _named(function, step.name, image)
        task = component(program=self._program, command=list(step.command), **values)
        self._configure(task, step)
        return task

    def _judge(self, concluded: Any, step: Step) -> None:
        component = _named(tasks.judge, "judge", self._options.image)
        task = component(status=concluded.outputs["status"], failed=concluded.outputs["failed"])
        self._configure(task, step)

    def _configure(self, task: Any, step: Step) -> None:
        options = self._options
        memory, cpu = f"{step.need.memory_mb}Mi", str(step.need.cpu)
        task.set_cpu_request(cpu).set_cpu_limit(cpu).set_memory_request(memory).set_memory_limit(memory)
        if step.need.gpu:
            task.set_accelerator_type(GPU).set_accelerator_limit(step.need.gpu)
        if step.retry:
            task.set_retry(options.retries, f"{options.retry_s:.0f}s", BACKOFF, f"{retry_window_s(options)}s")
        # What the others answer depends on more than their inputs: on files that came, results, corrections.
        task.set_caching_options(options.cache and step.over_shards)
        kubernetes.set_timeout(task, seconds=int(options.timeout_h * 3600))
        kubernetes.mount_pvc(task, pvc_name=options.volume.claim, mount_path=options.volume.path)
        kubernetes.set_security_context(task, run_as_non_root=True)
        if CORPUS in step.command:  # only these ask databases, object stores and platforms
            kubernetes.use_secret_as_env(task, SECRET, {key: key for key in SECRET_KEYS}, optional=True)


def _named(function: Callable[..., Any], step: str, image: str) -> Any:
    """Return a component that is called as its step is; kfp calls it as its function is, and counts on: -2, -3."""
    component = dsl.component(function, base_image=image, packages_to_install=[], install_kfp_package=False)
    component.component_spec.name = component.name = slug(step)
    return component


def _branch(when: When | None, count: Any) -> AbstractContextManager[Any]:
    if when is None:
        return contextlib.nullcontext()
    return dsl.If(count > 0) if when.any else dsl.If(count == 0)  # type: ignore[no-any-return]


def _stand_ins(steps: Sequence[Step]) -> list[list[Step]]:
    """Put steps that stand in for each other together."""
    groups: list[list[Step]] = []
    for step in steps:
        before = groups[-1][0].when if groups else None
        if step.when is not None and before is not None and before.fact == step.when.fact:
            groups[-1].append(step)
        else:
            groups.append([step])
    return groups
