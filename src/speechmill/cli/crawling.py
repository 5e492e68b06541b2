# SPDX-License-Identifier: Apache-2.0
"""What a person sees of a crawl: a bar on stderr while it goes, its figures when it has ended."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console
from rich.progress import Progress as Drawing
from rich.progress import SpinnerColumn, TaskID, TextColumn

from speechmill.cli.output import hours, print_table

if TYPE_CHECKING:
    from speechmill.crawl.plane import CrawlSummary, Progress

SAY_S = 30.0  # a log gets a line this often
ENDINGS = {
    "finished": "nothing is left to do",
    "interrupted": "stopped; the same command goes on from here",
    "deadline": "the time given is over; the same command goes on from here",
    "budget": "the hourly budget is spent; the same command goes on later",
    "waiting": "what is left is due later; the same command goes on then",
}


class CrawlBar:
    """An observer that draws items, hours, rate, budget left and errors by kind."""

    def __init__(self) -> None:
        self._console = Console(stderr=True)
        self._drawing = Drawing(
            SpinnerColumn(), TextColumn("{task.description}", markup=False), console=self._console, transient=True
        )
        self._task: TaskID | None = None
        self._said = time.monotonic()

    def __enter__(self) -> CrawlBar:
        return self

    def __exit__(self, *_error: object) -> None:
        if self._task is not None:
            self._drawing.stop()

    def note(self, text: str) -> None:
        self._console.print(text, highlight=False, markup=False, soft_wrap=True)

    def progress(self, progress: Progress) -> None:
        line = told(progress)
        if self._console.is_terminal:
            if self._task is None:
                self._task = self._drawing.add_task(line)
                self._drawing.start()
            self._drawing.update(self._task, description=line)
        elif time.monotonic() - self._said > SAY_S:
            self._said = time.monotonic()
            self.note(line)


def told(progress: Progress) -> str:
    """Say in one line how far a crawl is.

    >>> from speechmill.crawl.plane import Progress
    >>> told(Progress(found=9, described=7, stored=3, hours=0.5, rate=12.4, budget_left={"youtube": 240}))
    '9 found, 7 described, 3 stored, 0:30:00, 12/min, budget left: youtube 240'
    """
    parts = [f"{progress.found} found", f"{progress.described} described", f"{progress.stored} stored"]
    parts += [hours(progress.hours * 3600), f"{progress.rate:.0f}/min"]
    if progress.budget_left:
        parts.append("budget left: " + named(progress.budget_left))
    if progress.errors:
        parts.append("errors: " + named(progress.errors))
    parts += [f"{platform}: {why}" for platform, why in progress.waits.items()]
    return ", ".join(parts)


def named(counts: Mapping[Any, int]) -> str:
    """Write counts with their names, the largest first."""
    return ", ".join(f"{name} {count}" for name, count in sorted(counts.items(), key=lambda pair: -pair[1]))


def show(summary: CrawlSummary) -> None:
    """Print what a crawl did, for a person."""
    progress = summary.progress
    click.echo(
        f"{progress.found} new items found, {progress.described} described, {progress.stored} stored "
        f"({hours(progress.hours * 3600)}, {progress.bytes / 2**20:.1f} MB) "
        f"by {progress.requests} requests in {hours(progress.seconds)}"
    )
    if progress.decided:
        click.echo(f"held or skipped: {named(progress.decided)}")
    if progress.licence_hours:
        print_table("hours by licence", ("state", "hours"), sorted(progress.licence_hours.items()))
    if progress.errors:
        click.echo(f"errors: {named(progress.errors)}; see: speechmill crawl status, speechmill crawl retry")
    click.echo(ENDINGS[summary.ending])
