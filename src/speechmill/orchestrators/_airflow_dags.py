# SPDX-License-Identifier: Apache-2.0
"""A corpus's flows as DAGs of Airflow 3: a step is a task, or one that is mapped over shares of the shards."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.sdk import (
    DAG,
    Asset,
    AssetOrTimeSchedule,
    AsyncCallback,
    CronDataIntervalTimetable,
    DeadlineAlert,
    DeadlineReference,
    Param,
    task,
)
from airflow.sdk.configuration import conf

from speechmill.core.errors import ConfigError
from speechmill.orchestrators._airflow_callbacks import Tell
from speechmill.orchestrators._airflow_operators import (
    PLANNED,
    GiveOperator,
    PathSensor,
    PlanOperator,
    RunOperator,
    ShardOperator,
    SpeechmillOperator,
)
from speechmill.orchestrators._airflow_pods import executor_config
from speechmill.orchestrators._airflow_pools import pool_of
from speechmill.pipeline.flow import RUN, Flow, Step, asset, flows
from speechmill.pipeline.orchestrate_options import OrchestrateOptions
from speechmill.pipeline.spec import Corpus

OWNER = "speechmill"
AFTER_ALL = (
    "none_failed"  # what stands in for a step is skipped, and so is a map over nothing: neither stops what follows
)


def dags_of(corpus: Corpus) -> list[DAG]:
    """Return a DAG for each flow. Raises ConfigError."""
    if corpus.orchestrate.catchup and corpus.orchestrate.start_date is None:
        raise ConfigError("orchestrate.catchup: say with start_date (2026-01-31) from when on to catch up")
    return [_Builder(corpus, flow).dag() for flow in flows(corpus)]


class _Builder:
    """Makes one DAG of a flow."""

    def __init__(self, corpus: Corpus, flow: Flow) -> None:
        self._corpus = corpus
        self._options: OrchestrateOptions = corpus.orchestrate
        self._flow = flow
        self._standing = standing(corpus)
        self._given = Asset(name=asset(corpus, flow.gives))
        self._follows = Asset(name=asset(corpus, flow.starts_after)) if flow.starts_after else None
        self._planner = next((step.name for step in flow.steps if step.command[0] == "plan"), None)
        self._made: dict[str, Any] = {}

    def dag(self) -> DAG:
        name = f"{self._corpus.name}_{self._flow.name}"
        options = self._options
        told = {"flow": name, "emails": list(options.emails), "webhook": options.webhook}
        with DAG(
            dag_id=name,
            description=self._flow.title,
            schedule=self._schedule(),
            start_date=_day(options.start_date),
            catchup=options.catchup,
            max_active_runs=1,  # two at once would only do the same twice
            max_active_tasks=max(options.parallel, 1),
            deadline=self._deadline(told),
            on_failure_callback=Tell(event="failed", **told),
            doc_md=_documentation(self._corpus, self._flow),
            params=_params(options),
            tags=[OWNER, self._corpus.name, self._flow.name],
            default_args={"owner": OWNER},
        ) as dag:
            for step in self._flow.steps:
                self._add(step)
            self._finish()
        return dag

    def _schedule(self) -> Any:
        cron = self._options.schedules.get(self._flow.name)  # type: ignore[call-overload]
        by_time = CronDataIntervalTimetable(cron, timezone="UTC") if cron else None
        if self._follows is None:
            return by_time
        return AssetOrTimeSchedule(timetable=by_time, assets=[self._follows]) if by_time else [self._follows]

    def _deadline(self, told: Mapping[str, Any]) -> DeadlineAlert | None:
        hours = self._options.deadline_h.get(self._flow.name)  # type: ignore[call-overload]
        if hours is None:
            return None
        # From when it was queued: a backfill's own date may be years ago.
        reference = DeadlineReference.DAGRUN_QUEUED_AT
        return DeadlineAlert(reference, timedelta(hours=hours), AsyncCallback(Tell, {"event": "late", **told}))

    def _add(self, step: Step) -> None:
        """Make a step's task, and what chooses between it and its stand-in."""
        before = [self._made[name] for name in step.after]
        if self._flow.name == "label" and step.command[0] == "plan" and self._options.wait_for is not None:
            before.append(_sensor(self._options))
        if step.when is not None:
            before = [self._choice(step, before)]
        made = self._task(step)
        for one in before:
            one >> made
        self._made[step.name] = made

    def _choice(self, step: Step, before: list[Any]) -> Any:
        """Return the task that says which of two steps runs; both wait for it."""
        fact = step.when.fact  # type: ignore[union-attr]
        key = f"choose.{fact}"
        if key not in self._made:
            pair = {one.when.any: one.name for one in self._flow.steps if one.when and one.when.fact == fact}
            self._made[key] = _chooser(fact, pair, str(self._planner))
            for one in before:
                one >> self._made[key]
        return self._made[key]

    def _task(self, step: Step) -> Any:
        common = self._common(step)
        if step.command[0] == "plan":
            return PlanOperator(follows=self._follows if "--newest" in step.command else None, **common)
        if step.over_shards:
            return ShardOperator.partial(map_index_template="{{ task.share['shards'] }}", **common).expand(
                share=self._made[str(self._planner)].output
            )
        if RUN in step.command:
            return RunOperator(planner=str(self._planner), **common)
        return SpeechmillOperator(**common)

    def _common(self, step: Step) -> dict[str, Any]:
        options = self._options
        return {
            "task_id": step.name,
            "name": self._corpus.name,
            "command": list(step.command),
            "program": options.command,
            "corpus": str(self._corpus.path),
            "standing": self._standing,
            "catchup": options.catchup,
            "retries": options.retries if step.retry else 0,
            "retry_delay": timedelta(seconds=options.retry_s),
            "retry_exponential_backoff": 2.0,
            "max_retry_delay": timedelta(seconds=options.retry_max_s),
            "execution_timeout": timedelta(hours=options.timeout_h),
            "max_active_tis_per_dag": options.parallel if step.over_shards else None,
            "pool": pool_of(self._corpus, step),
            "trigger_rule": AFTER_ALL,
            "executor_config": executor_config(step.need, options, conf.get("core", "executor")),
            "doc_md": _about(step),
        }

    def _finish(self) -> None:
        """Have the flow give what it gives: once, though its last step may be mapped."""
        last = self._flow.steps[-1]
        made = self._made[last.name]
        if last.over_shards:
            give = GiveOperator(
                task_id=f"give_{self._flow.gives}",
                planner=str(self._planner),
                outlets=[self._given],
                trigger_rule=AFTER_ALL,
                retries=self._options.retries,
                execution_timeout=timedelta(minutes=10),
                doc_md=f"Tells that there are new {self._flow.gives}, with the run's folder.",
            )
            made >> give
        else:
            made.outlets = [self._given]


