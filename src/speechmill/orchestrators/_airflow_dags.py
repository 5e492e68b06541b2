# SPDX-License-Identifier: Apache-2.0
"""A corpus's flows as DAGs of Airflow 3: a step is a task, or one that is mapped over shares of the shards."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

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
    COMMAND_VARIABLE,
    CORPUS_VARIABLE,
    PLANNED,
    REPORTS_VARIABLE,
    GiveOperator,
    PathSensor,
    SpeechmillOperator,
)
from speechmill.orchestrators._airflow_pods import executor_config
from speechmill.orchestrators._airflow_pools import pool_of
from speechmill.orchestrators._airflow_words import slug
from speechmill.pipeline.flow import Flow, Step, asset, flows
from speechmill.pipeline.orchestrate_options import OrchestrateOptions
from speechmill.pipeline.spec import Corpus

OWNER = "speechmill"
ASKABLE = {
    "crawl": ("settings",),
    "label": ("settings", "limit", "retry_failed"),
    "align": ("retry_failed", "max_failed", "run"),
}
AFTER_ALL = "none_failed"  # a stand-in that is skipped, or a map over nothing, doesn't stop what follows


def dags_of(corpus: Corpus) -> list[DAG]:
    """Return a DAG for each flow. Raises ConfigError."""
    if corpus.orchestrate.catchup and corpus.orchestrate.start_date is None:
        raise ConfigError("orchestrate.catchup: say with start_date (2026-01-31) from when on to catch up")
    return [_Builder(corpus, flow).dag() for flow in flows(corpus)]


class _Builder:
    """Makes one DAG of a flow."""

    def __init__(self, corpus: Corpus, flow: Flow) -> None:
        self._corpus = corpus
        self._options = corpus.orchestrate
        self._flow = flow
        self._name = f"{slug(corpus.name)}_{flow.name}"
        self._given = _asset(corpus, flow.gives)
        self._follows = _asset(corpus, flow.starts_after) if flow.starts_after else None
        self._planner = next((step.name for step in flow.steps if step.command[0] == "plan"), None)
        self._executors = conf.get("core", "executor")
        self._made: dict[str, Any] = {}

    def dag(self) -> DAG:
        options = self._options
        with DAG(
            dag_id=self._name,
            description=self._flow.title,
            schedule=self._schedule(),
            start_date=_day(options.start_date),
            catchup=options.catchup and self._flow.name == "label",  # another crawl or export of today is no past one
            max_active_runs=1,  # two at once would only do the same twice
            max_active_tasks=options.parallel,
            deadline=self._deadline(),
            on_failure_callback=Tell("failed", self._name, options.emails, options.webhook),
            doc_md=_documentation(self._corpus, self._flow),
            params=_params(self._flow, options),
            tags=[OWNER, self._corpus.name, self._flow.name],
            default_args=_for_every_task(options),
        ) as dag:
            for step in self._flow.steps:
                self._add(step)
            self._finish()
        return dag

    def _schedule(self) -> Any:
        cron = next((line for name, line in self._options.schedules.items() if name == self._flow.name), None)
        # With intervals, which a trigger by cron alone has not: a backfill is by their dates.
        by_time = CronDataIntervalTimetable(cron, timezone="UTC") if cron else None
        if self._follows is None:
            return by_time
        return AssetOrTimeSchedule(timetable=by_time, assets=[self._follows]) if by_time else [self._follows]

    def _deadline(self) -> DeadlineAlert | None:
        options = self._options
        hours = next((most for name, most in options.deadline_h.items() if name == self._flow.name), None)
        if hours is None:
            return None
        told = {"event": "late", "flow": self._name, "emails": list(options.emails), "webhook": options.webhook}
        # From when it was queued: a backfill's own date may be years ago.
        reference = DeadlineReference.DAGRUN_QUEUED_AT
        return DeadlineAlert(reference, timedelta(hours=hours), AsyncCallback(Tell, told))

    def _add(self, step: Step) -> None:
        """Make a step's task, and what chooses between it and its stand-in."""
        before = [self._made[name] for name in step.after]
        if self._flow.name == "label" and step.name == self._planner and self._options.wait_for is not None:
            before.append(_sensor(self._options.wait_for, self._options.timeout_h * 3600))
        if step.when is not None:
            before = [self._choice(step.when.fact, before)]
        made = self._task(step)
        for one in before:
            one >> made
        self._made[step.name] = made

    def _choice(self, fact: str, before: list[Any]) -> Any:
        """Return the task that says which of two steps runs; both wait for it."""
        key = f"by {fact}"
        if key not in self._made:
            pair = {step.when.any: step.name for step in self._flow.steps if step.when and step.when.fact == fact}
            self._made[key] = _chooser(fact, pair, str(self._planner))
            for one in before:
                one >> self._made[key]
        return self._made[key]

    def _task(self, step: Step) -> Any:
        """Return a step's task, mapped over shares of the shards where it is done on shards."""
        options = self._options
        common: dict[str, Any] = {
            "task_id": step.name,
            "command": list(step.command),
            "program": options.command,
            "corpus": (slug(self._corpus.name), str(self._corpus.path)),
            "standing": standing(self._corpus),
            "planner": self._planner,
            "catchup": options.catchup,
            "pool": pool_of(self._corpus, step),
            "executor_config": executor_config(step.need, options, self._executors),
            "doc_md": f"{step.title}\n\n    speechmill {' '.join(step.command)}",
        }
        if not step.retry:
            common["retries"] = 0
        if not step.over_shards:
            return SpeechmillOperator(**common)
        bounds = {"max_active_tis_per_dag": options.parallel, "map_index_template": "{{ task.share['shards'] }}"}
        mapped = self._made[str(self._planner)].output
        return SpeechmillOperator.partial(**common, **bounds).expand(share=mapped)

    def _finish(self) -> None:
        """Have the flow give what it gives: once, though its last step may be mapped."""
        last = self._flow.steps[-1]
        made = self._made[last.name]
        if not last.over_shards:
            made.outlets = [self._given]
            return
        give = GiveOperator(
            task_id=f"give_{self._flow.gives}",
            planner=str(self._planner),
            outlets=[self._given],
            doc_md=f"Tells that there are new {self._flow.gives}, and in which run.",
        )
        made >> give


