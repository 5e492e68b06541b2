# SPDX-License-Identifier: Apache-2.0
"""A run in the terminal: as a list, as a graph, as a timeline."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Literal

from rich.columns import Columns
from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from speechmill.cli.output import hours
from speechmill.pipeline.following import Followed
from speechmill.pipeline.lanes import Lanes
from speechmill.pipeline.timeline import StageRow, depths, edges

View = Literal["list", "graph", "timeline"]
VIEWS: tuple[View, ...] = ("list", "graph", "timeline")
COLOURS = (
    *("cyan", "green", "yellow", "magenta", "blue", "red", "bright_cyan", "bright_green"),
    *("bright_yellow", "bright_magenta", "bright_blue", "bright_red"),
)
SHARDS_SHOWN = 8
FAILURES_SHOWN = 6
LANES_SHOWN = 24
LANE_NAME = 18
BAR = 20


def draw(run: Followed, view: View, width: int, *, keys: bool = False) -> RenderableType:
    """Return a view of a run, as wide as a terminal."""
    views = {"list": _list, "graph": _graph, "timeline": _timeline}
    parts = [_head(run), *views[view](run, width)]
    return Group(*parts, _tabs(view)) if keys else Group(*parts)


def line(run: Followed) -> str:
    """Say in a line where a run is, for a log."""
    board = run.board
    said = f"{board.through}/{board.recordings} recordings, {_percent(board.stages):.0f} % of the work"
    failed = f", {len(board.failures)} failed" if board.failures else ""
    busy = "".join(f", {stage} {count}" for stage, count in sorted(run.at_work.items()))
    left = f", {hours(run.left_s)} left" if run.left_s is not None else ""
    return f"{run.name}: {run.state}, {said}{failed}{left}{busy and '; at work:' + busy[1:]}"


def _head(run: Followed) -> Text:
    board = run.board
    text = Text.assemble((f"run {run.name}", "bold"), f"  {run.state}  {hours(run.ended - run.started)}\n")
    text.append(f"{board.through}/{board.recordings} recordings through, {hours(run.audio_s)} of audio")
    text.append(f", {_percent(board.stages):.0f} % of the work")
    if run.left_s is not None:
        text.append(f", {hours(run.left_s)} left")
    if board.failures:
        text.append(f", {len(board.failures)} failed", "red")
    if run.silent_s is not None:
        text.append(f"\nnothing heard of it for {hours(run.silent_s)}", "yellow")
    text.append("\n")
    return text


def _tabs(shown: View) -> Text:
    text = Text("\n")
    for view in VIEWS:
        text.append(f" {view[0]} {view} ", "reverse bold" if view == shown else "dim")
        text.append(" ")
    return text.append("  q quits", "dim")


def _list(run: Followed, width: int) -> Iterator[RenderableType]:
    yield _stages(run)
    unfinished = [row for row in run.board.shards if row.through < row.recordings]
    if len(run.board.shards) > 1 and unfinished:
        shown = [(row.shard, f"{row.through}/{row.recordings}", f"{row.failures}") for row in unfinished]
        yield Text(f"\n{len(run.board.shards) - len(unfinished)} of {len(run.board.shards)} shards through; next:")
        yield _table(("shard", "through", "failures"), shown[:SHARDS_SHOWN])
    if run.board.failures:
        failures = list(run.board.failures.values())[-FAILURES_SHOWN:]
        yield Text(f"\n{len(run.board.failures)} failed; the last:")
        yield _table(
            ("recording", "stage", "reason", "detail"),
            [(one.recording_id, one.stage, one.reason, one.detail[:width]) for one in failures],
        )


def _stages(run: Followed) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("stage")
    for name in ("done", "found", "failed", "missing"):
        table.add_column(name, justify="right")
    table.add_column("")
    table.add_column("speed", justify="right")
    table.add_column("at work", justify="right")
    for row in run.board.stages:
        table.add_row(
            Text(row.name),
            f"{row.done:,}",
            f"{row.found:,}" if row.found else "",
            Text(f"{row.failed:,}", "red") if row.failed else "",
            f"{row.missing:,}" if row.missing else "",
            _bar(row),
            row.pace,
            f"{run.at_work[row.name]}" if run.at_work[row.name] else "",
        )
    return table


def _bar(row: StageRow) -> Text:
    """Return what of a stage was there, is done, has failed or is blocked, in proportion."""
    text, drawn, counted = Text(), 0, 0
    for count, mark, style in (
        (row.found, "▒", "green"),
        (row.done, "█", "green"),
        (row.failed, "█", "red"),
        (row.blocked, "░", "red"),
    ):
        counted += count
        upto = BAR * counted // row.recordings if row.recordings else 0
        text.append(mark * (upto - drawn), style)
        drawn = upto
    return text.append("·" * (BAR - drawn), "dim")


def _graph(run: Followed, width: int) -> Iterator[RenderableType]:
    nodes, rows = run.board.nodes, {row.name: row for row in run.board.stages}
    depth = depths(nodes)
    feeding: dict[str, list[str]] = {node.name: [] for node in nodes}
    for start, end in edges(nodes):
        feeding[end].append(start)
    for level in range(max(depth.values(), default=-1) + 1):
        if level:
            yield Text("  │\n  ▼", "dim")
        boxes = [_box(rows[node.name], feeding[node.name], run) for node in nodes if depth[node.name] == level]
        yield Columns(boxes, width=30, padding=(0, 1))


def _box(row: StageRow, feeding: Sequence[str], run: Followed) -> Panel:
    done = row.done + row.found
    text = Text(f"{done:,}/{row.recordings:,}")
    if row.failed:
        text.append(f"  {row.failed:,} failed", "red")
    if row.pace:
        text.append(f"  {row.pace}")
    if run.at_work[row.name]:
        text.append(f"  {run.at_work[row.name]} at work", "cyan")
    text.append("\n")
    text.append_text(_bar(row))
    style = "red" if row.failed else "green" if not row.missing else "cyan" if done else "dim"
    of = Text(f"of {', '.join(feeding)}", "dim") if feeding else None
    return Panel(text, title=Text(row.name), subtitle=of, border_style=style, width=30)


def _timeline(run: Followed, width: int) -> Iterator[RenderableType]:
    board = run.board
    lanes = board.workers
    if not lanes.names:
        yield Text("nothing has been done yet")
        return
    letters = _letters([row.name for row in board.stages])
    colours = {row.name: COLOURS[i % len(COLOURS)] for i, row in enumerate(board.stages)}
    columns = max(10, width - LANE_NAME - 1)
    names = sorted(lanes.latest(LANES_SHOWN))
    for name in names:
        yield _lane(name, lanes, columns, letters, colours)
    yield _axis(lanes, columns)
    if more := len(lanes.names) - len(names):
        yield Text(f"and {more} more, of workers that were busy before", "dim")
    legend = Text()
    for name in letters:
        legend.append(f"\u00a0{letters[name]}\u00a0", f"black on {colours[name]}").append(f"\u00a0{name}  ")
    yield legend


def _lane(name: str, lanes: Lanes, columns: int, letters: dict[str, str], colours: dict[str, str]) -> Text:
    text = Text(f"{name[-LANE_NAME:]:<{LANE_NAME}} ")
    for shares in lanes.shares(name, columns):
        most = max(shares, key=lambda stage: shares[stage], default=None)
        if most is None or sum(shares.values()) < 0.05:  # of that time nobody worked
            text.append("·", "dim")
        else:
            text.append(letters[most], f"black on {colours[most]}")
    text.no_wrap = True
    return text


def _axis(lanes: Lanes, columns: int) -> Text:
    begin, end = (f"{datetime.fromtimestamp(time, UTC):%H:%M:%S}" for time in (lanes.origin, lanes.end))
    return Text(f"{'UTC':<{LANE_NAME}} {begin}{end:>{max(1, columns - len(begin))}}", "dim")


def _letters(names: Sequence[str]) -> dict[str, str]:
    """Give each stage a letter of its own, if there are enough: of its name, the metric's for quality.snr."""
    found: dict[str, str] = {}
    for name in names:
        own = name.rpartition(".")[2]
        wanted = [*own, *own.upper(), *"0123456789"]
        found[name] = next((letter for letter in wanted if letter.isalnum() and letter not in found.values()), "?")
    return found


def _percent(stages: Sequence[StageRow]) -> float:
    whole = sum(row.recordings for row in stages)
    return 100 * (1 - sum(row.missing for row in stages) / whole) if whole else 100.0


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in header:
        table.add_column(name, overflow="fold")
    for row in rows:
        table.add_row(*(Text("".join(c if c.isprintable() else "\ufffd" for c in value)) for value in row))
    return table
