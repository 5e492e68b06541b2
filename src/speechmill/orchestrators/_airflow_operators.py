# SPDX-License-Identifier: Apache-2.0
"""Tasks of Airflow: one command of speechmill each. What they pass on are places and counts.

An operator of our own, because only an operator is told to end: Airflow's own Python task goes on when it is cleared,
until it is killed.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from airflow.providers.standard.sensors.filesystem import FileSensor
from airflow.sdk import Asset, BaseOperator, Variable
from airflow.sdk.exceptions import AirflowFailException

from speechmill.orchestrators._airflow_words import (
    Asked,
    Window,
    asked,
    resuming,
    runs_of,
    shares,
    window,
    words,
)
from speechmill.orchestrators._command import Command, CommandFailed, fill_in

COMMAND = "speechmill_command"  # a Variable: how speechmill is called, in place of what the corpus file says
CORPUS_VARIABLE = "speechmill_corpus_{name}"  # a Variable: where workers find the corpus file
RUNS, PLANNED = "runs", "planned"  # keys of XCom


class SpeechmillOperator(BaseOperator):  # type: ignore[misc]
    """Runs a step's command once, with what the DAG run asks for.

    program: how speechmill is called. corpus: its file. standing: settings of every run, FIELD=VALUE.
    """

    ui_color = "#e8f0e8"

    def __init__(
        self,
        *,
        name: str,
        command: Sequence[str],
        program: str,
        corpus: str,
        standing: Sequence[str] = (),
        catchup: bool = False,
        **kwargs: Any,  # Airflow's own: task_id, retries, pool...
    ) -> None:
        super().__init__(**kwargs)
        self.name = name
        self.command = tuple(command)
        self.program = program
        self.corpus = corpus
        self.standing = tuple(standing)
        self.catchup = catchup
        self._under_way: Command | None = None

    def execute(self, context: Mapping[str, Any]) -> Any:
        """Run it and return the counts it printed."""
        answer = self.call(context, self.asked_words(context), {})
        self.give(context, answer)
        return answer

    def on_kill(self) -> None:
        """End the command: the task is cleared, or is to fail."""
        if self._under_way is not None:
            self._under_way.end()

    def asked_words(self, context: Mapping[str, Any]) -> list[str]:
        return words(self.command, asked(context["params"]), self.window(context), self.standing)

    def window(self, context: Mapping[str, Any]) -> Window:
        run = context["dag_run"]
        return window(
            str(getattr(run.run_type, "value", run.run_type)),
            run.data_interval_start,
            run.data_interval_end,
            catchup=self.catchup,
        )

    def call(self, context: Mapping[str, Any], command: Sequence[str], places: Mapping[str, str]) -> dict[str, Any]:
        """Run a command to its end. A status that says "too much failed" is not tried again."""
        program = shlex.split(Variable.get(COMMAND, default=None) or self.program)
        corpus = Variable.get(CORPUS_VARIABLE.format(name=self.name), default=None) or self.corpus
        # The supervisor of this task is its parent: killed with -9, it can tell nobody that the command should end.
        line = fill_in(command, {"corpus": corpus, **places})
        self._under_way = Command(program, line, ends_with=(os.getppid(),))
        try:
            return self._under_way.wait()
        except CommandFailed as failed:
            if failed.worth_a_retry:
                raise
            raise AirflowFailException(f"{failed}. It printed: {failed.printed.strip()}") from failed
        finally:
            self._under_way = None

    def give(self, context: Mapping[str, Any], counts: Mapping[str, Any]) -> None:
        """Tell with each asset that this task gives what is in it."""
        for outlet in self.outlets:
            if isinstance(outlet, Asset):
                context["outlet_events"][outlet].extra = {**flat(counts), "dag_run": context["dag_run"].run_id}


class PlanOperator(SpeechmillOperator):
    """Plans a run, or finds those to go on with. Returns what is mapped over; XCom also holds the runs and the facts."""

    def __init__(self, *, follows: Asset | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.follows = follows

    def execute(self, context: Mapping[str, Any]) -> list[dict[str, str]]:
        command = self.asked_words(context)
        commands = [command] if self.follows is None else resuming(command, self.runs(context))
        found = [self.call(context, one, {}) for one in commands]
        dates = self.window(context)
        told = {name: value for name, value in found[-1].items() if name != "ranges"}
        told |= {"since": dates.since, "until": dates.until}
        context["ti"].xcom_push(key=RUNS, value=[one["run"] for one in found])
        context["ti"].xcom_push(key=PLANNED, value=told)
        return shares(found)

    def runs(self, context: Mapping[str, Any]) -> list[str]:
        """Return the runs that the DAG run was started for; none means the newest."""
        ask: Asked = asked(context["params"])
        if ask.run is not None:
            return [ask.run]
        events = context["triggering_asset_events"]
        return runs_of(event.extra for happened in events.values() for event in happened)


class RunOperator(SpeechmillOperator):
    """Runs a step of a whole run; once for each run that there is to go on with, which is nearly always one."""

    def __init__(self, *, planner: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.planner = planner

    def execute(self, context: Mapping[str, Any]) -> Any:
        runs = context["ti"].xcom_pull(task_ids=self.planner, key=RUNS)
        answers = [self.call(context, self.asked_words(context), {"run": run}) for run in runs]
        self.give(context, answers[-1])
        return answers[-1]


class ShardOperator(SpeechmillOperator):
    """Runs a step on some shards of a run; it is mapped over `share`."""

    def __init__(self, *, share: Mapping[str, str], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.share = share

    def execute(self, context: Mapping[str, Any]) -> Any:
        return self.call(context, self.asked_words(context), self.share)


class GiveOperator(BaseOperator):  # type: ignore[misc]
    """Tells what a flow gives, once for the whole run, where the flow's last step is mapped."""

    ui_color = "#e8e8f8"

    def __init__(self, *, planner: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.planner = planner

    def execute(self, context: Mapping[str, Any]) -> Any:
        told = context["ti"].xcom_pull(task_ids=self.planner, key=PLANNED)
        for outlet in self.outlets:
            context["outlet_events"][outlet].extra = {**flat(told), "dag_run": context["dag_run"].run_id}
        return told


class PathSensor(FileSensor):  # type: ignore[misc]
    """Waits for a file, folder or pattern at a path as it stands: no connection has to name the file system."""

    @property
    def path(self) -> str:
        return str(self.filepath)


def flat(counts: Mapping[str, Any]) -> dict[str, Any]:
    """Return the plain values of what a command printed: what an event may hold."""
    return {name: value for name, value in counts.items() if isinstance(value, str | int | float | bool)}
