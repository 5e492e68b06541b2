# SPDX-License-Identifier: Apache-2.0
"""The report's pictures, as SVG drawn here: nothing is fetched and nothing waits for a script."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from speechmill.core.stage import Samples
from speechmill.pipeline.filter import round_step
from speechmill.pipeline.report.facts import Distribution, Histogram
from speechmill.pipeline.report.markup import Html, join, number, tag
from speechmill.pipeline.report.units import duration, plain

WIDTH, HEIGHT = 360.0, 190.0
LEFT, RIGHT, TOP, BOTTOM = 46.0, 10.0, 10.0, 24.0
_PLOT = (WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM)


class Axes:
    """Maps values to places in a picture, and draws both axes."""

    def __init__(self, x: tuple[float, float], top: float) -> None:
        self.low, self.high = x
        self.top = top if top > 0 else 1.0

    def x(self, value: float) -> float:
        return LEFT + _PLOT[0] * (value - self.low) / (self.high - self.low or 1.0)

    def y(self, value: float) -> float:
        return TOP + _PLOT[1] * (1 - value / self.top)

    def draw(self) -> Html:
        """Return grid lines with hours on the left, and values below."""
        parts = []
        unit, per_hour = _unit(self.top)
        for amount in ticks(0.0, self.top * per_hour, 4):
            y = self.y(amount / per_hour)
            parts.append(tag("line", x1=LEFT, x2=WIDTH - RIGHT, y1=y, y2=y, class_="grid"))
            parts.append(tag("text", f"{amount:,.6g} {unit}", x=LEFT - 6, y=y + 3.5, class_="tick end"))
        for value in ticks(self.low, self.high, 6):
            parts.append(tag("text", plain(value), x=self.x(value), y=HEIGHT - 8, class_="tick middle"))
        return join(parts)


def ticks(low: float, high: float, count: int) -> list[float]:
    """Return about `count` round values in [low, high].

    >>> ticks(0, 9, 4)
    [0.0, 5.0]
    """
    if high <= low:
        return [low]
    step = round_step((high - low) / count)
    first, last = np.ceil(low / step - 1e-9), np.floor(high / step + 1e-9)
    return [round(float(index * step), 10) + 0.0 for index in np.arange(first, last + 1)]


def _unit(top: float) -> tuple[str, float]:
    """Return the unit of an axis that ends at so many hours, and how many of it make an hour."""
    if top >= 1:
        return "h", 1.0
    return ("min", 60.0) if top >= 1 / 60 else ("s", 3600.0)


def _picture(content: Html, label: str, name: str) -> Html:
    return tag(
        "svg", content, viewBox=f"0 0 {number(WIDTH)} {number(HEIGHT)}", role="img", aria_label=label, class_=name
    )


def _thresholds(axes: Axes, thresholds: Sequence[float]) -> Html:
    lines = [
        tag("line", tag("title", f"threshold {plain(value)}"), x1=x, x2=x, y1=TOP, y2=HEIGHT - BOTTOM, class_="rule")
        for value in thresholds
        if axes.low <= value <= axes.high
        for x in [axes.x(value)]
    ]
    return join(lines)


def histogram(found: Histogram, thresholds: Sequence[float], label: str) -> Html:
    """Draw hours by value: kept at the bottom, dropped on top of it, thresholds as dashed lines."""
    totals = [kept + dropped for kept, dropped in zip(found.kept, found.dropped, strict=True)]
    axes = Axes((found.edges[0], found.edges[-1]), max(totals))
    bars = []
    for index, (kept, total) in enumerate(zip(found.kept, totals, strict=True)):
        left, right = found.edges[index], found.edges[index + 1]
        x, width = axes.x(left) + 0.4, max(0.6, axes.x(right) - axes.x(left) - 0.8)
        title = f"{plain(left)} to {plain(right)}: {duration(kept)} kept, {duration(total - kept)} dropped"
        spans = (("kept", 0.0, kept), ("lost", kept, total))
        rects = [
            tag("rect", x=x, y=axes.y(high), width=width, height=axes.y(low) - axes.y(high), class_=name)
            for name, low, high in spans
            if high > low
        ]
        bars.append(tag("g", tag("title", title), *rects))
    return _picture(join([axes.draw(), *bars, _thresholds(axes, thresholds)]), label, "histogram")


def curve(found: Distribution, thresholds: Sequence[float]) -> Html:
    """Draw hours kept over the threshold of a score; the script adds a read-out under the pointer."""
    points = found.curve
    axes = Axes((points[0].threshold, points[-1].threshold), max(point.hours_kept for point in points))
    line = " L".join(f"{number(axes.x(point.threshold))} {number(axes.y(point.hours_kept))}" for point in points)
    floor = number(axes.y(0.0))
    area = f"M{number(axes.x(points[0].threshold))} {floor} L{line} L{number(axes.x(points[-1].threshold))} {floor}Z"
    sign = ">=" if found.higher_is_better else "<="
    label = f"Hours kept by {found.name} {sign} threshold, from {plain(axes.low)} to {plain(axes.high)}"
    cursor = tag("g", tag("line", y1=TOP, y2=HEIGHT - BOTTOM), tag("circle", r=3.5), class_="cursor", hidden=True)
    drawn = [
        axes.draw(),
        tag("path", d=area, class_="area"),
        tag("path", d=f"M{line}", class_="line"),
        _thresholds(axes, thresholds),
        cursor,
    ]
    return _picture(join(drawn), label, "curve")


def waveform(samples: Samples, columns: int = 260) -> Html:
    """Draw a cut's peaks: lowest and highest sample of each column, scaled to its own maximum."""
    edges = np.linspace(0, len(samples), columns + 1).astype(int)
    loudest = max(float(np.abs(samples).max(initial=0.0)), 1e-4)
    tops, bottoms = [], []
    for index, (first, last) in enumerate(pairwise(edges.tolist())):
        part = samples[first : max(last, first + 1)] / loudest
        high, low = float(part.max(initial=0.0)), float(part.min(initial=0.0))
        tops.append(f"{index} {number(30 - 28 * max(high, 0.02))}")
        bottoms.append(f"{index} {number(30 - 28 * min(low, -0.02))}")
    path = tag("path", d=f"M{' L'.join(tops)} L{' L'.join(reversed(bottoms))}Z")
    return tag(
        "svg",
        path,
        viewBox=f"0 0 {columns - 1} 60",
        preserveAspectRatio="none",
        class_="waveform",
        role="img",
        aria_label="Waveform",
    )
