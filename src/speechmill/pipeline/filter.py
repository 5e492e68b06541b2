# SPDX-License-Identifier: Apache-2.0
"""The filter: rules in, a decision for every segment out.

It comes last, is columnar, and never rewrites the segments: decisions are a table of their own (see `decide`), so that
another threshold costs a second and not a run. A segment is kept where `drops` is empty.
"""

from __future__ import annotations

import difflib
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from msgspec import Struct
from numpy.typing import ArrayLike, NDArray

from speechmill.core.errors import ConfigError
from speechmill.pipeline.arrow_numpy import integers, offsets_of
from speechmill.pipeline.dropped import Dropped
from speechmill.pipeline.expressions import NAMES, Floats, Rule, Truths, evaluate, is_name
from speechmill.pipeline.presets import PRESETS
from speechmill.pipeline.segment_columns import SegmentColumns

TAKEN_DOWN = "taken-down"  # the drop of what may not be used any more; no expression, and no rule lifts it
_HOUR = 3600.0

RulesConfig = str | Sequence[Any] | dict[str, Any] | None


class Point(NamedTuple):
    """What a threshold would keep."""

    threshold: float
    hours_kept: float
    segments_kept: int


class Loss(Struct, frozen=True):
    """What one rule drops: altogether, and that no other rule drops."""

    rule: str
    segments: int
    hours: float
    only_segments: int
    only_hours: float


class Funnel(Struct, frozen=True):
    """From segments to kept segments, in hours; `losses` with the greatest first."""

    segments: int
    segments_hours: float
    kept: int
    kept_hours: float
    losses: tuple[Loss, ...]


def rules_from(config: RulesConfig, known_scores: Collection[str] | None = None) -> tuple[Rule, ...]:
    """Read the `filter:` of a corpus file: a preset's name, a list of rules, or a mapping of both.

    The mapping's keys: `preset`, `rules` (added to it), `without` (rules of the preset, or a column's name for all
    rules that read it). A rule is an expression, or {rule: EXPRESSION, missing: keep} where a gap is no reason to drop.
    known_scores: scores that the run computes; None leaves that check to `decide`.
    Raises ConfigError, naming the nearest preset, key, rule or column.
    """
    match config:
        case None:
            rules: tuple[Rule, ...] = ()
        case str():
            rules = _preset(config)
        case dict():
            rules = _from_mapping(config)
        case list() | tuple():
            rules = tuple(_rule(entry) for entry in config)
        case _:
            raise ConfigError(f"filter: must be a preset's name, a list of rules or a mapping, not {config!r}")
    if known_scores is not None:
        check_names(rules, known_scores)
    return tuple({rule.expression: rule for rule in rules}.values())


def _from_mapping(config: dict[str, Any]) -> tuple[Rule, ...]:
    known = ("preset", "rules", "without")
    for key in config:
        if key not in known:
            raise ConfigError(f"filter: unknown key {key!r}{_nearest(str(key), known)}")
    preset = _preset(config.get("preset") or "none")
    for entry in _list(config, "without"):
        preset = _without(preset, entry)
    return preset + tuple(_rule(entry) for entry in _list(config, "rules"))


def _list(config: dict[str, Any], key: str) -> list[Any]:
    entries = config.get(key) or []
    if not isinstance(entries, list | tuple):
        raise ConfigError(f"filter: {key} must be a list, not {entries!r}")
    return list(entries)


def _preset(name: Any) -> tuple[Rule, ...]:
    if isinstance(name, str) and name in PRESETS:
        return PRESETS[name]
    if isinstance(name, str) and not is_name(name.replace("-", "_")):
        raise ConfigError(f"filter: {name!r} is no preset; a rule stands in a list: filter: [{name!r}]")
    raise ConfigError(f"filter: no preset {name!r}{_nearest(str(name), tuple(PRESETS))}")


def _rule(entry: Any) -> Rule:
    match entry:
        case str():
            return Rule(entry)
        case {"rule": str(expression), "missing": "keep" | "drop" as missing, **rest} if not rest:
            return Rule(f"optional({expression})" if missing == "keep" else expression)
        case {"rule": str(expression), **rest} if not rest:
            return Rule(expression)
    raise ConfigError(f"filter: a rule is an expression or {{rule: EXPRESSION, missing: keep}}, not {entry!r}")