def standing(corpus: Corpus) -> list[str]:
    """Return the settings that every run has: those the DAG was made with, and the aligner it was made for."""
    chosen = {} if "align" in corpus.raw else {"align": corpus.align.backend if corpus.align else "none"}
    return [f"{field}={json.dumps(value)}" for field, value in {**chosen, **corpus.settings}.items()]


def _chooser(fact: str, pair: Mapping[bool, str], planner: str) -> Any:
    """Return a task that follows one of two steps, by a number that `plan` printed."""

    @task.branch(
        task_id=f"choose_{pair[True]}",
        retries=2,
        execution_timeout=timedelta(minutes=10),
        trigger_rule=AFTER_ALL,
        doc_md=f"{pair[True]} where there is any {fact.replace('_', ' ')}, else {pair[False]}.",
    )
    def choose(**context: Any) -> str:
        facts = context["ti"].xcom_pull(task_ids=planner, key=PLANNED)["facts"]
        return pair[facts[fact] > 0]

    return choose()


def _sensor(options: OrchestrateOptions) -> Any:
    """Return a task that waits for a file or an S3 key, without taking a worker's place."""
    common: dict[str, Any] = {
        "task_id": "wait_for",
        "deferrable": True,
        "poke_interval": 60.0,
        "timeout": options.timeout_h * 3600,
        "retries": options.retries,
        "execution_timeout": timedelta(hours=options.timeout_h),
        "doc_md": f"Waits for {options.wait_for}.",
    }
    wanted = str(options.wait_for)
    if wanted.startswith("s3://"):
        from airflow.providers.amazon.aws.sensors.s3 import S3KeySensor

        return S3KeySensor(bucket_key=wanted, wildcard_match="*" in wanted, **common)
    return PathSensor(filepath=wanted, **common)


def _params(options: OrchestrateOptions) -> dict[str, Param]:
    return {
        "settings": Param(
            [], type="array", items={"type": "string"}, description="FIELD=VALUE over the corpus file, a line each"
        ),
        "limit": Param(None, type=["null", "integer"], minimum=1, description="Only the first so many recordings"),
        "max_failed": Param(
            options.max_failed, type="integer", minimum=0, description="More failed recordings fail the run"
        ),
        "retry_failed": Param(False, type="boolean", description="Try again what failed for good"),
        "run": Param(None, type=["null", "string"], description="Folder of a run to align, in place of the newest"),
    }


def _about(step: Step) -> str:
    return f"{step.title}\n\n    speechmill {' '.join(step.command)}"


def _documentation(corpus: Corpus, flow: Flow) -> str:
    report = corpus.store / "report.html"
    starts = f"Starts by hand, by cron, or when there are new {flow.starts_after}." if flow.starts_after else ""
    return f"### {flow.title}\n\nCorpus {corpus.name}. {starts}\n\nReport: [{report}]({report.as_uri()})"


def _day(written: str | None) -> datetime | None:
    return datetime.fromisoformat(written).replace(tzinfo=UTC) if written else None
