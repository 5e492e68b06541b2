# SPDX-License-Identifier: Apache-2.0
"""`speechmill evaluate`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from speechmill.cli.output import print_json, print_table

if TYPE_CHECKING:
    from speechmill.alignment.evaluate import Comparison, Row


@click.group("evaluate")
def command() -> None:
    """Compare results with the truth.

    \b
    speechmill evaluate align ./gold ./aligned
    """


@command.command("align")
@click.argument("gold", type=click.Path(path_type=Path))
@click.argument("out", type=click.Path(path_type=Path))
@click.option("--tier", type=click.Choice(["words", "phones"]), help="Compare these alone; default: what GOLD has.")
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
def align(gold: Path, out: Path, tier: str | None, as_json: bool) -> int:
    """Say how far the words and phones of OUT, a folder of TextGrids, are from those of GOLD.

    GOLD is a folder of TextGrids, or JSON with [symbol, start, end] by file: {"talk": [["one", 0.31, 0.52]]}. Status 1
    where a file of GOLD is not in OUT.

    \b
    speechmill evaluate align ./gold ./aligned
    speechmill evaluate align gold_words.json ./aligned --json
    """
    from speechmill.alignment.evaluate import compare

    found = compare(gold, out, tier)
    if as_json:
        print_json(found)
    else:
        _print(found)
    return 1 if found.absent else 0


def _print(found: Comparison) -> None:
    header = ("tier", "edge", "", "mean ms", "median ms", "10 ms", "25 ms", "50 ms", "offset ms", "compared")
    print_table("boundary errors", header, [_cells(row) for row in found.rows])
    for kind, count in found.symbols.items():
        click.echo(f"{found.matched[kind]} of {count} {kind} found in {found.files - len(found.absent)} files")
    if found.absent:
        click.echo(f"{len(found.absent)} of {found.files} files are not there: {', '.join(found.absent[:5])}")


def _cells(row: Row) -> tuple[object, ...]:
    head = (row.tier, row.edge, "offset removed" if row.offset_removed else "")
    if row.mean_ms is None:
        return (*head, "", "", "", "", "", "", 0)
    shares = [f"{share or 0:.1%}" for share in (row.within_10_ms, row.within_25_ms, row.within_50_ms)]
    return (*head, f"{row.mean_ms:.1f}", f"{row.median_ms:.1f}", *shares, f"{row.offset_ms:+.1f}", row.compared)
