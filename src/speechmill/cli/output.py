# SPDX-License-Identifier: Apache-2.0
"""What a person sees: a progress bar on stderr, tables and figures on stdout."""

from __future__ import annotations

import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import msgspec
from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn
from rich.table import Table

from speechmill.core.errors import ConfigError
from speechmill.pipeline.events import Event

if TYPE_CHECKING:
    from speechmill.pipeline.record import Scope

WIDE = 160


def print_json(value: Any) -> None:
    """Print a value as indented JSON."""
    click.echo(msgspec.json.format(msgspec.json.encode(value), indent=2).decode())


def print_table(title: str, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print a table; text is shown as it is, whatever it holds."""
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold")
    cells = [[_cell(value) for value in row] for row in rows]
    for i, name in enumerate(header):
        numeric = bool(cells) and all(isinstance(row[i], int | float) for row in cells)
        table.add_column(name, justify="right" if numeric else "left", overflow="fold")
    for row in cells:
        table.add_row(*(Text(f"{value:,.3f}" if isinstance(value, float) else f"{value}") for value in row))
    console = Console()
    if not console.is_terminal:  # a log or a pipe is as wide as what is in it
        console.width = WIDE
    if title:  # a table's own title would be folded to the table's width
        console.print(Text(title, style="italic"))
    console.print(table)


def _cell(value: object) -> object:
    # Control characters of a file's name must not reach the terminal.
    return "".join(c if c.isprintable() else "\ufffd" for c in value) if isinstance(value, str) else value


def shown(path: Path) -> Path:
    """Return a path as a person here would write it: relative where it lies below the current folder."""
    here = Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path


def hours(seconds: float) -> str:
    """Write seconds as h:mm:ss."""
    whole = round(seconds)
    return f"{whole // 3600}:{whole % 3600 // 60:02d}:{whole % 60:02d}"


def parse_settings(pairs: Sequence[str]) -> dict[str, Any]:
    """Read `--set field=value` options; values are YAML."""
    import yaml

    found = {}
    for pair in pairs:
        field, separator, value = pair.partition("=")
        if not separator or not field:
            raise ConfigError(f"--set {pair}: write it as FIELD=VALUE, for example --set vad.threshold=0.6")
        try:
            found[field.strip()] = yaml.safe_load(value)
        except yaml.YAMLError as error:
            raise ConfigError(f"--set {pair}: the value is not YAML: {getattr(error, 'problem', error)}") from error
    return found


class Bar:
    """An observer that draws hours done, x real time, time left, counts per stage and failures."""

    def __init__(self) -> None:
        self._console = Console(stderr=True)
        self._progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.fields[counts]}"),
            BarColumn(bar_width=24),
            TextColumn("{task.fields[speed]}"),
            console=self._console,
            transient=True,
        )
        self._task: TaskID | None = None
        self._started = time.monotonic()
        self._recordings = (0, 0)
        self._seconds = (0.0, 0.0)
        self._stages: Counter[str] = Counter()
        self._failed: Counter[str] = Counter()

    def __enter__(self) -> Bar:
        return self

    def __exit__(self, *_error: object) -> None:
        if self._task is not None:
            self._progress.stop()

    def note(self, text: str) -> None:
        self._console.print(text, highlight=False, markup=False, soft_wrap=True)

    def scope(self, scope: Scope) -> None: ...

    def begin(self, recordings: int, audio_s: float) -> None:
        self._recordings, self._seconds = (0, recordings), (0.0, audio_s)
        self._started = time.monotonic()
        self._task = self._progress.add_task("", total=max(audio_s, 1e-6), counts=self._counts(), speed="starting")
        if self._console.is_terminal:
            self._progress.start()
        else:
            self.note(f"{recordings} recordings, {hours(audio_s)} of audio to work on")

    def done(self, recording_id: str, audio_s: float, events: Sequence[Event]) -> None:
        self._recordings = (self._recordings[0] + 1, self._recordings[1])
        self._seconds = (self._seconds[0] + audio_s, self._seconds[1])
        self._stages.update(event.stage for event in events if event.failed is None)
        self._failed.update(event.failed for event in events if event.failed)
        for event in events:
            if event.failed:
                self.note(f"{recording_id}: {event.stage} failed: {event.failed} {event.detail}"[:300])
        if self._task is not None:
            self._progress.update(self._task, completed=self._seconds[0], counts=self._counts(), speed=self._speed())

    def _counts(self) -> str:
        (done, of), (seconds, total) = self._recordings, self._seconds
        failed = sum(self._failed.values())
        last = self._stages.most_common()[-1] if self._stages else None
        stage = f", {last[0]} {last[1]}" if last else ""
        return f"{done}/{of} recordings, {hours(seconds)} of {hours(total)}{stage}" + (
            f", {failed} failed" if failed else ""
        )

    def _speed(self) -> str:
        seconds, total = self._seconds
        elapsed = max(time.monotonic() - self._started, 1e-6)
        if seconds <= 0:
            return "starting"
        return f"{seconds / elapsed:.1f}x real time, {hours((total - seconds) * elapsed / seconds)} left"


class StageBar:
    """Draws on stderr what is being done and how far it is; on a log, a line for each thing that is begun."""

    def __init__(self) -> None:
        self._console = Console(stderr=True)
        self._progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            console=self._console,
            transient=True,
        )
        self._task: TaskID | None = None
        self._stage = ""

    def __enter__(self) -> StageBar:
        return self

    def __exit__(self, *_error: object) -> None:
        if self._task is not None:
            self._progress.stop()

    def __call__(self, stage: str, share: float) -> None:
        """Show that so much (0..1) of a stage is done; what follows a comma is told beside it."""
        kind = stage.partition(",")[0]
        if self._console.is_terminal:
            self._draw(stage, share)
        elif kind != self._stage:
            self.note(kind)
        self._stage = kind

    def _draw(self, stage: str, share: float) -> None:
        if self._task is None:
            self._task = self._progress.add_task(stage, total=1.0)
            self._progress.start()
        self._progress.update(self._task, description=stage, completed=share)

    def note(self, text: str) -> None:
        self._console.print(text, highlight=False, markup=False, soft_wrap=True)


def check_writable(folder: Path) -> None:
    """Raise ConfigError where results can't be written: better now than after hours. Makes the folder."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise ConfigError(f"nothing can be written to {folder}: {error.strerror}. Name another folder") from error
