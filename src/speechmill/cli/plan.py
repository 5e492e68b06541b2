# SPDX-License-Identifier: Apache-2.0
"""`speechmill plan`: the first task of every orchestrated run."""

from __future__ import annotations

from pathlib import Path

import click

from speechmill.cli.output import parse_settings, print_json
from speechmill.core.errors import ConfigError
from speechmill.pipeline.orchestrate_options import MOST_TASKS


@click.command("plan")
@click.argument("corpus", type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), help="The workspace; default: what the corpus file says.")
@click.option("--set", "settings", multiple=True, metavar="FIELD=VALUE", help="Any field: --set vad.threshold=0.6")
@click.option("--limit", type=click.IntRange(min=1), help="Only the first so many recordings.")
@click.option("--since", help="Work only on recordings of this date (2026-11-01) or later.")
@click.option("--until", help="Work only on recordings before this date.")
@click.option("--retrain", is_flag=True, help="Make models from the corpus anew, and use these from now on.")
@click.option("--newest", is_flag=True, help="Plan nothing: show the newest run that is there.")
@click.option("--run", "folder", type=click.Path(path_type=Path), help="Plan nothing: show WORKSPACE/runs/ID.")
@click.option(
    "--tasks", type=click.IntRange(1), default=MOST_TASKS, show_default=True, help="Most ranges of shards to make."
)
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
def command(
    corpus: Path,
    out: Path | None,
    settings: tuple[str, ...],
    limit: int | None,
    since: str | None,
    until: str | None,
    retrain: bool,
    newest: bool,
    folder: Path | None,
    tasks: int,
    as_json: bool,
) -> None:
    """Freeze what a run of CORPUS does to which recordings, and cut it into shards; nothing is run.

    `speechmill exec` then does its shards, anywhere, and `speechmill conclude` ends it. Remote sources are not asked:
    the run takes what `speechmill crawl` has fetched.

    \b
    speechmill plan corpus.yaml --json
    speechmill plan corpus.yaml --since 2026-11-01 --until 2026-11-02
    """
    from speechmill import api
    from speechmill.pipeline import planned

    read = api.corpus_of(corpus, out, parse_settings(settings))
    if folder is not None or newest:
        if settings or limit or since or until or retrain:
            raise ConfigError("a run that is there is as it was planned: leave the other options out")
        found = planned.newest(read, tasks=tasks) if folder is None else planned.reopened(folder, tasks=tasks)
    else:
        if api.has_remote(read):
            api.hand_over(read)
        found = planned.plan_run(read, tasks=tasks, limit=limit, since=since, until=until, retrain=retrain)
    if as_json:
        print_json(found)
        return
    click.echo(f"{found.recordings} recordings, {found.audio_h:.2f} h of audio, in {found.shards} shards")
    click.echo(f"run      {found.run}")
    click.echo(f"next     speechmill exec --run {found.run} --shard 0")
