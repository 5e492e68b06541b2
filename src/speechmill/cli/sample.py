# SPDX-License-Identifier: Apache-2.0
"""`speechmill sample`."""

from __future__ import annotations

import getpass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from speechmill.cli.output import check_writable, print_json, print_table, shown

if TYPE_CHECKING:
    from speechmill.pipeline.sample import Conclusion, Sample
    from speechmill.pipeline.sample.drawing import Of


@click.command("sample")
@click.argument("workspace", type=click.Path(path_type=Path), default=Path("workspace"))
@click.option("--n", "number", type=int, default=200, show_default=True, help="How many segments to judge.")
@click.option(
    "--stratify",
    "by",
    default="score",
    show_default=True,
    help="score, duration, speaker, language, split, or the name of a score: kinds that are each drawn from.",
)
@click.option("--seed", type=int, default=0, show_default=True, help="Another seed draws others.")
@click.option("--of", type=click.Choice(["kept", "dropped"]), default="kept", show_default=True, help="Which segments.")
@click.option("--out", type=click.Path(path_type=Path), default=Path("sheet"), show_default=True, help="Where to.")
@click.option("--verdicts", type=click.Path(path_type=Path), help="What was judged.")
@click.option("--who", help="Who judged; default: the user's name.")
@click.option("--json", "as_json", is_flag=True, help="Print what came of it as JSON.")
def command(
    workspace: Path,
    number: int,
    by: str,
    seed: int,
    of: Of,
    out: Path,
    verdicts: Path | None,
    who: str | None,
    as_json: bool,
) -> None:
    """Draw segments to judge by ear, and tell from the verdicts how good the dataset is.

    The first call writes a page to open in a browser; the second reads what it saved, estimates with 95 % intervals
    how many segments are right, and takes edits of text and speaker in as corrections.

    \b
    speechmill sample ./workspace --n 200 --stratify score --out ./sheet
    speechmill sample ./workspace --verdicts verdicts.csv
    """
    from speechmill.pipeline import sample
    from speechmill.store.workspace import Workspace

    opened = Workspace.open(workspace)
    if verdicts is not None:
        _show(sample.conclude(opened, verdicts, who=who or _user()), as_json)
        return
    check_writable(out)
    drawn = sample.draw(opened, number, by, seed, of)
    page = sample.write_sheet(opened, drawn, out)
    _show_drawn(drawn, page, as_json)


def _show_drawn(drawn: Sample, page: Path, as_json: bool) -> None:
    if as_json:
        print_json({"page": str(page), "sample": drawn.id, "drawn": len(drawn.segments), "strata": drawn.strata})
        return
    print_table("", ("stratum", "segments", "drawn"), [(one.name, one.population, one.drawn) for one in drawn.strata])
    click.echo(f"Open {shown(page)}, judge, save, then: speechmill sample WORKSPACE --verdicts verdicts.csv")
    click.echo(f"{shown(page.parent)} holds audio and texts, where no `speechmill purge` reaches: delete it after use.")


def _show(found: Conclusion, as_json: bool) -> None:
    if as_json:
        print_json(found)
        return
    rows = [("without fault", found.precision), *found.faults.items()]
    rows += [(f"without fault, {name}", one) for name, one in found.strata.items()]
    cells = [(name, _percent(one.share), f"{_percent(one.low)} to {_percent(one.high)}") for name, one in rows]
    if (level := found.automation) is not None:
        between = f"{_percent(level.low)} to {_percent(level.high)}"
        cells.append((f"automation level, of {level.number} recordings", _percent(level.share), between))
    print_table("", (f"{found.of} segments", "share", "95 % interval"), cells)
    click.echo(f"{found.judged} of {found.drawn} judged; they stand for {found.covered:,} of {found.population:,}.")
    if not found.is_current:
        click.echo("The dataset has changed since the sample was drawn: the figures are of the one before.")
    for note in found.notes:
        click.echo(note)
    if found.corrections:
        click.echo(f"{found.corrections} corrections logged; they take effect when the corpus is run again.")


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # no name in the password file: a container
        return "unknown"
