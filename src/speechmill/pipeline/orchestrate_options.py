# SPDX-License-Identifier: Apache-2.0
"""`orchestrate:` of a corpus file: how an orchestrator runs it. None of it changes what a recording's result is.

Secrets never stand here: a webhook, a mail server or a bucket is named by the orchestrator's own connection.
"""

from __future__ import annotations

import datetime
from typing import Annotated, Literal

from msgspec import Meta, Struct

from speechmill.core.errors import ConfigError

FLOWS = ("crawl", "label", "align")
MOST_TASKS = 1000  # of a step: Airflow maps at most 1,024

Flow = Literal["crawl", "label", "align"]


class Volume(Struct, frozen=True, forbid_unknown_fields=True):
    """A disk that all tasks in containers share, on which the workspace lies."""

    claim: str = "speechmill"  # PersistentVolumeClaim (ReadWriteMany)
    path: str = "/data"  # where it is mounted


class OrchestrateOptions(Struct, frozen=True, forbid_unknown_fields=True):
    """How an orchestrator runs a corpus. What it can't do is refused when it is rendered."""

    command: str = "speechmill"  # the program, as the machine that does a task finds it
    image: str = "speechmill:cpu"  # of tasks in containers
    gpu_image: str = "speechmill:gpu"
    gpu: bool = False  # whether recognisers and aligners get a GPU
    volume: Volume = Volume()
    schedules: Annotated[dict[Flow, str], Meta(description="Cron by flow; others start by hand or by event")] = {}
    tasks: int = MOST_TASKS  # of one step, at most: more shards are shared out among them
    parallel: int = 16  # tasks of one step at once
    workers: int = 1  # processes of one task
    retries: int = 3  # of a task that the infrastructure failed, each after twice the wait of the last
    retry_s: float = 60.0
    retry_max_s: float = 1800.0
    timeout_h: float = 12.0  # of one task
    deadline_h: Annotated[dict[Flow, float], Meta(description="Hours by flow after which somebody is told")] = {}
    emails: tuple[str, ...] = ()  # told of failures and missed deadlines
    webhook: str | None = None  # id of a connection of the orchestrator that is posted to, as JSON
    wait_for: str | None = None  # a file, folder or s3://bucket/key that must be there before labelling starts
    catchup: bool = False  # with a cron: each run works on the dates since the last, and missed ones are made up for
    start_date: str | None = None  # 2026-01-31: from when on to catch up
    cache: bool = True  # let the orchestrator skip what it has seen, where it can; the ledger skips it anyhow
    crawl_pool: str = "speechmill_crawl"
    gpu_pool: str = "speechmill_gpu"
    max_failed: int = 0  # more failed recordings than this fail the last task


def check(options: OrchestrateOptions) -> None:
    """Raise ConfigError where a number makes no sense or a secret stands in the file."""
    least = {"tasks": 1, "parallel": 1, "workers": 1, "retries": 0, "max_failed": 0, "retry_s": 0, "retry_max_s": 0}
    for field, smallest in least.items():
        if (number := getattr(options, field)) < smallest:
            raise ConfigError(f"{field}: {number} is less than {smallest}")
    if options.tasks > MOST_TASKS:
        raise ConfigError(f"tasks: {options.tasks} is more than {MOST_TASKS}, the most that every orchestrator maps")
    hours = {"timeout_h": options.timeout_h} | {f"deadline_h.{flow}": h for flow, h in options.deadline_h.items()}
    for field, number in hours.items():
        if number <= 0:
            raise ConfigError(f"{field}: {number} h is no time at all")
    if options.webhook is not None and "://" in options.webhook:
        raise ConfigError("webhook: names a connection of the orchestrator, not an address: addresses hold secrets")
    if options.start_date is not None and not _is_date(options.start_date):
        raise ConfigError(f"start_date: {options.start_date!r} is no date such as 2026-01-31")
    for flow, cron in options.schedules.items():
        if len(cron.split()) != 5 and not cron.startswith("@"):
            raise ConfigError(f"schedules.{flow}: {cron!r} is no cron line of five fields, nor one such as @daily")


def _is_date(written: str) -> bool:
    try:
        return datetime.date.fromisoformat(written).isoformat() == written
    except ValueError:
        return False