def _asset(corpus: Corpus, given: str) -> Asset:
    return Asset(name=quote(asset(corpus, given), safe=":/"))  # Airflow takes ASCII only


def _for_every_task(options: OrchestrateOptions) -> dict[str, Any]:
    return {
        "owner": OWNER,
        "retries": options.retries,
        "retry_delay": timedelta(seconds=options.retry_s),
        "retry_exponential_backoff": 2.0,
        "max_retry_delay": timedelta(seconds=options.retry_max_s),
        "execution_timeout": timedelta(hours=options.timeout_h),
        "trigger_rule": AFTER_ALL,
    }


def standing(corpus: Corpus) -> list[str]:
    """Return the settings that every run has: those the DAG was made with, and the aligner it was made for."""
    chosen = {} if "align" in corpus.raw else {"align": corpus.align.backend if corpus.align else "none"}
    every = {**chosen, **corpus.settings}
    return [f"{field}={json.dumps(value, ensure_ascii=False)}" for field, value in every.items()]


def _chooser(fact: str, pair: Mapping[bool, str], planner: str) -> Any:
    """Return a task that follows one of two steps, by a number that `plan` printed."""
    about = f"{pair[True]} where there is any {fact.replace('_', ' ')}, else {pair[False]}."

    @task.branch(task_id=f"choose_{pair[True]}", doc_md=about)  # type: ignore[untyped-decorator]
    def choose(**context: Any) -> str:
        facts = context["ti"].xcom_pull(task_ids=planner, key=PLANNED)["facts"]
        return pair[facts[fact] > 0]

    return choose()


def _sensor(wanted: str, timeout_s: float) -> Any:
    """Return a task that waits for a file or an S3 key, and leaves its worker to others meanwhile."""
    common: dict[str, Any] = {
        "task_id": "wait_for",
        "poke_interval": 60.0,
        "timeout": timeout_s,
        "doc_md": f"Waits for {wanted}.",
    }
    if wanted.startswith("s3://"):
        from airflow.providers.amazon.aws.sensors.s3 import S3KeySensor

        # Not in the triggerer, which would need aiobotocore: that pins another botocore than boto3 comes with.
        return S3KeySensor(bucket_key=wanted, wildcard_match="*" in wanted, mode="reschedule", **common)
    return PathSensor(filepath=wanted, deferrable=True, **common)


def _params(flow: Flow, options: OrchestrateOptions) -> dict[str, Param]:
    """Return what may be asked for when a DAG is started by hand: what one of its steps can take."""
    every = {
        "settings": Param(
            [],
            type="array",
            items={"type": "string", "pattern": r"^[A-Za-z_][\w.]*="},
            description="FIELD=VALUE over the corpus file, a line each",
        ),
        "limit": Param(None, type=["null", "integer"], minimum=1, description="Only the first so many recordings"),
        "retry_failed": Param(False, type="boolean", description="Try again what failed for good"),
        "max_failed": Param(
            options.max_failed, type="integer", minimum=0, description="More failed recordings fail the run"
        ),
        "run": Param(None, type=["null", "string"], description="Folder of a run to align, in place of the newest"),
    }
    return {name: every[name] for name in ASKABLE[flow.name]}


def _documentation(corpus: Corpus, flow: Flow) -> str:
    report = corpus.store / "report.html"
    starts = f"Starts by hand, by cron, or when there are new {flow.starts_after}. " if flow.starts_after else ""
    variables = {
        COMMAND_VARIABLE: f"how speechmill is called; else `{corpus.orchestrate.command}`",
        CORPUS_VARIABLE.format(name=slug(corpus.name)): f"where workers find the corpus file; else `{corpus.path}`",
        REPORTS_VARIABLE: "an address under which each corpus's report is served, as NAME/report.html",
    }
    listed = "\n".join(f"- `{name}`: {text}" for name, text in variables.items())
    return (
        f"### {flow.title}\n\nCorpus {corpus.name}. {starts}Report: [{report}]({report.as_uri()})\n\n"
        f"Variables of Airflow that change it without code:\n\n{listed}\n"
    )


def _day(written: str | None) -> datetime | None:
    return datetime.fromisoformat(written).replace(tzinfo=UTC) if written else None