def _without(rules: tuple[Rule, ...], entry: Any) -> tuple[Rule, ...]:
    """Take rules away: the one spelt like the entry, or every one that reads the column of that name."""
    text = str(entry).strip()
    gone = {rule for rule in rules if rule.expression == text or (is_name(text) and text in rule.names)}
    if not gone and not is_name(text):
        gone = {rule for rule in rules if rule.expression == Rule(text).expression}
    if not gone:
        expressions = [rule.expression for rule in rules]
        raise ConfigError(f"filter: the preset has no rule {text!r} to go without{_nearest(text, expressions)}")
    return tuple(rule for rule in rules if rule not in gone)


def _nearest(name: str, known: Sequence[str]) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    hint = f"; did you mean {near[0]!r}?" if near else "."
    return f"{hint} There are: {', '.join(known) or 'none'}"


def check_names(rules: Sequence[Rule], known_scores: Collection[str]) -> None:
    """Raise ConfigError where a rule reads a column that is not there, saying which metric to add."""
    for rule in rules:
        for name in sorted(rule.names - set(NAMES) - set(known_scores)):
            raise ConfigError(_unknown_name(rule, name, known_scores))


def _unknown_name(rule: Rule, name: str, known_scores: Collection[str]) -> str:
    from speechmill.pipeline.scores import describe  # imports every metric: only where there is an error to explain

    scores = describe()
    if name in scores:
        return (
            f"filter rule {rule.expression!r} reads the score {name!r}, which this run does not compute. "
            f"Add to the corpus file what does, {scores[name].asked}; or do without: without: [{rule.expression!r}]"
        )
    everything = sorted({*NAMES, *known_scores, *scores})
    return f"filter rule {rule.expression!r}: no column {name!r}{_nearest(name, everything)}"


def dropped_by(columns: SegmentColumns, rules: Sequence[Rule], taken_down: Collection[str] = ()) -> list[Dropped]:
    """Apply rules to a segments table: what each leaves out, in their order.

    What was taken down is left out for that as the last. Reads only the columns that the rules name. Raises ConfigError
    where one of them is not in the table.
    """
    check_names(rules, columns.scores)
    found = []
    for rule in rules:
        verdict = evaluate(rule.expression, columns)
        dropped = np.flatnonzero(~verdict.true)
        found.append(
            Dropped(rule.expression, dropped, _picked(verdict.value, dropped), _picked(verdict.threshold, dropped))
        )
    if taken_down:
        rows = _rows_of(columns, taken_down)
        nothing = np.full(len(rows), np.nan)
        found.append(Dropped(TAKEN_DOWN, rows, nothing, nothing))
    return found


def _rows_of(columns: SegmentColumns, recordings: Collection[str]) -> NDArray[np.int64]:
    coded = columns.coded("recording_id")
    codes = [code for code, name in enumerate(coded.values) if name in recordings]
    return np.flatnonzero(np.isin(coded.codes, codes))


def _picked(values: Floats | np.float64, rows: NDArray[np.int64]) -> Floats:
    return values[rows] if isinstance(values, np.ndarray) else np.full(len(rows), values)


def funnel(durations: ArrayLike, drops: pa.ListArray | pa.ChunkedArray) -> Funnel:
    """Add up what was kept and what each rule dropped.

    durations: (num_segments,) seconds. drops: of the same segments, as in decisions or in the dataset.
    """
    seconds = np.asarray(durations, dtype=np.float64)
    counts, codes, rules = drop_codes(drops)
    rows = np.repeat(np.arange(len(seconds)), counts)
    lost = [_loss(rule, seconds, rows[codes == code], counts) for code, rule in enumerate(rules)]
    kept = counts == 0
    return Funnel(
        segments=len(seconds),
        segments_hours=float(seconds.sum() / _HOUR),
        kept=int(kept.sum()),
        kept_hours=float(seconds[kept].sum() / _HOUR),
        losses=tuple(sorted(lost, key=lambda loss: (-loss.hours, loss.rule))),
    )


