# SPDX-License-Identifier: Apache-2.0
"""What tasks of Kubeflow Pipelines do. kfp copies a function's source into the pipeline, and its image runs it.

So each imports what it needs by itself, and annotations are types: kfp can't read them as text. `program` is how the
image calls speechmill, `command` a step's command with its places.
"""

from typing import NamedTuple

from kfp.dsl import HTML, Dataset, Metrics, Output


def crawl(program: list, command: list, corpus: str, settings: str, counts: Output[Metrics]) -> None:  # type: ignore[type-arg]
    """Ask remote sources. settings: fields of the corpus file, as in "crawl.threads=16 crawl.processes=2"."""
    import shlex

    from speechmill.orchestrators import _command, _kubeflow_counts

    words = _command.fill_in(command, {"corpus": corpus})
    for setting in shlex.split(settings):
        words += ["--set", setting]
    _kubeflow_counts.log(counts, _command.run(program, words))


def plan_run(
    program: list,  # type: ignore[type-arg]
    command: list,  # type: ignore[type-arg]
    corpus: str,
    settings: str,
    since: str,
    until: str,
    run: str,
    counts: Output[Metrics],
) -> NamedTuple(  # type: ignore[valid-type]
    "Planned", [("run", str), ("ranges", list), ("untranscribed", int), ("several_speakers", int)]
):
    """Plan a run; or, where `run` names one that is there, go on with it."""
    import shlex

    from speechmill.orchestrators import _command, _kubeflow_counts

    words = _command.fill_in(_command.reopening(command) if run else command, {"corpus": corpus})
    for option, value in {"--since": since, "--until": until, "--run": run}.items():
        words += [option, value] if value else []
    for setting in shlex.split(settings):
        words += ["--set", setting]
    answer = _command.run(program, words)
    facts = answer["facts"]
    _kubeflow_counts.log(counts, {**answer, **facts})
    return answer["run"], answer["ranges"], facts["untranscribed"], facts["several_speakers"]


def exec_stages(program: list, command: list, run: str, counts: Output[Metrics], shards: str = "") -> None:  # type: ignore[type-arg]
    """Do stages of a run: of a range of its shards, or of all of it."""
    from speechmill.orchestrators import _command, _kubeflow_counts

    answer = _command.run(program, _command.fill_in(command, {"run": run, "shards": shards}))
    names = ("processed", "cached", "failed")
    numbers = {f"{stage} {name}": count[name] for stage, count in answer["stages"].items() for name in names}
    _kubeflow_counts.log(counts, numbers)


def conclude(
    program: list,  # type: ignore[type-arg]
    command: list,  # type: ignore[type-arg]
    run: str,
    report: Output[HTML],
    dataset: Output[Dataset],
    counts: Output[Metrics],
) -> NamedTuple("Concluded", [("status", int), ("failed", int)]):  # type: ignore[valid-type]
    """Write summary and report. A task that fails shows no report: too many failures are the next task's to tell."""
    import json
    import shutil

    from speechmill.orchestrators import _command, _kubeflow_counts

    status = 0
    try:
        answer = _command.run(program, _command.fill_in(command, {"run": run}))
    except _command.CommandFailed as error:
        if error.status != _command.FAILED:
            raise
        status, answer = error.status, json.loads(error.printed)
    shutil.copyfile(answer["report"], report.path)
    with open(dataset.path, "w", encoding="utf-8") as file:  # where it is: its table stays on the volume
        json.dump(answer, file, indent=2)
    dataset.metadata.update({name: answer[name] for name in ("dataset", "run", "segments_kept", "hours_kept")})
    _kubeflow_counts.log(counts, answer)
    return status, answer["failed"]


def judge(status: int, failed: int) -> None:
    """Fail where more recordings failed than are allowed to."""
    if status:
        raise SystemExit(f"{failed} recordings failed, more than orchestrate.max_failed allows: see the report")
