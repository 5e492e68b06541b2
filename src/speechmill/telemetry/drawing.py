# SPDX-License-Identifier: Apache-2.0
"""The pictures of a run's page, as SVG: the graph of stages, and who was at what when."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

from speechmill.pipeline.lanes import OTHERS, Lanes
from speechmill.pipeline.plan import Node
from speechmill.pipeline.report.markup import Html, join, number, tag
from speechmill.pipeline.timeline import Span, StageRow, depths, edges

HUES = 12
BOX = (158.0, 72.0)  # of a stage in the graph
GAP = (44.0, 16.0)  # between two of them
EDGE = 6.0  # around the picture
WIDTH, LABEL, LANE, LANE_GAP, AXIS = 1120.0, 150.0, 22.0, 4.0, 26.0
LANES_SHOWN = 60
COLUMNS = 9_600  # of all lanes together, so that a page stays below some megabytes
STEPS_S = (0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 14400, 28800, 86400, 172800, 604800)
NARROWEST = 0.6  # of a bar, so that it can be seen


def hue(stage: int) -> Html:
    """Return a square in a stage's colour."""
    return tag("span", class_=f"hue h{stage % HUES}")


def draw_graph(nodes: Sequence[Node], stages: Sequence[StageRow], at_work: Mapping[str, int]) -> Html:
    """Draw each stage as a box with its counts, left to right as results go."""
    places, (width, height) = _places(nodes)
    rows = {row.name: row for row in stages}
    parts = [_edge(places[start], places[end]) for start, end in edges(nodes)]
    parts += [_box(places[node.name], rows[node.name], at_work.get(node.name, 0), i) for i, node in enumerate(nodes)]
    return tag(
        "svg",
        *parts,
        class_="graph",
        viewBox=f"0 0 {number(width)} {number(height)}",
        style=f"min-width:{0.75 * width:.0f}px",
    )


def _places(nodes: Sequence[Node]) -> tuple[dict[str, tuple[float, float]], tuple[float, float]]:
    """Return the left upper corner of each box, and the picture's size: a column for each depth, centred."""
    columns = defaultdict[int, list[str]](list)
    for name, depth in depths(nodes).items():
        columns[depth].append(name)
    most = max((len(names) for names in columns.values()), default=0)
    height = 2 * EDGE + most * (BOX[1] + GAP[1]) - GAP[1]
    places = {}
    for depth, names in columns.items():
        top = (height - len(names) * (BOX[1] + GAP[1]) + GAP[1]) / 2
        for i, name in enumerate(names):
            places[name] = (EDGE + depth * (BOX[0] + GAP[0]), top + i * (BOX[1] + GAP[1]))
    return places, (2 * EDGE + len(columns) * (BOX[0] + GAP[0]) - GAP[0], height)


def _edge(start: tuple[float, float], end: tuple[float, float]) -> Html:
    x, y = start[0] + BOX[0], start[1] + BOX[1] / 2
    to_x, to_y = end[0], end[1] + BOX[1] / 2
    bend = (to_x - x) / 2
    points = f"M{number(x)} {number(y)}C{number(x + bend)} {number(y)} {number(to_x - bend)} {number(to_y)}"
    return tag("path", d=f"{points} {number(to_x)} {number(to_y)}", class_="edge")


def _box(place: tuple[float, float], row: StageRow, at_work: int, stage: int) -> Html:
    x, y = place
    state = "bad" if row.failed else "complete" if not row.missing else "part" if row.done + row.found else "idle"
    inner = BOX[0] - 24
    parts = [
        tag("rect", x=x, y=y, width=BOX[0], height=BOX[1], rx=8.0, class_=f"box {state}"),
        tag("rect", x=x, y=y + 8, width=4.0, height=BOX[1] - 16, rx=2.0, class_=f"h{stage % HUES}"),
        tag("text", _cut(row.name, 20), x=x + 14, y=y + 20, class_="name"),
        tag("text", f"{row.done + row.found:,} of {row.recordings:,}", x=x + 14, y=y + 38, class_="tick"),
        tag("text", row.pace, x=x + BOX[0] - 12, y=y + 38, class_="tick end"),
        tag("text", f"{row.failed:,} failed", x=x + 14, y=y + 53, class_="tick bad") if row.failed else None,
        tag("text", f"{at_work:,} at work", x=x + BOX[0] - 12, y=y + 53, class_="tick end") if at_work else None,
        tag("rect", x=x + 12, y=y + BOX[1] - 10, width=inner, height=4.0, rx=2.0, class_="track"),
    ]
    at = x + 12
    for kind, amount in (("found", row.found), ("kept", row.done), ("bad", row.failed)):
        if amount and row.recordings:
            width = inner * amount / row.recordings
            parts.append(tag("rect", x=at, y=y + BOX[1] - 10, width=width, height=4.0, rx=2.0, class_=kind))
            at += width
    told = f"{row.name}: {row.done:,} done, {row.found:,} found, {row.failed:,} failed, {row.missing:,} missing"
    return tag("g", tag("title", told), *parts)


def draw_spans(lanes: Lanes, spans: Sequence[Span], stages: Sequence[str]) -> Html:
    """Draw a lane for each worker with a bar for each recording and stage."""
    names, rest = _shown(lanes)
    time = _Time(lanes)
    rows = {name: i for i, name in enumerate(names)}
    known = [span for span in spans if span.worker in rows or not span.wall_s]
    bars = [_bar(span, rows, time, stages) for span in known]
    return _chart(names, rest, time, [bar for bar in bars if bar is not None])


