# SPDX-License-Identifier: Apache-2.0
"""A run as one page of HTML: list, graph and timeline, in a file that opens anywhere and asks the network for nothing.

It has no script. While the run goes on it may load itself anew every so many seconds.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from importlib import resources
from pathlib import Path

from speechmill.core.files import write_bytes
from speechmill.pipeline.following import Followed
from speechmill.pipeline.report.markup import Html, join, tag
from speechmill.pipeline.report.units import count, duration, share
from speechmill.pipeline.timeline import StageRow
from speechmill.telemetry.drawing import draw_graph, draw_lanes, draw_spans, hue

FAILURES_SHOWN = 200
SHARDS_SHOWN = 200
POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"


def write_page(run: Followed, path: Path, refresh_s: float | None = None) -> None:
    """Write the page. refresh_s: how often a browser loads it again, as long as the run goes on."""
    write_bytes(path, page(run, refresh_s).encode())


def page(run: Followed, refresh_s: float | None = None) -> Html:
    """Return the page."""
    again = None if run.summary is not None or refresh_s is None else f"{max(1, round(refresh_s))}"
    head = tag(
        "head",
        Html('<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'),
        Html('<meta name="color-scheme" content="light dark"><meta name="referrer" content="no-referrer">'),
        Html(f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'),
        Html(f'<meta http-equiv="refresh" content="{again}">') if again else None,
        tag("title", f"{run.corpus}: run {run.name}"),
        tag("style", Html(_style())),
    )
    return join([Html("<!doctype html>\n"), tag("html", head, tag("body", *_body(run)), lang="en"), Html("\n")])


def _style() -> str:
    report = resources.files("speechmill.pipeline.report").joinpath("report.css").read_text(encoding="utf-8")
    return report + resources.files(__package__).joinpath("page.css").read_text(encoding="utf-8")


def _body(run: Followed) -> Iterator[Html]:
    sections = [
        ("graph", "Graph", _graph(run)),
        ("timeline", "Timeline", _timeline(run)),
        ("stages", "Stages", _stages(run)),
    ]
    if len(run.board.shards) > 1:
        sections.append(("shards", "Shards", _shards(run)))
    if run.board.failures:
        sections.append(("failures", "Failures", _failures(run)))
    yield tag("header", tag("div", tag("h1", run.corpus), _subtitle(run), _tiles(run)), class_="top")
    links = (tag("li", tag("a", title, href=f"#{name}")) for name, title, _content in sections)
    yield tag("nav", tag("ul", *links))
    yield tag("main", *(tag("section", tag("h2", title), content, id=name) for name, title, content in sections))
    made = datetime.fromtimestamp(time.time(), UTC)
    yield tag("footer", f"Drawn by speechmill at {made:%Y-%m-%d %H:%M:%S} UTC from the run's events.")


def _subtitle(run: Followed) -> Html:
    tone = {"finished": "good", "not finished": "going"}.get(run.state, "poor")
    when = datetime.fromtimestamp(run.started, UTC)
    silent = f"; nothing heard of it for {duration(run.silent_s / 3600)}" if run.silent_s is not None else ""
    return tag(
        "p",
        tag("span", run.state, class_=f"state {tone}"),
        tag("code", run.name),
        tag("span", f" planned {when:%Y-%m-%d %H:%M} UTC{silent}", class_="soft"),
    )


def _tiles(run: Followed) -> Html:
    board = run.board
    spent = sum(row.wall_s for row in board.stages)
    lanes = board.workers
    busy = f"{spent / (lanes.end - lanes.origin):.1f} busy on average" if lanes.end > lanes.origin else ""
    tiles = [
        ("Recordings through", f"{board.through:,}", f"of {board.recordings:,}", "main"),
        ("Audio", duration(run.audio_s / 3600), "in these recordings", None),
        ("Failed", f"{len(board.failures):,}", "in this run", "bad" if board.failures else None),
        ("Took" if run.summary else "Since it began", duration((run.ended - run.started) / 3600), "", None),
        ("Workers", f"{len(lanes.names):,}", busy, None),
    ]
    if run.left_s is not None:
        tiles.append(("Left", duration(run.left_s / 3600), "at the pace so far", None))
    return tag(
        "dl",
        *(
            tag("div", tag("dt", name), tag("dd", value, class_="big"), tag("dd", note, class_="soft"), class_=tone)
            for name, value, note, tone in tiles
        ),
        class_="tiles",
    )


def _graph(run: Followed) -> Html:
    lead = "What each stage has done of the recordings, and how fast one worker is; a line goes where its results go."
    picture = draw_graph(run.board.nodes, run.board.stages, run.at_work)
    return tag("div", tag("p", lead, class_="soft lead"), tag("div", picture, class_="card scroll"))


def _timeline(run: Followed) -> Html:
    board = run.board
    if not board.workers.names:
        return tag("p", "Nothing has been done yet.", class_="soft")
    stages = [row.name for row in board.stages]
    seen = [row for row in board.stages if row.wall_s]
    legend = tag("ul", *(tag("li", hue(stages.index(row.name)), row.name) for row in seen), class_="legend")
    if board.spans is not None:
        drawn = draw_spans(board.workers, board.spans, stages)
        lead = "A bar is a recording in a stage; point at it for its name. A red line marks a failure."
    else:
        drawn = draw_lanes(board.workers, stages)
        lead = "How much of its time each worker spent in which stage."
    cards = [tag("h3", "By worker"), tag("div", drawn, class_="scroll")]
    if len(board.by_shard.names) > 1:
        cards += [tag("h3", "By shard"), tag("div", draw_lanes(board.by_shard, stages), class_="scroll")]
    return tag("div", tag("p", lead, class_="soft lead"), tag("div", legend, *cards, class_="card stack"))


def _stages(run: Followed) -> Html:
    heads = ("Stage", "", "Done", "Found", "Failed", "Blocked", "Missing", "Speed", "CPU", "Share of time")
    spent = sum(row.wall_s for row in run.board.stages)
    rows = [
        (
            row.name,
            _bar(row),
            *(f"{value:,}" if value else "" for value in (row.done, row.found, row.failed, row.blocked, row.missing)),
            row.pace,
            duration(row.cpu_s / 3600) if row.cpu_s else "",
            share(row.wall_s, spent) if row.wall_s else "",
        )
        for row in run.board.stages
    ]
    return tag("div", _table(heads, rows, numbers=range(2, len(heads))), class_="card scroll")


def _bar(row: StageRow) -> Html:
    parts = (("found", row.found), ("kept", row.done), ("bad", row.failed), ("blocked", row.blocked))
    spans = (
        tag("span", class_=kind, style=f"width:{100 * amount / row.recordings:.2f}%")
        for kind, amount in parts
        if amount
    )
    return tag("div", *spans, class_="bar thin progress")


def _shards(run: Followed) -> Html:
    shards = run.board.shards
    unfinished = [row for row in shards if row.through < row.recordings]
    shown = (unfinished or shards)[:SHARDS_SHOWN]
    rows = [
        (
            row.shard,
            *(f"{value:,}" for value in (row.through, row.recordings, row.failures)),
            duration(row.wall_s / 3600),
        )
        for row in shown
    ]
    lead = f"{len(shards) - len(unfinished):,} of {count(len(shards), 'shard')} through"
    lead += f"; the first {len(shown):,} of the others." if unfinished else "."
    heads = ("Shard", "Through", "Recordings", "Failures", "Work")
    return tag("div", tag("p", lead, class_="soft lead"), _table(heads, rows, range(1, 5)), class_="card scroll")


def _failures(run: Followed) -> Html:
    board = run.board
    reasons = [
        (stage, reason, f"{number:,}") for (stage, reason), number in board.reasons.most_common(50) if number > 0
    ]
    last = list(board.failures.values())[-FAILURES_SHOWN:]
    rows = [(one.recording_id, one.stage, one.reason, one.detail[:500]) for one in reversed(last)]
    parts = [tag("div", _table(("Stage", "Reason", "Recordings"), reasons, range(2, 3)), class_="card scroll")]
    names = _table(("Recording", "Stage", "Reason", "Detail"), rows, ())
    title = (
        f"The last {count(len(rows), 'failure')}" if len(rows) < len(board.failures) else count(len(rows), "failure")
    )
    parts.append(tag("details", tag("summary", title), names, class_="card scroll", open=len(rows) <= 20))
    return tag("div", *parts, class_="stack")


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]], numbers: Sequence[int]) -> Html:
    kinds = ["num" if i in numbers else None for i in range(len(heads))]
    head = tag("tr", *(tag("th", text, scope="col", class_=kind) for text, kind in zip(heads, kinds, strict=True)))
    body = (
        tag("tr", *(tag("td", text, class_=kind or "any") for text, kind in zip(row, kinds, strict=True)))
        for row in rows
    )
    return tag("table", tag("thead", head), tag("tbody", *body))
