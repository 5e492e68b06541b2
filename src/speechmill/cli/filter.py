# SPDX-License-Identifier: Apache-2.0
"""`speechmill filter`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
from msgspec import structs

from speechmill.core.errors import ConfigError


@click.command("filter")
@click.argument("workspace", type=click.Path(path_type=Path), default=Path("workspace"))
@click.option("--preset", help="asr-broad, tts-strict or emilia-compatible.")
@click.option("--rule", "rules", multiple=True, metavar="EXPRESSION", help="A rule: 'dnsmos_ovrl >= 3.1'. Repeatable.")
@click.option("--without", multiple=True, metavar="RULE", help="A rule of the preset, or a column, to do without.")
@click.option("--sweep", metavar="SCORE", help="Show hours kept per threshold of a score; change nothing.")
@click.option("--decisions-only", is_flag=True, help="Write the decisions; leave dataset/ as it is.")
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
def command(
    workspace: Path,
    preset: str | None,
    rules: tuple[str, ...],
    without: tuple[str, ...],
    sweep: str | None,
    decisions_only: bool,
    as_json: bool,
) -> None:
    """Decide anew which segments of WORKSPACE are kept. No stage runs; every drop keeps rule, value, threshold.

    Without a preset or rules, those in force are applied again, or swept. What was exported stays as it was
    until `speechmill export` or `speechmill run` writes it anew.

    \b
    speechmill filter ./workspace --preset tts-strict --rule 'snr_db >= 20'
    speechmill filter ./workspace --sweep dnsmos_ovrl
    """
    from speechmill.pipeline.refilter import materialise, read_index, refilter, stale_exports
    from speechmill.store.workspace import Workspace

    place = Workspace.open(workspace)
    index = read_index(place)
    asked = _asked(preset, rules, without)
    if sweep is not None:
        _sweep(index.segments_path(place), index.filter if asked is None else asked, index.scores, sweep, as_json)
        return
    with place.held():
        chosen = index.asked if asked is None else structs.replace(index.asked, filter=asked)
        index, _worked = refilter(place, index.run, index.table, chosen, index.scores)
        if not decisions_only:
            materialise(place, index)
    _print(place, index, as_json)
    if not decisions_only and not as_json and (stale := stale_exports(place)):
        click.echo(
            f"exports of the dataset before: {', '.join(stale)}; renew: speechmill export {workspace} {' '.join(stale)}"
        )


def _asked(preset: str | None, rules: tuple[str, ...], without: tuple[str, ...]) -> Any:
    if preset is None and not rules and not without:
        return None
    if preset is None and without:
        raise ConfigError("--without needs the --preset whose rule is left out")
    asked: dict[str, Any] = {"rules": list(rules)}
    if preset is not None:
        asked |= {"preset": preset, "without": list(without)}
    return asked


def _sweep(path: Path, asked: Any, scores: tuple[str, ...], column: str, as_json: bool) -> None:
    from speechmill.pipeline.filter import rules_from, sweep

    points = sweep(path, rules_from(asked, scores), column)
    if as_json:
        _json(
            [{"threshold": p.threshold, "hours_kept": p.hours_kept, "segments_kept": p.segments_kept} for p in points]
        )
        return
    click.echo(f"{column:>12}  {'hours kept':>10}  segments")
    for point in points:
        click.echo(f"{point.threshold:>12g}  {point.hours_kept:>10.4f}  {point.segments_kept}")


def _print(place: Any, index: Any, as_json: bool) -> None:
    from speechmill.pipeline.decide import notes_of
    from speechmill.pipeline.filter import funnel
    from speechmill.pipeline.reasons import labelled, split_hours
    from speechmill.pipeline.segment_columns import SegmentColumns

    path = index.decisions_path(place)
    durations = SegmentColumns(index.segments_path(place)).numbers("duration")
    decided = SegmentColumns(path)
    found = funnel(durations, decided.drops())
    splits, notes = split_hours(durations, decided.coded("split")), notes_of(path)
    if as_json:
        _json({"decisions": str(path), "rules": index.rules, "funnel": found, "splits": splits, "notes": notes})
        return
    click.echo(
        f"kept {found.kept_hours:.4f} h of {found.segments_hours:.4f} h, {found.kept} of {found.segments} segments"
    )
    if len(splits) > 1:
        click.echo("  " + ", ".join(f"{hours:.4f} h {name}" for name, hours in splits.items()))
    for loss in found.losses:
        click.echo(f"  {loss.hours:.4f} h dropped by {labelled(loss.rule)} ({loss.only_hours:.4f} h by it alone)")
    click.echo(f"decisions {path}")
    for note in notes:
        click.echo(f"warning: {note}", err=True)


def _json(value: Any) -> None:
    import msgspec

    click.echo(msgspec.json.format(msgspec.json.encode(value), indent=2).decode())