def _bar(span: Span, rows: Mapping[str, int], time: _Time, stages: Sequence[str]) -> Html | None:
    if span.worker not in rows:
        return None
    x, y = time.x(span.begin), _top(rows[span.worker])
    width = max(NARROWEST, time.x(span.begin + span.wall_s) - x)
    kind = f"span h{stages.index(span.stage) % HUES}" + (" failed" if span.failed else "")
    failed = f", failed: {span.failed}" if span.failed else ""
    told = f"{span.stage}: {span.recording_id}, {span.wall_s:.3g} s{failed}"
    return tag("rect", tag("title", told), x=x, y=y, width=width, height=LANE, class_=kind)


def draw_lanes(lanes: Lanes, stages: Sequence[str]) -> Html:
    """Draw a lane for each worker or shard; in each part of the time as high as each stage's share of it."""
    names, rest = _shown(lanes)
    time = _Time(lanes)
    columns = max(60, min(400, COLUMNS // max(1, len(names))))
    paths = [path for i, name in enumerate(names) for path in _stacks(lanes, name, i, columns, time, stages)]
    return _chart(names, rest, time, paths)


def _stacks(lanes: Lanes, name: str, row: int, columns: int, time: _Time, stages: Sequence[str]) -> Iterator[Html]:
    pieces: dict[str, list[str]] = {}
    shares = list(lanes.shares(name, columns))
    most = max([1.0, *(sum(one.values()) for one in shares)])  # of a shard that several workers share
    width = (time.x(lanes.origin + lanes.used() * lanes.width) - LABEL) / columns
    columns = min(columns, int((WIDTH - LABEL - EDGE) / width) + 1)  # the last bin goes on after the end
    for column, one in enumerate(shares[:columns]):
        bottom, x = _top(row) + LANE, LABEL + column * width
        for stage in stages:
            if height := LANE * one.get(stage, 0.0) / most:
                bottom -= height
                pieces.setdefault(stage, []).append(
                    f"M{number(x)} {number(bottom)}h{number(width)}v{number(height)}h-{number(width)}z"
                )
    for stage, piece in pieces.items():
        seconds = sum(lanes.busy(name)[stage])
        told = tag("title", f"{name}, {stage}: {seconds:,.3g} s")
        yield tag("path", told, d="".join(piece), class_=f"h{stages.index(stage) % HUES}")


class _Time:
    """Maps times to places, and draws the axis."""

    def __init__(self, lanes: Lanes) -> None:
        self._origin = lanes.origin
        self._seconds = max(lanes.end - lanes.origin, 1e-3)

    def x(self, time: float) -> float:
        return LABEL + (WIDTH - LABEL - EDGE) * (time - self._origin) / self._seconds

    def axis(self, bottom: float) -> Iterator[Html]:
        step = next((one for one in STEPS_S if self._seconds / one <= 10), STEPS_S[-1])
        for i in range(int(self._seconds / step) + 1):
            x = self.x(self._origin + i * step)
            yield tag("line", x1=x, x2=x, y1=0.0, y2=bottom, class_="grid")
            yield tag("text", _clock(i * step, step), x=x, y=bottom + 16, class_="tick middle")


def _chart(names: Sequence[str], rest: int, time: _Time, marks: Sequence[Html]) -> Html:
    bottom = _top(len(names))
    labels = [
        tag("text", tag("title", name), _cut(name, 22, end=True), x=0.0, y=_top(i) + 15, class_="tick")
        for i, name in enumerate(names)
    ]
    rows = [
        tag("rect", x=LABEL, y=_top(i), width=WIDTH - LABEL - EDGE, height=LANE, rx=3.0, class_="track")
        for i in range(len(names))
    ]
    more = tag("p", f"and {rest:,} more", class_="soft") if rest else None
    box = f"0 0 {number(WIDTH)} {number(bottom + AXIS)}"
    picture = tag("svg", *rows, *time.axis(bottom), *marks, *labels, class_="gantt", viewBox=box)
    return join([picture, more])


def _shown(lanes: Lanes) -> tuple[list[str], int]:
    names = sorted(lanes.names, key=lambda name: (name == OTHERS, name))
    return names[:LANES_SHOWN], max(0, len(names) - LANES_SHOWN)


def _top(row: int) -> float:
    return EDGE + row * (LANE + LANE_GAP)


def _clock(seconds: float, step: float) -> str:
    """Write time since the start: 0:05 is minutes and seconds, 1:05:00 hours too.

    >>> _clock(65, 5), _clock(3665, 60), _clock(1.5, 0.5)
    ('1:05', '1:01:05', '0:01.5')
    """
    minutes, rest = divmod(seconds, 60)
    hours, minutes = divmod(int(minutes), 60)
    end = f"{rest:04.1f}" if step < 1 else f"{int(rest):02d}"
    return f"{hours}:{minutes:02d}:{end}" if hours else f"{minutes}:{end}"


def _cut(text: str, most: int, *, end: bool = False) -> str:
    """Shorten a name; of a worker's the end tells more."""
    if len(text) <= most:
        return text
    return f"\u2026{text[1 - most :]}" if end else f"{text[: most - 1]}\u2026"
