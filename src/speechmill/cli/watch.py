# SPDX-License-Identifier: Apache-2.0
"""`speechmill status --watch`: a run in the terminal until it ends. Not on a terminal, a line for each change."""

from __future__ import annotations

import contextlib
import select
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import click
from rich.console import Console
from rich.live import Live

from speechmill.cli.output import WIDE
from speechmill.cli.watch_views import VIEWS, View, draw, line
from speechmill.pipeline.following import Followed
from speechmill.telemetry.page import write_page

PLAIN_EVERY_S = 10.0  # a line in a log, at most

Key = Callable[[float], str]  # waits so many seconds at most for a key; "" for none


def show(folder: Path, view: View) -> None:
    """Print one view of a run as it is now."""
    console = Console()
    if not console.is_terminal:
        console.width = WIDE
    console.print(draw(Followed(folder), view, console.width))


def watch(folder: Path, view: View, every_s: float, page: Path | None = None) -> None:
    """Show a run until it ends or `q` is pressed. page: where to write it as HTML each time."""
    run = Followed(folder)
    if sys.stdout.isatty():
        _live(run, view, every_s, page)
    else:
        _plain(run, max(every_s, PLAIN_EVERY_S), page)


def _live(run: Followed, view: View, every_s: float, page: Path | None) -> None:
    console = Console()
    with _keys() as key, Live(console=console, auto_refresh=False, screen=True) as live:
        while True:
            live.update(draw(run, view, console.width, keys=True), refresh=True)
            if page is not None:
                write_page(run, page, every_s)
            pressed = key(every_s)
            if pressed == "q" or (run.summary is not None and not pressed):
                break
            view = next((one for one in VIEWS if one[0] == pressed), view)
            run.update()
    console.print(draw(run, view, console.width))  # it stays on the screen


def _plain(run: Followed, every_s: float, page: Path | None) -> None:
    said = ""
    while True:
        if (now := line(run)) != said:
            click.echo(now)
            said = now
        if page is not None:
            write_page(run, page, every_s)
        if run.summary is not None:
            return
        time.sleep(every_s)
        run.update()


@contextlib.contextmanager
def _keys() -> Iterator[Key]:
    """Give what reads single keys, without Enter; where the system can't, what only waits."""
    if sys.platform == "win32" or not sys.stdin.isatty():
        yield _wait
        return
    import termios
    import tty

    handle = sys.stdin.fileno()
    before = termios.tcgetattr(handle)
    try:
        tty.setcbreak(handle)
        yield _read_key
    finally:
        termios.tcsetattr(handle, termios.TCSADRAIN, before)


def _wait(seconds: float) -> str:
    time.sleep(seconds)
    return ""


def _read_key(seconds: float) -> str:
    ready, _, _ = select.select([sys.stdin], [], [], seconds)
    return sys.stdin.read(1).lower() if ready else ""
