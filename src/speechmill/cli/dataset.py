# SPDX-License-Identifier: Apache-2.0
"""`speechmill dataset`: its versions, and how they differ."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from speechmill.pipeline.versions.diff import Diff, Effect
    from speechmill.pipeline.versions.manifest import Manifest

_LISTED = 20  # recordings that are named; --json has them all


@click.group("dataset")
def command() -> None:
    """Show the versions of a dataset, and why two of them differ.

    \b
    speechmill dataset log ./workspace
    speechmill dataset diff ./workspace latest~1 latest
    """


@command.command("log")
@click.argument("workspace", type=click.Path(path_type=Path), default=Path("workspace"))
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def log_command(workspace: Path, as_json: bool) -> None:
    """List the versions of the dataset of WORKSPACE: what is kept in each, and what changed since the one before.

    \b
    speechmill dataset log ./workspace
    """
    from speechmill.cli.output import print_json, print_table
    from speechmill.pipeline.versions import Shelf
    from speechmill.pipeline.versions.history import log
    from speechmill.store.workspace import Workspace

    entries = log(Shelf(Workspace.open(workspace)).all())
    if as_json:
        print_json(entries)
        return
    header = ("Version", "Made (UTC)", "Fingerprint", "Recordings", "Segments", "Hours kept", "Splits", "What changed")
    rows = [
        (
            entry.number,
            entry.created[:16].replace("T", " "),
            entry.fingerprint[:8] + ("" if entry.rows else " (rows gone)"),
            entry.recordings,
            entry.segments,
            entry.hours,
            ", ".join(f"{name} {hours:.3f}" for name, hours in entry.splits.items()),
            "; ".join(entry.changed) or "nothing that is told apart",
        )
        for entry in reversed(entries)
    ]
    if rows:
        print_table("", header, rows)
    else:
        click.echo(f"no version yet. Make one with: speechmill run CORPUS --out {workspace}")


@command.command("diff")
@click.argument("workspace", type=click.Path(path_type=Path))
@click.argument("before", metavar="A")
@click.argument("after", metavar="[B]", default="latest")
@click.option("--segments", "shown", type=click.IntRange(min=0), default=0, metavar="N", help="List N segments, too.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def diff_command(workspace: Path, before: str, after: str, shown: int, as_json: bool) -> None:
    """Tell what version B of the dataset of WORKSPACE has otherwise than version A, and why.

    A and B: numbers, `latest`, `latest~1` or fingerprints. A segment is in a version where it is kept.

    \b
    speechmill dataset diff ./workspace latest~1 latest --segments 10
    """
    from speechmill.cli.output import print_json
    from speechmill.pipeline.versions import Shelf
    from speechmill.pipeline.versions.diff import diff
    from speechmill.store.takedowns import taken_down
    from speechmill.store.workspace import Workspace

    place = Workspace.open(workspace)
    shelf = Shelf(place)
    found = diff(shelf.find(before), shelf.find(after), taken_down(place.root), shown)
    if as_json:
        print_json(found)
    else:
        _print(found)


@command.command("show")
@click.argument("workspace", type=click.Path(path_type=Path))
@click.argument("version", default="latest")
@click.option("--json", "as_json", is_flag=True, help="Print the whole manifest.")
def show_command(workspace: Path, version: str, as_json: bool) -> None:
    """Tell what a version of the dataset of WORKSPACE was made of.

    \b
    speechmill dataset show ./workspace 3
    """
    from speechmill.cli.output import print_json, print_table
    from speechmill.pipeline.versions import Shelf
    from speechmill.store.workspace import Workspace

    found = Shelf(Workspace.open(workspace)).find(version).manifest
    if as_json:
        print_json(found)
        return
    print_table("", ("", ""), _told(found))
    click.echo()
    steps = [
        (step.name, step.fingerprint, ", ".join(dict.fromkeys(f"{one.backend} {one.version}" for one in step.used)))
        for step in found.steps
    ]
    print_table("made by", ("Stage", "Fingerprint", "Backends"), steps)
    models = {model.digest: model for step in found.steps for one in step.used for model in one.models}
    if models:
        click.echo()
        rows = [(model.name, model.licence, model.source, model.digest) for model in models.values()]
        print_table("models", ("Model", "Licence", "Source", "Digest"), rows)


def _told(found: Manifest) -> Iterator[tuple[str, str]]:
    counts = found.counts
    yield "version", f"{found.number} ({found.fingerprint})"
    yield "made", found.created
    yield "run", found.run
    yield "recordings", f"{counts.recordings:,}, of which {counts.recordings_kept:,} have kept segments"
    yield "kept", f"{counts.kept_hours:.3f} h of {counts.hours:.3f} h, {counts.kept:,} of {counts.segments:,} segments"
    yield "splits", ", ".join(f"{name} {one.hours:.3f} h" for name, one in counts.splits.items())
    yield "rules", "; ".join(found.rules) or "none"
    yield "corrections", f"{found.corrections.count:,}"
    yield "taken down", f"{found.takedowns.count:,}"
    for note in found.purged:
        yield "purged since", f"{note.recordings:,} recordings, certificate {note.certificate}"
    for path, file in found.files.items():
        yield path, f"{file.bytes:,} bytes, sha256 {file.sha256}"
    yield "libraries", ", ".join(f"{name} {version}" for name, version in found.versions.items())


def _print(found: Diff) -> None:
    from speechmill.cli.output import print_table

    click.echo(
        f"version {found.before} -> {found.after}: {found.kept_before:.4f} h -> {found.kept_after:.4f} h kept "
        f"({found.kept_after - found.kept_before:+.4f} h)"
    )
    if found.effects:
        click.echo()
        header = ("Cause", "Added", "h", "Removed", "h", "Changed", "h")
        print_table("segments by cause", header, map(_effect, found.effects))
    elif found.compared:
        click.echo("every segment is as it was")
    if found.fields:
        click.echo("changed: " + ", ".join(f"{name} of {count:,}" for name, count in found.fields.items()))
    if found.recordings:
        click.echo()
        rows = [(one.change, one.id, f"{one.cause}", one.duration) for one in found.recordings[:_LISTED]]
        print_table("recordings", ("", "Recording", "Cause", "Seconds"), rows)
        if len(found.recordings) > _LISTED:
            click.echo(f"and {len(found.recordings) - _LISTED:,} more; all of them: --json")
    _print_settings(found)
    _print_figures(found)
    for note in found.notes:
        click.echo(f"note: {note}")


def _effect(effect: Effect) -> tuple[object, ...]:
    return (
        " + ".join(map(str, effect.causes)),
        effect.added,
        effect.added_hours,
        effect.removed,
        effect.removed_hours,
        effect.changed,
        effect.changed_hours,
    )


def _print_settings(found: Diff) -> None:
    lines = [f"stage {root.stage}: {root.what}" for root in found.stages]
    lines += [f"rule {rule}" for rule in found.rules]
    if lines:
        click.echo("\nsettings that differ")
        for line in lines:
            click.echo(f"  {line}")


def _print_figures(found: Diff) -> None:
    from speechmill.cli.output import print_table

    if found.reasons:
        click.echo()
        rows = [(one.rule, one.before_hours, one.after_hours) for one in found.reasons]
        print_table("hours left out by reason", ("Reason", "Before", "After"), rows)
    drift = [one for one in found.drift if one.moved or one.gained or one.lost]
    if drift:
        click.echo()
        header = ("Score", "Segments", "Moved", "Median before", "after", "Mean difference", "By")
        moved = [
            (
                one.score,
                one.segments,
                f"{100 * one.moved:.1f} %",
                one.median_before,
                one.median_after,
                one.mean_difference,
                "; ".join(one.stages),
            )
            for one in drift
        ]
        print_table("scores that moved", header, moved)
    if found.segments:
        click.echo()
        shown = [
            (one.change, one.id, ", ".join(one.fields), " + ".join(map(str, one.causes)), one.duration)
            for one in found.segments
        ]
        print_table("segments", ("", "Segment", "Fields", "Cause", "Seconds"), shown)
