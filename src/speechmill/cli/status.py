# SPDX-License-Identifier: Apache-2.0
"""`speechmill status`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from speechmill.cli.output import hours, print_json, print_table
from speechmill.core.errors import ConfigError, WorkspaceError

if TYPE_CHECKING:
    from speechmill.cli.watch_views import View
    from speechmill.pipeline.overview import Overview
    from speechmill.store.made import Made

FAILURES_SHOWN = 20


@click.command("status")
@click.argument("workspace", type=click.Path(path_type=Path), default=Path("workspace"))
@click.option("--json", "as_json", is_flag=True, help="Everything, as JSON.")
@click.option("--watch", "watching", is_flag=True, help="Show the last run until it ends: l, g, t change the view.")
@click.option("--view", type=click.Choice(["list", "graph", "timeline"]), help="How to show the last run.")
@click.option("--html", "page", type=click.Path(path_type=Path), help="Write list, graph and timeline as one page.")
@click.option("--every", "every_s", type=click.FloatRange(0.2), default=2.0, show_default=True, help="Seconds.")
def command(
    workspace: Path, as_json: bool, watching: bool, view: View | None, page: Path | None, every_s: float
) -> None:
    """Show what WORKSPACE holds: the last run, the funnel, what failed and why.

    \b
    speechmill status ./workspace --json
    speechmill status ./workspace --watch --view timeline
    speechmill status ./workspace --html run.html
    """
    from speechmill.pipeline.overview import overview

    if watching or view or page:
        if as_json:
            raise ConfigError("--json is of a workspace as it is: leave --watch, --view and --html out")
        _show_run(workspace, watching, view, page, every_s)
        return
    found = overview(workspace)
    if as_json:
        print_json(found)
    else:
        show(found)


def _show_run(workspace: Path, watching: bool, view: View | None, page: Path | None, every_s: float) -> None:
    """Show the last run by what its workers tell, as it goes on."""
    from speechmill.cli import watch
    from speechmill.pipeline.following import Followed
    from speechmill.store.workspace import Workspace
    from speechmill.telemetry.page import write_page

    folder = Workspace.open(workspace).latest_run()
    if folder is None:
        raise WorkspaceError(f"{workspace} has had no run yet")
    if watching:
        watch.watch(folder, view or "list", every_s, page)
    elif view:
        watch.show(folder, view)
    if page is not None:
        if not watching:
            write_page(Followed(folder), page)
        click.echo(page)


def show(found: Overview) -> None:
    """Print an overview for a person."""
    if found.run is None:
        click.echo(f"{found.workspace} has had no run yet")
        return
    click.echo(f"run {found.run}: {found.state}, {found.recordings} recordings, {hours(found.audio_h * 3600)} of audio")
    rows = [
        (name, count.processed, count.cached, count.failed, count.pending, speed(count.audio_s, count.wall_s))
        for name, count in found.stages.items()
    ]
    print_table("", ("stage", "made now", "already there", "failed", "missing", "speed"), rows)
    if found.segments:
        _funnel(found)
    if found.failures:
        shown = [(item.recording_id, item.stage, item.reason, item.detail) for item in found.failures[:FAILURES_SHOWN]]
        print_table(f"failed: {len(found.failures)}", ("recording", "stage", "reason", "detail"), shown)
    if found.notes:
        print_table(
            f"notes: {len(found.notes)}",
            ("recording", ""),
            [(n.recording_id, n.note) for n in found.notes[:FAILURES_SHOWN]],
        )
    for model in found.models:
        click.echo(f"model {model.id} of {model.stage}: {described(model)}")
    for warning in found.warnings:
        click.echo(f"warning: {warning}")


def described(model: Made) -> str:
    """Say of what a model was made, and which words it has no good pronunciation for."""
    words = f"{model.words} words, {model.guessed} of them guessed, {model.oov} not at all"
    trained = f"{hours(model.hours * 3600)} in {model.utterances} utterances of {model.speakers} speakers"
    return f"{model.backend}, trained on {trained}; {model.phones} phones; {words}"


def show_exports(workspace: Path) -> None:
    """Print where each export is, and which were made of an earlier dataset."""
    from speechmill.pipeline.refilter import exports_of, stale_exports
    from speechmill.store.workspace import Workspace

    place = Workspace.open(workspace)
    stale = stale_exports(place)
    for name in exports_of(place):
        old = f"  (of an earlier dataset; renew: speechmill export {workspace} {name})" if name in stale else ""
        click.echo(f"export   {workspace / 'exports' / name}{old}")


def _funnel(found: Overview) -> None:
    rows = [
        ("audio", hours(found.audio_h * 3600), ""),
        ("speech", hours(found.speech_h * 3600), ""),
        ("segments", hours(found.segment_h * 3600), f"{found.segments}"),
        ("kept", hours(found.kept_h * 3600), f"{found.segments_kept}"),
        *((f"  for {name}", hours(kept * 3600), "") for name, kept in found.splits.items() if len(found.splits) > 1),
        *((f"dropped by {rule}", hours(lost * 3600), "") for rule, lost in found.dropped.items()),
    ]
    print_table("", ("", "h:mm:ss", "segments"), rows)


def speed(audio_s: float, wall_s: float) -> str:
    """Write x real time of one worker; nothing where nothing was measured."""
    return f"{audio_s / wall_s:.0f}x" if audio_s and wall_s else ""