def _loss(rule: str, seconds: Floats, rows: NDArray[np.int64], counts: NDArray[np.int64]) -> Loss:
    only = rows[counts[rows] == 1]
    hours, only_hours = float(seconds[rows].sum() / _HOUR), float(seconds[only].sum() / _HOUR)
    return Loss(rule, len(rows), hours, len(only), only_hours)


def drop_codes(drops: pa.ListArray | pa.ChunkedArray) -> tuple[NDArray[np.int64], NDArray[np.int64], list[str]]:
    """Return how many drops each segment has, each drop's rule as a code in order, and the rules."""
    chunks = drops.chunks if isinstance(drops, pa.ChunkedArray) else [drops]
    rules: dict[str, int] = {}
    counts, codes = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
    for chunk in chunks:
        counts.append(np.diff(offsets_of(chunk)))
        coded = chunk.flatten().field("rule").dictionary_encode()
        own = np.array([rules.setdefault(rule, len(rules)) for rule in coded.dictionary.to_pylist()], dtype=np.int64)
        codes.append(own[integers(coded.indices)] if len(own) else np.zeros(0, np.int64))
    return np.concatenate(counts), np.concatenate(codes), list(rules)


def sweep(
    table_path: Path,
    rules: Sequence[Rule],
    column: str,
    thresholds: Sequence[float] | None = None,
    *,
    higher_is_better: bool | None = None,
) -> list[Point]:
    """Return what each threshold of a column would keep, with every rule applied that doesn't read it.

    thresholds: ascending; None chooses about 40 round ones. higher_is_better: None asks the score's metric, and
    takes what is no score to be. Raises ConfigError for an unknown column.
    """
    if not is_name(column):
        raise ConfigError(f"a sweep goes over one column, such as dnsmos_ovrl, not {column!r}")
    if higher_is_better is None:
        from speechmill.pipeline.scores import describe  # imports every metric, which filtering never needs

        score = describe().get(column)
        higher_is_better = score is None or score.column.higher_is_better
    columns = SegmentColumns(table_path)
    check_names([*rules, Rule(f"{column} >= 0")], columns.scores)
    kept = np.ones(columns.num_rows, dtype=bool)
    for rule in rules:
        if column not in rule.names:
            kept &= evaluate(rule.expression, columns).true
    values = columns.numbers(column)
    points = round_thresholds(values) if thresholds is None else np.asarray(thresholds, dtype=np.float64)
    return curve(values, columns.numbers("duration"), kept, points, higher_is_better=higher_is_better)


def curve(
    values: Floats, durations: Floats, eligible: Truths, thresholds: Floats, *, higher_is_better: bool = True
) -> list[Point]:
    """Return what each threshold keeps of the eligible rows; a row without a value is never kept.

    values, durations (seconds), eligible: (num_rows,). thresholds: (num_points,); kept is value >= threshold,
    or value <= threshold where lower is better.
    """
    chosen = np.flatnonzero(eligible & ~np.isnan(values))
    order = chosen[np.argsort(values[chosen], kind="stable")]
    ordered = values[order]
    seconds = np.concatenate([[0.0], np.cumsum(durations[order])])
    below = np.searchsorted(ordered, thresholds, side="left" if higher_is_better else "right")
    if higher_is_better:
        hours, segments = (seconds[-1] - seconds[below]) / _HOUR, len(ordered) - below
    else:
        hours, segments = seconds[below] / _HOUR, below
    return [Point(float(t), float(h), int(n)) for t, h, n in zip(thresholds, hours, segments, strict=True)]


def round_thresholds(values: Floats, count: int = 40) -> Floats:
    """Choose about `count` round thresholds over where values lie, but for outliers; none where none lies."""
    known = values[~np.isnan(values)]
    if len(known) == 0:
        return np.zeros(0)
    low, high = np.quantile(known, [0.005, 0.995])
    step = round_step((high - low) / count) if high > low else 1.0
    first, last = np.floor(low / step), np.ceil(high / step)
    return np.round(np.arange(first, last + 1) * step, 10)


def round_step(step: float) -> float:
    """Return 1, 2 or 5 times a power of ten, the next above a positive step.

    >>> round_step(0.0312)
    0.05
    """
    power = 10.0 ** np.floor(np.log10(step))
    return float(next(round(factor * power, 12) for factor in (1, 2, 5, 10) if factor * power >= step * (1 - 1e-9)))
