# SPDX-License-Identifier: Apache-2.0
"""What a task of Airflow says to speechmill: words, by the step, the parameters of the DAG run and its dates.

Nothing here needs Airflow.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, time, timedelta
from typing import Any

import msgspec
from msgspec import Struct

from speechmill.pipeline.flow import CORPUS
from speechmill.pipeline.orchestrate_options import MOST_TASKS

PLAN, NEWEST = ("plan", CORPUS), "--newest"
PARTS = ("since", "until", "limit")  # in an event: the run is of some recordings only
BY_DATE = ("backfill", "backfill_job")  # kinds of DAG runs that are of the dates of their interval


class Asked(Struct, frozen=True):
    """What a DAG run asks for, over what the corpus file says; its parameters, by name."""

    settings: tuple[str, ...] = ()  # FIELD=VALUE
    limit: int | None = None
    max_failed: int | None = None
    retry_failed: bool = False
    run: str | None = None  # align this run instead of the newest


class Window(Struct, frozen=True):
    """Dates that a DAG run works on: since <= date < until."""

    since: str | None = None
    until: str | None = None


class Share(Struct, frozen=True):
    """What one task of a step over shards does: what Airflow maps over."""

    run: str
    shards: str


def slug(name: str) -> str:
    """Return a corpus's name as Airflow takes it for a DAG, a pool or a Variable.

    >>> slug("Bản tin 6h")
    'Bản_tin_6h'
    """
    return re.sub(r"[^\w.-]", "_", name)


def asked(params: Mapping[str, Any]) -> Asked:
    """Read the parameters of a DAG run. Raises msgspec.ValidationError."""
    return msgspec.convert({name: value for name, value in params.items() if value is not None}, Asked)


def window(run_type: str, start: datetime | None, end: datetime | None, *, catchup: bool) -> Window:
    """Return the dates of a DAG run: of a backfill, and of a cron that catches up. Any other is of all dates."""
    by_date = run_type in BY_DATE or (catchup and run_type == "scheduled")
    if not by_date or start is None or end is None or end <= start:
        return Window()
    return Window(start.date().isoformat(), _until(end))


def _until(end: datetime) -> str:
    """Return the first date that an interval doesn't touch: that of its end, where that is midnight."""
    whole = end.time() == time.min
    return (end.date() if whole else end.date() + timedelta(days=1)).isoformat()


def words(command: Sequence[str], ask: Asked, dates: Window, standing: Iterable[str] = ()) -> list[str]:
    """Add to a step's command what a DAG run asks of it.

    standing: settings that every run of the DAG has, FIELD=VALUE.

    >>> words(("conclude", "--run", "{run}", "--max-failed", "0"), Asked(max_failed=5), Window())
    ['conclude', '--run', '{run}', '--max-failed', '5']
    """
    found = list(command)
    settings = [word for pair in (*standing, *ask.settings) for word in ("--set", pair)]
    if command[0] == "crawl":
        found += settings
    elif command[0] == "plan" and NEWEST not in command:
        given = {"--limit": ask.limit, "--since": dates.since, "--until": dates.until}
        found += settings
        found += [word for option, value in given.items() if value is not None for word in (option, str(value))]
    elif command[0] == "exec" and ask.retry_failed and "--shard" in command:
        found += ["--retry-failed"]
    elif command[0] == "conclude" and ask.max_failed is not None:
        found[found.index("--max-failed") + 1] = str(ask.max_failed)
    return found


def resuming(command: Sequence[str], runs: Sequence[str]) -> list[list[str]]:
    """Return the commands that find the runs to go on with: the newest, or those that are named, each with its share.

    Several runs share the tasks among them, so that what is mapped over stays below what Airflow maps.
    """
    if not runs:
        return [list(command)]
    plain = [word for word in command if word != NEWEST]
    place = plain.index("--tasks") + 1
    plain[place] = str(max(1, min(int(plain[place]), MOST_TASKS // len(runs))))
    return [[*plain, "--run", run] for run in runs]


def runs_of(extras: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return the runs that events tell of, oldest first: a run of all recordings makes those before it needless."""
    whole = {str(extra["run"]): not any(map(extra.get, PARTS)) for extra in extras if extra.get("run")}
    named = sorted(whole)  # a run's name begins with when it was planned
    last = max((place for place, run in enumerate(named) if whole[run]), default=0)
    return named[last:]


def shares(planned: Iterable[Mapping[str, Any]]) -> list[dict[str, str]]:
    """Return what is mapped over, of what `plan` printed."""
    return [{"run": one["run"], "shards": shards} for one in planned for shards in one["ranges"]]
