# SPDX-License-Identifier: Apache-2.0
"""Tasks of Airflow: one command of speechmill each. What they pass on are places and counts.

An operator of our own, because only an operator is told to end: Airflow's own Python task goes on when it is cleared,
until it is killed.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from airflow.providers.standard.sensors.filesystem import FileSensor
from airflow.sdk import BaseOperator, BaseOperatorLink, Variable
from airflow.sdk.exceptions import AirflowFailException

from speechmill.orchestrators._airflow_words import NEWEST, Window, asked, resuming, runs_of, shares, window, words
from speechmill.orchestrators._command import Command, CommandFailed, fill_in
from speechmill.pipeline.flow import RUN

# Variables, asked for when a task runs. Each stands in for what the corpus file says.
COMMAND_VARIABLE = "speechmill_command"  # how speechmill is called
CORPUS_VARIABLE = "speechmill_corpus_{name}"  # where workers find the corpus file
REPORTS_VARIABLE = "speechmill_reports"  # an address under which CORPUS/report.html is served
RUNS, PLANNED = "runs", "planned"  # keys of XCom


class SpeechmillOperator(BaseOperator):  # type: ignore[misc]
    """Runs a step's command with what the DAG run asks for.

    corpus: name and file. program: how speechmill is called. standing: settings of every run, FIELD=VALUE. planner: the
    task that planned the run. share: the run and the shards of one mapped task. catchup: whether a cron is by date.
    """

    ui_color = "#e8f0e8"

    def __init__(
        self,
        *,
        command: Sequence[str],
        program: str,
        corpus: tuple[str, str],
        standing: Sequence[str] = (),
        planner: str | None = None,
        share: Mapping[str, str] | None = None,
        catchup: bool = False,
        **kwargs: Any,  # Airflow's own: task_id, retries, pool...
    ) -> None:
        super().__init__(**kwargs)
        self.command = tuple(command)
        self.program = program
        self.corpus = corpus
        self.standing = tuple(standing)
        self.planner = planner
        self.share = share
        self.catchup = catchup
        self.report: Path | None = None
        if self.command[0] == "conclude":
            self.operator_extra_links = (ReportLink(),)
        self._under_way: Command | None = None

    def execute(self, context: Mapping[str, Any]) -> Any:
        """Run it, once for each run that there is to go on with (nearly always one); return the counts it printed."""
        answers = self._answers(self._lines(context))
        if self.command[0] == "plan":
            return self._planned(context, answers)
        _give(self, context, answers[-1])
        return answers[-1]

    def _answers(self, lines: Sequence[Sequence[str]]) -> list[dict[str, Any]]:
        """Run each command. That too much failed in one run is said when the others have been done."""
        answers, failed = list[dict[str, Any]](), list[str]()
        for line in lines:
            try:
                answers.append(self._call(line))
            except AirflowFailException as error:
                failed.append(str(error))
        if failed:
            raise AirflowFailException("; ".join(failed))
        return answers

    def on_kill(self) -> None:
        """End the command: the task is cleared, marked, or out of time."""
        if self._under_way is not None:
            self._under_way.end()

    def _lines(self, context: Mapping[str, Any]) -> list[list[str]]:
        """Return the commands to run, their places filled in."""
        line = words(self.command, asked(context["params"]), self._window(context), self.standing)
        if NEWEST in line:
            return resuming(line, _runs_to_resume(context))
        if self.share is not None:
            return [fill_in(line, self.share)]
        if RUN not in line:
            return [line]
        runs: list[str] = context["ti"].xcom_pull(task_ids=self.planner, key=RUNS)
        self.report = Path(runs[-1]).parents[1] / "report.html"
        return [fill_in(line, {"run": run}) for run in runs]

    def _window(self, context: Mapping[str, Any]) -> Window:
        run = context["dag_run"]
        kind = str(getattr(run.run_type, "value", run.run_type))
        return window(kind, run.data_interval_start, run.data_interval_end, catchup=self.catchup)

    def _call(self, line: Sequence[str]) -> dict[str, Any]:
        """Run one command to its end. A status that says "too much failed" is not tried again."""
        name, path = self.corpus
        program = shlex.split(Variable.get(COMMAND_VARIABLE, default=None) or self.program)
        place = Variable.get(CORPUS_VARIABLE.format(name=name), default=None) or path
        # The supervisor of this task is its parent: killed with -9, it can tell nobody that the command should end.
        self._under_way = Command(program, fill_in(line, {"corpus": place}), ends_with=(os.getppid(),))
        try:
            return self._under_way.wait()
        except CommandFailed as failed:
            if failed.worth_a_retry:
                raise
            raise AirflowFailException(f"{failed}. It printed: {failed.printed.strip()}") from failed
        finally:
            self._under_way = None

    def _planned(self, context: Mapping[str, Any], found: Sequence[dict[str, Any]]) -> list[dict[str, str]]:
        """Leave the runs and the facts in XCom; return what is mapped over."""
        dates = self._window(context)
        told = {name: value for name, value in found[-1].items() if name != "ranges"}
        context["ti"].xcom_push(key=RUNS, value=[one["run"] for one in found])
        limits = {"since": dates.since, "until": dates.until, "limit": asked(context["params"]).limit}
        context["ti"].xcom_push(key=PLANNED, value={**told, **limits})
        return shares(found)


class GiveOperator(BaseOperator):  # type: ignore[misc]
    """Tells what a flow gives, once for the whole run, where the flow's last step is mapped."""

    ui_color = "#e8e8f8"

    def __init__(self, *, planner: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.planner = planner

    def execute(self, context: Mapping[str, Any]) -> Any:
        told = context["ti"].xcom_pull(task_ids=self.planner, key=PLANNED)
        _give(self, context, told)
        return told


class PathSensor(FileSensor):  # type: ignore[misc]
    """Waits for a file, folder or pattern at a path as it stands: no Connection has to name the file system."""

    @property
    def path(self) -> str:
        return str(self.filepath)


class ReportLink(BaseOperatorLink):  # type: ignore[misc]
    """A button on the last task: the run's report."""

    name = "Report"

    def get_link(self, operator: Any, *, ti_key: Any) -> str:
        """Return where the report is: below the address that a Variable names, or the file."""
        if operator.report is None:
            return ""
        served = Variable.get(REPORTS_VARIABLE, default=None)
        return f"{served.rstrip('/')}/{operator.corpus[0]}/report.html" if served else str(operator.report.as_uri())


def _runs_to_resume(context: Mapping[str, Any]) -> list[str]:
    """Return the runs that the DAG run was started for; none means the newest."""
    named = asked(context["params"]).run
    if named is not None:
        return [named]
    happened = context["triggering_asset_events"]
    return runs_of(event.extra for events in happened.values() for event in events)


def _give(operator: Any, context: Mapping[str, Any], counts: Mapping[str, Any]) -> None:
    """Tell with each asset that a task gives what is in it: only plain values, as an event may hold."""
    plain = {name: value for name, value in counts.items() if isinstance(value, str | int | float | bool)}
    for outlet in operator.outlets:
        context["outlet_events"][outlet].extra = {**plain, "dag_run": context["dag_run"].run_id}
