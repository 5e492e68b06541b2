# SPDX-License-Identifier: Apache-2.0
"""`speechmill corrections`."""

from __future__ import annotations

import getpass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from speechmill.cli.output import print_json, print_table

if TYPE_CHECKING:
    from speechmill.store.corrections import Entry

_workspace = click.option(
    "--workspace", type=click.Path(path_type=Path), default=Path("workspace"), show_default=True, help="Whose dataset."
)
_who = click.option("--who", help="Who says so; default: the user's name.")


@click.group("corrections")
def command() -> None:
    """Bring corrections of text, speakers and boundaries back into a workspace.

    They outrank what models found, in every later run.

    \b
    speechmill corrections import talk.TextGrid --workspace ./workspace
    speechmill corrections list --workspace ./workspace
    """


@command.command("import")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@_workspace
@click.option("--recording", help="Id or file name of the recording; default: the files' own names tell.")
@click.option("--tier", metavar="GLOB", help="Which tiers hold utterances; default: all but words and phones.")
@_who
@click.option("--json", "as_json", is_flag=True, help="Print what came of each file as JSON.")
def import_(
    files: tuple[Path, ...], workspace: Path, recording: str | None, tier: str | None, who: str | None, as_json: bool
) -> None:
    """Read FILES (TextGrid, EAF, CSV) and log what they correct; the next run applies it.

    What agrees with the dataset is no correction.

    \b
    speechmill corrections import talk.TextGrid --workspace ./workspace
    speechmill corrections import checked.csv --workspace ./workspace --who Lan
    """
    from speechmill.pipeline.correct import import_files

    found = import_files(workspace, files, who=who or _user(), recording=recording, tier=tier)
    if as_json:
        print_json(found)
        return
    print_table("", ("file", "corrections", "unchanged"), [(one.file, one.corrections, one.unchanged) for one in found])
    for one in found:
        for note in one.notes:
            click.echo(f"{one.file}: {note}")
    if any(one.corrections for one in found):
        click.echo("They take effect when the corpus is run again.")


@command.command("list")
@_workspace
@click.option("--all", "everything", is_flag=True, help="Those too that no longer count.")
@click.option("--json", "as_json", is_flag=True, help="Print them as JSON.")
def list_(workspace: Path, everything: bool, as_json: bool) -> None:
    """List corrections: where, what, who, when, from which file.

    \b
    speechmill corrections list --workspace ./workspace
    """
    from speechmill.store.corrections import log, standing
    from speechmill.store.workspace import Workspace

    entries = log(Workspace.open(workspace).corrections)
    shown = entries if everything else standing(entries)
    if as_json:
        print_json(shown)
        return
    rows = [(*_what(entry), entry.who, entry.when, entry.file) for entry in shown]
    print_table("", ("id", "recording", "seconds", "says", "who", "when", "file"), rows)


def _what(entry: Entry) -> tuple[str, str, str, str]:
    one = entry.correction
    if one is None:
        return entry.dropped, "", "", "dropped"
    parts = (repr(one.text) if one.text else "", one.speaker or "", f"{len(one.words)} words" if one.words else "")
    channel = f", channel {one.channel}" if one.channel else ""
    return one.id, entry.recording_id, f"{one.start:.3f}-{one.end:.3f}{channel}", "; ".join(filter(None, parts))


@command.command("drop")
@click.argument("ids", nargs=-1, required=True, metavar="ID...")
@_workspace
@_who
def drop(ids: tuple[str, ...], workspace: Path, who: str | None) -> None:
    """Let corrections no longer count; the log keeps them, and the next run has what was before.

    \b
    speechmill corrections drop 3f9a2c51d0aa --workspace ./workspace
    """
    from speechmill.pipeline import correct

    correct.drop(workspace, ids, who=who or _user())


@command.command("write")
@click.argument("out", type=click.Path(path_type=Path))
@_workspace
def write(out: Path, workspace: Path) -> None:
    """Write the segments whose text was corrected as a corpus of files into OUT, to adapt a model to.

    \b
    speechmill corrections write ./corrected --workspace ./workspace
    """
    from speechmill.pipeline import corrected_corpus

    click.echo(f"{out}  {corrected_corpus.write(workspace, out)} utterances")


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # no name in the password file: a container
        return "unknown"
