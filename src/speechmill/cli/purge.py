# SPDX-License-Identifier: Apache-2.0
"""`speechmill purge`."""

from __future__ import annotations

import getpass
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from speechmill.pipeline.purge import Purged
    from speechmill.pipeline.purge.plan import Planned


@click.command("purge")
@click.argument("workspace", type=click.Path(path_type=Path))
@click.argument("target")
@click.option("--yes", is_flag=True, help="Don't ask.")
@click.option("--dry-run", is_flag=True, help="Say what would go; write nothing.")
@click.option("--reason", default="", help="Why, for the certificate. It must not name the target.")
@click.option("--by", default="", help="Who, for the certificate; default: the user of this machine.")
@click.option("--models", is_flag=True, help="Delete the models that may have been trained on it, too.")
@click.option("--json", "as_json", is_flag=True, help="Print plan or certificate as JSON.")
def command(
    workspace: Path, target: str, yes: bool, dry_run: bool, reason: str, by: str, models: bool, as_json: bool
) -> None:
    """Take TARGET out of WORKSPACE for good, and prove it: results, audio, dataset, exports, versions, reports, crawl.

    TARGET is a recording (its id, or its file's name), a speaker, or an address. Of a speaker, every recording in which
    he or she speaks goes as a whole. A certificate stays in purges/, which doesn't name the target, and a salted hash
    by which no later run takes it in again. Originals in your own folders stay yours.

    \b
    speechmill purge ./workspace anna --dry-run
    speechmill purge ./workspace anna --reason "consent withdrawn" --yes
    """
    from speechmill.cli.output import print_json
    from speechmill.pipeline import purge as pipeline
    from speechmill.store.workspace import Workspace

    place = Workspace.open(workspace)
    with place.held(), place.joined(alone=True):
        note = _note
        if not dry_run and (before := pipeline.finish(place, note)) is not None:
            note(f"a purge that was cut off is finished: {before.path}, salt {before.salt}")
            if before.certificate.target == _salted(before, target):
                _done(place.root, before, as_json)
                return
        if dry_run or not yes:
            planned = pipeline.plan(place, target)
            if dry_run and as_json:
                print_json(planned)
            else:
                _show(planned)
        if dry_run:
            return
        if not yes:
            click.confirm("Purge it? This can't be undone", abort=True, err=True)
        asked = pipeline.Asked(by or getpass.getuser(), reason)
        _done(place.root, pipeline.purge(place, target, asked, note, models=models), as_json)


def _note(text: str) -> None:
    click.echo(text, err=True)


def _salted(done: Purged, target: str) -> str:
    from speechmill.pipeline.purge.certificate import salted

    return salted(done.salt, target)


def _show(planned: Planned) -> None:
    from speechmill.cli.output import print_table

    rows = [("recordings, each as a whole", len(planned.recordings)), ("recordings that stay", planned.others)]
    rows += [(f"files: {kind}", count) for kind, count in planned.touched.items()]
    print_table(f"purge of a {planned.kind}", ("what", "count"), rows)
    for name in planned.recordings[:20]:
        click.echo(f"recording {name}")
    if planned.speakers:
        click.echo(f"speakers who are in no other recording: {', '.join(planned.speakers)}")
    if planned.versions:
        click.echo(f"versions of the dataset that it was in: {', '.join(map(str, planned.versions))}")
    for model in planned.models:
        click.echo(f"model {model.id} ({model.stage}): trained on it: {model.trained}")
    for name in planned.copies:
        click.echo(f"recording {name} was found to be a copy of it, and stays; purge it as well if it is one")
    for path in planned.files:
        click.echo(f"the original at {path} is yours: it stays, and runs of this workspace leave it out from now on")


def _done(root: Path, purged: Purged, as_json: bool) -> None:
    from speechmill.cli.output import print_json, print_table

    if as_json:
        print_json(purged)
        return
    one = purged.certificate
    rows = [(kind, done, count) for done in ("deleted", "rewritten") for kind, count in getattr(one, done).items()]
    print_table(f"certificate {one.id}", ("what", "done", "count"), rows)
    click.echo(f"recordings {one.recordings}; versions {', '.join(map(str, one.versions)) or 'none'}")
    for name in one.exports:
        if (root / "exports" / name).exists():
            click.echo(f"export {name} was written anew without it; what was uploaded or copied before is out of reach")
        else:
            click.echo(f"export {name} was deleted; write it anew with: speechmill export {root} {name}")
    for model in one.models:
        click.echo(f"model {model.id} ({model.stage}): trained on it: {model.trained}; deleted: {model.deleted}")
    for line in one.beyond:
        click.echo(f"out of reach: {line}")
    looked = ", ".join(f"{count} {kind}" for kind, count in one.looked_for.items())
    click.echo(f"scan of {one.scanned} files for {looked}: {one.found} traces")
    click.echo(f"{purged.path}; its salt, which is kept nowhere: {purged.salt}")
